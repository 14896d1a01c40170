"""What a schedule is, what counts as one, and what can be done with it."""

import functools
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from numbers import Real

import numpy as np

from lrlib import _checks

_NO_STEP = object()
_LARGEST = float(np.finfo(np.float64).max)
_WHOLE = 2.0**52  # below it float64 has every whole number and a half between them
_FEW = 64  # no table is made for so few
_BLOCK = 2**15  # steps of an array at a time: what a formula makes of them stays in a core's cache


class _OfAFloat:
    """What a formula needs of NumPy, for one float: ten times as fast by ``math``, and NumPy's own for the rest."""

    cos, sin, exp, expm1, sqrt, log1p = math.cos, math.sin, math.exp, math.expm1, math.sqrt, math.log1p

    @staticmethod
    def square(x):
        return x * x

    @staticmethod
    def minimum(x, y):  # two thirds of the time of Python's own
        return y if y < x else x

    @staticmethod
    def maximum(x, y):
        return y if y > x else x

    @staticmethod
    def floor(x: float) -> float:
        return x // 1.0 if -math.inf < x < math.inf else x

    @staticmethod
    def where(condition, x, y):
        return x if condition else y

    def __getattr__(self, name: str):
        return getattr(np, name)


of_a_float = _OfAFloat()


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
            Where functions come from that operators do not cover: ``numpy``, ``keras.ops`` or ``jax.numpy``; for
            one float a namespace with the same names.

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
        >>> from lrlib.schedules import StepDecay
        >>> halve = StepDecay(0.1, decay_steps=5, decay_rate=0.5)
        >>> halve(5)
        0.05
        >>> halve([0, 5, 10])
        array([0.1  , 0.05 , 0.025])
        """
        kind = type(step)
        if (kind is int or kind is float) and 0 <= step <= _LARGEST:
            try:
                rate = self.formula(step + 0.0, of_a_float)
            except OverflowError:
                rate = math.inf
            if type(rate) is float and 0 <= rate <= _LARGEST:
                return rate
            return float(self._checked(rate, np.float64(step)))
        if isinstance(step, Real):
            return self(_checks.non_negative("step", step))
        steps = steps_of(step)
        if steps.ndim == 0:
            return self(steps.item())
        rates = np.empty(steps.shape)
        whole = steps.size <= _BLOCK
        given, filled = (steps, rates) if whole else (steps.reshape(-1), rates.reshape(-1))
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, steps.size, _BLOCK):
                block = ... if whole else slice(start, start + _BLOCK)
                some = given[block].astype(np.float64)
                filled[block] = self._checked(self.formula(some), some)
        return rates

    def _checked(self, given, steps) -> np.ndarray:
        """Return a formula's rates, which keep the contract of every schedule: finite, not negative, in shape."""
        rates = np.asarray(given)
        if rates.dtype.kind not in "iuf":
            raise TypeError(f"{self!r} must give a number for a step, got {given!r}")
        if rates.shape not in ((), steps.shape):
            raise ValueError(f"{self!r} must give a rate for each step, shape {steps.shape}, got shape {rates.shape}")
        if not (rates.min() >= 0 and rates.max() < np.inf):
            wrong = ~((rates >= 0) & (rates < np.inf))
            step, rate = (np.broadcast_to(each, wrong.shape)[wrong].flat[0] for each in (steps, rates))
            if steps.ndim:
                self(float(step))  # it says the same of this step alone
            error, problem = ValueError, "must be finite and not negative"
            if rate == np.inf:
                error, problem = OverflowError, "is too large for a float64"
            raise error(f"the learning rate of {self!r} at step {step:g} {problem}, got {rate:g}")
        return rates

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest rate that it can give at any step."""
        return 0.0, math.inf

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
        >>> from lrlib.schedules import ExponentialDecay
        >>> ExponentialDecay(0.1, decay_steps=2, decay_rate=0.01).planned(3)
        array([0.1  , 0.01 , 0.001])
        """
        return self(np.arange(_checks.whole("steps", steps, at_least=1)))

    def plan(self, steps: int):
        """Foresee a run of ``steps`` updates: :func:`lrlib.schedules.plan`."""
        from lrlib.schedules.prediction import plan

        return plan(self, steps)

    def travel(self, steps: int) -> float:
        """Return the sum of the rates of a run: :func:`lrlib.schedules.travel`."""
        from lrlib.schedules.prediction import travel

        return travel(self, steps)

    def when(self, below: float, within: int = 1_000_000) -> int | None:
        """Return the first step whose rate is below a value: :func:`lrlib.schedules.when`."""
        from lrlib.schedules.prediction import when

        return when(self, below, within)

    __array_ufunc__ = None  # a NumPy number times a schedule is a schedule, not an array

    def __mul__(self, other):
        """Multiply the rates of two schedules, or all rates by a number: ``a * b``, ``0.5 * a``."""
        if isinstance(other, Schedule):
            return Product(self, other)
        return Scaled(self, other) if isinstance(other, Real) else NotImplemented

    __rmul__ = __mul__

    def stretch(self, factor: float):
        """Return the schedule on a clock that runs ``factor`` times slower.

        Raises
        ------
        TypeError, ValueError
            If ``factor`` is not a positive, finite number.

        Examples
        --------
        >>> from lrlib.schedules import StepDecay
        >>> StepDecay(0.1, decay_steps=5, decay_rate=0.5).stretch(2)([9, 10])
        array([0.1 , 0.05])
        """
        stretched = Stretched(self, factor)
        return self if stretched.factor == 1 else stretched

    def in_epochs(self, steps_per_epoch: int, staircase: bool = False):
        """Return the schedule, whose steps are meant as epochs, as one of the steps of training.

        Parameters
        ----------
        steps_per_epoch : int
            The updates in an epoch, at least 1: the samples divided by the batch size, rounded up.
        staircase : bool
            Whether the rate stays the same within an epoch, as where a callback sets it at its beginning.

        Raises
        ------
        TypeError, ValueError
            If ``steps_per_epoch`` is not an integer of at least 1, or ``staircase`` is not a bool.

        Examples
        --------
        >>> from lrlib.schedules import StepDecay
        >>> halved_after_five_epochs = StepDecay(0.1, decay_steps=5, decay_rate=0.5)
        >>> halved_after_five_epochs.in_epochs(steps_per_epoch=34)([169, 170])
        array([0.1 , 0.05])
        """
        return Stretched(self, _checks.whole("steps_per_epoch", steps_per_epoch, at_least=1), staircase)

    def shift(self, steps: float):
        """Return the schedule begun ``steps`` steps later; until then it holds its first rate.

        A negative number begins it ahead, as in a training that goes on from there: ``shift(-100)`` gives at step 0
        the rate of step 100.

        Raises
        ------
        TypeError, ValueError
            If ``steps`` is not a finite number.

        Examples
        --------
        >>> from lrlib.schedules import StepDecay
        >>> decay = StepDecay(0.1, decay_steps=5, decay_rate=0.5)
        >>> decay.shift(3)([7, 8]), decay.shift(-5)(0)
        (array([0.1 , 0.05]), 0.05)
        """
        shifted = Shifted(self, steps)
        return self if shifted.steps == 0 else shifted

    def clip(self, lowest: float = 0.0, highest: float | None = None):
        """Return the schedule with no rate below ``lowest`` and none above ``highest``.

        Raises
        ------
        TypeError, ValueError
            If one is not a finite number of at least 0, or ``highest`` is below ``lowest``.

        Examples
        --------
        >>> from lrlib.schedules import StepDecay
        >>> StepDecay(0.1, decay_steps=5, decay_rate=0.5).clip(lowest=0.02)([0, 10, 15])
        array([0.1  , 0.025, 0.02 ])
        """
        return Clipped(self, lowest, highest)

    def repeat(self, period: float):
        """Return the schedule begun anew every ``period`` steps.

        Raises
        ------
        TypeError, ValueError
            If ``period`` is not a positive, finite number.

        Examples
        --------
        >>> from lrlib.schedules import StepDecay
        >>> StepDecay(0.1, decay_steps=5, decay_rate=0.5).repeat(10)([0, 9, 10])
        array([0.1 , 0.05, 0.1 ])
        """
        return Repeated(self, period)

    def get_config(self) -> dict:
        """Return the fields by their names, as Keras saves them; a subclass may have a form of its own."""
        if not is_dataclass(self):
            raise TypeError(f"{type(self).__qualname__} must be a frozen dataclass to be saved, got {self!r}")
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_config(cls, config: dict):
        """Make the schedule again from its configuration, or from what Keras has saved of that."""
        return cls(**{name: _made(value) for name, value in config.items()})

    def _repr_svg_(self) -> str | None:
        """Draw the schedule where a notebook shows it."""
        from lrlib import preview

        try:
            return preview.svg(self)
        except Exception:  # a function of the reader's own may raise anything
            return None  # its repr has to do


