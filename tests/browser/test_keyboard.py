"""Without a mouse: every stop on the way is seen, and what a mouse does a key does too."""

import pytest
from playwright.sync_api import expect
from where import CHAPTERS, DESK

HERE = """() => {
  const node = document.activeElement, style = getComputedStyle(node), box = node.getBoundingClientRect();
  return {
    tag: node.tagName,
    part: node.closest(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, article")?.classList[0],
    what: `${node.className} ${node.getAttribute("aria-label") ?? node.textContent.trim().slice(0, 40)}`,
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.width > 0 && box.height > 0,
    bottom: box.bottom,
  };
}"""


def walk(page, stops):
    for _ in range(stops):
        page.keyboard.press("Tab")
        here = page.evaluate(HERE)
        if here["tag"] == "BODY":
            return
        yield here


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_stop_shows_the_focus(visit, dark):
    page = visit(CHAPTERS[1], size=DESK, dark=dark)
    stops = list(walk(page, 90))
    assert [stop for stop in stops if not stop["seen"]] == []
    parts = {stop["part"] for stop in stops}
    assert {"bd-sidebar-primary", "bd-sidebar-secondary", "bd-header-article", "bd-article"} & parts >= {
        "bd-sidebar-primary",
        "bd-header-article",
        "bd-article",
    }
    met = " ".join(stop["what"] for stop in stops)
    for name in (
        "Launch interactive content",
        "Source repositories",
        "Download this page",
        "Colours:",
        "search-button-field",
    ):
        assert name in met, name
    assert any(stop["tag"] == "SUMMARY" for stop in stops) and any("copybtn" in stop["what"] for stop in stops)
    page.locator(".bd-sidebar-secondary a").first.focus()
    assert page.evaluate(HERE)["seen"]


def test_the_first_stop_leads_past_the_menus(visit):
    page = visit(CHAPTERS[1])
    page.keyboard.press("Tab")
    assert "Skip to main content" in page.evaluate(HERE)["what"]
    page.keyboard.press("Enter")
    assert next(walk(page, 1))["part"] not in {"bd-sidebar-primary", "bd-sidebar-secondary"}


def test_the_switch_of_colours(visit):
    """It has a name that says how it stands, and goes on by the keyboard with the focus where it was."""
    page = visit("zh", size=DESK)
    switch = page.get_by_role("button", name="Colours:")
    switch.focus()
    seen = []
    for _ in range(3):
        before = switch.get_attribute("aria-label")
        page.keyboard.press("Enter")
        expect(switch).not_to_have_attribute("aria-label", before, timeout=30_000)
        expect(switch).to_be_focused(timeout=30_000)
        seen.append((page.locator("html").get_attribute("data-mode"), switch.get_attribute("aria-label")))
    names = {"light": "Colours: light", "dark": "Colours: dark", "auto": "Colours: as your system"}
    assert sorted(seen) == sorted(names.items())


def test_a_fold_opens_by_keyboard(visit):
    page = visit(CHAPTERS[1])
    fold = page.locator("article details").first
    fold.locator("summary").focus()
    page.keyboard.press("Enter")
    assert fold.get_attribute("open") is not None and fold.locator("pre").is_visible()


def test_whoever_asks_for_less_motion_gets_none(visit):
    moving = """() => [...document.querySelectorAll("*")].filter((node) => {
      const style = getComputedStyle(node);
      return parseFloat(style.transitionDuration) > 0.001 || parseFloat(style.animationDuration) > 0.001;
    }).length"""
    assert visit(CHAPTERS[1]).evaluate(moving) > 0
    assert visit(CHAPTERS[1], reduced_motion="reduce").evaluate(moving) == 0


def test_forced_colours_keep_the_triangles_and_the_figures(visit):
    page = visit(CHAPTERS[1], dark=True, forced_colors="active")
    text = page.locator("article h1").evaluate("(node) => getComputedStyle(node).color")
    mark = "(node) => getComputedStyle(node, '::before').backgroundColor"
    assert page.locator("article summary").first.evaluate(mark) == text
    ground = "(node) => [getComputedStyle(node).filter, getComputedStyle(node).backgroundColor]"
    assert page.locator("article div.cell_output img").first.evaluate(ground) == ["none", "rgb(255, 255, 255)"]
