"""A sweep's own program on a GPU, also where TensorFlow has none: traced here, compiled and run there by JAX.

``write FOLDER`` writes what ``sweep`` trains with as StableHLO, the language of the compiler XLA, and its arguments,
each start once. ``run FOLDER``, on the machine with the GPU, needs JAX and NumPy alone. ``read FOLDER``, here again,
compares the losses with those of sweeps on this processor and writes ``tools/sweep_on_a_gpu.json``, from which the
book's page on speed is made. Timed is the training with its record, all arguments being on the GPU: no compilation, no
evaluation, and not the way of the numbers there and back.

JAX has no public way in for such a program: ``compiled`` is written for 0.11.
"""

import argparse
import json
import os
import statistics
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).with_suffix(".json")
STEPS, BATCH, ROUNDS = 300, 64, 5
KINDS = "mlp", "cnn", "lstm", "normalised"
SIZES = [*((kind, 64, 3) for kind in KINDS), ("mlp", 64, 16), ("mlp", 256, 16), ("mlp", 1024, 16)]  # rates, seeds
MEANT = {"float32": "HIGHEST", "tf32": "DEFAULT"}  # how a GPU multiplies: as float32 says, or rounded to 10 bits


def rates_of(number):
    return np.geomspace(0.001, 30, number)


def arguments_of(kind, rates, seeds, steps):
    """Return the program of a sweep and its arguments, with the state of one lane for each seed."""
    import bench

    from lrlib.proof import constant_loss, fitting
    from lrlib.training import Job, begin, program_of

    model = getattr(bench, kind)()
    data = bench.shaped(*model.input_shape[1:])
    job = Job(
        model=model, parts=fitting(model, data), classes=data.classes, learning_rates=list(rates_of(rates)),
        values=[1.0], seeds=list(range(seeds)), factors=np.ones((steps, 1, rates)), setting=None, group=None,
        batch_size=BATCH, record_every=1, vectorized=True, memory=1e9, constant_loss=constant_loss(model, data),
        weights=False,
    )  # fmt: skip
    of_the_first_rate = begin(job, range(seeds), seeds).steps(0, steps)
    applied = np.tile(np.repeat(rates_of(rates), seeds).astype(np.float32), (steps, 1))
    lanes = np.tile(np.arange(seeds, dtype=np.int32), rates), applied, np.ones(rates * seeds, np.float32), np.int32(0)
    return program_of(job), [*of_the_first_rate[:4], *lanes]


def stablehlo(program, arguments, specs):
    """Return the program's training as text, for arguments of these shapes instead."""
    from lrlib.quiet import tf
    from lrlib.training import graphs_as_written

    train = program._trains(program._step)

    def flat(*values):
        return train(*tf.nest.pack_sequence_as(arguments, values))

    with graphs_as_written():
        function = tf.function(flat, autograph=False, jit_compile=True)
        return function.experimental_get_compiler_ir(*specs)(stage="stablehlo")


def write(folder, sizes=SIZES, steps=STEPS):
    from lrlib.quiet import tf

    folder.mkdir(parents=True, exist_ok=True)
    for kind, rates, seeds in sizes:
        program, arguments = arguments_of(kind, rates, seeds, steps)
        arrays, of_a_lane = list(map(np.asarray, tf.nest.flatten(arguments))), len(tf.nest.flatten(arguments[0]))
        names = [f"{'lane' if i < of_a_lane else 'all'}{i:03}" for i in range(len(arrays))]
        specs = [
            tf.TensorSpec((rates * seeds, *v.shape[1:]) if name.startswith("lane") else v.shape, v.dtype)
            for name, v in zip(names, arrays, strict=True)
        ]
        file = folder / f"{kind}{rates * seeds}.stablehlo"
        file.write_text(stablehlo(program, arguments, specs), encoding="utf8")
        np.savez_compressed(file.with_suffix(".npz"), seed=arguments[4], **dict(zip(names, arrays, strict=True)))
        print(f"Written: {file}", flush=True)


