"""What the rules' answers cost, beside the best rate of the sweep."""

import numpy as np

from lrlib.finders import RULES, lowest
from lrlib.keras_hooks import momentum_of
from lrlib.suggestion import suggest
from study.record import LENGTHS, PLANS, TESTS, Record, ended, held
from study.settings import OPTIMIZERS, Setting

ANSWERS = "ratio", "farthest", "cost", "worst"  # what is stored of a rule's answers in a setting
OURS = *ANSWERS, "answers", "covered", "refused_rightly", "width"  # and of our own
REPEATS = 4  # tests from which our own suggestion is made
CLOSE = 1.05  # a search has succeeded if its rate costs at most so much
BAD = 1.1  # a refusal was right if nothing was to be read, or if the rate would have cost more than this


class Judge:
    """What the sweep of a setting knows."""

    def __init__(self, setting: Setting, record: Record):
        self.setting, self.record, self.grid = setting, record, setting.grid
        self.momentum, self.reasons = momentum_of(OPTIMIZERS[setting.optimizer]()), set()
        at = int(record.validation.argmin())
        if at in (0, len(self.grid) - 1):
            raise ValueError(f"the grid of {setting.name} must go on beyond {self.grid[at]:g}")
        self.best, self._tested = float(self.grid[at]), np.log(record.test / record.test[at])

    def cost(self, rates):
        """Return the test loss at some rates over that at the best: between rates of the grid a line in logs."""
        return np.exp(np.interp(np.log(rates), np.log(self.grid), self._tested))

    def of(self, rates) -> list:
        """Return of a rule's answers: median rate over the best, the farthest, median cost, worst cost."""
        rates = np.array([rate for rate in rates if rate == rate], dtype=float)
        if not len(rates):
            return [None] * 4
        ratios, costs = rates / self.best, self.cost(rates)
        farthest = ratios[np.abs(np.log(ratios)).argmax()]
        return [short(value) for value in (np.median(ratios), farthest, np.median(costs), costs.max())]

    def rules(self) -> dict:
        """Return what each published rule, in the order of ``RULES``, makes of each length of test.

        Of the test by epoch it is what the lowest loss makes of it.
        """
        found = {
            length: [self.of([rule(rates, test) for test in self.record.tests[length]]) for rule in RULES.values()]
            for length, rates in LENGTHS.items()
            if length in self.record.tests
        }
        if "epoch" in self.record.tests:
            of_epoch = [lowest(PLANS["epoch"], test) for test in self.record.tests["epoch"]]
            found["epoch"] = [self.of(of_epoch)]
        return found

    def ours(self, plan: str, repeats: int = REPEATS, **how) -> list:
        """Return what our suggestion makes of a plan's tests, several at a time, in the order of ``OURS``."""
        losses, rates = ended(self.record.tests[plan]), PLANS[plan]
        how |= {"momentum": self.momentum, "hold": held(self.setting, plan)}
        groups = losses.reshape(-1, repeats, len(rates))
        found = [suggest(rates, group, **how) for group in groups]
        answers = [one for one in found if one.learning_rate is not None]
        refused = [(one, suggest(rates, group, **{**how, "factor": 1e9}))
                   for one, group in zip(found, groups, strict=True) if one.learning_rate is None]  # fmt: skip
        right = [other.learning_rate is None or self.cost(other.learning_rate) > BAD for _, other in refused]
        widths = [one.high / one.low for one in found if one.high > 0]
        # the ends are rates of the test, and the best one is a rate of the grid: at most a rounding lies between equals
        covered = [one.low * 0.999 <= self.best <= one.high * 1.001 for one in answers]
        counts = len(answers), int(sum(covered)), int(sum(right))
        width = short(np.median(widths)) if widths else None
        self.reasons |= {one.reason for one, _ in refused}
        return [*self.of([one.learning_rate for one in answers]), *counts, width]

    def searched(self) -> list:
        """Return of each search: its rate over the best, what trainings with it cost, and the trainings it made."""
        best = self.record.test[self.record.validation.argmin()]
        return [
            [*([None, None] if rate is None else [short(rate / self.best), short(loss / best)]), short(spent)]
            for rate, loss, spent in self.record.found
        ]


def short(value) -> float:
    """Return three digits of a number."""
    return float(f"{value:.3g}")


def judged(setting: Setting, record: Record) -> dict:
    """Return all that the study says of a setting."""
    judge = Judge(setting, record)
    return {
        "name": setting.name,
        "optimizer": setting.optimizer,
        "steps": setting.steps,
        "best": judge.best,
        "test": [short(loss) for loss in record.test],
        "epoch": record.updates.get("epoch"),
        "rules": judge.rules(),
        "ours": {plan: judge.ours(plan) for plan in record.tests},
        "alone": {plan: judge.ours(plan, repeats=1) for plan in LENGTHS},
        "reasons": sorted(judge.reasons),
        "find_rate": judge.searched(),
    }


def summary(settings: list) -> dict:
    """Return for each test and rule, over several settings, the median of its median costs, and its worst cost.

    Once over all settings, and once over those in which our suggestion from four such tests answered at least once.
    """
    rules, plans = {}, {}
    for length in LENGTHS:
        answered = [one for one in settings if one["ours"][length][OURS.index("answers")]]
        for way, some in (("all", settings), ("answered", answered)):
            each = {name: [one["rules"][length][i] for one in some] for i, name in enumerate(RULES)}
            each["lowest by epoch"] = [one["rules"]["epoch"][0] for one in some]
            each["suggest"] = [one["ours"][length] for one in some]
            each["suggest, one test"] = [one["alone"][length] for one in some]
            rules[f"{way}, {length}"] = {name: _over(costs) for name, costs in each.items()}
    for kind in ("ours", "alone"):
        for plan in settings[0][kind]:
            of = [dict(zip(OURS, one[kind][plan], strict=True)) for one in settings]
            total = {"tests": len(TESTS) // (REPEATS if kind == "ours" else 1) * len(of)}
            total |= {what: sum(one[what] for one in of) for what in ("answers", "covered", "refused_rightly")}
            plans[f"{kind}, {plan}"] = {**total, **_over([one[kind][plan] for one in settings])}
    searches = [search for one in settings for search in one["find_rate"]]
    costs = np.array([np.inf if cost is None else cost for _, cost, _ in searches])
    search = {
        "searches": len(searches),
        "close": int((costs <= CLOSE).sum()),
        "cost": short(np.median(costs)),
        "worst": short(costs.max()) if np.isfinite(costs).all() else None,
        "trainings": short(np.median([spent for *_, spent in searches])),
        "most_trainings": short(max(spent for *_, spent in searches)),
    }
    return {"rules": rules, "plans": plans, "find_rate": search}


def _over(each: list) -> dict:
    """Return in how many settings there are answers, the factor by which they are off, their cost, the worst cost."""
    known = [answers for answers in each if answers[0] is not None]
    if not known:
        return {"settings": 0}
    off = np.exp(np.median([abs(np.log(ratio)) for ratio, *_ in known]))
    costs = np.median([cost for _, _, cost, *_ in known]), max(worst for _, _, _, worst, *_ in known)
    return {"settings": len(known), "off": short(off), "cost": short(costs[0]), "worst": short(costs[1])}
