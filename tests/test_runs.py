"""The record of a sweep chooses a rate and says how sure it is, and a file gives back what was saved."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest
import xarray as xr

import lrlib.runs as module
from lrlib.claims import Claim
from lrlib.runs import BestRate, Runs, best_rate, load
from lrlib.suggestion import Suggestion
from refusal import refused


def chosen_from(values, rates=None, failed=None, attrs=None, **more):
    """What a sweep gives, as far as the choice sees it: values[rate, seed]."""
    values = np.asarray(values, dtype=float)
    rates = 10.0 ** np.arange(len(values)) if rates is None else rates
    failed = np.zeros(values.shape, bool) if failed is None else failed
    names = ("learning_rate", "seed")
    results = {"validation_loss": (names, values), "failed": (names, failed)}
    results |= {name: (names, other) for name, other in more.items()}
    return Runs(results, {"learning_rate": rates, "seed": np.arange(values.shape[1])}, attrs)


def recorded(rates=4, seeds=3, steps=5):
    """Runs with all that a file must keep: NaN of two kinds, infinity, -0, every type, texts and numbers."""
    draw = np.random.default_rng(0)
    loss = draw.random((rates, 2, seeds, steps), dtype=np.float32)
    loss.view(np.uint32)[0, 0, 0, :4] = 0xFFC00000, 0x7FC00001, 0x7F800000, 0x80000000
    lanes = ("learning_rate", "momentum", "seed")
    final = draw.random(loss.shape[:3])
    return Runs(
        {
            "loss": ((*lanes, "step"), loss),
            "validation_loss": (lanes, final),
            "failed": (lanes, final > 0.9),
            "done": (lanes, np.ones(final.shape, bool)),
            "first_failed": (lanes, (100 * final).astype(np.int32)),
        },
        {
            "learning_rate": np.geomspace(1e-3, 1.0, rates),
            "momentum": [0.0, 0.9],
            "seed": [0, 7, 2**40][:seeds],
            "step": np.arange(steps),
            "data": "digits",
        },
        {
            "model": '{"layers": [64, 10]}',
            "schedule": "≥ 1 × é",
            "batch_size": 32,
            "constant_loss": 0.1,
            "no": "",
            "seeds": [7],
        },
    )


# The type


@pytest.mark.parametrize(
    "select",
    [
        lambda runs: runs.sel(seed=[0]),
        lambda runs: runs.isel(seed=slice(2)),
        lambda runs: runs.isel(learning_rate=0),
        lambda runs: runs.sortby("learning_rate", ascending=False),
        lambda runs: runs.mean("seed"),
        lambda runs: runs.median("seed"),
        lambda runs: runs.transpose("seed", ...),
        lambda runs: runs.assign(more=1),
        lambda runs: runs[["validation_loss", "failed"]],
        lambda runs: runs.thin(step=2),
        lambda runs: xr.concat([runs, runs.assign_coords(seed=[8, 9, 10])], "seed"),
        copy.deepcopy,
        lambda runs: pickle.loads(pickle.dumps(runs)),
    ],
)
def test_what_selects_or_reduces_gives_runs_that_say_how_they_were_made(select):
    runs = recorded()
    assert type(select(runs)) is Runs and select(runs).attrs.keys() == runs.attrs.keys()


def test_a_condition_gives_a_dataset_of_which_runs_can_be_made():
    runs = chosen_from([[3.0], [1.0], [2.0], [4.0]], attrs={"batch_size": 32})
    kept = runs.where(runs.learning_rate < 1000, drop=True)
    assert type(kept) is xr.Dataset and best_rate(kept).learning_rate == 10
    assert best_rate(runs.where(runs.learning_rate != 10)).learning_rate == 100
    # what it left out was not tried, so that the edge is where it ends, and seeds that it left out are not missed
    refused(lambda: best_rate(runs.where(runs.learning_rate < 100)), ValueError, "must go on beyond 10, the highest")
    two = chosen_from([[5.0, 5], [1, 9], [3, 3]], done=np.ones((3, 2), bool))
    assert best_rate(two.where(two.seed == 0)).learning_rate == best_rate(two.reindex(seed=[0, 7])).learning_rate == 10
    assert Runs(kept.data_vars, kept.coords).plot().axes[0].get_ylabel() == "validation loss"
    assert Runs(kept.data_vars, kept.coords, kept.attrs).identical(kept) and kept.attrs == {"batch_size": 32}


# The choice


def test_the_best_rate_is_the_one_with_the_lowest_mean():
    runs = chosen_from([[3, 3], [2, 4], [1, 2], [2, 1.2], [9, 9]])
    best = best_rate(runs)
    assert dataclasses.astuple(best)[:4] == (100.0, 2, 100.0, 1000.0) and best == runs.best()
    assert str(best) == "best rate 1e+02 (1e+02–1e+03), valley 1e+02–1e+03, ×10"
    assert best_rate(runs.sel(seed=[1])).learning_rate == 1000


@pytest.mark.parametrize("how", ["NaN", "infinite", "failed"])
def test_a_rate_of_which_one_run_of_eight_failed_is_never_the_best(how):
    """Its other seven are far better, and .mean("seed") would skip a NaN."""
    values, failed = np.full((5, 8), 0.5), np.zeros((5, 8), bool)
    values[[0, 4]], values[3] = 0.9, 0.01
    values[2, 2] = 0.4
    if how == "failed":
        failed[3, 6] = True
    else:
        values[3, 6] = np.nan if how == "NaN" else np.inf
    best = best_rate(chosen_from(values, failed=failed))
    assert best.index == 2 and (best.low, best.high) == (10, 100) and best.interval_high == 100
    refused(
        lambda: best_rate(chosen_from(values, failed=np.eye(5, 8, dtype=bool))), ValueError, "each had a failed run"
    )


@pytest.mark.parametrize(
    ("values", "edge"),
    [
        (
            [[1], [2], [3]],
            "1, the lowest and best: try 0.1, since a better one may lie outside",
        ),
        (
            [[3], [2], [1]],
            "100, the highest and best: try 1000, since a better one may lie outside",
        ),
        ([[1]], "1, the lowest"),
    ],
)
def test_a_best_rate_on_the_edge_is_refused(values, edge):
    refused(lambda: best_rate(chosen_from(values)), ValueError, f"learning_rates must go on beyond {edge}")


def test_rates_in_any_order():
    values, rates = np.array([[5.0], [1.05], [4.0], [1.0], [1.2]]), np.array([0.001, 0.03, 3.0, 0.1, 0.01])
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [3, 0, 1, 4, 2]):
        runs = chosen_from(values[order], rates[order])
        best = best_rate(runs)
        assert best.learning_rate == 0.1 == runs.learning_rate[best.index]
        assert (best.low, best.high) == (0.03, 0.1)
        assert float(runs.isel(learning_rate=best.index).validation_loss[0]) == 1.0


def test_the_valley_ends_where_a_mean_is_more_than_a_tenth_above():
    runs = chosen_from([[1.05], [1.2], [1.1], [1.0], [1.09], [1.11], [1.0001]])
    best = best_rate(runs)
    assert (best.index, best.low, best.high, best.width) == (3, 100, 10_000, 100)
    # it may reach the edge, though the best rate may not lie there
    assert best_rate(chosen_from([[1.05], [1.0], [1.09]])) == BestRate(10, 1, 1, 100)


@pytest.mark.parametrize(
    "record",
    [BestRate(10, 1, 1, 100), Suggestion(None, np.nan, np.nan, "no"), Claim("a < b", np.inf, np.nan, 5, 5, 0.03, 0.1)],
)
def test_records_that_say_the_same_are_equal_where_a_number_is_unknown(record):
    again = pickle.loads(pickle.dumps(record))
    assert again == record and hash(again) == hash(record)
    name = dataclasses.fields(record)[0].name
    assert dataclasses.replace(record, **{name: 0.5}) != record != dataclasses.astuple(record)


def test_an_accuracy_is_best_where_the_errors_are_fewest():
    accuracy = np.array([[0.5], [0.9], [0.989], [0.99], [0.98]])
    runs = chosen_from(np.ones((5, 1)), validation_accuracy=accuracy, train_loss=-accuracy)
    best = best_rate(runs, "validation_accuracy")
    # 1.1 % of errors are within a tenth of 1 %; 2 % are not, though 98 % are within a tenth of 99 %
    assert best.index == 3 and (best.low, best.high) == (100, 1000)
    assert runs.best("train_loss").index == 3


@pytest.mark.parametrize("measure", ["test_loss", "test_accuracy", "loss", "failed", "validation_accuracy", "", None])
def test_what_a_rate_is_not_chosen_by(measure):
    runs = chosen_from([[2], [1], [2]], test_loss=[[2], [1], [2]], test_accuracy=[[0], [1], [0]])
    refused(
        lambda: best_rate(runs, measure), ValueError, "measure must be one of validation_loss, got", f"got {measure!r}"
    )


def test_a_table_of_losses_is_no_sweep():
    refused(lambda: best_rate([[2.0], [1.0], [2.0]]), TypeError, "runs must be what sweep returned, got [[2.0]")


@pytest.mark.parametrize("reduced", [lambda runs: runs.isel(seed=0), lambda runs: runs.mean("seed")])
def test_one_seed_without_its_dimension_is_no_sweep(reduced):
    runs = chosen_from([[2], [1], [2]])
    refused(
        lambda: reduced(runs).best(), ValueError, "runs must have several learning rates and seeds", "got learning_rate"
    )


def test_sweeps_that_were_joined():
    coarse = chosen_from([[5, 5], [1, 1], [0.5, 0.5], [3, 3]], done=np.ones((4, 2), bool))
    finer = chosen_from([[2, 2, 2], [0.9, 0.9, 0.9], [2, 2, 2]], [3.0, 12.0, 30.0], done=np.ones((3, 3), bool))
    joined = xr.concat([coarse, finer], "learning_rate", join="outer")
    refused(joined.best, ValueError, "runs must have each seed under each learning rate, but 4 are missing: sel(seed=[")
    assert joined.sel(seed=[0, 1]).best().learning_rate == 100
    twice = xr.concat([coarse, coarse.isel(learning_rate=[2])], "learning_rate").assign_attrs(constant_loss=9.0)
    for ask in twice.best, lambda: twice.sensitivity(decades=1):
        refused(ask, ValueError, "learning_rates must all be different, got 100 more than once: drop_duplicates(")
    assert twice.drop_duplicates("learning_rate").best() == coarse.best()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda runs: runs[["validation_loss"]], "runs must say which of them failed, got validation_loss without"),
        (lambda runs: runs.isel(seed=[]), "runs must have at least one learning rate and one seed, got none"),
        (lambda runs: runs.drop_vars("learning_rate"), "learning_rates must be positive numbers, got 0"),
        (lambda runs: runs.assign_coords(learning_rate=["a", "b", "c"]), "must be positive numbers, got 'a'"),
    ],
)
def test_what_is_left_of_a_sweep_is_too_little(made, said):
    refused(made(chosen_from([[2], [1], [2]])).best, ValueError, said)


# How sure


def test_the_interval_is_where_other_seeds_put_the_best_rate():
    """Of five seeds four favour 10, one 100, by so much that it decides wherever it is drawn twice or more."""
    values = np.array([[9.0] * 5, [1.0, 1, 1, 1, 2], [2.0, 2, 2, 2, -1.5], [9.0] * 5])
    best = best_rate(chosen_from(values))
    assert (best.learning_rate, best.interval_low, best.interval_high) == (10, 10, 100)
    # that seed is drawn twice or more with the probability 1 - 0.8⁵ - 0.8⁴ = 0.26; never in nine tenths of the draws
    sure = best_rate(chosen_from(values[:, :4]))
    assert (sure.interval_low, sure.interval_high) == (10, 10) and str(sure).startswith("best rate 10 (10–10), ")


def test_the_interval_is_that_of_another_bootstrap():
    draw = np.random.default_rng(1)
    grid = np.arange(-4.0, 5.0)
    values = 0.02 * (grid[:, None] - draw.normal(0, 2, 12)) ** 2 + 1
    best, rates = best_rate(chosen_from(values)), 10.0 ** np.arange(9)
    drawn = [values[:, draw.integers(0, 12, 12)].mean(axis=1).argmin() for _ in range(20_000)]
    for end, share in ((best.interval_low, 0.05), (best.interval_high, 0.95)):
        at = rates.tolist().index(end)  # so many draws lie below it, and up to it
        assert np.mean(np.array(drawn) < at) <= share + 0.02 and np.mean(np.array(drawn) <= at) >= share - 0.02
    assert best.interval_low < best.interval_high
    assert best == best_rate(chosen_from(values))


def test_one_seed_tells_nothing_about_others():
    best = best_rate(chosen_from([[2], [1], [2]]))
    assert math.isnan(best.interval_low) and math.isnan(best.interval_high)
    assert str(best) == "best rate 10, valley 10–10, ×1"


# A second axis


def by_momentum(values, momentum=(0.0, 0.5, 0.9), name="momentum"):
    """Runs from values[rate, momentum], for two seeds."""
    values = np.asarray(values, float)[..., None] + [0.0, 0.01]
    lanes = ("learning_rate", name, "seed")
    results = {"validation_loss": (lanes, values), "failed": (lanes, values > 8)}
    return Runs(results, {"learning_rate": 10.0 ** np.arange(len(values)), name: list(momentum), "seed": [0, 1]})


def test_weights_that_the_record_holds_are_no_axis():
    runs = chosen_from([[3.0, 3.0], [1.0, 2.0], [9.0, 9.0]])
    held = runs.assign(weight_0=(("weight_0_0", "weight_0_1"), np.ones((4, 2))))
    assert held.best() == runs.best() and held.best().axis == ""
    assert held.plot().axes[0].get_xlabel() == "learning rate"


def test_with_a_second_axis_the_best_pair_is_chosen():
    runs = by_momentum([[5, 5, 5], [4, 3, 1.05], [2, 1, 3], [3, 2, 9]])
    best = runs.best()
    assert (best.learning_rate, best.index, best.axis, best.value) == (100, 2, "momentum", 0.5) and not best.on_edge
    assert (best.low, best.high, best.interval_low, best.interval_high) == (100, 100, 100, 100)
    assert str(best) == "best rate 1e+02 (1e+02–1e+02), valley 1e+02–1e+02, ×1, momentum 0.5"
    assert str(dataclasses.replace(best, value=0.1 + 0.2)).endswith("momentum 0.3")
    assert float(runs.isel(learning_rate=best.index).sel({best.axis: best.value}).validation_loss[0]) == 1
    for order in ("seed", "momentum", "learning_rate"), ("momentum", "seed", "learning_rate"):
        assert runs.transpose(*order).best() == best
    assert runs.sel(momentum=0.9).best().learning_rate == 10


def test_the_edge_of_the_second_axis_is_said_but_that_of_the_rate_is_refused():
    runs = by_momentum([[5, 5, 5], [4, 3, 1], [2, 2, 3], [3, 2, 9]])
    assert runs.best().on_edge and str(runs.best()).endswith(", momentum 0.9, on the edge")
    back = runs.isel(momentum=[2, 0, 1]).best()
    assert back.on_edge and back.value == 0.9
    assert not runs.isel(momentum=[2]).best().on_edge  # there is no other to compare with
    named = by_momentum([[5, 5, 5], [4, 3, 1], [2, 2, 3]], ["a", "b", "c"], "shape").best()
    assert (named.axis, named.value, named.on_edge) == ("shape", "c", False)
    refused(by_momentum([[5, 5, 0], [4, 3, 1], [2, 2, 3]]).best, ValueError, "learning_rates must go on beyond 1, the")


def test_two_axes_beside_the_rate_are_too_many():
    runs = by_momentum([[5, 5, 5], [4, 3, 1], [2, 2, 3]]).expand_dims(decay=[0, 1])
    refused(runs.best, ValueError, "runs must have one axis at most beside the learning rate, got decay, momentum")


# Runs that were stopped


def test_lanes_that_are_not_trained_are_missing():
    done = np.ones((3, 2), bool)
    runs = chosen_from([[2, 2], [1, 1], [2, 2]], done=done)
    assert runs.best() == runs.drop_vars("done").best()
    done[2] = done[1, 1] = False
    values = np.where(done, [[2], [1], [2]], np.nan)
    runs = chosen_from(values, done=done)
    for ask in runs.best, runs.sensitivity:
        refused(ask, ValueError, "runs must be done, but 3 of 6 are not: sweep(…, resume=runs) goes on")


# Weights


def test_the_weights_are_those_of_a_run_that_is_left():
    names = ("learning_rate", "seed")

    def held(values, seeds):
        runs = chosen_from(values, done=np.ones((3, 2), bool)).assign_coords(seed=seeds)
        lowest = np.array(values) == np.min(values)
        return runs.assign(weights_kept=(names, lowest), weight_0=("weight_0_0", np.full(2, np.min(values))))

    one, other = held([[3, 3], [1, 2], [3, 3]], [0, 1]), held([[3, 3], [2, 0.5], [3, 3]], [2, 3])
    joined = xr.concat([one, other], "seed", data_vars="all")
    for runs, lowest in (one, 1), (one.isel(learning_rate=1, seed=0), 1), (joined, 0.5), (joined.sel(seed=[0, 3]), 0.5):
        assert runs.weights()[0].tolist() == [lowest] * 2
    assert joined.sel(seed=[1, 0]).weights()[0].tolist() == [1, 1]
    refused(one.isel(seed=[1]).weights, ValueError, "runs must have the run whose weights were kept, but it is not one")
    assert one.drop_vars("weights_kept").weights()[0].tolist() == [1, 1]  # of an older version


# Sensitivity


def on_a_grid(lg, loss, attrs=None, **more):
    """Runs at the rates 10**lg with these losses, one seed."""
    return chosen_from(np.asarray(loss, float)[:, None], 10.0 ** np.asarray(lg), attrs=attrs, **more)


def test_the_sensitivity_is_the_mean_regret():
    # a V with slope 1: over three decades its mean height is 0.75, over two 0.5
    lg = np.arange(-2, 2.1, 0.5)
    runs = on_a_grid(lg, 1 + np.abs(lg), {"constant_loss": 9.0})
    assert runs.sensitivity() == pytest.approx(0.75, abs=1e-12)
    assert runs.sensitivity(decades=2) == pytest.approx(0.5, abs=1e-12)
    assert runs.sensitivity("validation_loss", 4) == pytest.approx(1, abs=1e-12)
    # what lies between two rates is a part of the way: 0.05 of the 2 decades up to a regret of 2 make 0.025 on average
    coarse = on_a_grid([-2, 0, 2], [3, 1, 3], {"constant_loss": 9.0})
    assert coarse.sensitivity(decades=0.1) == pytest.approx(0.025, abs=1e-12)


def test_an_uneven_grid_counts_by_decades():
    """More rates where it is flat change nothing, nor does their order."""
    lg = np.array([2, -1.5, 0, 0.1, 0.2, 0.7, 1.4, -2, 0.001])
    runs = on_a_grid(lg, 1 + np.abs(lg), {"constant_loss": 9.0})
    assert runs.sensitivity() == pytest.approx(0.75, abs=1e-12)


def test_no_run_counts_for_more_than_a_constant():
    lg, loss = [-2, -1, 0, 1, 2], np.array([[3.0, 3], [1, 1], [0, 0], [1, np.nan], [1e9, np.inf]])
    failed = np.array([[0, 0], [0, 0], [0, 0], [0, 1], [1, 1]], bool)
    runs = chosen_from(loss, 10.0 ** np.array(lg), failed, {"constant_loss": 2.0})
    # the means are 2, 1, 0, 1.5, 2: the trapezoids from -1.5 to 1.5 are 0.5 × 1.25, 0.5, 0.75 and 0.5 × 1.625
    assert runs.sensitivity() == pytest.approx((0.625 + 0.5 + 0.75 + 0.8125) / 3, abs=1e-12)
    # where no constant is known, a lane's own first loss is the most
    first = np.full((5, 2, 1), 2.0)
    unknown = runs.assign(loss=(("learning_rate", "seed", "step"), first)).assign_attrs(constant_loss=math.nan)
    assert unknown.sensitivity() == runs.sensitivity()
    assert unknown.isel(learning_rate=[4, 2, 0, 1, 3]).sensitivity() == runs.sensitivity()
    later = unknown.isel(step=[0, 0]).assign_coords(step=[5, 6])
    refused(later.sensitivity, ValueError, "runs must have the loss of step 0, which stands for the best constant")
    higher = runs.assign(loss=(("learning_rate", "seed", "step"), 2 * first)).assign_attrs(constant_loss=math.nan)
    assert higher.sensitivity() > runs.sensitivity()


def test_sensitivity_of_what_it_cannot_be_asked():
    lg = np.arange(-1.0, 2.1)
    runs = on_a_grid(lg, np.abs(lg), {"constant_loss": 9.0}, validation_accuracy=np.ones((4, 1)))
    refused(
        runs.sensitivity,
        ValueError,
        "learning_rates must go from 0.032 to 32, got 0.1 to 100",
    )
    assert runs.sensitivity(decades=2) == pytest.approx(0.5)
    refused(lambda: runs.sensitivity(decades=0), ValueError, "decades must be positive, got 0")
    refused(lambda: runs.sensitivity(decades="3"), TypeError, "decades must be a number, got '3'")
    for measure in "validation_accuracy", None:
        refused(lambda m=measure: runs.sensitivity(m), ValueError, f"measure must be a loss, got {measure!r}")
    refused(lambda: runs.sensitivity("test_loss"), ValueError, "measure must be one of validation_loss, ")
    refused(runs.isel(learning_rate=[1, 2, 3]).sensitivity, ValueError, "must go on beyond 1, the lowest")
    both = by_momentum([[5, 5, 5], [4, 3, 1], [2, 2, 3]])
    refused(both.sensitivity, ValueError, "runs must have one value of momentum, got all: choose one with sel(mome")


# Files


def test_a_file_gives_back_what_was_saved(tmp_path):
    runs, path = recorded(), tmp_path / "a sweep.nc"
    runs.save(path)
    back = load(str(path))
    assert type(back) is Runs and back.identical(runs)
    for name in runs.variables:
        assert back[name].dtype == runs[name].dtype and back[name].values.tobytes() == runs[name].values.tobytes(), name
    assert list(back.coords) == list(runs.coords) and list(back.data_vars) == list(runs.data_vars)
    assert list(back.attrs.items()) == list(runs.attrs.items()) and type(back.attrs["batch_size"]) is int
    unknown = runs.assign_attrs(constant_loss=math.nan)
    unknown["loss"].attrs = {"missing_value": 0.5, "scale_factor": 2.0, "units": "nats"}  # which readers of files know
    unknown.save(path)
    assert load(path).identical(unknown)
    assert [path] == list(tmp_path.iterdir())

    part = back.isel(learning_rate=0, seed=[1])  # a part of them is written over them
    part.save(str(path))
    assert load(path).identical(part)


def test_a_record_that_says_what_no_file_can_hold(tmp_path):
    runs = recorded().assign_attrs(model={1, 2})
    must = "attrs['model'] must be a text, a number, a list or a dictionary of them, got {1, 2}: "
    refused(lambda: runs.save(tmp_path / "a.nc"), TypeError, must, "Object of type set is not JSON serializable")
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_is_broken_off_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    runs, path = recorded(), tmp_path / "a.nc"
    runs.save(path)

    def broken_off(self, unfinished, **how):
        unfinished.write_bytes(path.read_bytes()[:1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Runs, "to_netcdf", broken_off)
    with pytest.raises(KeyboardInterrupt):
        runs.isel(seed=[0]).save(path)
    assert load(path).identical(runs) and list(tmp_path.iterdir()) == [path]


def test_what_is_no_file_of_a_sweep(tmp_path):
    runs, good = recorded(), tmp_path / "good.nc"
    runs.save(good)
    for name, content in {
        "cut.nc": good.read_bytes()[:-100],
        "text.nc": b"learning_rate,loss\n",
        "empty.nc": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        refused(
            lambda name=name: load(tmp_path / name),
            ValueError,
            f"path must be a file that Runs.save wrote, got '{tmp_path / name}', which cannot be read: ",
        )
    for attribute in "{model: 3", "[1]", 3:
        xr.Dataset(attrs={"lrlib": attribute}).to_netcdf(other := tmp_path / "other.nc", engine="h5netcdf")
        refused(lambda: load(other), ValueError, f"got '{other}', whose attributes cannot be read: ")
    for call in load, runs.save:
        refused(lambda call=call: call(None), TypeError, "path must be a text or a path, got None")
    xr.Dataset({"temperature": ("day", [1.0, 2.0])}).to_netcdf(other := tmp_path / "other.nc", engine="h5netcdf")
    refused(lambda: load(other), ValueError, f"got '{other}', which is no sweep")
    refused(lambda: load(tmp_path), ValueError, f"got '{tmp_path}', which cannot be read: ", "Is a directory")
    none = tmp_path / "none.nc"
    refused(lambda: load(none), FileNotFoundError, f"got '{none}', which does not exist")
    for path in tmp_path, none / "a.nc":
        refused(lambda path=path: runs.save(path), ValueError, "path must be a file in a folder that", f"got '{path}'")


def test_a_sweep_is_chosen_from_saved_and_drawn(tmp_path):
    from lrlib.quiet import keras  # isort: skip  (TensorFlow is for this test alone)
    from lrlib import datasets, sweep

    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    runs = sweep(model, datasets.diabetes(), [1e3, 1e-4, 0.03], [0, 1], steps=60, batch_size=32)
    best = runs.best()
    assert type(runs) is Runs and (best.learning_rate, best.index, best.low, best.high) == (0.03, 2, 0.03, 0.03)
    refused(runs.isel(learning_rate=[0, 2]).best, ValueError, "must go on beyond 0.03, the lowest and best: try 0.003")
    runs.save(path := tmp_path / "diabetes.nc")
    assert load(path).identical(runs) and load(path).best() == best
    assert runs.sensitivity() > 0
    labels = [text.get_text() for text in runs.plot("curves").legends[0].get_texts()]
    assert labels == ["too small, 0.0001", "right, 0.03", "failed, 1e+03"]


# Pictures


def test_runs_draw_themselves():
    runs = chosen_from([[3, 3.1], [1, 1.2], [2, 2.1]])
    assert runs.plot().axes[0].get_ylabel() == "validation loss"
    named = ("learning_rate", "seed", "step")
    runs = runs.assign({name: (named, np.ones((3, 2, 20))) for name in ("loss", "applied")})
    assert runs.plot("curves", rates=[10]).axes[0].get_ylabel() == "loss"
    both = by_momentum([[5, 5, 5], [4, 3, 1], [2, 2, 3]])
    assert both.plot().axes[0].get_ylabel() == "momentum"
    refused(lambda: both.plot("u"), ValueError, "kind must be map of these runs, got 'u'")
    refused(lambda: runs.plot("map"), ValueError, "kind must be u or curves of these runs, got 'map'")
    refused(lambda: runs.plot(measure="loss_"), ValueError, "measure must be one of validation_loss, got 'loss_'")
    refused(lambda: runs.isel(seed=0).plot(), ValueError, "learning rates and seeds, got one seed: isel(seed=[0])")
    refused(lambda: runs.plot("curves", rates=10), TypeError, "rates must be a sequence of numbers, got 10")
    refused(lambda: runs.plot("curves", window=0), ValueError, "window must be at least 1, got 0")
    refused(lambda: runs.plot("curves", scale="lin"), ValueError, "scale must be 'log' or 'linear', got 'lin'")
