"""The sweep trains every lane as Keras would, applies the rate that it reports, and keeps the lanes apart."""

import dataclasses
import gc
import os
import signal
import threading
import time
from types import SimpleNamespace

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import joblib
import numpy as np
import pytest
import xarray as xr

import lrlib.training as module
from lrlib import ExponentialDecay, PiecewiseConstantDecay, StepDecay, datasets
from lrlib.datasets import batches
from lrlib.keras import KerasSchedule
from lrlib.lanes import Start, initial_weights
from lrlib.program import signature
from lrlib.runs import Runs
from lrlib.sweep import _Bar, factors, sweep
from optimizers import OPTIMIZERS
from refusal import refused

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy
CANCER, DIABETES = datasets.breast_cancer(), datasets.diabetes()


def model_for(data, optimizer=None, units=(8,), activation="tanh", loss=None, outputs=None, **layer):
    outputs = outputs or data.classes or 1
    hidden = [keras.layers.Dense(n, activation, **layer) for n in units]
    model = keras.Sequential([keras.Input(data.x_train.shape[1:]), *hidden, keras.layers.Dense(outputs, **layer)])
    loss = loss or (CROSS_ENTROPY(from_logits=True) if data.classes else "mse")
    model.compile(optimizer or keras.optimizers.SGD(), loss)
    return model


def run(model, data, rates=(0.1,), seeds=(0,), steps=6, batch_size=16, **how):
    return sweep(model, data, rates, seeds, steps=steps, batch_size=batch_size, **how)


def identical(one, other):
    assert set(one.data_vars) == set(other.data_vars)
    for name in one.data_vars:
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


# The updates


@pytest.mark.parametrize(
    ("optimizer", "data"),
    [("momentum", CANCER), ("Adam, other settings", CANCER), ("Adam", DIABETES)],
    ids=["momentum", "Adam, other settings", "regression"],
)
def test_a_lane_is_what_keras_trains(optimizer, data):
    """With a schedule; every other optimizer trains in test_models.py."""
    steps, seed, rate = 7, 3, 0.03
    schedule = PiecewiseConstantDecay([4], [1.0, 0.2])
    model = model_for(data, OPTIMIZERS[optimizer]())
    lane = run(model, data, [0.5, rate], [1, seed], steps, schedule=schedule).sel(learning_rate=rate, seed=seed)

    model.set_weights(initial_weights(model, seed))
    for step, chosen in enumerate(batches(len(data.x_train), 16, steps, seed)):
        x, y = data.x_train[chosen], data.y_train[chosen]
        with tf.GradientTape() as tape:
            outputs = model(x)
            loss = model.compute_loss(x, y if data.classes else y[:, None], outputs)
        gradients = tape.gradient(loss, model.trainable_variables)
        np.testing.assert_allclose(lane.loss[step], loss, rtol=2e-5)
        np.testing.assert_allclose(lane.gradient_norm[step], tf.linalg.global_norm(gradients), rtol=1e-4)
        model.optimizer.learning_rate = rate * schedule(step)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for part in ("train", "validation", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        outputs = model(x)
        loss = model.compute_loss(x, y if data.classes else y[:, None], outputs)
        np.testing.assert_allclose(lane[f"{part}_loss"], loss, rtol=1e-4)
        if data.classes:
            accuracy = (outputs.numpy().argmax(axis=1) == y).mean()
            np.testing.assert_allclose(lane[f"{part}_accuracy"], accuracy, atol=1e-6)


def test_what_a_seed_draws_is_kept_for_the_next_sweep_within_a_bound(monkeypatch):
    model = model_for(CANCER, keras.optimizers.SGD())
    start, initial = Start(model), initial_weights(model, 0)[0]
    drawn = start.of_seed(0)
    bound = 3 * drawn[0].nbytes
    drawn[0][:] = 0  # whoever has them may write on them
    with monkeypatch.context() as patch:
        patch.setattr("lrlib.lanes.stream", None)  # nothing can be drawn
        np.testing.assert_array_equal(start.of_seed(0)[0], initial)
    monkeypatch.setattr("lrlib.lanes.KEPT", bound)
    for seed in (*range(9), 0):
        for value, own in zip(start.of_seed(seed), initial_weights(model, seed), strict=True):
            np.testing.assert_array_equal(value, own)
        assert 0 < sum(value.nbytes for value in start.kept.values()) <= bound
    monkeypatch.setattr("lrlib.lanes.KEPT", 1)
    np.testing.assert_array_equal(start.of_seed(20)[0], initial_weights(model, 20)[0])
    assert start.kept == {}, "what is too large by itself"


def loss_of_an_update(model, x, y):
    model.reset_metrics()  # or it is the mean of all updates, in older versions of Keras
    return model.train_on_batch(x, y, return_dict=True)["loss"]


@pytest.mark.parametrize(
    ("activation", "loss", "onehot"),
    [("softmax", "sparse_categorical_crossentropy", False), (None, "mse", True), ("softmax", CROSS_ENTROPY(), False),
     ("softmax", "categorical_crossentropy", True), ("sigmoid", keras.losses.Huber(0.3), True)],
)  # fmt: skip
def test_other_losses_are_keras_s_too(activation, loss, onehot):
    names = [f"y_{part}" for part in ("train", "validation", "test")] * onehot
    data = dataclasses.replace(CANCER, **{name: np.eye(2)[getattr(CANCER, name)] for name in names})
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(2, activation)])
    model.compile("sgd", loss, metrics=["accuracy"])
    lane = run(model, data).squeeze()
    model.set_weights(initial_weights(model, 0))
    chosen = batches(len(data.x_train), 16, 6, 0)
    model.optimizer.learning_rate = 0.1
    losses = [loss_of_an_update(model, data.x_train[c], data.y_train[c]) for c in chosen]
    np.testing.assert_allclose(lane.loss, losses, rtol=1e-5)
    np.testing.assert_allclose(
        [lane.test_loss, lane.test_accuracy], model.evaluate(data.x_test, data.y_test, verbose=0), rtol=1e-5
    )


