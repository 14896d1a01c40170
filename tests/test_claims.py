"""A claim needs its seeds, two identical arms must fail it; a verdict shows one line and leaves its record."""

import numpy as np
import pytest
import xarray as xr
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lrlib.claims import KINDS, Claim, claim, verdict
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
    record = {"statement": "S3", "kind": kind, "sentence": "The update is as stated."}
    assert output.metadata == {"lrlib_verdict": record}
    assert captured.stdout == captured.stderr == ""


@pytest.mark.parametrize("statement", ["S0", "S26", "S03", "s3", "3", 3, "", None])
def test_there_are_25_statements(statement):
    refused(
        lambda: verdict(statement, "fact", "So."),
        ValueError,
        "statement must be one of S1 to S25",
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


A = np.array([0.10, 0.20, 0.15, 0.30, 0.25])


def test_all_seeds_agree():
    d = np.array([0.001, 0.002, 0.001, 0.003, 1.0])  # one of them so large that two standard errors are not reached
    assert d.mean() < 2 * d.std(ddof=1) / 5**0.5
    record = claim(A, A + d, "a beats b")
    assert record.agree == record.seeds == 5
    assert record.difference == pytest.approx(d.mean())
    assert record.standard_error == pytest.approx(d.std(ddof=1) / 5**0.5)


def test_two_standard_errors():
    d = np.array([1.0, 1.1, 0.9, 1.0, 1.2, 1.0, -0.1, 1.0])
    record = claim(0 * d, d, "a beats b")
    assert record.agree == 7 and record.seeds == 8


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_the_bar_is_at_two_standard_errors(factor):
    d = np.array([-1.0, 2.0, -1.5, 1.0, -0.5, 0.5])
    d -= d.mean()
    d += factor * 2 * d.std(ddof=1) / 6**0.5
    assert (d < 0).any()
    if factor > 1:
        claim(0 * d, d, "a beats b")
    else:
        refused(lambda: claim(0 * d, d, "a beats b"), AssertionError, "not shown: a beats b")


@pytest.mark.parametrize("arm", [A, np.zeros(5), np.full(9, np.inf), np.arange(100)])
def test_identical_arms_fail(arm):
    refused(lambda: claim(arm, arm.copy(), "an arm beats itself"), AssertionError, f"0 of {len(arm)} seeds agree")


def test_the_wrong_way_round_fails():
    claim(A, A + 1, "a beats b")
    refused(lambda: claim(A + 1, A, "b beats a"), AssertionError, "difference -1 ± ", "0 of 5 seeds agree")


def test_pairing_matters():
    """The same numbers paired otherwise show nothing."""
    claim(A, A + 0.01, "a beats b")
    refused(lambda: claim(A, (A + 0.01)[::-1], "a beats b"), AssertionError, "not shown")


def test_a_run_that_failed_is_infinite():
    b = A + 0.1
    b[3] = np.inf
    record = claim(A, b, "a beats b")
    assert record.difference == np.inf
    assert str(record) == "a beats b: 5 of 5 seeds agree"
    b[0] = A[0] - 0.01
    refused(lambda: claim(A, b, "a beats b"), AssertionError, "not shown: a beats b: 4 of 5 seeds agree")
    refused(lambda: claim(b, A, "b beats a"), AssertionError, "1 of 5 seeds agree")


def test_the_record_prints_one_line():
    record = claim(A, A + [0.1, 0.2, 0.1, 0.2, 0.15], "decay beats a constant rate")
    assert isinstance(record, Claim) and record.sentence == "decay beats a constant rate"
    assert str(record) == "decay beats a constant rate: difference 0.15 ± 0.022 (standard error), 5 of 5 seeds agree"


def test_arms_from_a_sweep_pair_by_seed():
    a = xr.DataArray(A, coords={"seed": [0, 1, 2, 3, 4]})
    b = xr.DataArray(A + 1, coords={"seed": [0, 1, 2, 3, 4]})
    assert claim(a, b, "a beats b").agree == 5
    refused(lambda: claim(a, b.assign_coords(seed=[1, 2, 3, 4, 5]), "a"), ValueError, "must have the same seeds")
    refused(lambda: claim(a, b[::-1], "a"), ValueError, "must have the same seeds")


@pytest.mark.parametrize(
    ("a", "b", "fragment"),
    [
        (A[:4], A[:4] + 1, "at least 5 seeds, got 4"),
        ([], [], "at least 5 seeds, got 0"),
        (A, A[:4], "one result for each seed, got shapes (5,) and (4,)"),
        (A, 1.0, "one result for each seed"),
        (np.ones((5, 2)), np.ones((5, 2)), "one result for each seed"),
        (A, np.append(A[:4], np.nan), "must not be NaN"),
        (np.append(A[:4], np.nan), A, "must not be NaN"),
    ],
)
def test_bad_arms_are_refused(a, b, fragment):
    refused(lambda: claim(a, b, "a beats b"), ValueError, fragment)


def test_arms_of_a_sweep_are_over_its_seeds():
    results = xr.DataArray(np.arange(25.0).reshape(5, 5), {"learning_rate": range(5), "seed": range(5)})
    rates, level = results.sel(seed=0), results.mean("seed")
    refused(lambda: claim(rates, rates + 1, "a"), ValueError, "a must have the dimension 'seed' alone", "learning_rate")
    refused(lambda: claim(results.sel(learning_rate=0), results, "a"), ValueError, "b must have", "learning_rate, seed")
    refused(lambda: claim(level[0], level[1], "a"), ValueError, "a must have the dimension 'seed' alone, got none")
