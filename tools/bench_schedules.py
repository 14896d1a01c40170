"""How long a schedule takes, part of ``make bench``: one call, and a million steps of a run at once.

Each is the shortest of many repetitions, in seconds of the processor, so that what else runs counts for little. Beside
them, in the same run, stand NumPy's bare formulas and Keras's own schedules, called as Python does; what optax and
PyTorch take is on the record of ``make parity``, which has them.

Run as a program it measures the schedules alone; ``--record`` puts their figures into ``tools/bench.json``.
"""

import argparse
import functools
import json
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "_ext")]

from site_catalogue import GROUPS, RUN, example  # noqa: E402

from lrlib.schedules import CosineDecay, ExponentialDecay  # noqa: E402

MILLION = 1_000_000
EXPRESSIONS = {name: text for group in GROUPS.values() for name, text in group.items() if name != "FunctionOfStep"}
BARE = {  # the same formulas in NumPy, without any check
    "ExponentialDecay": (ExponentialDecay(0.1, 80, 0.5), lambda t: 0.1 * 0.5 ** (t / 80)),
    "CosineDecay": (CosineDecay(0.1, RUN), lambda t: 0.05 * (1 + np.cos(np.pi * np.minimum(t / RUN, 1)))),
}
COSINES = [  # a cosine of every step alone takes NumPy more than 10 ms: what counts is how little comes to it
    "LinearCosineDecay", "Ramp", "CosineDecayRestarts", "OneCycle", "warmup", "Scaled", "Shifted",
]  # fmt: skip
OTHERS = [name for name in EXPRESSIONS if name not in (*BARE, *COSINES)]
WANTED = [
    *((f"{name}: one call, ns", f"schedule_{name}_call_nanoseconds", "<=", 1000) for name in EXPRESSIONS),
    *((f"{name}: 1e6 steps, ms", f"schedule_{name}_million_milliseconds", "<=", 10) for name in OTHERS),
    *((f"{name} / bare NumPy", f"schedule_{name}_over_bare", "<=", 1.5) for name in BARE),
    *((f"{name} / a bare cosine", f"schedule_{name}_over_bare", "<=", 1.5) for name in COSINES),
]


def shortest(function, repeats, clock=time.thread_time):
    """The seconds that the shortest of many calls has had a processor."""
    taken = []
    for _ in range(repeats):
        start = clock()
        function()
        taken.append(clock() - start)
    return max(min(taken), 1e-9)


def of_a_call(schedule, repeats, steps=500):
    """Seconds of one call with one step; the loop's own are subtracted."""
    some = np.random.default_rng(0).permutation(steps).tolist()

    def calls(function):
        for step in some:
            function(step)

    return (shortest(lambda: calls(schedule), repeats) - shortest(lambda: calls(lambda step: step), repeats)) / steps


def measured(quick=False):
    """The figures by name."""
    repeats, found = 3 if quick else 200, {}
    steps = np.linspace(0, RUN, MILLION // 100 if quick else MILLION, endpoint=False)
    for name, text in EXPRESSIONS.items():
        schedule = example(text)
        found[f"schedule_{name}_call_nanoseconds"] = max(1.0, of_a_call(schedule, repeats) * 1e9)
        found[f"schedule_{name}_million_milliseconds"] = (
            shortest(lambda schedule=schedule: schedule(steps), max(3, repeats // 6)) * 1e3
        )
    bare_cosine = BARE["CosineDecay"][1]
    for name, (schedule, bare) in (
        BARE | {name: (example(EXPRESSIONS[name]), bare_cosine) for name in COSINES}
    ).items():
        ways = [functools.partial(way, steps) for way in (schedule, bare)]
        turns = [[shortest(way, 1) for way in ways] for _ in range(max(1, repeats // 6))]
        taken, bare_taken = np.min(turns, axis=0)
        if name in BARE:
            found[f"schedule_{name}_bare_milliseconds"] = float(bare_taken) * 1e3
        found[f"schedule_{name}_over_bare"] = float(taken / bare_taken)
    return found | keras_eager(max(2, repeats // 20))


def keras_eager(repeats):
    """What Keras's own schedules and the bridge take for one step, in Python and in a compiled function."""
    from lrlib.keras import KerasSchedule
    from lrlib.quiet import keras, tf

    theirs = keras.optimizers.schedules
    pairs = {
        "ExponentialDecay": (theirs.ExponentialDecay(0.1, 80, 0.5), ExponentialDecay(0.1, 80, 0.5)),
        "CosineDecay": (theirs.CosineDecay(0.1, 400), CosineDecay(0.1, 400)),
    }
    found = {}
    for name, (their, our) in pairs.items():
        found[f"schedule_{name}_keras_microseconds"] = of_a_call(their, repeats, steps=50) * 1e6
        ways = {}
        for who, schedule in ("keras", their), ("bridge", KerasSchedule(our)):

            @tf.function(autograph=False)
            def many(last, schedule=schedule):
                def once(step, total):
                    return step + 1, total + schedule(step)

                return tf.while_loop(lambda step, _: step < last, once, (0, 0.0), parallel_iterations=1)[1]

            many(tf.constant(10))
            ways[who] = functools.partial(many, tf.constant(1000))
        turns = [
            [shortest(lambda way=way: way().numpy(), 1, time.process_time) for way in ways.values()]
            for _ in range(30 * repeats)
        ]  # of all its threads
        for who, taken in zip(ways, np.min(turns, axis=0), strict=True):
            found[f"schedule_{name}_{who}_compiled_microseconds"] = float(taken) * 1e3
    return found


def main():
    parser = argparse.ArgumentParser(prog="tools/bench_schedules.py", description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="put the figures into tools/bench.json too")
    parser.add_argument("--quick", action="store_true", help="a rehearsal")
    options = parser.parse_args()
    if options.quick and options.record:
        parser.error("a rehearsal is not recorded")
    found = measured(options.quick)
    for what, name, _, wish in WANTED:
        print(f"{what:<36} {found[name]:>10.3g} {f'<= {wish:g}':>10}{'' if found[name] <= wish else '  missed'}")
    for name, value in found.items():
        if name not in {wanted[1] for wanted in WANTED}:
            print(f"{name:<58} {value:>10.4g}")
    if options.record:
        file = ROOT / "tools" / "bench.json"
        record = {name: value for name, value in json.loads(file.read_text(encoding="utf8")).items() if not ours(name)}
        record |= {name: float(f"{value:.4g}") for name, value in found.items()}
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf8")


def ours(name):
    """Whether a figure of the record is of a schedule."""
    return name.startswith("schedule_")


if __name__ == "__main__":
    main()