# The rate


def one_weight():
    """Its loss is w squared with w = 1 at the start, so the losses tell the weight and its gradient, 2 w."""
    ones, zeros = np.ones((4, 1)), np.zeros(4)
    data = datasets.Data("one weight", ones, zeros, ones, zeros, ones, zeros)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    return model, data


def test_the_rate_read_off_the_weights_is_the_rate_reported_and_the_schedule_s():
    model, data = one_weight()
    schedule, rates = ExponentialDecay(1.0, 4, 0.5), [0.01, 0.1, 0.2]
    runs = run(model, data, rates, [0, 7], 12, 2, schedule=schedule)
    w = np.sqrt(runs.loss.values.astype(float))
    read_off = (w[..., :-1] - w[..., 1:]) / (2 * w[..., :-1])
    np.testing.assert_allclose(read_off, runs.applied.values[..., :-1], rtol=1e-4)
    for i, rate in enumerate(rates):
        expected = rate * schedule.planned(12)
        np.testing.assert_array_equal(runs.applied.values[i], np.tile(expected.astype("float32"), (2, 1)))
        # what is one step off is far outside of that tolerance
        assert np.abs(read_off[i] / expected[1:] - 1).min() > 0.1
        assert np.abs(read_off[i, :, 1:] / expected[:-2] - 1).min() > 0.1


def test_without_a_schedule_the_rate_is_constant():
    model, data = one_weight()
    applied = run(model, data, [0.01, 0.3], batch_size=2).applied.values
    np.testing.assert_array_equal(applied, np.float32([[[0.01] * 6], [[0.3] * 6]]))


def test_any_function_of_the_step_is_a_schedule():
    model, data = one_weight()
    applied = run(model, data, [0.5], batch_size=2, schedule=lambda step: step / 2).applied.values
    np.testing.assert_array_equal(applied.ravel(), [0, 0.25, 0.5, 0.75, 1, 1.25])


def test_a_number_is_a_schedule():
    model, data = one_weight()
    applied = run(model, data, [0.5, 0.25], steps=2, batch_size=2, schedule=0.5).applied.values
    np.testing.assert_array_equal(applied, [[[0.25, 0.25]], [[0.125, 0.125]]])


@pytest.mark.parametrize(
    "own",
    [
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
        KerasSchedule(StepDecay(0.1, 10, 0.5)),
        lambda: 0.1,
    ],
    ids=["Keras's", "lrlib's", "function"],
)
def test_a_schedule_of_the_optimizer_s_own_is_refused(own):
    model, data = one_weight()
    for optimizer in (keras.optimizers.SGD(own), keras.optimizers.Adam(own)):
        model.compile(optimizer, "mse")
        refused(lambda: run(model, data, batch_size=2), ValueError, "optimizer must not have a schedule", "schedule=")


def test_factors():
    decay = ExponentialDecay(1.0, 2, 0.5)
    np.testing.assert_array_equal(factors(decay, 3, 2), np.stack([decay.planned(3)] * 2, axis=1))
    np.testing.assert_array_equal(factors(decay, 3, 1), factors(lambda step: decay(step), 3, 1))
    np.testing.assert_array_equal(factors(1.0, 2, 3), np.ones((2, 3)))


def test_a_schedule_may_have_a_factor_for_each_rate():
    model, data = one_weight()

    def schedule(step):
        return np.array([1.0, step]) if step % 2 else 0.5

    applied = run(model, data, [0.5, 0.25], steps=4, batch_size=2, schedule=schedule).applied.values[:, 0]
    np.testing.assert_array_equal(applied, [[0.25, 0.5, 0.25, 0.5], [0.125, 0.25, 0.125, 0.75]])


def test_tensorflow_s_graph_optimizer_is_as_it_was():
    model, data = one_weight()
    for off in (True, False):
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": off})
        run(model, data, batch_size=2)
        with pytest.raises(KeyboardInterrupt), module.graphs_as_written():
            raise KeyboardInterrupt
        assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] is off


def test_a_second_thread_waits(monkeypatch):
    import lrlib.sweep as call

    both = threading.Barrier(2)

    def meets(job, lanes):
        with pytest.raises(threading.BrokenBarrierError):
            both.wait(0.2)
        return module.train(job, lanes)

    monkeypatch.setattr(call, "train", meets)
    options, losses = tf.config.optimizer.get_experimental_options(), []
    threads = [threading.Thread(target=lambda: losses.append(run(model_for(CANCER), CANCER).loss)) for _ in range(2)]
    for step in (threading.Thread.start, threading.Thread.join):
        list(map(step, threads))
    assert len(losses) == 2 and losses[0].equals(losses[1])
    assert tf.config.optimizer.get_experimental_options() == options


@pytest.mark.parametrize(("progress", "terminal"), [(True, False), (False, True), (None, True), (None, False)])
def test_a_progress_bar_in_a_terminal_or_on_demand(progress, terminal, monkeypatch, capsys):
    model, data = one_weight()
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    run(model, data, batch_size=2, progress=progress)
    printed = capsys.readouterr().err
    assert ("1 lanes of 6 steps: 100%, 0 s left" in printed) == (terminal if progress is None else progress)
    assert printed == "" or "100%" in printed


def test_a_progress_bar_covers_what_it_said_before_and_ends_its_line(monkeypatch, capsys):
    times = iter([0.0, 100.0, 101.0])
    monkeypatch.setattr("lrlib.sweep.time.perf_counter", lambda: next(times))
    bar = _Bar(1, 100)
    for made in 1, 95:
        bar(made)
    bar.close()
    first, second = capsys.readouterr().err.removesuffix("\n").split("\r")[1:]
    assert first.endswith(" 1%, 9900 s left ") and second.endswith(" 96%, 4 s left   ") and len(second) == len(first)


