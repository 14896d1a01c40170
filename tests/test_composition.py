"""Joins, warmups and what can be done with a schedule, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from lrlib.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseSqrtDecay,
    Join,
    LinearDecay,
    NaturalExponentialDecay,
    Product,
    Ramp,
    Scaled,
    StepDecay,
    as_schedule,
    join,
    warmup,
)
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf
LINE = LinearDecay(1.0, 4)


def test_the_two_decays_that_have_not_had_their_turn():
    assert NaturalExponentialDecay(1, 10, 2)([0, 5, 10]) == pytest.approx(np.exp([0, -1, -2]))
    assert NaturalExponentialDecay(1, 10, 2, staircase=True)([9, 10, 19]) == pytest.approx(np.exp([0, -2, -2]))
    assert InverseSqrtDecay(0.6, 5)([0, 15, 40]) == pytest.approx([0.6, 0.3, 0.2])
    transformer = warmup(400) >> InverseSqrtDecay(0.1, 400)
    steps = np.arange(1, 4000)
    assert transformer(steps) == pytest.approx(0.1 * np.minimum(steps / 400, np.sqrt(400 / steps)))


def test_a_join_gives_each_piece_its_own_clock_and_its_boundary():
    joined = join([Constant(0.5), LINE, StepDecay(8, 2, 0.5)], [2, 5])
    assert joined.planned(10).tolist() == [0.5, 0.5, 1.0, 0.75, 0.5, 8, 8, 4, 4, 2]
    assert [joined(step) for step in range(10)] == joined.planned(10).tolist()
    assert joined([[6, 0], [2, 4.5]]).tolist() == [[8, 0.5], [1.0, 0.375]]
    assert joined.range == (0.0, 8.0)


def test_a_join_of_one_is_that_one():
    assert join([LINE], []).planned(6).tolist() == LINE.planned(6).tolist()


def test_a_boundary_that_is_whole_but_for_rounding_is_whole():
    assert 0.07 * 100 > 7
    joined = join([Constant(1), Constant(2)], [0.07 * 100])
    assert joined.boundaries == (7,) and joined([6, 7]).tolist() == [1, 2]
    assert join([Constant(1), Constant(2)], [1.5])([1, 1.5]).tolist() == [1, 2]


def test_a_function_of_the_step_may_be_a_piece():
    asked = []
    joined = join([Constant(1), as_schedule(lambda step: asked.append(step) or 1 / (1 + step))], [3])
    assert joined.planned(6) == pytest.approx([1, 1, 1, 1, 1 / 2, 1 / 3])
    assert asked == [0, 1, 2]  # and of no step outside its own


@pytest.mark.parametrize(
    ("convention", "rates"),
    [
        ("t/W", [0, 0.25, 0.5, 0.75, 1, 0.75]),
        ("(t+1)/W", [0.25, 0.5, 0.75, 1, 1, 0.75]),
        ("t/(W-1)", [0, 1 / 3, 2 / 3, 1, 1, 0.75]),
    ],
)
def test_the_three_conventions_of_a_warmup(convention, rates):
    assert (warmup(4, convention=convention) >> LINE).planned(6) == pytest.approx(rates)


def test_a_warmup_may_start_higher_and_have_a_shape():
    assert (warmup(2, start=0.4) >> LINE).planned(3) == pytest.approx([0.4, 0.7, 1])
    assert (warmup(2, 0.01, "exponential") >> LINE).planned(3) == pytest.approx([0.01, 0.1, 1])
    assert (warmup(4, shape="cosine") >> LINE)(1) == pytest.approx((1 - math.sqrt(0.5)) / 2)
    assert (warmup(1) >> LINE).planned(2).tolist() == [0, 1]
    assert (warmup(1, convention="(t+1)/W") >> LINE).planned(2).tolist() == [1, 1]


def test_a_warmup_is_made_of_primitives():
    assert warmup(4) >> LINE == Join((Ramp(0, 1, 4), LINE), (4,))


def test_what_counts_as_a_schedule_counts_inside_others():
    assert warmup(2) >> 0.1 == warmup(2) >> Constant(0.1)
    assert join([0.3, LINE], [2]) == join([Constant(0.3), LINE], [2])
    assert join([LINE, lambda step: 0.5], [2])([1, 2]).tolist() == [0.75, 0.5]


def test_products_and_multiples():
    both = StepDecay(2, 2, 0.5) * LINE
    assert both == Product(StepDecay(2, 2, 0.5), LINE)
    assert both.planned(5).tolist() == [2, 1.5, 0.5, 0.25, 0]
    assert (0.5 * LINE) == (LINE * 0.5) == Scaled(LINE, 0.5) == np.float64(0.5) * LINE == np.float32(0.5) * LINE
    assert (0.5 * LINE).planned(3).tolist() == [0.5, 0.375, 0.25]
    assert both.range == (0, 2) and (0 * ExponentialDecay(1, 1, 2)).range == (0, 0)
    assert (0 * (1e300 * Constant(1e300))).range == (0, 0)


def test_clocks():
    assert LINE.stretch(2)([0, 2, 8]).tolist() == [1, 0.75, 0]
    assert LINE.shift(3)([0, 3, 4, 7]).tolist() == [1, 1, 0.75, 0]
    assert LINE.shift(-3)([0, 1]).tolist() == [0.25, 0]
    assert LINE.repeat(3).planned(7).tolist() == [1, 0.75, 0.5, 1, 0.75, 0.5, 1]
    assert LINE.clip(0.3, 0.8)([0, 1, 3]).tolist() == [0.8, 0.75, 0.3]
    assert LINE.clip(highest=0.8).range == (0, 0.8)


def test_epochs_to_steps():
    assert LINE.in_epochs(10)([0, 5, 10]).tolist() == [1, 0.875, 0.75]
    assert LINE.in_epochs(10, staircase=True)([0, 9, 10, 19]).tolist() == [1, 1, 0.75, 0.75]
    assert StepDecay(1, 5, 0.5).in_epochs(34)([169, 170]).tolist() == [1, 0.5]


def test_no_stretch_and_no_shift_are_the_schedule_itself():
    assert LINE.stretch(1) is LINE and LINE.shift(0) is LINE


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: join([LINE, "0.1"], [3]), TypeError, "schedules[1] must be a schedule, a number or a function"),
        (lambda: join(LINE, [3]), TypeError, "schedules must be a sequence"),
        (lambda: join([LINE, LINE], 3), TypeError, "boundaries must be a sequence of numbers, got 3"),
        (lambda: join(LINE, [3]), TypeError, "schedules must be a sequence of schedules, got LinearDecay("),
        (lambda: join({LINE: 1}, []), TypeError, "schedules must be a sequence of schedules, got {LinearDecay("),
        (lambda: join([LINE, LINE], []), ValueError, "0 boundaries need 1 schedules, got 2"),
        (lambda: join([], []), ValueError, "0 boundaries need 1 schedules, got 0"),
        (lambda: join([LINE, LINE], [0]), ValueError, "boundaries[0] must be positive, got 0"),
        (lambda: join([LINE, LINE], [NAN]), ValueError, "boundaries[0] must be finite, got nan"),
        (lambda: join([LINE] * 3, [5, 3]), ValueError, "boundaries must be strictly increasing, got [5, 3]"),
        (lambda: join([LINE] * 3, [3, 3]), ValueError, "boundaries must be strictly increasing, got [3, 3]"),
        (lambda: warmup(0), ValueError, "steps must be at least 1, got 0"),
        (lambda: warmup(2.5), ValueError, "steps must be an integer, got 2.5"),
        (lambda: warmup(1, convention="t/(W-1)"), ValueError, "steps must be at least 2, got 1"),
        (
            lambda: warmup(5, convention="t"),
            ValueError,
            "convention must be one of 't/W', '(t+1)/W', 't/(W-1)', got 't'",
        ),
        (lambda: warmup(5, start=-1), ValueError, "start must not be negative, got -1"),
        (lambda: warmup(5, shape="exponential"), ValueError, "shape must not be 'exponential' from 0.0"),
        (
            lambda: warmup(5, start=2) >> LINE,
            ValueError,
            "start must not be above the schedule's first rate, 1.0, got 2.0",
        ),
        (
            lambda: warmup(5) >> "0.1",
            TypeError,
            "schedule must be a schedule, a number or a function of the step, got '0.1'",
        ),
        (lambda: -1 * LINE, ValueError, "factor must not be negative, got -1"),
        (lambda: NAN * LINE, ValueError, "factor must be finite, got nan"),
        (lambda: LINE * "2", TypeError, "LinearDecay"),
        (lambda: LINE.stretch(0), ValueError, "factor must be positive, got 0"),
        (lambda: LINE.shift(INF), ValueError, "steps must be finite, got inf"),
        (lambda: LINE.repeat(-3), ValueError, "period must be positive, got -3"),
        (lambda: LINE.clip(-1), ValueError, "lowest must not be negative, got -1"),
        (lambda: LINE.clip(0.5, 0.1), ValueError, "highest must not be below lowest, 0.5, got 0.1"),
        (lambda: LINE.in_epochs(0), ValueError, "steps_per_epoch must be at least 1, got 0"),
        (lambda: LINE.in_epochs(33.7), ValueError, "steps_per_epoch must be an integer, got 33.7"),
        (lambda: LINE.in_epochs(10, 1), TypeError, "staircase must be True or False, got 1"),
        (lambda: InverseSqrtDecay(0.1, 0), ValueError, "decay_steps must be positive, got 0"),
        (lambda: NaturalExponentialDecay(0.1, 1, NAN), ValueError, "decay_rate must be finite, got nan"),
        (lambda: Product(LINE, "0.5"), TypeError, "second must be a schedule, a number or a function"),
        (lambda: join([LINE, -1], [3]), ValueError, "schedules[1] must not be negative, got -1"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, error, message):
    refused(make, error, message)


def test_an_overflow_in_a_piece_names_the_whole():
    growing = join([CosineDecay(1, 5), ExponentialDecay(1, 1, 2)], [5])
    for call in (lambda: growing(3000), lambda: growing([0, 3000])):
        refused(call, OverflowError, "Join(schedules=", "at step 3000 is too large")
    zero = growing * Constant(0.0)
    for call in (lambda: zero(3000), lambda: zero([0, 3000])):
        refused(call, OverflowError, "Product(first=", "at step 3000 is too large")
