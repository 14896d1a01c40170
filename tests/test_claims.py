"""A claim needs its seeds and lets luck pass as often as it says; two identical arms fail it, and not for long."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from lrlib.claims import POWER, WIDTH, Claim, claim, claim_within, claims_made
from refusal import refused

A = np.array([0.10, 0.20, 0.15, 0.30, 0.25])
LEVEL = 0.01


def holds(assertion: Callable, *arguments, **more) -> bool:
    try:
        assertion(*arguments, **more)
    except AssertionError:
        return False
    return True


def standardised(seeds, mean, spread=1.0, seed=0):
    """Differences with exactly this mean and this spread."""
    d = np.random.default_rng(seed).normal(size=seeds)
    return mean + spread * (d - d.mean()) / d.std(ddof=1)


# One arm below the other


@pytest.mark.parametrize("seeds", [5, 8, 16])
def test_p_is_student_s(seeds):
    b = standardised(seeds, 2.0)
    record = claim(np.zeros(seeds), b, "a beats b", level=0.1)
    assert record.p == pytest.approx(stats.ttest_1samp(b, 0, alternative="greater").pvalue)
    assert record.difference == pytest.approx(2) and record.standard_error == pytest.approx(seeds**-0.5)
    assert (record.agree, record.seeds, record.level, record.margin) == ((b > 0).sum(), seeds, 0.1, None)


@pytest.mark.parametrize("level", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("seeds", [5, 8, 16])
def test_the_bar_is_at_the_level(seeds, level):
    bar = stats.t.isf(level, seeds - 1) / seeds**0.5
    for factor in (0.99, 1.01):
        assert holds(claim, np.zeros(seeds), standardised(seeds, factor * bar), "a beats b", level) == (factor > 1)


NOISE = {
    "normal": lambda random, n: random.normal(size=n),
    "heavy tails": lambda random, n: random.standard_t(2, size=n),
    "outliers": lambda random, n: random.normal(size=n) * np.where(random.random(n) < 0.1, 30, 1),
    "losses": lambda random, n: random.exponential(size=n) - random.exponential(size=n),
    "counts": lambda random, n: (random.binomial(359, 0.95, n) - random.binomial(359, 0.95, n)) / 359,
}


@pytest.mark.parametrize("seeds", [5, 8, 16])
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_luck_passes_as_often_as_the_level_says(noise, seeds):
    """2000 claims with nothing behind them; the old bar of two standard errors let 6 % pass with five seeds."""
    random = np.random.default_rng(0)
    passed = sum(holds(claim, np.zeros(seeds), noise(random, seeds), "noise") for _ in range(2000)) / 2000
    assert passed < LEVEL + 3 * (LEVEL / 2000) ** 0.5
    if noise is NOISE["normal"]:
        assert passed > LEVEL - 3 * (LEVEL / 2000) ** 0.5


@pytest.mark.parametrize("arm", [A, np.zeros(5), np.full(9, np.inf), np.arange(100)])
def test_identical_arms_fail(arm):
    refused(lambda: claim(arm, arm.copy(), "an arm beats itself"), AssertionError, f"0 of {len(arm)} seeds", "p = 1")


def test_an_outlier_hides_a_difference_and_feigns_none():
    d = np.array([0.1, 0.2, 0.1, 0.3, 0.2, 0.1, 0.2, 0.2])
    claim(0 * d, d, "a beats b")
    for far in (100.0, -100.0):
        refused(lambda far=far: claim(np.zeros(9), np.append(d, far), "a beats b"), AssertionError, "not shown")
    nothing = np.array([0.1, -0.2, 0.1, -0.1, 0.2, -0.2, 0.1])
    refused(lambda: claim(np.zeros(8), np.append(nothing, 100), "a beats b"), AssertionError, "not shown")


@pytest.mark.parametrize("by", [1.0, 1e-9, 1 / 3])
def test_where_every_seed_gave_the_same_difference_signs_are_counted(by):
    """Their spread is 0, or rounding, and would make the smallest difference certain."""
    five, eight = np.linspace(0.1, 0.7, 5), np.linspace(0.1, 0.7, 8)
    refused(lambda: claim(five, five + by, "a beats b"), AssertionError, "5 of 5 seeds", "p = 0.031")
    assert claim(eight, eight + by, "a beats b").p == 2**-8


def test_where_nothing_spreads_it_advises_the_seeds_that_signs_need():
    refused(lambda: claim([0] * 5, [1] * 5, "it falls"), AssertionError, "no spread", "it takes 7 seeds")
    claim([0] * 7, [1] * 7, "it falls")


def test_a_level_may_be_very_small():
    refused(lambda: claim(A, A + 0.1 + 0.01 * A, "it falls", level=1e-300), AssertionError, "takes about")


def test_the_wrong_way_round_fails():
    b = A + [1, 1.1, 0.9, 1.1, 0.9]
    claim(A, b, "a beats b")
    refused(
        lambda: claim(b, A, "b beats a"), AssertionError, "by -1 ± 0.045", "0 of 5 seeds", "there is no such difference"
    )


def test_pairing_matters():
    """The same numbers paired otherwise show nothing."""
    b = A + [0.01, 0.011, 0.009, 0.012, 0.01]
    claim(A, b, "a beats b")
    refused(lambda: claim(A, b[::-1], "a beats b"), AssertionError, "not shown")


def test_where_a_run_failed_signs_are_counted():
    a, b = np.linspace(0, 1, 8), np.linspace(0, 1, 8) + 0.1
    b[3] = np.inf
    record = claim(a, b, "a beats b")
    assert record.difference == np.inf and np.isnan(record.standard_error)
    assert record.p == 2**-8 == stats.binomtest(8, 8, alternative="greater").pvalue
    assert str(record) == "a beats b:\n  8 of 8 seeds, p = 0.0039"
    b[0] = -1
    refused(
        lambda: claim(a, b, "a beats b"),
        AssertionError,
        "not shown: a beats b:\n  7 of 8 seeds, p = 0.035",
        "A run failed, so signs are counted: at least 7 seeds must all agree.",
    )
    refused(lambda: claim(b, a, "b beats a"), AssertionError, "1 of 8 seeds", "p = 1")


def test_where_both_runs_of_a_seed_failed_neither_is_ahead():
    a, b = np.zeros(8), np.ones(8)
    a[0] = b[0] = np.inf
    refused(lambda: claim(a, b, "a beats b"), AssertionError, "7 of 8 seeds", "p = 0.035")
    # and a run of the better arm that failed counts against it
    b[0] = 1
    refused(lambda: claim(a, b, "a beats b"), AssertionError, "7 of 8 seeds")


@pytest.mark.parametrize(("seeds", "effect"), [(5, 0.5), (8, 0.8), (16, 0.4)])
def test_as_many_seeds_as_it_advises_show_the_difference_in_four_of_five_attempts(seeds, effect):
    with pytest.raises(AssertionError) as caught:
        claim(np.zeros(seeds), standardised(seeds, effect), "a beats b")
    advised = int(str(caught.value).split("about ")[1].split(" seeds")[0])
    random = np.random.default_rng(0)
    shown = [holds(claim, np.zeros(advised), random.normal(effect, 1, advised), "a") for _ in range(1000)]
    assert abs(np.mean(shown) - POWER) < 0.06


def test_the_record_prints_itself():
    record = claim(A, A + [0.1, 0.2, 0.1, 0.2, 0.15], "decay beats a constant rate")
    assert isinstance(record, Claim) and record.sentence == "decay beats a constant rate"
    assert str(record) == "decay beats a constant rate:\n  by 0.15 ± 0.022, 5 of 5 seeds, p = 0.0013"


@pytest.mark.parametrize("seeds", [5, 16, 32, 1000])
@pytest.mark.parametrize("scale", [1e-12, 1.234e-3, 1, 5e7])
def test_a_claim_fits_a_telephone(seeds, scale):
    sentence = "a sentence of many words that needs more than one line of a small screen to be read"
    for b in (standardised(seeds, 3 * scale, scale), np.append(np.full(seeds + 3, scale), np.inf)):
        lines = str(claim(0 * np.append(b[:-1], 0), b, sentence)).splitlines()
        assert max(map(len, lines)) <= WIDTH == 44
        assert " ".join(line.strip() for line in lines).startswith(sentence + ": ")
    lines = str(claim_within(np.zeros(9), standardised(9, 0, scale), sentence, 1.2345 * 5 * scale)).splitlines()
    assert max(map(len, lines)) <= WIDTH


# No more than so much apart


@pytest.mark.parametrize("mean", [0.0, 0.5, -0.5])
def test_p_is_that_of_two_one_sided_tests(mean):
    b = standardised(8, mean)
    record = claim_within(np.zeros(8), b, "the same", margin=2.0)
    below = stats.ttest_1samp(b, 2.0, alternative="less").pvalue
    above = stats.ttest_1samp(b, -2.0, alternative="greater").pvalue
    assert record.p == pytest.approx(max(below, above)) and record.margin == 2.0


@pytest.mark.parametrize("side", [1, -1])
def test_arms_that_differ_by_the_margin_or_more_are_not_within_it(side):
    """At the margin itself luck passes as often as the level says; beyond it hardly ever."""
    random = np.random.default_rng(0)
    at, beyond = (
        [holds(claim_within, np.zeros(8), random.normal(side * mean, 1, 8), "the same", 1.0) for _ in range(2000)]
        for mean in (1.0, 1.5)
    )
    assert np.mean(at) < LEVEL + 3 * (LEVEL / 2000) ** 0.5
    assert np.mean(beyond) < LEVEL / 5
    refused(
        lambda: claim_within(np.zeros(8), standardised(8, side * 1.5, 0.1), "the same", 1.0),
        AssertionError,
        "margin ±1, p = 1",
        "the difference is not within the margin",
    )


def test_few_noisy_seeds_show_no_equality():
    """Nothing was found, neither a difference nor that there is none."""
    b = standardised(5, 0.1, 1.0)
    refused(lambda: claim(np.zeros(5), b, "a beats b"), AssertionError)
    refused(lambda: claim_within(np.zeros(5), b, "the same", 0.5), AssertionError, "not shown", "takes about")
    random = np.random.default_rng(0)
    passed = [holds(claim_within, np.zeros(5), random.normal(size=5), "the same", 0.5) for _ in range(1000)]
    assert np.mean(passed) < LEVEL


def test_as_many_seeds_as_it_advises_show_the_equality_in_four_of_five_attempts():
    with pytest.raises(AssertionError) as caught:
        claim_within(np.zeros(5), standardised(5, 0.0), "the same", 0.5)
    advised = int(str(caught.value).split("about ")[1].split(" seeds")[0])
    random = np.random.default_rng(0)
    shown = [holds(claim_within, np.zeros(advised), random.normal(size=advised), "the same", 0.5) for _ in range(1000)]
    assert abs(np.mean(shown) - POWER) < 0.06


def test_arms_that_are_the_same_are_within_any_margin():
    assert claim_within(A, A, "the same", 1e-3).p == 0
    refused(lambda: claim_within(A, A + 0.1, "the same", 0.09), AssertionError)
    assert claim_within(A, A + 0.1, "the same", 0.11).p == 0


def test_a_run_that_failed_is_within_no_margin():
    b = A.copy()
    b[0] = np.inf
    for arms in ((A, b), (b, A), (b, b)):
        refused(lambda arms=arms: claim_within(*arms, "the same", 1e300), AssertionError, "A run failed")


def test_an_equality_prints_itself():
    record = claim_within(np.zeros(8), standardised(8, 0.002, 0.01), "no gap", 0.03)
    assert str(record) == "no gap:\n  0.002 ± 0.0035, margin ±0.03, p = 5e-05"


# What both keep and refuse


def test_the_claims_that_held_are_kept_in_order():
    before = claims_made()
    first = claim(A, A + [0.1, 0.2, 0.1, 0.2, 0.15], "one")
    refused(lambda: claim(A, A, "two"), AssertionError)
    refused(lambda: claim_within(A, A + 1, "three", 0.5), AssertionError)
    last = claim_within(A, A, "four", 0.1)
    assert claims_made() == (*before, first, last)


def test_arms_from_a_sweep_pair_by_seed():
    a = xr.DataArray(A, coords={"seed": [0, 1, 2, 3, 4]})
    b = xr.DataArray(A + [1, 1.1, 0.9, 1.1, 0.9], coords={"seed": [0, 1, 2, 3, 4]})
    assert claim(a, b, "a beats b").agree == claim(a, b.values, "a beats b").agree == 5
    assert claim(a.drop_vars("seed"), b, "seeds without names count from 0").agree == 5
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
    refused(lambda: claim_within(a, b, "the same", 1.0), ValueError, fragment)


def test_arms_of_a_sweep_are_over_its_seeds():
    results = xr.DataArray(np.arange(25.0).reshape(5, 5), {"learning_rate": range(5), "seed": range(5)})
    rates, level = results.sel(seed=0), results.mean("seed")
    refused(lambda: claim(rates, rates + 1, "a"), ValueError, "a must have the dimension 'seed' alone", "learning_rate")
    refused(lambda: claim(results.sel(learning_rate=0), results, "a"), ValueError, "b must have", "learning_rate, seed")
    refused(lambda: claim(level[0], level[1], "a"), ValueError, "a must have the dimension 'seed' alone, got none")


@pytest.mark.parametrize("assertion", [claim, lambda a, b, s, level=0.01: claim_within(a, b, s, 1.0, level)])
def test_levels_and_sentences_are_checked(assertion):
    for level in (0, 0.5, -1, 1):
        refused(lambda level=level: assertion(A, A, "a", level), ValueError, "level must be above 0", f"got {level}")
    refused(lambda: assertion(A, A, "a", "0.01"), TypeError, "level must be a number")
    for sentence in ("", " ", None, 3):
        refused(lambda sentence=sentence: assertion(A, A, sentence), ValueError, f"what is claimed, got {sentence!r}")


@pytest.mark.parametrize("margin", [0, -1, np.nan, np.inf])
def test_a_margin_is_positive(margin):
    refused(lambda: claim_within(A, A, "the same", margin), ValueError, "margin must be", f"got {margin}")
