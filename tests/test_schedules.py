"""The schedules are pure functions of the step, keep their laws, and refuse bad numbers by name."""

import dataclasses
import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrlib
from lrlib import (
    Constant,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    Schedule,
    StepDecay,
)
from lrlib.schedules import FunctionOfStep, as_schedule, stairs
from lrlib.schedules.base import parts, power, rest
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf
DECAYS = [StepDecay, ExponentialDecay, InverseTimeDecay]

learning_rates = st.floats(1e-6, 10)
decay_steps = st.integers(1, 500) | st.floats(0.1, 500)
decay_rates = st.floats(0.01, 1)
steps = st.integers(0, 100_000)


@st.composite
def piecewise(draw):
    boundaries = sorted(draw(st.sets(st.integers(0, 1000), max_size=4)))
    size = len(boundaries) + 1
    return PiecewiseConstantDecay(boundaries, draw(st.lists(learning_rates, min_size=size, max_size=size)))


schedules = st.one_of(
    st.builds(Constant, st.just(0) | learning_rates),
    piecewise(),
    st.builds(StepDecay, learning_rates, decay_steps, decay_rates),
    st.builds(ExponentialDecay, learning_rates, decay_steps, decay_rates, st.booleans()),
    st.builds(InverseTimeDecay, learning_rates, decay_steps, decay_rates, st.booleans()),
)


# What the formulas say, worked out by hand


def test_constant():
    assert Constant(0.1)(0) == Constant(0.1)(10**6) == 0.1
    assert Constant(0)(3) == 0.0


def test_exponential_smooth_and_in_stairs():
    smooth, stairs = ExponentialDecay(0.8, 10, 0.25), ExponentialDecay(0.8, 10, 0.25, staircase=True)
    assert smooth([0, 5, 10, 20]).tolist() == [0.8, 0.4, 0.2, 0.05]
    assert stairs([0, 5, 9, 10, 19, 20]).tolist() == [0.8, 0.8, 0.8, 0.2, 0.2, 0.05]


def test_inverse_time_smooth_and_in_stairs():
    smooth, stairs = InverseTimeDecay(0.6, 10, 2), InverseTimeDecay(0.6, 10, 2, staircase=True)
    np.testing.assert_allclose(smooth([0, 5, 10, 25]), [0.6, 0.3, 0.2, 0.1], rtol=1e-15)
    np.testing.assert_allclose(stairs([0, 9, 10, 19, 20]), [0.6, 0.6, 0.2, 0.2, 0.12], rtol=1e-15)


def test_step_decay_halves_after_every_five_steps():
    assert StepDecay(0.1, 5, 0.5)([0, 4, 5, 9, 10]).tolist() == [0.1, 0.1, 0.05, 0.05, 0.025]


def test_a_boundary_is_the_last_step_of_the_piece_before_it():
    schedule = PiecewiseConstantDecay([5, 8], [1.0, 0.5, 0.1])
    assert schedule([0, 4, 5, 6, 7, 8, 9]).tolist() == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1]
    assert [schedule(step) for step in (5, 6, 8, 9)] == [1.0, 0.5, 0.5, 0.1]
    assert schedule(5.5) == 0.5  # a fraction of a step is past the boundary too


def test_no_boundary_and_a_boundary_at_zero():
    assert PiecewiseConstantDecay([], [0.3])([0, 7]).tolist() == [0.3, 0.3]
    assert PiecewiseConstantDecay([0], [1.0, 0.0])([0, 1]).tolist() == [1.0, 0.0]


def test_the_40_steps_of_the_article():
    schedule = ExponentialDecay(0.1, 1, 0.99, staircase=True)
    np.testing.assert_allclose(schedule.planned(40), 0.1 * np.cumprod([1.0] + [0.99] * 39), rtol=1e-14)


def test_a_decay_rate_above_one_grows():
    assert ExponentialDecay(0.1, 1, 2)(3) == 0.8


# Laws


