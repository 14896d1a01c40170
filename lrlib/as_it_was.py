"""A model that is trained for a look, and afterwards is what it was, however the look ended."""

import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks

HOLDERS = keras.Layer, keras.metrics.Metric, keras.random.SeedGenerator, tf.Module, tf.random.Generator


@contextmanager
def as_it_was(model) -> Iterator[Callable[[], None]]:
    """Give back every number of a model and of all its optimizers on leaving, and what may be trained.

    Parameters
    ----------
    model : keras.Model
        Compiled and built.

    Yields
    ------
    callable
        Gives them back at once, so that another look begins where the first one did.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    # a training step of the reader's own may have more optimizers, and variables that are not Keras's
    parts = list(_inside(model, set()))
    optimizers = [part for part in parts if isinstance(part, keras.optimizers.Optimizer)]
    variables = [part for part in parts if not isinstance(part, keras.optimizers.Optimizer)]
    variables += [v for owner in (model, *optimizers) for v in owner.variables] + model.metrics_variables
    variables += keras_hooks.state_of_random_numbers()
    not_built = [optimizer for optimizer in optimizers if not optimizer.built]
    kept = [(variable, variable.numpy()) for variable in {id(v): v for v in variables}.values()]
    flags = [(layer, layer.trainable) for layer in model._flatten_layers()]

    def give_back():
        for layer, trainable in flags:
            if layer.trainable != trainable:
                layer.trainable = trainable
        interrupt = _put_back(model, kept)
        for optimizer in not_built:
            if optimizer.built:
                interrupt = _put_back(model, fresh(optimizer)) or interrupt
        if interrupt:
            raise interrupt

    try:
        yield give_back
    finally:
        give_back()


@contextmanager
def tensorflow_s_as_they_were(model) -> Iterator[None]:
    """Give back the values of TensorFlow's own variables in a model, which no scope of Keras's spares."""
    kept = [(part, part.numpy()) for part in _inside(model, set()) if isinstance(part, tf.Variable)]
    try:
        yield
    finally:
        for part, value in kept:
            part.assign(value)


def _inside(thing, seen: set) -> Iterator:
    """Find the optimizers and variables in the attributes of a layer and of the layers in it."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, (keras.optimizers.Optimizer, keras.Variable, tf.Variable)):
        yield thing
    inside = vars(thing) if isinstance(thing, HOLDERS) else thing
    if isinstance(inside, (dict, list, tuple, set)):
        for part in list(inside.values() if isinstance(inside, dict) else inside):
            yield from _inside(part, seen)


def _put_back(model, kept) -> KeyboardInterrupt | None:
    """Put every value back, and return the Ctrl-C that came meanwhile."""
    interrupt = None
    while True:
        try:
            model.reset_metrics()
            for variable, value in kept:
                variable.assign(value)
            return interrupt
        except KeyboardInterrupt as again:
            interrupt = again


def fresh(optimizer) -> list:
    """Pair the variables of an optimizer with the values that they have when it is built."""
    twin = type(optimizer).from_config(optimizer.get_config())
    twin.build(keras_hooks.trained_by(optimizer))
    return [(variable, new.numpy()) for variable, new in zip(optimizer.variables, twin.variables, strict=True)]


@contextmanager
def random_numbers_as_they_were() -> Iterator[Callable[[], None]]:
    """Give Python's and NumPy's random numbers back on leaving, which may be the user's; the callable keeps Python's.

    Call it when a model has been built, for which Keras draws from Python's: what is built later must not repeat them.
    """
    python_s, numpy_s = random.getstate(), np.random.get_state()  # noqa: NPY002  (the user's)

    def keep():
        nonlocal python_s
        python_s = random.getstate()

    try:
        yield keep
    finally:
        random.setstate(python_s)
        np.random.set_state(numpy_s)  # noqa: NPY002


class CtrlC:
    """A block in which Ctrl-C comes where it is let, once, and otherwise after the block.

    What is begun in the block can so be brought to its end. Where no Ctrl-C can come, in a thread, nothing is changed.
    """

    def __init__(self):
        self._theirs, self._let, self._came = None, False, False

    def __enter__(self):
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler) and threading.current_thread() is threading.main_thread():
            self._theirs = handler
            signal.signal(signal.SIGINT, self._comes)
        return self

    def __exit__(self, kind, *exception):
        if self._theirs is None:
            return
        signal.signal(signal.SIGINT, self._theirs)
        if self._came and not (kind and issubclass(kind, KeyboardInterrupt)):
            self._theirs(signal.SIGINT, None)

    def _comes(self, number, frame):
        if not self._let:
            self._came = True
            return
        self._let = False  # a second one must not break what the first one has brought about
        self._theirs(number, frame)
        self._let = True

    @contextmanager
    def let(self) -> Iterator[None]:
        """Let Ctrl-C come in the block."""
        try:
            self._let = True
            if self._came:
                self._came = self._let = False
                self._theirs(signal.SIGINT, None)
            yield
        finally:
            self._let = False