def arguments_in(file):
    """Return the seed of each lane, and the arguments in their order, each lane with its own start."""
    arrays = dict(np.load(file.with_suffix(".npz")))
    seed = arrays.pop("seed")
    in_order = sorted(arrays.items(), key=lambda item: item[0][-3:])
    return seed, [v[seed] if name.startswith("lane") else v for name, v in in_order]


def compiled(text):
    import jax
    from jax._src import compiler
    from jax._src.interpreters import mlir
    from jax._src.lib import xla_client
    from jax._src.lib.mlir import ir

    with mlir.make_ir_context() as context, ir.Location.unknown(context):
        code = mlir.module_to_bytecode(ir.Module.parse(text))
    device = jax.devices()[0]
    options = compiler.get_compile_options(num_replicas=1, num_partitions=1)
    return device.client.compile_and_load(code, xla_client.DeviceList((device,)), options)


def run(folder):
    """Train with every program of the folder; write the seconds, and the losses where the lanes are few."""
    os.environ["JAX_ENABLE_X64"] = "1"  # a seed has 64 bits
    import jax

    found = {"device": jax.devices()[0].device_kind, "jax": jax.__version__, "date": str(date.today())}
    for file in sorted(folder.glob("*.stablehlo")):
        text, (seed, given) = file.read_text(encoding="utf8"), arguments_in(file)
        given = [jax.device_put(v) for v in given]
        for meant, precision in MEANT.items():
            program, seconds = compiled(text.replace("[DEFAULT, DEFAULT]", f"[{precision}, {precision}]")), []
            for _ in range(1 + ROUNDS):
                began = time.perf_counter()
                *_, losses, _, _ = jax.block_until_ready(program.execute(given))
                seconds.append(time.perf_counter() - began)
            found[f"{file.stem}_{meant}_seconds"] = statistics.median(seconds[1:])
            print(f"{file.stem}, {meant}: {found[f'{file.stem}_{meant}_seconds']:.3g} s", flush=True)
            if meant == "float32" and len(seed) < 1000:
                np.save(file.with_suffix(".npy"), np.asarray(losses))
    (folder / "found.json").write_text(json.dumps(found), encoding="utf8")


def read(folder, record=RECORD):
    """Record what was found, and how far from a sweep's losses those are of the last tenth of the steps."""
    import bench

    found = json.loads((folder / "found.json").read_text(encoding="utf8"))
    for file in sorted(folder.glob("*.npy")):
        there, kind = np.load(file), file.stem.rstrip("0123456789")
        model, seeds = getattr(bench, kind)(), np.unique(arguments_in(file)[0]).tolist()
        how = {"steps": len(there), "batch_size": BATCH, "progress": False}
        data, rates = bench.shaped(*model.input_shape[1:]), rates_of(there.shape[1] // len(seeds))
        runs = bench.sweep(model, data, rates, seeds, **how).stack(lane=("learning_rate", "seed"))
        last, well = slice(-(len(there) // 10), None), ~runs["failed"].values
        here, there = (v[last, well].mean(0) for v in (runs["loss"].transpose("step", "lane").values, there))
        difference = np.abs(there / here - 1)
        found[f"{file.stem}_lanes"] = int(well.sum())
        found[f"{file.stem}_median_difference"] = float(np.median(difference))
        found[f"{file.stem}_within_a_thousandth"] = int((difference < 1e-3).sum())
        others = runs["learning_rate"].values[well][difference >= 1e-3]
        found[f"{file.stem}_others_from"] = float(min(others, default=np.inf))
    rounded = {name: float(f"{v:.3g}") if isinstance(v, float) else v for name, v in found.items()}
    record.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf8")


def main():
    parser = argparse.ArgumentParser(prog="tools/sweep_on_a_gpu.py", description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["write", "run", "read"])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
    {"write": write, "run": run, "read": read}[options.what](options.folder)


if __name__ == "__main__":
    main()
