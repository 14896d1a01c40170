"""Schedules: the learning rate is a pure function of the step.

A schedule is a value, like a number: it has no state, so it cannot be spent, reset or left running.
Call it with a step, or with an array of steps, as often and in any order you like.

Steps count updates from 0. They may be fractions (a schedule in epochs is called with epochs).
Schedules compose: ``warmup(100) >> CosineDecay(0.1, 900)``, ``join([a, b], [500])``, ``a * b``, ``0.5 * a``,
``a.stretch(2)``, ``a.shift(100)``, ``a.clip(lowest=1e-4)``, ``a.repeat(300)``, ``a.in_epochs(steps_per_epoch=34)``.
They go into other frameworks: ``SGD(KerasSchedule(a))`` in Keras, with ``lrlib.keras``; ``LambdaLR(optimizer, a)`` in
PyTorch, for an optimizer with a rate of 1; ``optax.sgd(lambda count: a.formula(count, jax.numpy))`` in JAX.
They foresee a run: ``a.planned(400)``, ``a.plan(400)``, ``a.travel(400)``, ``a.when(below=1e-3)``, ``diff(a, b, 400)``.
"""

from lrlib.schedules import prediction
from lrlib.schedules.base import (
    Clipped,
    Constant,
    FunctionOfStep,
    Product,
    Repeated,
    Scaled,
    Schedule,
    Shifted,
    Stretched,
    as_schedule,
    of_schedules,
    stairs,
)
from lrlib.schedules.composition import Join, Warmup, join, warmup
from lrlib.schedules.cycles import CosineDecayRestarts, OneCycle, Triangular, WarmupStableDecay
from lrlib.schedules.decays import (
    ExponentialDecay,
    InverseSqrtDecay,
    InverseTimeDecay,
    NaturalExponentialDecay,
    PiecewiseConstantDecay,
    StepDecay,
)
from lrlib.schedules.prediction import Difference, Plan
from lrlib.schedules.shapes import (
    CosineDecay,
    LinearCosineDecay,
    LinearDecay,
    PolynomialDecay,
    Ramp,
    anneal,
)

bound, diff, plan, travel, when = map(
    of_schedules, (prediction.bound, prediction.diff, prediction.plan, prediction.travel, prediction.when)
)

__all__ = [
    "Clipped",
    "Constant",
    "CosineDecay",
    "CosineDecayRestarts",
    "Difference",
    "ExponentialDecay",
    "FunctionOfStep",
    "InverseSqrtDecay",
    "InverseTimeDecay",
    "Join",
    "LinearCosineDecay",
    "LinearDecay",
    "NaturalExponentialDecay",
    "OneCycle",
    "PiecewiseConstantDecay",
    "Plan",
    "PolynomialDecay",
    "Product",
    "Ramp",
    "Repeated",
    "Scaled",
    "Schedule",
    "Shifted",
    "StepDecay",
    "Stretched",
    "Triangular",
    "Warmup",
    "WarmupStableDecay",
    "anneal",
    "as_schedule",
    "bound",
    "diff",
    "join",
    "plan",
    "stairs",
    "travel",
    "warmup",
    "when",
]
