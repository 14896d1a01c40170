"""A page on paper: no line is cut, what was folded stands open, and nothing is left of the menus."""

import pytest
from where import CHAPTERS, PAGES

PAPER = {"width": 672, "height": 1000}  # A4 between the margins, in CSS pixels
CLOSED = "document.querySelectorAll('article details:not([open])').length"
CUT = """() => [...document.querySelectorAll("article :is(pre, table, figure, img, .sd-card, .admonition)")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1 && node.tagName !== "IMG" && node.clientWidth
                    || node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((node) => `${node.tagName}: ${node.textContent.trim().slice(0, 60)}`)"""
HIDDEN = """() => [...document.querySelectorAll("article details")]
  .filter((fold) => ![...fold.children].slice(1).some((child) =>
    child.checkVisibility({ opacityProperty: true }) && child.getBoundingClientRect().height > 5))
  .map((fold) => fold.textContent.trim().slice(0, 60))"""
MENUS = (
    ".bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, .prev-next-footer, button.copybtn, a.headerlink, "
    "#jb-print-docs-body"
)
EMPTY = """() => [...document.querySelectorAll("article :is(div, pre, p, td)")].filter((node) => {
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  const drawn = !["rgba(0, 0, 0, 0)", "transparent", "rgb(255, 255, 255)"].includes(style.backgroundColor);
  return drawn && box.height > 4 && !node.innerText.trim() && !node.querySelector("img, svg, canvas, input");
}).map((node) => node.className)"""


@pytest.mark.parametrize("name", PAGES)
def test_paper(visit, name):
    page = visit(name, size=PAPER, dark=True)
    closed = page.evaluate(CLOSED)
    page.emulate_media(media="print")
    page.wait_for_function(f"{CLOSED} === 0 && document.documentElement.dataset.theme === 'light'")
    assert page.evaluate(CUT) == [] and page.evaluate(HIDDEN) == [] and page.evaluate(EMPTY) == []
    assert [node for node in page.locator(MENUS).all() if node.is_visible()] == []
    assert page.locator("article h1").first.is_visible()
    ink = page.locator("article p").first.evaluate("(node) => getComputedStyle(node).color")
    assert max(map(int, ink.removeprefix("rgb(").removesuffix(")").split(","))) < 100, "dark ink on paper"
    page.emulate_media(media="screen")
    page.wait_for_function(f"{CLOSED} === {closed} && document.documentElement.dataset.theme === 'dark'")


def test_the_folds_open_in_print_without_a_script(visit):
    page = visit(CHAPTERS[1], size=PAPER, java_script_enabled=False)
    page.emulate_media(media="print")
    code = page.locator("article details pre").first.bounding_box()
    assert code and code["height"] > 20
