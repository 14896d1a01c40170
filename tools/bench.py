"""How fast a sweep is, beside four other ways to train the same networks: ``make bench``.

Every way is timed with all that its result holds: the training, the loss, applied rate and gradient norm of every
step (``fit`` keeps less, the mean of each epoch), and the evaluation of all three parts of the data. The ways take
turns, and what is shown is the median of the rounds. ``fit`` and the loop over a ``tf.function`` train one network
after the other, so one training is timed, without the making and the tracing of the model, which are done once, and
multiplied. TensorFlow has one thread for an operation, as the notes of ``lrlib.sweep`` advise, but not for matrix
products by themselves and convolutions; the dense network is also measured with TensorFlow's own choice.

The table is printed, and the figures go to ``_build/bench.json``; ``--record`` writes ``tools/bench.json``, from which
the book's page is made. ``--quick`` is a rehearsal with a few steps, whose figures mean nothing.
"""

import argparse
import functools
import json
import os
import platform
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from lrlib.quiet import keras, tf  # noqa: E402 I001
import bench_schedules  # noqa: E402
import numpy as np  # noqa: E402

import lrlib  # noqa: E402
from lrlib.datasets import Data, batches, digits, PARTS  # noqa: E402
from lrlib.lanes import initial_weights  # noqa: E402
from lrlib.sweep import sweep  # noqa: E402

BATCH = 64
layers = keras.layers


class Size(NamedTuple):
    """How much is measured."""

    steps: int = 300
    rates: int = 64
    seeds: int = 3
    rounds: int = 5
    processes: int = 3  # fresh ones, for the first sweep of the dense network; one for those of the others
    many: int = 1024  # lanes, for the memory
    lanes: tuple = (8, 16, 32, 64, 192, 1024)
    widths: tuple = (16, 32, 64, 128, 256)
    large: int = 2048  # rows of the large matrices


FULL = Size()
QUICK = Size(steps=20, rates=8, rounds=1, processes=1, many=32, lanes=(8, 32), widths=(16, 64), large=256)


