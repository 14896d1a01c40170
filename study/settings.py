"""The settings of the study: in each, what a rule suggests meets a sweep of whole trainings.

They come in pairs of one kind. The first of a pair is for tuning our own rule, the second for reporting; this was
decided before anything was trained.
"""

from dataclasses import dataclass, replace

import numpy as np

from lrlib import datasets
from lrlib.quiet import keras

NETS = {
    "linear": lambda: [],
    "tanh": lambda: [keras.layers.Dense(32, "tanh")],
    "relu": lambda: [keras.layers.Dense(64, "relu")],
    "deep": lambda: [keras.layers.Dense(32, "relu"), keras.layers.Dense(32, "relu")],
    "normalized": lambda: [keras.layers.Dense(32), keras.layers.BatchNormalization(), keras.layers.ReLU()],
    "convolution": lambda: [
        keras.layers.Reshape((8, 8, 1)),
        keras.layers.Conv2D(8, 3, strides=2, activation="relu", padding="same"),
        keras.layers.Flatten(),
    ],
    "LSTM": lambda: [keras.layers.Reshape((8, 8)), keras.layers.LSTM(12)],
}
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(),
    "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
    "Adam": lambda: keras.optimizers.Adam(),
}
# four to a decade; what best_rate chooses from them lies on no edge
GRIDS = {
    "SGD": 10 ** (np.arange(-14, 7) / 4),
    "momentum": 10 ** (np.arange(-18, 3) / 4),
    "Adam": 10 ** (np.arange(-18, 3) / 4),
}


@dataclass(frozen=True)
class Setting:
    """A network, its data, its optimizer, and how many updates the training has."""

    data: str
    net: str
    optimizer: str
    steps: int
    label_noise: float = 0.0
    batch_size: int = 32

    @property
    def name(self) -> str:
        noisy = "noisy " if self.label_noise else ""
        return f"{noisy}{self.data}, {self.net}, {self.optimizer}, {self.steps}"

    @property
    def samples(self) -> datasets.Data:
        if self.data == "wine":
            return wine(self.label_noise)
        loader = {"tumours": "breast_cancer"}.get(self.data, self.data)
        return getattr(datasets, loader)(label_noise=self.label_noise)

    @property
    def model(self) -> keras.Sequential:
        data = self.samples
        outputs = keras.layers.Dense(data.classes or 1)
        model = keras.Sequential([keras.Input(data.x_train.shape[1:]), *NETS[self.net](), outputs])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if data.classes else "mse"
        model.compile(OPTIMIZERS[self.optimizer](), loss)
        return model

    @property
    def grid(self) -> np.ndarray:
        return GRIDS[self.optimizer]


def wine(label_noise: float) -> datasets.Data:
    """Return the wines of scikit-learn, 178 of three kinds, scaled as the tumours are."""
    from sklearn.datasets import load_wine

    x, y = load_wine(return_X_y=True)
    raw = datasets.as_data((x, y))
    mean, deviation = raw.x_train.mean(axis=0), raw.x_train.std(axis=0)
    scaled = {f"x_{part}": (raw.of(part)[0] - mean) / deviation for part in datasets.PARTS}
    noisy = datasets.with_label_noise(raw.y_train, label_noise, seed=0)
    return replace(raw, name="wine", y_train=noisy, **scaled)


NOISY = {"label_noise": 0.2}
PAIRS = [
    (Setting("digits", "tanh", "SGD", 300), Setting("digits", "relu", "SGD", 150)),
    (Setting("digits", "relu", "Adam", 300), Setting("digits", "tanh", "Adam", 600)),
    (Setting("digits", "deep", "momentum", 300), Setting("digits", "tanh", "momentum", 150)),
    (Setting("digits", "linear", "SGD", 300), Setting("digits", "linear", "Adam", 150)),
    (Setting("digits", "relu", "SGD", 600, **NOISY), Setting("digits", "deep", "SGD", 300, **NOISY)),
    (Setting("digits", "tanh", "momentum", 300, **NOISY), Setting("digits", "relu", "momentum", 600, **NOISY)),
    (Setting("digits", "relu", "Adam", 150, **NOISY), Setting("digits", "deep", "Adam", 600, **NOISY)),
    (Setting("digits", "convolution", "momentum", 150), Setting("digits", "convolution", "Adam", 300)),
    (Setting("digits", "LSTM", "Adam", 150), Setting("digits", "LSTM", "momentum", 300)),
    (Setting("digits", "normalized", "momentum", 300), Setting("digits", "normalized", "SGD", 150)),
    (Setting("tumours", "relu", "SGD", 150), Setting("tumours", "tanh", "Adam", 300)),
    (Setting("tumours", "relu", "Adam", 150, **NOISY), Setting("tumours", "tanh", "SGD", 300, **NOISY)),
    (Setting("diabetes", "linear", "SGD", 150), Setting("diabetes", "tanh", "momentum", 300)),
    (Setting("diabetes", "relu", "Adam", 150), Setting("wine", "relu", "SGD", 150)),
]  # fmt: skip
SETTINGS = [setting for pair in PAIRS for setting in pair]
TUNED, REPORTED = [a.name for a, _ in PAIRS], [b.name for _, b in PAIRS]
