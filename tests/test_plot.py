"""The pictures draw the numbers they are given, and the same bytes at every run."""

import itertools
import re
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

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
from lrlib.runs import best_rate

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


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_under_the_loss_stands_the_applied_rate():
    runs = {"slow": SLOW, "falling": FALLING}
    figure = plot.loss_and_rate(runs)
    above, below = figure.axes
    for upper, lower, trace in zip(above.lines, below.lines, runs.values(), strict=True):
        assert np.array_equal(drawn(upper), [np.arange(11), trace.losses])
        assert np.array_equal(drawn(lower), [trace.steps, trace.applied])
        assert lower.get_drawstyle() == "steps-post"
        assert upper.get_color() == lower.get_color()
    assert above.get_yscale() == "log" and below.get_ylim()[0] == 0
    assert legend(figure) == list(runs)


def test_a_panel_of_constant_rates_would_say_nothing():
    figure = plot.loss_and_rate({"slow": SLOW, "right, 0.9": FAST})
    assert len(figure.axes) == 1 and legend(figure) == ["slow (0.1)", "right, 0.9"]
    assert figure.axes[0].lines[1].get_color() == plot.COLOUR["right"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_in_either_dtype_is_drawn_whole(dtype):
    trace = gradient_descent(PARABOLA, 5.0, 0.1, 10, dtype=dtype)
    line = plot.loss_and_rate({"run": trace}).axes[0].lines[0]
    assert drawn(line)[1].tolist() == trace.losses.tolist()
    line = plot.path(PARABOLA, {"run": trace}).axes[0].lines[1]
    assert drawn(line)[0].tolist() == trace.parameters.tolist()


def test_losses_that_no_logarithm_has_are_drawn_and_the_axis_says_so():
    arrived = gradient_descent(PARABOLA, 5.0, 0.5, 3)  # at the minimum after one step
    below_zero = gradient_descent(TwoWells(), -1.1, 0.001, 50)
    for trace in (arrived, below_zero):
        axes = plot.loss_and_rate({"run": trace}).axes[0]
        assert drawn(axes.lines[0])[1].tolist() == trace.losses.tolist()
        assert axes.get_yscale() == "symlog" and "linear below" in axes.get_ylabel()
    assert plot.loss_and_rate({"run": SLOW}).axes[0].get_ylabel() == "loss"


def test_a_runaway_run_does_not_squash_the_loss_of_the_others():
    away, slow = (axes := plot.loss_and_rate({"away": AWAY, "slow": SLOW}).axes[0]).lines
    assert np.isfinite(drawn(away)[1]).all() and len(drawn(away)[1]) < len(AWAY.losses)
    assert axes.get_ylim()[1] == pytest.approx(36e3)
    assert drawn(slow)[1].tolist() == SLOW.losses.tolist()


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
    figure = plot.path(PARABOLA, {"slow": SLOW, "away": AWAY})
    for axes in figure.axes:
        assert axes.get_ylim()[1] <= 1.5 * 36 and axes.get_xlim()[1] - axes.get_xlim()[0] < 25
    assert [text.get_text() for text in figure.axes[1].texts] == ["out of the picture\nafter step 0"]
    assert not figure.axes[0].texts


BOWL = Quadratic([1.0, 8.0])
IN_THE_BOWL = {
    "too small, 0.02": gradient_descent(BOWL, [4.0, 1.0], 0.02, 12),
    "failed, 0.3": gradient_descent(BOWL, [4.0, 1.0], 0.3, 200),
}


def test_contours_draws_the_paths_on_the_map():
    figure = plot.contours(BOWL, IN_THE_BOWL)
    for axes, (name, trace) in zip(figure.axes, IN_THE_BOWL.items(), strict=True):
        run = axes.lines[1]
        assert np.allclose(drawn(axes.lines[0]), 0, atol=0.1), "the lowest point"
        assert run.get_color() == plot.colour(name)
        assert np.array_equal(drawn(run), trace.parameters.T)
        assert max(map(abs, axes.get_xlim() + axes.get_ylim())) < 10
        assert axes.collections, "the contours"
    assert [axes.get_title() for axes in figure.axes] == ["too small, 0.02", "failed, 0.3\nleaves after step 1"]


def test_contours_together_or_each_on_a_map_of_its_own():
    figure = plot.contours(BOWL, IN_THE_BOWL, together=True)
    assert len(figure.axes) == 1 and legend(figure) == list(IN_THE_BOWL)
    turned = dict(zip(IN_THE_BOWL, (BOWL, Quadratic([8.0, 1.0])), strict=True))
    assert len(plot.contours(turned, IN_THE_BOWL).axes) == 2
    with pytest.raises(ValueError, match="together must be False"):
        plot.contours(turned, IN_THE_BOWL, together=True)
    with pytest.raises(ValueError, match="objective must be one, or one for each"):
        plot.contours({"other": BOWL}, IN_THE_BOWL)


def test_contours_has_the_first_parameter_across():
    bowl = Quadratic([1.0, 100.0], [2.0, 0.0])
    axes = plot.contours(bowl, {"run": gradient_descent(bowl, [4.0, 1.0], 0.015, 9)}).axes[0]
    assert np.allclose(drawn(axes.lines[0]), [[2], [0]], atol=0.1)


@pytest.mark.parametrize("draw", [plot.path, plot.contours])
def test_a_run_with_the_wrong_number_of_parameters_is_refused(draw):
    with pytest.raises(ValueError, match=r"traces\['odd'\] has the shape"):
        draw(BOWL, {"odd": gradient_descent(Quadratic([1.0, 1.0, 1.0]), [1.0, 1.0, 1.0], 0.1, 2)})
    with pytest.raises(ValueError, match="at least one run"):
        draw(BOWL, {})


def test_a_band_is_the_mean_in_the_range_of_the_seeds():
    axes = plot.Figure().subplots()
    plot.band(axes, [1, 2], [[0.0, 1.0, 5.0], [3.0, 3.0, 3.0]], label="runs", marker="o")
    (line,), (area,) = axes.lines, axes.collections
    assert np.array_equal(drawn(line), [[1, 2], [2, 3]])
    assert line.get_label() == "runs" and line.get_marker() == "o"
    low, high = area.get_paths()[0].get_extents().get_points()
    assert low.tolist() == [1, 0] and high.tolist() == [2, 5]


GRID, SEEDS, STEPS = [0.01, 0.1, 0.2, 1.0, 10.0], 4, 30


def swept():
    """A sweep's result: a U, whose last rate failed with three of four seeds and last but one with one."""
    loss = np.outer([1.0, 0.105, 0.1, 0.5, 0.7], [0.9, 1.0, 1.0, 1.1])
    failed = np.zeros((5, SEEDS), bool)
    failed[4, :3], loss[4, :3] = True, np.nan
    failed[3, 0] = True
    losses = loss[..., None] * np.linspace(2, 1, STEPS)
    applied = np.broadcast_to(np.array(GRID)[:, None, None], losses.shape)
    dims = ("learning_rate", "seed", "step")
    return xr.Dataset(
        {
            "validation_loss": (dims[:2], loss),
            "failed": (dims[:2], failed),
            "loss": (dims, losses),
            "applied": (dims, applied),
        },
        {"learning_rate": GRID, "seed": range(SEEDS), "step": range(STEPS)},
    )


def test_what_a_rate_is_among_those_of_a_sweep():
    assert plot.meanings(swept()) == ["too small", "right", "right", "too large", "failed"]


def test_losses_below_zero_are_drawn_too():
    runs = swept()
    runs["validation_loss"] = runs.validation_loss - 10
    assert plot.meanings(runs) == ["right", "right", "right", "too large", "failed"]
    assert plot.u_shape(runs).axes[0].get_yscale() == "linear"
    assert plot.heat_map(runs.expand_dims(momentum=[0.0, 0.9])).axes[1].get_yscale() == "linear"
    runs["loss"] = runs.loss - 10
    assert plot.curves(runs).axes[0].get_yscale() == "symlog"


def test_no_meaning_without_a_rate_that_works():
    runs = swept()
    runs["failed"][:] = True
    with pytest.raises(ValueError, match="got none in validation_loss"):
        plot.meanings(runs)


def test_the_u_and_its_curves_have_one_colour_for_one_rate():
    runs = swept()
    axes = plot.u_shape(runs, rates=[0.01, 0.2, 1.0]).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    points = {line.get_xdata()[0]: line for line in dots if line.get_mfc() != "none"}
    crosses = {x for line in axes.lines if line.get_marker() == "x" for x in line.get_xdata()}
    assert set(points) == set(GRID) and crosses == {1.0, 10.0}
    assert points[0.1].get_ydata()[0] == pytest.approx(0.105)
    assert points[1.0].get_ydata()[0] == pytest.approx(0.5 * 3.1 / 3), "of the runs that did not fail"
    figure = plot.curves(runs, [0.01, 0.2, 1.0])
    assert legend(figure) == ["too small, 0.01", "right, 0.2", "too large, 1"]
    for line, rate in zip(figure.axes[0].lines, [0.01, 0.2, 1.0], strict=True):
        assert line.get_color() == points[rate].get_color()
        losses = runs.loss.sel(learning_rate=rate).mean("seed").values.reshape(3, 10).mean(axis=1)
        np.testing.assert_allclose(drawn(line), [[4.5, 14.5, 24.5], losses])


def test_the_curves_of_a_thinned_record_stand_at_its_steps():
    every_third = swept().isel(step=slice(0, None, 3))
    line, *_ = plot.curves(every_third, [0.2]).axes[0].lines
    losses = every_third.loss.sel(learning_rate=0.2).mean("seed").values
    in_three = [piece.mean() for piece in np.split(losses, [4, 7])]  # of ten, and nothing of the end is left out
    np.testing.assert_allclose(drawn(line), [[4.5, 15, 24], in_three])
    assert drawn(plot.curves(swept().isel(step=[0, 20]), [0.2]).axes[0].lines[0])[0].tolist() == [0, 20]


@pytest.mark.parametrize(("steps", "points"), [(29, 3), (15, 3), (2, 2), (1, 1)])
def test_the_curves_of_a_short_run_are_to_be_seen(steps, points):
    lines = plot.curves(swept().isel(step=slice(steps)), [0.2]).axes[0].lines
    assert len(lines[0].get_xdata()) == points and [line.get_marker() for line in lines[1:]] == ["."] * (points == 1)


def test_a_curve_ends_where_a_loss_is_not_finite_any_more():
    runs = swept()
    runs.loss[2, 1, 4:] = np.inf
    line, dot = plot.curves(runs, [0.2]).axes[0].lines
    expected = np.array([1.5, 0.1 * np.linspace(2, 1, STEPS)[:4].mean()])
    np.testing.assert_allclose(np.ravel(drawn(dot)), expected)
    assert line.get_color() == dot.get_color() and np.isnan(line.get_ydata()).tolist() == [False, True, True]


def test_the_u_shows_every_run_the_valley_and_the_best_rate():
    runs = swept()
    for some in runs, runs.isel(learning_rate=[3, 0, 4, 2, 1]):
        figure = plot.u_shape(some)
        (axes,) = figure.axes
        seeds = {line.get_xdata()[0]: line.get_ydata() for line in axes.lines if line.get_marker() == "."}
        np.testing.assert_array_equal(seeds[0.1], runs.validation_loss[1])
        np.testing.assert_array_equal(seeds[1.0], [np.nan, 0.5, 0.5, 0.55], "without the run that failed")
        (ring,) = (line for line in axes.lines if line.get_mfc() == "none" and line.get_marker() == "o")
        assert drawn(ring) == ([0.2], pytest.approx([0.1]))
        to_data = axes.transData.inverted()
        shaded = sorted(x for patch in axes.patches for x in patch.get_window_extent().transformed(to_data).intervalx)
        # half way to the neighbours, 0.01 and 1, on the logarithmic axis
        np.testing.assert_allclose(shaded, np.sqrt([0.01 * 0.1, 0.1 * 0.2, 0.1 * 0.2, 0.2 * 1]))
        assert set(legend(figure)) == {"best, 0.2", "too small", "right", "too large", "failed runs"}


def test_lanes_that_are_not_trained_have_not_failed():
    runs, done = swept(), np.ones((5, SEEDS), bool)
    done[0], done[1, 2:] = False, False
    runs["done"] = ("learning_rate", "seed"), done
    runs["validation_loss"] = runs.validation_loss.where(runs.done)
    assert plot.meanings(runs) == ["too small", "right", "right", "too large", "failed"]
    (axes,) = plot.u_shape(runs).axes
    assert {x for line in axes.lines if line.get_marker() == "x" for x in line.get_xdata()} == {1.0, 10.0}
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    means = {line.get_xdata()[0]: line.get_ydata()[0] for line in dots}
    assert set(means) == {0.1, 0.2, 1.0, 10.0} and means[0.1] == pytest.approx(0.105 * 0.95)
    runs["loss"], runs["applied"] = runs.loss.where(runs.done), runs.applied.where(runs.done)
    figure = plot.curves(runs, [0.1, 1.0])
    assert legend(figure) == ["right, 0.1", "too large, 1"] and len(figure.axes) == 1, "the rates are constant"
    means = runs.loss[1, :2].mean("seed").values.reshape(3, 10).mean(axis=1)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), means)
    assert legend(plot.curves(runs))[0] == "right, 0.2"
    with pytest.raises(ValueError, match="runs must be trained at every rate that is drawn, got none of 'too small, 0"):
        plot.curves(runs, [0.01])


