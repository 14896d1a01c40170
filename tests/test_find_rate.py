"""The search finds the rate of a sweep for a few trainings, and says when it cannot be sure."""

import random
import signal
import warnings
from types import SimpleNamespace

from lrlib.quiet import keras  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

import lrlib.find_rate as module
from lrlib import ExponentialDecay, datasets
from lrlib.find_rate import COARSE, FIRST_SEEDS, PER_DECADE, FoundRate, _Search, find_rate
from lrlib.keras import KerasSchedule
from lrlib.sweep import sweep
from refusal import refused

DIABETES = datasets.diabetes()
STEPS = 40


def linear(optimizer=None, outputs=1, loss="mse"):
    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(outputs)])
    model.compile(optimizer or keras.optimizers.SGD(), loss)
    return model


def run(model=None, data=DIABETES, **how):
    return find_rate(model or linear(), data, **{"steps": STEPS, "batch_size": 32, **how})


@pytest.fixture(scope="module")
def found():
    return run()


# The search, on losses that are known


def valley(best, curvature=0.08, noise=0.0, cliff=np.inf, fails=()):
    """Losses by place and seed, lowest at a place, infinite above a cliff and for the runs that fail."""

    def train(places, seeds):
        chance = [[np.random.default_rng([1000 + p, s]).normal() for s in seeds] for p in places]
        loss = 1 + curvature * (np.array(places)[:, None] - best) ** 2 + noise * np.array(chance)
        loss = np.where(np.array(places)[:, None] > cliff, np.inf, loss)
        return np.where([[(p, s) in fails for s in seeds] for p in places], np.inf, loss)

    return train


def search(train, begin=0, tolerance=0.05, seeds=8, budget=60, constant=np.inf):
    it = _Search(train, begin, tolerance, seeds, budget)
    return it, *it.answer(it.run(), constant)


@pytest.mark.parametrize("best", [-9, -4, -1, 0, 3, 8, 11])
def test_wherever_it_begins_it_finds_the_lowest_place(best):
    it, place, reason = search(valley(best))
    assert (
        place == best and it.sure and reason == "no other rate that was tried is likely to be better by more than 5 %"
    )
    assert min(it.losses) < place < max(it.losses)
    assert {best - 1, best + 1} & set(it.losses), "the steps have become small"


def test_a_cliff_beside_the_best_place_is_no_edge():
    it, place, _ = search(valley(5, cliff=5))
    assert place == 5 and max(it.losses) > 5


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_a_rate_that_failed_under_any_seed_is_not_chosen(seed):
    it, place, _ = search(valley(0, curvature=0.01, noise=0.03, fails={(0, seed)}), tolerance=0.001)
    assert 0 < abs(place) <= COARSE and np.isinf(it.losses[0]).any()


def test_seeds_are_for_those_that_may_be_the_best():
    it, place, _ = search(valley(0, noise=0.3), budget=100)
    had = {p: len(losses) for p, losses in it.losses.items()}
    assert had[place] == max(had.values()) > FIRST_SEEDS
    assert had[min(had)] == had[max(had)] == FIRST_SEEDS, "the far ones got no more"
    assert it.spent == sum(had.values())
    assert search(valley(0, noise=0.0))[0].spent < it.spent


def test_what_cannot_be_told_apart_is_said():
    it, place, reason = search(valley(0, curvature=0.0004, noise=0.4), seeds=6, budget=200)
    assert place is not None and not it.sure
    assert reason == "with 6 seeds it is not sure that no other rate is better by more than 5 %"
    low, high, width = it.around(place)
    assert low < 10 ** (place / PER_DECADE) < high or high / low > 2
    assert width > 1
    it, place, _ = search(valley(3))
    assert it.around(place)[:2] == (it.rate(3), it.rate(3)), "without chance there is nothing that it could be"


def test_a_large_tolerance_is_cheap():
    costs = [
        search(valley(0, curvature=0.02, noise=0.05), tolerance=t, budget=200, seeds=20)[0].spent
        for t in (0.2, 0.05, 0.01)
    ]
    assert costs == sorted(costs) and costs[0] < costs[2]


