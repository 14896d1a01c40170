"""Cycles, restarts, one cycle and the plateau with a late decay, against numbers worked out by hand."""

import math
from itertools import accumulate

import numpy as np
import pytest

from lrlib.schedules import CosineDecayRestarts, OneCycle, Triangular, WarmupStableDecay
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf


def test_a_triangle_goes_up_and_down():
    assert Triangular(0.1, 0.5, 4)([0, 1, 4, 6, 8, 12]) == pytest.approx([0.1, 0.2, 0.5, 0.3, 0.1, 0.5])


def test_triangles_that_are_halved_and_that_fade():
    assert Triangular(0, 0.8, 2, "triangular2")([2, 6, 10, 4]) == pytest.approx([0.8, 0.4, 0.2, 0])
    assert Triangular(0, 0.8, 2, "exp_range", 0.5)([1, 2, 6]) == pytest.approx([0.2, 0.2, 0.8 / 64])


def test_restarts_by_hand():
    schedule = CosineDecayRestarts(1, 4, t_mul=2, m_mul=0.5, end_learning_rate=0.1)
    assert schedule([0, 2, 4, 8, 12]) == pytest.approx([1, 0.55, 0.5, 0.3, 0.25])
    assert CosineDecayRestarts(1, 4, t_mul=1)([0, 2, 4, 6, 400]) == pytest.approx([1, 0.5, 1, 0.5, 1])


@pytest.mark.parametrize("t_mul", [1.0, 1.1, 1.2, 1.5, 2.0, 3.0, 1.7])
@pytest.mark.parametrize("first", [1, 3, 10, 50])
def test_a_cycle_begins_with_its_full_rate_wherever_it_begins(t_mul, first):
    """By the sums of the lengths, where these are whole: T0=10 and t_mul=1.1 restart at 21, not in the floor."""
    schedule = CosineDecayRestarts(0.1, first, t_mul, end_learning_rate=1e-3)
    starts = list(accumulate([first * t_mul**i for i in range(30)], initial=0))
    for start in (s for s in starts if abs(s - round(s)) < 1e-9):
        assert schedule(round(start)) == schedule(np.array([round(start)]))[0] == pytest.approx(0.1, rel=1e-9)
    for begin, end in zip(starts[:12], starts[1:], strict=False):
        assert schedule((begin + end) / 2) == pytest.approx(0.0505)


def test_the_restart_that_others_give_the_floor():
    assert CosineDecayRestarts(1, 10, t_mul=1.1)([10, 21]) == pytest.approx([1, 1])


def test_restarts_far_out_stay_in_their_range():
    for t_mul in (1.0, 1 + 1e-12, 1.0001, 2, 1e6):
        schedule = CosineDecayRestarts(0.1, 3, t_mul, 0.9, 0.01)
        rates = schedule(np.concatenate([np.arange(2000), [1e6, 1e8, 1e9]]))
        assert schedule.range == (0.01, 0.1)
        assert (rates >= 0.01).all() and (rates <= 0.1).all()


def test_one_cycle_by_hand():
    schedule = OneCycle(1.0, 20, pct_start=0.25, initial_learning_rate=0.2, end_learning_rate=0.1, shape="linear")
    assert schedule([0, 1, 5, 10, 20, 30]) == pytest.approx([0.2, 0.36, 1, 0.7, 0.1, 0.1])
    assert schedule.range == (0.1, 1.0)


def test_one_cycle_starts_and_ends_as_pytorch_says():
    schedule = OneCycle(1.0, 100)
    assert schedule == OneCycle(1.0, 100, 0.3, 1 / 25, 1 / 25e4, "cosine")
    assert schedule([0, 15, 30, 100]) == pytest.approx([0.04, 0.52, 1, 4e-6])


def test_warmup_plateau_and_decay():
    schedule = WarmupStableDecay(0.4, 20, warmup_steps=4, decay_steps=8, end_learning_rate=0.2)
    assert schedule([0, 1, 4, 12, 16, 20, 21]) == pytest.approx([0, 0.1, 0.4, 0.4, 0.3, 0.2, 0.2])
    assert schedule.range == (0, 0.4)


def test_a_plateau_without_warmup_decays_over_the_last_fifth():
    schedule = WarmupStableDecay(0.1, 300)
    assert schedule == WarmupStableDecay(0.1, 300.0, 0, 60.0, 0.0, "linear")
    assert schedule([0, 240, 270, 299]) == pytest.approx([0.1, 0.1, 0.05, 0.1 / 60])


def test_a_stage_may_be_missing():
    assert WarmupStableDecay(0.1, 4, decay_steps=4).planned(5) == pytest.approx([0.1, 0.075, 0.05, 0.025, 0])
    assert WarmupStableDecay(0.1, 4, 2, 2).planned(5) == pytest.approx([0, 0.05, 0.1, 0.05, 0])
    assert WarmupStableDecay(0.1, 0.3, 0.1, 0.2)(0.1) == pytest.approx(0.1)  # together more only by rounding


