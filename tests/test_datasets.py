"""The three data sets: every sample in one part, scaled by the training part alone, noise in training labels only."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets

from lrlib.datasets import Data, breast_cancer, diabetes, digits, with_label_noise
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
        ({"y_test": 1}, ["x_test and y_test must have equal lengths"]),
        ({"x_test": X[:, :1]}, ["x_test", "must have the shapes of the training part's"]),
        ({"y_test": Y[:, None]}, ["y_test", "must have the shapes of the training part's"]),
        ({"x_train": X * np.nan}, ["x_train must be finite"]),
        ({"y_validation": [0, 1, np.inf]}, ["y_validation must be finite"]),
        ({"classes": 1}, ["classes must be at least 2"]),
    ],
)
def test_bad_data_is_refused(change, fragments):
    refused(lambda: Data(**{**GOOD, **change}), ValueError, *fragments)


@pytest.mark.parametrize("bad", [None, "digits", [["a", "b"]] * 3, [[1], [2, 3], [4]], {"x": 1}, 1j * X, object()])
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
