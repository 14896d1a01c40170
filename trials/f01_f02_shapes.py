"""F1: is a cosine better than a line? F2: is any shape better than a line that begins at once?

Each shape takes the peak that suits it best in that setting. Both sentences speak of the test loss: a tenth of the
errors would be one image of the test part. F1 is tried with clean and with wrong labels, and for a late line only where
its sentence speaks of one; F2 speaks of wrong labels, and of runs that are not short.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lrlib import CosineDecay, LinearDecay, WarmupStableDecay
from trials.setting import Outcome, Setting, Trial, below, each_changed, variations

NEAR = 0.1  # of the loss: what counts as no difference, as wide as the valley of a best rate
PEAKS = 2.0 ** (np.arange(-7, 5) / 2)
CHAPTER = Setting(batch_size=8)
WRONG = replace(CHAPTER, label_noise=0.4)
MORE = {
    "batches of 32": {"batch_size": 32},
    "no hidden layer": {"width": 0},
    "momentum 0.9": {"momentum": 0.9},
    "Adam for SGD": {"optimizer": "Adam"},
    "relu, batches of 32": {"activation": "relu", "batch_size": 32},
}
ELSEWHERE = {
    "wrong labels": {"label_noise": 0.4},
    "wrong labels, a quarter": {"label_noise": 0.4, "steps": CHAPTER.steps // 4},
    "wrong labels, four times": {"label_noise": 0.4, "steps": CHAPTER.steps * 4},
    "wrong labels, Adam": {"label_noise": 0.4, "optimizer": "Adam"},
}


def of_loss(settings, but=()):
    return tuple(s for s in settings if s.measure == "loss" and s.name not in ("batches of 8", *but))


@dataclass(frozen=True)
class Shape:
    """A fall from 1 to 0, by its name, over the steps of a run."""

    name: str
    steps: int

    def __call__(self, step):
        late = {"decay_steps": self.steps / 2}
        if self.name == "late":
            return WarmupStableDecay(1.0, self.steps, **late)(step)
        return {"line": LinearDecay, "cosine": CosineDecay}[self.name](1.0, self.steps)(step)


@cache
def losses(setting, name):
    """What each judging seed gets with this shape, at its own best peak."""
    return setting.judged(PEAKS * setting.scale, Shape(name, setting.steps))


def late_is_said_to_lead(setting):
    clean_digits = setting.data == "digits" and setting.label_noise == 0
    return clean_digits and setting.width > 0 and setting.optimizer == "SGD" and setting.momentum == 0


def line_and_cosine_are_near(setting):
    line, cosine = losses(setting, "line"), losses(setting, "cosine")
    margin = NEAR * line.mean()
    held = below(line, cosine, margin) and below(cosine, line, margin)
    figure = f"line {line.mean():.3g}, cosine {cosine.mean():.3g}"
    if late_is_said_to_lead(setting):
        late = losses(setting, "late")
        held = held and below(late, line) and below(late, cosine)
        figure += f", late {late.mean():.3g}"
    return Outcome(held, figure)


def nothing_is_far_below_the_line(setting):
    line, cosine, late = (losses(setting, name) for name in ("line", "cosine", "late"))
    held = all(below(line, other, NEAR * line.mean()) for other in (cosine, late))
    return Outcome(held, f"line {line.mean():.3g}, cosine {cosine.mean():.3g}, late {late.mean():.3g}")


AS_GOOD = (
    "At their best peaks, line and cosine differ by less than a tenth of the loss; for a network that learns clean "
    "digits by plain SGD, a line that begins at half time is below both."
)
LOWEST = "With wrong labels, in runs not short, no cosine or late line is a tenth below the line."
TRIALS = [
    Trial(
        "F1",
        AS_GOOD,
        line_and_cosine_are_near,
        of_loss(variations(CHAPTER, *each_changed(CHAPTER, {**MORE, **ELSEWHERE}))),
    ),
    Trial(
        "F2",
        LOWEST,
        nothing_is_far_below_the_line,
        of_loss(
            variations(WRONG, *each_changed(WRONG, {**MORE, "a fifth wrong": {"label_noise": 0.2}})),
            but=["a quarter of the steps"],
        ),
    ),
]
