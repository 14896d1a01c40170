"""The repeats of a range test side by side do what they do one after the other; where they cannot, they are that."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import sys

import numpy as np
import pytest

from lrlib import ExponentialDecay, datasets
from lrlib.batches_of import batches_of
from lrlib.keras import KerasSchedule
from lrlib.lanes import initial_weights
from lrlib.range_test import range_test
from lrlib.repeats import side_by_side

MODULE = sys.modules["lrlib.range_test"]
CANCER = datasets.breast_cancer()
X, Y = CANCER.x_train, CANCER.y_train
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def classifier(optimizer="sgd", *layers, cls=keras.Sequential, trained=False, loss=LOSS, **how):
    keras.utils.set_random_seed(0)
    model = cls([keras.Input((30,)), *layers, keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)])
    model.compile(optimizer, loss, **how)
    model.optimizer.build(model.trainable_variables)
    if trained:
        model.train_on_batch(X[:32], Y[:32])
    return model


def run(model, data=(X, Y), **how):
    given = {"batch_size": 64, "start_rate": 1e-3, "end_rate": 1.0, "steps": 6, "repeats": 3, "seed": 4} | how
    return range_test(model, data, **given)


def never(*_):
    raise AssertionError("this must not run")


def state(model):
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


CASES = {
    "as new": (lambda: classifier(), {}),
    "trained, with dropout and moments": (
        lambda: classifier(keras.optimizers.Adam(), keras.layers.Dropout(0.3), trained=True),
        {},
    ),
    "by epoch, with moving means": (
        lambda: classifier(keras.optimizers.SGD(momentum=0.9), keras.layers.BatchNormalization()),
        {"by": "epoch", "steps": 4},
    ),
    "fresh weights and weights of classes": (
        lambda: classifier(keras.optimizers.Adam()),
        {"fresh_weights": True, "class_weight": {1: 3.0}},
    ),
}


@pytest.mark.parametrize(("make", "how"), CASES.values(), ids=CASES)
def test_side_by_side_is_one_after_the_other(monkeypatch, make, how):
    model = make()
    before = state(model)
    with monkeypatch.context() as patched:
        patched.setattr(MODULE, "_repeat", never)
        together = run(model, **how)
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(MODULE, "_side_by_side", lambda *_: None)
    alone = run(model, **how)
    np.testing.assert_allclose(together.losses, alone.losses, rtol=1e-4)
    np.testing.assert_array_equal(together.rates, alone.rates)
    assert (together.ended, together.hold, together.momentum) == (alone.ended, alone.hold, alone.momentum)
    assert len(np.unique(together.losses[:, 0])) == 3


def one_weight(loss):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_the_ends_are_the_same(monkeypatch, by):
    how = {"by": by, "batch_size": 2, "steps": 30, "end_rate": 100.0}
    log = one_weight(lambda _, output: keras.ops.mean(keras.ops.log(output)))  # NaN as soon as the weight is negative
    for model, y, end in ((log, np.ones(6), "not finite"), (one_weight("mse"), np.array([4.0, 6.0] * 3), "diverged")):
        found = []
        for patch in ("_repeat", "_side_by_side"):
            with monkeypatch.context() as patched:
                patched.setattr(MODULE, patch, never if patch == "_repeat" else lambda *_: None)
                found.append(run(model, (np.ones((6, 1)), y), **how))
        together, alone = found
        np.testing.assert_allclose(together.losses, alone.losses, rtol=1e-4)
        assert together.ended == alone.ended == (end,) * 3
        np.testing.assert_array_equal(together.beyond, alone.beyond)


def through_numpy(x):
    return tf.ensure_shape(tf.py_function(lambda values: values, [x], tf.float32), x.shape)


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


@pytest.mark.parametrize(
    ("make", "data", "how"),
    [
        (lambda: classifier(keras.optimizers.SGD(KerasSchedule(ExponentialDecay(0.1, 9, 0.5)))), (X, Y), {}),
        (lambda: classifier(keras.optimizers.SGD(gradient_accumulation_steps=2)), (X, Y), {}),
        (lambda: classifier(cls=OwnStep), (X, Y), {}),
        (lambda: classifier(run_eagerly=True), (X, Y), {}),
        (lambda: classifier("sgd", keras.layers.Lambda(through_numpy)), (X, Y), {}),
        (
            lambda: classifier(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)),
            (X, Y),
            {},
        ),
        (lambda: classifier(trained=True), (X, Y), {"fresh_weights": True}),
        (lambda: classifier(), [(X, Y)], {"batch_size": None}),
        (lambda: classifier(metrics=["accuracy"]), (X, Y), {"metric": "accuracy"}),
    ],
    ids=[
        "schedule",
        "accumulation",
        "own step",
        "eager",
        "cannot be vectorized",
        "a loss for each sample",
        "fresh but trained",
        "batches",
        "accuracy",
    ],
)
def test_what_a_sweep_cannot_do_is_done_one_after_the_other(monkeypatch, make, data, how):
    ran, repeat = [], MODULE._repeat
    monkeypatch.setattr(MODULE, "_repeat", lambda *given: ran.append(1) or repeat(*given))
    assert run(make(), data, steps=3, **how).losses.shape == (3, 3) and len(ran) == 3


def test_an_error_that_is_no_refusal_comes_out(monkeypatch):
    """A mistake in the sweep's program must not hide behind repeats that take longer."""

    def mistaken(_):
        raise KeyError("lane")

    monkeypatch.setattr(sys.modules["lrlib.repeats"], "prove", mistaken)
    with pytest.raises(KeyError, match="lane"):
        run(classifier())


