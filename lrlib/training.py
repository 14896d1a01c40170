"""Training: a share of a sweep's lanes, from their start to what the record holds of them.

The lanes of a share are trained some at a time, by a thread for each processor; this is the one call that may as well
be made in another process.
"""

import functools
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lrlib._modules import from_extra

with from_extra("sweep"):
    import joblib
    import keras
    import tensorflow as tf

from lrlib import keras_hooks
from lrlib.datasets import batches, count, each
from lrlib.program import Program, signature

SLICE_SECONDS = 0.5  # Ctrl-C works between slices
LAST = 0.1  # the share of the steps that decides whether a lane has failed
FILLED_TO = 16  # a multiple of so many lanes: in an array's uneven rest a processor may round another way
AT_ONCE = 96  # lanes in a thread: enough to outweigh the calls, few enough to stay in the processor's cache
BY_XLA = 16  # the same for a program that XLA compiles, always so many
EVALUATED_AT_ONCE = 256  # samples
NOT_FINITE = "the loss is NaN or infinite before the first update: look at the model and the data"


@dataclass(frozen=True, eq=False)
class Job:
    """What a sweep trains: all that a process needs to know to train some of its lanes.

    A lane is a number: the position of its rate, its value of the second axis and its seed in an array of ``shape``.
    """

    model: keras.Model
    parts: dict  # the name of a part of the data: its samples, labels and perhaps weights
    classes: int | None
    learning_rates: list
    values: list  # of the second axis, [1.0] if there is none
    seeds: list
    factors: np.ndarray  # [step, value, rate], from the schedule
    setting: str | None  # of the optimizer, if that is the second axis
    group: str | None  # the layer whose rate is, if that is
    batch_size: int
    record_every: int
    vectorized: bool
    memory: float  # bytes
    constant_loss: float  # of the best constant prediction, NaN where it is unknown
    weights: bool  # whether to keep those of the best lane
    of_means: bool = True  # whether the loss of a batch is the mean of its samples', so any number may be evaluated

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.learning_rates), len(self.values), len(self.seeds)

    @property
    def steps(self) -> int:
        return len(self.factors)

    @functools.cached_property
    def made(self) -> str | None:
        return signature(self.model)


_programs, _alone = {}, weakref.WeakKeyDictionary()  # by what equal models have in common; of a job without equals


def program_of(job: Job) -> Program:
    """Return the program that trains a job's lanes, an earlier one if it was for a model of the same making."""
    data = job.parts["train"]
    samples = tf.nest.map_structure(lambda v: (v.shape[1:], str(v.dtype)), data)
    names = [layer.name for layer in job.model._flatten_layers()]
    group = [place for place, name in enumerate(names) if name == job.group]
    named = names if any(isinstance(part, dict) for part in data) else None
    key = job.made, str(samples), str(named), job.batch_size, job.setting, str(group), job.vectorized
    programs = _programs if job.made else _alone.setdefault(job, {})
    if key not in programs:
        while len(programs) >= 32:
            del programs[next(iter(programs))]
        programs[key] = Program(job.model, data, job.batch_size, job.setting, job.group, job.vectorized)
    return programs[key]


