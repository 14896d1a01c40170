"""A schedule's own picture: small, the same every time, readable in words, made with NumPy alone."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, Schedule, StepDecay, preview
from lrlib.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    InverseSqrtDecay,
    LinearCosineDecay,
    LinearDecay,
    OneCycle,
    PolynomialDecay,
    Ramp,
    Triangular,
    WarmupStableDecay,
    as_schedule,
    join,
    warmup,
)
from refusal import refused

SVG = "{http://www.w3.org/2000/svg}"
COSINE = CosineDecay(0.1, 360)


@dataclass(frozen=True)
class Hill(Schedule):
    """Up to 0.5 at step 8, and down again."""

    def formula(self, step, xp=np):
        return xp.maximum(0.02, 0.5 - 0.05 * abs(step - 8.0))


def parts(schedule, steps=None):
    """The title, the texts and the places of the marks of a picture."""
    root = ET.fromstring(preview.svg(schedule, steps))
    marks = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle")]
    return root.find(f"{SVG}title").text, [text.text for text in root.iter(f"{SVG}text")], marks


def said(schedule, steps=None):
    """What the title says after the schedule's own words."""
    return parts(schedule, steps)[0].removeprefix(f"{schedule!r}, planned: ")


def test_first_highest_and_last_are_marked_and_said():
    title, texts, marks = parts(Hill())
    assert title == "Hill(), planned: warmup until step 8, 0.1 at step 0, 0.5 at step 8, 0.02 at step 21"
    assert texts[:3] == ["0.1", "0.5", "0.02"] and texts[-1] == "22"
    (_, first), (_, highest), (_, last) = marks
    assert highest < first < last


def test_a_rate_that_falls_has_two_marks():
    title, _, marks = parts(StepDecay(0.1, 5, 0.5))
    assert title.endswith("planned: 0.1 at step 0, 0.00156 at step 31") and len(marks) == 2


def test_the_last_mark_is_the_last_rate_that_a_run_applies():
    """The floor of a run of as many updates as it takes to the floor is never applied."""
    assert said(LinearDecay(0.1, 400)) == "0.1 at step 0, 0.00025 at step 399"
    assert said(LinearDecay(0.1, 400), steps=401) == "0.1 at step 0, 0 at step 400"
    schedule = warmup(40) >> COSINE
    assert said(schedule).startswith("warmup until step 40, 0 at step 0, 0.1 at step 40, 1.9e-06 at step 399")
    assert schedule.planned(400)[-1] == pytest.approx(1.9e-6, rel=0.01)


@pytest.mark.parametrize(
    ("schedule", "updates"),
    [
        (Constant(0.1), 100),
        (Constant(0), 100),
        (PiecewiseConstantDecay([5, 8], [1.0, 0.5, 0.1]), 11),  # a quarter further
        (ExponentialDecay(0.1, 1000, 0.1), 1024),
        (ExponentialDecay(0.1, 1, 2), 4),
        (InverseTimeDecay(0.1, 1e6, 1e-3), 2**20),
        (InverseSqrtDecay(0.1, 10), 1024),
        (as_schedule(lambda step: 1 / (1 + step)), 16),
        (CosineDecay(0.1, 3e6), 3_000_000),
        (CosineDecay(0.1, 400, 0.05), 500),
        (LinearCosineDecay(0.1, 400), 400),  # its end is a thousandth
        (LinearCosineDecay(0.1, 400, num_periods=5), 400),  # all of its waves
        (Ramp(0.0, 0.1, 100), 300),
        (OneCycle(0.1, 400), 400),
        (WarmupStableDecay(0.1, 400, 40, 80), 400),
        (warmup(4, convention="(t+1)/W") >> Constant(0.1), 9),
        (warmup(40) >> InverseSqrtDecay(0.1, 40), 8192),
        (join([Constant(0.1), LinearDecay(0.05, 200)], [200]), 400),
        (LinearDecay(0.1, 400).shift(-100), 300),
        (0.5 * LinearDecay(0.1, 400).stretch(2), 800),
        # three cycles
        (CosineDecayRestarts(0.1, 100), 700),
        (CosineDecay(0.1, 100).repeat(100), 300),
        (Triangular(0.01, 0.1, 1000), 6000),
        (Triangular(0.01, 0.1, 50, mode="triangular2"), 300),
        (PolynomialDecay(0.1, 100, cycle=True), 301),
        (warmup(40) >> CosineDecayRestarts(0.1, 100, end_learning_rate=0.01), 740),
        (Triangular(0.0, 0.1, 1), 6),
    ],
    ids=repr,
)
def test_how_far_is_drawn(schedule, updates):
    title, texts, _ = parts(schedule)
    assert title.endswith(f"at step {updates - 1}") and texts[-1] == str(updates)


