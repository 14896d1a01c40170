"""The bridge to Keras: a schedule gives the rate it says, and the recorder reports the rate that was applied.

What was applied is read off the weights: the model's loss is the mean of its output, its input is always 1, so the
gradient of its only weight is 1 at every step and -Δw / 1 is the rate.
"""

import contextlib
import copy
import csv
import dataclasses
import functools
import gc
import json
import math
import pickle
import signal
import subprocess
import sys

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrlib import Constant, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, Schedule, StepDecay, keras_hooks
from lrlib._tape import Tape, tape_of
from lrlib.keras import AppliedRates, KerasSchedule
from lrlib.schedules import CosineDecay, PolynomialDecay, as_schedule
from refusal import refused
from test_schedules import LENGTHS, stairs_behind, steps_around

of_keras = keras.optimizers.schedules
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

DATA = np.ones((8, 1), "float32")
# Made once: of arrays Keras makes such batches at every fit, which costs more than to train on them.
BATCHES = {size: tf.data.Dataset.from_tensor_slices((DATA, DATA)).batch(size) for size in (1, 2, 8)}


def mean_output(_, output):
    return keras.ops.mean(output)


bridge_of = functools.cache(KerasSchedule)  # it has no state, and its look at what can be compiled takes a while


def one_weight(schedule=FALLING, *, optimizer=None, **compiling):
    """A model whose only weight has gradient 1 at every step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    if optimizer is None:
        optimizer = keras.optimizers.SGD(bridge_of(schedule))
    model.compile(optimizer, mean_output, **compiling)
    return model


def fit(model, callbacks=(), data=BATCHES[1], **how):
    """Train for one epoch and return the weight before and after every batch."""
    weight = lambda: float(np.ravel(model.get_weights()[0])[0])  # noqa: E731
    path = [weight()]
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: path.append(weight()))
    model.fit(data, shuffle=False, verbose=0, callbacks=[watch, *callbacks], **how)
    return np.array(path)


def in_float32(rates):
    return np.asarray(rates, np.float32).tolist()


def taught(schedule, applied, path):
    """Assert that the recorded rates are those that moved the weight, and that both are the schedule's."""
    recovered = -np.diff(path) / 1.0
    np.testing.assert_allclose(recovered, schedule.planned(len(recovered)), rtol=2e-6)
    np.testing.assert_array_equal(applied, schedule.planned(len(recovered)).astype(np.float32))


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


@pytest.mark.parametrize(
    ("step", "error"), [(-1, ValueError), (np.nan, ValueError), ("3", TypeError), (True, TypeError)]
)
def test_a_step_that_has_a_value_is_checked_as_ever(step, error):
    refused(lambda: KerasSchedule(FALLING)(step), error, "step must be", repr(step))
    refused(lambda: KerasSchedule(FALLING)([step]), error, "step must be")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ExponentialDecay(0.1, 80, 0.5), of_keras.ExponentialDecay(0.1, 80, 0.5)),
        (CosineDecay(0.1, 400), of_keras.CosineDecay(0.1, 400)),
        (PolynomialDecay(0.1, 400, 0.0, 2.0), of_keras.PolynomialDecay(0.1, 400, 0.0, 2.0)),
        (InverseTimeDecay(0.1, 80, 0.5), of_keras.InverseTimeDecay(0.1, 80, 0.5)),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_compiled_it_is_no_more_work_than_keras_s(ours, theirs):
    """One cast more, for float64, and nothing that costs as much as a choice."""

    def operations(schedule):
        function = tf.function(lambda step: schedule(step), autograph=False)
        graph = function.get_concrete_function(tf.TensorSpec((), tf.int64)).graph
        return [each.type for each in graph.get_operations() if each.type != "Const"]

    assert len(operations(KerasSchedule(ours))) <= len(operations(theirs)) + 1
    assert "SelectV2" not in operations(KerasSchedule(ours))


def test_floatx_is_respected():
    keras.config.set_floatx("float64")
    try:
        assert KerasSchedule(FALLING)(7).dtype == tf.float64
        assert float(KerasSchedule(FALLING)(7)) == pytest.approx(FALLING(7), rel=1e-15)
    finally:
        keras.config.set_floatx("float32")


@pytest.mark.parametrize(
    ("schedule", "jit"),
    [
        *((schedule, True) for schedule in SCHEDULES),
        (FALLING, False),
        (PiecewiseConstantDecay([2, 5], [0.4, 0.2, 0.1]), False),
    ],
    ids=repr,
)
def test_in_fit_every_schedule_is_applied_as_taught(schedule, jit):
    """What is not compiled by XLA, for a curve and a table; stairs follow below, in every mode."""
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
        taught(FALLING, FALLING.planned(8).astype(np.float32), path)
    with pytest.raises(AssertionError):  # … and so does a record alone that is one step off
        taught(Shifted(FALLING, by), FALLING.planned(8).astype(np.float32), path)


