"""The sweep: one Keras model under hundreds of learning rates and seeds, trained at once.

Every pair of a rate and a seed is a lane: a network of its own, which shares nothing with the others but the program
that trains them all, side by side in the first dimension of every tensor. The rates of a whole experiment are one
matrix, ``rates[step, lane]``.
"""

import contextlib
import functools
import inspect
import json
import re
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from importlib.metadata import version
from numbers import Real

import numpy as np

from lrlib._modules import from_extra

with from_extra("sweep"):
    import joblib
    import keras
    import tensorflow as tf
    import xarray as xr

from lrlib import _checks, keras_hooks, shards
from lrlib._modules import make_callable
from lrlib.datasets import Data, as_data, count
from lrlib.lanes import fixed_variables
from lrlib.program import beside_config
from lrlib.proof import check, constant_loss, fitting, of_means, prove
from lrlib.runs import Runs, is_weight
from lrlib.schedules import FunctionOfStep, Schedule, as_schedule
from lrlib.training import AT_ONCE, FILLED_TO, Job, lanes_at_once, one_at_a_time, program_of, rates_of, train

RECORDED = """
    learning_rate seed step loss applied applied_in_group gradient_norm failed failed_since done
    train_loss validation_loss test_loss train_accuracy validation_accuracy test_accuracy weights_kept
""".split()
NOT_TRAINED = {"failed": False, "failed_since": -1, "done": False}  # a lane; what it was to measure is NaN


