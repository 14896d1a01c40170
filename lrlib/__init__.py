"""The learning rate as a pure function of the step, and runs that record the rate they applied.

``import lrlib`` needs NumPy alone. TensorFlow is needed by ``lrlib.keras``, ``lrlib.quiet``, ``lrlib.sweep``,
``lrlib.range_test`` and ``lrlib.find_rate``, xarray by ``lrlib.runs``, scikit-learn by the data in ``lrlib.datasets``,
SciPy by ``lrlib.claims``, matplotlib by ``lrlib.plot``. ``from lrlib import sweep, find_rate`` loads TensorFlow at that
line.
"""

import importlib

from lrlib import _modules
from lrlib.descent import Trace, gradient_descent
from lrlib.objectives import Quadratic, TwoWells
from lrlib.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    Schedule,
    StepDecay,
    WarmupStableDecay,
    join,
    warmup,
)

__version__ = "0.6.1"

__all__ = [
    "Constant",
    "CosineDecay",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearDecay",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "Quadratic",
    "Schedule",
    "StepDecay",
    "Trace",
    "TwoWells",
    "WarmupStableDecay",
    "gradient_descent",
    "join",
    "warmup",
]

_LATER = {
    "best_rate": "lrlib.runs",
    "find_rate": "lrlib.find_rate",
    "range_test": "lrlib.range_test",
    "sweep": "lrlib.sweep",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


def __getattr__(name: str):
    """Import what needs more than NumPy when it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module 'lrlib' has no attribute {name!r}")
    with _modules.from_extra("sweep"):
        module = importlib.import_module(_LATER[name])
    # a module whose function has its name can be called, and is the same object whoever imports it first
    return module if module.__name__ == f"lrlib.{name}" else getattr(module, name)
