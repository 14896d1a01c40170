"""Claims that seeds must support: paired tests at a stated level, which two identical arms fail."""

from dataclasses import dataclass
from math import ceil, comb
from statistics import NormalDist

import numpy as np

from lrlib import _checks

SEEDS = 5  # fewer of them support nothing
POWER = 0.8  # how often the advised number of seeds would show a difference of the size seen

_made = []  # the claims of this process that held


@dataclass(frozen=True)
class Claim:
    """The record of a claim that holds; ``print(claim)`` shows it.

    Attributes
    ----------
    sentence : str
        What was claimed.
    difference : float
        The mean of ``b - a`` over the seeds, in the unit of the results; infinite if a run failed.
    standard_error : float
        Its standard error; NaN if the difference is not finite.
    agree, seeds : int
        In how many of how many seeds ``a`` is below ``b``.
    p : float
        How often luck would do as well if nothing were there.
    level : float
        The bar: the claim holds if ``p`` is not above it.
    margin : float or None
        For :func:`claim_within`, the largest difference that would count as none.
    """

    sentence: str
    difference: float
    standard_error: float
    agree: int
    seeds: int
    p: float
    level: float
    margin: float | None = None

    def __str__(self):
        return f"{self.sentence}:\n  {_evidence(self)}"


def claim(a, b, sentence: str, level: float = 0.01) -> Claim:
    r"""Assert that one arm of an experiment comes out below the other, seed by seed.

    With :math:`d_i = b_i - a_i` for the same seed in both arms, Student's one-sided test asks how often luck alone
    would bring a mean so far above its spread:

    .. math:: T = \frac{\bar d}{s_d / \sqrt n}, \qquad p = P(t_{n-1} \ge T) \le \text{level}, \qquad n \ge 5.

    Where a run failed there is no mean, and the sign test takes its place: ``p`` is then the chance that a fair coin
    agrees as often, :math:`2^{-n}` if all seeds agree. Two arms that are identical fail. To claim that something is
    larger, put it second.

    Parameters
    ----------
    a, b : array_like, shape (seeds,)
        The result of each seed, the smaller arm first, in the same order. Infinity stands for a run that failed. If
        both are xarray's, their seeds must be the same.
    sentence : str
        What is claimed.
    level : float
        How often luck may pass where nothing is there, above 0 and below 0.5.

    Returns
    -------
    Claim
        The record.

    Raises
    ------
    AssertionError
        If the claim does not hold. The message says how many seeds a difference of this size and spread would need
        to be shown in four of five attempts.
    ValueError
        If there are fewer than five seeds, the arms do not pair, a result is NaN, or the level is out of range.

    References
    ----------
    Student (1908). The probable error of a mean. *Biometrika* 6, 1-25.

    Examples
    --------
    >>> print(claim([0.1, 0.2, 0.1, 0.3, 0.2], [0.3, 0.3, 0.2, 0.5, 0.4], "decay beats a constant rate"))
    decay beats a constant rate:
      by 0.16 ± 0.024, 5 of 5 seeds, p = 0.0014
    >>> claim([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], "an arm beats itself")
    Traceback (most recent call last):
        ...
    AssertionError: not shown: an arm beats itself:
      by 0 ± 0, 0 of 5 seeds, p = 1; no number of seeds will show it, there is no such difference
    """
    a, b = _pair(a, b)
    level = _level(level)
    difference, error = _mean_and_error(a, b)
    agree, seeds = int((a < b).sum()), len(a)
    p = _p(difference, error, seeds) if np.isfinite(difference) else _p_of_signs(agree, seeds)
    record = Claim(sentence, difference, error, agree, seeds, p, level)
    if p > level:
        raise AssertionError(f"not shown: {record}; {_advice(record)}")
    _made.append(record)
    return record


