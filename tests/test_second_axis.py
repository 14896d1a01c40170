"""A sweep over a second scalar: each of its lanes is that of a sweep with this value alone."""

from lrlib.quiet import keras  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib import datasets
from lrlib.lanes import initial_weights
from lrlib.runs import load
from lrlib.shards import Unfinished
from lrlib.sweep import sweep
from lrlib.training import train
from refusal import refused

DATA = datasets.diabetes()
RATES = [0.02, 0.05]


def model_of(optimizer=None, width=3):
    layers = keras.layers.Dense(width, "tanh", name="hidden"), keras.layers.Dense(1, name="last")
    model = keras.Sequential([keras.Input((10,)), *layers, keras.layers.Identity(name="drop")])
    # a loss of which no best constant is known: a lane that learns a little has not failed
    model.compile(optimizer or keras.optimizers.SGD(), keras.losses.Huber(10.0))
    return model


def run(model=None, rates=RATES, seeds=(0, 3), steps=8, batch_size=16, **how):
    return sweep(model or model_of(), DATA, rates, seeds, steps=steps, batch_size=batch_size, **how)


def same(one, other):
    assert set(one.data_vars) == set(other.data_vars)
    for name in one.data_vars:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-5, err_msg=name)


def each_alone(runs, name, values, alone):
    assert runs.loss.dims == ("learning_rate", name, "seed", "step") and runs[name].values.tolist() == values
    for value in values:
        same(runs.sel({name: value}), alone(value))
    assert not np.allclose(runs.loss[:, 0], runs.loss[:, 1], rtol=1e-4)


SGD, ADAMW = keras.optimizers.SGD, keras.optimizers.AdamW


@pytest.mark.parametrize(
    ("kind", "name", "values", "more"),
    [
        (SGD, "momentum", [0.0, 0.9], {}),
        (SGD, "weight_decay", [0.0, 0.5], {}),
        (ADAMW, "weight_decay", [0.1, 2.0], {}),
        (ADAMW, "beta_1", [0.5, 0.9], {"clipnorm": 0.1}),
    ],
    ids=["momentum", "decay", "AdamW's decay", "beta_1"],
)
def test_a_setting_of_the_optimizer(kind, name, values, more):
    runs = run(model_of(kind(**more)), also={name: values})
    each_alone(runs, name, values, lambda value: run(model_of(kind(**more, **{name: value}))))


def test_a_parameter_of_the_schedule():
    def schedule(step, half_life=2):
        return 0.5 ** (step / half_life)

    runs, (few, many) = run(also={"half_life": [2, 4]}, schedule=schedule), (2, 4)
    each_alone(runs, "half_life", [few, many], lambda value: run(schedule=lambda step: schedule(step, value)))
    np.testing.assert_allclose(runs.applied[1, 1, 0], 0.05 * 0.5 ** (np.arange(8) / 4), rtol=1e-6)


def test_the_rate_of_a_layer():
    factors, optimizer = [1.0, 0.25, 0.0], SGD(weight_decay=0.5)
    runs = run(model_of(optimizer), also={"last": factors}, schedule=lambda step: 1 / (1 + step))
    same(
        runs.sel(last=1.0).drop_vars("applied_in_group"), run(model_of(optimizer), schedule=lambda step: 1 / (1 + step))
    )
    expected = np.multiply.outer(np.multiply.outer(RATES, factors), 1 / (1 + np.arange(8)))
    np.testing.assert_allclose(runs.applied_in_group, np.repeat(expected[:, :, None], 2, 2), rtol=1e-6)
    np.testing.assert_allclose(runs.applied[:, 1], runs.applied[:, 0])


def test_the_weights_of_a_layer_move_by_its_factor():
    model = model_of(SGD(weight_decay=0.5))
    begun, changes = initial_weights(model, 0), {}
    for factor in 1.0, 0.25:
        weights = run(model, [0.05], [0], 1, also={"last": [factor]}, weights=True).weights()
        changes[factor] = [after - before for after, before in zip(weights, begun, strict=True)]
    for place, (whole, part) in enumerate(zip(changes[1.0], changes[0.25], strict=True)):
        np.testing.assert_allclose(part, whole * (0.25 if place >= 2 else 1), rtol=1e-3, atol=1e-7)


