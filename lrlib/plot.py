"""Every picture in the book, in one style and one palette, in which a colour means the same everywhere.

Each function returns a matplotlib figure that a notebook shows when it is a cell's last expression. Figures are as wide
as a phone's column and transparent; the site recolours them for dark mode. Under every loss stands the rate that was
applied: as a panel of its own where it changed, in the legend where it did not.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from lrlib._modules import from_extra

with from_extra("plot"):
    import matplotlib as mpl
    from matplotlib.figure import Figure

from lrlib import _checks, _style
from lrlib._record import readable
from lrlib._style import COLOUR, INK, PALE, PLAIN, WIDTH, band, colour, figure_of, to_svg, use_style
from lrlib.schedules import as_schedule

__all__ = [
    "COLOUR", "INK", "PALE", "PLAIN", "WIDTH", "band", "colour", "compare", "contours", "curves", "draw_u", "figure_of",
    "heat_map", "loss_and_rate", "meanings", "path", "schedules", "to_svg", "u_shape", "use_style",
]  # fmt: skip

VALLEY = 1.1  # a rate whose loss is within a tenth of the lowest is a right one
SKY = 1.5  # a picture of a run is this many times as high as the highest start


@_style.in_style
def schedules(*schedules, steps: float | None = None, labels: Sequence[str] = ()) -> Figure:
    """Draw the rate of one or several schedules against the step: what is planned, not what was applied.

    Parameters
    ----------
    *schedules : Schedule, float or callable
        What to draw; a callable is a function of the step.
    steps : float, optional
        How far to draw; by default to where every rate has fallen to a tenth or reached its last value.
    labels : sequence of str
        A name for each schedule, in the legend and for its colour.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there are labels, but not one for each schedule.
    """
    schedules = [as_schedule(schedule) for schedule in schedules]
    if labels and len(labels) != len(schedules):
        raise ValueError(f"labels must have one name for each of {len(schedules)} schedules, got {list(labels)!r}")
    steps = max(map(_horizon, schedules)) if steps is None else steps
    at = np.linspace(0, steps, 1001)
    figure, axes = figure_of(2.4)
    for schedule, label in zip(schedules, labels or [""] * len(schedules), strict=True):
        axes.plot(at, schedule(at), label=label or None, **_style.look(label))
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    if labels:
        axes.legend()
    return figure


@_style.in_style
def path(objective, traces: Mapping) -> Figure:
    """Draw runs on an objective of one parameter, each over the curve in a panel of its own, two in a row.

    A run that flies away leaves the picture and the panel says when; the window is that of the starts.

    Parameters
    ----------
    objective : callable
        The objective that the runs descended on.
    traces : mapping of str to Trace
        The runs by their names, which are the titles.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no run, or one has more than one parameter.
    """
    _each(traces, (), "path draws one parameter")
    top, points = _window(traces)
    low, high = points.min(), points.max()
    margin = 0.1 * (high - low) or 1.0
    curve = np.linspace(low - margin, high + margin, 201)
    ground = np.array([objective(w) for w in curve])

    figure, panels = _style.panels_of(len(traces), 2.3, sharey=True)
    for axes, (name, trace) in zip(panels, traces.items(), strict=True):
        run, losses = _finite(trace)
        axes.plot(curve, ground, color=PALE, linestyle="-")
        axes.plot(run, losses, "o-", markersize=4, linewidth=1, color=colour(name) or INK)
        axes.plot(run[0], losses[0], "o", color=INK)
        axes.set(title=name, xlim=(curve[0], curve[-1]), ylim=(ground.min() - 0.06 * (top - ground.min()), top))
        inside = (trace.parameters >= curve[0]) & (trace.parameters <= curve[-1]) & (trace.losses <= top)
        if not inside[-1]:
            words = f"out of the picture\nafter step {_last(inside)}"
            axes.annotate(words, (0.5, 0.6), xycoords="axes fraction", ha="center", fontsize=8)
    figure.supxlabel("w", size="medium")
    figure.supylabel("loss", size="medium")
    return figure


@_style.in_style
def contours(
    objective, traces: Mapping, *, together: bool = False, names: tuple[str, str] = ("$w_1$", "$w_2$"), levels: int = 9
) -> Figure:
    """Draw runs on an objective of two parameters: its contour map with their paths.

    Both axes have one scale where that fits, so that a step crosses a contour at the angle that it has.

    Parameters
    ----------
    objective : callable or mapping of str to callable
        The objective that the runs descended on; or for each run its own.
    traces : mapping of str to Trace
        The runs by their names.
    together : bool
        Whether to draw all in one panel, with a legend; by default each has its own, two in a row.
    names : tuple of str
        The names of the parameters.
    levels : int
        The number of contours, closer together where the ground is low.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no run, one has not two parameters, or ``together`` is asked for of several objectives.
    """
    _each(traces, (2,), "contours draws two parameters")
    each = dict(objective) if isinstance(objective, Mapping) else dict.fromkeys(traces, objective)
    if set(each) != set(traces):
        raise ValueError(f"objective must be one, or one for each of {list(traces)}, got {list(each)}")
    if together and isinstance(objective, Mapping):
        raise ValueError(f"together must be False where each run has its own objective, got {together!r}")

    found = [_window({name: trace}) for name, trace in traces.items()]
    lowest = [np.atleast_2d(f.minimum) for f in each.values() if np.shape(getattr(f, "minimum", None)) == (2,)]
    points = np.concatenate([inside for _, inside in found] + lowest)
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(high - low, max(0.25 * (high - low).max(), 1e-9))
    low, high = (low + high) / 2 - 0.6 * size, (low + high) / 2 + 0.6 * size
    shape = float(size[1] / size[0])
    count, panel = (1, WIDTH - 0.7) if together else (len(traces), (WIDTH - 0.7) / min(2, len(traces)))
    figure, panels = _style.panels_of(count, float(np.clip(panel * shape, 1.2, 3.4)) + 0.4, sharex=True, sharey=True)
    grids = np.linspace(low, high, 61)
    for i, (name, trace) in enumerate(traces.items()):
        axes = panels[0 if together else i]
        if i == 0 or not together:
            ground = np.array([[each[name](np.array([x, y])) for x in grids[:, 0]] for y in grids[:, 1]])
            _draw_map(axes, grids, ground, levels)
            axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
            axes.set_aspect("equal" if 0.4 < shape < 1.3 else "auto")
        run, _ = _finite(trace)
        shown = colour(name) or (PLAIN[i % len(PLAIN)] if together else INK)
        axes.plot(*run.T, "o-", markersize=3, linewidth=1.2, color=shown, label=name)
        axes.plot(*run[0], "o", markersize=5, color=INK)
        if not together:
            inside = ((trace.parameters >= low) & (trace.parameters <= high)).all(axis=1)
            axes.set_title(name if inside[-1] else f"{name}\nleaves after step {_last(inside)}")
    if together:
        _style.with_legend(figure, panels[0], 2)
    figure.supxlabel(names[0], size="medium")
    figure.supylabel(names[1], size="medium")
    return figure


@_style.in_style
def loss_and_rate(traces: Mapping) -> Figure:
    """Draw the loss of one or several runs on a logarithmic axis and, below it, the rate that each applied.

    Where every run kept its rate the panel below would say nothing: the applied rates stand in the legend instead. If a
    loss is not positive, the axis is linear near 0, and its label says below what. A run that flies away leaves the
    picture at 1000 times the highest start.

    Parameters
    ----------
    traces : mapping of str to Trace
        The runs by their names.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no run.
    """
    _each(traces, None, "")
    runs = {
        n: (np.arange(len(t.losses)), t.losses, None, np.arange(len(t.applied)), t.applied) for n, t in traces.items()
    }
    figure, above = _over_rates(runs)
    losses = np.concatenate([trace.losses.astype(np.float64) for trace in traces.values()])
    highest = 1e3 * max(abs(float(trace.losses[0])) for trace in traces.values())
    _style.logarithmic(above, losses[np.isfinite(losses)], highest)
    return figure


def meanings(runs, measure: str = "validation_loss") -> list[str]:
    """Return for each learning rate of a sweep whether it is too small, right, too large or failed.

    Right are those whose mean over the seeds lies within a tenth of the lowest mean. What lies left of the lowest is
    too small, what lies right of it too large, and failed if it failed with half of the seeds or more.

    Parameters
    ----------
    runs : xarray.Dataset
        What ``lrlib.sweep.sweep`` returned.
    measure : str
        A loss of it; for anything else the validation loss says what a rate is.

    Returns
    -------
    list of str
        Keys of ``COLOUR``.

    Raises
    ------
    ValueError
        If no rate has a finite mean, or ``measure`` is nothing that a run has at its end.
    """
    _check_measure(runs, measure)
    kept, failed = _kept(runs, measure := _chosen_by(measure))
    means = np.where(failed.any(axis=-1) | np.isnan(kept.mean("seed")), np.inf, kept.mean("seed"))
    if not np.isfinite(means).any():
        raise ValueError(f"runs must have a learning rate with which no run failed, got none in {measure}")
    best, rates = int(means.argmin()), runs.learning_rate.values
    found, right = [], means[best] * (VALLEY if means[best] > 0 else 2 - VALLEY)
    for rate, mean, share in zip(rates, means, runs.failed.astype(bool).mean("seed").values, strict=True):
        if mean <= right:
            found.append("right")
        elif rate < rates[best]:
            found.append("too small")
        else:
            found.append("failed" if share >= 0.5 else "too large")
    return found


@_style.in_style
def u_shape(runs, measure: str = "validation_loss", rates: Sequence[float] = ()) -> Figure:
    """Draw a sweep's result against the learning rate: the U, each rate in the colour of what it is.

    Large points are means over the runs that did not fail, small ones these runs. A cross at the top edge is a rate
    with which a run failed; the line joins the rates with which none did. The right rates are shaded, and the one with
    the lowest mean, which the legend names, is in a ring.

    Parameters
    ----------
    runs : xarray.Dataset
        What ``lrlib.sweep.sweep`` returned.
    measure : str
        What to draw: ``"validation_loss"``, ``"test_accuracy"``, …; a loss also says which rates are right, for an
        accuracy the validation loss does.
    rates : sequence of float
        Rates to mark, those whose curves :func:`curves` draws in the same colours.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If no rate has a finite mean, or a rate to be marked is not in the sweep.
    """
    figure, axes = figure_of(2.8)
    draw_u(axes, runs, measure, rates)
    _style.label_the_rates(axes, np.sort(runs.learning_rate.values))
    return _style.with_legend(figure, axes, 3)


def draw_u(axes, runs, measure: str, rates: Sequence[float] = (), best: float | None = None, ring: bool = True) -> None:
    """Draw into a panel what :func:`u_shape` draws, without its legend.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    runs, measure, rates
        As there.
    best : float, optional
        The rate in the ring, by default the one with the lowest mean.
    ring : bool
        Whether there is one.

    Raises
    ------
    ValueError
        As there, or if ``best`` is not in the sweep.
    """
    runs, of_loss = runs.sortby("learning_rate"), measure.endswith("loss")
    kinds, grid = np.array(meanings(runs, measure)), runs.learning_rate.values
    (kept, failed), (losses, lost) = _kept(runs, measure), _kept(runs, _chosen_by(measure))
    means, some_failed = kept.mean("seed").values, failed.any(axis=-1)
    lowest = int(np.nanargmin(np.where(lost.any(axis=-1), np.nan, losses.mean("seed"))))
    best = lowest if best is None else _position(runs, best)
    at = [_position(runs, rate) for rate in _checks.sequence("rates", rates)]
    marked = dict(zip(at, _shades([kinds[i] for i in at]), strict=True))
    borders = _borders(grid)
    for i in np.flatnonzero(kinds == "right"):
        axes.axvspan(borders[i], borders[i + 1], color=COLOUR["right"], alpha=0.12, linewidth=0)
    axes.plot(grid[~some_failed], means[~some_failed], color=PALE, linestyle="-", linewidth=1, zorder=1)
    for i, (rate, kind) in enumerate(zip(grid, kinds, strict=True)):
        look = {"color": marked.get(i, COLOUR[kind]), "linestyle": "", "markeredgewidth": 0}
        axes.plot(np.full(kept.shape[1], rate), kept[i], ".", markersize=5, alpha=0.4, **look)
        if np.isfinite(means[i]):
            axes.plot(rate, means[i], "o", markersize=9 if i in marked else 5, **look)
    if ring:
        axes.plot(grid[best], means[best], "o", color=INK, markersize=11, mfc="none", label=f"best, {grid[best]:.2g}")
    for kind in dict.fromkeys(kinds[kinds != "failed"]):
        axes.plot([], [], "o", color=COLOUR[kind], label=kind)
    crosses = grid[some_failed & (kinds != "too small")]
    if len(crosses):
        look = {"linestyle": "", "marker": "x", "color": COLOUR["failed"], "label": "failed runs"}
        axes.plot(crosses, np.full(len(crosses), 0.94), transform=axes.get_xaxis_transform(), **look)
    axes.set(xscale="log", xlabel="learning rate", ylabel=measure.replace("_", " "))
    axes.set_yscale("log" if of_loss and not (kept <= 0).any() else "linear")


@_style.in_style
def heat_map(runs, measure: str = "validation_loss") -> Figure:
    """Draw a sweep over the learning rate and a second axis as a map: the greener the better.

    A cell's colour is the mean over the runs that did not fail; a cross says that one failed, and a cell without a
    colour had none that did not. The ring is round the best cell of those without a cross.

    Parameters
    ----------
    runs : xarray.Dataset
        What ``lrlib.sweep.sweep`` returned for a second axis.
    measure : str
        What to draw: ``"validation_loss"``, ``"test_accuracy"``, …

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no second axis, or no cell without a failed run.
    """
    other = [name for name in runs.failed.dims if name not in ("learning_rate", "seed")]
    if len(other) != 1:
        raise ValueError(f"runs must have one axis beside the learning rate, got {', '.join(other) or 'none'}")
    runs = runs.sortby(["learning_rate", *other] if runs[other[0]].dtype.kind in "iuf" else "learning_rate")
    kept, failed = _kept(runs, measure)
    means, crossed = kept.mean("seed").values.T, failed.any(axis=-1).T
    worth = np.where(crossed, np.nan, means if measure.endswith("loss") else -means)
    if np.isnan(worth).all():
        raise ValueError(f"runs must have a cell in which no run failed, got none in {measure}")
    column, row = np.unravel_index(np.nanargmin(worth.T), worth.T.shape)  # the smaller rate, as Runs.best has it
    figure, axes = figure_of(min(1.2 + 0.35 * len(means), 4.4))
    shades = mpl.colors.LinearSegmentedColormap.from_list("better", [COLOUR["right"], "#F1F8F6"])
    grid, borders = runs.learning_rate.values, _borders(runs.learning_rate.values)
    look = {"cmap": shades} if measure.endswith("loss") else {"cmap": shades.reversed()}
    look |= {"norm": "log"} if measure.endswith("loss") and not (means <= 0).any() else {}
    mesh = axes.pcolormesh(borders, np.arange(len(means) + 1) - 0.5, means, **look)
    figure.colorbar(mesh, ax=axes, label=measure.replace("_", " "))
    y, x = crossed.nonzero()
    axes.plot(grid[x], y, "x", color=COLOUR["failed"], label="failed runs" if len(x) else None)
    axes.plot(grid[column], row, "o", color=INK, markersize=11, mfc="none", label="best")
    axes.set_yticks(range(len(means)), [readable(value) for value in runs[other[0]].values.tolist()])
    axes.set(xscale="log", xlabel="learning rate", ylabel=other[0].replace("_", " "), xlim=borders[[0, -1]])
    _style.label_the_rates(axes, grid)
    axes.grid(visible=False)
    return _style.with_legend(figure, axes, 2)


@_style.in_style
def curves(
    runs, rates: Sequence[float] = (), *, measure: str = "validation_loss", window: int = 10, scale: str = "log"
) -> Figure:
    """Draw losses over the steps, the mean of the seeds in their range, over the rate that was applied.

    Those of one sweep are in the colours that :func:`u_shape` gives their rates; runs by their names are in the colours
    that these have.

    Parameters
    ----------
    runs : xarray.Dataset or mapping of str to xarray.Dataset
        What ``lrlib.sweep.sweep`` returned; or several of them, each with one learning rate left.
    rates : sequence of float
        Which rates of the sweep to draw; by default one of each meaning, in the middle of those that have it.
    measure : str
        By what a rate is too small or too large; an accuracy leaves that to the validation loss.
    window : int
        Over how many steps a loss is averaged: the losses are those of the batches. At most over a third of all.
    scale : {"log", "linear"}
        The axis of the losses.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a rate is not in the sweep or not trained yet, or a named run has more than one learning rate; if no steps
        are left; if ``window`` is no integer of at least 1, or ``scale`` another word.
    """
    window = _checks.whole("window", window, at_least=1)
    if scale not in ("log", "linear"):
        raise ValueError(f"scale must be 'log' or 'linear', got {scale!r}")
    if isinstance(runs, Mapping) and not hasattr(runs, "data_vars"):
        arms, shown = dict(runs), {}
    else:
        runs = runs.sortby("learning_rate")
        kinds, grid = meanings(runs, measure), runs.learning_rate.values
        trained = _trained(runs).any({*runs.failed.dims} - {"learning_rate"}).values
        middle = {kind: [i for i in trained.nonzero()[0] if kinds[i] == kind] for kind in kinds}
        at = [_position(runs, rate) for rate in _checks.sequence("rates", rates)]
        at = [*dict.fromkeys(at)] or [found[len(found) // 2] for found in middle.values() if found]
        digits = next(n for n in range(2, 18) if len({f"{grid[i]:.{n}g}" for i in at}) == len(at))
        arms = {f"{kinds[i]}, {grid[i]:.{digits}g}": runs.isel(learning_rate=i) for i in at}
        shown = dict(zip(arms, _shades([kinds[i] for i in at]), strict=True))
    drawn = {}
    for name, run in arms.items():
        if "learning_rate" in run.loss.dims and run.sizes["learning_rate"] != 1:
            raise ValueError(f"runs[{name!r}] must have one learning rate, got {run.sizes['learning_rate']}")
        if "step" not in run.loss.dims:
            raise ValueError("runs must have several steps, got one: isel(step=[0]) keeps it")
        lanes = [dim for dim in run.loss.dims if dim != "step"]
        trained = _trained(run).transpose(*lanes).values.ravel() if "failed" in run else slice(None)
        losses, applied = (
            np.asarray(part.transpose("step", *lanes), dtype=np.float64).reshape(run.sizes["step"], -1)[:, trained]
            for part in (run.loss, run.applied)
        )
        if not losses.size:
            raise ValueError(f"runs must be trained at every rate that is drawn, got none of {name!r}")
        drawn[name] = *_averaged(run.step.values, losses, window), shown.get(name), run.step.values, applied[:, 0]
    figure, above = _over_rates(drawn)
    means = np.concatenate([means.ravel() for _, means, *_ in drawn.values()])
    if scale == "log":
        _style.logarithmic(
            above, means[np.isfinite(means)], 1e3 * np.nanmax([m[0].max() for _, m, *_ in drawn.values()])
        )
    return figure


@_style.in_style
def compare(results: Mapping, xlabel: str, *, reference: str | None = None) -> Figure:
    """Draw what every arm of an experiment came to: a dot for each seed, a bar at their mean, an arm a row.

    Parameters
    ----------
    results : mapping of str to array_like, shape (seeds,)
        The arms by their names; infinity stands for a run that failed: these are counted below the
        arm's name, and the arm gets no mean.
    xlabel : str
        What was measured.
    reference : str, optional
        The arm whose mean is drawn through all rows.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If ``reference`` is not an arm.
    """
    if reference is not None and reference not in results:
        raise ValueError(f"reference must be one of {list(results)}, got {reference!r}")
    figure, axes = figure_of(0.7 + 0.3 * len(results))
    rows = []
    for row, (name, values) in enumerate(results.items()):
        values = np.asarray(values, dtype=np.float64)
        good, shown = values[np.isfinite(values)], colour(name) or INK
        axes.plot(good, np.full(len(good), row), "o", color=shown, alpha=0.45, markeredgewidth=0)
        if len(good) == len(values):
            axes.plot(good.mean(), row, "|", color=shown, markersize=16, markeredgewidth=2)
            rows.append(name)
        else:
            rows.append(f"{name}\n{len(values) - len(good)} of {len(values)} failed")
    if reference is not None:
        axes.axvline(np.mean(results[reference]), color=PALE, linewidth=1, zorder=0)
    axes.set_yticks(range(len(results)), rows)
    axes.set(xlabel=xlabel, ylim=(len(results) - 0.5, -0.5))
    axes.grid(axis="y", visible=False)
    return figure


def _kept(runs, measure: str):
    """Return a measure of the lanes that are done and did not fail, NaN for the others, and which failed."""
    _check_measure(runs, measure)
    values = runs[measure].transpose("learning_rate", ..., "seed").astype(np.float64)
    # after where both have NaN, of lanes that are not to be drawn
    failed = (runs.failed.astype(bool) | ~np.isfinite(values)).transpose(*values.dims)
    lost = failed & _trained(runs) if "done" in runs else failed
    return values.where(~failed), lost.transpose(*values.dims).values


def _check_measure(runs, measure: str) -> None:
    if measure not in runs or {*runs[measure].dims} != {*runs.failed.dims}:
        ends = ("_loss", "_accuracy")
        known = [n for n, v in runs.data_vars.items() if n.endswith(ends) and {*v.dims} == {*runs.failed.dims}]
        raise ValueError(f"measure must be one of {', '.join(known)}, got {measure!r}")


def _chosen_by(measure: str) -> str:
    """Return the loss that says what a rate is."""
    return measure if measure.endswith("loss") else "validation_loss"


def _trained(runs):
    """Return which lanes are done; of a record that does not say so, all."""
    return runs.done.fillna(False).astype(bool) if "done" in runs else runs.failed.notnull()


def _averaged(steps, losses, window: int):
    """Return the middles of so many steps, and the means of their losses[step, lane] up to the first infinity."""
    pace = int(np.diff(steps[:2]).sum() or 1)  # the record may have every tenth
    pieces = len(steps) // max(1, min(window // pace, len(steps) // 3))
    middles, means = [], []
    for at, piece in zip(np.array_split(steps, pieces), np.array_split(losses, pieces), strict=True):
        known = np.append(np.isfinite(piece).all(axis=1), False).argmin() or 1
        middles.append(at[:known].mean())
        means.append(piece[:known].mean(axis=0))
    return np.array(middles), np.array(means)


def _borders(rates) -> np.ndarray:
    """Return where each rate's cell begins, and where the last ends: half way to the next on a logarithmic axis."""
    grid = np.log10(rates)
    half = np.diff(grid) / 2 if len(grid) > 1 else np.array([0.1])
    return 10.0 ** np.concatenate([grid - np.pad(half, (1, 0), "edge")[: len(grid)], grid[-1:] + half[-1:]])


