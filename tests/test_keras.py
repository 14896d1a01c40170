"""The bridge to Keras: a schedule gives the rate it says, and the recorder reports the rate that was applied.

What was applied is read off the weights: the model's loss is the mean of its output, its input is always 1, so the
gradient of its only weight is 1 at every step and -Δw / 1 is the rate.
"""

import copy
import dataclasses
import gc
import json
import pickle

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, Schedule, StepDecay
from lrlib.keras import AppliedRates, KerasSchedule
from refusal import refused

SCHEDULES = [
    Constant(0.3),
    PiecewiseConstantDecay([], [0.3]),
    PiecewiseConstantDecay([2, 5], [0.4, 0.2, 0.1]),
    StepDecay(0.4, 3, 0.5),
    ExponentialDecay(0.4, 3, 0.5),
    ExponentialDecay(0.4, 3, 0.5, staircase=True),
    InverseTimeDecay(0.4, 3, 2.0),
    InverseTimeDecay(0.4, 3, 2.0, staircase=True),
]
FALLING = ExponentialDecay(0.4, 3, 0.5)  # a different rate at every step
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)

DATA = np.ones((8, 1), "float32")  # 8 batches of one


def mean_output(_, output):
    return keras.ops.mean(output)


def one_weight(schedule=FALLING, *, optimizer=None, **compiling):
    """A model whose only weight has gradient 1 at every step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    if optimizer is None:
        optimizer = keras.optimizers.SGD(KerasSchedule(schedule))
    model.compile(optimizer, mean_output, **compiling)
    return model


def fit(model, callbacks=(), **how):
    """Train for one epoch and return the weight before and after every batch."""
    weight = lambda: float(np.ravel(model.get_weights()[0])[0])  # noqa: E731
    path = [weight()]
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: path.append(weight()))
    model.fit(DATA, DATA, batch_size=1, shuffle=False, verbose=0, callbacks=[watch, *callbacks], **how)
    return np.array(path)


def taught(schedule, applied, path):
    """Assert that the recorded rates are those that moved the weight, and that both are the schedule's."""
    recovered = -np.diff(path) / 1.0
    np.testing.assert_allclose(recovered, schedule.applied(len(recovered)), rtol=2e-6)
    np.testing.assert_array_equal(applied, schedule.applied(len(recovered)).astype(np.float32))


@dataclasses.dataclass(frozen=True)
class Shifted(Schedule):
    """Another schedule, some steps late or early."""

    schedule: Schedule
    by: int

    def formula(self, step, xp=np):
        return self.schedule.formula(step + self.by, xp)


# KerasSchedule


@each_schedule
def test_keras_is_given_the_float32_nearest_to_the_schedule(schedule):
    steps = np.arange(12)
    bridge = KerasSchedule(schedule)
    assert [float(bridge(step)) for step in range(12)] == schedule(steps).astype(np.float32).tolist()
    together = bridge(tf.constant(steps))
    assert together.dtype == tf.float32 and together.numpy().tolist() == schedule(steps).astype(np.float32).tolist()
    assert bridge(tf.constant(3, tf.int64)).shape == ()


def test_the_rate_is_computed_in_float64():
    article = ExponentialDecay(0.1, 1, 0.99, staircase=True)
    steps = np.arange(1000)
    exact, near = article(steps), KerasSchedule(article)(steps).numpy()
    # half a unit of float32 is what rounding once costs; float32 throughout is off by many units
    assert (np.abs(near - exact) <= 0.5001 * np.spacing(exact.astype(np.float32))).all()


def test_floatx_is_respected():
    keras.config.set_floatx("float64")
    try:
        assert KerasSchedule(FALLING)(7).dtype == tf.float64
        assert float(KerasSchedule(FALLING)(7)) == pytest.approx(FALLING(7), rel=1e-15)
    finally:
        keras.config.set_floatx("float32")


@each_schedule
@pytest.mark.parametrize("jit", [True, False], ids=["jit", "nojit"])
def test_in_fit_every_schedule_is_applied_as_taught(schedule, jit):
    model = one_weight(schedule, jit_compile=jit)
    with AppliedRates(model) as applied:
        path = fit(model)
    assert len(path) == 9
    taught(schedule, applied.rates, path)


