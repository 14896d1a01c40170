"""Schedules: the learning rate is a pure function of the step.

A schedule is a value, like a number: it has no state, so it cannot be spent, reset or left running.
Call it with a step, or with an array of steps, as often and in any order you like.

Steps count updates from 0. They may be fractions (a schedule in epochs is called with epochs).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real

import numpy as np

from lrlib import _checks

_NO_STEP = object()


class Schedule(ABC):
    """A learning rate for every step: ``schedule(step)``.

    A subclass is a frozen dataclass that checks its fields when it is made and writes its formula once,
    in :meth:`formula`, for a number, a NumPy array and a Keras tensor alike.
    """

    @abstractmethod
    def formula(self, step, xp=np):
        """Return the rate at ``step`` without checking it.

        Parameters
        ----------
        step : float or array or tensor
            The step or steps, in float64.
        xp : module
            Where functions come from that operators do not cover: ``numpy``, ``keras.ops`` or ``jax.numpy``.

        Returns
        -------
        float or array or tensor
            One number, or an array of the shape of ``step``.
        """

    def __call__(self, step=_NO_STEP):
        """Return the learning rate at ``step``.

        Parameters
        ----------
        step : number or array_like of numbers
            Finite and not negative.

        Returns
        -------
        float or numpy.ndarray
            A float for one step, a float64 array of the same shape for an array of steps; finite, not negative.

        Raises
        ------
        TypeError
            If a step is not a number, or has no value yet since a function is being compiled; if the formula returns
            something else than numbers.
        ValueError
            If a step is negative, NaN or infinite; if the formula returns a negative rate, NaN or another shape.
        OverflowError
            If a rate is too large for a float64 (a ``decay_rate`` above 1 grows without bound).

        Examples
        --------
        >>> halve = StepDecay(0.1, decay_steps=5, decay_rate=0.5)
        >>> halve(5)
        0.05
        >>> halve([0, 5, 10])
        array([0.1  , 0.05 , 0.025])
        """
        if isinstance(step, Real):
            return self._at(_checks.non_negative("step", step))
        steps = _numbers_of(step)
        wrong = ~((steps >= 0) & np.isfinite(steps))
        if wrong.any():
            raise ValueError(f"step must be finite and not negative, got {steps[wrong].flat[0]}")
        if steps.ndim == 0:
            return self._at(float(steps))
        steps = steps.astype(np.float64)
        with np.errstate(over="ignore"):
            return self._checked(self.formula(steps), steps)

    def _at(self, step: float) -> float:
        with np.errstate(over="ignore"):
            try:
                rate = self.formula(step)
            except OverflowError:
                rate = math.inf
        if isinstance(rate, float) and 0 <= rate < math.inf:
            return float(rate)
        return float(self._checked(rate, np.float64(step)))

    def _checked(self, given, steps) -> np.ndarray:
        """Return a formula's rates, which keep the contract of every schedule: finite, not negative, in shape."""
        rates = np.asarray(given)
        if rates.dtype.kind not in "iuf":
            raise TypeError(f"{self!r} must give a number for a step, got {given!r}")
        if rates.shape not in ((), steps.shape):
            raise ValueError(f"{self!r} must give a rate for each step, shape {steps.shape}, got shape {rates.shape}")
        rates = np.full(steps.shape, rates, dtype=np.float64)
        for wrong, error, problem in (
            (rates == np.inf, OverflowError, "is too large for a float64"),
            (~(rates >= 0), ValueError, "must be finite and not negative"),
        ):
            if wrong.any():
                where = f"the learning rate of {self!r} at step {steps[wrong].flat[0]:g}"
                raise error(f"{where} {problem}, got {rates[wrong].flat[0]:g}")
        return rates

    def planned(self, steps: int) -> np.ndarray:
        """Predict the rates of a run of ``steps`` updates: those of steps 0 to ``steps - 1``.

        What the schedule would give at ``steps`` itself is not among them: no update uses it. What a run really
        applied is on its record: ``trace.applied``, ``runs.applied``, ``AppliedRates(...).rates``.

        Parameters
        ----------
        steps : int
            The number of updates, at least 1.

        Returns
        -------
        numpy.ndarray
            Shape ``(steps,)``, float64.

        Raises
        ------
        ValueError
            If ``steps`` is not an integer or is less than 1.

        Examples
        --------
        >>> ExponentialDecay(0.1, decay_steps=2, decay_rate=0.01).planned(3)
        array([0.1  , 0.01 , 0.001])
        """
        return self(np.arange(_checks.whole("steps", steps, at_least=1)))

    def get_config(self) -> dict:
        """Return the fields by their names, as Keras saves them; a subclass may have a form of its own."""
        if not is_dataclass(self):
            raise TypeError(f"{type(self).__qualname__} must be a frozen dataclass to be saved, got {self!r}")
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_config(cls, config: dict):
        """Make the schedule again from what Keras has saved; a field may be a schedule, or a tuple of them."""
        from keras.saving import deserialize_keras_object

        return cls(**{name: _tuples(value) for name, value in deserialize_keras_object(config).items()})

    def _repr_svg_(self) -> str | None:
        """Draw the schedule where a notebook shows it."""
        from lrlib import preview

        try:
            return preview.svg(self)
        except Exception:  # a function of the reader's own may raise anything
            return None  # its repr has to do


