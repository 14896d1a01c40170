"""Everything that must hold, step by step; a step that fails is the last.

`check.py other-processor` runs the tests and the chapters as on a processor without the vector
instructions of this one: a printed digit must not depend on the reader's machine.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chromium import NONE, found_browser

ROOT = Path(__file__).resolve().parents[1]
OF_THE_BUILD = [
    "tests/test_build.py",
    "tests/test_site.py",
    "tests/test_meta.py",
    "tests/test_landing.py",
    "tests/test_wheel.py",
    "tests/browser",
]
ELSEWHERE = ["tests/parity"]  # `make parity`: it needs the other frameworks
WHEEL = ["pytest", "tests/test_wheel.py"]
BUILT = ["pytest", "tests/test_site.py", "tests/test_meta.py", "tests/test_landing.py"]
# The cells of a notebook have to stay together; which files of tests begin tests/conftest.py says.
PARALLEL = ["-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder"]
# What finds the same on every processor, and why. Whatever is in no list runs on each.
ALIKE = {
    "tests/test_chapters.py": "reads files",
    "tests/test_check.py": "reads files",
    "tests/test_docs.py": "reads files",
    "tests/test_exercises.py": "reads files",
    "tests/test_mutants.py": "reads files",
    "tests/test_plain.py": "reads files",
    "tests/test_sheet.py": "reads files",
    "tests/test_verdicts.py": "reads files",
    "tests/test_imports.py": "asks which modules an import loads",
    "tests/test_shards.py": "asks which process trains what; what it trains test_sweep.py asks on every processor",
}
# How pages and files go to the processes, and in which order, is in their conftest.py. They wait for their browsers a
# fifth of the time.
BROWSER = ["pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "tests/browser"]
CHAPTERS = ["pytest", "--nbval", "--nbval-current-env", "chapters"]
RUN_ALREADY = ["-p", "tools.executed", "--executed", "_build/.jupyter_cache"]  # by the build of the book


def unit_tests_but(*others):
    left_out = [f"--ignore={test}" for test in [*OF_THE_BUILD, *ELSEWHERE, *others]]
    return ["pytest", *PARALLEL, "tests", "lrlib", "--doctest-modules", *left_out]


def passes(what, module, *arguments, out=None, **environment):
    """Run a step in this Python, say what it does and how long it took, and tell whether it passed."""
    print(f"\n── {what}: {module} {' '.join(arguments)}", file=out, flush=True)
    environment = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"} | environment
    command = [sys.executable, *([] if module.endswith(".py") else ["-m"]), module, *arguments]
    start = time.perf_counter()
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdout=out, stderr=out).returncode
    verdict = "failed" if status else "passed"
    print(f"── {what}: {verdict} after {time.perf_counter() - start:.1f} s", file=out, flush=True)
    return not status


def step(*what, **environment):
    """A step by itself; if it fails, it is the last."""
    if not passes(*what, **environment):
        sys.exit(1)


def beside(first, others):
    """Two rows of steps at the same time, which leave no processor idle; what the second says is printed at the end."""

    def aside():
        with tempfile.TemporaryFile("w+", encoding="utf8", errors="replace") as said:
            good = all(passes(*what, out=said) for what in others)
            said.seek(0)
            return good, said.read()

    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(aside)
        for what in first:
            good = passes(*what)
            if not good or later.done() and not later.result()[0]:
                break
        passed, said = later.result()
    print(said, end="", flush=True)
    if not (good and passed):
        sys.exit(1)


def everything():
    if not found_browser():
        sys.exit(NONE)
    step("lint", "ruff", "check")
    step("format", "ruff", "format", "--check")
    step("notebooks are normalised", "tools/notebooks.py", "--check")
    beside(
        [
            ["the book", "tools/book.py"],  # runs its chapters one after the other
            ["chapters print what they printed", *CHAPTERS, *RUN_ALREADY],
            ["the built site", *BUILT],
            ["the site in a browser", *BROWSER],
        ],
        [
            ["unit tests and examples in docstrings", *unit_tests_but()],
            ["the wheel in an empty environment", *WHEEL],
            ["what must fail the build", "pytest", "tests/test_build.py"],
        ],
    )


def other_processor():
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    vectors = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    print("NumPy without", *vectors)
    plain = {
        "NPY_DISABLE_CPU_FEATURES": " ".join(vectors),
        "OPENBLAS_CORETYPE": "Nehalem",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
    }
    step("unit tests on another processor", *unit_tests_but(*ALIKE), **plain)
    step("chapters on another processor", *CHAPTERS, *PARALLEL, **plain)


if __name__ == "__main__":
    start = time.perf_counter()
    (other_processor if sys.argv[1:] == ["other-processor"] else everything)()
    print(f"\nAll steps passed in {time.perf_counter() - start:.0f} s.")
