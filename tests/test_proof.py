"""A model that the sweep's tests don't know is compared with Keras before it is trained, and left as it was."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import os
import random
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lrlib import as_it_was, datasets, keras_hooks, sweep
from lrlib.proof import constant_loss
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
    for engine in "vectorized", "loop":
        fragments = "model must do in a sweep what it does in Keras", "does not call its own train_step"
        refused(lambda engine=engine: run(doubled(), engine=engine), ValueError, *fragments)


class JudgedInItsOwnWay(keras.Model):
    def test_step(self, data):
        return {"loss": 7 * super().test_step(data)["loss"]}


def test_a_model_with_a_step_of_its_own_is_refused_though_two_steps_may_be_alike():
    inputs = keras.Input((30,))
    model = compiled(JudgedInItsOwnWay(inputs, keras.layers.Dense(2)(inputs)))
    refused(lambda: run(model), ValueError, "a sweep does not call its own test_step", "compute_loss")
    model = compiled(small())
    model.train_step = lambda data: {"loss": 0.0}
    refused(lambda: run(model), ValueError, "a sweep does not call its own train_step")


class Changing(keras.layers.Layer):
    """It changes, whenever it is called, what is none of its weights, by so little that two steps do not tell."""

    def __init__(self, how, **more):
        super().__init__(**more)
        hidden = keras.Variable(0.0)
        self.how, self.tensorflow_s, self.hidden = how, tf.Variable(0.0), lambda: hidden
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        if self.how == "noise":
            return x + 1e-6 * keras.random.normal(keras.ops.shape(x))
        if self.how == "tensorflow":
            return x + 1e-6 * self.tensorflow_s.assign_add(1.0)
        count = self.count if self.how == "frozen" else self.hidden()
        count.assign(count + 1)
        return x + 1e-6 * count


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("noise", "draws random numbers of no SeedGenerator"),
        ("tensorflow", "needs the operation AssignAddVariableOp"),
        ("hidden", "changes 'variable"),
        ("frozen", "changes 'changing/variable"),
    ],
)
def test_what_changes_but_belongs_to_no_lane_is_named(how, what):
    layer = Changing(how, name="changing", trainable=how != "frozen")
    refused(lambda: run(compiled(small(layer))), ValueError, "what it does in Keras, but when it is called it", what)
    assert float(layer.tensorflow_s) == 0


class Counting(keras.layers.Layer):
    """It counts in Python how often it is called, which is once for each program that is traced."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x * self.calls


def test_a_model_of_which_two_steps_differ_is_refused():
    fragments = "what it does in Keras, but after 2 steps of training the losses are", "not"
    refused(lambda: run(compiled(small(Counting()))), ValueError, *fragments)


class Stronger(keras.optimizers.SGD):
    def __init__(self, learning_rate=0.01, power=1.0, **how):
        super().__init__(learning_rate, **how)
        self.power = power


class Without(keras.optimizers.SGD):
    def __init__(self, power):
        super().__init__()


@pytest.mark.parametrize(
    ("optimizer", "what"),
    [(Stronger(power=3.0), "power would be 1.0 instead of 3.0"), (Without(3.0), "unexpected keyword argument")],
)
def test_an_optimizer_that_would_forget_a_setting_is_refused(optimizer, what):
    fragments = "optimizer must be made again by what its get_config() returns, but", what
    refused(lambda: run(compiled(small(), optimizer)), ValueError, *fragments)


class Guarded(keras.layers.Layer):
    """It takes one branch; the other has a gradient of 0 · infinity, unless its logarithm has a floor."""

    floor = 0.0

    def build(self, shape):
        self.w = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        other = lambda: x * keras.ops.log(keras.ops.relu(-self.w) + self.floor)  # noqa: E731
        return keras.ops.cond(self.w > 0, lambda: x * self.w, other)


class WithAFloor(Guarded):
    floor = 1e-7


def test_a_nan_in_a_branch_that_is_not_taken_is_named():
    def guarded(kind):
        return compiled(keras.Sequential([keras.Input((30,)), kind(), keras.layers.Dense(2)]))

    fragments = "the losses are", "nan], not", "A lane computes both branches of a cond"
    refused(lambda: run(guarded(Guarded)), ValueError, *fragments)
    looped, at_once = run(guarded(Guarded), engine="loop"), run(guarded(WithAFloor))
    assert np.isfinite(looped.loss).all()
    np.testing.assert_allclose(at_once.loss, looped.loss, rtol=1e-5)


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


