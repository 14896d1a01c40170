"""What is suggested from the losses of a range test, and where nothing is."""

import numpy as np
import pytest

from lrlib import datasets
from lrlib.datasets import batches
from lrlib.suggestion import Suggestion, steepest_fall, suggest
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


# The suggestion

TRIED = np.geomspace(1e-7, 10, 161)  # twenty to a decade
BOWL = np.interp(np.log10(TRIED), [-7, -3, -1, -0.5, 1], [2, 2, 1, 1, 4])  # falls from 1e-3 to 1e-1, rises from 0.3 on


def near(one, other, decades):
    return abs(np.log10(one / other)) < decades


def test_nine_tenths_of_the_fall():
    found = suggest(TRIED, BOWL)
    assert near(found.learning_rate, 10**-1.2, 0.08)
    assert near(found.low, 10**-1.8, 0.08)
    # a twentieth of the fall is lost at 10 ** -0.475, and before that where smoothing sees the rise to come
    assert 10**-0.8 < found.high < 10**-0.45
    assert found.reason == "nine tenths of the fall are done there" and not found.advice


@pytest.mark.parametrize(("scale", "added"), [(0.01, 0.0), (100.0, 0.0), (1.0, -5.0), (1.0, 40.0)])
def test_the_unit_and_the_zero_of_the_loss_do_not_matter(scale, added):
    found, other = suggest(TRIED, BOWL), suggest(TRIED, scale * BOWL + added)
    np.testing.assert_allclose(other.learning_rate, found.learning_rate, rtol=1e-9)
    np.testing.assert_allclose([other.low, other.high], [found.low, found.high], rtol=1e-9)


def test_rates_a_thousand_times_as_high_give_a_suggestion_a_thousand_times_as_high():
    found, other = suggest(TRIED, BOWL), suggest(1000 * TRIED, BOWL)
    np.testing.assert_allclose(other.learning_rate, 1000 * found.learning_rate, rtol=1e-9)


def test_noise_on_both_sides_moves_it_to_neither():
    noise = np.random.default_rng(0).normal(size=(40, 4, 161)) * 0.1
    found = [suggest(TRIED, BOWL + of_test).learning_rate for of_test in noise]
    assert near(np.exp(np.mean(np.log(found))), suggest(TRIED, BOWL).learning_rate, 0.1)
    assert np.std(np.log10(found)) < 0.15


@pytest.mark.parametrize("crowd", [(-6, -4), (-2.5, -1), (-0.5, 1)])
def test_it_is_right_on_uneven_rates(crowd):
    """Most of the rates lie where nothing happens, or where it does: a plain mean of neighbours would lean to them."""
    x = np.unique(np.append(np.linspace(-7, 1, 81), np.linspace(*crowd, 200)))
    found, even = suggest(10**x, np.interp(x, np.log10(TRIED), BOWL)), suggest(TRIED, BOWL)
    assert near(found.learning_rate, even.learning_rate, 0.1)
    assert near(found.low, even.low, 0.15) and near(found.high, even.high, 0.15)


def test_momentum_s_late_answer_is_taken_back():
    beta, growth = 0.9, np.log(1e8) / 160
    plain, late = suggest(TRIED, BOWL), suggest(TRIED, BOWL, momentum=beta)
    # an old gradient, k updates back, came in at a rate that was smaller by exp(-k growth)
    k = np.arange(2000)
    lag = (beta**k).sum() / (beta**k * np.exp(-growth * k)).sum()
    for name in ("learning_rate", "low", "high"):
        np.testing.assert_allclose(getattr(late, name), getattr(plain, name) / lag, rtol=1e-9)
    held = suggest(TRIED, BOWL, momentum=beta, hold=1000)
    np.testing.assert_allclose(held.learning_rate, plain.learning_rate, rtol=0.01)


def test_the_interval_holds_every_repeat():
    late = suggest(TRIED, np.interp(np.log10(TRIED) - 0.5, np.log10(TRIED), BOWL))
    early, both = (
        suggest(TRIED, BOWL),
        suggest(TRIED, [BOWL, np.interp(np.log10(TRIED) - 0.5, np.log10(TRIED), BOWL)], factor=100),
    )
    np.testing.assert_allclose([both.low, both.high], [early.low, late.high], rtol=1e-9)
    assert early.learning_rate < both.learning_rate < late.learning_rate


def test_one_repeat_may_be_a_row_or_a_list_of_one():
    assert suggest(TRIED, BOWL) == suggest(TRIED, [BOWL])


def test_what_ended_has_gone_wrong():
    """A repeat that ended counts as one whose loss is high, not as one that is not there."""
    broken = np.array([np.where(TRIED > 0.02, np.nan, BOWL), BOWL, BOWL])
    broken[0, -1] = 0.0  # behind the end
    found = suggest(TRIED, broken, factor=100)
    assert found.learning_rate < 0.03 < suggest(TRIED, BOWL).learning_rate
    infinite = np.where(np.isnan(broken), np.inf, broken)
    assert suggest(TRIED, infinite, factor=100) == found


