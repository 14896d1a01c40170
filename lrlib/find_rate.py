"""The search for a learning rate: a range test finds the decades, whole trainings find the rate.

It trains coarsely first and finely then, gives seeds only to the rates that may still be the best, and stops when none
of them can be better by more than a tolerance.
"""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from lrlib._modules import from_extra

with from_extra("sweep"):
    import keras

from lrlib import _checks
from lrlib._modules import make_callable
from lrlib.as_it_was import CtrlC, as_it_was, random_numbers_as_they_were
from lrlib.datasets import Data, as_data
from lrlib.lanes import initial_weights
from lrlib.proof import check, constant_loss
from lrlib.range_test import RangeTest, range_test
from lrlib.runs import Runs
from lrlib.schedules import Schedule
from lrlib.sweep import NOT_TRAINED, factors, sweep

PER_DECADE = 4  # every rate that is trained is 10 ** (place / 4): finer ones differ by less than seeds do
COARSE = 2  # places between the first rates
FIRST_SEEDS = 4  # of every rate; with fewer, chance chooses
MORE_SEEDS = 2  # for each rate that may be the best, at a time
SURE = 1.5  # standard errors: two rates that differ by less cannot be told apart
STEEPER = 2  # where the loss rises so many times as steeply as on the other side, there is nothing better
VALLEY = 0.1  # by what part of it the loss at the valley's ends is above the best
BEYOND = 10 ** (-1 / 4)  # the best rate of a training, of that at which a range test has its lowest loss
DECADES = range(-7, 3)  # that are tried if none of the first rates learns anything
ALL_FAILED = "under every rate that was tried a run failed"
END = 37  # decades, up and down: float32 holds these rates


