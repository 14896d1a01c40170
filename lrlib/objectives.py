"""Objectives: small functions to descend on, whose gradient and curvature are known exactly.

An objective is called with parameters and returns the loss; ``gradient`` returns its gradient. Both compute in
the dtype of the parameters, so that float32 stays float32. Everything else about it can be read off its fields.
"""

import math
from dataclasses import dataclass

import numpy as np

from lrlib import _checks


class Quadratic:
    r"""A parabola in one dimension, a bowl in several, with its axes along the coordinates.

    .. math:: f(w) = \tfrac12 \sum_i \lambda_i (w_i - m_i)^2, \qquad \nabla f(w)_i = \lambda_i (w_i - m_i)

    Gradient descent does not know how a bowl is turned, so axes along the coordinates lose nothing.

    Parameters
    ----------
    curvature : float or array_like, shape (n,)
        The second derivatives :math:`\lambda_i` along the axes, positive and finite.
    minimum : float or array_like, shape (n,)
        Where the loss is 0; a single number serves every axis.

    Attributes
    ----------
    curvature, minimum : numpy.ndarray
        As given, in float64 and of the same shape, read-only.
    shape : tuple of int
        The shape of the parameters: ``()`` for one number, ``(n,)`` for a vector.

    Raises
    ------
    TypeError, ValueError
        If a curvature is not positive and finite, a minimum not finite, or their shapes do not fit.

    Examples
    --------
    >>> parabola = Quadratic(2.0, minimum=-1.0)
    >>> print(parabola(5.0), parabola.gradient(5.0))
    36.0 12.0
    >>> Quadratic([1.0, 10.0]).gradient([1.0, 1.0])
    array([ 1., 10.])
    """

    def __init__(self, curvature, minimum=0.0):
        self.curvature = _numbers("curvature", curvature)
        if self.curvature.ndim > 1 or self.curvature.size == 0:
            raise ValueError(f"curvature must be a number or a vector, got an array of shape {self.curvature.shape}")
        if not (self.curvature > 0).all():
            raise ValueError(f"curvature must be positive, got {curvature!r}")
        centre = _numbers("minimum", minimum)
        if centre.shape not in ((), self.curvature.shape):
            raise ValueError(
                f"minimum must be one number or have the shape of curvature, {self.curvature.shape}, "
                f"got shape {centre.shape}"
            )
        self.minimum = np.array(np.broadcast_to(centre, self.curvature.shape))
        self.shape = self.curvature.shape
        self.curvature.setflags(write=False)
        self.minimum.setflags(write=False)

    def __repr__(self):
        return f"Quadratic(curvature={self.curvature.tolist()}, minimum={self.minimum.tolist()})"

    def __call__(self, parameters):
        """Return the loss at ``parameters``, a scalar of their dtype."""
        parameters, curvature, minimum = self._in_one_dtype(parameters)
        return (curvature / 2 * np.square(parameters - minimum)).sum()

    def gradient(self, parameters):
        """Return the gradient at ``parameters``, of their shape and dtype."""
        parameters, curvature, minimum = self._in_one_dtype(parameters)
        return curvature * (parameters - minimum)

    @property
    def largest_stable_rate(self) -> float:
        r"""The rate :math:`2 / \lambda_{\max}` above which gradient descent with a constant rate diverges."""
        return float(2 / self.curvature.max())

    @property
    def best_constant_rate(self) -> float:
        r"""The rate :math:`2 / (\lambda_{\min} + \lambda_{\max})` that shrinks the worst axis fastest."""
        return float(2 / (self.curvature.min() + self.curvature.max()))

    @property
    def condition_number(self) -> float:
        r"""The ratio :math:`\kappa = \lambda_{\max} / \lambda_{\min}` of the steepest axis to the flattest."""
        return float(self.curvature.max() / self.curvature.min())

    def _in_one_dtype(self, parameters):
        parameters = _parameters(parameters, self.shape)
        return parameters, self.curvature.astype(parameters.dtype), self.minimum.astype(parameters.dtype)


