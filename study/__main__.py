"""Make the study: ``python -m study`` trains in every setting and writes ``chapters/data/finders.json``."""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from lrlib.finders import RULES
from study.judge import ANSWERS, OURS, REPEATS, judged, summary
from study.record import PLANS, SEEDS, TESTS, record
from study.settings import GRIDS, REPORTED, SETTINGS, TUNED
from trials.versions import versions

STORED = Path(__file__).parent.parent / "chapters" / "data" / "finders.json"
SHOWN = "digits, relu, SGD, 150"  # whose tests of a hundred updates are stored


def main():
    argparse.ArgumentParser(prog="python -m study", description=__doc__).parse_args()
    start = time.perf_counter()
    settings, curves = [], {}
    for setting in SETTINGS:
        began, trained = time.perf_counter(), record(setting)
        settings.append(judged(setting, trained))
        if setting.name == SHOWN:
            curves[setting.name] = stored(trained.tests["100"])
        costs = settings[-1]["ours"]["300"][2], [cost for _, cost, _ in settings[-1]["find_rate"]]
        print(
            f"{setting.name:<40} best {setting.grid[trained.validation.argmin()]:7.2g}, suggestion costs "
            f"{costs[0]}, searches {costs[1]} ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )
    text = written(settings, curves)
    STORED.write_text(text, encoding="utf8")
    print(f"{len(settings)} settings in {time.perf_counter() - start:.0f} s")


def stored(losses) -> list:
    """Return the losses of some tests as JSON has them, null where they are not finite."""
    return [[float(loss) if np.isfinite(loss) else None for loss in test] for test in losses]


def written(settings: list, curves: dict) -> str:
    """Return the study as text, a line for each setting and each stored test."""
    halves = {"tuned": TUNED, "reported": REPORTED}
    parts = {
        "versions": versions(),
        "seeds": {"sweep": len(SEEDS), "tests": len(TESTS), "repeats": REPEATS},
        "grids": {name: [_short(rate) for rate in grid] for name, grid in GRIDS.items()},
        "plans": {name: [len(rates), _short(rates[0]), _short(rates[-1])] for name, rates in PLANS.items()},
        "rules": [*RULES],
        "columns": {"rules": ANSWERS, "ours": OURS, "find_rate": ["ratio", "cost", "trainings"]},
        **halves,
        "summary": {half: summary([one for one in settings if one["name"] in names]) for half, names in halves.items()},
        "settings": settings,
        "curves": curves,
    }
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {lines(part)}" for name, part in parts.items()) + "\n}\n"


def lines(part) -> str:
    """Return JSON with a line for each member."""
    if isinstance(part, dict):
        return "{\n" + ",\n".join(f" {json.dumps(key)}: {_compact(value)}" for key, value in part.items()) + "\n}"
    return "[\n" + ",\n".join(f" {_compact(value)}" for value in part) + "\n]"


def _short(rate) -> float:
    return float(f"{rate:.6g}")  # the last digits are the processor's


def _compact(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
