"""The table of parity: how a framework makes a schedule, and what gives the same rates in lrlib.

Both are text, so that what is compared, what is recorded and what the book shows are the same lines. Numbers in braces
are drawn at random. Where a framework has a convention of its own, the line of lrlib says how to write it here.
"""

import random
from typing import NamedTuple

import numpy as np

import lrlib.schedules

STEPS = 48  # of which the last ones lie past the end of every schedule that ends
DRAWS = range(5)


def draw(seed: int) -> dict:
    """Return numbers that make schedules which begin, turn and end within ``STEPS`` steps."""
    chance = random.Random(seed)

    def number(low, high):
        return float(f"{chance.uniform(low, high):.4g}")

    warm, cycles = chance.randint(3, 8), chance.choice([2, 4])
    length = cycles * chance.randint(4, 8)
    b = chance.randint(5, 15)
    return {
        "lr": number(0.01, 1.0),
        "end": number(0.0001, 0.008),
        "start": number(0.0001, 0.008),
        "alpha": number(0.01, 0.3),
        "r": number(0.2, 0.95),
        "k": number(0.3, 3.0),
        "p": number(0.5, 3.0),
        "q": number(0.2, 0.5),
        "f": number(0.1, 0.5),
        "g": number(0.5, 0.95),
        "T": length,
        "S": chance.randint(3, 9),
        "W": warm,
        "N": warm + length,
        "D": chance.randint(4, length - 3),
        "n": cycles,
        "b": b,
        "c": b + chance.randint(3, 15),
    }


class Row(NamedTuple):
    schedule: str  # the name in frameworks.json
    framework: str
    theirs: str
    ours: str
    steps: int | str = STEPS  # or their number in the names above, where the framework gives no more

    def written(self, seed: int) -> tuple[str, str, int]:
        """Return both lines and the number of steps with the numbers of a draw."""
        numbers = draw(seed)
        steps = self.steps if isinstance(self.steps, int) else eval(self.steps, {}, numbers)
        return self.theirs.format(**numbers), self.ours.format(**numbers), steps


def ours(text: str):
    """Make a schedule of lrlib from its line."""
    return eval(text, {"int": int}, vars(lrlib.schedules))