def _numbers_of(step) -> np.ndarray:
    """Return steps as an array of numbers, or say what was given instead."""
    if step is _NO_STEP:
        raise TypeError(
            "a schedule needs a step: schedule(step). A Keras optimizer calls it without one; "
            "give it SGD(KerasSchedule(schedule)), with KerasSchedule from lrlib.keras"
        )
    try:
        steps = np.asarray(step)
    except Exception as error:  # each framework raises one of its own
        compiled = ", which has no value while a function is compiled: there, use KerasSchedule(schedule) of "
        compiled += "lrlib.keras, schedule.formula(step, xp=jax.numpy) or a table, schedule.planned(steps)"
        hint = compiled if hasattr(step, "dtype") else ""
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}{hint}") from error
    if steps.dtype.kind not in "iuf":
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}")
    return steps


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Constant(Schedule):
    r"""The same rate at every step.

    .. math:: \eta(t) = \eta

    Parameters
    ----------
    learning_rate : float
        The rate :math:`\eta`, finite and not negative. 0 is allowed: nothing moves.

    Raises
    ------
    TypeError, ValueError
        If ``learning_rate`` is not a number, is negative, NaN or infinite.

    Examples
    --------
    >>> Constant(1)(7)
    1.0
    """

    learning_rate: float

    def __post_init__(self):
        _set(self, learning_rate=_checks.non_negative("learning_rate", self.learning_rate))

    def formula(self, step, xp=np):
        return self.learning_rate + 0.0 * step


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
        boundaries = _sequence("boundaries", self.boundaries)
        values = _sequence("values", self.values)
        boundaries = tuple(_checks.whole(f"boundaries[{i}]", b, at_least=0) for i, b in enumerate(boundaries))
        if boundaries and max(boundaries) >= 2**53:
            raise ValueError(f"boundaries must be below 2**53, to be exact in float64, got {max(boundaries)}")
        values = tuple(_checks.non_negative(f"values[{i}]", v) for i, v in enumerate(values))
        if any(b <= a for a, b in zip(boundaries, boundaries[1:], strict=False)):
            raise ValueError(f"boundaries must be strictly increasing, got {list(boundaries)}")
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"values must have one entry more than boundaries: {len(boundaries)} boundaries "
                f"need {len(boundaries) + 1} values, got {len(values)}"
            )
        _set(self, boundaries=boundaries, values=values)

    def formula(self, step, xp=np):
        boundaries = np.array(self.boundaries, dtype=np.float64)
        passed = xp.sum(boundaries < xp.expand_dims(step, -1), axis=-1)
        return xp.take(np.array(self.values), passed)


@dataclass(frozen=True)
class _Decay(Schedule):
    """The three numbers that every decay has; ``decay_rate`` above 1 makes the rate grow."""

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float

    def __post_init__(self):
        _set(
            self,
            initial_learning_rate=_checks.positive("initial_learning_rate", self.initial_learning_rate),
            decay_steps=_checks.positive("decay_steps", self.decay_steps),
            decay_rate=_checks.positive("decay_rate", self.decay_rate),
        )


@dataclass(frozen=True)
class _Staircase(_Decay):
    """A decay whose clock, ``step / decay_steps``, may be rounded down to whole stairs."""

    staircase: bool = False

    def __post_init__(self):
        super().__post_init__()
        _set(self, staircase=_checks.flag("staircase", self.staircase))

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
        return self.initial_learning_rate * self.decay_rate ** stairs(step, self.decay_steps, xp)


