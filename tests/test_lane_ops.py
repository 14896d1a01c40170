"""What the room of substitutes computes for three lanes at once is what Keras computes for one lane after another."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import re

import numpy as np
import pytest
from keras import layers

from lrlib.lane_ops import SUBSTITUTES, lane_ops

LANES, SAMPLES = 3, 4
LINE, PLANE, SPACE, ROW, VOLUME = (7, 4), (6, 7, 4), (5, 5, 6, 2), (5,), (4, 4, 4, 2)
TIMES = (3, 4)  # few, as the program has every time once
WORDS = "words"  # whole numbers from 0 to 4, of which layers make vectors; 0 is masked where masks are asked for


def attention(layer, **call):
    inputs = keras.Input(LINE)
    return keras.Model(inputs, layer(inputs, inputs, **call))


def embedded(layer):
    return [layers.Embedding(5, 3, mask_zero=True), layer]


CONVOLUTIONS = {
    "Conv1D": (LINE, lambda **how: layers.Conv1D(6, 3, **how)),
    "Conv2D": (PLANE, lambda **how: layers.Conv2D(6, (3, 2), **how)),
    "Conv3D": (SPACE, lambda **how: layers.Conv3D(4, (2, 1, 2), **how)),
    "DepthwiseConv1D": (LINE, lambda **how: layers.DepthwiseConv1D(3, **how)),
    "DepthwiseConv2D": (PLANE, lambda **how: layers.DepthwiseConv2D((3, 2), depth_multiplier=2, **how)),
    "SeparableConv1D": (LINE, lambda **how: layers.SeparableConv1D(5, 3, **how)),
    "SeparableConv2D": (PLANE, lambda **how: layers.SeparableConv2D(5, (3, 2), depth_multiplier=2, **how)),
    "Conv1DTranspose": (LINE, lambda **how: layers.Conv1DTranspose(3, 3, **how)),
    "Conv2DTranspose": (PLANE, lambda **how: layers.Conv2DTranspose(3, (3, 2), **how)),
    "Conv3DTranspose": (VOLUME, lambda **how: layers.Conv3DTranspose(3, (2, 1, 2), **how)),
}
WAYS = {
    "": {},
    "same": {"padding": "same"},
    "strides": {"strides": 2},
    "same, strides": {"strides": 2, "padding": "same"},
    "dilation": {"dilation_rate": 2},
}
KINDS = {
    f"{name} {way}".strip(): (shape, lambda make=make, how=how: make(**how))
    for name, (shape, make) in CONVOLUTIONS.items()
    for way, how in WAYS.items()
    if way == "same, strides" or name in {"Conv1D", "Conv2D", "DepthwiseConv2D"}
}
KINDS |= {
    "Conv1D causal": (LINE, lambda: layers.Conv1D(6, 3, padding="causal", dilation_rate=2)),
    "Conv1D groups": (LINE, lambda: layers.Conv1D(6, 3, groups=2)),
    "Conv2D groups": (PLANE, lambda: layers.Conv2D(6, (3, 2), groups=2, strides=2, padding="same")),
    "Conv3D groups": (SPACE, lambda: layers.Conv3D(4, (1, 2, 2), groups=2)),
    "Conv1D channels first": (LINE, lambda: layers.Conv1D(5, 3, data_format="channels_first")),
    "Conv3D channels first": (SPACE, lambda: layers.Conv3D(4, (2, 2, 1), data_format="channels_first")),
    "Conv2D channels first": (PLANE, lambda: layers.Conv2D(5, (3, 2), padding="same", data_format="channels_first")),
    "Conv2DTranspose output padding": (PLANE, lambda: layers.Conv2DTranspose(3, (3, 2), 2, "same", output_padding=1)),
    "Conv2DTranspose channels first": (PLANE, lambda: layers.Conv2DTranspose(3, (2, 3), data_format="channels_first")),
}
KINDS |= {name: (ROW, lambda name=name: getattr(layers, name)(0.4)) for name in ("GaussianNoise", "AlphaDropout")}
for make in layers.SimpleRNN, layers.LSTM, layers.GRU:
    KINDS[f"{make.__name__} masked"] = WORDS, lambda make=make: embedded(make(4))
# Of other layers test_models.py proves whole runs: pooling, embedding, attention, normalization and the rest of random
# numbers go through the same operations there.
KINDS |= {
    "SimpleRNN dropout": (TIMES, lambda: layers.SimpleRNN(4, dropout=0.3, recurrent_dropout=0.2)),
    "LSTM both ways": (WORDS, lambda: embedded(layers.Bidirectional(layers.LSTM(4, return_sequences=True)))),
    "GRU stateful": (TIMES, lambda: layers.GRU(4, stateful=True)),
    "BatchNormalization": (PLANE, layers.BatchNormalization),
    "PReLU": (LINE, layers.PReLU),
    "MultiHeadAttention": (LINE, lambda: attention(layers.MultiHeadAttention(2, 4), use_causal_mask=True)),
}
CHANNELS_FIRST = {kind for kind in KINDS if "channels first" in kind}
FAMILIES = {
    "lines": [kind for kind, (shape, _) in KINDS.items() if shape == LINE],
    "planes": [kind for kind, (shape, _) in KINDS.items() if shape == PLANE],
    "spaces": [kind for kind, (shape, _) in KINDS.items() if shape in (SPACE, VOLUME)],
    "rows, words and times": [kind for kind, (shape, _) in KINDS.items() if shape in (ROW, WORDS, TIMES)],
}
FAMILIES = {name: [kind for kind in kinds if kind not in CHANNELS_FIRST] for name, kinds in FAMILIES.items()}
FAMILIES["channels first"] = [kind for kind in KINDS if kind in CHANNELS_FIRST]
COMPILED = ["Conv2D groups", "Conv2DTranspose same, strides", "GaussianNoise", "SimpleRNN masked", "BatchNormalization"]


def test_each_kind_is_in_one_family():
    assert sorted(kind for kinds in FAMILIES.values() for kind in kinds) == sorted(KINDS)


def built(kind, *first):
    """Return a model of this kind, perhaps with other layers before it, and a generator of random numbers."""
    keras.utils.set_random_seed(1)
    shape, make = KINDS[kind]
    model = make()
    if not isinstance(model, keras.Model):
        how = {"shape": (4,), "dtype": "int32"} if shape == WORDS else {"shape": shape}
        model = model if isinstance(model, list) else [model]
        model = keras.Sequential([keras.Input(batch_size=SAMPLES, **how), *first, *model])
    return model, np.random.default_rng(1)


def samples_for(kind, rng, *lanes):
    shape, _ = KINDS[kind]
    if shape == WORDS:
        return tf.constant(rng.integers(0, 5, (*lanes, SAMPLES, 4)), tf.int32)
    return tf.constant(rng.normal(size=(*lanes, SAMPLES, *shape)), tf.float32)


def lanes_of(model, rng):
    """Return weights and states for every lane, each with values of its own."""
    weights = [v.numpy() + rng.normal(size=(LANES, *v.shape), scale=0.3) for v in model.trainable_variables]
    states = [np.stack([v.numpy()] * LANES) for v in model.non_trainable_variables]
    for state in states:  # other seeds, other moving averages
        state += 7 * np.arange(LANES, dtype=state.dtype).reshape(-1, *[1] * (state.ndim - 1))
    return [tf.constant(w, tf.float32) for w in weights], [tf.constant(s) for s in states]


def answer(model, weights, states, x, ways):
    """Return outputs, states and gradients of one lane; ``ways`` makes of the outputs a loss that asks for them all."""
    asked = [*weights, x] if x.dtype.is_floating else weights
    with tf.GradientTape() as tape:
        tape.watch(asked)
        outputs, states, losses = model.stateless_call(weights, states, x, training=True, return_losses=True)
        loss = tf.add_n([tf.reduce_sum(outputs * ways), *losses])
    gradients = tape.gradient(loss, asked, unconnected_gradients="zero")
    return [outputs, *states, *map(tf.convert_to_tensor, gradients)]


def at_once(function, elements, jit=False):
    def program(*elements):
        with lane_ops():
            return tf.vectorized_map(lambda lane: function(*lane), elements, fallback_to_while_loop=False)

    return tf.function(program, autograph=False, jit_compile=jit)(*elements)


def compare(kinds, jit):
    """Compare many models, of one kind each, in one program; all that a lane has is its own, the samples too."""
    models, lanes, ways = [], [], []
    for kind in kinds:
        model, rng = built(kind)
        models.append(model)
        lanes.append((*lanes_of(model, rng), samples_for(kind, rng, LANES)))
        ways.append(tf.constant(rng.normal(size=model.compute_output_shape(lanes[-1][2].shape[1:])), tf.float32))

    def lane(*values):
        found = []
        for kind, model, asked, value in zip(kinds, models, ways, values, strict=True):
            with tf.name_scope(re.sub(r"\W+", "_", kind)):  # which an error names
                found.append(answer(model, *value, asked))
        return found

    found = at_once(lane, lanes, jit)
    one = lane
    if (
        set(kinds) <= CHANNELS_FIRST
    ):  # TensorFlow's own convolutions take them on some processors only, and XLA's on all
        one = tf.function(lane, autograph=False, jit_compile=True)
    for place in range(LANES):
        alone = one(*tf.nest.map_structure(lambda v, place=place: v[place], lanes))
        for kind, at_once_s, keras_s in zip(kinds, found, alone, strict=True):
            for mine, own in zip(at_once_s, keras_s, strict=True):
                largest = max(1, np.abs(own).max(initial=0))
                np.testing.assert_allclose(mine[place] / largest, own / largest, atol=1e-5, err_msg=kind)


@pytest.mark.parametrize("family", FAMILIES)
def test_three_lanes_at_once_are_what_keras_computes_one_by_one(family):
    compare(FAMILIES[family], jit=False)


def test_so_they_are_when_xla_compiles_them():
    compare(COMPILED, jit=True)


# Random numbers


@pytest.mark.parametrize("jit", [False, True])
def test_random_numbers_are_tensorflow_s_to_the_bit(jit):
    seeds = tf.constant([[0, 0], [1, 2], [-5, 7], [2**31 - 1, -(2**31)], [123456, 98765]])
    shapes = [(), (7, 143)]

    def drawn(seed):
        ones = tf.ones((5, 4, 3))
        uniform = [tf.random.stateless_uniform(shape, seed) for shape in shapes]
        dropped = [tf.nn.experimental.stateless_dropout(ones, 0.3, seed, noise_shape=s) for s in [(5, 1, 3)]]
        return [*uniform, *dropped], [tf.random.stateless_normal(shape, seed, 1.0, 2.0) for shape in shapes[1:]]

    exact, normal = at_once(drawn, (seeds,), jit)
    for lane, seed in enumerate(seeds):
        own_exact, own_normal = drawn(seed)  # outside the block: TensorFlow's
        for mine, own in zip(exact, own_exact, strict=True):
            np.testing.assert_array_equal(mine[lane], own)
        for mine, own in zip(normal, own_normal, strict=True):
            np.testing.assert_allclose(mine[lane], own, atol=1e-5)


# Branches


def test_a_branch_s_assignments_hold_where_it_was_chosen():
    one, other = keras.Variable(1.0), keras.Variable(2.0)

    def lane(chosen, a, b):
        with keras.StatelessScope([(one, a), (other, b)]) as scope:
            returned = keras.ops.cond(chosen, lambda: one.assign(10 * one), lambda: other.assign_add(one))
            nothing = keras.ops.cond(chosen, lambda: None, lambda: None)
        assert nothing is None
        return returned, scope.get_current_value(one), scope.get_current_value(other)

    found = at_once(lane, (tf.constant([True, False]), tf.constant([3.0, 4.0]), tf.constant([5.0, 6.0])))
    np.testing.assert_array_equal(found, [[30, 10], [30, 4], [5, 10]])
    assert (float(one), float(other)) == (1, 2)


# Company


@pytest.mark.parametrize(
    ("kind", "jit"),
    [("Dense", False), ("PReLU", False), ("GRU masked", False), ("BatchNormalization", False), ("Conv2D groups", True)],
)
def test_a_lane_s_bits_do_not_depend_on_its_place_nor_on_its_company(kind, jit, monkeypatch):
    monkeypatch.setattr(f"{__name__}.SAMPLES", 37)
    monkeypatch.setattr(f"{__name__}.LANES", 16)
    monkeypatch.setitem(KINDS, "Dense", ((13,), lambda: layers.Dense(10, "tanh")))
    model, rng = built(kind, *([] if KINDS[kind][0] == WORDS else [layers.Dense(KINDS[kind][0][-1])]))
    x, (weights, states) = samples_for(kind, rng), lanes_of(model, rng)
    ways = tf.constant(rng.normal(size=model.compute_output_shape(x.shape)), tf.float32)

    @tf.function(autograph=False, jit_compile=jit)
    def program(*lanes):
        with lane_ops():
            return tf.vectorized_map(lambda z: answer(model, *z, x, ways), lanes, fallback_to_while_loop=False)

    def among(lanes, others):  # lane 3 at the places in lanes, others elsewhere
        here = np.isin(np.arange(16), lanes)
        return tf.nest.map_structure(
            lambda v: np.where(here.reshape(-1, *[1] * (v.ndim - 1)), v[3:4], others(v)),
            tf.nest.map_structure(np.array, (weights, states)),
        )

    alone = program(*among(range(16), lambda v: v))
    for places, others in [
        ([3], lambda v: v),
        ([0, 9, 15], lambda v: v),
        ([3], lambda v: v * v.dtype.type(np.nan) if v.dtype == np.float32 else v),
    ]:
        for mine, own in zip(program(*among(places, others)), alone, strict=True):
            for place in places:
                np.testing.assert_array_equal(mine[place], own[0])


# What numbers tell what to do


SHARED = tf.constant(np.random.default_rng(1).normal(size=(3, 4)), tf.float32)
TOLD = {  # of an array (4, 6)
    "reshape": lambda v: tf.reshape(v, [2, -1, 3]),
    "transpose": lambda v: tf.transpose(tf.reshape(v, [4, 2, 3]), [2, 0, 1]),
    "slice": lambda v: tf.slice(v, [1, 2], [-1, 3]),
    "strided slice": lambda v: v[::-1, tf.newaxis, ..., 1:-1:2],
    "one of them": lambda v: v[..., 2] + v[1, 3],
    "concatenate": lambda v: tf.concat([v, 2 * v], -1) + tf.reshape(tf.concat([v, v], 0), [4, 12]),
    "concatenate with what all share": lambda v: tf.concat([v[:3], SHARED], 1),
    "split": lambda v: tf.split(v, 2)[1] + tf.split(v, 2, axis=-2)[0],
    "sums": lambda v: tf.reduce_sum(v, -1) * tf.reduce_mean(v, [1]) + tf.reduce_sum(v, []) @ tf.ones((6, 4)),
    "others": lambda v: tf.reduce_max(v, -1, keepdims=True) - tf.reduce_min(v, 0) + tf.reduce_prod(v),
    "choices": lambda v: v * tf.cast(tf.reduce_any(v > 1, 1, keepdims=True) | tf.reduce_all(v < 1, -1)[0], tf.float32),
    "places": lambda v: tf.gather(v, tf.argmax(v, -1), axis=1) + tf.gather(v, tf.argmin(v, 0)[0], axis=0)[0],
    "product": lambda v: tf.matmul(SHARED, v) + tf.matmul(SHARED, tf.transpose(v)[:3, :4], transpose_a=True)[:3, :1],
    "product, turned": lambda v: tf.matmul(SHARED, v[:, :4], transpose_b=True),
}


@pytest.mark.parametrize("does", TOLD.values(), ids=TOLD)
def test_axes_and_shapes_of_a_lane_are_those_of_one(does):
    """With the gradient; and as in a layer that maps over its rows itself, within the gradient of others."""

    def of_one(v):
        with tf.GradientTape() as tape:
            tape.watch(v)
            found = does(v)
            loss = tf.reduce_sum(found * found)
        return found, tape.gradient(loss, v)

    def mapped(lanes):
        with tf.GradientTape() as tape:
            tape.watch(lanes)
            found = tf.vectorized_map(does, lanes, fallback_to_while_loop=False)
            loss = tf.reduce_sum(found * found)
        return found, tape.gradient(loss, lanes)

    lanes = tf.constant(np.random.default_rng(0).normal(size=(LANES, 4, 6)), tf.float32)
    with lane_ops():
        at_once = tf.function(lambda v: tf.vectorized_map(of_one, v, fallback_to_while_loop=False))(lanes)
        inside = tf.function(mapped)(lanes)
    for place, lane in enumerate(lanes):
        for mine, nested, own in zip(at_once, inside, of_one(lane), strict=True):
            np.testing.assert_allclose(mine[place], own, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(nested[place], own, rtol=1e-5, atol=1e-6)


# The block


def test_outside_the_block_keras_has_its_own_functions():
    def now():
        return [place[name] for place, name, _ in SUBSTITUTES]

    own = now()
    with lane_ops():
        with lane_ops():
            pass
        assert now() == [substitute for *_, substitute in SUBSTITUTES]
        assert not set(now()) & set(own)
    assert now() == own
    with pytest.raises(ZeroDivisionError), lane_ops():
        raise ZeroDivisionError
    assert now() == own
