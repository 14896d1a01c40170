"""The measurement of speed: what it compares is the same training, and its table and its page show what it measured."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORD = json.loads((ROOT / "tools" / "bench.json").read_text(encoding="utf8"))
sys.path += [str(ROOT / "_ext"), str(ROOT / "tools")]
bench, site_bench = importlib.import_module("bench"), importlib.import_module("site_bench")
SMALL = bench.Size(steps=40, rates=4, seeds=2)
RECORDS = "loss", "applied", "gradient_norm"


@pytest.fixture(autouse=True)
def gentle_rates(monkeypatch):
    """Rates under which rounding does not grow."""
    monkeypatch.setattr(bench, "rates_of", lambda size: np.geomspace(0.001, 0.3, size.rates))


def test_stacked_by_hand_is_the_same_as_the_sweep():
    model, data = bench.mlp(), bench.digits()
    runs, by_hand = bench.swept(model, data, SMALL), bench.ByHand(bench.mlp(), data)(SMALL)
    assert set(by_hand) == set(runs.data_vars) - {"failed", "failed_since", "done"}
    for name, values in by_hand.items():
        swept = runs[name].transpose("step", ...).values if name in RECORDS else runs[name].values
        np.testing.assert_allclose(values.reshape(swept.shape), swept, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("make", "shape"), [(bench.mlp, (64,)), (bench.cnn, (8, 8, 1)), (bench.lstm, (8, 8))], ids=["mlp", "cnn", "lstm"]
)
def test_the_loop_over_a_function_is_the_same_as_the_sweep(make, shape):
    model, data = make(), bench.shaped(*shape)
    size = SMALL._replace(steps=20)
    runs = bench.sweep(model, data, [0.1], [0], steps=size.steps, batch_size=bench.BATCH)
    model.set_weights(bench.initial_weights(model, 0))
    records, evaluated = bench.ByFunction(model, data)(size)
    for name, values in zip(RECORDS, records, strict=True):
        np.testing.assert_allclose(values, runs[name].values.ravel(), rtol=1e-4, err_msg=name)
    for part, values in zip(bench.PARTS, evaluated, strict=True):
        swept = [runs[f"{part}_loss"].item(), runs[f"{part}_accuracy"].item()]
        np.testing.assert_allclose(values, swept, rtol=1e-4, err_msg=part)


@pytest.mark.parametrize("steps", [5, 16, 40])
def test_fit_makes_as_many_updates(steps):
    model = bench.mlp()
    evaluated = bench.ByFit(model, bench.digits())(SMALL._replace(steps=steps))
    assert int(model.optimizer.iterations) == steps
    assert np.shape(evaluated) == (3, 2), "loss and accuracy of three parts"


def test_products_are_counted():
    """As the shapes of a tape's products say: forward two, backward one for the first layer and two for the last."""
    products = [(64, 64, 32), (64, 32, 10), (64, 64, 32), (32, 64, 10), (64, 10, 32)]
    assert bench.floating_point_operations(32) == sum(2 * a * b * c for a, b, c in products)


def test_ways_take_turns():
    called = []
    ways = {name: lambda name=name: called.append(name) for name in "ab"}
    taken = bench.medians(ways, 3)
    assert "".join(called) == "abababab" and set(taken) == {"a", "b"}
    assert all(seconds >= 0 and of_processors >= 0 for seconds, of_processors in taken.values())


def test_the_record_has_every_figure():
    assert {name for _, name, _, _ in bench.WANTED} <= set(RECORD)
    machine = RECORD.pop("machine")
    assert all(machine.values()) and {"processor", "cores", "date", "tensorflow", "keras"} <= set(machine)
    assert all(isinstance(value, float) and value > 0 for value in RECORD.values())
    RECORD["machine"] = machine
    for lanes in bench.FULL.lanes:
        assert f"lanes_{lanes}_microseconds" in RECORD
    for width in bench.FULL.widths:
        took, least = (RECORD[f"width_{width}_{name}"] for name in ("microseconds", "products_microseconds"))
        assert RECORD[f"width_{width}_over_products"] == pytest.approx(took / least, rel=1e-4)
    for name, of in ("mlp_fit_over_sweep", "mlp_fit"), ("cnn_tf_function_loop_over_sweep", "cnn_tf_function_loop"):
        ratio = RECORD[f"{of}_seconds"] / RECORD[f"{of.split('_')[0]}_sweep_seconds"]
        assert RECORD[name] == pytest.approx(ratio, rel=1e-4)
    assert RECORD["steps"] == bench.FULL.steps, "no rehearsal"


def test_the_table_shows_what_was_measured_and_wanted():
    found = dict.fromkeys((name for _, name, _, _ in bench.WANTED), 20.0) | {"other": 3.0, "machine": {}}
    head, *lines = bench.table(found)
    assert head.split() == ["measured", "wanted"]
    lines = lines[: len(bench.WANTED)]
    for line, (what, _, sign, wish) in zip(lines, bench.WANTED, strict=True):
        met = 20 >= wish if sign == ">=" else 20 <= wish
        assert line.split("  ")[0] == what and f"{sign} {wish:g}" in line and line.endswith("missed") != met
    assert bench.table(found)[-1].split() == ["other", "3"]


def test_a_rehearsal_is_not_recorded(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench.py", "--quick", "--record"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "a rehearsal is not recorded" in capsys.readouterr().err


def test_the_page_has_a_dash_where_a_way_was_not_tried():
    seconds, ratios = site_bench.ways({"mlp_fit_seconds": 157.4, "cnn_fit_seconds": 2.345, "mlp_fit_over_sweep": 151.2})
    assert seconds[0] == ["A loop of `fit`", "157", "2.35", "–", "–"]
    assert ratios[0] == ["`fit` / sweep", "151", "–", "–", "–"]
    assert {tuple(row[1:]) for row in seconds[1:] + ratios[1:]} == {("–",) * 4}


def test_the_drawing_goes_from_few_to_many():
    found = {f"lanes_{lanes}_microseconds": 100 / lanes for lanes in (8, 1024, 96)}
    assert site_bench.series(found | {"lanes": 192.0}, "lanes") == ([8, 96, 1024], [100 / 8, 100 / 96, 100 / 1024])
    drawn = site_bench.drawing(RECORD)
    assert drawn == site_bench.drawing(RECORD) and drawn.count("<svg") == 1