def steps_of(step) -> np.ndarray:
    """Return what was given as an array of steps, or say what is wrong with it."""
    if step is _NO_STEP:
        raise TypeError(
            "a schedule needs a step: schedule(step). A Keras optimizer calls it without one; "
            "give it SGD(KerasSchedule(schedule)), with KerasSchedule from lrlib.keras"
        )
    try:
        steps = np.asarray(step)
    except Exception as error:  # each framework raises one of its own
        compiled = ". A step has no value while a function is compiled: there, use KerasSchedule(schedule) of "
        compiled += "lrlib.keras, schedule.formula(step, xp=jax.numpy) or a table, schedule.planned(steps)"
        hint = compiled if hasattr(step, "dtype") else ""
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}{hint}") from error
    if steps.dtype == object and all(isinstance(each, Real) for each in steps.flat):  # fractions, or beyond 64 bits
        steps = np.array([_checks.non_negative("step", each) for each in steps.flat]).reshape(steps.shape)
    if steps.dtype.kind not in "iuf":
        raise TypeError(f"step must be a number or an array of numbers, got {step!r}")
    if np.ma.is_masked(step):
        raise ValueError(f"step must have no masked entry, got {step!r}")
    if steps.size and not (steps.min() >= 0 and math.isfinite(steps.max())):
        with np.errstate(over="ignore"):
            wrong = ~((steps >= 0) & np.isfinite(steps.astype(np.float64)))
        raise ValueError(f"step must be finite and not negative, got {steps[wrong].flat[0]}")
    return steps


