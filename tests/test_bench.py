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
on_a_gpu = importlib.import_module("sweep_on_a_gpu")
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


def test_a_program_for_a_gpu_trains_what_a_sweep_trains(tmp_path):
    """Its arguments, as they are written and read there, given to the program here."""
    on_a_gpu.write(tmp_path, [("mlp", 2, 2)], steps=6)
    (file,) = tmp_path.glob("*.stablehlo")
    assert file.stem == "mlp4" and file.read_text(encoding="utf8").count("stablehlo.dot_general") > 4
    seed, given = on_a_gpu.arguments_in(file)
    program, like = on_a_gpu.arguments_of("mlp", 2, 2, 6)
    state, (loss, applied, _) = program.at(4).train(*bench.tf.nest.pack_sequence_as(like, given))
    runs = bench.sweep(bench.mlp(), bench.digits(), on_a_gpu.rates_of(2), [0, 1], steps=6, batch_size=bench.BATCH)
    lanes = runs.stack(lane=("learning_rate", "seed")).transpose("step", "lane", ...)
    assert seed.tolist() == lanes["seed"].values.tolist()
    np.testing.assert_array_equal(loss, lanes["loss"].values)
    np.testing.assert_array_equal(applied, lanes["applied"].values)


def test_what_a_gpu_found_is_compared_with_sweeps(tmp_path):
    steps, rates = 20, 3
    on_a_gpu.write(tmp_path, [("mlp", rates, 2)], steps)
    runs = bench.sweep(bench.mlp(), bench.digits(), on_a_gpu.rates_of(rates), [0, 1], steps=steps, batch_size=64)
    losses = runs.stack(lane=("learning_rate", "seed"))["loss"].transpose("step", "lane").values.copy()
    losses[:, 2] *= 1.01  # of the second rate
    np.save(tmp_path / "mlp6.npy", losses)
    (tmp_path / "found.json").write_text('{"device": "a card"}', encoding="utf8")
    on_a_gpu.read(tmp_path, tmp_path / "record.json")
    found, well = json.loads((tmp_path / "record.json").read_text(encoding="utf8")), int((~runs["failed"]).sum())
    assert found["device"] == "a card" and found["mlp6_lanes"] == well >= 2
    assert found["mlp6_within_a_thousandth"] == well - 1 and found["mlp6_others_from"] == 0.173


def test_the_page_has_a_row_for_each_program_that_a_gpu_ran():
    found = json.loads(on_a_gpu.RECORD.read_text(encoding="utf8"))
    rows = site_bench.on_a_gpu(found, RECORD)
    names = [f"{site_bench.MODELS[kind]}, {rates * seeds}" for kind, rates, seeds in on_a_gpu.SIZES]
    assert [row[0] for row in rows] == names
    assert rows[0][1] == site_bench.short(found["mlp192_float32_seconds"])
    assert rows[0][3] == site_bench.short(RECORD["mlp_sweep_seconds"]) and rows[-1][3] == "–"


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
