"""Everything that must hold, step by step; the first step that fails ends it.

`check.py other-processor` runs the tests and the chapters as on a processor without the vector
instructions of this one: a printed digit must not depend on the reader's machine.
"""

import os
import subprocess
import sys
import time
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
PARALLEL = ["-n", "auto", "--dist", "loadfile"]  # a notebook's cells have to stay together
UNIT = ["pytest", *PARALLEL, "tests", "lrlib", "--doctest-modules", *(f"--ignore={test}" for test in OF_THE_BUILD)]
BROWSER = ["pytest", "-n", "2", "--dist", "loadfile", "tests/browser"]
CHAPTERS = ["pytest", *PARALLEL, "--nbval", "--nbval-current-env", "chapters"]


def step(what, module, *arguments, **environment):
    """Run a step in this Python, say what it does and how long it took, stop if it fails."""
    print(f"\n── {what}: {module} {' '.join(arguments)}", flush=True)
    environment = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"} | environment
    command = [sys.executable, *([] if module.endswith(".py") else ["-m"]), module, *arguments]
    start = time.perf_counter()
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    verdict = "failed" if status else "passed"
    print(f"── {what}: {verdict} after {time.perf_counter() - start:.1f} s", flush=True)
    if status:
        sys.exit(1)


def everything():
    if not found_browser():
        sys.exit(NONE)
    step("lint", "ruff", "check")
    step("format", "ruff", "format", "--check")
    step("notebooks are normalised", "tools/notebooks.py", "--check")
    step("unit tests and examples in docstrings", *UNIT)
    step("the wheel in an empty environment", "pytest", "tests/test_wheel.py")
    step("the book", "tools/book.py")
    step("the built site", "pytest", "tests/test_site.py", "tests/test_meta.py", "tests/test_landing.py")
    step("the site in a browser", *BROWSER)
    step("what must fail the build", "pytest", "tests/test_build.py")
    step("chapters print what they printed", *CHAPTERS)


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
    step("unit tests on another processor", *UNIT, **plain)
    step("chapters on another processor", *CHAPTERS, **plain)


if __name__ == "__main__":
    start = time.perf_counter()
    (other_processor if sys.argv[1:] == ["other-processor"] else everything)()
    print(f"\nAll steps passed in {time.perf_counter() - start:.0f} s.")
