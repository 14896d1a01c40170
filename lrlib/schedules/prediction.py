"""What a schedule says of a run before it is made: its rates in a few numbers, and what theory promises of them.

The functions here are given schedules. Under their names in ``lrlib.schedules`` they take what ``as_schedule`` takes.
"""

import math
from dataclasses import dataclass

import numpy as np

from lrlib import _checks

_FAR = 2.0**40  # steps; what falls until there is taken to fall for ever
_BLOCK = 2**16  # steps that are looked at at a time


@dataclass(frozen=True, repr=False)
class Plan:
    """What :func:`plan` foresees of a run; it prints itself.

    Attributes
    ----------
    steps : int
        The updates of the run.
    first, last : float
        The rates of the first and of the last update.
    peak : float
        The highest rate of the run.
    peak_step : int
        The first step that has it, but for rounding.
    floor : float
        The lowest rate that the schedule ever gives from its peak on, also after the run.
    reaches_floor : bool
        Whether an update of the run has the floor's rate.
    wastes_first : bool
        Whether step 0 has rate 0, in a run that moves later.
    travel : float
        The sum of the rates.
    thirds : tuple of float
        The shares of the travel in the three thirds of the run; where nothing moves, zeros.
    mean : float
        The mean rate.
    """

    steps: int
    first: float
    peak: float
    peak_step: int
    last: float
    floor: float
    reaches_floor: bool
    wastes_first: bool
    travel: float
    thirds: tuple[float, float, float]
    mean: float

    def __repr__(self):
        remarks = {
            "first": "step 0 moves nothing" if self.wastes_first else "at step 0",
            "peak": f"at step {self.peak_step}",
            "last": f"at step {self.steps - 1}",
            "floor": "reached" if self.reaches_floor else "not reached",
            "mean": "",
            "travel": "the sum of the rates",
        }
        lines = [f"{name:<7} {getattr(self, name):<10.4g} {remark}".rstrip() for name, remark in remarks.items()]
        thirds = " ".join(f"{share:.0%}" for share in self.thirds)
        return "\n".join([f"a run of {self.steps} updates", *lines, f"thirds  {thirds} of the travel"])


@dataclass(frozen=True, repr=False)
class Difference:
    """What :func:`diff` finds between two schedules; it prints itself.

    Attributes
    ----------
    steps : int
        The updates of the run.
    first_step : int or None
        The first step at which the rates differ; None where none does.
    first_rates : tuple of float or None
        The two rates there.
    gap : float
        The largest difference, 0.0 where there is none.
    gap_step : int or None
        The first step that has it, but for rounding.
    """

    steps: int
    first_step: int | None
    first_rates: tuple[float, float] | None
    gap: float
    gap_step: int | None

    def __repr__(self):
        if self.first_step is None:
            return f"the same in {self.steps} updates"
        a, b = self.first_rates
        return (
            f"first at step {self.first_step}: {a:.4g}, {b:.4g}\n"
            f"most by {self.gap:.4g}, at step {self.gap_step}\n"
            f"in {self.steps} updates"
        )


def plan(schedule, steps: int) -> Plan:
    """Foresee a run of ``steps`` updates: where it starts, peaks and ends, and how far it can go.

    Most schedules that fall to a floor reach it at the step *after* their last: ``CosineDecay(0.1, 100)`` would be at
    0 at step 100, and the last of 100 updates is that of step 99. A warmup that starts at 0 wastes an update.

    Parameters
    ----------
    schedule : Schedule, float or callable
        Whose run it is; it is taken by :func:`as_schedule`.
    steps : int
        The number of updates, at least 1.

    Returns
    -------
    Plan

    Raises
    ------
    TypeError, ValueError
        If ``schedule`` is none, or ``steps`` is not an integer of at least 1.
    OverflowError
        If the sum of the rates is too large for a float64.

    Examples
    --------
    >>> from lrlib.schedules import StepDecay
    >>> plan(StepDecay(0.1, decay_steps=5, decay_rate=0.5), 12)
    a run of 12 updates
    first   0.1        at step 0
    peak    0.1        at step 0
    last    0.025      at step 11
    floor   0          not reached
    mean    0.06667
    travel  0.8        the sum of the rates
    thirds  50% 31% 19% of the travel
    """
    rates = schedule.planned(steps)
    total, peak_step = _sum(schedule, rates), _first_highest(rates)
    thirds = [float(third.sum()) / (total or 1.0) for third in np.array_split(rates, 3)]
    floor = _floor(schedule, rates, peak_step)
    return Plan(
        steps=len(rates),
        first=float(rates[0]),
        peak=float(rates.max()),
        peak_step=peak_step,
        last=float(rates[-1]),
        floor=floor,
        reaches_floor=bool((rates[peak_step:] <= floor).any()),
        wastes_first=bool(rates[0] == 0 < rates[peak_step]),
        travel=total,
        thirds=tuple(thirds),
        mean=total / len(rates),
    )