def compiled(*parts):
    model = keras.Sequential(parts)
    model.compile(keras.optimizers.SGD(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def mlp(width=64):
    return compiled(keras.Input((64,)), layers.Dense(width, activation="tanh"), layers.Dense(10))


def cnn():
    convolutions = [layers.Conv2D(filters, 3, activation="relu") for filters in (8, 16)]
    return compiled(keras.Input((8, 8, 1)), *convolutions, layers.GlobalAveragePooling2D(), layers.Dense(10))


def lstm():
    return compiled(keras.Input((8, 8)), layers.LSTM(12), layers.Dense(10))


def normalised():
    hidden = layers.Dense(64), layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.2)
    return compiled(keras.Input((64,)), *hidden, layers.Dense(10))


def shaped(*shape) -> Data:
    """Return the digits, each in this shape."""
    flat = digits()
    pairs = {
        f"{kind}_{part}": getattr(flat, f"{kind}_{part}").reshape(-1, *(shape if kind == "x" else ()))
        for part in PARTS
        for kind in "xy"
    }
    return Data("digits", **pairs, classes=10)


def rates_of(size):
    return np.geomspace(0.001, 30, size.rates)


# The ways to train


def swept(model, data, size):
    return sweep(model, data, rates_of(size), range(size.seeds), steps=size.steps, batch_size=BATCH, progress=False)


class ByHand:
    """The dense network written down for many lanes in plain TensorFlow, its weights stacked as [lane, in, out]."""

    def __init__(self, model, data):
        self.model, self.data = model, data
        weights = [tf.TensorSpec((None, *v.shape)) for v in model.weights]
        rows = tf.TensorSpec((None, None, BATCH), tf.int32)
        x, y = tf.TensorSpec((None, 64)), tf.TensorSpec((None,), tf.int32)
        self.train = tf.function(self._train, [weights, tf.TensorSpec((None, None)), rows, x, y], autograph=False)
        self.evaluate = tf.function(self._evaluate, [weights, x, y], autograph=False)

    @staticmethod
    def _outputs(weights, x):
        kernel, bias, last_kernel, last_bias = weights
        hidden = tf.tanh(x @ kernel + bias[:, None])
        return hidden @ last_kernel + last_bias[:, None]

    def _train(self, weights, rates, rows, x, y):
        steps = tf.shape(rates)[0]

        def step(t, weights, records):
            now = tf.gather(y, rows[t])
            with tf.GradientTape() as tape:
                tape.watch(weights)
                outputs = self._outputs(weights, tf.gather(x, rows[t]))
                losses = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(now, outputs), axis=1)
            gradients = tape.gradient(losses, weights)
            norm = tf.sqrt(tf.add_n([tf.reduce_sum(g * g, range(1, g.shape.rank)) for g in gradients]))
            rate = [tf.reshape(rates[t], [-1] + [1] * (g.shape.rank - 1)) for g in gradients]
            weights = [w - r * g for w, r, g in zip(weights, rate, gradients, strict=True)]
            seen = losses, rates[t], norm
            return t + 1, weights, [record.write(t, one) for record, one in zip(records, seen, strict=True)]

        records = [tf.TensorArray(tf.float32, steps) for _ in range(3)]
        _, weights, records = tf.while_loop(lambda t, *_: t < steps, step, (0, weights, records), parallel_iterations=1)
        return weights, [record.stack() for record in records]

    def _evaluate(self, weights, x, y):
        outputs = self._outputs(weights, x[None])
        labels = tf.repeat(y[None], tf.shape(outputs)[0], axis=0)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == labels
        return tf.reduce_mean(losses, axis=1), tf.reduce_mean(tf.cast(hits, tf.float32), axis=1)

    def __call__(self, size):
        x, y = self.data.of("train")
        starts = zip(*(initial_weights(self.model, seed) for seed in range(size.seeds)), strict=True)
        weights = [tf.constant(np.tile(start, (size.rates,) + (1,) * start[0].ndim)) for start in map(np.stack, starts)]
        rows = np.stack([batches(len(x), BATCH, size.steps, seed) for seed in range(size.seeds)], axis=1)
        rates = np.repeat(rates_of(size), size.seeds).astype(np.float32)
        weights, seen = self.train(
            weights, np.tile(rates, (size.steps, 1)), np.tile(rows, (1, size.rates, 1)), tf.constant(x), tf.constant(y)
        )
        result = dict(zip(("loss", "applied", "gradient_norm"), (record.numpy() for record in seen), strict=True))
        for part in PARTS:
            result[f"{part}_loss"], result[f"{part}_accuracy"] = (
                value.numpy() for value in self.evaluate(weights, *map(tf.constant, self.data.of(part)))
            )
        return result


