"""`make test` needs a browser, and says so before it does anything else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools"))
import check  # noqa: E402
import chromium  # noqa: E402

NOWHERE = os.environ | {"CHROMIUM": "/nowhere/chromium"}


def test_without_a_browser_the_check_fails_at_once():
    run = subprocess.run([sys.executable, ROOT / "tools" / "check.py"], env=NOWHERE, capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == "", "no step was begun"
    assert "No Chromium or Chrome was found" in run.stderr and "`make browser`" in run.stderr


@pytest.mark.parametrize("program", ["chromium.py", "pdf.py"])
def test_a_browser_that_is_named_and_not_there_is_told(program):
    run = subprocess.run([sys.executable, ROOT / "tools" / program], env=NOWHERE, capture_output=True, text=True)
    assert run.returncode == 1 and "chromium" in run.stderr.lower() and "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("system", "browser", "fonts", "expected"),
    [
        ({"ID": "debian"}, None, False, "fontconfig fonts-noto-cjk chromium-headless-shell"),
        ({"ID": "debian"}, None, True, "chromium-headless-shell"),
        ({"ID": "raspbian", "ID_LIKE": "debian"}, None, True, "chromium"),
        ({"ID": "raspbian", "ID_LIKE": "debian"}, "/usr/bin/chromium", False, "fontconfig fonts-noto-cjk"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, None, False, "fontconfig fonts-noto-cjk"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, None, True, None),
    ],
)
@pytest.mark.parametrize("root", [True, False])
def test_what_is_not_there_is_got(system, browser, fonts, expected, root, monkeypatch):
    """Ubuntu's Chromium comes from Playwright, not all have one without windows, and root's rights are asked for."""
    said = []
    monkeypatch.setattr(chromium.sys, "platform", "linux")
    monkeypatch.setattr(chromium.platform, "freedesktop_os_release", lambda: system)
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(chromium, "run", lambda *command: said.append(" ".join(command)))
    monkeypatch.setattr(chromium, "packaged", lambda name: name == "chromium" or system["ID"] == "debian")
    chromium.get(browser, fonts)
    sudo, install = "" if root else "sudo ", "apt-get install -y -qq --no-install-recommends"
    wanted = [f"{sudo}apt-get update -qq", f"{sudo}{install} {expected}"] if expected else []
    if system["ID"] == "ubuntu":
        wanted += [f"{sudo}{sys.executable} -m playwright install-deps chromium"]
        wanted += [f"{sys.executable} -m playwright install chromium"]
    assert said == wanted


@pytest.mark.parametrize("system", ["darwin", "win32", "linux"])
def test_elsewhere_it_is_told_what_to_install(system, monkeypatch):
    monkeypatch.setattr(chromium.sys, "platform", system)
    monkeypatch.setattr(chromium.platform, "freedesktop_os_release", lambda: {"ID": "fedora"})
    with pytest.raises(SystemExit, match="Please install Google Chrome or Chromium, and a font for Chinese"):
        chromium.get(None, False)


def test_without_root_and_sudo_the_command_is_told(monkeypatch):
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="Please run this as root: apt-get update"):
        chromium.as_root("apt-get", "update")


def test_the_machine_that_checks_gets_a_browser_first():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf8").splitlines()
    assert lines.index("make browser") < lines.index("make test")
    steps = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf8")
    assert steps.index("run: make browser") < steps.index("run: make test")


@pytest.mark.parametrize(
    ("first", "other", "status"), [("platform", "platform", 0), ("platform", "nowhere", 1), ("nowhere", "platform", 1)]
)
def test_steps_at_the_same_time_are_told_apart_and_either_ends_the_check(first, other, status):
    code = f"import check; check.beside([['one', '{first}']], [['two', '{other}']]); print('and so on')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tools", capture_output=True, text=True)
    said = [line for line in run.stdout.splitlines() if line.startswith("──")]
    ends = {"platform": "passed", "nowhere": "failed"}
    assert [line.split(" after")[0] for line in said] == [
        f"── one: {first} ",
        f"── one: {ends[first]}",
        f"── two: {other} ",
        f"── two: {ends[other]}",
    ]
    assert run.returncode == status and ("and so on" in run.stdout) == (status == 0)


@pytest.mark.parametrize(("test", "reason"), check.ALIKE.items())
def test_what_is_not_run_on_another_processor_computes_nothing(test, reason):
    """But for the processes of a sweep, which all have one processor; and nothing is left out by a name that is old."""
    text = (ROOT / test).read_text(encoding="utf8")
    if reason == "reads files":
        assert not re.search(r"import (numpy|keras)|^from lrlib\.(?!quiet)", text, re.MULTILINE)
    ignored = [argument for argument in check.unit_tests_but(test) if argument.startswith("--ignore=")]
    assert len(ignored) == len([*check.OF_THE_BUILD, *check.ELSEWHERE]) + 1


def test_chapters_are_compared_with_the_run_that_the_book_is_built_from(tmp_path):
    """An output or a figure that is another is found, and a run of other code is none."""
    trained, computed, missing = (next((ROOT / "chapters").glob(f"0{number}-*.ipynb")) for number in (5, 2, 3))
    notebooks = {file: nbformat.read(file, as_version=4) for file in (trained, computed, missing)}

    def outputs(file, kind):
        cells = [cell for cell in notebooks[file].cells if cell.cell_type == "code"]
        return [
            (f"FAILED chapters/{file.name}::Cell {number}", output)
            for number, cell in enumerate(cells)
            for output in cell.outputs
            if kind in output or kind in output.get("data", {})
        ]

    for _, figure in outputs(trained, "image/png"):
        figure.data["image/svg+xml"] = "<svg>as the site has it</svg>"
    printed, lines = outputs(computed, "text")[0]
    lines.text = "9" + lines.text
    drawn, figure = outputs(computed, "image/svg+xml")[0]
    figure.data["image/svg+xml"] = figure.data["image/svg+xml"].replace("</svg>", "<g/></svg>")
    next(cell for cell in notebooks[missing].cells if cell.cell_type == "code").source = "1 + 1"
    cache = get_cache(tmp_path)
    for file, notebook in notebooks.items():
        cache.cache_notebook_bundle(CacheBundleIn(notebook, str(file)), check_validity=False)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "tools.executed", "-rfE"]
    command += ["--color=no", "--tb=line", "--executed", str(tmp_path), *map(str, notebooks)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    wrong = [line.split(" - ")[0] for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert sorted(line for line in wrong if line.startswith("FAILED")) == sorted([printed, drawn])
    assert {line.partition("::")[0] for line in wrong if line.startswith("ERROR")} == {f"ERROR chapters/{missing.name}"}
    assert f"{missing.name} has no run that came to its end: `make book` runs the chapters" in run.stdout
