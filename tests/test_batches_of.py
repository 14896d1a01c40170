"""Whatever people train on comes as batches, untouched, and only what is asked for is taken."""

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import itertools
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from lrlib import datasets
from lrlib.batches_of import batches_of
from refusal import refused

X, Y = np.arange(60, dtype="float32").reshape(20, 3), np.arange(20) % 2


def some(data, number=4, seed=0, **how):
    """The first batches."""
    passes = batches_of(data, **how).passes(seed)
    return list(itertools.islice(itertools.chain.from_iterable(passes), number))


def same(one, other):
    tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def test_arrays_come_in_the_order_of_a_sweep_s_batches():
    found = some((X, Y), 7, seed=3, batch_size=6)
    for (x, y), chosen in zip(found, datasets.batches(20, 6, 7, seed=3), strict=True):
        same((x, y), (X[chosen], Y[chosen]))


def test_the_training_part_of_data():
    data = datasets.breast_cancer()
    same(some(data, batch_size=32), some((data.x_train, data.y_train), batch_size=32))


def test_weights_of_data_count():
    data = datasets.as_data((X, Y, np.arange(20.0)))
    (x, _, weights), *_ = some(data, batch_size=4)
    np.testing.assert_array_equal(weights, x[:, 0] / 3)


def frame(dtype):
    return pd.DataFrame(X.astype(dtype), columns=list("abc"))


@pytest.mark.parametrize(
    "x",
    [X.astype(float), X.astype("float16"), X.astype(object), X.tolist(), list(X), tf.constant(X), frame(float)],
    ids=["float64", "float16", "objects", "list", "list of rows", "tensor", "frame"],
)
def test_floats_come_in_keras_s_float_type(x):
    (first, _), *_ = some((x, Y), batch_size=6)
    assert first.dtype == "float32"
    np.testing.assert_array_equal(first, X[datasets.batches(20, 6, 1, seed=0)[0]])


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "U3", "S3"])
def test_integers_and_texts_are_left_alone(dtype):
    ids = np.arange(20).astype(dtype)[:, None]
    (first, _), *_ = some((ids, Y), batch_size=6)
    assert first.dtype == ids.dtype
    assert some([(ids, Y)])[0][0] is ids
    texts = pd.Series(list("abcde") * 4, dtype=object)
    (first, _), *_ = some((texts, Y), batch_size=6)
    assert first.shape == (6, 1) and set(first.ravel()) <= set("abcde")


def test_several_inputs_and_outputs_and_weights():
    x = {"a": X, "b": frame(int), "c": [X, X[:, :1]]}
    found = some((x, (Y, X), {"p": Y, "q": Y}), batch_size=6)
    for (x, y, weights), chosen in zip(found, datasets.batches(20, 6, 4, seed=0), strict=True):
        same(x["a"], X[chosen])
        same(x["b"], X[chosen].astype(int))
        same(y, (Y[chosen], X[chosen]))
        same(weights, {"p": Y[chosen], "q": Y[chosen]})


def test_lists_of_vectors_are_several_where_they_are_no_rows():
    (x, y), *_ = some(([X[:, 0], X[:, 1]], [Y, Y]), batch_size=6)
    assert [len(one) for one in (*x, *y)] == [6] * 4
    (x, _), *_ = some((list(X), Y), batch_size=6)
    assert x.shape == (6, 3)


def test_samples_alone_come_as_fit_hands_them_on():
    chosen = datasets.batches(20, 6, 1, seed=0)[0]
    for data in (X, (X,), tf.constant(X), (X, None), {"a": X}):
        first, *_ = some(data, batch_size=6)
        same(first, {"a": X[chosen]} if isinstance(data, dict) else X[chosen])
    (first,), *_ = some(((X, X),), batch_size=6)
    same(first, (X[chosen], X[chosen]))


