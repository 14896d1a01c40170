"""S10 tried on other networks and data: is the loss lower, after so many steps, where the rate decays late?

On 300 digits with clean labels, in batches of 8 and on all of them at once. The decay is the late one of chapter 5: a
constant rate, then a line to zero over the last fifth. Its peak and the constant rate that it is held against are each
the best on other seeds than those that judge.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib.claims import claim
from lrlib.sweep import best_rate
from trials.s07_overfitting import Few
from trials.setting import Outcome, Trial

RATES = 0.05 * 2.0 ** np.arange(0, 6.5, 0.5)
CHOOSE, JUDGE = 4, 16  # the numbers of seeds


@dataclass(frozen=True)
class Batches(Few):
    """A setting with few samples, clean labels and batches of 8, or of all the samples."""

    label_noise: float = 0.0
    batch_size: int = 8
    steps: int = 100
    rates: tuple = tuple(RATES)
    measure: str = "train_loss"

    def late(self, step) -> float:
        return min(1.0, 5 * (1 - step / self.steps))

    def reached(self, schedule=None) -> np.ndarray:
        """Return the loss of each judging seed at the peak that the choosing seeds choose."""
        runs = self.sweep(self.rates, range(CHOOSE + JUDGE), schedule)
        best = best_rate(runs.isel(seed=slice(CHOOSE)), self.measure.replace("test", "validation"))
        judging = runs.isel(learning_rate=best.index, seed=slice(CHOOSE, None))
        return judging[self.measure].where(~judging.failed, np.inf).values


def noise_decides(setting: Batches) -> Outcome:
    """In small batches the late decay is ahead of the best constant rate, on all samples at once it is behind."""
    whole = len(setting.samples.x_train)
    together = replace(setting, batch_size=whole, rates=setting.rates[-6:])
    pairs = [(each.reached(), each.reached(each.late)) for each in (setting, together)]
    figure = ", ".join("{:.3f} to {:.3f}".format(*np.mean(pair, axis=1)) for pair in pairs)
    (constant, late), (constant_on_all, late_on_all) = pairs
    try:
        claim(late, constant, "in small batches the late decay is ahead")
        claim(constant_on_all, late_on_all, "on all samples at once the constant rate is ahead")
    except AssertionError:
        return Outcome(False, figure)
    return Outcome(True, figure)


CHAPTER = Batches()
CHANGES = {
    "another split": {"split": 1},
    "a third split": {"split": 2},
    "fresh seeds": {"first_seed": 100},
    "half the steps": {"steps": 50},
    "four times the steps": {"steps": 400},
    "batches of 4": {"batch_size": 4},
    "batches of 20": {"batch_size": 20},
    "relu for tanh": {"activation": "relu"},
    "twice the width": {"width": 64},
    "half the samples": {"few": 150},
    "tumours for digits": {"data": "breast_cancer", "rates": tuple(4 * RATES)},
    "test loss for training loss": {"measure": "test_loss"},
}
S10 = "With SGD and clean labels a late decay beats the best constant rate in batches of 8, but not on all data."
TRIALS = [Trial("S10", S10, noise_decides, (CHAPTER, *(replace(CHAPTER, name=n, **c) for n, c in CHANGES.items())))]