@pytest.mark.parametrize("schedule", [SCHEDULES[2], SCHEDULES[5]], ids=repr)  # of each, its configuration: below
def test_a_model_is_saved_and_loaded_with_its_schedule(schedule, tmp_path):
    model = one_weight(schedule)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"mean_output": mean_output})
    assert repr(loaded.optimizer._learning_rate) == repr(KerasSchedule(schedule))
    with AppliedRates(loaded) as applied:
        fit(loaded)
    # it goes on where it stopped
    assert applied.rates.tolist() == schedule.planned(16)[8:].astype(np.float32).tolist()


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


@pytest.mark.parametrize("schedule", ["0.1", None, Constant, [0.1]])
def test_a_bridge_needs_a_schedule(schedule):
    refused(lambda: KerasSchedule(schedule), TypeError, "schedule must be a schedule, a number or a", repr(schedule))


def test_a_number_and_a_function_of_the_step_are_schedules_too():
    assert KerasSchedule(0.5).schedule == Constant(0.5)
    model = one_weight(lambda step: 0.4 * 0.5 ** (step / 3))
    with AppliedRates(model) as applied:
        path = fit(model)
    taught(FALLING, applied.rates, path)


@pytest.mark.parametrize(
    "function",
    [
        lambda step: 0.1 if step < 3 else 0.01,
        lambda step: [0.1, 0.01][int(step)],
        lambda step: math.exp(-step),
        lambda step: np.exp(-step),
        lambda step: 0.1,
        lambda step: keras.ops.ones(2) * step,
        lambda: 0.1,
    ],
)
def test_what_cannot_be_compiled_is_refused_with_its_cure(function):
    refused(
        lambda: KerasSchedule(function), TypeError, "functions of keras.ops", "PiecewiseConstantDecay", "as_schedule("
    )


def test_a_rate_that_a_compiled_function_cannot_refuse_is_applied_as_nan():
    sinking = KerasSchedule(lambda step: 0.2 - 0.1 * step)
    assert [float(sinking(step)) for step in (0, 1)] == in_float32([0.2, 0.1]) and math.isnan(sinking(3))


def test_a_step_may_be_a_fraction():
    assert float(KerasSchedule(FALLING)(0.1)) == np.float32(FALLING(0.1))


def test_an_optimizer_that_gets_the_schedule_itself_says_what_to_do():
    model = one_weight(optimizer=keras.optimizers.SGD(FALLING))
    refused(lambda: fit(model), TypeError, "SGD(KerasSchedule(schedule))", "lrlib.keras")
    refused(lambda: AppliedRates(model), TypeError, f"optimizer must be given KerasSchedule({FALLING!r})")


def test_a_schedule_in_a_compiled_function_says_what_to_do():
    refused(lambda: tf.function(FALLING)(tf.constant(3)), TypeError, "use KerasSchedule(schedule)", "planned(steps)")
    assert FALLING(tf.constant(3)) == FALLING(3)  # one that has a value is a number like others


# What is saved


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Highest(Schedule):
    """The highest of several schedules, times a factor: a composite of one's own."""

    parts: tuple
    last: Schedule = Constant(0.0)

    def formula(self, step, xp=np):
        rate = self.last.formula(step, xp)
        for part in self.parts:
            rate = xp.maximum(rate, part.formula(step, xp))
        return rate


@keras.saving.register_keras_serializable(package="tests")
def my_rate(step):
    return 0.3 / (1 + step)


NESTED = Highest((StepDecay(0.4, 2, 0.5), Highest((Constant(0.01),), FALLING)), PiecewiseConstantDecay([3], [0.2, 0.1]))


@pytest.mark.parametrize(
    "schedule",
    [NESTED, Highest((NESTED,)), my_rate, Highest((as_schedule(my_rate),))],
    ids=["nested", "nested twice", "function", "function nested"],
)
def test_what_is_registered_is_saved_loaded_and_copied(schedule, tmp_path):
    model = one_weight(schedule)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"mean_output": mean_output})
    again = loaded.optimizer._learning_rate
    assert again.schedule == as_schedule(schedule) and hash(again.schedule) == hash(as_schedule(schedule))
    with AppliedRates(loaded) as applied:
        fit(loaded)
    assert applied.rates.tolist() == in_float32(as_schedule(schedule).planned(16)[8:])
    optimizer = keras.optimizers.SGD.from_config(json.loads(json.dumps(model.optimizer.get_config())))
    assert optimizer._learning_rate.schedule == as_schedule(schedule)


def test_a_schedule_of_keras_inside_is_saved_too(tmp_path):
    theirs = keras.optimizers.schedules.ExponentialDecay(0.4, 3, 0.5)
    model = one_weight(theirs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"mean_output": mean_output})
    assert loaded.optimizer._learning_rate(3) == theirs(3)


