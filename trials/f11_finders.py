"""F11: is the mark of a learning-rate finder the rate to train with?

Five published rules read the same range tests, as in the chapter; counts of dear marks are in the order of its list.
A mark is judged by what a whole training costs at the nearest of the rates that were swept, beside the best of them,
which validation chose on other seeds. What counts as cheap is what counted for a first rate: at most one and a half
times the loss, or two points of the accuracy.
"""

from dataclasses import replace

import numpy as np

from lrlib import ExponentialDecay
from lrlib.finders import RULES
from lrlib.runs import best_rate
from trials.s14_s17_first_rate import is_cheap, worst
from trials.setting import Outcome, Setting, Trial, variations

FIVE = "lightning", "valley", "tenth_of_minimum", "minimum", "torch_lr_finder"
RISING = ExponentialDecay(1e-6, 99, decay_rate=1e7)  # to 10, in 100 updates
RATES = 10 ** (np.arange(-10, 7) / 4)  # of plain SGD: 0.003 to 32, four to a decade
CHOOSE, JUDGE, TESTS = range(4), range(4, 12), range(12, 28)
SHARE = 1 / 4  # of the marks


def quarter_is_dear(setting: Setting) -> Outcome:
    rates = setting.scale * RATES
    runs = setting.sweep(rates, [*CHOOSE, *JUDGE])
    choosing, judging = runs.isel(seed=slice(len(CHOOSE))), runs.isel(seed=slice(len(CHOOSE), None))
    best = best_rate(choosing, f"validation_{setting.measure}").index
    tested = judging[f"test_{setting.measure}"].where(~judging.failed, worst(setting)).mean("seed").values
    marks = marked(setting)
    some = ~np.isnan(marks)
    nearest = np.abs(np.log(rates[:, None, None] / np.where(some, marks, 1))).argmin(axis=0)
    dear = some & ~is_cheap(setting, tested[nearest], tested[best])
    apart = np.nanmax(marks) / np.nanmin(marks)
    held = dear.sum() > SHARE * some.sum() and apart > 10
    by_rule = " + ".join(str(count) for count in dear.sum(axis=0))
    apart = f"{float(f'{apart:.0e}'):,.0f} times apart"
    return Outcome(held, f"{by_rule} = {dear.sum()} of {some.sum()} marks are dear, {apart}")


def marked(setting: Setting) -> np.ndarray:
    """Return where the five rules mark the tests, a row for each test; a rule that marks nothing has NaN."""
    tests = replace(setting, steps=100).sweep([1.0], TESTS, schedule=RISING).loss.values[0]
    return np.array([[RULES[rule](RISING.planned(100), losses) for rule in FIVE] for losses in tests])


CHAPTER = Setting(momentum=0.9)
SENTENCE = (
    "In the same range tests the marks of five finders lie more than ten times apart, and more than a quarter of them "
    "cost more than 1.5 times the best test loss."
)
MORE = (
    replace(CHAPTER, name="SGD for momentum", momentum=0.0),
    replace(CHAPTER, name="Adam for momentum", optimizer="Adam"),
    replace(CHAPTER, name="40 % wrong labels", label_noise=0.4),
    replace(CHAPTER, name="no hidden layer", width=0),
    replace(CHAPTER, name="diabetes for digits", data="diabetes"),
)
TRIALS = [Trial("F11", SENTENCE, quarter_is_dear, variations(CHAPTER, *MORE))]