@one_at_a_time()
def sweep(
    model: keras.Model | Callable[..., keras.Model],
    data: Data | tuple,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    *,
    steps: int,
    batch_size: int | None = None,
    schedule: Schedule | float | Callable[[int], float | Sequence[float]] = 1.0,
    also: Mapping[str, Sequence] | None = None,
    engine: str = "vectorized",
    record_every: int = 1,
    weights: bool = False,
    memory: float = 1e9,
    resume: Runs | None = None,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> Runs:
    r"""Train a Keras model with every learning rate and every seed, all of them at once.

    In each lane the model's optimizer makes its updates with the rate

    .. math:: \eta(t) = \text{learning rate} \cdot \text{schedule}(t), \qquad t = 0, \dots, \text{steps} - 1

    The model says what to train: layers, initializers, loss and optimizer with its settings, all but the learning rate.
    It is only read. A seed stands for the initial weights, the order of the samples and what dropout drops, which are
    the same for every learning rate (:func:`lrlib.lanes.initial_weights`, :func:`lrlib.datasets.batches`), so results
    pair by seed. None depends on ``steps``: a longer sweep repeats a shorter one and goes on.

    Parameters
    ----------
    model : keras.Model
        Built and compiled, in float32: Sequential, functional or a subclass, with any layers, losses and regularizers
        that its ``compute_loss`` adds up, and any optimizer of Keras that applies the rate it is given. Layers that are
        frozen or adapted keep their values. Or a function that returns such a model, see ``also``.
    data : Data, pair or triple
        What to train on, to choose by and to report on. ``(x, y)`` or ``(x, y, weights)`` is split in three as the
        bundled data are, see :func:`lrlib.datasets.as_data`; there may be several inputs and outputs.
    learning_rates : sequence of float
        Positive and different.
    seeds : sequence of int
        Not negative and different.
    steps : int
        The number of updates, at least 1.
    batch_size : int
        The samples in a batch, at most those in the training part. The samples that are left over when an epoch has no
        full batch any more are left out of it: 1079 samples in batches of 32 are 33 updates an epoch, not 34.
    schedule : Schedule, float or callable
        A factor for every step, so the learning rate is the peak of a schedule whose peak is 1. By default always 1.
        A function of the step may also return a factor for each learning rate, so every rate can take its own course.
    also : dict, optional
        What else is swept: a name and its values. The name is a setting of the optimizer (``momentum``,
        ``weight_decay``), another parameter of a ``schedule`` that is a function, a layer (each value is a factor of
        the rate of its weights), ``"batch_size"``, or the parameter of a ``model`` that is a function (``width``). With
        the last two each value is a program of its own.
    engine : {"vectorized", "loop"}
        ``"loop"`` trains one lane after the other, for models that cannot be vectorized.
    record_every : int
        Every how many steps ``loss``, ``applied`` and ``gradient_norm`` are kept.
    weights : bool
        Whether the record holds ``weight_0``, ``weight_1``, ..., the weights of the run with the lowest loss in
        validation, in the order of ``model.get_weights()``, and ``weights_kept`` (learning_rate, seed), which run that
        is; see :meth:`lrlib.runs.Runs.weights`.
    memory : float
        Bytes that the lanes in training may take. The attribute ``bytes_of_lane`` says what one takes at most. With
        room for fewer than 16 lanes in a thread a processor may round another way.
    resume : Runs, optional
        What the same sweep returned when it was interrupted: the lanes that are done are not trained again.
    n_jobs : int, optional
        Processes that share the lanes, as in scikit-learn: by default this one, and inside
        ``joblib.parallel_config(...)`` what that says, see :mod:`lrlib.shards`. The result is the same.
    progress : bool, optional
        Whether to show on stderr how far it has come, of several processes when one has come to an end; by default only
        in a terminal.

    Returns
    -------
    Runs
        An ``xarray.Dataset`` with the dimensions ``learning_rate``, the name in ``also`` if there is one, ``seed`` and
        ``step``:

        - ``loss`` (learning_rate, seed, step): the loss of the step's batch, before its update.
        - ``applied`` (learning_rate, seed, step): the rate of the update, as ``update_step`` received it; where
          gradients are accumulated, also at the steps that only add to them. ``applied_in_group``: the same for the
          layer in ``also``.
        - ``gradient_norm`` (learning_rate, seed, step): the Euclidean norm of the whole gradient.
        - ``train_loss``, ``validation_loss``, ``test_loss`` (learning_rate, seed): over each whole part, at the end. A
          loss that is no mean over the samples, such as a sum, is that of batches of ``batch_size``, as in
          ``model.evaluate``.
        - ``train_accuracy``, ``validation_accuracy``, ``test_accuracy`` (learning_rate, seed): the same, if the data
          have classes and the model an output for each.
        - ``failed`` (learning_rate, seed): whether the mean ``loss`` of the last tenth of the steps is not finite or
          above the loss of the best constant prediction. For losses other than sparse categorical cross-entropy and
          mean squared error, and where regularizers add to the loss, the lane's own first loss stands for that. A run
          that recovered has not failed; one that was too slow to beat a constant has. The attribute ``constant_loss``
          is that loss, NaN where it is unknown.
        - ``failed_since`` (learning_rate, seed): the step since when such a mean never came back; -1 if it did.
        - ``done`` (learning_rate, seed): whether the lane is trained.

        The attributes say how it was made.

    Raises
    ------
    TypeError, ValueError
        If the model is not built or not compiled, not in float32, or its optimizer has a schedule of its own or wraps
        another; if it cannot be vectorized, or does in a lane something else than in Keras; if samples and labels do
        not fit it; if rates are not positive or repeated; if seeds are missing or repeated; if a batch is larger than
        the training part; if ``schedule`` returns a negative factor, or more or fewer factors than there are rates; if
        ``memory`` holds no lane; if the loss is NaN or infinite before the first update.
    Unfinished
        If a worker process dies: its attribute ``runs`` is the record of the lanes that are done.

    Notes
    -----
    A lane's result does not depend on the lanes beside it, to the bit. The parts that the tests know are proven against
    Keras's own training; of a model with others two steps are compared before the sweep. One program is compiled for
    each kind of model, loss and optimizer, and kept; it serves any number of lanes and steps. The steps are run in
    slices of about half a second, and Ctrl-C ends a sweep after those that are running. Lanes are trained together,
    some dozens at a time: those that have come to their end are in the record that Ctrl-C returns, the others are not
    done, however far they have come, and ``resume`` trains them from step 0. Where none is done Ctrl-C is raised. Of
    sweeps in several threads of a process one waits for the other.

    The lanes have a thread for each core, and TensorFlow's own threads, which share out single operations, are in their
    way: a sweep of small dense networks is faster where ``TF_NUM_INTRAOP_THREADS=1`` was in the environment before
    TensorFlow began to compute. Not so for convolutions, which XLA compiles, nor for the ``fit`` of large layers: these
    have one core then.

    A lane computes both branches of a ``keras.ops.cond`` in a layer of your own, and drops what was not chosen. If the
    gradient of a branch that is not taken is NaN, as that of ``log(relu(w))`` at 0, the lane's is NaN. A model of which
    the first two steps show it is refused; what comes later fails the lane. Keep what such a branch computes finite,
    ``log(relu(w) + 1e-7)``, or choose ``engine="loop"``, which computes one branch.

    Examples
    --------
    >>> from lrlib import datasets
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(), "mse")
    >>> runs = sweep(model, datasets.diabetes(), [0.05, 0.1, 10.0], seeds=[0, 1], steps=20, batch_size=32)
    >>> runs.failed.all("seed").values
    array([False, False,  True])
    """
    axis = _second_axis(also)
    if axis and (axis[0] == "batch_size" or not isinstance(model, keras.Model)):
        same = dict(steps=steps, schedule=schedule, engine=engine, record_every=record_every, memory=memory)
        same |= dict(n_jobs=n_jobs, progress=progress)
        return _a_program_each(model, data, learning_rates, seeds, batch_size, axis, same, weights, resume)
    check(model)
    data, rates = as_data(data), _different("learning_rates", learning_rates, _checks.float32_rate)
    _different_in_float32("learning_rates", rates)
    seeds = _different("seeds", seeds, functools.partial(_checks.whole, at_least=0))
    if max(seeds) >= 2**63:
        raise ValueError(f"seeds must be below 2**63, what 64 bits hold beside negative numbers, got {max(seeds)}")
    steps = _checks.whole("steps", steps, at_least=1)
    batch_size = _checks.whole("batch_size", batch_size, at_least=1)
    if batch_size > (samples := count(data.of("train"))):
        raise ValueError(f"batch_size must be at most {samples}, the number of samples to train on, got {batch_size}")
    if engine not in ("vectorized", "loop"):
        raise ValueError(f"engine must be 'vectorized' or 'loop', got {engine!r}")
    progress = sys.stderr.isatty() if progress is None else _checks.flag("progress", progress)
    job = Job(
        model=model, parts=fitting(model, data), learning_rates=rates, seeds=seeds, batch_size=batch_size,
        **_what_differs(model, schedule, steps, len(rates), axis), classes=data.classes,
        record_every=_checks.whole("record_every", record_every, at_least=1), vectorized=engine == "vectorized",
        memory=_checks.positive("memory", memory), constant_loss=constant_loss(model, data),
        weights=_checks.flag("weights", weights), of_means=of_means(model, data),
    )  # fmt: skip
    rates_of(job)
    workers = shards.workers(n_jobs)
    lanes_at_once(job, _share(int(np.prod(job.shape)), 1))
    record = _Record(job, axis, _about(job, data, schedule), resume)
    prove(job)

    todo = np.flatnonzero(~record.done)
    share = _share(len(todo), workers)
    pieces = [tuple(todo[i : i + share].tolist()) for i in range(0, len(todo), share)]
    bar = _Bar(len(todo), steps) if progress else None
    here = functools.partial(train, progress=bar) if bar and workers == 1 else train
    arrived = (lambda lanes: bar(len(lanes) * steps)) if bar and workers > 1 else None
    try:
        with contextlib.closing(bar) if bar else contextlib.nullcontext():
            finished = dict(zip(pieces, shards.run(here, job, pieces, n_jobs, arrived), strict=True))
    except shards.Unfinished as error:
        record.add(error.finished)
        error.runs = record.runs()
        stopped = isinstance(error.__cause__, KeyboardInterrupt)
        if not (stopped and record.done.any()):
            if stopped or workers == 1:
                raise error.__cause__ from None
            raise
        warnings.warn(f"{record.done.sum()} of {record.done.size} lanes are trained: resume=runs goes on", stacklevel=3)
        return error.runs
    record.add(finished)
    return record.runs()


def _share(lanes: int, workers: int) -> int:
    """Return how many lanes are trained between two looks: as many each time, so that few programs are compiled."""
    threads = joblib.cpu_count()
    times = max(workers, -(-lanes // (threads * AT_ONCE)), 1)
    filled = FILLED_TO * (threads if workers == 1 else 1)
    return max(1, -(-lanes // times // filled) * filled)


def _second_axis(also) -> tuple[str, list] | None:
    """Return the name and the values of what is swept beside the rate, if anything is."""
    if also is None:
        return None
    if not isinstance(also, Mapping) or len(also) != 1:
        raise ValueError(f"also must hold one name and its values, such as {{'momentum': [0, 0.9]}}, got {also!r}")
    ((name, values),) = also.items()
    if not isinstance(name, str) or name in RECORDED or is_weight(name):
        raise ValueError(f"also must name what is swept, not what the record calls so already, got {name!r}")
    values = _different(f"also[{name!r}]", values, lambda _, v: float(v) if isinstance(v, Fraction) else v)
    if not any(all(isinstance(value, kind) for value in values) for kind in (bool, str, Real)):
        raise TypeError(f"also[{name!r}] must hold numbers, or texts, which a file can hold, got {values!r}")
    return name, values


def _a_program_each(model, data, learning_rates, seeds, batch_size, axis, same, weights, resume) -> Runs:
    """Sweep with each value of what changes shapes, one after the other."""
    name, values = axis
    if name == "batch_size" and batch_size is not None:
        raise ValueError(f"batch_size must not be given beside also={{'batch_size': …}}, got {batch_size!r}")
    if weights or resume is not None:
        raise ValueError(f"weights and resume must not be given where each {name} is a sweep of its own")
    if name != "batch_size" and not callable(model):
        raise TypeError(f"model must be a keras.Model, or a function of {name} that returns one, got {model!r}")
    made = [(model, value) if name == "batch_size" else (model(**{name: value}), batch_size) for value in values]
    each, unfinished = [], None
    for one, size in made:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*resume=runs")  # which goes on with one value alone
                each.append(sweep(one, data, learning_rates, seeds, batch_size=size, **same))
        except KeyboardInterrupt:
            if not each:
                raise
            break
        except shards.Unfinished as error:
            unfinished = error
            each += [error.runs] if error.runs.done.any() else []
            if not each:
                raise
            break
        if not each[-1].done.all():
            break
    attrs = {k: v for k, v in each[0].attrs.items() if all(repr(one.attrs[k]) == repr(v) for one in each)}
    runs = xr.concat([Runs(one.data_vars, one.coords) for one in each], xr.Variable(name, values[: len(each)]))
    runs = runs.reindex({name: values}, fill_value=NOT_TRAINED)
    runs = Runs(runs.data_vars, runs.coords, attrs).transpose("learning_rate", name, "seed", "step")
    if unfinished:
        unfinished.runs = runs
        raise unfinished
    if not runs.done.all():
        warnings.warn(f"{int(runs.done.sum())} of {runs.done.size} lanes are trained, the others are not", stacklevel=4)
    return runs


def _what_differs(model, schedule, steps: int, rates: int, axis) -> dict:
    """Say how the lanes differ but for rate and seed: by a setting, by a layer's rate, or by the schedule."""
    if not axis:
        return dict(factors=factors(schedule, steps, rates)[:, None], values=[1.0], setting=None, group=None)
    name, values = axis
    if inspect.isfunction(schedule) and name in inspect.signature(schedule).parameters:
        each = [factors(functools.partial(schedule, **{name: value}), steps, rates) for value in values]
        return dict(factors=np.stack(each, axis=1), values=values, setting=None, group=None)
    settings = keras_hooks.settings_of(model.optimizer)
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.name == name]
    group = bool(layers)
    if group and not any(layer.trainable_variables for layer in layers):
        raise ValueError(f"also must name a layer with weights to train, got {name!r}")
    if not group and name not in settings:
        raise ValueError(
            f"also must name a layer of the model, a parameter of a schedule that is a function, batch_size, or one of "
            f"the optimizer's settings, {', '.join(settings)}, got {name!r}"
        )
    values = [_checks.non_negative(f"also[{name!r}][{i}]", value) for i, value in enumerate(values)]
    _different_in_float32(f"also[{name!r}]", values)
    for i, value in enumerate(() if group else values):
        try:
            type(model.optimizer).from_config({**model.optimizer.get_config(), name: value})
        except ValueError as error:
            raise ValueError(f"also[{name!r}][{i}] must be what the optimizer takes, got {value!r}: {error}") from None
    planned = np.repeat(factors(schedule, steps, rates)[:, None], len(values), axis=1)
    return dict(factors=planned, values=values, setting=None if group else name, group=name if group else None)


def _about(job: Job, data: Data, schedule) -> dict:
    """Say how a record was made, in numbers and texts that the next process would repeat."""
    config = {name: value for name, value in job.model.optimizer.get_config().items() if name != "learning_rate"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about functions without a name, which nobody loads from this text
            model = json.dumps(job.model.get_config(), default=str)
    except NotImplementedError:
        model = repr(job.model)
    kept = [variable.numpy() for variable in fixed_variables(job.model)]
    alike = (job.factors == job.factors[..., :1]).all()  # whatever rates there are, so some may be added
    planned = np.array(job.factors[..., :1] if alike else job.factors, order="C")  # strides are hashed too
    about = {
        "model": model,
        "optimizer": f"{type(job.model.optimizer).__name__} {json.dumps(config, default=str)}",
        "loss": str(keras_hooks.loss_given(job.model)[0]),
        "schedule": repr(schedule),
        "data": data.name,
        "fingerprint": joblib.hash([job.parts, planned, kept, beside_config(job.model)]),  # no better names
        "batch_size": job.batch_size,
        "engine": "vectorized" if job.vectorized else "loop",
        "constant_loss": job.constant_loss,
        "bytes_of_lane": program_of(job).bytes_of_lane,
        **_versions(),
        "tensorflow": tf.__version__,
    }
    return {
        name: re.sub(" at 0x[0-9a-f]+", "", text) if isinstance(text, str) else text for name, text in about.items()
    }


@functools.cache
def _versions() -> dict:
    return {name: version(name) for name in ("lrlib", "keras", "numpy")}


class _Record:
    """What the lanes came to so far."""

    def __init__(self, job: Job, axis, attrs: dict, resume):
        self.job, self.attrs, self.size = job, attrs, int(np.prod(job.shape))
        self.dims = ["learning_rate", *([axis[0]] if axis else []), "seed"]
        self.coords = {"learning_rate": job.learning_rates, "seed": job.seeds}
        self.coords |= {axis[0]: axis[1]} if axis else {}
        self.coords["step"] = np.arange(0, job.steps, job.record_every)
        self.done, self.found, self.best = np.zeros(self.size, bool), {}, (np.inf, [])
        if resume is not None:
            self._take(resume)

    def _take(self, resume) -> None:
        must = "resume must be what the same sweep returned when it was interrupted, got"
        if not isinstance(resume, Runs):
            raise ValueError(f"{must} {resume!r}")
        # as texts, in which NaN is NaN, without the numbers in the names of layers that were made anew
        now, then = ({name: re.sub(r"_\d+", "", repr(v)) for name, v in one.attrs.items()} for one in (self, resume))
        differ = {name for name in {*now, *then} - {"bytes_of_lane"} if now.get(name) != then.get(name)}
        for name in {*self.coords, *resume.coords}:
            if not np.array_equal(self.coords.get(name, []), resume.coords.get(name, [])):
                differ.add(name)
        if differ := differ or self._names() - {*resume.data_vars}:
            raise ValueError(f"{must} another one, which differs in {', '.join(sorted(differ))}")
        done = resume.done.fillna(False) if "done" in resume else xr.ones_like(resume.failed)  # after reindex NaN
        self.done = done.astype(bool).transpose(*self.dims).values.reshape(-1)  # of what is the reader's, a copy
        for name in (name for name in resume.data_vars if name in {*RECORDED} - {"done", "weights_kept"}):
            values = resume[name].transpose(..., *self.dims)
            if name in NOT_TRAINED:
                values = values.fillna(NOT_TRAINED[name]).astype({"failed": bool, "failed_since": np.int32}[name])
            self.found[name] = values.values.reshape(*values.shape[: values.ndim - len(self.dims)], self.size).copy()
        if self.job.weights and np.isfinite(losses := self._to_choose_by()).any():
            self.best = float(losses.min()), resume.weights()

    def _names(self) -> set[str]:
        """Return what the record has of every lane."""
        parts, classes = self.job.parts, self.job.classes is not None and program_of(self.job).classifies
        names = {"loss", "applied", "gradient_norm", "failed", "failed_since", *(f"{part}_loss" for part in parts)}
        names |= {f"{part}_accuracy" for part in parts} if classes else set()
        return names | ({"applied_in_group"} if self.job.group else set())

    def add(self, finished: dict) -> None:
        """Take in what was trained: results by lanes."""
        for lanes, result in finished.items():
            lanes, best = list(lanes), result.pop("weights", None)
            if best and best[0] < self.best[0]:
                self.best = best
            self.done[lanes] = True
            for name, values in result.items():
                if name not in self.found:
                    unknown = {"b": False, "i": -1}.get(values.dtype.kind, np.nan)
                    self.found[name] = np.full((*values.shape[:-1], self.size), unknown, values.dtype)
                self.found[name][..., lanes] = values

    def _to_choose_by(self) -> np.ndarray:
        """Return the losses in validation, infinity for lanes whose weights are not to be kept."""
        losses = self.found["validation_loss"]
        return np.where(self.done & ~self.found["failed"] & ~np.isnan(losses), losses, np.inf)

    def runs(self) -> Runs:
        """Return the record."""
        sizes, values = [len(self.coords[dim]) for dim in self.dims], {}
        for name, found in {**self.found, "done": self.done}.items():
            over = ["step"] * (found.ndim - 1) + self.dims
            values[name] = over, found.reshape(*found.shape[:-1], *sizes)
        if self.best[1]:
            values["weights_kept"] = self.dims, (np.arange(self.size) == self._to_choose_by().argmin()).reshape(sizes)
        for place, weight in enumerate(self.best[1]):
            values[f"weight_{place}"] = [f"weight_{place}_{axis}" for axis in range(weight.ndim)], weight
        runs = Runs(values, self.coords, self.attrs)
        return runs.transpose(*self.dims, "step", ...)


class _Bar:
    """A line on the terminal that says how far a sweep has come."""

    def __init__(self, lanes: int, steps: int):
        self.lanes, self.steps, self.made, self.began = lanes, steps, 0, time.perf_counter()
        self.length = 0  # of the line so far, which a shorter one has to cover

    def __call__(self, made: int) -> None:
        self.made += made
        share = self.made / (self.lanes * self.steps)
        left = (time.perf_counter() - self.began) * (1 - share) / share
        text = f"{self.lanes} lanes of {self.steps} steps: {share:.0%}, {left:.0f} s left "
        print("\r" + text.ljust(self.length), end="", file=sys.stderr, flush=True)
        self.length = len(text)

    def close(self) -> None:
        if self.length:
            print(file=sys.stderr, flush=True)


def _different_in_float32(name: str, values: list) -> None:
    if len({np.float32(value) for value in values}) < len(values):
        raise ValueError(f"{name} must be different in float32, the arithmetic of training, got {values}")


def _different(name: str, values, check) -> list:
    values = np.asarray(values).tolist() if hasattr(values, "__array__") else values
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must be a sequence of numbers, got {values!r}")
    values = [check(f"{name}[{i}]", value) for i, value in enumerate(values)]
    if not values:
        raise ValueError(f"{name} must have at least one entry, got none")
    if repeated := {value for value in values if values.count(value) > 1}:
        raise ValueError(f"{name} must all be different, got {min(repeated)!r} more than once")
    return values


def factors(schedule, steps: int, rates: int) -> np.ndarray:
    """Return what a sweep multiplies each of so many learning rates with, at each step.

    Parameters
    ----------
    schedule : Schedule, float or callable
        As in :func:`sweep`.
    steps, rates : int
        The number of updates and of learning rates.

    Returns
    -------
    numpy.ndarray, shape (steps, rates)
        Finite and not negative.

    Raises
    ------
    TypeError, ValueError
        If it is no schedule; if a factor is no number, negative or not finite; if a step has more or fewer factors
        than there are rates.

    Examples
    --------
    >>> factors(lambda step: [1, 1 / (1 + step)], steps=3, rates=2)
    array([[1.        , 1.        ],
           [1.        , 0.5       ],
           [1.        , 0.33333333]])
    """
    schedule = as_schedule(1.0 if schedule is None else schedule)
    if isinstance(schedule, FunctionOfStep):
        return np.array([_factors_at(step, schedule.function(step), rates) for step in range(steps)])
    return np.repeat(schedule.planned(steps)[:, None], rates, axis=1)


def _factors_at(step: int, value, columns: int) -> list[float]:
    value = np.asarray(value).tolist() if hasattr(value, "__array__") else value
    if not isinstance(value, (list, tuple)):
        return [_checks.non_negative(f"schedule({step})", value)] * columns
    if len(value) != columns:
        raise ValueError(f"schedule({step}) must be a number, or one for each of {columns} rates, got {len(value)}")
    return [_checks.non_negative(f"schedule({step})[{i}]", factor) for i, factor in enumerate(value)]


make_callable(__name__, sweep)