@dataclass(frozen=True)
class ExponentialDecay(_Staircase):
    r"""Multiply the rate by ``decay_rate`` over every ``decay_steps`` steps, smoothly or in stairs.

    .. math::

        \eta(t) = \eta_0 \, r^{t / T}, \qquad
        \text{staircase: } \eta(t) = \eta_0 \, r^{\lfloor t / T \rfloor}

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
        return self.initial_learning_rate * self.decay_rate ** self._clock(step, xp)


@dataclass(frozen=True)
class InverseTimeDecay(_Staircase):
    r"""Divide the rate by a number that grows with the step.

    .. math::

        \eta(t) = \frac{\eta_0}{1 + r \, t / T}, \qquad
        \text{staircase: } \eta(t) = \frac{\eta_0}{1 + r \lfloor t / T \rfloor}

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


@dataclass(frozen=True, repr=False)
class FunctionOfStep(Schedule):
    """The schedule that :func:`as_schedule` makes of a function of the step.

    Parameters
    ----------
    function : callable
        Called with one step, an int where the step is whole, it returns the rate. It is called once for each step
        that is asked for; where a tensor is asked for, it is called with the tensor.
    """

    function: Callable

    def __repr__(self):
        return f"as_schedule({getattr(self.function, '__qualname__', self.function)})"

    def formula(self, step, xp=np):
        if isinstance(step, np.ndarray):
            return np.array([self(float(each)) for each in step.flat]).reshape(step.shape)
        if isinstance(step, float) and step.is_integer():
            step = int(step)
        return self.function(step)


def as_schedule(schedule) -> Schedule:
    """Return what was given as a schedule: one idea of what counts as one, wherever lrlib asks for it.

    Parameters
    ----------
    schedule : Schedule, float or callable
        A schedule, which is returned as it is; a number, the same rate at every step; or a function of the step.

    Returns
    -------
    Schedule

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If it is a number that is negative, NaN or infinite.

    Examples
    --------
    >>> as_schedule(0.1)
    Constant(learning_rate=0.1)
    >>> as_schedule(lambda step: 1 / (1 + step)).planned(4)
    array([1.        , 0.5       , 0.33333333, 0.25      ])
    """
    if isinstance(schedule, Schedule):
        return schedule
    if isinstance(schedule, Real):
        return Constant(_checks.non_negative("schedule", schedule))
    if callable(schedule) and not isinstance(schedule, type):
        return FunctionOfStep(schedule)
    raise TypeError(f"schedule must be a schedule, a number or a function of the step, got {schedule!r}")


def stairs(step, length: float, xp=np):
    r"""Return how many whole lengths a step has behind it, exactly, in a compiled function too.

    .. math:: \lfloor t / T \rfloor = \text{the largest whole } q \text{ with } q T \le t

    The floor of the rounded quotient is another number where :math:`t = q T`: a compiler may multiply by a rounded
    :math:`1 / T`, and 49 · (1/49) < 1. A remainder has no rounding error in IEEE arithmetic. What is left without it
    is :math:`q T` but for one rounding, so the quotient, divided or multiplied, is off by at most
    :math:`3 q \, 2^{-53}`. That is less than 1/2, and the nearest whole number is :math:`q`, up to
    :math:`q = 2^{49}`; in float32 up to :math:`2^{20}`.

    Parameters
    ----------
    step : float or array or tensor
        The step or steps :math:`t`, not negative.
    length : float
        The length :math:`T`, positive; what counts is the number that it is rounded to.
    xp : module
        As in :meth:`Schedule.formula`.

    Returns
    -------
    float or array or tensor
        Whole numbers, of the type and shape of ``step``.

    Examples
    --------
    >>> stairs(np.array([48.0, 49.0, 97.0, 98.0]), 49.0)
    array([0., 1., 1., 2.])
    """
    return xp.floor((step - step % length) / length + 0.5)


def _set(schedule: Schedule, **fields) -> None:
    """Store checked values in a frozen dataclass that is being made."""
    for name, value in fields.items():
        object.__setattr__(schedule, name, value)


def _sequence(name: str, value: object) -> list:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name} must be a sequence of numbers, got {value!r}")
    return list(value)