def _made(value):
    """Make a field again: it may be a schedule or a function, or a tuple of them."""
    if isinstance(value, dict):
        from keras.saving import deserialize_keras_object

        return deserialize_keras_object(value)
    return tuple(map(_made, value)) if isinstance(value, list) else value


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
        settle(self, learning_rate=_checks.non_negative("learning_rate", self.learning_rate))

    def formula(self, step, xp=np):
        return self.learning_rate + 0.0 * step

    @property
    def range(self) -> tuple[float, float]:
        return self.learning_rate, self.learning_rate


@dataclass(frozen=True, repr=False)
class FunctionOfStep(Schedule):
    """The schedule that :func:`as_schedule` makes of a function of the step.

    Parameters
    ----------
    function : callable
        Called with one step, an int where the step is whole, it returns the rate. It is called once for each step
        that is asked for; where a tensor is asked for, it is called with the tensor.

    Raises
    ------
    TypeError
        If ``function`` is none.
    """

    function: Callable

    def __post_init__(self):
        if not callable(self.function) or isinstance(self.function, (type, Schedule)):
            raise TypeError(f"function must be a function of the step, got {self.function!r}")

    def __repr__(self):
        return f"as_schedule({getattr(self.function, '__qualname__', self.function)})"

    def formula(self, step, xp=np):
        if isinstance(step, np.ndarray):
            return np.array([self.formula(float(each)) for each in step.flat]).reshape(step.shape)
        if not isinstance(step, float):
            return self.function(step)
        try:
            rate = self.function(int(step) if step.is_integer() else step)
            return rate if type(rate) is float else self._number(rate, step)
        except OverflowError:
            return math.inf

    def _number(self, rate, step: float) -> float:
        """Return what the function gave as a float, or say that it is no number."""
        found = np.asarray(rate)
        if found.dtype.kind in "iuf" and not found.ndim or isinstance(rate, Real) and not isinstance(rate, bool):
            return float(rate)
        return float(self._checked(rate, np.float64(step)))  # it says what is wrong


