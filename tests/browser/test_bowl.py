"""The bowl: its numbers are those of lrlib, and it obeys mouse, finger and keyboard."""

import math
import re

import numpy as np
import pytest
from playwright.sync_api import expect
from where import DESK, PHONE

from lrlib import Quadratic, gradient_descent

PARABOLA, MAP = "chapters/01-what-is-a-learning-rate", "chapters/02-too-small-too-large"
CURVATURES = [(0.3,), (2.0,), (7.0,), (1.0, 8.0), (3.0, 3.0), (8.0, 1.0), (0.25, 24.0)]
SHARES = [0.05, 0.5, 0.999, 1.0, 1.001, 1.4, 1.9, 1.999, 2.0, 2.001, 3.0]
STARTS = [(5.0, 1.0), (-0.3, 2.0), (4.0, 0.0)]


def what_an_axis_does(curvature, rate):
    """Told from a run of lrlib: the factor from one distance to the next."""
    run = gradient_descent(Quadratic(curvature), 1.0, rate, steps=1)
    factor = run.parameters[1]
    for border, name in ((0, "at once"), (-1, "round")):
        if math.isclose(factor, border, abs_tol=1e-12):
            return name
    return "walks" if factor > 0 else "oscillates" if factor > -1 else "diverges"


@pytest.fixture
def bowl(live):
    return lambda name, **options: live(name, "bowl", **options)


@pytest.fixture(scope="module")
def arithmetic(new_page):
    """A page for what is computed on it, which none of its tests changes."""
    page = new_page(MAP)
    yield page
    page.context.close()


def said(figure):
    return figure.locator(".lr-state").inner_text()


def keys(page, figure, name, key, times=1):
    figure.get_by_role("slider", name=name).focus()
    for _ in range(times):
        page.keyboard.press(key)


def test_paths_losses_and_behaviour_are_those_of_lrlib(arithmetic):
    page = arithmetic
    asked, expected = [], []
    for curvatures in CURVATURES:
        for share in SHARES:
            rate = share / max(curvatures)
            for start in STARTS:
                start, minimum = list(start[: len(curvatures)]), [-1.0, 0.5][: len(curvatures)]
                asked.append([list(curvatures), start, rate, minimum])
                run = gradient_descent(Quadratic(curvatures, minimum), start, rate, 40)
                does = [what_an_axis_does(curvature, rate) for curvature in curvatures]
                expected.append((run.parameters, run.losses, does))
    found = page.evaluate(
        """asked => asked.map(([curvatures, start, rate, minimum]) => {
            const { path, loss, behaviour } = LrFigure.maths.bowl;
            const points = path(curvatures, start, rate, 40, minimum);
            return [points, points.map((p) => loss(curvatures, p, minimum)), curvatures.map((c) => behaviour(c, rate))];
        })""",
        asked,
    )
    for (points, losses, does), (parameters, lost, did) in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            np.array(points, dtype=float).reshape(parameters.shape), parameters, rtol=1e-12, atol=1e-12
        )
        np.testing.assert_allclose(np.array(losses, dtype=float), lost, rtol=1e-12, atol=1e-24)
        assert does == did


def test_a_run_that_overflows_ends_as_in_lrlib(arithmetic):
    page = arithmetic
    points = page.evaluate("LrFigure.maths.bowl.path([1e200], [1], 1e200, 40)")
    assert len(points) == len(gradient_descent(Quadratic(1e200), 1.0, 1e200, 40).parameters) == 2


WORDS = [  # curvatures, start, rate, what is said
    ([2], [5], 0.01, "crawls, and has not arrived"),
    ([2], [5], 0.25, "walks down, and arrives"),
    ([2], [5], 0.5, "arrives in one step"),
    ([2], [5], 0.8, "oscillates, and arrives"),
    ([2], [5], 0.999, "oscillates, and has not arrived"),
    ([2], [5], 1.0, "goes round for ever: each jump is as long as the last"),
    ([2], [5], 1.01, "diverges: each jump is longer than the last"),
    ([2], [0], 5.0, "starts at the lowest point, and stays: the gradient is 0"),
    ([1, 8], [4, 1], 0.02, "crawls, and has not arrived"),
    ([1, 8], [4, 1], 0.11, "walks down, and arrives"),
    ([1, 8], [4, 1], 0.125, "the steep axis arrives in one step, the flat one walks, and both arrive"),
    ([0.25, 8], [4, 1], 0.125, "the steep axis arrives in one step, the flat one crawls"),
    ([1, 8], [4, 1], 0.2, "the steep axis oscillates, the flat one walks, and both arrive"),
    ([0.25, 8], [4, 1], 0.2, "the steep axis oscillates, the flat one crawls"),
    ([1, 8], [4, 1], 0.2499, "the steep axis oscillates, and has not arrived"),
    ([1, 8], [4, 1], 0.25, "the steep axis goes round for ever: each jump is as long as the last"),
    ([1, 8], [4, 1], 0.26, "the steep axis diverges: each jump is longer than the last"),
    ([1, 8], [4, 1], 2.1, "both axes diverge: each jump is longer than the last"),
    ([1, 8], [4, 0], 1.0, "arrives in one step"),
    ([3, 3], [4, 1], 0.3, "walks down, and arrives"),
]