def test_fresh_weights_are_those_of_a_sweep():
    model = classifier()
    own = model.get_weights()
    losses, _ = side_by_side(model, batches_of((X, Y), 64), [0.1], [7, 8], fresh_weights=True)
    for lane, weights in enumerate((own, initial_weights(model, 8))):
        model.set_weights(weights)
        chosen = datasets.batches(len(X), 64, 1, seed=7 + lane)[0]
        np.testing.assert_allclose(
            losses[0, lane], model.compute_loss(X[chosen], Y[chosen], model(X[chosen])), rtol=1e-5
        )


@pytest.mark.parametrize("label", [-1, 2])
def test_a_label_that_is_no_class_is_refused_as_by_keras(label):
    """In a lane it would count as a label without a class, and the test would answer."""
    y = Y.copy()
    y[7] = label
    refused = pytest.raises(tf.errors.InvalidArgumentError, match="outside the valid range")
    with refused:
        run(classifier(), (X, y), batch_size=343)
    outputs = [keras.layers.Dense(2, name=name) for name in "ab"]
    both = keras.Input((30,))
    model = keras.Model(both, {layer.name: layer(both) for layer in outputs})
    model.compile("sgd", {"a": LOSS, "b": LOSS})
    with refused:
        run(model, (X, {"a": Y, "b": y}), batch_size=343)


def test_an_index_that_is_none_is_refused_as_by_keras():
    """XLA would take the last one for it."""
    ids = np.arange(60).reshape(20, 3)
    ids[13, 1] = 60
    layers = keras.layers.Embedding(60, 2), keras.layers.Conv1D(2, 2), keras.layers.Flatten(), keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *layers])
    model.compile("sgd", "mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match="60 is not in"):
        run(model, (ids, np.ones(20)), batch_size=20)


def test_the_data_are_blamed_where_they_are_not_finite():
    x = X.copy()
    x[5, 3] = np.nan
    assert side_by_side(classifier(), batches_of((x, Y), 343), [0.1], [0, 1], fresh_weights=False) is None
    with pytest.raises(ValueError, match="a batch holds NaN or infinity"):
        run(classifier(), (x, Y), batch_size=343)
