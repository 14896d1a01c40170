"""What axe-core finds wrong: nothing, on any page, wide or narrow, in both themes."""

import pytest
from axe import RULES, violations
from where import DESK, EVERY, PHONE

OPEN = "document.querySelectorAll('article details').forEach((fold) => (fold.open = true))"
STILL = "*, ::before, ::after { transition: none !important; animation: none !important; }"


@pytest.mark.parametrize("name", EVERY)
def test_axe_finds_nothing(visit, name):
    """The theme changes colours alone, so in the dark only contrasts are asked for again."""
    page = visit(name, size=PHONE)
    page.add_style_tag(content=STILL)
    page.evaluate(OPEN)
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


def test_of_many_texts_of_one_kind_the_one_that_is_badly_seen_is_found(visit):
    page = visit("zh")
    page.evaluate(
        """() => {
          const texts = Array.from({ length: 5 }, (_, i) => `<p class="alike" id="alike-${i}">Some words</p>`).join("");
          document.querySelector("article").insertAdjacentHTML("afterbegin", texts);
        }"""
    )
    ask = lambda: violations(page, rules=["color-contrast"])  # noqa: E731
    assert ask() == []
    changes = {
        "its own colour": "style.color = '#999'",
        "the ground behind it": "style.background = '#888'",
        "how it is seen through": "style.opacity = '0.5'",
    }
    for what, change in changes.items():
        page.evaluate(f"document.getElementById('alike-3').{change}")
        assert ask() == ["color-contrast: #alike-3"], what
        page.evaluate("document.getElementById('alike-3').removeAttribute('style')")
    page.evaluate(
        """() => {
          const { left, top, width, height } = document.getElementById("alike-2").getBoundingClientRect();
          const box = document.createElement("div");
          box.style = `position: absolute; z-index: -1; background: #333; left: ${left}px; top: ${top + scrollY}px; `
            + `width: ${width}px; height: ${height}px`;
          document.body.append(box);
        }"""
    )
    assert ask() == ["color-contrast: #alike-2"], "a box behind it that is not around it"