@dataclass(frozen=True, eq=False, repr=False)
class FoundRate:
    """What a search found; ``print(found)`` says it in two lines.

    Attributes
    ----------
    learning_rate : float or None
        The rate with the lowest mean validation loss. No run of it failed, and rates on both sides are worse. None if
        there is none.
    low, high : float
        The lowest and the highest of the rates that cannot be told from it; NaN if there is none.
    width : float
        The width of the valley as a factor: the highest rate that was tried and whose mean is within 10 % of the best,
        over the lowest one, all rates between them included.
    trainings : float
        What the search cost, in whole trainings: all its updates, those of the range test among them, over ``steps``.
    seconds : float
        The time that it took.
    reason : str
        Why the search stopped there, or why there is no rate.
    sure : bool
        Whether it stopped because no other rate can be better by more than the tolerance.
    runs : Runs or None
        Every training, as :func:`lrlib.sweep.sweep` records it. A rate that was dropped has fewer seeds, so ``done`` is
        False where nothing was trained. None if nothing was.
    range_test : RangeTest
        The range test.
    """

    learning_rate: float | None
    low: float
    high: float
    width: float
    trainings: float
    seconds: float
    reason: str
    sure: bool
    runs: Runs | None
    range_test: RangeTest

    def __str__(self):
        cost = f"{self.trainings:.3g} trainings, {self.seconds:.2g} s"
        if self.learning_rate is None:
            return f"no learning rate: {self.reason}\n{cost}"
        found = f"learning rate {self.learning_rate:.2g} ({self.low:.2g}–{self.high:.2g}), valley ×{self.width:.2g}"
        return f"{found}, {cost}\n{self.reason}"

    __repr__ = __str__

    def plot(self):
        """Draw the range test above the trainings: :func:`lrlib.plot_finding.found`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from lrlib import plot_finding

        return plot_finding.found(self)


@random_numbers_as_they_were()
def find_rate(
    model: keras.Model,
    data: Data | tuple,
    *,
    steps: int,
    batch_size: int,
    schedule: Schedule | float | Callable[[int], float] = 1.0,
    tolerance: float = 0.05,
    seeds: int = 8,
    first_seed: int = 0,
    max_trainings: float = 40,
    engine: str = "vectorized",
    memory: float = 1e9,
    n_jobs: int | None = None,
    progress: bool | None = None,
) -> FoundRate:
    r"""Find the learning rate for a model, its data and the length of a training, by real trainings of that length.

    A range test says in which decade to begin. From there rates that lie half a decade apart are trained, each with the
    same four seeds, until the best one has worse ones on both sides. The best one has the lowest mean validation loss
    plus its standard error, so that of equally good rates the dependable one is chosen. Then the step is halved, on the
    side where the loss rises gently, or on both. At last all rates that may still be the best get more seeds, and the
    others none, until the chosen one, :math:`\hat\eta`, satisfies

    .. math:: \bar\ell(\hat\eta) - \bar\ell(\eta) + 1.5 \, s \sqrt{2 / n}
        \le \text{tolerance} \cdot |\bar\ell(\hat\eta)|

    for every other rate :math:`\eta` that was tried. Here :math:`\bar\ell` is the mean loss over :math:`n` seeds, and
    :math:`s` is how much a run's loss scatters beyond what its rate and its seed explain. The model is left as it was.

    Parameters
    ----------
    model : keras.Model
        Built and compiled, as :func:`lrlib.sweep.sweep` takes it.
    data : Data, pair or triple
        As there: a pair ``(x, y)`` is split in three, and the rate is chosen by the validation part.
    steps : int
        The number of updates of a training, at least 2. The best rate depends on it.
    batch_size : int
        The samples in a batch.
    schedule : Schedule, float or callable
        A factor for every step of a training: what is found is the rate that it multiplies.
    tolerance : float
        The part of the loss that does not matter.
    seeds : int
        The most seeds for a rate, at least 4.
    first_seed : int
        The seeds are this one and those after it.
    max_trainings : float
        What the search may cost, in whole trainings.
    engine, memory, n_jobs
        As in :func:`lrlib.sweep.sweep`.
    progress : bool, optional
        Whether to say on stderr what is trained; by default only in a terminal.

    Returns
    -------
    FoundRate
        The rate, where it may lie, what the search cost and all that was trained.

    Raises
    ------
    TypeError, ValueError
        As :func:`lrlib.sweep.sweep` and :func:`lrlib.range_test.range_test`; if ``tolerance`` is not positive; if
        ``seeds`` is below 4; if ``max_trainings`` does not pay for the range test and the first rates; if the schedule
        returns a factor for each rate, or is 0 at every step.
    KeyboardInterrupt
        After Ctrl-C, if nothing is trained yet. Later what is known is returned, with a warning.

    Notes
    -----
    No run is ended early, since a rate that is behind in the middle of a training may lead at its end. What is saved is
    seeds, for rates that are far behind.

    The rates are those of one grid, four to a decade of the schedule's peak, so two searches try the same ones.

    There is no rate, and the reason says so, if all runs fail under all rates, if no rate has a validation loss below
    that of the best constant prediction, or if the search had to end while the best rate was the first or the last.

    Examples
    --------
    >>> from lrlib import datasets
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(), "mse")
    >>> found = find_rate(model, datasets.diabetes(), steps=50, batch_size=32)
    >>> 0.01 < found.low <= found.learning_rate <= found.high < 0.5
    True
    """
    began = time.perf_counter()
    check(model)
    data = as_data(data)
    steps = _checks.whole("steps", steps, at_least=2)  # what a single update does, no loss of a batch shows
    batch_size = _checks.whole("batch_size", batch_size, at_least=1)
    tolerance, seeds = _checks.positive("tolerance", tolerance), _checks.whole("seeds", seeds, at_least=FIRST_SEEDS)
    first_seed = _checks.whole("first_seed", first_seed, at_least=0)
    peak = max(float(factors(schedule, steps, rates).max()) for rates in (1, 2))  # a list has another length for one
    if peak == 0:
        raise ValueError(f"schedule must be above 0 at some step, got {schedule!r}")
    tested, batches = min(100, max(20, steps)), model.optimizer.gradient_accumulation_steps or 1
    least = (batches * tested + 1) / steps + 3 * FIRST_SEEDS
    if _checks.positive("max_trainings", max_trainings) < least:
        raise ValueError(
            f"max_trainings must be at least {least:.3g}, which a range test and the first 3 rates with {FIRST_SEEDS} "
            f"seeds cost, got {max_trainings!r}"
        )
    progress = sys.stderr.isatty() if progress is None else _checks.flag("progress", progress)
    how = dict(batch_size=batch_size, schedule=schedule, engine=engine, memory=memory, n_jobs=n_jobs)
    sweep(model, data, [1e-3], [first_seed], steps=1, **how, progress=False)  # raises what a sweep has against them

    test = _range_test(model, data, batch_size, tested, first_seed)
    records = []

    def train(places: Sequence[int], some: range) -> np.ndarray:
        rates, chosen = [search.rate(place) for place in places], [first_seed + seed for seed in some]
        if progress:
            print(f"{', '.join(f'{r:.2g}' for r in rates)}: {len(chosen)} seeds", file=sys.stderr, flush=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*resume=runs")  # a sweep that was stopped is not to go on
            runs = sweep(model, data, rates, chosen, steps=steps, **how, progress=progress)
        records.append(runs)
        losses = runs.validation_loss.where(np.isfinite(runs.validation_loss) & ~runs.failed, np.inf)
        return losses.where(runs.done).values

    so_far = (batches * len(test.rates) + 1) / steps
    begin = round(PER_DECADE * np.log10(_where_to_begin(test)))
    search = _Search(train, begin, tolerance, seeds, max_trainings - so_far, peak)
    try:
        reason = search.run()
    except KeyboardInterrupt:
        if not records:
            raise
        reason = "Ctrl-C ended the search"
        warnings.warn(f"{reason} after {search.spent + so_far:.3g} trainings", stacklevel=3)
    best, reason = search.answer(reason, _constant_in_validation(model, data))
    low, high, width = (np.nan,) * 3 if best is None else search.around(best)
    return FoundRate(
        learning_rate=None if best is None else search.rate(best), low=low, high=high, width=width,
        trainings=so_far + sum(int(runs.done.sum()) for runs in records), seconds=time.perf_counter() - began,
        reason=reason, sure=best is not None and search.sure, runs=_joined(records), range_test=test,
    )  # fmt: skip


class _Search:
    """Which rates to train with how many seeds, from what the trainings before came to.

    A rate is a place: with it the schedule's peak is ``10 ** (place / 4)``. ``train(places, seeds)`` returns the losses
    of their runs, infinity for one that failed, NaN for one that was not trained, because somebody pressed Ctrl-C.
    """

    def __init__(self, train: Callable, begin: int, tolerance: float, most_seeds: int, budget: float, peak=1.0):
        self.train, self.begin, self.budget, self.peak = train, begin, budget, peak
        self.tolerance, self.most_seeds = tolerance, most_seeds
        self.losses = {}  # of each place those of its first seeds, in order
        self.seeds = FIRST_SEEDS  # that a place must have to be chosen
        self.spent, self.sure = 0, False

    def run(self) -> str:
        """Train until nothing is left to be asked, and say why that is so."""
        while True:
            places, seeds, reason = self.next()
            if not places:
                return reason
            if self.spent + sum(seeds - len(self.losses.get(place, ())) for place in places) > self.budget:
                return "max_trainings are spent"
            for had in sorted({len(self.losses.get(place, ())) for place in places} - {seeds}):
                some = [place for place in places if len(self.losses.get(place, ())) == had]
                found = self.train(some, range(had, seeds))
                self.spent += int((~np.isnan(found)).sum())
                for place, losses in zip(some, found, strict=True):
                    if np.inf in losses or not np.isnan(losses).any():
                        self.losses[place] = [*self.losses.get(place, ()), *losses]
                if np.isnan(found).any():
                    raise KeyboardInterrupt
            self.seeds = seeds

    def rate(self, place: int) -> float:
        return float(10.0 ** (place / PER_DECADE) / self.peak)

    def next(self) -> tuple[list[int], int, str]:
        """Return which places are to have how many seeds, and none and the reason if that is enough."""
        if not self.losses:
            return [self.begin - COARSE, self.begin, self.begin + COARSE], self.seeds, ""
        tried, ranked = sorted(self.losses), self.ranked()
        if not ranked:
            decades = [PER_DECADE * d for d in DECADES if not tried[0] <= PER_DECADE * d <= tried[-1]]
            return decades, 1, ALL_FAILED
        best = ranked[0]
        if self.seeds < FIRST_SEEDS:
            return [best - COARSE, best, best + COARSE], FIRST_SEEDS, ""
        if best in (tried[0], tried[-1]):
            beyond = best + (COARSE if best == tried[-1] else -COARSE)
            return [beyond] if abs(beyond) < END * PER_DECADE else [], self.seeds, "float32 ends there"
        here = tried.index(best)
        rises = {p: min(1, self.excess(p, best)) / abs(p - best) for p in (tried[here - 1], tried[here + 1])}
        gentle = [p for p, rise in rises.items() if rise <= STEEPER * min(rises.values())]
        if finer := [(p + best) // 2 for p in gentle if abs(p - best) > 1]:
            return finer, self.seeds, ""
        rivals = [p for p in ranked[1:] if self.error(best) - self.excess(p, best) > self.tolerance]
        if rivals and self.seeds < self.most_seeds:
            return [best, *rivals], min(self.seeds + MORE_SEEDS, self.most_seeds), ""
        self.sure, much = not rivals, f"{100 * self.tolerance:g} %"
        if rivals:
            return [], 0, f"with {self.seeds} seeds it is not sure that no other rate is better by more than {much}"
        return [], 0, f"no other rate that was tried is likely to be better by more than {much}"

    def ranked(self) -> list[int]:
        """Return the places that have all seeds and no failed run, the best first."""
        usable = [p for p, losses in self.losses.items() if len(losses) >= self.seeds and np.isfinite(losses).all()]
        return sorted(usable, key=lambda place: (self.bound(place), place))

    def bound(self, place: int) -> float:
        """Return the mean loss and its standard error: of equally good rates the dependable one counts."""
        losses = self.losses[place][: self.seeds]
        return float(np.mean(losses) + np.std(losses, ddof=min(1, len(losses) - 1)) / np.sqrt(len(losses)))

    def excess(self, place: int, best: int) -> float:
        """Return by what part of the best mean loss another is above it, over the seeds that both have."""
        n = min(len(self.losses[place]), len(self.losses[best]))
        other, lowest = np.mean(self.losses[place][:n]), np.mean(self.losses[best][:n])
        return float((other - lowest) / max(abs(lowest), 1e-30))

    def error(self, best: int) -> float:
        """Return how large an excess may be by chance."""
        near = [p for p in self.ranked() if 0 < abs(p - best) <= COARSE]
        table = np.array([self.losses[place][: self.seeds] for place in [best, *near]])
        # the median, since near a cliff the runs scatter more than elsewhere
        scatter = np.median((table[1:] - table[0]).std(axis=1, ddof=1)) / np.sqrt(2) if near else 0.0
        return SURE * scatter / max(abs(table[0].mean()), 1e-30) * np.sqrt(2 / self.seeds)

    def answer(self, reason: str, constant: float) -> tuple[int | None, str]:
        """Return the best place, or None, and the reason."""
        self.seeds = max(self.seeds, FIRST_SEEDS)
        ranked, tried = self.ranked(), sorted(self.losses)
        if not ranked:
            failed = tried and all(np.inf in losses for losses in self.losses.values())
            return None, f"{reason}, and {ALL_FAILED}" if failed and reason != ALL_FAILED else reason
        best = ranked[0]
        if best in (tried[0], tried[-1]):
            side, where = ("lowest", "below") if best == tried[0] else ("highest", "above")
            at_the_end = f"the best rate, {self.rate(best):.2g}, is the {side}: a better one may lie {where}"
            return None, f"{reason}, and {at_the_end}"
        if np.mean(self.losses[best]) >= constant:
            no_better = f"no rate brings the validation loss below {constant + 0.0:.2g}"  # not -0
            return None, f"{no_better}, that of the best constant prediction"
        return best, reason

    def around(self, best: int) -> tuple[float, float, float]:
        """Return the ends of where the best rate may be, and the valley's width."""
        like = [place for place in self.ranked() if self.excess(place, best) <= self.error(best)]
        tried = sorted(self.losses)
        outside = [place for place in tried if place != best and not self.excess(place, best) <= VALLEY]
        low = min(place for place in tried if place > max((p for p in outside if p < best), default=-np.inf))
        high = max(place for place in tried if place < min((p for p in outside if p > best), default=np.inf))
        return self.rate(min(like)), self.rate(max(like)), 10 ** ((high - low) / PER_DECADE)


