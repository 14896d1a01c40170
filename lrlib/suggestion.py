"""What a range test suggests: a rate, how sure it is, and why, or in words why it suggests none."""

from dataclasses import dataclass

import numpy as np

NOISE = 5.0  # standard errors: a slope that is less steep may be noise
WIDTHS = (1, 2, 4)  # of the windows in which a slope is sought, until one stands out


@dataclass(frozen=True)
class Suggestion:
    """What a range test suggests; ``print(suggestion)`` shows it in one line.

    Attributes
    ----------
    learning_rate : float or None
        The rate; None for a refusal.
    low, high : float
        The interval over repeats and smoothing widths; NaN where there is none.
    reason : str
        Why this rate, or why none.
    advice : str
        What the length of the training to come has to do with it; empty if that was not given.
    """

    learning_rate: float | None
    low: float
    high: float
    reason: str
    advice: str = ""

    def __str__(self):
        rate = "no suggestion" if self.learning_rate is None else f"suggestion {self.learning_rate:.2g}"
        interval = f" ({self.low:.2g}–{self.high:.2g})" if self.high > 0 else ""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{rate}{interval}: {self.reason}{advice}"


def suggest(rates, losses, steps: int | None = None, factor: float = 10.0) -> Suggestion:
    """Suggest a rate from one range test or several repeats of it, or refuse.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Positive and rising, evenly spaced or not.
    losses : array_like, shape (repeats, n) or (n,)
        Raw losses of the batches. What follows the first NaN or infinity of a repeat is left out.
    steps : int, optional
        The number of updates of the training to come.
    factor : float
        The widest interval with which a rate is still suggested, as the ratio of its ends.

    Returns
    -------
    Suggestion

    Raises
    ------
    ValueError
        If ``losses`` has not a loss for each rate, the rates are not positive and rising, ``steps`` is no positive
        integer, or ``factor`` is not above 1.

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> print(suggest(rates, 1 / (1 + 100 * rates)))
    suggestion 0.01 (0.01–0.01): the loss falls fastest there
    """
    losses = np.atleast_2d(np.asarray(losses, dtype=np.float64))
    found = [steepest_fall(rates, of_repeat) for of_repeat in losses]
    answers = [rate for rate, _ in found if rate is not None]
    if not answers:
        return Suggestion(None, np.nan, np.nan, found[0][1])
    low, middle, high = (float(value) for value in np.exp(np.quantile(np.log(answers), [0, 0.5, 1])))
    if high > factor * low:
        return Suggestion(None, low, high, f"the interval is wider than a factor of {factor:g}")
    return Suggestion(middle, low, high, "the loss falls fastest there")


def steepest_fall(rates, losses) -> tuple[float | None, str]:
    r"""Return the rate at which the loss falls fastest on the axis of :math:`\log \eta`, or None, and the reason.

    A line is fitted to every window of neighbouring losses. It reaches as far to the left as to the right, a twentieth
    of the test each way: a mean over past losses alone would move the answer to larger rates. A slope counts if it is
    five of its standard errors below zero; if none is, windows twice and four times as wide are tried. Only the part
    before the lowest smoothed loss counts.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Positive and rising, evenly spaced or not.
    losses : array_like, shape (n,)
        What follows the first NaN or infinity is left out.

    Returns
    -------
    suggestion : float or None
        One of ``rates``. None if there are fewer than seven losses, if no slope stands out from the noise, or if the
        steepest place is so near the first rate, or the last while the loss still falls, that it may lie outside.
    reason : str
        In a few words.

    Raises
    ------
    ValueError
        If the two differ in length, or the rates are not positive and rising.

    Notes
    -----
    The standard error of a slope is made from the larger of two estimates of the noise of a single loss: how far the
    window's losses lie from their line, and the median distance of all losses from the line between their neighbours.
    Where nothing is there, an answer comes in about one of a hundred tests.

    Examples
    --------
    >>> rates = np.geomspace(1e-4, 1, 41)
    >>> suggestion, reason = steepest_fall(rates, 1 / (1 + 100 * rates))
    >>> print(round(suggestion, 4), reason)
    0.01 the loss falls fastest there
    >>> steepest_fall(rates, np.ones(41))
    (None, 'the loss never falls by more than its noise')
    """
    rates, losses = np.asarray(rates, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(f"rates and losses must be equally long, got shapes {rates.shape} and {losses.shape}")
    if not (np.diff(rates, prepend=0) > 0).all():
        raise ValueError(f"rates must be positive and rising, got {rates}")
    n = int(np.append(np.isfinite(losses), False).argmin())
    if n < 7:
        return None, "the loss is known at fewer than seven rates"
    x, losses, narrow = np.log(rates[:n]), losses[:n], max(1, n // 20)
    smooth = [losses[max(0, i - narrow) : i + narrow + 1].mean() for i in range(n)]
    lowest, noise = int(np.argmin(smooth)), _noise(x, losses)
    for reach in (width * narrow for width in WIDTHS if 2 * width * narrow + 5 <= n):
        slopes, errors = _lines(x, losses, reach, noise)
        slopes = np.where(slopes < -NOISE * errors, slopes, 0)[: max(0, lowest + 1 - reach)]
        if not slopes.any():
            continue
        steepest = reach + int(slopes.argmin())
        # a window nearer to an end would reach beyond it
        if steepest <= reach + 1:
            return None, "the loss falls fastest at the first rates, so begin lower"
        if steepest >= n - 2 - reach and lowest >= n - 1 - narrow:
            return None, "the loss falls fastest at the last rates, so go on higher"
        middle = x[steepest - reach : steepest + reach + 1].mean()
        return float(rates[np.abs(x - middle).argmin()]), "the loss falls fastest there"
    return None, "the loss never falls by more than its noise"


def _noise(x, losses) -> float:
    """Return the standard deviation of a single loss, from its distance to the line between its neighbours."""
    left = (x[2:] - x[1:-1]) / (x[2:] - x[:-2])
    off = losses[1:-1] - left * losses[:-2] - (1 - left) * losses[2:]
    # hardly anything of the curve is in there, and in the median nothing of its bends and jumps
    return float(np.median(np.abs(off) / np.sqrt(1 + left**2 + (1 - left) ** 2)) / 0.6745)


def _lines(x, losses, reach: int, noise: float):
    """Fit a line to each window of 2 reach + 1 losses; return the slopes and their standard errors."""
    x, losses = (np.lib.stride_tricks.sliding_window_view(values, 2 * reach + 1) for values in (x, losses))
    x, losses = x - x.mean(axis=1, keepdims=True), losses - losses.mean(axis=1, keepdims=True)
    squares = (x**2).sum(axis=1)
    slopes = (x * losses).sum(axis=1) / squares
    off = losses - slopes[:, None] * x
    deviation = np.sqrt((off**2).sum(axis=1) / (2 * reach - 1))
    return slopes, np.maximum(deviation, noise) / np.sqrt(squares)
