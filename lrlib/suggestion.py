"""What a range test suggests: a rate, how sure it is, and why, or in words why it suggests none.

Two readings of the same curve are here. :func:`suggest` reads where most of the fall is done and the damage has not
begun; :func:`steepest_fall`, where the loss falls fastest, which chapter 4 explains.
"""

from dataclasses import dataclass

import numpy as np

from lrlib import _checks
from lrlib._record import Record

DONE = 0.9  # the share of the fall that is done at the suggested rate
BEGUN, LOST = 0.6, 0.05  # the ends of the interval: so much of the fall is done; so much of it is lost again
DECADES = (0.3, 0.5, 0.7)  # to each side, over which losses are averaged
NOISE = 5.0  # standard errors: a fall or a slope that is smaller may be noise
WIDTHS = (1, 2, 4)  # of the windows in which a slope is sought, until one stands out


@dataclass(frozen=True, eq=False)
class Suggestion(Record):
    """What a range test suggests; ``print(suggestion)`` shows it in words.

    Attributes
    ----------
    learning_rate : float or None
        The rate; None for a refusal.
    low, high : float
        The interval over repeats and smoothing widths; NaN where nothing can be read.
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
        return f"{rate}{interval}: {self.reason}" + (f"; {self.advice}" if self.advice else "")


def suggest(
    rates, losses, steps: int | None = None, factor: float = 100.0, *, momentum: float = 0.0, hold: int = 1
) -> Suggestion:
    r"""Suggest a rate from one range test or several repeats of it, or refuse.

    The repeats are averaged; one that has ended counts as one that has risen as far above its beginning as the lowest
    loss is below it. The curve is smoothed on the axis of :math:`\log \eta`, as far to the left as to the right, by a
    triangle whose half-width is 0.3, 0.5 or 0.7 of a decade, or one and a half times the distance of the rates if that
    is more; each loss counts as the piece of the axis that it stands for. The loss falls from its mean over the first
    tenth of the rates to its lowest value. The suggestion is the rate :math:`\eta` at which nine tenths of this fall
    are done, the middle one of the three widths, times

    .. math:: \frac{1 - \beta}{1 - \beta e^{-g}}, \qquad
        g = \frac{\log(\eta_n / \eta_1)}{\text{hold} \cdot (n - 1)}.

    With a momentum :math:`\beta` every gradient goes on being used, at rates that were lower when it came in: the test
    shows at :math:`\eta` what a training at this lower, constant rate does.

    The interval goes from the lowest rate at which six tenths of the fall are done, to the highest at which a twentieth
    of it is lost again behind the lowest loss, over the three widths, for the average and for every repeat alone.

    Parameters
    ----------
    rates : array_like, shape (n,)
        Positive and rising, evenly spaced or not: those that the test was to try, also where it stopped early.
    losses : array_like, shape (repeats, n) or (n,)
        Raw losses of the batches. What follows the first NaN or infinity of a repeat is left out.
    steps : int, optional
        The number of updates of the training to come, about which ``advice`` then says something.
    factor : float
        The widest interval with which a rate is still suggested, as the ratio of its ends; by default two decades.
    momentum : float
        :math:`\beta`, that of SGD or Adam's ``beta_1``: at least 0 and below 1.
    hold : int
        For how many updates each rate was held; a loss is their mean.

    Returns
    -------
    Suggestion
        It has no rate where fewer than seven are given, or the loss bursts at so few or within the first tenth of them,
        be it of the rate or of an outlier in a batch; where the loss never falls, or by less than its noise, five
        standard errors; where it falls at the first rates already, or has not risen again at the last; where the
        interval is too wide.

    Raises
    ------
    ValueError
        If ``losses`` has not one loss for each rate, or rates are not positive and rising; if ``steps`` or ``hold`` is
        no positive integer, ``factor`` not above 1, or ``momentum`` not between 0 and 1.

    Notes
    -----
    The shares and widths were tuned on half of the settings of this project's study, and the other half was used to
    report, see chapter 14.

    Examples
    --------
    >>> rates = np.geomspace(1e-6, 10, 100)
    >>> losses = 1 / (1 + (rates / 0.01) ** 2) + rates**2
    >>> print(suggest(rates, losses))
    suggestion 0.034 (0.013–0.28): nine tenths of the fall are done there
    >>> print(suggest(rates, losses, factor=10))
    no suggestion (0.013–0.28): the interval is wider than a factor of 10
    >>> print(suggest(rates, np.ones(100)))
    no suggestion: the loss never falls
    """
    rates, losses = _record(rates, losses)
    steps = None if steps is None else _checks.whole("steps", steps, at_least=1)
    hold, factor = _checks.whole("hold", hold, at_least=1), _checks.positive("factor", factor)
    if factor <= 1:
        raise ValueError(f"factor must be above 1, got {factor}")
    momentum = _checks.non_negative("momentum", momentum)
    if momentum >= 1:
        raise ValueError(f"momentum must be below 1, got {momentum}")
    known = np.isfinite(losses).sum(axis=1)
    if len(rates) < 7:
        return _refused("the loss is known at fewer than seven rates")
    if np.median(known) <= max(6, len(rates) // 10):
        return _refused(
            "the loss bursts at the first rates, so begin lower, or take larger batches if single ones differ so much"
        )
    smoothing = [_smoothing(np.log10(rates), decades) for decades in DECADES]
    averaged = [_Curve(rates, losses, weights) for weights in smoothing]
    if reason := next((curve.problem for curve in averaged if curve.problem), None):
        return _refused(reason)
    alone = [_Curve(rates, losses[[i]], weights) for i in range(len(losses)) for weights in smoothing]
    read = averaged + [curve for curve in alone if not curve.problem]
    growth = np.log(rates[-1] / rates[0]) / (len(rates) - 1) / hold
    lag = (1 - momentum) / (1 - momentum * np.exp(-growth))
    rate = float(np.median([curve.fallen(DONE) for curve in averaged]) * lag)
    low = float(min(curve.fallen(BEGUN) for curve in read) * lag)
    high = float(max(curve.risen(LOST) for curve in read) * lag)
    if high > factor * low:
        return _refused(f"the interval is wider than a factor of {factor:g}", low, high)
    advice = "" if steps is None else _advice(rate, steps, growth, len(rates) * hold)
    return Suggestion(rate, low, high, "nine tenths of the fall are done there", advice)


def _refused(reason: str, low: float = np.nan, high: float = np.nan) -> Suggestion:
    return Suggestion(None, low, high, reason)


def _advice(rate: float, steps: int, growth: float, updates: int) -> str:
    """Say what the theory of chapter 4 makes of a training of so many steps."""
    # the rates so far sum up to rate / growth, those of the training to rate * steps
    farther = steps * growth
    if steps < updates:
        return f"the test has {updates} updates and the training only {steps}, so a higher rate may be better"
    return (
        f"{steps} updates with it go {farther:.0f} times as far as the test had come there, and {rate / farther:.2g} "
        f"would go as far: the longer the training and the noisier the data, the more a rate between them may win"
    )


class _Curve:
    """The smoothed losses of some repeats, with what is read from them; ``problem`` says why nothing can be."""

    def __init__(self, rates, losses, weights):
        first = max(1, len(rates) // 10)
        beginning = np.nanmean(losses[:, :first])
        ended = 2 * beginning - np.nanmin(losses)
        self.rates = rates
        self.losses = weights @ np.where(np.isnan(losses), ended, np.minimum(losses, ended)).mean(axis=0)
        self.lowest = int(self.losses.argmin())
        self.beginning = self.losses[:first].mean()
        self.fall = self.beginning - self.losses[self.lowest]
        noise = np.median(
            [_noise(np.log(rates[: len(of)]), of) for row in losses if len(of := row[~np.isnan(row)]) > 2]
        )
        # of the mean of the beginning and of the lowest loss
        shares = np.stack([weights[:first].mean(axis=0), weights[self.lowest]])
        error = noise * np.sqrt((shares**2).sum() / len(losses))
        self.problem = None
        if not self.fall > 1e-9 * abs(self.beginning):
            self.problem = "the loss never falls"
        elif self.fall < NOISE * error:
            self.problem = "the loss never falls by more than its noise"
        elif self.fallen(0.25) <= rates[first]:
            self.problem = "the loss falls at the first rates already, so begin lower"
        elif self.losses[-1] <= self.losses[self.lowest] + LOST * self.fall:
            self.problem = "the loss has not risen again at the last rates, so go on higher"

    def fallen(self, share: float) -> float:
        """Return the rate from which on, up to the lowest loss, this share of the fall is done."""
        before = np.flatnonzero(self.beginning - self.losses[: self.lowest + 1] < share * self.fall)
        return self.rates[min(self.lowest, before[-1] + 1) if len(before) else 0]

    def risen(self, share: float) -> float:
        """Return the first rate behind the lowest loss at which this share of the fall is lost again."""
        return self.rates[
            self.lowest + (self.losses[self.lowest :] > self.losses[self.lowest] + share * self.fall).argmax()
        ]


def _record(rates, losses):
    """Return rates and losses[repeat, rate], NaN from the first that is not finite."""
    rates, losses = np.asarray(rates, dtype=np.float64), np.array(losses, dtype=np.float64, ndmin=2)
    if rates.ndim != 1 or losses.ndim != 2 or losses.shape[1:] != rates.shape or not losses.size:
        raise ValueError(f"losses must have one for each rate, got shapes {rates.shape} and {losses.shape}")
    if not (np.diff(rates, prepend=0) > 0).all():
        raise ValueError(f"rates must be positive and rising, got {rates}")
    losses[np.logical_or.accumulate(~np.isfinite(losses), axis=1)] = np.nan
    return rates, losses


def _smoothing(x, decades: float):
    """Return the weights[i, j] with which the loss at x[j] counts in the smoothed one at x[i]."""
    pieces = np.gradient(x) if len(x) > 1 else np.ones(1)
    widths = np.maximum(decades, 1.5 * pieces)
    weights = np.maximum(0, 1 - np.abs(x[:, None] - x) / widths[:, None]) * pieces
    return weights / weights.sum(axis=1, keepdims=True)


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
    rates, losses = _checks.recorded(rates, losses)
    n = len(losses)
    if n < 7:
        return None, "the loss is known at fewer than seven rates"
    x, narrow = np.log(rates), max(1, n // 20)
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
