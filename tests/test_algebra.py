"""The algebra of schedules: what holds for every schedule, however it is put together of others."""

import copy
import json
import math
import pickle
import re
from dataclasses import fields
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrlib import schedules
from lrlib.schedules import (
    Clipped,
    Constant,
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    FunctionOfStep,
    InverseSqrtDecay,
    InverseTimeDecay,
    Join,
    LinearCosineDecay,
    LinearDecay,
    NaturalExponentialDecay,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    Product,
    Ramp,
    Repeated,
    Scaled,
    Schedule,
    Shifted,
    StepDecay,
    Stretched,
    Triangular,
    WarmupStableDecay,
    as_schedule,
    base,
    join,
    warmup,
)

pytestmark = pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")  # Keras has one, from NumPy

RATES = st.floats(1e-6, 10)
LENGTHS = st.integers(1, 5000) | st.floats(0.5, 5000)
SHARES = st.floats(0, 1)
FACTORS = st.floats(0.01, 1)
SHAPES = st.sampled_from(["linear", "cosine", "1-sqrt"]) | st.floats(0.2, 5)
STEPS = st.integers(0, 100) | st.integers(0, 20_000) | st.integers(0, 10**9)
WHOLE = st.integers(1, 1000)


@st.composite
def tables(draw):
    boundaries = sorted(draw(st.sets(st.integers(0, 5000), max_size=4)))
    size = len(boundaries) + 1
    return PiecewiseConstantDecay(boundaries, draw(st.lists(st.just(0) | RATES, min_size=size, max_size=size)))


def wsd(peak, total, up, down, end, shape):
    """A plateau whose warmup and decay are shares of the whole."""
    return WarmupStableDecay(peak, total, up * 0.5 * total, max(down, 0.01) * 0.5 * total, end * peak, shape)


PRIMITIVES = {
    Constant: st.builds(Constant, st.just(0) | RATES),
    PiecewiseConstantDecay: tables(),
    StepDecay: st.builds(StepDecay, RATES, LENGTHS, FACTORS),
    ExponentialDecay: st.builds(ExponentialDecay, RATES, LENGTHS, FACTORS, st.booleans()),
    NaturalExponentialDecay: st.builds(NaturalExponentialDecay, RATES, LENGTHS, FACTORS, st.booleans()),
    InverseTimeDecay: st.builds(InverseTimeDecay, RATES, LENGTHS, FACTORS, st.booleans()),
    InverseSqrtDecay: st.builds(InverseSqrtDecay, RATES, LENGTHS),
    Ramp: st.builds(Ramp, RATES, RATES, LENGTHS, SHAPES | st.just("exponential")),
    LinearDecay: st.builds(lambda lr, n, share: LinearDecay(lr, n, share * lr), RATES, LENGTHS, SHARES),
    CosineDecay: st.builds(lambda lr, n, share: CosineDecay(lr, n, share * lr), RATES, LENGTHS, SHARES),
    PolynomialDecay: st.builds(
        lambda lr, n, share, power, cycle: PolynomialDecay(lr, n, share * lr, power, cycle),
        *(RATES, LENGTHS, SHARES, st.floats(0.2, 5), st.booleans()),
    ),
    LinearCosineDecay: st.builds(LinearCosineDecay, RATES, LENGTHS, st.floats(0.1, 9), SHARES, SHARES),
    CosineDecayRestarts: st.builds(
        lambda lr, n, longer, lower, share: CosineDecayRestarts(lr, n, longer, lower, share * lr),
        *(RATES, LENGTHS, st.just(1.0) | st.floats(1.01, 10), FACTORS, SHARES),
    ),
    Triangular: st.builds(
        lambda lr, share, n, mode, gamma: Triangular(share * lr, lr, n, mode, gamma),
        *(RATES, SHARES, LENGTHS, st.sampled_from(["triangular", "triangular2", "exp_range"]), st.floats(0.9, 1)),
    ),
    OneCycle: st.builds(OneCycle, RATES, LENGTHS, st.floats(0.01, 0.99), shape=SHAPES),
    WarmupStableDecay: st.builds(wsd, RATES, LENGTHS, SHARES, SHARES, SHARES, SHAPES),
}
primitives = st.one_of(list(PRIMITIVES.values()))


