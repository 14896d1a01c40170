"""A chapter from a fresh clone in JupyterLab, before anything is run: nothing is trusted there."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from where import ROOT

CHAPTER = "chapters/01-what-is-a-learning-rate.ipynb"
NO_NEWS = (
    "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"  # it asks the network
)


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab as `make lab` starts it, over a copy of a chapter, with nobody's settings."""
    clone, own = (
        tmp_path / "clone",
        {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")},
    )
    (clone / "chapters").mkdir(parents=True)
    shutil.copy(ROOT / CHAPTER, clone / CHAPTER)
    own |= {f"JUPYTERLAB_{name}_DIR": str(tmp_path / name) for name in ("SETTINGS", "WORKSPACES")}
    command = [sys.executable, "-m", "jupyterlab", f"--config={ROOT / 'tools' / 'lab.py'}", f"--notebook-dir={clone}"]
    command += ["--no-browser", "--allow-root", "--ServerApp.port=0", "--IdentityProvider.token=", NO_NEWS]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            command, env=os.environ | own | {"JUPYTER_PREFER_ENV_PATH": "1"}, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + 60
        while not (started := list((tmp_path / "RUNTIME").glob("jpserver-*.json"))):
            assert server.poll() is None and time.monotonic() < end, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{json.loads(started[0].read_text())['port']}", clone / CHAPTER
    finally:
        server.terminate()
        server.wait(30)


def test_a_chapter_from_a_fresh_clone(lab, chromium):
    """Figures are pictures, the text is plain, and a file that is opened and saved has not changed."""
    address, file = lab
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/lab/tree/{CHAPTER}")
    page.wait_for_selector(".jp-NotebookPanel .jp-RenderedImage img", timeout=60_000)
    page.wait_for_selector(
        '.jp-Notebook .jp-RenderedMarkdown h2:has-text("References")', timeout=60_000, state="attached"
    )
    assert page.locator(".jp-RenderedSVG").count() == 0
    pictures = page.evaluate(
        "[...document.querySelectorAll('.jp-OutputArea-output img')].map(image => [image.naturalWidth, image.width])"
    )
    assert len(pictures) >= 5 and all(natural >= width > 200 for natural, width in pictures)
    texts = page.locator(".jp-RenderedMarkdown").all_inner_texts()
    assert len(texts) > 20 and re.findall(r"\{[a-z:]+\}|:::|<!--|⚠", " ".join(texts)) == []
    answer = page.locator(".jp-RenderedMarkdown details").first
    assert not answer.locator("li").first.is_visible()
    answer.locator("summary").click()
    assert answer.locator("li").first.is_visible()

    before, whole = file.stat().st_mtime_ns, (ROOT / CHAPTER).read_bytes()
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000, state="attached")
    page.keyboard.press("Control+s")
    end = time.monotonic() + 60
    while (file.stat().st_mtime_ns == before or file.read_bytes() != whole) and time.monotonic() < end:
        page.wait_for_timeout(100)
    assert file.stat().st_mtime_ns != before, "it was saved"
    assert file.read_bytes() == whole
    page.close()
