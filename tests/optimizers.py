"""Optimizers that a sweep knows, each made by a function of the rate."""

from lrlib.quiet import keras

OPTIMIZERS = {
    "SGD": lambda rate=0.01: keras.optimizers.SGD(rate),
    "momentum": lambda rate=0.01: keras.optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate=0.01: keras.optimizers.SGD(rate, momentum=0.8, nesterov=True),
    "Adam": lambda rate=0.01: keras.optimizers.Adam(rate),
    "Adam, other settings": lambda rate=0.01: keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
}
