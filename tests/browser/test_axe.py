"""What axe-core finds wrong: nothing, on any page, wide or narrow, in both themes."""

from axe import OF_COLOURS, RULES, violations
from walk import STILL
from where import DESK, EVERY, PHONE, each


@each(EVERY)
def test_axe_finds_nothing(seen):
    """All figures that answer the hand are there, as they come; their tests ask axe what a hand makes of them."""
    assert all(seen.live)
    assert seen.axe == {(size["width"], theme): [] for size in (PHONE, DESK) for theme in ("light", "dark")}


def test_the_way_back_to_the_top_can_be_read(visit):
    """It comes when a reader turns round."""
    page = visit("genindex", size=PHONE)
    page.add_style_tag(content=STILL)
    button = page.locator("#pst-back-to-top")
    page.mouse.wheel(0, 4000)
    page.wait_for_function("scrollY > 1000")
    page.mouse.wheel(0, -400)
    button.wait_for(state="visible")
    for theme in ("light", "dark"):
        page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
        assert button.is_visible() and violations(page, "#pst-back-to-top", ["color-contrast"]) == [], theme


SAID = """async (rules) => {
  const found = await axe.run(document, { runOnly: rules });
  const ran = new Set(["violations", "passes", "incomplete", "inapplicable"].flatMap((kind) =>
    found[kind].map(({ id }) => id)));
  return axe._audit.rules.filter(({ id }) => ran.has(id)).map(({ id, tags, preload }) => [id, tags, preload]);
}"""


def test_which_rules_are_asked_again_in_the_dark_and_that_none_reads_style_sheets(visit):
    """Those that axe itself files under colours; what it would fetch for its rules is sound and films."""
    page = visit("zh")
    violations(page, "h1")
    rules = page.evaluate(SAID, RULES)
    assert len(rules) > 60
    assert sorted(name for name, tags, _ in rules if "cat.color" in tags) == OF_COLOURS
    assert [name for name, _, fetched in rules if fetched] == ["no-autoplay-audio"]


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
