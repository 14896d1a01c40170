"""S5, S6 and S9: what a rate that is too large, one that is too small, and outliers do, beyond the digits of chapter 2.

Every setting first finds its own good rates: those whose validation result lies within 10 % of the best, over the
choosing seeds. Other seeds then judge what happens far above them (S5) and far below them (S6). For S9 a share of the
training samples is made into outliers, by eight draws, and the rate is sought at which training breaks.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from lrlib.claims import claim, claim_within
from lrlib.runs import best_rate
from trials.setting import CHOOSE, JUDGE, Outcome, Setting, Trial, each_changed, variations

RATES = 2.0 ** np.arange(-10, 6)
LOWER = {"Adam": 2.0**-4}  # Adam's good rates are lower: its grid is this much lower as a whole


def shown(a, b, within=None):
    """Whether seeds support that ``a`` is below ``b``, or that they are no further apart than ``within``."""
    try:
        claim(a, b, "a below b") if within is None else claim_within(a, b, "as large", within)
    except AssertionError:
        return False
    return True


@functools.cache
def good(setting):
    """The setting's best rate and the valley around it, chosen on validation."""
    runs = setting.sweep(RATES * LOWER.get(setting.optimizer, 1), CHOOSE)
    return best_rate(runs, f"validation_{setting.measure}")


# S5: ten times the highest good rate

TIMES = 10  # so much above the highest good rate
WORSE = 2  # so many times the loss, or the errors, at the best rate
END = 0.3  # the share of the steps over which the swing of the loss is taken


def times(large, right):
    """How many times as large, in words; what is no longer finite is infinite."""
    ratio = np.nan_to_num(large, nan=np.inf).mean() / right.mean()
    return f"{ratio:.0f}" if ratio < 100 else "100+" if np.isfinite(ratio) else "inf"


def hardly_converges(setting):
    """At ten times the highest good rate: twice the test loss. How the loss swings and the gradient grows is noted."""
    best = good(setting)
    runs = setting.sweep([best.learning_rate, TIMES * best.high], JUDGE)
    tested = runs[f"test_{setting.measure}"]
    tested = 1 - tested if setting.measure == "accuracy" else tested
    right, large = tested.where(np.isfinite(tested), np.inf).values
    with np.errstate(over="ignore"):  # what is too large for a number is infinite
        swing = runs.loss[..., -round(END * setting.steps) :].std("step").values
    gradient = runs.gradient_norm.max("step", skipna=False).values
    parts = {"loss": (large, right), "swing": swing[::-1], "gradient": gradient[::-1]}
    figure = ", ".join(f"{times(*part)} × {name}" for name, part in parts.items())
    return Outcome(shown(np.log(WORSE * right), np.log(large)), figure)


# S6: a 16th and a 32nd of the best rate

SMALL = 1 / 32, 1 / 16  # of the best rate
MARGIN = 1 / 4  # about twice the steps: give or take a quarter
LONG = 1600  # steps, enough for the smallest rate to arrive
WINDOW = 5  # batches over which the loss is averaged


@dataclass(frozen=True)
class Slow(Setting):
    """A setting and the loss to be reached, as a share of the way down to the loss at the best rate."""

    way: float = 0.75


def twice_the_steps(setting):
    """Half the rate needs about twice the steps to the same training loss."""
    best = good(setting)
    reference = setting.sweep([best.learning_rate], CHOOSE)
    start, end = reference.constant_loss, float(reference.train_loss.mean())
    target = start + setting.way * (end - start)
    runs = replace(setting, steps=LONG).sweep(best.learning_rate * np.array(SMALL), JUDGE)
    below = runs.loss.rolling(step=WINDOW).mean() < target
    if not below.any("step").all():
        return Outcome(False, f"not there after {LONG} steps")
    slower, faster = below.argmax("step").values - (WINDOW - 1) / 2
    held = shown(2 * faster, slower, within=MARGIN * 2 * faster.mean())
    return Outcome(held, f"{slower.mean():.0f} steps against {faster.mean():.0f}")


# S9: outliers

DRAWS = range(8)
FINE = 2.0 ** np.arange(-10, 1.1, 0.5)