def test_the_budget_holds_and_an_edge_is_no_answer():
    it, place, reason = search(valley(20), budget=20)
    assert it.spent <= 20 and place is None and not it.sure
    assert reason.startswith("max_trainings are spent, and the best rate, ") and reason.endswith("may lie above")
    assert search(valley(-20), budget=20)[2].endswith("is the lowest: a better one may lie below")
    it, place, reason = search(valley(1), budget=15)
    assert (place, reason) == (0, "max_trainings are spent") and not it.sure
    reason = search(lambda places, seeds: valley(0, 0)(places, seeds) - np.array(places)[:, None] / 1e4, budget=1e4)[2]
    assert reason.startswith("float32 ends there, and the best rate, 3.2e+36")


def test_it_looks_everywhere_before_it_says_that_nothing_learns():
    def nowhere(places, seeds):
        return np.full((len(places), len(seeds)), np.inf)

    it, place, reason = search(nowhere)
    assert place is None and reason == "under every rate that was tried a run failed"
    assert search(nowhere, budget=15)[2] == f"max_trainings are spent, and {reason}"
    assert min(it.losses) < -5 * PER_DECADE and max(it.losses) > PER_DECADE
    far = -4 * PER_DECADE

    def only_far_away(places, seeds):
        return np.where(abs(np.array(places) - far)[:, None] < 4, valley(far)(places, seeds), np.inf)

    it, place, _ = search(only_far_away, begin=4)
    assert place == far and len(it.losses[far]) >= FIRST_SEEDS
    assert search(only_far_away, begin=4, budget=25)[1:] == (None, "max_trainings are spent"), "one seed is none"


def test_what_is_no_better_than_a_constant_is_refused():
    reason = search(valley(0), constant=1.0)[2]
    assert search(valley(0), constant=1.0)[1] is None
    assert reason == "no rate brings the validation loss below 1, that of the best constant prediction"
    assert search(valley(0), constant=1.1)[1] == 0
    assert "below 0, that" in search(valley(0), constant=-0.0)[2]


# The search, on a model


def test_it_finds_what_a_sweep_finds(found):
    runs = sweep(linear(), DIABETES, 10 ** (np.arange(-24, 5) / 8), range(8), steps=STEPS, batch_size=32)
    losses = runs.validation_loss.where(~runs.failed, np.inf).mean("seed")
    assert losses.sel(learning_rate=found.learning_rate, method="nearest") < 1.05 * losses.min()
    assert found.trainings < runs.done.size / 5


def test_the_result(found):
    assert isinstance(found, FoundRate) and found.sure
    assert found.low <= found.learning_rate <= found.high and found.width > 1
    rates, done = found.runs.learning_rate.values, found.runs.done
    assert rates[0] < found.learning_rate < rates[-1]
    assert not found.runs.failed.sel(learning_rate=found.learning_rate).any()
    assert found.trainings == pytest.approx(done.sum() + (len(found.range_test.rates) + 1) / STEPS)
    assert 0 < found.seconds < 100
    said = str(found)
    assert said == repr(found) and said.startswith(f"learning rate {found.learning_rate:.2g} (")
    assert said.count("\n") == 1 and said.endswith(found.reason)
    assert [axes.get_ylabel() for axes in found.plot().axes] == ["loss", "validation loss"]


def test_the_record_is_that_of_a_sweep(found):
    rate = found.learning_rate
    seeds = found.runs.seed.values[found.runs.done.sel(learning_rate=rate)]
    same = sweep(linear(), DIABETES, [rate], seeds, steps=STEPS, batch_size=32)
    mine = found.runs.sel(learning_rate=[rate], seed=seeds)
    for name in same.data_vars:
        np.testing.assert_array_equal(mine[name].values, same[name].values, err_msg=name)
        assert found.runs[name].dtype == same[name].dtype
    untrained = ~found.runs.done
    assert np.isnan(found.runs.validation_loss.values[untrained.values]).all()
    assert np.nanmin(found.runs.validation_loss.mean("seed")) > 0


def test_the_schedule_multiplies_the_rate(found):
    half = run(schedule=0.5)
    assert half.learning_rate == pytest.approx(2 * found.learning_rate)
    np.testing.assert_allclose(half.runs.applied.isel(step=0, seed=0), half.runs.learning_rate / 2, rtol=1e-6)


