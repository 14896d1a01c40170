"""A schedule's own picture: small, the same every time, readable in words, made with NumPy alone."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, Schedule, StepDecay, preview
from lrlib.schedules import as_schedule

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Hill(Schedule):
    """Up to 0.5 at step 8, and down again."""

    def formula(self, step, xp=np):
        return xp.maximum(0.02, 0.5 - 0.05 * abs(step - 8.0))


def parts(schedule):
    """The title, the texts and the places of the marks of a picture."""
    root = ET.fromstring(schedule._repr_svg_())
    marks = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle")]
    return root.find(f"{SVG}title").text, [text.text for text in root.iter(f"{SVG}text")], marks


def test_first_highest_and_last_are_marked_and_said():
    title, texts, marks = parts(Hill())
    assert title == "Hill(), planned: 0.1 at step 0, 0.5 at step 8, 0.02 at step 32"
    assert texts[:3] == ["0.1", "0.5", "0.02"] and texts[-1] == "32"
    (_, first), (_, highest), (_, last) = marks
    assert highest < first < last


def test_a_rate_that_falls_has_two_marks():
    title, _, marks = parts(StepDecay(0.1, 5, 0.5))
    assert title.endswith("planned: 0.1 at step 0, 0.00156 at step 32") and len(marks) == 2


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (Constant(0.1), 100),
        (Constant(0), 100),
        (PiecewiseConstantDecay([5, 8], [1.0, 0.5, 0.1]), 11),
        (ExponentialDecay(0.1, 1000, 0.1), 1024),
        (ExponentialDecay(0.1, 1, 2), 4),
        (InverseTimeDecay(0.1, 1e6, 1e-3), 2**20),
        (as_schedule(lambda step: 1 / (1 + step)), 16),
    ],
)
def test_how_far_is_drawn(schedule, last):
    title, texts, _ = parts(schedule)
    assert title.endswith(f"at step {last}") and texts[-1] == str(last)


def test_every_step_of_a_short_schedule_is_drawn_as_a_stair():
    assert preview.svg(PiecewiseConstantDecay([3], [1.0, 0.5])).count("H") == 1 + 5


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
    assert (
        parts(as_schedule(lambda step: 0.1))[0].startswith("as_schedule(")
        and "<lambda>" in parts(as_schedule(lambda step: 0.1))[0]
    )


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