def warmed(schedule, steps, shape, convention):
    return warmup(steps, shape=shape, convention=convention) >> schedule


@st.composite
def joined(draw, parts):
    boundaries = sorted(draw(st.sets(st.integers(1, 5000), min_size=1, max_size=3)))
    return join([draw(parts) for _ in range(len(boundaries) + 1)], boundaries)


def composed(parts):
    conventions = st.sampled_from(["t/W", "(t+1)/W", "t/(W-1)"])
    return st.one_of(
        joined(parts),
        st.builds(Product, parts, parts),
        st.builds(Scaled, parts, st.just(0) | RATES),
        st.builds(Stretched, parts, st.floats(0.01, 100), st.booleans()),
        st.builds(Shifted, parts, st.integers(-5000, 5000)),
        st.builds(lambda s, low, more: Clipped(s, low, more if more is None else low + more), parts, SHARES, RATES),
        st.builds(lambda s, low: Clipped(s, low), parts, SHARES),
        st.builds(Repeated, parts, LENGTHS),
        st.builds(warmed, parts, st.integers(2, 1000), SHAPES, conventions),
    )


everything = st.recursive(primitives, composed, max_leaves=4)


def parts_of(schedule):
    values = [getattr(schedule, field.name) for field in fields(schedule)]
    values = [value for each in values for value in (each if isinstance(each, tuple) else [each])]
    return [value for value in values if isinstance(value, Schedule)]


def leaves(schedule):
    """How many schedules of one piece a schedule is made of."""
    return max(1, sum(map(leaves, parts_of(schedule))))


def kinds():
    own = (value for value in vars(schedules).values() if isinstance(value, type) and issubclass(value, Schedule))
    return {kind for kind in own if not kind.__name__.startswith("_")} - {Schedule}


def test_every_kind_of_schedule_is_tried():
    composites = {Join, Product, Scaled, Stretched, Shifted, Clipped, Repeated}
    assert kinds() == set(PRIMITIVES) | composites | {FunctionOfStep}


# Laws


@given(primitives, primitives, primitives, WHOLE, WHOLE, st.lists(STEPS, min_size=1, max_size=9))
def test_joining_is_associative(a, b, c, m, more, some):
    n = m + more
    left, right = join([join([a, b], [m]), c], [n]), join([a, join([b, c], [n - m])], [m])
    flat = join([a, b, c], [m, n])
    steps = np.array([*some, m - 1, m, n - 1, n])
    assert left(steps).tolist() == right(steps).tolist() == flat(steps).tolist()
    assert [left(step) for step in steps.tolist()] == [right(step) for step in steps.tolist()]


@given(everything, st.lists(STEPS, min_size=1, max_size=5))
def test_what_changes_nothing(schedule, some):
    assert schedule.stretch(1) == schedule == schedule.shift(0)
    rates = schedule(some).tolist()
    assert (1 * schedule)(some).tolist() == (schedule * Constant(1))(some).tolist() == rates
    assert schedule.clip()(some).tolist() == schedule.repeat(2e9)(some).tolist() == rates
    assert join([schedule], [])(some).tolist() == rates
    assert Stretched(schedule, 1.0)(some).tolist() == Shifted(schedule, 0)(some).tolist() == rates


@given(everything, everything, st.lists(STEPS, min_size=1, max_size=5))
def test_the_order_of_factors_does_not_matter(a, b, some):
    assert (a * b)(some).tolist() == (b * a)(some).tolist()
    assert (0.5 * a)(some).tolist() == (a * 0.5)(some).tolist() == (a * Constant(0.5))(some).tolist()


@given(everything, st.integers(0, 2000), st.integers(0, 2000), st.lists(STEPS, min_size=1, max_size=5))
def test_shifts_and_stretches_add_up(schedule, m, n, some):
    some = np.array(some)
    assert schedule.shift(m).shift(n)(some).tolist() == schedule.shift(m + n)(some).tolist()
    assert schedule.shift(-m).shift(-n)(some).tolist() == schedule.shift(-m - n)(some).tolist()
    assert schedule.shift(m).shift(-m)(some).tolist() == schedule(some).tolist(), "ahead undoes later"
    assert schedule.stretch(2).stretch(4)(some).tolist() == schedule.stretch(8)(some).tolist()
    assert schedule.stretch(4)(4 * some).tolist() == schedule(some).tolist()


