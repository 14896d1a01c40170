"""What the tests in the browser look at, and with which browser."""

import os
import shutil
from pathlib import Path

from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
PAGES = sorted(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"


def found_browser():
    """The path of a Chromium: of the variable BROWSER, on the PATH, or where a Mac keeps it."""
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    named = [os.environ.get("BROWSER"), *map(shutil.which, NAMES), mac]
    return next((path for path in named if path and Path(path).is_file()), None)