ROWS = [
    Row("StepDecay", "keras", "ExponentialDecay({lr}, {S}, {r}, staircase=True)", "StepDecay({lr}, {S}, {r})"),
    Row(
        "PiecewiseConstantDecay", "keras",
        "PiecewiseConstantDecay([{b}, {c}], [{lr}, {end}, {alpha}])",
        "PiecewiseConstantDecay([{b}, {c}], [{lr}, {end}, {alpha}])",
    ),
    Row("ExponentialDecay", "keras", "ExponentialDecay({lr}, {S}, {r})", "ExponentialDecay({lr}, {S}, {r})"),
    Row("InverseTimeDecay", "keras", "InverseTimeDecay({lr}, {S}, {k})", "InverseTimeDecay({lr}, {S}, {k})"),
    Row(
        "InverseTimeDecay", "keras",
        "InverseTimeDecay({lr}, {S}, {k}, staircase=True)", "InverseTimeDecay({lr}, {S}, {k}, staircase=True)",
    ),
    Row("LinearDecay", "keras", "PolynomialDecay({lr}, {T}, 0.0)", "LinearDecay({lr}, {T})"),
    Row("PolynomialDecay", "keras", "PolynomialDecay({lr}, {T}, 0.0001)", "PolynomialDecay({lr}, {T})"),
    Row(
        "PolynomialDecay", "keras",
        "PolynomialDecay({lr}, {T}, {end}, {p})", "PolynomialDecay({lr}, {T}, {end}, {p})",
    ),
    Row(
        "PolynomialDecay", "keras",
        "PolynomialDecay({lr}, {S}, {end}, {p}, cycle=True)", "PolynomialDecay({lr}, {S}, {end}, {p}, cycle=True)",
    ),
    Row("CosineDecay", "keras", "CosineDecay({lr}, {T}, alpha={alpha})", "CosineDecay({lr}, {T}, {alpha} * {lr})"),
    Row(
        "CosineDecayRestarts", "keras",
        "CosineDecayRestarts({lr}, {S}, t_mul={n}.0, m_mul={g})",
        "CosineDecayRestarts({lr}, {S}, t_mul={n}, m_mul={g})",
    ),
    Row(
        "CosineDecayRestarts", "keras",
        "CosineDecayRestarts({lr}, {T}, t_mul=1.0, m_mul={g}, alpha={alpha})",
        "join([CosineDecay({lr}, {T}, {alpha} * {lr}), CosineDecay({lr} * ((1 - {alpha}) * {g} + {alpha}), {T}, "
        "{alpha} * {lr})], [{T}])", "2 * T",
    ),
    Row(
        "warmup", "keras",
        "CosineDecay({start}, {T}, {alpha}, warmup_target={lr}, warmup_steps={W})",
        "warmup({W}, {start}) >> CosineDecay({lr}, {T}, {alpha} * {lr})",
    ),
    Row(
        "ExponentialDecay", "tensorflow 1",
        "exponential_decay({lr}, step, {S}, {r})", "ExponentialDecay({lr}, {S}, {r})",
    ),
    Row(
        "NaturalExponentialDecay", "tensorflow 1",
        "natural_exp_decay({lr}, step, {S}, {k})", "NaturalExponentialDecay({lr}, {S}, {k})",
    ),
    Row(
        "NaturalExponentialDecay", "tensorflow 1",
        "natural_exp_decay({lr}, step, {S}, {k}, staircase=True)",
        "NaturalExponentialDecay({lr}, {S}, {k}, staircase=True)",
    ),
    Row(
        "LinearCosineDecay", "tensorflow 1",
        "linear_cosine_decay({lr}, step, {T}, {n}.5, {alpha}, {f})",
        "LinearCosineDecay({lr}, {T}, {n}.5, {alpha}, {f})",
    ),
    Row("Constant", "optax", "constant_schedule({lr})", "Constant({lr})"),
    Row("StepDecay", "optax", "exponential_decay({lr}, {S}, {r}, staircase=True)", "StepDecay({lr}, {S}, {r})"),
    Row(
        "PiecewiseConstantDecay", "optax",
        "piecewise_constant_schedule({lr}, {{{b}: {r}, {c}: {f}}})",
        "PiecewiseConstantDecay([{b} - 1, {c} - 1], [{lr}, {lr} * {r}, {lr} * {r} * {f}])",
    ),
    Row("ExponentialDecay", "optax", "exponential_decay({lr}, {S}, {r})", "ExponentialDecay({lr}, {S}, {r})"),
    Row(
        "ExponentialDecay", "optax",
        "exponential_decay({lr}, {S}, {r}, transition_begin={b}, end_value={end})",
        "ExponentialDecay({lr}, {S}, {r}).shift({b}).clip({end})",
    ),
    Row("LinearDecay", "optax", "linear_schedule({lr}, {end}, {T})", "LinearDecay({lr}, {T}, {end})"),
    Row(
        "PolynomialDecay", "optax",
        "polynomial_schedule({lr}, {end}, {p}, {T})", "PolynomialDecay({lr}, {T}, {end}, {p})",
    ),
    Row(
        "CosineDecay", "optax",
        "cosine_decay_schedule({lr}, {T}, alpha={alpha})", "CosineDecay({lr}, {T}, {alpha} * {lr})",
    ),
    Row(
        "CosineDecayRestarts", "optax",
        "sgdr_schedule([dict(init_value=0.0, peak_value={lr}, warmup_steps=2, decay_steps={T}), "
        "dict(init_value=0.0, peak_value={lr} * {g}, warmup_steps=2, decay_steps={T})])",
        "join([warmup(2) >> CosineDecay({lr}, {T} - 2), warmup(2) >> CosineDecay({lr} * {g}, {T} - 2)], [{T}])",
    ),
    Row(
        "OneCycle", "optax",
        "cosine_onecycle_schedule({N}, {lr}, pct_start={q})", "OneCycle({lr}, {N}, int({q} * {N}) / {N})",
    ),
    Row(
        "OneCycle", "optax",
        "linear_onecycle_schedule(20, {lr}, pct_start=0.3)",
        "join([Ramp({lr} / 25, {lr}, 6), Ramp({lr}, {lr} / 25, 11), Ramp({lr} / 25, {lr} / 25 / 1e4, 3)], [6, 17])",
    ),
    Row("warmup", "optax", "warmup_constant_schedule({start}, {lr}, {W})", "warmup({W}, {start}) >> Constant({lr})"),
    Row(
        "warmup", "optax",
        "warmup_cosine_decay_schedule({start}, {lr}, {W}, {N}, {end})",
        "warmup({W}, {start}) >> CosineDecay({lr}, {N} - {W}, {end})",
    ),
    Row(
        "warmup", "optax",
        "warmup_exponential_decay_schedule({start}, {lr}, {W}, {S}, {r})",
        "warmup({W}, {start}) >> ExponentialDecay({lr}, {S}, {r})",
    ),
    Row(
        "join", "optax",
        "join_schedules([constant_schedule({lr}), exponential_decay({lr}, {S}, {r})], [{b}])",
        "join([Constant({lr}), ExponentialDecay({lr}, {S}, {r})], [{b}])",
    ),
    Row(
        "WarmupStableDecay", "optax",
        "join_schedules([linear_schedule(0.0, {lr}, {W}), linear_schedule({lr}, {end}, {D}, {N} - {D} - {W})], [{W}])",
        "WarmupStableDecay({lr}, {N}, {W}, {D}, {end})",
    ),
    Row(
        "Constant", "torch", "ConstantLR(SGD({lr}), factor={f}, total_iters={b})",
        "join([Constant({lr} * {f}), Constant({lr})], [{b}])",
    ),
    Row("StepDecay", "torch", "StepLR(SGD({lr}), {S}, {r})", "StepDecay({lr}, {S}, {r})"),
    Row(
        "PiecewiseConstantDecay", "torch",
        "MultiStepLR(SGD({lr}), [{b}, {c}], {r})",
        "PiecewiseConstantDecay([{b} - 1, {c} - 1], [{lr}, {lr} * {r}, {lr} * {r} * {r}])",
    ),
    Row("ExponentialDecay", "torch", "ExponentialLR(SGD({lr}), {g})", "ExponentialDecay({lr}, 1, {g})"),
    Row(
        "LinearDecay", "torch",
        "LinearLR(SGD({lr}), start_factor=1.0, end_factor={f}, total_iters={T})",
        "LinearDecay({lr}, {T}, {f} * {lr})",
    ),
    Row("PolynomialDecay", "torch", "PolynomialLR(SGD({lr}), {T}, {p})", "PolynomialDecay({lr}, {T}, 0.0, {p})"),
    Row(
        "CosineDecay", "torch",
        "CosineAnnealingLR(SGD({lr}), {T}, {end})",
        "join([CosineDecay({lr}, {T}, {end}), Ramp({end}, {lr}, {T}, 'cosine')], [{T}]).repeat(2 * {T})",
    ),
    Row(
        "CosineDecayRestarts", "torch",
        "CosineAnnealingWarmRestarts(SGD({lr}), {S}, {n}, {end})",
        "CosineDecayRestarts({lr}, {S}, {n}, end_learning_rate={end})",
    ),
    *(
        Row(
            "Triangular", "torch",
            f"CyclicLR(SGD({{lr}}), {{end}}, {{lr}}, {{S}}, mode='{mode}', gamma={{g}}, cycle_momentum=False)",
            f"Triangular({{end}}, {{lr}}, {{S}}, '{mode}', {{g}})",
        )
        for mode in ("triangular", "triangular2", "exp_range")
    ),
    Row(
        "OneCycle", "torch",
        "OneCycleLR(SGD({lr}), {lr}, {N}, pct_start={q}, cycle_momentum=False)",
        "OneCycle({lr}, {N} - 1, ({q} * {N} - 1) / ({N} - 1))", "N",
    ),
    Row(
        "warmup", "torch",
        "SequentialLR(o := SGD({lr}), [LinearLR(o, {f}, 1.0, {W}), CosineAnnealingLR(o, {T})], [{W}])",
        "warmup({W}, {f} * {lr}) >> CosineDecay({lr}, {T})", "N + 1",
    ),
    Row(
        "join", "torch",
        "SequentialLR(o := SGD({lr}), [ConstantLR(o, 1.0), ExponentialLR(o, {g})], [{b}])",
        "join([Constant({lr}), ExponentialDecay({lr}, 1, {g})], [{b}])",
    ),
    Row("StepDecay", "timm", "StepLRScheduler(SGD({lr}), {S}, {r})", "StepDecay({lr}, {S}, {r})"),
    Row(
        "PiecewiseConstantDecay", "timm",
        "MultiStepLRScheduler(SGD({lr}), [{b}, {c}], {r})",
        "PiecewiseConstantDecay([{b} - 2, {c} - 2], [{lr}, {lr} * {r}, {lr} * {r} * {r}])",
    ),
    Row(
        "InverseSqrtDecay", "timm",
        "WSDLRScheduler(SGD({lr}), {N}, 1, stable_fn='rsqrt', stable_timescale={S})",
        "InverseSqrtDecay({lr}, {S})", "N - 1",
    ),
    Row("LinearDecay", "timm", "PolyLRScheduler(SGD({lr}), {T}, power=1)", "LinearDecay({lr}, {T})"),
    Row("PolynomialDecay", "timm", "PolyLRScheduler(SGD({lr}), {T})", "PolynomialDecay({lr}, {T}, 0.0, 0.5)"),
    Row(
        "PolynomialDecay", "timm",
        "PolyLRScheduler(SGD({lr}), {T}, {p}, {end})", "PolynomialDecay({lr}, {T}, {end}, {p})",
    ),
    Row("CosineDecay", "timm", "CosineLRScheduler(SGD({lr}), {T}, {end})", "CosineDecay({lr}, {T}, {end})"),
    Row(
        "CosineDecayRestarts", "timm",
        "CosineLRScheduler(SGD({lr}), {S}, {end}, cycle_mul={n}, cycle_decay={g}, cycle_limit=9)",
        "CosineDecayRestarts({lr}, {S}, {n}, {g}, {end})",
    ),
    Row(
        "warmup", "timm",
        "CosineLRScheduler(SGD({lr}), {T}, {end}, warmup_t={W}, warmup_lr_init={start}, warmup_prefix=True)",
        "warmup({W}, {start}) >> CosineDecay({lr}, {T}, {end})",
    ),
    Row(
        "warmup", "timm",
        "CosineLRScheduler(SGD({lr}), {T}, {end}, warmup_t={W}, warmup_lr_init={start})",
        "join([Ramp({start}, {lr}, {W}), CosineDecay({lr}, {T}, {end}).shift(-{W})], [{W}])",
    ),
    *(
        Row(
            "WarmupStableDecay", "timm",
            f"WSDLRScheduler(SGD({{lr}}), {{T}}, {{D}}, {{end}}, warmup_t={{W}}, decay_fn='{shape}')",
            f"WarmupStableDecay({{lr}}, {{N}}, {{W}}, {{D}}, {{end}}, '{shape}')",
        )
        for shape in ("linear", "cosine", "1-sqrt")
    ),
    Row("Constant", "transformers", "get_constant_schedule(SGD({lr}))", "Constant({lr})"),
    Row(
        "InverseSqrtDecay", "transformers",
        "get_inverse_sqrt_schedule(SGD({lr}), {W}, {S})", "warmup({W}) >> InverseSqrtDecay({lr}, {S})",
    ),
    Row(
        "LinearDecay", "transformers",
        "get_linear_schedule_with_warmup(SGD({lr}), {W}, {N})", "warmup({W}) >> LinearDecay({lr}, {N} - {W})",
    ),
    Row(
        "PolynomialDecay", "transformers",
        "get_polynomial_decay_schedule_with_warmup(SGD({lr}), {W}, {N}, power={p})",
        "warmup({W}) >> PolynomialDecay({lr}, {N} - {W}, 1e-7, {p})",
    ),
    Row(
        "CosineDecay", "transformers",
        "get_cosine_schedule_with_warmup(SGD({lr}), {W}, {N})",
        "warmup({W}) >> join([CosineDecay({lr}, {N} - {W}), Ramp(0, {lr}, {N} - {W}, 'cosine')], [{N} - {W}])", "2 * T",
    ),
    Row(
        "CosineDecay", "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup(SGD({lr}), {W}, {N}, min_lr={end})",
        "warmup({W}) >> CosineDecay({lr}, {N} - {W}, {end})", "N",
    ),
    Row(
        "CosineDecayRestarts", "transformers",
        "get_cosine_with_hard_restarts_schedule_with_warmup(SGD({lr}), {W}, {N}, {n})",
        "warmup({W}) >> join([CosineDecay({lr}, {T} / {n}).repeat({T} / {n}), Constant(0)], [{T}])",
    ),
    Row(
        "warmup", "transformers",
        "get_constant_schedule_with_warmup(SGD({lr}), num_warmup_steps={W})", "warmup({W}) >> Constant({lr})",
    ),
    Row(
        "warmup", "transformers",
        "get_cosine_with_min_lr_schedule_with_warmup_lr_rate(SGD({lr}), {W}, {N}, min_lr={end})",
        "join([Ramp(0, {lr}, {W}).shift(-1), CosineDecay({lr}, {T}, {end}).shift(-1)], [{W}])", "N",
    ),
    *(
        Row(
            "WarmupStableDecay", "transformers",
            f"get_wsd_schedule(SGD({{lr}}), {{W}}, {{D}}, {{N}}, decay_type='{shape}')",
            f"WarmupStableDecay({{lr}}, {{N}}, {{W}}, {{D}}, 0.0, '{shape}')",
        )
        for shape in ("linear", "cosine", "1-sqrt")
    ),
    Row(
        "WarmupStableDecay", "transformers",
        "get_wsd_schedule(SGD({lr}), {W}, {D}, {N}, warmup_type='cosine', min_lr_ratio={f})",
        "join([Ramp({f} * {lr}, {lr}, {W}, 'cosine'), Constant({lr}), Ramp({lr}, {f} * {lr}, {D}, 'cosine')], "
        "[{W}, {N} - {D}])",
    ),
]  # fmt: skip