@pytest.mark.parametrize(
    ("schedule", "until"),
    [
        (warmup(40) >> COSINE, 40),
        (warmup(40, convention="(t+1)/W") >> COSINE, 39),
        (OneCycle(0.1, 401), 120),
        (WarmupStableDecay(0.1, 40_000, 123, 80), 123),
        (Ramp(0.01, 0.1, 10), 10),
        (COSINE, None),
        (Triangular(0.01, 0.1, 50), None),  # it rises again
        (Constant(0.1), None),
        (Ramp(0.01, 0.1, 10).shift(-3), 7),
        (warmup(10) >> CosineDecayRestarts(0.1, 100), None),
    ],
    ids=repr,
)
def test_a_warmup_is_shaded(schedule, until):
    picture = preview.svg(schedule)
    assert ("fill-opacity" in picture) == (until is not None)
    assert re.findall(r"warmup until step (\d+)", picture) == ([] if until is None else [str(until)])


def test_the_highest_is_the_first_of_the_highest_and_is_seen_between_the_steps_that_are_drawn():
    assert "0.1 at step 1000, " in said(Triangular(0.01, 0.1, 1000))
    assert "0.1 at step 5003, " in said(WarmupStableDecay(0.1, 20_000, 5003, 10_000))
    spike = as_schedule(lambda step: 1.0 if step == 777 else 0.5)
    assert "1 at step 777, " not in said(spike, steps=100_000)  # what lasts one step of so many is not seen


def test_a_run_of_a_given_length_is_drawn():
    schedule = LinearDecay(0.1, 400)
    assert said(schedule, steps=101) == "0.1 at step 0, 0.075 at step 100"
    assert parts(schedule, steps=101)[1][-1] == "101"
    refused(lambda: preview.svg(schedule, steps=1), ValueError, "steps must be at least 2, got 1")
    refused(lambda: preview.svg(schedule, steps=9.5), ValueError, "steps must be an integer, got 9.5")


def test_every_step_of_a_short_schedule_is_drawn_as_a_stair():
    picture = preview.svg(PiecewiseConstantDecay([3], [1.0, 0.5]))
    assert len(re.findall(r"H[\d.]+V", picture)) == 1 and "5</text></svg>" in picture  # one change in 5 updates
    assert len(re.findall(r"H[\d.]+V", preview.svg(StepDecay(0.1, 5, 0.5), 32))) == 6


@settings(max_examples=20)
@given(st.floats(1e-6, 10), st.floats(0.1, 500), st.floats(0.01, 1), st.booleans())
def test_it_is_the_same_every_time_and_inside_its_frame(initial, length, rate, staircase):
    schedule = ExponentialDecay(initial, length, rate, staircase)
    first = schedule._repr_svg_()
    assert first == schedule._repr_svg_() and len(first) < 8000
    for x, y in parts(schedule)[2]:
        assert preview.LEFT <= x <= preview.RIGHT and preview.TOP <= y <= preview.BOTTOM


def test_it_has_no_background_and_the_colour_of_the_text_around_it():
    picture = Constant(0.1)._repr_svg_()
    assert "<rect" not in picture and 'fill="currentColor"' in picture and 'role="img"' in picture


def test_a_name_with_signs_of_markup_is_still_markup():
    title = parts(as_schedule(lambda step: 0.1))[0]
    assert title.startswith("as_schedule(") and "<lambda>" in title


@pytest.mark.parametrize(
    "schedule",
    [
        ExponentialDecay(1.0, 1e-300, 1e300),
        as_schedule(lambda step: -1),
        as_schedule(lambda step: None),
        as_schedule([0.1, 0.2].__getitem__),  # an IndexError
    ],
)
def test_a_schedule_that_cannot_be_drawn_leaves_its_repr(schedule):
    assert schedule._repr_svg_() is None