def test_without_rates_one_of_each_meaning_is_drawn():
    assert legend(plot.curves(swept())) == ["too small, 0.01", "right, 0.2", "too large, 1", "failed, 10"]


def mapped():
    """A sweep over two axes: at the rate 0.1 the momentum 0 is lower than 0.9, but a run failed; at 10 all did."""
    loss = np.array([[9.0, 5.0, 4.0], [1.0, 3.0, 2.0], [3.0, 4.0, 5.0], [8.0, 8.0, 8.0]])[..., None] + [0.0, 0.5]
    failed = np.zeros(loss.shape, bool)
    failed[1, 0, 1] = failed[3] = True
    dims = ("learning_rate", "momentum", "seed")
    results = {"validation_loss": (dims, loss), "failed": (dims, failed), "test_accuracy": (dims, 1 - loss / 10)}
    return xr.Dataset(results, {"learning_rate": [0.01, 0.1, 1.0, 10.0], "momentum": [0.0, 0.5, 0.9], "seed": [0, 1]})


@pytest.mark.parametrize("measure", ["validation_loss", "test_accuracy"])
def test_the_map_of_two_axes(measure):
    runs = mapped()
    for some in (
        runs,
        runs.isel(learning_rate=[2, 0, 3, 1], momentum=[1, 2, 0]),
        runs.transpose("seed", "momentum", ...),
    ):
        axes, bar = plot.heat_map(some, measure).axes
        (mesh,) = axes.collections
        expected = runs[measure].mean("seed").values.T
        expected[0, 1] = runs[measure][1, 0, 0]  # without the run that failed
        np.testing.assert_allclose(mesh.get_array()[:, :3], expected[:, :3])
        assert mesh.get_array()[:, 3].mask.all(), "no run came through"
        crosses, ring = axes.lines
        assert sorted(zip(*drawn(crosses), strict=True)) == [(0.1, 0), (10, 0), (10, 1), (10, 2)]
        assert drawn(ring) == ([pytest.approx(0.1)], [2]), "not the one that is lower, of which a run failed"
        assert [text.get_text() for text in axes.get_yticklabels()] == ["0.0", "0.5", "0.9"]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "momentum")
        assert bar.get_ylabel() == measure.replace("_", " ")
        # a cell ends half way to the next rate, and the better the greener, whatever the measure
        np.testing.assert_allclose(mesh.get_coordinates()[0, :, 0], 10.0 ** np.arange(-2.5, 2))
        colours = mesh.to_rgba(mesh.get_array())
        best, worst = colours[2, 1], colours[0, 0]
        assert best[:3].sum() < worst[:3].sum() and not mesh.get_array().mask[:, :3].any()


