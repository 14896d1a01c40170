"""The program: one Keras model's step of training, written for one lane and compiled for many side by side.

A lane is a network of its own: values for all that training changes. The model is called with them in place of its
variables, its optimizer's own ``update_step`` changes them, and TensorFlow vectorises the whole over the lanes.
"""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks
from lrlib.datasets import each
from lrlib.lane_ops import OF_ONE, OF_UPDATE, lane_ops, not_converted
from lrlib.lanes import Start, fixed_variables

CONVOLUTIONS = keras.layers.Conv1D.__base__, keras.layers.DepthwiseConv1D.__base__
CHANGES = re.compile("Assign.*VariableOp|Resource(Scatter|Apply)|Rng|Random|TruncatedNormal|Multinomial")
NAME_LAYERS = "keras_history", "input_layers", "output_layers"  # in a config
TRANSPOSED = keras.layers.Conv1DTranspose.__base__


class Compiled(NamedTuple):
    """A program for a fixed number of lanes."""

    train: Callable
    evaluate: Callable


class Program:
    """A model's training and evaluation, for many lanes at once or for one alone.

    Parameters
    ----------
    model : keras.Model
        Compiled and built. Its variables are only read.
    data : tuple
        Samples, labels and perhaps their weights: what a batch is made of.
    batch_size : int
    setting : str, optional
        The optimizer's setting that each lane has its own value of.
    group : str, optional
        The layer that each lane has its own rate for, times the lane's.
    vectorized : bool
        False for a program that trains one lane.
    """

    def __init__(self, model, data, batch_size: int, setting: str | None, group: str | None, vectorized: bool):
        self.model, self.setting, self.batch_size, self.vectorized = model, setting, batch_size, vectorized
        self.proven = False
        self.start = Start(model)
        self.weights, self.fixed = model.trainable_variables, fixed_variables(model)
        fixed = {id(v) for v in self.fixed}
        self.others = [v for v in model.non_trainable_variables if id(v) not in fixed]
        self.places = {id(v): place for place, v in enumerate(self.start.variables)}
        self.optimizer = keras_hooks.on_values(model.optimizer, self.weights, setting)
        self.slots = keras_hooks.slots_of(self.optimizer)
        self.grouped = {id(v) for layer in model._flatten_layers() if layer.name == group for v in layer.variables}
        # XLA pays where a step is arithmetic more than calls
        kinds = [type(layer) for layer in model._flatten_layers()]
        self.by_xla = vectorized and any(issubclass(kind, CONVOLUTIONS) for kind in kinds)
        # of a gradient's own gradient XLA makes what cannot be vectorized
        self.by_xla = self.by_xla and not any(issubclass(kind, TRANSPOSED) for kind in kinds)
        self.data, self.compiled = each(lambda v: tf.TensorSpec((None, *v.shape[1:]), v.dtype), data), {}

    def at(self, lanes: int) -> Compiled:
        """Return the functions for so many lanes, traced here and now: TensorFlow is faster if it knows the number."""
        if lanes not in self.compiled:
            step = tf.function(self._step, autograph=False, jit_compile=True) if self.by_xla else self._step

            def of_lanes(variables):
                return [tf.TensorSpec((lanes, *v.shape), v.dtype) for v in variables]

            weights, others, slots = map(of_lanes, (self.weights, self.others, self.slots))
            fixed = [tf.TensorSpec(v.shape, v.dtype) for v in self.fixed]
            order, seeds = tf.TensorSpec((None, None, self.batch_size), tf.int32), tf.TensorSpec((lanes,), tf.int32)
            rates, values, first = tf.TensorSpec((None, lanes)), tf.TensorSpec((lanes,)), tf.TensorSpec((), tf.int32)
            signature = [(weights, others, slots), fixed, self.data, order, seeds, rates, values, first]
            train = tf.function(self._trains(step), signature, autograph=False)
            evaluate = tf.function(self._evaluate, [weights, others, fixed, self.data, first], autograph=False)
            self.compiled[lanes] = Compiled(train.get_concrete_function(), evaluate.get_concrete_function())
        return self.compiled[lanes]

    def of_kind(self, values: list, kind: str) -> list:
        """Return those of the values of a model's variables that are of a kind: weights, others or fixed."""
        return [values[self.places[id(v)]] for v in getattr(self, kind)]

    def finished(self, state) -> list:
        """Return the weights at the end of training: with ``use_ema`` their moving averages."""
        averages = keras_hooks.averages_of(self.optimizer)
        places = {id(v): place for place, v in enumerate(self.slots)}
        return [state[2][places[id(v)]] for v in averages] if averages else state[0]

    def in_model(self, weights, others, fixed, lane: int) -> list:
        """Return a lane's values in the order of ``model.get_weights()``."""
        own = {id(v): value[lane] for v, value in zip(self.weights + self.others, [*weights, *others], strict=True)}
        own |= {id(v): value for v, value in zip(self.fixed, fixed, strict=True)}
        return [np.asarray(own[id(v)]) for v in self.model.weights]

    def _called(self, weights, others, fixed, t):
        """Return a context in which the model has a lane's values in place of its variables, after so many updates."""
        variables = [*self.weights, *self.others, *self.fixed, keras_hooks.counter_of(self.model.optimizer)]
        return keras_hooks.NotingScope(
            list(zip(variables, [*weights, *others, *fixed, t], strict=True)), collect_losses=True
        )

    def _loss(self, training: bool, x, y, weight=None):
        how = {"training": training} if self.model._call_has_training_arg else {}
        outputs = self.model(x, **how)
        return keras_hooks.loss_of(self.model, training, x, y, outputs, weight), outputs

    def _step_of_lane(self, weights, others, slots, rate, value, batch, fixed, t):
        """Return a lane's next values, and its loss, the rate that was applied and the gradient's norm."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            with self._called(weights, others, fixed, t) as scope:
                loss, _ = self._loss(True, *batch)
            self._refuse_what_no_lane_keeps(scope.assigned)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, weights)  # of an embedding as slices, whose squares an optimizer may sum
        whole = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        if not whole:
            raise ValueError("model's loss must depend on its weights, but none of them has a gradient")
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(g * g) for g in whole]))
        others = [tf.convert_to_tensor(scope.get_current_value(v)) for v in self.others]
        factors = dict.fromkeys(self.grouped, value)
        setting = value if self.setting else None
        with lane_ops(OF_UPDATE):
            weights, slots, received = keras_hooks.update(
                self.optimizer, t, rate, factors, setting, weights, slots, gradients
            )
        applied = [rate for key, rate in received.items() if key not in self.grouped]
        applied_in_group = [rate for key, rate in received.items() if key in self.grouped]
        seen = loss, (applied or applied_in_group)[0], norm, *applied_in_group[:1]
        # at most so many: what is no longer needed makes room
        tensors = [v for op in self._operations_of_lane() for v in op.outputs]
        self.bytes_of_lane = sum(v.shape.num_elements() * v.dtype.size for v in tensors if v.shape.is_fully_defined())
        return (weights, others, slots), tuple(map(tf.convert_to_tensor, seen))

    def _refuse_what_no_lane_keeps(self, assigned) -> None:
        kept = {id(v) for v in (*self.others, *self.model.metrics_variables)}
        changed = [f"changes {v.path!r}" for v in assigned if id(v) not in kept]
        if keras_hooks.are_of_no_layer(assigned):
            changed = ["draws random numbers of no SeedGenerator"]
        changed += [f"needs the operation {op.type}" for op in self._operations_of_lane() if CHANGES.match(op.type)]
        if changed:
            raise ValueError(
                f"model must do in a sweep what it does in Keras, but when it is called it {changed[0]}: a lane has "
                "its own of what changes only in weights that are not trained and in SeedGenerators, of layers that "
                "are not frozen"
            )

    def _operations_of_lane(self):
        return _operations()[self.of_all_lanes :]

    def _each(self, function, lanes):
        if not self.vectorized:
            with lane_ops(OF_ONE):
                one = function(tf.nest.map_structure(lambda v: v[0], lanes))
            return tf.nest.map_structure(lambda v: v[None], one)
        try:
            with lane_ops():
                return tf.vectorized_map(function, lanes, fallback_to_while_loop=False)
        except Exception as error:
            if (operation := not_converted(error)) is None:
                raise
            names = [layer.name for layer in self.model._flatten_layers(include_self=False)]
            inside = [name for name in names if re.search(rf"/{re.escape(name)}(_\d+)?/", operation.name)]
            where = f"its layer {max(inside, key=len)!r}" if inside else "it, its loss or its optimizer"
            raise ValueError(
                f"model must be one that TensorFlow can train in many lanes at once, but {where} needs the operation "
                f"{operation.type}, of which it has no such form: engine='loop' trains one lane after the other"
            ) from None

    def _step(self, state, rates, values, batch, fixed, t):
        self.of_all_lanes = len(_operations())
        return self._each(lambda lane: self._step_of_lane(*lane, fixed, t), (*state, rates, values, batch))

    def _trains(self, step):
        def train(state, fixed, data, order, seed_of_lane, rates, values, first):
            length = tf.shape(rates)[0]

            def body(i, state, records):
                of_seeds = tf.nest.map_structure(lambda v: tf.gather(v, order[i]), data)
                batch = tf.nest.map_structure(lambda v: tf.gather(v, seed_of_lane), of_seeds)
                state, seen = step(state, rates[i], values, batch, fixed, first + i)
                return i + 1, state, [record.write(i, value) for record, value in zip(records, seen, strict=True)]

            records = [tf.TensorArray(tf.float32, length) for _ in range(4 if self.grouped else 3)]
            _, state, records = tf.while_loop(
                lambda i, *_: i < length, body, (0, tuple(map(list, state)), records), parallel_iterations=1
            )
            return state, [record.stack() for record in records]

        return train

    def _evaluate(self, weights, others, fixed, data, t):
        y = data[1]

        def of_lane(lane):
            with self._called(*lane, fixed, t):
                loss, outputs = self._loss(False, *data)
            self.classifies = _are_classes(y, outputs)
            return loss, _hits(y, outputs) if self.classifies else tf.zeros(())

        return self._each(of_lane, (weights, others))


def _operations():
    return tf.compat.v1.get_default_graph().get_operations()


def _are_classes(y, outputs) -> bool:
    """Whether there is an output for each class, and one class for each sample: a number, or a row like the outputs."""
    if not all(isinstance(one, tf.Tensor) for one in (y, outputs)) or outputs.shape.rank != 2 or outputs.shape[1] < 2:
        return False
    return y.shape[1:] in (outputs.shape[1:], [], [1])


def _hits(y, outputs):
    """Return how many samples have their greatest output at their class."""
    of_class = y.shape[1:] == outputs.shape[1:]
    classes = tf.argmax(y, axis=-1, output_type=tf.int32) if of_class else tf.cast(tf.reshape(y, [-1]), tf.int32)
    return tf.reduce_sum(tf.cast(tf.argmax(outputs, axis=-1, output_type=tf.int32) == classes, tf.float32))


def all_keras_s(model) -> bool:
    """Whether no class and no function of anybody else's is inside a model, its loss and its optimizer."""
    layers = model._flatten_layers()
    inside = [part for layer in layers if not isinstance(layer, keras.Model) for part in vars(layer).values()]
    inside += tf.nest.flatten(keras_hooks.loss_given(model)[0])
    kinds = type(model), type(model.optimizer), *map(type, layers)
    return all(map(keras_hooks.is_keras_s, [*kinds, *filter(callable, inside)]))