CONVENTIONS = {  # one wish, in the words of each framework: what the chapter on them shows
    "a boundary of 5": {
        "keras": "PiecewiseConstantDecay([5], [1.0, 0.1])",
        "optax": "piecewise_constant_schedule(1.0, {5: 0.1})",
        "torch": "MultiStepLR(SGD(1.0), [5], 0.1)",
        "timm": "MultiStepLRScheduler(SGD(1.0), [5], 0.1)",
    },
    "a cosine of 4 steps": {
        "keras": "CosineDecay(1.0, 4)",
        "optax": "cosine_decay_schedule(1.0, 4)",
        "torch": "CosineAnnealingLR(SGD(1.0), 4)",
        "timm": "CosineLRScheduler(SGD(1.0), 4)",
        "transformers": "get_cosine_schedule_with_warmup(SGD(1.0), 0, 4)",
    },
    "a warmup of 2 and a cosine of 6": {
        "keras": "CosineDecay(0.0, 6, warmup_target=1.0, warmup_steps=2)",
        "optax": "warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)",
        "timm": "CosineLRScheduler(SGD(1.0), 6, warmup_t=2)",
        "transformers": "get_cosine_schedule_with_warmup(SGD(1.0), 2, 6)",
    },
    "a polynomial of 4 steps": {
        "keras": "PolynomialDecay(1.0, 4)",
        "torch": "PolynomialLR(SGD(1.0), 4)",
        "timm": "PolyLRScheduler(SGD(1.0), 4)",
        "transformers": "get_polynomial_decay_schedule_with_warmup(SGD(1.0), 0, 4)",
    },
    "one cycle of 10 steps": {
        "optax": "cosine_onecycle_schedule(10, 1.0)",
        "torch": "OneCycleLR(SGD(1.0), 1.0, 10, cycle_momentum=False)",
    },
}


