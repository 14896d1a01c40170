"""`make test` needs a browser, and says so before it does anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOWHERE = os.environ | {"CHROMIUM": "/nowhere/chromium"}


def test_without_a_browser_the_check_fails_at_once():
    run = subprocess.run([sys.executable, ROOT / "tools" / "check.py"], env=NOWHERE, capture_output=True, text=True)
    assert run.returncode == 1 and run.stdout == "", "no step was begun"
    assert "No Chromium or Chrome was found" in run.stderr and "`make browser`" in run.stderr


@pytest.mark.parametrize("program", ["chromium.py", "pdf.py"])
def test_a_browser_that_is_named_and_not_there_is_told(program):
    run = subprocess.run([sys.executable, ROOT / "tools" / program], env=NOWHERE, capture_output=True, text=True)
    assert run.returncode == 1 and "chromium" in run.stderr.lower() and "Traceback" not in run.stderr


def test_the_machine_that_checks_gets_a_browser_first():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf8").splitlines()
    assert lines.index("make browser") < lines.index("make test")
    steps = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf8")
    assert steps.index("run: make browser") < steps.index("run: make test")


@pytest.mark.parametrize(
    ("first", "other", "status"), [("platform", "platform", 0), ("platform", "nowhere", 1), ("nowhere", "platform", 1)]
)
def test_steps_at_the_same_time_are_told_apart_and_either_ends_the_check(first, other, status):
    code = f"import check; check.beside(['one', '{first}'], ['two', '{other}']); print('and so on')"
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