class Hundredfold(keras.losses.MeanSquaredError):
    def call(self, y, outputs):
        return 100 * super().call(y, outputs)


class Focal(CROSS_ENTROPY):
    def call(self, y, outputs):
        return super().call(y, outputs) ** 2


@pytest.mark.parametrize(("data", "loss"), [(DIABETES, Hundredfold()), (CANCER, Focal(from_logits=True))])
def test_a_loss_of_the_reader_s_own_has_no_best_constant(data, loss):
    model = model_for(data, loss=loss)
    runs = run(model, data, [1e-4])
    assert np.isnan(runs.constant_loss)
    model.set_weights(initial_weights(model, 0))
    chosen = batches(len(data.x_train), 16, 1, 0)[0]
    np.testing.assert_allclose(runs.loss[0, 0, 0], loss(data.y_train[chosen], model(data.x_train[chosen])), rtol=1e-5)


@pytest.mark.filterwarnings("error")  # Keras has one for who would save a lambda
def test_a_function_that_has_changed_is_compiled_anew():
    model, data = one_weight()
    expected = run(model, data, batch_size=2).loss[0, 0, 0]
    factor = 1.0

    def loss(y, outputs):
        return factor * keras.ops.mean(keras.ops.square(y - outputs), axis=-1)

    model.compile("sgd", loss)
    assert run(model, data, batch_size=2).loss[0, 0, 0] == expected
    factor = 3.0
    assert run(model, data, batch_size=2).loss[0, 0, 0] == 3 * expected

    model = model_for(DIABETES, activation=lambda x: factor * x)
    first = run(model, DIABETES).validation_loss
    factor = 2.0
    assert run(model, DIABETES).validation_loss != first


def relu(x):
    return 3 * x


def frozen_kernel(model):
    model.layers[0].kernel.trainable = False
    model.layers[0].kernel.assign(0.1 * np.ones((10, 2)))  # which it keeps


def too_late(model):
    model.layers[0].kernel_regularizer = keras.regularizers.L2(1.0)  # in the config, and in no weight


def spared(model):
    model.optimizer.exclude_from_weight_decay(var_names=["kernel"])


REGULARIZED = {"kernel_regularizer": keras.regularizers.L2(1.0)}


@pytest.mark.parametrize(
    ("one", "other", "change"),
    [
        ({"activation": "relu"}, {"activation": relu}, None),
        ({"activation": "relu", "name": "relu"}, {"activation": "tanh", "name": "tanh"}, None),
        ({}, {}, frozen_kernel),
        (REGULARIZED, {}, too_late),
        ({}, {}, spared),
    ],
    ids=["its own relu", "named like its activation", "a frozen weight", "too late", "without decay"],
)
def test_what_no_config_says_is_compiled_anew(one, other, change):
    def loss(layer, change):
        layers = keras.layers.Dense(2, **layer), keras.layers.Dense(1)
        model = keras.Sequential([keras.Input((10,)), *layers])
        model.compile(keras.optimizers.SGD(weight_decay=0.5), "mse")
        if change:
            change(model)
        return run(model, DIABETES, steps=2).train_loss.item()

    loss(one, None)
    after_one = loss(other, change)
    module._programs.clear()
    assert after_one == loss(other, change)


