"""The sweep: one Keras model under hundreds of learning rates and seeds, trained at once.

Every pair of a rate and a seed is a lane: a network of its own, which shares nothing with the others but the program
that trains them all, side by side in the first dimension of every tensor. The rates of a whole experiment are one
matrix, ``rates[step, lane]``.
"""

import functools
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from lrlib import _checks
from lrlib._modules import make_callable
from lrlib.datasets import Data, as_data, batches
from lrlib.recipe import Recipe, dense_layers, recipe_of
from lrlib.runs import Runs
from lrlib.schedules import FunctionOfStep, Schedule, as_schedule
from lrlib.streams import stream

SLICE_SECONDS = 0.5  # Ctrl-C works between slices
LAST = 0.1  # the share of the steps that decides whether a lane has failed
LANES = 16  # the lanes are filled up to a multiple: in an array's uneven rest a processor may round another way
EVALUATED_AT_ONCE = 256  # samples


def sweep(
    model: keras.Sequential,
    data: Data | tuple,
    learning_rates: Sequence[float],
    seeds: Sequence[int],
    *,
    steps: int,
    batch_size: int,
    schedule: Schedule | float | Callable[[int], float | Sequence[float]] = 1.0,
    progress: bool | None = None,
) -> Runs:
    r"""Train a Keras model with every learning rate and every seed, all of them at once.

    In each lane the model's optimizer makes its updates with the rate

    .. math:: \eta(t) = \text{learning rate} \cdot \text{schedule}(t), \qquad t = 0, \dots, \text{steps} - 1

    The model says what to train: layers, initializers, loss and optimizer with its settings, all but the learning rate.
    It is only read. A seed stands for the initial weights and the order of the samples, which are the same for every
    learning rate (:func:`initial_weights`, :func:`lrlib.datasets.batches`), so results pair by seed. Neither depends
    on ``steps``: a longer sweep repeats a shorter one and goes on.

    Parameters
    ----------
    model : keras.Sequential
        Compiled, and made of a ``keras.Input`` and ``Dense`` layers, in float32. The optimizer is ``SGD`` (momentum,
        nesterov) or ``Adam``, the loss any that is the mean of one number for each sample.
    data : Data or pair
        What to train on, to choose by and to report on. A pair ``(x, y)`` is split in three as the bundled data are,
        see :func:`lrlib.datasets.as_data`.
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
    progress : bool, optional
        Whether to print a progress bar. By default only in a terminal, not in a notebook.

    Returns
    -------
    Runs
        An ``xarray.Dataset`` with the dimensions ``learning_rate``, ``seed`` and ``step``:

        - ``loss`` (learning_rate, seed, step): the loss of the step's batch, before its update.
        - ``applied`` (learning_rate, seed, step): the rate of the update, as the compiled step reports it.
        - ``gradient_norm`` (learning_rate, seed, step): the Euclidean norm of the whole gradient.
        - ``train_loss``, ``validation_loss``, ``test_loss`` (learning_rate, seed): over each whole part, at the end.
        - ``train_accuracy``, ``validation_accuracy``, ``test_accuracy`` (learning_rate, seed): the same, if the data
          have classes and the model an output for each.
        - ``failed`` (learning_rate, seed): whether the mean ``loss`` of the last tenth of the steps is not finite or
          above the loss of the best constant prediction. For losses other than sparse categorical cross-entropy and
          mean squared error the lane's own first loss stands for that. A run that recovered has not failed; one that
          was too slow to beat a constant has. The attribute ``constant_loss`` is that loss, NaN where it is unknown.

    Raises
    ------
    TypeError, ValueError
        If the model is not compiled, or has a layer, loss, optimizer or setting that the sweep does not know; if the
        labels do not fit the model; if rates are not positive or repeated; if seeds are missing or repeated; if a batch
        is larger than the training part; if the optimizer has a schedule of its own; if ``schedule`` returns a negative
        factor, or more or fewer factors than there are rates; if the loss is NaN or infinite before the first update.

    Notes
    -----
    A lane's result does not depend on the lanes beside it. One program is compiled for each kind of model, loss and
    optimizer, and kept; it serves any number of lanes, steps and samples. The steps are run in slices of about half a
    second, and Ctrl-C ends a sweep after the slice that is running.

    Examples
    --------
    >>> from lrlib import datasets
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(), "mse")
    >>> runs = sweep(model, datasets.diabetes(), [0.05, 0.1, 10.0], seeds=[0, 1], steps=20, batch_size=32)
    >>> runs.failed.all("seed").values
    array([False, False,  True])
    """
    recipe = recipe_of(model)
    data = as_data(data)
    learning_rates = _different("learning_rates", learning_rates, _checks.float32_rate)
    if len({np.float32(rate) for rate in learning_rates}) < len(learning_rates):
        raise ValueError(
            f"learning_rates must be different in float32, the arithmetic of training, got {learning_rates}"
        )
    seeds = _different("seeds", seeds, functools.partial(_checks.whole, at_least=0))
    steps = _checks.whole("steps", steps, at_least=1)
    progress = sys.stdout.isatty() if progress is None else _checks.flag("progress", progress)
    planned = factors(schedule, steps, len(learning_rates))
    parts = {part: _fitting(recipe, data, part) for part in ("train", "validation", "test")}
    order = np.stack([batches(len(data.x_train), batch_size, steps, seed) for seed in seeds], axis=1)
    start = [np.stack(draws) for draws in zip(*(initial_weights(model, seed) for seed in seeds), strict=True)]

    # the lanes are all pairs of a rate and a seed; those that fill up repeat the last one
    shape = len(learning_rates), len(seeds)
    lanes = np.arange(-(-np.prod(shape) // LANES) * LANES).clip(max=np.prod(shape) - 1)
    rate_of_lane, seed_of_lane = np.unravel_index(lanes, shape)
    rates = _rates(planned, learning_rates)[:, rate_of_lane]

    def by_rate_and_seed(values):
        return values[..., : np.prod(shape)].reshape(*values.shape[:-1], *shape)

    with _graphs_as_written():
        weights, *records = _train(recipe, *parts["train"], start, rates, order, seed_of_lane, progress)
        evaluated = {part: _evaluate(recipe, x, y, weights) for part, (x, y) in parts.items()}
    loss, applied, norm = map(by_rate_and_seed, records)
    dims, over_steps = ("learning_rate", "seed"), ("step", "learning_rate", "seed")
    results = {"loss": (over_steps, loss), "applied": (over_steps, applied), "gradient_norm": (over_steps, norm)}
    for part, (final_loss, accuracy) in evaluated.items():
        results[f"{part}_loss"] = dims, by_rate_and_seed(final_loss)
        if data.classes is not None and recipe.outputs > 1:
            results[f"{part}_accuracy"] = dims, by_rate_and_seed(accuracy)

    constant_loss = recipe.loss.of_best_constant(parts["train"][1])
    end = loss[-max(1, round(LAST * steps)) :].mean(axis=0, dtype=np.float64)
    results["failed"] = dims, ~(end <= (loss[0] if np.isnan(constant_loss) else constant_loss))
    about = dict(data=data.name, optimizer=str(recipe.optimizer), batch_size=batch_size, constant_loss=constant_loss)
    coords = {"learning_rate": learning_rates, "seed": seeds, "step": np.arange(steps)}
    return Runs(results, coords, about).transpose(*dims, "step")


def initial_weights(model: keras.Sequential, seed: int) -> list[np.ndarray]:
    """Draw the weights that a sweep starts from, from the initializers of the model's layers.

    Parameters
    ----------
    model : keras.Sequential
        As in :func:`sweep`. It is only read; a seed of an initializer's own is not used.
    seed : int
        The sweep's seed. The same seed gives the same weights.

    Returns
    -------
    list of numpy.ndarray
        In the order of ``model.get_weights()``: ``model.set_weights(initial_weights(model, seed))`` starts Keras there.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> [weights.tolist() for weights in initial_weights(model, seed=0)]
    [[[1.0], [1.0]], [0.0]]
    """
    seed, weights = _checks.whole("seed", seed, at_least=0), []
    for layer in dense_layers(model):
        initializers = [layer.kernel_initializer] + [layer.bias_initializer] * layer.use_bias
        for initializer, weight in zip(initializers, layer.weights, strict=True):
            config = getattr(initializer, "get_config", dict)()
            if "seed" in config:
                own_seed = stream(seed, f"initial weights {len(weights)}").integers(2**32)
                initializer = type(initializer).from_config({**config, "seed": int(own_seed)})
            weights.append(keras.ops.convert_to_numpy(initializer(weight.shape, dtype="float32")))
    return weights


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


def _rates(planned, learning_rates) -> np.ndarray:
    """Return rates[step, learning rate], rounded once to the arithmetic of the run."""
    with np.errstate(over="ignore"):
        rates = (planned * learning_rates).astype(np.float32)
    if not np.isfinite(rates).all():
        raise ValueError("learning_rates must be finite in float32 when the schedule has multiplied them")
    return rates


def _fitting(recipe: Recipe, data: Data, part: str):
    """Return one part's samples and labels in the shapes that the program takes."""
    x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
    if x.shape[1:] != (recipe.features,):
        raise ValueError(f"x_{part} must have the shape of the model's input, ({recipe.features},), got {x.shape[1:]}")
    if recipe.loss.sparse:
        if y.ndim > 1 or y.dtype != np.int32 or not (0 <= y.min() and y.max() < recipe.outputs):
            raise ValueError(
                f"y_{part} must hold one integer from 0 to {recipe.outputs - 1}, the model's last output, for each "
                f"sample, got {y.dtype} of shape {y.shape} from {y.min()} to {y.max()}"
            )
        return x, y
    y = y.reshape(len(y), -1).astype(np.float32)
    if y.shape[1] != recipe.outputs:
        raise ValueError(f"y_{part} must have a number for each of the {recipe.outputs} outputs, got {y.shape[1]}")
    return x, y


# Training and evaluating all lanes: weights are (lane, inputs, units), biases have 1 in place of inputs.


@tf.custom_gradient
def _plus_bias(x, bias):
    def gradients(of_sum):
        # as a product, since TensorFlow's sum over samples depends on where in memory a lane lies
        return of_sum, tf.matmul(tf.ones_like(of_sum[..., :1]), of_sum, transpose_a=True)

    return x + bias, gradients


@functools.lru_cache(maxsize=64)
def _program(recipe: Recipe):
    """Return the two compiled functions of a recipe: one trains for some steps, one evaluates."""
    optimizer, slots_each = recipe.optimizer, recipe.optimizer.slots

    def losses_and_outputs(weights, x, y):
        weights = iter(weights)
        for layer in recipe.layers:
            x = tf.matmul(x, next(weights))
            if layer.use_bias:
                x = _plus_bias(x, next(weights))
            x = layer.activation(x)
        y = tf.broadcast_to(y, tf.shape(x)[:-1] if recipe.loss.sparse else tf.shape(x))
        return recipe.loss.of_samples(y, x), x

    def step(t, x, y, state, rate):
        count = len(state) // (1 + slots_each)
        weights, slots = state[:count], state[count:]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = tf.reduce_mean(losses_and_outputs(weights, x, y)[0], axis=-1)
        # the lanes share no weight, so the gradient of the sum of their losses holds the gradient of each
        gradients = tape.gradient(loss, weights)
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(gradient * gradient, axis=[-2, -1]) for gradient in gradients]))
        factor = rate[:, None, None]
        updated = [optimizer.update(t, factor, gradients[i], weights[i], *slots[i::count]) for i in range(count)]
        return [weight for kind in zip(*updated, strict=True) for weight in kind], (loss, rate, norm)

    def train(x, y, state, rates, order, seed_of_lane, first):
        length = tf.shape(rates)[0]

        def body(i, state, records):
            chosen = tf.gather(order[i], seed_of_lane)
            state, seen = step(first + i, tf.gather(x, chosen), tf.gather(y, chosen), state, rates[i])
            return i + 1, state, [record.write(i, value) for record, value in zip(records, seen, strict=True)]

        records = [tf.TensorArray(tf.float32, length) for _ in range(3)]
        _, state, records = tf.while_loop(lambda i, *_: i < length, body, (0, state, records))
        return state, [record.stack() for record in records]

    def evaluate(x, y, weights):
        losses, outputs = losses_and_outputs(weights, x[None], y[None])
        classes = y if recipe.loss.sparse else tf.argmax(y, axis=-1, output_type=tf.int32)
        hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == classes
        return tf.reduce_sum(losses, axis=-1), tf.reduce_sum(tf.cast(hits, tf.float32), axis=-1)

    x = tf.TensorSpec((None, recipe.features))
    y = tf.TensorSpec((None,), tf.int32) if recipe.loss.sparse else tf.TensorSpec((None, recipe.outputs))
    weights, inputs = [], recipe.features
    for layer in recipe.layers:
        weights.append(tf.TensorSpec((None, inputs, layer.units)))
        weights += [tf.TensorSpec((None, 1, layer.units))] * layer.use_bias
        inputs = layer.units
    rates, order = tf.TensorSpec((None, None)), tf.TensorSpec((None, None, None), tf.int32)
    seed_of_lane, first = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((), tf.int32)
    # traced here and now: TensorFlow would take the programs of many recipes for one that is traced again and again
    train = tf.function(train, [x, y, weights * (1 + slots_each), rates, order, seed_of_lane, first], autograph=False)
    evaluate = tf.function(evaluate, [x, y, weights], autograph=False)
    return train.get_concrete_function(), evaluate.get_concrete_function()