def _range_test(model, data: Data, batch_size: int, steps: int, seed: int) -> RangeTest:
    """Test the ranges from where a training starts, whatever the model has learned already."""
    weights = initial_weights(model, seed)
    with CtrlC() as ctrl_c, as_it_was(model):
        model.set_weights(weights)
        with ctrl_c.let():
            return range_test(model, data, batch_size=batch_size, steps=steps, seed=seed)


def _where_to_begin(test: RangeTest) -> float:
    """Return about the best rate of a training, by where the smoothed loss of a range test is lowest."""
    losses = np.atleast_2d(test.losses).mean(axis=0)
    known = int(np.append(np.isfinite(losses), False).argmin())
    reach = known // 25
    smooth = [losses[max(0, i - reach) : min(known, i + reach + 1)].mean() for i in range(known)]
    return float(test.rates[int(np.argmin(smooth))]) * BEYOND


def _constant_in_validation(model, data: Data) -> float:
    """Return the validation loss of the best constant prediction, infinity where that is unknown."""
    if data.weights_validation is not None:
        return np.inf
    known = constant_loss(model, SimpleNamespace(y_train=data.y_validation))
    return known if np.isfinite(known) else np.inf


def _joined(records: list[Runs]) -> Runs | None:
    """Return one record of all runs, in the order of their rates."""
    if not records:
        return None
    rates = sorted({rate for runs in records for rate in runs.learning_rate.values.tolist()})
    seeds = sorted({seed for runs in records for seed in runs.seed.values.tolist()})
    whole = [runs.reindex(learning_rate=rates, seed=seeds, fill_value=NOT_TRAINED) for runs in records]
    joined = whole[0]
    for runs in whole[1:]:
        joined = runs.where(runs.done, joined)
    return Runs(joined.data_vars, joined.coords, records[0].attrs).transpose("learning_rate", "seed", "step")


make_callable(__name__, find_rate)
