"""What a schedule says of a run beforehand: its plan, its travel, its differences and its bound."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, StepDecay
from lrlib.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    LinearDecay,
    OneCycle,
    Ramp,
    Triangular,
    WarmupStableDecay,
    as_schedule,
    bound,
    diff,
    join,
    plan,
    travel,
    warmup,
    when,
)
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

WARM = warmup(40) >> CosineDecay(0.1, 360)
BACK = join([LinearDecay(0.1, 100), Constant(0.1)], [80])  # falls to a fifth, and is back
ONE = PiecewiseConstantDecay([1], [0.1, 0.05])

# The plan


def test_a_plan_prints_itself():
    assert str(plan(WARM, 400)) == (
        "a run of 400 updates\n"
        "first   0          step 0 moves nothing\n"
        "peak    0.1        at step 40\n"
        "last    1.904e-06  at step 399\n"
        "floor   0          not reached\n"
        "mean    0.05\n"
        "travel  20         the sum of the rates\n"
        "thirds  54% 39% 7% of the travel"
    )


def test_a_plan_worked_out_by_hand():
    seen = plan(PiecewiseConstantDecay([1, 3], [0.4, 0.2, 0.1]), 6)
    assert (seen.steps, seen.first, seen.peak, seen.peak_step, seen.last) == (6, 0.4, 0.4, 0, 0.1)
    assert (seen.floor, seen.reaches_floor, seen.wastes_first) == (0.1, True, False)
    assert seen.travel == pytest.approx(1.4) and seen.mean == pytest.approx(1.4 / 6)
    assert seen.thirds == pytest.approx((0.8 / 1.4, 0.4 / 1.4, 0.2 / 1.4))


@pytest.mark.parametrize(
    ("schedule", "steps", "floor", "reached"),
    [
        (LinearDecay(0.1, 400), 400, 0.0, False),
        (LinearDecay(0.1, 400), 401, 0.0, True),
        (CosineDecay(0.1, 400, 0.01), 400, 0.01, False),
        (warmup(40) >> CosineDecay(0.1, 360, 0.01), 401, 0.01, True),  # the 0 of the warmup is no floor
        (warmup(40) >> InverseTimeDecay(0.1, 10, 1), 400, 0.0, False),  # it falls for ever
        (ExponentialDecay(0.1, 10, 0.5), 400, 0.0, False),
        (ExponentialDecay(0.1, 1, 0.5), 4000, 0.0, True),  # the float64 ends before
        (Constant(0.3), 5, 0.3, True),
        (Triangular(0.01, 0.1, 300), 400, 0.01, False),
        (Triangular(0.01, 0.1, 300), 601, 0.01, True),
        (CosineDecayRestarts(0.1, 100, t_mul=10.0, end_learning_rate=0.02), 50, 0.02, False),
        (CosineDecayRestarts(0.1, 10), 30, 0.0, False),  # it comes nearer in every cycle
        (CosineDecayRestarts(0.1, 10, m_mul=0.5), 30, 0.0, False),
        (LinearDecay(0.1, 100).repeat(50), 30, 0.051, False),  # and this one does not
        (WarmupStableDecay(0.1, 1000, 100, 200), 800, 0.0, False),
        (OneCycle(0.1, 100, end_learning_rate=0.001), 101, 0.001, True),
        (ExponentialDecay(0.1, 100, 2.0), 400, 0.1 * 2**3.99, True),  # it outgrows float64
        (as_schedule([0.1, 0.2, 0.1].__getitem__), 3, 0.1, True),  # it has no later rate
        (Ramp(0.0, 0.1, 10), 5, 0.04, True),
    ],
    ids=repr,
)
def test_the_floor_and_whether_it_is_reached(schedule, steps, floor, reached):
    seen = plan(schedule, steps)
    assert (seen.floor, seen.reaches_floor) == (pytest.approx(floor, rel=1e-6, abs=1e-300), reached)


def test_the_wasted_step():
    assert plan(WARM, 400).wastes_first
    assert not plan(warmup(40, convention="(t+1)/W") >> CosineDecay(0.1, 360), 400).wastes_first
    assert not plan(Constant(0), 3).wastes_first, "nothing moves at all"
    assert plan(Constant(0), 3).thirds == (0.0, 0.0, 0.0)


def schedules():
    rate, steps = st.floats(1e-300, 1e300), st.integers(1, 1000)
    return st.one_of(
        st.builds(Constant, rate),
        st.builds(lambda lr, n: warmup(n) >> CosineDecay(lr, n), rate, steps),
        st.builds(ExponentialDecay, rate, steps, st.floats(0.01, 1)),
        st.builds(Triangular, st.just(0.0), rate, steps),
    )


@settings(max_examples=50)
@given(schedules(), st.integers(1, 500))
def test_a_plan_agrees_with_the_rates(schedule, steps):
    seen, rates = plan(schedule, steps), schedule.planned(steps)
    assert (seen.first, seen.last, seen.peak) == (rates[0], rates[-1], max(rates))
    assert rates[seen.peak_step] == pytest.approx(seen.peak, rel=1e-12)
    assert (rates[: seen.peak_step] < seen.peak).all()
    assert seen.floor <= rates[seen.peak_step :].min()
    assert seen.reaches_floor == (seen.floor in rates[seen.peak_step :])
    assert seen.travel == travel(schedule, steps) == pytest.approx(math.fsum(rates))
    assert seen.mean * steps == pytest.approx(seen.travel)
    assert sum(seen.thirds) == pytest.approx(1 if seen.travel else 0)
    assert max(map(len, str(seen).splitlines())) <= 44


def test_the_methods_are_the_functions():
    assert WARM.plan(400) == plan(WARM, 400)
    assert WARM.travel(400) == travel(WARM, 400)
    assert BACK.when(below=0.05) == when(BACK, below=0.05) == 51
    assert BACK.when(below=0.05, within=51) is None


# Travel


def test_travel_by_closed_forms():
    assert travel(LinearDecay(0.1, 400), 400) == pytest.approx(0.1 * 401 / 2)
    assert travel(CosineDecay(0.1, 400), 400) == pytest.approx(0.1 * 401 / 2)
    assert travel(ExponentialDecay(0.1, 1, 0.5), 60) == pytest.approx(0.2)


def test_a_travel_too_large_for_a_float_is_an_error():
    huge = Constant(1e308)
    assert huge.travel(1) == 1e308
    refused(lambda: huge.travel(2), OverflowError, "the sum of 2 rates of Constant(learning_rate=1e+308) is too large")
    refused(lambda: huge.plan(2), OverflowError, "the sum of 2 rates")


# When


def test_when_is_the_first_step_that_is_below():
    assert when(StepDecay(0.1, 5, 0.5), below=0.05) == 10  # at 5 it is 0.05
    assert when(StepDecay(0.1, 5, 0.5), below=0.2) == 0
    assert when(LinearDecay(1, 4), below=0.5) == 3
    assert when(Constant(0.1), below=0.1) is None
    assert when(ExponentialDecay(0.1, 1e9, 0.5), below=0.05) is None  # not within a million steps
    assert when(ExponentialDecay(0.1, 1e9, 0.5), below=0.09999, within=10**6) == 144277


def test_a_rate_that_rises_again_hides_no_step():
    dip = as_schedule(lambda step: 0.001 if step == 70_001 else 0.1)
    assert when(dip, below=0.01) == 70_001
    assert when(dip, below=0.01, within=70_001) is None
    assert when(dip, below=0.01, within=70_002) == 70_001


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(0.01, 1))
def test_when_agrees_with_a_loop(table, below):
    expected = next((step for step, rate in enumerate(table) if rate < below), None)
    assert when(as_schedule(table.__getitem__), below, within=len(table)) == expected


def test_a_rate_that_does_not_exist_is_not_needed_before():
    table = as_schedule([0.1, 0.1, 0.1, 0.1, 0.1, 0.01].__getitem__)
    assert when(table, below=0.05) == 5
    with pytest.raises(IndexError):
        when(table, below=0.001)
    growing = as_schedule(lambda step: 0.1 * 2.0**step)
    refused(lambda: when(growing, below=0.05), OverflowError, "too large", "step 10")
    assert when(ExponentialDecay(0.1, 1, 2), below=0.05) is None, "its range says so"


# Diff


def test_the_same_twice():
    same = diff(StepDecay(0.1, 5, 0.5), ExponentialDecay(0.1, 5, 0.5, staircase=True), 100)
    assert (same.first_step, same.first_rates, same.gap, same.gap_step) == (None, None, 0.0, None)
    assert str(same) == "the same in 100 updates"


def test_where_a_boundary_is_one_step_late():
    late = diff(StepDecay(0.1, 5, 0.1), PiecewiseConstantDecay([5], [0.1, 0.01]), 9)
    assert (late.first_step, late.gap_step, late.gap) == (5, 5, pytest.approx(0.09))
    assert late.first_rates == pytest.approx((0.01, 0.1))
    assert str(late) == "first at step 5: 0.01, 0.1\nmost by 0.09, at step 5\nin 9 updates"
    assert diff(StepDecay(0.1, 5, 0.1), PiecewiseConstantDecay([5], [0.1, 0.01]), 5).first_step is None


def test_the_largest_difference_is_not_the_first():
    found = diff(LinearDecay(0.1, 100), CosineDecay(0.1, 100), 100)
    assert found.first_step == 1 and found.gap_step == 22 and found.gap == pytest.approx(0.010526, rel=1e-4)
    assert max(map(len, str(found).splitlines())) <= 44


def test_rounding_is_no_difference_unless_it_is_asked_for():
    one, other = Constant(0.3), Constant(0.1 + 0.2)
    assert diff(one, other, 3).first_step is None
    assert diff(one, other, 3, tolerance=0).first_step == 0
    assert diff(one, Constant(0.3001), 3, tolerance=0.001).first_step is None


# The bound


def harmonic(n):
    return sum(1 / k for k in range(1, n + 1))


def naive(rates):
    """The bound of Schaipp et al. (2025), theorem 1, as it is written: (way to go, noise)."""
    n, total = len(rates), sum(rates)
    noise = sum(r * r for r in rates) / total
    for k in range(n - 1):
        noise += rates[k] / sum(rates[k + 1 :]) * sum(r * r for r in rates[k:]) / sum(rates[k:])
    return 1 / (2 * total), noise / 2


@pytest.mark.parametrize(
    ("schedule", "times_root"),
    [
        (LinearDecay(0.1, 400), 2.01),
        (CosineDecay(0.1, 400), 2.07),
        (WarmupStableDecay(0.1, 400, decay_steps=80), 2.19),
        (WarmupStableDecay(0.1, 400, decay_steps=280), 2.02),
        (Constant(0.1), 2.75),
    ],
    ids=repr,
)
def test_bounds_that_were_published(schedule, times_root):
    assert round(bound(schedule, 400) * 20, 2) == times_root


@pytest.mark.parametrize("n", [1, 2, 3, 10, 400])
@pytest.mark.parametrize("lr", [0.1, 3.0])
def test_the_closed_form_of_a_constant(n, lr):
    way, noise = 1 / (2 * n), (1 + harmonic(n - 1)) / 2
    assert bound(Constant(lr), n) == pytest.approx(math.sqrt((1 + harmonic(n - 1)) / n))
    assert bound(Constant(lr), n, tuned=False) == pytest.approx(way / lr + noise * lr)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 400])
def test_the_closed_form_of_a_line(n):
    way = 1 / (n + 1)
    noise = (2 * n + 1) / (6 * n) + (2 * (n - 1) + 3 * harmonic(n - 1)) / (3 * n)
    assert bound(LinearDecay(0.1, n), n) == pytest.approx(2 * math.sqrt(way * noise))
    assert bound(LinearDecay(0.1, n), n, tuned=False) == pytest.approx(way / 0.1 + noise * 0.1)


@given(st.lists(st.floats(1e-3, 10), min_size=1, max_size=30))
def test_the_bound_agrees_with_a_double_loop(rates):
    way, noise = naive(rates)
    schedule = as_schedule(rates.__getitem__)
    assert bound(schedule, len(rates)) == pytest.approx(2 * math.sqrt(way * noise))
    assert bound(schedule, len(rates), tuned=False) == pytest.approx(way + noise)


@given(st.floats(1e-150, 1e150))
def test_the_tuned_bound_depends_on_the_shape_alone_and_is_the_lowest(factor):
    assert bound(factor * WARM, 400) == pytest.approx(bound(WARM, 400))
    best = bound(WARM, 400)
    for multiple in (0.1, 1, 10):
        assert bound(multiple * WARM, 400, tuned=False) >= best * (1 - 1e-12)
    multiples = np.geomspace(1e-3, 10, 2000)
    assert min(bound(m * WARM, 400, tuned=False) for m in multiples[::100]) == pytest.approx(best, rel=0.3)


def test_rates_of_zero_at_the_end_do_not_count_and_none_at_all_promises_nothing():
    assert bound(LinearDecay(0.1, 50), 80) == bound(LinearDecay(0.1, 50), 50)
    assert bound(Constant(0), 9) == math.inf
    assert bound(PiecewiseConstantDecay([0], [1.0, 0.0]), 9) == bound(Constant(1.0), 1) == 1.0


def test_extreme_rates_have_a_bound():
    assert math.isfinite(bound(ExponentialDecay(1.0, 1, 1e-300), 400))
    assert bound(ExponentialDecay(1e-300, 1, 0.9), 400, tuned=False) == pytest.approx(5e298)
    assert bound(Constant(1e300), 10) == pytest.approx(bound(Constant(1.0), 10))
    assert bound(Constant(5e-324), 10, tuned=False) == math.inf


# Bad input


@pytest.mark.parametrize("function", [plan, travel, bound, lambda s, n: diff(s, s, n)], ids=lambda f: f.__name__)
def test_a_number_of_steps_that_is_none(function):
    for steps in (0, -1, 2.0, None, True, "9"):
        refused(lambda steps=steps: function(WARM, steps), ValueError, "steps must be", repr(steps))


@pytest.mark.parametrize("function", [plan, travel, bound, when], ids=lambda f: f.__name__)
@pytest.mark.parametrize("thing", ["cosine", [0.1, 0.05], None, Constant])
def test_what_is_no_schedule(function, thing):
    refused(lambda: function(thing, 3), TypeError, "schedule must be a schedule, a number or a function", repr(thing))
    refused(lambda: function(-0.1, 3), ValueError, "schedule must not be negative", "-0.1")


def test_what_counts_as_a_schedule_can_be_asked():
    def inverse(step):
        return 1 / (1 + step)

    for function in plan, travel, bound:
        assert repr(function(0.1, 9)) == repr(function(Constant(0.1), 9))
        assert repr(function(inverse, steps=9)) == repr(function(as_schedule(inverse), 9))
    assert when(inverse, below=0.3) == 3 and when(0.1, 0.05) is None
    assert diff(0.5, b=inverse, steps=9).first_step == 0 and diff(np.float32(0.5), 0.5, 9).first_step is None


@pytest.mark.parametrize(
    ("call", "error", "problem"),
    [
        (lambda: when(ONE, below=0), ValueError, "below must be positive, got 0"),
        (lambda: when(ONE, below=math.nan), ValueError, "below must be finite, got nan"),
        (lambda: when(ONE, below="a"), TypeError, "below must be a number, got 'a'"),
        (lambda: when(ONE, below=0.1, within=0), ValueError, "within must be at least 1, got 0"),
        (lambda: diff(ONE, ONE, 3, tolerance=-1), ValueError, "tolerance must not be negative, got -1"),
        (lambda: diff(ONE, None, 3), TypeError, "b must be a schedule, a number or a function of the step, got None"),
        (lambda: bound(ONE, 3, tuned=1), TypeError, "tuned must be True or False, got 1"),
    ],
)
def test_bad_input_is_named(call, error, problem):
    refused(call, error, problem)
