"""Gradient descent, with every step on record."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lrlib import _checks
from lrlib.schedules import Schedule, as_schedule


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """What a run of gradient descent did; ``print(trace)`` shows it as a table.

    Step ``i`` starts at ``parameters[i]``, where the loss is ``losses[i]`` and the gradient ``gradients[i]``,
    and takes ``applied[i] * gradients[i]`` away, which leaves ``parameters[i + 1]``. With ``n`` steps:

    Attributes
    ----------
    steps : numpy.ndarray, shape (n,)
        The steps, ``0`` to ``n - 1``.
    applied : numpy.ndarray, shape (n,)
        The learning rate that multiplied the gradient, in the run's dtype.
    gradients : numpy.ndarray, shape (n, ...)
        The gradient at the start of each step.
    parameters : numpy.ndarray, shape (n + 1, ...)
        The start, then the parameters after each step.
    losses : numpy.ndarray, shape (n + 1,)
        The loss at each of the parameters.
    stopped_at : int or None
        The step whose update left the finite numbers and ended the run; None if no update did. The parameters that
        it produced, no longer finite, are the last on record.
    """

    applied: np.ndarray
    gradients: np.ndarray
    parameters: np.ndarray
    losses: np.ndarray
    stopped_at: int | None = None

    @property
    def steps(self) -> np.ndarray:
        return np.arange(len(self.applied))

    @property
    def diverged(self) -> bool:
        """Whether the parameters left the finite numbers."""
        return self.stopped_at is not None

    def __repr__(self):
        end = f"stopped at step {self.stopped_at}" if self.diverged else f"final loss {self.losses[-1]:.4g}"
        return f"<Trace of {len(self.applied)} steps, {self.applied.dtype}: {end}>"

    def __str__(self):
        steps = len(self.applied)
        shown = range(steps) if steps <= 12 else [*range(5), None, *range(steps - 5, steps)]
        lines = [f"{'step':>6} {'applied lr':>12} {'loss':>12}  parameters"]
        for i in shown:
            if i is None:
                lines.append(f"{'…':>6}")
            else:
                lines.append(f"{i:>6} {self.applied[i]:>12.4g} {self._state(i)}")
        lines.append(f"{'end':>6} {'':>12} {self._state(-1)}")
        if self.diverged:
            lines.append(f"stopped: the update of step {self.stopped_at} left the finite numbers")
        return "\n".join(lines)

    def _state(self, i: int) -> str:
        parameters = np.ravel(self.parameters[i])
        shown = ", ".join(f"{p:.4g}" for p in parameters[:4]) + (", …" if parameters.size > 4 else "")
        return f"{self.losses[i]:>12.4g}  {shown}"


def gradient_descent(
    objective,
    start,
    schedule: Schedule | Callable[[int], float] | float,
    steps: int,
    dtype=np.float64,
) -> Trace:
    r"""Descend on an objective by its full gradient, and record every step.

    .. math:: w_{t+1} = w_t - \eta(t) \, \nabla f(w_t), \qquad t = 0, \dots, \text{steps} - 1

    The rate is rounded to ``dtype`` once; product and difference are then computed and rounded in ``dtype``.
    A run whose parameters overflow ends there and says so in ``trace.stopped_at``; it raises nothing.

    Parameters
    ----------
    objective : Quadratic, TwoWells or any object like them
        Called with parameters it returns the loss, one number; ``objective.gradient`` returns the gradient, in the
        shape of the parameters. Both get copies, so what they do to them is not on the record. If it has a
        ``shape``, ``start`` must have it too.
    start : float or array_like
        The parameters :math:`w_0`, finite.
    schedule : Schedule, float or callable
        What gives the rate of each step: whatever :func:`~lrlib.schedules.as_schedule` takes.
    steps : int
        The number of updates, at least 1.
    dtype : numpy.float32 or numpy.float64
        The arithmetic of the run.

    Returns
    -------
    Trace
        The applied rates, parameters, losses and gradients.

    Raises
    ------
    TypeError
        If ``schedule`` is neither a schedule, a number nor a function of the step; if ``objective`` cannot be called
        or has no gradient; if a rate, a loss or a gradient is not made of real numbers.
    ValueError
        If ``start`` has the wrong shape or is not finite; if ``steps`` is not an integer of at least 1; if a rate,
        be it ``schedule`` itself or what it returns, is negative, NaN or infinite in ``dtype``; if ``dtype`` is
        another; if the loss is more than one number, or the gradient has not the shape of the parameters.
    OverflowError
        If a rate is too large for a float64.

    References
    ----------
    Cauchy, A. (1847). Méthode générale pour la résolution des systèmes d'équations simultanées.
    *Comptes rendus de l'Académie des sciences* 25, 536-538.

    Examples
    --------
    >>> from lrlib import Quadratic
    >>> trace = gradient_descent(Quadratic(2.0), start=1.0, schedule=0.25, steps=3)
    >>> trace.parameters
    array([1.   , 0.5  , 0.25 , 0.125])
    >>> trace.applied
    array([0.25, 0.25, 0.25])
    """
    dtype = _dtype(dtype)
    steps = _checks.whole("steps", steps, at_least=1)
    schedule = as_schedule(schedule)
    if not callable(objective) or not callable(getattr(objective, "gradient", None)):
        raise TypeError(f"objective must be callable and have a method gradient, got {objective!r}")
    with np.errstate(over="ignore", invalid="ignore"):
        parameters = _start(objective, start, dtype)
        applied, gradients, path, losses = [], [], [parameters], [_loss(objective, parameters, dtype)]
        stopped_at = None
        for step in range(steps):
            lr = _rate(schedule, step, dtype)
            gradient = _gradient(objective, parameters, dtype)
            parameters = parameters - lr * gradient
            applied.append(lr)
            gradients.append(gradient)
            path.append(parameters)
            losses.append(_loss(objective, parameters, dtype))
            if not np.isfinite(parameters).all():
                stopped_at = step
                break
    return Trace(
        applied=np.array(applied, dtype=dtype),
        gradients=np.array(gradients, dtype=dtype),
        parameters=np.array(path, dtype=dtype),
        losses=np.array(losses, dtype=dtype),
        stopped_at=stopped_at,
    )


def _dtype(dtype) -> type:
    try:
        kind = np.dtype(dtype).type
    except TypeError:
        kind = None
    if kind not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {dtype!r}")
    return kind


def _rate(schedule: Schedule, step: int, dtype: type):
    rate = schedule(step)
    lr = dtype(rate)
    if not np.isfinite(lr):
        raise ValueError(f"schedule({step}) must be finite in {dtype.__name__}, got {rate!r}")
    return lr


def _loss(objective, parameters, dtype: type):
    given = objective(parameters.copy())
    loss = np.asarray(given)
    if loss.dtype.kind not in "iuf":
        raise TypeError(f"objective must return a number, got {given!r}")
    if loss.shape != ():
        raise ValueError(f"objective must return one number, got shape {loss.shape}")
    return loss.astype(dtype)


def _gradient(objective, parameters, dtype: type) -> np.ndarray:
    given = objective.gradient(parameters.copy())
    gradient = np.array(given)
    if gradient.dtype.kind not in "iuf":
        raise TypeError(f"objective.gradient must return numbers, got {given!r}")
    if gradient.shape != parameters.shape:
        raise ValueError(
            f"objective.gradient must have the shape of the parameters, {parameters.shape}, got shape {gradient.shape}"
        )
    return gradient.astype(dtype)


def _start(objective, start, dtype):
    parameters = np.array(start)
    if parameters.dtype.kind not in "iuf":
        raise TypeError(f"start must be a number or an array of numbers, got {start!r}")
    shape = getattr(objective, "shape", parameters.shape)
    if parameters.shape != shape:
        raise ValueError(f"start must have the objective's shape {shape}, got shape {parameters.shape}")
    parameters = parameters.astype(dtype)
    if not np.isfinite(parameters).all():
        raise ValueError(f"start must be finite in {dtype.__name__}, got {start!r}")
    return parameters[()]