def claim_within(a, b, sentence: str, margin: float, level: float = 0.01) -> Claim:
    r"""Assert that two arms of an experiment differ by no more than a margin, seed by seed.

    That a difference was not found shows nothing; this does. Two one-sided tests must both succeed: one that the mean
    difference lies above ``-margin``, one that it lies below ``margin``.

    .. math:: p = \max\left(P\!\left(t_{n-1} \ge \frac{\bar d + m}{s_d / \sqrt n}\right),
        P\!\left(t_{n-1} \ge \frac{m - \bar d}{s_d / \sqrt n}\right)\right) \le \text{level}

    Parameters
    ----------
    a, b : array_like, shape (seeds,)
        As for :func:`claim`.
    sentence : str
        What is claimed.
    margin : float
        The largest difference that counts as none, positive, in the unit of the results. Name it before you look.
    level : float
        As for :func:`claim`.

    Returns
    -------
    Claim
        The record.

    Raises
    ------
    AssertionError
        If the claim does not hold, also where a run failed.
    ValueError
        As for :func:`claim`, and if ``margin`` is not positive and finite.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for assessing
    the equivalence of average bioavailability. *Journal of Pharmacokinetics and Biopharmaceutics* 15, 657-680.

    Examples
    --------
    >>> print(claim_within([0.91, 0.92, 0.90, 0.93, 0.91], [0.92, 0.91, 0.91, 0.92, 0.92], "no gap", margin=0.03))
    no gap:
      within ±0.03: 0.002 ± 0.0049, p = 0.0023
    """
    a, b = _pair(a, b)
    level, margin = _level(level), _checks.positive("margin", margin)
    difference, error = _mean_and_error(a, b)
    if np.isfinite(difference):
        p = max(_p(margin - difference, error, len(a)), _p(margin + difference, error, len(a)))
    else:
        p = 1.0
    record = Claim(sentence, difference, error, int((a < b).sum()), len(a), p, level, margin)
    if p > level:
        raise AssertionError(f"not shown: {record}")
    _made.append(record)
    return record


def claims_made() -> tuple[Claim, ...]:
    """Return the claims that have held in this process, in order."""
    return tuple(_made)


def _pair(a, b) -> tuple[np.ndarray, np.ndarray]:
    for name, arm in (("a", a), ("b", b)):
        if getattr(arm, "dims", ("seed",)) != ("seed",):
            raise ValueError(f"{name} must have the dimension 'seed' alone, got {', '.join(arm.dims) or 'none'}")
    if hasattr(a, "coords") and hasattr(b, "coords") and a.seed.values.tolist() != b.seed.values.tolist():
        raise ValueError("a and b must have the same seeds in the same order")
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a and b must have one result for each seed, got shapes {a.shape} and {b.shape}")
    if len(a) < SEEDS:
        raise ValueError(f"a and b must have at least {SEEDS} seeds, got {len(a)}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a and b must not be NaN: give infinity for a run that failed")
    return a, b


def _level(level) -> float:
    if not 0 < level < 0.5:
        raise ValueError(f"level must be above 0 and below 0.5, got {level!r}")
    return float(level)


def _mean_and_error(a, b) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):
        d = b - a
        return float(d.mean()), float(d.std(ddof=1) / len(d) ** 0.5)


def _p(difference: float, error: float, seeds: int) -> float:
    """Return how often Student's t is at least ``difference / error``."""
    from scipy.special import stdtr

    if error == 0:  # every seed gave the same
        return 0.0 if difference > 0 else 1.0
    return float(stdtr(seeds - 1, -difference / error))


def _p_of_signs(agree: int, seeds: int) -> float:
    """Return how often a fair coin falls on one side at least so many times."""
    return sum(comb(seeds, k) for k in range(agree, seeds + 1)) / 2**seeds


def _evidence(record: Claim) -> str:
    mean, p = f"{record.difference:.2g} ± {record.standard_error:.2g}", f"p = {record.p:.2g}"
    if record.margin is not None:
        return f"within ±{record.margin:g}: {mean}, {p}"
    seeds = f"{record.agree} of {record.seeds} seeds"
    return f"by {mean}, {seeds}, {p}" if np.isfinite(record.difference) else f"{seeds}, {p}"


def _advice(record: Claim) -> str:
    if not np.isfinite(record.difference):
        return "a run failed, so seeds are counted and not measured"
    if record.difference <= 0:
        return "no number of seeds will show it, there is no such difference"
    spread = record.standard_error * record.seeds**0.5
    quantiles = NormalDist().inv_cdf(1 - record.level) + NormalDist().inv_cdf(POWER)
    needed = (quantiles * spread / record.difference) ** 2
    needed += NormalDist().inv_cdf(1 - record.level) ** 2 / 2  # Student's t has wider tails than the normal
    return f"a difference of this size and spread needs about {max(SEEDS, ceil(needed))} seeds"
