"""Lanes: which networks a sweep trains, and where the randomness of each comes from."""

import inspect
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from lrlib import _checks, keras_hooks
from lrlib.streams import stream

KEPT = 2**26  # bytes of weights that were drawn, to be taken again by another sweep of the model


def initial_weights(model: keras.Model, seed: int) -> list[np.ndarray]:
    """Draw the weights that a sweep starts from, from the initializers of the model's layers.

    Parameters
    ----------
    model : keras.Model
        As in :func:`lrlib.sweep.sweep`. It is only read; a seed of an initializer's own is not used. Layers that are
        frozen or adapted (``trainable=False``, ``Normalization``) keep their values.
    seed : int
        The sweep's seed. The same seed gives the same weights.

    Returns
    -------
    list of numpy.ndarray
        In the order of ``model.get_weights()``: ``model.set_weights(initial_weights(model, seed))`` starts Keras there.

    Raises
    ------
    ValueError
        If the model has no weights yet, or cannot be made a second time from its ``get_config``.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> [weights.tolist() for weights in initial_weights(model, seed=0)]
    [[[1.0], [1.0]], [0.0]]
    """
    return Start(model).of_seed(seed)[: len(model.weights)]


class Start:
    """Where the lanes of a model start: its variables with their initializers, which Keras forgets."""

    def __init__(self, model):
        if not model.built:
            raise ValueError(
                "model must know the shape of its input: begin it with keras.Input, or call it on samples first"
            )
        self.variables = keras_hooks.variables_of(model)
        self.fixed = {id(variable) for variable in fixed_variables(model)}
        self.kept = {}
        python_s = random.getstate()  # Keras draws seeds from Python's generator, which is the user's
        try:
            with keras_hooks.initializers_noted() as noted, _its_own_classes(model):
                twins = dict(_twins(model))
        finally:
            random.setstate(python_s)
        self.initializers = {key: _initializer(twin, *noted.get(id(twin), (twin, None))) for key, twin in twins.items()}
        for variable in self.variables:
            if id(variable) not in self.initializers and id(variable) not in self.fixed:
                raise ValueError(
                    f"model must say how {variable.path!r} starts, but the layer that owns it cannot be made again "
                    "from its get_config(): write one, see keras.Layer"
                )

    def of_seed(self, seed: int) -> list[np.ndarray]:
        """Return the value of each variable at the start of a seed's lanes; of the fixed ones their own."""
        seed, start = _checks.whole("seed", seed, at_least=0), []
        for place, variable in enumerate(self.variables):  # the weights, then the states of random numbers
            value = variable if id(variable) in self.fixed else self.initializers[id(variable)]
            if is_random_state(variable):
                number = stream(seed, f"random numbers {place}").integers(2**31)
                value = keras.ops.convert_to_tensor([number, 0], variable.dtype)
            elif "seed" in (config := getattr(value, "get_config", dict)()):
                value = self._drawn(place, variable, type(value), config, seed)
            value = value(variable.shape, dtype=variable.dtype) if callable(value) else value
            start.append(value.numpy() if isinstance(value, keras.Variable) else keras.ops.convert_to_numpy(value))
        return start

    def _drawn(self, place, variable, initializer, config, seed) -> np.ndarray:
        """Return what an initializer draws for a seed, as it was drawn before if it is kept."""
        if (value := self.kept.get((place, seed))) is None:
            own_seed = stream(seed, f"initial weights {place}").integers(2**32)
            draw = initializer.from_config({**config, "seed": int(own_seed)})
            value = keras.ops.convert_to_numpy(draw(variable.shape, dtype=variable.dtype))
            room = KEPT - value.nbytes
            if sum(other.nbytes for other in list(self.kept.values())) > room:
                self.kept.clear()
            if room >= 0:
                self.kept[place, seed] = value
        return value


def _twins(layer) -> Iterator[tuple]:
    """Pair the variables of a layer, or of the layers in it, with those of one that is made again just like it."""
    try:
        config = layer.get_config()
        functions = {name: value for name, value in vars(layer).items() if name in config and inspect.isfunction(value)}
        twin = type(layer).from_config(config | functions)
        if not twin.built:
            twin.build_from_config(layer.get_build_config())
        mine, its = keras_hooks.variables_of(layer), keras_hooks.variables_of(twin)
        if [v.shape for v in mine] == [v.shape for v in its]:
            yield from ((id(a), b) for a, b in zip(mine, its, strict=True))
            return
    except Exception:  # whatever a class of the user's own does when it is made without its arguments
        pass
    for part in layer._layers:
        yield from _twins(part)


def _initializer(variable, initializer, at_first):
    """Return what a variable starts from: its initializer, or what the layer has set it to since, such as a table."""
    now = variable.value.numpy()
    return initializer if at_first is None or np.array_equal(at_first, now, equal_nan=True) else now


def is_random_state(variable) -> bool:
    """Whether a variable is the state of a layer's random numbers."""
    return variable.name == "seed_generator_state"


def fixed_variables(model) -> list:
    """Return what training leaves alone: the variables of layers that are frozen, or adapted beforehand."""
    layers = [layer for layer in model._flatten_layers() if not layer.trainable or hasattr(layer, "adapt")]
    fixed = {id(v) for layer in layers for v in layer.variables if not is_random_state(v)}
    fixed |= {id(v) for v in keras_hooks.made_to_be_trained(model)}  # and are not: one by one, as with LoRA
    return [v for v in model.non_trainable_variables if id(v) in fixed]


@contextmanager
def _its_own_classes(model):
    """Let Keras find the classes that a model is made of, wherever they were written."""
    own = {type(part).__name__: type(part) for part in [model, *model._flatten_layers()]}
    with keras.saving.custom_object_scope(own), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about functions without a name, which are given as they are
        yield
