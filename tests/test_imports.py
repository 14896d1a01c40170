"""What each import brings: lrlib itself is NumPy and nothing heavier. Its modules lie in layers."""

import ast
import subprocess
import sys
from inspect import ismodule
from pathlib import Path

import pytest

import lrlib

HEAVY = ["tensorflow", "keras", "matplotlib", "IPython", "pandas", "scipy", "sklearn"]


def brings(statement):
    """Which of the heavy packages are loaded by a statement in a new Python."""
    code = f"import sys\n{statement}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import lrlib; lrlib.ExponentialDecay(1, 2, 0.5).planned(3)", []),
        ("import lrlib.claims, lrlib.book, lrlib.streams", []),
        ("import lrlib.plot", ["matplotlib"]),
        ("import lrlib; [hasattr(lrlib, name) for name in ('keras', 'plot', 'claim', '__wrapped__')]", []),
        ("import lrlib.datasets", []),
        ("import lrlib.runs", ["pandas"]),
        ("import lrlib; lrlib.Constant(1)._repr_svg_()", []),
    ],
)
def test_an_import_brings_no_more_than_it_must(statement, expected):
    assert brings(statement) == expected


EXTRAS = {
    **dict.fromkeys(
        ["from lrlib import " + name for name in ("best_rate", "find_rate", "range_test", "sweep")], "sweep"
    ),
    **dict.fromkeys(["import lrlib.runs", "import lrlib.sweep", "import lrlib.range_test"], "sweep"),
    **dict.fromkeys(["import lrlib.keras", "from lrlib.quiet import keras"], "keras"),
    **dict.fromkeys(["import lrlib.plot", "import lrlib.plot_finding", "import lrlib.interactive"], "plot"),
    "import lrlib.claims; lrlib.claims.claim([1, 2, 3, 4, 6], [2, 3, 5, 6, 8], 'a is lower')": "claims",
    "import lrlib.datasets; lrlib.datasets.digits()": "datasets",
}


def test_lrlib_works_without_anything_but_numpy():
    """With every other package out of reach lrlib imports and runs, and an error says which extra is missing."""
    code = f"""
import sys
for name in [*{HEAVY}, "xarray"]:
    sys.modules[name] = None
import lrlib
trace = lrlib.gradient_descent(lrlib.Quadratic(2.0), 1.0, lrlib.StepDecay(0.1, 5, 0.5), 20)
assert trace.losses[-1] < trace.losses[0]
print(trace)
assert "<svg" in lrlib.Constant(1)._repr_svg_()
for use, extra in {EXTRAS}.items():
    try:
        exec(use)
    except ModuleNotFoundError as error:
        assert str(error).count("lrlib[") == 1 and str(error).endswith(f": lrlib[{{extra}}] brings it"), error
    else:
        raise AssertionError(use)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_names():
    assert sorted(lrlib.__all__) == lrlib.__all__ == [name for name in sorted(vars(lrlib)) if name in lrlib.__all__]
    own = {name: value for name, value in vars(lrlib).items() if not name.startswith("__") and not ismodule(value)}
    public = {name for name, value in own.items() if isinstance(value, type) or callable(value)}
    assert public == set(lrlib.__all__)
    for name in lrlib.__all__:
        assert getattr(lrlib, name).__doc__
    assert {"Constant", "ExponentialDecay", "Quadratic", "TwoWells", "gradient_descent"} <= public


ONE_ANOTHER = """
import inspect, itertools, sys
from lrlib.quiet import keras
import lrlib.keras, lrlib.datasets

above = set(sys.modules) - {"lrlib"}  # of lrlib what imports none of the names that are asked for
assert above.isdisjoint({"lrlib.sweep", "lrlib.range_test", "lrlib.find_rate", "lrlib.runs"})
IMPORTS = ["from lrlib import sweep, range_test, best_rate", "from lrlib.sweep import sweep", "import lrlib.range_test",
           "from lrlib import best_rate", "from lrlib.range_test import range_test", "from lrlib import find_rate"]