def test_the_state_is_told_rightly(arithmetic):
    page = arithmetic
    for curvatures, start, rate, words in WORDS:
        run = {"curvatures": curvatures, "start": start, "rate": rate, "steps": 40, "minimum": [0] * len(start)}
        assert page.evaluate("run => LrFigure.maths.bowl.judge(run).words", run) == words, run


LISTEN = """(figure) => {  // what is said after each change, from the page itself: to ask at each takes as long again
  window.told = [];
  figure.addEventListener("input", () => told.push(figure.querySelector(".lr-state").innerText));
}"""


@pytest.mark.parametrize(("size", "dark"), [(PHONE, False), (DESK, True)])
def test_the_rate_by_keyboard_stops_at_the_borders(bowl, size, dark):
    page, figure = bowl(PARABOLA, size=size, dark=dark)
    assert said(figure).startswith("lr 0.25: walks down, and arrives; loss after 20 steps")
    keys(page, figure, "Learning rate", "Home")
    assert "crawls" in said(figure)
    figure.evaluate(LISTEN)
    for _ in range(200):
        page.keyboard.press("ArrowRight")
    seen = [re.match(r"lr ([\d.]+): (.+?)[,;:]", words).groups() for words in page.evaluate("told")]
    kinds = list(dict.fromkeys(kind for _, kind in seen))
    assert kinds == ["crawls", "walks down", "arrives in one step", "oscillates", "goes round for ever", "diverges"]
    assert ("0.5", "arrives in one step") in seen and ("1", "goes round for ever") in seen
    heard = figure.get_by_role("status")
    expect(heard).to_have_text(said(figure), timeout=30_000)  # it waits until the hand rests
    assert figure.get_by_role("slider", name="Learning rate").get_attribute("aria-valuetext") == "2"
    assert page.messages == []


def test_a_steeper_bowl_moves_the_borders(bowl):
    page, figure = bowl(MAP)
    marks = figure.locator(".lr-mark")
    before = [marks.nth(i).bounding_box()["x"] for i in (0, 1)]
    keys(page, figure, "Curvature λ₂", "ArrowRight", 10)
    after = [marks.nth(i).bounding_box()["x"] for i in (0, 1)]
    assert all(new < old - 5 for new, old in zip(after, before, strict=True))
    assert "diverges" in said(figure)  # 0.2 was right, and is too large now


def test_the_start_by_mouse_by_touch_and_by_keyboard(bowl):
    page, figure = bowl(MAP, size=PHONE, has_touch=True)
    handle = figure.get_by_role("button", name="Start of the run")
    assert "4, 1" in handle.get_attribute("aria-label")
    box = handle.bounding_box()
    assert min(box["width"], box["height"]) >= 24
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y - 20, steps=4)
    page.mouse.up()
    place = lambda: [float(w) for w in re.findall(r"-?[\d.]+(?=[,.] )", handle.get_attribute("aria-label"))]  # noqa: E731
    dragged = place()
    assert 1.5 < dragged[0] < 3 and 1.3 < dragged[1] < 2
    handle.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert place()[0] < dragged[0] and place()[1] < dragged[1]
    area = figure.locator("svg").first.bounding_box()
    page.touchscreen.tap(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.3)
    assert place()[0] < 0 < place()[1]
    assert page.messages == []


def test_step_by_step(bowl):
    page, figure = bowl(MAP)
    for button, words in [("Start again", "after 0 steps 12"), ("Step", "after 1 step 6.6"), ("Step", "after 2 steps")]:
        figure.get_by_role("button", name=button, exact=True).press("Enter")
        assert words in said(figure)
    dots = figure.locator("svg path[style*='round']").first
    assert dots.get_attribute("d").count("M") == 3
    figure.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('lr-figure .lr-state').innerText.includes('after 40 steps')")
    assert dots.get_attribute("d").count("M") == 41
    figure.get_by_role("button", name="Play").wait_for()


def test_play_stands_still_for_who_wants_no_motion(bowl):
    page, figure = bowl(MAP, reduced_motion="reduce")
    figure.get_by_role("button", name="Start again").click()
    figure.get_by_role("button", name="Play").click()
    assert "both arrive; loss after 40 steps" in said(figure)
