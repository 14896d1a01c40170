"""Do the tests bite? Eighteen small mutations of lrlib, one at a time, each in a copy of the project.

A mutation is caught if a unit test fails and a cell of a chapter no longer prints what is stored. One that changes
the rate of the article's program must change what every route through lrlib prints. A mutation that survives fails
the run, and so does one whose text is not found exactly once: lrlib has moved on without it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parents[1]
COPIED = ["lrlib", "tests", "chapters", "pyproject.toml"]
NBVAL = ["--nbval", "--nbval-current-env"]
CHAPTER = {
    1: "chapters/01-what-is-a-learning-rate.ipynb",
    2: "chapters/02-too-small-too-large.ipynb",
    3: "chapters/03-setting-it.ipynb",
    4: "chapters/04-decay.ipynb",
    5: "chapters/05-exponential-decay-in-tensorflow.ipynb",
}
# what prints the lines of the article's program with lrlib's rates: tests and a cell of chapter 5
ARTICLE = "tests/test_article.py"
BY_KERAS = {"test_keras_with_a_schedule_of_lrlib_prints_the_lines"}
ROUTES = {"lrlib-lines", "test_one_call_of_lrlib_prints_the_lines", *BY_KERAS}


class Mutant(NamedTuple):
    name: str
    module: str  # of lrlib; tests/test_<module>.py has to catch the mutant …
    chapter: int  # … and so has this notebook
    old: str
    new: str
    routes: set[str] = set()  # of ROUTES, all that have to change

    @property
    def tests(self):
        return f"tests/test_{self.module}.py"


RECEIVED = "received(self._var_key(variable), learning_rate)"
NEXT = "received(self._var_key(variable), self._learning_rate(self._iterations + 1))"
SWAPPED = "self.decay_rate * self.initial_learning_rate ** self._clock(step, xp)"
DECAY = "self.initial_learning_rate * self.decay_rate ** self._clock(step, xp)"
STAIRS = "stairs(step, self.decay_steps, xp) if"
MUTANTS = [
    Mutant("the staircase is one stair late", "schedules", 5, STAIRS, STAIRS.replace(" if", " + 1.0 if"), ROUTES),
    Mutant("the step is not divided by decay_steps", "schedules", 5, "else step / self.decay_steps", "else step"),
    Mutant("initial rate and decay rate are swapped", "schedules", 5, DECAY, SWAPPED, ROUTES),
    Mutant("the gradient has the wrong sign", "descent", 1, "parameters - lr * gradient", "parameters + lr * gradient"),
    Mutant("float64 where float32 was asked for", "descent", 5, "    dtype = _dtype(dtype)", "    dtype = np.float64"),
    Mutant("the next step's rate is recorded", "descent", 5, "append(lr)", "append(_rate(schedule, step + 1, dtype))"),
    Mutant(
        "losses are recorded a step late",
        "descent",
        1,
        "append(_loss(objective, parameters",
        "append(_loss(objective, path[-2]",
    ),
    Mutant("the gradient lacks the curvature", "objectives", 1, "return curvature * (param", "return (param"),
    Mutant("Keras gets the next step's rate", "keras", 5, 'step, "float64")', 'step + 1, "float64")', BY_KERAS),
    Mutant("the applied rate is read one step late", "keras_hooks", 5, RECEIVED, NEXT),
    Mutant(
        "a sweep goes through its schedule backwards",
        "sweep",
        4,
        "(factors * learning_rates)",
        "(factors[::-1] * learning_rates)",
    ),
    Mutant("a sweep climbs", "recipe", 2, "change = -rate * gradient", "change = rate * gradient"),
    Mutant("the velocity forgets", "recipe", 3, "velocity = self.momentum * velocity + change", "velocity = change"),
    Mutant("a range test rises in equal steps", "range_test", 3, "np.geomspace(start", "np.linspace(start"),
    Mutant(
        "a range test keeps what it trained", "range_test", 3, "variable.assign(value)", "variable.assign(variable)"
    ),
    Mutant(
        "labels stay clean", "datasets", 4, "with_label_noise(y[train], label_noise,", "with_label_noise(y[train], 0.0,"
    ),
    Mutant("the digits are not scaled", "datasets", 2, "values / train.max()", "values / 1.0"),
    Mutant("two identical arms support a claim", "claims", 2, "mean > 2 * error", "mean >= 2 * error"),
]


def copy(source, folder):
    """Copy what the tests need; return the environment in which the copy's lrlib is the one imported."""
    folder = Path(folder).resolve()
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(source / name, folder)
    return folder, os.environ | {"PYTHONPATH": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}


