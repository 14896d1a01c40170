"""The home of what lrlib does with Keras's private parts, so that a new Keras breaks it here and in few other places.

What an optimizer's ``update_step`` receives is seen by wrapping that method in its classes for a while. A model's
compiled training step, ``train_function``, is made anew, so that it is traced with the wrapped methods. An optimizer's
rate is taken from outside by replacing ``_get_current_learning_rate``. What a variable starts from is noted while it is
made, and an optimizer that writes nowhere has the methods of Keras's base class.

Elsewhere lrlib asks a model for all of its layers, and ``lrlib.lane_ops`` replaces what TensorFlow cannot do for many
lanes at once.
"""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from numbers import Real

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

# The versions of Keras with which the recorder's tests passed, on TensorFlow 2.21; 3.8.0 on 2.18 and 3.10.0 on 2.19
TRIED = ("3.8.0", "3.10.0", "3.11.3", "3.13.2", "3.15.1")

# Keras's optimizers that are known to do something else with the rate that update_step receives than to apply it
REFUSED = {
    "Adafactor": "it lowers the rate to 1/sqrt(step) and multiplies it by the size of each variable",
    "Muon": "it gives some variables the rate times adam_lr_ratio",
    "MultiOptimizer": "its updates are made by the optimizers in it; record one of these",
    "ScheduleFreeAdamW": "it applies the rate, warmed up, to other weights, of which the model's are a mean",
}

# Settings that say how an optimizer is built or called, so that every lane must have the same
NOT_IN_AN_UPDATE = "learning_rate", "initial_accumulator_value", "loss_scale_factor", "gradient_accumulation_steps"

_watchers = weakref.WeakKeyDictionary()  # optimizer: [what wants to know of its updates, in how many blocks]
_wrapped = {}  # (class, name of a method): [the method, in how many blocks it is wrapped]
_retraced = weakref.WeakKeyDictionary()  # model: [its training step, what that was compiled from, in how many blocks]


def updating_optimizer(optimizer):
    """Return the optimizer that makes the updates: with mixed precision it is wrapped in one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def refuse_other_rates(optimizer) -> None:
    """Raise a ValueError for one of Keras's optimizers that applies another rate than its ``update_step`` receives."""
    for kind in type(optimizer).__mro__:
        if is_keras_s(kind) and kind.__name__ in REFUSED:
            raise ValueError(
                f"optimizer must apply the rate that it is given, got {kind.__name__}: {REFUSED[kind.__name__]}"
            )


def refuse_other_settings(optimizer) -> None:
    """Raise a ValueError for an optimizer of the user's own that ``get_config`` does not tell all of."""
    if is_keras_s(type(optimizer)):
        return
    try:
        again = vars(type(optimizer).from_config(optimizer.get_config()))
    except TypeError as error:
        raise ValueError(f"optimizer must be made again by what its get_config() returns, but: {error}") from None
    for name, value in vars(optimizer).items():
        plain = value is None or isinstance(value, (bool, int, float, str, tuple)) or inspect.isfunction(value)
        if plain and name not in ("built", "name") and value != again.get(name, value):
            raise ValueError(
                f"optimizer must be made again by what its get_config() returns, but {name} would be {again[name]!r} "
                f"instead of {value!r}"
            )


def learning_rate_given(optimizer):
    """Return what an optimizer was given for a learning rate: a variable, a schedule or a function."""
    return optimizer._learning_rate


def loss_given(model) -> list:
    """Return the losses and their weights that a model was compiled with, and how they are combined."""
    given = model._compile_config.config
    return [given["loss"], given["loss_weights"]]


def loss_of(model, training: bool, x, y, outputs, weights=None):
    """Return the loss that a model computes of its outputs, told whether it trains if it asks for that."""
    return model._compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weights, training=training)


def settings_of(optimizer) -> list[str]:
    """Return the names of an optimizer's settings that are numbers, or may be, and that an update makes use of."""
    config = {name: value for name, value in optimizer.get_config().items() if name not in NOT_IN_AN_UPDATE}
    numbers = [name for name, value in config.items() if isinstance(value, Real) and not isinstance(value, bool)]
    return [*numbers, *(name for name in ("weight_decay",) if config.get(name) is None)]


def momentum_of(optimizer) -> float:
    """Return the share with which an update goes on in the next one: SGD's momentum, or Adam's ``beta_1``."""
    return float(getattr(optimizer, "momentum", getattr(optimizer, "beta_1", 0.0)) or 0.0)


def is_sparse(loss) -> bool:
    """Whether a loss takes one integer for a label, the number of its class."""
    loss = keras.losses.get(loss) if loss is not None and not isinstance(loss, (dict, list, tuple)) else None
    sparse = keras.losses.SparseCategoricalCrossentropy, keras.losses.sparse_categorical_crossentropy
    return isinstance(loss, sparse[0]) or loss is sparse[1]


