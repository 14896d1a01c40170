"""Every finder by its published definition: against a slow reading of it, and on curves of known answer."""

import numpy as np
import pytest

from lrlib import finders
from lrlib.finders import RULES
from refusal import refused

RATES = np.geomspace(1e-7, 10, 100)


def recorded(seed, n=100, burst=True):
    """Losses as a range test records them: level, falling, bursting, with noise."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-7, 1, n)
    losses = 0.3 + 2 / (1 + 10 ** (1.5 * (x + rng.uniform(2, 4)))) + 0.1 * rng.normal(size=n)
    return losses + 10 ** (3 * (x - rng.uniform(-1, 0.5))) * burst


CURVES = [recorded(seed, burst=seed % 4 > 0) for seed in range(20)]


# The definitions, read slowly


def means_of_fastai(losses):
    """Each batch so far counts 0.98 of the next one; the weights sum to one."""
    means = []
    for i in range(len(losses)):
        weights = [0.98 ** (i - j) for j in range(i + 1)]
        means.append(sum(w * loss for w, loss in zip(weights, losses, strict=False)) / sum(weights))
    return means


def until(means, times):
    """The losses up to the first that is above so many times the lowest so far, that one included."""
    for i, mean in enumerate(means):
        if mean > times * min(means[: i + 1]):
            return means[: i + 1]
    return means


def read_by_fastai(rates, losses):
    means = until(means_of_fastai(losses), 4)
    return list(rates)[: len(means)][len(rates) // 10 : -5], means[len(rates) // 10 : -5]


def valley(rates, losses):
    rates, losses = read_by_fastai(rates, losses)
    length = [1] * len(losses)  # of the longest falling chain that ends here
    for i in range(len(losses)):
        for j in range(i):
            if losses[j] > losses[i]:
                length[i] = max(length[i], length[j] + 1)
    longest = max(length)
    start = length.index(longest) - longest if longest > 1 else 0  # as both ends are at first
    third = longest / 3
    return rates[start + int(third) + int(third / 2)]


def steep(rates, losses):
    rates, losses = read_by_fastai(rates, losses)
    slopes = [(losses[i + 1] - losses[i]) / np.log(rates[i + 1] / rates[i]) for i in range(len(rates) - 1)]
    return rates[slopes.index(min(slopes))]


def slide(rates, losses):
    rates, losses = read_by_fastai(rates, losses)
    n = len(losses)
    slopes = [losses[1] - losses[0]]
    slopes += [(losses[i + 1] - losses[i - 1]) / 2 for i in range(1, n - 1)]
    slopes += [losses[-1] - losses[-2]]
    left, answer = n - 16, rates[n - 16]
    while left >= 0 and abs(slopes[left + 15] - slopes[left]) > 0.005:
        answer = rates[left]
        left -= 1
    return answer


def minimum(rates, losses):
    rates, losses = read_by_fastai(rates, losses)
    return rates[losses.index(min(losses))] / 10


def torch_lr_finder(rates, losses):
    means = [losses[0]]
    for loss in losses[1:]:
        means.append(0.05 * loss + 0.95 * means[-1])
    means = until(means, 5)
    kept = list(range(len(means)))[10:-5]
    slopes = [means[min(i + 1, kept[-1])] - means[max(i - 1, kept[0])] for i in kept]
    slopes = [s / (2 if kept[0] < i < kept[-1] else 1) for i, s in zip(kept, slopes, strict=True)]
    return rates[kept[slopes.index(min(slopes))]]


def lightning(rates, losses):
    means, average = [], 0.0
    for step, loss in enumerate(losses, start=1):  # Lightning counts the update before it reads the counter
        average = 0.98 * average + 0.02 * loss
        means.append(average / (1 - 0.98 ** (step + 1)))
    means = until(means, 4)
    x, y = list(rates)[: len(means)][10:-1], means[10:-1]
    slopes = []
    for i in range(len(x)):
        if i in (0, len(x) - 1):
            a, b = (0, 1) if i == 0 else (-2, -1)
            slopes.append((y[b] - y[a]) / (x[b] - x[a]))
        else:  # the slope at the middle of three points, of the parabola through them
            left, right = x[i] - x[i - 1], x[i + 1] - x[i]
            before, behind = (y[i] - y[i - 1]) / left, (y[i + 1] - y[i]) / right
            slopes.append((right * before + left * behind) / (left + right))
    return x[slopes.index(min(slopes))]


def lowest(rates, losses):
    reach, best = len(rates) // 20, None
    for i in range(len(losses)):
        near = losses[max(0, i - reach) : i + reach + 1]
        if best is None or sum(near) / len(near) < best[0]:
            best = sum(near) / len(near), rates[i]
    return best[1]


def tenth_of_minimum(rates, losses):
    return lowest(rates, losses) / 10


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_its_definition(name):
    slow = globals()[name]
    answers = [RULES[name](RATES, losses) for losses in CURVES]
    np.testing.assert_allclose(answers, [slow(RATES, list(losses)) for losses in CURVES], rtol=1e-12)
    assert len(set(answers)) > 3


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_its_definition_on_uneven_rates_and_other_lengths(name):
    rng = np.random.default_rng(1)
    for n in (40, 77, 160):
        rates, losses = np.sort(10 ** rng.uniform(-7, 1, n)), recorded(n, n)
        np.testing.assert_allclose(RULES[name](rates, losses), globals()[name](rates, list(losses)), rtol=1e-12)


# Curves of known answer


def test_valley_of_a_loss_that_only_falls():
    """A hundred rates, without ten and five: of a chain of 85 that ends at the last the answer is -1 + 28 + 14 on."""
    assert finders.valley(RATES, 2 - 0.01 * np.arange(100)) == RATES[10 + 41]


def test_valley_of_a_loss_that_never_falls_is_the_first_rate_that_is_looked_at():
    assert finders.valley(RATES, np.linspace(1, 2, 100)) == RATES[10]


def test_steep_and_its_three_kinds_on_one_curve():
    """A step in an even curve: the means fall fastest at it, seen forward by fastai, to both sides by the others."""
    losses = np.where(np.arange(100) < 50, 2.0, 1.0)
    assert finders.steep(RATES, losses) == RATES[49]
    assert finders.torch_lr_finder(RATES, losses) == RATES[50]


def test_lightning_prefers_the_smallest_rates():
    """A fall of a thousandth at a rate of 1e-6 is steeper, on the axis of the rate, than all the rest."""
    losses = 1 / (1 + (RATES / 1e-3) ** 2)
    losses[12:] -= 0.1
    assert finders.lightning(RATES, losses) < 1e-5
    assert finders.steep(RATES, losses) > 1e-4


def test_minimum_comes_late():
    """The lowest loss is at 1e-2. The mean of the losses so far is lowest only later, and a tenth of that is told."""
    losses = 1 + 0.1 * np.abs(np.log10(RATES) + 2)
    assert finders.lowest(RATES, losses) == pytest.approx(1e-2, rel=0.15)
    assert finders.tenth_of_minimum(RATES, losses) == finders.lowest(RATES, losses) / 10
    assert finders.minimum(RATES, losses) > 2 * finders.tenth_of_minimum(RATES, losses)


def test_slide_stops_where_both_fingers_lie_on_level_ground():
    losses = np.ones(100)
    assert finders.slide(RATES, losses) == RATES[94 - 15]


def test_lowest_of_a_test_by_epoch_is_the_lowest_loss():
    rates = 10 ** (np.arange(-15, 4) / 3)
    losses = np.full(19, 2.0)
    losses[[7, 12]] = 0.5, 0.4
    losses[14:] = np.nan
    assert finders.lowest(rates, losses) == rates[12]


@pytest.mark.parametrize("name", RULES)
def test_what_follows_the_first_loss_that_is_not_finite_plays_no_part(name):
    losses = CURVES[1].copy()
    for bad in (np.nan, np.inf):
        losses[80:] = bad
        first = RULES[name](RATES, losses)
        losses[81:] = -5.0
        assert RULES[name](RATES, losses) == first


@pytest.mark.parametrize("name", RULES)
def test_too_few_losses_give_nan(name):
    assert np.isnan(RULES[name](RATES, np.full(100, np.nan)))
    few = np.where(np.arange(100) < 9, 1.0, np.nan)
    assert np.isnan(RULES[name](RATES, few)) == (name not in ("lowest", "tenth_of_minimum"))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("rates", "losses", "fragment"),
    [
        ([1, 2, 3], [1, 2], "equally long, got shapes (3,) and (2,)"),
        ([[1, 2]], [[1, 2]], "equally long"),
        ([1, 3, 2], [1, 1, 1], "positive and rising"),
        ([0, 1, 2], [1, 1, 1], "positive and rising"),
    ],
)
def test_rates_and_losses_must_fit(name, rates, losses, fragment):
    refused(lambda: RULES[name](rates, losses), ValueError, fragment)


def test_the_names():
    assert [*RULES] == [
        *("valley", "steep", "slide", "minimum"), "torch_lr_finder", "lightning", "tenth_of_minimum", "lowest"
    ]  # fmt: skip
    assert all(RULES[name] is getattr(finders, name) for name in RULES)
