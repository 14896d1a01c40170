"""Datasets: small real data, split and scaled the same way everywhere.

The three sets come inside scikit-learn, so nothing is downloaded. Only the functions that load them need it; ``Data``
holds arrays of your own as well.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lrlib import _checks
from lrlib._modules import from_extra
from lrlib.streams import stream

PARTS = "train", "validation", "test"
HELD_OUT = 0.2  # the share of the samples in the validation part, and again in the test part


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Samples and labels in three parts: train on the first, choose by the second, report on the third.

    Parameters
    ----------
    name : str
        What to call it.
    x_train, x_validation, x_test : array_like, shape (samples, ...)
        The samples; kept as float32. For a model with several inputs a list, a tuple or a dictionary of them.
    y_train, y_validation, y_test : array_like, shape (samples,) or (samples, outputs)
        The labels: kept as int32 if they are integers, else as float32. For several outputs as many of them.
    classes : int, optional
        The number of classes; None for a regression.
    weights_train, weights_validation, weights_test : array_like, shape (samples,), optional
        How much each sample counts in the loss; None if all count the same. Where one part has weights, those of the
        others are 1 if they are not given.

    Raises
    ------
    ValueError
        If a part is empty, its samples and labels differ in number, its samples have another shape than those of the
        training part, or a number is not finite.

    Notes
    -----
    The arrays are read-only copies. ``dataclasses.replace(data, y_train=...)`` makes a changed one.

    Examples
    --------
    >>> x, y = np.eye(3), [0, 1, 1]
    >>> Data("three points", x, y, x, y, x, y, classes=2)
    <Data 'three points': 3 + 3 + 3 samples of shape (3,), 2 classes>
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: int | None = None
    weights_train: np.ndarray | None = None
    weights_validation: np.ndarray | None = None
    weights_test: np.ndarray | None = None

    def __post_init__(self):
        weights = next((w for w in (getattr(self, f"weights_{part}") for part in PARTS) if w is not None), None)
        for part in PARTS:
            names = f"x_{part}", f"y_{part}", f"weights_{part}"
            given = [getattr(self, name) for name in names]
            found = [*samples(*names[:2], *given[:2]), given[2]]
            if weights is not None and given[2] is None:
                ones = np.ones(count(found[0]), np.float32)
                found[2] = each(lambda _, ones=ones: ones, weights)
            elif weights is not None:
                found[2] = _weights(names[0], names[2], given[0], given[2])
            for name, arrays in zip(names, found, strict=True):
                object.__setattr__(self, name, None if arrays is None else each(_kept, arrays))
            mine, first = (each(lambda array: array.shape[1:], self.of(which)[:2]) for which in (part, "train"))
            if mine != first:
                raise ValueError(f"{names[0]} and {names[1]} must have the shapes of the training part's but in number")
        if self.classes is not None:
            _checks.whole("classes", self.classes, at_least=2)

    def of(self, part: str) -> tuple:
        """Return samples, labels and, if there are any, weights of a part: what Keras takes as one batch."""
        x, y, weights = (getattr(self, f"{kind}_{part}") for kind in ("x", "y", "weights"))
        return (x, y) if weights is None else (x, y, weights)

    def __repr__(self):
        numbers = " + ".join(str(count(self.of(part))) for part in PARTS)
        kind = "regression" if self.classes is None else f"{self.classes} classes"
        return f"<Data {self.name!r}: {numbers} samples of shape {each(lambda x: x.shape[1:], self.x_train)}, {kind}>"


def digits(label_noise: float = 0.0, seed: int = 0) -> Data:
    """Handwritten digits: 1797 images of 8 × 8 pixels in 10 classes.

    The pixels are divided by the largest one of the training part, 16, so that they lie between 0 and 1.

    Parameters
    ----------
    label_noise : float
        The share of training labels to draw anew, see :func:`with_label_noise`.
    seed : int
        Which samples come into which part.

    Returns
    -------
    Data
        1079 training, 359 validation and 359 test samples of 64 numbers.

    Raises
    ------
    ValueError
        If ``label_noise`` is not between 0 and 1, or ``seed`` is not a non-negative integer.

    References
    ----------
    Alpaydin, E. and Kaynak, C. (1998). Optical Recognition of Handwritten Digits. UCI Machine Learning Repository.

    Examples
    --------
    >>> digits()
    <Data 'digits': 1079 + 359 + 359 samples of shape (64,), 10 classes>
    """
    return _bundled("digits", "load_digits", _to_one, label_noise, seed, classes=10)


def breast_cancer(label_noise: float = 0.0, seed: int = 0) -> Data:
    """Breast tumours, benign or malignant: 569 samples of 30 measurements in 2 classes.

    Each measurement is shifted and scaled to mean 0 and standard deviation 1 in the training part.

    Parameters
    ----------
    label_noise : float
        The share of training labels to draw anew, see :func:`with_label_noise`.
    seed : int
        Which samples come into which part.

    Returns
    -------
    Data
        343 training, 113 validation and 113 test samples of 30 numbers.

    Raises
    ------
    ValueError
        If ``label_noise`` is not between 0 and 1, or ``seed`` is not a non-negative integer.

    References
    ----------
    Wolberg, W., Mangasarian, O., Street, N. and Street, W. (1995). Breast Cancer Wisconsin (Diagnostic). UCI Machine
    Learning Repository.

    Examples
    --------
    >>> breast_cancer()
    <Data 'breast cancer': 343 + 113 + 113 samples of shape (30,), 2 classes>
    """
    return _bundled("breast cancer", "load_breast_cancer", _to_standard, label_noise, seed, classes=2)


def diabetes(label_noise: float = 0.0, seed: int = 0) -> Data:
    """Diabetes a year on: 442 patients, 10 measurements, and a number for how far the disease has come.

    Measurements and labels are shifted and scaled to mean 0 and standard deviation 1 in the training part, so the
    best constant prediction has a squared error of 1 there.

    Parameters
    ----------
    label_noise : float
        The share of training labels to draw anew, see :func:`with_label_noise`.
    seed : int
        Which samples come into which part.

    Returns
    -------
    Data
        266 training, 88 validation and 88 test samples of 10 numbers.

    Raises
    ------
    ValueError
        If ``label_noise`` is not between 0 and 1, or ``seed`` is not a non-negative integer.

    References
    ----------
    Efron, B., Hastie, T., Johnstone, I. and Tibshirani, R. (2004). Least angle regression. *Annals of Statistics* 32,
    407-499.

    Examples
    --------
    >>> diabetes()
    <Data 'diabetes': 266 + 88 + 88 samples of shape (10,), regression>
    """
    return _bundled("diabetes", "load_diabetes", _to_standard, label_noise, seed, classes=None)


def with_label_noise(y, label_noise: float, seed: int) -> np.ndarray:
    """Return labels of which a share, picked at random, is drawn anew from all the labels.

    The drawing is with replacement, so the labels keep their frequencies on average, and in a set of :math:`K` equally
    frequent classes one in :math:`K` of the labels drawn anew comes out as it was.

    In ``Data`` only the training labels are made noisy. Validation and test labels stay clean, so that they measure
    what was learned of the truth and not of the noise. In practice noise does not spare the validation part: there a
    choice by it is less certain than it is here.

    Parameters
    ----------
    y : array_like, shape (samples, ...)
        The labels.
    label_noise : float
        The share of labels to draw anew, 0 to 1; their number is rounded.
    seed : int
        Which ones, and what they become.

    Returns
    -------
    numpy.ndarray
        The labels, in the shape and dtype of ``y``.

    Raises
    ------
    ValueError
        If ``label_noise`` is not between 0 and 1, or ``seed`` is not a non-negative integer.

    Examples
    --------
    >>> with_label_noise([0, 1, 2, 3, 4, 5, 6, 7], label_noise=0.5, seed=0)
    array([1, 1, 1, 3, 0, 5, 6, 7])
    """
    if not 0 <= _checks.finite("label_noise", label_noise) <= 1:
        raise ValueError(f"label_noise must be between 0 and 1, got {label_noise!r}")
    y = np.array(y)
    random = stream(seed, "label noise")
    anew = random.permutation(len(y))[: round(label_noise * len(y))]
    y[anew] = random.choice(y, size=len(anew))
    return y


def as_data(data) -> Data:
    """Return what was given as data in three parts: one idea of what counts as data, wherever lrlib asks for it.

    Parameters
    ----------
    data : Data, pair or triple
        ``Data``, which is returned as it is, or ``(x, y)``, samples and labels, or ``(x, y, weights)``, see there. They
        are shuffled and split as the bundled sets are, a fifth each for validation and test; nothing is scaled. Labels
        that are integers from 0 upwards, one for each sample, count as classes.

    Returns
    -------
    Data

    Raises
    ------
    TypeError, ValueError
        If it is neither; if a pair has fewer than five samples; as for ``Data``.

    Examples
    --------
    >>> as_data((np.ones((10, 3)), np.arange(10) % 2))
    <Data '(x, y)': 6 + 2 + 2 samples of shape (3,), 2 classes>
    """
    if isinstance(data, Data):
        return data
    weights = None
    if isinstance(data, (tuple, list)) and len(data) == 3:
        *data, weights = data
    x, y = training_part(data)
    whole = (x, y) if weights is None else (x, y, _weights("x", "weights", x, weights))
    number = count(whole)
    if number < 1 / HELD_OUT:
        raise ValueError(f"data must have at least {1 / HELD_OUT:g} samples to be split in three, got {number}")
    parts = [each(lambda array, rows=rows: array[rows], whole) for rows in _split(number, seed=0)]
    of_classes = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind == "i" and y.min() >= 0 and y.max() > 0
    named = {f"weights_{part}": values[2] for part, values in zip(PARTS, parts, strict=True) if weights is not None}
    return Data(
        "(x, y)", *(v for values in parts for v in values[:2]), int(y.max()) + 1 if of_classes else None, **named
    )


def training_part(data) -> tuple[np.ndarray, np.ndarray]:
    """Return the samples and labels to train on: the training part of ``Data``, or all of a pair ``(x, y)``.

    Parameters
    ----------
    data : Data or pair

    Returns
    -------
    x, y : numpy.ndarray
        In the types that ``Data`` keeps.

    Raises
    ------
    TypeError, ValueError
        If it is neither; as for ``Data``.
    """
    if isinstance(data, Data):
        return data.x_train, data.y_train
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise TypeError(f"data must be an lrlib.datasets.Data or a pair (x, y), got {type(data).__name__}")
    return samples("x", "y", *data)


def samples(x_name: str, y_name: str, x, y) -> tuple:
    """Return samples and labels as arrays for training, or raise an error that names them."""
    x, y = _several(x, y), _several(y, x)
    x, y = each(functools.partial(_samples, x_name), x), each(functools.partial(_labels, y_name), y)
    if len(lengths := {len(array) for array in (*_arrays(x), *_arrays(y))}) > 1:
        shapes = each(np.shape, x), each(np.shape, y)
        raise ValueError(f"{x_name} and {y_name} must have equal lengths, got shapes {shapes[0]} and {shapes[1]}")
    if not lengths:
        raise ValueError(f"{x_name} must hold at least one sample, got {x!r}")
    return x, y


def _several(values, beside):
    """Return a list of arrays with an entry for each sample as a tuple, for it is not the rows of one array."""
    if not isinstance(values, list) or not all(hasattr(one, "__array__") and np.ndim(one) for one in values):
        return values
    while _are_several(beside) and beside:
        beside = next(iter(beside.values() if isinstance(beside, dict) else beside))
    number = len(beside) if isinstance(beside, list) or np.ndim(beside) else 0
    return tuple(values) if {len(one) for one in values} == {number} != {len(values)} else values


def _weights(x_name: str, name: str, x, weights):
    return each(lambda array: array.astype(np.float32), samples(x_name, name, x, weights)[1])


def _samples(name: str, values) -> np.ndarray:
    given = _numbers(name, values)
    x = given.astype(np.float32)
    if given.dtype.kind in "iu" and (other := given[given != x]).size:
        raise ValueError(
            f"{name} must hold integers that float32 can hold, got {other[0]}: if they are quantities give floats, if "
            "they are names number them from 0"
        )
    if x.ndim == 0 or x.size == 0:
        raise ValueError(f"{name} must hold at least one sample, got shape {x.shape}")
    return _finite(name, x)


def _labels(name: str, values) -> np.ndarray:
    y = _numbers(name, values)
    if y.dtype.kind in "iu" and y.size and not (-(2**31) <= y.min() and y.max() < 2**31):
        raise ValueError(f"{name} must hold integers of 32 bits or floats, got {y.min()} to {y.max()}")
    if y.ndim == 0:
        raise ValueError(f"{name} must hold an entry for each sample, got shape {y.shape}")
    return _finite(name, y.astype(np.int32 if y.dtype.kind in "iu" else np.float32))


def _finite(name: str, array: np.ndarray) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")
    return array


def each(function: Callable, arrays):
    """Apply a function to an array, or to each of several in a dictionary, a list or a tuple."""
    if isinstance(arrays, dict):
        return {name: each(function, value) for name, value in arrays.items()}
    if _are_several(arrays):
        return type(arrays)(each(function, value) for value in arrays)
    return function(arrays)


def _are_several(arrays) -> bool:
    if not isinstance(arrays, (list, tuple)):
        return isinstance(arrays, dict)
    least = 2 if isinstance(arrays, list) else 1  # a list of one-dimensional arrays is the rows of one
    return all(hasattr(one, "__array__") and np.ndim(one) >= least or _are_several(one) for one in arrays)


def _arrays(several) -> list[np.ndarray]:
    found = []
    each(found.append, several)
    return found


def count(several) -> int:
    """Return the number of samples in an array, or in several."""
    return len(_arrays(several)[0])


def _kept(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.setflags(write=False)
    return array


def batches(samples: int, batch_size: int, steps: int, seed: int) -> np.ndarray:
    """Return which samples a sweep takes at each step.

    Every epoch goes through the samples once, in a new order. What is left over when a batch is no longer full is
    left out of that epoch.

    Parameters
    ----------
    samples, batch_size, steps : int
        The number of samples, of those in a batch, and of batches.
    seed : int
        The sweep's seed.

    Returns
    -------
    numpy.ndarray, shape (steps, batch_size), int32
        The positions of the samples.

    Raises
    ------
    ValueError
        If a batch is larger than all the samples, a number is not a positive integer, or ``seed`` not an integer of at
        least 0.

    Examples
    --------
    >>> batches(samples=4, batch_size=2, steps=2, seed=0).ravel()
    array([1, 2, 3, 0], dtype=int32)
    """
    samples, batch_size, steps = (
        _checks.whole(name, value, at_least=1)
        for name, value in (("samples", samples), ("batch_size", batch_size), ("steps", steps))
    )
    if batch_size > samples:
        raise ValueError(f"batch_size must be at most {samples}, the number of samples, got {batch_size}")
    some = itertools.islice(epochs(samples, batch_size, seed), -(-steps // (samples // batch_size)))
    return np.concatenate(list(some))[:steps]


def epochs(samples: int, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the orders of :func:`batches` without an end, epoch by epoch: arrays of shape (batches, batch_size)."""
    random = stream(seed, "batches")
    while True:
        order = random.permutation(samples)[: samples // batch_size * batch_size]
        yield order.reshape(-1, batch_size).astype(np.int32)


def _numbers(name: str, values) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind in "OV" and array.ndim:  # Python's numbers, or bfloat16's
            array = array.astype(np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or array.dtype.kind not in "biuf":
        of = "" if array is None else f" of {array.dtype}"
        raise TypeError(f"{name} must be an array of numbers, got {type(values).__name__}{of}")
    return array


def _bundled(name: str, loader: str, scale: Callable, label_noise: float, seed: int, classes: int | None) -> Data:
    with from_extra("datasets"):
        from sklearn import datasets

    x, y = getattr(datasets, loader)(return_X_y=True)
    train, validation, test = _split(len(x), seed)
    x = scale(x, x[train])
    if classes is None:
        y = scale(y, y[train])
    y_train = with_label_noise(y[train], label_noise, seed)
    return Data(name, x[train], y_train, x[validation], y[validation], x[test], y[test], classes)


def _split(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the positions of the samples of the training, the validation and the test part."""
    order = stream(seed, "split").permutation(samples)
    held_out = int(HELD_OUT * samples)
    test, validation, train = np.split(order, [held_out, 2 * held_out])
    return train, validation, test


def _to_one(values, train):
    return values / train.max()


def _to_standard(values, train):
    return (values - train.mean(axis=0)) / train.std(axis=0)
