"""The book's own: verdicts leave a record, the line on the applied rate is an assertion, claims are counted."""

import json

import numpy as np
import pytest
import xarray as xr
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lrlib import ExponentialDecay, Quadratic, StepDecay, gradient_descent
from lrlib.book import KINDS, ledger, outcome, taught_is_applied, verdict
from lrlib.claims import claim, claims_made
from refusal import refused


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_shows_a_line_and_leaves_a_record(shell, kind):
    with capture_output() as captured:
        assert verdict("S3", kind, "The update is as stated.") is None
    (output,) = captured.outputs
    assert output.data["text/plain"] == f"S3 · {kind} · The update is as stated."
    assert output.data["text/markdown"] == f"**S3** · *{kind}* · The update is as stated."
    record = {"statement": "S3", "kind": kind, "sentence": "The update is as stated.", "figure": ""}
    assert output.metadata == {"lrlib_verdict": record}
    assert captured.stdout == captured.stderr == ""


@pytest.mark.parametrize("statement", ["S0", "S26", "S03", "F0", "F01", "s3", "3", 3, "", None])
def test_there_are_25_statements(statement):
    refused(
        lambda: verdict(statement, "fact", "So."),
        ValueError,
        "statement must be one of S1 to S25, or F1 and on",
        f"got {statement!r}",
    )


@pytest.mark.parametrize("kind", ["true", "Holds", "", None, "holds if "])
def test_there_are_five_kinds(kind):
    assert set(KINDS) == {"definition", "fact", "holds", "holds if", "does not hold"}
    refused(lambda: verdict("S3", kind, "So."), ValueError, "kind must be one of definition, fact,", f"got {kind!r}")


@pytest.mark.parametrize("sentence", ["", "  ", "\n"])
def test_a_verdict_says_something(sentence):
    refused(
        lambda: verdict("S3", "fact", sentence), ValueError, "sentence must say what was found", f"got {sentence!r}"
    )


def test_a_verdict_shows_its_figure(shell):
    with capture_output() as captured:
        verdict("S5", "holds if", "So it is.", "0.09 against 0.10")
    (output,) = captured.outputs
    assert output.data["text/plain"] == "S5 · holds if · So it is. (0.09 against 0.10)"
    assert output.metadata["lrlib_verdict"]["figure"] == "0.09 against 0.10"


# The rate that was taught is the rate that was applied


def descent(schedule, steps=7, dtype=np.float64):
    return gradient_descent(Quadratic(1.0), 1.0, schedule, steps, dtype=dtype)