@given(everything, WHOLE, st.lists(STEPS, min_size=1, max_size=5))
def test_repeated_and_in_epochs(schedule, n, some):
    some = np.array(some)
    assert schedule.repeat(n)(some).tolist() == schedule(some % n).tolist()
    assert schedule.repeat(n).repeat(n)(some).tolist() == schedule.repeat(n)(some).tolist()
    assert schedule.in_epochs(n, staircase=True)(some).tolist() == schedule(some // n).tolist()
    assert schedule.in_epochs(n)(n * np.arange(9)).tolist() == schedule(np.arange(9)).tolist()


@given(everything, SHARES, RATES, st.lists(STEPS, min_size=1, max_size=5))
def test_clipping_is_done_once(schedule, low, more, some):
    clipped = schedule.clip(low, low + more)
    assert clipped(some).tolist() == np.clip(schedule(some), low, low + more).tolist()
    assert clipped.clip(low, low + more)(some).tolist() == clipped(some).tolist()


@given(everything, st.integers(2, 300), SHAPES, st.sampled_from(["t/W", "(t+1)/W", "t/(W-1)"]))
def test_a_warmup_rises_to_the_first_rate_and_then_leads_on(schedule, steps, shape, convention):
    whole = warmed(schedule, steps, shape, convention)
    up, after = np.split(whole.planned(steps + 9), [steps])
    assert after.tolist() == schedule.planned(9).tolist()
    assert (np.diff(up) >= 0).all() and up.max() <= schedule(0)
    assert (up[-1] == schedule(0)) == (convention != "t/W" or schedule(0) == 0 or up[-1] >= schedule(0))
    assert convention == "(t+1)/W" or up[0] == 0


# One number at a time, and many


@settings(max_examples=300)
@given(everything, st.lists(STEPS, min_size=1, max_size=9))
def test_a_number_and_an_array_agree_to_two_units_a_part(schedule, some):
    one_by_one = [schedule(step) for step in some]
    together = schedule(np.array(some))
    assert {type(rate) for rate in one_by_one} == {float} and together.dtype == np.float64
    # near 0 the rounding of a restarted cycle's length counts for more
    of_what = schedule.range[1] if "Restarts" in repr(schedule) else together
    assert (abs(together - one_by_one) <= 2 * leaves(schedule) * np.spacing(of_what)).all()


@settings(max_examples=100)
@given(everything, st.floats(0, 1e4), st.floats(1e-3, 1e3))
def test_so_do_numbers_and_an_array_that_is_computed_by_blocks_and_tables(schedule, first, apart):
    some = first + apart * np.arange(100)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(base, "_BLOCK", 80)
        together = schedule(some)
    one_by_one = [schedule(step) for step in some.tolist()]
    assert (abs(together - one_by_one) <= 4 * leaves(schedule) * np.spacing(schedule.range[1])).all()


def test_a_clock_that_would_be_infinite_stays_at_its_end():
    two = join([0.1, 0.2], [5])
    sooner = two.stretch(1e-200).stretch(1e-200), two.stretch(0.5), two.shift(-1.7e308), two.repeat(7).stretch(0.5)
    for schedule in sooner:
        rates = schedule(np.full(3, 1.7e308))
        assert (rates == schedule(1.7e308)).all() and set(rates) <= {0.1, 0.2}, schedule


def test_what_a_bound_brings_back_need_not_be_a_rate():
    """A float and an array have the same: beyond float64, and below zero."""
    growing = ExponentialDecay(1e-3, 1, 2).clip(highest=1)
    assert growing(2999) == 1 == growing.planned(3000)[-1]
    falling = as_schedule(lambda step: 0.1 - 0.01 * step).clip(lowest=0.01)
    assert falling(20) == 0.01 == falling.planned(21)[-1]


@pytest.mark.parametrize("changed", [lambda s: s, lambda s: s * 2, lambda s: s.clip(0.1), lambda s: s.shift(3)])
@pytest.mark.parametrize("steps", [20, [20, 21]])
def test_a_function_gives_any_real_number_and_nothing_else(changed, steps):
    rate_of = lambda number: changed(as_schedule(lambda step: number))(steps)  # noqa: E731
    for number in (Fraction(1, 3), np.float32(0.5), 10**30, 3):
        assert np.ravel(rate_of(number))[0] == changed(Constant(number))(0)
    for other in (None, "0.1", True, 1j):
        with pytest.raises(TypeError, match=re.escape(f"must give a number for a step, got {other!r}")):
            rate_of(other)
    with pytest.raises(OverflowError, match="too large for a float64"):
        rate_of(10**400)


@given(tables(), st.lists(STEPS, min_size=1, max_size=9))
def test_a_table_is_exact(table, some):
    expected = [table.values[sum(b < step for b in table.boundaries)] for step in some]
    assert table(some).tolist() == [table(step) for step in some] == expected


@given(st.lists(WHOLE, min_size=1, max_size=5, unique=True).map(sorted), st.lists(STEPS, max_size=9))
def test_the_piece_of_a_join_is_exact(boundaries, some):
    """Also at each boundary and beside it."""
    whole = join([Constant(i) for i in range(len(boundaries) + 1)], boundaries)
    some = [*some, *(b + by for b in boundaries for by in (-1, 0, 1))]
    expected = [sum(b <= step for b in boundaries) for step in some]
    assert whole(some).tolist() == [whole(step) for step in some] == expected


@given(WHOLE, st.sampled_from([1, 1.1, 1.5, 2, 3, 10]), st.integers(0, 12))
def test_a_cycle_begins_with_its_full_rate_on_its_step(first, longer, cycle):
    begin = sum(first * Fraction(str(longer)) ** i for i in range(cycle))
    schedule, step = CosineDecayRestarts(1.0, first, longer, m_mul=0.5), math.ceil(begin)
    assume(cycle == 0 or step - 1 > begin - first * Fraction(str(longer)) ** (cycle - 1))  # it has a step before
    for rates in (schedule([step, step + 1]), [schedule(step), schedule(step + 1)]):
        gone = float((step - begin) / (first * Fraction(str(longer)) ** cycle))
        assert rates[0] == pytest.approx(0.5**cycle * (1 + math.cos(math.pi * gone)) / 2, rel=1e-9)
    if cycle:
        assert schedule(step - 1) < 0.5 ** (cycle - 1)


# What they can give


@settings(max_examples=300)
@given(everything, st.lists(STEPS | st.floats(0, 1e9), min_size=1, max_size=20))
def test_a_rate_is_a_number_inside_the_range(schedule, some):
    lowest, highest = schedule.range
    assert 0 <= lowest <= highest < math.inf
    for rates in (schedule(some), np.array([schedule(step) for step in some])):
        assert (rates >= lowest).all() and (rates <= highest).all(), "NaN is neither"


@given(primitives)
def test_a_range_is_not_too_wide(schedule):
    """What a schedule of one piece can give at most it gives somewhere; what at least, it comes near to."""
    if isinstance(schedule, PiecewiseConstantDecay):
        some = [b + by for b in (0, *schedule.boundaries) for by in (0, 1)]
        assert schedule.range == (schedule(some).min(), schedule(some).max())
    elif not isinstance(schedule, LinearCosineDecay | Triangular):
        steps = np.append(np.linspace(0, 5000, 2001), np.geomspace(5000, 1e15, 200))
        if isinstance(schedule, OneCycle):
            steps = np.append(steps, schedule.pct_start * schedule.total_steps)
        elif isinstance(schedule, WarmupStableDecay):
            steps = np.append(steps, schedule.warmup_steps)
        lowest, highest = schedule.range
        assert schedule(steps).max() == pytest.approx(highest)
        assert schedule(steps).min() == pytest.approx(lowest, abs=0.01 * highest)


@given(everything, st.floats(1, 1000), st.integers(1000, 10**9))
def test_overflow_is_the_same_error_of_a_number_and_of_an_array(schedule, rate, step):
    """However deep in a composite it happens."""
    assume(schedule(step) >= 1e-3)
    growing = schedule * ExponentialDecay(rate, 1, 10.0)
    with pytest.raises(OverflowError) as of_number:
        growing(step)
    with pytest.raises(OverflowError) as of_array:
        growing([0, step])
    assert str(of_number.value) == str(of_array.value)
    assert f"at step {step:g} is too large for a float64" in str(of_number.value)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (LinearDecay(0.1, 1e-300), 1, 0.0),
        (LinearDecay(0.1, 5e-324), 1e9, 0.0),
        (CosineDecay(0.1, 1e-300), 0, 0.1),
        (CosineDecay(0.1, 5e-324, 0.01), 1e9, 0.01),
        (CosineDecay(1e300, 1e300), 1, 1e300),
        (PolynomialDecay(0.1, 1e-300, 0.0, power=1e-300), 1, 0.0),
        (PolynomialDecay(0.1, 10, 0.0, power=1e300), 5, 0.0),
        (PolynomialDecay(0.1, 10, 0.0, power=1e300), 0, 0.1),
        (Ramp(5e-324, 1e308, 1e-300), 1, 1e308),
        (Ramp(1e308, 1e308, 10, "cosine"), 5, 1e308),
        (Ramp(1e-300, 1e300, 2, "exponential"), 1, 1.0),
        (InverseSqrtDecay(0.1, 1e-300), 1, 1e-151),
        (InverseTimeDecay(0.1, 5e-324, 1.0), 1e9, 0.0),
        (NaturalExponentialDecay(0.1, 1e-300, 1e300), 1, 0.0),
        (NaturalExponentialDecay(0.1, 1e300, 1e-300), 1e9, 0.1),
        (LinearCosineDecay(1.0, 1e-300, beta=0.25), 1, 0.25),
        (CosineDecayRestarts(0.1, 1e9, t_mul=1e9), 5e8, 0.05),
        (CosineDecayRestarts(0.1, 1, t_mul=1.0, m_mul=1e-300), 1e9, 0.0),
        (Triangular(0.0, 0.1, 0.5), 10**9, 0.0),
        (Triangular(0.0, 0.1, 1e300), 1e9, 0.0),
        (OneCycle(0.1, 1e-300), 1, 0.1 / 25e4),
        (OneCycle(1e-300, 10), 3, 1e-300),
        (WarmupStableDecay(0.1, 1e-300), 1, 0.0),
        (Constant(1e300) * Constant(1e-300), 5, 1.0),
        (Constant(0.1).stretch(1e-290), 1e9, 0.1),
        (Constant(0.1).stretch(5e-324), 1, 0.1),
        (Stretched(Constant(0.1), 5e-324, True), 1, 0.1),
        (LinearDecay(0.1, 10).stretch(1e-300), 1e9, 0.0),
        (LinearDecay(0.1, 10).shift(1e300), 1e9, 0.1),
        (LinearDecay(0.1, 10).shift(-1e300), 0, 0.0),
        (LinearDecay(0.1, 10).repeat(5.5), 11, 0.1),
        (StepDecay(0.1, 5, 0.5).clip(0.0, 0.0), 3, 0.0),
        (join([Constant(0.1), LinearDecay(0.2, 10)], [1e15]), 1e15 + 5, 0.1),
    ],
    ids=repr,
)
def test_extreme_legal_arguments(schedule, step, expected):
    for rate in (schedule(step), schedule([step])[0]):
        assert rate == pytest.approx(expected, rel=1e-9, abs=1e-300)


