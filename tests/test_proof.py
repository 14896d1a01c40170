"""A model that the sweep's tests don't know is compared with Keras before it is trained, and left as it was."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib import datasets, sweep
from refusal import refused

CANCER = datasets.breast_cancer()
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def compiled(model, optimizer="sgd", **how):
    model.compile(optimizer, **({"loss": CROSS_ENTROPY} | how))
    return model


def run(model, **how):
    return sweep(model, CANCER, [0.1, 0.01], [0], **({"steps": 3, "batch_size": 16} | how))


class Doubled(keras.Model):
    """It trains with twice the gradient, as only its own training step says."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = 2 * self.compute_loss(x, y, self(x, training=True))
        self.optimizer.apply_gradients(
            zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables, strict=True)
        )
        self._loss_tracker.update_state(loss / 2)
        return {"loss": loss / 2}


def doubled():
    inputs = keras.Input((30,))
    return compiled(Doubled(inputs, keras.layers.Dense(2, name="only")(inputs)))


def test_a_model_that_trains_in_its_own_way_is_refused():
    fragments = "model must do in a sweep what it does in Keras", "steps of training", "0.0"
    refused(lambda: run(doubled()), ValueError, *fragments[:2])
    refused(lambda: run(doubled(), engine="loop"), ValueError, fragments[0])


def test_the_model_is_left_as_it_was():
    model = doubled()
    model.fit(CANCER.x_train, CANCER.y_train, batch_size=64, verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    before, own, step = [v.numpy() for v in variables], model.optimizer, model.train_function
    with pytest.raises(ValueError, match="model must do"):
        run(model)
    assert model.optimizer is own and model.train_function is step
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs):
        return inputs * self.scale


def test_layers_and_losses_of_one_s_own_are_proven():
    def loss(y, outputs):
        return keras.ops.mean(CROSS_ENTROPY(y, outputs)) * 2

    model = keras.Sequential([keras.Input((30,)), Scaled(), keras.layers.Dense(2, activation=lambda x: 0.5 * x)])
    assert np.isfinite(run(compiled(model, loss=loss)).loss).all()
