"""The decay workbench: its rates are those of lrlib, and its code, when it is run, gives the rates that are drawn."""

import itertools
import json
import random

import numpy as np
import pytest
from axe import violations
from where import DESK, PHONE

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, StepDecay
from lrlib.schedules import Ramp, as_schedule

CHAPTER = "chapters/05-decay"
STEPS = 600
RUN = f"(asked) => asked.map((one) => LrFigure.maths.decays.run(one, {STEPS}))"


@pytest.fixture
def workbench(live):
    return lambda **options: live(CHAPTER, "decays", **options)


def ramp(shape="linear"):
    return lambda initial_learning_rate, decay_steps, end_learning_rate, power=shape: Ramp(
        initial_learning_rate, end_learning_rate, decay_steps, power
    )


def table(initial_learning_rate, first_boundary, second_rate, second_boundary, third_rate):
    return PiecewiseConstantDecay([first_boundary, second_boundary], [initial_learning_rate, second_rate, third_rate])


MADE = {
    "constant": lambda initial_learning_rate: Constant(initial_learning_rate),
    "piecewise": table,
    "step": StepDecay,
    "exponential": ExponentialDecay,
    "inverse_time": InverseTimeDecay,
    "linear": ramp(),
    "cosine": ramp("cosine"),
    "power": ramp(),
}


def settings(data):
    """Schedules as the workbench has them: each parameter at both ends of its slider, and at some places between."""
    draw = random.Random(8)
    for entry in data["decays"]:
        about = entry["parameters"]
        first = {key: one["value"] for key, one in about.items()}
        chosen = [first]
        for key, one in about.items():
            ends = (True,) if "scale" not in one else (one["low"], one["high"])
            chosen += [first | {key: end} for end in ends]
        for _ in range(4):
            some = {}
            for key, one in about.items():
                value = draw.choice((True, False)) if "scale" not in one else draw.uniform(one["low"], one["high"])
                whole = one.get("scale") == "whole"
                some[key] = value if "scale" not in one else round(value) if whole else float(f"{value:.2g}")
            chosen.append(some)
        # the edges of stairs: lengths for which a rounded quotient falls short, as 49 · (1/49) does
        chosen += [first | {"decay_steps": n, "staircase": True} for n in (1, 7, 49, 103) if "staircase" in about]
        starts = (0, 37, 480) if "late" in entry else (0,)
        # a start moves whatever falls, so each setting has one of them in turn, and the first has all
        late = [(first, start) for start in starts] + list(zip(chosen[1:], itertools.cycle(starts), strict=False))
        yield from ({"entry": entry, "p": p, "start": start} for p, start in late)


def test_every_rate_is_that_of_lrlib_and_of_the_code_that_is_copied(workbench):
    from lrlib.quiet import keras  # it takes seconds, which other processes need not spend

    page, figure = workbench()
    data = json.loads(figure.locator('script[type="application/json"]').text_content())
    assert (
        {entry["formula"] for entry in data["decays"]}
        == set(MADE)
        == set(page.evaluate("Object.keys(LrFigure.maths.decays.formulas)"))
    )
    grid = list(settings(data))
    drawn = page.evaluate(RUN, grid)
    code = "([asked, language, late]) => asked.map((one) => LrFigure.maths.decays.code(one, language, late))"
    ours, keras_own = (page.evaluate(code, [grid, language, data["late"]]) for language in ("lrlib", "keras"))
    after = page.evaluate(
        f"(asked) => asked.map((one) => [0, 1, 37].map((past) => LrFigure.maths.decays.rate(one, {STEPS} + past)))",
        grid,
    )
    for one, run, past, of_lrlib, of_keras in zip(grid, drawn, after, ours, keras_own, strict=True):
        name = f"{one['entry']['name']} {one['p']} from {one['start']}"
        schedule = as_schedule(MADE[one["entry"]["formula"]](**one["p"]))
        steps = np.append(np.arange(STEPS), STEPS + np.array([0, 1, 37]))
        expected = schedule(np.maximum(steps - one["start"], 0))
        shown = np.append(run["rates"], past)
        np.testing.assert_allclose(shown, expected, rtol=1e-12, err_msg=name)
        assert run["travel"] == pytest.approx(expected[:STEPS].sum(), rel=1e-9)
        assert run["floor"] == run["rates"][-1]
        assert run["share"] == pytest.approx(expected[:STEPS].mean() / expected[0], rel=1e-9)
        given = {}
        exec(of_lrlib, given)
        copied = as_schedule(given["schedule"])(steps)
        np.testing.assert_allclose(copied, shown, rtol=1e-12, err_msg=of_lrlib)
        given = {}
        exec(of_keras, given)
        assert isinstance(given["optimizer"], keras.optimizers.SGD)
        theirs = given["schedule"]
        rates = np.full(len(steps), theirs) if isinstance(theirs, float) else np.asarray(theirs(steps))
        # Keras adds 1 to a cosine in float32, where what is left near the end is below the last place of the 1
        lost = 1e-7 * one["p"]["initial_learning_rate"] if one["entry"]["formula"] == "cosine" else 0
        np.testing.assert_allclose(rates, shown, rtol=2e-5, atol=1e-8 + lost, err_msg=of_keras)


