"""Objectives: their gradients are those of their losses, their curvature is what they say."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lrlib import Quadratic, TwoWells
from refusal import refused

pytestmark = pytest.mark.filterwarnings("error")

NAN, INF = math.nan, math.inf
curvatures = st.floats(0.01, 100)
places = st.floats(-10, 10)
bowls = st.integers(1, 5).flatmap(
    lambda n: st.tuples(*[st.lists(x, min_size=n, max_size=n) for x in (curvatures, places, places)])
)


def slope(objective, w, axis=()):
    """The derivative by a central difference, exact for a parabola but for rounding."""
    step = np.zeros_like(w)
    step[axis] = h = 1e-3
    return (objective(w + step) - objective(w - step)) / (2 * h)


@given(curvatures, places, places)
def test_a_parabola_by_its_definition(curvature, minimum, w):
    parabola = Quadratic(curvature, minimum)
    assert parabola(w) == pytest.approx(0.5 * curvature * (w - minimum) ** 2, rel=1e-14)
    assert parabola.gradient(w) == pytest.approx(curvature * (w - minimum), rel=1e-14)
    assert parabola(minimum) == parabola.gradient(minimum) == 0
    assert parabola.shape == ()


@given(bowls)
def test_the_gradient_of_a_bowl_by_finite_differences(bowl):
    curvature, minimum, w = map(np.array, bowl)
    objective = Quadratic(curvature, minimum)
    expected = [slope(objective, w, axis) for axis in range(len(w))]
    np.testing.assert_allclose(objective.gradient(w), expected, rtol=1e-6, atol=1e-6)
    assert objective.shape == objective.gradient(w).shape == w.shape
    assert np.ndim(objective(w)) == 0


@given(bowls)
def test_the_curvature_of_a_bowl_by_second_differences(bowl):
    curvature, minimum, w = map(np.array, bowl)
    objective = Quadratic(curvature, minimum)
    for axis, expected in enumerate(curvature):
        step = np.eye(len(w))[axis]
        bend = objective(minimum + step) - 2 * objective(minimum) + objective(minimum - step)
        assert bend == pytest.approx(expected, rel=1e-6)


def test_numbers_by_hand():
    bowl = Quadratic([1.0, 10.0], minimum=[2.0, -1.0])
    assert bowl([4.0, 0.0]) == 7.0
    assert bowl.gradient([4.0, 0.0]).tolist() == [2.0, 10.0]
    assert bowl.condition_number == 10.0
    assert bowl.largest_stable_rate == 0.2
    assert bowl.best_constant_rate == pytest.approx(2 / 11)


def test_one_minimum_serves_every_axis():
    assert Quadratic([1, 2, 3], 5).minimum.tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("objective", [Quadratic(0.1, 0.3), Quadratic([0.1, 3], 0.3), TwoWells(0.1, 7.0, 3.1, -1.1)])
def test_loss_and_gradient_keep_the_dtype_of_the_parameters(objective, dtype):
    w = np.full(objective.shape, -1.2, dtype)[()]
    assert objective(w).dtype == objective.gradient(w).dtype == dtype
    assert objective.gradient(w).shape == objective.shape


def test_float32_is_computed_in_float32():
    # 0.1 + 0.2 style: the float64 results, rounded, would differ from these
    w, curvature, minimum = np.float32(5.1), np.float32(0.3), np.float32(-1.7)
    parabola = Quadratic(0.3, -1.7)
    assert parabola.gradient(w) == curvature * (w - minimum)
    assert parabola.gradient(w) != np.float32(parabola.gradient(float(w)))


def test_integers_act_as_floats():
    assert Quadratic(2)(3) == 9.0
    assert Quadratic(3).gradient(1) == 3.0
    assert Quadratic([2, 4]).gradient([1, 1]).dtype == np.float64


def test_what_was_given_is_copied_and_read_only():
    curvature, minimum = np.array([1.0, 2.0]), np.array([0.0, 1.0])
    bowl = Quadratic(curvature, minimum)
    curvature[0] = minimum[0] = 99.0
    assert bowl.curvature.tolist() == [1.0, 2.0] and bowl.minimum.tolist() == [0.0, 1.0]
    for kept in (bowl.curvature, bowl.minimum):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 5.0


def test_repr_round_trip():
    for bowl in (Quadratic(2, -1), Quadratic([1, 10], [0.5, 2])):
        again = eval(repr(bowl))
        assert (again.curvature == bowl.curvature).all() and (again.minimum == bowl.minimum).all()
        assert again.shape == bowl.shape


@pytest.mark.parametrize("value", [0, -1, [1.0, 0.0], [1.0, -2.0]])
def test_curvature_must_be_positive(value):
    refused(lambda: Quadratic(value), ValueError, f"curvature must be positive, got {value!r}")


@pytest.mark.parametrize("value", [NAN, INF, -INF, [1.0, NAN]])
def test_curvature_and_minimum_must_be_finite(value):
    refused(lambda: Quadratic(value), ValueError, f"curvature must be finite, got {value!r}")
    refused(lambda: Quadratic([1.0, 1.0], value), ValueError, f"minimum must be finite, got {value!r}")


@pytest.mark.parametrize("value", ["1", None, True, 1j, ["a"]])
def test_curvature_and_minimum_must_be_numbers(value):
    refused(lambda: Quadratic(value), TypeError, "curvature must be a number", f"got {value!r}")
    refused(lambda: Quadratic(1.0, value), TypeError, "minimum must be a number", f"got {value!r}")


@pytest.mark.parametrize(("value", "shape"), [([], "(0,)"), ([[1.0, 2.0]], "(1, 2)")])
def test_curvature_must_be_a_number_or_a_vector(value, shape):
    refused(lambda: Quadratic(value), ValueError, "curvature must be a number or a vector", shape)


def test_minimum_must_fit_the_curvature():
    refused(lambda: Quadratic([1, 2], [1, 2, 3]), ValueError, "minimum must be one number", "(2,)", "(3,)")
    refused(lambda: Quadratic(1, [1]), ValueError, "minimum must be one number", "()", "(1,)")


@pytest.mark.parametrize(("w", "shape"), [(1.0, "()"), ([1.0], "(1,)"), ([[1.0, 2.0]], "(1, 2)")])
@pytest.mark.parametrize("ask", ["__call__", "gradient"])
def test_parameters_must_have_the_objectives_shape(ask, w, shape):
    bowl = Quadratic([1.0, 2.0])
    refused(lambda: getattr(bowl, ask)(w), ValueError, "parameters must have shape (2,)", f"got shape {shape}")


# Two wells


@given(st.floats(-8, 8))
def test_the_gradient_of_two_wells_by_finite_differences(w):
    wells = TwoWells()
    assume(all(abs(w - edge) > 2e-3 for edge in wells.narrow_well))
    assert wells.gradient(w) == pytest.approx(slope(wells, np.array(w)), rel=1e-6, abs=1e-6)


@given(st.floats(-8, 8))
def test_two_wells_is_the_lower_of_the_two_parabolas(w):
    wells = TwoWells()
    wide, narrow = Quadratic(0.25, 3.0), Quadratic(100.0, -1.0)
    assert wells(w) == pytest.approx(min(wide(w), narrow(w) - 0.5), rel=1e-13, abs=1e-13)
    inside = wells.narrow_well[0] < w < wells.narrow_well[1]
    assert wells.gradient(w) == (narrow if inside else wide).gradient(w)


@given(st.floats(0.01, 1), st.floats(2, 200), st.floats(1, 5), st.floats(-5, -1), st.floats(-2, 0.05))
def test_both_minima_are_minima_with_the_curvature_that_is_stated(flat, steep, right, left, floor):
    assume(flat / 2 * (left - right) ** 2 > floor + 0.1 and steep / 2 * (left - right) ** 2 + floor > 0.1)
    wells = TwoWells(flat, steep, right, left, floor)
    assert wells(right) == 0 and wells(left) == floor
    assert wells.gradient(right) == wells.gradient(left) == 0
    start, end = wells.narrow_well
    assert start < left < end and not start <= right <= end
    h = 0.1 * min(left - start, end - left, abs(right - start), abs(right - end))
    assert wells.gradient(left + h) == pytest.approx(steep * h, rel=1e-6)
    assert wells.gradient(right + h) == pytest.approx(flat * h, rel=1e-6)


def test_the_parabolas_cross_at_the_ends_of_the_narrow_well():
    wells = TwoWells()
    for edge in wells.narrow_well:
        assert wells._wide(edge) == pytest.approx(wells._narrow(edge), rel=1e-12)


def exact_well(wells):
    """The ends of the narrow well in exact numbers but for one square root."""
    a, b = Fraction(wells.narrow_curvature) / 2, Fraction(wells.wide_curvature) / 2
    m, floor = Fraction(wells.narrow_minimum), Fraction(wells.narrow_floor)
    d = Fraction(wells.wide_minimum) - m
    half, constant = b * d, floor - b * d * d  # (a - b) u² + 2 half u + constant = 0, u = w - m
    with localcontext() as context:
        context.prec = 700
        inside = half * half - (a - b) * constant
        root = Fraction((Decimal(inside.numerator) / Decimal(inside.denominator)).sqrt())
    return sorted(float(m + (-half + sign * root) / (a - b)) for sign in (-1, 1))


@pytest.mark.parametrize(
    "wells",
    [
        TwoWells(),
        TwoWells(narrow_floor=0.5),
        TwoWells(wide_minimum=-3, narrow_minimum=1),
        TwoWells(wide_minimum=1e8 + 4, narrow_minimum=1e8),
        TwoWells(wide_minimum=-1e12 - 4, narrow_minimum=-1e12),
        TwoWells(wide_minimum=1e200, narrow_minimum=-1e200),
        TwoWells(wide_minimum=1e200, narrow_minimum=1.1e200),
        TwoWells(wide_minimum=3, narrow_minimum=1e200),
        TwoWells(wide_curvature=99.9999999),
        TwoWells(1e-100, 1e100, 3, -1, -1e98),
    ],
    ids=repr,
)
def test_the_narrow_well_is_right_at_any_scale(wells):
    left, right = wells.narrow_well
    assert left < wells.narrow_minimum < right
    for end, expected in zip((left, right), exact_well(wells), strict=True):
        assert end == pytest.approx(expected, rel=1e-12)
        size = abs(expected - wells.narrow_minimum)
        assert abs(end - expected) <= 1e-12 * size + 4 * np.spacing(abs(expected))


def test_a_well_without_numbers_in_it_is_refused():
    refused(
        lambda: TwoWells(wide_minimum=1e16 + 4, narrow_minimum=1e16),
        ValueError,
        "narrow_minimum must be so small that float64 has numbers in its well, got 1e+16",
    )
    refused(
        lambda: TwoWells(wide_minimum=1.7e308, narrow_minimum=-1e308),
        ValueError,
        "wide_minimum - narrow_minimum must be finite, got inf",
    )


def test_where_the_parabolas_cross_the_gradient_is_the_wide_ones():
    wells = TwoWells(1.0, 3.0, 1.0, -1.0, -1.0)  # cross at w = 0 with loss 1/2 exactly
    assert wells(0.0) == 0.5
    assert wells.gradient(0.0) == -1.0


def test_two_wells_repr_and_equality():
    assert eval(repr(TwoWells(narrow_floor=0.5))) == TwoWells(narrow_floor=0.5) != TwoWells()
    assert TwoWells(1, 2, 3, -3, 0) == TwoWells(1.0, 2.0, 3.0, -3.0, 0.0)


@pytest.mark.parametrize("name", ["wide_curvature", "narrow_curvature"])
@pytest.mark.parametrize("value", [0, -1.0, NAN, INF])
def test_well_curvatures_must_be_positive_and_finite(name, value):
    refused(lambda: TwoWells(**{name: value}), ValueError, f"{name} must be", f"got {value!r}")


@pytest.mark.parametrize("name", ["wide_minimum", "narrow_minimum", "narrow_floor"])
@pytest.mark.parametrize("value", [NAN, INF])
def test_wells_must_be_finite(name, value):
    refused(lambda: TwoWells(**{name: value}), ValueError, f"{name} must be finite, got {value!r}")


def test_wells_must_be_two():
    refused(lambda: TwoWells(narrow_curvature=0.25), ValueError, "narrow_curvature must be above", "0.25")
    refused(lambda: TwoWells(narrow_floor=2.0), ValueError, "narrow_floor must lie below the wide well", "2.0")
    refused(lambda: TwoWells(narrow_floor=9.0), ValueError, "narrow_floor must lie below the wide well", "9.0")
    refused(lambda: TwoWells(wide_minimum=-0.95), ValueError, "wide_minimum must lie outside the narrow well", "-0.95")


@pytest.mark.parametrize("ask", ["__call__", "gradient"])
def test_two_wells_has_one_parameter(ask):
    refused(lambda: getattr(TwoWells(), ask)([1.0]), ValueError, "parameters must have shape ()", "(1,)")