def test_the_ring_of_a_map_is_round_what_best_chooses_also_where_two_are_equally_good():
    runs = mapped().isel(momentum=[2, 1, 0]).assign_coords(momentum=[0.9, 0.1 + 0.2, 0.0])
    for cells, found in (((0, 0), (1, 1)), (0.01, 0.9)), (((1, 0), (1, 1)), (0.1, 0.3)):
        runs["validation_loss"] = 5 + 0 * runs.validation_loss
        for cell in cells:
            runs.validation_loss[cell] = 1
        axes = plot.heat_map(runs).axes[0]
        (column,), (row,) = drawn(axes.lines[-1])
        assert (column, float(axes.get_yticklabels()[row].get_text())) == found
        best = best_rate(
            runs.reindex(learning_rate=[0.001, *runs.learning_rate.values]).fillna(
                {"validation_loss": 9, "failed": False}
            )
        )
        assert (best.learning_rate, round(best.value, 9)) == found


def test_a_map_of_names_keeps_their_order():
    runs = mapped().rename(momentum="shape").assign_coords(shape=["late", "constant", "linear"])
    assert [text.get_text() for text in plot.heat_map(runs).axes[0].get_yticklabels()] == ["late", "constant", "linear"]


def test_a_map_of_what_has_no_two_axes():
    with pytest.raises(ValueError, match="runs must have one axis beside the learning rate, got none"):
        plot.heat_map(swept())
    runs = mapped()
    with pytest.raises(ValueError, match="got momentum, decay"):
        plot.heat_map(runs.expand_dims(decay=[0, 1]).transpose("momentum", "decay", ...))
    runs["failed"] = runs.failed | True
    with pytest.raises(ValueError, match="runs must have a cell in which no run failed, got none in validation_loss"):
        plot.heat_map(runs)