def as_schedule(schedule, name: str = "schedule") -> Schedule:
    """Return what was given as a schedule: one idea of what counts as one, wherever lrlib asks for it.

    Parameters
    ----------
    schedule : Schedule, float or callable
        A schedule, which is returned as it is; a number, the same rate at every step; or a function of the step.
    name : str
        What an error calls the argument.

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
        return Constant(_checks.non_negative(name, schedule))
    if callable(schedule) and not isinstance(schedule, type):
        return FunctionOfStep(schedule)
    raise TypeError(f"{name} must be a schedule, a number or a function of the step, got {schedule!r}")


def of_schedules(function: Callable) -> Callable:
    """Let a function that asks for ``schedule``, or for ``a`` and ``b``, take what :func:`as_schedule` takes."""
    signature = inspect.signature(function)
    asked = {"schedule", "a", "b"} & set(signature.parameters)

    @functools.wraps(function)
    def taking(*given, **named):
        arguments = signature.bind(*given, **named).arguments
        return function(**arguments | {name: as_schedule(arguments[name], name) for name in sorted(asked)})

    return taking


def settle(schedule: Schedule, /, **fields) -> None:
    """Store checked values in a frozen dataclass that is being made."""
    for name, value in fields.items():
        object.__setattr__(schedule, name, value)


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
    return step // length if xp is of_a_float else parts(step, length, xp)[0]


def rest(step, length: float, xp=np):
    """Return what is left of a step behind its last whole length, exactly."""
    return parts(step, length, xp)[1] if xp is np else step % length


def parts(step, length: float, xp=np):
    """Return :func:`stairs` and :func:`rest` of a step."""
    if xp is of_a_float:
        return divmod(step, length)
    if xp is np and length % 1 == 0 and np.max(step, initial=0) < _WHOLE:
        whole = np.floor(step / length)
        left = step - whole * length  # of whole numbers that small nothing is rounded but the quotient
        if (over := left < 0).any():
            whole, left = whole - over, left + length * over
        return whole, left
    left = np.fmod(step, length) if xp is np else step % length
    return xp.floor((step - left) / length + 0.5), left


def between(value, lowest, highest, xp=np):
    """Return a value that is not below ``lowest`` and not above ``highest``."""
    if xp is of_a_float:
        return lowest if value < lowest else highest if value > highest else value
    return np.clip(value, lowest, highest) if xp is np else xp.minimum(xp.maximum(value, lowest), highest)


def power(base: float, exponent, xp=np):
    """Return ``base**exponent`` for whole exponents, of which an array of neighbouring steps has only a few."""
    if xp is np and np.size(exponent) > _FEW:
        lowest, highest = exponent.min(), exponent.max()
        if highest - lowest < exponent.size // 4:
            powers = base ** (lowest + np.arange(highest - lowest + 1))
            return powers[0] if len(powers) == 1 else powers.take((exponent - lowest).astype(np.intp))
    return base**exponent


@dataclass(frozen=True)
class _Changed(Schedule):
    """A schedule with something done to it."""

    schedule: Schedule

    def __post_init__(self):
        settle(self, schedule=as_schedule(self.schedule))

    @property
    def range(self) -> tuple[float, float]:
        return self.schedule.range


@dataclass(frozen=True)
class Product(Schedule):
    """The rates of one schedule times those of another, step for step: ``a * b``.

    Parameters
    ----------
    first, second : Schedule, float or callable
        What to multiply; each is taken by :func:`as_schedule`.

    Raises
    ------
    TypeError, ValueError
        If one is no schedule.

    Examples
    --------
    >>> from lrlib.schedules import Constant, LinearDecay
    >>> (Constant(0.1) * LinearDecay(1, decay_steps=4)).planned(5)
    array([0.1  , 0.075, 0.05 , 0.025, 0.   ])
    """

    first: Schedule
    second: Schedule

    def __post_init__(self):
        settle(self, first=as_schedule(self.first, "first"), second=as_schedule(self.second, "second"))

    def formula(self, step, xp=np):
        return self.first.formula(step, xp) * self.second.formula(step, xp)

    @property
    def range(self) -> tuple[float, float]:
        (a, b), (c, d) = self.first.range, self.second.range
        return _times(a, c), _times(b, d)


def _times(rate: float, other: float) -> float:
    """Return the product of two ends of a range; where one is 0 and the other infinite there is no rate above 0."""
    return rate * other if rate and other else 0.0


@dataclass(frozen=True)
class Scaled(_Changed):
    """All rates of a schedule times one number: ``0.5 * schedule``.

    Parameters
    ----------
    schedule : Schedule, float or callable
        What to scale.
    factor : float
        The number, finite and not negative.

    Raises
    ------
    TypeError, ValueError
        If ``schedule`` is none, or ``factor`` is not such a number.

    Examples
    --------
    >>> from lrlib.schedules import LinearDecay
    >>> 0.5 * LinearDecay(1.0, decay_steps=4)
    Scaled(schedule=LinearDecay(initial_learning_rate=1.0, decay_steps=4.0, end_learning_rate=0.0), factor=0.5)
    """

    factor: float

    def __post_init__(self):
        super().__post_init__()
        settle(self, factor=_checks.non_negative("factor", self.factor))

    def formula(self, step, xp=np):
        return self.factor * self.schedule.formula(step, xp)

    @property
    def range(self) -> tuple[float, float]:
        lowest, highest = self.schedule.range
        return _times(self.factor, lowest), _times(self.factor, highest)


@dataclass(frozen=True)
class Stretched(_Changed):
    r"""A schedule on a slower or faster clock: :meth:`Schedule.stretch` and :meth:`Schedule.in_epochs`.

    .. math:: \eta(t) = s(t / k), \qquad \text{staircase: } \eta(t) = s(\lfloor t / k \rfloor)

    Parameters
    ----------
    schedule : Schedule, float or callable
        The schedule :math:`s`.
    factor : float
        How many steps :math:`k` one of its steps takes, positive and finite.
    staircase : bool
        Whether its clock goes in whole steps only.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    """

    factor: float
    staircase: bool = False

    def __post_init__(self):
        super().__post_init__()
        factor, staircase = _checks.positive("factor", self.factor), _checks.flag("staircase", self.staircase)
        settle(self, factor=factor, staircase=staircase)

    def formula(self, step, xp=np):
        clock = stairs(step, self.factor, xp) if self.staircase else step / self.factor
        clock = xp.minimum(clock, _LARGEST) if self.factor < 1 else clock  # which may be infinite
        return self.schedule.formula(clock, xp)


@dataclass(frozen=True)
class Shifted(_Changed):
    r"""A schedule that begins later, or ahead: :meth:`Schedule.shift`.

    .. math:: \eta(t) = s(\max(t - n, 0))

    Parameters
    ----------
    schedule : Schedule, float or callable
        The schedule :math:`s`.
    steps : float
        By how many steps :math:`n` later, finite; negative for ahead.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    """

    steps: float

    def __post_init__(self):
        super().__post_init__()
        settle(self, steps=_checks.finite("steps", self.steps))

    def formula(self, step, xp=np):
        clock = xp.maximum(step - self.steps, 0.0)
        clock = xp.minimum(clock, _LARGEST) if self.steps < -1e290 else clock  # which may be infinite
        return self.schedule.formula(clock, xp)


@dataclass(frozen=True)
class Clipped(_Changed):
    """A schedule between two bounds: :meth:`Schedule.clip`.

    Parameters
    ----------
    schedule : Schedule, float or callable
        What to clip.
    lowest : float
        No rate is below it; finite and not negative.
    highest : float, optional
        No rate is above it; finite and at least ``lowest``. None: there is no such bound.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    """

    lowest: float = 0.0
    highest: float | None = None

    def __post_init__(self):
        super().__post_init__()
        settle(self, lowest=_checks.non_negative("lowest", self.lowest))
        if self.highest is not None:
            settle(self, highest=_checks.non_negative("highest", self.highest))
            if self.highest < self.lowest:
                raise ValueError(f"highest must not be below lowest, {self.lowest!r}, got {self.highest!r}")

    def formula(self, step, xp=np):
        try:
            rate = self.schedule.formula(step, xp)
        except OverflowError:  # of one float; an array has an infinite rate there
            rate = math.inf
        return self._between(rate, xp)

    def _between(self, rate, xp):
        rate = xp.maximum(rate, self.lowest)
        return rate if self.highest is None else xp.minimum(rate, self.highest)

    @property
    def range(self) -> tuple[float, float]:
        lowest, highest = self.schedule.range
        return self._between(lowest, of_a_float), self._between(highest, of_a_float)


@dataclass(frozen=True)
class Repeated(_Changed):
    r"""A schedule that begins anew every so many steps: :meth:`Schedule.repeat`.

    .. math:: \eta(t) = s(t \bmod P)

    Parameters
    ----------
    schedule : Schedule, float or callable
        The schedule :math:`s`.
    period : float
        The steps :math:`P` after which it begins anew, positive and finite.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be.
    """

    period: float

    def __post_init__(self):
        super().__post_init__()
        settle(self, period=_checks.positive("period", self.period))

    def formula(self, step, xp=np):
        return self.schedule.formula(rest(step, self.period, xp), xp)
