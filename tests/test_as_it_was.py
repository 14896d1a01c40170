"""A model that was trained for a look is what it was, to the bit, wherever Ctrl-C or an error came."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from lrlib import keras_hooks, range_test
from lrlib.as_it_was import CtrlC, as_it_was, random_numbers_as_they_were
from lrlib.keras import AppliedRates

X = np.linspace(-1, 1, 96, dtype="float32").reshape(24, 4)
PIECES = [(X[i : i + 4], X[i : i + 4, :1]) for i in range(0, 24, 4)]


class Noisy(keras.Model):
    """With what may hold a state: dropout, moving means, a metric, a generator, a second optimizer, a frozen layer."""

    def __init__(self):
        super().__init__()
        self.parts = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
        self.last, self.tracker = keras.layers.Dense(1), keras.metrics.Mean()
        self.held = {"generator": tf.random.Generator.from_seed(1), "optimizer": keras.optimizers.Adam()}
        self.parts[0].trainable = False

    def call(self, x, training=False):
        for part in self.parts:
            x = part(x, training=training)
        return self.last(x + 0 * self.held["generator"].normal(()))

    def train_step(self, data):
        self.tracker.update_state(keras.random.normal(()))
        return super().train_step(data)


def noisy(**how):
    keras.utils.set_random_seed(0)
    model = Noisy()
    model.compile(keras.optimizers.Adam(), "mse", metrics=["mae"], **how)
    model.fit(X, X[:, :1], batch_size=8, verbose=0)
    return model


@pytest.fixture(scope="module")
def model():
    """One for the tests after which a model is what it was."""
    return noisy()


def everything(model):
    """All that a range test could change, as values that can be compared."""
    optimizers = model.optimizer, model.held["optimizer"]
    variables = [*model.variables, *(v for one in optimizers for v in one.variables), *model.metrics_variables]
    variables += [*model.tracker.variables, *keras_hooks.state_of_random_numbers()]
    return [
        [variable.numpy().tobytes() for variable in variables],
        model.held["generator"].state.numpy().tobytes(),
        [layer.trainable for layer in model._flatten_layers()],
        [id(model.train_function), id(model.optimizer), sorted(vars(model.optimizer))],
        [random.getstate(), np.random.get_state()[1].tobytes(), np.random.get_state()[2]],  # noqa: NPY002
        [signal.getsignal(signal.SIGINT), dict(keras_hooks._wrapped), len(keras_hooks._retraced)],
    ]


def drawing():
    """Batches from Python's and NumPy's random numbers, as many a generator has them."""
    while True:
        yield PIECES[random.randrange(6) if np.random.rand() < 0.5 else 0]  # noqa: NPY002


def test_after_a_quiet_end(model):
    before = everything(model)
    range_test(model, drawing(), steps=9, start_rate=1e-3, repeats=2)
    assert everything(model) == before


def test_tensorflow_s_own_numbers_go_on_as_if_there_had_been_no_test(model):
    drawn = []
    for tested in (False, True):
        tf.random.set_seed(3)
        dataset = tf.data.Dataset.from_tensor_slices((X, X[:, :1])).shuffle(24).batch(4)
        if tested:
            range_test(model, dataset, steps=5)
        drawn.append(float(tf.random.normal(())))
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("error", [KeyError("a broken batch"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_after_an_error_in_the_data(error, model):
    def broken(number):
        yield from PIECES[:number]
        raise error

    before = everything(model)
    for number in (0, 1, 4):
        with pytest.raises(type(error)):
            range_test(model, broken(number), steps=9)
        assert everything(model) == before


def test_what_a_step_of_one_s_own_makes_trainable_is_frozen_again(model):
    with pytest.raises(ValueError, match="over"), as_it_was(model):
        model.parts[0].trainable = True
        model.last.trainable = False
        raise ValueError("over")
    assert not model.parts[0].trainable and model.last.trainable and len(model.trainable_variables) == 4


def test_ctrl_c_at_any_change(monkeypatch):
    """It is sent in the middle of everything that is changed and given back, once and twice in a row."""
    model, ticks, at = noisy(run_eagerly=True), [], set()
    before = everything(model)

    def ticking(owner, name):
        original = getattr(owner, name)

        def tick(*args, **how):
            ticks.append(name)
            if len(ticks) - 1 in at:
                signal.raise_signal(signal.SIGINT)
            return original(*args, **how)

        monkeypatch.setattr(owner, name, tick)

    for owner, name in (
        (keras.Variable, "assign"), (AppliedRates, "__enter__"), (AppliedRates, "__exit__"), (keras_hooks, "build_on"),
        (Noisy, "reset_metrics"), (keras_hooks, "_give_back"), (keras_hooks, "variable_key"),
    ):  # fmt: skip
        ticking(owner, name)
    how = {"steps": 3, "start_rate": 1e-3, "repeats": 2}
    range_test(model, PIECES, **how)
    assert everything(model) == before and len(ticks) > 100
    single = [place for place, name in enumerate(ticks) if ticks.count(name) == 1]
    assert len(single) == 4
    for place in (*single, *range(0, len(ticks), len(ticks) // 9)):
        ticks.clear()
        at |= {place, place + 1 + place % 9}
        with pytest.raises(KeyboardInterrupt):
            range_test(model, PIECES, **how)
        assert everything(model) == before, place
        at.clear()
    assert range_test(model, PIECES, **how).losses.shape == (2, 3)


def test_ctrl_c_while_what_is_not_built_is_built(monkeypatch):
    model, add = keras.Sequential([keras.layers.Dense(1)]), keras.Optimizer.add_variable_from_reference

    def pressed(*given, **how):
        signal.raise_signal(signal.SIGINT)
        return add(*given, **how)

    model.compile(keras.optimizers.Adam(), "mse", run_eagerly=True)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keras.Optimizer, "add_variable_from_reference", pressed)
        range_test(model, PIECES)
    assert len(model.optimizer.variables) == 6
    model.train_on_batch(*PIECES[0])


KILLED = """
import os, random, signal, sys, threading, time
sys.path.insert(0, "tests")
from test_as_it_was import PIECES, everything, noisy, range_test

