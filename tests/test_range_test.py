"""The range test applies the rates that it reports, gives the model back, and refuses where there is nothing to see."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib import ExponentialDecay, datasets
from lrlib.datasets import batches
from lrlib.keras import KerasSchedule
from lrlib.range_test import RangeTest, range_test
from refusal import refused

CANCER = datasets.breast_cancer()
SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam
# Made once: of arrays Keras makes such batches at every fit, which costs more than to train on them.
EPOCH = tf.data.Dataset.from_tensor_slices((CANCER.x_train, CANCER.y_train)).batch(64)


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
    np.testing.assert_allclose(-np.diff(result.losses[0]), result.rates[:-1], atol=1e-6)
    assert result.losses[0, 0] == 1 and result.stopped is None


class Scaled(SGD):
    """Hands half of the rate to the update, as optimizers do that scale it by themselves."""

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        super()._backend_update_step(grads, trainable_variables, 0.5 * learning_rate)


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_what_is_recorded_is_what_the_update_received_and_not_what_was_asked_for(by):
    data = (ONES[:2], ONES[:2])
    result = range_test(one_weight(Scaled(0.25)), data, batch_size=2, start_rate=1e-3, end_rate=0.1, steps=9, by=by)
    np.testing.assert_allclose(result.rates, np.geomspace(1e-3, 0.1, 9) / 2, rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses[0]), result.rates[:-1], atol=1e-6)


def test_by_epoch_a_rate_holds_for_an_epoch_and_the_loss_is_the_mean_of_its_batches():
    result = range_test(one_weight(), (ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=0.1, steps=5, by="epoch")
    rates = np.geomspace(1e-3, 0.1, 5)
    weights = 1 - np.cumsum([0, *np.repeat(rates, 3)])
    np.testing.assert_allclose(result.rates, rates, rtol=1e-6)
    np.testing.assert_allclose(result.losses[0], weights[:-1].reshape(5, 3).mean(axis=1), atol=1e-6)


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
        losses.append(model.compute_loss(x, y, model(x)))
        model.optimizer.learning_rate = rate
        model.train_on_batch(x, y)
    assert len(result.rates) == 10
    np.testing.assert_allclose(result.losses, [losses], rtol=1e-4)


def test_the_accuracy():
    model, how = classifier(metrics=["accuracy"]), {"batch_size": 64, "steps": 40, "end_rate": 1.0}
    by_loss, by_accuracy = run(model, **how), run(model, metric="accuracy", **how)
    assert by_loss.accuracies is None
    np.testing.assert_array_equal(by_loss.losses, by_accuracy.losses)
    hits = by_accuracy.accuracies[0] * 64
    np.testing.assert_allclose(hits, np.round(hits), atol=1e-4)
    assert by_accuracy.accuracies[0, 0] < 0.8 < 0.9 < by_accuracy.accuracies.max()
    assert "the error rate has not risen again" in by_accuracy.reason


def test_the_suggestion_is_near_the_best_rate():
    """On digits a sweep finds the best constant rate of this network near 1."""
    digits = datasets.digits()
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64, "tanh"), keras.layers.Dense(10)])
    model.compile(SGD(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for how in ({}, {"by": "epoch", "steps": 15, "start_rate": 1e-4}):
        result = range_test(model, digits, batch_size=64, **how)
        assert 0.05 < result.suggestion < 1.5
        assert np.isclose(result.rates, result.suggestion).any()


# The end


def test_it_stops_when_the_loss_has_diverged():
    x, y = np.ones((8, 1)), np.array([4.0, 6.0] * 4)  # no weight fits all
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(SGD(), "mse")
    for by in ("batch", "epoch"):
        result = range_test(model, (x, y), batch_size=2, start_rate=1e-3, end_rate=1e3, by=by)
        assert result.stopped == "diverged" and 5 < len(result.rates) == result.losses.shape[1] < 100
        assert result.losses[0, -1] > max(4 * result.losses.min(), result.losses[0, 0])
        assert np.isfinite(result.losses).all()
        assert "diverged" in repr(result)
    # an epoch is judged by its own loss: it is the first one so high
    before = result.losses[0, :-1]
    assert (before <= np.maximum(4 * np.minimum.accumulate(before), before[0])).all()


def test_a_loss_below_zero_has_not_diverged_where_it_scatters():
    x, y = np.ones((8, 1)), np.array([4.0, 6.0] * 4)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(SGD(), lambda y, outputs: keras.ops.square(y - outputs)[:, 0] - 1000)
    result = range_test(model, (x, y), batch_size=1, start_rate=1e-3, end_rate=1e3)
    assert result.stopped == "diverged" and len(result.rates) > 50 and result.losses[0, -1] > 1000


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_it_stops_when_the_loss_is_not_finite(by):
    model = one_weight()
    # the loss becomes log(w), NaN as soon as w is negative
    model.compile(SGD(), lambda _, output: keras.ops.mean(keras.ops.log(output)))
    result = range_test(model, (ONES, ONES), batch_size=2, start_rate=1e-3, end_rate=10, steps=50, by=by)
    assert result.stopped == "not finite" and len(result.rates) == result.losses.shape[1] < 50
    assert not np.isfinite(result.losses[0, -1]) and np.isfinite(result.losses[0, :-1]).all()


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

    def reset_metrics(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        super().reset_metrics()


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
    "optimizer", [lambda: SGD(0.25, momentum=0.9), lambda: ADAM(KerasSchedule(ExponentialDecay(0.3, 5, 0.5)))]
)
def test_everything_is_as_it_was(optimizer):
    model = classifier(optimizer(), Interrupted, metrics=["accuracy"])
    model.fit(EPOCH, shuffle=False, verbose=0)
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
        model.fit(EPOCH, shuffle=False, verbose=0)


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
    assert 0 < len(result.rates) < 9 and len(result.rates) == result.losses.shape[1]
    asked = np.geomspace(1e-3, 0.1, 9)
    np.testing.assert_allclose(result.rates, asked[-len(result.rates) :], rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses[0]), 16 * result.rates[:-1], atol=1e-5)


# Whatever fit trains on


def pieces(number=None):
    """The batches of run, one after the other."""
    order = batches(len(CANCER.x_train), 32, number or 40, seed=0)
    return [(CANCER.x_train[chosen], CANCER.y_train[chosen]) for chosen in order]


class Pieces(keras.utils.PyDataset):
    def __len__(self):
        return 5

    def __getitem__(self, place):
        return pieces(5)[place]


def test_other_data_train_as_arrays_do():
    model = classifier()
    losses = run(model).losses
    assert losses.shape == (1, 20)
    x, y = (np.concatenate(part) for part in zip(*pieces(), strict=True))
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    for data in (pieces(), iter(pieces()), dataset, dataset.take(20), ((x, y, np.ones(32)) for x, y in pieces())):
        found = range_test(model, data, start_rate=1e-4, steps=20)
        np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
        assert found.stopped is None


def test_by_epoch_a_rate_holds_for_a_pass_through_the_data():
    for data in ([(ONES[:2], ONES[:2])] * 3, tf.data.Dataset.from_tensor_slices((ONES, ONES)).batch(2)):
        how = {"start_rate": 1e-3, "end_rate": 0.1, "steps": 5, "by": "epoch"}
        one, other = range_test(one_weight(), data, **how), range_test(one_weight(), (ONES, ONES), batch_size=2, **how)
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-6)
    assert range_test(classifier(), Pieces(), start_rate=1e-4, steps=5, by="epoch").losses.shape == (1, 5)


def test_an_iterator_that_ends_ends_the_test():
    result = range_test(classifier(), iter(pieces(9)), start_rate=1e-4, steps=20)
    assert result.stopped == "out of data" and len(result.rates) == 9
    assert result.suggestion is None and result.reason.endswith("; the data ended before the rates did")
    assert "out of data" in repr(result)


def test_a_single_batch_is_seen_again_and_again_and_batches_may_change_their_shape():
    assert len(range_test(classifier(), pieces(1), start_rate=1e-4, end_rate=0.1, steps=20).rates) == 20
    growing = ((CANCER.x_train[:n], CANCER.y_train[:n]) for n in range(9, 99))
    assert len(range_test(classifier(), growing, start_rate=1e-4, end_rate=0.1, steps=20).rates) == 20


def test_weights_of_samples_and_classes_count():
    half = np.where(CANCER.y_train == 1, 0.5, 1.0)
    by_sample = range_test(classifier(), (CANCER.x_train, CANCER.y_train, half), batch_size=32, steps=9)
    by_class = run(classifier(), start_rate=1e-7, steps=9, class_weight={1: 0.5})
    np.testing.assert_allclose(by_sample.losses, by_class.losses, rtol=1e-6)
    assert (by_class.losses[0, 0] < run(classifier(), steps=9).losses[0, 0]).all()


def two_inputs_and_outputs(kind):
    inputs = {name: keras.Input(shape, name=name) for name, shape in (("few", (10,)), ("many", (20,)))}
    both = keras.layers.Concatenate()(list(inputs.values()))
    outputs = {"kind": keras.layers.Dense(2, name="kind")(both), "size": keras.layers.Dense(1, name="size")(both)}
    losses = {"kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"}
    as_kind = dict if kind == "dict" else lambda parts: list(parts.values())
    model = keras.Model(as_kind(inputs), as_kind(outputs))
    model.compile(SGD(), as_kind(losses), loss_weights=as_kind({"kind": 1.0, "size": 0.5}))
    x, y = CANCER.x_train, CANCER.y_train
    return model, (as_kind({"few": x[:, :10], "many": x[:, 10:]}), as_kind({"kind": y, "size": y}))


@pytest.mark.parametrize("kind", ["dict", "list"])
def test_several_inputs_and_outputs(kind):
    model, (x, y) = two_inputs_and_outputs(kind)
    result = range_test(model, (x, y), batch_size=32, start_rate=1e-4, end_rate=0.1, steps=5)
    chosen = batches(len(CANCER.x_train), 32, 1, seed=0)[0]
    first = [tf.nest.map_structure(lambda part: part[chosen], part) for part in (x, y)]
    np.testing.assert_allclose(
        result.losses[0, 0], model.evaluate(*first, verbose=0, return_dict=True)["loss"], rtol=1e-5
    )


def test_texts_and_ids_go_in_as_they_are():
    """With the weights 1, 2 the loss is 0 only if each name is known: 2^24 + 1 is no float32."""
    for dtype, names in (("string", ["red", "blue"]), ("int64", [2**24, 2**24 + 1])):
        kind = keras.layers.StringLookup if dtype == "string" else keras.layers.IntegerLookup
        lookup = kind(vocabulary=names, output_mode="one_hot", num_oov_indices=0)
        model = keras.Sequential([keras.Input((1,), dtype=dtype), lookup, keras.layers.Dense(1, use_bias=False)])
        model.compile(SGD(), "mse")
        model.set_weights([np.array([[1.0], [2.0]])])
        result = range_test(model, (np.array(names * 8)[:, None], [1.0, 2.0] * 8), batch_size=8, steps=3)
        np.testing.assert_array_equal(result.losses, 0)


def test_the_sample_that_is_not_finite_is_blamed_and_not_the_rate():
    broken = [(x.copy(), y) for x, y in pieces(9)]
    broken[6][0][3, 5] = np.nan
    refused(
        lambda: range_test(classifier(), broken, start_rate=1e-4, steps=9), ValueError, "a batch holds NaN or infinity"
    )


# However a model trains


@pytest.mark.parametrize("by", ["batch", "epoch"])
def test_with_accumulated_gradients_a_rate_holds_for_an_update(by):
    """The gradient is 1 in every batch, so an update of three batches moves the weight by the rate, once."""
    model = one_weight(SGD(0.25, gradient_accumulation_steps=3))
    model.fit(ONES, ONES, batch_size=6, epochs=2, verbose=0)  # two of three are put by
    before = state(model)
    how = {"batch_size": 2, "start_rate": 1e-3, "end_rate": 0.1, "steps": 9, "by": by}
    result = range_test(model, (ONES, ONES), **how)
    np.testing.assert_allclose(result.rates, np.geomspace(1e-3, 0.1, 9), rtol=1e-6)
    np.testing.assert_allclose(-np.diff(result.losses[0]), result.rates[:-1], atol=1e-6)
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("how", [{"steps_per_execution": 7}, {"run_eagerly": True}, {"jit_compile": True}])
def test_the_ways_of_compiling(how):
    model = classifier()
    model.layers[1].rate = 0.0  # a compiler draws other numbers
    losses = run(model, steps=9).losses
    model.compile(SGD(), model.loss, **how)
    np.testing.assert_allclose(run(model, steps=9).losses, losses, rtol=1e-4)


def test_mixed_precision():
    layers = [keras.Input((30,)), keras.layers.Dense(8, dtype="mixed_float16"), keras.layers.Dense(2, dtype="float32")]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.LossScaleOptimizer(ADAM(gradient_accumulation_steps=2)), loss)
    result = run(model, end_rate=0.1)
    assert 15 < len(result.rates) <= 20 and np.isfinite(result.losses).all()


class Autoencoder(keras.Model):
    """Without labels, without call, and not built: as in Keras's own examples."""

    def __init__(self, name="loss"):
        super().__init__()
        self.inner, self.outer = keras.layers.Dense(3), keras.layers.Dense(30)
        self.tracker = keras.metrics.Mean(name=name)

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((self.outer(self.inner(data)) - data) ** 2)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.tracker.update_state(loss)
        return {self.tracker.name: self.tracker.result()}


