"""The schedules are those of the frameworks: Keras's live, the others' as `make parity` has recorded them."""

import ast
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from parity.rows import CONVENTIONS, DRAWS, ROWS, TRAPS, float32_bound, ours, same, told, told_by_us

ROOT = Path(__file__).resolve().parents[1]
RECORD = json.loads((ROOT / "tests" / "data" / "parity.json").read_text(encoding="utf8"))
NAMES = json.loads((ROOT / "chapters" / "data" / "frameworks.json").read_text(encoding="utf8"))
LIVE = [row for row in ROWS if row.framework in ("keras", "tensorflow 1")]
IN_FLOAT64 = [row for row in LIVE if "linear_cosine" not in row.theirs]  # TensorFlow 1 holds its pi in float32
RECORDED = RECORD["rows"]


class _InFloat64(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.parse(f"f64({node.value!r})", mode="eval").body if isinstance(node.value, float) else node


def rates(framework, text, steps, double=True):
    """What Keras or TensorFlow gives for a line, with every number in it a float64, or as it stands."""
    line = ast.fix_missing_locations(_InFloat64().visit(ast.parse(text, mode="eval"))) if double else text
    line = compile(line, "the line", "eval")
    if framework == "keras":
        schedule = eval(line, {"f64": np.float64, **vars(keras.optimizers.schedules)})
        given = [schedule(step) for step in range(steps)]
    else:
        names = {"f64": np.float64, **vars(tf.compat.v1.train)}
        given = [eval(line, names | {"step": tf.constant(step)})() for step in range(steps)]
    return np.array([np.asarray(rate) for rate in given])


@pytest.mark.parametrize("row", IN_FLOAT64, ids=lambda row: row.theirs)
def test_keras_in_float64(row):
    for seed in DRAWS:
        theirs, mine, steps = row.written(seed)
        same(rates(row.framework, theirs, steps), ours(mine).planned(steps))


@pytest.mark.parametrize("row", LIVE, ids=lambda row: row.theirs)
def test_keras_as_it_stands_is_within_what_rounding_to_float32_moves(row):
    theirs, mine, steps = row.written(0)
    given = rates(row.framework, theirs, steps, double=False)
    assert given.dtype == np.float32
    planned, bound = ours(mine).planned(steps), float32_bound(row, 0)
    assert (abs(given - planned) <= bound).all()
    assert bound.max() < 1e-5 * planned.max()


def test_float32_moves_a_rate_by_more_than_one_unit():
    """So the bound is no empty one: far out on an exponential a rounded decay_rate shows."""
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.96)
    exact = ours("ExponentialDecay(0.1, 10, 0.96)")(1000)
    assert abs(float(schedule(1000)) - exact) > 20 * np.spacing(np.float32(exact))


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: record["theirs"])
def test_other_frameworks_as_recorded(record):
    same(record["rates"], ours(record["ours"]).planned(len(record["rates"])))


def test_the_record_is_of_the_rows():
    written = [row.written(0) for row in ROWS if row not in LIVE]
    assert [(record["theirs"], record["ours"], len(record["rates"])) for record in RECORDED] == written
    assert [record["schedule"] for record in RECORDED] == [row.schedule for row in ROWS if row not in LIVE]
    assert set(RECORD["versions"]) == {"jax", "optax", "torch", "timm", "transformers"}


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.theirs)
def test_where_a_framework_is_wrong(trap):
    """What the others show is recorded, and asked again by `make parity`."""
    if trap.framework == "keras":
        shown = told(lambda steps: rates("keras", trap.theirs, steps, double=False), trap.steps)
        assert shown == trap.shows
    assert told_by_us(trap) == trap.says != trap.shows


def first_changed(rates):
    return int(np.flatnonzero(np.diff(rates))[0]) + 1


def conventions(wish):
    """What each framework gives for one wish: Keras live, the others as recorded."""
    given = {each["framework"]: each["rates"] for each in RECORD["conventions"] if each["wish"] == wish}
    if line := CONVENTIONS[wish].get("keras"):
        given["keras"] = rates("keras", line, 10)
    assert set(given) == set(CONVENTIONS[wish])
    return given


def test_boundary_5_first_changes_step_6_5_5_4():
    changed = {name: first_changed(given) for name, given in conventions("a boundary of 5").items()}
    assert changed == {"keras": 6, "optax": 5, "torch": 5, "timm": 4}
    for name, boundary in (("keras", 5), ("optax", 4), ("torch", 4), ("timm", 3)):
        assert first_changed(ours(f"PiecewiseConstantDecay([{boundary}], [1, 0.1])").planned(9)) == changed[name]


def test_past_its_end_a_cosine_holds_or_rises():
    rises = {name for name, given in conventions("a cosine of 4 steps").items() if given[6] > given[4]}
    assert rises == {"torch", "transformers"}


def test_a_length_includes_the_warmup_or_does_not_or_the_clock_runs_on():
    given = conventions("a warmup of 2 and a cosine of 6")
    assert {name: int(np.argmin(rates[3:])) + 3 for name, rates in given.items()} == {
        "keras": 8, "optax": 6, "timm": 6, "transformers": 6
    }  # fmt: skip
    assert given["keras"][2] == given["optax"][2] == given["transformers"][2] == 1.0 > given["timm"][2]


def test_a_polynomial_ends_where_its_framework_says():
    ends = {name: given[9] for name, given in conventions("a polynomial of 4 steps").items()}
    assert ends == {"keras": pytest.approx(1e-4), "torch": 0.0, "timm": 0.0, "transformers": 1e-7}


def test_one_cycle_has_its_peak_and_its_end_at_other_steps():
    given = conventions("one cycle of 10 steps")
    assert {name: int(np.argmax(rates)) for name, rates in given.items()} == {"optax": 3, "torch": 2}
    assert given["torch"][9] == pytest.approx(4e-6) and given["optax"][9] > 0.04


# What a schedule is called elsewhere


def test_every_name_elsewhere_has_a_row_and_every_row_a_name():
    named = {(schedule, framework) for schedule, elsewhere in NAMES.items() for framework in elsewhere}
    compared = {(row.schedule, "keras" if row.framework == "tensorflow 1" else row.framework) for row in ROWS}
    assert named - {("Constant", "keras")} == compared  # which is SGD(0.1), and no schedule's name


def test_the_names_are_those_of_the_lines():
    for schedule, elsewhere in NAMES.items():
        for framework, entry in elsewhere.items():
            assert set(entry) == {"name", "differs"}
            lines = [row.theirs for row in ROWS if (row.schedule, row.framework) == (schedule, framework)]
            lines += [row.theirs for row in ROWS if row.schedule == schedule and row.framework == "tensorflow 1"]
            name = entry["name"].partition("(")[0].rpartition(".")[2].partition(",")[0]
            assert name == "SGD" or any(name in line for line in lines), (schedule, framework)
