"""Every picture in the book, in one style and one palette, in which a colour means the same everywhere.

Each function returns a matplotlib figure that a notebook shows when it is a cell's last expression. Figures are as wide
as a phone's column and transparent; the site recolours them for dark mode. Under every loss stands the rate that was
applied: as a panel of its own where it changed, in the legend where it did not.
"""

import functools
import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from lrlib.schedules import as_schedule

COLOUR = {  # tests/test_plot.py asks whether colour-blind readers can tell them apart, in light and in dark
    "too small": "#1D5FAF",
    "right": "#2CA387",
    "too large": "#CC8A00",
    "failed": "#8C1C13",
    "constant": "#444444",
    "step": "#4A62F5",
    "exponential": "#C2247F",
    "inverse-time": "#7A5200",
    "linear": "#14A0BE",
    "late": "#3B1785",
}
INK, PALE = "#222222", "#9A9A9A"
PLAIN = ("#2E3440", "#9C8468", "#6B7A8F", "#7D5A74")  # muted: what has no meaning of its own
WIDTH = 4.4  # inches; at 100 dots an inch this is the column of a phone

STYLE = {
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=PLAIN) + mpl.cycler(linestyle=("-", "--", "-.", ":")),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "figure.facecolor": "none",
    "figure.figsize": (WIDTH, 2.8),
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "none",
    "svg.hashsalt": "lrlib",
}
VALLEY = 1.1  # a rate whose loss is within a tenth of the lowest is a right one
SKY = 1.5  # a picture of a run is this many times as high as the highest start


def _in_style(draw):
    """Draw in the book's style and leave the reader's own alone."""

    @functools.wraps(draw)
    def styled(*arguments, **named):
        with mpl.rc_context(STYLE):
            return draw(*arguments, **named)

    return styled


