"""One schedule after another: joins, and the warmup that leads to a schedule."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from numbers import Real

import numpy as np

from lrlib import _checks
from lrlib.schedules.base import Schedule, as_schedule, of_a_float, settle
from lrlib.schedules.shapes import Ramp

CONVENTIONS = ("t/W", "(t+1)/W", "t/(W-1)")


@dataclass(frozen=True)
class Join(Schedule):
    """Schedules one after the other, each on its own clock from 0: what :func:`join` makes.

    Parameters
    ----------
    schedules : sequence of Schedule, float or callable
        At least one; each is taken by :func:`as_schedule`.
    boundaries : sequence of float
        The first step of each schedule but the first: positive, strictly increasing, one fewer than schedules. A
        boundary that is a whole number but for rounding, as ``0.07 * 100`` is, counts as that number.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or the numbers do not fit.
    """

    schedules: tuple
    boundaries: tuple

    def __post_init__(self):
        schedules = _checks.sequence("schedules", self.schedules, of="schedules")
        schedules = tuple(as_schedule(each, f"schedules[{i}]") for i, each in enumerate(schedules))
        boundaries = _checks.sequence("boundaries", self.boundaries)
        boundaries = tuple(whole_but_for_rounding(f"boundaries[{i}]", b) for i, b in enumerate(boundaries))
        _checks.increasing("boundaries", boundaries)
        if len(schedules) != len(boundaries) + 1:
            raise ValueError(
                f"schedules must be one more than boundaries: {len(boundaries)} boundaries "
                f"need {len(boundaries) + 1} schedules, got {len(schedules)}"
            )
        settle(self, schedules=schedules, boundaries=boundaries)

    def formula(self, step, xp=np):
        if xp is of_a_float:
            piece = bisect_right(self.boundaries, step)
            return self.schedules[piece].formula(step - self.boundaries[piece - 1] if piece else step, xp)
        begins, ends = (0, *self.boundaries), (*self.boundaries, math.inf)
        if xp is np:
            step = np.asarray(step, dtype=np.float64)
            rates, first, last = np.full(step.shape, np.nan), np.min(step, initial=math.inf), np.max(step, initial=0)
            for schedule, begin, end in zip(self.schedules, begins, ends, strict=True):
                if begin <= first and last < end:
                    return schedule.formula(step - begin, xp)
                inside = (step >= begin) & (step < end)
                if inside.any():
                    rates[inside] = schedule.formula(step[inside] - begin, xp)
            return rates
        rate = self.schedules[0].formula(xp.minimum(step, ends[0]), xp)
        for schedule, begin, end in zip(self.schedules[1:], begins[1:], ends[1:], strict=True):
            own_clock = xp.maximum(step - begin, 0.0)
            own_clock = xp.minimum(own_clock, end - begin) if end < math.inf else own_clock
            rate = xp.where(step >= begin, schedule.formula(own_clock, xp), rate)
        return rate

    @property
    def range(self) -> tuple[float, float]:
        lowest, highest = zip(*(schedule.range for schedule in self.schedules), strict=True)
        return min(lowest), max(highest)


def join(schedules, boundaries) -> Schedule:
    """Put schedules one after the other; each runs on its own clock, which begins at 0 at its boundary.

    The boundary belongs to the new schedule: it is the first step at which that is asked, as in optax and PyTorch. (In
    :class:`PiecewiseConstantDecay`, as in Keras, it is the last step of the old value.)

    Parameters
    ----------
    schedules : sequence of Schedule, float or callable
        At least one; each is taken by :func:`as_schedule`.
    boundaries : sequence of float
        The first step of each schedule but the first, positive and strictly increasing.

    Returns
    -------
    Join

    Raises
    ------
    TypeError, ValueError
        If a schedule is none, or the boundaries are not such numbers or not one fewer than the schedules.

    Examples
    --------
    >>> from lrlib.schedules import Constant, LinearDecay
    >>> join([Constant(0.1), LinearDecay(0.1, decay_steps=4)], [2]).planned(7)
    array([0.1  , 0.1  , 0.1  , 0.075, 0.05 , 0.025, 0.   ])
    """
    return Join(schedules, boundaries)


@dataclass(frozen=True)
class Warmup:
    """What :func:`warmup` makes: it waits for the schedule that it leads to, ``warmup(100) >> schedule``."""

    steps: int
    start: float = 0.0
    shape: str | float = "linear"
    convention: str = "t/W"

    def __post_init__(self):
        if not isinstance(self.convention, str) or self.convention not in CONVENTIONS:
            known = ", ".join(map(repr, CONVENTIONS))
            raise ValueError(f"convention must be one of {known}, got {self.convention!r}")
        steps = _checks.whole("steps", self.steps, at_least=2 if self.convention == "t/(W-1)" else 1)
        start = _checks.non_negative("start", self.start)
        settle(self, steps=steps, start=start, shape=Ramp(start, 1.0, steps, self.shape).shape)

    def __rshift__(self, schedule: Schedule) -> Schedule:
        """Lead to a schedule, whose own clock begins at 0 after the warmup."""
        schedule = as_schedule(schedule)
        peak = schedule(0)
        if peak < self.start:
            raise ValueError(f"start must not be above the schedule's first rate, {peak!r}, got {self.start!r}")
        length = self.steps - 1 if self.convention == "t/(W-1)" else self.steps
        up = Ramp(self.start, peak, length, self.shape)
        return Join((up.shift(-1 if self.convention == "(t+1)/W" else 0), schedule), (self.steps,))


def warmup(steps: int, start: float = 0.0, shape: str | float = "linear", convention: str = "t/W") -> Warmup:
    r"""Raise the rate over the first steps: ``warmup(100) >> schedule`` rises to the schedule's first rate.

    .. math::

        \begin{aligned}
        & \eta(t) = \text{anneal}(\eta_a, s(0), x) \text{ for } t < W, \\
        & \eta(t) = s(t - W) \text{ from then on}
        \end{aligned}

    Parameters
    ----------
    steps : int
        The length :math:`W`, at least 1. After so many steps the schedule :math:`s` begins at its own step 0.
    start : float
        The rate :math:`\eta_a` at :math:`x = 0`, at most the schedule's first.
    shape : str or float
        As in :func:`anneal`; ``"exponential"`` needs a positive ``start``.
    convention : str
        What :math:`x` is at step :math:`t`. ``"t/W"``: step 0 has the rate ``start``; if that is 0, as in Keras, optax
        and Hugging Face, it moves nothing. ``"(t+1)/W"``: no step is lost, and step :math:`W - 1` has the full rate.
        ``"t/(W-1)"``, as in DINO: step 0 has the rate ``start``, step :math:`W - 1` the full rate.

    Returns
    -------
    Warmup
        It is no schedule until ``>>`` has led it to one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; at ``>>``, if ``start`` is above the schedule's first rate.

    Examples
    --------
    >>> from lrlib.schedules import Constant
    >>> for convention in ("t/W", "(t+1)/W", "t/(W-1)"):
    ...     print((warmup(4, convention=convention) >> Constant(0.12)).planned(6).round(2))
    [0.   0.03 0.06 0.09 0.12 0.12]
    [0.03 0.06 0.09 0.12 0.12 0.12]
    [0.   0.04 0.08 0.12 0.12 0.12]
    """
    return Warmup(steps, start, shape, convention)


def whole_but_for_rounding(name: str, value: Real) -> int | float:
    """Return a boundary as it is stored: 7 for ``0.07 * 100``."""
    number = _checks.positive(name, value)
    nearest = round(number)
    return nearest if nearest and abs(number - nearest) <= 1e-12 * number else number
