"""On a phone: nothing is wider than the screen, and what is touched is large enough for a finger."""

import pytest
from where import CHAPTERS, EVERY, PHONE

OPEN = "document.querySelectorAll('article details').forEach((fold) => (fold.open = true))"
WIDER = """() => {
  const width = document.documentElement.clientWidth, found = [];
  if (document.documentElement.scrollWidth > width) found.push(`the page: ${document.documentElement.scrollWidth}`);
  const cuts = (node) => /auto|scroll|hidden|clip/.test(getComputedStyle(node).overflowX);
  const scrolls = (node) => node && (cuts(node) || scrolls(node.parentElement));
  for (const node of document.querySelectorAll("article *")) {
    const box = node.getBoundingClientRect();
    const name = `${node.tagName}.${node.className} ${node.textContent.slice(0, 40)}`;
    if (box.width && box.right > width + 1 && !scrolls(node.parentElement)) found.push(name);
    if (node.matches("pre, figure") && node.scrollWidth > node.clientWidth + 1) found.push(`scrolls: ${name}`);
  }
  return found;
}"""


SIZES = """(nodes) => nodes.map((node) => {
  const { width, height } = node.getBoundingClientRect();
  return [Math.round(width), Math.round(height), getComputedStyle(node).opacity];
})"""


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_wider_than_the_screen_and_all_is_large_enough(visit, name):
    page = visit(name, size=PHONE, has_touch=True, is_mobile=True)
    page.evaluate(OPEN)
    for width in (390, 360, 320):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate(WIDER) == [], width
    if name in CHAPTERS:
        page.set_viewport_size(PHONE)
        fingers_and_copy_buttons(page)


def fingers_and_copy_buttons(page):
    """Only what a reader would run has a button to copy it; button and fold are seen, and 44 pixels high."""
    page.wait_for_selector("button.copybtn")
    assert page.locator("div.cell_output button.copybtn").count() == 0
    buttons = page.locator("div.cell_input button.copybtn").evaluate_all(SIZES)
    assert len(buttons) == page.locator("div.cell_input pre").count()
    assert all(width >= 44 and height >= 44 and opacity == "1" for width, height, opacity in buttons)
    folds = page.locator("article summary").evaluate_all(SIZES)
    assert folds and all(height >= 44 for _, height, _ in folds)
