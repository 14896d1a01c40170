"""The one home of what lrlib does with Keras's private parts, so that a new Keras breaks it here and nowhere else.

Three things have no public way. What an optimizer's ``update_step`` receives is seen by wrapping that method in its
classes for a while. A model's compiled training step, ``train_function``, is made anew, so that it is traced with the
wrapped methods. An optimizer's rate is taken from outside by replacing ``_get_current_learning_rate``.
"""

import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import tensorflow as tf

# The versions of Keras with which the recorder's tests have passed, on TensorFlow 2.21. With 3.5.0 all but one do:
# where an epoch is no multiple of steps_per_execution, that Keras counts an update more than it has batches.
TRIED = ("3.8.0", "3.11.3", "3.13.2", "3.15.1")

# Keras's optimizers that are known to do something else with the rate that update_step receives than to apply it
REFUSED = {
    "Adafactor": "it lowers the rate to 1/sqrt(step) and multiplies it by the size of each variable",
    "Muon": "it gives some variables the rate times adam_lr_ratio",
    "MultiOptimizer": "its updates are made by the optimizers in it; record one of these",
    "ScheduleFreeAdamW": "it applies the rate, warmed up, to other weights, of which the model's are a mean",
}

_watchers = weakref.WeakKeyDictionary()  # optimizer: [what wants to know of its updates, in how many blocks]
_wrapped = {}  # (class, name of a method): [the method, in how many blocks it is wrapped]
_retraced = weakref.WeakKeyDictionary()  # model: [its training step, what that was compiled from, in how many blocks]


def updating_optimizer(optimizer):
    """Return the optimizer that makes the updates: with mixed precision it is wrapped in one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def refuse_other_rates(optimizer) -> None:
    """Raise a ValueError for one of Keras's optimizers that applies another rate than its ``update_step`` receives."""
    for kind in type(optimizer).__mro__:
        if kind.__module__.startswith("keras.") and kind.__name__ in REFUSED:
            raise ValueError(
                f"optimizer must apply the rate that it is given, got {kind.__name__}: {REFUSED[kind.__name__]}"
            )


def learning_rate_given(optimizer):
    """Return what an optimizer was given for a learning rate: a variable, a schedule or a function."""
    return optimizer._learning_rate


def trained_by(optimizer) -> list:
    """Return the variables that an optimizer was built for."""
    return updating_optimizer(optimizer)._trainable_variables


def counted(optimizer) -> int:
    """Return how many updates an optimizer has counted; with accumulation, how many micro-batches."""
    return int(tf.convert_to_tensor(optimizer._iterations.value))


def variable_key(optimizer, variable):
    """Return what tells a variable from others, be it Keras's, TensorFlow's, or a part of a distributed one."""
    return optimizer._var_key(variable)


def plain_variable(value, dtype, shape=None) -> tf.Variable:
    """Make a variable that belongs to no distribution strategy, also inside the scope of one."""
    return _PLAIN(tf.constant(value, dtype), trainable=False, shape=shape)


_PLAIN = type(tf.Variable(0))


# Seeing updates


@contextmanager
def watching(optimizer, watcher) -> Iterator[None]:
    """Tell a watcher of every update that an optimizer makes in the block, or that is compiled in it.

    Blocks may overlap, but an optimizer has one watcher. Where an ``update_step`` calls that of the class below, what
    the last of them receives counts: that is the rate which is applied.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        One that makes updates itself.
    watcher : object
        Has ``begins()`` and ``ends()``, called around an update; ``received(key, learning_rate)``, called for each
        variable in it; ``divided()``, if the update of a variable is made in parts; ``jumps(distance)``, if the count
        of updates is set by anything but an update.
    """
    kinds = type(optimizer).__mro__
    methods = [(kind, "update_step", _update_step) for kind in kinds if "update_step" in vars(kind)]
    methods.append(([kind for kind in kinds if "apply" in vars(kind)][-1], "apply", _apply))
    counter, done = vars(optimizer._iterations), []
    try:
        watched = _watchers.setdefault(optimizer, [watcher, 0])
        watched[1] += 1
        counter["assign"] = functools.partial(_assign, optimizer._iterations, watcher)
        for kind, name, wrapper in methods:
            held = _wrapped.setdefault((kind, name), [vars(kind)[name], 0])
            held[1] += 1
            done.append((kind, name))
            if held[1] == 1:
                setattr(kind, name, wrapper(held[0]))
        yield
    finally:
        for kind, name in done:
            held = _wrapped[kind, name]
            held[1] -= 1
            if not held[1]:
                setattr(kind, name, held[0])
                del _wrapped[kind, name]
        watched[1] -= 1
        if not watched[1]:
            del _watchers[optimizer]
            counter.pop("assign", None)


