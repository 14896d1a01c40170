"""Random streams by name: the same again for the same name, and nothing shared between two names or two seeds."""

import subprocess
import sys

import numpy as np
import pytest

from lrlib.datasets import batches, with_label_noise
from lrlib.streams import stream
from refusal import refused

NAMES = ["batches", "split", "label noise", *(f"initial weights {i}" for i in range(4))]


def test_the_same_name_and_seed_give_the_same_numbers_in_any_process():
    one = stream(3, "batches").random(4)
    np.testing.assert_array_equal(stream(3, "batches").random(4), one)
    code = "from lrlib.streams import stream; print(stream(3, 'batches').random(4).tolist())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(run.stdout) == one.tolist()


def test_these_numbers_are_those_of_the_book():
    """Who changes them changes every result of the book."""
    assert stream(0, "batches").permutation(5).tolist() == [1, 2, 4, 3, 0]
    assert stream(0, "label noise").permutation(5).tolist() == [0, 2, 3, 4, 1]
    assert stream(7, "split").integers(100, size=3).tolist() == [53, 25, 25]


def test_streams_of_different_names_and_seeds_are_independent():
    """Seven names and twenty seeds: no two share a number, and none goes with another."""
    drawn = np.array([stream(seed, name).random(1000) for name in NAMES for seed in range(20)])
    assert len(np.unique(drawn)) == drawn.size
    correlations = np.corrcoef(drawn)[np.triu_indices(len(drawn), 1)]
    # of 9730 correlations of 1000 independent pairs the largest is about 4 standard deviations
    assert np.abs(correlations).max() < 5 / 1000**0.5
    assert abs(correlations.std() * 1000**0.5 - 1) < 0.05


def test_a_name_is_not_the_seed_s_neighbour():
    """As seed + 1 would be, which several tools use for a second stream."""
    for name in NAMES:
        for other in NAMES:
            for seed in range(1, 5):
                assert (name, 0) == (other, seed) or stream(seed, name).random() != stream(0, other).random()


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_what_draws_by_a_seed_draws_nothing_that_another_does(seed):
    """The order of the samples, the noise in the labels and numpy's own generator, which all three once were."""
    n = 50
    plain = np.random.default_rng(seed).permutation(n)
    order = batches(n, n, 1, seed)[0]
    picked = np.flatnonzero(with_label_noise(np.arange(n) + n, 0.5, seed) != np.arange(n) + n)
    split = stream(seed, "split").permutation(n)
    for one, other in ((order, plain), (split, plain), (order, split)):
        assert (one == other).mean() < 0.2
    for other in (plain, order, split):
        assert set(picked) != set(other[: n // 2])


@pytest.mark.parametrize("one", ["a", "ab", "ä", "a b"])
@pytest.mark.parametrize("other", ["b", "ba", "a ", "aa"])
def test_names_that_look_alike(one, other):
    assert stream(0, one).random() != stream(0, other).random()


def test_bad_names_and_seeds_are_refused():
    refused(lambda: stream(0, ""), ValueError, "name must say what the numbers are for, got ''")
    for name in (None, 3, b"batches"):
        refused(lambda name=name: stream(0, name), TypeError, "name must be a text", f"got {name!r}")
    refused(lambda: stream(-1, "batches"), ValueError, "seed must be at least 0")
    refused(lambda: stream(0.5, "batches"), ValueError, "seed must be an integer")
    assert stream(2**70, "batches").random() != stream(0, "batches").random()
