"""The range test applies the rates that it reports, gives the model back, and refuses where there is nothing to see."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib import ExponentialDecay, datasets
from lrlib.datasets import batches
from lrlib.keras import KerasSchedule
from lrlib.range_test import RangeTest, range_test
from lrlib.suggestion import steepest_fall
from refusal import refused

CANCER = datasets.breast_cancer()
SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam


def classifier(optimizer=None, cls=keras.Sequential, **compiling):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((30,)), keras.layers.Dense(16, "tanh"), keras.layers.Dropout(0.1), keras.layers.Dense(2)]
    model = cls(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer or SGD(0.25), loss, **compiling)
    return model


def run(model, x=CANCER.x_train, y=CANCER.y_train, batch_size=32, start_rate=1e-4, steps=20, **how):
    return range_test(model, (x, y), batch_size=batch_size, start_rate=start_rate, steps=steps, **how)


def one_weight(optimizer=None, **compiling):
    """Its loss is w, whose gradient is 1: at every update w falls by the rate, and so does the next loss."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizer or SGD(0.25), lambda _, output: keras.ops.mean(output), **compiling)
    return model


ONES = np.ones((6, 1), "float32")

# The rates and the losses


@pytest.mark.parametrize(
    "rate", [0.25, KerasSchedule(ExponentialDecay(0.3, 5, 0.5)), lambda: 0.25], ids=["number", "schedule", "function"]
)
def test_the_rate_read_off_the_weights_is_the_one_reported(rate):
    result = range_test(one_weight(SGD(rate)), (ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=0.1, steps=9)
    np.testing.assert_allclose(result.rates, np.geomspace(1e-3, 0.1, 9), rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses), result.rates[:-1], atol=1e-6)
    assert result.losses[0] == 1 and result.stopped is None


