"""The repeats of a range test side by side, in the program of a sweep: each is a lane, and a column of rising rates."""

import itertools
import time

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks
from lrlib.batches_of import Batches, Rows
from lrlib.lanes import is_random_state
from lrlib.proof import check, prove
from lrlib.streams import stream
from lrlib.training import SLICE_SECONDS, Job, begin, graphs_as_written, program_of

MEMORY = 1e9  # bytes that the lanes may take, as in a sweep
# what a sweep raises for a model that it cannot train: its own refusals, and what Keras and TensorFlow say when a model
# does not go into its program, the processor's memory among it
CANNOT = ValueError, TypeError, NotImplementedError, tf.errors.OpError


def random_state(seed: int, place: int) -> list[int]:
    """Return where a layer's random numbers begin in a repeat: as in the lane of a sweep with this seed."""
    return [stream(seed, f"random numbers {place}").integers(2**31), 0]


def side_by_side(model, batches: Batches, rates, seeds: list[int], fresh_weights: bool):
    """Train a model once for each seed while its rate rises, all at once, if a sweep's program can do it as ``fit``.

    Parameters
    ----------
    model : keras.Model
        Compiled and built. It is only read.
    batches : Batches
        Of arrays.
    rates : array_like, shape (steps,)
        The rate of each update.
    seeds : list of int
        The order of the samples, and what random layers draw; the first one goes on from the model's own state.
    fresh_weights : bool
        Whether all lanes but the first start from weights of their own.

    Returns
    -------
    losses, applied : numpy.ndarray, shape (steps, seeds)
        The loss of each batch before its update, and the rate that the update received; the steps end early where no
        loss is finite any more. None where the model or the data are not for a sweep.
    """
    if not isinstance(rows := batches.source, Rows) or not _trains_as_in_fit(model):
        return None
    if fresh_weights and keras_hooks.counted(model.optimizer):
        return None  # lanes have one count of updates
    orders = [list(itertools.islice(itertools.chain.from_iterable(rows.orders(seed)), len(rates))) for seed in seeds]
    try:
        check(model)
        chosen, places = np.unique(np.stack(orders, axis=1), return_inverse=True)
        samples = batches.ready(rows.batch(chosen))
        job = _job(model, samples, rates, seeds, rows.batch_size)
        _look_at_the_ends(model, samples)
        prove(job)
        program = program_of(job)
        with graphs_as_written():
            compiled = program.at(len(seeds))
        if program.bytes_of_lane * len(seeds) > MEMORY:
            return None
        start = begin(job, range(len(seeds)), len(seeds))
        state = _state(model, program, seeds, start.state, fresh_weights)
        order = places.reshape(len(rates), len(seeds), -1).astype(np.int32)
        return _train(compiled, start._replace(order=order, state=state), keras_hooks.counted(model.optimizer))
    except CANNOT:  # the model itself trains then, or says what is wrong with it
        return None


def _trains_as_in_fit(model) -> bool:
    """Whether a training step is Keras's own, with an update for each batch."""
    own_step = type(model).train_step is not keras.Model.train_step or model.run_eagerly
    optimizer = keras_hooks.updating_optimizer(model.optimizer)
    return not (own_step or optimizer.gradient_accumulation_steps or optimizer.use_ema)


def _job(model, samples, rates, seeds: list[int], batch_size: int) -> Job:
    for part in tf.nest.flatten(samples):
        if np.asarray(part).dtype.kind not in "biuf" or not np.isfinite(part).all():
            raise TypeError("a sweep trains on finite numbers")
    return Job(
        model=model, parts={"train": samples}, classes=None, learning_rates=[1.0], values=[1.0], seeds=seeds,
        factors=np.asarray(rates)[:, None, None], setting=None, group=None, batch_size=batch_size, record_every=1,
        vectorized=True, memory=MEMORY, constant_loss=np.nan, weights=False,
    )  # fmt: skip


def _look_at_the_ends(model, samples) -> None:
    """Raise an error where the loss is not one number, or a label or an index is none, which lanes would not notice."""
    given = keras.utils.unpack_x_y_sample_weight(samples)
    parts = [np.asarray(part) for part in tf.nest.flatten(given[:2]) if part is not None]
    # what takes the lowest and the highest takes those between
    ends = [np.unravel_index(at, part.shape)[0] for part in parts for at in (part.argmin(), part.argmax())]
    x, y, weights = tf.nest.map_structure(lambda part: None if part is None else tf.gather(part, ends), given)
    with keras.StatelessScope([(v, v.value) for v in model.variables], collect_losses=True):
        loss = tf.convert_to_tensor(keras_hooks.loss_of(model, True, x, y, model(x), weights))
    if loss.shape.rank or not np.isfinite(loss):
        raise ValueError(f"a sweep's loss is one finite number, got {loss}")


def _state(model, program, seeds: list[int], drawn: tuple, fresh_weights: bool) -> tuple:
    """Return where the lanes start: weights, other variables and the optimizer's slots, each as [lane, ...]."""
    others = [_other(program, variable, seeds) for variable in program.others]
    weights = [_lanes(variable, len(seeds)) for variable in program.weights]
    slots = [_lanes(slot, len(seeds)) for slot in keras_hooks.slots_of(model.optimizer)]
    if [slot.shape for slot in slots] != [slot.shape for slot in drawn[2]]:
        raise ValueError("the model's optimizer has other slots than one made like it")
    own = weights, others, slots
    if not fresh_weights:
        return own
    return tuple(
        [tf.concat([one[:1], other[1:]], axis=0) for one, other in zip(kind, fresh, strict=True)]
        for kind, fresh in zip(own, drawn, strict=True)
    )


def _lanes(variable, lanes: int):
    return tf.repeat(tf.convert_to_tensor(variable)[None], lanes, axis=0)


def _other(program, variable, seeds: list[int]):
    # random layers go on in the first lane, and draw numbers of their own in the others
    own = _lanes(variable, len(seeds))
    if not is_random_state(variable):
        return own
    drawn = [random_state(seed, program.places[id(variable)]) for seed in seeds[1:]]
    return tf.concat([own[:1], tf.reshape(tf.constant(np.array(drawn), own.dtype), (-1, 2))], axis=0)


def _train(compiled, start, first: int) -> tuple[np.ndarray, np.ndarray]:
    seen, done, length = [], 0, 1
    while done < len(start.rates):
        began, arguments = time.perf_counter(), start.steps(done, length)
        state, (losses, applied, *_) = compiled.train(*arguments[:-1], first + done)
        start = start._replace(state=state)
        seen.append((losses.numpy(), applied.numpy()))
        done += len(seen[-1][0])
        if not np.isfinite(seen[-1][0][-1]).any():
            break
        length = max(1, int(SLICE_SECONDS / (time.perf_counter() - began) * len(seen[-1][0])))
    return tuple(np.concatenate(kind) for kind in zip(*seen, strict=True))