@given(schedules, st.lists(steps, min_size=1, max_size=20))
def test_scalar_and_array_agree_to_two_units_in_the_last_place(schedule, some):
    one_by_one = [schedule(step) for step in some]
    assert all(type(rate) is float for rate in one_by_one)
    together = schedule(np.array(some))
    assert together.dtype == np.float64
    np.testing.assert_array_max_ulp(together, np.array(one_by_one), maxulp=2)


@given(schedules, st.lists(steps, min_size=1, max_size=10))
def test_the_order_and_number_of_calls_do_not_matter(schedule, some):
    forwards = [schedule(step) for step in some]
    schedule.planned(7), schedule(np.arange(9))
    backwards = [schedule(step) for step in reversed(some)]
    assert forwards == backwards[::-1]


@given(schedules)
def test_repr_eq_hash_and_pickle_round_trip(schedule):
    again = eval(repr(schedule), vars(lrlib).copy())
    copied = pickle.loads(pickle.dumps(schedule))
    assert schedule == again == copied == dataclasses.replace(schedule)
    assert len({schedule, again, copied}) == 1
    assert type(again) is type(copied) is type(schedule)


@given(schedules)
def test_a_schedule_is_frozen(schedule):
    name = dataclasses.fields(schedule)[0].name
    before = repr(schedule)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(schedule, name, 1.0)
    assert repr(schedule) == before


def test_different_schedules_are_not_equal():
    assert StepDecay(0.1, 5, 0.5) != ExponentialDecay(0.1, 5, 0.5, staircase=True)
    assert ExponentialDecay(0.1, 5, 0.5) != ExponentialDecay(0.1, 5, 0.5, staircase=True)
    assert Constant(0.1) != Constant(0.2)


@given(schedules, st.integers(1, 300))
def test_planned_are_the_rates_of_the_steps_from_zero(schedule, n):
    planned = schedule.planned(n)
    assert planned.shape == (n,) and planned.dtype == np.float64
    assert (planned == schedule(np.arange(n))).all()
    np.testing.assert_array_max_ulp(planned[[0, -1]], np.array([schedule(0), schedule(n - 1)]), maxulp=2)


@given(schedules, st.lists(steps, min_size=6, max_size=6))
def test_an_array_keeps_its_shape_and_a_scalar_array_is_a_scalar(schedule, six):
    table = np.array(six).reshape(2, 3)
    assert schedule(table).tolist() == schedule(six).reshape(2, 3).tolist()
    assert schedule([]).shape == (0,)
    assert type(schedule(np.array(six[0]))) is type(schedule(np.int32(six[0]))) is float


@given(st.sampled_from([ExponentialDecay, InverseTimeDecay]), learning_rates, st.integers(1, 50), decay_rates)
def test_stairs_are_flat_and_meet_the_smooth_curve_where_they_begin(kind, initial, length, rate):
    smooth, stairs = kind(initial, length, rate), kind(initial, length, rate, staircase=True)
    rates = stairs.planned(6 * length).reshape(6, length)
    assert (rates == rates[:, :1]).all()
    np.testing.assert_array_max_ulp(rates[:, 0], smooth(length * np.arange(6)), maxulp=2)


@given(learning_rates, decay_steps, decay_rates, st.lists(steps, min_size=1))
def test_step_decay_is_exponential_decay_on_a_staircase(initial, length, rate, some):
    stairs = ExponentialDecay(initial, length, rate, staircase=True)
    assert StepDecay(initial, length, rate)(some).tolist() == stairs(some).tolist()


@given(st.sampled_from(DECAYS), learning_rates, decay_steps, decay_rates)
def test_decays_start_at_their_initial_rate_and_never_rise(kind, initial, length, rate):
    rates = kind(initial, length, rate).planned(200)
    assert rates[0] == initial
    assert (np.diff(rates) <= 4 * np.spacing(initial)).all()