def test_nothing_is_copied_but_what_is_used():
    """40,000 images as float32 would take 125 MB; of them 20 batches of 32 are used, half a MB of bytes."""
    images, labels = np.zeros((40_000, 28, 28, 1), "uint8"), np.zeros(40_000, int)
    tracemalloc.start()
    batches = itertools.chain.from_iterable(batches_of((images, labels), batch_size=32).passes(0))
    for _ in range(20):
        x, _ = next(batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x.dtype == "uint8" and peak < 2e6  # most of it the order of the samples


# What has batches

PIECES = [(X[i : i + 5], Y[i : i + 5]) for i in range(0, 20, 5)]
DATASET = tf.data.Dataset.from_tensor_slices((X, Y))


@pytest.mark.parametrize(
    "data",
    [PIECES, DATASET.batch(5), DATASET.batch(5).repeat(), iter(PIECES * 3), map(list, itertools.cycle(PIECES))],
    ids=["list", "dataset", "endless dataset", "iterator", "lists"],
)
def test_batches_come_as_they_are_and_begin_again(data):
    same(some(data, 6), PIECES + PIECES[:2])


def test_what_is_known_of_passes():
    number = lambda data: (batches_of(data).number, batches_of(data).endless)  # noqa: E731
    assert number(DATASET.batch(5)) == (4, False) and number(DATASET.batch(5).repeat()) == (None, True)
    assert number(DATASET.filter(lambda *_: True).batch(5)) == (None, False)
    assert number(PIECES) == (None, False) and number(iter(PIECES)) == (None, True)
    assert number(Pieces()) == (4, False) and number(Endless()) == (None, True)


class Pieces(keras.utils.PyDataset):
    epochs = 0

    def __len__(self):
        return 4

    def __getitem__(self, place):
        return PIECES[place % 4]

    def on_epoch_end(self):
        self.epochs += 1


class Endless(Pieces):
    num_batches = None


def test_a_pydataset_s_batches_come_in_an_order_of_the_seed():
    data = Pieces()
    firsts = [int(x[0, 0]) // 15 for x, _ in some(data, 40, seed=1)]
    epochs = np.array(firsts).reshape(10, 4)
    np.testing.assert_array_equal(np.sort(epochs), np.arange(4) + np.zeros((10, 1)))
    assert len(set(map(tuple, epochs))) > 3 and data.epochs == 9
    assert firsts == [int(x[0, 0]) // 15 for x, _ in some(data, 40, seed=1)]
    assert firsts != [int(x[0, 0]) // 15 for x, _ in some(data, 40, seed=2)]
    same(some(Endless(), 6), PIECES + PIECES[:2])


def test_of_an_iterator_no_more_is_taken_than_is_asked_for():
    left = iter(PIECES)
    some(left, 3)
    same(next(left), PIECES[3])
    assert len(some(iter(PIECES), 99)) == 4


def test_batches_of_numbers_in_lists():
    (x, y), *_ = some([(X[:2].tolist(), [1, 0])], 1)
    same((x, y), (X[:2], np.array([1, 0])))


# The weights of classes


@pytest.mark.parametrize(
    "labels", [lambda y: y, lambda y: y[:, None], lambda y: np.eye(2)[y], lambda y: y.astype(float)]
)
def test_weights_of_classes(labels):
    for data in ((X, labels(Y)), DATASET.map(lambda x, y: (x, y)).batch(5), (X, pd.Series(Y))):
        size = {} if isinstance(data, tf.data.Dataset) else {"batch_size": 5}
        for x, _, weights in some(data, class_weight={1: 3.0}, **size):
            np.testing.assert_array_equal(weights, np.where(np.asarray(x)[:, 0] / 3 % 2 == 1, 3, 1))
            assert weights.dtype == "float32" and weights.shape == (5,)


# What is refused


@pytest.mark.parametrize(
    ("data", "how", "error", "fragments"),
    [
        (5, {}, TypeError, ["data must be an lrlib.datasets.Data, arrays", "iterable of batches, got int"]),
        ("digits", {}, TypeError, ["got str"]),
        ((X, Y), {}, ValueError, ["batch_size must be given for arrays"]),
        ((X, Y), {"batch_size": 21}, ValueError, ["batch_size must be at most 20", "21"]),
        ((X, Y), {"batch_size": 0}, ValueError, ["batch_size must be at least 1"]),
        ((X, Y[:3]), {"batch_size": 2}, ValueError, ["equal lengths", "x (20, 3), y (3,)"]),
        (({"a": X, "b": X[:4]}, Y), {"batch_size": 2}, ValueError, ["equal lengths", "x (20, 3), (4, 3), y (20,)"]),
        ((X[:0], Y[:0]), {"batch_size": 2}, ValueError, ["x must hold at least one sample, got shape (0, 3)"]),
        ((3.0, Y), {"batch_size": 2}, ValueError, ["x must hold at least one sample, got shape ()"]),
        (([[1, 2], [3]], Y), {"batch_size": 2}, TypeError, ["x must be an array, got list"]),
        ((object(), Y), {"batch_size": 2}, TypeError, ["x must be a dense array of numbers or texts, got object"]),
        (
            (X, Y, Y, Y),
            {"batch_size": 2},
            TypeError,
            ["data must be (x,), (x, y) or (x, y, weights), got a tuple of 4"],
        ),
        (DATASET, {}, ValueError, ["data must be batched, data.batch(32)"]),
        (DATASET.batch(2), {"batch_size": 2}, ValueError, ["batch_size must not be given", "got 2 with _BatchDataset"]),
        ((X, Y), {"batch_size": 2, "class_weight": [1, 2]}, TypeError, ["class_weight must be a dictionary", "[1, 2]"]),
        (
            (X, Y),
            {"batch_size": 2, "class_weight": {1: -2}},
            ValueError,
            ["class_weight[1] must not be negative", "-2"],
        ),
        ((X, Y), {"batch_size": 2, "class_weight": {0.5: 2}}, ValueError, ["class_weight's class must be an integer"]),
    ],
)
def test_bad_data_are_refused_at_once(data, how, error, fragments):
    refused(lambda: batches_of(data, **how), error, *fragments)


@pytest.mark.parametrize(
    ("data", "how", "error", "fragments"),
    [
        ([(X, Y, Y, Y)], {}, ValueError, ["a batch must be (x,), (x, y) or (x, y, weights), got a tuple of 4"]),
        ([(X, 3)], {}, ValueError, ["data must be batched", "array(3)"]),
        ((np.array([None, 3, object()]), Y[:3]), {"batch_size": 3}, TypeError, ["data must hold numbers or texts"]),
        (
            [(X, Y, Y)],
            {"class_weight": {1: 2}},
            ValueError,
            ["class_weight must come with", "got weights of samples too"],
        ),
        ([(X,)], {"class_weight": {1: 2}}, ValueError, ["class_weight must come with", "got none"]),
        ([(X, (Y, Y))], {"class_weight": {1: 2}}, ValueError, ["class_weight must come with", "got several"]),
    ],
)
def test_bad_batches_are_refused_when_they_come(data, how, error, fragments):
    refused(lambda: some(data, 1, **how), error, *fragments)
