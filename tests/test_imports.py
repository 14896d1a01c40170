"""What each import brings: lrlib itself is NumPy and nothing heavier."""

import subprocess
import sys

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
        ("import lrlib.claims", []),
        ("import lrlib.plot", ["matplotlib"]),
        ("import lrlib.datasets", []),
        ("import lrlib; lrlib.Constant(1)._repr_svg_()", []),
    ],
)
def test_an_import_brings_no_more_than_it_must(statement, expected):
    assert brings(statement) == expected


def test_lrlib_works_without_anything_but_numpy():
    """With every other package out of reach lrlib imports, runs, and a schedule shows itself."""
    code = f"""
import sys
for name in {HEAVY}:
    sys.modules[name] = None
import lrlib
trace = lrlib.gradient_descent(lrlib.Quadratic(2.0), 1.0, lrlib.StepDecay(0.1, 5, 0.5), 20)
assert trace.losses[-1] < trace.losses[0]
print(trace)
assert "<svg" in lrlib.Constant(1)._repr_svg_()
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_names():
    assert sorted(lrlib.__all__) == lrlib.__all__ == [name for name in sorted(vars(lrlib)) if name in lrlib.__all__]
    public = {name for name, value in vars(lrlib).items() if isinstance(value, type) or callable(value)}
    assert public == set(lrlib.__all__)
    for name in lrlib.__all__:
        assert getattr(lrlib, name).__doc__
    assert {"Constant", "ExponentialDecay", "Quadratic", "TwoWells", "gradient_descent"} <= public


def test_the_version_is_the_one_that_was_installed():
    from importlib.metadata import version

    assert version("lrlib") == lrlib.__version__
