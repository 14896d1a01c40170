"""F9: does reduce on plateau find by itself when to lower the rate?

A rule that listens is not a schedule, so no sweep can train it. The networks here are written in NumPy, one for each
seed, side by side.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lrlib import datasets
from lrlib.claims import claim_within
from lrlib.streams import stream
from trials.setting import Outcome, Setting, Trial, below

LOOKS = 30  # at the validation loss
PEAKS = 2.0 ** np.arange(-5, 3)
CHOOSE, JUDGE = range(100, 104), range(64)  # many: runs differ by a tenth, and 5 % is to be told
WITHIN = 0.05  # of the loss, and as much of the share of errors or 1 in 100: what counts as the same


@dataclass(frozen=True)
class Listening(Setting):
    """A setting in which a rule lowers the rate."""

    steps: int = 600
    batch_size: int = 8
    factor: float = 0.5
    scale: float = 1.0  # of the initial weights


def plateau(heard, patience, factor):
    """Return what is left of the first rate after these losses."""
    left, best, wait = 1.0, np.inf, 0
    for loss in heard:
        wait += 1
        if loss < best - 1e-4:
            best, wait = loss, 0
        elif wait == patience:
            left, wait = left * factor, 0
    return left


@cache
def samples(setting):
    return setting.samples


def ones_beside(x):
    return np.concatenate([x, np.ones_like(x[..., :1])], axis=-1)


def start(setting, seeds):
    """Return the weights of each layer, with those of its bias in the last row."""
    data = samples(setting)
    sizes = [data.x_train.shape[1], *[setting.width] * bool(setting.width), data.classes]
    layers = []
    for i, size in enumerate(zip(sizes, sizes[1:], strict=False)):
        drawn = [stream(s, f"layer {i}").normal(size=size) for s in seeds]
        drawn = setting.scale / size[0] ** 0.5 * np.array(drawn) * bool(setting.width)
        layers.append(np.pad(drawn, ((0, 0), (0, 1), (0, 0))))
    return layers


def outputs(setting, layers, x):
    """Return the inputs of the last layer and the logarithms of the probabilities."""
    inputs = ones_beside(x)
    if setting.width:
        sums = inputs @ layers[0]
        inputs = ones_beside(np.tanh(sums) if setting.activation == "tanh" else np.maximum(sums, 0))
    z = inputs @ layers[-1]
    z = z - z.max(axis=-1, keepdims=True)
    return inputs, z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def judge(setting, layers, part):
    """Return each network's loss on a part of the data, and its share of errors."""
    data = samples(setting)
    x, y = (getattr(data, f"{xy}_{part}") for xy in "xy")
    log_p = outputs(setting, layers, x)[1]
    return -log_p[:, np.arange(len(y)), y].mean(axis=1), (log_p.argmax(axis=-1) != y).mean(axis=1)


def descend(setting, layers, x, y, lr):
    """Take one step with each network's own rate."""
    inputs, log_p = outputs(setting, layers, x)
    error = lr[:, None, None] / setting.batch_size * (np.exp(log_p) - y)
    if setting.width:
        h = inputs[..., :-1]
        back = error @ layers[1][:, :-1].swapaxes(1, 2) * (1 - h**2 if setting.activation == "tanh" else h > 0)
        layers[0] -= ones_beside(x).swapaxes(1, 2) @ back
    layers[-1] -= inputs.swapaxes(1, 2) @ error


def train(setting, seeds, lr, rates_at):
    """Return what was heard and the rates, a row for each look, and the measure on test data."""
    data, seeds = samples(setting), [setting.first_seed + seed for seed in seeds]
    layers, heard, rates = start(setting, seeds), [], []
    y = np.eye(data.classes)[data.y_train]
    order = {s: datasets.batches(len(y), setting.batch_size, setting.steps, s) for s in set(seeds)}
    for step, pick in enumerate(np.swapaxes([order[s] for s in seeds], 0, 1)):
        if step % (setting.steps // LOOKS) == 0:
            if step:
                heard.append(judge(setting, layers, "validation")[0])
            rates.append(lr * rates_at(heard))
        descend(setting, layers, data.x_train[pick], y[pick], rates[-1])
    heard.append(judge(setting, layers, "validation")[0])
    tested = judge(setting, layers, "test")[setting.measure == "accuracy"]
    return np.array(heard), np.array(rates), tested


@cache
def listened(setting, patience):
    """Return the rates of the judging seeds and their measure on test data, at the best peak of other seeds."""

    def rule(heard):
        return np.array([plateau(run, patience, setting.factor) for run in np.transpose(heard)]) if heard else 1.0

    with np.errstate(all="ignore"):  # a peak may be too large
        lr = np.repeat(PEAKS, len(CHOOSE))
        heard, *_ = train(setting, [*CHOOSE] * len(PEAKS), lr, rule)
    ends = np.nan_to_num(heard[-1], nan=np.inf).reshape(len(PEAKS), -1).mean(axis=1)
    best = int(ends.argmin())
    assert 0 < best < len(PEAKS) - 1, f"{setting.name}: the best peak, {PEAKS[best]}, is on the edge"
    return train(setting, JUDGE, np.full(len(JUDGE), PEAKS[best]), rule)[1:]


def finds_no_moment(setting):
    """A patience of 5 acts later than one of 1, and the rates of another seed's run do as well as its own."""
    rates, own = listened(setting, 3)
    swapped = np.roll(rates, 1, axis=1)
    stranger = train(setting, JUDGE, 1.0, lambda heard: swapped[len(heard)])[2]
    first = {}
    for patience in (1, 5):
        fell = listened(setting, patience)[0]
        fell = fell < fell[0]
        first[patience] = np.where(fell.any(axis=0), fell.argmax(axis=0), LOOKS)
    margin = WITHIN * own.mean() if setting.measure == "loss" else 0.01
    try:
        claim_within(stranger, own, "a stranger's rates", margin)
        same = True
    except AssertionError:
        same = False
    early, late = (np.median(first[patience]) for patience in (1, 5))
    held = same and below(first[1], first[5]) and late >= 1.5 * early
    never = "never" if late == LOOKS else f"{late:.0f}"
    return Outcome(held, f"own {own.mean():.3g}, stranger's {stranger.mean():.3g}; looks {early:.0f} and {never}")


CHAPTER = Listening()
CHANGES = {
    "another split": {"split": 1},
    "fresh seeds": {"first_seed": 200},
    "a quarter of the steps": {"steps": 150},
    "four times the steps": {"steps": 2400},
    "batches of 32": {"batch_size": 32},
    "relu for tanh": {"activation": "relu"},
    "twice the width": {"width": 64},
    "accuracy for loss": {"measure": "accuracy"},
    "tumours for digits": {"data": "breast_cancer"},
    "40 % wrong labels": {"label_noise": 0.4},
    "no hidden layer": {"width": 0},
    "to a tenth at once": {"factor": 0.1},
    "weights three times as large": {"scale": 3.0},
}
SETTINGS = (CHAPTER, *(replace(CHAPTER, name=name, **change) for name, change in CHANGES.items()))
SENTENCE = "Patience moves the first fall, and the rates of another seed's run do as well within 5 %."
TRIALS = [Trial("F9", SENTENCE, finds_no_moment, SETTINGS)]
