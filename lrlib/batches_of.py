"""Batches of whatever people train on: arrays, a dataset, a generator, each as rows of batches without an end.

Nothing is copied but the samples of a batch, when its turn comes, and nothing is cast but floats to Keras's float type,
as ``fit`` does it with arrays.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from lrlib import _checks
from lrlib.datasets import Data, each, epochs
from lrlib.streams import stream

NAMES = "x", "y", "weights"
TENSORS = tf.Tensor, tf.RaggedTensor, tf.SparseTensor


@dataclass(frozen=True, eq=False)
class Batches:
    """Some data as passes, each of which goes through them once, batch by batch.

    Attributes
    ----------
    source : object
        Has ``passes(seed)``, see :meth:`passes`.
    number : int or None
        The batches in a pass, None if only going through them tells.
    endless : bool
        Whether a pass is known to have no end.
    class_weight : dict or None
        What a sample counts, by its class.
    """

    source: object
    number: int | None = None
    endless: bool = False
    class_weight: Mapping | None = None

    def passes(self, seed: int) -> Iterator[Iterator]:
        """Yield the passes: for ever, or one where the data cannot begin again.

        Parameters
        ----------
        seed : int
            The order of the samples, or of the batches, where the data leave it open.
        """
        for one_pass in self.source.passes(seed):
            yield map(self.ready, one_pass)

    def ready(self, batch):
        """Return a batch in the form of what ``fit`` hands to a training step."""
        batch = _checked(batch)
        return batch if self.class_weight is None else _weighted(batch, self.class_weight)


def batches_of(data, batch_size: int | None = None, class_weight: Mapping | None = None) -> Batches:
    """Return data as batches: one idea of what can be trained on, for whoever trains a batch at a time.

    Parameters
    ----------
    data : Data, tuple, array, tf.data.Dataset, keras.utils.PyDataset or iterable
        The training part of an :class:`lrlib.datasets.Data`; ``(x, y)`` or ``(x, y, weights)``, or ``x`` alone, where
        each is an array, a data frame, a tensor, or several in a list, a tuple or a dictionary; or what has batches
        already: a dataset, or any iterable of tuples such as these.
    batch_size : int, optional
        The samples in a batch: for arrays, and for nothing else.
    class_weight : dict, optional
        As in ``fit``: how much a sample of a class counts, 1 for a class that is not named.

    Returns
    -------
    Batches

    Raises
    ------
    TypeError, ValueError
        If ``data`` are none of these; if arrays are empty or differ in length; if ``batch_size`` is missing for arrays,
        larger than their number of samples, or given for what has batches; if ``class_weight`` is no dictionary of
        numbers that are not negative.

    Examples
    --------
    >>> data = batches_of((np.arange(6), np.arange(6) > 2), batch_size=3)
    >>> x, y = next(next(data.passes(seed=0)))
    >>> print(x, y)
    [2 3 1] [False  True False]
    """
    found = _arrays(data, batch_size) if _is_arrays(data) else _with_batches(data, batch_size)
    if class_weight is None:
        return found
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight must be a dictionary of numbers, as {{0: 1.0, 1: 5.0}}, got {class_weight!r}")
    weights = {
        _checks.whole("class_weight's class", kind, at_least=0): _checks.non_negative(f"class_weight[{kind!r}]", value)
        for kind, value in class_weight.items()
    }
    return replace(found, class_weight=weights)


# What has batches


def _with_batches(data, batch_size) -> Batches:
    if isinstance(data, (str, bytes)) or not (hasattr(data, "__iter__") or isinstance(data, keras.utils.PyDataset)):
        raise TypeError(
            "data must be an lrlib.datasets.Data, arrays such as (x, y), a tf.data.Dataset, a keras.utils.PyDataset, "
            f"or an iterable of batches, got {type(data).__name__}"
        )
    if batch_size is not None:
        raise ValueError(
            f"batch_size must not be given for data that have batches already, got {batch_size!r} with "
            f"{type(data).__name__}"
        )
    if isinstance(data, keras.utils.PyDataset):
        return Batches(_Indexed(data), data.num_batches, data.num_batches is None)
    if isinstance(data, tf.data.Dataset):
        if any(part.shape.rank == 0 for part in tf.nest.flatten(data.element_spec) if hasattr(part, "shape")):
            raise ValueError(f"data must be batched, data.batch(32), got single samples: {data.element_spec}")
        number = int(data.cardinality())
        return Batches(_Again(data), number if number >= 0 else None, number == tf.data.INFINITE_CARDINALITY)
    if isinstance(data, Iterator):
        return Batches(_Once(data), endless=True)
    return Batches(_Again(data))


@dataclass(frozen=True)
class _Again:
    """What can be gone through again and again."""

    data: object

    def passes(self, seed):
        while True:
            yield iter(self.data)


@dataclass(frozen=True)
class _Once:
    """What is gone when it has been taken; several callers share what comes."""

    data: Iterator

    def passes(self, seed):
        yield self.data


@dataclass(frozen=True)
class _Indexed:
    """A PyDataset, whose batches come in any order, as in ``fit``; its own workers have no part in it."""

    data: keras.utils.PyDataset

    def passes(self, seed):
        random = stream(seed, "order of batches")
        while True:
            number = self.data.num_batches
            self.data.on_epoch_begin()
            yield map(
                self.data.__getitem__, itertools.count() if number is None else random.permutation(number).tolist()
            )
            self.data.on_epoch_end()


def _checked(batch):
    """Return a batch with arrays and tensors in it, in the form of what ``fit`` hands to a training step."""
    batch = tuple(batch) if isinstance(batch, list) else batch
    if isinstance(batch, tuple) and not 1 <= len(batch) <= 3:
        raise ValueError(f"a batch must be (x,), (x, y) or (x, y, weights), got a tuple of {len(batch)}")
    return tuple(map(_each_part, batch)) if isinstance(batch, tuple) else _each_part(batch)


def _each_part(part):
    if isinstance(part, Mapping):
        return {name: _each_part(value) for name, value in part.items()}
    if isinstance(part, (list, tuple)) and not _are_numbers(part):
        return type(part)(map(_each_part, part))
    if part is None or isinstance(part, TENSORS):
        return part
    part = _plain(part)
    if part.shape == ():
        raise ValueError(f"data must be batched, but a batch holds the single value {part!r}")
    return part


def _are_numbers(part) -> bool:
    """Whether a list is one array, and not several in a list."""
    while isinstance(part, (list, tuple)) and part:
        part = part[0]
    return np.isscalar(part)


def _weighted(batch, class_weight: Mapping):
    x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
    if weights is not None or y is None or isinstance(y, (Mapping, list, tuple)):
        got = "weights of samples too" if weights is not None else "none" if y is None else "several"
        raise ValueError(f"class_weight must come with labels of one output and no other weights, got {got}")
    classes = np.asarray(y)
    if classes.ndim > 1:
        classes = classes.argmax(axis=-1) if classes.shape[-1] > 1 else classes[..., 0]
    return x, y, np.vectorize(lambda kind: class_weight.get(int(kind), 1.0), [keras.config.floatx()])(classes.round())


# Arrays


def _is_arrays(data) -> bool:
    if isinstance(data, list):  # of batches, which are tuples, or a pair
        return len(data) in (2, 3) and not all(isinstance(part, tuple) for part in data)
    return isinstance(data, (Data, tuple, dict, *TENSORS)) or hasattr(data, "__array__")


def _arrays(data, batch_size) -> Batches:
    parts = _parts(data)
    shapes = {name: _shapes(part) for name, part in zip(NAMES, parts, strict=False)}
    lengths = {shape[0] for shape in itertools.chain(*shapes.values())}
    if len(lengths) > 1:
        told = ", ".join(f"{name} {', '.join(map(str, of_part))}" for name, of_part in shapes.items())
        raise ValueError(f"x and y must have equal lengths, but their shapes are: {told}")
    if not (number := lengths.pop()):
        raise ValueError(f"x must hold at least one sample, got shape {shapes['x'][0]}")
    if batch_size is None:
        raise ValueError("batch_size must be given for arrays, got None")
    batch_size = _checks.whole("batch_size", batch_size, at_least=1)
    if batch_size > number:
        raise ValueError(f"batch_size must be at most {number}, the number of samples, got {batch_size}")
    return Batches(Rows(parts, number, batch_size), number // batch_size)


@dataclass(frozen=True)
class Rows:
    """Arrays, of which every batch takes its rows, chosen as in a sweep."""

    parts: tuple
    samples: int
    batch_size: int

    def orders(self, seed: int) -> Iterator[np.ndarray]:
        """Yield the rows of every batch, pass by pass."""
        return epochs(self.samples, self.batch_size, seed)

    def passes(self, seed):
        for order in self.orders(seed):
            yield map(self.batch, order)

    def batch(self, chosen):
        """Return some rows."""
        return keras.utils.pack_x_y_sample_weight(
            *(each(lambda array: _plain(_taken(array, chosen)), part) for part in self.parts)
        )


def _parts(data) -> tuple:
    data = data.of("train") if isinstance(data, Data) else tuple(data) if isinstance(data, (tuple, list)) else (data,)
    if not 1 <= len(data) <= 3:
        raise TypeError(f"data must be (x,), (x, y) or (x, y, weights), got a tuple of {len(data)}")
    data = data[:2] if len(data) == 3 and data[2] is None else data
    data = data[:1] if len(data) == 2 and data[1] is None else data
    if len(data) > 1:
        x, y = data[:2]
        data = (_columns(x, y), _columns(y, x), *data[2:])
    return tuple(
        each(lambda array, name=name: _array(name, array), part) for name, part in zip(NAMES, data, strict=False)
    )


def _columns(part, other):
    """Return a list of vectors as several inputs or outputs, where the other part says that it has no rows of one."""
    number = _number(other)
    return tuple(part) if _are_vectors(part) and len(part) != number == len(part[0]) else part


def _are_vectors(part) -> bool:
    return isinstance(part, list) and all(hasattr(one, "__array__") and np.ndim(one) == 1 for one in part)


def _number(part) -> int | None:
    """Return how many samples a part holds, vectors taken for several inputs or outputs."""
    if isinstance(part, Mapping):
        return _number(next(iter(part.values()), None))
    if _are_vectors(part) or isinstance(part, (list, tuple)) and part and hasattr(part[0], "__array__"):
        return _number(part[0] if np.ndim(part[0]) else None)
    shape = (len(part),) if isinstance(part, (list, tuple)) else getattr(part, "shape", ())
    return shape[0] if len(shape) else None


def _array(name: str, values):
    """Return what rows can be taken of: an array, a tensor or a frame as it is, of anything else an array."""
    if isinstance(values, (np.ndarray, tf.Tensor, tf.RaggedTensor)) or hasattr(values, "iloc"):
        array = values
    else:
        try:
            array = np.asarray(values)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be an array, got {type(values).__name__}: {error}") from None
        if array.dtype.kind == "O" and array.ndim == 0 or array.dtype.kind == "V":
            raise TypeError(f"{name} must be a dense array of numbers or texts, got {type(values).__name__}")
    if len(array.shape) == 0:
        raise ValueError(f"{name} must hold at least one sample, got shape ()")
    return array


def _shapes(part) -> list[tuple]:
    found = []
    each(lambda array: found.append(tuple(array.shape)), part)
    return found


def _taken(array, chosen):
    if hasattr(array, "iloc"):
        taken = array.iloc[chosen].to_numpy()
        return taken[:, None] if taken.ndim == 1 else taken  # a column is a column, as in fit
    return tf.gather(array, chosen) if isinstance(array, TENSORS) else array[chosen]


def _plain(values):
    """Return an array as Keras takes it: floats in its float type, Python's numbers as floats, texts as texts."""
    if isinstance(values, TENSORS):
        return values
    array = np.asarray(values)
    if array.dtype.kind == "O" and not isinstance(array.flat[0] if array.size else "", (str, bytes)):
        try:
            return array.astype(keras.config.floatx())
        except (TypeError, ValueError) as error:
            raise TypeError(f"data must hold numbers or texts, but a batch holds something else: {error}") from None
    if array.dtype.kind == "f" and array.dtype != keras.config.floatx():
        return array.astype(keras.config.floatx())
    return array
