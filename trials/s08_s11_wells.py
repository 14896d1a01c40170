"""S8 and S11 tried on other wells: which starts end in a narrow one, and does a strategy bring them to the lowest?

The chapter has two wells in one dimension, the lower of two parabolas. Here they are narrower and wider, higher and
lower, nearer together and in more dimensions; the starts, the steps and the arithmetic change as well. Every run is
:func:`lrlib.gradient_descent` on all the starts at once.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib import gradient_descent
from lrlib.schedules import Constant, ExponentialDecay, StepDecay
from lrlib.streams import stream
from trials.setting import Outcome, Trial, each_changed

SEEDS, STARTS = 8, 50  # so many draws of so many starts
NEARLY_ALL = 0.9  # a strategy that is certain to find the lowest well brings at least so many of the starts there


@dataclass(frozen=True)
class Wells:
    """A wide and a narrow well, the starts around them, and how the runs descend."""

    name: str = "as in the chapter"
    narrow: float = 100.0  # the curvatures
    wide: float = 0.25
    floor: float = 0.5  # the loss at the narrow minimum; at the wide one it is 0
    apart: float = 4.0  # the narrow minimum lies at 3 - apart, the wide one at 3
    dimensions: int = 1
    span: float = 4.0  # the starts lie between -span and span, in every dimension but the first near 0
    first_seed: int = 0
    steps: int = 600
    noise: float = 0.0  # the standard deviation of what is added to each gradient
    momentum: float = 0.0
    dtype: type = np.float64

    @property
    def starts(self) -> np.ndarray:
        widths = np.array([self.span, *[0.1] * (self.dimensions - 1)])
        seeds = range(self.first_seed, self.first_seed + SEEDS)
        return np.concatenate(
            [stream(seed, "starts").uniform(-widths, widths, (STARTS, len(widths))) for seed in seeds]
        )

    def from_minima(self, w) -> tuple[np.ndarray, np.ndarray]:
        """Where each weight stands, seen from the wide minimum and from the narrow one."""
        first = np.eye(1, self.dimensions)
        return w - 3 * first, w - (3 - self.apart) * first

    def parabolas(self, w) -> tuple[np.ndarray, np.ndarray]:
        wide, narrow = (np.square(distance).sum(axis=1) / 2 for distance in self.from_minima(w))
        return self.wide * wide, self.narrow * narrow + self.floor

    def inside(self, w) -> np.ndarray:
        """Whether each weight stands in the narrow well."""
        wide, narrow = self.parabolas(w)
        return narrow < wide

    def __call__(self, w):
        return np.minimum(*self.parabolas(w)).mean()

    def gradient(self, w):
        wide, narrow = self.from_minima(w)
        return np.where(self.inside(w)[:, None], self.narrow * narrow, self.wide * wide)

    def descend(self, schedule) -> np.ndarray:
        """Return where the weights are at each step."""
        with np.errstate(over="ignore", invalid="ignore"):
            return gradient_descent(Pushed(self), self.starts, schedule, self.steps, self.dtype).parameters


class Pushed:
    """Wells whose gradients come with noise, and with the momentum of those before."""

    def __init__(self, wells: Wells):
        self.wells, self.push, self.random = wells, 0.0, stream(wells.first_seed, "gradient noise")

    def __call__(self, w):
        return self.wells(w)

    def gradient(self, w):
        noise = self.wells.noise * self.random.normal(size=w.shape) if self.wells.noise else 0.0
        self.push = self.wells.momentum * self.push + self.wells.gradient(w) + noise
        return np.asarray(self.push, dtype=w.dtype)


def stays_or_leaves(wells: Wells) -> Outcome:
    """Below 1 / curvature each start that comes upon the well stays there; above 2 / curvature none does."""
    small, large = (wells.descend(factor / wells.narrow) for factor in (0.99, 2.1))
    visitors = np.any([wells.inside(w) for w in small], axis=0)
    stayed, left = wells.inside(small[-1])[visitors].mean(), 1 - wells.inside(large[-1]).mean()
    figure = f"{stayed:.0%} stay below, {1 - left:.0%} above"
    return Outcome(visitors.any() and stayed == 1 and left == 1, figure)


def not_certain(wells: Wells) -> Outcome:
    """No strategy from any peak brings nine of ten starts to the lowest well."""
    steps = wells.steps
    strategies = (
        Constant,
        lambda peak: lambda step: peak * (1 - step / steps),
        lambda peak: StepDecay(peak, steps // 4, 0.1),
        lambda peak: ExponentialDecay(peak, steps // 4, 0.1),
        lambda peak: lambda step: peak * (1 - step % (steps // 4) / (steps // 4)),
    )
    peaks = np.geomspace(0.5, 500, 6) / wells.narrow
    home = [wells.inside(wells.descend(strategy(peak))[-1]).mean() for strategy in strategies for peak in peaks]
    return Outcome(max(home) < NEARLY_ALL, f"at most {max(home):.0%} of the starts")


TRAP = Wells()
PRIZE = Wells(floor=-0.5)


def others(wells: Wells) -> tuple[Wells, ...]:
    """The chapter's wells, and what neither sentence names, each changed in one point."""
    changes = {
        "fresh seeds": {"first_seed": 100},
        "a quarter of the steps": {"steps": wells.steps // 4},
        "four times the steps": {"steps": wells.steps * 4},
        "a narrow well of curvature 25": {"narrow": 25.0},
        "a narrow well of curvature 400": {"narrow": 400.0},
        "a wide well of curvature 1": {"wide": 1.0},
        "wells nearer together": {"apart": 2.5},
        "starts from further away": {"span": 8.0},
        "two dimensions": {"dimensions": 2},
        "four dimensions": {"dimensions": 4},
        "float32": {"dtype": np.float32},
    }
    return wells, *each_changed(wells, changes)


FREED = (
    replace(PRIZE, name="gradient noise of 5", noise=5.0),
    replace(PRIZE, name="gradient noise of 20", noise=20.0),
    replace(PRIZE, name="momentum 0.9", momentum=0.9),
)
S8 = "Without noise and momentum a start that comes upon a well stays below 1/curvature; above 2/curvature none does."
S11 = "Where the lowest well is narrow, none of five strategies brings nine of ten starts there."
TRIALS = [
    Trial("S8", S8, stays_or_leaves, (*others(TRAP), replace(PRIZE, name="the lowest well for a trap"))),
    Trial("S11", S11, not_certain, (*others(PRIZE), *FREED)),
]
