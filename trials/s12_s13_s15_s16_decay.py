"""S12, S15, S16: does a rate that falls late do better, how should it fall, and how far? S13: a decay told in epochs.

The first three compare courses of the rate, each from the peak that suits it best in that setting. Their sentences
speak of noisy gradients, so most settings have wrong labels and small batches; three have clean labels. S13 trains with
Keras itself, which cuts an epoch into updates in more ways than one.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lrlib import ExponentialDecay, StepDecay
from lrlib.keras import AppliedRates, KerasSchedule
from lrlib.quiet import keras, tf
from trials.setting import Outcome, Setting, Trial, below, variations

LATE = 1 / 5  # the share of the steps in which a late decay falls
WORSE = 0.05  # of the loss: what counts as worse
PEAKS = 2.0 ** np.arange(-5, 4)
CHAPTER = Setting(label_noise=0.4, batch_size=8)
SETTINGS = (
    *(replace(s, name="batches of 32", batch_size=32) if s.name == "batches of 8" else s for s in variations(CHAPTER)),
    replace(CHAPTER, name="diabetes for digits", data="diabetes"),
    replace(CHAPTER, name="no hidden layer", width=0),
    replace(CHAPTER, name="momentum 0.9", momentum=0.9),
    replace(CHAPTER, name="Adam for SGD", optimizer="Adam"),
    replace(CHAPTER, name="a tenth of the labels", label_noise=0.1),
    replace(CHAPTER, name="clean labels", label_noise=0.0),
    replace(CHAPTER, name="clean labels, relu", label_noise=0.0, activation="relu"),
    replace(CHAPTER, name="clean labels, four times", label_noise=0.0, steps=4 * CHAPTER.steps),
)


@dataclass(frozen=True)
class Line:
    """A constant rate of 1, and in the last ``share`` of the steps a straight line towards ``end``."""

    steps: int
    share: float = LATE
    end: float = 0.0

    def __call__(self, step):
        fallen = max(0.0, 1 - (self.steps - step) / (self.share * self.steps))
        return 1 - (1 - self.end) * fallen


@dataclass(frozen=True)
class Drop:
    """A constant rate of 1, and in the last ``share`` of the steps one of ``end``."""

    steps: int
    share: float = LATE
    end: float = 1 / 5

    def __call__(self, step):
        return 1.0 if self.steps - step > self.share * self.steps else self.end


@cache
def losses(setting, schedule=None):
    """What each judging seed gets with this course of the rate, at its own best peak."""
    return setting.judged(PEAKS * setting.scale, schedule)


def late_beats_constant(setting):
    constant, late = losses(setting), losses(setting, Line(setting.steps))
    return Outcome(below(late, constant), f"{late.mean():.3g} against {constant.mean():.3g}")


def held_then_lowered_gradually(setting):
    """From half time on a line: below a constant rate, and no worse than a single drop."""
    steps = setting.steps
    constant, line = losses(setting), losses(setting, Line(steps, share=1 / 2))
    drop = losses(setting, Drop(steps, share=1 / 2))
    held = below(line, constant) and below(line, drop, WORSE * drop.mean())
    whole = losses(setting, Line(steps, share=1))  # not part of the sentence: which is lower depends on the noise
    return Outcome(held, f"{line.mean():.3g}, drop {drop.mean():.3g}, at once {whole.mean():.3g}")


def a_hundredth_is_enough(setting):
    """Late, a fall to 1/100 is not worse than one to 1/5, and within the margin of one to 1/20."""
    fifth, twentieth, hundredth = (losses(setting, Line(setting.steps, end=1 / k)) for k in (5, 20, 100))
    margin = WORSE * hundredth.mean()
    as_far = below(hundredth, twentieth, margin) and below(twentieth, hundredth, margin)
    held = as_far and below(hundredth, fifth, margin)
    early = losses(setting, ExponentialDecay(1, setting.steps, 1 / 100))  # not part of the sentence: it goes both ways
    means = (f"{arm.mean():.3g}" for arm in (hundredth, twentieth, fifth, early))
    return Outcome(held, "{}, 1/20 {}, 1/5 {}, early {}".format(*means))


@dataclass(frozen=True)
class Fit:
    """How Keras is asked to train; the rate is to halve every five epochs."""

    name: str = "as in the chapter"
    samples: int = 1079
    batch_size: int = 64
    optimizer: str = "SGD"
    compiled: bool = False  # by XLA
    at_once: int = 1  # updates in one execution
    accumulated: int = 1  # batches in one update
    held_out: float = 0.0  # the share of the samples that is kept for validation
    full_only: bool = False  # whether a last batch that is not full is left out
    epochs: int = 12

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        trained = int(self.samples * (1 - self.held_out))
        return trained // self.batch_size if self.full_only else -(-trained // self.batch_size)

    def applied(self, schedule) -> np.ndarray:
        """Train, and return the rate that was applied in each update."""
        x = np.zeros((self.samples, 1), np.float32)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        accumulate = {"gradient_accumulation_steps": self.accumulated} if self.accumulated > 1 else {}
        optimizer = getattr(keras.optimizers, self.optimizer)(KerasSchedule(schedule), **accumulate)
        model.compile(optimizer, "mse", jit_compile=self.compiled, steps_per_execution=self.at_once)
        how = {"epochs": self.epochs, "verbose": 0}
        with AppliedRates(model) as applied:
            if self.full_only:
                data = tf.data.Dataset.from_tensor_slices((x, x)).batch(self.batch_size, drop_remainder=True)
                model.fit(data, **how)
            else:
                model.fit(x, x, self.batch_size, validation_split=self.held_out, **how)
        return applied.rates


def falls_in_its_epoch(fit):
    """Converted by the batches of an epoch it halves in epochs 5 and 10; as it was for batches of 32 it does not."""

    def first_halved(decay_steps):
        rates = fit.applied(StepDecay(0.1, decay_steps, 0.5))
        in_epoch = fit.batches / fit.accumulated
        fallen = [rates < 0.075, rates < 0.0375]
        return [int(low.argmax()) / in_epoch if low.any() else np.inf for low in fallen]

    converted, kept = first_halved(5 * fit.batches), first_halved(5 * 34)
    unconverted = f"{kept[0]:.3g}" if np.isfinite(kept[0]) else "never"
    return Outcome(converted == [5, 10] and kept != [5, 10], f"epoch {converted[0]:.3g}; 170 steps: {unconverted}")


FITS = (
    Fit(),
    Fit("batches of 8", batch_size=8),
    Fit("batches of 22", batch_size=22),
    Fit("batches of 128", batch_size=128),
    Fit("569 samples", samples=569),
    Fit("no batch left over", samples=1088),
    Fit("compiled by XLA", compiled=True),
    Fit("Adam for SGD", optimizer="Adam"),
    Fit("4 updates at once", at_once=4),
    Fit("2 batches in an update", samples=1152, accumulated=2),
    Fit("a fifth kept for validation", held_out=0.2),
    Fit("full batches only", full_only=True),
)
HALF = "With noise, hold the rate for half of the steps, then lower it gradually."
ENOUGH = "Late, a fall to 1/100 is no worse than one to 1/5 and no better than one to 1/20."
TRIALS = [
    Trial("S12", "With noise, falling in the last fifth beats the best constant rate.", late_beats_constant, SETTINGS),
    Trial("S13", "Converted for every batch size, it falls in its epoch.", falls_in_its_epoch, FITS),
    Trial("S15", HALF, held_then_lowered_gradually, SETTINGS),
    Trial("S16", ENOUGH, a_hundredth_is_enough, SETTINGS),
]