@pytest.mark.parametrize(
    ("grid", "labels"),
    [
        ([0.03, 0.05, 0.1, 0.2, 0.3], ["0.05", "0.1", "0.2"]),
        ([0.12, 0.11, 0.09, 0.1, 0.104], ["0.09", "0.104", "0.12"]),
        ([0.2, 0.3, 1.0, 3.0, 6.0], ["0.2", "0.5", "1", "2", "5"]),
    ],
)
def test_labels_of_a_narrow_grid_do_not_lie_over_one_another(grid, labels):
    runs = swept().assign_coords(learning_rate=grid)
    for figure in plot.u_shape(runs), plot.heat_map(runs.expand_dims(momentum=[0.9])):
        axes = figure.axes[0]
        assert [text.get_text() for text in axes.get_xticklabels()] == labels
        assert not any(text.get_text() for text in axes.get_xticklabels(minor=True))


def test_an_accuracy_is_high_where_the_rate_is_right():
    runs = swept()
    runs["test_accuracy"] = 1 - runs.validation_loss
    loss, accuracy = (plot.u_shape(runs, measure).axes[0] for measure in ("validation_loss", "test_accuracy"))
    assert [line.get_color() for line in loss.lines] == [line.get_color() for line in accuracy.lines]
    assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")
    assert legend(plot.curves(runs, measure="test_accuracy")) == legend(plot.curves(runs))


