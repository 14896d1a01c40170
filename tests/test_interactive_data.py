"""The data of the workbench and of the sweep explorer: what the page gets is what lrlib has."""

import gzip
import json

import numpy as np
import pytest
import xarray as xr

from lrlib import interactive, plot


def runs(rates=(0.01, 0.1, 1.0, 10.0), seeds=3, steps=130):
    """A sweep as it comes back: the best rate is 1, one seed of three fails at 10, with a loss that is not finite."""
    rates, seeds = np.array(rates), np.arange(seeds)
    far = np.abs(np.log10(rates))[:, None, None]
    loss = (0.1234567 + far) * (1 + seeds[:, None] / 100) * np.exp(-np.arange(steps) / 50)
    failed = np.zeros((len(rates), len(seeds)), bool)
    failed[-1, 2] = True
    loss[-1, 2, 40:] = np.inf
    losses = {f"{part}_loss": (("learning_rate", "seed"), loss[..., -1]) for part in ("test", "validation", "train")}
    data = {"loss": (("learning_rate", "seed", "step"), loss), "failed": (("learning_rate", "seed"), failed), **losses}
    coords = {"learning_rate": rates, "seed": seeds, "step": np.arange(steps)}
    return xr.Dataset(data, coords, {"constant_loss": 2.302585})


def data_of(figure):
    return json.loads(figure.data.replace("<\\/", "</"))


def test_the_workbench_has_the_fields_of_the_classes():
    data = data_of(interactive.decays(steps=300, initial_learning_rate=0.1))
    entries = {entry["name"]: entry for entry in data["decays"]}
    assert list(entries["exponential"]["parameters"]) == [
        "initial_learning_rate",
        "decay_steps",
        "decay_rate",
        "staircase",
    ]
    assert "staircase" not in entries["step"]["parameters"]
    assert {entry["parameters"]["initial_learning_rate"]["value"] for entry in entries.values()} == {0.1}
    assert entries["exponential"]["parameters"]["decay_steps"]["value"] == 75
    assert "late" not in entries["constant"] and entries["late"]["late"] == 0.8
    for name, entry in entries.items():
        assert entry["colour"] == plot.COLOUR.get(name, plot.INK)
        for about in entry["parameters"].values():
            assert about["value"] in (True, False) or about["low"] <= about["value"] <= about["high"]


@pytest.mark.parametrize(
    "wrong", [{"steps": 119}, {"steps": 600.5}, {"initial_learning_rate": 2.0}, {"chosen": "cosines"}]
)
def test_a_workbench_refuses(wrong):
    (name,) = wrong
    with pytest.raises((TypeError, ValueError), match=name):
        interactive.decays(**wrong)


def test_a_sweep_is_recorded_in_few_digits():
    figure = interactive.sweep(runs())
    (sweep,) = data_of(figure)["sweeps"]
    assert figure.recorded
    assert (sweep["rates"], sweep["window"], sweep["steps"], sweep["best"]) == ([0.01, 0.1, 1, 10], 3, 130, 2)
    assert sweep["failed"] == [[], [], [], [2]]
    assert sweep["kinds"] == plot.meanings(runs(), "test_loss")
    np.testing.assert_allclose(sweep["losses"][2], runs().test_loss[2], rtol=5e-3)
    curves = sweep["curves"][0][1]
    assert len(curves) == 43
    np.testing.assert_allclose(curves, runs().loss[0, 1, :129].values.reshape(43, 3).mean(axis=1), rtol=5e-3)
    assert sweep["curves"][3][2][12:15] == [pytest.approx(1.123 * 1.02 * np.exp(-37 / 50), rel=5e-3), None, None]
    assert sweep["losses"][3][2] is None


def test_the_order_of_rates_and_dimensions_does_not_matter():
    turned = runs().isel(learning_rate=[3, 1, 2, 0]).transpose("seed", "step", "learning_rate")
    (sweep,) = data_of(interactive.sweep(turned))["sweeps"]
    assert sweep["rates"] == [0.01, 0.1, 1, 10] and sweep["failed"] == [[], [], [], [2]]


def test_several_sweeps_and_a_rate_to_begin_with():
    data = data_of(interactive.sweep({"SGD": runs(), "Adam": runs()}, learning_rate=0.09))
    assert [sweep["name"] for sweep in data["sweeps"]] == ["SGD", "Adam"]
    assert data["chosen"] == 1


def test_a_sweep_explorer_shows_a_loss():
    with pytest.raises(ValueError, match="measure must be a loss"):
        interactive.sweep(runs(), "test_accuracy")


def test_a_large_sweep_is_light():
    random = np.random.default_rng(0)
    many = runs(10 ** np.linspace(-3, 2, 21), seeds=8, steps=200)
    many["loss"] = many.loss * np.exp(0.3 * random.normal(size=many.loss.shape))
    assert len(gzip.compress(interactive.sweep(many).data.encode())) < 60_000 / 2
