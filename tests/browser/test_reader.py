"""What a reader does that no other test does: fingers, other ways to write a number, the way back, wider letters."""

import io

import pytest
from PIL import Image
from where import CHAPTERS, PHONE

NARROW = {"width": 320, "height": 256}  # a desk at 400 %
# What a reader may set, by the criterion 1.4.12 of WCAG.
SPACED = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }"""
POINTS = """(svg) => [...svg.querySelectorAll(".point")].map((point) => {
  const { x, y, width, height } = point.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})"""


class Finger:
    """A finger on the screen, as the browser's engine hears it: it may be taken for a scroll."""

    def __init__(self, page):
        self.page, self.session = page, page.context.new_cdp_session(page)

    def tell(self, kind, *places):
        points = [{"x": x, "y": y} for x, y in places]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        self.page.evaluate("() => new Promise(requestAnimationFrame)")

    def draw(self, *places):
        self.tell("touchStart", places[0])
        for (x, y), (to_x, to_y) in zip(places, places[1:], strict=False):
            for i in range(1, 11):
                self.tell("touchMove", (x + (to_x - x) * i / 10, y + (to_y - y) * i / 10))
        self.tell("touchEnd")


def heights(sketch):
    return [int(point.get_attribute("aria-valuenow")) for point in sketch.get_by_role("slider").all()]