@contextmanager
def _graphs_as_written():
    """Pause TensorFlow's graph optimizer: on programs as small as these it takes longer than it saves."""
    options = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})


def _train(recipe: Recipe, x, y, start, rates, order, seed_of_lane, progress: bool):
    """Return the weights at the end, then losses, applied rates and gradient norms as [step, lane]."""
    train, _ = _program(recipe)
    size = len(seed_of_lane)
    state = [tf.constant(drawn[seed_of_lane].reshape(size, -1, drawn.shape[-1])) for drawn in start]
    state += [tf.zeros_like(weight) for weight in state] * recipe.optimizer.slots
    x, y, seed_of_lane = tf.constant(x), tf.constant(y), tf.constant(seed_of_lane, tf.int32)

    bar = keras.utils.Progbar(len(rates), unit_name="step") if progress else None
    records, done, length = [], 0, 1
    while done < len(rates):
        now = slice(done, done + length)
        began = time.perf_counter()
        state, seen = train(x, y, state, rates[now], order[now], seed_of_lane, done)
        records.append([values.numpy() for values in seen])
        if done == 0 and not np.isfinite(records[0][0][0]).all():
            raise ValueError("the loss is NaN or infinite before the first update: look at the model and the data")
        done += len(rates[now])
        if bar:
            bar.update(done)
        length = max(1, int(SLICE_SECONDS / (time.perf_counter() - began) * len(rates[now])))
    return state[: len(start)], *(np.concatenate(kind) for kind in zip(*records, strict=True))


def _evaluate(recipe: Recipe, x, y, weights):
    """Return loss and accuracy over all samples, each as [lane]."""
    _, evaluate = _program(recipe)
    pieces = [slice(i, i + EVALUATED_AT_ONCE) for i in range(0, len(x), EVALUATED_AT_ONCE)]
    sums = [evaluate(x[piece], y[piece], weights) for piece in pieces]
    return (sum(part.numpy().astype(np.float64) for part in kind) / len(x) for kind in zip(*sums, strict=True))


make_callable(__name__, sweep)
