"""Which rate to begin with: the interval from 0.001 to 0.01 (S14), and the lowest loss of a range test by epoch (S17).

Both are judged by what they cost: the test loss at their rate, over that at the best of all rates, which validation
chose on other seeds. What counts as cheap was named before: at most one and a half times the loss, or for the accuracy
at most two points less.
"""

from dataclasses import replace

import numpy as np

from lrlib import ExponentialDecay
from lrlib.runs import best_rate
from trials.setting import CHOOSE, JUDGE, Outcome, Setting, Trial, each_changed, variations

RATES = 10 ** (np.arange(-12, 4) / 3)  # 0.0001 to 10, three to a decade
INSIDE = slice(3, 7)  # 0.001 to 0.01
CHEAP, POINTS = 1.5, 0.02
TESTS, CHEAP_TESTS = 8, 7  # range tests, a seed each, and how many must be cheap
UPDATES = 30  # for which a rate is held, at least

SGD = Setting(steps=200, activation="relu")
ADAM = replace(SGD, optimizer="Adam")


def trained(setting):
    """Train with every rate, and choose the best one; return what the judging seeds measure of each rate, and it."""
    runs = setting.sweep(RATES, [*CHOOSE, *JUDGE])
    choosing, judging = runs.isel(seed=slice(len(CHOOSE))), runs.isel(seed=slice(len(CHOOSE), None))
    best = best_rate(choosing, f"validation_{setting.measure}")
    tested = judging[f"test_{setting.measure}"].where(~judging.failed, worst(setting)).mean("seed").values
    inside = choosing.validation_loss.isel(learning_rate=INSIDE).mean("seed").values.argmin() + INSIDE.start
    return tested, best.index, int(inside)


def worst(setting):
    return 0.0 if setting.measure == "accuracy" else np.inf


def is_cheap(setting, result, best):
    """Say whether a result, or each of several, is cheap beside that at the best rate."""
    if setting.measure == "accuracy":
        return result >= best - POINTS
    return result <= CHEAP * best


def figure(setting, result, best):
    if setting.measure == "accuracy":
        return f"{result:.1%} against {best:.1%} right"
    return f"{result / best:.2f} times the best loss"


def interval_is_cheap(setting: Setting) -> Outcome:
    tested, best, inside = trained(setting)
    found = tested[inside]
    return Outcome(is_cheap(setting, found, tested[best]), figure(setting, found, tested[best]))


def lowest_is_cheap(setting: Setting) -> Outcome:
    tested, best, _ = trained(setting)
    found = tested[[losses.argmin() for losses in range_tests(setting)]]
    cheap = int(is_cheap(setting, found, tested[best]).sum())
    typical = figure(setting, np.median(found), tested[best])
    return Outcome(cheap >= CHEAP_TESTS, f"{cheap} of {TESTS} tests; {typical}")


def range_tests(setting):
    """Raise the rate after every epoch, or after the next few that have 30 updates; return the losses of each test."""
    epoch = len(setting.samples.x_train) // setting.batch_size
    hold = epoch * -(-UPDATES // epoch)
    growth = RATES[1] / RATES[0]
    rising = ExponentialDecay(1.0, hold, decay_rate=growth, staircase=True)
    test = replace(setting, steps=len(RATES) * hold)
    losses = test.sweep(RATES[:1], range(TESTS), schedule=rising).loss.values
    losses = losses.reshape(TESTS, len(RATES), hold).mean(axis=2)
    return np.where(np.isfinite(losses), losses, np.inf)


MORE = {
    "diabetes for digits": {"data": "diabetes"},
    "a fifth of the labels noisy": {"label_noise": 0.2},
    "no hidden layer": {"width": 0},
}

NOISY_TUMOURS = {"data": "breast_cancer", "label_noise": 0.2}

TRIALS = [
    Trial(
        "S14",
        "With Adam and 200 updates or more, the best rate from 0.001 to 0.01 costs at most 1.5 times the best test "
        "loss.",
        interval_is_cheap,
        # a quarter of the steps is 50, of which the sentence says nothing; the chapter shows them
        tuple(setting for setting in variations(ADAM, *each_changed(ADAM, MORE)) if setting.steps >= 200),
    ),
    Trial(
        "S17",
        "With each rate held for 30 updates or more, the rate of the lowest loss costs at most 1.5 times the best test "
        "loss, in 7 of 8 tests.",
        lowest_is_cheap,
        variations(
            SGD,
            *each_changed(SGD, MORE),
            replace(SGD, name="momentum 0.9", momentum=0.9),
            replace(SGD, name="Adam for SGD", optimizer="Adam"),
            replace(SGD, name="noisy tumours", **NOISY_TUMOURS),
            replace(SGD, name="noisy tumours, momentum 0.9", momentum=0.9, **NOISY_TUMOURS),
            replace(SGD, name="noisy tumours, Adam", optimizer="Adam", **NOISY_TUMOURS),
        ),
    ),
]
