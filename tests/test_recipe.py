"""The recipe's updates are Keras's own, equal models have equal recipes, and what a sweep cannot do is refused."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib.recipe import recipe_of
from optimizers import OPTIMIZERS
from refusal import refused

dense = keras.layers.Dense


def compiled(*layers, optimizer="sgd", loss="mse", features=10):
    model = keras.Sequential([keras.Input((features,)), *layers])
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_update_is_keras_s_own_step_by_step(optimizer):
    random = np.random.default_rng(0)
    keras_optimizer = optimizer()
    variable = keras.Variable(random.normal(size=(3, 4)).astype("float32"))
    rule = recipe_of(compiled(keras.layers.Dense(1), optimizer=optimizer())).optimizer
    state = [variable.numpy()[None], *[np.zeros((1, 3, 4), "float32")] * rule.slots]
    for step in range(30):
        rate, gradient = np.float32(random.uniform(0.01, 1)), random.normal(size=(3, 4)).astype("float32")
        keras_optimizer.learning_rate = float(rate)
        keras_optimizer.apply([gradient], [variable])
        state = rule.update(step, rate, gradient[None], *state)
        np.testing.assert_allclose(state[0][0], variable.numpy(), rtol=3e-5, atol=1e-6)


def test_equal_models_have_equal_recipes():
    def model(units=3, activation="relu", optimizer=None, loss="mse"):
        return recipe_of(compiled(dense(units, activation), dense(1), optimizer=optimizer or "sgd", loss=loss))

    assert model() == model() and hash(model()) == hash(model())
    assert model() == model(optimizer=keras.optimizers.SGD(0.5))  # the rate is no part of it
    assert model(loss=keras.losses.Huber(2.0)) == model(loss=keras.losses.Huber(2.0))
    other = [
        model(units=4),
        model(activation="tanh"),
        model(optimizer="adam"),
        model(optimizer=keras.optimizers.SGD(momentum=0.9)),
        model(loss="mae"),
        model(loss=keras.losses.Huber(2.0)),
        model(loss=keras.losses.Huber(3.0)),
    ]
    assert len({model(), *other}) == 1 + len(other)


def test_a_function_of_the_reader_s_own_is_never_taken_for_the_same():
    model = compiled(dense(3, lambda x: x), dense(1))
    assert recipe_of(model) != recipe_of(model)
    model = compiled(dense(1), loss=lambda y, z: keras.ops.mean(keras.ops.square(y - z), axis=-1))
    assert recipe_of(model) != recipe_of(model)


def weighted(weights):
    model = compiled(keras.layers.Dense(1))
    model.compile("sgd", "mse", loss_weights=weights)
    return model


def uncompiled():
    return keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])


def without_input():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def functional():
    x = keras.Input((10,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def frozen():
    model = compiled(keras.layers.Dense(1))
    model.layers[0].trainable = False
    return model


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (uncompiled, ValueError, ["model must be compiled"]),
        (without_input, ValueError, ["begin it with keras.Input"]),
        (functional, TypeError, ["model must be a keras.Sequential of Dense layers", "not supported yet"]),
        (lambda: "model", TypeError, ["model must be a keras.Sequential"]),
        (frozen, ValueError, ["must be trainable"]),
        (lambda: compiled(dense(3), keras.layers.Dropout(0.5), dense(1)), ValueError, ["Dense layers only", "Dropout"]),
        (lambda: compiled(dense(1, kernel_regularizer="l2")), ValueError, ["Dense with kernel_regularizer"]),
        (lambda: compiled(dense(1, bias_constraint="non_neg")), ValueError, ["Dense with bias_constraint"]),
        (lambda: compiled(dense(1, dtype="float64")), ValueError, ["in float32", "float64"]),
        (lambda: compiled(dense(1), optimizer="rmsprop"), ValueError, ["optimizer must be SGD or Adam", "RMSprop"]),
        (lambda: compiled(dense(1), optimizer="adamw"), ValueError, ["optimizer must be SGD or Adam", "AdamW"]),
        *(
            (
                lambda name=name, value=value: compiled(dense(1), optimizer=keras.optimizers.Adam(**{name: value})),
                ValueError,
                [f"optimizer's {name} is not supported yet, got {value}"],
            )
            for name, value in {
                "amsgrad": True,
                "weight_decay": 0.01,
                "clipnorm": 1.0,
                "global_clipnorm": 1.0,
                "clipvalue": 1.0,
                "use_ema": True,
                "loss_scale_factor": 2.0,
                "gradient_accumulation_steps": 2,
            }.items()
        ),
        (lambda: compiled(dense(1, keras.layers.PReLU())), ValueError, ["a layer for its activation"]),
        (
            lambda: compiled(dense(2, lambda x: keras.ops.softmax(x, axis=0))),
            ValueError,
            ["activations must treat each sample"],
        ),
        (lambda: weighted(2.0), ValueError, ["model's loss must be the mean", "without weights"]),
        (lambda: weighted([2.0]), ValueError, ["model's loss must be the mean", "without weights"]),
        (
            lambda: compiled(dense(3), loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=1)),
            ValueError,
            ["model's loss must be the mean", "samples to ignore"],
        ),
        (
            lambda: compiled(dense(1), loss=lambda y, z: keras.ops.sum(keras.ops.square(y - z), axis=1)),
            ValueError,
            ["one number for each sample"],
        ),
        (
            lambda: compiled(dense(2), loss=keras.losses.CategoricalCrossentropy(from_logits=True, axis=1)),
            ValueError,
            ["one number for each sample"],
        ),
        (lambda: compiled(dense(1), loss=None), ValueError, ["one loss"]),
        (lambda: compiled(dense(1), loss=["mse"]), ValueError, ["one loss"]),
        (lambda: compiled(dense(1), loss=keras.losses.MeanSquaredError("sum")), ValueError, ["averaged", "'sum'"]),
        (lambda: compiled(dense(1), loss=lambda y, z: tf.reduce_mean(z - y)), ValueError, ["number for each sample"]),
    ],
)
def test_models_that_the_sweep_does_not_know_are_refused(make, error, fragments):
    refused(lambda: recipe_of(make()), error, *fragments)