class ByFit:
    """One training by ``fit`` with its three evaluations; the model stays, so nothing is traced again."""

    def __init__(self, model, data):
        model.compile(keras.optimizers.SGD(), model.loss, metrics=["accuracy"])
        self.model, self.data, self.start = model, data, model.get_weights()

    def __call__(self, size):
        self.model.set_weights(self.start)
        self.model.optimizer.learning_rate = 0.1
        x, y = self.data.of("train")
        epochs, rest = divmod(size.steps, len(x) // BATCH)
        in_epoch = len(x) // BATCH * BATCH  # whole batches: as many updates as in the sweep
        for rows, times in (in_epoch, epochs), (rest * BATCH, 1):
            if rows and times:
                self.model.fit(x[:rows], y[:rows], batch_size=BATCH, epochs=times, verbose=0)
        return [self.model.evaluate(*self.data.of(part), batch_size=256, verbose=0) for part in PARTS]


class ByFunction:
    """One training with its three evaluations by compiled functions that a loop in Python calls."""

    def __init__(self, model, data):
        self.model, self.data, self.start = model, data, model.get_weights()
        self.parts = {part: tuple(map(tf.constant, data.of(part))) for part in PARTS}
        self.optimizer = keras.optimizers.SGD()
        self.optimizer.build(model.trainable_variables)
        x, y = self.parts["train"]
        weights = model.trainable_variables

        @tf.function(autograph=False)
        def step(rows):
            with tf.GradientTape() as tape:
                loss = model.compute_loss(y=tf.gather(y, rows), y_pred=model(tf.gather(x, rows), training=True))
            gradients = tape.gradient(loss, weights)
            applied = self.optimizer.learning_rate + 0.0  # a copy
            self.optimizer.apply(gradients, weights)
            return loss, applied, tf.linalg.global_norm(gradients)

        any_number = [tf.TensorSpec((None, *values.shape[1:]), values.dtype) for values in (x, y)]

        @tf.function(autograph=False, input_signature=any_number)
        def evaluate(x, y):
            outputs = model(x, training=False)
            hits = tf.argmax(outputs, axis=-1, output_type=tf.int32) == y
            return model.compute_loss(y=y, y_pred=outputs), tf.reduce_mean(tf.cast(hits, tf.float32))

        self.step, self.evaluate = step, evaluate

    def __call__(self, size):
        self.model.set_weights(self.start)
        self.optimizer.learning_rate = 0.1
        rows = batches(len(self.data.x_train), BATCH, size.steps, seed=0)
        seen = [self.step(tf.constant(rows[t])) for t in range(size.steps)]
        records = [np.array(kind) for kind in zip(*seen, strict=True)]
        return records, [np.array(self.evaluate(*self.parts[part])) for part in PARTS]


# Timing


def timed(function):
    """Return how long a call took, in seconds, and in seconds of all processors together."""
    processors, start = time.process_time(), time.perf_counter()
    function()
    return time.perf_counter() - start, time.process_time() - processors


def medians(ways, rounds):
    """Return the median seconds of each way: all have one call to warm up, and then take turns."""
    for way in ways.values():
        way()
    taken = [[timed(way) for way in ways.values()] for _ in range(rounds)]
    each = {name: [one[place] for one in taken] for place, name in enumerate(ways)}
    return {name: tuple(map(statistics.median, zip(*times, strict=True))) for name, times in each.items()}


def in_a_fresh_process(function, *arguments):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def first_sweep(make, shape, size):
    """Seconds of the first sweep of a process, in which nothing has been traced."""
    model, data = make(), shaped(*shape)
    return timed(lambda: swept(model, data, size))[0]


def memory_of(size):
    """The most memory that a process with a sweep of many lanes has had, in bytes, and what the record says of one."""
    runs = swept(mlp(), digits(), size._replace(rates=size.many // 4, seeds=4))
    if Path("/proc/self/status").is_file():  # what resource has here is the starting process's too
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024, runs.bytes_of_lane
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, runs.bytes_of_lane


# What is measured


def compare(name, make, shape, size, by_hand=False):
    """Figures of one model: each way's seconds for all lanes, and their ratios."""
    lanes, data, model = size.rates * size.seeds, shaped(*shape), make()
    ways = {"fit": ByFit(make(), data), "tf_function_loop": ByFunction(make(), data)}
    if by_hand:
        ways["hand_stacked"] = ByHand(make(), data)
    ways = {way: functools.partial(train, size) for way, train in ways.items()}
    taken = medians({"sweep": lambda: swept(model, data, size), **ways}, size.rounds)
    processes = range(size.processes if by_hand else 1)
    first = statistics.median(in_a_fresh_process(first_sweep, make, shape, size) for _ in processes)
    figures = {f"{name}_sweep_first_seconds": first}
    for way, (seconds, of_processors) in taken.items():
        one_by_one = way in ("fit", "tf_function_loop")
        if one_by_one:
            figures[f"{name}_{way}_one_training_seconds"] = seconds
        figures[f"{name}_{way}_seconds"] = seconds * (lanes if one_by_one else 1)
        figures[f"{name}_{way}_processor_seconds"] = of_processors * (lanes if one_by_one else 1)
    warm = figures[f"{name}_sweep_seconds"]
    for way in ("fit", "tf_function_loop"):
        figures[f"{name}_{way}_over_sweep"] = figures[f"{name}_{way}_seconds"] / warm
    figures[f"{name}_fit_over_first_sweep"] = figures[f"{name}_fit_seconds"] / first
    if by_hand:
        figures[f"{name}_sweep_over_hand_stacked"] = warm / figures[f"{name}_hand_stacked_seconds"]
    return figures


def floating_point_operations(width):
    """How many a lane's step needs for its products alone: two for each weight and sample, forward and backward.

    The gradient with respect to the samples is not needed, so the first layer has two products and the last three.
    """
    return 2 * BATCH * (2 * 64 * width + 3 * width * 10)


def products(size):
    """The processor's rate of multiplication, in operations a second: of many small matrices, and of two large ones."""
    rates = {}
    for name, count, rows in ("batched", 192, 64), ("large", 1, size.large):
        repeats = max(1, int(2e9 / (2 * count * rows**3)))
        a, b = (tf.random.stateless_normal((count, rows, rows), (seed, 0)) for seed in range(2))

        @tf.function(autograph=False)
        def multiply(a=a, b=b, repeats=repeats):
            def once(i, c):
                with tf.control_dependencies([c]):  # one after the other
                    return i + 1, tf.matmul(a, b)

            return tf.while_loop(lambda i, c: i < repeats, once, (0, a), parallel_iterations=1)[1]

        seconds = medians({name: lambda way=multiply: way().numpy()}, size.rounds)[name][0]
        rates[f"products_{name}_gigaflops"] = repeats * 2 * count * rows**3 / seconds / 1e9
    return rates


def cost(make, size, rounds):
    """Microseconds of a lane's step in a whole sweep."""
    model, data = make(), digits()
    ways = {"sweep": lambda: swept(model, data, size)}
    return medians(ways, rounds)["sweep"][0] / (size.steps * size.rates * size.seeds) * 1e6


def costs(size, gigaflops):
    """The cost of a lane's step against the number of lanes and against the width, and how far from the limit it is."""
    figures, rounds = {}, min(3, size.rounds)
    for lanes in size.lanes:
        figures[f"lanes_{lanes}_microseconds"] = cost(mlp, size._replace(rates=lanes // 4, seeds=4), rounds)
    for width in size.widths:
        figures[f"width_{width}_microseconds"] = took = cost(lambda width=width: mlp(width), size, rounds)
        figures[f"width_{width}_products_microseconds"] = least = floating_point_operations(width) / gigaflops / 1e3
        figures[f"width_{width}_over_products"] = took / least
    return figures


def pieces(size):
    """Microseconds of a lane's step in each of its parts by itself, 192 lanes of the dense network side by side."""
    random = np.random.default_rng(0)
    x, hidden, kernel, last, outputs = (
        tf.constant(random.normal(size=(192, *shape)), tf.float32)
        for shape in ((BATCH, 64), (BATCH, 64), (64, 64), (64, 10), (BATCH, 10))
    )
    samples, rows = tf.constant(random.normal(size=(1079, 64)), tf.float32), random.integers(1079, size=(192, BATCH))
    rows, labels = tf.constant(rows), tf.constant(random.integers(10, size=(192, BATCH)))
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
    parts = {
        "gather": lambda: [tf.gather(samples, rows)],
        "large_products": lambda: [x @ kernel, tf.matmul(x, hidden, transpose_a=True)],
        "small_products": lambda: [
            hidden @ last,
            tf.matmul(hidden, outputs, transpose_a=True),
            tf.matmul(outputs, last, transpose_b=True),
        ],
        "activation": lambda: [h := tf.tanh(hidden), tf.raw_ops.TanhGrad(y=h, dy=x)],
        "loss": lambda: tf.gradients(tf.reduce_mean(entropy(labels, outputs), axis=1), outputs),
        "norm": lambda: [tf.reduce_sum(v * v, [1, 2]) for v in (kernel, last)],
        "update": lambda: [kernel - 0.1 * hidden, last - 0.1 * outputs],
    }
    repeats, ways = 10 * size.rounds, {}
    for name, part in parts.items():

        @tf.function(autograph=False)
        def again(part=part):
            def once(i, *before):
                with tf.control_dependencies(before):
                    return i + 1, *part()

            return tf.while_loop(lambda i, *_: i < repeats, once, (0, *part()), parallel_iterations=1)[1:]

        traced = again.get_concrete_function()
        ways[name] = lambda traced=traced: traced()[0].numpy()
    taken = medians(ways, size.rounds)
    return {f"piece_{name}_microseconds": took / (repeats + 1) / 192 * 1e6 for name, (took, _) in taken.items()}


def machine():
    """What was measured on, in words."""
    named = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        named = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), named)
    return {
        "processor": named,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} on {platform.machine()}",
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        **{package.__name__: package.__version__ for package in (tf, keras, np, lrlib)},
    }


def measured(size):
    """Return all figures by name, and what was measured on."""
    start, found = time.perf_counter(), {"machine": machine()}

    def say(what, figures):
        found.update(figures)
        print(f"{time.perf_counter() - start:4.0f} s: {what}", flush=True)

    # TensorFlow reads when it begins to compute how many threads an operation has: in these processes one for each core
    say("matrix products", in_a_fresh_process(products, size))
    say("parts of a step", in_a_fresh_process(pieces, size))
    say("convolutional network", in_a_fresh_process(compare, "cnn", cnn, (8, 8, 1), size))
    say("dense network, a thread for each core", in_a_fresh_process(compare, "all_threads", mlp, (64,), size))
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    say("dense network", compare("mlp", mlp, (64,), size, by_hand=True))
    say("recurrent network", compare("lstm", lstm, (8, 8), size))
    say("batch normalisation and dropout", compare("normalised", normalised, (64,), size))
    peak, of_lane = in_a_fresh_process(memory_of, size)
    say(f"{size.many} lanes", {"many_lanes": size.many, "many_lanes_peak_bytes": peak, "bytes_of_lane": of_lane})
    say("schedules", bench_schedules.measured(size is QUICK))
    say("lanes and widths", costs(size, found["products_batched_gigaflops"]))
    found |= {
        "seconds_in_all": time.perf_counter() - start,
        "lanes": size.rates * size.seeds,
        "steps": size.steps,
        "rounds": size.rounds,
    }
    return found


# The table

WANTED = [  # what, the figure's name, at least or at most, so much
    ("dense: fit / sweep", "mlp_fit_over_sweep", ">=", 150),
    ("dense: fit / first sweep", "mlp_fit_over_first_sweep", ">=", 80),
    ("dense: sweep / stacked by hand", "mlp_sweep_over_hand_stacked", "<=", 1.3),
    ("dense: tf.function / sweep", "mlp_tf_function_loop_over_sweep", ">=", 30),
    ("convolutional: fit / sweep", "cnn_fit_over_sweep", ">=", 20),
    ("convolutional: tf.function / sweep", "cnn_tf_function_loop_over_sweep", ">=", 5),
    ("LSTM: fit / sweep", "lstm_fit_over_sweep", ">=", 20),
    ("normalised, dropout: fit / sweep", "normalised_fit_over_sweep", ">=", 20),
    ("many lanes: peak memory, bytes", "many_lanes_peak_bytes", "<=", 1.5e9),
    ("dense: sweep / bare products", "width_64_over_products", "<=", 2),
    *bench_schedules.WANTED,
]


def table(found):
    """Return the table's lines: every figure that has a wish, and then the others."""
    wished = {name for _, name, _, _ in WANTED}
    lines = [f"{'':<36} {'measured':>10} {'wanted':>10}"]
    for what, name, sign, wish in WANTED:
        met = found[name] >= wish if sign == ">=" else found[name] <= wish
        lines.append(f"{what:<36} {found[name]:>10.3g} {f'{sign} {wish:g}':>10}{'' if met else '  missed'}")
    others = [(name, value) for name, value in found.items() if name not in wished and name != "machine"]
    return [*lines, "", *(f"{name:<47} {value:>10.4g}" for name, value in others)]


def main():
    parser = argparse.ArgumentParser(prog="tools/bench.py", description=__doc__.split("\n")[0])
    parser.add_argument("--record", action="store_true", help="write tools/bench.json too, for the book's page")
    parser.add_argument("--quick", action="store_true", help="a rehearsal with a few steps")
    options = parser.parse_args()
    if options.quick and options.record:
        parser.error("a rehearsal is not recorded")
    found = measured(QUICK if options.quick else FULL)
    print("\n", *table(found), sep="\n")
    print("\n" + ", ".join(f"{name} {value}" for name, value in found["machine"].items()))
    rounded = {name: value if name == "machine" else float(f"{value:.6g}") for name, value in found.items()}
    text = json.dumps(rounded, indent=1) + "\n"
    files = [ROOT / "_build" / "bench.json", *([Path(__file__).with_suffix(".json")] if options.record else [])]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf8")
        print(f"Written: {file.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