@pytest.mark.parametrize("kind", DECAYS)
def test_an_integer_initial_rate_acts_as_a_float(kind):
    assert kind(1, 10, 0.5) == kind(1.0, 10.0, 0.5)
    assert kind(1, 10, 0.5)(10) == kind(1.0, 10, 0.5)(10) > 0
    assert kind(np.int64(1), np.int32(10), np.float32(0.5)) == kind(1, 10, 0.5)
    assert type(kind(1, 10, 0.5)(0)) is float


def test_integers_act_as_floats_in_tables_too():
    assert Constant(1)(0) == 1.0 and type(Constant(1)(0)) is float
    table = PiecewiseConstantDecay(np.array([2, 4]), (3, 1, 0))
    assert table == PiecewiseConstantDecay([2, 4], [3.0, 1.0, 0.0])
    assert table([0, 3, 5]).dtype == np.float64
    assert [type(b) for b in table.boundaries] == [int, int]


def test_large_steps_underflow_to_zero_quietly():
    assert ExponentialDecay(0.1, 1, 0.5)(1e9) == 0.0
    assert ExponentialDecay(0.1, 1, 0.5)([1e9]).tolist() == [0.0]


@pytest.mark.parametrize("step", [2000, [0, 2000]])
def test_a_rate_too_large_for_a_float_is_an_error_that_names_the_step(step):
    growing = ExponentialDecay(0.1, 1, 2)
    refused(lambda: growing(step), OverflowError, "step 2000", "too large", "decay_rate=2.0")


def test_a_schedule_of_ones_own_needs_only_a_formula():
    @dataclasses.dataclass(frozen=True)
    class Linear(Schedule):
        steps: int

        def formula(self, step, xp=np):
            return xp.maximum(0.0, 1.0 - step / self.steps)

    assert Linear(4).planned(5).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert Linear(4)(2) == 0.5
    with pytest.raises(TypeError, match="abstract"):
        Schedule()


# Stairs, against exact arithmetic

LENGTHS = [*map(float, range(1, 2001)), *(k / 10 for k in range(1, 100)), 1 / 3, math.pi, 1e-3, 1e-10, 0.7, 2000.5]


def stairs_behind(step, length):
    """How many whole lengths lie behind a step, exactly."""
    return math.floor(Fraction(float(step)) / Fraction(length))


def steps_around(length):
    """Steps on, before and after the places where a stair begins."""
    places = [math.floor(k * Fraction(length)) + by for k in (1, 2, 3, 4, 6, 7, 10, 49, 1000) for by in (-1, 0, 1)]
    return np.clip(np.array(places, dtype=np.float64), 0, None)


def test_a_stair_begins_at_its_step_and_not_one_late():
    for length in LENGTHS:
        steps = steps_around(length)
        expected = [stairs_behind(step, length) for step in steps]
        assert stairs(steps, length).tolist() == expected
        assert [stairs(step, length) for step in steps.tolist()] == expected


@pytest.mark.parametrize("length", [1.0, 3.0, 49.0, 100.0, 12345.0, 0.1, 3e15])
@pytest.mark.parametrize("of", [1, 49, 99_999, 2**33, 2**48])
def test_a_step_a_hair_before_a_stair_is_not_on_it(length, of):
    """Where the quotient is rounded up to a whole number, and where steps are so large that they are whole."""
    place = of * length
    steps = np.array([np.nextafter(place, 0), place, np.nextafter(place, np.inf)])
    whole, left = parts(steps, length)
    assert whole.tolist() == [stairs_behind(step, length) for step in steps]
    assert left.tolist() == np.fmod(steps, length).tolist() == rest(steps, length).tolist()


def test_few_powers_are_a_table():
    some = [np.repeat(np.arange(5.0, 25), 9), np.full(80, 3.0), np.arange(80.0), np.array([2.0, np.inf] * 40)]
    for exponents in some:
        assert (power(0.7, exponents) == 0.7**exponents).all()
    assert power(0.7, 2.0) == 0.7**2.0


@given(st.floats(1e-3, 1e4), st.floats(0, 1e6))
def test_any_step_is_on_its_stair(length, step):
    assert stairs(step, length) == stairs_behind(step, length)