def test_a_schedule_that_is_no_dataclass_says_why_it_cannot_be_saved():
    @keras.saving.register_keras_serializable(package="tests")
    class Plain(Schedule):
        def formula(self, step, xp=np):
            return 0.1 + 0.0 * step

    refused(KerasSchedule(Plain()).get_config, TypeError, "Plain must be a frozen dataclass to be saved")


def test_what_is_not_registered_trains_but_is_not_saved(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Constant(Schedule):  # the name of one of lrlib's is not enough
        def formula(self, step, xp=np):
            return 0.1 + 0.0 * step

    for schedule, name in [
        (Shifted(FALLING, 2), "above Shifted"),
        (Highest((Shifted(FALLING, 2),)), "above Shifted"),
        (Constant(), "Constant"),
        (lambda step: 0.1 * 0.5**step, "<lambda>"),
    ]:
        model = one_weight(schedule)
        fit(model)
        refused(
            lambda model=model: model.save(tmp_path / "model.keras"),
            ValueError,
            "schedule must be registered with Keras to be saved",
            "@keras.saving.register_keras_serializable()",
            name,
        )


# Stairs in compiled functions, against exact arithmetic


@functools.cache
def stairs():
    """Steps around the ends of stairs of every length, and how many stairs lie behind each, in whole numbers."""
    steps = np.array([steps_around(length) for length in LENGTHS])
    return steps, np.array(
        [[stairs_behind(t, length) for t in row] for row, length in zip(steps, LENGTHS, strict=True)]
    )


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("kind", [StepDecay, ExponentialDecay, InverseTimeDecay])
def test_every_stair_begins_on_time_in_every_mode(kind, mode):
    steps, behind = stairs()
    schedule = kind(1.0, 1, 0.999) if kind is StepDecay else kind(1.0, 1, 0.999, staircase=True)
    # all lengths at once: as constants of the function, where a compiler would multiply by their reciprocals
    object.__setattr__(schedule, "decay_steps", np.array(LENGTHS)[:, None])
    rates = lambda steps: schedule.formula(steps, xp=keras.ops)  # noqa: E731
    if mode != "eager":
        rates = tf.function(rates, autograph=False, jit_compile=mode == "xla")
    given = rates(tf.constant(steps)).numpy()
    if kind is InverseTimeDecay:
        np.testing.assert_allclose(given, 1 / (1 + 0.999 * behind), rtol=1e-14)
    else:
        few = behind < 5000
        np.testing.assert_allclose(given[few], 0.999 ** behind[few].astype(float), rtol=1e-11)
        assert few.mean() > 0.9


@pytest.mark.parametrize("length", [49, 98, 41, 235])
def test_in_fit_a_stair_begins_on_time(length):
    schedule = StepDecay(0.5, length, 0.5)
    model = one_weight(schedule)
    rates = -np.diff(fit(model, data=BATCHES[1].take(1).repeat(3 * length + 1)))
    assert np.flatnonzero(rates[1:] < 0.75 * rates[:-1]).tolist() == [length - 1, 2 * length - 1, 3 * length - 1]
    np.testing.assert_allclose(rates, schedule.planned(3 * length + 1), rtol=1e-4)


@pytest.mark.parametrize("jit", [True, False])
def test_boundaries_are_where_they_are_said_to_be_in_compiled_functions(jit):
    boundaries = [*range(0, 400, 7), 2**24 + 1, 2**40 + 1, 2**53 - 1]
    table = PiecewiseConstantDecay(boundaries, [float(i) for i in range(len(boundaries) + 1)])
    steps = np.array([*range(420), *(b + by for b in boundaries[-3:-1] for by in (-1, 0, 1)), 2**53 - 1, 2**53])
    rates = tf.function(lambda step: table.formula(tf.cast(step, tf.float64), keras.ops), jit_compile=jit)
    assert rates(tf.constant(steps)).numpy().tolist() == [sum(b < step for b in boundaries) for step in steps.tolist()]


LATE = [41, 47, 55, 61, 83, 97, 107, 235]


def test_keras_own_staircase_falls_one_step_late_in_a_compiled_function():
    """What chapter 6 teaches: asked from Python it falls on time, and late where 1 / T is rounded down."""
    for length in (*LATE, 40, 49):
        theirs = keras.optimizers.schedules.ExponentialDecay(1.0, length, 0.5, staircase=True)
        compiled = tf.function(theirs)
        assert float(theirs(length)) == 0.5
        assert float(compiled(tf.constant(length))) == (1.0 if length in LATE else 0.5)
        assert float(compiled(tf.constant(length + 1))) == 0.5


def test_keras_own_staircase_falls_one_step_late_in_fit():
    theirs = keras.optimizers.schedules.ExponentialDecay(0.5, 41, 0.5, staircase=True)
    model = one_weight(optimizer=keras.optimizers.SGD(theirs))
    with AppliedRates(model) as applied:
        rates = -np.diff(fit(model, data=BATCHES[1].take(1).repeat(45)))
    assert np.flatnonzero(rates < 0.3)[0] == np.flatnonzero(applied.rates < 0.3)[0] == 42


# Accumulated gradients


@pytest.mark.parametrize("each", [2, 3, 4])
def test_with_accumulated_gradients_a_schedule_can_count_updates(each):
    schedule = StepDecay(0.8, 1, 0.5)
    bridge = KerasSchedule(schedule, gradient_accumulation_steps=each)
    optimizer = keras.optimizers.SGD(bridge, gradient_accumulation_steps=each)
    model = one_weight(optimizer=optimizer)
    with AppliedRates(model) as applied:
        moves = -np.diff(fit(model, epochs=3))
    updates = 24 // each
    assert applied.rates.tolist() == in_float32(schedule.planned(updates))
    np.testing.assert_allclose(moves[each - 1 :: each], schedule.planned(updates), rtol=1e-2)
    assert KerasSchedule.from_config(bridge.get_config()).gradient_accumulation_steps == each
    assert repr(bridge) == f"KerasSchedule({schedule!r}, {each})"


@pytest.mark.parametrize("value", [0, -1, 2.5, "4"])
def test_accumulated_gradients_must_be_counted_by_an_integer(value):
    refused(lambda: KerasSchedule(0.1, value), ValueError, "gradient_accumulation_steps must be", repr(value))


# Resuming


def test_fit_again_and_initial_epoch_go_on_in_the_schedule():
    model = one_weight()
    with AppliedRates(model) as applied:
        fit(model)
        fit(model, initial_epoch=1, epochs=2)
    assert applied.rates.tolist() == in_float32(FALLING.planned(16))


ANEW = """
import json, sys
from lrlib.quiet import keras, tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import numpy as np
from lrlib import ExponentialDecay
from lrlib.keras import AppliedRates, KerasSchedule

loaded = keras.models.load_model(sys.argv[1], custom_objects={"mean_output": lambda _, y: keras.ops.mean(y)})
with AppliedRates(loaded) as applied:
    loaded.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=1, verbose=0)

with tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]).scope():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(KerasSchedule(ExponentialDecay(0.4, 3, 0.5))), "mse", jit_compile=False)
    with AppliedRates(model) as inside:
        model.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=2, verbose=0)
with AppliedRates(model) as outside:
    model.fit(np.ones((8, 1)), np.ones((8, 1)), batch_size=2, verbose=0)
print(json.dumps([each.rates.tolist() for each in (applied, inside, outside)]))
"""


@pytest.fixture(scope="module")
def anew(tmp_path_factory):
    """What a new process applies: to a model that was saved after 8 steps, and in and out of a distribution's scope."""
    model, file = one_weight(), tmp_path_factory.mktemp("anew") / "model.keras"
    fit(model)
    model.save(file)
    command = [sys.executable, "-W", "ignore", "-c", ANEW, file]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_a_new_process_goes_on_in_the_schedule(anew):
    assert anew[0] == in_float32(FALLING.planned(16)[8:])


@pytest.mark.parametrize("form", ["with", "callback"])
def test_backup_and_restore_goes_on_in_the_schedule(form, tmp_path):
    class Die(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise ValueError("power cut")

    backup = lambda: keras.callbacks.BackupAndRestore(tmp_path / "backup")  # noqa: E731
    with pytest.raises(ValueError, match="power cut"):
        fit(one_weight(), callbacks=[backup(), Die()], epochs=3)
    model = one_weight()
    if form == "with":
        with AppliedRates(model) as applied:
            fit(model, callbacks=[backup()], epochs=3)
    else:
        fit(model, callbacks=[applied := AppliedRates(), backup()], epochs=3)
    assert applied.rates.tolist() == in_float32(FALLING.planned(24)[16:])


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
    np.testing.assert_array_max_ulp(ours.planned(12).astype(np.float32), np.array(expected, np.float32), maxulp=0)
    assert expected[5] == 1.0 and expected[6] == 0.5


@pytest.mark.parametrize("staircase", [True, False])
def test_keras_own_schedule_is_recorded_too(staircase):
    theirs = keras.optimizers.schedules.ExponentialDecay(0.4, 3, 0.5, staircase=staircase)
    model = one_weight(optimizer=keras.optimizers.SGD(theirs))
    with AppliedRates(model) as applied:
        path = fit(model)
    np.testing.assert_allclose(applied.rates, ExponentialDecay(0.4, 3, 0.5, staircase).planned(8), rtol=1e-6)
    np.testing.assert_allclose(applied.rates, -np.diff(path), rtol=2e-6)


# AppliedRates


def recorded(model, **how):
    with AppliedRates(model) as applied:
        fit(model, **how)
    return applied.rates.tolist()


EIGHT = in_float32(FALLING.planned(8))


def untouched(model, train_function=None):
    """Assert that no recorder is left in the optimizer or its classes, and that the compiled step is the one found."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    assert {"update_step", "apply"}.isdisjoint(vars(optimizer)) and "assign" not in vars(optimizer._iterations)
    assert not keras_hooks._wrapped and optimizer not in keras_hooks._watchers
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
    assert recorded(model) == in_float32(FALLING.planned(16)[8:])
    untouched(model, compiled)


def test_nothing_is_recorded_after_the_block():
    model = one_weight()
    with AppliedRates(model) as applied:
        fit(model)
    fit(model)
    assert applied.rates.tolist() == EIGHT
    with applied:  # and a second block goes on
        fit(model)
    assert applied.rates.tolist() == in_float32(FALLING.planned(24)[[*range(8), *range(16, 24)]])


def test_recorders_may_be_nested():
    model = one_weight()
    with AppliedRates(model) as outer:
        fit(model)
        with AppliedRates(model) as inner:
            fit(model)
        fit(model)
    assert outer.rates.tolist() == in_float32(FALLING.planned(24))
    assert inner.rates.tolist() == in_float32(FALLING.planned(16)[8:])
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


@pytest.mark.parametrize("moment", ["begin", "end"])
def test_ctrl_c_while_a_record_begins_or_ends_leaves_none_open(moment, monkeypatch):
    def pressed(*given):
        result = original(*given)
        signal.raise_signal(signal.SIGINT)
        return result

    original = getattr(Tape, moment)
    for as_callback in (False, True):
        model, applied = one_weight(run_eagerly=True), AppliedRates()
        tape = tape_of(model.optimizer)
        if not as_callback:
            applied = AppliedRates(model)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Tape, moment, pressed)
            with contextlib.nullcontext() if as_callback else applied:
                fit(model, callbacks=[applied] * as_callback)
        assert tape.now(model.optimizer).records == 0 and not keras_hooks._wrapped and not keras_hooks._retraced
        assert len(applied.rates) == int(model.optimizer.iterations) == (moment == "end") * (1 if as_callback else 8)
        fit(model, callbacks=[applied])  # which may be used again
        assert len(applied.rates) == int(model.optimizer.iterations)


def test_a_model_compiled_again_in_the_block_trains_with_its_new_optimizer():
    model = one_weight()
    fit(model)
    with pytest.raises(RuntimeError, match="no update by its optimizer"):  # it trained with one that is not recorded
        with AppliedRates(model):
            model.compile(keras.optimizers.SGD(0.5), mean_output)
            fit(model)
    untouched(model)
    np.testing.assert_allclose(-np.diff(fit(model)), 0.5, rtol=1e-5)


def test_a_second_optimizer_in_the_block_is_an_error_and_no_half_record():
    model = one_weight()
    with pytest.raises(RuntimeError, match="the model got another optimizer"):
        with AppliedRates(model):
            fit(model)
            model.compile(keras.optimizers.SGD(0.5), mean_output)
            fit(model)
    with AppliedRates(model) as applied:
        fit(model)
        model.compile(model.optimizer, mean_output)
        fit(model)
    assert applied.rates.tolist() == [0.5] * 16


@pytest.mark.parametrize("steps_in_one_call", [1, 2])
def test_a_batch_that_never_came_is_no_update(steps_in_one_call):
    def three():
        for _ in range(3):
            yield DATA[:1], DATA[:1]
        raise ValueError("no more")

    model = one_weight(steps_per_execution=steps_in_one_call)
    with pytest.raises(tf.errors.InvalidArgumentError, match="no more"):
        with AppliedRates(model) as applied:
            model.fit(three(), verbose=0)
    np.testing.assert_allclose(-model.get_weights()[0], applied.rates.sum(), rtol=2e-6)
    assert applied.rates.tolist() == EIGHT[:3]


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


@pytest.mark.parametrize("model", [3, "model", keras.layers.Dense(1), FALLING])
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


# What was recorded is what was applied, or an error says that it cannot be known


def stepping(optimizer):
    """A weight of gradient 1, and a compiled function of one's own that updates it."""
    weight = keras.Variable(1.0)

    @tf.function
    def step():
        optimizer.apply([tf.constant(1.0)], [weight])

    return step, weight


def test_the_record_of_a_compiled_function_ends_with_the_block_and_a_second_block_has_one_too():
    optimizer = keras.optimizers.SGD(KerasSchedule(FALLING))
    step, weight = stepping(optimizer)
    with AppliedRates(optimizer) as first:
        step(), step()
    step()
    assert first.rates.tolist() == EIGHT[:2]
    with AppliedRates(optimizer) as second:
        step()
    assert second.rates.tolist() == EIGHT[3:4]
    with first:
        step()
    assert first.rates.tolist() == [*EIGHT[:2], EIGHT[4]] and second.rates.tolist() == EIGHT[3:4]
    assert float(weight) == pytest.approx(1 - sum(EIGHT[:5]), rel=1e-5)


def test_a_function_that_was_compiled_before_the_block_is_an_error_and_no_empty_record():
    optimizer = keras.optimizers.SGD(KerasSchedule(FALLING))
    step, _ = stepping(optimizer)
    step()
    applied = AppliedRates(optimizer)
    with pytest.raises(RuntimeError, match="counted 2 updates, but 0 passed the record"):
        with applied:
            step(), step()
    refused(lambda: applied.rates, RuntimeError, "compiled before the block")


def test_an_exception_goes_before_what_the_recorder_has_to_say():
    optimizer = keras.optimizers.SGD(KerasSchedule(FALLING))
    step, _ = stepping(optimizer)
    step()
    for error in (ZeroDivisionError("my own"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            with AppliedRates(optimizer) as applied:
                step()
                raise error
        assert caught.value is error
        refused(lambda applied=applied: applied.rates, RuntimeError, "compiled before the block")


class TwoNets(keras.Model):
    """As in a GAN: two nets, each with an optimizer of its own, and a training step of its own."""

    def __init__(self, by_hand=False):
        super().__init__()
        self.one, self.two = (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]) for _ in range(2))
        self.by_hand = by_hand

    def compile(self, one, two):
        super().compile()
        self.optimizer_one, self.optimizer_two = one, two

    def train_step(self, data):
        for net, optimizer in ((self.one, self.optimizer_one), (self.two, self.optimizer_two)):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((net(data[0]) - 2.0) ** 2)
            gradients = tape.gradient(loss, net.trainable_variables)
            if self.by_hand:
                for gradient, variable in zip(gradients, net.trainable_variables, strict=True):
                    variable.assign_sub(0.01 * gradient)
            else:
                optimizer.apply_gradients(zip(gradients, net.trainable_variables, strict=True))
        return {"loss": loss}


def two_nets(**how):
    model = TwoNets(**how)
    model.compile(keras.optimizers.SGD(KerasSchedule(FALLING)), keras.optimizers.Adam(0.25))
    return model


def train(model, callbacks=()):
    return model.fit(BATCHES[2], shuffle=False, verbose=0, callbacks=list(callbacks)).history


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("form", ["with", "callback"])
def test_updates_that_do_not_pass_the_recorder_are_an_error(by_hand, form):
    model = two_nets(by_hand=by_hand)
    with pytest.raises(RuntimeError, match="weights of the model .* changed, and no update by its optimizer"):
        if form == "with":
            with AppliedRates(model):
                train(model)
        else:
            train(model, [AppliedRates()])
    train(model)


def test_a_model_built_in_the_block_whose_updates_do_not_pass_is_an_error():
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(1)

        def call(self, x):
            return self.layer(x)

        def train_step(self, data):
            self(data[0])
            self.layer.kernel.assign_sub([[0.1]])
            return {"loss": 0.0}

    for callback in (False, True):
        model = Late()
        model.compile("sgd", "mse")
        with pytest.raises(RuntimeError, match="changed, and no update"):
            if callback:
                train(model, [AppliedRates()])
            else:
                with AppliedRates(model):
                    train(model)


def test_a_model_of_which_nothing_is_trained_has_an_empty_record():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    with AppliedRates(model) as applied, pytest.warns(UserWarning, match="any trainable weights"):
        train(model)
    assert applied.rates.tolist() == []


def test_autograph_leaves_a_schedule_alone(caplog):
    """It would say that it cannot read some of them."""
    rate = tf.function(lambda step: KerasSchedule(CosineDecay(0.1, 10))(step))
    caplog.set_level("WARNING", logger="tensorflow")
    tf.get_logger().addHandler(caplog.handler)
    try:
        assert float(rate(tf.constant(10, tf.int64))) == 0 and caplog.text == ""
    finally:
        tf.get_logger().removeHandler(caplog.handler)


@pytest.mark.parametrize("form", ["with", "callback", "callback of another model", "callback of another optimizer"])
def test_an_optimizer_that_makes_no_update_is_an_error_and_no_empty_record(form):
    model, other = one_weight(), one_weight()
    for each in (model, other):
        with AppliedRates(each):  # that both were recorded before is no excuse
            fit(each)
    with pytest.raises(RuntimeError, match="weights of the model .* changed, and no update by its optimizer"):
        if form == "with":
            with AppliedRates(model, optimizer=other.optimizer):
                fit(model)
        elif form == "callback":
            fit(model, [AppliedRates(optimizer=other.optimizer)])
        else:
            fit(model, [AppliedRates(other if "model" in form else other.optimizer)])
    untouched(model, model.train_function)


def test_each_of_several_optimizers_is_recorded_also_after_a_fit():
    model = two_nets()
    train(model)
    refused(lambda: train(model, [AppliedRates(model.optimizer_one), AppliedRates("two")]), TypeError, "'two'")
    with AppliedRates(model, optimizer=model.optimizer_one) as one:
        with AppliedRates(model, optimizer=model.optimizer_two) as two:
            train(model)
    assert one.rates.tolist() == EIGHT[4:] and two.rates.tolist() == [0.25] * 4
    with pytest.raises(RuntimeError, match="compiled before the block"):
        with AppliedRates(model.optimizer_one):  # alone it cannot have the model's step compiled again
            train(model)


def test_several_callbacks_record_side_by_side():
    model = two_nets()
    for start in (0, 4):
        one = AppliedRates(optimizer=model.optimizer_one, name="one")
        history = train(model, [one, AppliedRates(optimizer=model.optimizer_two, name="two")])
        assert one.rates.tolist() == EIGHT[start : start + 4]
        assert history["one"] == [EIGHT[start + 3]] and history["two"] == [0.25]


@pytest.mark.parametrize("name", ["Adafactor", "Muon", "ScheduleFreeAdamW", "MultiOptimizer"])
def test_optimizers_that_apply_another_rate_are_refused_by_name(name):
    kind = getattr(keras.optimizers, name, None)
    if kind is None:
        pytest.skip("not in this Keras")
    optimizer = kind(keras.optimizers.OptimizerMap(keras.optimizers.SGD())) if name == "MultiOptimizer" else kind(0.1)
    refused(lambda: AppliedRates(optimizer), ValueError, f"optimizer must apply the rate that it is given, got {name}")
    heir = type("Heir", (kind,), {}).__new__(type("Heir", (kind,), {}))
    refused(lambda: keras_hooks.refuse_other_rates(heir), ValueError, f"got {name}")


class ByLayer(keras.optimizers.SGD):
    """Biases learn at half the rate."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * (0.5 if len(variable.shape) == 1 else 1.0))


class ByLayerOutside(keras.optimizers.SGD):
    def _backend_update_step(self, gradients, variables, learning_rate):
        for i, (gradient, variable) in enumerate(zip(gradients, variables, strict=True)):
            self.update_step(gradient, variable, learning_rate * (1 + i))


class InHalves(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        for _ in range(2):
            super().update_step(gradient, variable, learning_rate / 2)


@pytest.mark.parametrize("kind", [ByLayer, ByLayerOutside, InHalves])
@pytest.mark.parametrize("form", ["with", "callback"])
def test_different_rates_in_one_update_are_an_error(kind, form):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(kind(0.1), "mse")
    applied = AppliedRates(model)
    with pytest.raises(RuntimeError, match="different rates"):
        if form == "with":
            with applied:
                train(model)
        else:
            train(model, [applied])
    refused(lambda: applied.rates, RuntimeError, "one rate for an update cannot say what was applied")
    train(model)
    untouched(model, model.train_function)


class Halved(keras.optimizers.SGD):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate * 0.5)


class OfOnesOwn(keras.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient * learning_rate)


@pytest.mark.parametrize(("kind", "factor"), [(Halved, 0.5), (OfOnesOwn, 1.0)])
@pytest.mark.parametrize("jit", [True, False])
def test_what_the_last_update_step_receives_is_recorded(kind, factor, jit):
    model = one_weight(optimizer=kind(learning_rate=KerasSchedule(FALLING)), jit_compile=jit)
    with AppliedRates(model) as applied:
        path = fit(model)
    np.testing.assert_allclose(applied.rates, factor * FALLING.planned(8), rtol=1e-6)
    np.testing.assert_allclose(-np.diff(path), applied.rates, rtol=1e-5)


def test_a_layer_unfrozen_in_the_block_is_trained_after_it():
    """The same optimizer does not mean the same compiled step."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    model.layers[0].trainable = False
    model.compile(optimizer, "mse")
    train(model)
    with AppliedRates(model):
        model.layers[0].trainable = True
        model.compile(optimizer, "mse")
    before = model.layers[0].get_weights()[0]
    train(model)
    assert (model.layers[0].get_weights()[0] != before).all()


def test_recorders_left_in_the_other_order_leave_nothing_behind():
    model = one_weight()
    fit(model)
    compiled = model.train_function
    first, second = AppliedRates(model), AppliedRates(model)
    first.__enter__()
    fit(model)
    second.__enter__()
    fit(model)
    first.__exit__(None, None, None)
    fit(model)
    second.__exit__(None, None, None)
    untouched(model, compiled)
    rates = in_float32(FALLING.planned(32))
    assert first.rates.tolist() == rates[8:24] and second.rates.tolist() == rates[16:]


def test_iterations_that_are_set_in_the_block_are_no_updates():
    model = one_weight()
    with AppliedRates(model) as applied:
        fit(model)
        model.optimizer.iterations.assign(0)
        fit(model)
        model.optimizer.iterations.assign(100)
        fit(model)
    assert applied.rates.tolist() == [*EIGHT, *EIGHT, *in_float32(FALLING.planned(108)[100:])]


def test_one_made_inside_the_scope_of_a_distribution_can_be_read(anew):
    assert anew[1] + anew[2] == EIGHT


# As a callback


def test_as_a_callback_it_puts_the_applied_rate_into_the_logs(tmp_path):
    model, seen = one_weight(), []
    after = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(dict(logs)))
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    applied = AppliedRates()
    history = model.fit(DATA, DATA, batch_size=2, epochs=2, verbose=0, callbacks=[applied, after, log]).history
    assert applied.rates.tolist() == EIGHT
    assert history["applied_learning_rate"] == [EIGHT[3], EIGHT[7]]  # the last of each epoch
    assert [logs["applied_learning_rate"] for logs in seen] == EIGHT
    with open(tmp_path / "log.csv") as lines:
        assert [float(line["applied_learning_rate"]) for line in csv.DictReader(lines)] == [EIGHT[3], EIGHT[7]]
    assert float(model.optimizer.learning_rate) != EIGHT[7]  # which is the next one
    untouched(model, model.train_function)


def test_as_a_callback_it_records_what_moves_the_weights_and_changes_nothing():
    alone, watched = one_weight(), one_weight()
    applied = AppliedRates()
    path = fit(watched, callbacks=[applied])
    taught(FALLING, applied.rates, path)
    assert path.tolist() == fit(alone).tolist()
    # a second fit goes on, and another without it is not recorded
    fit(watched, callbacks=[applied])
    fit(watched)
    assert applied.rates.tolist() == in_float32(FALLING.planned(16))


@pytest.mark.parametrize("how", [{"steps_per_execution": 3}, {"run_eagerly": True}, {"jit_compile": True}], ids=str)
def test_as_a_callback_it_works_in_every_way_to_run_a_step(how):
    model, applied = one_weight(**how), AppliedRates()
    model.fit(DATA, DATA, batch_size=1, verbose=0, callbacks=[applied])
    assert applied.rates.tolist() == EIGHT


def test_as_a_callback_with_accumulated_gradients_it_logs_the_last_rate_that_was_applied():
    schedule = KerasSchedule(StepDecay(0.8, 1, 0.5), gradient_accumulation_steps=3)
    model = one_weight(optimizer=keras.optimizers.SGD(schedule, gradient_accumulation_steps=3))
    history = model.fit(DATA, DATA, batch_size=4, epochs=4, verbose=0, callbacks=[AppliedRates()]).history
    np.testing.assert_array_equal(history["applied_learning_rate"], in_float32([math.nan, 0.8, 0.4, 0.4]))


@pytest.mark.parametrize("error", [ValueError("my own"), KeyboardInterrupt()], ids=repr)
def test_as_a_callback_an_exception_leaves_the_optimizer_as_it_was_and_the_next_fit_is_not_recorded(error):
    model, applied = one_weight(), AppliedRates()
    with pytest.raises(type(error)) as caught:
        fit(model, callbacks=[applied, Stop(error)])
    assert caught.value is error
    untouched(model, model.train_function)
    np.testing.assert_allclose(-np.diff(fit(model)), FALLING.planned(11)[3:], rtol=1e-5)
    assert applied.rates.tolist() == EIGHT[:3]
    assert "_Through" not in repr(model.train_function)
    fit(model, callbacks=[applied])
    assert applied.rates.tolist() == in_float32([*FALLING.planned(3), *FALLING.planned(19)[11:]])


def test_as_a_callback_it_says_so_if_another_callback_trains_the_model():
    model = one_weight()
    more = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: model.train_on_batch(DATA, DATA))
    with pytest.raises(RuntimeError, match="a batch of fit passed the record"):
        fit(model, [AppliedRates(), more])
    model.optimizer.iterations.assign(0)
    with AppliedRates(model) as applied:
        fit(model, [more])
    assert applied.rates.tolist() == in_float32(FALLING.planned(16))


def test_as_a_callback_inside_its_own_block_it_is_refused():
    model = one_weight()
    with pytest.raises(RuntimeError, match="recording already"):
        with AppliedRates(model) as applied:
            fit(model, callbacks=[applied])
    with pytest.raises(ValueError, match="model must be given"):
        AppliedRates().__enter__()


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
