"""Checks of arguments: each returns the clean value or raises an error that names the argument and shows its value.

``name`` is what the message calls the argument, ``value`` what was given for it. What is no number at all is a
``TypeError``, a number out of range a ``ValueError``. A bool is no number.
"""

import math
import operator
from contextlib import suppress
from numbers import Real

import numpy as np


def finite(name: str, value: object) -> float:
    """Return ``value`` as a float, never as -0.0; an integer, a fraction or a NumPy scalar will do.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it is NaN, infinite or too large for a float64.
    """
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value) + 0.0
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return number


def positive(name: str, value: object) -> float:
    """Return ``value`` as a float above 0.

    Raises
    ------
    TypeError, ValueError
        As :func:`finite`, and if it is 0 or negative.
    """
    number = finite(name, value)
    if not number > 0:
        raise ValueError(f"{name} must be positive, got {value!r}")
    return number


def float32_rate(name: str, value: object) -> float:
    """Return a positive learning rate that float32, the arithmetic of training, can hold.

    Raises
    ------
    TypeError, ValueError
        As :func:`positive`, and if float32 rounds it to 0 or to infinity.
    """
    number = positive(name, value)
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.float32(number)
    if not 0 < rounded < np.inf:
        raise ValueError(f"{name} must be between 1e-45 and 3e38, the bounds of float32, got {value!r}")
    return number


def non_negative(name: str, value: object) -> float:
    """Return ``value`` as a float of at least 0, such as a learning rate or a step.

    Raises
    ------
    TypeError, ValueError
        As :func:`finite`, and if it is negative.
    """
    number = finite(name, value)
    if not number >= 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return number


def at_most(name: str, value: object, of: str, highest: float) -> float:
    """Return ``value`` as a float from 0 to ``highest``, which is the value of the argument ``of``.

    Raises
    ------
    TypeError, ValueError
        As :func:`non_negative`, and if it is above ``highest``.
    """
    number = non_negative(name, value)
    if number > highest:
        raise ValueError(f"{name} must not be above {of}, {highest!r}, got {value!r}")
    return number


def whole(name: str, value: object, at_least: int) -> int:
    """Return ``value``, a count or a position, as an int; 2.0 is not one.

    Raises
    ------
    ValueError
        If it is not an integer or is less than ``at_least``.
    """
    try:
        number = int(operator.index(value))
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer, got {value!r}")
    if number < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value!r}")
    return number


def flag(name: str, value: object) -> bool:
    """Return ``value`` as a bool; 0, 1 and None are none.

    Raises
    ------
    TypeError
        If it is not a bool.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {value!r}")


def sequence(name: str, value: object, of: str = "numbers") -> list:
    """Return ``value``, which is to have several entries in an order, as a list; a text, a set or a dict is none.

    Raises
    ------
    TypeError
        If it cannot be gone through, or in no order.
    """
    if not isinstance(value, (str, bytes, set, frozenset, dict)):
        with suppress(TypeError):  # no sequence, or an array or a tensor of one number
            return list(value)
    raise TypeError(f"{name} must be a sequence of {of}, got {value!r}")


def increasing(name: str, values: tuple) -> tuple:
    """Return ``values``, numbers that have been checked one by one.

    Raises
    ------
    ValueError
        If one is not above the one before it.
    """
    if any(b <= a for a, b in zip(values, values[1:], strict=False)):
        raise ValueError(f"{name} must be strictly increasing, got {list(values)}")
    return values


def recorded(rates, losses) -> tuple[np.ndarray, np.ndarray]:
    """Return rates and the losses under them as arrays, up to the first loss that is NaN or infinite.

    Raises
    ------
    ValueError
        If the two differ in length, or the rates are not positive and rising.
    """
    rates, losses = np.asarray(rates, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(f"rates and losses must be equally long, got shapes {rates.shape} and {losses.shape}")
    if not (np.diff(rates, prepend=0) > 0).all():
        raise ValueError(f"rates must be positive and rising, got {rates}")
    known = int(np.append(np.isfinite(losses), False).argmin())
    return rates[:known], losses[:known]