def use_style(format: str = "svg") -> None:
    """Set the book's style; in a notebook also choose the format of the figures.

    Parameters
    ----------
    format : {"svg", "png"}
        SVG for what is computed in closed form: the same bytes at every run, with a PNG beside it for viewers that show
        no SVG of others. PNG alone, with two dots for each of the page's, where something was trained.

    Raises
    ------
    ValueError
        If ``format`` is another.

    Examples
    --------
    >>> use_style("gif")
    Traceback (most recent call last):
        ...
    ValueError: format must be 'svg' or 'png', got 'gif'
    """
    if format not in ("svg", "png"):
        raise ValueError(f"format must be 'svg' or 'png', got {format!r}")
    mpl.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        if format == "svg":
            set_matplotlib_formats("svg", "retina", bbox_inches=None, metadata={"Date": None})
        else:
            set_matplotlib_formats("retina", bbox_inches=None, metadata={"Software": None})


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text, the same at every call.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        One that this module drew, or any other.

    Returns
    -------
    str
        The file's text.
    """
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def colour(name: str) -> str | None:
    """Return the colour of what a name means, by which every function here draws a run.

    Parameters
    ----------
    name : str
        A key of ``COLOUR``, or a name that begins with one: ``"too large, 1.1"``, ``"step: halved"``.

    Returns
    -------
    str or None
        The colour; None for a name without a meaning, which is drawn in one of the muted ``PLAIN`` colours.

    Examples
    --------
    >>> colour("too large, 1.1") == COLOUR["too large"]
    True
    >>> print(colour("steps of ten"), colour("Adam"))
    None None
    """
    for meaning in COLOUR:
        if name == meaning or name.startswith(meaning) and not name[len(meaning)].isalnum():
            return COLOUR[meaning]
    return None


@_in_style
def figure_of(height: float = 2.8, rows: int = 1, columns: int = 1, **how):
    """Return an empty figure in the book's style, as wide as all others, and its axes.

    Parameters
    ----------
    height : float
        In inches.
    rows, columns : int
        The panels; more than two columns are too small for a phone.
    **how
        As for ``Figure.subplots``: ``sharex``, ``height_ratios``, …

    Returns
    -------
    matplotlib.figure.Figure, matplotlib.axes.Axes or an array of them

    Raises
    ------
    ValueError
        If there are more than two columns.
    """
    if columns > 2:
        raise ValueError(f"columns must be 1 or 2, got {columns!r}")
    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.subplots(rows, columns, **how)


@_in_style
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
        axes.plot(at, schedule(at), label=label or None, **_look(label))
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    if labels:
        axes.legend()
    return figure


@_in_style
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

    figure, panels = _panels(len(traces), 2.3, sharey=True)
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


@_in_style
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
    figure, panels = _panels(count, float(np.clip(panel * shape, 1.2, 3.4)) + 0.4, sharex=True, sharey=True)
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
        _with_legend(figure, panels[0], 2)
    figure.supxlabel(names[0], size="medium")
    figure.supylabel(names[1], size="medium")
    return figure


@_in_style
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
    runs = {name: (np.arange(len(t.losses)), t.losses, None, t.applied) for name, t in traces.items()}
    figure, above = _over_rates(runs)
    losses = np.concatenate([trace.losses.astype(np.float64) for trace in traces.values()])
    highest = 1e3 * max(abs(float(trace.losses[0])) for trace in traces.values())
    _logarithmic(above, losses[np.isfinite(losses)], highest)
    return figure


def band(axes, x, values, **line_style) -> None:
    """Draw the mean over the seeds as a line and their whole range as a band.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    x : array_like, shape (n,)
        The horizontal positions.
    values : array_like, shape (n, seeds)
        What each seed gave there. Where one is not finite the mean and the band have a gap.
    **line_style
        How to draw the line, as for ``Axes.plot``; ``label`` is its name in the legend, which also gives its colour if
        it is one of the palette's.
    """
    values = np.asarray(values, dtype=np.float64)
    values = np.where(np.isfinite(values).all(axis=-1, keepdims=True), values, np.nan)
    line_style = {**_look(str(line_style.get("label", ""))), **line_style}
    (line,) = axes.plot(x, values.mean(axis=-1), **line_style)
    low, high = values.min(axis=-1), values.max(axis=-1)
    axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def meanings(runs, measure: str = "validation_loss") -> list[str]:
    """Return for each learning rate of a sweep whether it is too small, right, too large or failed.

    Right are those whose mean over the seeds lies within a tenth of the lowest mean. What lies left of the lowest is
    too small, what lies right of it too large, and failed if it failed with half of the seeds or more.

    Parameters
    ----------
    runs : xarray.Dataset
        What ``lrlib.sweep.sweep`` returned.
    measure : str
        A loss of it.

    Returns
    -------
    list of str
        Keys of ``COLOUR``.

    Raises
    ------
    ValueError
        If no rate has a finite mean.
    """
    values = np.where(runs.failed, np.inf, runs[measure].transpose("learning_rate", "seed"))
    means = np.where(np.isfinite(values), values, np.inf).mean(axis=1)
    if not np.isfinite(means).any():
        raise ValueError(f"runs must have a learning rate with which no run failed, got none in {measure}")
    best, rates = int(means.argmin()), runs.learning_rate.values
    found = []
    for rate, mean, failed in zip(rates, means, runs.failed.mean("seed").values, strict=True):
        if mean <= VALLEY * means[best]:
            found.append("right")
        elif rate < rates[best]:
            found.append("too small")
        else:
            found.append("failed" if failed >= 0.5 else "too large")
    return found


@_in_style
def u_shape(runs, measure: str = "validation_loss", rates: Sequence[float] = ()) -> Figure:
    """Draw a sweep's result against the learning rate: the U, each rate in the colour of what it is.

    Points are means over the runs that did not fail, bars their range. A cross at the top edge is a rate with which a
    run failed. The line joins the rates with which none did.

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
    of_loss = measure.endswith("loss")
    kinds = meanings(runs, measure if of_loss else "validation_loss")
    values = runs[measure].transpose("learning_rate", "seed").values.astype(np.float64)
    failed = runs.failed.transpose("learning_rate", "seed").values | ~np.isfinite(values)
    kept, grid = np.where(failed, np.nan, values), runs.learning_rate.values
    at = [_position(runs, rate) for rate in rates]
    marked = dict(zip(at, _shades([kinds[i] for i in at]), strict=True))
    axes.plot(
        grid[whole := ~failed.any(axis=1)], kept[whole].mean(axis=1), color=PALE, linestyle="-", linewidth=1, zorder=1
    )
    for i, (rate, kind) in enumerate(zip(grid, kinds, strict=True)):
        look = {"color": marked.get(i, COLOUR[kind]), "markersize": 9 if i in marked else 5, "elinewidth": 1.5}
        if len(good := kept[i][np.isfinite(kept[i])]):
            axes.errorbar(rate, good.mean(), np.abs([[good.min()], [good.max()]] - good.mean()), fmt="o", **look)
    crosses = grid[failed.any(axis=1) & (np.array(kinds) != "too small")]
    for kind in dict.fromkeys(kinds):
        if kind != "failed":
            axes.plot([], [], "o", color=COLOUR[kind], label=kind)
    if len(crosses):
        look = {"linestyle": "", "marker": "x", "color": COLOUR["failed"], "label": "failed runs"}
        axes.plot(crosses, np.full(len(crosses), 0.94), transform=axes.get_xaxis_transform(), **look)
    axes.set(xscale="log", xlabel="learning rate", ylabel=measure.replace("_", " "))
    axes.set_yscale("log" if of_loss else "linear")
    return _with_legend(figure, axes, 4)


