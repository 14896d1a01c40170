"""The shapes between two rates, and the decays that come to an end, against numbers worked out by hand."""

import math
from functools import partial

import numpy as np
import pytest

from lrlib.schedules import CosineDecay, LinearCosineDecay, LinearDecay, PolynomialDecay, Ramp, anneal, warmup
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf
SHAPES = ["linear", "cosine", "1-sqrt", 0.5, 2, 3.0]
TO_AN_END = [LinearDecay, CosineDecay, PolynomialDecay]


@pytest.mark.parametrize(
    ("shape", "quarter", "half"),
    [
        ("linear", 0.75, 0.5),
        ("cosine", (1 + math.sqrt(0.5)) / 2, 0.5),
        ("1-sqrt", 0.5, 1 - math.sqrt(0.5)),
        (2, 0.5625, 0.25),
        (0.5, math.sqrt(0.75), math.sqrt(0.5)),
    ],
)
def test_the_shapes_at_a_quarter_and_at_half_of_the_way(shape, quarter, half):
    assert anneal(1.0, 0.0, np.array([0.25, 0.5]), shape) == pytest.approx([quarter, half], rel=1e-15)
    down, up = Ramp(3, 1, 8, shape), Ramp(1, 3, 8, shape)
    assert down([2, 4]) == pytest.approx([1 + 2 * quarter, 1 + 2 * half], rel=1e-15)
    assert up([2, 4]) == pytest.approx([3 - 2 * quarter, 3 - 2 * half], rel=1e-15)


def test_the_exponential_shape_is_a_constant_factor():
    assert Ramp(1, 0.01, 4, "exponential").planned(6) == pytest.approx([1, 10**-0.5, 0.1, 10**-1.5, 0.01, 0.01])
    assert Ramp(1e-300, 1e300, 2, "exponential")(1) == pytest.approx(1)


@pytest.mark.parametrize("shape", [*SHAPES, "exponential"])
@pytest.mark.parametrize(("start", "end"), [(0.1, 1e-4), (1e-4, 0.1), (0.3, 0.3), (0.1, 0.1 + 2e-17)])
def test_a_ramp_meets_its_ends_exactly_and_never_leaves_them(shape, start, end):
    ramp = Ramp(start, end, 7, shape)
    rates = ramp(np.linspace(0, 9, 400))
    assert ramp(0) == start and ramp(7) == ramp(1e9) == end
    assert ramp.range == (min(start, end), max(start, end)) == (rates.min(), rates.max())
    sign = math.copysign(1, end - start)
    assert (sign * np.diff(rates) >= -np.spacing(max(start, end))).all()


def test_a_cosine_is_accurate_where_it_is_small():
    """Of 1 + cos near its end hardly a digit would be left."""
    schedule = CosineDecay(1, 10**6)
    assert schedule(10**6 - 1) == pytest.approx((math.pi / 2e6) ** 2, rel=1e-9)


def test_decays_to_an_end_by_hand():
    assert LinearDecay(0.8, 4, 0.4).planned(6) == pytest.approx([0.8, 0.7, 0.6, 0.5, 0.4, 0.4])
    assert CosineDecay(0.8, 4, 0.4).planned(6) == pytest.approx(
        [0.8, 0.6 + 0.2 * math.sqrt(0.5), 0.6, 0.6 - 0.2 * math.sqrt(0.5), 0.4, 0.4]
    )
    assert PolynomialDecay(0.8, 4, 0.0, power=3).planned(5) == pytest.approx(0.8 * np.array([64, 27, 8, 1, 0]) / 64)


def test_a_polynomial_has_the_end_and_the_power_of_keras_by_default():
    assert PolynomialDecay(0.1, 10) == PolynomialDecay(0.1, 10, 0.0001, 1.0, False)
    assert PolynomialDecay(0.1, 10).planned(12) == pytest.approx(LinearDecay(0.1, 10, 0.0001).planned(12), rel=1e-15)


def test_a_polynomial_in_cycles_moves_its_end_on():
    """1 − t / 4 up to step 4, 1 − t / 8 up to step 8, and so on: the jump comes after the end, not at it."""
    rates = PolynomialDecay(1, 4, 0, cycle=True).planned(10)
    assert rates == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 0, 3 / 8, 2 / 8, 1 / 8, 0, 3 / 12])


def test_a_line_with_waves_by_hand():
    """TensorFlow 1: ((alpha + 1 − x) (1 + cos 2π n x) / 2 + beta) times the first rate."""
    rates = LinearCosineDecay(2, 4, num_periods=1, alpha=0.5, beta=0.1)([0, 1, 2, 4, 9])
    assert rates == pytest.approx([3.2, 2 * (1.25 / 2 + 0.1), 0.2, 1.2, 1.2])
    assert LinearCosineDecay(2, 4).range == pytest.approx((0.002, 2.002))


@pytest.mark.parametrize("kind", TO_AN_END)
def test_the_end_comes_at_decay_steps_and_holds(kind):
    schedule = kind(0.1, 10, 0.02)
    assert schedule(0) == 0.1 and schedule(10) == schedule(11) == schedule(1e9) == 0.02
    assert schedule(9) > 0.02  # a run of 10 steps ends here
    assert schedule.range == (0.02, 0.1)


@pytest.mark.parametrize("kind", TO_AN_END)
def test_integers_act_as_floats(kind):
    assert kind(1, 10, 0) == kind(1.0, 10.0, 0.0) and type(kind(1, 10, 0)(10)) is float