@given(
    st.sampled_from(
        [ExponentialDecay, StepDecay, InverseTimeDecay, LinearDecay, CosineDecay, PolynomialDecay, OneCycle]
    ),
    st.floats(5e-324, 1e308),
    st.floats(5e-324, 1e308),
    st.floats(0, 1e9),
)
def test_extreme_lengths_give_a_rate_or_a_named_error(kind, lr, length, step):
    more = {"decay_rate": 0.5} if kind in (ExponentialDecay, StepDecay, InverseTimeDecay) else {}
    more = {"end_learning_rate": 0.0} if kind is PolynomialDecay else more
    try:
        schedule = kind(lr, length, **more)
    except ValueError as error:
        assert kind is OneCycle and "must be" in str(error)
        return
    outcomes = []
    for call in (lambda: schedule(step), lambda: schedule([step])[0]):
        try:
            outcomes.append(call())
        except (OverflowError, ValueError) as error:
            outcomes.append(str(error))
            assert "the learning rate of" in str(error)
    if isinstance(outcomes[0], str):
        assert outcomes[0] == outcomes[1]
    else:
        assert all(0 <= rate <= lr * (1 + 1e-15) for rate in outcomes)


# Copies


@given(everything)
def test_repr_pickle_and_configuration_give_it_back(schedule):
    assert eval(repr(schedule), vars(schedules).copy()) == schedule
    copied = pickle.loads(pickle.dumps(schedule))
    assert copied == schedule and hash(copied) == hash(schedule) and type(copied) is type(schedule)