@dataclass(frozen=True)
class TwoWells:
    r"""A function of one parameter with a wide and a narrow minimum: the lower of two parabolas.

    .. math::

        f(w) = \min\!\big(\tfrac12 \lambda_\text{wide} (w - m_\text{wide})^2,\;
        \tfrac12 \lambda_\text{narrow} (w - m_\text{narrow})^2 + h\big)

    The narrow well is the global minimum if its floor :math:`h` is negative and a local one if it is positive.
    Inside a well the curvature is the same everywhere, so whether a rate can settle there is known: it must be
    below :math:`2 / \lambda`. Where the parabolas cross, the gradient is that of the wide one.

    Parameters
    ----------
    wide_curvature, narrow_curvature : float
        Positive, finite, the narrow one the larger.
    wide_minimum, narrow_minimum : float
        Where the wells have their floors; finite, and each in its own well.
    narrow_floor : float
        The loss :math:`h` at the narrow minimum. That of the wide one is 0.

    Raises
    ------
    TypeError, ValueError
        If a number is out of its range; if one parabola hides the other's floor, so that there are no two minima; if
        the narrow well is narrower than the distance from one float64 to the next where it is.

    Examples
    --------
    >>> wells = TwoWells()
    >>> print(wells(3.0), wells(-1.0), wells.gradient(2.0))
    0.0 -0.5 -0.25
    >>> left, right = wells.narrow_well
    >>> print(f"narrow well from {left:.2f} to {right:.2f}")
    narrow well from -1.23 to -0.79
    """

    wide_curvature: float = 0.25
    narrow_curvature: float = 100.0
    wide_minimum: float = 3.0
    narrow_minimum: float = -1.0
    narrow_floor: float = -0.5

    shape = ()

    def __post_init__(self):
        for name in ("wide_curvature", "narrow_curvature"):
            object.__setattr__(self, name, _checks.positive(name, getattr(self, name)))
        for name in ("wide_minimum", "narrow_minimum", "narrow_floor"):
            object.__setattr__(self, name, _checks.finite(name, getattr(self, name)))
        if not self.narrow_curvature > self.wide_curvature:
            raise ValueError(
                f"narrow_curvature must be above wide_curvature, {self.wide_curvature}, got {self.narrow_curvature}"
            )
        _checks.finite("wide_minimum - narrow_minimum", self.wide_minimum - self.narrow_minimum)
        if self._wide(self.narrow_minimum) <= self.narrow_floor:
            raise ValueError(f"narrow_floor must lie below the wide well there, got {self.narrow_floor}")
        if self._narrow(self.wide_minimum) <= 0:
            raise ValueError(f"wide_minimum must lie outside the narrow well, got {self.wide_minimum}")
        left, right = self.narrow_well
        if not left < self.narrow_minimum < right:
            raise ValueError(
                f"narrow_minimum must be so small that float64 has numbers in its well, got {self.narrow_minimum}"
            )

    def __call__(self, parameters):
        """Return the loss at ``parameters``, a scalar of their dtype."""
        w = _parameters(parameters, self.shape)
        return np.minimum(self._wide(w), self._narrow(w))

    def gradient(self, parameters):
        """Return the gradient at ``parameters``, a scalar of their dtype."""
        w = _parameters(parameters, self.shape)
        if self._narrow(w) < self._wide(w):
            return self.narrow_curvature * (w - self.narrow_minimum)
        return self.wide_curvature * (w - self.wide_minimum)

    @property
    def narrow_well(self) -> tuple[float, float]:
        """The ends of the interval in which the narrow parabola is the lower one."""
        # the parabolas cross where narrow(w) - wide(w) = 0, a quadratic equation in (w - m) / d, with m the narrow
        # minimum and d the distance to the wide one; its roots have opposite signs, and neither is a difference of
        # two numbers that are nearly equal
        distance = self.wide_minimum - self.narrow_minimum
        ratio = self.wide_curvature / self.narrow_curvature
        steeper = (self.narrow_curvature - self.wide_curvature) / self.narrow_curvature
        floor = 2 * self.narrow_floor / self.narrow_curvature / distance / distance
        far = -(ratio + math.sqrt(ratio - steeper * floor))
        ends = distance * far / steeper, distance * (floor - ratio) / far
        return self.narrow_minimum + min(ends), self.narrow_minimum + max(ends)

    def _wide(self, w):
        return self.wide_curvature / 2 * _square(w - self.wide_minimum)

    def _narrow(self, w):
        return self.narrow_curvature / 2 * _square(w - self.narrow_minimum) + self.narrow_floor


def _square(x):
    return x * x  # of a Python float, ** 2 raises an error where this is infinite


def _numbers(name: str, value) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be a number or an array of numbers, got {value!r}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {value!r}")
    return array.astype(np.float64)


def _parameters(value, shape: tuple[int, ...]):
    parameters = np.asarray(value)
    if parameters.dtype.kind != "f":
        parameters = parameters.astype(np.float64)
    if parameters.shape != shape:
        raise ValueError(f"parameters must have shape {shape}, got shape {parameters.shape}")
    return parameters[()]