def test_a_late_schedule_of_keras_trains_and_is_kept_with_the_model(workbench):
    import lrlib.quiet  # noqa: F401

    page, figure = workbench()
    figure.get_by_label("Decay", exact=True).select_option("late")
    given = {}
    exec(figure.locator("code").inner_text(), given)
    optimizer = given["optimizer"]
    optimizer.iterations.assign(540)
    assert float(optimizer.learning_rate) == pytest.approx(0.15, rel=1e-5)
    assert optimizer.get_config()["learning_rate"]["config"]["start"] == 480


@pytest.mark.parametrize(("size", "dark"), [(PHONE, True), (DESK, False)])
def test_by_keyboard(workbench, size, dark):
    page, figure = workbench(size=size, dark=dark)
    state, shown, line = figure.locator(".lr-state"), figure.locator("code"), figure.locator(".lr-line").last
    assert state.inner_text() == (
        "exponential decay: the last step has 0.019, 1/16 of the start. Travel 61, 33.9 % of the constant rate's."
    )
    before = line.get_attribute("d")
    slider = lambda name: figure.get_by_label(name, exact=True)  # noqa: E731
    slider("decay rate").press("ArrowLeft")
    assert "decay_rate=0.45" in shown.inner_text() and line.get_attribute("d") != before
    assert slider("decay rate").get_attribute("aria-valuetext") == "0.45"
    figure.get_by_label("staircase").press("Space")
    slider("begins to fall at step").press("ArrowRight")
    assert "staircase=True" in shown.inner_text() and "start=30" in shown.inner_text()
    figure.get_by_role("button", name="Keep as a pale line").press("Enter")
    assert figure.locator(".lr-kept").count() == 1 and "The pale line, exponential decay" in state.inner_text()
    figure.get_by_label("Decay", exact=True).select_option("linear")
    assert state.inner_text().startswith(
        "line to the end: the last step has 5e-4, 1/600 of the start, and never reaches 0, which is for step 600."
    )
    figure.get_by_label("Code for", exact=True).select_option("lrlib")
    assert shown.inner_text().startswith("from lrlib import schedules")
    figure.get_by_label("logarithmic axis").press("Space")
    assert figure.locator(".lr-area").count() == 0
    slider("run length").press("Home")
    assert "the last step has 0.27" in state.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    figure.evaluate(
        "(node) => node.querySelector('select').scrollIntoView({ block: 'center' })"
    )  # not under the header
    assert violations(page, "lr-figure[kind=decays]") == []
    figure.get_by_role("button", name="Let the pale line go").press("Enter")
    assert figure.locator(".lr-kept").count() == 0
    page.wait_for_function(
        "(f) => f.querySelector('.lr-heard').textContent === f.querySelector('.lr-state').textContent",
        arg=figure.element_handle(),
    )
    assert page.messages == page.foreign == []


def test_by_hand_and_copied(workbench):
    page, figure = workbench(size=PHONE, has_touch=True)
    figure.evaluate("(node) => node.querySelector('select').scrollIntoView({ block: 'center' })")
    assert violations(page, "lr-figure[kind=decays]") == []
    for target in figure.locator("button, input, select").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24
    slider = figure.get_by_label("decay steps", exact=True)
    box = slider.bounding_box()
    slider.tap(position={"x": box["width"] - 4, "y": box["height"] / 2})
    assert "decay_steps=600" in figure.locator("code").inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    figure.get_by_role("button", name="Copy", exact=True).tap()
    figure.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == figure.locator("code").text_content()
    # a page that is no secure context has no clipboard
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    figure.get_by_label("Code for", exact=True).select_option("lrlib")
    assert figure.get_by_text("Copied.").count() == 0
    figure.get_by_role("button", name="Copy", exact=True).tap()
    figure.get_by_text("Copied.").wait_for()
    assert page.evaluate("getSelection().toString()").startswith("from lrlib import ExponentialDecay")