class Scaled(SGD):
    """Hands half of the rate to the update, as optimizers do that scale it by themselves."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        super()._backend_update_step(grads, trainable_variables, 0.5 * learning_rate)


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_what_is_recorded_is_what_the_update_received_and_not_what_was_asked_for(by):
    data = (ONES[:2], ONES[:2])
    result = range_test(one_weight(Scaled(0.25)), data, batch_size=2, start_rate=1e-3, end_rate=0.1, steps=9, by=by)
    np.testing.assert_allclose(result.rates, np.geomspace(1e-3, 0.1, 9) / 2, rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses), result.rates[:-1], atol=1e-6)


def test_by_epoch_a_rate_holds_for_an_epoch_and_the_loss_is_the_mean_of_its_batches():
    result = range_test(one_weight(), (ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=0.1, steps=5, by="epoch")
    rates = np.geomspace(1e-3, 0.1, 5)
    weights = 1 - np.cumsum([0, *np.repeat(rates, 3)])
    np.testing.assert_allclose(result.rates, rates, rtol=1e-6)
    np.testing.assert_allclose(result.losses, weights[:-1].reshape(5, 3).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("optimizer", [SGD, lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.1)])
def test_it_is_a_training_with_rising_rates(optimizer):
    """Batch for batch the losses of a plain loop that sets the rate: raw ones, not a mean over those so far."""
    # without dropout, whose draws would differ
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(2)])
    model.compile(optimizer(0.25), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    result = run(model, end_rate=1.0, steps=10, seed=4)
    losses = []
    for rate, chosen in zip(np.geomspace(1e-4, 1, 10), batches(len(CANCER.x_train), 32, 10, seed=4), strict=True):
        x, y = CANCER.x_train[chosen], CANCER.y_train[chosen]
        losses.append(model.evaluate(x, y, verbose=0))
        model.optimizer.learning_rate = rate
        model.train_on_batch(x, y)
    assert len(result.losses) == 10
    np.testing.assert_allclose(result.losses, losses, rtol=1e-4)


def test_the_accuracy():
    model, how = classifier(metrics=["accuracy"]), {"batch_size": 64, "steps": 40, "end_rate": 1.0}
    by_loss, by_accuracy = run(model, **how), run(model, metric="accuracy", **how)
    assert by_loss.accuracies is None
    np.testing.assert_array_equal(by_loss.losses, by_accuracy.losses)
    hits = by_accuracy.accuracies * 64
    np.testing.assert_allclose(hits, np.round(hits), atol=1e-4)
    assert by_accuracy.accuracies[0] < 0.8 < 0.9 < by_accuracy.accuracies.max()
    assert by_accuracy.suggestion is not None and "error rate falls fastest" in by_accuracy.reason


def test_the_suggestion_is_near_the_best_rate():
    """On digits a sweep finds the best constant rate of this network near 1."""
    digits = datasets.digits()
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "tanh"), keras.layers.Dense(10)])
    model.compile(SGD(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for how in ({}, {"by": "epoch", "steps": 15, "start_rate": 1e-4}):
        result = range_test(model, digits, batch_size=64, **how)
        assert 0.05 < result.suggestion < 1.5
        assert result.suggestion in result.rates.astype(float)


# The end


def test_it_stops_when_the_loss_has_diverged():
    x, y = np.ones((8, 1)), np.array([4.0, 6.0] * 4)  # no weight fits all
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(SGD(), "mse")
    for by in ("batch", "epoch"):
        result = range_test(model, (x, y), batch_size=2, start_rate=1e-3, end_rate=1e3, by=by)
        assert result.stopped == "diverged" and 5 < len(result.rates) == len(result.losses) < 100
        assert result.losses[-1] > max(4 * result.losses.min(), result.losses[0])
        assert np.isfinite(result.losses).all()
        assert "diverged" in repr(result)
    # an epoch is judged by its own loss: it is the first one so high
    before = result.losses[:-1]
    assert (before <= np.maximum(4 * np.minimum.accumulate(before), before[0])).all()


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_it_stops_when_the_loss_is_not_finite(by):
    model = one_weight()
    # the loss becomes log(w), NaN as soon as w is negative
    model.compile(SGD(), lambda _, output: keras.ops.mean(keras.ops.log(output)))
    result = range_test(model, (ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=10, steps=50, by=by)
    assert result.stopped == "not finite" and len(result.rates) == len(result.losses) < 50
    assert not np.isfinite(result.losses[-1]) and np.isfinite(result.losses[:-1]).all()


def test_a_loss_that_is_not_finite_from_the_start_is_no_matter_of_the_rate():
    model = one_weight()
    model.set_weights([np.array([[np.nan]])])
    refused(
        lambda: range_test(model, (ONES, ONES), batch_size=2), ValueError, "NaN or infinite before the first update"
    )


# The model is given back


class Interrupted(keras.Sequential):
    """Stops at a batch, when it is told to, as Ctrl-C would."""

    left = 0

    def train_on_batch(self, *args, **how):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().train_on_batch(*args, **how)


def state(model):
    optimizer = model.optimizer
    return [v.numpy() for v in (*model.variables, *optimizer.variables, *model.metrics_variables)]


def ends_in(end, model):
    """Let a range test of this model end in one of the ways in which it can."""
    if end == "quiet":
        run(model)
    elif end == "diverged":
        assert run(model, end_rate=1e6, steps=60).stopped == "diverged"
    elif end == "exception":
        y = CANCER.y_train.copy()
        y[batches(len(y), 32, 5, seed=0)[4]] = 7  # classes that there are not, in the fifth batch
        with pytest.raises(Exception, match="outside the valid range"):
            run(model, y=y)
    else:
        model.left = 3
        with pytest.raises(KeyboardInterrupt):
            run(model)


@pytest.mark.parametrize(
    "optimizer", [lambda: SGD(0.25, momentum=0.9), ADAM, lambda: SGD(KerasSchedule(ExponentialDecay(0.3, 5, 0.5)))]
)
def test_everything_is_as_it_was(optimizer):
    model = classifier(optimizer(), Interrupted, metrics=["accuracy"])
    model.fit(CANCER.x_train, CANCER.y_train, batch_size=64, verbose=0)
    inside = model.optimizer
    function, rate = model.train_function, inside._learning_rate
    for number, end in enumerate(("quiet", "diverged", "exception", "Ctrl-C"), 1):
        before, own, iterations = state(model), set(vars(inside)), int(inside.iterations)
        assert iterations == 6 * number
        ends_in(end, model)
        for one, other in zip(before, state(model), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=end)
        assert model.train_function is function and model.optimizer is inside, end
        assert inside._learning_rate is rate and int(inside.iterations) == iterations, end
        assert set(vars(inside)) == own and "update_step" not in own, end
        # and it trains on as if nothing had been
        model.fit(CANCER.x_train, CANCER.y_train, batch_size=64, verbose=0)


class InterruptedAtTheEnd(keras.Sequential):
    calls = 0

    def reset_metrics(self):
        self.calls += 1
        if self.calls in (21, 22):  # after the 20 steps
            raise KeyboardInterrupt
        super().reset_metrics()


def test_ctrl_c_while_it_puts_back_what_was_there():
    model = classifier(ADAM(0.25), InterruptedAtTheEnd)
    model.optimizer.build(model.trainable_variables)
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        run(model)
    assert model.calls == 23
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_update_that_loss_scaling_skips_is_left_out():
    model = one_weight(keras.optimizers.LossScaleOptimizer(SGD(), initial_scale=2.0**127))
    result = range_test(model, (4 * ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=0.1, steps=9)
    # at first the scaled gradient, 4 times 2^127, is infinite in float32, and the optimizer halves the scale
    assert 0 < len(result.rates) < 9 and len(result.rates) == len(result.losses)
    asked = np.geomspace(1e-3, 0.1, 9)
    np.testing.assert_allclose(result.rates, asked[-len(result.rates) :], rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses), 16 * result.rates[:-1], atol=1e-5)


class Twice(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data) and super().train_step(data)


def test_a_training_step_with_two_updates():
    model = classifier(SGD(), Twice)
    np.testing.assert_allclose(run(model, steps=9).rates, np.geomspace(1e-4, 10, 9), rtol=1e-6)


class TwoOptimizers(keras.Model):
    """The hidden layer has an optimizer of its own, as the two halves of a GAN have; the updates are counted too."""

    def __init__(self, others):
        super().__init__()
        self.hidden, self.last = keras.layers.Dense(4, "tanh"), keras.layers.Dense(2)
        self.others, self.updates = others, tf.Variable(0, trainable=False)

    def call(self, x):
        return self.last(self.hidden(x))

    def train_step(self, data):
        x, y = data[0], data[1]
        with tf.GradientTape(persistent=True) as tape:
            loss = self.compute_loss(x, y, self(x))
        (other,) = self.others.values() if isinstance(self.others, dict) else [self.others]
        for optimizer, layer in ((self.optimizer, self.last), (other, self.hidden)):
            variables = layer.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
        self.updates.assign_add(1)
        return {"loss": loss}


@pytest.mark.parametrize("trained", [True, False], ids=["trained", "never built"])
@pytest.mark.parametrize(
    "others", [lambda: ADAM(0.1), lambda: {"hidden": keras.optimizers.Adagrad(0.1)}], ids=["attribute", "in a dict"]
)
def test_a_second_optimizer_is_given_back_too(others, trained):
    model = TwoOptimizers(others())
    model.compile(ADAM(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model(CANCER.x_train[:1])
    if trained:
        model.train_on_batch(CANCER.x_train[:32], CANCER.y_train[:32])
    (other,) = model.others.values() if isinstance(model.others, dict) else [model.others]
    before = [*state(model), *(v.numpy() for v in other.variables)] if trained else []
    first = run(model)
    assert len(first.rates) == 20
    after = [*state(model), *(v.numpy() for v in other.variables)] if trained else []
    for one, same in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, same)
    assert int(other.iterations) == int(model.updates) == trained
    assert float(other.learning_rate) == np.float32(0.1)
    if not trained:  # its accumulators have what they begin with
        begin = 0.1 if isinstance(other, keras.optimizers.Adagrad) else 0.0
        for slot in other.variables[2:]:
            np.testing.assert_array_equal(slot, np.float32(begin))
    # and a second test sees what the first one saw
    np.testing.assert_array_equal(run(model).losses, first.losses)


def test_training_goes_on_as_if_there_had_been_no_test():
    paths = []
    for tested in (False, True):
        model = classifier(ADAM(0.01))
        model.fit(CANCER.x_train, CANCER.y_train, batch_size=64, shuffle=False, verbose=0)
        if tested:
            run(model)
        model.fit(CANCER.x_train, CANCER.y_train, batch_size=64, shuffle=False, verbose=0)
        paths.append(state(model))
    for one, other in zip(*paths, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_was_never_built_is_built_and_fresh():
    model = keras.Sequential([keras.layers.Dense(2)])
    model.compile(ADAM(0.25), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    first, second = run(model), run(model)
    np.testing.assert_array_equal(first.losses, second.losses)
    assert int(model.optimizer.iterations) == 0
    assert float(model.optimizer.learning_rate) == 0.25
    for slot in model.optimizer.variables[2:]:
        np.testing.assert_array_equal(slot, 0)


RATES = np.geomspace(1e-6, 10, 120)


def test_a_refusal_shows():
    result = RangeTest(RATES, np.ones(120), None, *steepest_fall(RATES, np.ones(120)), None)
    assert repr(result) == (
        "<RangeTest of 120 rates, 1e-06 to 10: no suggestion, the loss never falls by more than its noise>"
    )


# What is refused

GOOD = {"model": classifier(), "data": CANCER, "batch_size": 32}


@pytest.mark.parametrize(
    ("change", "error", "fragments"),
    [
        ({"model": "model"}, TypeError, ["model must be a keras.Model"]),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, ValueError, ["model must be compiled"]),
        ({"model": classifier(SGD(gradient_accumulation_steps=2))}, ValueError, ["must not accumulate gradients"]),
        ({"data": (CANCER.x_train[:0], CANCER.y_train[:0])}, ValueError, ["x must hold at least one sample"]),
        (
            {"data": (CANCER.x_train, CANCER.y_train[:9])},
            ValueError,
            ["x and y must have equal lengths", "(343, 30)", "(9,)"],
        ),
        ({"data": (CANCER.x_train * np.nan, CANCER.y_train)}, ValueError, ["x must be finite"]),
        ({"batch_size": 344}, ValueError, ["batch_size must be at most 343", "344"]),
        ({"batch_size": 344, "by": "epoch"}, ValueError, ["batch_size must be at most 343", "344"]),
        ({"batch_size": 0}, ValueError, ["batch_size must be at least 1"]),
        ({"batch_size": "32"}, ValueError, ["batch_size must be an integer"]),
        ({"start_rate": 0}, ValueError, ["start_rate must be positive"]),
        ({"start_rate": 1e-46}, ValueError, ["start_rate must be between", "float32", "1e-46"]),
        ({"end_rate": 1e39}, ValueError, ["end_rate must be between", "float32", "1e+39"]),
        ({"end_rate": -1}, ValueError, ["end_rate must be positive"]),
        ({"end_rate": float("inf")}, ValueError, ["end_rate must be finite"]),
        ({"start_rate": 0.1, "end_rate": 0.1 * (1 + 1e-7)}, ValueError, ["end_rate must leave room for"]),
        ({"start_rate": 10.0}, ValueError, ["end_rate must be above start_rate, 10.0, got 10.0"]),
        ({"steps": 1}, ValueError, ["steps must be at least 2"]),
        ({"by": "step"}, ValueError, ["by must be 'batch' or 'epoch', got 'step'"]),
        ({"metric": "auc"}, ValueError, ["metric must be 'loss' or 'accuracy', got 'auc'"]),
        ({"metric": "accuracy"}, ValueError, ["model must be compiled with metrics=['accuracy']", "loss"]),
        ({"seed": -1}, ValueError, ["seed must be at least 0"]),
    ],
)
def test_bad_arguments_are_refused(change, error, fragments):
    refused(lambda: range_test(**{**GOOD, **change}), error, *fragments)


def test_the_old_form_is_told_the_new_one():
    for form in ((CANCER.x_train, CANCER.y_train), (CANCER, CANCER.y_train)):
        refused(
            lambda form=form: range_test(GOOD["model"], *form, batch_size=32),
            TypeError,
            "range_test(model, (x, y), batch_size=...)",
        )


def test_data_and_a_pair_of_its_training_part_are_the_same():
    model = classifier()
    one, other = (
        range_test(model, data, batch_size=32, steps=9) for data in (CANCER, [CANCER.x_train, CANCER.y_train])
    )
    np.testing.assert_array_equal(one.losses, other.losses)
