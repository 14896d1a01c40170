"""What is suggested from the losses of a range test, and where nothing is."""

import numpy as np
import pytest

from lrlib import datasets
from lrlib.datasets import batches
from lrlib.suggestion import steepest_fall
from refusal import refused

# The steepest fall

RATES = np.geomspace(1e-6, 10, 120)
CURVE = 1 / (1 + RATES / 0.03) + 0.1


def test_the_steepest_place_on_the_logarithmic_axis():
    # 1 / (1 + r / c) is steepest in log r at r = c
    suggestion, reason = steepest_fall(RATES, CURVE)
    assert 0.025 < suggestion < 0.036 and reason == "the loss falls fastest there"


def test_smoothing_does_not_shift_it():
    noisy = CURVE + np.random.default_rng(0).normal(size=(30, 120)) * 0.03
    ratios = [steepest_fall(RATES, losses)[0] / 0.03 for losses in noisy]
    assert 0.75 < np.exp(np.mean(np.log(ratios))) < 1.33


def test_what_comes_after_the_lowest_loss_does_not_count():
    rising = np.where(RATES > 1, 1e3 * np.sin(RATES * 9) ** 2 + 5, CURVE)
    assert 0.025 < steepest_fall(RATES, rising)[0] < 0.036


def test_what_comes_after_nan_does_not_count():
    broken = np.where(RATES > 1, np.nan, CURVE)
    broken[-1] = 0
    assert 0.025 < steepest_fall(RATES, broken)[0] < 0.036


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (np.ones(120), "never falls"),
        (1 + RATES, "never falls"),
        (2 + 0.1 * np.random.default_rng(1).normal(size=120), "never falls"),
        (CURVE[:6], "fewer than seven"),
        (np.full(120, np.nan), "fewer than seven"),
        (np.append(CURVE[:6], np.full(114, np.inf)), "fewer than seven"),
        (np.exp(-np.arange(120) / 3), "begin lower"),
        (-np.exp(np.arange(120) / 9), "go on higher"),
    ],
)
def test_it_refuses(losses, reason):
    suggestion, why = steepest_fall(RATES[: len(losses)], losses)
    assert suggestion is None and reason in why


NOISE = {
    "normal": lambda random, size: random.normal(size=size),
    "skewed": lambda random, size: random.chisquare(4, size),
    "heavy tails": lambda random, size: random.standard_t(3, size),
}


@pytest.mark.parametrize("n", [7, 10, 20, 40, 120])
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
def test_noise_alone_gets_no_suggestion(noise, n):
    """In about one of a hundred tests; three of the old bar's standard deviations let up to six pass."""
    noise = noise(np.random.default_rng(2), (300, n))
    assert np.mean([steepest_fall(RATES[:n], 3 + losses)[0] is not None for losses in noise]) < 0.03


def linear_model_s_losses(data, seed, batch_size):
    """The losses of a range test on squared errors, as SGD with rising rates has them; in numpy, hence quick."""
    x, y, rates = data.x_train.astype(float), data.y_train.astype(float), np.geomspace(1e-7, 10, 100)
    random, losses = np.random.default_rng(seed), []
    w, b = random.uniform(-1, 1, x.shape[1]) * (6 / (x.shape[1] + 1)) ** 0.5, 0.0
    for rate, chosen in zip(rates, batches(len(x), batch_size, len(rates), seed), strict=True):
        error = x[chosen] @ w + b - y[chosen]
        losses.append((error**2).mean())
        w, b = w - rate * 2 * x[chosen].T @ error / batch_size, b - rate * 2 * error.mean()
        if losses[-1] > max(4 * min(losses), losses[0]) and rate > 0.1:
            break
    return rates[: len(losses)], np.array(losses)


def test_a_slope_of_noise_is_no_answer():
    """Diabetes in batches of 32: good rates are .005 to .1.

    The bar was once the whole fall of the loss, and the answer the steepest place. 15 of 123 answers lay below 0.001.
    """
    data = datasets.diabetes()
    answers = [steepest_fall(*linear_model_s_losses(data, seed, 32))[0] for seed in range(100)]
    answers = np.array([answer for answer in answers if answer is not None])
    assert len(answers) > 70
    assert ((answers > 0.004) & (answers < 0.12)).all()


def test_a_steep_place_that_noise_made_is_passed_over():
    """Two losses in a row, one too high and one too low, are steeper than the real fall, which is slow and long."""
    slow = 1 / (1 + (RATES / 0.03) ** 0.5) + 0.02 * np.random.default_rng(3).normal(size=120)
    slow[20] += 0.6
    slow[21] -= 0.6
    suggestion, _ = steepest_fall(RATES, slow)
    assert suggestion is not None and 0.003 < suggestion < 0.3


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_rates_that_are_not_evenly_spaced(noise):
    """The same curve, seen at other places: half of them crowd where nothing happens, or where it does."""
    random = np.random.default_rng(0)
    for crowd in ((-14, -9), (-5, -2)):
        log_rates = np.sort(np.append(random.uniform(-14, 2, 80), random.uniform(*crowd, 80)))
        rates = np.exp(log_rates)
        suggestion, _ = steepest_fall(rates, 1 / (1 + rates / 0.03) + noise * random.normal(size=160))
        assert 0.015 < suggestion < 0.06 and suggestion in rates


def test_a_loss_that_bursts_where_it_falls_fastest_needs_no_larger_rates():
    """As a test by epoch with 20 rates sees the digits: the fall is over where the run ends."""
    losses = [2.5] * 10 + [2.5, 2.48, 2.396, 2.244, 1.964, 1.401, 0.739, 8.319]
    suggestion, reason = steepest_fall(np.geomspace(1e-7, 10, 20)[:18], losses)
    assert 0.05 < suggestion < 0.5, reason


@pytest.mark.parametrize(
    ("rates", "losses", "fragment"),
    [
        ([1, 2, 3], [1, 2], "equally long, got shapes (3,) and (2,)"),
        ([[1, 2]], [[1, 2]], "equally long"),
        ([1, 3, 2], [1, 1, 1], "positive and rising"),
        ([1, 2, 2], [1, 1, 1], "positive and rising"),
        ([0, 1, 2], [1, 1, 1], "positive and rising"),
        ([1, 2, np.nan], [1, 1, 1], "positive and rising"),
    ],
)
def test_rates_that_do_not_rise_are_refused(rates, losses, fragment):
    refused(lambda: steepest_fall(rates, losses), ValueError, fragment)