def _first_highest(values: np.ndarray) -> int:
    return int((values >= (1 - 1e-12) * values.max()).argmax())


def _floor(schedule, rates: np.ndarray, peak_step: int) -> float:
    """Return the lowest rate from the peak on: of the run, of as long a time after it, and of steps far away."""
    lowest, steps = rates[peak_step:].min(), len(rates)
    near = np.arange(steps, steps + min(steps, _BLOCK))
    far = np.geomspace(2 * steps, max(4 * steps, _FAR), 400).round()
    try:
        after, away = schedule(near), schedule(far)
        lowest, changes = min(lowest, after.min(), away.min()), np.diff(away[-20:])
        falls = (changes < 0).all()  # for ever
        if changes.any() and not falls:  # it comes down again and again: how far, where it is lowest?
            first, *_, last = far[max(0, away.argmin() - 1) :][:3]
            lowest = min(lowest, schedule(np.linspace(first, last, 2**12).round()).min())
            falls = lowest - schedule.range[0] < 1e-6 * rates.max()
        if falls:
            lowest = min(lowest, schedule.range[0])
    except Exception:  # a rate that outgrows float64, or a function of the reader's own that ends with the run
        pass
    return float(lowest)


def travel(schedule, steps: int) -> float:
    r"""Return the sum of the rates of a run: how far its weights can go under gradients of length 1.

    .. math:: \sum_{t=0}^{n-1} \eta(t)

    Parameters
    ----------
    schedule : Schedule, float or callable
        Whose run it is; it is taken by :func:`as_schedule`.
    steps : int
        The number :math:`n` of updates, at least 1.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If ``schedule`` is none, or ``steps`` is not an integer of at least 1.
    OverflowError
        If the sum is too large for a float64.

    Examples
    --------
    >>> from lrlib.schedules import StepDecay
    >>> travel(StepDecay(1, decay_steps=2, decay_rate=0.5), 6)
    3.5
    """
    return _sum(schedule, schedule.planned(steps))


def _sum(schedule, rates: np.ndarray) -> float:
    with np.errstate(over="ignore"):
        total = float(rates.sum())
    if total == math.inf:
        raise OverflowError(f"the sum of {len(rates)} rates of {schedule!r} is too large for a float64")
    return total


def when(schedule, below: float, within: int = 1_000_000) -> int | None:
    """Return the first step whose rate is below a value.

    A rate may rise again, so every step is looked at, in blocks.

    Parameters
    ----------
    schedule : Schedule, float or callable
        Whose run it is; it is taken by :func:`as_schedule`.
    below : float
        The value, positive; a rate that equals it is not below it.
    within : int
        How many steps are looked at, from step 0 on, at least 1.

    Returns
    -------
    int or None
        None where no rate of the first ``within`` steps is below the value.

    Raises
    ------
    TypeError, ValueError
        If ``schedule`` is none, ``below`` is not a positive, finite number, or ``within`` not an integer of at least 1.

    Examples
    --------
    >>> from lrlib.schedules import StepDecay
    >>> when(StepDecay(0.1, decay_steps=5, decay_rate=0.5), below=0.05)
    10
    """
    below, within = _checks.positive("below", below), _checks.whole("within", within, at_least=1)
    if schedule.range[0] >= below:
        return None
    start, size = 0, 1
    while start < within:
        steps = np.arange(start, min(start + size, within))
        try:
            low = schedule(steps) < below
        except Exception:  # a later step of the block may have no rate
            if size == 1:
                raise
            size = 1
            continue
        if low.any():
            return int(steps[low.argmax()])
        start, size = start + len(steps), min(2 * size, _BLOCK)
    return None


