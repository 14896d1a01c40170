"""What axe-core finds wrong: nothing, on any page, wide or narrow, in both themes."""

import pytest
from axe import RULES, violations
from where import DESK, EVERY, PHONE

OPEN = "document.querySelectorAll('article details').forEach((fold) => (fold.open = true))"
# Thousands of coloured words and of boxes in formulas are alike, and axe would measure each: one of a kind stays.
THIN = """() => {
  const seen = new Set();
  for (const word of document.querySelectorAll("article pre span, article dt :is(span, em), article math *")) {
    if (seen.has(word.className)) word.replaceWith(...word.childNodes);
    else seen.add(word.className);
  }
  const formulas = [...document.querySelectorAll(".katex-html")];
  for (const formula of formulas.slice(1)) formula.textContent = formula.textContent;
}"""
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"


@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing(visit, name):
    """The theme changes colours alone, so in the dark only contrasts are asked for again."""
    page = visit(name, size=PHONE)
    page.add_style_tag(content=STILL)
    page.evaluate(OPEN)
    page.evaluate(THIN)
    found = {}
    for size in (PHONE, DESK):
        page.set_viewport_size(size)
        page.wait_for_timeout(250)  # scrolling regions get their stop for the keyboard when the window is at rest
        for theme, rules in {"light": RULES, "dark": ["color-contrast"]}.items():
            page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
            found[size["width"], theme] = violations(page, rules=rules)
    assert found == {key: [] for key in found}


def test_axe_would_find_something(visit):
    page = visit("zh")
    page.evaluate("document.querySelector('article').append(document.createElement('img'))")
    assert any(line.startswith("image-alt") for line in violations(page))
