"""S10 tried on other networks and data: is the loss lower, after so many steps, where the rate decays late?

On 300 digits with clean labels, in batches of 8 and on all of them at once. The decay is the late one of chapter 5: a
constant rate, then a line to zero over the last fifth. Its peak and the constant rate that it is held against are each
the best on other seeds than those that judge. About noisy labels the sentence says something only for small batches;
the figures show both.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib.runs import best_rate
from trials.s07_overfitting import Few
from trials.setting import CHOOSE, JUDGE, Outcome, Trial, below, each_changed

RATES = 0.1 * 2.0 ** np.arange(0, 5, 0.5)
IN_BATCHES, ON_ALL = slice(0, 9), slice(6, 10)  # those of them that are tried: noise allows only smaller ones


@dataclass(frozen=True)
class Batches(Few):
    """A setting with few samples, clean labels and batches of 8, or of all the samples."""

    label_noise: float = 0.0
    batch_size: int = 8
    steps: int = 100
    rates: tuple = tuple(RATES[IN_BATCHES])
    on_all: tuple = tuple(RATES[ON_ALL])
    measure: str = "train_loss"

    def late(self, step) -> float:
        return min(1.0, 5 * (1 - step / self.steps))

    def reached(self, schedule=None) -> np.ndarray:
        """Return the loss of each judging seed at the peak that the choosing seeds choose."""
        choosing = self.sweep(self.rates, CHOOSE, schedule)
        best = best_rate(choosing, self.measure.replace("test", "validation"))
        judging = self.sweep([best.learning_rate], JUDGE, schedule).isel(learning_rate=0)
        return judging[self.measure].where(~judging.failed, np.inf).values


def noise_decides(setting: Batches) -> Outcome:
    """In small batches the late decay is ahead of the best constant rate; on all samples, with clean labels, behind."""
    whole = len(setting.samples.x_train)
    together = replace(setting, batch_size=whole, rates=setting.on_all)
    pairs = [(each.reached(), each.reached(each.late)) for each in (setting, together)]
    figure = ", ".join("{:.3f} to {:.3f}".format(*np.mean(pair, axis=1)) for pair in pairs)
    (constant, late), (constant_on_all, late_on_all) = pairs
    not_on_all = below(constant_on_all, late_on_all) or bool(setting.label_noise)
    return Outcome(below(late, constant) and not_on_all, figure)


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
    "tumours for digits": {
        "data": "breast_cancer",
        "rates": tuple(2 * RATES[IN_BATCHES]),
        "on_all": tuple(4 * RATES[ON_ALL]),
    },
    "noisy labels": {"label_noise": 0.2},
    "test loss for training loss": {"measure": "test_loss"},
}
S10 = "With plain SGD a late decay beats the best constant rate in small batches; with clean labels not on all data."
TRIALS = [Trial("S10", S10, noise_decides, (CHAPTER, *each_changed(CHAPTER, CHANGES)))]