def diff(a, b, steps: int, tolerance: float = 1e-12) -> Difference:
    """Compare the rates of two schedules in a run.

    Parameters
    ----------
    a, b : Schedule, float or callable
        What to compare; each is taken by :func:`as_schedule`, another framework's function of the step too.
    steps : int
        The number of updates, at least 1.
    tolerance : float
        What counts as rounding: differences up to this part of the highest rate of both. 0 compares to the bit.

    Returns
    -------
    Difference

    Raises
    ------
    TypeError, ValueError
        If ``a`` or ``b`` is no schedule, ``steps`` not an integer of at least 1, or ``tolerance`` negative or no finite
        number.

    Examples
    --------
    >>> from lrlib.schedules import PiecewiseConstantDecay, StepDecay
    >>> at_five = StepDecay(0.1, decay_steps=5, decay_rate=0.1)
    >>> diff(at_five, PiecewiseConstantDecay([5], [0.1, 0.01]), 9)
    first at step 5: 0.01, 0.1
    most by 0.09, at step 5
    in 9 updates
    """
    tolerance = _checks.non_negative("tolerance", tolerance)
    one, other = a.planned(steps), b.planned(steps)
    gaps = abs(one - other)
    differ = gaps > tolerance * max(one.max(), other.max())
    if not differ.any():
        return Difference(len(one), None, None, 0.0, None)
    first, most = int(differ.argmax()), _first_highest(gaps)
    return Difference(len(one), first, (float(one[first]), float(other[first])), float(gaps[most]), most)


def bound(schedule, steps: int, tuned: bool = True) -> float:
    r"""Return what convex theory promises of the loss at the end of a run with these rates.

    For a convex loss whose gradients are never longer than :math:`G`, from weights at a distance :math:`D` of the best
    ones, the expected loss at the last step of :math:`n` is above the lowest by at most

    .. math::

        \begin{aligned}
        & \frac{D^2}{2 \sum_t \eta_t} + \frac{G^2}{2} \left( \frac{\sum_t \eta_t^2}{\sum_t \eta_t} + R \right), \\
        & R = \sum_{k=0}^{n-2} \frac{\eta_k}{\sum_{t>k} \eta_t} \cdot
        \frac{\sum_{t \ge k} \eta_t^2}{\sum_{t \ge k} \eta_t}
        \end{aligned}

    Here :math:`D = G = 1`. The first term, the way to go, falls as the rates grow, and the second, the noise, grows
    with them. So there is a best multiple of the schedule, with which the bound is
    :math:`2 \sqrt{\text{way} \cdot \text{noise}}`. It depends on the schedule's shape alone.

    Parameters
    ----------
    schedule : Schedule, float or callable
        Whose run it is; it is taken by :func:`as_schedule`.
    steps : int
        The number :math:`n` of updates, at least 1.
    tuned : bool
        True: of the best multiple of the schedule. False: of the rates as they are.

    Returns
    -------
    float
        Infinite where every rate is 0. Steps at the end whose rate is 0 move nothing and do not count.

    Raises
    ------
    TypeError, ValueError
        If ``schedule`` is none, ``steps`` is not an integer of at least 1, or ``tuned`` is not a bool.

    References
    ----------
    Defazio et al. (2023): https://arxiv.org/abs/2310.07831; Schaipp et al. (2025), theorem 1:
    https://arxiv.org/abs/2501.18965

    Examples
    --------
    >>> from lrlib.schedules import Constant, LinearDecay
    >>> [round(bound(schedule, 400) * 400**0.5, 2) for schedule in (Constant(0.1), LinearDecay(0.1, 400))]
    [2.75, 2.01]
    """
    rates, tuned = schedule.planned(steps), _checks.flag("tuned", tuned)
    peak = float(rates.max())
    if peak == 0:
        return math.inf
    rates = rates / peak  # so that no square leaves the floats
    rates = rates[: np.flatnonzero(rates)[-1] + 1]
    to_go, squares = (np.cumsum(each[::-1])[::-1] for each in (rates, rates * rates))
    with np.errstate(over="ignore"):
        tails = rates[:-1] / to_go[1:] * (squares[:-1] / to_go[:-1])
        way, noise = 0.5 / float(to_go[0]), 0.5 * float(squares[0] / to_go[0] + tails.sum())
        return 2 * math.sqrt(way * noise) if tuned else float(np.float64(way) / peak + noise * peak)
