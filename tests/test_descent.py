"""Gradient descent: closed forms, exact arithmetic in the dtype asked for, and a record of all that happened."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, PiecewiseConstantDecay, Quadratic, StepDecay, TwoWells, gradient_descent
from refusal import refused

NAN, INF = math.nan, math.inf
ARTICLE = ExponentialDecay(0.1, 1, 0.99, staircase=True)

# an overflow is on the record; it must not be a warning as well
pytestmark = pytest.mark.filterwarnings("error")


class Bowl:
    """An objective from outside the library: no shape, so its parameters may have any."""

    def __call__(self, w):
        return 0.5 * np.square(w).sum()

    def gradient(self, w):
        return w


# Closed forms


@given(st.floats(0.01, 10), st.floats(0, 1.99), st.floats(-5, 5), st.floats(-5, 5), st.integers(1, 40))
def test_a_constant_rate_shrinks_the_distance_by_the_same_factor(curvature, share, minimum, start, n):
    lr = share / curvature
    trace = gradient_descent(Quadratic(curvature, minimum), start, lr, n)
    expected = minimum + (1 - lr * curvature) ** np.arange(n + 1) * (start - minimum)
    np.testing.assert_allclose(trace.parameters, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(trace.losses, curvature / 2 * (expected - minimum) ** 2, rtol=1e-7, atol=1e-9)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=4), st.integers(1, 30))
def test_every_axis_of_a_bowl_shrinks_by_its_own_product_of_factors(curvature, n):
    curvature, schedule = np.array(curvature), StepDecay(0.15, 3, 0.5)
    trace = gradient_descent(Quadratic(curvature), np.ones(len(curvature)), schedule, n)
    factors = 1 - np.outer(schedule.planned(n), curvature)
    np.testing.assert_allclose(trace.parameters[1:], np.cumprod(factors, axis=0), rtol=1e-12, atol=1e-15)


def test_three_steps_by_hand():
    trace = gradient_descent(Quadratic(2.0, minimum=-1.0), 5.0, 0.25, 3)  # every step halves the distance to -1
    assert trace.parameters.tolist() == [5.0, 2.0, 0.5, -0.25]
    assert trace.gradients.tolist() == [12.0, 6.0, 3.0]
    assert trace.losses.tolist() == [36.0, 9.0, 2.25, 0.5625]
    assert trace.applied.tolist() == [0.25, 0.25, 0.25]
    assert trace.steps.tolist() == [0, 1, 2]
    assert not trace.diverged and trace.stopped_at is None


def test_the_largest_stable_rate_is_the_edge():
    parabola = Quadratic(4.0)
    edge = parabola.largest_stable_rate
    assert gradient_descent(parabola, 1.0, edge, 3).parameters.tolist() == [1.0, -1.0, 1.0, -1.0]
    assert gradient_descent(parabola, 1.0, 0.99 * edge, 500).losses[-1] < 1e-6
    assert gradient_descent(parabola, 1.0, 1.01 * edge, 500).losses[-1] > 1e6


@given(st.floats(1, 10), st.floats(1, 10))
def test_no_constant_rate_shrinks_the_worst_axis_faster_than_the_best_one(low, high):
    bowl = Quadratic([low, high])
    worst = lambda lr: np.abs(gradient_descent(bowl, [1.0, 1.0], lr, 1).parameters[1]).max()  # noqa: E731
    best = bowl.best_constant_rate
    assert worst(best) <= min(worst(0.9 * best), worst(1.1 * best))


def test_two_wells_small_rates_are_trapped_and_large_ones_leave():
    wells = TwoWells()
    assert gradient_descent(wells, -1.1, 0.9 * 2 / 100, 300).parameters[-1] == pytest.approx(-1.0)
    assert gradient_descent(wells, -1.1, 1.0, 300).parameters[-1] == pytest.approx(3.0)


# What was applied, and the arithmetic


@given(st.floats(1e-3, 1), st.integers(1, 20), st.floats(0.1, 1), st.booleans())
def test_the_applied_rates_are_those_of_the_schedule_and_no_others(initial, length, rate, staircase):
    schedule = ExponentialDecay(initial, length, rate, staircase)
    trace = gradient_descent(Quadratic(0.5), 1.0, schedule, 25)
    np.testing.assert_array_max_ulp(trace.applied, schedule.planned(25), maxulp=2)


def taught(schedule, trace):
    """Assert that the rates recovered from the weights are those of the schedule."""
    recovered = -np.diff(trace.parameters) / trace.gradients
    np.testing.assert_allclose(recovered, schedule.planned(len(recovered)), rtol=1e-9)
    np.testing.assert_allclose(recovered, trace.applied, rtol=1e-9)


@pytest.mark.parametrize("schedule", [ARTICLE, StepDecay(0.1, 1, 0.9), ExponentialDecay(0.1, 7, 0.5)])
def test_the_weights_tell_the_rates_and_a_schedule_one_step_off_is_found_out(schedule):
    trace = gradient_descent(Quadratic(2.0, -1.0), 5.0, schedule, 20)
    taught(schedule, trace)
    late = gradient_descent(Quadratic(2.0, -1.0), 5.0, lambda step: schedule(step + 1), 20)
    with pytest.raises(AssertionError):
        taught(schedule, late)


def test_each_step_is_asked_for_once_in_order():
    asked = []
    gradient_descent(Quadratic(1.0), 1.0, lambda step: asked.append(step) or 0.1, 5)
    assert asked == [0, 1, 2, 3, 4]


def round_to(dtype, exact: Fraction):
    """The float of this type nearest to an exact fraction."""
    near = dtype(float(exact))
    around = [near, np.nextafter(near, dtype(-INF)), np.nextafter(near, dtype(INF))]
    return min(around, key=lambda x: (abs(Fraction(float(x)) - exact), int(x.view(f"u{x.itemsize}")) & 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("schedule", [ARTICLE, 0.1])
def test_every_operation_is_rounded_once_in_the_dtype(dtype, schedule):
    """Against exact fractions: the rate, the gradient, the product and the difference, each rounded to dtype."""
    trace = gradient_descent(Quadratic(2.0, -1.0), 5.0, schedule, 40, dtype=dtype)
    w = dtype(5.0)
    for step in range(40):
        lr = dtype(schedule(step) if callable(schedule) else schedule)
        assert trace.applied[step] == lr
        distance = round_to(dtype, Fraction(float(w)) + 1)
        gradient = round_to(dtype, 2 * Fraction(float(distance)))
        assert trace.gradients[step] == gradient
        product = round_to(dtype, Fraction(float(lr)) * Fraction(float(gradient)))
        w = round_to(dtype, Fraction(float(w)) - Fraction(float(product)))
        assert trace.parameters[step + 1] == w


def test_float32_is_not_float64_rounded():
    in32 = gradient_descent(Quadratic(2.0, -1.0), 5.0, ARTICLE, 40, dtype=np.float32)
    in64 = gradient_descent(Quadratic(2.0, -1.0), 5.0, ARTICLE, 40)
    assert (in32.applied == in64.applied.astype(np.float32)).all()
    assert (in32.parameters != in64.parameters.astype(np.float32)).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32", np.dtype("float64")])
@pytest.mark.parametrize("objective", [Quadratic(0.3), Quadratic([0.3, 1.7]), TwoWells()])
def test_all_that_is_recorded_has_the_dtype_and_the_shapes(dtype, objective):
    trace = gradient_descent(objective, np.full(objective.shape, -1.2), ARTICLE, 7, dtype=dtype)
    for name, length in [("applied", 7), ("gradients", 7), ("parameters", 8), ("losses", 8)]:
        recorded = getattr(trace, name)
        assert recorded.dtype == np.dtype(dtype), name
        shape = objective.shape if name in ("gradients", "parameters") else ()
        assert recorded.shape == (length, *shape), name


def test_the_objective_sees_parameters_of_the_dtype():
    class Watched(Bowl):
        seen = set()

        def gradient(self, w):
            self.seen.add(w.dtype)
            return super().gradient(w)

    gradient_descent(Watched(), [1.0, 2.0], 0.1, 5, dtype=np.float32)
    assert Watched.seen == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_record_belongs_to_the_parameters_before_and_after_each_step(dtype):
    objective = Quadratic([1.1, 3.3], [0.5, -2.7])
    trace = gradient_descent(objective, [2.0, 2.0], ARTICLE, 9, dtype=dtype)
    assert (trace.losses == [objective(w) for w in trace.parameters]).all()
    assert (trace.gradients == [objective.gradient(w) for w in trace.parameters[:-1]]).all()
    steps = trace.applied[:, None] * trace.gradients
    assert (trace.parameters[1:] == trace.parameters[:-1] - steps).all()


def test_an_objective_that_reuses_its_buffer_does_not_change_the_record():
    class Thrifty(Bowl):
        buffer = np.empty(2)

        def gradient(self, w):
            self.buffer[:] = w
            return self.buffer

    expected = gradient_descent(Bowl(), [1.0, 2.0], 0.1, 4)
    trace = gradient_descent(Thrifty(), [1.0, 2.0], 0.1, 4)
    assert (trace.gradients == expected.gradients).all()
    assert (trace.parameters == expected.parameters).all()


def test_the_start_is_copied_and_left_alone():
    start = np.array([1.0, 2.0])
    trace = gradient_descent(Bowl(), start, 0.1, 2)
    assert start.tolist() == [1.0, 2.0]
    start[0] = 99.0
    assert trace.parameters[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("schedule", [0.25, np.float32(0.25), Fraction(1, 4), Constant(0.25), lambda step: 0.25])
def test_a_schedule_may_be_a_number_or_any_function_of_the_step(schedule):
    assert gradient_descent(Quadratic(1), 1, schedule, 2).parameters.tolist() == [1.0, 0.75, 0.5625]


def test_integer_arguments_act_as_floats():
    trace = gradient_descent(Quadratic(1), 4, 1, np.int64(1))
    assert trace.parameters.tolist() == [4.0, 0.0] and trace.applied.dtype == np.float64


def test_a_rate_of_zero_moves_nothing():
    trace = gradient_descent(Quadratic(1.0), 3.0, PiecewiseConstantDecay([1], [0.5, 0.0]), 5)
    assert trace.parameters.tolist() == [3.0, 1.5, 0.75, 0.75, 0.75, 0.75]


# Divergence is a record


@pytest.mark.parametrize(("dtype", "limit"), [(np.float32, 3.4e38), (np.float64, 1.7e308)])
@pytest.mark.parametrize("objective", [Quadratic(1.0), Quadratic([1.0, 0.1])])
def test_a_run_that_overflows_stops_and_says_where(objective, dtype, limit):
    trace = gradient_descent(objective, np.ones(objective.shape), 11.0, 5000, dtype=dtype)
    assert trace.diverged
    n = trace.stopped_at + 1
    assert n == len(trace.applied) == len(trace.gradients) == len(trace.steps) < 5000
    assert len(trace.parameters) == len(trace.losses) == n + 1
    assert np.isfinite(trace.parameters[:-1]).all() and not np.isfinite(trace.parameters[-1]).all()
    # the distance grows tenfold at every step, so the step at which it passes the limit is known
    assert trace.stopped_at == math.ceil(math.log10(limit)) - 1
    assert trace.losses.dtype == dtype


def test_a_run_that_only_grows_has_not_diverged():
    trace = gradient_descent(Quadratic(1.0), 1.0, 11.0, 300)
    assert not trace.diverged and len(trace.applied) == 300
    assert trace.losses[-1] == INF  # its square is too large, the parameter is not


def test_a_gradient_that_is_nan_stops_the_run():
    class Cliff(Bowl):
        def gradient(self, w):
            return w * NAN if w < 0.8 else w

    trace = gradient_descent(Cliff(), 1.0, 0.1, 10)
    assert trace.stopped_at == 3 and math.isnan(trace.parameters[-1])


@pytest.mark.parametrize(("start", "dtype"), [(1e200, np.float64), (1e30, np.float32)])
def test_a_loss_that_overflows_at_the_start_is_no_warning(start, dtype):
    trace = gradient_descent(Quadratic(1.0), start, 1.0, 2, dtype=dtype)
    assert trace.losses.tolist() == [INF, 0.0, 0.0] and not trace.diverged


# print(trace)


def test_a_short_trace_prints_every_step():
    assert str(gradient_descent(Quadratic(2.0, -1.0), 5.0, 0.25, 3)).splitlines() == [
        "  step   applied lr         loss  parameters",
        "     0         0.25           36  5",
        "     1         0.25            9  2",
        "     2         0.25         2.25  0.5",
        "   end                    0.5625  -0.25",
    ]


def test_a_long_trace_prints_its_two_ends():
    lines = str(gradient_descent(Quadratic(2.0, -1.0), 5.0, ARTICLE, 40)).splitlines()
    assert [line.split()[0] for line in lines] == ["step", *"01234", "…", "35", "36", "37", "38", "39", "end"]
    assert lines[1].split() == ["0", "0.1", "36", "5"]
    assert lines[2].split()[:2] == ["1", "0.099"]
    assert lines[-2].split()[1] == f"{0.1 * 0.99**39:.4g}"


@pytest.mark.parametrize(("n", "rows"), [(1, 3), (12, 14), (13, 13)])
def test_the_table_is_never_long(n, rows):
    assert len(str(gradient_descent(Quadratic(1.0), 1.0, 0.1, n)).splitlines()) == rows


def test_many_parameters_are_cut_short():
    four, five = (str(gradient_descent(Bowl(), np.arange(n), 1.0, 1)).splitlines()[1] for n in (4, 5))
    assert four.endswith("  0, 1, 2, 3") and five.endswith("  0, 1, 2, 3, …")


def test_a_matrix_of_parameters_prints_too():
    trace = gradient_descent(Bowl(), [[1.0, 2.0], [3.0, 4.0]], 0.5, 1)
    assert trace.parameters.shape == (2, 2, 2) and trace.gradients.shape == (1, 2, 2)
    assert str(trace).splitlines()[1].endswith("15  1, 2, 3, 4")


def test_a_diverged_trace_says_so():
    trace = gradient_descent(Quadratic(1.0), 1.0, 11.0, 1000)
    assert str(trace).splitlines()[-1] == f"stopped: the update of step {trace.stopped_at} left the finite numbers"
    assert str(trace).splitlines()[-2].split()[-1] in ("inf", "-inf")
    assert repr(trace) == f"<Trace of 309 steps, float64: stopped at step {trace.stopped_at}>"


def test_repr_of_a_trace():
    assert repr(gradient_descent(Quadratic(2.0), 1.0, 0.25, 3, dtype=np.float32)) == (
        "<Trace of 3 steps, float32: final loss 0.01562>"
    )


# Bad input


@pytest.mark.parametrize(
    ("objective", "start", "wanted", "got"),
    [
        (Quadratic(1.0), [1.0], "()", "(1,)"),
        (Quadratic([1.0, 2.0]), 1.0, "(2,)", "()"),
        (Quadratic([1.0, 2.0]), [1.0, 2.0, 3.0], "(2,)", "(3,)"),
        (Quadratic([1.0, 2.0]), [[1.0, 2.0]], "(2,)", "(1, 2)"),
        (TwoWells(), [0.0, 1.0], "()", "(2,)"),
    ],
)
def test_start_must_have_the_objectives_shape(objective, start, wanted, got):
    refused(
        lambda: gradient_descent(objective, start, 0.1, 5),
        ValueError,
        f"start must have the objective's shape {wanted}, got shape {got}",
    )


@pytest.mark.parametrize("start", [NAN, INF, -INF])
def test_start_must_be_finite(start):
    refused(
        lambda: gradient_descent(Quadratic(1.0), start, 0.1, 5),
        ValueError,
        f"start must be finite in float64, got {start}",
    )


def test_start_must_be_finite_in_the_dtype():
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1e39, 0.1, 5, dtype=np.float32),
        ValueError,
        "start must be finite in float32, got 1e+39",
    )


@pytest.mark.parametrize("start", ["5", None, 1j, True, [None]])
def test_start_must_be_numbers(start):
    refused(
        lambda: gradient_descent(Bowl(), start, 0.1, 5),
        TypeError,
        f"start must be a number or an array of numbers, got {start!r}",
    )


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (0, "at least 1"),
        (-5, "at least 1"),
        (2.0, "an integer"),
        (NAN, "an integer"),
        ("3", "an integer"),
        (None, "an integer"),
    ],
)
def test_steps_must_be_a_positive_integer(steps, problem):
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1.0, 0.1, steps), ValueError, f"steps must be {problem}, got {steps!r}"
    )


@pytest.mark.parametrize(("rate", "problem"), [(-0.1, "not be negative"), (NAN, "be finite"), (INF, "be finite")])
def test_a_rate_must_be_finite_and_not_negative(rate, problem):
    run = lambda schedule: gradient_descent(Quadratic(1.0), 1.0, schedule, 5)  # noqa: E731
    refused(lambda: run(rate), ValueError, f"schedule must {problem}, got {rate!r}")
    late = lambda step: 0.1 if step < 3 else rate  # noqa: E731
    refused(lambda: run(late), OverflowError if rate == INF else ValueError, "at step 3", f"got {rate!r}")


def test_a_rate_must_be_finite_in_the_dtype():
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1.0, 1e39, 2, dtype=np.float32),
        ValueError,
        "schedule",
        "finite in float32",
        "1e+39",
    )


@pytest.mark.parametrize("schedule", ["0.1", None, [0.1], 1j])
def test_a_schedule_must_be_one(schedule):
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1.0, schedule, 5),
        TypeError,
        f"schedule must be a schedule, a number or a function of the step, got {schedule!r}",
    )


@pytest.mark.parametrize("rate", [None, "0.1", 1j, True])
def test_a_schedule_must_return_a_number(rate):
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1.0, lambda step: rate, 5),
        TypeError,
        f"must give a number for a step, got {rate!r}",
    )


def test_a_schedule_must_return_one_number():
    refused(lambda: gradient_descent(Quadratic(1.0), 1.0, lambda step: [0.1], 5), ValueError, "shape ()", "shape (1,)")


@pytest.mark.parametrize("dtype", [int, np.float16, np.longdouble, complex, "int32", "single precision"])
def test_dtype_must_be_float32_or_float64(dtype):
    refused(
        lambda: gradient_descent(Quadratic(1.0), 1.0, 0.1, 5, dtype=dtype),
        ValueError,
        f"dtype must be float32 or float64, got {dtype!r}",
    )


@pytest.mark.parametrize("objective", [lambda w: w * w, 2.0, None])
def test_an_objective_has_a_gradient(objective):
    refused(lambda: gradient_descent(objective, 1.0, 0.1, 5), TypeError, "method gradient", f"got {objective!r}")


def test_a_gradient_of_another_shape_is_refused():
    class Wrong(Bowl):
        def gradient(self, w):
            return np.ones(3)

    refused(
        lambda: gradient_descent(Wrong(), [1.0, 2.0], 0.1, 5),
        ValueError,
        "objective.gradient must have the shape of the parameters, (2,), got shape (3,)",
    )


class Returns:
    """An objective that returns what it is told to."""

    def __init__(self, loss=0.0, gradient=None):
        self.loss, self.slope = loss, gradient

    def __call__(self, w):
        return self.loss

    def gradient(self, w):
        return w if self.slope is None else self.slope


@pytest.mark.parametrize("loss", [None, 1j, "1.0", True, [None]])
def test_a_loss_must_be_a_number(loss):
    refused(
        lambda: gradient_descent(Returns(loss), [1.0, 2.0], 0.1, 5),
        TypeError,
        f"objective must return a number, got {loss!r}",
    )


@pytest.mark.parametrize(("loss", "shape"), [([1.0], "(1,)"), (np.ones(2), "(2,)")])
def test_a_loss_must_be_one_number(loss, shape):
    refused(
        lambda: gradient_descent(Returns(loss), [1.0, 2.0], 0.1, 5),
        ValueError,
        f"objective must return one number, got shape {shape}",
    )


@pytest.mark.parametrize("gradient", ["ab", [1j, 1.0], [None, 1.0], [True, False]])
def test_a_gradient_must_be_numbers(gradient):
    refused(
        lambda: gradient_descent(Returns(gradient=gradient), [1.0, 2.0], 0.1, 5),
        TypeError,
        f"objective.gradient must return numbers, got {gradient!r}",
    )


@pytest.mark.parametrize("loss", [1, np.float32(1), np.array(1.0), INF, NAN])
def test_a_loss_may_be_any_real_number(loss):
    trace = gradient_descent(Returns(loss), [1.0, 2.0], 0.1, 2, dtype=np.float32)
    np.testing.assert_array_equal(trace.losses, np.full(3, loss, np.float32))
    assert trace.losses.dtype == np.float32


def test_a_loss_too_large_for_the_dtype_is_infinite():
    assert gradient_descent(Returns(1e300), [1.0], 0.1, 1, dtype=np.float32).losses.tolist() == [INF, INF]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_objective_that_writes_on_its_argument_does_not_change_the_record(dtype):
    class Scribbler(Bowl):
        def __call__(self, w):
            loss = super().__call__(w)
            w[...] = 99.0
            return loss

        def gradient(self, w):
            w *= 1.0  # in place, and returned: the same memory
            self.kept = w
            return w

    scribbler = Scribbler()
    expected = gradient_descent(Bowl(), [1.0, 2.0], 0.1, 4, dtype=dtype)
    trace = gradient_descent(scribbler, [1.0, 2.0], 0.1, 4, dtype=dtype)
    scribbler.kept[...] = -1.0
    for name in ("parameters", "gradients", "losses", "applied"):
        assert (getattr(trace, name) == getattr(expected, name)).all(), name


def test_a_schedule_that_overflows_is_an_error_not_a_divergence():
    refused(lambda: gradient_descent(Quadratic(1.0), 0.0, ExponentialDecay(1, 1, 1e300), 5), OverflowError, "at step 2")


@pytest.mark.parametrize("rate", [np.array(0.25), np.float32(0.25)])
def test_a_schedule_may_return_an_array_of_one_number(rate):
    trace = gradient_descent(Quadratic(2.0), 1.0, lambda step: rate, 3)
    assert trace.applied.tolist() == [0.25] * 3


def test_a_bool_is_no_number():
    refused(lambda: gradient_descent(Quadratic(2.0), 1.0, True, 3), TypeError, "schedule", "True")
    refused(lambda: gradient_descent(Quadratic(2.0), 1.0, 0.1, True), ValueError, "steps", "True")
    refused(lambda: Constant(True), TypeError, "learning_rate", "True")
    refused(lambda: PiecewiseConstantDecay([True], [1, 2]), ValueError, "boundaries[0]", "True")
