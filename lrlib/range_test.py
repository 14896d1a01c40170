"""The range test: raise the learning rate from tiny to large in one short run, and look where the loss falls.

It is a measurement with an uncertainty, not an oracle: it refuses to suggest a rate where the loss shows none.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lrlib._modules import from_extra

with from_extra("sweep"):
    import keras
    import tensorflow as tf
    from keras.utils import unpack_x_y_sample_weight

from lrlib import _checks, keras_hooks
from lrlib._modules import make_callable
from lrlib.as_it_was import CtrlC, as_it_was, fresh, random_numbers_as_they_were
from lrlib.batches_of import Batches, batches_of
from lrlib.keras import AppliedRates
from lrlib.lanes import Start, is_random_state
from lrlib.repeats import random_state, side_by_side
from lrlib.suggestion import Suggestion, suggest
from lrlib.training import NOT_FINITE, one_at_a_time

RISE = 4.0  # above so many times its lowest value, and above the first one, the loss has diverged
OUT_OF_DATA = "out of data"
RECENT = 5  # batches whose mean loss is judged so; single ones are too noisy


@dataclass(frozen=True, eq=False, repr=False)
class RangeTest:
    """What a range test recorded, with its suggestion.

    Attributes
    ----------
    rates : numpy.ndarray, shape (n,)
        The rates in rising order, as the optimizer's ``update_step`` received them. With mixed precision, a rate whose
        update was skipped is left out.
    losses : numpy.ndarray, shape (repeats, n)
        The loss of the update's batch before the update; the mean over its batches where gradients are accumulated, and
        by epoch over the epoch's. NaN after the end of a repeat that stopped before the others.
    accuracies : numpy.ndarray, shape (repeats, n), or None
        The same for the accuracy, if that was asked for.
    ended : tuple of str or None
        Why each repeat ended early: ``"diverged"``, ``"not finite"`` or ``"out of data"``.
    beyond : numpy.ndarray
        The rates that were to come when the last repeat had ended.
    momentum : float
        The optimizer's, or its ``beta_1``.
    hold : int
        For how many updates each rate was held.
    """

    rates: np.ndarray
    losses: np.ndarray
    accuracies: np.ndarray | None = None
    ended: tuple[str | None, ...] = (None,)
    beyond: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    momentum: float = 0.0
    hold: int = 1

    @property
    def stopped(self) -> str | None:
        """Why the repeat that came furthest ended early."""
        reached = [np.flatnonzero(~np.isnan(losses)).max(initial=-1) for losses in self.losses]
        return self.ended[int(np.argmax(reached))]

    @property
    def suggestion(self) -> float | None:
        """The rate that :meth:`suggest` gives; None for a refusal."""
        return self.suggest().learning_rate

    @property
    def reason(self) -> str:
        """Why this suggestion, or why none."""
        return self.suggest().reason

    def suggest(self, steps: int | None = None, factor: float = 100.0) -> Suggestion:
        """Suggest a rate, with how sure it is, or refuse: :func:`lrlib.suggestion.suggest` of what was recorded.

        Where a repeat ran out of data, only the rates that all of them reached count.

        Parameters
        ----------
        steps : int, optional
            The number of updates of the training to come.
        factor : float
            The widest interval with which a rate is still suggested, as the ratio of its ends.

        Returns
        -------
        Suggestion
            From the accuracies, if they were asked for: the error rate falls where the accuracy rises.
        """
        seen, what = self.losses, "loss"
        if self.accuracies is not None:
            seen, what = 1 - np.where(np.isfinite(self.losses), self.accuracies, np.nan), "error rate"
        rates = np.append(self.rates, self.beyond)
        seen = np.pad(seen, ((0, 0), (0, len(self.beyond))), constant_values=np.nan)
        lengths = [
            np.isfinite(losses).sum() for losses, end in zip(self.losses, self.ended, strict=True) if end == OUT_OF_DATA
        ]
        if lengths:
            rates, seen = rates[: min(lengths)], seen[:, : min(lengths)]
        found = suggest(rates, seen, steps, factor, momentum=self.momentum, hold=self.hold)
        reason = found.reason.replace("loss", what)
        if lengths and found.learning_rate is None:
            reason += "; the data ended before the rates did"
        return replace(found, reason=reason)

    def plot(self, suggestion: Suggestion | None = None):
        """Draw every loss with what it suggests, see :func:`lrlib.plot_finding.range_test`."""
        from lrlib import plot_finding

        return plot_finding.range_test(self, suggestion)

    def __repr__(self):
        end = "" if self.stopped is None else f", {self.stopped}"
        repeats = "" if len(self.losses) == 1 else f", {len(self.losses)} times"
        found = self.suggest()
        suggestion = "no suggestion" if found.learning_rate is None else f"suggestion {found.learning_rate:.2g}"
        return (
            f"<RangeTest of {len(self.rates)} rates, {self.rates[0]:.2g} to {self.rates[-1]:.2g}{repeats}{end}: "
            f"{suggestion}, {found.reason}>"
        )


@one_at_a_time()
def range_test(
    model: keras.Model,
    data,
    *old_form,
    batch_size: int | None = None,
    start_rate: float = 1e-7,
    end_rate: float = 10.0,
    steps: int = 100,
    by: str = "batch",
    metric: str = "loss",
    seed: int = 0,
    repeats: int = 1,
    fresh_weights: bool = False,
    class_weight: Mapping[int, float] | None = None,
) -> RangeTest:
    r"""Train while the learning rate rises exponentially, and record the loss at every rate.

    .. math:: \eta_i = \eta_\text{start} \left(\eta_\text{end} / \eta_\text{start}\right)^{i / (n - 1)},
        \qquad i = 0, \dots, n - 1

    The test stops when the loss is no longer finite, or has risen far above its lowest and its first value. Afterwards,
    and also after an exception or Ctrl-C, the model is as it was: weights, optimizer with its iterations, learning rate
    or schedule, metrics, states of random numbers, and training function. What was not built before is built, with
    fresh values. That goes for the other optimizers and variables of a training step of your own too; during the test
    those optimizers keep their rates. Python's and NumPy's random numbers go on as if there had been no test.

    Parameters
    ----------
    model : keras.Model
        A compiled model: whatever ``fit`` trains. What its optimizer has for a learning rate plays no part. Its
        training step must report its ``loss``.
    data : Data, tuple, array, tf.data.Dataset, keras.utils.PyDataset or iterable
        What to train on, as :func:`lrlib.batches_of.batches_of` takes it: the training part of an
        :class:`lrlib.datasets.Data`; arrays ``(x, y)`` or ``(x, y, weights)``, for a model with several inputs or
        outputs in lists, tuples or dictionaries; or batches of these from a dataset, a generator or a list. Only the
        batches that are used are taken or copied. What ends begins again, but for an iterator, which cannot: the test
        ends with it.
    *old_form
        Refused: in version 0.1 samples and labels were two arguments.
    batch_size : int, optional
        The samples in a batch, for arrays.
    start_rate, end_rate : float
        The first rate and the last, the second larger.
    steps : int
        The number :math:`n` of rates, at least 2.
    by : {"batch", "epoch"}
        Whether a rate holds for one batch or for one pass through the data. Where the optimizer accumulates gradients,
        a rate holds for the batches of an update in place of one.
    metric : {"loss", "accuracy"}
        What the suggestion is made from. For the accuracy, the model must be compiled with ``metrics=["accuracy"]``.
    seed : int
        The order of the samples, as in :func:`lrlib.datasets.batches`; of a ``PyDataset`` the order of its batches.
    repeats : int
        How often to test: the interval of a suggestion is as honest as there are repeats, and five often give an answer
        where one must refuse. Each repeat starts from the model as it is, and takes the samples in another order, that
        of the next seed; layers such as dropout draw other numbers. What has an order of its own, a dataset or a list,
        is gone through from its beginning; an iterator goes on. For arrays, and a model that a sweep can train, all
        repeats run at once (:mod:`lrlib.repeats`), at about the cost of one.
    fresh_weights : bool
        Whether all repeats but the first start from weights of their own, :func:`lrlib.lanes.initial_weights` of the
        next seeds, and from an optimizer as new. Right for a model that is to be trained from scratch, wrong for
        one that has been trained.
    class_weight : dict, optional
        As in ``fit``.

    Returns
    -------
    RangeTest
        Rates, losses and a suggestion, see :meth:`RangeTest.suggest`.

    Raises
    ------
    TypeError, ValueError
        If the model is not compiled, reports no loss, or its optimizer is one that
        :class:`~lrlib.keras.AppliedRates` cannot record; as :func:`~lrlib.batches_of.batches_of`; if there is no
        batch, or ``by="epoch"`` meets data without an end; if a rate is not positive, or the last not above the first;
        if ``by`` or ``metric`` is another word; if the loss is NaN or infinite before the first update, or since a
        batch holds NaN or infinity.

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks. *IEEE Winter Conference on Applications
    of Computer Vision*, 464-472.

    Examples
    --------
    >>> from lrlib import datasets
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> model.compile(keras.optimizers.SGD(), "mse")
    >>> result = range_test(model, datasets.diabetes(), batch_size=32, repeats=5)
    >>> suggestion = result.suggest()
    >>> print(f"{suggestion.learning_rate:.2g}: {suggestion.reason}")
    0.045: nine tenths of the fall are done there
    >>> result.losses.shape == (5, len(result.rates)), result.stopped
    (True, 'diverged')
    >>> model.get_weights()[0].sum()
    np.float32(10.0)
    """
    if old_form:
        raise TypeError("range_test takes samples and labels as one: range_test(model, (x, y), batch_size=...)")
    optimizer = _optimizer(model)
    batches = batches_of(data, batch_size, class_weight)
    plan = _plan(start_rate, end_rate, steps, by, metric, seed, repeats, fresh_weights)
    if by == "epoch" and batches.endless:
        raise ValueError(f"by must be 'batch' for data without an end, got 'epoch' with {type(data).__name__}")

    with random_numbers_as_they_were() as keep, CtrlC() as ctrl_c:
        with ctrl_c.let():
            portions = _Portions(batches, plan, optimizer)
            before = random.getstate()
            _refuse_no_labels(model, first := portions.first())
        keras_hooks.build_on(model, first)  # what is half built would stay so
        with ctrl_c.let():
            if not model.trainable_variables:
                raise ValueError("model must have weights to train, but all its layers are frozen or have none")
            if random.getstate() != before:
                keep()
            if found := _side_by_side(model, batches, portions.batches_each, plan):
                return _together(found, plan, keras_hooks.momentum_of(optimizer))
            start = Start(model) if plan.fresh_weights and plan.repeats > 1 else None
        capacity = 10 * plan.repeats * len(plan.rates) * portions.batches_each
        recorder = AppliedRates(model, optimizer=model.optimizer, capacity=capacity)
        with as_it_was(model) as give_back, recorder as applied, keras_hooks.rate_from_outside(optimizer) as rate:
            with ctrl_c.let():
                found = []
                for repeat in range(plan.repeats):
                    if repeat:
                        give_back()
                        _vary(model, optimizer, plan.seed + repeat, repeat, start)
                    keras_hooks.restart_accumulation(optimizer)
                    found.append(_repeat(model, applied, rate, plan, portions.of(repeat)))
    return _together(found, plan, keras_hooks.momentum_of(optimizer))


# The running


@dataclass(frozen=True)
class _Plan:
    """What is to be tested."""

    rates: np.ndarray
    by: str
    metric: str
    seed: int
    repeats: int
    fresh_weights: bool


def _plan(start_rate, end_rate, steps, by, metric, seed, repeats, fresh_weights) -> _Plan:
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
    seed, repeats = _checks.whole("seed", seed, at_least=0), _checks.whole("repeats", repeats, at_least=1)
    return _Plan(rates, by, metric, seed, repeats, _checks.flag("fresh_weights", fresh_weights))


class _Portions:
    """The batches for which a rate holds, rate after rate, for each repeat."""

    def __init__(self, batches: Batches, plan: _Plan, optimizer):
        self.batches, self.plan = batches, plan
        self.of_update = optimizer.gradient_accumulation_steps or 1
        self.batches_each = self.of_update if plan.by == "batch" else batches.number or 10_000
        self._next = self._passes(0)  # of the repeat that comes next

    def first(self):
        """Return the first batch, which stays there."""
        one_pass = next(self._next, iter(()))
        for batch in one_pass:
            self._next = itertools.chain([itertools.chain([batch], one_pass)], self._next)
            return batch
        raise ValueError("data must hold at least one batch, got none")

    def of(self, repeat: int) -> Iterator[Iterator]:
        """Yield the batches for each rate of a repeat; they end where the data do."""
        passes = self._next if repeat == 0 else self._passes(repeat)
        if self.plan.by == "epoch":
            yield from passes
        batches = itertools.chain.from_iterable(passes)
        while True:
            yield itertools.islice(batches, self.of_update)

    def _passes(self, repeat: int) -> Iterator[Iterator]:
        for one_pass in self.batches.passes(self.plan.seed + repeat):
            one_pass = iter(one_pass)
            for batch in one_pass:
                yield itertools.chain([batch], one_pass)
                break
            else:
                return  # an empty pass, and so would be all that follow


def _side_by_side(model, batches: Batches, each: int, plan: _Plan) -> list[tuple[list, str | None]] | None:
    """Test all repeats at once, in a sweep's program, if there are several and it can; return what _repeat returns."""
    if plan.repeats == 1 or plan.metric != "loss":
        return None
    seeds = [plan.seed + repeat for repeat in range(plan.repeats)]
    if (seen := side_by_side(model, batches, np.repeat(plan.rates, each), seeds, plan.fresh_weights)) is None:
        return None
    missing = ((0, -len(seen[0]) % each), (0, 0))  # of an epoch in which no loss was finite any more
    losses, applied = (np.pad(kind, missing, constant_values=np.nan).reshape(-1, each, plan.repeats) for kind in seen)
    found = []
    for lane in range(plan.repeats):
        one, stopped = [], None
        for values, rates in zip(losses[:, :, lane], applied[:, :, lane], strict=True):
            one.append((rates[0], values.mean(dtype=np.float64), np.nan, each))
            if stopped := _verdict([loss for _, loss, *_ in one], recent=RECENT if plan.by == "batch" else 1):
                break
        found.append((one, stopped))
    return found


