"""The learning rate as a pure function of the step, and runs that record the rate they applied.

``import lrlib`` needs NumPy alone. TensorFlow is needed by ``lrlib.keras``, ``lrlib.quiet``, ``lrlib.sweep`` and
``lrlib.range_test``, scikit-learn by ``lrlib.datasets`` and the last two, matplotlib by ``lrlib.plot``.
"""

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

__version__ = "0.1.0"

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
