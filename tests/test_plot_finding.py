"""The pictures of a range test and of a search draw what was recorded, and say in words why there is no rate."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from lrlib import plot, plot_finding
from lrlib.suggestion import suggest

pytestmark = pytest.mark.filterwarnings("error")

RATES = np.geomspace(1e-5, 10, 61)


def range_tested(losses, accuracies=None):
    """What a range test leaves, with a suggestion made from it."""

    def of(steps=None, factor=100.0):
        return suggest(RATES, losses, steps, factor)

    return SimpleNamespace(rates=RATES, losses=losses, accuracies=accuracies, suggest=of)


def falling(repeats=4, noise=0.02):
    chance = np.random.default_rng(0).normal(size=(repeats, len(RATES)))
    losses = 0.2 + 2 / (1 + (RATES / 0.03) ** 2) + RATES**2 + noise * chance
    losses[0, 50:] = np.nan
    return losses


def lines(axes, label):
    return [line for line in axes.lines if line.get_label() == label]


def edges(patch):
    return tuple(patch.get_window_extent().transformed(patch.axes.transData.inverted()).intervalx)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_batch_is_a_dot_and_the_repeats_are_a_band():
    losses = falling()
    (axes,) = plot_finding.range_test(range_tested(losses)).axes
    dots = [line for line in axes.lines if line.get_marker() == "." and len(line.get_xdata())]
    np.testing.assert_array_equal([line.get_ydata() for line in dots], losses)
    (mean,) = lines(axes, "smoothed")
    x, y = mean.get_data()
    assert np.array_equal(x, RATES) and np.isnan(y[50:]).all(), "the line ends with the first repeat that ends"
    np.testing.assert_allclose(y[10], losses[:, 7:14].mean(), rtol=1e-9)
    np.testing.assert_allclose(y[0], losses[:, 0].mean(), rtol=1e-9)
    assert axes.collections, "the band"
    assert axes.get_xscale() == "log" and axes.get_ylabel() == "loss"


def test_one_repeat_may_be_a_plain_row():
    losses = falling(1, noise=0)[0]
    (axes,) = plot_finding.range_test(range_tested(losses)).axes
    assert lines(axes, "smoothed")[0].get_ydata()[0] == losses[0]


def test_the_smoothing_moves_nothing_also_on_uneven_rates():
    """A straight line stays one, whatever the distances: the mean reaches as far to the left as to the right."""
    x = np.sort(np.random.default_rng(1).uniform(0, 10, 80))
    even = np.linspace(0, 10, 80)
    np.testing.assert_allclose(plot_finding._smooth(even, 3 - even), 3 - even, atol=1e-12)
    off = plot_finding._smooth(x, 3 - x) - (3 - x)
    assert np.abs(off).max() < 0.5 and abs(off.mean()) < 0.05, "a causal mean is off by its whole width"


def test_the_suggestion_and_its_interval_are_marked():
    test = range_tested(falling())
    found = test.suggest()
    figure = plot_finding.range_test(test)
    (axes,) = figure.axes
    assert legend(figure)[-1] == f"suggestion, {found.learning_rate:.2g}"
    (mark,) = lines(axes, legend(figure)[-1])
    assert mark.get_xdata()[0] == found.learning_rate and mark.get_color() == plot.COLOUR["right"]
    (shaded,) = axes.patches
    assert edges(shaded) == pytest.approx((found.low, found.high))
    assert axes.get_title(loc="left") == ""


def test_a_refusal_stands_in_words():
    noise = 2.3 + 0.3 * np.random.default_rng(0).normal(size=(4, len(RATES)))
    figure = plot_finding.range_test(range_tested(noise))
    (axes,) = figure.axes
    assert legend(figure) == ["batches", "smoothed"] and not axes.patches
    assert axes.get_title(loc="left").startswith("No suggestion: the loss never falls")


def test_a_refusal_because_of_a_wide_interval_shows_the_interval():
    test = range_tested(falling())
    low, high = 1e-4, 1.0
    refused = SimpleNamespace(learning_rate=None, low=low, high=high, reason="the interval is wider than ten")
    (axes,) = plot_finding.range_test(test, refused).axes
    (shaded,) = axes.patches
    assert edges(shaded) == pytest.approx((low, high))
    assert max(map(len, axes.get_title(loc="left").splitlines())) <= plot_finding.LINE
    with pytest.raises(TypeError, match="suggestion must be what suggest returned, got 0.1"):
        plot_finding.range_test(range_tested(falling()), 0.1)


def test_what_bursts_leaves_the_picture_and_the_rest_fills_it():
    losses = falling()
    losses[:, 45:48] = 1e6
    (axes,) = plot_finding.range_test(range_tested(losses)).axes
    bottom, top = axes.get_ylim()
    assert losses[:, :6].max() < top < 4 and bottom < np.nanmin(losses)


def test_accuracies_are_drawn_where_they_were_asked_for():
    right = np.clip(0.1 + RATES, 0.1, 0.9)[None]
    (axes,) = plot_finding.range_test(range_tested(falling(1), right)).axes
    assert axes.get_ylabel() == "accuracy"
    assert lines(axes, "smoothed")[0].get_ydata()[0] == right[0, 0]


GRID = np.array([0.01, 0.03, 0.1, 0.3, 1.0])


def searched(chosen, **changes):
    """What a search leaves: five rates, of which two were dropped after three seeds and the last one failed."""
    loss = np.array([1.0, 0.5, 0.2, 0.21, 0.9])[:, None] * np.linspace(0.98, 1.02, 5)
    done, failed = np.ones((5, 5), bool), np.zeros((5, 5), bool)
    done[:2, 3:], failed[4] = False, True
    dims = ("learning_rate", "seed")
    runs = xr.Dataset(
        {
            "validation_loss": (dims, np.where(done, loss, np.nan)),
            "failed": (dims, failed),
            "done": (dims, done),
        },
        {"learning_rate": GRID, "seed": range(5)},
    )
    found = {"learning_rate": chosen, "low": 0.1, "high": 0.3, "reason": "no rate is better", "runs": runs}
    return SimpleNamespace(**{**found, "range_test": range_tested(falling()), **changes})


def test_a_search_stands_above_its_trainings_on_one_axis_of_rates():
    figure = plot_finding.found(searched(0.1))
    above, below = figure.axes
    assert above.get_xlim() == below.get_xlim() and 1e-3 <= below.get_xlim()[0] < 0.01 < 1 < below.get_xlim()[1] <= 10
    dots = {line.get_xdata()[0]: line.get_ydata() for line in below.lines if line.get_marker() == "."}
    assert set(dots) == set(GRID) and np.isfinite(dots[0.03]).sum() == 3 and np.isfinite(dots[0.1]).sum() == 5
    (ring,) = (line for line in below.lines if line.get_mfc() == "none" and line.get_marker() == "o")
    assert ring.get_xdata() == [0.1]
    bars = [line for line in below.lines if line.get_marker() == "|"]
    assert [list(bar.get_xdata()) for bar in bars] == [[0.1, 0.3]]
    assert set(legend(figure)) == {"best, 0.1", "too small", "right", "failed runs"}
    assert [line.get_xdata()[0] for line in above.lines if len(set(line.get_xdata())) == 1][-1] == 0.1


def test_the_ring_is_round_the_rate_that_the_search_chose():
    """With few seeds another mean may be lower by chance; the search knows why it did not take it."""
    (_, below) = plot_finding.found(searched(0.3)).axes
    (ring,) = (line for line in below.lines if line.get_mfc() == "none" and line.get_marker() == "o")
    assert ring.get_xdata() == [0.3]


def test_a_search_that_found_no_rate_says_why():
    figure = plot_finding.found(searched(None, low=np.nan, high=np.nan, reason="no rate learns anything"))
    above, below = figure.axes
    assert above.get_title(loc="left") == "No learning rate: no rate learns anything."
    assert not [line for line in below.lines if line.get_marker() == "|"]
    assert set(legend(figure)) == {"too small", "right", "failed runs"}, "none is the best, so none is in a ring"
    assert not [line for line in below.lines if line.get_mfc() == "none"]


def all_failed():
    runs = searched(None).runs
    runs["failed"] = runs.failed | True
    return runs


@pytest.mark.parametrize("runs", [None, all_failed()], ids=["nothing was trained", "all runs failed"])
def test_without_a_u_the_range_test_stands_alone(runs):
    figure = plot_finding.found(searched(None, low=np.nan, high=np.nan, reason="every run failed", runs=runs))
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "No learning rate: every run failed."
    assert lines(axes, "smoothed")


def test_a_picture_has_the_same_bytes_at_every_run():
    for draw in (lambda: plot_finding.range_test(range_tested(falling())), lambda: plot_finding.found(searched(0.1))):
        assert plot.to_svg(draw()) == plot.to_svg(draw())