def _repeat(model, applied, rate, plan: _Plan, portions) -> tuple[list, str | None]:
    """Test once; return for every rate what came, None where there was no update, and why it ended early."""
    found, updates = [], len(applied.rates)
    for value, portion in zip(plan.rates, portions, strict=False):
        rate.assign(value)
        enough = (lambda before=updates: len(applied.rates) > before) if plan.by == "batch" else lambda: False
        if (means := _train(model, portion, plan.metric, enough)) is None:
            return found, OUT_OF_DATA
        received = applied.rates[updates:]
        updates += len(received)
        if len(received) == 0 and np.isfinite(means[0]):  # the scaling of the loss skipped the update
            found.append(None)
            continue
        found.append((received[0] if len(received) else np.float32(value), *means, len(received)))
        losses = [one[1] for one in found if one]
        if stopped := _verdict(losses, recent=RECENT if plan.by == "batch" else 1):
            return found, stopped
    return found, None


def _train(model, portion, metric: str, enough) -> tuple[float, float] | None:
    """Train on some batches and return the means of their losses and accuracies, each before the batch's update."""
    seen = []
    for batch in portion:
        model.reset_metrics()  # some versions of Keras go on with the mean over all batches so far
        logs = keras_hooks.trained_on(model, batch)
        if not isinstance(logs, Mapping) or metric not in logs:
            told = ", ".join(logs) if isinstance(logs, Mapping) else type(logs).__name__
            wanted = f"be compiled with metrics=[{metric!r}]" if metric != "loss" else "report a loss in its train_step"
            raise ValueError(f"model must {wanted}, it reports {told}")
        if np.ndim(logs["loss"]):
            raise ValueError(f"model must report one number as its loss, got shape {np.shape(logs['loss'])}")
        seen.append((float(logs["loss"]), float(logs.get("accuracy", np.nan))))
        if not np.isfinite(seen[-1][0]):
            _refuse_holes(batch)
            break
        if enough():
            break
    return tuple(np.mean(seen, axis=0)) if seen else None