def test_two_rates_of_one_meaning_are_told_apart():
    dark, light = (line.get_color() for line in plot.curves(swept(), [0.1, 0.2]).axes[0].lines)
    assert dark == plot.COLOUR["right"] and light != dark
    marks = plot.u_shape(swept(), rates=[0.1, 0.2]).axes[0].lines
    assert [line.get_color() for line in marks if line.get_markersize() == 9] == [dark, light]
    near = swept().assign_coords(learning_rate=[0.01, 0.1, 0.1004, 1, 10])
    near["applied"] = near.learning_rate.broadcast_like(near.loss)
    assert legend(plot.curves(near, [0.1, 0.1004, 0.1])) == ["right, 0.1", "right, 0.1004"]


def test_a_rate_that_was_not_tried_is_refused():
    for draw in (lambda: plot.u_shape(swept(), rates=[0.5]), lambda: plot.curves(swept(), [0.5])):
        with pytest.raises(ValueError, match="rates must be of the sweep, whose nearest is 0.2, got 0.5"):
            draw()
    tiny = swept().assign_coords(learning_rate=[1e-10, 1e-9, 1e-8, 1e-7, 1e-6])
    with pytest.raises(ValueError, match="whose nearest is 1e-09, got 3e-09"):
        plot.curves(tiny, [3e-9])
    for measure in "loss", "applied":
        for draw in plot.u_shape, plot.curves, plot.heat_map:
            with pytest.raises(ValueError, match=f"measure must be one of validation_loss, got '{measure}'"):
                draw(swept() if draw != plot.heat_map else swept().expand_dims(momentum=[0.9]), measure=measure)
    with pytest.raises(ValueError, match="runs must have several steps, got one"):
        plot.curves(swept().isel(step=0))