def test_a_function_in_a_layer_may_change_and_a_sweep_keeps_no_data():
    factor, before = 1.0, dict(module._programs)

    def loss():
        model = keras.Sequential([keras.Input((10,)), keras.layers.Lambda(lambda x: factor * x), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return run(model, DIABETES, steps=2).train_loss.item()

    first, factor = loss(), 2.0
    assert loss() != first and module._programs == before
    gc.collect()
    assert not module._alone


def test_what_a_layer_has_learnt_outside_of_its_variables_has_no_equal():
    layer = keras.layers.Discretization(num_bins=2)
    layer.adapt(np.arange(6.0))
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert signature(model) is None


def test_a_program_goes_by_the_names_that_a_sweep_is_given():
    def program(one, other, data, group=None):
        inputs = [keras.Input((3,), name=name) for name in (one, other)]
        hidden = [
            keras.layers.Dense(1, name=f"on {name}")(each) for name, each in zip((one, other), inputs, strict=True)
        ]
        model = keras.Model(inputs, keras.layers.Subtract()(hidden))
        model.compile("sgd", "mse")
        job = SimpleNamespace(model=model, parts={"train": data}, batch_size=2, setting=None, group=group)
        job.vectorized, job.made = True, signature(model)
        return module.program_of(job)

    x, y = np.ones((4, 3), np.float32), np.ones(4, np.float32)
    listed, named = ((x, x), y), ({"a": x, "b": x}, y)
    assert program("a", "b", listed) is program("b", "a", listed)
    assert program("a", "b", named) is not program("b", "a", named)
    assert program("a", "b", listed, "on a") is program("b", "a", listed, "on b")
    assert program("a", "b", listed, "on a") is not program("b", "a", listed, "on a")


def test_rates_and_seeds_of_an_earlier_sweep():
    model, data = one_weight()
    first = run(model, data, [0.1, 0.2], [3, 4], batch_size=2)
    identical(first, run(model, data, first.learning_rate, first.seed.values, batch_size=2))


def test_a_schedule_of_keras_s():
    model, data = one_weight()
    cosine = keras.optimizers.schedules.CosineDecay(1.0, 6)
    applied = run(model, data, [0.5], batch_size=2, schedule=cosine).applied.values.ravel()
    np.testing.assert_allclose(applied, [0.5 * float(cosine(step)) for step in range(6)], rtol=1e-6)


# The lanes


@pytest.mark.parametrize(
    ("optimizer", "activation", "units", "batch_size"),
    # the products of matrices and the updates are made one after the other, so each kind of either is in it once
    [
        ("Adam", "relu", 13, 32),
        ("momentum", "relu", 13, 32),
        ("SGD", "tanh", 7, 5),
        ("Adam, other settings", "tanh", 7, 5),
        ("nesterov", "gelu", 10, 17),
    ],
)
def test_a_lane_is_the_same_alone_and_in_company(optimizer, activation, units, batch_size):
    """To the bit, beside lanes that diverge too; units and batches are no multiples of anything."""
    model = model_for(DIABETES, OPTIMIZERS[optimizer](), (units,), activation)
    many = run(model, DIABETES, [*np.geomspace(1e-3, 0.05, 20), 1e30], [0, 1, 2], 20, batch_size)
    assert many.failed[-1].all() and not np.isfinite(many.loss[-1, :, -1]).any()
    rates = many.learning_rate.values
    for some, seeds in ((rates[[3]], [1]), (rates[[19, 4]], [2, 0]), (rates[1:18], [1])):
        identical(run(model, DIABETES, some, seeds, 20, batch_size), many.sel(learning_rate=some, seed=seeds))


def test_slices_make_no_difference(monkeypatch):
    model = model_for(CANCER, keras.optimizers.Adam())
    in_few = run(model, CANCER, [0.01, 0.1], [0, 1], 40)
    monkeypatch.setattr(module, "SLICE_SECONDS", 1e-9)
    identical(run(model, CANCER, [0.01, 0.1], [0, 1], 40), in_few)


def test_a_longer_sweep_repeats_a_shorter_one():
    model = model_for(CANCER)
    short, long = run(model, CANCER, steps=10), run(model, CANCER, steps=60)
    for name in ("loss", "applied", "gradient_norm"):
        np.testing.assert_array_equal(long[name][..., :10], short[name])


def test_evaluating_in_pieces_makes_no_difference(monkeypatch):
    model = model_for(CANCER)
    whole = run(model, CANCER)
    monkeypatch.setattr(module, "EVALUATED_AT_ONCE", 7)
    pieces = run(model, CANCER)
    for name in ("train_loss", "test_loss", "validation_accuracy"):
        np.testing.assert_allclose(pieces[name], whole[name], rtol=1e-6)


def sequences(loss, outputs=3):
    """Return a model of masked words with a loss at every place, and words with labels."""
    rng = np.random.default_rng(0)
    layers = keras.layers.Embedding(5, 3, mask_zero=True), keras.layers.Dense(outputs)
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("sgd", loss)
    return model, datasets.as_data((rng.integers(0, 5, (80, 4)), rng.integers(-1, outputs, (80, 4))))


def sums():
    return model_for(DIABETES, loss=keras.losses.MeanSquaredError(reduction="sum")), DIABETES


@pytest.mark.parametrize("make", [sums, lambda: sequences(CROSS_ENTROPY(from_logits=True, ignore_class=-1))])
def test_a_loss_that_is_no_mean_over_samples_is_evaluated_as_keras_does(make):
    """A sum depends on how many samples there are at once, and a mask on which; labels may be at every place."""
    model, data = make()
    lane = run(model, data, [1e-4], batch_size=10).squeeze()
    model.set_weights(initial_weights(model, 0))
    model.optimizer.learning_rate = 1e-4
    chosen = batches(len(data.x_train), 10, 6, 0)
    losses = [loss_of_an_update(model, data.x_train[c], data.y_train[c]) for c in chosen]
    np.testing.assert_allclose(lane.loss, losses, rtol=1e-5)
    for part in "train", "validation":
        loss = model.evaluate(*data.of(part), batch_size=10, verbose=0)
        np.testing.assert_allclose(lane[f"{part}_loss"], loss, rtol=1e-5)


def test_outputs_of_another_shape_than_the_labels_are_no_classes():
    model = model_for(DIABETES, outputs=4, loss=lambda y, outputs: keras.ops.mean((outputs[:, :2] - y) ** 2))
    runs = run(model, (DIABETES.x_train, np.stack([DIABETES.y_train] * 2, axis=1)))
    assert np.isfinite(runs.test_loss).all() and "test_accuracy" not in runs


@pytest.fixture
def interrupted_after(monkeypatch):
    """Press Ctrl-C so many slices after the training has begun; how many steps are begun is noted."""
    pressed = threading.Event()
    pressed.steps = pressed.begun = 0

    def after(slices):
        begin, left = module.begin, [slices]

        def counting(job, lanes, width):
            pressed.begun += 1
            start = begin(job, lanes, width)
            steps = type(start).steps

            class Counted(type(start)):
                def steps(self, first, number):
                    left[0] -= 1
                    pressed.steps = max(pressed.steps, first + number)
                    if left[0] == 0:
                        os.kill(os.getpid(), signal.SIGINT)
                        pressed.set()
                    return steps(self, first, number)

                def _replace(self, **changed):
                    return Counted(*super()._replace(**changed))

            return Counted(*start)

        monkeypatch.setattr(module, "begin", counting)
        return pressed

    return after


@pytest.mark.parametrize("engine", ["vectorized", "loop"])
def test_ctrl_c_ends_a_sweep_of_which_nothing_is_done_and_begins_no_lane_that_waits(engine, interrupted_after):
    pressed = interrupted_after(2)
    with pytest.raises(KeyboardInterrupt):
        run(model_for(CANCER), CANCER, np.geomspace(1e-3, 1, 100), range(2), steps=20_000, engine=engine)
    assert pressed.is_set() and 0 < pressed.steps < 10_000 and pressed.begun <= 2 * joblib.cpu_count()


def test_ctrl_c_while_the_lanes_are_evaluated(monkeypatch):
    evaluated, at = [], module.Program.at

    def pressing(self, lanes):
        def evaluate(*given):
            evaluated.append(given)
            if len(evaluated) == 1:
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            return compiled.evaluate(*given)

        compiled = at(self, lanes)
        return compiled._replace(evaluate=evaluate)

    monkeypatch.setattr(module.Program, "at", pressing)
    monkeypatch.setattr(module, "EVALUATED_AT_ONCE", 1)
    with pytest.raises(KeyboardInterrupt):
        run(model_for(CANCER), CANCER)
    assert 0 < len(evaluated) < len(CANCER.x_train)


def test_ctrl_c_while_the_lanes_are_being_sent_to_the_threads_ends_them_too(interrupted_after, monkeypatch):
    sent, pressed = [], interrupted_after(0)

    class Threads(module.ThreadPoolExecutor):
        def submit(self, *task):
            sent.append(super().submit(*task))
            if len(sent) == 2:
                raise KeyboardInterrupt
            return sent[-1]

    monkeypatch.setattr(module, "ThreadPoolExecutor", Threads)
    with pytest.raises(KeyboardInterrupt):
        run(model_for(CANCER), CANCER, np.geomspace(1e-3, 1, 100), range(2), steps=20_000)
    assert len(sent) == 2 and pressed.steps < 10_000


def test_ctrl_c_returns_what_is_done_and_a_later_sweep_goes_on(interrupted_after, monkeypatch):
    import lrlib.sweep as call

    monkeypatch.setattr(call, "AT_ONCE", 16)  # so many lanes in a share for each processor
    model, rates = model_for(CANCER), np.geomspace(1e-3, 1, 100)
    whole = run(model, CANCER, rates, [0, 1], 20)
    pressed = interrupted_after(9)
    with pytest.warns(UserWarning, match="of 200 lanes are trained: resume=runs goes on"):
        some = run(model, CANCER, rates, [0, 1], 20)
    assert pressed.is_set() and 0 < some.done.sum() < 200
    assert np.isfinite(some.loss.where(some.done).sum()) and some.loss.where(~some.done).isnull().all()
    assert not some.failed.where(~some.done, False).any() and (some.failed_since.where(~some.done, -1) == -1).all()
    identical(run(model, CANCER, rates, [0, 1], 20, resume=some), whole)


def test_the_weights_of_the_best_go_on_too():
    model, rates = model_for(CANCER), [0.01, 0.1, 0.3]
    whole = run(model, CANCER, rates, [0, 1], 20, weights=True)
    best = int(whole.validation_loss.min("seed").argmin("learning_rate"))
    for left in range(3):  # also where the best is among those that are left
        some = whole.copy(deep=True)
        some.done[left] = False
        if left == best:
            others = [rate for place, rate in enumerate(rates) if place != best]
            second = run(model, CANCER, others, [0, 1], 20, weights=True)
            some = some.assign({name: second[name] for name in second if name.startswith("weight_")})
        identical(run(model, CANCER, rates, [0, 1], 20, weights=True, resume=some), whole)


def test_a_record_goes_on_whatever_was_done_with_it_and_stays_as_it_is():
    model, rates, seeds = model_for(CANCER), [0.1, 0.01], [3, 0]
    whole = run(model, CANCER, rates, seeds)
    some = whole.where(xr.DataArray([[True, False], [True, True]], dims=("learning_rate", "seed")))
    some = Runs(some.data_vars, some.coords, whole.attrs)
    for record in (
        some.assign(done=some.done.fillna(False).astype(bool)),
        some.transpose("seed", ...),
        some.assign(gap=some.test_loss - some.train_loss, mean=some.loss.mean()),
        whole.sel(seed=[3]).reindex(seed=seeds),
        run(model, CANCER, [0.01], seeds).reindex(learning_rate=rates),
        whole.drop_vars("done"),
    ):
        before = record.copy(deep=True)
        finished = run(model, CANCER, rates, seeds, resume=record)
        identical(finished, whole)
        assert finished.dtypes == whole.dtypes and record.identical(before)


def test_what_does_not_go_on():
    model = model_for(CANCER)
    runs = run(model, CANCER)
    less = runs.drop_vars(["gradient_norm", "test_accuracy"])
    refused(lambda: run(model, CANCER, resume=less), ValueError, "which differs in gradient_norm, test_accuracy")
    others = (
        run(model, CANCER, steps=5),
        run(model, CANCER, batch_size=8),
        run(model, CANCER, schedule=lambda step: 0.5),
    )
    changed = dataclasses.replace(CANCER, x_train=CANCER.x_train + 1)
    doubled = model_for(CANCER)
    doubled.compile(keras.optimizers.SGD(), CROSS_ENTROPY(from_logits=True), loss_weights=2.0)
    for other in (runs.isel(seed=[0, 0]), "runs", *others, run(model, changed), run(doubled, CANCER)):
        refused(lambda other=other: run(model, CANCER, resume=other), ValueError, "resume must be what the same sweep")
    refused(lambda: run(model, CANCER, resume=others[1]), ValueError, "which differs in batch_size")
    group = {"also": {model.layers[0].name: [0.5]}}
    refused(lambda: run(model, CANCER, resume=runs, **group), ValueError, f"differs in {model.layers[0].name}")
    refused(lambda: run(model, CANCER, resume=runs, weights=True), ValueError, "must have been made with weights=True")
    assert "weight_0" not in run(model, CANCER, resume=run(model, CANCER, weights=True))


def test_what_a_record_says_is_the_same_in_the_next_process():
    """So it can go on there: an address in memory, as in the text of a function, is another each time."""
    runs = run(model_for(CANCER), CANCER, schedule=lambda step: 0.5)
    assert "sparse_categorical_crossentropy" in runs.attrs["loss"] and "<lambda>" in runs.schedule
    assert not [name for name, value in runs.attrs.items() if "0x" in str(value)]


def test_one_program_serves_any_number_of_lanes_steps_and_samples(monkeypatch):
    small = dataclasses.replace(CANCER, x_train=CANCER.x_train[:100], y_train=CANCER.y_train[:100])
    module._programs.clear()
    monkeypatch.setattr(module.joblib, "cpu_count", lambda: 2)
    for data, rates, seeds, steps, batch_size, units in (
        (CANCER, [0.1], [0], 3, 8, 8),
        (CANCER, np.geomspace(0.01, 1, 30), [4, 5], 7, 8, 8),
        (small, [0.1], [0, 1, 2], 5, 8, 8),
    ):
        # a new model every time, alike but for its rate
        model = model_for(data, keras.optimizers.SGD(rates[0], momentum=0.9), (units,))
        run(model, data, rates, seeds, steps, batch_size)
    assert len(module._programs) == 1
    (program,) = module._programs.values()
    assert set(program.compiled) == {16, 32}  # lanes at once, for any number of them
    for function in program.compiled[16]:
        assert isinstance(function, tf.types.experimental.ConcreteFunction)  # which is traced once and for all
    run(model_for(CANCER, keras.optimizers.SGD(momentum=0.8)), CANCER)
    assert len(module._programs) == 2
    run(model_for(CANCER, keras.optimizers.SGD(momentum=0.8), loss=CROSS_ENTROPY(from_logits=False)), CANCER)
    assert len(module._programs) == 3


# The model is only read


def test_the_model_is_left_as_it_was():
    for used in (False, True):
        model = model_for(CANCER, keras.optimizers.Adam())
        if used:
            model.train_on_batch(CANCER.x_train[:64], CANCER.y_train[:64])
        variables = [*model.variables, *model.optimizer.variables]
        before = [v.numpy() for v in variables]
        function, config = model.train_function, str(model.get_config()) + str(model.optimizer.get_config())
        run(model, CANCER)
        after = [*model.variables, *model.optimizer.variables]
        assert [id(v) for v in after] == [id(v) for v in variables]
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other.numpy())
        assert model.train_function is function and model.optimizer.built == used
        assert config == str(model.get_config()) + str(model.optimizer.get_config())


@pytest.mark.parametrize("end", ["refused", "not finite", "Ctrl-C"])
def test_the_model_is_left_as_it_was_when_a_sweep_fails(end, monkeypatch):
    model = model_for(CANCER, keras.optimizers.Adam())
    model.train_on_batch(CANCER.x_train[:64], CANCER.y_train[:64])
    variables = [*model.variables, *model.optimizer.variables]
    before, function, own = [v.numpy() for v in variables], model.train_function, dict(vars(model.optimizer))
    data, error = CANCER, ValueError
    if end == "refused":
        data = DIABETES
    elif end == "not finite":
        model.layers[0].bias_initializer = keras.initializers.Constant(np.nan)
    else:
        error = KeyboardInterrupt

        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "_evaluate", interrupt)
    with pytest.raises(error):
        run(model, data)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert model.train_function is function and dict(vars(model.optimizer)) == own
    assert not tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer")


