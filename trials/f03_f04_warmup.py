"""F3, F4: is a warmup always worth its steps, and does it allow larger rates?

A warmup has a number of steps, not a share of the run, since what it waits for takes steps. Both arms end with the late
fall of S12, so that they differ in their first steps alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib.quiet import keras
from trials.setting import JUDGE, Outcome, Setting, Trial, below, variations

WARM = 20  # steps in which the rate climbs
WORSE = 0.1  # of the loss: what counts as worse, as in a valley of rates
PEAKS = 2.0 ** np.arange(-6, 5)  # to choose from
FINER = 2.0 ** np.concatenate([[-10, -7], np.arange(-9, 3) / 2])  # to find the largest that works
LARGE = 3  # times the usual first weights


@dataclass(frozen=True)
class Net(Setting):
    """A network of several hidden layers, whose first weights are those of Keras times a factor."""

    depth: int = 3
    larger: float = 1.0

    @property
    def model(self) -> keras.Sequential:
        data, usual = self.samples, super().model
        start = keras.initializers.VarianceScaling(self.larger**2, "fan_avg", "uniform")
        layers = [keras.layers.Dense(self.width, self.activation, kernel_initializer=start) for _ in range(self.depth)]
        outputs = keras.layers.Dense(data.classes or 1, kernel_initializer=start)
        model = keras.Sequential([keras.Input(data.x_train.shape[1:]), *layers, outputs])
        model.compile(usual.optimizer, usual.loss)
        return model


@dataclass(frozen=True)
class Course:
    """A rate of 1 that climbs from 0 in its first steps, if told so, and falls to 0 in its last fifth."""

    steps: int
    warm: int = 0

    def __call__(self, step):
        climbed = min(1.0, step / self.warm) if self.warm else 1.0
        return climbed * min(1.0, 5 * (self.steps - step) / self.steps)


def scale(setting):
    """In what unit the rates of a setting are."""
    of_optimizer = 1 - setting.momentum if setting.optimizer == "SGD" else 1 / 16
    return of_optimizer * {"diabetes": 1 / 8}.get(setting.data, 1)


def none_is_as_good(setting):
    """With usual weights: without a warmup the test loss is not higher, each arm at its own best peak."""
    none, warm = (setting.judged(PEAKS * scale(setting), Course(setting.steps, n)) for n in (0, WARM))
    return Outcome(below(none, warm, WORSE * warm.mean()), f"{none.mean():.3g} against {warm.mean():.3g}")


def largest(setting, warm):
    """The exponent of two of the largest peak under which each judging seed came through; below all if none did."""
    runs = setting.sweep(FINER * scale(setting), JUDGE, Course(setting.steps, warm))
    peaks = runs.learning_rate.where(~runs.failed, runs.learning_rate.min() / 2).max("learning_rate")
    return np.log2(peaks.values)


def larger_rates_come_through(setting):
    """With SGD and weights that are too large: the largest peak that works is larger with a warmup."""
    none, warm = (largest(setting, n) for n in (0, WARM))
    return Outcome(below(none, warm), f"times {2 ** (warm - none).mean():.2g}")


CHAPTER = Net(steps=150, batch_size=64, activation="relu", width=32)
SETTINGS = (
    *variations(CHAPTER),
    replace(CHAPTER, name="diabetes for digits", data="diabetes"),
    replace(CHAPTER, name="one hidden layer", depth=1),
    replace(CHAPTER, name="six hidden layers", depth=6),
    replace(CHAPTER, name="momentum 0.9", momentum=0.9),
    replace(CHAPTER, name="Adam for SGD", optimizer="Adam"),
    replace(CHAPTER, name="wrong labels", label_noise=0.4),
)
TUMOURS = replace(CHAPTER, data="breast_cancer")
STEEP_AT_FIRST = (  # the start is steeper than the end, although the weights are the usual ones
    replace(CHAPTER, name="no hidden layer", depth=0),
    replace(TUMOURS, name="tumours, another split", split=1),
    replace(TUMOURS, name="tumours, one layer of tanh", depth=1, activation="tanh"),
    replace(TUMOURS, name="tumours, one of tanh, another split", depth=1, activation="tanh", split=1),
)
TOO_LARGE = tuple(replace(s, larger=LARGE) for s in SETTINGS if s.measure == "loss" and s.optimizer == "SGD")
NOT_NEEDED = "With usual first weights a warmup of 20 steps gains nothing."
ALLOWS = "With SGD and first weights three times too large it raises the largest rate that works."
TRIALS = [
    Trial("F3", NOT_NEEDED, none_is_as_good, SETTINGS + STEEP_AT_FIRST),
    Trial("F4", ALLOWS, larger_rates_come_through, TOO_LARGE),
]