@pytest.mark.parametrize("by", [1, -1])
def test_a_schedule_that_is_one_step_off_is_found_out(by):
    model = one_weight(Shifted(FALLING, by))
    with AppliedRates(model) as applied:
        path = fit(model)
    taught(Shifted(FALLING, by), applied.rates, path)
    with pytest.raises(AssertionError):
        taught(FALLING, applied.rates, path)
    with pytest.raises(AssertionError):  # the weights alone give it away …
        taught(FALLING, FALLING.applied(8).astype(np.float32), path)
    with pytest.raises(AssertionError):  # … and so does a record alone that is one step off
        taught(Shifted(FALLING, by), FALLING.applied(8).astype(np.float32), path)


@each_schedule
def test_a_model_is_saved_and_loaded_with_its_schedule(schedule, tmp_path):
    model = one_weight(schedule)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"mean_output": mean_output})
    assert repr(loaded.optimizer._learning_rate) == repr(KerasSchedule(schedule))
    with AppliedRates(loaded) as applied:
        fit(loaded)
    # it goes on where it stopped
    assert applied.rates.tolist() == schedule.applied(16)[8:].astype(np.float32).tolist()


@each_schedule
def test_config_survives_json(schedule):
    bridge = KerasSchedule(schedule)
    again = KerasSchedule.from_config(json.loads(json.dumps(bridge.get_config())))
    assert again.schedule == schedule and repr(again) == repr(bridge)
    packed = json.loads(json.dumps(keras.saving.serialize_keras_object(bridge)))
    assert keras.saving.deserialize_keras_object(packed).schedule == schedule
    optimizer = keras.optimizers.SGD.from_config(keras.optimizers.SGD(bridge).get_config())
    assert optimizer._learning_rate.schedule == schedule


@each_schedule
def test_a_bridge_is_copied_and_pickled(schedule):
    for again in (copy.deepcopy(KerasSchedule(schedule)), pickle.loads(pickle.dumps(KerasSchedule(schedule)))):
        assert again.schedule == schedule


@pytest.mark.parametrize("schedule", [0.1, None, Constant, lambda step: 0.1])
def test_a_bridge_needs_a_schedule(schedule):
    refused(lambda: KerasSchedule(schedule), TypeError, f"schedule must be an lrlib schedule, got {schedule!r}")


def test_a_schedule_from_elsewhere_trains_but_is_not_saved(tmp_path):
    model = one_weight(Shifted(FALLING, 2))
    fit(model)
    refused(
        lambda: model.optimizer._learning_rate.get_config(),
        ValueError,
        "schedule must be one of lrlib's own to be saved",
        repr(Shifted(FALLING, 2)),
    )

    @dataclasses.dataclass(frozen=True)
    class Constant(Schedule):  # the name of one of lrlib's is not enough
        def formula(self, step, xp=np):
            return 0.0 * step

    refused(lambda: KerasSchedule(Constant()).get_config(), ValueError, "one of lrlib's own", repr(Constant()))


@pytest.mark.parametrize("name", ["np", "dataclass", "Cosine", "math"])
def test_a_config_must_name_a_schedule(name):
    config = {"class_name": name, "fields": {}}
    refused(
        lambda: KerasSchedule.from_config(config), ValueError, f"class_name must name an lrlib schedule, got {name!r}"
    )


# Parity with Keras' own schedules, which compute in float64 when all they are given is float64

numbers = {"initial": st.floats(1e-3, 10), "length": st.integers(1, 200), "rate": st.floats(0.01, 1)}


def in_float64(kind, *numbers, **flags):
    return kind(*[np.float64(number) for number in numbers], **flags)


