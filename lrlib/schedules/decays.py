"""Decays: tables, stairs, and curves that fall for ever."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lrlib import _checks
from lrlib.schedules.base import Schedule, of_a_float, power, settle, stairs


@dataclass(frozen=True)
class PiecewiseConstantDecay(Schedule):
    r"""A table of rates: ``values[0]`` up to and at the first boundary, then ``values[1]``, and so on.

    .. math:: \eta(t) = v_k, \qquad k = \text{the number of boundaries } b \text{ with } b < t

    As in Keras a boundary is the *last* step of the piece before it, so the first step that a boundary 5
    changes is step 6. (In optax and PyTorch it is step 5.)

    Parameters
    ----------
    boundaries : sequence of int
        Steps, at least 0 and below 2**53, strictly increasing.
    values : sequence of float
        One rate more than there are boundaries, each finite and not negative.

    Raises
    ------
    TypeError, ValueError
        If a boundary is not an integer, is negative, repeated or out of order; if a value is not a finite,
        non-negative number; if there are too few or too many values.

    References
    ----------
    Keras: https://keras.io/api/optimizers/learning_rate_schedules/piecewise_constant_decay/

    Examples
    --------
    >>> schedule = PiecewiseConstantDecay([5, 8], [1.0, 0.5, 0.1])
    >>> schedule([5, 6, 8, 9])
    array([1. , 0.5, 0.5, 0.1])
    """

    boundaries: Sequence[int]
    values: Sequence[float]

    def __post_init__(self):
        boundaries = _checks.sequence("boundaries", self.boundaries)
        values = _checks.sequence("values", self.values)
        boundaries = tuple(_checks.whole(f"boundaries[{i}]", b, at_least=0) for i, b in enumerate(boundaries))
        if boundaries and max(boundaries) >= 2**53:
            raise ValueError(f"boundaries must be below 2**53, to be exact in float64, got {max(boundaries)}")
        values = tuple(_checks.non_negative(f"values[{i}]", v) for i, v in enumerate(values))
        _checks.increasing("boundaries", boundaries)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"values must have one entry more than boundaries: {len(boundaries)} boundaries "
                f"need {len(boundaries) + 1} values, got {len(values)}"
            )
        settle(self, boundaries=boundaries, values=values)

    def formula(self, step, xp=np):
        if xp is of_a_float:
            return self.values[bisect_left(self.boundaries, step)]
        boundaries, values = np.array(self.boundaries, dtype=np.float64), np.array(self.values)
        if xp is np:
            return values[boundaries.searchsorted(step)]
        return xp.take(values, xp.sum(boundaries < xp.expand_dims(step, -1), axis=-1))

    @property
    def range(self) -> tuple[float, float]:
        return min(self.values), max(self.values)


@dataclass(frozen=True)
class _Decay(Schedule):
    """The three numbers that every decay has; ``decay_rate`` above 1 makes the rate grow."""

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float

    def __post_init__(self):
        settle(
            self,
            initial_learning_rate=_checks.positive("initial_learning_rate", self.initial_learning_rate),
            decay_steps=_checks.positive("decay_steps", self.decay_steps),
            decay_rate=_checks.positive("decay_rate", self.decay_rate),
        )

    @property
    def range(self) -> tuple[float, float]:
        if self.decay_rate > 1:
            return self.initial_learning_rate, math.inf
        return self.initial_learning_rate if self.decay_rate == 1 else 0.0, self.initial_learning_rate


@dataclass(frozen=True)
class _Staircase(_Decay):
    """A decay whose clock, ``step / decay_steps``, may be rounded down to whole stairs."""

    staircase: bool = False

    def __post_init__(self):
        super().__post_init__()
        settle(self, staircase=_checks.flag("staircase", self.staircase))

    def _clock(self, step, xp):
        return stairs(step, self.decay_steps, xp) if self.staircase else step / self.decay_steps


@dataclass(frozen=True)
class StepDecay(_Decay):
    r"""Multiply the rate by ``decay_rate`` once every ``decay_steps`` steps.

    .. math:: \eta(t) = \eta_0 \, r^{\lfloor t / T \rfloor}

    It is :class:`ExponentialDecay` on a staircase, under the name that the field gives it.

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The length :math:`T` of a stair in steps, positive and finite. The first lower rate is that of step :math:`T`.
    decay_rate : float
        The factor :math:`r` from one stair to the next, positive and finite.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a positive, finite number.

    Examples
    --------
    >>> StepDecay(1, decay_steps=5, decay_rate=0.5)([4, 5, 10])
    array([1.  , 0.5 , 0.25])
    """

    def formula(self, step, xp=np):
        return self.initial_learning_rate * power(self.decay_rate, stairs(step, self.decay_steps, xp), xp)


@dataclass(frozen=True)
class ExponentialDecay(_Staircase):
    r"""Multiply the rate by ``decay_rate`` over every ``decay_steps`` steps, smoothly or in stairs.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_0 \, r^{t / T}, \\
        & \text{staircase: } \eta(t) = \eta_0 \, r^{\lfloor t / T \rfloor}
        \end{aligned}

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite. An integer acts as a float.
    decay_steps : float
        The steps :math:`T` over which the rate falls by one factor, positive and finite.
    decay_rate : float
        The factor :math:`r`, positive and finite.
    staircase : bool
        Whether the exponent is rounded down, so that the rate falls only every :math:`T` steps.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive and finite, or ``staircase`` is not a bool.

    References
    ----------
    Keras: https://keras.io/api/optimizers/learning_rate_schedules/exponential_decay/

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)([9, 10])
    array([0.1 , 0.05])
    """

    def formula(self, step, xp=np):
        clock = self._clock(step, xp)
        factor = power(self.decay_rate, clock, xp) if self.staircase else self.decay_rate**clock
        return self.initial_learning_rate * factor


@dataclass(frozen=True)
class InverseTimeDecay(_Staircase):
    r"""Divide the rate by a number that grows with the step.

    .. math::

        \begin{aligned}
        & \eta(t) = \frac{\eta_0}{1 + r \, t / T}, \\
        & \text{staircase: } \eta(t) = \frac{\eta_0}{1 + r \lfloor t / T \rfloor}
        \end{aligned}

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The unit :math:`T` of time in steps, positive and finite.
    decay_rate : float
        How much the divisor gains in every :math:`T` steps, positive and finite. With 1 the rate is halved at step
        :math:`T`.
    staircase : bool
        Whether time is rounded down to whole multiples of :math:`T`.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive and finite, or ``staircase`` is not a bool.

    References
    ----------
    Keras: https://keras.io/api/optimizers/learning_rate_schedules/inverse_time_decay/

    Examples
    --------
    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1)([0, 10, 30])
    array([0.1  , 0.05 , 0.025])
    """

    def formula(self, step, xp=np):
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._clock(step, xp))

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, self.initial_learning_rate


@dataclass(frozen=True)
class NaturalExponentialDecay(_Staircase):
    r"""Let the rate fall by a share ``decay_rate`` of itself in every ``decay_steps`` steps, at every instant anew.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_0 \, e^{-r t / T}, \\
        & \text{staircase: } \eta(t) = \eta_0 \, e^{-r \lfloor t / T \rfloor}
        \end{aligned}

    It is :class:`ExponentialDecay` with a ``decay_rate`` of :math:`e^{-r}`.

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The unit :math:`T` of time in steps, positive and finite.
    decay_rate : float
        The exponent :math:`r` for every :math:`T` steps, positive and finite.
    staircase : bool
        Whether time is rounded down to whole multiples of :math:`T`.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive and finite, or ``staircase`` is not a bool.

    References
    ----------
    TensorFlow 1: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/natural_exp_decay

    Examples
    --------
    >>> NaturalExponentialDecay(0.1, decay_steps=10, decay_rate=1)([0, 10]).round(4)
    array([0.1   , 0.0368])
    """

    def formula(self, step, xp=np):
        return self.initial_learning_rate * xp.exp(-self.decay_rate * self._clock(step, xp))

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, self.initial_learning_rate


@dataclass(frozen=True)
class InverseSqrtDecay(Schedule):
    r"""Divide the rate by the square root of a number that grows with the step.

    .. math:: \eta(t) = \frac{\eta_0}{\sqrt{1 + t / T}}

    After a warmup of :math:`T` steps, ``warmup(T) >> InverseSqrtDecay(peak, T)``, it is the schedule of the first
    Transformer, :math:`\min(t / T, \sqrt{T / t})` times the peak.

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The unit :math:`T` of time in steps, positive and finite; the rate is halved at step :math:`3 T`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not a positive, finite number.

    References
    ----------
    Vaswani et al. (2017). Attention is all you need. https://arxiv.org/abs/1706.03762

    Examples
    --------
    >>> InverseSqrtDecay(0.1, decay_steps=10)([0, 30, 80])
    array([0.1       , 0.05      , 0.03333333])
    """

    initial_learning_rate: float
    decay_steps: float

    def __post_init__(self):
        settle(
            self,
            initial_learning_rate=_checks.positive("initial_learning_rate", self.initial_learning_rate),
            decay_steps=_checks.positive("decay_steps", self.decay_steps),
        )

    def formula(self, step, xp=np):
        return self.initial_learning_rate / xp.sqrt(1.0 + step / self.decay_steps)

    @property
    def range(self) -> tuple[float, float]:
        return 0.0, self.initial_learning_rate