def test_runs_by_their_names_over_the_rates_that_they_applied():
    constant, falling = swept().isel(learning_rate=1), swept().isel(learning_rate=1)
    falling["applied"] = falling.applied * xr.DataArray(np.linspace(1, 0, STEPS), dims="step")
    figure = plot.curves({"constant": constant, "linear": falling}, scale="linear")
    above, below = figure.axes
    assert [line.get_color() for line in above.lines] == [plot.COLOUR["constant"], plot.COLOUR["linear"]]
    assert drawn(below.lines[1])[1].tolist() == falling.applied[0].values.tolist()
    with pytest.raises(ValueError, match=r"runs\['all'\] must have one learning rate, got 5"):
        plot.curves({"all": swept()})


def test_compare_draws_every_seed_and_counts_the_failed():
    figure = plot.compare({"constant": [1.0, 3.0], "late": [1.0, np.inf, 2.0]}, "test loss", reference="constant")
    (axes,) = figure.axes
    dots, mean, others, level = axes.lines
    assert drawn(dots)[0].tolist() == [1, 3] and drawn(mean)[0].tolist() == [2] and drawn(others)[0].tolist() == [1, 2]
    assert set(drawn(level)[0]) == {2}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["constant", "late\n1 of 3 failed"]
    with pytest.raises(ValueError, match="reference must be one of"):
        plot.compare({"late": [1.0]}, "loss", reference="constant")


# The palette


def linear(colour):
    """The light of a colour, which adds."""
    values = np.asarray(mpl.colors.to_rgb(colour))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