def _watcher(optimizer):
    return _watchers.get(optimizer, (None, 0))[0]


def _apply(original):
    @functools.wraps(original)
    def apply(self, *args, **kwargs):
        watcher = _watcher(self)
        if watcher is None:
            return original(self, *args, **kwargs)
        # without its gradients there is no update, though a compiled function would count it: the data may be at fault
        gradients = args[0] if args else kwargs.get("grads", ())
        watcher.begins()
        try:
            with tf.control_dependencies([gradient for gradient in gradients if tf.is_tensor(gradient)]):
                return original(self, *args, **kwargs)
        finally:
            watcher.ends()

    return apply


def _update_step(original):
    @functools.wraps(original)
    def update_step(self, gradient, variable, learning_rate):
        watcher = _watcher(self)
        if watcher is None:
            return original(self, gradient, variable, learning_rate)
        before = watcher.calls
        result = original(self, gradient, variable, learning_rate)
        if watcher.calls == before:  # no class below has seen it
            watcher.received(self._var_key(variable), learning_rate)
        elif watcher.calls > before + 1:
            watcher.divided()
        return result

    return update_step


def _assign(counter, watcher, value):
    before = tf.identity(counter.value)
    result = type(counter).assign(counter, value)
    if not watcher.in_update:
        watcher.jumps(tf.identity(counter.value) - before)
    return result


# The compiled training step


@contextmanager
def retraced(model) -> Iterator[None]:
    """Let a model's training step be compiled anew in the block; give the old one back if it still fits the model."""
    held = _retraced.setdefault(model, [model.train_function, _compiled_from(model), 0])
    held[2] += 1
    model.train_function = None
    try:
        yield
    finally:
        held[2] -= 1
        if not held[2]:
            del _retraced[model]
            _give_back(model, *held[:2])


class _Through:
    """A training step that goes through blocks; it stands in a model's place for its compiled one."""

    def __init__(self, model):
        self.model, self.found, self.compiled_from = model, model.train_function, _compiled_from(model)
        self.blocks = {}

    def __call__(self, batches):
        self.blocks = {block: wanted for block, wanted in self.blocks.items() if wanted()}
        if not self.blocks:  # they were left here by a training that an exception ended
            _give_back(self.model, self.found, self.compiled_from)
            self.model.make_train_function()
            return self.model.train_function(batches)
        with ExitStack() as blocks:
            for block in self.blocks:
                blocks.enter_context(block())
            return self.step(batches)


def train_through(model, block: Callable, wanted: Callable) -> None:
    """Compile a model's training step anew and make every call of it in a block, until :func:`train_without`.

    Parameters
    ----------
    model : keras.Model
        One that is about to train.
    block : callable
        Returns a context manager.
    wanted : callable
        Asked before every call; where it returns False the block is forgotten, and with the last of them the model
        gets its old step back.
    """
    through = model.train_function if isinstance(model.train_function, _Through) else _Through(model)
    through.blocks[block] = wanted
    model.make_train_function(force=True)
    through.step = model.train_function
    model.train_function = through


def train_without(model, block: Callable) -> None:
    """Forget a block that :func:`train_through` was given."""
    through = model.train_function
    if isinstance(through, _Through):
        through.blocks.pop(block, None)
        if not through.blocks:
            _give_back(model, through.found, through.compiled_from)


def _compiled_from(model) -> list:
    """Return what is another object when the model has been compiled anew, or has other weights to train."""
    return [model._loss_tracker, *model.trainable_variables]


def _give_back(model, step, compiled_from: list) -> None:
    now = _compiled_from(model)
    same = len(now) == len(compiled_from) and all(map(lambda a, b: a is b, now, compiled_from))
    model.train_function = step if same else None


# The rate from outside


@contextmanager
def rate_from_outside(optimizer) -> Iterator[tf.Variable]:
    """Make an optimizer take its rate from a variable, whatever it has: a number, a schedule or a function.

    What is compiled in the block goes on doing so afterwards.
    """
    rate = tf.Variable(0.0, trainable=False)
    optimizer.__dict__["_get_current_learning_rate"] = lambda: rate
    try:
        yield rate
    finally:
        del optimizer.__dict__["_get_current_learning_rate"]