def _refuse_holes(batch) -> None:
    """Raise a ValueError where the data, and not the rate, are why a loss is not finite."""
    for part in tf.nest.flatten(batch, expand_composites=True):
        if part is not None and (part := np.asarray(part)).dtype.kind == "f" and not np.isfinite(part).all():
            raise ValueError("data must be finite, but a batch holds NaN or infinity")


def _verdict(losses: list[float], recent: int) -> str | None:
    """Say why the test must end now, if it must."""
    if not np.isfinite(losses[-1]):
        if len(losses) == 1:
            raise ValueError(NOT_FINITE)
        return "not finite"
    means = [np.mean(losses[max(0, i - recent) : i]) for i in range(1, len(losses) + 1)]
    far_above = min(means) + (RISE - 1) * abs(min(means))  # a loss may be negative
    return "diverged" if means[-1] > max(far_above, means[0]) else None


def _refuse_no_labels(model, batch) -> None:
    own_step = type(model).train_step is not keras.Model.train_step
    if not own_step and keras_hooks.loss_given(model)[0] is not None and unpack_x_y_sample_weight(batch)[1] is None:
        raise ValueError("data must hold labels for the loss that the model was compiled with, got samples alone")


def _vary(model, optimizer, seed: int, repeat: int, start: Start | None) -> None:
    """Give a repeat random numbers of its own, and, from a start, fresh weights and an optimizer as new."""
    variables = keras_hooks.variables_of(model)
    drawn = (
        start.of_seed(seed)
        if start
        else [
            random_state(seed, place) if is_random_state(variable) else None for place, variable in enumerate(variables)
        ]
    )
    for variable, value in zip(variables, drawn, strict=True):
        if value is not None:
            variable.assign(value)
    if start:
        for variable, value in fresh(model.optimizer):
            variable.assign(value)


