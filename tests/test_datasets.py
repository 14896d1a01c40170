"""The three data sets: every sample in one part, scaled by the training part alone, noise in training labels only."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from lrlib.datasets import Data, as_data, batches, breast_cancer, diabetes, digits, training_part, with_label_noise
from refusal import refused

LOADERS = {digits: "load_digits", breast_cancer: "load_breast_cancer", diabetes: "load_diabetes"}
PARTS = ["train", "validation", "test"]
each_set = pytest.mark.parametrize("load", LOADERS, ids=lambda load: load.__name__)


def raw(load):
    return getattr(sklearn.datasets, LOADERS[load])(return_X_y=True)


def of(data, part):
    return getattr(data, f"x_{part}"), getattr(data, f"y_{part}")


def rows(x):
    return [row.tobytes() for row in x]


def original_positions(load, data):
    """Where each part's samples stand in scikit-learn's set."""
    x, _ = raw(load)
    scaled = np.concatenate([of(data, part)[0] for part in PARTS]).astype(float)
    # every column was shifted and scaled: give it back its mean and standard deviation
    unscaled = (scaled - scaled.mean(axis=0)) / np.maximum(scaled.std(axis=0), 1e-9) * x.std(axis=0) + x.mean(axis=0)
    positions = np.empty(len(x), int)
    positions[np.lexsort(unscaled.astype("float32").round(4).T)] = np.lexsort(x.astype("float32").round(4).T)
    assert np.abs(unscaled - x[positions]).max() < 1e-5 * np.abs(x).max()
    return np.split(positions, np.cumsum([len(of(data, part)[0]) for part in PARTS])[:2])


@each_set
@pytest.mark.parametrize("seed", [0, 1])
def test_no_sample_is_in_two_parts_and_none_is_lost(load, seed):
    data = load(seed=seed)
    x, _ = raw(load)
    parts = [rows(of(data, part)[0]) for part in PARTS]
    together = [row for part in parts for row in part]
    assert len(set(rows(x))) == len(x)  # the samples can be told apart
    assert len(together) == len(set(together)) == len(x)
    assert len(parts[1]) == len(parts[2]) == int(0.2 * len(x))


@each_set
def test_samples_keep_their_labels(load):
    x, y = raw(load)
    data = load()
    for part, positions in zip(PARTS, original_positions(load, data), strict=True):
        labels = of(data, part)[1]
        expected = y[positions] if data.classes else (y[positions] - y.mean()) / y.std()
        assert np.corrcoef(labels, expected)[0, 1] > 1 - 1e-6
        if data.classes:
            np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("load", [breast_cancer, diabetes])
def test_measurements_are_scaled_by_the_training_part_alone(load):
    data = load()
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-4)
    # the other parts went through the same scaling, so theirs are near these and not the same
    for part in ("validation", "test"):
        x, _ = of(data, part)
        assert 0.01 < np.abs(x.mean(axis=0)).max() < 0.5
        assert 0.01 < np.abs(x.std(axis=0) - 1).max() < 1


def test_labels_of_a_regression_are_scaled_by_the_training_part_alone():
    data = diabetes()
    assert abs(data.y_train.mean()) < 1e-6 and abs(data.y_train.std() - 1) < 1e-6
    assert abs(data.y_test.mean()) > 1e-3


def test_pixels_lie_between_0_and_1():
    data = digits()
    for part in PARTS:
        x, _ = of(data, part)
        assert x.min() == 0 and x.max() == 1
        np.testing.assert_array_equal(x * 16, np.round(x * 16))


@each_set
def test_a_seed_gives_the_same_split_again_and_another_seed_another(load):
    for part in PARTS:
        for one, same, other in zip(of(load(), part), of(load(seed=0), part), of(load(seed=1), part), strict=True):
            np.testing.assert_array_equal(one, same)
            assert one.shape == other.shape and not np.array_equal(one, other)


@each_set
def test_types(load):
    data = load()
    for part in PARTS:
        x, y = of(data, part)
        assert x.dtype == np.float32 and x.ndim == 2
        assert y.dtype == (np.float32 if data.classes is None else np.int32) and y.ndim == 1
    if data.classes:
        assert set(data.y_train) == set(range(data.classes))


@each_set
def test_label_noise_is_in_training_labels_only(load):
    clean, noisy = load(), load(label_noise=0.2)
    for name in ("x_train", "x_validation", "y_validation", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(clean, name), getattr(noisy, name))
    changed = (clean.y_train != noisy.y_train).mean()
    kept = 0 if clean.classes is None else (np.bincount(clean.y_train) ** 2).sum() / len(clean.y_train) ** 2
    assert 0.2 * (1 - kept) * 0.8 < changed <= 0.2 + 1 / len(clean.y_train)
    assert set(noisy.y_train) <= set(clean.y_train)


def test_label_noise_draws_as_many_labels_anew_as_it_says():
    y = np.arange(1000)
    for share in (0, 0.1, 0.25, 1):
        noisy = with_label_noise(y, share, seed=3)
        assert abs((noisy != y).sum() - 1000 * share) <= 4  # a few are drawn as they were
        assert noisy.dtype == y.dtype and set(noisy) <= set(y)
    np.testing.assert_array_equal(y, np.arange(1000))
    np.testing.assert_array_equal(with_label_noise(y, 0.5, seed=3), with_label_noise(y, 0.5, seed=3))
    assert not np.array_equal(with_label_noise(y, 0.5, seed=3), with_label_noise(y, 0.5, seed=4))


def test_label_noise_keeps_the_frequencies():
    y = np.repeat([0, 1], [9000, 1000])
    assert 0.08 < with_label_noise(y, 1, seed=0).mean() < 0.12


@each_set
def test_noise_and_seed_are_checked(load):
    for noise in (-0.1, 1.1):
        refused(
            lambda noise=noise: load(label_noise=noise), ValueError, "label_noise must be between 0 and 1", f"{noise}"
        )
    refused(lambda: load(label_noise=float("nan")), ValueError, "label_noise must be finite")
    refused(lambda: load(label_noise="0.2"), TypeError, "label_noise must be a number")
    refused(lambda: load(seed=-1), ValueError, "seed must be at least 0")
    refused(lambda: load(seed=1.5), ValueError, "seed must be an integer")


X, Y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])
GOOD = {"name": "mine", "x_train": X, "y_train": Y, "x_validation": X, "y_validation": Y, "x_test": X, "y_test": Y}


def test_data_of_your_own():
    data = Data(**GOOD, classes=2)
    assert data.x_train.dtype == np.float32 and data.y_train.dtype == np.int32
    assert repr(data) == "<Data 'mine': 3 + 3 + 3 samples of shape (2,), 2 classes>"
    changed = dataclasses.replace(data, y_train=[[0.5], [1], [2]], y_validation=Y[:, None], y_test=Y[:, None])
    assert changed.y_train.dtype == np.float32 and changed.y_train.shape == (3, 1)


def test_weights_of_one_part_leave_the_others_as_they_are():
    data = Data(**GOOD | {"x_test": X[:2], "y_test": Y[:2]}, weights_train=[1, 2, 3])
    assert data.weights_train.tolist() == [1, 2, 3] and data.weights_test.tolist() == [1, 1]
    of_each = Data(**{**GOOD, "y_train": (Y, Y), "y_validation": (Y, Y), "y_test": (Y, Y)}, weights_test=(Y, Y + 1))
    assert [w.tolist() for w in of_each.weights_test] == [[0, 1, 1], [1, 2, 2]]
    assert [w.tolist() for w in of_each.weights_train] == [[1, 1, 1], [1, 1, 1]]


def test_a_list_of_labels_for_each_output_is_not_the_rows_of_one_array():
    x = np.arange(20.0).reshape(10, 2)
    assert [part.shape for part in as_data((x, [x[:, 0], x[:, 1]])).y_train] == [(6,), (6,)]
    assert [part.shape for part in as_data((x, [x, x[:, 1]])).y_train] == [(6, 2), (6,)]
    assert [part.shape for part in as_data(([x[:, 0], x[:, 1]], x[:, 0])).x_train] == [(6,), (6,)]
    assert as_data((list(x), list(x))).y_train.shape == as_data((x, x, None)).y_train.shape == (6, 2)


def test_data_cannot_be_changed():
    given = X.copy()
    data = Data(**{**GOOD, "x_train": given})
    given[0, 0] = 99
    assert data.x_train[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        data.y_test[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "yours"


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        ({"x_train": X[:0], "y_train": Y[:0]}, ["x_train must hold at least one sample", "(0, 2)"]),
        ({"x_test": X[:, :0]}, ["x_test must hold at least one sample", "(3, 0)"]),
        ({"y_train": Y[:2]}, ["x_train and y_train must have equal lengths", "(3, 2)", "(2,)"]),
        ({"x_validation": X[:2]}, ["x_validation and y_validation must have equal lengths"]),
        ({"y_test": 1}, ["y_test must hold an entry for each sample", "()"]),
        ({"x_test": {"x": 1}}, ["x_test must hold at least one sample", "()"]),
        ({"x_test": X[:, :1]}, ["x_test", "must have the shapes of the training part's"]),
        ({"y_test": Y[:, None]}, ["y_test", "must have the shapes of the training part's"]),
        ({"x_train": X * np.nan}, ["x_train must be finite"]),
        ({"y_validation": [0, 1, np.inf]}, ["y_validation must be finite"]),
        ({"classes": 1}, ["classes must be at least 2"]),
    ],
)
def test_bad_data_is_refused(change, fragments):
    refused(lambda: Data(**{**GOOD, **change}), ValueError, *fragments)


@pytest.mark.parametrize("bad", [None, "digits", [["a", "b"]] * 3, [[1], [2, 3], [4]], 1j * X, object()])
def test_what_is_no_numbers_is_refused(bad):
    refused(
        lambda: Data(**{**GOOD, "x_train": bad}), TypeError, "x_train must be an array of numbers", type(bad).__name__
    )
    refused(lambda: Data(**{**GOOD, "y_test": bad}), TypeError, "y_test must be an array of numbers", "got")


def test_numbers_in_lists_and_objects():
    data = Data(**{**GOOD, "x_train": X.astype(object), "y_train": [True, False, True]})
    assert data.x_train.tolist() == X.tolist()


def test_integers_beyond_32_bits_are_refused():
    change = {"y_train": [0, 1, 2**31]}
    refused(lambda: Data(**{**GOOD, **change}), ValueError, "y_train must hold integers of 32 bits", "2147483648")


def test_the_module_needs_scikit_learn_only_to_load():
    code = "import sys, lrlib.datasets; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# Batches


def test_batches_go_through_the_samples_epoch_by_epoch():
    order = batches(samples=10, batch_size=3, steps=7, seed=0)
    assert order.shape == (7, 3) and order.dtype == np.int32
    for epoch in (order[:3], order[3:6]):
        assert len(set(epoch.ravel())) == 9 and set(epoch.ravel()) <= set(range(10))
    assert not np.array_equal(order[:3], order[3:6])
    np.testing.assert_array_equal(batches(10, 3, 2, seed=0), order[:2])
    assert not np.array_equal(batches(10, 3, 7, seed=1), order)
    assert set(batches(4, 4, 1, 0).ravel()) == {0, 1, 2, 3}


def test_an_epoch_that_a_batch_does_not_divide_loses_its_rest():
    """1079 digits in batches of 32 are 33 updates an epoch, and 23 samples wait for the next one."""
    order = batches(len(digits().x_train), 32, 67, seed=0)
    assert len(set(order[:33].ravel())) == len(set(order[33:66].ravel())) == 33 * 32
    assert len(set(order[:34].ravel())) < 34 * 32


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"batch_size": 11}, "batch_size must be at most 10, the number of samples, got 11"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"steps": 1.5}, "steps must be an integer, got 1.5"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_batches_that_there_are_not(change, fragment):
    refused(lambda: batches(**{"samples": 10, "batch_size": 2, "steps": 3, "seed": 0, **change}), ValueError, fragment)


# One form of data


def test_data_is_returned_as_it_is():
    data = digits()
    assert as_data(data) is data
    x, y = training_part(data)
    assert x is data.x_train and y is data.y_train


def test_a_pair_is_split_in_three_as_the_bundled_sets_are():
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    data, bundled = as_data((x, y)), digits()
    for part in PARTS:
        np.testing.assert_array_equal(of(data, part)[0], 16 * of(bundled, part)[0])
        np.testing.assert_array_equal(of(data, part)[1], of(bundled, part)[1])
    assert data.classes == 10 and repr(data).startswith("<Data '(x, y)': 1079 + 359 + 359")


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.arange(10) % 3, 3),
        (np.arange(10) % 3 > 0, None),
        (np.arange(10) - 5, None),
        (np.arange(10.0), None),
        (np.zeros(10, int), None),
        (np.eye(10, 3, dtype=int), None),
    ],
    ids=["integers", "booleans", "negative", "floats", "one value", "one hot"],
)
def test_integers_from_0_are_classes(y, classes):
    assert as_data([np.ones((10, 2)), y]).classes == classes


def test_of_a_pair_all_is_trained_on():
    x, y = training_part(([[1, 2], [3, 4]], [0, 1]))
    assert x.dtype == np.float32 and y.dtype == np.int32 and len(x) == len(y) == 2


@pytest.mark.parametrize(
    "bad", [np.ones((2, 3)), (np.ones(3),), (np.ones(3),) * 4, "xy", {"x": [1], "y": [1]}, None, 1]
)
@pytest.mark.parametrize("function", [as_data, training_part])
def test_what_is_neither_data_nor_a_pair_is_refused(function, bad):
    refused(lambda: function(bad), TypeError, "data must be an lrlib.datasets.Data or a pair (x, y), got")


def test_several_inputs_outputs_and_weights():
    number = np.arange(10)
    data = as_data(({"a": np.ones((10, 3)), "b": number[:, None]}, (number % 2, number / 9), number))
    assert data.x_train["a"].shape == (6, 3) and data.y_train[1].dtype == np.float32 and data.classes is None
    np.testing.assert_array_equal(data.x_train["b"][:, 0], data.weights_train)
    np.testing.assert_allclose(data.y_test[1] * 9, data.weights_test, rtol=1e-6)
    assert len(data.of("test")) == 3 and not data.weights_train.flags.writeable
    assert [x.shape for x in as_data(([np.ones((5, 2)), np.ones((5, 1))], np.ones(5))).x_train] == [(3, 2), (3, 1)]
    with_weights = (np.ones((5, 1)), np.ones(5), [1, 2])
    refused(lambda: as_data(with_weights), ValueError, "x and weights must have equal lengths")
    refused(lambda: as_data(({"a": np.ones((5, 2)), "b": np.ones((4, 2))}, np.ones(5))), ValueError, "equal lengths")
    refused(lambda: as_data(({"a": "1"}, np.ones(5))), TypeError, "x must be an array of numbers")
    refused(lambda: as_data((np.array(["a"] * 5), np.ones(5))), TypeError, "x must be an array of numbers", "of <U1")
    refused(
        lambda: as_data((2**24 + np.arange(5), np.ones(5))), ValueError, "x must hold integers that", "got 16777217"
    )


def test_bad_pairs_are_refused():
    refused(lambda: as_data((np.ones((4, 1)), np.ones(4))), ValueError, "at least 5 samples", "got 4")
    refused(lambda: as_data((np.ones((5, 1)), np.ones(4))), ValueError, "x and y must have equal lengths")
    refused(lambda: training_part((np.ones((5, 1)), "a")), TypeError, "y must be an array of numbers")
    assert repr(as_data((np.ones((5, 1)), np.ones(5)))).startswith("<Data '(x, y)': 3 + 1 + 1 samples")