def test_the_batch_size():
    each_alone(
        run(batch_size=None, also={"batch_size": [8, 32]}), "batch_size", [8, 32], lambda size: run(batch_size=size)
    )


def test_a_layer_of_the_same_name_may_be_another_one():
    def run_of(*names):
        layers = [keras.layers.Dense(10, name=name) for name in names]
        model = keras.Sequential([keras.Input((10,)), *layers, keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return run(model, also={"slow": [0.0]}).train_loss

    assert (run_of("slow", "fast") != run_of("fast", "slow")).all()


def test_a_parameter_of_the_model():
    runs = run(lambda width: model_of(width=width), also={"width": [2, 5]})
    each_alone(runs, "width", [2, 5], lambda width: run(model_of(width=width)))
    assert "bytes_of_lane" not in runs.attrs and runs.attrs["batch_size"] == 16


@pytest.mark.parametrize("workers, error", [(1, KeyboardInterrupt), (2, KeyboardInterrupt), (2, OSError)])
def test_ctrl_c_where_each_value_is_a_program_ends_them_all_and_keeps_what_is_done(workers, error, monkeypatch):
    calls, whole = [], run(batch_size=None, also={"batch_size": [8, 16, 32]})
    assert np.isnan(whole.constant_loss)

    def interrupted(job, lanes):
        calls.append(lanes)
        if len(calls) > 1:
            raise error
        return train(job, lanes)

    monkeypatch.setattr("lrlib.sweep.train", interrupted)
    monkeypatch.setattr("lrlib.sweep.shards.workers", lambda n_jobs: workers)  # where they are makes no difference
    if error is KeyboardInterrupt:
        with pytest.warns(UserWarning, match="^4 of 12 lanes are trained, the others are not$"):
            some = run(batch_size=None, also={"batch_size": [8, 16, 32]})
    else:
        with pytest.raises(Unfinished) as caught:
            run(batch_size=None, also={"batch_size": [8, 16, 32]})
        some = caught.value.runs
        assert type(caught.value.__cause__) is error
    assert len(calls) == 2 and some.done.sel(batch_size=8).all() and some.done.sum() == 4
    assert not some.failed.where(~some.done, False).any()
    assert some.sel(batch_size=8).equals(whole.sel(batch_size=8)) and some.sizes == whole.sizes


def test_ctrl_c_and_on_again(monkeypatch, tmp_path):
    monkeypatch.setattr("lrlib.sweep.AT_ONCE", 8)  # so many lanes in a share for each processor
    rates, axis, calls = np.geomspace(1e-3, 0.1, 20), {"momentum": [0.9, 0.0]}, []
    whole = run(rates=rates, also=axis)

    def interrupted(job, lanes):
        calls.append(lanes)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return train(job, lanes)

    with monkeypatch.context() as patch:
        patch.setattr("lrlib.sweep.train", interrupted)
        with pytest.warns(UserWarning, match="of 80 lanes are trained"):
            some = run(rates=rates, also=axis)
    assert 0 < some.done.sum() < 80 and (some.loss.notnull().all("step") == some.done).all()
    refused(lambda: run(rates=rates, also={"momentum": [0.9, 0.1]}, resume=some), ValueError, "resume must be what")
    some.save(tmp_path / "some.nc")
    rest = run(rates=rates, also=axis, resume=load(tmp_path / "some.nc"))
    assert rest.done.all()
    for name in whole.data_vars:
        np.testing.assert_array_equal(rest[name], whole[name], err_msg=name)


def test_the_weights_that_are_kept_are_those_of_the_best_lane():
    model = model_of()
    runs = run(model, also={"momentum": [0.0, 0.9]}, weights=True)
    model.set_weights(runs.weights())
    loss = model.evaluate(DATA.x_validation, DATA.y_validation, verbose=0)
    np.testing.assert_allclose(loss, runs.validation_loss.min(), rtol=1e-5)


@pytest.mark.parametrize("name", ["initial_accumulator_value", "loss_scale_factor", "gradient_accumulation_steps"])
def test_what_is_no_part_of_an_update_cannot_differ_between_lanes(name):
    model = model_of(keras.optimizers.Adagrad(loss_scale_factor=2.0, gradient_accumulation_steps=2))
    refused(lambda: run(model, also={name: [2, 3]}), ValueError, "one of the optimizer's settings", repr(name))


class Hidden(SGD):
    """Its setting is not where its name says, so a lane cannot be given another value."""

    def __init__(self, boost=1.0, **how):
        super().__init__(**how)
        self._boost = boost

    def get_config(self):
        return {**super().get_config(), "boost": self._boost}

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * self._boost, variable, learning_rate)


def test_a_setting_that_a_lane_cannot_have_is_noticed():
    refused(lambda: run(model_of(Hidden()), also={"boost": [1.0, 3.0]}), ValueError, "model must do in a sweep what")


@pytest.mark.parametrize(
    ("how", "error", "fragments"),
    [
        ({"also": {"speed": [1]}}, ValueError, ["also must name a layer", "momentum", "'speed'"]),
        ({"also": {"momentum": []}}, ValueError, ["also['momentum'] must have at least one entry"]),
        ({"also": {"momentum": [0.9, 0.9]}}, ValueError, ["also['momentum'] must all be different", "0.9"]),
        (
            {"also": {"momentum": [0.9, 0.9 + 1e-9]}},
            ValueError,
            ["also['momentum'] must be different in float32", "0.9"],
        ),
        ({"also": {"momentum": [-1.0]}}, ValueError, ["also['momentum'][0] must not be negative", "-1"]),
        (
            {"also": {"momentum": [0.9, 1.5]}},
            ValueError,
            ["also['momentum'][1] must be what the optimizer takes", "1.5"],
        ),
        ({"also": {"units": [(4,), (4, 4)]}}, TypeError, ["also['units'] must hold numbers, or texts", "(4,)"]),
        ({"also": {"units": [4, "four"]}}, TypeError, ["also['units'] must hold numbers, or texts", "'four'"]),
        ({"also": {"drop": [0.1]}}, ValueError, ["also must name a layer with weights to train, got 'drop'"]),
        ({"also": {"momentum": 0.9}}, TypeError, ["also['momentum'] must be a sequence"]),
        ({"also": {"momentum": [0.9], "last": [1]}}, ValueError, ["also must hold one name and its values"]),
        ({"also": {}}, ValueError, ["also must hold one name and its values"]),
        ({"also": "momentum"}, ValueError, ["also must hold one name and its values", "'momentum'"]),
        ({"also": {"loss": [1]}}, ValueError, ["also must name what is swept, not what the record calls so", "'loss'"]),
        ({"also": {"seed": [1]}}, ValueError, ["also must name what is swept, not what the record calls so", "'seed'"]),
        (
            {"also": {"batch_size": [8, 9999]}, "batch_size": None},
            ValueError,
            ["batch_size must be at most 266", "9999"],
        ),
        (
            {"also": {"batch_size": [8]}},
            ValueError,
            ["batch_size must not be given beside also={'batch_size': …}", "16"],
        ),
        (
            {"also": {"batch_size": [8]}, "batch_size": None, "weights": True},
            ValueError,
            ["weights and resume must not be given"],
        ),
        (
            {"also": {"batch_size": [8]}, "batch_size": None, "resume": "runs"},
            ValueError,
            ["weights and resume must not be given"],
        ),
        ({"model": lambda width: None, "also": {"width": [1]}}, TypeError, ["model must be a keras.Model", "None"]),
        ({"model": "model", "also": {"width": [1]}}, TypeError, ["or a function of width that returns one", "'model'"]),
        ({"model": model_of}, TypeError, ["model must be a keras.Model, got <function model_of"]),
    ],
)
def test_bad_arguments_are_refused(how, error, fragments):
    refused(lambda: run(**how), error, *fragments)
