"""Claims that seeds must support: paired tests at a stated level, which two identical arms fail."""

from dataclasses import dataclass
from math import ceil, comb, log2
from statistics import NormalDist
from textwrap import wrap

import numpy as np

from lrlib import _checks
from lrlib._modules import from_extra
from lrlib._record import Record

SEEDS = 5  # fewer of them support nothing
POWER = 0.8  # how often the advised number of seeds would show a difference of the size seen
WIDTH = 44  # characters of a printed line, as many as a telephone shows

_made = []  # the claims of this process that held


@dataclass(frozen=True, eq=False)
class Claim(Record):
    """The record of a claim that holds; ``print(claim)`` shows it in lines of at most 44 characters.

    Attributes
    ----------
    sentence : str
        What was claimed.
    difference : float
        The mean of ``b - a`` over the seeds, in the unit of the results; infinite if a run failed.
    standard_error : float
        Its standard error, from the spread over the seeds; NaN if the difference is not finite.
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
        lines = wrap(f"{self.sentence}:", WIDTH)
        for part in _evidence(self):
            if lines[-1].startswith("  ") and len(lines[-1]) + len(part) + 2 <= WIDTH:
                lines[-1] += f", {part}"
            else:
                lines.append(f"  {part}")
        return "\n".join(lines)


def claim(a, b, sentence: str, level: float = 0.01) -> Claim:
    r"""Assert that one arm of an experiment comes out below the other, seed by seed.

    With :math:`d_i = b_i - a_i` for the same seed in both arms, Student's one-sided test asks how often luck alone
    would bring a mean so far above its spread:

    .. math:: T = \frac{\bar d}{s_d / \sqrt n}, \qquad p = P(t_{n-1} \ge T) \le \text{level}, \qquad n \ge 5.

    If the differences are normally distributed, luck passes such a claim exactly as often as the level says. One seed
    that is far off widens the spread, so it can hide a difference but not feign one. That all seeds agree is not
    enough: with five seeds a coin does that in 3 % of cases.

    Where a run failed there is no mean, and where every seed gave the same difference no spread. There the sign test
    takes its place: ``p`` is then the chance that a fair coin agrees as often, :math:`2^{-n}` if all seeds agree.
    Two arms that are identical fail. To claim that something is larger, put it second.

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
        If there are fewer than five seeds, the arms do not pair, a result is NaN, the sentence is empty, or the level
        is out of range.

    Notes
    -----
    The number of seeds that the message advises is the usual approximation to the power of a one-sided t test,
    :math:`n \approx (z_\text{level} + z_{0.8})^2 s_d^2 / \bar d^2 + z_\text{level}^2 / 2`. The
    difference seen may be larger than the true one, so take the number as the least.

    References
    ----------
    Student (1908). The probable error of a mean. *Biometrika* 6, 1-25.

    Guenther, W. C. (1981). Sample size formulas for normal theory t tests. *The American Statistician* 35, 243-244.

    Examples
    --------
    >>> print(claim([0.1, 0.2, 0.1, 0.3, 0.2], [0.3, 0.3, 0.2, 0.5, 0.4], "decay beats a constant rate"))
    decay beats a constant rate:
      by 0.16 ± 0.024, 5 of 5 seeds, p = 0.0014
    >>> claim([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], "an arm beats itself")
    Traceback (most recent call last):
        ...
    AssertionError: not shown: an arm beats itself:
      by 0 ± 0, 0 of 5 seeds, p = 1
      No number of seeds will show it: there is no such difference.
    """
    sentence, level = _sentence(sentence), _level(level)
    a, b = _pair(a, b)
    difference, error = _mean_and_error(a, b)
    agree, seeds = int((a < b).sum()), len(a)
    p = _p(difference, error, seeds) if error > 0 else _p_of_signs(agree, seeds)
    return _kept(Claim(sentence, difference, error, agree, seeds, p, level))


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
      0.002 ± 0.0049, margin ±0.03, p = 0.0023
    """
    sentence, level, margin = _sentence(sentence), _level(level), _checks.positive("margin", margin)
    a, b = _pair(a, b)
    difference, error = _mean_and_error(a, b)
    if np.isfinite(difference):
        p = max(_p(margin - difference, error, len(a)), _p(margin + difference, error, len(a)))
    else:
        p = 1.0
    return _kept(Claim(sentence, difference, error, int((a < b).sum()), len(a), p, level, margin))


