"""The range test: raise the learning rate from tiny to large in one short run, and look where the loss falls.

It is a measurement with an uncertainty, not an oracle: it refuses to suggest a rate where the loss shows none.
"""

from dataclasses import dataclass

import keras
import numpy as np

from lrlib import _checks, keras_hooks
from lrlib._modules import make_callable
from lrlib.datasets import batches, training_part
from lrlib.keras import AppliedRates
from lrlib.suggestion import steepest_fall

RISE = 4.0  # above so many times its lowest value, and above the first one, the loss has diverged
RECENT = 5  # batches whose mean loss is judged so; single ones are too noisy


@dataclass(frozen=True, eq=False, repr=False)
class RangeTest:
    """What a range test recorded, with its suggestion.

    Attributes
    ----------
    rates : numpy.ndarray, shape (n,)
        The rates in rising order, as the optimizer's ``update_step`` received them. With mixed precision, a batch
        whose update was skipped is left out.
    losses : numpy.ndarray, shape (n,)
        The loss of the batch before its update; by epoch, the mean over the epoch's batches.
    accuracies : numpy.ndarray, shape (n,), or None
        The same for the accuracy, if that was asked for.
    suggestion : float or None
        The rate at which the loss (the accuracy, if asked for) improves fastest; None for a refusal.
    reason : str
        Why this suggestion, or why none.
    stopped : str or None
        Why the test ended early: ``"diverged"`` or ``"not finite"``.
    """

    rates: np.ndarray
    losses: np.ndarray
    accuracies: np.ndarray | None
    suggestion: float | None
    reason: str
    stopped: str | None

    def __repr__(self):
        end = "" if self.stopped is None else f", {self.stopped}"
        suggestion = "no suggestion" if self.suggestion is None else f"suggestion {self.suggestion:.2g}"
        return (
            f"<RangeTest of {len(self.rates)} rates, {self.rates[0]:.2g} to {self.rates[-1]:.2g}{end}: "
            f"{suggestion}, {self.reason}>"
        )