for order in itertools.permutations(IMPORTS, 2):
    for name in [name for name in sys.modules if name.split(".")[0] == "lrlib" and name not in above]:
        del sys.modules[name]
    import lrlib
    assert not {"sweep", "range_test", "find_rate", "best_rate"} & set(vars(lrlib))
    for statement in order:
        exec(statement)
    from lrlib import best_rate, find_rate, range_test, sweep
    import lrlib.sweep as module
    assert lrlib.sweep is sweep is module and lrlib.range_test is range_test
    import lrlib.runs
    assert lrlib.best_rate is best_rate is lrlib.runs.best_rate
    for callable_module in (sweep, range_test, find_rate):
        function = getattr(callable_module, callable_module.__name__.split(".")[1])
        assert callable(callable_module) and inspect.signature(callable_module) == inspect.signature(function)
        assert inspect.ismodule(callable_module)

import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)  # an error, had TensorFlow begun to compute

import numpy as np
x = np.linspace(-1, 1, 40)[:, None].astype("float32")
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
one, other = (f(model, (x, x[:, 0]), [1e-3, 0.1], [0], steps=3, batch_size=8) for f in (lrlib.sweep, module.sweep))
assert one.equals(other) and one.sizes["step"] == 3
assert len(lrlib.range_test(model, (x, x), batch_size=8, steps=3).rates) == 3
try:
    lrlib.no_such_name
except AttributeError as error:
    assert str(error) == "module 'lrlib' has no attribute 'no_such_name'"
"""


def test_what_needs_tensorflow_is_found_under_the_names_that_people_type():
    """In every order of the imports the names mean the same, and both ways of calling work; and none computes."""
    run = subprocess.run([sys.executable, "-c", ONE_ANOTHER], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_they_are_among_the_names_that_are_offered():
    assert {"best_rate", "find_rate", "range_test", "sweep", "gradient_descent"} <= set(dir(lrlib))


# Each room stands on those above it: design.md's table, with the small ones in their places. Only `keras` has moved up:
# the range test records with it.
HOUSE = [
    "_checks", "_modules", "_record", "streams", "preview", "schedules.prediction", "schedules.base",
    "schedules.decays", "schedules.shapes", "schedules.composition", "schedules.cycles", "schedules", "objectives",
    "descent", "claims", "datasets", "quiet", "keras_hooks", "as_it_was", "batches_of", "_tape", "keras", "_style",
    "plot", "plot_finding", "runs", "_parcel", "shards", "lane_ops", "lanes", "program", "training", "proof", "sweep",
    "finders", "suggestion", "repeats", "range_test", "find_rate", "book", "_workbench", "interactive",
]  # fmt: skip


ROOT = Path(lrlib.__file__).parent
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
FILES = {room.removesuffix(".__init__"): path for room, path in FILES.items()}


def imported(module):
    """The modules of lrlib that a module imports, inside functions as well."""
    tree = ast.parse(FILES[module].read_text(encoding="utf8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            origin = f"lrlib.{node.module or ''}".rstrip(".") if node.level else node.module
            names |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
    ours = [name.removeprefix("lrlib.") for name in names if name.startswith("lrlib.")]
    rooms = {max((room for room in HOUSE if f"{name}.".startswith(f"{room}.")), key=len, default="") for name in ours}
    return rooms - {"", module}


def test_the_house_has_these_rooms():
    assert set(FILES) - {"__init__"} == set(HOUSE)


@pytest.mark.parametrize("module", HOUSE)
def test_a_module_imports_only_those_above_it(module):
    """So there is no circle, and nothing imports the pictures but what makes them live, and runs to draw themselves."""
    assert imported(module) <= set(HOUSE[: HOUSE.index(module)])
    assert "plot" not in imported(module) or module in ("plot_finding", "runs", "_workbench", "interactive")


def test_the_rooms_are_found():
    assert imported("keras") >= {"_checks", "schedules", "keras_hooks"}
    assert {"preview", "schedules.prediction"} <= imported("schedules.base")  # inside methods
    assert imported("schedules.cycles") == {"_checks", "schedules.base", "schedules.composition", "schedules.shapes"}
    assert imported("__init__") == {"_modules", "descent", "objectives", "schedules"}


def test_the_version_is_the_one_that_was_installed():
    from importlib.metadata import version

    assert version("lrlib") == lrlib.__version__