DEEP = (
    warmup(7, shape="cosine", convention="(t+1)/W")
    >> join([CosineDecayRestarts(0.1, 9, m_mul=0.5), OneCycle(0.2, 30), WarmupStableDecay(0.1, 40, 5, 10)], [20, 60])
) * (0.5 * PolynomialDecay(1.0, 50, 0.1, power=2.0, cycle=True)).clip(0.01, 0.4)
EACH = [
    *[Constant(0.1), StepDecay(0.1, 5, 0.5), ExponentialDecay(0.1, 9, 0.5), NaturalExponentialDecay(0.1, 9, 0.5, True)],
    *[InverseTimeDecay(0.1, 7, 1.0, True), InverseSqrtDecay(0.1, 7), PiecewiseConstantDecay([5, 8], [1.0, 0.5, 0.1])],
    *[Ramp(0.0, 0.1, 9, shape) for shape in ("linear", "cosine", "1-sqrt", 3)],
    Ramp(0.1, 0.001, 9, "exponential"),
    *[
        LinearDecay(0.1, 49),
        LinearDecay(0.1, 50),  # 49 · (1/49) is not 1 in float64, 50 · (1/50) is
        CosineDecay(0.1, 50),
        CosineDecay(0.1, 49, 0.01),
        PolynomialDecay(0.1, 49, power=0.5),
        LinearCosineDecay(0.1, 49),
    ],
    *[CosineDecayRestarts(0.1, 7, k, 0.5) for k in (1.0, 1.1, 2.0)],
    *[Triangular(0.01, 0.1, 7, mode, 0.99) for mode in ("triangular", "triangular2", "exp_range")],
    *[OneCycle(0.1, 98), WarmupStableDecay(0.1, 98, 10, 30), WarmupStableDecay(0.1, 98, shape="1-sqrt"), DEEP],
    *[DEEP.repeat(41), DEEP.stretch(2), DEEP.shift(13), DEEP.shift(-13), DEEP.in_epochs(49, staircase=True)],
]


