"""What TensorFlow cannot do for many lanes at once, written with operations that it can.

``tf.vectorized_map`` turns a program for one lane into a program for all of them, operation by operation. Where each
lane has its own kernel or seed it has no counterpart for a convolution, a random number, a branch or a loop over time.
Inside ``with lane_ops():`` Keras calls the functions of this room in their place. They compute what Keras computes:
random numbers to the bit, the rest to the rounding of float32.
"""

import itertools
import math
from contextlib import contextmanager

import tensorflow as tf
from keras.src import backend
from keras.src.backend.common.backend_utils import compute_conv_transpose_output_shape
from keras.src.backend.common.stateless_scope import get_stateless_scope

# Convolutions


def _each(value, dimensions):
    return (value,) * dimensions if isinstance(value, int) else tuple(value)


def _conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Return a convolution as one matrix product: a column is what one element of the kernel sees."""
    kernel, spatial = tf.convert_to_tensor(kernel), len(kernel.shape) - 2
    strides, dilation = _each(strides, spatial), _each(dilation_rate, spatial)
    channels_first = backend.standardize_data_format(data_format) == "channels_first"
    if channels_first:
        inputs = tf.transpose(inputs, [0, *range(2, spatial + 2), 1])
    reach = [(size - 1) * step for size, step in zip(kernel.shape, dilation, strict=False)]
    lengths = inputs.shape[1:-1]
    if padding.lower() == "same":
        missing = [max((n - 1) // s * s + r + 1 - n, 0) for n, s, r in zip(lengths, strides, reach, strict=True)]
        inputs = tf.pad(inputs, [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)])
        lengths = inputs.shape[1:-1]
    lengths = [(n - r - 1) // s + 1 for n, s, r in zip(lengths, strides, reach, strict=True)]
    seen = []
    for place in itertools.product(*map(range, kernel.shape[:spatial])):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        seen.append(
            inputs[:, *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, lengths, strides, strict=True))]
        )
    fan_in, filters = kernel.shape[-2:]
    groups = inputs.shape[-1] // fan_in
    if groups == 1:
        columns = tf.reshape(tf.concat(seen, -1), [-1, len(seen) * fan_in])
        outputs = columns @ tf.reshape(kernel, [-1, filters])
    else:
        columns = tf.reshape(tf.stack(seen, -2), [-1, len(seen), groups, fan_in])
        kernel = tf.reshape(kernel, [len(seen), fan_in, groups, filters // groups])
        outputs = tf.einsum("nkgc,kcgf->ngf", columns, kernel)
    outputs = tf.reshape(outputs, [-1, *lengths, filters])
    return tf.transpose(outputs, [0, spatial + 1, *range(1, spatial + 1)]) if channels_first else outputs


def _depthwise_conv(inputs, kernel, *how, **more):
    kernel = tf.convert_to_tensor(kernel)
    return _conv(inputs, tf.reshape(kernel, [*kernel.shape[:-2], 1, -1]), *how, **more)


def _separable_conv(
    inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None, dilation_rate=1
):
    seen = _depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return _conv(seen, pointwise_kernel, data_format=data_format)


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


# Random numbers: Philox 4x32-10 (Salmon et al., 2011), seeded and laid out as TensorFlow does it

WORD = 0xFFFFFFFF  # a word has 32 bits and stands in 64, so that a product of two has room


def _high(words):
    return tf.bitwise.right_shift(words, tf.constant(32, tf.uint64))


def _philox(counter, key):
    """Return four words for each counter of four, under a key of two."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        first, third = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = _high(third) ^ (c1 ^ k0), third & WORD, _high(first) ^ (c3 ^ k1), first & WORD
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0, c1, c2, c3