def test_the_proof_holds_as_far_as_it_says():
    """Up to 2^49 stairs, also where the quotient is a product with a rounded reciprocal."""
    random = np.random.default_rng(0)
    lengths = random.uniform(0.1, 10, 4000)
    counts = random.integers(2**48, 2**49, 4000)
    steps = np.array([float(Fraction(t) * int(q)) for t, q in zip(lengths, counts, strict=True)])
    expected = np.array([stairs_behind(s, t) for s, t in zip(steps, lengths, strict=True)], dtype=float)
    by_reciprocal = np.floor((steps - steps % lengths) * (1 / lengths) + 0.5)
    assert (np.floor((steps - steps % lengths) / lengths + 0.5) == expected).all()
    assert (by_reciprocal == expected).all()


@pytest.mark.parametrize("kind", [StepDecay, ExponentialDecay, InverseTimeDecay])
def test_every_staircase_falls_on_time(kind):
    for length in (49, 98, 41, 235, 0.1, 0.7, 1 / 3):
        stairs = kind(1, length, 0.5) if kind is StepDecay else kind(1, length, 0.5, staircase=True)
        steps = steps_around(float(length))
        behind = np.array([stairs_behind(step, float(length)) for step in steps], dtype=float)
        expected = 1 / (1 + 0.5 * behind) if kind is InverseTimeDecay else 0.5**behind
        np.testing.assert_array_max_ulp(stairs(steps), expected, maxulp=2)
        np.testing.assert_array_max_ulp(np.array([stairs(step) for step in steps]), expected, maxulp=2)


def test_extreme_lengths_give_right_rates():
    for kind in (StepDecay, ExponentialDecay):
        assert kind(0.1, 1e-300, 0.5)(1) == kind(0.1, 5e-324, 0.5)(1e10) == 0.0
        assert kind(0.1, 1e-300, 0.5)([0, 1]).tolist() == [0.1, 0.0]
        assert kind(0.1, 1e-300, 1.0)([0, 1]).tolist() == [0.1, 0.1]
        assert kind(0.1, 1e300, 0.5)(1) == pytest.approx(0.1)
        refused(lambda kind=kind: kind(0.1, 1e-300, 2.0)(1), OverflowError, "too large", "step 1")
    assert InverseTimeDecay(0.1, 1e-300, 1.0)(1) == pytest.approx(1e-301)
    assert InverseTimeDecay(0.1, 1e-300, 1.0, staircase=True)(1) == pytest.approx(1e-301)


# What counts as a schedule


def test_a_schedule_is_itself_and_a_number_is_a_constant():
    schedule = StepDecay(0.1, 5, 0.5)
    assert as_schedule(schedule) is schedule
    assert as_schedule(0.1) == as_schedule(np.float64(0.1)) == Constant(0.1)
    assert as_schedule(Fraction(1, 4)) == Constant(0.25)


def test_a_function_of_the_step_is_called_with_one_whole_number_at_a_time():
    asked = []
    table = [0.3, 0.2, 0.1]
    schedule = as_schedule(lambda step: asked.append(step) or table[min(step, 2)])
    assert schedule.planned(4).tolist() == [0.3, 0.2, 0.1, 0.1]
    assert schedule(1) == 0.2 and schedule(np.array([[0], [2]])).tolist() == [[0.3], [0.1]]
    assert asked == [0, 1, 2, 3, 1, 0, 2] and {type(step) for step in asked} == {int}
    assert as_schedule(lambda step: step / 2)(0.5) == 0.25


def test_a_function_shows_its_name():
    def halving(step):
        return 0.5**step

    assert repr(as_schedule(halving)).endswith("halving)") and "0x" not in repr(as_schedule(halving))
    assert as_schedule(halving) == as_schedule(halving)


@pytest.mark.parametrize("thing", ["0.1", None, [0.1], 1j, True, Constant, {}])
def test_anything_else_is_no_schedule(thing):
    problem = "schedule must be a number, got True" if thing is True else "schedule must be a schedule, a number or a"
    refused(lambda: as_schedule(thing), TypeError, problem, repr(thing))


