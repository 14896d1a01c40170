"""The pictures of what looks for a learning rate: a range test with what it suggests, and a search above its trainings.

They draw what they are given and measure nothing.
"""

from textwrap import wrap

import numpy as np

from lrlib._modules import from_extra

with from_extra("plot"):
    from matplotlib.figure import Figure

from lrlib import _style, plot
from lrlib._style import COLOUR, INK, PALE, figure_of

LINE = 54  # characters of a title's line
MARGIN = 10.0  # the picture of a search ends at a tenth of its lowest rate, and at ten times its highest


@_style.in_style
def range_test(result, suggestion=None) -> Figure:
    """Draw a range test: every batch, the smoothed repeats, and what they suggest, or why they suggest nothing.

    Dots are the losses of the batches, as they were recorded. The line is the mean of the repeats after smoothing, the
    band their whole range. The smoothing is a mean over a twentieth of the axis of the logarithmic rates to the left
    and as far to the right, so that it moves nothing to larger rates. A suggestion is a line, its interval is shaded.
    The picture ends somewhat above the first losses: what bursts leaves it.

    Parameters
    ----------
    result : RangeTest
        What :func:`lrlib.range_test.range_test` returned. Accuracies are drawn where they were asked for.
    suggestion : Suggestion, optional
        What to mark, by default ``result.suggest()``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If ``suggestion`` is none.
    """
    suggestion = result.suggest() if suggestion is None else suggestion
    if not hasattr(suggestion, "learning_rate"):
        raise TypeError(f"suggestion must be what suggest returned, got {suggestion!r}")
    figure, axes = figure_of(2.9)
    _draw_test(axes, result, suggestion)
    axes.set(xlabel="learning rate")
    _say(axes, "" if suggestion.learning_rate is not None else f"No suggestion: {suggestion.reason}.")
    return _style.with_legend(figure, axes, 3)


@_style.in_style
def found(result) -> Figure:
    """Draw a search: its range test above, its trainings below, on one axis of learning rates.

    Below, a small dot is the validation loss of a training and a large one the mean of a rate, in the colours of
    :func:`lrlib.plot.u_shape`. The valley is shaded, the rate that was chosen is in a ring, and the bar through it
    goes over all rates that cannot be told from it.

    Parameters
    ----------
    result : FoundRate
        What :func:`lrlib.find_rate.find_rate` returned. Where it found no rate, the picture says why and has no ring;
        where no rate came through without a failed run, the range test stands alone.

    Returns
    -------
    matplotlib.figure.Figure
    """
    chosen, runs = result.learning_rate, result.runs
    if chosen is None and not _can_be_drawn(runs):
        figure, above = figure_of(2.9)
        _draw_test(above, result.range_test, None)
        above.set(xlabel="learning rate")
        _say(above, f"No learning rate: {result.reason}.")
        return figure
    figure, (above, below) = figure_of(4.6, 2, sharex=True, height_ratios=(2, 3))
    _draw_test(above, result.range_test, None)
    plot.draw_u(below, runs, "validation_loss", best=chosen, ring=chosen is not None)
    if chosen is None:
        _say(above, f"No learning rate: {result.reason}.")
    else:
        height = float(runs.validation_loss.sel(learning_rate=chosen, method="nearest").mean("seed"))
        below.plot([result.low, result.high], [height, height], "|-", color=INK, markersize=11, linewidth=1.2)
        above.axvline(chosen, color=INK, linestyle="-", linewidth=1, zorder=0)
    rates, tested = runs.learning_rate.values, result.range_test.rates
    below.set(xlim=(max(rates.min() / MARGIN, tested.min()), min(rates.max() * MARGIN, max(tested.max(), rates.max()))))
    return _style.with_legend(figure, below, 3)


def _draw_test(axes, result, suggestion) -> None:
    """Draw a range test into a panel, and what it suggests if that is given."""
    rates, name = np.asarray(result.rates, dtype=np.float64), "loss"
    measured = result.losses
    if result.accuracies is not None:
        measured, name = result.accuracies, "accuracy"
    measured = np.atleast_2d(np.asarray(measured, dtype=np.float64))
    for repeat in measured:
        axes.plot(rates, repeat, ".", color=PALE, markersize=3, alpha=0.7, markeredgewidth=0)
    smooth = np.array([_smooth(np.log(rates), repeat) for repeat in measured])
    axes.plot([], [], ".", color=PALE, label="batches")
    _style.band(axes, rates, smooth.T, color=INK, linestyle="-", label="smoothed")
    if suggestion is not None and suggestion.high > 0:
        sure = suggestion.learning_rate is not None
        shown = {"color": COLOUR["right"], "alpha": 0.2} if sure else {"color": PALE, "alpha": 0.25}
        axes.axvspan(suggestion.low, suggestion.high, linewidth=0, **shown)
        if sure:
            rate = suggestion.learning_rate
            axes.axvline(rate, color=COLOUR["right"], linestyle="-", label=f"suggestion, {rate:.2g}")
    start = measured[:, : max(1, len(rates) // 10)]
    low, high = np.nanmin(measured), np.nanmax(np.where(np.isfinite(start), start, np.nan))
    room = max(high - low, 0.1 * abs(high)) or 1.0
    axes.set(xscale="log", ylabel=name)
    if name == "loss":
        axes.set(ylim=(low - 0.05 * room, high + 0.3 * room))


def _smooth(x, values) -> np.ndarray:
    """Return the mean of what lies in a window round each place of ``x``, as far to its left as to its right."""
    reach = np.minimum((x[-1] - x[0]) / 20, np.minimum(x - x[0], x[-1] - x))
    inside = np.abs(x - x[:, None]) <= reach[:, None] + 1e-9
    known = np.cumsum(~np.isfinite(values)) == 0  # up to the end of the repeat
    inside &= known
    sums = (inside * np.where(known, values, 0)).sum(axis=1)
    return np.where(known, sums / np.maximum(inside.sum(axis=1), 1), np.nan)


def _can_be_drawn(runs) -> bool:
    """Return whether some rate of the trainings has a mean, so that there is a U to draw."""
    if runs is None:
        return False
    try:
        plot.meanings(runs)
    except ValueError:
        return False
    return True


def _say(axes, words: str) -> None:
    """Write a sentence above a panel, where it has one."""
    if words:
        axes.set_title("\n".join(wrap(words, LINE)), loc="left", fontsize=9)
