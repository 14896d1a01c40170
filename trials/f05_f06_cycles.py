"""F5, F6: is one cycle faster than a rate that falls late, and do cycles spare the choice of a rate?

F5 compares courses of the rate at equal steps, each from the peak that suits it best in that setting. F6 takes the best
largest rate of triangular cycles and trains with an eighth of it, and with eight times it. What flipped is named in the
sentences: momentum 0.9 and the tumours for F5, the tumours and the diabetes patients for F6.
"""

from dataclasses import replace

import numpy as np

from lrlib.runs import best_rate
from lrlib.schedules import OneCycle, Triangular, WarmupStableDecay
from trials.setting import CHOOSE, JUDGE, Outcome, Setting, Trial, below, variations

WORSE = 0.05  # of the loss: what counts as worse
OFF = 8  # by which factor a rate is missed
PEAKS = 2.0 ** np.arange(-5, 4)
CHAPTER = Setting(label_noise=0.4)
SETTINGS = (
    *(setting for setting in variations(CHAPTER) if setting.data == "digits"),
    replace(CHAPTER, name="no hidden layer", width=0),
    replace(CHAPTER, name="a tenth of the labels", label_noise=0.1),
    replace(CHAPTER, name="clean labels", label_noise=0.0),
    replace(CHAPTER, name="clean labels, relu", label_noise=0.0, activation="relu"),
    replace(CHAPTER, name="clean labels, four times", label_noise=0.0, steps=4 * CHAPTER.steps),
)
MORE = (
    replace(CHAPTER, name="momentum 0.9", momentum=0.9),
    replace(CHAPTER, name="Adam for SGD", optimizer="Adam"),
)


def grid(setting):
    """The peaks among which each course finds its best."""
    return PEAKS * setting.scale


def one_cycle_gains_nothing(setting):
    """A rate that is held and falls to zero in the last fifth is no worse than one cycle."""
    steps = setting.steps
    courses = OneCycle(1, steps), WarmupStableDecay(1, steps, decay_steps=steps / 5)
    cycle, late = (setting.judged(grid(setting), course) for course in courses)
    held = below(late, cycle, WORSE * cycle.mean())
    return Outcome(held, f"{late.mean():.3g}, one cycle {cycle.mean():.3g}")


def cycles_must_be_tuned(setting):
    """With a largest rate eight times too small or too large the cycles end higher."""
    course = Triangular(1 / 4, 1, setting.steps / 8)
    best = best_rate(setting.sweep(grid(setting), CHOOSE, course), f"validation_{setting.measure}").learning_rate
    runs = setting.sweep([best / OFF, best, best * OFF], JUDGE, course)
    small, right, large = setting.tested(runs)
    held = below(right, small) and below(right, large)
    return Outcome(held, f"{small.mean():.3g}, {right.mean():.3g}, {large.mean():.3g}")


NOTHING = "On digits, with plain SGD and equal steps, a rate that falls late is no worse than one cycle."
TUNED = "On the digits, cycles whose largest rate is eight times too small or too large end higher."
TRIALS = [
    Trial("F5", NOTHING, one_cycle_gains_nothing, SETTINGS),
    Trial("F6", TUNED, cycles_must_be_tuned, (*SETTINGS, *MORE)),
]