def kinds_in(schedule):
    return {type(schedule)}.union(*map(kinds_in, parts_of(schedule)))


def test_a_schedule_of_every_kind_is_among_these():
    assert set().union(*map(kinds_in, EACH)) == kinds() - {FunctionOfStep}


def test_saved_and_loaded_in_a_model(tmp_path):
    """A composite of composites in a file; every kind as the file has it."""
    from lrlib.keras import KerasSchedule
    from lrlib.quiet import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(KerasSchedule(DEEP)), "mse")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").optimizer._learning_rate.schedule
    assert loaded == DEEP and repr(loaded) == repr(DEEP)
    assert loaded.planned(300).tolist() == DEEP.planned(300).tolist()
    for schedule in EACH:
        saved = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
        assert keras.saving.deserialize_keras_object(saved) == schedule
        assert type(schedule).from_config(schedule.get_config()) == schedule


@pytest.mark.parametrize("jit", [True, False], ids=["xla", "graph"])
def test_compiled_it_is_float64_and_then_cast_once(jit):
    from lrlib.keras import KerasSchedule
    from lrlib.quiet import tf

    steps = np.append(np.arange(300), [10**5, 10**6])
    bridges, one = [], KerasSchedule(0.1)
    for schedule in EACH:  # their own look at whether they can be compiled would cost more than the rest
        bridges.append(copy.copy(one))
        bridges[-1].schedule = schedule
    rates = tf.function(lambda steps: [bridge(steps) for bridge in bridges], autograph=False, jit_compile=jit)
    for schedule, near in zip(EACH, rates(tf.constant(steps)), strict=True):
        exact = schedule(steps)
        assert near.dtype == tf.float32
        off = abs(near.numpy() - exact) / np.spacing(np.maximum(exact, 1e-37).astype(np.float32))
        assert off.max() <= 0.5001, schedule