@settings(max_examples=10)
@given(st.booleans(), st.lists(st.integers(0, 2000), min_size=1, max_size=3), *numbers.values())
@pytest.mark.parametrize("name", ["ExponentialDecay", "InverseTimeDecay"])
def test_decays_are_those_of_keras(name, staircase, steps, initial, length, rate):
    ours = {"ExponentialDecay": ExponentialDecay, "InverseTimeDecay": InverseTimeDecay}[name]
    ours = ours(initial, length, rate, staircase)
    theirs = in_float64(getattr(keras.optimizers.schedules, name), initial, length, rate, staircase=staircase)
    for step in [0, length - 1, length, length + 1, *steps]:
        expected = theirs(np.float64(step))
        assert expected.dtype == tf.float64
        np.testing.assert_array_max_ulp(np.array(ours(step)), expected.numpy(), maxulp=2)


def test_piecewise_is_that_of_keras_at_the_boundary_too():
    boundaries, values = [5, 8], [1.0, 0.5, 0.1]
    theirs = keras.optimizers.schedules.PiecewiseConstantDecay(
        boundaries, [np.float64(value) for value in values], name="piecewise"
    )
    ours = PiecewiseConstantDecay(boundaries, values)
    expected = [float(theirs(step)) for step in range(12)]
    np.testing.assert_array_max_ulp(ours.applied(12).astype(np.float32), np.array(expected, np.float32), maxulp=0)
    assert expected[5] == 1.0 and expected[6] == 0.5


@pytest.mark.parametrize("staircase", [True, False])
def test_keras_own_schedule_is_recorded_too(staircase):
    theirs = keras.optimizers.schedules.ExponentialDecay(0.4, 3, 0.5, staircase=staircase)
    model = one_weight(optimizer=keras.optimizers.SGD(theirs))
    with AppliedRates(model) as applied:
        path = fit(model)
    np.testing.assert_allclose(applied.rates, ExponentialDecay(0.4, 3, 0.5, staircase).applied(8), rtol=1e-6)
    np.testing.assert_allclose(applied.rates, -np.diff(path), rtol=2e-6)


# AppliedRates


def recorded(model, **how):
    with AppliedRates(model) as applied:
        fit(model, **how)
    return applied.rates.tolist()


def in_float32(rates):
    return np.asarray(rates, np.float32).tolist()


EIGHT = in_float32(FALLING.applied(8))