class Trap(NamedTuple):
    """Where a framework gives rates that nobody asked for, or an error that does not say what is wrong; and ours."""

    framework: str
    theirs: str
    shows: str  # its rates, to four digits, or its error
    ours: str
    says: str  # the same of lrlib
    steps: tuple = (0, 8)


TRAPS = [
    Trap(
        "keras", "ExponentialDecay(1, 10, 0.5)", "1 0 0",  # an integer rate
        "ExponentialDecay(1, 10, 0.5)", "1 0.933 0.8706", (0, 3),
    ),
    Trap(
        "keras", "ExponentialDecay(0.1, 10, float('nan'))", "0.1 nan nan",
        "ExponentialDecay(0.1, 10, float('nan'))", "ValueError: decay_rate must be finite, got nan", (0, 3),
    ),
    Trap(
        "keras", "PiecewiseConstantDecay([5, 3], [1.0, 0.5, 0.1])", "1 1 1 1 1.1 1.1 0.1 0.1",
        "PiecewiseConstantDecay([5, 3], [1.0, 0.5, 0.1])",
        "ValueError: boundaries must be strictly increasing, got [5, 3]",
    ),
    Trap(  # step 21 begins a cycle
        "keras", "CosineDecayRestarts(1.0, 10, 1.1)", "0.07937 0.02025 0 0.9832",
        "CosineDecayRestarts(1.0, 10, 1.1)", "0.07937 0.02025 1 0.9832", (19, 23),
    ),
    Trap(
        "keras", "CosineDecay(0.1, 4, alpha=2.0)", "0.1 0.1146 0.15 0.1854 0.2 0.2 0.2 0.2",
        "CosineDecay(0.1, 4, 0.2)",
        "ValueError: end_learning_rate must not be above initial_learning_rate, 0.1, got 0.2",
    ),
    Trap(
        "optax", "exponential_decay(0.1, 0, 0.5)", "0.1 0.1 0.1",
        "ExponentialDecay(0.1, 0, 0.5)", "ValueError: decay_steps must be positive, got 0", (0, 3),
    ),
    Trap(
        "optax", "cosine_decay_schedule(float('nan'), 4)", "nan nan nan",
        "CosineDecay(float('nan'), 4)", "ValueError: initial_learning_rate must be finite, got nan", (0, 3),
    ),
    Trap(  # the third schedule is dropped
        "optax", "join_schedules([constant_schedule(1.0), constant_schedule(2.0), constant_schedule(3.0)], [3])",
        "1 1 1 2 2 2 2 2",
        "join([Constant(1), Constant(2), Constant(3)], [3])",
        "ValueError: schedules must be one more than boundaries: 1 boundaries need 2 schedules, got 3",
    ),
    Trap(  # the second one never runs
        "optax", "join_schedules([constant_schedule(1.0), constant_schedule(2.0), constant_schedule(3.0)], [5, 3])",
        "1 1 1 3 3 3 3 3",
        "join([Constant(1), Constant(2), Constant(3)], [5, 3])",
        "ValueError: boundaries must be strictly increasing, got [5, 3]",
    ),
    Trap(
        "torch", "StepLR(SGD(0.1), 0)", "ZeroDivisionError: integer modulo by zero",
        "StepDecay(0.1, 0, 0.1)", "ValueError: decay_steps must be positive, got 0",
    ),
    Trap(
        "torch", "StepLR(SGD(0.1), 2, float('nan'))", "0.1 0.1 nan nan",
        "StepDecay(0.1, 2, float('nan'))", "ValueError: decay_rate must be finite, got nan", (0, 4),
    ),
    Trap(  # the first stair should end after 2.5 steps
        "torch", "StepLR(SGD(0.1), 2.5, 0.5)", "0.1 0.1 0.1 0.1 0.1 0.05 0.05 0.05",
        "StepDecay(0.1, 2.5, 0.5)", "0.1 0.1 0.1 0.05 0.05 0.025 0.025 0.025",
    ),
    Trap(  # it never comes
        "torch", "MultiStepLR(SGD(0.1), [2.5], 0.1)", "0.1 0.1 0.1 0.1 0.1 0.1 0.1 0.1",
        "PiecewiseConstantDecay([2.5], [0.1, 0.01])", "ValueError: boundaries[0] must be an integer, got 2.5",
    ),
    Trap(
        "torch", "ExponentialLR(SGD(0.1), -0.5)", "0.1 -0.05 0.025 -0.0125",
        "ExponentialDecay(0.1, 1, -0.5)", "ValueError: decay_rate must be positive, got -0.5", (0, 4),
    ),
    Trap(  # the rate that the usual loop leaves behind, with scheduler.step() after its tenth update
        "torch", "OneCycleLR(SGD(0.1), 1.0, 10, anneal_strategy='linear', cycle_momentum=False)",
        "0.1429 4e-06 -0.1429",
        "OneCycle(1.0, 9, 2 / 9, shape='linear')", "0.1429 4e-06 4e-06", (8, 11),
    ),
    Trap(  # the second one never runs
        "torch",
        "SequentialLR(o := SGD(1.0), [ConstantLR(o, 1.0), ConstantLR(o, 0.5), ExponentialLR(o, 0.1)], [5, 3])",
        "1 1 1 1 0.1 0.01 0.001 0.0001",
        "join([Constant(1), Constant(0.5), ExponentialDecay(1, 1, 0.1)], [5, 3])",
        "ValueError: boundaries must be strictly increasing, got [5, 3]",
    ),
    Trap(  # step 12 begins a cycle
        "timm", "CosineLRScheduler(SGD(1.0), 5, cycle_mul=1.4, cycle_limit=9)", "0.1883 0.04952 0 0.9745",
        "CosineDecayRestarts(1.0, 5, 1.4)", "0.1883 0.04952 1 0.9745", (10, 14),
    ),
    Trap(
        "timm", "CosineLRScheduler(SGD(1.0), 4, cycle_mul=0.5, cycle_limit=9)", "ValueError: math domain error",
        "CosineDecayRestarts(1.0, 4, 0.5)", "ValueError: t_mul must be at least 1, got 0.5", (0, 12),
    ),
    Trap(
        "timm", "StepLRScheduler(SGD(0.1), 0)", "ZeroDivisionError: integer division or modulo by zero",
        "StepDecay(0.1, 0, 0.1)", "ValueError: decay_steps must be positive, got 0",
    ),
    Trap(  # a warmup that is longer than the run
        "transformers", "get_linear_schedule_with_warmup(SGD(0.1), 4, 2)", "0 0.025 0.05 0.075 0 0",
        "warmup(4) >> LinearDecay(0.1, 2 - 4)", "ValueError: decay_steps must be positive, got -2", (0, 6),
    ),
    Trap(
        "transformers", "get_wsd_schedule(SGD(0.1), 2, 4, 4)", "0 0.05 0.05 0.01464 0 0",
        "WarmupStableDecay(0.1, 4, 2, 4)",
        "ValueError: warmup_steps and decay_steps together must not be more than total_steps, 4.0, got 2.0 and 4.0",
        (0, 6),
    ),
    Trap(
        "transformers", "get_polynomial_decay_schedule_with_warmup(SGD(0.1), 4, 4)",
        "ZeroDivisionError: division by zero",
        "warmup(4) >> PolynomialDecay(0.1, 4 - 4)", "ValueError: decay_steps must be positive, got 0",
    ),
]  # fmt: skip


