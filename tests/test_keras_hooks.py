"""The hooks into Keras's private parts: that they are there, and that they see what moves the weights."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import process_executor
from tensorflow.python.ops.parallel_for import pfor

import lrlib
from lrlib import ExponentialDecay, keras_hooks
from lrlib.keras import AppliedRates, KerasSchedule


def test_this_keras_was_tried():
    assert keras.__version__ in keras_hooks.TRIED, "does all of the tests pass with it? Then add it to TRIED"


def private_names():
    """The names with an underscore that lrlib uses and does not define."""
    own, used = {"_replace", "_fields"}, set()
    for path in Path(lrlib.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                own.add(node.name)
            elif isinstance(node, ast.Name):
                own.add(node.id)
            elif isinstance(node, ast.Attribute):
                of_self = isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
                (own if of_self else used).add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                used.add(str(node.slice.value))
    return {name for name in used - own if re.match("_[A-Za-z]", name)}


def test_the_private_parts_are_there():
    """Those of Keras, and the few of others; a name that a new version lacks stands in the message."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.1, use_ema=True, gradient_accumulation_steps=2)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    parts = {
        optimizer: "_accumulated_gradients _apply_weight_decay _clip_by_norm _exclude_from_weight_decay "
        "_exclude_from_weight_decay_pattern _get_current_learning_rate _iterations _learning_rate "
        "_model_variables_moving_average _trainable_variables _var_key",
        model: "_call_has_training_arg _compile_config _compute_loss _flatten_layers _layers _loss_tracker "
        "_trainable_variables",
        keras.src.backend.Variable: "_initialize_with_initializer",
        pfor: "_create_op _pfor_converter_registry",
        pfor.PFor: "_convert_helper",
        process_executor: "_MAX_MEMORY_LEAK_SIZE",
    }
    missing = [f"{part}.{name}" for part, names in parts.items() for name in names.split() if not hasattr(part, name)]
    assert not missing, f"Keras {keras.__version__}, TensorFlow {tf.__version__} or joblib no longer has {missing}"
    in_texts = {"_clip_by_norm", "_convert_helper", "_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"}
    assert private_names() == set(" ".join(parts.values()).split()) - in_texts

    kinds = type(optimizer).__mro__
    assert sum("apply" in vars(kind) for kind in kinds) >= 1 and sum("update_step" in vars(kind) for kind in kinds) == 2
    assert isinstance(optimizer._iterations.value, tf.Variable)
    tracker = model._loss_tracker
    model.compile(optimizer, "mse")
    assert model.train_function is None and model._loss_tracker is not tracker
    model.make_train_function(force=True)
    assert model.train_function is not None


def test_what_is_seen_is_what_moves_the_weights():
    """The gradient is 1, so the rates are what the weight loses at each step."""
    schedule = ExponentialDecay(0.4, 3, 0.5)
    optimizer, weight, path = keras.optimizers.SGD(KerasSchedule(schedule)), keras.Variable(0.0), [0.0]
    with AppliedRates(optimizer) as applied:
        for _ in range(6):
            optimizer.apply([tf.constant(1.0)], [weight])
            path.append(float(weight))
    np.testing.assert_allclose(-np.diff(path), schedule.planned(6), rtol=1e-5)
    np.testing.assert_allclose(applied.rates, schedule.planned(6), rtol=1e-6)


class Watcher:
    """Writes down what it is told."""

    calls = in_update = 0

    def __init__(self):
        self.heard = []

    def begins(self):
        self.in_update += 1
        self.heard.append("begins")

    def ends(self):
        self.in_update -= 1
        self.heard.append("ends")

    def received(self, key, learning_rate):
        self.calls += 1
        self.heard.append(float(learning_rate))

    def divided(self):
        self.heard.append("divided")

    def jumps(self, distance):
        self.heard.append(("jumps", int(distance)))


def test_a_watcher_is_told_of_the_updates_in_its_blocks_alone():
    optimizer, other = keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)
    weight, watcher = keras.Variable(1.0), Watcher()
    update = lambda optimizer: optimizer.apply([tf.constant(1.0)], [weight])  # noqa: E731
    before = vars(keras.optimizers.SGD)["update_step"]
    update(optimizer)
    with keras_hooks.watching(optimizer, watcher):
        update(optimizer)
        update(other)
        optimizer.iterations.assign(10)
        with keras_hooks.watching(optimizer, watcher):
            update(optimizer)
        update(optimizer)
    update(optimizer)
    assert watcher.heard == ["begins", 0.5, "ends", ("jumps", 8), *["begins", 0.5, "ends"] * 2]
    assert vars(keras.optimizers.SGD)["update_step"] is before and not keras_hooks._wrapped
    assert int(optimizer.iterations) == 13 == keras_hooks.counted(optimizer)


def test_an_exception_unwraps_what_was_wrapped():
    optimizer, before = keras.optimizers.Adam(0.5), vars(keras.optimizers.Adam)["update_step"]
    with pytest.raises(KeyboardInterrupt), keras_hooks.watching(optimizer, Watcher()):
        assert vars(keras.optimizers.Adam)["update_step"] is not before
        raise KeyboardInterrupt
    assert vars(keras.optimizers.Adam)["update_step"] is before and "assign" not in vars(optimizer._iterations)


def test_a_rate_from_outside_goes_before_what_an_optimizer_has():
    optimizer, weight = keras.optimizers.SGD(KerasSchedule(0.5)), keras.Variable(1.0)
    with keras_hooks.rate_from_outside(optimizer) as rate:
        rate.assign(0.25)
        optimizer.apply([tf.constant(1.0)], [weight])
    optimizer.apply([tf.constant(1.0)], [weight])
    assert float(weight) == 0.25


def test_ctrl_c_amid_weight_decay_leaves_no_rate_in_a_copy(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    weight = keras.Variable([1.0])
    copy = keras_hooks.on_values(keras.optimizers.SGD(0.5, weight_decay=0.1), [weight])
    monkeypatch.setattr(keras.src.optimizers.base_optimizer.BaseOptimizer, "_apply_weight_decay", interrupt)
    with pytest.raises(KeyboardInterrupt):
        copy._apply_weight_decay([weight])
    assert "_get_current_learning_rate" not in vars(copy)


@pytest.mark.parametrize("jit", [True, False])
def test_an_optimizer_that_is_not_built_is_built_as_keras_does_it(jit):
    """Where its variables waited for the gradients, XLA would have refused them."""
    paths = []
    for record in (False, True):
        keras.utils.clear_session()
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(KerasSchedule(ExponentialDecay(0.1, 1, 0.5))), "mse", jit_compile=jit)
        log = AppliedRates()
        model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[log] if record else [])
        paths.append([variable.path for variable in model.optimizer.variables])
    assert log.rates.tolist() == pytest.approx([0.1, 0.05])
    assert paths[0] == paths[1] and "adam/sequential_dense_kernel_velocity" in paths[1]