def untouched(model, train_function=None):
    """Assert that no recorder is left in the optimizer and that the compiled step is the one found."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert "update_step" not in vars(optimizer)
    assert model.train_function is train_function


def test_rates_are_a_float32_array_and_empty_before_any_update():
    model = one_weight()
    with AppliedRates(model) as applied:
        assert applied.rates.shape == (0,)
        fit(model)
        assert len(applied.rates) == 8  # readable inside as well
    assert applied.rates.dtype == np.float32 and applied.rates.shape == (8,)


def test_recording_changes_nothing_in_the_training():
    alone, watched = one_weight(), one_weight()
    expected = fit(alone)
    with AppliedRates(watched):
        path = fit(watched)
    assert path.tolist() == expected.tolist()
    assert int(watched.optimizer.iterations) == 8


def test_with_gradient_accumulation_there_is_one_entry_for_each_update():
    optimizer = keras.optimizers.SGD(KerasSchedule(FALLING), gradient_accumulation_steps=4)
    model = one_weight(optimizer=optimizer)
    with AppliedRates(model) as applied:
        path = fit(model)
    # Keras counts micro-batches: the two updates come in the 4th and the 8th
    assert applied.rates.tolist() == [EIGHT[3], EIGHT[7]]
    moves = -np.diff(path)
    assert np.flatnonzero(moves).tolist() == [3, 7]
    np.testing.assert_allclose(moves[[3, 7]], applied.rates, rtol=2e-6)


@pytest.mark.parametrize("how", [{"steps_per_execution": 3}, {"run_eagerly": True}, {"jit_compile": "auto"}], ids=str)
def test_every_way_to_run_a_step(how):
    model = one_weight(**how)
    assert recorded(model) == EIGHT
    untouched(model)


def test_several_variables_make_one_entry_an_update():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(KerasSchedule(FALLING), use_ema=True, clipnorm=1.0, weight_decay=0.1), "mse")
    assert recorded(model) == EIGHT


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop", "Adagrad", "Nadam", "Lion"])
def test_every_optimizer_can_be_watched(optimizer):
    model = one_weight(optimizer=getattr(keras.optimizers, optimizer)(KerasSchedule(FALLING)))
    assert recorded(model) == EIGHT


def test_a_plain_rate_set_by_a_callback_is_recorded():
    model = one_weight(optimizer=keras.optimizers.SGD(0.1))
    halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5 / 2**epoch)
    assert recorded(model, callbacks=[halve], epochs=2) == [0.5] * 8 + [0.25] * 8


def test_updates_on_batches_by_hand():
    model = one_weight()
    with AppliedRates(model) as applied:
        for _ in range(3):
            model.train_on_batch(DATA, DATA)
    assert applied.rates.tolist() == EIGHT[:3]


def test_an_optimizer_alone_eagerly_and_in_a_function():
    optimizer, w = keras.optimizers.SGD(KerasSchedule(FALLING)), keras.Variable(1.0)
    with AppliedRates(optimizer) as applied:
        for _ in range(3):
            optimizer.apply([tf.constant(1.0)], [w])

        @tf.function
        def step():
            optimizer.apply([tf.constant(1.0)], [w])

        step(), step()
    assert applied.rates.tolist() == EIGHT[:5]
    assert float(w) == pytest.approx(1 - sum(EIGHT[:5]), rel=1e-5)


def test_with_mixed_precision_the_inner_optimizer_is_watched():
    optimizer = keras.mixed_precision.LossScaleOptimizer(
        keras.optimizers.SGD(KerasSchedule(FALLING)), initial_scale=4.0
    )
    model = one_weight(optimizer=optimizer)
    assert recorded(model) == EIGHT
    untouched(model)


def test_with_mixed_precision_a_skipped_update_has_no_entry():
    inner = keras.optimizers.SGD(KerasSchedule(FALLING))
    optimizer, w = keras.mixed_precision.LossScaleOptimizer(inner, initial_scale=4.0), keras.Variable(1.0)
    with AppliedRates(optimizer) as applied:
        for gradient in [1.0, np.inf, 1.0, np.nan, 1.0]:
            optimizer.apply([tf.constant(gradient)], [w])
    assert applied.rates.tolist() == EIGHT[:3]


def test_the_mixed_precision_policy_works_in_fit():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = one_weight()
        assert type(model.optimizer).__name__ == "LossScaleOptimizer"
        assert recorded(model) == EIGHT
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_model_trained_before_is_recorded_and_gets_its_compiled_step_back():
    model = one_weight()
    fit(model)
    compiled = model.train_function
    assert compiled is not None
    assert recorded(model) == in_float32(FALLING.applied(16)[8:])
    untouched(model, compiled)


def test_nothing_is_recorded_after_the_block():
    model = one_weight()
    with AppliedRates(model) as applied:
        fit(model)
    fit(model)
    assert applied.rates.tolist() == EIGHT
    with applied:  # and a second block goes on
        fit(model)
    assert applied.rates.tolist() == in_float32(FALLING.applied(24)[[*range(8), *range(16, 24)]])


def test_recorders_may_be_nested():
    model = one_weight()
    with AppliedRates(model) as outer:
        fit(model)
        with AppliedRates(model) as inner:
            fit(model)
        fit(model)
    assert outer.rates.tolist() == in_float32(FALLING.applied(24))
    assert inner.rates.tolist() == in_float32(FALLING.applied(16)[8:])
    untouched(model)


def test_a_recorder_inside_itself_is_refused_and_does_no_harm():
    model = one_weight()
    with AppliedRates(model) as applied:
        with pytest.raises(RuntimeError):
            applied.__enter__()
        fit(model)
    assert applied.rates.tolist() == EIGHT
    untouched(model)
    fit(model)


def test_an_optimizer_with_an_update_step_of_its_own_gets_it_back():
    optimizer = keras.optimizers.SGD(KerasSchedule(FALLING))
    own = vars(optimizer)["update_step"] = lambda *arguments: keras.optimizers.SGD.update_step(optimizer, *arguments)
    model = one_weight(optimizer=optimizer)
    assert recorded(model) == EIGHT
    assert vars(optimizer)["update_step"] is own


class Stop(keras.callbacks.Callback):
    """Raise an error after three updates."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise self.error


