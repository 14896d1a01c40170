"""What is trained in a setting: the sweep that knows the best rate, and the range tests that the rules read."""

from dataclasses import dataclass

import numpy as np

from lrlib.find_rate import find_rate
from lrlib.range_test import RECENT, RISE
from lrlib.sweep import sweep
from study.settings import Setting

SEEDS = range(12)  # of the sweep
TESTS = range(100, 124)  # the seeds of the range tests, which are others
SEARCHES = (200, 300)  # the first seeds of the searches
START, END = 1e-7, 10.0  # where fastai's test begins and ends
UPDATES = 30  # for which a test by epoch holds a rate, at least

LENGTHS = {name: np.geomspace(START, END, n) for name, n in {"100": 100, "300": 300}.items()}  # that all rules read
# the same axis with rates four times as close at its ends as in its middle; and a test that begins and ends elsewhere
_even = np.linspace(-1, 1, 100)
PLANS = {
    **LENGTHS,
    "50": np.geomspace(START, END, 50),
    "uneven": 10 ** (-3 + 4 * _even * (4 - _even**2) / 3),
    "narrow": np.geomspace(1e-5, 3.0, 100),
    "epoch": 10 ** (np.arange(-15, 4) / 3),
}


@dataclass(frozen=True)
class Record:
    """What the runs of a setting came to.

    Attributes
    ----------
    validation, test : numpy.ndarray, shape (rates,)
        The mean losses of the sweep over its seeds. In validation a rate that failed under one seed is infinitely bad;
        in the test part a run counts for no more than the best constant prediction, and one that failed for just that.
    tests : dict
        For each plan the losses (tests, rates) of its range tests, to three digits.
    updates : dict
        How many updates a test of each plan takes.
    found : list of (float or None, float, float)
        For each search its rate, the mean test loss of trainings with it, and what the search cost, in trainings.
    """

    validation: np.ndarray
    test: np.ndarray
    tests: dict
    updates: dict
    found: list


def record(setting: Setting, plans=tuple(PLANS), searches=SEARCHES) -> Record:
    """Train what the study needs of a setting."""
    how = {"batch_size": setting.batch_size}
    model, data = setting.model, setting.samples
    runs = sweep(model, data, setting.grid, SEEDS, steps=setting.steps, **how)
    validated = runs.validation_loss.where(~runs.failed, np.inf).mean("seed").values
    tests, updates = {}, {}
    for plan in plans:
        hold, rates = held(setting, plan), PLANS[plan]
        updates[plan] = hold * len(rates)
        rising = [float(rate) for rate in np.repeat(rates, hold)]
        test = sweep(model, data, [1.0], TESTS, steps=updates[plan], schedule=lambda step, r=rising: r[step], **how)
        losses = test.loss.values.reshape(len(TESTS), len(rates), hold).mean(axis=2)
        tests[plan] = rounded(losses)
    searched = [find_rate(model, data, steps=setting.steps, first_seed=first, **how) for first in searches]
    rates = sorted({found.learning_rate for found in searched} - {None})
    again = tested(sweep(model, data, rates, SEEDS, steps=setting.steps, **how)) if rates else []
    losses = {None: np.nan, **dict(zip(rates, again, strict=True))}
    found = [(one.learning_rate, losses[one.learning_rate], one.trainings) for one in searched]
    return Record(validated, tested(runs), tests, updates, found)


def tested(runs):
    """Return the mean test loss of each rate; no run counts for more than the best constant prediction."""
    most = runs.attrs["constant_loss"]
    return runs.test_loss.where(~runs.failed, most).clip(max=most).mean("seed").values


def held(setting: Setting, plan: str) -> int:
    """Return for how many updates a rate is held: for one, or for as many epochs as have thirty."""
    if plan != "epoch":
        return 1
    epoch = len(setting.samples.x_train) // setting.batch_size
    return epoch * -(-UPDATES // epoch)


def rounded(losses):
    """Return losses to three digits, which is what is stored; those that burst are infinite."""
    losses = np.asarray(losses, dtype=np.float64)
    losses = np.where(np.abs(losses) < 1e6, losses, np.inf)  # NaN becomes infinite as well
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 10.0 ** (2 - np.floor(np.log10(np.abs(losses))))
        return np.where(np.isfinite(digits) & np.isfinite(losses), np.round(losses * digits) / digits, losses)


def ended(losses):
    """Return the losses of several tests, NaN behind the place where the range test of this library ends."""
    losses = losses.copy()
    for test in losses:
        recent = np.array([test[max(0, i - RECENT) : i].mean() for i in range(1, len(test) + 1)])
        over = ~(recent <= np.maximum(RISE * np.minimum.accumulate(recent), recent[0]))
        if over.any():
            test[over.argmax() + 1 :] = np.nan
    return losses
