"""The pictures draw the numbers they are given, and the same bytes at every run."""

import math

import numpy as np
import pytest

from lrlib import (
    Constant,
    ExponentialDecay,
    PiecewiseConstantDecay,
    Quadratic,
    StepDecay,
    TwoWells,
    gradient_descent,
    plot,
)

pytestmark = pytest.mark.filterwarnings("error")

PARABOLA = Quadratic(2.0, -1.0)
SLOW, FAST = (gradient_descent(PARABOLA, 5.0, lr, 10) for lr in (0.1, 0.9))
FALLING = gradient_descent(PARABOLA, 5.0, StepDecay(0.4, 4, 0.5), 10)
AWAY = gradient_descent(PARABOLA, 5.0, 50.0, 500)


def drawn(line):
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


def test_schedules_draws_the_rates_of_the_steps():
    decay = ExponentialDecay(0.1, 10, 0.5, staircase=True)
    figure = plot.schedules(decay, Constant(0.05), steps=40, labels=["decay", "constant"])
    (axes,) = figure.axes
    for line, schedule in zip(axes.lines, [decay, Constant(0.05)], strict=True):
        x, y = drawn(line)
        assert (x[0], x[-1]) == (0, 40)
        assert y.tolist() == schedule(x).tolist()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["decay", "constant"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(0),
        ExponentialDecay(1, 1e6, 0.5),
        ExponentialDecay(1, 0.1, 0.5),
        ExponentialDecay(0.1, 10, 1.5),
        PiecewiseConstantDecay([], [1]),
        PiecewiseConstantDecay([0], [1, 0]),
        PiecewiseConstantDecay([30, 90], [1, 0.1, 0.01]),
    ],
    ids=repr,
)
def test_the_default_length_shows_what_the_schedule_does(schedule):
    x, y = drawn(plot.schedules(schedule).axes[0].lines[0])
    assert x[0] == 0 and x[-1] > 0 and len(x) <= 2001
    np.testing.assert_allclose(y, schedule(x))
    if not isinstance(schedule, Constant) and len(getattr(schedule, "values", "ab")) > 1:
        assert y[-1] != y[0]


def test_a_label_for_each_schedule_or_none():
    assert plot.schedules(Constant(1)).axes[0].get_legend() is None
    with pytest.raises(ValueError):
        plot.schedules(Constant(1), Constant(2), labels=["only one"])


def test_under_the_loss_stands_the_applied_rate():
    runs = {"slow": SLOW, "falling": FALLING}
    above, below = plot.loss_and_rate(runs).axes
    for upper, lower, trace in zip(above.lines, below.lines, runs.values(), strict=True):
        assert np.array_equal(drawn(upper), [np.arange(11), trace.losses])
        assert np.array_equal(drawn(lower), [trace.steps, trace.applied])
        assert lower.get_drawstyle() == "steps-post"
        assert upper.get_color() == lower.get_color()
    assert above.get_yscale() == "log" and below.get_ylim()[0] == 0
    assert [text.get_text() for text in above.get_legend().get_texts()] == list(runs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_in_either_dtype_is_drawn_whole(dtype):
    trace = gradient_descent(PARABOLA, 5.0, 0.1, 10, dtype=dtype)
    line = plot.loss_and_rate({"run": trace}).axes[0].lines[0]
    assert drawn(line)[1].tolist() == trace.losses.tolist()
    line = plot.path(PARABOLA, {"run": trace}).axes[0].lines[1]
    assert drawn(line)[0].tolist() == trace.parameters.tolist()


def test_losses_that_no_logarithm_has_are_left_out():
    arrived = gradient_descent(PARABOLA, 5.0, 0.5, 3)  # at the minimum after one step
    away, home = plot.loss_and_rate({"away": AWAY, "arrived": arrived}).axes[0].lines
    assert drawn(home)[1].tolist() == [36.0]
    assert np.isfinite(drawn(away)[1]).all() and len(drawn(away)[1]) < len(AWAY.losses)


def test_path_draws_the_points_of_each_run_on_the_curve():
    figure = plot.path(PARABOLA, {"slow": SLOW, "fast": FAST})
    for axes, trace, name in zip(figure.axes, (SLOW, FAST), ("slow", "fast"), strict=True):
        curve, run, start = axes.lines
        x, y = drawn(curve)
        assert y.tolist() == [PARABOLA(w) for w in x]
        assert np.array_equal(drawn(run), [trace.parameters, trace.losses])
        assert drawn(start)[0] == 5.0 and drawn(start)[1] == 36.0
        assert axes.get_title() == name


def test_path_shows_a_run_that_flies_away_without_flattening_the_curve():
    figure = plot.path(TwoWells(), {"away": gradient_descent(TwoWells(), 3.5, 9.0, 2000), "one": SLOW})
    low, high = figure.axes[0].get_xlim()
    assert math.isfinite(low) and math.isfinite(high) and high - low < 1000


def test_a_band_is_the_mean_in_the_range_of_the_seeds():
    axes = plot.Figure().subplots()
    plot.band(axes, [1, 2], [[0.0, 1.0, 5.0], [3.0, 3.0, 3.0]], label="runs", marker="o")
    (line,), (area,) = axes.lines, axes.collections
    assert np.array_equal(drawn(line), [[1, 2], [2, 3]])
    assert line.get_label() == "runs" and line.get_marker() == "o"
    low, high = area.get_paths()[0].get_extents().get_points()
    assert low.tolist() == [1, 0] and high.tolist() == [2, 5]


def test_figures_are_the_same_bytes_every_time():
    for draw in (
        lambda: plot.schedules(Constant(0.1)),
        lambda: plot.loss_and_rate({"slow": SLOW}),
        lambda: plot.path(PARABOLA, {"slow": SLOW}),
    ):
        first = plot.to_svg(draw())
        assert first == plot.to_svg(draw()) and first.rstrip().endswith("</svg>")
        assert "<dc:date>" not in first


def test_use_style_outside_a_notebook():
    import matplotlib as mpl

    with mpl.rc_context():
        plot.use_style()
        assert mpl.rcParams["svg.hashsalt"] == "lrlib"
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plot.COLOURS)


def test_drawing_leaves_the_readers_own_style_alone():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot.to_svg(plot.loss_and_rate({"slow": SLOW}))
    assert dict(mpl.rcParams) == before