@pytest.mark.parametrize("error", [ValueError("my own"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("trained_before", [False, True])
def test_an_exception_in_fit_leaves_all_as_it_was_and_keeps_the_record(error, trained_before):
    model = one_weight()
    if trained_before:
        fit(model)
        model.optimizer.iterations.assign(0)
    compiled = model.train_function
    with pytest.raises(type(error)) as caught:
        with AppliedRates(model) as applied:
            fit(model, callbacks=[Stop(error)])
    assert caught.value is error
    assert applied.rates.tolist() == EIGHT[:3]
    untouched(model, compiled)
    fit(model)
    assert len(applied.rates) == 3


def test_a_model_compiled_again_in_the_block_trains_with_its_new_optimizer():
    model = one_weight()
    fit(model)
    with AppliedRates(model):
        model.compile(keras.optimizers.SGD(0.5), mean_output)
        fit(model)
    np.testing.assert_allclose(-np.diff(fit(model)), 0.5, rtol=1e-5)


def test_updates_that_leave_out_the_first_variable_are_recorded():
    optimizer, a, b = keras.optimizers.SGD(KerasSchedule(FALLING)), keras.Variable(1.0), keras.Variable(1.0)
    optimizer.build([a, b])
    gradient = tf.constant(1.0)
    with AppliedRates(optimizer) as applied:
        optimizer.apply([gradient, gradient], [a, b])
        optimizer.apply([gradient], [b])
        optimizer.apply([gradient], [a])
        optimizer.apply([gradient, gradient], [a, b])
    assert applied.rates.tolist() == EIGHT[:4]


def test_a_model_is_saved_inside_the_block(tmp_path):
    model = one_weight()
    with AppliedRates(model) as applied:
        fit(model, callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")])
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"mean_output": mean_output})
    assert loaded.optimizer._learning_rate.schedule == FALLING and int(loaded.optimizer.iterations) == 8
    assert applied.rates.tolist() == EIGHT


def test_a_record_that_is_full_says_so_and_does_not_disturb_the_training():
    model = one_weight()
    with AppliedRates(model, capacity=5) as applied:
        path = fit(model)
    assert len(path) == 9
    refused(lambda: applied.rates, OverflowError, "capacity must be at least 8", "got 5")
    exact = one_weight()
    with AppliedRates(exact, capacity=8) as applied:
        fit(exact)
    assert applied.rates.tolist() == EIGHT


def test_a_model_must_be_compiled():
    sequential = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    refused(lambda: AppliedRates(sequential), ValueError, "model must be compiled", repr(sequential))

    class Own(keras.Model):
        pass

    refused(lambda: AppliedRates(Own()), ValueError, "model must be compiled", "Own")


@pytest.mark.parametrize("model", [None, 3, "model", keras.layers.Dense(1), FALLING])
def test_a_model_must_be_a_model_or_an_optimizer(model):
    refused(lambda: AppliedRates(model), TypeError, f"model must be a Keras model or optimizer, got {model!r}")


@pytest.mark.parametrize(
    ("capacity", "problem"), [(0, "at least 1"), (-1, "at least 1"), (2.5, "integer"), (None, "integer")]
)
def test_capacity_must_be_a_positive_integer(capacity, problem):
    refused(
        lambda: AppliedRates(one_weight(), capacity=capacity),
        ValueError,
        "capacity must be",
        problem,
        f"got {capacity!r}",
    )


# lrlib.quiet


def test_quiet_silences_file_descriptor_2_and_gives_it_back(capfd):
    import os

    from lrlib import quiet

    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    with quiet._file_descriptor_2_closed():
        os.write(2, b"noise")
    os.write(2, b"heard")
    with pytest.raises(RuntimeError):
        with quiet._file_descriptor_2_closed():
            raise RuntimeError
    os.write(2, b" again")
    assert capfd.readouterr().err == "heard again"


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_as_it_was_after_the_import(was_on):
    from lrlib import quiet

    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(KeyError), quiet._garbage_collector_off():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
