"""Run every trial: ``python -m trials`` writes the outcomes, ``python -m trials --check`` compares them."""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

from trials.versions import versions

HERE = Path(__file__).parent
OUTCOMES = HERE / "outcomes.json"


def trials(only):
    """Every trial of the modules beside this one, in the order of the statements."""
    modules = [importlib.import_module(f"trials.{path.stem}") for path in sorted(HERE.glob("[sf][0-9]*.py"))]
    found = [trial for module in modules for trial in module.TRIALS if not only or trial.statement in only]
    return sorted(found, key=lambda trial: (trial.statement[0] == "F", int(trial.statement[1:])))


def tried(trial):
    """Run one trial in all its settings and print a line for each."""
    print(f"\n{trial.statement}: {trial.claim}", flush=True)
    variations = []
    for setting in trial.settings:
        start = time.perf_counter()
        held, figure = trial.holds(setting)
        seconds = time.perf_counter() - start
        print(f"  {'held    ' if held else 'did not '} {setting.name:<28} {figure}  ({seconds:.0f} s)", flush=True)
        variations.append({"name": setting.name, "held": bool(held), "figure": figure})
    return {"claim": trial.claim, "variations": variations}


def changed(new, stored):
    """The outcomes that are not the stored ones, as sentences."""
    for statement, trial in new.items():
        before = {v["name"]: v["held"] for v in stored.get(statement, {"variations": []})["variations"]}
        for variation in trial["variations"]:
            name, held = variation["name"], variation["held"]
            if before.get(name) != held:
                yield f"{statement}, {name}: stored {before.get(name)}, now {held} ({variation['figure']})"


def main():
    parser = argparse.ArgumentParser(prog="python -m trials", description=__doc__)
    parser.add_argument("statements", nargs="*", metavar="S5", help="only these statements; by default all")
    parser.add_argument("--check", action="store_true", help="fail where an outcome has changed; write nothing")
    options = parser.parse_args()

    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # of sweeps alone: see the notes of lrlib.sweep
    start = time.perf_counter()
    new = {trial.statement: tried(trial) for trial in trials(options.statements)}
    print(f"\n{len(new)} statements in {time.perf_counter() - start:.0f} s")
    # read only now: another process may have written the outcomes of other statements meanwhile
    stored = json.loads(OUTCOMES.read_text(encoding="utf8")) if OUTCOMES.is_file() else {"outcomes": {}}
    if options.check:
        differences = [*changed(new, stored["outcomes"])]
        sys.exit("\n".join(["Outcomes have changed:", *differences]) if differences else 0)
    outcomes = {**stored["outcomes"], **new}
    ordered = dict(sorted(outcomes.items(), key=lambda item: int(item[0][1:])))
    text = json.dumps({"versions": versions(), "outcomes": ordered}, indent=1, ensure_ascii=False)
    OUTCOMES.write_text(text + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