@pytest.mark.parametrize("value", [-0.1, NAN, INF])
def test_a_number_that_is_no_rate_is_no_schedule(value):
    refused(lambda: as_schedule(value), ValueError, "schedule must", repr(value))


# The contract of every schedule, kept in one place


@dataclasses.dataclass(frozen=True)
class Own(Schedule):
    """A schedule from outside the library that does as it is told."""

    what: object

    def formula(self, step, xp=np):
        return self.what(step)


@pytest.mark.parametrize(
    ("formula", "error", "problem"),
    [
        (lambda t: -0.1 - 0 * t, ValueError, "must be finite and not negative, got -0.1"),
        (lambda t: NAN * t, ValueError, "must be finite and not negative, got nan"),
        (lambda t: -INF + 0 * t, ValueError, "must be finite and not negative, got -inf"),
        (lambda t: INF + 0 * t, OverflowError, "too large for a float64, got inf"),
        (lambda t: 1j + t, TypeError, "must give a number for a step"),
        (lambda t: None, TypeError, "must give a number for a step, got None"),
        (lambda t: "0.1", TypeError, "must give a number for a step, got '0.1'"),
        (lambda t: True, TypeError, "must give a number for a step, got True"),
        (lambda t: np.ones(2), ValueError, "got shape (2,)"),
        (lambda t: [0.1], ValueError, "got shape (1,)"),
    ],
)
@pytest.mark.parametrize("step", [3, 3.5, np.array(3), [1, 2, 3], [[4]]])
def test_what_a_schedule_may_give(formula, error, problem, step):
    refused(lambda: Own(formula)(step), error, problem, "Own(what=")


def test_the_step_of_a_bad_rate_is_named():
    refused(lambda: Own(lambda t: 5.0 - t).planned(9), ValueError, "at step 6 must be", "got -1")
    refused(lambda: as_schedule(lambda step: 5 - step).planned(9), ValueError, "at step 6 must be", "got -1")


def test_one_number_serves_every_step():
    assert Own(lambda t: 1)([1, 2]).tolist() == [1.0, 1.0] and Own(lambda t: np.float32(0.5))(3) == 0.5


class Symbolic:
    """What a framework passes while it compiles a function: no value yet."""

    shape, dtype = (), "float32"

    def __array__(self, *args, **kwargs):
        raise NotImplementedError("a symbol has no value")


def test_a_schedule_in_a_function_that_is_compiled_says_what_to_do():
    refused(
        lambda: Constant(0.1)(Symbolic()),
        TypeError,
        "no value while a function is compiled",
        "KerasSchedule(schedule)",
        "schedule.formula(step, xp=jax.numpy)",
        "schedule.planned(steps)",
    )


def test_a_schedule_without_a_step_says_what_to_do():
    refused(lambda: Constant(0.1)(), TypeError, "SGD(KerasSchedule(schedule))", "lrlib.keras")


# What Keras saves


@dataclasses.dataclass(frozen=True)
class Sum(Schedule):
    parts: tuple
    factor: float = 1.0

    def formula(self, step, xp=np):
        return self.factor * sum(part.formula(step, xp) for part in self.parts)


@given(schedules)
def test_a_configuration_holds_the_fields(schedule):
    config = schedule.get_config()
    assert type(schedule).from_config(json.loads(json.dumps(config))) == schedule
    assert list(config) == [field.name for field in dataclasses.fields(schedule)]


def test_a_composite_keeps_its_parts():
    both = Sum((Constant(0.1), StepDecay(0.2, 5, 0.5)), 2.0)
    assert both.get_config() == {"parts": both.parts, "factor": 2.0}
    assert both(5) == pytest.approx(0.4)