def test_a_loop_finds_the_same_and_other_seeds_are_others(found):
    loop = run(engine="loop", steps=10, max_trainings=30, first_seed=3)
    lanes = run(steps=10, max_trainings=30, first_seed=3)
    assert loop.learning_rate == lanes.learning_rate and loop.reason == lanes.reason
    np.testing.assert_allclose(loop.runs.validation_loss, lanes.runs.validation_loss, rtol=1e-3)
    assert loop.runs.seed.values[0] == 3


def test_labels_without_a_pattern_are_refused():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 10)), rng.normal(size=200)
    nothing = run(data=(x, y), max_trainings=30)
    assert nothing.learning_rate is None and np.isnan([nothing.low, nothing.high, nothing.width]).all()
    assert str(nothing).startswith("no learning rate: ") and not nothing.sure
    assert nothing.plot().axes[0].get_title(loc="left").startswith("No learning rate: ")


def test_progress_is_said(capsys):
    run(max_trainings=16, progress=True)
    said = capsys.readouterr().err
    assert f": {FIRST_SEEDS} seeds" in said and "lanes of 40 steps" in said
    run(max_trainings=16, progress=False)
    assert capsys.readouterr().err == ""


# The model is left as it was


def everything(model):
    rate = model.optimizer.learning_rate
    return [v.numpy() for v in [*model.variables, *model.optimizer.variables, *model.metrics_variables]] + [rate]


def used():
    model = linear(keras.optimizers.SGD(0.25, momentum=0.5))
    model.train_on_batch(DIABETES.x_train[:32], DIABETES.y_train[:32])
    return model


def stopping(monkeypatch, at, error, partly=False):
    """Raise in a sweep, as Ctrl-C would, or let it return what is done."""
    calls = []

    def stopped(*args, **how):
        calls.append(how)
        if len(calls) < at:
            return sweep(*args, **how)
        if not partly:
            raise error
        runs = sweep(*args, **how)
        done = runs.done.copy()
        done[0, 0] = False
        return runs.assign(done=done)

    monkeypatch.setattr(module, "sweep", stopped)


@pytest.mark.parametrize("at", [1, 2])
def test_an_error_leaves_the_model_as_it_was(monkeypatch, at):
    model = used()
    before = everything(model)
    stopping(monkeypatch, at, OSError("the disk is full"))
    refused(lambda: run(model), OSError, "the disk is full")
    for old, new in zip(before, everything(model), strict=True):
        np.testing.assert_array_equal(old, new)


def test_random_numbers_go_on_as_if_there_had_been_no_search(monkeypatch):
    """Processes draw some for their names, and Keras for what it builds."""

    def drawing(*_, **__):
        random.random(), np.random.rand()  # noqa: NPY002  (the user's)
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "sweep", drawing)
    model = linear()
    random.seed(3), np.random.seed(3)  # noqa: NPY002
    refused(lambda: run(model), OSError, "the disk is full")
    assert random.random() == random.Random(3).random()
    assert np.random.rand() == np.random.RandomState(3).rand()  # noqa: NPY002