def test_an_optimizer_that_was_not_built_is_not_built_afterwards():
    model = compiled(small(Scaled()), keras.optimizers.Adam())
    run(model)
    assert not model.optimizer.built


def test_ctrl_c_while_the_model_is_given_back(monkeypatch):
    def pressed(*given):
        signal.raise_signal(signal.SIGINT)
        return put_back(*given)

    model, put_back = compiled(small(Scaled())), as_it_was._put_back
    before = [v.numpy() for v in model.variables]
    monkeypatch.setattr(as_it_was, "_put_back", pressed)
    with pytest.raises(KeyboardInterrupt):
        run(model)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_what_an_optimizer_spares_is_spared_in_the_comparison_too():
    optimizer = keras.optimizers.AdamW(weight_decay=50.0)
    optimizer.exclude_from_weight_decay(var_names=["kernel"])
    assert np.isfinite(run(compiled(small(Scaled()), optimizer)).loss).all()


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


def half(x):
    return 0.5 * x


@keras.saving.register_keras_serializable()
class Half(keras.constraints.Constraint):
    def __call__(self, kernel):
        return 0.5 * kernel


@keras.saving.register_keras_serializable()
class Squares(keras.regularizers.Regularizer):
    def __call__(self, kernel):
        return 0.01 * keras.ops.sum(kernel**2)

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    ("known", "how"),
    [
        (True, {"activation": "tanh", "kernel_regularizer": "l2"}),
        (False, {"activation": half}),
        (False, {"kernel_regularizer": Squares()}),
        (False, {"kernel_constraint": Half()}),
    ],
)
def test_a_function_of_one_s_own_inside_a_known_layer_is_proven(known, how, monkeypatch):
    steps, trained_on = [], keras_hooks.trained_on
    monkeypatch.setattr(keras_hooks, "trained_on", lambda *given: steps.append(1) or trained_on(*given))
    run(compiled(small(keras.layers.Dense(3, **how))))
    assert len(steps) == (0 if known else 2)


def test_a_loss_of_one_s_own_is_proven(monkeypatch):
    steps, trained_on = [], keras_hooks.trained_on
    monkeypatch.setattr(keras_hooks, "trained_on", lambda *given: steps.append(1) or trained_on(*given))
    run(compiled(small(), loss=lambda y, outputs: CROSS_ENTROPY(y, outputs)))
    assert len(steps) == 2


def small(*layers, **how):
    return keras.Sequential([keras.Input((30,)), *layers, keras.layers.Dense(2, **how)])


def mixed():
    return compiled(small(keras.layers.Dense(3, dtype="mixed_float16")))


@pytest.mark.parametrize(
    ("make", "error", "fragments"),
    [
        (lambda: "model", TypeError, ["model must be a keras.Model, got 'model'"]),
        (lambda: compiled(keras.Sequential([keras.layers.Dense(2)])), ValueError, ["model must know the shape"]),
        (lambda: small(), ValueError, ["model must be compiled"]),
        (mixed, ValueError, ["model's layers must be in float32", "mixed_float16"]),
        (lambda: compiled(small(trainable=False)), ValueError, ["model must have weights to train"]),
        (
            lambda: compiled(small(), loss=keras.losses.SparseCategoricalCrossentropy(reduction=None)),
            ValueError,
            ["model's loss must be one number for a batch, got 2 numbers: look at reduction="],
        ),
        (lambda: compiled(small(), None), ValueError, ["model must be compiled with an optimizer"]),
    ],
)
def test_models_that_cannot_be_trained_in_lanes_are_refused(make, error, fragments):
    model = make()
    refused(lambda: run(model), error, *fragments)


def test_layers_of_whole_numbers_have_no_float_to_be_wrong():
    layers = keras.layers.Hashing(4), keras.layers.Embedding(4, 2), keras.layers.Flatten(), keras.layers.Dense(2)
    model = compiled(keras.Sequential([keras.Input((30,), dtype="int32"), *layers]))
    assert np.isfinite(run(model, engine="loop").loss).all()


