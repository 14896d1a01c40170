"""The frame of the figures that answer the hand: what a page loads for them, and what is seen without scripts."""

import re
from pathlib import Path

import pytest
from axe import violations
from walk import STILL, screen
from where import DESK, HTML, PAGES, PHONE, each

from lrlib import interactive

PARABOLA, MAP, FORTY = (
    "chapters/01-what-is-a-learning-rate",
    "chapters/02-too-small-too-large",
    "chapters/06-exponential-decay-in-tensorflow",
)
# Pairs of words of one drawing whose boxes share more than the room above and below their letters.
MEETING = """() => [...document.querySelectorAll(":is(lr-figure, form) svg")].flatMap((svg) => {
  const words = [...svg.querySelectorAll("text")].filter((one) => one.textContent && one.checkVisibility());
  const meet = (one, other) => {
    const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    return across > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5;
  };
  const pairs = words.flatMap((one, i) => words.slice(i + 1).map((other) => [one, other]));
  return pairs.filter((pair) => meet(...pair)).map((pair) => pair.map((one) => one.textContent).join(" and "));
})"""
STATES = {"bowl": ["Start again", "Step"], "forty": ["Start again", "Next line"]}


def kinds(page):
    return set(re.findall(r'<lr-figure kind="(\w+)"', (HTML / f"{page}.html").read_text(encoding="utf8")))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_the_scripts_of_its_figures_and_no_others(name):
    text = (HTML / f"{name}.html").read_text(encoding="utf8")
    loaded = re.findall(r'<script defer="defer" src="[^"]*_static/lrlib/(\w+)\.js\?v=\w+"', text)
    assert loaded == (["figure", *sorted(kinds(name))] if kinds(name) else [])
    assert "customElements" not in text and "data:image/png" not in text


@each([PARABOLA, MAP, FORTY])
def test_a_figure_keeps_its_place_and_asks_for_no_picture(seen):
    for size in (PHONE, DESK):
        screen(seen.page, size, phone=size == PHONE)
        for live, kept in seen.page.evaluate(
            """() => [...document.querySelectorAll('lr-figure:is([kind=bowl], [kind=forty])')].map((figure) => {
                const live = figure.offsetHeight;
                delete figure.dataset.live;
                const kept = parseFloat(getComputedStyle(figure).minHeight);
                figure.dataset.live = "";
                return [live, kept];
            })"""
        ):
            assert abs(live - kept) < 16, f"{live} high, {kept} kept, on a screen {size['width']} wide"
    assert [address for address in seen.whole if "/figure-" in address] == []


@each([page for page in PAGES if kinds(page) or '"kind":"curve"' in (HTML / f"{page}.html").read_text(encoding="utf8")])
def test_no_words_in_a_drawing_meet(seen):
    """Of a figure, or of a box in which a reader draws."""
    for size in (PHONE, DESK):
        screen(seen.page, size, phone=size == PHONE)
        assert seen.page.locator(":is(lr-figure, form) svg text").count() > 0
        assert seen.page.evaluate(MEETING) == [], f"on a screen {size['width']} wide"


@pytest.mark.parametrize("name", [MAP, FORTY])
def test_nothing_stands_in_anybodys_way_in_either_state(visit, name):
    """In the dark on a phone, and light on a desk."""
    page = visit(name)
    page.add_style_tag(content=STILL)
    page.evaluate(
        """() => {  // axe is slow, and looks at nothing that is hidden
            const kept = new Set();
            for (let node of document.querySelectorAll("lr-figure")) {
                node.querySelectorAll("*").forEach((one) => kept.add(one));
                for (; node; node = node.parentElement) kept.add(node);
            }
            document.querySelectorAll("body *").forEach((one) => kept.has(one) || (one.style.display = "none"));
        }"""
    )
    for kind in kinds(name) & set(STATES):
        figure = page.locator(f'lr-figure[kind="{kind}"]').first
        for pressed in [], STATES[kind]:
            for button in pressed:
                figure.get_by_role("button", name=button).click()
            for size, theme in ((PHONE, "dark"), (DESK, "light")):
                screen(page, size, phone=size == PHONE)
                page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
                assert violations(page, f"lr-figure[kind={kind}]") == []
                for target in figure.locator("button, input").all():
                    box = target.bounding_box()
                    assert min(box["width"], box["height"]) >= 24


def test_without_scripts_there_is_the_picture(visit):
    page = visit(MAP, java_script_enabled=False)
    picture = page.locator('lr-figure[kind="bowl"] > img').first
    picture.scroll_into_view_if_needed()
    assert picture.is_visible() and picture.bounding_box()["height"] > 200
    assert "A run of gradient descent" in picture.get_attribute("alt")
    assert (HTML / "_images" / Path(picture.get_attribute("src")).name).is_file()
    caption = page.locator("figure", has=page.locator('lr-figure[kind="bowl"]')).first.locator("figcaption")
    assert "The bowl with the curvatures 1 and 8." in caption.inner_text()


def test_printed_is_what_is_seen_without_its_controls_in_dark_ink(visit):
    page = visit(MAP, dark=True)
    page.emulate_media(media="print")
    figure = page.locator('lr-figure[kind="bowl"]').first
    assert figure.locator("svg").first.is_visible() and figure.locator(".lr-state").is_visible()
    assert not any(row.is_visible() for row in figure.locator(".lr-row").all())
    assert not figure.locator("img").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('lr-figure')).color") == "rgb(34, 34, 34)"


def test_as_a_notebook_shows_it(chromium):
    """JupyterLab sets the output's HTML, then runs its scripts; a cell that runs again does both once more."""
    page = chromium.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.set_content("<div id=one></div><div id=two></div>")
    outputs = [
        figure._repr_mimebundle_()["text/html"] for figure in (interactive.bowl(), interactive.bowl(2.0, 5.0, 0.25))
    ]
    show = """([where, html]) => {
        const host = document.getElementById(where);
        host.innerHTML = html;
        for (const old of host.querySelectorAll("script")) {
            const copy = document.createElement("script");
            for (const { name, value } of old.attributes) copy.setAttribute(name, value);
            copy.textContent = old.textContent;
            old.replaceWith(copy);
        }
    }"""
    for where, html in [("one", outputs[0]), ("two", outputs[1]), ("one", outputs[0])]:
        page.evaluate(show, [where, html])
    for where, words in [("one", "lr 0.2: the steep axis"), ("two", "lr 0.25: walks down")]:
        figure = page.locator(f"#{where} lr-figure")
        assert figure.locator(".lr-state").count() == 1
        assert figure.locator(".lr-state").inner_text().startswith(words)
        assert not figure.locator("img").is_visible()
        assert figure.get_attribute("data-lm-suppress-shortcuts") == "true"
        figure.get_by_role("slider", name="Learning rate").press("ArrowRight")
        assert not figure.locator(".lr-state").inner_text().startswith(words[:6] + ":")
    assert errors == []
    page.close()


def test_what_cannot_be_drawn_leaves_its_picture(chromium):
    page = chromium.new_page()
    html = interactive.bowl()._repr_mimebundle_()["text/html"].replace('"curvatures":[1.0,8.0]', '"curvatures":null')
    page.set_content(html)
    page.evaluate("customElements.whenDefined('lr-figure').then(() => new Promise(requestAnimationFrame))")
    assert page.locator("lr-figure > img").is_visible() and page.locator("lr-figure svg").count() == 0
    page.close()
