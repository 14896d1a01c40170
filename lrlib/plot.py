"""Every picture in the book, in one style; under every loss stands the rate that was applied.

Each function returns a matplotlib figure that a notebook shows when it is a cell's last expression.
"""

import io
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from lrlib.descent import Trace
from lrlib.schedules import Schedule

# Okabe and Ito's colours, which stay apart for colour-blind readers
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

STYLE = {
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 100,
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "lrlib",
}


def use_style() -> None:
    """Set the book's style; in a notebook also make figures SVG, the same bytes at every run."""
    mpl.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
    except ImportError:
        return
    if get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG text, the same at every call."""
    text = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return text.getvalue()


def schedules(*schedules: Schedule, steps: float | None = None, labels=()) -> Figure:
    """Draw the rate of one or several schedules against the step.

    Parameters
    ----------
    *schedules : Schedule
        What to draw.
    steps : float, optional
        How far to draw; by default to where every rate has fallen to a tenth or reached its last value.
    labels : sequence of str
        A name for each schedule, in the legend.

    Returns
    -------
    matplotlib.figure.Figure
    """
    steps = max(map(_horizon, schedules)) if steps is None else steps
    at = np.linspace(0, steps, 1001)
    figure, axes = _figure(5, 2.4)
    for schedule, label in zip(schedules, labels or [None] * len(schedules), strict=True):
        axes.plot(at, schedule(at), label=label)
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    if labels:
        axes.legend()
    return figure


def path(objective, traces: Mapping[str, Trace]) -> Figure:
    """Draw runs on an objective of one parameter, each over the curve in a panel of its own, two in a row.

    Parameters
    ----------
    objective : callable
        The objective that the runs descended on.
    traces : mapping of str to Trace
        The runs by their names; parameters that are not finite are left out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    finite = [np.isfinite(trace.losses) for trace in traces.values()]
    points = [trace.parameters[kept] for trace, kept in zip(traces.values(), finite, strict=True)]
    heights = [trace.losses[kept] for trace, kept in zip(traces.values(), finite, strict=True)]
    reach = [w for run in points for w in run[: _until_it_escapes(run)]]
    margin = 0.1 * (max(reach) - min(reach))
    curve = np.linspace(min(reach) - margin, max(reach) + margin, 201)
    ground = [objective(w) for w in curve]

    columns = min(2, len(traces))
    rows = -(-len(traces) // columns)
    figure, panels = _figure(2.9 * columns, 2.6 * rows, rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(traces) :]:
        axes.remove()
    for axes, name, run, losses in zip(panels.flat, traces, points, heights, strict=False):
        axes.plot(curve, ground, color="0.6")
        axes.plot(run, losses, "o-", markersize=4, linewidth=1)
        axes.plot(run[0], losses[0], "o", color=COLOURS[1])
        axes.set(title=name, xlim=(curve[0], curve[-1]), ylim=(-0.05 * max(ground), max(ground)))
    figure.supxlabel("w", size="medium")
    figure.supylabel("loss", size="medium")
    return figure


def loss_and_rate(traces: Mapping[str, Trace]) -> Figure:
    """Draw the loss of one or several runs on a logarithmic axis and, below it, the rate that each applied.

    Parameters
    ----------
    traces : mapping of str to Trace
        The runs by their names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, (above, below) = _figure(5.5, 4.2, rows=2, sharex=True, height_ratios=(2, 1))
    for name, trace in traces.items():
        drawn = (trace.losses > 0) & (trace.losses.astype(float) < 1e200)  # beyond, matplotlib's margins overflow
        above.semilogy(np.arange(len(trace.losses))[drawn], trace.losses[drawn], label=name)
        below.step(trace.steps, trace.applied, where="post")
    above.set(ylabel="loss")
    below.set(xlabel="step", ylabel="applied\nlearning rate", ylim=(0, None))
    above.legend()
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
        What each seed gave there.
    **line_style
        How to draw the line, as for ``Axes.plot``; ``label`` is its name in the legend.
    """
    values = np.asarray(values)
    (line,) = axes.plot(x, values.mean(axis=-1), **line_style)
    low, high = values.min(axis=-1), values.max(axis=-1)
    axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def _figure(width: float, height: float, rows=1, columns=1, **how):
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, **how)


def _horizon(schedule: Schedule) -> float:
    if boundaries := getattr(schedule, "boundaries", ()):
        return 1.25 * boundaries[-1] + 1
    start = schedule(0)
    for steps in 2.0 ** np.arange(20):
        if not 0.1 * start < schedule(steps) < 10 * start:
            return steps
    return 100.0


def _until_it_escapes(run) -> int:
    """Return how many points of a run to show: a run that flies away would flatten the curve."""
    outside = np.abs(run - run[0]) > 4 * max(np.abs(np.diff(run[:2])).max(initial=0), 1e-12) + np.abs(run[0])
    return int(outside.argmax()) if outside.any() else len(run)