def told(rates, steps: tuple) -> str:
    """Return what a function that gives rates shows in these steps, or the error that it raises, as text."""
    try:
        given = rates(steps[1])
    except Exception as error:  # each framework raises another
        return f"{type(error).__name__}: {error}"
    return " ".join(f"{float(f'{rate:.4g}') + 0.0:g}" for rate in given[slice(*steps)])


def told_by_us(trap: Trap) -> str:
    return told(lambda steps: ours(trap.ours).planned(steps), trap.steps)


def same(theirs, ours_) -> None:
    """Assert 1e-12 of each rate, and where a rate is 0 but for rounding, half a unit of the largest."""
    theirs, ours_ = np.asarray(theirs), np.asarray(ours_)
    assert theirs.dtype == ours_.dtype == np.float64
    np.testing.assert_allclose(theirs, ours_, rtol=1e-12, atol=1e-16 * ours_.max())


UNIT = 2.0**-24  # a number that is rounded to float32 moves by this share of itself at most
MULTIPLIED = {"Constant", "StepDecay", "PiecewiseConstantDecay", "ExponentialDecay", "InverseTimeDecay"}


def float32_bound(row: Row, seed: int) -> np.ndarray:
    """Return how far a framework that computes in float32 may be from lrlib at each step.

    Each number that it is given is rounded: what that moves, lrlib tells when given a number that is off by so much.
    The position in the schedule (a quotient, and in a cosine a product with a rounded pi) is rounded up to four times,
    which is as if the step were another by as many units. Four operations and two functions, each within two units,
    follow: eight units of the rate, or, where it is a sum that can cancel, of the largest rate.
    """
    numbers = draw(seed)
    steps = np.arange(row.written(seed)[2], dtype=np.float64)
    at = ours(row.ours.format(**numbers))
    rates = at(steps)
    bound = 8 * UNIT * (rates if row.schedule in MULTIPLIED else rates.max())
    # on the side that has no jump: a whole step and a whole boundary are exact in float32
    bound = bound + np.minimum(*(abs(at(steps * (1 + by * UNIT)) - rates) for by in (-4, 4)))
    for name, number in numbers.items():
        if isinstance(number, float) and "{" + name + "}" in row.ours:
            moved = ours(row.ours.format(**numbers | {name: number * (1 + UNIT)}))
            bound += abs(moved(steps) - rates)
    return bound
