"""The recipe: what a sweep reads off a compiled Keras model, and the updates that the optimizers make.

Recipes that are equal share a compiled program.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks

EXTRAS = "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint", "bias_constraint"


@dataclass(frozen=True)
class Dense:
    """What a sweep has to know of a ``Dense`` layer; equal layers have equal keys."""

    units: int
    use_bias: bool
    key: object
    activation: Callable = field(compare=False)


@dataclass(frozen=True)
class Loss:
    """What a sweep has to know of a loss; equal losses have equal keys."""

    key: object
    of_samples: Callable = field(compare=False)  # (labels, outputs) -> losses, the last dimension averaged away
    sparse: bool = field(compare=False)  # whether a label is one integer, the number of its class
    known: Callable | None = field(compare=False)  # Keras's function, if the loss is nothing else

    def of_best_constant(self, y) -> float:
        """Return the loss of the best prediction that is the same for all samples.

        It is the entropy of the labels in nats for sparse categorical cross-entropy, their variance for the mean
        squared error, and NaN for other losses.
        """
        if self.known is keras.losses.sparse_categorical_crossentropy:
            shares = np.bincount(y) / len(y)
            return float(-(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum())
        if self.known is keras.losses.mean_squared_error:
            return float(y.var(axis=0, dtype=np.float64).mean())
        return np.nan


@dataclass(frozen=True)
class SGD:
    r"""Keras's update with momentum, whose velocity holds the rates of the steps that made it.

    .. math:: v \leftarrow \beta v - \eta g, \qquad w \leftarrow w + v

    With ``nesterov`` it is :math:`w \leftarrow w + \beta v - \eta g`, with the new :math:`v`.

    References
    ----------
    Sutskever, I., Martens, J., Dahl, G. and Hinton, G. (2013). On the importance of initialization and momentum in deep
    learning. *International Conference on Machine Learning*, 1139-1147.

    Keras: https://keras.io/api/optimizers/sgd/
    """

    momentum: float
    nesterov: bool

    @property
    def slots(self) -> int:
        return int(self.momentum != 0)

    def update(self, step, rate, gradient, weight, *slots):
        """Return the new weight and the new velocity, if there is one; ``step`` counts from 0."""
        change = -rate * gradient
        if slots:
            (velocity,) = slots
            velocity = self.momentum * velocity + change
            slots = (velocity,)
            change = self.momentum * velocity + change if self.nesterov else velocity
        return weight + change, *slots


@dataclass(frozen=True)
class Adam:
    r"""Keras's update with the running means of the gradient and its square.

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) g, \qquad s \leftarrow \beta_2 s + (1 - \beta_2) g^2, \qquad
        w \leftarrow w - \eta \, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \, \frac{m}{\sqrt{s} + \epsilon}

    with :math:`t = 1` in the first step.

    References
    ----------
    Kingma, D. P. and Ba, J. (2015). Adam: A method for stochastic optimization. *International Conference on Learning
    Representations*.

    Keras, whose :math:`\epsilon` is the "epsilon hat" of the article: https://keras.io/api/optimizers/adam/
    """

    beta_1: float
    beta_2: float
    epsilon: float
    slots = 2

    def update(self, step, rate, gradient, weight, mean, square):
        """Return the new weight and the new means; ``step`` counts from 0."""
        count = tf.cast(step + 1, tf.float32)
        rate = rate * tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
        mean = mean + (gradient - mean) * (1 - self.beta_1)
        square = square + (gradient * gradient - square) * (1 - self.beta_2)
        return weight - rate * mean / (tf.sqrt(square) + self.epsilon), mean, square


@dataclass(frozen=True)
class Recipe:
    """What to train: as much of a model as decides which program has to be compiled."""

    features: int
    layers: tuple[Dense, ...]
    loss: Loss
    optimizer: SGD | Adam

    @property
    def outputs(self) -> int:
        return self.layers[-1].units


def recipe_of(model) -> Recipe:
    """Return what the model says to train, or raise an error that names what a sweep cannot do.

    Parameters
    ----------
    model : keras.Sequential
        As for :func:`lrlib.sweep.sweep`. It is only read; its weights and the value of its learning rate play no part.

    Returns
    -------
    Recipe

    Raises
    ------
    TypeError
        If it is no ``keras.Sequential``.
    ValueError
        If it is not compiled or does not know its input; if a layer is not a plain, trainable ``Dense`` in float32; if
        an activation or the loss mixes samples, the loss is not one mean over the samples or is weighted; if the
        optimizer is neither ``SGD`` nor ``Adam``, has a schedule, or a setting that a sweep does not know.
    """
    layers = dense_layers(model)
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(f"model must be compiled with an optimizer and a loss, got {model!r}")
    kinds = tuple(Dense(layer.units, layer.use_bias, _key(layer.activation), layer.activation) for layer in layers)
    recipe = Recipe(model.input_shape[-1], kinds, _loss(model), _optimizer(model.optimizer))
    _check_each_by_itself(model, recipe)
    return recipe


def dense_layers(model) -> list:
    """Return the layers of a model that a sweep can train, or raise the errors of :func:`recipe_of` on layers."""
    if type(model) is not keras.Sequential:
        raise TypeError(
            f"model must be a keras.Sequential of Dense layers, others are not supported yet, got {model!r}"
        )
    if not model.built:
        raise ValueError("model must know the shape of its input: begin it with keras.Input")
    for layer in model.layers:
        extras = [name for name in EXTRAS if getattr(layer, name, None) is not None]
        if isinstance(layer, keras.layers.Dense) and isinstance(layer.activation, keras.layers.Layer):
            extras.append("a layer for its activation")
        if type(layer) is not keras.layers.Dense or extras or len(layer.weights) != 1 + layer.use_bias:
            what = f"{type(layer).__name__} with {extras[0]}" if extras else type(layer).__name__
            raise ValueError(
                f"model may have plain Dense layers only, others are not supported yet, got {what} {layer.name!r}"
            )
        if not layer.trainable or layer.compute_dtype != "float32":
            what = layer.compute_dtype if layer.trainable else "trainable=False"
            raise ValueError(f"model's layers must be trainable, in float32, got {layer.name!r} with {what}")
    return model.layers


def _loss(model) -> Loss:
    loss = model.loss
    if loss is None or isinstance(loss, (dict, list, tuple)):
        raise ValueError(f"model must be compiled with one loss, got {loss!r}")
    of_samples = function = loss = keras.losses.get(loss)
    key = _key(loss)
    if isinstance(loss, keras.losses.Loss):
        if loss.reduction not in ("sum_over_batch_size", "mean"):
            raise ValueError(f"model's loss must be averaged over the batch, got reduction {loss.reduction!r}")
        if _is_keras_s(loss):
            # not its configuration, which in some losses lacks a setting
            key = type(loss), json.dumps(vars(loss), sort_keys=True, default=str)
        of_samples, function = loss.call, getattr(loss, "fn", None)
    known = function if _is_keras_s(loss) else None
    sparse_kind = keras.losses.SparseCategoricalCrossentropy
    sparse = isinstance(loss, sparse_kind) or known is keras.losses.sparse_categorical_crossentropy
    return Loss(key, of_samples, sparse, known)


def _is_keras_s(thing) -> bool:
    return (getattr(thing, "__module__", None) or "").startswith("keras.")


def _key(function):
    # what a function of the reader's own does may change from one sweep to the next, so its key equals no other
    return function if _is_keras_s(function) else object()


def _check_each_by_itself(model, recipe: Recipe) -> None:
    """Refuse a loss or an activation that would mix lanes or samples, by trying it on two lanes."""
    samples = recipe.outputs + 1
    random = np.random.default_rng(0)
    outputs = random.uniform(0.1, 0.9, (2, samples, recipe.outputs)).astype(np.float32)
    sparse = np.tile(np.arange(samples, dtype=np.int32) % recipe.outputs, (2, 1))
    labels = sparse if recipe.loss.sparse else random.integers(0, 2, outputs.shape).astype(np.float32)
    losses = tf.convert_to_tensor(recipe.loss.of_samples(labels, outputs))
    alone = [model.compute_loss(y=labels[lane], y_pred=outputs[lane]) for lane in (0, 1)]
    if losses.shape != (2, samples) or not np.allclose(tf.reduce_mean(losses, axis=-1), alone, rtol=1e-4):
        raise ValueError(
            "model's loss must be the mean of one number for each sample, without weights or samples to ignore, "
            f"got {model.loss!r}"
        )
    for layer in recipe.layers:
        if layer.key is layer.activation:  # Keras's own are sound
            continue
        values = random.normal(size=(2, layer.units + 1, layer.units)).astype(np.float32)
        together, alone = layer.activation(values), [layer.activation(values[lane]) for lane in (0, 1)]
        if not np.allclose(together, alone, rtol=1e-4, atol=1e-6):
            raise ValueError(f"model's activations must treat each sample by itself, got {layer.activation!r}")


def _optimizer(optimizer) -> SGD | Adam:
    known = {keras.optimizers.SGD: SGD, keras.optimizers.Adam: Adam}.get(type(optimizer))
    if known is None:
        raise ValueError(f"optimizer must be SGD or Adam, others are not supported yet, got {type(optimizer).__name__}")
    if not isinstance(keras_hooks.learning_rate_given(optimizer), keras.Variable):
        raise ValueError(
            "optimizer must not have a schedule, which a sweep would not use: give it to the sweep, as schedule=, "
            "which multiplies every learning rate"
        )
    config = optimizer.get_config()
    settings = {name: config.pop(name) for name in known.__dataclass_fields__}
    # the moving average of the weights is off by default, and its two settings mean nothing then
    ignored = ("name", "learning_rate", "ema_momentum", "ema_overwrite_frequency")
    for name, value in config.items():
        if name not in ignored and value not in (None, False):
            raise ValueError(f"optimizer's {name} is not supported yet, got {value!r}")
    return known(**settings)