# Bad input: the message names the argument and shows its value


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("name", ["initial_learning_rate", "decay_steps", "decay_rate"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (0, "positive"),
        (-1, "positive"),
        (-0.5, "positive"),
        (NAN, "finite"),
        (INF, "finite"),
        (-INF, "finite"),
        (np.float32(NAN), "finite"),
        (10**400, "finite"),
    ],
)
def test_decays_refuse_numbers_out_of_range(kind, name, value, problem):
    good = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}
    refused(lambda: kind(**good | {name: value}), ValueError, f"{name} must be {problem}", f"got {value!r}")


@pytest.mark.parametrize("kind", DECAYS)
@pytest.mark.parametrize("name", ["initial_learning_rate", "decay_steps", "decay_rate"])
@pytest.mark.parametrize("value", ["0.1", None, 1j, [0.1], np.array([0.1])])
def test_decays_refuse_what_is_not_a_number(kind, name, value):
    good = {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}
    refused(lambda: kind(**good | {name: value}), TypeError, f"{name} must be a number, got {value!r}")


@pytest.mark.parametrize("kind", [ExponentialDecay, InverseTimeDecay])
@pytest.mark.parametrize("value", [1, 0, None, "yes", 0.5])
def test_staircase_must_be_a_bool(kind, value):
    refused(lambda: kind(0.1, 10, 0.5, value), TypeError, f"staircase must be True or False, got {value!r}")
    assert kind(0.1, 10, 0.5, np.True_).staircase is True


@pytest.mark.parametrize(("value", "problem"), [(-0.1, "negative"), (NAN, "finite"), (INF, "finite")])
def test_rates_in_constant_and_values_must_be_finite_and_not_negative(value, problem):
    refused(lambda: Constant(value), ValueError, "learning_rate must", problem, f"got {value!r}")
    table = lambda: PiecewiseConstantDecay([5], [0.1, value])  # noqa: E731
    refused(table, ValueError, "values[1] must", problem, f"got {value!r}")


@pytest.mark.parametrize("schedule", [Constant(0.1), PiecewiseConstantDecay([5], [1, 0]), ExponentialDecay(1, 2, 0.5)])
@pytest.mark.parametrize(
    ("step", "shown"),
    [(-1, "-1"), (-0.5, "-0.5"), (NAN, "nan"), (INF, "inf"), (-INF, "-inf"), (10**400, "1000000")],
)
def test_a_step_must_be_finite_and_not_negative(schedule, step, shown):
    refused(lambda: schedule(step), ValueError, "step must", f"got {shown}")
    if step != 10**400:
        refused(lambda: schedule([0, step, 3]), ValueError, "step must be finite and not negative", f"got {shown}")
        refused(lambda: schedule(np.float64(step)), ValueError, "step must", shown)
        refused(lambda: schedule(np.float32(step)), ValueError, "step must", shown)


def test_a_step_may_be_any_real_number():
    halving = StepDecay(1, 3, 0.5)
    for step, rate in [(Fraction(3), 0.5), (Fraction(299, 100), 1.0), (np.float16(3), 0.5), (np.uint8(2), 1.0)]:
        assert type(halving(step)) is float and halving(step) == rate


@pytest.mark.parametrize("step", ["3", None, 1j, ["3"], [None], {"step": 3}])
def test_a_step_must_be_a_number(step):
    refused(lambda: Constant(0.1)(step), TypeError, f"step must be a number or an array of numbers, got {step!r}")


def test_a_list_may_hold_what_a_number_may_be():
    steps = [Fraction(7, 2), 2**53, 2**70, np.uint64(2**63)]
    decay = InverseTimeDecay(0.1, 7, 1)
    assert decay(steps).tolist() == [decay(step) for step in steps]
    refused(lambda: decay([1, 10**400]), ValueError, "step must be finite")
    refused(lambda: decay([Fraction(-1, 2)]), ValueError, "step must not be negative", "Fraction(-1, 2)")
    refused(lambda: decay([Fraction(1, 2), True]), TypeError, "step must be a number, got True")


def test_a_masked_step_is_no_step():
    steps = np.ma.array([3, 4], mask=[False, True])
    refused(lambda: Constant(0.1)(steps), ValueError, "step must have no masked entry", "--")
    refused(lambda: Constant(0.1)(np.ma.masked), ValueError, "step must have no masked entry")
    assert Constant(0.1)(np.ma.array([3, 4])).tolist() == [0.1, 0.1]


