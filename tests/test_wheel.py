"""The wheel works where nothing but NumPy is installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMPORT = """
import sys, lrlib
heavy = {"keras", "matplotlib", "tensorflow"} & set(sys.modules)
assert not heavy, heavy
print(lrlib.__file__)
print(lrlib.ExponentialDecay(0.1, 10, 0.5)(10))
"""


def run(*command, cwd=None):
    return subprocess.run(command, check=True, cwd=cwd, capture_output=True, text=True).stdout


def test_wheel_needs_numpy_only(tmp_path):
    source = tmp_path / "source"  # a copy, so that the build leaves nothing in the project
    shutil.copytree(ROOT / "lrlib", source / "lrlib", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")

    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "lrlib").rglob("*.py")}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    assert packed == modules

    run(sys.executable, "-m", "venv", tmp_path / "empty")
    python = tmp_path / "empty" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", f"numpy=={version('numpy')}", wheel)
    where, rate = run(python, "-c", IMPORT, cwd=tmp_path).split()
    assert Path(where).is_relative_to(tmp_path), "not the lrlib of the wheel"
    assert float(rate) == 0.05