def test_a_burst_is_no_lower_loss_for_others():
    """However high the loss bursts, a repeat that bursts says no more than that it did."""
    burst = [np.array([BOWL, np.where(TRIED > 0.5, high, BOWL)]) for high in (1e2, 1e30)]
    found = [suggest(TRIED, losses).learning_rate for losses in burst]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        (np.ones(161), "the loss never falls"),
        (1 + TRIED, "the loss never falls"),
        (np.full(161, np.nan), "bursts at the first rates, so begin lower, or take larger batches"),
        (np.where(np.arange(161) < 16, BOWL, np.nan), "bursts at the first rates"),
        ([np.where(np.arange(161) < end, BOWL, np.nan) for end in (3, 12, 161)], "bursts at the first rates"),
        (np.interp(np.log10(TRIED), [-7, -6, 0, 1], [3, 2, 2, 4]), "begin lower"),
        (np.where(TRIED < 0.1, BOWL, 1.0), "go on higher"),
        (2 + 0.1 * np.random.default_rng(1).normal(size=161), "never falls by more than its noise"),
        (BOWL + 2 * np.random.default_rng(1).normal(size=161), "never falls by more than its noise"),
    ],
)
def test_suggest_refuses(losses, reason):
    found = suggest(TRIED, losses)
    assert found.learning_rate is None and reason in found.reason
    assert np.isnan(found.low) and str(found) == f"no suggestion: {found.reason}"


def test_with_six_rates_there_is_no_curve():
    assert suggest(TRIED[:6], BOWL[:6]).reason == "the loss is known at fewer than seven rates"


def test_many_repeats_show_a_fall_that_one_does_not():
    losses = BOWL + 1.2 * np.random.default_rng(1).normal(size=(30, 161))
    assert sum(suggest(TRIED, row).learning_rate is None for row in losses) > 10
    assert near(suggest(TRIED, losses, factor=1e9).learning_rate, 10**-1.2, 0.4)


@pytest.mark.parametrize("n", [7, 20, 161])
@pytest.mark.parametrize("noise", NOISE.values(), ids=NOISE)
@pytest.mark.parametrize("repeats", [1, 4])
def test_noise_alone_is_refused(noise, n, repeats):
    noise = noise(np.random.default_rng(2), (200, repeats, n))
    tried = np.geomspace(1e-7, 10, n)
    answers = [suggest(tried, 3 + losses, factor=1e9).learning_rate is not None for losses in noise]
    assert np.mean(answers) < 0.03


def test_the_user_says_what_is_too_wide():
    found = suggest(TRIED, BOWL)
    width = found.high / found.low
    assert suggest(TRIED, BOWL, factor=width * 1.01) == found
    refused_ = suggest(TRIED, BOWL, factor=width / 1.01)
    assert refused_.learning_rate is None and "wider than a factor of" in refused_.reason
    assert (refused_.low, refused_.high) == (found.low, found.high)


def test_what_the_length_of_the_training_has_to_do_with_it():
    found = suggest(TRIED, BOWL, steps=1000)
    growth = np.log(1e8) / 160
    travelled = TRIED[TRIED <= found.learning_rate].sum()  # by the test, up to there
    np.testing.assert_allclose(1000 * found.learning_rate / travelled, 1000 * growth, rtol=0.1)
    assert f"{1000 * growth:.0f} times as far" in found.advice
    assert f"{found.learning_rate / (1000 * growth):.2g} would go as far" in found.advice
    assert found.advice in str(found) and found.learning_rate == suggest(TRIED, BOWL).learning_rate
    assert "only 100" in suggest(TRIED, BOWL, steps=100).advice
    assert "1610 updates" in suggest(TRIED, BOWL, steps=100, hold=10).advice


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"losses": BOWL[:-1]}, "losses must have one for each rate, got shapes (161,) and (1, 160)"),
        ({"losses": np.ones((2, 2, 161))}, "losses must have one for each rate"),
        ({"losses": np.ones((0, 161))}, "losses must have one for each rate"),
        ({"rates": TRIED[::-1]}, "rates must be positive and rising"),
        ({"rates": TRIED - 1e-7}, "rates must be positive and rising"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"steps": 1.5}, "steps must be an integer"),
        ({"hold": 0}, "hold must be at least 1"),
        ({"factor": 1}, "factor must be above 1, got 1.0"),
        ({"factor": -2}, "factor must be positive"),
        ({"momentum": 1}, "momentum must be below 1, got 1.0"),
        ({"momentum": -0.1}, "momentum must"),
    ],
)
def test_bad_arguments(change, fragment):
    refused(lambda: suggest(**{"rates": TRIED, "losses": BOWL, **change}), ValueError, fragment)


def test_a_suggestion_shows():
    assert str(Suggestion(0.01, 0.001, 0.1, "it is so")) == "suggestion 0.01 (0.001–0.1): it is so"
    assert str(Suggestion(None, np.nan, np.nan, "no fall")) == "no suggestion: no fall"
    assert str(Suggestion(0.01, 0.001, 0.1, "so", "but")) == "suggestion 0.01 (0.001–0.1): so; but"