def mutate(mutant, folder):
    """Replace the text of one mutation, which must be there exactly once."""
    file = folder / "lrlib" / f"{mutant.module}.py"
    text = file.read_text(encoding="utf8")
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: found {text.count(mutant.old)} times in {file.name}: {mutant.old}")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf8")


def pytest(folder, environment, *arguments):
    """Return the names of the tests that failed; an error that is no failed test ends the run."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    failed = re.findall(r"^FAILED .*?::([^\[\n]*?)(?:\[.*| - .*)?$", run.stdout, re.MULTILINE)
    if run.returncode not in (0, 1) or run.returncode != bool(failed):
        raise SystemExit(f"pytest {' '.join(arguments)} did not run:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    return failed


def cells(folder, environment, chapter):
    """Return the ids of the cells that do not print what is stored in the chapter."""
    failed = pytest(folder, environment, *NBVAL, chapter)
    code = [cell.id for cell in nbformat.read(folder / chapter, 4).cells if cell.cell_type == "code"]
    return [code[int(name.removeprefix("Cell "))] for name in failed]


def unmutated(source):
    """Where nothing was mutated all must pass, with the copy's lrlib, in tests and in a notebook's kernel."""
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = copy(source, folder)
        here = f"import lrlib, pathlib\nassert pathlib.Path(lrlib.__file__).is_relative_to({str(folder)!r})\n"
        (folder / "tests" / "test_where.py").write_text(here + "def test_where(): pass\n", encoding="utf8")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(here)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / "where.ipynb")
        tests = sorted({mutant.tests for mutant in MUTANTS})
        for arguments in (["tests/test_where.py", ARTICLE, *tests], [*NBVAL, "where.ipynb", *CHAPTER.values()]):
            if failed := pytest(folder, environment, *arguments):
                raise SystemExit(f"{failed} fails without any mutation")


def attack(source, mutant):
    """Return the first unit test that catches the mutant, the cells that do, and what survived."""
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = copy(source, folder)
        mutate(mutant, folder)
        tests = pytest(folder, environment, "-x", mutant.tests)
        changed = cells(folder, environment, CHAPTER[mutant.chapter])
        routes = mutant.routes and {*changed, *pytest(folder, environment, ARTICLE)}
    survived = ([] if tests else [mutant.tests]) + ([] if changed else [CHAPTER[mutant.chapter]])
    survived += sorted(mutant.routes.difference(routes))
    return tests, changed, survived


def main():
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as source, ThreadPoolExecutor(2) as pool:
        source, _ = copy(ROOT, source)  # what is edited meanwhile does not matter
        ready = pool.submit(unmutated, source)
        results = list(pool.map(partial(attack, source), MUTANTS))
        ready.result()
    for mutant, (tests, changed, survived) in zip(MUTANTS, results, strict=True):
        print(f"\n{mutant.name} (lrlib/{mutant.module}.py)")
        print(f"    unit test  {tests[0] if tests else '—'}")
        print(f"    chapter {mutant.chapter}  {', '.join(changed) or '—'}")
        if survived:
            print(f"    SURVIVED   {', '.join(survived)}")
    survivors = sum(bool(survived) for *_, survived in results)
    print(f"\n{len(MUTANTS)} mutants, {survivors} survived, {time.perf_counter() - start:.0f} s")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