def test_a_finger_draws_a_curve_and_beside_its_points_it_scrolls(visit):
    page = visit(CHAPTERS[1], size=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_load_state("networkidle")
    sketch, finger = page.locator(".sketch svg").first, Finger(page)
    sketch.evaluate("(svg) => scrollTo(0, svg.getBoundingClientRect().top + scrollY - 300)")
    at, place = page.evaluate("scrollY"), sketch.evaluate(POINTS)
    assert len(set(heights(sketch))) == 1
    half = len(place) // 2
    finger.draw(place[0], (place[half][0], place[half][1] - 40), (place[-1][0], place[-1][1] + 30))
    drawn = heights(sketch)
    assert drawn[half] > drawn[0] > drawn[-1] and len(set(drawn)) >= 5, drawn
    assert page.evaluate("scrollY") == at
    box = sketch.bounding_box()
    free = box["x"] + box["width"] / 2, box["y"] + box["height"] - 25
    finger.draw(free, (free[0], free[1] - 200))
    page.wait_for_function("(at) => scrollY > at + 50", arg=at)
    assert heights(sketch) == drawn
    assert page.messages == page.foreign == []


def test_only_the_first_button_of_a_mouse_draws(visit):
    page = visit(CHAPTERS[1])
    sketch = page.locator(".sketch svg").first
    sketch.scroll_into_view_if_needed()
    box, before = sketch.bounding_box(), heights(sketch)
    for button, draws in (("right", False), ("middle", False), ("left", True)):
        page.mouse.move(box["x"] + 200, box["y"] + 40)
        page.mouse.down(button=button)
        page.mouse.move(box["x"] + 260, box["y"] + 50)
        page.mouse.up(button=button)
        assert (heights(sketch) != before) == draws, button


WRITTEN = [  # in the box of a label, and what is then said
    (
        "The right rate in cents",
        0.0025,
        ("0,0025", "0.25 %", "2.5·10^-3", "2,5×10⁻³", "０．００２５", "1/400", "1,5/600"),
    ),  # noqa: RUF001
    ("The right rate in cm", 2500, ("2,500", "2500", "2 500", "2.5e3", "250000%")),
    ("One step leads to", 1.125, ("1,125", "1.125", "9/8", "+1,1250")),
    ("Gradient at 0", -18, ("−18", "-18,0", "–18")),  # noqa: RUF001
]


def test_a_number_may_be_written_as_readers_write_it(visit):
    page = visit(CHAPTERS[0])
    boxes = page.locator("div.admonition.predict")
    for label, came, ways in WRITTEN:
        box = boxes.filter(has=page.get_by_label(label, exact=True))
        for written in ways:
            box.get_by_label(label, exact=True).fill(written)
            box.get_by_role("button", name="Compare").click()
            said = box.get_by_role("status").inner_text()
            assert f"{label}: you said {came:g}, and so it is. Right." in said, written
    box = boxes.filter(has=page.get_by_label("The right rate in cents", exact=True))
    for written, judged in (
        ("0,001", "Too low."),
        ("0,125", "Too high."),
        ("1,000", "Too high."),
        ("-0,001", "Too low."),
    ):
        box.get_by_label("The right rate in cents", exact=True).fill(written)
        box.get_by_role("button", name="Compare").click()
        assert f"you said {written}; it is 0.0025. {judged}" in box.get_by_role("status").inner_text()


def test_what_is_wrong_in_a_field_is_told_until_it_is_mended(visit):
    page = visit(CHAPTERS[0])
    box = page.locator("div.admonition.predict").first
    field, said = box.get_by_role("textbox").first, box.get_by_role("status")
    for written in ("three", "1/0", "1e400", "0..1", "--1", "<img src=x onerror=alert(1)>", "9" * 400):
        field.fill(written)
        box.get_by_role("button", name="Compare").click()
        assert f"“{written}” is no number" in said.inner_text()
        assert field.get_attribute("aria-invalid") == "true"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for written in ("", "3"):
        field.fill(written)
        box.get_by_role("button", name="Compare").press("Enter")
        assert field.get_attribute("aria-invalid") is None
        field.fill("three")
        box.get_by_role("button", name="Compare").click()
    assert page.messages == page.foreign == []


def test_on_the_way_back_a_prediction_is_as_it_came(visit, site):
    page = visit(CHAPTERS[0])
    page.locator("div.admonition.predict input[type=radio]").first.check()
    page.locator("div.admonition.predict input[type=text]").first.fill("7")
    page.goto(f"{site}/zh.html")
    page.go_back(wait_until="load")
    page.wait_for_selector("div.admonition.predict form")
    assert page.locator("div.admonition.predict input:checked").count() == 0
    assert page.locator("div.admonition.predict input[type=text]").first.input_value() == ""


@pytest.mark.parametrize("name", [CHAPTERS[0], "folklore-on-trial", "catalogue", "api"])
def test_wider_letters_on_the_narrowest_screen_do_not_widen_the_page(visit, name):
    page = visit(name, size=NARROW)
    page.wait_for_load_state("networkidle")
    page.add_style_tag(content=SPACED)
    assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    pills = "(pills) => pills.map((pill) => pill.getClientRects().length)"
    assert set(page.locator(".tally .kind").evaluate_all(pills)) <= {1}, "a pill is one shape"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_number_of_a_chapter_stands_on_one_line_in_chinese(visit, width):
    links = visit("zh", size={"width": width, "height": 800}).locator("td a")
    tops = "(links) => links.map((link) => new Set([...link.getClientRects()].map(({ y }) => Math.round(y / 10))).size)"
    lines = links.evaluate_all(tops)
    assert len(lines) > 20 and set(lines) == {1}


def test_what_was_found_stands_apart_from_the_question(visit):
    page = visit("search.html?q=warmup")
    field, said = page.locator(".bd-search-container input"), page.locator("#search-results [role=status]")
    below = field.bounding_box()["y"] + field.bounding_box()["height"]
    assert said.bounding_box()["y"] >= below + 12


def test_below_the_squares_no_room_is_kept_for_words_that_no_finger_can_ask_for(visit):
    page = visit("index", size=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate("matchMedia('(hover: none)').matches")
    height = "(box) => box.getBoundingClientRect().bottom - box.lastElementChild.getBoundingClientRect().bottom"
    assert page.locator(".landing-verdicts").evaluate(height) < 40
    square = page.locator(".landing-verdicts a").last
    square.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    said, box = square.locator(".said").bounding_box(), square.bounding_box()
    assert said["y"] >= box["y"] + box["height"], "a keyboard asks for them"


FIGURES = {
    "bowl": (CHAPTERS[0], "Learning rate"),
    "sweep": (CHAPTERS[3], "Learning rate"),
    "decays": (CHAPTERS[4], "decay rate"),
    "forty": (CHAPTERS[5], "Base rate"),
}
CONTROLS = """(figure) => [...figure.querySelectorAll("input, select")].map((one) => [
  one.getAttribute("aria-label"), one.type === "checkbox" ? one.checked : one.value,
])"""

STRAYED = """(all) => all
  .map((one) => one.type === "checkbox" ? [one.checked, one.defaultChecked] : [one.value, one.defaultValue])
  .filter(([now, then]) => now !== then)"""


@pytest.mark.parametrize("kind", FIGURES)
def test_a_finger_that_scrolls_and_the_way_back_leave_a_figure_as_it_was(live, site, kind):
    name, label = FIGURES[kind]
    page, figure = live(name, kind, size=PHONE, has_touch=True, is_mobile=True)
    page.wait_for_load_state("networkidle")
    controls, state = figure.evaluate(CONTROLS), figure.locator(".lr-state").inner_text()
    finger = Finger(page)
    slider = figure.get_by_role("slider", name=label)
    for part in (slider, figure.locator("svg").first):
        part.evaluate("(part) => scrollTo(0, part.getBoundingClientRect().top + scrollY - 400)")
        at, box = page.evaluate("scrollY"), part.bounding_box()
        place = box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2
        finger.draw(place, (place[0] + 2, place[1] - 200))
        page.wait_for_function("(at) => scrollY > at + 50", arg=at)
        assert (figure.evaluate(CONTROLS), figure.locator(".lr-state").inner_text()) == (controls, state)
    slider.press("Home")
    for choice in figure.locator("select").all():
        choice.evaluate("(choice) => { choice.selectedIndex = 2 - (choice.length < 3); }")
        choice.dispatch_event("change")
    assert figure.locator(".lr-state").inner_text() != state
    assert figure.locator("input").evaluate_all(STRAYED) == [], "to these Safari sets them on the way back"
    page.goto(f"{site}/zh.html")
    page.go_back(wait_until="load")
    figure.locator(".lr-state").wait_for()
    assert (figure.evaluate(CONTROLS), figure.locator(".lr-state").inner_text()) == (controls, state)
    assert page.messages == page.foreign == []


def test_forced_colours_leave_every_slider_its_track_and_its_marks(live):
    page, figure = live(CHAPTERS[0], "bowl", size=PHONE, forced_colors="active", dark=True)
    ink = page.locator("article h1").evaluate("(title) => getComputedStyle(title).color")
    assert figure.evaluate("(it) => getComputedStyle(it).getPropertyValue('--failed')").strip() == "CanvasText"
    mark = "(mark) => getComputedStyle(mark, '::before').backgroundColor"
    assert figure.locator(".lr-mark").first.evaluate(mark) == ink
    for slider in figure.get_by_role("slider").all():
        picture = Image.open(io.BytesIO(slider.screenshot())).convert("RGB")
        column = {picture.getpixel((picture.width * 9 // 10, y)) for y in range(picture.height)}
        assert len(column) > 1, "something is drawn beside the thumb"


def test_a_rate_that_rises_is_told_as_one(live):
    page, figure = live(CHAPTERS[4], "decays")
    figure.get_by_label("Decay", exact=True).select_option("piecewise")
    state = figure.locator(".lr-state")
    figure.get_by_role("slider", name="third rate").press("End")
    assert "the last step has 1, 3.3 times the start." in state.inner_text()
    figure.get_by_label("Decay", exact=True).select_option("inverse-time")
    figure.get_by_role("slider", name="decay rate").press("Home")
    figure.get_by_role("slider", name="decay steps").press("End")
    assert "1/1.1 of the start" in state.inner_text()
    figure.get_by_role("slider", name="begins to fall").press("End")
    assert "about as at the start. " in state.inner_text()