def _shades(kinds: Sequence[str]) -> list[str]:
    """Return a colour for each of these meanings, lighter ones where a meaning comes again."""
    shades = []
    for i, kind in enumerate(kinds):
        rgb, pale = np.array(mpl.colors.to_rgb(COLOUR[kind])), min(0.4 * kinds[:i].count(kind), 0.6)
        shades.append(mpl.colors.to_hex(rgb + pale * (1 - rgb)).upper())
    return shades


def _position(runs, rate: float) -> int:
    grid = runs.learning_rate.values
    nearest = int(np.abs(grid - rate).argmin())
    if not np.isclose(grid[nearest], rate, rtol=0.01, atol=0):
        raise ValueError(f"rates must be of the sweep, whose nearest is {grid[nearest]:g}, got {rate!r}")
    return nearest


def _horizon(schedule) -> float:
    if boundaries := getattr(schedule, "boundaries", ()):
        return 1.25 * boundaries[-1] + 1
    start = schedule(0)
    for steps in 2.0 ** np.arange(20):
        if not 0.1 * start < schedule(steps) < 10 * start:
            return steps
    return 100.0


def _each(traces: Mapping, shape, what: str) -> None:
    if not traces:
        raise ValueError("traces must have at least one run, got none")
    for name, trace in traces.items():
        if shape is not None and trace.parameters.shape[1:] != shape:
            raise ValueError(f"{what}, traces[{name!r}] has the shape {trace.parameters.shape[1:]}")