# What dichromats see, from linear light: Machado, Oliveira and Fernandes (2009), at full severity.
EYES = {
    "all three cones": np.eye(3),
    "protanope": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranope": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanope": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def in_the_dark(colour):
    """What `_static/book.css` makes of it: invert(0.9) hue-rotate(180deg)."""
    turn = [[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]]
    return np.clip(turn @ (0.9 - 0.8 * np.asarray(mpl.colors.to_rgb(colour))), 0, 1)


def lab(light):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ light
    x, y, z = np.cbrt(np.clip(xyz / [0.9505, 1, 1.089], 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one, other):
    darker, lighter = sorted(linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("family", [slice(0, 4), slice(4, None)], ids=["sizes", "shapes"])
@pytest.mark.parametrize("theme", [mpl.colors.to_rgb, in_the_dark], ids=["light", "dark"])
def test_what_is_drawn_together_can_be_told_apart(eyes, family, theme):
    seen = {name: lab(EYES[eyes] @ linear(theme(plot.COLOUR[name]))) for name in list(plot.COLOUR)[family]}
    near = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in itertools.combinations(seen, 2)}
    assert min(near.values()) > 12, min(near, key=near.get)


def test_all_colours_stand_out_from_the_page():
    for colour in [*plot.COLOUR.values(), plot.INK]:
        assert contrast(colour, "white") > 2.8
        assert contrast(in_the_dark(colour), "#121212") > 4


def test_the_palette_that_contributors_read():
    text = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf8")
    assert dict(re.findall(r"^\| `([a-z -]+)` \| `(#[0-9A-F]{6})` \|", text, re.MULTILINE)) == plot.COLOUR


def test_a_name_begins_with_its_meaning():
    assert plot.colour("late") == plot.colour("late: the last fifth") == plot.COLOUR["late"]
    assert plot.colour("lately") is plot.colour("Adam") is None


def test_figures_fit_a_phone_and_are_transparent():
    runs = swept()
    for figure in (
        plot.schedules(Constant(0.1)),
        plot.loss_and_rate({"falling": FALLING}),
        plot.path(PARABOLA, {"slow": SLOW, "fast": FAST}),
        plot.contours(BOWL, IN_THE_BOWL),
        plot.u_shape(runs),
        plot.curves(runs, [0.1]),
        plot.heat_map(mapped()),
        plot.compare({"late": [1.0, 2.0]}, "loss"),
    ):
        assert figure.get_size_inches()[0] == 4.4 and figure.get_facecolor()[3] == 0
        assert all(axes.get_facecolor()[3] == 0 for axes in figure.axes)
        svg = plot.to_svg(figure)
        assert 'width="316.8pt"' in svg, "440 pixels, and nothing cut off"
    with pytest.raises(ValueError, match="columns must be 1 or 2, got 3"):
        plot.figure_of(columns=3)


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
    with mpl.rc_context():
        plot.use_style()
        assert mpl.rcParams["svg.hashsalt"] == "lrlib"
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == list(plot.PLAIN)


def test_drawing_leaves_the_readers_own_style_alone():
    before = dict(mpl.rcParams)
    plot.to_svg(plot.loss_and_rate({"slow": SLOW}))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    "asked, everywhere, formats",
    [("png", None, ("retina",)), ("svg", None, ("svg", "retina")), ("png", "svg", ("svg",)), ("svg", "svg", ("svg",))],
)
def test_the_site_draws_what_notebooks_store_in_dots(monkeypatch, asked, everywhere, formats):
    chosen = []
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr(
        "matplotlib_inline.backend_inline.set_matplotlib_formats", lambda *given, **options: chosen.append(given)
    )
    monkeypatch.delenv("LRLIB_FIGURES", raising=False)
    if everywhere:
        monkeypatch.setenv("LRLIB_FIGURES", everywhere)
    with mpl.rc_context():
        plot.use_style(asked)
    assert chosen == [formats]


def test_a_notebook_shows_a_figure_though_nobody_has_imported_pyplot(monkeypatch):
    chosen, printers = [], {kind: {} for kind in ("image/png", "image/svg+xml", "image/jpeg")}
    writers = {kind: SimpleNamespace(type_printers=known) for kind, known in printers.items()}
    shell = SimpleNamespace(kernel=None, display_formatter=SimpleNamespace(formatters=writers))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr(
        "matplotlib_inline.backend_inline.set_matplotlib_formats", lambda *given, **options: chosen.append(given)
    )
    monkeypatch.delenv("LRLIB_FIGURES", raising=False)
    plot.u_shape(swept())
    assert chosen == [("retina",)]
    printers["image/svg+xml"][mpl.figure.Figure] = str  # the reader's own choice stays
    plot.u_shape(swept())
    assert chosen == [("retina",)]
