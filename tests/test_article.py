"""The article's program, 40 steps on (w + 1)² in float32, by both of lrlib's routes: the printed lines themselves."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import csv
from pathlib import Path

import numpy as np

from lrlib import ExponentialDecay, Quadratic, gradient_descent
from lrlib.keras import AppliedRates, KerasSchedule

ARTICLE = (Path(__file__).parent / "data" / "article-printout.txt").read_text(encoding="utf8").splitlines()
SCHEDULE = ExponentialDecay(np.float32(0.1), decay_steps=1, decay_rate=np.float32(0.99), staircase=True)
# the lines in which the author's machine and a correctly rounded float32 differ, by one unit in the last digit
ANOTHER_ARITHMETIC = [4, 7, 14, 15]


def differing(rates, losses, ws):
    """Which of the 41 printed lines, each with the rate of the next step, are not the article's to the letter."""
    lines = [
        f"step:{step},learining_rate:{lr:g},loss:{loss:g},w:{w:g}"
        for step, (lr, loss, w) in enumerate(zip(rates, losses, ws, strict=True))
    ]
    lines.append(f"final w: {ws[-1]!s}")
    return [i for i, (ours, theirs) in enumerate(zip(lines, ARTICLE, strict=True)) if ours != theirs]


def test_one_call_of_lrlib_prints_the_lines():
    trace = gradient_descent(Quadratic(2.0, minimum=-1.0), 5.0, SCHEDULE, 40, dtype=np.float32)
    assert trace.applied.tolist() == SCHEDULE.planned(40).astype(np.float32).tolist()
    rates = SCHEDULE(trace.steps + 1).astype(np.float32)
    assert differing(rates, trace.losses[1:], trace.parameters[1:]) == ANOTHER_ARITHMETIC


def test_keras_with_a_schedule_of_lrlib_prints_the_lines():
    optimizer, w, run = keras.optimizers.SGD(KerasSchedule(SCHEDULE)), keras.Variable(5.0), []
    with AppliedRates(optimizer) as applied:
        for _ in range(40):
            with tf.GradientTape() as tape:
                loss = tf.square(w.value + 1)
            optimizer.apply([tape.gradient(loss, w.value)], [w])
            run.append([number.numpy() for number in (optimizer.learning_rate, tf.square(w.value + 1), w.value)])
    assert differing(*zip(*run, strict=True)) == ANOTHER_ARITHMETIC
    assert applied.rates.tolist() == SCHEDULE.planned(40).astype(np.float32).tolist()


# What depends on the processor is recorded, and has to lie within the record wherever it runs.


def assert_within_the_record(arithmetic, rates, losses, ws):
    with open(Path(__file__).parents[1] / "chapters" / "data" / "recorded-arithmetics.csv", encoding="utf8") as file:
        rows = {row["arithmetic"]: row for row in csv.DictReader(line for line in file if not line.startswith("#"))}
    fewest, most = int(rows[arithmetic]["fewest"]), int(rows[arithmetic]["most"])
    assert fewest <= 41 - len(differing(rates, losses, ws)) <= most


def test_under_xla_the_lines_are_those_of_the_record():
    @tf.function(jit_compile=True)
    def step(w, t):
        def rate(t):
            return 0.1 * tf.pow(0.99, tf.cast(t, tf.float32))

        w = w - rate(t) * 2 * (w + 1)
        return rate(t + 1), tf.square(w + 1), w

    w, run = tf.constant(5.0), []
    for t in range(40):
        rate, loss, w = step(w, tf.constant(t))
        run.append([number.numpy() for number in (rate, loss, w)])
    assert_within_the_record("TensorFlow 2 under XLA", *zip(*run, strict=True))


def test_with_the_power_of_a_vector_the_lines_are_those_of_the_record():
    rates = (np.float32(0.1) * tf.pow(0.99, tf.range(41.0)).numpy()).tolist()
    w, run = np.float32(5), []
    for lr, following in zip(rates, rates[1:], strict=False):
        exact = float(w) - lr * float(2 * (w + 1))  # rounded to float64, then to float32
        w = np.float32(exact)
        run.append((following, (w + 1) * (w + 1), w))
    assert_within_the_record("TensorFlow 2, power of a vector, fused", *zip(*run, strict=True))