def claims_made() -> tuple[Claim, ...]:
    """Return the claims that have held in this process, in order."""
    return tuple(_made)


def _kept(record: Claim) -> Claim:
    """Note a claim that holds, and raise one that does not."""
    if record.p > record.level:
        raise AssertionError(f"not shown: {record}\n  {_advice(record)}")
    _made.append(record)
    return record


def _sentence(sentence) -> str:
    if not isinstance(sentence, str) or not sentence.strip():
        raise ValueError(f"sentence must say what is claimed, got {sentence!r}")
    return sentence


def _pair(a, b) -> tuple[np.ndarray, np.ndarray]:
    for name, arm in (("a", a), ("b", b)):
        if tuple(getattr(arm, "dims", ("seed",))) != ("seed",):
            raise ValueError(f"{name} must have the dimension 'seed' alone, got {', '.join(arm.dims) or 'none'}")
    if hasattr(a, "coords") and hasattr(b, "coords") and a["seed"].values.tolist() != b["seed"].values.tolist():
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
    if not 0 < _checks.finite("level", level) < 0.5:
        raise ValueError(f"level must be above 0 and below 0.5, got {level!r}")
    return float(level)


def _mean_and_error(a, b) -> tuple[float, float]:
    """Return the mean of ``b - a`` and its standard error; 0 for a spread that is rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        d = b - a
        mean, spread = float(d.mean()), float(d.std(ddof=1))
        if spread <= 4 * np.finfo(np.float64).eps * max(np.abs(a).max(), np.abs(b).max()):
            spread = 0.0
        return mean, spread / len(d) ** 0.5


def _p(difference: float, error: float, seeds: int) -> float:
    """Return how often Student's t is at least ``difference / error``."""
    with from_extra("claims"):
        from scipy.special import stdtr

    if error == 0:  # every seed gave the same
        return 0.0 if difference > 0 else 1.0
    return float(stdtr(seeds - 1, -difference / error))


def _p_of_signs(agree: int, seeds: int) -> float:
    """Return how often a fair coin falls on one side at least so many times."""
    return sum(comb(seeds, k) for k in range(agree, seeds + 1)) / 2**seeds


def _evidence(record: Claim) -> list[str]:
    mean, seeds = f"{record.difference:.2g} ± {record.standard_error:.2g}", f"{record.agree} of {record.seeds} seeds"
    # of a small p one digit will do, and a very small one depends on the tails of the normal distribution
    p = f"p = {record.p:.{2 if record.p > 0.001 else 1}g}" if record.p >= 1e-6 else "p < 1e-06"
    if record.margin is not None:
        return [mean, f"margin ±{record.margin:g}", p]
    return [f"by {mean}", seeds, p] if np.isfinite(record.difference) else [seeds, p]


def _advice(record: Claim) -> str:
    quantile = NormalDist().inv_cdf
    of_level, spread = -quantile(record.level), record.standard_error * record.seeds**0.5
    if not np.isfinite(record.difference):
        if record.margin is not None:
            return "A run failed, so there is no mean difference."
        return f"A run failed, so signs are counted: at least {ceil(-log2(record.level))} seeds must all agree."
    if record.margin is None and spread == 0 < record.difference:
        return f"The differences have no spread, so signs are counted: it takes {ceil(-log2(record.level))} seeds."
    if record.margin is None:
        room, of_power = record.difference, quantile(POWER)
    else:
        # both tests must succeed, so each may fail half as often
        room, of_power = record.margin - abs(record.difference), quantile((1 + POWER) / 2)
    if room <= 0:
        why = "there is no such difference" if record.margin is None else "the difference is not within the margin"
        return f"No number of seeds will show it: {why}."
    # Student's t has wider tails than the normal distribution, which the last term makes good
    needed = ((of_level + of_power) * spread / room) ** 2 + of_level**2 / 2
    return f"To show a difference of this size and spread takes about {max(SEEDS, ceil(needed))} seeds."