@dataclass(frozen=True)
class Outliers(Setting):
    """A regression with squared error in which some samples are multiplied, or get labels that are so much too high."""

    data: str = "diabetes"
    width: int = 0
    batch_size: int = 64
    steps: int = 200
    activation: str = "relu"
    where: str = ""  # inputs, labels, or nowhere
    draw: int = 0
    share: float = 0.02
    size: float = 10.0
    measurements: int | None = None  # so many of each sample are hit, drawn at random; None: all

    @property
    def samples(self):
        data = super().samples
        if data.classes:  # regressed as the numbers 0, 1, …: the sentence is about the squared error
            labels = {part: getattr(data, part).astype(float) for part in ("y_train", "y_validation", "y_test")}
            data = replace(data, **labels, classes=None)
        x, y = data.x_train.copy(), data.y_train.copy()
        random = np.random.default_rng(self.draw)
        hit = random.choice(len(y), max(1, round(self.share * len(y))), replace=False)
        if self.where == "inputs":
            columns = random.choice(x.shape[1], self.measurements or x.shape[1], replace=False)
            x[np.ix_(hit, columns)] *= self.size
        elif self.where == "labels":
            y[hit] += self.size
        return replace(data, x_train=x, y_train=y)


def breaks(setting):
    """The lowest rate above the best at which no run ends below the loss of the best constant prediction."""
    runs = setting.sweep(FINE, range(2))
    losses = runs.train_loss.fillna(np.inf).values
    best = losses.mean(axis=1).argmin()
    above = runs.learning_rate.values[best:][(losses[best:] >= runs.constant_loss).all(axis=1)]
    return above[0] if len(above) else np.inf


def outliers_in_inputs_break_it(setting):
    """Outliers in the inputs lower the rate at which training breaks, and further than those in the labels."""
    clean = np.full(len(DRAWS), breaks(setting))
    inputs, labels = (
        np.array([breaks(replace(setting, where=where, draw=draw)) for draw in DRAWS]) for where in ("inputs", "labels")
    )
    held = shown(np.log(inputs), np.log(clean)) and shown(np.log(inputs), np.log(labels))
    lower = [np.exp(np.log(clean / each).mean()) for each in (inputs, labels)]
    return Outcome(held, "lower by {:.1f} (inputs), {:.1f} (labels)".format(*lower))


CHAPTER = Setting(steps=200, batch_size=64)
MORE = {
    "noisy labels": {"label_noise": 0.2},
    "momentum 0.9": {"momentum": 0.9},
    "Adam for SGD": {"optimizer": "Adam"},
    "a regression, diabetes": {"data": "diabetes"},
    "no hidden layer": {"width": 0},
    "no hidden layer, batches of 8": {"width": 0, "batch_size": 8},
}
EVERYWHERE = variations(CHAPTER, *each_changed(CHAPTER, MORE))
TOO_LARGE = {
    "relu, batches of 8": {"activation": "relu", "batch_size": 8},
    "relu, tumours": {"activation": "relu", "data": "breast_cancer"},
    "elu for tanh": {"activation": "elu"},
    "no hidden layer, four times the steps": {"width": 0, "steps": 800},
    "a regression, diabetes, Adam": {"data": "diabetes", "optimizer": "Adam"},
}
LARGE = (*EVERYWHERE, *each_changed(CHAPTER, TOO_LARGE))
TOO_SMALL = {
    "to half the way down": {"way": 0.5},
    "to 0.95 of the way down": {"way": 0.95},
    "momentum 0.99": {"momentum": 0.99},
    "tumours, no hidden layer, momentum 0.9": {"data": "breast_cancer", "width": 0, "momentum": 0.9},
}
SLOW = tuple(Slow(**vars(setting)) for setting in EVERYWHERE if setting.measure == "loss")
SLOW += each_changed(SLOW[0], TOO_SMALL)
PLAIN = Outliers()
OTHERWISE = {
    "another split": {"split": 1},
    "fresh seeds": {"first_seed": 100},
    "a quarter of the steps": {"steps": 50},
    "four times the steps": {"steps": 800},
    "batches of 8": {"batch_size": 8},
    "batches of 128": {"batch_size": 128},
    "a relu layer": {"width": 32},
    "a wider relu layer": {"width": 64},
    "a relu layer, batches of 8": {"width": 32, "batch_size": 8},
    "outliers of ten times the size": {"size": 100.0},
    "outliers half the size": {"size": 5.0},
    "one outlier": {"share": 0.0},
    "one measurement of each sample": {"measurements": 1},
    "three times as many": {"share": 0.06},
    "momentum 0.9": {"momentum": 0.9},
    "tumours": {"data": "breast_cancer"},
}

TRIALS = [
    Trial(
        "S5",
        "At ten times its highest good rate a model ends at twice its loss or more.",
        hardly_converges,
        LARGE,
    ),
    Trial(
        "S6",
        "Far below its best rate, half the rate needs about twice the steps to the same loss.",
        twice_the_steps,
        SLOW,
    ),
    Trial(
        "S9",
        "Under SGD, with a squared error and nothing that bounds them, a few samples whose inputs are all ten times "
        "too large lower the rate at which training breaks, and further than labels that are too high.",
        outliers_in_inputs_break_it,
        (PLAIN, *each_changed(PLAIN, OTHERWISE)),
    ),
]
