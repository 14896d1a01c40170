"""The look of every picture: one style, and one palette in which a colour means the same everywhere."""

import functools
import io
import os
import sys

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

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
    "cosine": "#BA806C",
    "root": "#004500",
    "square": "#31A700",
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


def in_style(draw):
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
        no SVG of others. PNG alone, with two dots for each of the page's, where something was trained. Where the
        environment variable ``LRLIB_FIGURES`` is ``svg``, every figure is SVG and nothing else: so the site, which is
        compared with nothing, has light drawings that are sharp at any size.

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
        _show_figures_as(format)


def _show_figures_as(format: str) -> None:
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    formats = ["svg", "retina"] if format == "svg" else ["retina"]
    if os.environ.get("LRLIB_FIGURES") == "svg":
        formats = ["svg"]
    unwritten = "Date" if "svg" in formats else "Software"
    set_matplotlib_formats(*formats, bbox_inches=None, metadata={unwritten: None})


def _let_notebooks_show_figures() -> None:
    """Let a notebook show figures as pictures where nothing does yet: else pyplot would have to be imported."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if hasattr(shell, "kernel"):
        writers = shell.display_formatter.formatters
        if not any(Figure in writers[kind].type_printers for kind in ("image/png", "image/svg+xml", "image/jpeg")):
            _show_figures_as("png")


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


@in_style
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
    _let_notebooks_show_figures()
    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.subplots(rows, columns, **how)


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
    line_style = {**look(str(line_style.get("label", ""))), **line_style}
    (line,) = axes.plot(x, values.mean(axis=-1), **line_style)
    known = np.pad(np.isfinite(values[..., 0]), 1)
    if (alone := known[1:-1] & ~known[:-2] & ~known[2:]).any():  # which no line joins to another
        axes.plot(np.asarray(x)[alone], values[alone].mean(axis=-1), ".", color=line.get_color())
    low, high = values.min(axis=-1), values.max(axis=-1)
    axes.fill_between(x, low, high, color=line.get_color(), alpha=0.2, linewidth=0)


def panels_of(count: int, height: float, **how):
    """Return a figure with so many panels, two in a row, each ``height`` high, and the panels."""
    columns = min(2, count)
    rows = -(-count // columns)
    figure, panels = figure_of(height * rows + 0.3, rows, columns, squeeze=False, **how)
    for axes in panels.flat[count:]:
        axes.remove()
    return figure, list(panels.flat[:count])


def look(name: str) -> dict:
    """Return how to draw what has a meaning; nothing, so as the style's cycle has it, for what has none."""
    shown = colour(name)
    return {"color": shown, "linestyle": "-"} if shown else {}


def with_legend(figure, axes, columns: int):
    tight = {"handletextpad": 0.3, "columnspacing": 1.0, "handlelength": 1.4}
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=columns, **tight)
    return figure


def label_the_rates(axes, grid) -> None:
    """Label some rates of an axis with at most one power of ten, on which matplotlib labels all, one over another."""
    low, high = np.log10(axes.get_xlim())
    if np.floor(high) > np.ceil(low):
        return
    powers = 10.0 ** np.arange(np.floor(low), np.ceil(high))
    at = [rate for rate in np.outer(powers, [1, 2, 5]).ravel() if low <= np.log10(rate) <= high]
    at = at if len(at) > 1 else np.unique(grid[[0, len(grid) // 2, -1]])
    axes.set_xticks(at, [f"{rate:.3g}" for rate in at])
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())


def logarithmic(axes, losses, top: float) -> None:
    """Make the axis of the losses logarithmic where they are positive; a runaway run must not squash the others."""
    if not (losses <= 0).any():
        axes.set_yscale("log")
    else:
        sizes = np.abs(losses[losses != 0])
        near = 10.0 ** np.floor(np.log10(max(sizes.min(initial=1.0), 1e-6 * sizes.max(initial=1.0))))
        axes.set_yscale("symlog", linthresh=near)
        axes.set_ylabel(f"loss (linear below {near:g})")
    if losses.max(initial=0) > top > 0:
        axes.set_ylim(top=top)