def test_ctrl_c_in_the_range_test_leaves_the_model_as_it_was(monkeypatch):
    model, make_train_function, calls = used(), keras.Model.make_train_function, []
    before = everything(model)

    def interrupted(self, *args, **how):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return make_train_function(self, *args, **how)

    monkeypatch.setattr(keras.Model, "make_train_function", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(model)
    for old, new in zip(before, everything(model), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(("at", "partly"), [(3, False), (3, True), (2, True)])
def test_after_ctrl_c_what_is_known_is_returned(monkeypatch, at, partly):
    stopping(monkeypatch, at, KeyboardInterrupt, partly)
    with pytest.warns(UserWarning, match=r"^Ctrl-C ended the search after \d"):
        found = run()
    assert not found.sure and "Ctrl-C ended the search" in found.reason
    assert found.trainings == pytest.approx(found.runs.done.sum() + (len(found.range_test.rates) + 1) / STEPS)
    if at == 2:
        assert found.learning_rate is None, "half of the first stage knows nothing"


@pytest.fixture
def ctrl_c_after():
    """Press Ctrl-C so many seconds from now; the list gets an entry then."""
    kept = signal.getsignal(signal.SIGALRM)
    pressed = []

    def press(*_):
        pressed.append("Ctrl-C")
        signal.raise_signal(signal.SIGINT)

    def after(seconds):
        pressed.clear()
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return pressed

    signal.signal(signal.SIGALRM, press)
    yield after
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, kept)


@pytest.mark.filterwarnings("ignore:Ctrl-C ended the search")
def test_whenever_ctrl_c_comes_the_model_is_as_it_was(ctrl_c_after):
    model = used()
    before = everything(model)
    ends = []
    for seconds in (0.02, 0.2, 0.5, 1.0, 2.0):
        try:
            pressed = ctrl_c_after(seconds)
            run(model)
            ends.append("result")
        except BaseException as error:  # of a Ctrl-C amid a call from C TensorFlow makes errors of many kinds
            assert pressed, error
            ends.append("Ctrl-C")
        ctrl_c_after(0)
        for old, new in zip(before, everything(model), strict=True):
            np.testing.assert_array_equal(old, new)
    assert ends[0] == "Ctrl-C"


def test_ctrl_c_before_anything_is_trained_is_ctrl_c(monkeypatch):
    stopping(monkeypatch, 2, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), warnings.catch_warnings(action="error"):
        run()


# What is refused


class Unknown(keras.layers.Layer):
    """It cannot say how it was made."""

    def __init__(self, start):
        super().__init__()
        self.scale = self.add_weight(shape=(1,), initializer=lambda *a, **k: start())

    def call(self, x):
        return self.scale * x[:, :1]


def that_keras_cannot_make_again():
    model = keras.Sequential([keras.Input((10,)), Unknown(lambda: np.ones(1, "float32"))])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize(
    ("how", "error", "fragments"),
    [
        ({"max_trainings": 5}, ValueError, ["max_trainings must be at least 13", "got 5"]),
        ({"max_trainings": -1}, ValueError, ["max_trainings must be positive"]),
        ({"seeds": 3}, ValueError, ["seeds must be at least 4", "3"]),
        ({"tolerance": 0}, ValueError, ["tolerance must be positive"]),
        ({"steps": 1}, ValueError, ["steps must be at least 2"]),
        ({"batch_size": 1000}, ValueError, ["batch_size must be at most 266"]),
        ({"first_seed": -1}, ValueError, ["first_seed must be at least 0"]),
        ({"engine": "fast"}, ValueError, ["engine must be"]),
        ({"memory": 1}, ValueError, ["memory must hold a lane"]),
        ({"n_jobs": 0}, ValueError, ["n_jobs"]),
        ({"schedule": 0.0}, ValueError, ["schedule must be above 0"]),
        ({"schedule": lambda step: [1.0]}, ValueError, ["schedule(0) must be a number"]),
        ({"schedule": lambda step: [1.0, 0.5]}, ValueError, ["schedule(0) must be a number"]),
        ({"progress": 1}, TypeError, ["progress must be True or False"]),
        ({"data": (np.ones((4, 10)), np.ones(4))}, ValueError, ["at least 5 samples"]),
        ({"data": (np.ones((90, 9)), np.ones(90))}, ValueError, ["shape of the model's input"]),
        ({"model": keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])}, ValueError, ["compiled"]),
        (
            {"model": linear(keras.optimizers.SGD(KerasSchedule(ExponentialDecay(0.1, 10, 0.5))))},
            ValueError,
            ["must not have a schedule"],
        ),
        ({"model": "a model"}, TypeError, ["keras.Model"]),
        ({"model": that_keras_cannot_make_again()}, ValueError, ["cannot be made again"]),
        ({"data": iter([])}, TypeError, ["data must be"]),
        ({"data": (np.full((90, 10), np.nan), np.ones(90))}, ValueError, ["NaN"]),
    ],
)
def test_it_is_refused_before_anything_is_trained(monkeypatch, how, error, fragments):
    monkeypatch.setattr(module, "range_test", lambda *a, **k: pytest.fail("it was trained"))
    refused(lambda: run(**how), error, *fragments)


def test_a_range_test_begins_a_little_below_its_lowest_loss():
    rates = np.geomspace(1e-4, 1, 41)
    losses = (np.log10(rates) + 1) ** 2
    cut = np.where(rates > 0.3, np.nan, losses)
    for given in (losses, cut, [losses, cut], losses + 0.05 * np.random.default_rng(0).normal(size=41)):
        at = module._where_to_begin(SimpleNamespace(rates=rates, losses=np.array(given)))
        assert 0.02 < at < 0.15
    assert COARSE < PER_DECADE
