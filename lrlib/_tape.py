"""A tape for every optimizer: the rates that it applied while somebody recorded, and whether they are all of them."""

import weakref
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks

_tapes = weakref.WeakKeyDictionary()


def tape_of(optimizer) -> "Tape":
    """Return the one tape of an optimizer that makes updates."""
    if optimizer not in _tapes:
        _tapes[optimizer] = Tape()
    return _tapes[optimizer]


class Counts(NamedTuple):
    """What a tape and its optimizer have counted; two of them make a difference."""

    updates: int  # on the tape
    jumped: int  # by how much the optimizer's count was set by other things than updates
    uneven: int  # how often a variable had another rate than the first one of its update
    records: int  # that are open
    counted: int = 0  # by the optimizer itself


class Tape:
    """What one optimizer applies, for all its records: a function that was compiled for one of them serves the others.

    It is written to while at least one of them is open, and starts again when all are closed.
    """

    def __init__(self):
        self.rates, self._size = keras_hooks.plain_variable([0.0], tf.float32, shape=[None]), 1
        self._counts = keras_hooks.plain_variable([0, 0, 0, 0], tf.int64)
        self._first = None  # what the first variable of this update received
        self.touched = set()  # the variables for which a rate was received
        self.calls = 0
        self.in_update = 0

    def begin(self, capacity: int, optimizer) -> Counts:
        """Open a record of at most so many updates."""
        updates, jumped, uneven, records = self._counts.numpy()
        updates = updates if records else 0
        self._counts.assign([updates, jumped, uneven, records + 1])
        # one place more: it takes what comes while no record is open, and after the tape is full
        if self._size < (needed := int(updates) + capacity + 1):
            self.rates.assign(tf.pad(self.rates, [[0, needed - self._size]]))
            self._size = needed
        return self.now(optimizer)

    def end(self) -> None:
        """Close a record."""
        self._count(records=-1)

    def now(self, optimizer) -> Counts:
        return Counts(*map(int, self._counts.numpy()), keras_hooks.counted(optimizer))

    def read(self, start: Counts, end: Counts) -> np.ndarray:
        return tf.slice(self.rates, [start.updates], [end.updates - start.updates]).numpy()

    def _count(self, **by) -> None:
        self._counts.assign_add([by.get(name, tf.constant(0, tf.int64)) for name in Counts._fields[:4]])

    # what a watcher has; while a function is compiled, these put into it what writes to the tape

    def begins(self) -> None:
        self.in_update += 1
        self._first = None

    def ends(self) -> None:
        self.in_update -= 1
        self._first = None

    def received(self, key, learning_rate) -> None:
        self.calls += 1
        self.touched.add(key)
        rate, counts = keras.ops.cast(learning_rate, "float32"), tf.convert_to_tensor(self._counts)
        is_open = tf.minimum(counts[3], 1)
        if self._first is None:
            self._first = learning_rate, rate
            last = tf.size(self.rates, out_type=tf.int64) - 1
            place = tf.where(is_open > 0, tf.minimum(counts[0], last), last)
            self.rates.scatter_update(tf.IndexedSlices(rate, place))
            self._count(updates=is_open)
        elif learning_rate is not self._first[0]:
            self._count(uneven=is_open * tf.cast(rate != self._first[1], tf.int64))

    def divided(self) -> None:
        self._count(uneven=tf.constant(1, tf.int64))

    def jumps(self, distance) -> None:
        self._count(jumped=tf.cast(distance, tf.int64))


def problem(start: Counts, end: Counts, optimizer, to_the_end: bool) -> RuntimeError | None:
    """Return what is wrong with a record; if it did not come to its end, an exception may have come amid an update."""
    recorded, jumped, uneven, _, counted = (after - before for before, after in zip(start, end, strict=True))
    counted, each = counted - jumped, optimizer.gradient_accumulation_steps or 1
    if recorded < counted // each or (to_the_end and recorded > -(-counted // each)):
        return RuntimeError(
            f"optimizer {optimizer.name!r} counted {counted} updates, but {recorded} passed the record. A function "
            "that was compiled before the block is not seen: compile it in the block, and where a model trains with "
            "it, record the model: AppliedRates(model, optimizer=…)."
        )
    if uneven:
        return RuntimeError(
            f"optimizer {optimizer.name!r} gave variables different rates, {uneven} times in {recorded} updates; one "
            "rate for an update cannot say what was applied"
        )
    return None