@pytest.mark.parametrize("schedule", [0.25, StepDecay(0.1, 3, 0.3), lambda step: 0.5 / (1 + step)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_descent_in_both_arithmetics(schedule, dtype, capsys):
    trace = descent(schedule, dtype=dtype)
    taught_is_applied(trace, schedule)
    taught_is_applied(trace.applied, schedule)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second and first.startswith("applied = taught: ") and first.endswith(", 7 updates")


def test_the_line():
    with capture_output() as captured:
        taught_is_applied(descent(0.25), 0.25)
        taught_is_applied(descent(StepDecay(0.1, 3, 0.5)), StepDecay(0.1, 3, 0.5))
        decay = ExponentialDecay(0.012345, 1000, 0.01234)
        taught_is_applied(decay.planned(4000), decay)
    assert captured.stdout.splitlines() == [
        "applied = taught: 0.25, 7 updates",
        "applied = taught: 0.1 to 0.025, 7 updates",
        "applied = taught: 0.012 to 2.9e-10, 4000 updates",
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rate_that_is_one_step_off_or_one_digit_is_told(dtype):
    schedule = StepDecay(0.1, 3, 0.5)
    late = schedule(np.maximum(np.arange(7) - 1, 0)).astype(dtype)
    refused(
        lambda: taught_is_applied(late, schedule),
        AssertionError,
        "at step 3 the rate 0.1",
        "was applied, and 0.05",
        "was taught",
    )
    nearly = schedule.planned(7).astype(dtype)
    nearly[5] += (1 if dtype is np.float32 else 3) * np.spacing(nearly[5])
    refused(lambda: taught_is_applied(nearly, schedule), AssertionError, "at step 5 the rate 0.05")


def test_in_float64_the_last_two_units_of_a_power_are_forgiven(capsys):
    """One number's power and an array's differ there."""
    nearly = ExponentialDecay(0.1, 3, 0.5).planned(9)
    nearly[4] += 2 * np.spacing(nearly[4])
    taught_is_applied(nearly, ExponentialDecay(0.1, 3, 0.5))
    assert capsys.readouterr().out == "applied = taught: 0.1 to 0.01575, 9 updates\n"


def test_without_a_record_nothing_is_asserted():
    for empty in ([], np.array([], np.float32), xr.Dataset({"applied": (("learning_rate", "seed", "step"), [[[]]])})):
        refused(lambda empty=empty: taught_is_applied(empty, 0.1), ValueError, "record must hold the rate of at least")


def test_whole_rates_are_not_taught_by_rounding(capsys):
    refused(lambda: taught_is_applied(np.array([1, 1]), 1.4), AssertionError, "the rate 1 was applied, and 1.4")
    taught_is_applied([1, 1], 1)
    assert capsys.readouterr().out == "applied = taught: 1, 2 updates\n"


@pytest.mark.parametrize("record", [0.1, None, [[0.1, 0.1]], ["0.1"]])
def test_what_is_no_record(record):
    refused(lambda: taught_is_applied(record, 0.1), ValueError, f"a rate for each update, got {record!r}")


def test_nan_is_no_rate_that_was_taught():
    refused(lambda: taught_is_applied([0.1, np.nan], 0.1), AssertionError, "at step 1 the rate nan was applied")


def of_a_sweep(factors, rates=(0.1, 0.3), seeds=2):
    """applied[learning rate, seed, step], as a sweep rounds it."""
    applied = (np.array(factors, dtype=float).T * np.array(rates)[:, None]).astype(np.float32)
    dims = ("learning_rate", "seed", "step")
    return xr.Dataset({"applied": (dims, np.stack([applied] * seeds, axis=1))}, {"learning_rate": list(rates)})


@pytest.mark.parametrize(
    ("factors", "schedule"),
    [
        ([[1, 1]] * 4, 1.0),
        ([[0.7, 0.7]] * 4, 0.7),
        ([[1, 1], [1, 1], [0.3, 0.3], [0.3, 0.3]], StepDecay(1.0, 2, 0.3)),
        ([[1, 1], [1, 0.5], [1, 1 / 3], [1, 0.25]], lambda step: [1, 1 / (1 + step)]),
    ],
    ids=["nothing", "number", "schedule", "a factor for each rate"],
)
def test_a_sweep(factors, schedule, capsys):
    runs = of_a_sweep(factors)
    taught_is_applied(runs, schedule)
    taught_is_applied(runs.transpose("step", "learning_rate", "seed"), schedule)
    taught_is_applied(runs.applied, schedule)
    assert set(capsys.readouterr().out.splitlines()) == {"applied = taught: 4 runs, 4 updates each"}
    runs.applied[1, 1, 2] *= 1.0001
    refused(lambda: taught_is_applied(runs, schedule), AssertionError, "at step 2 the rate")


# What came out where a reader was asked to predict


def test_an_outcome_shows_a_line_and_leaves_a_record(shell):
    curve = {"x": [1, 10, 100], "y": [0.5, np.inf, 0.01], "names": ("rate", "loss"), "ylim": (0.1, 1), "log": "xy"}
    with capture_output() as captured:
        outcome({"w": np.float64(-0.25), "who": ("b", {"a": "No.", "b": "Yes."}), "loss": curve}, near=0.2)
    (output,) = captured.outputs
    assert output.data["text/plain"] == output.data["text/markdown"] == "What came out: w: -0.25; who: b"
    options = [["a", "No."], ["b", "Yes."]]
    assert json.loads(output.metadata["lrlib_outcome"]) == {
        "near": 0.2,
        "asked": [
            {"label": "w", "kind": "number", "value": -0.25, "shown": "-0.25"},
            {"label": "who", "kind": "choice", "right": "b", "options": options, "shown": "b"},
            {
                "label": "loss",
                "kind": "curve",
                "x": [1, 10, 100],
                "y": [0.5, 1, 0.1],
                "names": ["rate", "loss"],
                "ylim": [0.1, 1],
                "log": "xy",
            },
        ],
    }


def test_a_curve_alone_is_seen_in_the_figure(shell):
    with capture_output() as captured:
        outcome({"loss": {"x": range(3), "y": range(3), "names": ("step", "loss"), "ylim": (0, 2)}})
    assert captured.outputs[0].data["text/plain"] == "What came out: see the figure"


CURVE = {"x": [1, 2, 3], "y": [1, 2, 3], "names": ("x", "y"), "ylim": (1, 3)}


@pytest.mark.parametrize(
    ("asked", "fragments"),
    [
        ({}, ["asked must hold a question, got {}"]),
        ({"w": np.nan}, ["asked 'w': a number must be finite, got nan"]),
        ({"who": ("c", {"a": "No."})}, ["asked 'who': 'c' is none of the options 'a'"]),
        ({"loss": CURVE | {"y": [1, 2]}}, ["asked 'loss': a curve has a y for each of three or more rising x"]),
        ({"loss": CURVE | {"x": [1, 1, 2]}}, ["rising x", "[1. 1. 2.]"]),
        ({"loss": CURVE | {"x": [1, 2], "y": [1, 2]}}, ["three or more"]),
        ({"loss": CURVE | {"ylim": (3, 1)}}, ["asked 'loss': its axes must rise", "got (3, 1)"]),
        ({"loss": CURVE | {"ylim": (0, 3), "log": "y"}}, ["above 0 if logarithmic", "got (0, 3)"]),
        ({"loss": CURVE | {"x": [0, 1, 2], "log": "x"}}, ["above 0 if logarithmic"]),
    ],
)
def test_what_is_no_outcome(asked, fragments):
    refused(lambda: outcome(asked), ValueError, *fragments)


@pytest.mark.parametrize("near", [-0.1, np.nan])
def test_near_is_a_share(near):
    refused(lambda: outcome({"w": 1}, near=near), ValueError, f"near must not be negative, got {near!r}")


# The count of the claims


def test_the_ledger_counts_the_claims_of_the_process(shell):
    before = claims_made()
    zero, more = np.zeros(5), np.array([1.0, 2.0, 1.0, 2.0, 1.0])
    claim(zero, more, "zero is less")
    claim(zero, more, "zero is less", level=0.05)
    with capture_output() as captured:
        ledger()
    (output,) = captured.outputs
    record = output.metadata["lrlib_ledger"]
    assert record["claims"] == len(before) + 2
    assert record["expected_by_luck"] == pytest.approx(sum(c.level for c in before) + 0.06)
    assert output.data["text/plain"].startswith(f"This chapter makes {len(before) + 2} claims over seeds. ")


def test_a_ledger_without_claims_says_so(shell, monkeypatch):
    monkeypatch.setattr("lrlib.book.claims_made", tuple)
    with capture_output() as captured:
        ledger()
    (output,) = captured.outputs
    assert output.data["text/plain"] == output.data["text/markdown"]
    assert output.data["text/plain"].endswith("so this chapter makes no claim over seeds.")
    assert output.metadata["lrlib_ledger"] == {"claims": 0, "expected_by_luck": 0}


def test_a_schedule_asked_for_one_step_is_the_one_asked_for_many():
    """Powers of a number and of an array may differ in the last float64 units."""
    schedule = ExponentialDecay(0.1, 7, 1.3)
    taught_is_applied(gradient_descent(Quadratic(1e-9), 1.0, schedule, 400), schedule)