def is_keras_s(thing) -> bool:
    """Whether a class, a function or an object is Keras's own."""
    return (getattr(thing, "__module__", None) or "").startswith("keras.")


def trained_by(optimizer) -> list:
    """Return the variables that an optimizer was built for."""
    return updating_optimizer(optimizer)._trainable_variables


def counted(optimizer) -> int:
    """Return how many updates an optimizer has counted; with accumulation, how many micro-batches."""
    return int(tf.convert_to_tensor(optimizer._iterations.value))


def counter_of(optimizer) -> keras.Variable:
    """Return the variable in which an optimizer counts."""
    return optimizer._iterations


def variable_key(optimizer, variable):
    """Return what tells a variable from others, be it Keras's, TensorFlow's, or a part of a distributed one."""
    return optimizer._var_key(variable)


def plain_variable(value, dtype, shape=None) -> tf.Variable:
    """Make a variable that belongs to no distribution strategy, also inside the scope of one."""
    return ResourceVariable(tf.constant(value, dtype), trainable=False, shape=shape)


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
        variables = args[1] if args[1:] else kwargs.get("trainable_variables")
        if gradients and variables is not None and not self.built:  # here, for XLA: no variable waits for a gradient
            with keras.name_scope(self.name, caller=self):
                self.build(list(variables))
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
    with _rate_of(optimizer, rate):
        yield rate


@contextmanager
def _rate_of(optimizer, rate) -> Iterator[None]:
    try:
        vars(optimizer)["_get_current_learning_rate"] = lambda: rate
        yield
    finally:
        vars(optimizer).pop("_get_current_learning_rate", None)


# The making of a model


@contextmanager
def initializers_noted() -> Iterator[dict]:
    """Give the initializers of the variables that are made in the block, and the first values, by ``id(variable)``."""
    kind, noted = keras.src.backend.Variable, {}
    original = kind._initialize_with_initializer

    def note(self, initializer):
        original(self, initializer)
        noted[id(self)] = initializer, self.value.numpy()

    try:
        kind._initialize_with_initializer = note
        yield noted
    finally:
        kind._initialize_with_initializer = original


def made_to_be_trained(model) -> list:
    """Return the variables that the layers of a model were made with to train them, also those that are frozen now."""
    return [v for layer in model._flatten_layers() for v in layer._trainable_variables]


def variables_of(model) -> list:
    """Return a model's weights, then the states of its random numbers."""
    weights = {id(v) for v in model.weights}
    return [*model.weights, *(v for v in model.variables if id(v) not in weights)]


# Updates of values in place of variables


class NotingScope(keras.StatelessScope):
    """A scope that also knows which variables were assigned in it."""

    def __init__(self, *values, **how):
        super().__init__(*values, **how)
        self.assigned = []

    def add_update(self, update):
        self.assigned.append(update[0])
        super().add_update(update)