@_in_style
def curves(
    runs, rates: Sequence[float] = (), *, measure: str = "validation_loss", window: int = 10, scale: str = "log"
) -> Figure:
    """Draw losses over the steps, the mean of the seeds in their range, over the rate that was applied.

    With ``rates`` these are runs of one sweep, in the colours that :func:`u_shape` gives these rates; without, runs by
    their names, which give the colours.

    Parameters
    ----------
    runs : xarray.Dataset or mapping of str to xarray.Dataset
        What ``lrlib.sweep.sweep`` returned; or several of them, each with one learning rate left.
    rates : sequence of float
        Which rates of the sweep to draw.
    measure : str
        By what a rate is too small or too large.
    window : int
        Over how many steps a loss is averaged: the losses are those of the batches.
    scale : {"log", "linear"}
        The axis of the losses.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If a rate is not in the sweep, or a named run has more than one learning rate.
    """
    if isinstance(runs, Mapping) and not hasattr(runs, "data_vars"):
        arms, shown = dict(runs), {}
    else:
        kinds = meanings(runs, measure)
        at = [_position(runs, rate) for rate in rates]
        arms = {f"{kinds[i]}, {runs.learning_rate.values[i]:.2g}": runs.isel(learning_rate=i) for i in at}
        shown = dict(zip(arms, _shades([kinds[i] for i in at]), strict=True))
    drawn = {}
    for name, run in arms.items():
        if "learning_rate" in run.loss.dims and run.sizes["learning_rate"] != 1:
            raise ValueError(f"runs[{name!r}] must have one learning rate, got {run.sizes['learning_rate']}")
        losses, applied = (
            np.asarray(part.transpose("step", ...), dtype=np.float64).reshape(run.sizes["step"], -1)
            for part in (run.loss, run.applied)
        )
        whole = len(losses) // window * window
        means = losses[:whole].reshape(-1, window, losses.shape[-1]).mean(axis=1)
        drawn[name] = np.arange(len(means)) * window + (window - 1) / 2, means, shown.get(name), applied[:, 0]
    figure, above = _over_rates(drawn)
    means = np.concatenate([means.ravel() for _, means, *_ in drawn.values()])
    if scale == "log":
        _logarithmic(above, means[np.isfinite(means)], 1e3 * np.nanmax([m[0].max() for _, m, *_ in drawn.values()]))
    return figure


@_in_style
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


def _panels(count: int, height: float, **how):
    """Return a figure with so many panels, two in a row, each ``height`` high, and the panels."""
    columns = min(2, count)
    rows = -(-count // columns)
    figure, panels = figure_of(height * rows + 0.3, rows, columns, squeeze=False, **how)
    for axes in panels.flat[count:]:
        axes.remove()
    return figure, list(panels.flat[:count])


def _look(name: str) -> dict:
    """Return how to draw what has a meaning; nothing, so as the style's cycle has it, for what has none."""
    shown = colour(name)
    return {"color": shown, "linestyle": "-"} if shown else {}


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
    if not np.isclose(grid[nearest], rate, rtol=0.01):
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


def _with_legend(figure, axes, columns: int):
    tight = {"handletextpad": 0.3, "columnspacing": 1.0, "handlelength": 1.4}
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=columns, **tight)
    return figure


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
    """Draw {name: (steps, losses, colour, applied)}; return the figure and the panel of the losses."""
    constant = all((applied == applied[0]).all() for *_, applied in runs.values())
    if constant:
        figure, above = figure_of(2.8)
        below = above
    else:
        figure, (above, below) = figure_of(3.9, 2, sharex=True, height_ratios=(2, 1))
    for i, (name, (steps, losses, shown, applied)) in enumerate(runs.items()):
        style = {"color": shown or colour(name) or PLAIN[i % len(PLAIN)], "linestyle": "-"}
        label = f"{name} ({applied[0]:.2g})" if constant and f"{applied[0]:.2g}" not in name else name
        if np.ndim(losses) == 2:
            band(above, steps, losses, label=label, **style)
        else:
            finite = np.isfinite(losses) & (np.abs(losses.astype(np.float64)) < 1e200)
            above.plot(steps[finite], losses[finite], label=label, **style)
        if not constant:
            below.step(np.arange(len(applied)), applied, where="post", **style)
    above.set(ylabel="loss")
    below.set(xlabel="step")
    if not constant:
        below.set(ylabel="applied\nlearning rate", ylim=(0, None))
    return _with_legend(figure, above, 2), above


def _logarithmic(axes, losses, top: float) -> None:
    """Make the axis of the losses logarithmic where they are positive; a runaway run must not squash the others."""
    axes.set_yscale("log")
    if (losses <= 0).any():
        sizes = np.abs(losses[losses != 0])
        near = 10.0 ** np.floor(np.log10(max(sizes.min(initial=1.0), 1e-6 * sizes.max(initial=1.0))))
        axes.set_yscale("symlog", linthresh=near)
        axes.set_ylabel(f"loss (linear below {near:g})")
    if losses.max(initial=0) > top > 0:
        axes.set_ylim(top=top)