def _finite(trace):
    kept = np.isfinite(trace.losses) & (np.abs(trace.losses.astype(np.float64)) < 1e200)
    return trace.parameters[kept], trace.losses[kept]


def _window(traces: Mapping):
    """Return how high the picture is, and the points that lie in it: those below the sky over the highest start."""
    starts = [float(trace.losses[0]) for trace in traces.values()]
    runs = [_finite(trace) for trace in traces.values()]
    low = min(float(losses.min()) for _, losses in runs)
    top = low + SKY * (max(starts) - low)
    return top, np.concatenate([run[losses <= top] for run, losses in runs])


def _last(inside) -> int:
    """Return the last step that ended inside the picture."""
    return len(inside) - 1 - int(inside[::-1].argmax())


def _draw_map(axes, grids, ground, levels: int) -> None:
    depth = ground.min()
    heights = depth + (ground.max() - depth) * np.linspace(0.05, 1, levels) ** 2
    axes.contour(grids[:, 0], grids[:, 1], ground, levels=heights, colors=PALE, linewidths=0.7)
    axes.grid(visible=False)
    row, column = np.unravel_index(ground.argmin(), ground.shape)
    if 0 < row < len(grids) - 1 and 0 < column < len(grids) - 1:
        axes.plot(grids[column, 0], grids[row, 1], "+", color=INK, markersize=9)