class OfLane:
    """A tensor that an optimizer takes for one of its settings: for a number that is neither 0 nor None."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __tf_tensor__(self, dtype=None, name=None):
        return self.tensor if dtype is None else tf.cast(self.tensor, dtype)

    def __gt__(self, other):
        return True


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg"):
    _name = f"__{_name}__"
    setattr(OfLane, _name, lambda self, *others, _name=_name: getattr(self.tensor, _name)(*others))


def on_values(optimizer, variables, setting: str | None = None):
    """Return a copy of an optimizer that updates values in place of variables, for :func:`update`.

    In Keras on TensorFlow an optimizer writes into ``tf.Variable`` only. The copy has the methods of Keras's base class
    back, which write wherever a ``StatelessScope`` says.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        It is only read.
    variables : list of keras.Variable
        What the copy is built for.
    setting : str, optional
        The name of a setting that :func:`update` is given a value of.
    """
    kind, base = type(optimizer), keras.src.optimizers.base_optimizer.BaseOptimizer
    replaced = vars(keras.src.backend.tensorflow.optimizer.TFOptimizer)
    kept = "__init__", "_clip_by_norm"  # the latter clips slices as Keras does
    methods = {name: vars(base)[name] for name in replaced if callable(vars(base).get(name)) and name not in kept}

    def update_step(self, gradient, variable, learning_rate):
        rate = self.received[id(variable)] = learning_rate * self.factors.get(id(variable), 1.0)
        kind.update_step(self, gradient, variable, rate)

    def apply_weight_decay(self, variables):
        for variable in variables:
            rate = self.learning_rate * self.factors.get(id(variable), 1.0)
            with _rate_of(self, rate):
                base._apply_weight_decay(self, [variable])

    # between the optimizer and TensorFlow's base class, for it may have such a method of its own, as Nadam has
    below = type("OnValues", (keras.optimizers.Optimizer,), methods)
    own = {"update_step": update_step, "_apply_weight_decay": apply_weight_decay}
    copy = type(kind.__name__, (kind, below), own).from_config(optimizer.get_config())
    spared = without_decay(optimizer, variables)
    decays = lambda variable: id(variable) not in spared  # noqa: E731
    vars(copy).update(factors={}, received={}, setting=setting, _use_weight_decay=decays)
    if setting:
        setattr(copy, setting, 0.5)  # not 0, which might do without what the others need
    copy.build(variables)
    return copy


def without_decay(optimizer, variables) -> set[int]:
    """Return the variables, by ``id(variable)``, that an optimizer was told not to decay."""
    keys = vars(optimizer).get("_exclude_from_weight_decay", ())
    pattern = vars(optimizer).get("_exclude_from_weight_decay_pattern")
    return {id(v) for v in variables if optimizer._var_key(v) in keys or pattern and pattern.search(v.name)}


def slots_of(optimizer) -> list:
    """Return the variables of an optimizer but its rate and its count of updates."""
    others = id(optimizer.iterations), id(optimizer._learning_rate)
    return [variable for variable in optimizer.variables if id(variable) not in others]


def averages_of(optimizer) -> list:
    """Return the moving averages with which ``fit`` replaces the weights at its end, if the optimizer keeps them."""
    return optimizer._model_variables_moving_average if optimizer.use_ema else []


def update(optimizer, t, rate, factors: dict, setting, weights: list, slots: list, gradients: list):
    """Return the weights and slots after one update, and the rates that ``update_step`` received.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        From :func:`on_values`.
    t, rate : tensor
        The number of the update, from 0, and its learning rate.
    factors : dict
        What the rate of a variable is multiplied with, by ``id(variable)``; 1 for those that are not in it.
    setting : tensor or None
        The value of the optimizer's setting.
    weights, slots, gradients : list of tensor
        In the order of the variables and of :func:`slots_of`.
    """
    optimizer.factors, optimizer.received = factors, {}
    if optimizer.setting:
        vars(optimizer)[optimizer.setting] = OfLane(setting)
    own = dict(zip(map(id, slots_of(optimizer)), slots, strict=True))
    own[id(optimizer.iterations)] = tf.cast(t, optimizer.iterations.dtype)
    own[id(optimizer._learning_rate)] = rate
    weights, after = optimizer.stateless_apply([own[id(v)] for v in optimizer.variables], gradients, weights)
    after = dict(zip(map(id, optimizer.variables), after, strict=True))
    return weights, [after[id(v)] for v in slots_of(optimizer)], optimizer.received


# Training on what one has


def build_on(model, batch) -> None:
    """Build what is not built of a model and its optimizer, as ``fit`` would for a batch, and train nothing."""
    if not all(layer.built for layer in model._flatten_layers()):
        if model.run_eagerly:
            model(keras.utils.unpack_x_y_sample_weight(batch)[0])
        else:  # what a training step makes while it is traced is made, and nothing that it does is done
            batch = tf.nest.map_structure(lambda v: tf.constant(v) if isinstance(v, np.ndarray) else v, batch)
            tf.function(model.train_step, autograph=False).get_concrete_function(batch)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def state_of_random_numbers() -> list:
    """Return the state of Keras's random numbers that belong to no layer, if there is one."""
    keras_s = keras.src.backend.common.global_state.get_global_attribute("global_seed_generator")
    return [keras_s.state] if keras_s is not None else []


def are_of_no_layer(variables) -> bool:
    """Whether the state of Keras's random numbers that belong to no layer is among some variables."""
    return any(one is variable for one in state_of_random_numbers() for variable in variables)


def restart_accumulation(optimizer) -> None:
    """Let an optimizer that accumulates gradients begin a new update, as if none had been put by."""
    if (each := optimizer.gradient_accumulation_steps) and optimizer.built:
        optimizer._iterations.assign(optimizer._iterations // each * each)
        for gradient in optimizer._accumulated_gradients:
            gradient.assign(tf.zeros_like(gradient))


@contextmanager
def with_fresh_optimizer(model, **settings) -> Iterator:
    """Let a model train with an optimizer as new, made like its own but for some settings, in the block.

    Its training step comes back too.
    """
    optimizer, step = model.optimizer, model.train_function
    try:
        model.optimizer = type(optimizer).from_config(optimizer.get_config() | settings)
        spared = {name: value for name, value in vars(optimizer).items() if name.startswith("_exclude_from_weight")}
        vars(model.optimizer).update(spared)
        model.train_function = None
        yield model.optimizer
    finally:
        model.optimizer, model.train_function = optimizer, step


def trained_on(model, batch) -> dict:
    """Let a model train on one batch, as ``fit`` does, and return what its training step reports."""
    model.make_train_function()
    return model.train_function(iter([batch]))