def test_a_step_beyond_float64_is_infinite():
    beyond = np.array([3, np.finfo(np.longdouble).max])
    if beyond[1] > np.finfo(np.float64).max:  # where a long double is longer
        refused(lambda: StepDecay(1, 3, 0.5)(beyond), ValueError, "step must be finite and not negative")


def test_a_duration_is_no_number():
    hour = np.timedelta64(1, "h")
    refused(lambda: Constant(0.1)(hour), TypeError, "step must be a number", repr(hour))
    refused(lambda: StepDecay(1, hour, 0.5), TypeError, "decay_steps must be a number", repr(hour))
    refused(lambda: Constant(np.timedelta64(1, "ns")), TypeError, "learning_rate must be a number")


def test_no_rate_is_minus_zero():
    for schedule in (Constant(-0.0), -0.0 * Constant(0.1), Constant(0.1).clip(-0.0, -0.0)):
        assert math.copysign(1, schedule(3)) == 1 and "-0.0" not in repr(schedule)


@pytest.mark.parametrize("boundaries", [[5, 3], [5, 5], [1, 2, 2], [3, 2, 1]])
def test_boundaries_must_increase(boundaries):
    values = [0.1] * (len(boundaries) + 1)
    refused(
        lambda: PiecewiseConstantDecay(boundaries, values),
        ValueError,
        f"boundaries must be strictly increasing, got {boundaries}",
    )


@pytest.mark.parametrize("boundary", [2.5, 2.0, NAN, "2", None, [2]])
def test_boundaries_must_be_integers(boundary):
    refused(
        lambda: PiecewiseConstantDecay([1, boundary], [1, 2, 3]),
        ValueError,
        f"boundaries[1] must be an integer, got {boundary!r}",
    )


def test_boundaries_must_be_at_least_0_and_exact_in_float64():
    refused(lambda: PiecewiseConstantDecay([-1, 4], [1, 2, 3]), ValueError, "boundaries[0] must be at least 0, got -1")
    refused(lambda: PiecewiseConstantDecay([2**53], [1, 2]), ValueError, "boundaries must be below 2**53", str(2**53))
    last = PiecewiseConstantDecay([2**53 - 1], [1, 2])
    assert [last(2**53 - 2), last(2**53 - 1), last(2**53)] == [1.0, 1.0, 2.0]


@pytest.mark.parametrize("values", [[], [1], [1, 2], [1, 2, 3, 4]])
def test_there_is_one_value_more_than_boundaries(values):
    refused(
        lambda: PiecewiseConstantDecay([3, 6], values),
        ValueError,
        "values must have one entry more than boundaries",
        "2 boundaries need 3 values",
        f"got {len(values)}",
    )


@pytest.mark.parametrize("value", [3, None, "abs", Constant, Constant(0.1), [0.1]])
def test_a_function_of_the_step_is_a_function(value):
    refused(lambda: FunctionOfStep(value), TypeError, "function must be a function of the step", f"got {value!r}")


@pytest.mark.parametrize("name", ["boundaries", "values"])
@pytest.mark.parametrize("value", [5, "12", b"12", None, np.array(5.0), np.float64(5), {1, 2}, {5: 0.1, 8: 0.2}])
def test_tables_must_be_sequences(name, value):
    good = {"boundaries": [5], "values": [0.1, 0.2]}
    refused(
        lambda: PiecewiseConstantDecay(**good | {name: value}),
        TypeError,
        f"{name} must be a sequence of numbers, got {value!r}",
    )


@pytest.mark.parametrize(("n", "problem"), [(0, "at least 1"), (-3, "at least 1"), (2.0, "integer"), (NAN, "integer")])
def test_planned_needs_a_positive_integer(n, problem):
    refused(lambda: Constant(0.1).planned(n), ValueError, "steps must be", problem, f"got {n!r}")