@pytest.mark.parametrize("shape", ["cosine", "1-sqrt", 2])
def test_the_decay_takes_any_shape(shape):
    rates = WarmupStableDecay(1.0, 100, shape=shape)([80, 85, 90, 100])
    quarter = {"cosine": (1 + math.sqrt(0.5)) / 2, "1-sqrt": 0.5, 2: 0.5625}[shape]
    assert rates[[0, 1, 3]] == pytest.approx([1, quarter, 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Triangular(0.2, 0.1, 5), "max_learning_rate must not be below base_learning_rate, 0.2, got 0.1"),
        (lambda: Triangular(0, 0.1, 0), "step_size must be positive, got 0"),
        (lambda: Triangular(-1, 0.1, 5), "base_learning_rate must not be negative, got -1"),
        (lambda: Triangular(0, NAN, 5), "max_learning_rate must be finite, got nan"),
        (
            lambda: Triangular(0, 0.1, 5, "square"),
            "mode must be one of 'triangular', 'triangular2', 'exp_range', got 'square'",
        ),
        (
            lambda: Triangular(0, 0.1, 5, ["triangular"]),
            "mode must be one of 'triangular', 'triangular2', 'exp_range', g",
        ),
        (lambda: Triangular(0, 0.1, 5, np.array(1.0)), "mode must be one of"),
        (lambda: Triangular(0, 0.1, 5, "exp_range", 1.5), "gamma must be at most 1, got 1.5"),
        (lambda: Triangular(0, 0.1, 5, "exp_range", 0), "gamma must be positive, got 0"),
        (lambda: CosineDecayRestarts(0.1, 0), "first_decay_steps must be positive, got 0"),
        (lambda: CosineDecayRestarts(0.1, 1e-300), "first_decay_steps must be at least 2e-290, 1e-290 times t_mul"),
        (lambda: CosineDecayRestarts(0.1, 10, 0.5), "t_mul must be at least 1, got 0.5"),
        (lambda: CosineDecayRestarts(0.1, 10, NAN), "t_mul must be finite, got nan"),
        (lambda: CosineDecayRestarts(0.1, 10, 2, 1.5), "m_mul must be at most 1, got 1.5"),
        (lambda: CosineDecayRestarts(0.1, 10, 2, 0), "m_mul must be positive, got 0"),
        (lambda: CosineDecayRestarts(0, 10), "initial_learning_rate must be positive, got 0"),
        (lambda: CosineDecayRestarts(0.1, 10, end_learning_rate=0.2), "end_learning_rate must not be above"),
        (lambda: OneCycle(0, 10), "max_learning_rate must be positive, got 0"),
        (lambda: OneCycle(0.1, NAN), "total_steps must be finite, got nan"),
        (lambda: OneCycle(0.1, 5e-324), "total_steps must be enough for a rise of 0.3 and a fall, got 5e-324"),
        (lambda: OneCycle(0.1, 10, 0), "pct_start must be positive, got 0"),
        (lambda: OneCycle(0.1, 10, 1), "pct_start must be below 1, got 1"),
        (
            lambda: OneCycle(0.1, 10, 0.3, 0.2),
            "initial_learning_rate must not be above max_learning_rate, 0.1, got 0.2",
        ),
        (
            lambda: OneCycle(0.1, 10, 0.3, None, 0.2),
            "end_learning_rate must not be above max_learning_rate, 0.1, got 0.2",
        ),
        (lambda: OneCycle(0.1, 10, 0.3, 0, shape="exponential"), "shape must not be 'exponential' from 0.0 to 0.1"),
        (lambda: OneCycle(0.1, 10, shape="cubic"), "shape must be one of"),
        (lambda: WarmupStableDecay(0.1, 0), "total_steps must be positive, got 0"),
        (lambda: WarmupStableDecay(0.1, 100, 200), "warmup_steps must not be more than total_steps, 100.0, got 200"),
        (lambda: WarmupStableDecay(0.1, 100, 50, 60), "warmup_steps and decay_steps together must not be more than"),
        (lambda: WarmupStableDecay(0.1, 100, -1), "warmup_steps must not be negative, got -1"),
        (lambda: WarmupStableDecay(0.1, 100, 0, 0), "decay_steps must be positive, got 0"),
        (lambda: WarmupStableDecay(0.1, 100, end_learning_rate=0.2), "end_learning_rate must not be above"),
        (lambda: WarmupStableDecay(0.1, 100, shape="exponential"), "shape must not be 'exponential' from 0.1 to 0.0"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    refused(make, ValueError, message)


@pytest.mark.parametrize("shape", ["linear", "1-sqrt", 0.01])
def test_the_end_is_reached_at_the_last_step_itself(shape):
    """However the shares are rounded: 0.82 * 150 is below 123."""
    for total in (5, 50, 90, 150, 180, 1999, 100_000):
        for share in np.arange(1, 100) / 100:
            cycle = OneCycle(0.1, total, share, end_learning_rate=0, shape=shape)
            ends = [WarmupStableDecay(0.1, total, up, share * total, shape=shape) for up in (0, (1 - share) * total)]
            for schedule in (cycle, *ends):
                assert schedule(total) == 0 == schedule(np.array([0, total]))[1], schedule
                assert schedule(total - 1) > 0, schedule


def test_a_rise_that_ends_where_the_fall_begins_but_for_rounding():
    for total, up, down in [(90, 0.3 * 90, 0.7 * 90), (180, 0.35 * 180, 0.65 * 180), (1e5, 0.29 * 1e5, 0.71 * 1e5)]:
        schedule = WarmupStableDecay(0.1, total, up, down)
        assert schedule.planned(int(total)).argmax() == round(up) and schedule(round(up)) == 0.1
    assert WarmupStableDecay(0.1, 1e10, decay_steps=1e-3)(1e10 - 1) == 0.1 == WarmupStableDecay(0.1, 9, 9, 1e-13)(9)
    assert WarmupStableDecay(0.1, 100, 1e-11, 100).planned(3) == pytest.approx([0, 0.099, 0.098])


@pytest.mark.parametrize("kind", [Triangular, CosineDecayRestarts, OneCycle, WarmupStableDecay])
@pytest.mark.parametrize("value", ["0.1", None, [0.1], True, 1j])
def test_what_is_no_number_is_refused(kind, value):
    refused(
        lambda: kind(value, 10, *[1] * (kind is Triangular)), TypeError, "_learning_rate must be a number", repr(value)
    )
