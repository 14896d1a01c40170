"""A setting in which a sentence about training is tried, and the variations that the sentence does not name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lrlib import datasets
from lrlib.claims import claim
from lrlib.quiet import keras
from lrlib.runs import best_rate
from lrlib.sweep import sweep

CHOOSE = range(8)  # the seeds on which a learning rate is chosen
JUDGE = range(8, 24)  # the seeds that judge it


class Outcome(NamedTuple):
    """Whether a sentence held in one setting, and the figure that shows it."""

    held: bool
    figure: str


class Trial(NamedTuple):
    """One sentence and the settings in which it is tried; the first is the chapter's own."""

    statement: str
    claim: str
    holds: Callable[..., Outcome]
    settings: tuple


@dataclass(frozen=True)
class Setting:
    """A network, its data, and how it is trained and judged."""

    name: str = "as in the chapter"
    data: str = "digits"
    split: int = 0
    label_noise: float = 0.0
    steps: int = 300
    batch_size: int = 32
    activation: str = "tanh"
    width: int = 32
    optimizer: str = "SGD"
    momentum: float = 0.0
    measure: str = "loss"  # or accuracy
    first_seed: int = 0

    @property
    def samples(self) -> datasets.Data:
        return getattr(datasets, self.data)(label_noise=self.label_noise, seed=self.split)

    @property
    def model(self) -> keras.Sequential:
        data = self.samples
        hidden = [keras.layers.Dense(self.width, self.activation)] if self.width else []
        outputs = keras.layers.Dense(data.classes or 1)
        model = keras.Sequential([keras.Input(data.x_train.shape[1:]), *hidden, outputs])
        settings = {"momentum": self.momentum} if self.optimizer == "SGD" else {}
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if data.classes else "mse"
        model.compile(getattr(keras.optimizers, self.optimizer)(**settings), loss)
        return model

    @property
    def scale(self) -> float:
        """By how much its best rates differ, roughly, from those of plain SGD with a hidden layer on the digits."""
        of_optimizer = 1 - self.momentum if self.optimizer == "SGD" else 1 / 32
        return of_optimizer * {"diabetes": 1 / 16}.get(self.data, 1) * (1 if self.width else 2)

    def sweep(self, learning_rates, seeds, schedule=None):
        """Train with every rate and seed; ``schedule`` is a factor for each step."""
        seeds = [self.first_seed + seed for seed in seeds]
        how = {"steps": self.steps, "batch_size": self.batch_size, "schedule": schedule}
        return sweep(self.model, self.samples, learning_rates, seeds, **how)

    def judged(self, peaks, schedule=None) -> np.ndarray:
        """Return what each judging seed gets on test data, at the peak that the choosing seeds choose on validation.

        Lower is better: a loss, or the share of errors. A run that failed is infinite.
        """
        best = best_rate(self.sweep(peaks, CHOOSE, schedule), f"validation_{self.measure}")
        judging = self.sweep([best.learning_rate], JUDGE, schedule).isel(learning_rate=0)
        return self.tested(judging)

    def tested(self, runs) -> np.ndarray:
        """Return what runs get on test data; lower is better, and a run that failed is infinite."""
        tested = runs[f"test_{self.measure}"]
        tested = 1 - tested if self.measure == "accuracy" else tested
        return tested.where(~runs.failed, np.inf).values


def below(a, b, margin=0.0) -> bool:
    """Whether seeds support that one arm lies below the other, or above it by less than ``margin``."""
    try:
        claim(a, b + margin, "below")
    except AssertionError:
        return False
    return True


def each_changed(chapter, changes: dict) -> tuple:
    """Return the chapter's setting with each of the named changes in turn."""
    return tuple(replace(chapter, name=name, **change) for name, change in changes.items())


def variations(chapter: Setting, *more: Setting) -> tuple[Setting, ...]:
    """Return the chapter's setting and what its sentence does not name, each changed in one point, then ``more``."""
    other = "relu" if chapter.activation == "tanh" else "tanh"
    changes = {
        "another split": {"split": 1},
        "fresh seeds": {"first_seed": 100},
        "a quarter of the steps": {"steps": chapter.steps // 4},
        "four times the steps": {"steps": chapter.steps * 4},
        "batches of 8": {"batch_size": 8},
        "batches of 128": {"batch_size": 128},
        f"{other} for {chapter.activation}": {"activation": other},
        "twice the width": {"width": chapter.width * 2},
        "accuracy for loss": {"measure": "accuracy"},
        "tumours for digits": {"data": "breast_cancer"},
    }
    return chapter, *each_changed(chapter, changes), *more
