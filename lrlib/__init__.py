"""The learning rate as a pure function of the step, and runs that record the rate they applied.

``import lrlib`` needs NumPy alone. TensorFlow is needed by ``lrlib.keras``, ``lrlib.quiet``, ``lrlib.sweep`` and
``lrlib.range_test``, scikit-learn by ``lrlib.datasets`` and the last two, matplotlib by ``lrlib.plot``.
"""

import importlib

from lrlib.descent import Trace, gradient_descent
from lrlib.objectives import Quadratic, TwoWells
from lrlib.schedules import (
    Constant,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    Schedule,
    StepDecay,
)

__version__ = "0.2.0"

__all__ = [
    "Constant",
    "ExponentialDecay",
    "InverseTimeDecay",
    "PiecewiseConstantDecay",
    "Quadratic",
    "Schedule",
    "StepDecay",
    "Trace",
    "TwoWells",
    "gradient_descent",
]

_NEED_TENSORFLOW = {"best_rate": "sweep", "range_test": "range_test", "sweep": "sweep"}


def __getattr__(name: str):
    """Import what needs TensorFlow when it is asked for."""
    if name not in _NEED_TENSORFLOW:
        raise AttributeError(f"module 'lrlib' has no attribute {name!r}")
    module = importlib.import_module(f"lrlib.{_NEED_TENSORFLOW[name]}")
    return getattr(module, name)