def beside_config(model) -> list:
    """Return what else decides a training: how losses add up, which weights are trained, and which decay."""
    losses, factors = keras_hooks.loss_given(model)
    sums = [getattr(keras.losses.get(loss), "reduction", None) for loss in tf.nest.flatten(losses)]
    spared = keras_hooks.without_decay(model.optimizer, model.trainable_variables)
    return [sums, str(factors), [[v.trainable, id(v) in spared] for v in model.weights]]


def signature(model) -> str | None:
    """Return what equal models have in common, whatever their layers are called, and None for one without equals.

    A class or a function of the user's own may change from one sweep to the next, so a model with one has no equals;
    nor has one with a layer that was adapted and does not keep in variables what it has learnt.
    """
    layers = model._flatten_layers()
    names = {layer.name: f"layer {place}" for place, layer in enumerate(layers)}

    def plain(value, of_layers=False):
        if isinstance(value, (list, tuple)):
            return [plain(item, of_layers) for item in value]
        if isinstance(value, dict):
            kept = {key: item for key, item in value.items() if key not in ("name", "learning_rate")}
            return {key: plain(item, of_layers or key in NAME_LAYERS) for key, item in kept.items()}
        if value is None or isinstance(value, (bool, int, float, str)):
            return names.get(value, value) if of_layers else value
        if not keras_hooks.is_keras_s(value):
            raise TypeError(value)
        return value.__name__ if hasattr(value, "__name__") else [type(value).__name__, plain(vars(value))]

    if not all_keras_s(model):
        return None
    if any(hasattr(layer, "adapt") and not layer.variables for layer in layers):
        return None
    try:
        kinds = [type(part).__name__ for part in (model, model.optimizer, *model._flatten_layers())]
        parts = [model.get_config(), model.optimizer.get_config(), keras_hooks.loss_given(model), beside_config(model)]
        return json.dumps(kinds + plain([*parts, [[v.regularizer, v.constraint] for v in model.weights]]))
    except TypeError:
        return None