def _together(found: list, plan: _Plan, momentum: float) -> RangeTest:
    """Put repeats side by side; a rate at which one of them made no update is left out."""
    rows = np.full((len(found), len(plan.rates), 4), np.nan)
    skipped, length = np.zeros(len(plan.rates), bool), max(len(one) for one, _ in found)
    for row, (one, _) in zip(rows, found, strict=True):
        for place, values in enumerate(one):
            if values is None:
                skipped[place] = True
            else:
                row[place] = values
    if skipped[:length].all():
        raise ValueError("model must be updated by its training step, but its optimizer made no update")
    rows = rows[:, :length][:, ~skipped[:length]]
    rates, hold = np.nanmax(rows[:, :, 0], axis=0).astype(np.float32), int(np.nanmedian(rows[:, :, 3]))
    asked = plan.rates[:length][~skipped[:length]]
    beyond = (plan.rates[length:] * rates[0] / asked[0]).astype(np.float32)  # an optimizer may scale its rate
    losses, accuracies = rows[:, :, 1], rows[:, :, 2] if plan.metric == "accuracy" else None
    return RangeTest(rates, losses, accuracies, tuple(end for _, end in found), beyond, momentum, max(1, hold))


def _optimizer(model):
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {model!r}")
    if not model.compiled or model.optimizer is None:
        raise ValueError(f"model must be compiled, got {model!r}")
    optimizer = keras_hooks.updating_optimizer(model.optimizer)
    keras_hooks.refuse_other_rates(optimizer)
    return optimizer


make_callable(__name__, range_test)