def lanes_at_once(job: Job, lanes: int) -> int:
    """Return how many lanes a thread trains at a time, so that all threads have some and the memory holds them."""
    program, threads = program_of(job), joblib.cpu_count()
    share = -(-lanes // threads)
    wanted = BY_XLA if program.by_xla else _filled(-(-share // -(-share // AT_ONCE)), FILLED_TO)
    wanted = wanted if job.vectorized else 1
    with graphs_as_written():
        program.at(wanted)
    most = int(job.memory / threads / program.bytes_of_lane)
    if most < 1:
        needed = threads * program.bytes_of_lane
        raise ValueError(f"memory must hold a lane in each of {threads} threads, {needed} bytes, got {job.memory:g}")
    return min(wanted, most)


def train(job: Job, lanes: Sequence[int], progress: Callable[[int], None] | None = None) -> dict:
    """Train some lanes of a job and return what the record holds of them, each as [..., lane].

    Parameters
    ----------
    job : Job
    lanes : sequence of int
    progress : callable, optional
        Called after every slice with the number of steps that were made in it, of all its lanes together.

    Returns
    -------
    dict of numpy.ndarray
        ``loss``, ``applied`` and ``gradient_norm`` [step, lane]; the losses and accuracies of the parts, ``failed`` and
        ``failed_since`` [lane]; perhaps ``weights``, a list, those of the lane with the lowest loss in validation.
    """
    at_once, stop = lanes_at_once(job, len(lanes)), threading.Event()
    pieces = [lanes[i : i + at_once] for i in range(0, len(lanes), at_once)]
    with graphs_as_written(), ThreadPoolExecutor(min(len(pieces), joblib.cpu_count())) as threads:
        program_of(job).at(at_once)  # by this thread, before the others
        try:  # Ctrl-C may come while they are being sent
            running = [threads.submit(_train, job, piece, at_once, stop, progress) for piece in pieces]
            found = [one.result() for one in running]
        finally:
            stop.set()
            threads.shutdown(cancel_futures=True)
    result = {name: np.concatenate([one[name] for one in found], axis=-1) for name in found[0] if name != "weights"}
    if job.weights:
        best = np.argmin([one["weights"][0] for one in found])
        result["weights"] = found[best]["weights"]
    return result


def _filled(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


class Start(NamedTuple):
    """What the program of a job takes, for some lanes: in the order of ``Program.train``, but for all steps."""

    state: tuple
    fixed: list
    data: tuple
    order: np.ndarray  # [step, seed, place in the batch]
    seed_of_lane: tf.Tensor
    rates: np.ndarray  # [step, lane]
    values: tf.Tensor  # of the optimizer's setting, or factors of a layer's rate

    def steps(self, first: int, number: int) -> list:
        """Return the arguments for so many steps from one on."""
        now = slice(first, first + number)
        return [*self[:3], self.order[now], self.seed_of_lane, self.rates[now], self.values, first]


def begin(job: Job, lanes: Sequence[int], width: int) -> Start:
    """Return where some lanes start; the last one fills up as many as the program is to train."""
    program = program_of(job)
    rate, value, seed = np.unravel_index([*lanes, *[lanes[-1]] * (width - len(lanes))], job.shape)
    seeds, seed_of_lane = np.unique(seed, return_inverse=True)
    samples = count(job.parts["train"])
    order = np.stack([batches(samples, job.batch_size, job.steps, job.seeds[i]) for i in seeds], axis=1)
    starts = [program.start.of_seed(job.seeds[i]) for i in seeds]
    drawn = [tf.constant(np.stack(of_seeds)[seed_of_lane]) for of_seeds in zip(*starts, strict=True)]
    slots = [tf.repeat(tf.convert_to_tensor(slot)[None], width, axis=0) for slot in program.slots]
    own = [tf.convert_to_tensor(v) for v in keras_hooks.variables_of(job.model)]
    return Start(
        (program.of_kind(drawn, "weights"), program.of_kind(drawn, "others"), slots),
        program.of_kind(own, "fixed"),
        each(tf.constant, job.parts["train"]),
        order,
        tf.constant(seed_of_lane, tf.int32),
        rates_of(job)[:, value, rate],
        tf.constant(np.asarray(job.values if job.setting or job.group else [1.0] * len(job.values), np.float32)[value]),
    )


def _train(job: Job, lanes, at_once: int, stop, progress) -> dict:
    program, number, start = program_of(job), len(lanes), begin(job, lanes, at_once)
    compiled = program.at(at_once)
    records, done, length = [], 0, 1
    while done < job.steps:
        if stop.is_set():
            raise CancelledError
        began, arguments = time.perf_counter(), start.steps(done, length)
        state, seen = compiled.train(*arguments)
        start = start._replace(state=state)
        records.append([record.numpy() for record in seen])
        if done == 0 and not np.isfinite(records[0][0][0]).all():
            raise ValueError(NOT_FINITE)
        made = len(records[-1][0])
        done += made
        if progress:
            progress(made * number)
        length = max(1, int(SLICE_SECONDS / (time.perf_counter() - began) * made))
    loss, *others = (np.concatenate(kind)[:, :number] for kind in zip(*records, strict=True))
    result = failures(loss, job.constant_loss)
    names = "loss", "applied", "gradient_norm", "applied_in_group"
    result |= {name: record[:: job.record_every] for name, record in zip(names, (loss, *others), strict=False)}
    weights = program.finished(start.state)
    for part, whole in job.parts.items():
        at_once = EVALUATED_AT_ONCE if job.of_means else job.batch_size
        final_loss, accuracy = _evaluate(
            compiled, weights, start.state[1], start.fixed, job.steps, whole, at_once, stop
        )
        result[f"{part}_loss"] = final_loss[:number]
        if job.classes is not None and program.classifies:
            result[f"{part}_accuracy"] = accuracy[:number]
    if job.weights:
        losses = np.where(result["failed"] | np.isnan(result["validation_loss"]), np.inf, result["validation_loss"])
        best = int(losses.argmin())
        result["weights"] = losses[best], program.in_model(weights, start.state[1], start.fixed, best)
    return result


def rates_of(job: Job) -> np.ndarray:
    """Return rates[step, value, learning rate], rounded once to the arithmetic of the run."""
    with np.errstate(over="ignore", under="ignore"):
        rates = (job.factors * job.learning_rates).astype(np.float32)
    if not np.isfinite(rates).all():
        raise ValueError("learning_rates must be finite in float32 when the schedule has multiplied them")
    return rates


def failures(loss: np.ndarray, constant_loss: float) -> dict[str, np.ndarray]:
    """Say which lanes failed, and since when: the mean loss of the last steps, so many as decide, did not come back.

    Parameters
    ----------
    loss : numpy.ndarray, shape (steps, lanes)
    constant_loss : float
        The most that it may be; NaN for the lane's own first loss.

    Returns
    -------
    dict
        ``failed``, and ``failed_since``, the first step from which on that mean was never below; -1 if it is.
    """
    limit = loss[0].astype(np.float64) if np.isnan(constant_loss) else np.full(loss.shape[1], constant_loss)
    window = max(1, round(LAST * len(loss)))
    failed = ~(loss[-window:].mean(axis=0, dtype=np.float64) <= limit)
    since = np.full(loss.shape[1], -1, np.int32)
    for lane in np.flatnonzero(failed):
        # a loss of a million times the limit is as bad as infinity, and leaves the sums precise
        values = np.minimum(np.nan_to_num(loss[:, lane].astype(np.float64), nan=np.inf), 1e6 * abs(limit[lane]) + 1)
        sums = np.concatenate([np.zeros(window), np.cumsum(values)])
        means = (sums[window:] - sums[:-window]) / np.minimum(np.arange(1, len(loss) + 1), window)
        fine = np.flatnonzero(means <= limit[lane])
        since[lane] = min(fine[-1] + 1, len(loss) - 1) if len(fine) else 0
    return {"failed": failed, "failed_since": since}


def _evaluate(compiled, weights, others, fixed, steps: int, data, at_once: int, stop) -> list[np.ndarray]:
    """Return loss and accuracy over all samples after so many steps, so many samples at once, each as [lane]."""
    sums = []
    for first in range(0, count(data), at_once):
        if stop.is_set():
            raise CancelledError
        piece = each(lambda array, first=first: tf.constant(array[first : first + at_once]), data)
        found = compiled.evaluate(weights, others, fixed, piece, steps)
        loss, hits = (values.numpy().astype(np.float64) for values in found)
        sums.append((loss * count(piece), hits))
    return [sum(kind) / count(data) for kind in zip(*sums, strict=True)]


_one_at_a_time = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let other threads wait: what is done here takes all cores, and settings that TensorFlow and Keras have one of."""
    with _one_at_a_time:
        yield


@contextmanager
def graphs_as_written() -> Iterator[None]:
    """Pause TensorFlow's graph optimizer: on programs as small as these it takes longer than it saves."""
    options = tf.config.optimizer.get_experimental_options()
    try:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})