def test_extreme_lengths_give_right_rates():
    for kind in TO_AN_END:
        assert kind(0.1, 1e-300, 0)(0) == kind(0.1, 1e300, 0)(5) == 0.1
        assert kind(0.1, 5e-324, 0)([0, 1]).tolist() == [0.1, 0.0]
        assert kind(1e308, 3, 0)(1e9) == 0.0


@pytest.mark.parametrize("kind", TO_AN_END)
@pytest.mark.parametrize("name", ["initial_learning_rate", "decay_steps", "end_learning_rate"])
@pytest.mark.parametrize("value", [-1, NAN, INF, "0.1", None, True])
def test_bad_numbers_are_refused_by_name(kind, name, value):
    good = {"initial_learning_rate": 0.1, "decay_steps": 10, "end_learning_rate": 0.01}
    error = ValueError if type(value) in (int, float) else TypeError
    refused(lambda: kind(**good | {name: value}), error, f"{name} must", f"got {value!r}")


@pytest.mark.parametrize("kind", TO_AN_END)
def test_a_decay_does_not_end_above_its_start(kind):
    refused(
        lambda: kind(0.1, 10, 0.2), ValueError, "end_learning_rate must not be above initial_learning_rate, 0.1", "0.2"
    )
    assert kind(0.1, 10, 0.1).planned(12) == pytest.approx([0.1] * 12)


@pytest.mark.parametrize("power", [0, -1, NAN, INF])
def test_a_power_is_positive(power):
    refused(lambda: PolynomialDecay(0.1, 10, power=power), ValueError, "power must", f"got {power!r}")
    refused(lambda: PolynomialDecay(0.1, 10, cycle=1), TypeError, "cycle must be True or False, got 1")


@pytest.mark.parametrize("name", ["num_periods", "alpha", "beta"])
@pytest.mark.parametrize("value", [-1, NAN, INF])
def test_a_line_with_waves_refuses_bad_numbers(name, value):
    refused(lambda: LinearCosineDecay(0.1, 10, **{name: value}), ValueError, f"{name} must", f"got {value!r}")


@pytest.mark.parametrize("shape", ["cubic", None, [2], {}, np.array(2.0), np.array(["linear"]), True, "Linear"])
@pytest.mark.parametrize("make", [partial(Ramp, 0, 1, 5), partial(warmup, 5, 0.1)], ids=["ramp", "warmup"])
def test_a_shape_is_one_of_those_that_are_known(make, shape):
    refused(lambda: make(shape), ValueError, "shape must be one of 'linear', 'cosine', '1-sqrt'", f"got {shape!r}")


def test_where_a_rate_is_asked_for_the_shape_is_known_too():
    refused(lambda: anneal(0, 1, 0.5, "cubic"), ValueError, "shape must be one of", "got 'cubic'")
    for wrong in (0, -1, NAN, INF):
        refused(lambda wrong=wrong: anneal(0.0, 1.0, 0.5, wrong), ValueError, "shape must be", repr(wrong))
    for wrong in (None, True, ["linear"]):
        refused(lambda wrong=wrong: anneal(0.0, 1.0, 0.5, wrong), ValueError, "shape must be one of", repr(wrong))
    assert anneal(0, 1, 0.5, 2) == anneal(0, 1, 0.5, np.float32(2)) == 0.75


def test_a_text_of_numpy_is_a_text():
    assert repr(Ramp(0, 1, 5, np.str_("cosine"))) == repr(Ramp(0, 1, 5, "cosine"))


def test_so_many_waves_have_no_cosine():
    refused(lambda: LinearCosineDecay(0.1, 9, 1e308), ValueError, "num_periods must not be above 5e307, got 1e+308")
    assert LinearCosineDecay(0.1, 9, 5e307)(3) == pytest.approx(LinearCosineDecay(0.1, 9, 5e307)([3])[0])


def test_a_power_of_a_shape_is_positive_and_no_factor_leads_from_zero():
    refused(lambda: Ramp(0, 1, 5, -2), ValueError, "shape must be positive, got -2")
    refused(lambda: Ramp(0, 1, 5, "exponential"), ValueError, "shape must not be 'exponential' from 0.0 to 1.0")
    refused(lambda: Ramp(1, 0, 5, "exponential"), ValueError, "shape must not be 'exponential' from 1.0 to 0.0")


@pytest.mark.parametrize("name", ["start", "end", "steps"])
@pytest.mark.parametrize("value", [-1, NAN, INF])
def test_a_ramp_refuses_bad_numbers(name, value):
    good = {"start": 0.0, "end": 1.0, "steps": 5}
    refused(lambda: Ramp(**good | {name: value}), ValueError, f"{name} must", f"got {value!r}")


@pytest.mark.parametrize("power", [0.001, 0.5, 2, 30])
def test_a_power_on_its_way_up_is_accurate_where_it_is_small(power):
    """1 - (1 - x)^p is about p x, which a difference from 1 has not one digit of."""
    up = Ramp(0.0, 1.0, 2.0**60, power)
    for rates in (up(np.array([0.0, 1.0, 2.0**30, 2.0**60, 2.0**61])), [up(t) for t in (0, 1, 2**30, 2**60, 2**61)]):
        assert list(rates) == pytest.approx([0.0, power * 2.0**-60, power * 2.0**-30, 1.0, 1.0], rel=1e-7, abs=0)
        assert list(rates[[3, 4]] if isinstance(rates, np.ndarray) else rates[3:]) == [1.0, 1.0]