def test_a_training_step_of_one_s_own_on_samples_alone():
    model = Autoencoder()
    model.compile(ADAM())
    first = range_test(model, CANCER.x_train, batch_size=32, steps=9)
    for data in ((CANCER.x_train,), (CANCER.x_train, None)):
        np.testing.assert_array_equal(range_test(model, data, batch_size=32, steps=9).losses, first.losses)
    assert int(model.optimizer.iterations) == 0 and not model.tracker.result()


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
        model.fit(EPOCH, shuffle=False, verbose=0)
        if tested:
            run(model)
        model.fit(EPOCH, shuffle=False, verbose=0)
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
    result = RangeTest(RATES, np.ones((1, 120)))
    assert repr(result) == ("<RangeTest of 120 rates, 1e-06 to 10: no suggestion, the loss never falls>")


# Repeats


def test_repeats_start_from_the_model_and_differ_in_the_order_of_the_samples():
    """In tests/test_repeats.py they are the same side by side."""
    model = classifier(ADAM())
    model.fit(EPOCH, shuffle=False, verbose=0)
    before = state(model)
    model.layers[1].rate = 0.0
    result = run(model, steps=5, repeats=2, seed=5)
    assert result.ended == (None, None) and "5 rates, 0.0001 to 10, 2 times" in repr(result)
    alone = [run(model, steps=5, seed=seed).losses[0] for seed in (5, 6)]
    np.testing.assert_allclose(result.losses, alone, rtol=1e-4)
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_layers_draw_other_numbers_in_each_repeat():
    model = keras.Sequential([keras.Input((30,)), keras.layers.Dropout(0.5), keras.layers.Dense(2)])
    model.compile(SGD(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    result = range_test(model, pieces(1), start_rate=1e-4, steps=5, repeats=3)
    assert len(set(result.losses[:, 0])) == 3
    np.testing.assert_array_equal(
        range_test(model, pieces(1), start_rate=1e-4, steps=5, repeats=3).losses, result.losses
    )


def test_a_repeat_that_stops_before_the_others_has_nan_behind():
    flat, steep = (np.full((8, 1), value, "float32") for value in (1.0, 30.0))
    batches_of_repeats = [(flat, flat)] * 30 + [(steep, flat)] * 30
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(SGD(), "mse")
    result = range_test(model, iter(batches_of_repeats), start_rate=1e-3, end_rate=1.0, steps=30, repeats=2)
    assert result.ended == (None, "diverged") and result.stopped is None
    assert result.losses.shape == (2, 30) and np.isfinite(result.losses[0]).all()
    (last,) = np.flatnonzero(np.diff(np.isnan(result.losses[1])))
    assert 3 < last < 20 and np.isnan(result.losses[1, last + 1 :]).all()


def test_it_draws_itself():
    result = RangeTest(RATES, np.stack([1 / (1 + RATES)] * 2), ended=(None, None))
    assert "learning rate" in result.plot().axes[0].get_xlabel()
    assert result.suggest().learning_rate == result.suggestion


# What is refused


def compiled(model):
    model.compile(SGD())
    return model


def frozen():
    model = classifier()
    model.trainable = False
    return model


GOOD = {"model": classifier(), "data": CANCER, "batch_size": 32}


@pytest.mark.parametrize(
    ("change", "error", "fragments"),
    [
        ({"model": "model"}, TypeError, ["model must be a keras.Model"]),
        ({"model": keras.Sequential([keras.layers.Dense(1)])}, ValueError, ["model must be compiled"]),
        ({"data": (CANCER.x_train[:0], CANCER.y_train[:0])}, ValueError, ["x must hold at least one sample"]),
        (
            {"data": (CANCER.x_train, CANCER.y_train[:9])},
            ValueError,
            ["x and y must have equal lengths", "(343, 30)", "(9,)"],
        ),
        (
            {"data": (CANCER.x_train * np.nan, CANCER.y_train)},
            ValueError,
            ["data must be finite, but a batch holds NaN"],
        ),
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
        ({"repeats": 0}, ValueError, ["repeats must be at least 1"]),
        ({"fresh_weights": 1}, TypeError, ["fresh_weights must be True or False"]),
        ({"batch_size": None}, ValueError, ["batch_size must be given for arrays"]),
        ({"data": iter([]), "batch_size": None}, ValueError, ["data must hold at least one batch"]),
        ({"data": [], "batch_size": None}, ValueError, ["data must hold at least one batch"]),
        (
            {"data": iter([]), "batch_size": None, "by": "epoch"},
            ValueError,
            ["by must be 'batch' for data without an end"],
        ),
        ({"data": CANCER.x_train}, ValueError, ["data must hold labels"]),
        ({"model": frozen()}, ValueError, ["model must have weights to train, but all its layers are frozen"]),
        (
            {"model": compiled(Autoencoder("error")), "data": CANCER.x_train},
            ValueError,
            ["report a loss", "reports error"],
        ),
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