def press(pressed):
    pressed.append("Ctrl-C")
    os.kill(os.getpid(), signal.SIGINT)

model = noisy()
before = everything(model)
began = time.perf_counter()
range_test(model, PIECES, steps=10, start_rate=1e-3, repeats=2)
length, killed, delays = time.perf_counter() - began, 0, random.Random(0)
for _ in range(8):
    pressed = []
    timer = threading.Timer(delays.uniform(0, length), press, (pressed,))
    try:
        timer.start()
        range_test(model, PIECES, steps=10, start_rate=1e-3, repeats=2)
        timer.join()
    except BaseException as error:  # of a Ctrl-C amid a call from C TensorFlow makes errors of many kinds
        assert pressed, error
        killed += 1
    try:
        timer.join()
    except KeyboardInterrupt:
        pass
    assert everything(model) == before
print(killed)
"""


def test_ctrl_c_at_random_times():
    run = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 3


# The parts


def test_random_numbers_are_kept_where_a_model_was_built():
    before = random.getstate()
    with random_numbers_as_they_were() as keep:
        random.random()
        keep()
        kept = random.getstate()
        random.random()
    assert random.getstate() == kept != before
    random.setstate(before)


def test_ctrl_c_comes_after_a_block_that_does_not_let_it_and_before_any_other_step():
    seen = []
    with pytest.raises(KeyboardInterrupt), CtrlC() as ctrl_c:
        signal.raise_signal(signal.SIGINT)
        seen.append("held")
        with ctrl_c.let():
            seen.append("let")
    assert seen == ["held"]
    with pytest.raises(KeyboardInterrupt), CtrlC():
        signal.raise_signal(signal.SIGINT)
        seen.append("held again")
    assert seen == ["held", "held again"]


def test_a_handler_of_one_s_own_is_called_and_a_thread_is_left_alone(model):
    heard, theirs = [], signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with CtrlC() as ctrl_c:
            with ctrl_c.let():
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGINT)
                assert len(heard) == 2
            signal.raise_signal(signal.SIGINT)
            assert len(heard) == 2
        assert len(heard) == 3
    finally:
        signal.signal(signal.SIGINT, theirs)
    results = []
    thread = threading.Thread(target=lambda: results.append(range_test(model, PIECES, steps=3)))
    thread.start()
    thread.join()
    assert results[0].losses.shape == (1, 3) and signal.getsignal(signal.SIGINT) is theirs
