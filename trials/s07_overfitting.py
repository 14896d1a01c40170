"""S7 tried on other networks and data: does a rate five times smaller overfit more easily?

A fifth of the labels of 300 digits is drawn anew, so a network that learns those by heart gets worse on clean test
digits. The large rate is given so many steps that it does. The small one is looked at after as many steps, and after
five times as many, when it has gone as far: rate × steps is then the same.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib import datasets
from trials.setting import Outcome, Setting, Trial, below, each_changed

SEEDS = range(16)
LARGE, SMALL = 0.3, 0.06
MARGIN = 0.03  # the small rate overfits more if its accuracy is lower by more than this


@dataclass(frozen=True)
class Few(Setting):
    """A setting with few samples, whose labels are noisy."""

    label_noise: float = 0.2
    batch_size: int = 20
    steps: int = 400
    few: int = 300

    @property
    def samples(self) -> datasets.Data:
        data = super().samples
        return replace(data, x_train=data.x_train[: self.few], y_train=data.y_train[: self.few])

    def score(self, steps, *rates) -> np.ndarray:
        """Return what each rate and seed gets on the test part, higher is better: the accuracy, or minus the loss."""
        runs = replace(self, steps=steps).sweep(rates, SEEDS)
        return runs.test_accuracy.values if self.measure == "accuracy" else -runs.test_loss.values


def no_more_easily(setting: Few) -> Outcome:
    """After five times the steps the small rate is no worse, within the margin; after as many steps it is better."""
    steps = setting.steps
    [earlier] = setting.score(steps // 4, LARGE)
    large, same_steps = setting.score(steps, LARGE, SMALL)
    [same_distance] = setting.score(5 * steps, SMALL)
    figure = "{:.3f}; small {:.3f}, then {:.3f}".format(*(abs(s.mean()) for s in (large, same_steps, same_distance)))
    overfitted = large.mean() < earlier.mean()  # it was better a while ago
    ahead = below(large, same_steps) or not overfitted
    return Outcome(ahead and below(large - MARGIN, same_distance), figure)


CHAPTER = Few(measure="accuracy")
CHANGES = {
    "another split": {"split": 1},
    "a third split": {"split": 2},
    "a third split and 500 steps": {"split": 2, "steps": 500},
    "fresh seeds": {"first_seed": 100},
    "twice the steps": {"steps": 800},
    "half the steps": {"steps": 200},
    "batches of 10": {"batch_size": 10},
    "batches of 75": {"batch_size": 75},
    "relu for tanh": {"activation": "relu"},
    "twice the width": {"width": 64},
    "twice the samples": {"few": 600, "steps": 800},
    "two fifths of the labels": {"label_noise": 0.4},
    "tumours for digits": {"data": "breast_cancer"},
    "loss for accuracy": {"measure": "loss"},
}
S7 = "Where a rate overfits, a fifth of it does less in as many steps and no more in five times as many (within 0.03)."
TRIALS = [Trial("S7", S7, no_more_easily, (CHAPTER, *each_changed(CHAPTER, CHANGES)))]
