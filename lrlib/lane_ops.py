"""What TensorFlow cannot do for many lanes at once, written with operations that it can.

``tf.vectorized_map`` turns a program for one lane into a program for all of them, operation by operation. Where each
lane has its own kernel or seed it has no counterpart for a convolution, a random number, a branch or a loop over time.
Inside ``with lane_ops():`` Keras calls the functions of this room in their place. They compute what Keras computes:
random numbers to the bit, the rest to the rounding of float32. And sums over samples get the same bits wherever among
the others a lane stands.

Pooling, normalisation, attention and embedding need no substitute. Other random numbers, resized images and loops in a
layer of your own have none, and ``tf.vectorized_map`` refuses them.
"""

import functools
import itertools
import logging
import math
import traceback
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from keras.src import backend
from keras.src.backend.common.backend_utils import compute_conv_transpose_output_shape
from keras.src.backend.common.stateless_scope import get_stateless_scope
from tensorflow.python.ops.parallel_for import pfor

# Convolutions


def _each(value, dimensions):
    return (value,) * dimensions if isinstance(value, int) else tuple(value)


def _conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Return a convolution as one matrix product: a column is what one element of the kernel sees."""
    kernel, spatial = tf.convert_to_tensor(kernel), len(kernel.shape) - 2
    channels_first = backend.standardize_data_format(data_format) == "channels_first"
    if channels_first:
        inputs = tf.transpose(inputs, [0, *range(2, spatial + 2), 1])
    fan_in, filters = kernel.shape[-2:]
    groups = inputs.shape[-1] // fan_in
    each = zip(inputs.shape[1:-1], kernel.shape, _each(strides, spatial), _each(dilation_rate, spatial), strict=False)
    pads, cuts = [(0, 0)], [[slice(None)]]
    for length, size, stride, step in each:
        reach = (size - 1) * step
        missing = max((length - 1) // stride * stride + reach + 1 - length, 0) if padding.lower() == "same" else 0
        pads.append((missing // 2, missing - missing // 2))
        last = (length + missing - reach - 1) // stride * stride
        cuts.append([slice(at, at + last + 1, stride) for at in range(0, reach + 1, step)])
    if padding.lower() == "same":
        inputs = tf.pad(inputs, [*pads, (0, 0)])
    seen = [inputs[cut] for cut in itertools.product(*cuts)]
    shape = [-1, *seen[0].shape[1:-1], filters]
    if groups == 1:
        columns = tf.reshape(tf.concat(seen, -1), [-1, len(seen) * fan_in])
        outputs = columns @ tf.reshape(kernel, [-1, filters])
    else:
        columns = tf.concat([tf.reshape(each, [-1, groups, fan_in]) for each in seen], -1)
        kernel = tf.transpose(tf.reshape(kernel, [-1, groups, filters // groups]), [1, 0, 2])
        outputs = tf.transpose(tf.transpose(columns, [1, 0, 2]) @ kernel, [1, 0, 2])
    outputs = tf.reshape(outputs, shape)
    return tf.transpose(outputs, [0, spatial + 1, *range(1, spatial + 1)]) if channels_first else outputs


def _depthwise_conv(inputs, kernel, *how, **more):
    kernel = tf.convert_to_tensor(kernel)
    return _conv(inputs, tf.reshape(kernel, [*kernel.shape[:-2], 1, -1]), *how, **more)


def _separable_conv(inputs, depthwise, pointwise, strides=1, padding="valid", data_format=None, dilation_rate=1):
    seen = _depthwise_conv(inputs, depthwise, strides, padding, data_format, dilation_rate)
    return _conv(seen, pointwise, data_format=data_format)


def _conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """Return the gradient of a convolution with respect to its inputs, which is what a transposed one is."""
    data_format = backend.standardize_data_format(data_format)
    how = strides, padding, output_padding, data_format, dilation_rate
    shape = compute_conv_transpose_output_shape(list(inputs.shape), kernel.shape[:-2], kernel.shape[-2], *how)
    with tf.GradientTape() as tape:
        outputs = tf.zeros([tf.shape(inputs)[0], *shape[1:]])
        tape.watch(outputs)
        back = _conv(outputs, kernel, strides, padding, data_format, dilation_rate)
    return tape.gradient(back, outputs, inputs)


def _bias_add(value, bias, data_format=None, name=None):
    """Add to the channels where they are last, since for others TensorFlow has a form in pictures only."""
    if data_format != "NCHW":
        return _KEPT["bias_add"](value, bias)
    last = tf.transpose(value, [0, *range(2, value.shape.rank), 1])
    return tf.transpose(_KEPT["bias_add"](last, bias), [0, value.shape.rank - 1, *range(1, value.shape.rank - 1)])


# Random numbers: Philox 4x32-10 (Salmon et al., 2011), seeded and laid out as TensorFlow does it


def _words(number):
    """Return the lower and the upper half of 64 bits."""
    return tf.cast(number, tf.uint32), tf.cast(tf.bitwise.right_shift(number, tf.constant(32, number.dtype)), tf.uint32)


def _philox(counter, key):
    """Return four words for each counter of four, under a key of two."""

    def two_rounds(done, c0, c1, c2, c3, k0, k1):
        for _ in range(2):
            low, high = _words(tf.cast(c0, tf.uint64) * 0xD2511F53)
            other_low, other_high = _words(tf.cast(c2, tf.uint64) * 0xCD9E8D57)
            c0, c1, c2, c3 = other_high ^ (c1 ^ k0), other_low, high ^ (c3 ^ k1), low
            k0, k1 = k0 + 0x9E3779B9, k1 + 0xBB67AE85
        return done + 2, c0, c1, c2, c3, k0, k1

    # a loop, since XLA would compute an unrolled one anew for each of the four words; its state must have one shape
    nothing = tf.zeros_like(counter[0]) * counter[2]
    state = [word + nothing for word in counter]
    return tf.while_loop(lambda done, *_: done < 10, two_rounds, (tf.constant(0), *state, *key))[1:5]


def _fractions(shape, seeds):
    """Return four arrays [lane, place] of numbers in [0, 1): taken in turn, they are what the lane's seed gives."""
    counter = [word for part in tf.unstack(tf.cast(seeds, tf.int64), axis=1) for word in _words(part)]
    scrambled = _philox(counter, [0 * counter[0] + part for part in (0x3EC8F720, 0x02461E29)])
    k0, k1, c2, c3 = (word[:, None] for word in scrambled)
    blocks = tf.cast(tf.range((tf.reduce_prod(shape) + 3) // 4), tf.uint32)
    words = _philox((blocks, tf.constant(0, tf.uint32), c2, c3), (k0, k1))
    return [tf.cast(word & 0x7FFFFF, tf.float32) * 2.0**-23 for word in words]


def _normal_of_lanes(shape, seeds):
    """Return normal numbers by Box and Muller's transform of pairs."""
    numbers, parts = _fractions(shape, seeds), []
    for one, other in numbers[:2], numbers[2:]:
        radius, angle = tf.sqrt(-2 * tf.math.log(tf.maximum(one, 1e-7))), 2 * math.pi * other
        parts += [radius * tf.sin(angle), radius * tf.cos(angle)]
    return parts


def _drawn(kind, of_lanes, asked):
    """Draw for all lanes at once: shorter than to convert, operation by operation, what draws for one."""
    if asked.get_attr("dtype") != tf.float32:
        return _KEPT[kind](asked)
    shape, seeds = tf.cast(asked.unstacked_input(0), tf.int32), asked.stacked_input(1)
    lanes, parts = tf.shape(seeds)[:1], tf.stack(of_lanes(shape, seeds), -1)
    in_turn = tf.reshape(parts, tf.concat([lanes, [-1]], 0))[:, : tf.reduce_prod(shape)]
    return pfor.wrap(tf.reshape(in_turn, tf.concat([lanes, shape], 0)), True)


def _uniform(shape, seed, minval=0, maxval=None, dtype=tf.float32, *more, **how):
    if tf.as_dtype(dtype) != tf.float32:
        return _KEPT["stateless_uniform"](shape, seed, minval, maxval, dtype, *more, **how)
    minval, maxval = tf.cast(minval, tf.float32), tf.cast(1 if maxval is None else maxval, tf.float32)
    return tf.raw_ops.StatelessRandomUniform(shape=shape, seed=seed) * (maxval - minval) + minval


def _normal(shape, seed, mean=0.0, stddev=1.0, dtype=tf.float32, *more, **how):
    if tf.as_dtype(dtype) != tf.float32:
        return _KEPT["stateless_normal"](shape, seed, mean, stddev, dtype, *more, **how)
    return tf.raw_ops.StatelessRandomNormal(shape=shape, seed=seed) * stddev + mean


def _dropout(x, rate, seed, rng_alg=None, noise_shape=None, name=None):
    return tf.nn.experimental.general_dropout(x, rate, functools.partial(_uniform, seed=seed), noise_shape, name)


# Losses


@tf.custom_gradient
def _cross_entropy(logits, shares):
    logs = tf.nn.log_softmax(logits)

    def gradients(of_loss):
        return (tf.exp(logs) - shares) * of_loss[..., None], None

    return -tf.reduce_sum(logs * shares, -1), gradients


def _sparse_cross_entropy(labels, logits, name=None):
    """What TensorFlow's own operation does, which takes longer than a product of two matrices of 64 by 64."""
    return _cross_entropy(logits, tf.one_hot(labels, logits.shape[-1]))


# Gradients of embeddings: slices of rows, of which one may come several times


def _divide(x1, x2):
    """Divide the rows that there are: Keras, in a branch, looks for zeros in the others."""
    if isinstance(x1, tf.IndexedSlices) and getattr(x2, "shape", ()):
        return tf.IndexedSlices(x1.values / tf.gather(x2, x1.indices), x1.indices, x1.dense_shape)
    return _KEPT["divide"](x1, x2)


# Branches, loops over time, sums


def _cond(pred, true_fn, false_fn):
    """Return the chosen one of both branches' results, and let the scope keep what the chosen one assigned."""
    if tf.get_static_value(pred) is not None:
        return true_fn() if tf.get_static_value(pred) else false_fn()
    scope, sides = get_stateless_scope(), []
    before = scope.state_mapping if scope else {}
    for branch in true_fn, false_fn:
        assigned = dict(before)
        if scope:
            scope.state_mapping = assigned
        sides.append((branch(), assigned))

    def choose(one, other):
        return one if one is other else tf.where(pred, one, other)

    (returned, assigned), (other_returned, other_assigned) = sides
    if scope:
        scope.state_mapping = {key: choose(value, other_assigned[key]) for key, value in assigned.items()}
    return tf.nest.map_structure(choose, returned, other_returned)


def _cond_of_one(pred, true_fn, false_fn):
    """Compute one branch, and let the scope keep what that one assigned: Keras keeps what was traced last."""
    scope = get_stateless_scope()
    if scope is None:
        return _KEPT["cond"](pred, true_fn, false_fn)
    before = scope.state_mapping

    def of(branch):
        scope.state_mapping = dict(before)
        return branch(), [scope.state_mapping[key] for key in before]

    returned, values = _KEPT["cond"](pred, lambda: of(true_fn), lambda: of(false_fn))
    scope.state_mapping = dict(zip(before, values, strict=True))
    return returned


def _rnn(step_function, inputs, initial_states, go_backwards=False, mask=None, **how):
    """Unroll the loop over time. Keras, when it unrolls, forgets to turn the mask round too, so all is turned here."""
    if go_backwards:
        inputs = tf.nest.map_structure(lambda each: tf.reverse(each, [1]), inputs)
        mask = mask if mask is None else tf.reverse(mask, [1])
    return _KEPT["rnn"](step_function, inputs, initial_states, mask=mask, **{**how, "unroll": True})


# Operations that numbers tell what to do. TensorFlow's own forms compute what that is for all lanes, at every step.


def _axes(told, lanes):
    return told + (told >= 0)


def _after(first):
    return lambda told, lanes: [first, *told]


def _of_lanes(told, lanes):
    return [lanes, *told]


SLICES = [_after(0), _after(0), _after(1)]  # begin, end, strides
TOLD = {  # by kind: the places of such inputs, and what they are with the lanes as the first axis
    "Reshape": {1: _of_lanes},
    "Transpose": {1: lambda told, lanes: [0, *(told + 1)]},
    "Slice": {1: _after(0), 2: _after(-1)},
    "StridedSlice": dict(enumerate(SLICES, start=1)),
    "StridedSliceGrad": dict(enumerate([_of_lanes, *SLICES])),
    "ConcatV2": {-1: _axes},
    "Split": {0: _axes},
    **{kind: {1: _axes} for kind in ("Sum", "Mean", "Prod", "Max", "Min", "All", "Any", "ArgMax", "ArgMin")},
}


def _as_told(kind, asked):
    """Do the same along the axes after the first, if it is known now what that is."""
    told = {place % asked.num_inputs: of_all for place, of_all in TOLD.get(kind, {}).items()}
    inputs = [value.t for value in asked.inputs]
    known = {place: tf.get_static_value(inputs[place]) for place in told if not asked.input(place).is_stacked}
    others = [value for place, value in enumerate(asked.inputs) if place not in told]
    lanes = others[0].t.shape[0]
    clear = told and lanes and len(known) == len(told) and all(value is not None for value in known.values())
    if not (clear and all(value.is_stacked for value in others)):
        return _KEPT[kind](asked)
    for place, of_all in told.items():
        inputs[place] = tf.constant(of_all(known[place], lanes), inputs[place].dtype)
    how = dict(asked.op.node_def.attr)
    for name in how:
        if name.endswith("_mask"):  # a bit for each axis: the slice of the first is all of it
            how[name] = tf.compat.v1.AttrValue(i=how[name].i << 1 | (name in ("begin_mask", "end_mask")))
    kinds = [output.dtype for output in asked.outputs]
    return [pfor.wrap(output, True) for output in pfor._create_op(kind, inputs, kinds, how).outputs]


def _product(asked):
    """Multiply what all lanes share by what each has of its own as one product of two matrices."""
    (shared, is_stacked, _), (own, _, _) = asked.input(0), asked.input(1)
    if is_stacked or not own.shape.is_fully_defined():
        return _KEPT["MatMul"](asked)
    own = tf.transpose(own, [2, 0, 1] if asked.get_attr("transpose_b") else [1, 0, 2])
    rows, lanes, columns = own.shape
    together = tf.matmul(shared, tf.reshape(own, [rows, -1]), transpose_a=asked.get_attr("transpose_a"))
    return pfor.wrap(tf.transpose(tf.reshape(together, [-1, lanes, columns]), [1, 0, 2]), True)


def _sum(kind, asked):
    """Sum over samples by a product with ones: TensorFlow's sum depends on where in memory a lane lies."""
    x, bias = asked.stacked_input(0), kind == "BiasAddGrad"
    shape = x.shape[1:]
    axes = range(shape.rank - 1) if bias else tf.get_static_value(asked.unstacked_input(1))
    axes = [] if axes is None else sorted(int(axis) % shape.rank for axis in np.ravel(axes))
    first, end = (axes[0], axes[-1] + 1) if axes else (0, 0)
    together = len(axes) == end - first > 0 and end < shape.rank
    if not (together and x.dtype == tf.float32 and shape.is_fully_defined()):
        return _as_told(kind, asked)
    count = math.prod(shape[first:end])
    x = tf.reshape(x, [-1, count, math.prod(shape[end:])])
    ones = tf.fill([x.shape[0], count, 1], 1.0) if x.shape[0] else tf.ones_like(x[..., :1])
    x = tf.matmul(ones, x, transpose_a=True)
    x = x / count if kind == "Mean" else x
    kept = [1] * len(axes) if not bias and asked.get_attr("keep_dims") else []
    return pfor.wrap(tf.reshape(x, [-1, *shape[:first], *kept, *shape[end:]]), True)


SUMS = "Sum", "Mean", "BiasAddGrad"
CONVERTERS = pfor._pfor_converter_registry
DRAWS = {"StatelessRandomUniform": _fractions, "StatelessRandomNormal": _normal_of_lanes}
SUBSTITUTES = (
    (vars(backend.nn), "conv", _conv),
    (vars(backend.nn), "depthwise_conv", _depthwise_conv),
    (vars(backend.nn), "separable_conv", _separable_conv),
    (vars(backend.nn), "conv_transpose", _conv_transpose),
    (vars(tf.nn), "bias_add", _bias_add),
    (vars(tf.random), "stateless_uniform", _uniform),
    (vars(tf.random), "stateless_normal", _normal),
    (vars(tf.nn.experimental), "stateless_dropout", _dropout),
    (vars(tf.nn), "sparse_softmax_cross_entropy_with_logits", _sparse_cross_entropy),
    (vars(backend.numpy), "divide", _divide),
    (vars(backend.core), "cond", _cond),
    (vars(backend), "rnn", _rnn),
    (vars(backend), "cudnn_ok", lambda *arguments, **how: False),
    *((CONVERTERS, kind, functools.partial(_drawn, kind, of_lanes)) for kind, of_lanes in DRAWS.items()),
    *((CONVERTERS, kind, functools.partial(_as_told, kind)) for kind in TOLD if kind not in SUMS),
    *((CONVERTERS, kind, functools.partial(_sum, kind)) for kind in SUMS),
    (CONVERTERS, "MatMul", _product),
)
OF_ONE = ((vars(backend.core), "cond", _cond_of_one),)
OF_UPDATE = ((vars(backend.core), "cond", _cond),)  # also of one: the rate that a branch received is wanted outside
_KEPT = {name: place[name] for place, name, _ in SUBSTITUTES}


@contextmanager
def lane_ops(substitutes=SUBSTITUTES):
    """Let Keras call this room's functions while a program for many lanes is traced, or some of them."""
    before = [(place, name, place[name]) for place, name, _ in substitutes]
    logger, level = tf.get_logger(), tf.get_logger().level
    try:
        logger.setLevel(logging.CRITICAL)  # pages about what it cannot convert, which the error says too
        for place, name, function in substitutes:
            place[name] = function
        yield
    finally:
        logger.setLevel(level)
        for place, name, function in before:
            place[name] = function


def not_converted(error: Exception) -> tf.Operation | None:
    """Return the operation that ``tf.vectorized_map`` has no counterpart for, if that is what an error is about."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    asked = [frame.f_locals["y_op"] for frame in frames if frame.f_code.co_name == "_convert_helper"]
    return asked[-1] if asked else None