def _over_rates(runs: Mapping):
    """Draw {name: (steps, losses, colour, steps, applied)}; return the figure and the panel of the losses."""
    constant = all((applied == applied[0]).all() for *_, applied in runs.values())
    if constant:
        figure, above = figure_of(2.8)
        below = above
    else:
        figure, (above, below) = figure_of(3.9, 2, sharex=True, height_ratios=(2, 1))
    for i, (name, (steps, losses, shown, at, applied)) in enumerate(runs.items()):
        style = {"color": shown or colour(name) or PLAIN[i % len(PLAIN)], "linestyle": "-"}
        named = any(f"{applied[0]:.{digits}g}" in name for digits in range(2, 8))
        label = f"{name} ({applied[0]:.2g})" if constant and not named else name
        if np.ndim(losses) == 2:
            band(above, steps, losses, label=label, **style)
        else:
            finite = np.isfinite(losses) & (np.abs(losses.astype(np.float64)) < 1e200)
            above.plot(steps[finite], losses[finite], label=label, **style)
        if not constant:
            below.step(at, applied, where="post", **style)
    above.set(ylabel="loss")
    below.set(xlabel="step")
    if not constant:
        below.set(ylabel="applied\nlearning rate", ylim=(0, None))
    return _style.with_legend(figure, above, 2), above
