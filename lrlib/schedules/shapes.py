"""Shapes: how a rate goes from one value to another, apart from when; and the decays that come to an end.

A shape is a function of where one stands between start and end, a position from 0 to 1. A schedule places it in time.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from lrlib import _checks
from lrlib.schedules.base import Schedule, between, of_a_float, parts, settle

QUARTER = 0.5 * math.pi  # of a turn

# The share of the start at a position, and what is missing of it: each without the rounding of a difference from 1.
SHARES: dict[str, tuple[Callable, Callable]] = {
    "linear": (lambda position, xp: 1.0 - position, lambda position, xp: position),
    "cosine": (
        lambda position, xp: (sine := xp.sin(QUARTER * (1.0 - position))) * sine,
        lambda position, xp: (sine := xp.sin(QUARTER * position)) * sine,
    ),
    "1-sqrt": (lambda position, xp: 1.0 - xp.sqrt(position), lambda position, xp: xp.sqrt(position)),
}


def checked_shape(shape: object, start: float, end: float) -> str | float:
    """Return a shape as it is stored, or say why there is none from ``start`` to ``end``."""
    if isinstance(shape, Real) and not isinstance(shape, bool):
        return _checks.positive("shape", shape)
    shape = str(shape) if isinstance(shape, str) else shape  # and no other kind of text
    if isinstance(shape, str) and shape == "exponential":
        if not (start > 0 and end > 0):
            raise ValueError(
                f"shape must not be 'exponential' from {start!r} to {end!r}: no factor leads to or from a rate of 0"
            )
    elif not isinstance(shape, str) or shape not in SHARES:
        known = ", ".join(map(repr, (*SHARES, "exponential")))
        raise ValueError(f"shape must be one of {known} or a positive power, got {shape!r}")
    return shape


def anneal(start, end, position, shape: str | float = "linear", xp=np):
    r"""Return the rate at a position between ``start`` and ``end``, on a shape.

    .. math::

        \begin{aligned}
        & \eta(x) = s(x) \, \eta_a + (1 - s(x)) \, \eta_b, \\
        & s(x) = 1 - x, \quad (1 - x)^p, \quad \tfrac{1}{2}(1 + \cos \pi x), \quad 1 - \sqrt{x}
        \end{aligned}

    and :math:`\eta(x) = \eta_a^{1 - x} \eta_b^x` for the exponential shape.

    Parameters
    ----------
    start, end : float
        The rates :math:`\eta_a` at 0 and :math:`\eta_b` at 1.
    position : float or array or tensor
        The position :math:`x`, from 0 to 1.
    shape : str or float
        ``"linear"``, ``"cosine"``, ``"1-sqrt"``, ``"exponential"``, or a positive number, the power :math:`p`.
    xp : module
        As in :meth:`Schedule.formula`.

    Returns
    -------
    float or array or tensor
        Never outside of what lies between ``start`` and ``end``, and these themselves at 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If the shape is none of these.

    References
    ----------
    Hägele et al. (2024), https://arxiv.org/abs/2405.18392, have found ``"1-sqrt"`` to be a good end of a training.

    Examples
    --------
    >>> anneal(1.0, 0.0, np.array([0.0, 0.25, 1.0]), "1-sqrt")
    array([1. , 0.5, 0. ])
    >>> anneal(1.0, 0.0, np.array([0.0, 0.5, 1.0]), 2)
    array([1.  , 0.25, 0.  ])
    """
    numbers = isinstance(start, float) and isinstance(end, float)  # they stay float64, also where tensors are float32
    rises = numbers and start < end
    lowest, highest = (start, end) if rises else (end, start)
    if not (isinstance(shape, str) or type(shape) is float and 0 < shape < math.inf):
        shape = checked_shape(shape, start, end)
    if shape == "exponential":
        rate = start ** (1.0 - position) * end**position
    else:  # the higher rate has an exact share, so that a rate near 0 is exact too
        if shares := SHARES.get(shape):
            share = shares[1 if rises else 0](position, xp)
        elif isinstance(shape, str):
            checked_shape(shape, start, end)
        else:
            share = _risen(position, shape, xp) if rises else (1.0 - position) ** shape
        if numbers and lowest == 0:
            return highest * share
        rate = highest * share + lowest * (1.0 - share)
    if not numbers:
        lowest, highest = xp.minimum(start, end), xp.maximum(start, end)
    return between(rate, lowest, highest, xp)


def _risen(position, power: float, xp):
    """Return ``1 - (1 - position)**power`` without the rounding of a difference from 1."""
    before_the_end = xp.minimum(position, 1.0 - 2.0**-53)
    return xp.where(position < 1.0, -xp.expm1(power * xp.log1p(-before_the_end)), 1.0)


def _gone(step, length: float, xp):
    """Return the share of a length that has gone: never above 1, and 1 from its end on.

    A compiler may multiply by a rounded 1 / length. Up to the end that is at most 1, as rounding keeps the order and
    length · (1 / length) is rounded to 1 or to the float below. Where it is the float below, in float64 or in float32,
    it would be too little at the end itself, and a choice has to be compiled, which takes as long as all the rest.
    """
    gone = step / length
    if xp is of_a_float:
        return 1.0 if gone > 1.0 else gone
    if xp is np or _undone_by_its_reciprocal(length):
        return xp.minimum(gone, 1.0)
    return xp.where(step < length, gone, 1.0)


@np.errstate(all="ignore")
def _undone_by_its_reciprocal(length: float) -> bool:
    return all(number * (1 / number) == 1 for number in (np.float64(length), np.float32(length)))


@dataclass(frozen=True)
class Ramp(Schedule):
    r"""Go from one rate to another, up or down, and stay there.

    .. math:: \eta(t) = \text{anneal}(\eta_a, \eta_b, \min(t / T, 1))

    Parameters
    ----------
    start, end : float
        The rates at step 0 and from step :math:`T` on, finite and not negative.
    steps : float
        The length :math:`T` in steps, positive and finite. A run of :math:`T` steps applies the rates of steps 0 to
        :math:`T - 1`, and so never ``end`` itself.
    shape : str or float
        As in :func:`anneal`.

    Raises
    ------
    TypeError, ValueError
        If a number is not what it must be, or the shape is none.

    Examples
    --------
    >>> Ramp(0.0, 0.1, steps=4).planned(6)
    array([0.   , 0.025, 0.05 , 0.075, 0.1  , 0.1  ])
    """

    start: float
    end: float
    steps: float
    shape: str | float = "linear"

    def __post_init__(self):
        start, end = _checks.non_negative("start", self.start), _checks.non_negative("end", self.end)
        shape = checked_shape(self.shape, start, end)
        settle(self, start=start, end=end, steps=_checks.positive("steps", self.steps), shape=shape)

    def formula(self, step, xp=np):
        return anneal(self.start, self.end, _gone(step, self.steps, xp), self.shape, xp)

    @property
    def range(self) -> tuple[float, float]:
        return min(self.start, self.end), max(self.start, self.end)


@dataclass(frozen=True)
class _ToAnEnd(Schedule):
    """A decay that has come to its end after ``decay_steps`` steps, and stays there."""

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0

    def __post_init__(self):
        initial = _checks.positive("initial_learning_rate", self.initial_learning_rate)
        end = _checks.at_most("end_learning_rate", self.end_learning_rate, "initial_learning_rate", initial)
        settle(
            self,
            initial_learning_rate=initial,
            decay_steps=_checks.positive("decay_steps", self.decay_steps),
            end_learning_rate=end,
        )

    def _annealed(self, position, shape, xp):
        return anneal(self.initial_learning_rate, self.end_learning_rate, position, shape, xp)

    @property
    def range(self) -> tuple[float, float]:
        return self.end_learning_rate, self.initial_learning_rate


@dataclass(frozen=True)
class LinearDecay(_ToAnEnd):
    r"""A straight line to an end.

    .. math:: \eta(t) = \eta_0 + (\eta_1 - \eta_0) \min(t / T, 1)

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The step :math:`T` at which the end is reached, positive and finite. A run of :math:`T` steps does not apply it.
    end_learning_rate : float
        The rate :math:`\eta_1` from then on, at least 0 and at most the initial one.

    Raises
    ------
    TypeError, ValueError
        If a number is not what it must be, or the end lies above the start.

    References
    ----------
    Defazio et al. (2023). Optimal linear decay learning rate schedules. https://arxiv.org/abs/2310.07831

    Examples
    --------
    >>> LinearDecay(0.1, decay_steps=4).planned(6)
    array([0.1  , 0.075, 0.05 , 0.025, 0.   , 0.   ])
    """

    def formula(self, step, xp=np):
        return self._annealed(_gone(step, self.decay_steps, xp), "linear", xp)


@dataclass(frozen=True)
class CosineDecay(_ToAnEnd):
    r"""Half a wave of a cosine to an end: slow, fast, and slow again.

    .. math:: \eta(t) = \eta_1 + (\eta_0 - \eta_1) \, \tfrac{1}{2} \left(1 + \cos(\pi \min(t / T, 1))\right)

    The end is a rate, and not a share of the initial one as Keras's ``alpha`` is. It stays there, where PyTorch's
    ``CosineAnnealingLR`` rises again.

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The step :math:`T` at which the end is reached, positive and finite. A run of :math:`T` steps does not apply it.
    end_learning_rate : float
        The rate :math:`\eta_1` from then on, at least 0 and at most the initial one.

    Raises
    ------
    TypeError, ValueError
        If a number is not what it must be, or the end lies above the start.

    References
    ----------
    Loshchilov and Hutter (2017). SGDR: Stochastic gradient descent with warm restarts.
    https://arxiv.org/abs/1608.03983

    Examples
    --------
    >>> CosineDecay(0.1, decay_steps=4).planned(6).round(4)
    array([0.1   , 0.0854, 0.05  , 0.0146, 0.    , 0.    ])
    """

    def formula(self, step, xp=np):
        return self._annealed(_gone(step, self.decay_steps, xp), "cosine", xp)


@dataclass(frozen=True)
class PolynomialDecay(_ToAnEnd):
    r"""A power of the way that is left, to an end.

    .. math:: \eta(t) = \eta_1 + (\eta_0 - \eta_1) \left(1 - \min(t / T, 1)\right)^p

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0` at step 0, positive and finite.
    decay_steps : float
        The step :math:`T` at which the end is reached, positive and finite. A run of :math:`T` steps does not apply it.
    end_learning_rate : float
        The rate :math:`\eta_1` from then on, at least 0 and at most the initial one. The default is Keras's.
    power : float
        The power :math:`p`, positive and finite; 1 is a straight line.
    cycle : bool
        Whether the end moves on to the next multiple of :math:`T` whenever it is reached, with a jump up each time.

    Raises
    ------
    TypeError, ValueError
        If a number is not what it must be, the end lies above the start, or ``cycle`` is not a bool.

    References
    ----------
    Keras: https://keras.io/api/optimizers/learning_rate_schedules/polynomial_decay/

    Examples
    --------
    >>> PolynomialDecay(0.1, decay_steps=4, end_learning_rate=0.0, power=2).planned(6)
    array([0.1    , 0.05625, 0.025  , 0.00625, 0.     , 0.     ])
    """

    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False

    def __post_init__(self):
        super().__post_init__()
        settle(self, power=_checks.positive("power", self.power), cycle=_checks.flag("cycle", self.cycle))

    def formula(self, step, xp=np):
        if self.cycle:
            ended, left = parts(step, self.decay_steps, xp)
            begun = xp.where(left > 0, ended + 1.0, xp.maximum(ended, 1.0))
            position = xp.minimum(step / (self.decay_steps * begun), 1.0)
        else:
            position = _gone(step, self.decay_steps, xp)
        return self._annealed(position, self.power, xp)


@dataclass(frozen=True)
class LinearCosineDecay(Schedule):
    r"""A cosine's waves on a straight line, as TensorFlow 1 had it.

    .. math::

        \begin{aligned}
        & \eta(t) = \eta_0 \left( (\alpha + 1 - x) \, \tfrac{1}{2} \left(1 + \cos(2 \pi n x)\right) + \beta \right), \\
        & x = \min(t / T, 1)
        \end{aligned}

    Parameters
    ----------
    initial_learning_rate : float
        The rate :math:`\eta_0`, positive and finite. The rate at step 0 is :math:`(1 + \alpha + \beta)` times it.
    decay_steps : float
        The step :math:`T` at which the end is reached, positive and finite.
    num_periods : float
        The number :math:`n` of waves, positive and finite.
    alpha, beta : float
        The two shares of the initial rate, not negative and finite; TensorFlow's names and defaults.

    Raises
    ------
    TypeError, ValueError
        If a number is not what it must be.

    References
    ----------
    TensorFlow 1: https://www.tensorflow.org/api_docs/python/tf/compat/v1/train/linear_cosine_decay

    Examples
    --------
    >>> LinearCosineDecay(0.1, decay_steps=4, beta=0.0).planned(6).round(4)
    array([0.1   , 0.064 , 0.025 , 0.0037, 0.    , 0.    ])
    """

    initial_learning_rate: float
    decay_steps: float
    num_periods: float = 0.5
    alpha: float = 0.0
    beta: float = 0.001

    def __post_init__(self):
        settle(
            self,
            initial_learning_rate=_checks.positive("initial_learning_rate", self.initial_learning_rate),
            decay_steps=_checks.positive("decay_steps", self.decay_steps),
            num_periods=self._periods(),
            alpha=_checks.non_negative("alpha", self.alpha),
            beta=_checks.non_negative("beta", self.beta),
        )

    def _periods(self) -> float:
        number = _checks.positive("num_periods", self.num_periods)
        if math.pi * number == math.inf:
            raise ValueError(f"num_periods must not be above 5e307, got {self.num_periods!r}")
        return number

    def formula(self, step, xp=np):
        position = _gone(step, self.decay_steps, xp)
        wave = xp.square(xp.cos(math.pi * self.num_periods * position))
        return self.initial_learning_rate * ((self.alpha + (1.0 - position)) * wave + self.beta)

    @property
    def range(self) -> tuple[float, float]:
        lowest, highest = self.beta, self.alpha + 1.0 + self.beta
        return self.initial_learning_rate * lowest, self.initial_learning_rate * highest