def test_initial_weights_come_from_the_layers_initializers():
    model = model_for(CANCER, units=(40, 40), kernel_initializer="glorot_uniform", bias_initializer="ones")
    weights = initial_weights(model, 0)
    assert [w.shape for w in weights] == [w.shape for w in model.get_weights()]
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.8 * limit < np.abs(kernel).max() <= limit
        np.testing.assert_array_equal(bias, 1)
    # three times the width is nine times the variance
    wide = keras.initializers.VarianceScaling(9.0, "fan_avg", "uniform")
    wider = initial_weights(model_for(CANCER, units=(40, 40), kernel_initializer=wide), 0)
    np.testing.assert_allclose(wider[0], 3 * weights[0], atol=1e-6)


class Waves(keras.layers.Layer):
    """It sets its weights itself when it is built."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], initializer="zeros", trainable=False)
        self.table.assign(np.sin(np.arange(shape[1])))

    def call(self, x):
        return x + self.table


@pytest.mark.filterwarnings("error")  # NumPy has one for who asks Keras for a copy of a variable
def test_what_a_layer_sets_itself_and_what_is_frozen_alone_are_kept():
    model = keras.Sequential([keras.Input((6,)), Waves(), keras.layers.Dense(4), keras.layers.Dense(1)])
    model.layers[1].enable_lora(2)
    model.layers[2].bias.trainable = False
    model.layers[2].bias.assign([7.0])
    mine, drawn = model.get_weights(), initial_weights(model, 0)
    kept = [np.array_equal(one, other) for one, other in zip(mine, drawn, strict=True)]
    names = [v.name for v, same in zip(model.weights, kept, strict=True) if not same]
    assert names == ["lora_kernel_a", "kernel"]


def test_every_seed_and_every_layer_draws_its_own_weights():
    model = model_for(CANCER, units=(30, 30))
    model.layers[0].kernel_initializer.seed = 5
    one, again, other = initial_weights(model, 0), initial_weights(model, 0), initial_weights(model, 1)
    np.testing.assert_array_equal(one[0], again[0])
    assert np.abs(one[0] - other[0]).max() > 0.1 and np.abs(one[0] - one[2]).max() > 0.1
    assert abs(np.corrcoef(one[0].ravel(), other[0].ravel())[0, 1]) < 0.2


# The result


def test_what_the_result_holds():
    runs = run(model_for(CANCER), CANCER, [0.3, 0.1], [5, 2, 9], steps=8)
    assert dict(runs.sizes) == {"learning_rate": 2, "seed": 3, "step": 8}
    assert runs.learning_rate.values.tolist() == [0.3, 0.1] and runs.seed.values.tolist() == [5, 2, 9]
    assert runs.step.values.tolist() == list(range(8))
    finals = [f"{part}_{what}" for part in ("train", "validation", "test") for what in ("loss", "accuracy")]
    assert set(runs.data_vars) == {"loss", "applied", "gradient_norm", "failed", "failed_since", "done", *finals}
    for name in ("loss", "applied", "gradient_norm"):
        assert runs[name].dims == ("learning_rate", "seed", "step") and runs[name].dtype == np.float32
    for name in finals + ["failed"]:
        assert runs[name].dims == ("learning_rate", "seed")
    assert runs.failed.dtype == bool and runs.done.all() and (runs.failed_since == -1).all()
    assert runs.attrs["data"] == "breast cancer" and runs.attrs["batch_size"] == 16
    assert runs.attrs["optimizer"].startswith("SGD {") and '"momentum": 0.0' in runs.attrs["optimizer"]
    # the same seed pairs the runs: the first loss, before any update, is that of every other rate
    assert (runs.loss[0, :, 0] == runs.loss[1, :, 0]).all() and len(set(runs.loss[0, :, 0].values)) == 3


def test_the_bytes_of_a_lane_are_those_of_one():
    """They count what a step makes of one lane: at least the weights, their gradients and their next values."""
    data = datasets.digits()
    few, many = (run(model_for(data), data, rates=np.linspace(0.01, 0.1, number), steps=1) for number in (2, 65))
    loop = run(model_for(data), data, steps=1, engine="loop")
    weights = 4 * (64 * 8 + 8 + 8 * 10 + 10)
    assert 3 * weights < loop.bytes_of_lane <= few.bytes_of_lane < 2 * loop.bytes_of_lane
    assert many.bytes_of_lane == pytest.approx(few.bytes_of_lane, rel=0.02)


def test_a_regression_has_no_accuracy():
    assert not [name for name in run(model_for(DIABETES), DIABETES).data_vars if "accuracy" in name]


def test_the_best_constant_prediction():
    shares = np.bincount(CANCER.y_train) / len(CANCER.y_train)
    runs = run(model_for(CANCER), CANCER)
    assert runs.constant_loss == pytest.approx(-(shares * np.log(shares)).sum())
    assert run(model_for(DIABETES), DIABETES).constant_loss == pytest.approx(1, abs=1e-6)
    # no constant does better
    for logit in (-1.0, 0.0, 1.0, np.log(shares[1] / shares[0])):
        constant = np.tile(np.float32([0, logit]), (len(CANCER.y_train), 1))
        assert float(CROSS_ENTROPY(from_logits=True)(CANCER.y_train, constant)) > runs.constant_loss - 1e-6


@pytest.mark.parametrize("data", [CANCER, DIABETES])
def test_the_best_constant_prediction_counts_samples_as_the_loss_does(data):
    """Else a run whose samples weigh much would fail, however well it does."""
    weights = np.where(data.y_train > 0, 10.0, 1.0)
    weighted = dataclasses.replace(data, weights_train=weights)
    found = run(model_for(data), weighted).constant_loss
    if data.classes:
        share = (weights * data.y_train).sum() / weights.sum()
        constant = np.tile(np.float32(np.log([1 - share, share])), (len(weights), 1))
        least = CROSS_ENTROPY(from_logits=True)(data.y_train, constant, weights)
    else:
        constant = np.full(len(weights), np.average(data.y_train, weights=weights))
        least = keras.losses.MeanSquaredError()(data.y_train[:, None], constant[:, None], weights)
    assert found == pytest.approx(float(least), rel=1e-5)


@pytest.mark.parametrize("how", [{"loss": keras.losses.MeanSquaredError(reduction="sum")}, {"loss_weights": [3.0]}])
def test_of_a_loss_that_is_no_plain_mean_no_constant_is_known(how):
    model = model_for(DIABETES)
    model.compile("sgd", **{"loss": "mse"} | how)
    assert np.isnan(run(model, DIABETES).constant_loss)


def test_failed_is_not_finite_or_worse_than_a_constant_at_the_end():
    runs = run(model_for(DIABETES), DIABETES, [1e-9, 0.05, 1e3], [0, 1], steps=60)
    end = runs.loss[..., -6:].mean("step")
    np.testing.assert_array_equal(runs.failed, ~(end <= runs.constant_loss))
    assert runs.failed[0].all() and np.isfinite(end[0]).all()  # never got anywhere
    assert not runs.failed[1].any()
    assert runs.failed[2].all() and not np.isfinite(end[2]).any()


def test_a_run_that_comes_back_has_not_failed():
    """Its loss shoots up by a rate far too large for ten steps; the rest of the steps bring it down again."""
    model, data = one_weight()
    data = dataclasses.replace(data, y_train=[-1.0, 1.0, -1.0, 1.0])
    shock = lambda step: 3.0 if step < 10 else 0.5  # noqa: E731
    runs = run(model, data, [0.9, 1.9], steps=100, batch_size=4, schedule=shock)
    assert (runs.loss.max("step") > 1e3).all()
    assert runs.constant_loss == 1
    assert not runs.failed[0].any() and abs(float(runs.loss[0, 0, -1]) - 1) < 1e-3


def test_with_another_loss_the_lane_s_first_loss_stands_for_the_constant():
    runs = run(model_for(DIABETES, loss="mae"), DIABETES, [1e-3, 0.1, 1e3], [0, 1], steps=60)
    assert np.isnan(runs.constant_loss)
    end = runs.loss[..., -6:].mean("step")
    np.testing.assert_array_equal(runs.failed, ~(end <= runs.loss[..., 0]))
    assert not runs.failed[1].any() and runs.failed[2].all()


# The data


@pytest.mark.parametrize(("data", "classes"), [(CANCER, True), (DIABETES, False)])
def test_a_pair_is_split_as_the_bundled_data_are(data, classes):
    x = np.concatenate([data.x_train, data.x_validation, data.x_test])
    y = np.concatenate([data.y_train, data.y_validation, data.y_test])
    runs = run(model_for(data), (x, y))
    identical(runs, run(model_for(data), datasets.as_data((x, y))))
    assert ("test_accuracy" in runs) == classes and runs.attrs["data"] == "(x, y)"


# What is refused

GOOD = {"model": model_for(CANCER), "data": CANCER, "learning_rates": [0.1], "seeds": [0], "steps": 2, "batch_size": 8}


@pytest.mark.parametrize(
    ("change", "error", "fragments"),
    [
        ({"data": CANCER.x_train}, TypeError, ["data must be an lrlib.datasets.Data or a pair (x, y)", "ndarray"]),
        ({"data": (CANCER.x_train,)}, TypeError, ["data must be an lrlib.datasets.Data or a pair (x, y)", "tuple"]),
        ({"learning_rates": []}, ValueError, ["learning_rates must have at least one entry"]),
        ({"learning_rates": [0.1, 0.1 + 1e-12]}, ValueError, ["learning_rates must be different in float32"]),
        ({"learning_rates": [0.1, 0.2, 0.1]}, ValueError, ["learning_rates must all be different", "0.1"]),
        ({"learning_rates": [0.1, 0]}, ValueError, ["learning_rates[1] must be positive", "0"]),
        ({"learning_rates": [-0.1]}, ValueError, ["learning_rates[0] must be positive", "-0.1"]),
        ({"learning_rates": [0.1, float("nan")]}, ValueError, ["learning_rates[1] must be finite"]),
        ({"learning_rates": ["0.1"]}, TypeError, ["learning_rates[0] must be a number"]),
        ({"learning_rates": 0.1}, TypeError, ["learning_rates must be a sequence"]),
        ({"learning_rates": [1e39]}, ValueError, ["learning_rates[0] must be between", "float32", "1e+39"]),
        ({"learning_rates": [0.1, 1e-46]}, ValueError, ["learning_rates[1] must be between", "float32", "1e-46"]),
        ({"schedule": lambda step: 1e40}, ValueError, ["learning_rates must be finite in float32", "schedule"]),
        ({"seeds": []}, ValueError, ["seeds must have at least one entry"]),
        ({"seeds": [1, 2, 1]}, ValueError, ["seeds must all be different", "1"]),
        ({"seeds": [-1]}, ValueError, ["seeds[0] must be at least 0"]),
        ({"seeds": [1, 2**63]}, ValueError, ["seeds must be below 2**63", "got 9223372036854775808"]),
        ({"seeds": [0.5]}, ValueError, ["seeds[0] must be an integer"]),
        ({"seeds": 3}, TypeError, ["seeds must be a sequence"]),
        ({"steps": 0}, ValueError, ["steps must be at least 1"]),
        ({"progress": "yes"}, TypeError, ["progress must be True or False", "'yes'"]),
        ({"steps": 2.0}, ValueError, ["steps must be an integer"]),
        ({"record_every": 0}, ValueError, ["record_every must be at least 1", "0"]),
        ({"memory": 100}, ValueError, ["memory must hold a lane in each of", "got 100"]),
        ({"memory": 0}, ValueError, ["memory must be positive", "0"]),
        ({"weights": 1}, TypeError, ["weights must be True or False", "1"]),
        ({"engine": "fast"}, ValueError, ["engine must be 'vectorized' or 'loop'", "'fast'"]),
        ({"data": (CANCER.x_train, CANCER.y_train[:-1])}, ValueError, ["x and y must have equal lengths"]),
        ({"batch_size": 0}, ValueError, ["batch_size must be at least 1"]),
        ({"batch_size": 344}, ValueError, ["batch_size must be at most 343", "344"]),
        ({"schedule": "0.1"}, TypeError, ["schedule must be a schedule, a number or a function of the step"]),
        ({"schedule": -0.1}, ValueError, ["schedule must not be negative"]),
        ({"schedule": lambda step: -step}, ValueError, ["schedule(1) must not be negative"]),
        ({"schedule": lambda step: np.nan}, ValueError, ["schedule(0) must be finite"]),
        ({"schedule": lambda step: [1, 0, 1]}, ValueError, ["schedule(0) must be a number, or one for each of", "3"]),
        ({"schedule": lambda step: ["1"]}, TypeError, ["schedule(0)[0] must be a number"]),
        ({"data": DIABETES}, ValueError, ["x_train must have the shape of the model's input, (30,), got (10,)"]),
    ],
)
def test_bad_arguments_are_refused(change, error, fragments):
    refused(lambda: sweep(**{**GOOD, **change}), error, *fragments)


def test_labels_that_do_not_fit_the_outputs_are_refused():
    two = model_for(DIABETES, outputs=2)
    refused(lambda: run(two, DIABETES), ValueError, "y_train must have a number for each of the 2 outputs, got 1")
    two = model_for(DIABETES, outputs=2, loss=CROSS_ENTROPY())
    refused(lambda: run(two, DIABETES), ValueError, "y_train must hold one integer from 0 to 1", "float32")


def test_labels_of_sequences_may_lack_the_last_axis():
    x, y = np.ones((40, 4, 3)), np.arange(160.0).reshape(40, 4) % 7
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert run(model, (x, y)).test_loss == run(model, (x, y[..., None])).test_loss
    message = "y_train must have a number for each of the 4 outputs, got shape (2, 2) instead of (4, 1)"
    refused(lambda: run(model, (x, y.reshape(40, 2, 2))), ValueError, message)


def test_labels_beyond_the_outputs_are_refused():
    data = dataclasses.replace(CANCER, y_test=np.full(len(CANCER.y_test), 2))
    refused(lambda: run(model_for(CANCER), data), ValueError, "y_test must hold one integer from 0 to 1")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_from_the_start_is_no_matter_of_the_rate(value):
    model = model_for(DIABETES, bias_initializer=keras.initializers.Constant(value))
    refused(lambda: run(model, DIABETES), ValueError, "the loss is NaN or infinite before the first update")
    model.compile("sgd", lambda y, outputs: keras.ops.abs(y - outputs))  # a loss that is compared with Keras's first
    refused(lambda: run(model, DIABETES), ValueError, "the loss is NaN or infinite before the first update")


def test_a_loss_that_no_weight_changes_is_refused():
    model = model_for(DIABETES, loss=lambda y, outputs: keras.ops.square(y))
    refused(lambda: run(model, DIABETES), ValueError, "model's loss must depend on its weights")
