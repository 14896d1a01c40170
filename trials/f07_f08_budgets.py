"""F7, F8: is warmup–stable–decay as good as cosine without knowing the budget, and does who leads halfway win?

Both sentences compare a rate that is held and falls over the last fifth of the steps with cosine decay, each from the
peak that suits it best. Nothing here needs a warmup, so there is none.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from lrlib.runs import best_rate
from lrlib.schedules import CosineDecay, WarmupStableDecay
from trials.setting import CHOOSE, JUDGE, Outcome, Setting, Trial, below, variations

WORSE = 0.05  # of cosine's loss: what counts as worse
PEAKS = 2.0 ** np.arange(-4, 4)
CHAPTER = Setting(label_noise=0.4)
SETTINGS = (
    *variations(CHAPTER),
    replace(CHAPTER, name="clean labels", label_noise=0.0),
    replace(CHAPTER, name="clean labels, batches of 8", label_noise=0.0, batch_size=8),
    replace(CHAPTER, name="clean labels, relu", label_noise=0.0, activation="relu"),
    replace(CHAPTER, name="a tenth of the labels", label_noise=0.1),
    replace(CHAPTER, name="clean labels, tumours", label_noise=0.0, data="breast_cancer"),
    replace(CHAPTER, name="no hidden layer", width=0),
    replace(CHAPTER, name="momentum 0.9", momentum=0.9),
    replace(CHAPTER, name="Adam for SGD", optimizer="Adam"),
)


def held_then_down(steps):
    return WarmupStableDecay(1.0, steps)


def cosine(steps):
    return CosineDecay(1.0, steps)


@cache
def peak(setting, course):
    """The peak that the choosing seeds choose for this course over the whole budget of the setting."""
    best = best_rate(
        setting.sweep(PEAKS * setting.scale, CHOOSE, course(setting.steps)), f"validation_{setting.measure}"
    )
    return best.learning_rate


@cache
def judged(setting, course, planned_for, at):
    """What each judging seed gets after ``setting.steps``, at a given peak of a course planned for some steps."""
    runs = setting.sweep([at], JUDGE, course(planned_for)).isel(learning_rate=0)
    return setting.tested(runs)


def as_good_at_both_budgets(setting):
    """One peak, chosen for the whole budget, serves half of it too; cosine is tuned for each of the two."""
    one, held, shown = peak(setting, held_then_down), True, []
    for budget in (replace(setting, steps=setting.steps // 2), setting):
        tuned = judged(budget, cosine, budget.steps, peak(budget, cosine))
        ours = judged(budget, held_then_down, budget.steps, one)
        held = held and np.isfinite(ours).all() and below(ours, tuned, WORSE * tuned.mean())
        shown.append(f"{ours.mean():.3g} against {tuned.mean():.3g}")
    return Outcome(held, f"half {shown[0]}; whole {shown[1]}; peaks {one:.2g}, {peak(setting, cosine):.2g}")


def brought_down_as_at_the_end(setting):
    """After three quarters a copy whose rate has been brought down stands to cosine as the two stand at the end."""
    steps, soon = setting.steps, 3 * setting.steps // 4
    early, ours, theirs = replace(setting, steps=soon), peak(setting, held_then_down), peak(setting, cosine)
    held_up = judged(early, held_then_down, steps, ours)
    copy, then = judged(early, held_then_down, soon, ours), judged(early, cosine, steps, theirs)
    end, last = judged(setting, held_then_down, steps, ours), judged(setting, cosine, steps, theirs)
    as_good = [below(a, b, WORSE * b.mean()) for a, b in ((copy, then), (end, last))]
    means = (f"{arm.mean():.3g}" for arm in (held_up, copy, then, end, last))
    return Outcome(as_good[0] == as_good[1], "held {}, copy {}, cosine {}; end: {} against {}".format(*means))


TRIALS = [
    Trial(
        "F7",
        "At half and at all of the budget, one peak of warmup–stable–decay is as good as a tuned cosine, within 5 %.",
        as_good_at_both_budgets,
        SETTINGS,
    ),
    Trial(
        "F8",
        "After three quarters, a copy with its rate brought down stands to cosine as at the end, within 5 % or not.",
        brought_down_as_at_the_end,
        SETTINGS,
    ),
]