def test_several_labels_for_one_output_are_refused():
    data = CANCER.x_train, (CANCER.y_train, CANCER.y_train)
    message = "y_train must be one array, as the model has one output, got a tuple"
    refused(lambda: sweep(compiled(small()), data, [0.1], [0], steps=1, batch_size=8), ValueError, message)


def test_another_backend_is_refused(monkeypatch):
    model = compiled(small())
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    refused(lambda: run(model), ValueError, "Keras must compute in float32 on TensorFlow", "got float32 on jax")


def test_another_float_type_in_keras_json_is_refused(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "float64", "backend": "tensorflow"}')
    program = """
from lrlib.quiet import keras
from lrlib import datasets, keras_hooks, sweep
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
sweep(model, datasets.diabetes(), [0.1], [0], steps=1, batch_size=8)
"""
    environment = os.environ | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    expected = (
        "ValueError: Keras must compute in float32 on TensorFlow, as keras.json or KERAS_BACKEND say, got float64"
    )
    assert expected in done.stderr


# What a sweep leaves behind


class NotVectorized(keras.layers.Layer):
    def call(self, inputs):
        same = tf.numpy_function(lambda x: x, [inputs], tf.float32)
        same.set_shape(inputs.shape)
        return same


class Broken(keras.layers.Layer):
    def call(self, inputs, training=False):
        return inputs[:, 99] if training else inputs


def seed():
    keras.utils.set_random_seed(7)
    for state in keras_hooks.state_of_random_numbers():  # which older versions of Keras leave as they are
        state.assign([7, 7])


def drawn():
    numpy_s = np.random.random()  # noqa: NPY002
    return [random.random(), numpy_s, float(tf.random.uniform([])), float(keras.random.uniform([]))]


@pytest.mark.parametrize(
    ("layer", "fragment"),
    [
        (keras.layers.Dropout, None),
        (Scaled, None),
        (NotVectorized, "its layer 'own' needs the operation PyFunc"),
        (Broken, "slice"),
    ],
    ids=["Dropout", "compared", "not vectorized", "broken"],
)
def test_everything_is_as_it_was(layer, fragment):
    """Every number and function of the model and every stream of random numbers, also after an error in tracing."""
    how = {"rate": 0.3} if layer is keras.layers.Dropout else {}
    model = compiled(small(layer(name="own", **how)), keras.optimizers.Adam(0.5))
    model.optimizer.build(model.trainable_variables)
    model.make_test_function()
    for variable in model.optimizer.variables[2:]:
        variable.assign(variable + 0.25)
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    functions = "train_function", "test_function", "predict_function", "optimizer", "_compile_config"
    before, own = [v.numpy() for v in variables], [getattr(model, name) for name in functions]
    drawn()
    seed()
    expected = drawn()
    seed()
    if fragment:
        with pytest.raises(Exception, match=fragment):
            run(model)
    else:
        run(model)
    assert drawn() == expected
    assert all(getattr(model, name) is one for name, one in zip(functions, own, strict=True))
    after = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    assert [id(v) for v in after] == [id(v) for v in variables]
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value, err_msg=variable.path)


def constant_loss_of(y, loss, **layer):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4, **layer)])
    model.compile("sgd", loss)
    return constant_loss(model, SimpleNamespace(y_train=np.array(y)))


def test_labels_that_the_loss_ignores_do_not_count_for_the_best_constant():
    crossentropy = keras.losses.SparseCategoricalCrossentropy
    y = [1, 2, 1, 3, 3, 2]
    alone = constant_loss_of(y, crossentropy(from_logits=True))
    assert alone == pytest.approx(np.log(3))
    for ignored in (0, 255, -1):
        among = [ignored] * 40 + y
        assert constant_loss_of(among, crossentropy(from_logits=True, ignore_class=ignored)) == pytest.approx(alone)
        of_nothing = constant_loss_of([ignored] * 5, crossentropy(from_logits=True, ignore_class=ignored))
        assert np.isnan(of_nothing)


def test_where_regularizers_add_to_the_loss_no_constant_is_known():
    assert constant_loss_of([1, 2], "sparse_categorical_crossentropy") == pytest.approx(np.log(2))
    assert np.isnan(constant_loss_of([1, 2], "sparse_categorical_crossentropy", kernel_regularizer="l2"))