def _fractions(shape, seed):
    """Return four arrays of numbers in [0, 1): taken in turn, they are what the seed gives."""
    zero = tf.constant(0, tf.uint64)
    seed = tf.unstack(tf.cast(tf.cast(seed, tf.int64), tf.uint64))
    halves = [half for part in seed for half in (part & WORD, _high(part))]
    k0, k1, c2, c3 = _philox(halves, (zero + 0x3EC8F720, zero + 0x02461E29))
    blocks = tf.cast(tf.range((tf.reduce_prod(tf.cast(shape, tf.int32)) + 3) // 4), tf.uint64)
    return [tf.cast(word & 0x7FFFFF, tf.float32) * 2.0**-23 for word in _philox((blocks, zero, c2, c3), (k0, k1))]


def _in_turn(parts, shape):
    shape = tf.cast(shape, tf.int32)
    return tf.reshape(tf.reshape(tf.stack(parts, -1), [-1])[: tf.reduce_prod(shape)], shape)


def _uniform(shape, seed, minval=0, maxval=None, dtype=tf.float32, *more, **how):
    if tf.as_dtype(dtype) != tf.float32:
        return _KEPT["stateless_uniform"](shape, seed, minval, maxval, dtype, *more, **how)
    minval, maxval = tf.cast(minval, tf.float32), tf.cast(1 if maxval is None else maxval, tf.float32)
    return _in_turn(_fractions(shape, seed), shape) * (maxval - minval) + minval


def _normal(shape, seed, mean=0.0, stddev=1.0, dtype=tf.float32, *more, **how):
    """Return normal numbers by Box and Muller's transform of pairs."""
    if tf.as_dtype(dtype) != tf.float32:
        return _KEPT["stateless_normal"](shape, seed, mean, stddev, dtype, *more, **how)
    a, b, c, d = _fractions(shape, seed)
    (a, c), (b, d) = (
        [tf.sqrt(-2 * tf.math.log(tf.maximum(u, 1e-7))) for u in (a, c)],
        [2 * math.pi * u for u in (b, d)],
    )
    parts = [a * tf.sin(b), a * tf.cos(b), c * tf.sin(d), c * tf.cos(d)]
    return _in_turn(parts, shape) * stddev + mean


def _dropout(x, rate, seed, rng_alg="auto_select", noise_shape=None, name=None):
    def sampler(shape, dtype):
        return _uniform(shape, seed, dtype=dtype)

    return tf.nn.experimental.general_dropout(x, rate, sampler, noise_shape, name)


# Branches and loops


def _cond(pred, true_fn, false_fn):
    """Return the chosen one of both branches' results, and let the scope keep what the chosen one assigned."""
    if tf.get_static_value(pred) is not None:
        return true_fn() if pred else false_fn()
    scope, sides = get_stateless_scope(), []
    before = {} if scope is None else scope.state_mapping
    for branch in (true_fn, false_fn):
        assigned = dict(before)
        if scope is not None:
            scope.state_mapping = assigned
        sides.append((branch(), assigned))

    def choose(one, other):
        return one if one is other else tf.where(pred, one, other)

    (returned, assigned), (other_returned, other_assigned) = sides
    if scope is not None:
        scope.state_mapping = {key: choose(value, other_assigned[key]) for key, value in assigned.items()}
    return tf.nest.map_structure(choose, returned, other_returned)


def _rnn(step_function, inputs, initial_states, go_backwards=False, mask=None, **how):
    """Unroll the loop over time. Keras, when it unrolls, forgets to turn the mask round too, so all is turned here."""
    if go_backwards:
        inputs = tf.nest.map_structure(lambda each: tf.reverse(each, [1]), inputs)
        mask = mask if mask is None else tf.reverse(mask, [1])
    return _KEPT["rnn"](step_function, inputs, initial_states, mask=mask, **{**how, "unroll": True})


def _no_cudnn(*arguments, **how):
    return False


SUBSTITUTES = (
    (backend.nn, "conv", _conv),
    (backend.nn, "depthwise_conv", _depthwise_conv),
    (backend.nn, "separable_conv", _separable_conv),
    (backend.nn, "conv_transpose", _conv_transpose),
    (tf.random, "stateless_uniform", _uniform),
    (tf.random, "stateless_normal", _normal),
    (tf.nn.experimental, "stateless_dropout", _dropout),
    (backend.core, "cond", _cond),
    (backend, "rnn", _rnn),
    (backend, "cudnn_ok", _no_cudnn),
)
_KEPT = {name: getattr(module, name) for module, name, _ in SUBSTITUTES}


@contextmanager
def lane_ops():
    """Let Keras call this room's functions while a program for many lanes is traced."""
    before = [(module, name, getattr(module, name)) for module, name, _ in SUBSTITUTES]
    try:
        for module, name, function in SUBSTITUTES:
            setattr(module, name, function)
        yield
    finally:
        for module, name, function in before:
            setattr(module, name, function)
