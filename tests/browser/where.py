"""What the tests in the browser look at, and with which browser."""

import sys
from pathlib import Path

import pytest
import yaml
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
from chromium import FLAGS, NONE, found_browser  # noqa: E402, F401

CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
BELOW = "/" + CONFIG["repository"]["url"].rsplit("/", 1)[1]  # where GitHub shows the site, as the lost page knows
HTML = ROOT / "_build" / "html"
PAGES = sorted(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if page.startswith("chapters/")]
EVERY = [*PAGES, "genindex", "py-modindex", "search", "404"]  # no text of ours is behind the last four
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def each(pages):
    """Ask a test of each of these pages; its argument ``seen`` is what was seen there."""
    return pytest.mark.parametrize("seen", pages, indirect=True)