def range_test(
    model: keras.Model,
    data,
    *old_form,
    batch_size: int,
    start_rate: float = 1e-7,
    end_rate: float = 10.0,
    steps: int = 100,
    by: str = "batch",
    metric: str = "loss",
    seed: int = 0,
) -> RangeTest:
    r"""Train while the learning rate rises exponentially, and record the loss at every rate.

    .. math:: \eta_i = \eta_\text{start} \left(\eta_\text{end} / \eta_\text{start}\right)^{i / (n - 1)},
        \qquad i = 0, \dots, n - 1

    The test stops when the loss is no longer finite, or has risen far above its lowest and its first value. Afterwards,
    and also after an exception or Ctrl-C, the model is as it was: weights, optimizer with its iterations, learning rate
    or schedule, and training function. What was not built before is built, with fresh values. That goes for the other
    optimizers and variables of a training step of your own too; during the test those optimizers keep their rates.

    Parameters
    ----------
    model : keras.Model
        A compiled model. What its optimizer has for a learning rate plays no part.
    data : Data or pair
        What to train on: the training part of an :class:`lrlib.datasets.Data`, or all of a pair ``(x, y)``.
    *old_form
        Refused: in version 0.1 samples and labels were two arguments.
    batch_size : int
        The samples in a batch.
    start_rate, end_rate : float
        The first rate and the last, the second larger.
    steps : int
        The number :math:`n` of rates, at least 2.
    by : {"batch", "epoch"}
        Whether a rate holds for one batch or for one pass through the samples, which takes
        ``samples // batch_size`` times as long.
    metric : {"loss", "accuracy"}
        What the suggestion is made from. For the accuracy, the model must be compiled with ``metrics=["accuracy"]``.
    seed : int
        The order of the samples, as in :func:`lrlib.datasets.batches`.

    Returns
    -------
    RangeTest
        Rates, losses and a suggestion, made by :func:`~lrlib.suggestion.steepest_fall`.

    Raises
    ------
    TypeError, ValueError
        If the model is not compiled or accumulates gradients, or its optimizer is one that
        :class:`~lrlib.keras.AppliedRates` cannot record; if there are no samples, samples and labels differ in number,
        or a batch is larger than all of them; if a rate is not positive, or the last not above the first; if ``by`` or
        ``metric`` is another word; if the loss is NaN or infinite before the first update.

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks. *IEEE Winter Conference on Applications
    of Computer Vision*, 464-472.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> model.compile(keras.optimizers.SGD(), "mse")
    >>> result = range_test(model, (np.ones((8, 1)), np.full(8, 5.0)), batch_size=4, start_rate=1e-3, steps=50)
    >>> result
    <RangeTest of 45 rates, 0.001 to 3.9, diverged: suggestion 0.024, the loss falls fastest there>
    >>> model.get_weights()[0]
    array([[1.]], dtype=float32)
    """
    if old_form:
        raise TypeError("range_test takes samples and labels as one: range_test(model, (x, y), batch_size=...)")
    optimizer = _optimizer(model)
    x, y = training_part(data)
    start_rate = _checks.float32_rate("start_rate", start_rate)
    end_rate = _checks.float32_rate("end_rate", end_rate)
    if not start_rate < end_rate:
        raise ValueError(f"end_rate must be above start_rate, {start_rate}, got {end_rate}")
    steps = _checks.whole("steps", steps, at_least=2)
    rates = np.geomspace(start_rate, end_rate, steps)
    if not (np.diff(rates.astype(np.float32)) > 0).all():
        raise ValueError(f"end_rate must leave room for {steps} different rates in float32, got {end_rate}")
    if by not in ("batch", "epoch"):
        raise ValueError(f"by must be 'batch' or 'epoch', got {by!r}")
    if metric not in ("loss", "accuracy"):
        raise ValueError(f"metric must be 'loss' or 'accuracy', got {metric!r}")
    batch_size = _checks.whole("batch_size", batch_size, at_least=1)
    batches_each = 1 if by == "batch" else max(1, len(x) // batch_size)
    order = batches(len(x), batch_size, steps * batches_each, seed).reshape(steps, batches_each, -1)

    seen, stopped, updates = [], None, 0  # (rate, loss, accuracy) for every rate
    # a training step of the reader's own may make several updates, and have other optimizers
    recorder = AppliedRates(model, optimizer=model.optimizer, capacity=10 * steps * batches_each)
    with keras_hooks.as_it_was(model, x), recorder as applied:
        with keras_hooks.rate_from_outside(optimizer) as rate:
            for value, epoch in zip(rates, order, strict=True):
                rate.assign(value)
                loss, accuracy = _train(model, x, y, epoch, metric)
                received = applied.rates[updates:]
                updates += len(received)
                if len(received) == 0 and np.isfinite(loss):  # the scaling of the loss skipped the update
                    continue
                seen.append((received[0] if len(received) else np.float32(value), loss, accuracy))
                if stopped := _verdict([loss for _, loss, _ in seen], recent=RECENT if by == "batch" else 1):
                    break
    if not seen:
        raise ValueError("model must be updated by its training step, but its optimizer made no update")
    rates, losses, accuracies = np.array(seen).T
    rates = rates.astype(np.float32)
    if metric == "loss":
        return RangeTest(rates, losses, None, *steepest_fall(rates, losses), stopped)
    # the error rate falls where the accuracy rises
    suggestion, reason = steepest_fall(rates, 1 - np.where(np.isfinite(losses), accuracies, np.nan))
    return RangeTest(rates, losses, accuracies, suggestion, reason.replace("loss", "error rate"), stopped)


def _optimizer(model):
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {model!r}")
    if not model.compiled or model.optimizer is None:
        raise ValueError(f"model must be compiled, got {model!r}")
    optimizer = keras_hooks.updating_optimizer(model.optimizer)
    if optimizer.gradient_accumulation_steps:
        raise ValueError("model's optimizer must not accumulate gradients, since a batch would then have no update")
    return optimizer


def _train(model, x, y, epoch, metric: str) -> tuple[float, float]:
    """Train on some batches and return the means of their losses and accuracies, each before the batch's update."""
    seen = []
    for chosen in epoch:
        model.reset_metrics()  # some versions of Keras go on with the mean over all batches so far
        logs = model.train_on_batch(x[chosen], y[chosen], return_dict=True)
        if metric not in logs:
            raise ValueError(f"model must be compiled with metrics=[{metric!r}], it reports {', '.join(logs)}")
        seen.append((float(logs["loss"]), float(logs.get("accuracy", np.nan))))
        if not np.isfinite(seen[-1][0]):
            break
    return tuple(np.mean(seen, axis=0))


def _verdict(losses: list[float], recent: int) -> str | None:
    """Say why the test must end now, if it must."""
    if not np.isfinite(losses[-1]):
        if len(losses) == 1:
            raise ValueError("the loss is NaN or infinite before the first update: look at the model and the data")
        return "not finite"
    means = [np.mean(losses[max(0, i - recent) : i]) for i in range(1, len(losses) + 1)]
    return "diverged" if means[-1] > max(RISE * min(means), means[0]) else None


make_callable(__name__, range_test)
