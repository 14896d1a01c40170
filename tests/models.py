"""The models that show what a sweep can train: for each kind of layer and each optimizer one that has it."""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
from keras import layers, optimizers

from lrlib import keras_hooks
from lrlib.datasets import as_data

SAMPLES = 12  # 8 to train on
ROW, LINE, PLANE = (6,), (3, 4), (5, 6, 4)
TIMES = (2, 4)  # few, as a program has every time once
WORDS, THREE = "two words", "three words"  # whole numbers from 0 to 4, of which 0 is masked where masks are asked for
SHAPES = {"1D": (12, 4), "2D": (4, 3, 4), "3D": (2, 3, 4, 2)}  # 48 numbers in the dimensions of a layer's name


class Case(NamedTuple):
    """A row of the page: what is trained, and how a sweep takes it."""

    what: str
    made_of: Callable  # returns a model, or is given a Source and returns the branches of one
    how: str = "vectorized"  # or "by loop" or "refused"
    reason: str = ""  # in words of the error
    why: str = ""  # in words of the page
    rate: float = 0.02
    steps: int = 4

    def make(self):
        """Return a model of this row alone."""
        return together([self]) if takes_a_source(self.made_of) else self.made_of()


def takes_a_source(made_of) -> bool:
    return "source" in inspect.signature(made_of).parameters


class Source:
    """Where the branches of a model begin: those that ask for one shape share their input and the first layer."""

    def __init__(self):
        self.inputs, self.seen = [], {}

    def __call__(self, shape, first=True, name="x"):
        """Return a tensor of this shape, behind a first layer that a gradient comes to, or the input itself."""
        if (shape, first, name) not in self.seen:
            self.seen[shape, first, name] = self._made(shape, first, name)
        return self.seen[shape, first, name]

    def _made(self, shape, first, name):
        if shape in SHAPES:
            return layers.Reshape(SHAPES[shape])(self(48))
        if first and shape == 48:
            return layers.Dense(48)(self(ROW, first=False, name=name))
        if first:
            layer = layers.Embedding(5, 3, mask_zero=True) if shape == WORDS else layers.Dense(shape[-1])
            return layer(self(shape, first=False, name=name))
        words = {WORDS: 2, THREE: 3}.get(shape)
        self.inputs.append(keras.Input((words,), dtype="int32") if words else keras.Input(shape))
        return self.inputs[-1]


def together(cases):
    """Return a model in which each of these rows has branches of its own."""
    source = Source()
    ends = [layers.Flatten()(end) for case in cases for end in case.made_of(source)]
    both = ends[0] if len(ends) == 1 else layers.Concatenate()(ends)
    inputs = source.inputs[0] if len(source.inputs) == 1 else tuple(source.inputs)
    return compiled(keras.Model(inputs, layers.Dense(2)(both)))


@functools.cache
def kinds_in(case):
    """Return the names of Keras's classes that are in a case's model, and of its optimizer."""
    model = case.make()
    parts = [*model._flatten_layers(), model.optimizer]
    return list(dict.fromkeys(type(part).__name__ for part in parts if keras_hooks.is_keras_s(type(part))))


def data_for(model, weights=False):
    """Return samples for a model's inputs and labels for its outputs, of which any model learns a little at once."""
    rng = np.random.default_rng(3)

    def samples(tensor):
        shape = SAMPLES, *tensor.shape[1:]
        found = rng.integers(0, 5, shape) if "int" in tensor.dtype else rng.normal(size=shape)
        if shape[1:] == TIMES:
            found[::2, 0] = 0  # for a mask of zeros
        return found

    if isinstance(model, keras.src.models.Functional):
        inputs, outputs = model.input, model.output
    elif isinstance(model, keras.Sequential):
        inputs, outputs = model.inputs[0], model.outputs[0]
    else:  # a model that is written as a class does not say
        inputs, outputs = keras.KerasTensor((None, *ROW)), keras.KerasTensor((None, 2))
    x = tf.nest.map_structure(samples, inputs)
    y = tf.nest.map_structure(lambda tensor: 3 + 0.2 * samples(tensor), outputs)
    return as_data((x, y, rng.uniform(0.2, 2, SAMPLES)) if weights else (x, y))


def compiled(model, optimizer=None, loss=None, **how):
    model.compile(optimizer or optimizers.SGD(), loss or keras.losses.Huber(20.0), **how)
    return model


def of(kind, *arguments, **how):
    return lambda: getattr(layers, kind)(*arguments, **how)


def in_line(*kinds, shape=ROW):
    """Return a function that makes a branch of these layers, one after the other."""

    def branches(source):
        end = source(shape, first=False)
        for kind in kinds:
            end = kind()(end)
        return [end]

    return branches


def side_by_side(shape, *kinds):
    """Return a function that makes a branch of each of these layers; without a shape it is that of the layer's name."""

    def branches(source):
        made = [kind() for kind in kinds]
        shapes = [shape or next(name for name in SHAPES if name in type(layer).__name__) for layer in made]
        return [layer(source(of_layer)) for layer, of_layer in zip(made, shapes, strict=True)]

    return branches


def each_dimension(*names, **how):
    return side_by_side(None, *(of(f"{name}{d}D", *a) for name, *a in names for d in how.get("of", (1, 2, 3))))


def merging(source):
    a, b = (layers.Dense(4)(source(ROW, first=False, name=name)) for name in ("one", "other"))
    kinds = "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"
    return [*(getattr(layers, kind)()([a, b]) for kind in kinds), layers.Dot(1)([a, b])]


def attention(source):
    hidden = source(LINE)
    return [
        layers.MultiHeadAttention(2, 4, dropout=0.2)(hidden, hidden, use_causal_mask=True),
        layers.GroupQueryAttention(4, 4, 2)(hidden, hidden),
        layers.Attention(use_scale=True, dropout=0.2)([hidden, hidden]),
        layers.AdditiveAttention()([hidden, hidden]),
    ]


def sequential(*kinds, shape=ROW, optimizer=None):
    """Return a function that makes a model of these layers, one after the other."""

    def make():
        first = keras.Input((2,), dtype="int32") if shape == WORDS else keras.Input(shape)
        return compiled(keras.Sequential([first, *(kind() for kind in kinds)]), optimizer and optimizer())

    return make


def sharing():
    one, other, layer = keras.Input(ROW, name="a"), keras.Input(ROW, name="b"), layers.Dense(4, "tanh")
    return compiled(keras.Model({"a": one, "b": other}, layers.Dense(2)(layer(one) + 2 * layer(other))))


def several_outputs():
    inputs = keras.Input(ROW)
    hidden = layers.Dense(4, "tanh")(inputs)
    outputs = {"far": layers.Dense(2, name="far")(hidden), "near": layers.Dense(1, name="near")(hidden)}
    losses = {"far": keras.losses.Huber(20.0), "near": keras.losses.LogCosh()}
    return compiled(keras.Model(inputs, outputs), loss=losses, loss_weights={"far": 0.5, "near": 2.0})


class Small(keras.Model):
    """A model written as a class, which cannot be made again from its configuration."""

    def __init__(self, units=4, **how):
        super().__init__(**how)
        self.units, self.hidden, self.out = units, layers.Dense(units, "tanh"), layers.Dense(2)
        self.drop = layers.Dropout(0.2)

    def call(self, x, training=False):
        return self.out(self.drop(self.hidden(x), training=training))


class SmallWithConfig(Small):
    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Penalty(layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        return x


def subclassed(kind):
    def make():
        model = kind()
        model(np.zeros((1, *ROW)))
        return compiled(model)

    return make


class WithItsOwnLoss(Small):
    """Its penalty grows with the updates, as that of an autoencoder may, and is part of the loss in training only."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        penalty = keras.ops.cast(self.optimizer.iterations, "float32") * keras.ops.sum(self.out.kernel**2)
        return super().compute_loss(x, y, y_pred, sample_weight) + (0.1 if training else 0.01) * penalty


def held_back():
    how = dict(
        kernel_regularizer=keras.regularizers.L1L2(0.01, 0.01), activity_regularizer="l2", kernel_constraint="max_norm"
    )
    last = of("Dense", 4, bias_constraint="non_neg", kernel_regularizer="l1")
    return sequential(of("Dense", 4, "tanh", **how), of("ActivityRegularization", 0.1, 0.1), Penalty, last, TWO)()


def frozen():
    model = sequential(of("Dense", 4), of("BatchNormalization"), of("Dense", 4, "tanh"), TWO)()
    model.layers[0].trainable = model.layers[1].trainable = False
    return compiled(model)


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (30, *ROW)))
    return layer


def stacked():
    cells = layers.SimpleRNNCell(3), layers.GRUCell(3), layers.LSTMCell(3)
    return layers.RNN(cells, return_sequences=True, go_backwards=True)


def stateful():
    model = keras.Sequential([keras.Input((4, 4), 8), layers.GRU(3, stateful=True), layers.Dense(2)])
    return compiled(model)


TWO = of("Dense", 2)
NO_FORM = "TensorFlow has no form of its operation `{}` for many lanes"
FAMILIES = {  # rows of which one model is made
    "numbers": [
        Case("dense", in_line(of("Dense", 4, "gelu"), of("Dense", 3, "relu"))),
        Case(
            "shapes and scales",
            in_line(
                of("Reshape", (2, 3)),
                of("Permute", (2, 1)),
                of("Dense", 4),
                of("Flatten"),
                of("RepeatVector", 2),
                of("Identity"),
                of("Rescaling", 0.5),
                of("Flatten"),
            ),
        ),
        Case(
            "activations",
            side_by_side(ROW, of("Activation", "tanh"), *map(of, ("ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"))),
        ),
        Case("several inputs, merged", merging),
    ],
    "planes": [
        Case(
            "convolutions of a plane",
            side_by_side(
                PLANE,
                of("Conv2D", 4, (3, 2), groups=2, strides=2, padding="same"),
                of("DepthwiseConv2D", 2, depth_multiplier=2),
                of("SeparableConv2D", 3, 2),
            ),
        ),
    ],
    "lines and spaces": [
        Case(
            "convolutions of a line",
            side_by_side(
                (6, 4),
                of("Conv1D", 4, 3, groups=2, strides=2, padding="same"),
                of("Conv1D", 4, 3, padding="causal", dilation_rate=2),
                of("DepthwiseConv1D", 3),
                of("SeparableConv1D", 3, 2),
            ),
        ),
        Case(
            "convolutions in space",
            side_by_side((4, 4, 4, 2), of("Conv3D", 2, (2, 1, 2), groups=2, strides=2, padding="same")),
        ),
        Case(
            "transposed convolutions",
            side_by_side(
                None,
                of("Conv1DTranspose", 2, 3, strides=2),
                of("Conv2DTranspose", 2, (3, 2), strides=2, padding="same"),
                of("Conv3DTranspose", 2, (2, 1, 2)),
            ),
        ),
        Case(
            "pooling",
            each_dimension(
                ("MaxPooling", 3, 2, "same"),
                ("AveragePooling", 3, 2, "same"),
                ("GlobalMaxPooling",),
                ("GlobalAveragePooling",),
            ),
        ),
        Case("adaptive pooling", each_dimension(("AdaptiveMaxPooling", 2), ("AdaptiveAveragePooling", 2), of=(1, 2))),
        Case(
            "padding, cropping, repeating",
            side_by_side(
                None,
                *(of(f"{name}{d}D", 1) for name in ("ZeroPadding", "UpSampling") for d in (1, 2, 3)),
                of("Cropping1D", 1),
                of("Cropping2D", 1),
                of("Cropping3D", ((0, 1), (1, 0), (1, 1))),
            ),
        ),
    ],
    "normalization, noise, words": [
        Case(
            "normalization",
            side_by_side(
                PLANE,
                *map(of, ("BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization")),
                of("GroupNormalization", 2),
            ),
        ),
        Case("normalization, adapted beforehand", in_line(adapted)),
        Case(
            "spectral normalization",
            in_line(lambda: layers.SpectralNormalization(layers.Dense(4))),
            "refused",
            "model must do in a sweep what it does in Keras",
            "in Keras it replaces a weight while the model is called",
        ),
        Case(
            "dropout and noise",
            side_by_side(
                ROW, *(of(name, 0.3) for name in ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"))
            ),
        ),
        Case("dropout of whole channels", each_dimension(("SpatialDropout", 0.3))),
        Case("embedding", in_line(of("Embedding", 5, 3), of("Flatten"), shape=THREE)),
        Case("embedding, reversible", in_line(of("ReversibleEmbedding", 5, 3), of("Flatten"), shape=THREE)),
        Case(
            "embedding, masked",
            in_line(of("Embedding", 5, 3, mask_zero=True), of("GlobalAveragePooling1D"), shape=THREE),
        ),
    ],
    "times": [
        Case(
            "recurrent",
            side_by_side(
                TIMES,
                of("SimpleRNN", 3, dropout=0.2, recurrent_dropout=0.2),
                of("LSTM", 3),
                of("GRU", 3, go_backwards=True),
            ),
        ),
        Case("recurrent, masked", side_by_side(WORDS, of("SimpleRNN", 3), of("LSTM", 3), of("GRU", 3))),
        Case("recurrent, after a mask of zeros", in_line(of("Masking"), of("SimpleRNN", 3), shape=TIMES)),
        Case(
            "recurrent, both ways",
            side_by_side(WORDS, lambda: layers.Bidirectional(layers.LSTM(2, return_sequences=True))),
        ),
        Case("recurrent, cells on cells", side_by_side(TIMES, stacked)),
        Case(
            "recurrent, with a state that lasts",
            stateful,
            "refused",
            "model must take what the data hold",
            "its batches have one size, which the parts of the data have not",
        ),
        Case("recurrent, convolutional", side_by_side((2, 3, 2), of("ConvLSTM1D", 2, 2))),
        Case(
            "the same layer at every time",
            side_by_side(
                LINE,
                lambda: layers.TimeDistributed(layers.Dense(3, "tanh")),
                of("EinsumDense", "abc,cd->abd", output_shape=(3, 3), bias_axes="d"),
            ),
        ),
    ],
    "attention, images, sounds": [
        Case("attention", attention),
        Case(
            "images, chosen or turned round",
            side_by_side(
                PLANE,
                of("CenterCrop", 3, 3),
                of("RandomFlip"),
                of("RandomBrightness", 0.1, value_range=(0, 1)),
                of("RandomContrast", 0.1, value_range=(0, 1)),
            ),
        ),
        Case("sounds", in_line(of("STFTSpectrogram", "magnitude", 8, 4, 8), of("Flatten"), shape=(40, 1))),
    ],
    "by loop": [
        *(
            Case(
                f"images: `{name}`", side_by_side(PLANE, of(name, *a)), "by loop", operation, NO_FORM.format(operation)
            )
            for name, operation, *a in (
                ("Resizing", "ResizeBilinear", 3, 3),
                ("RandomRotation", "ImageProjectiveTransformV3", 0.1),
                ("RandomZoom", "ImageProjectiveTransformV3", 0.1),
                ("RandomTranslation", "ImageProjectiveTransformV3", 0.1, 0.1),
            )
        ),
        Case(
            "numbers of classes",
            in_line(of("CategoryEncoding", 5, "multi_hot"), shape=THREE),
            "by loop",
            "DenseBincount",
            NO_FORM.format("DenseBincount"),
        ),
    ],
}
LAYERS = [case for family in FAMILIES.values() for case in family]
MODELS = [
    Case("a layer shared by two inputs", sharing),
    Case("several outputs with their own losses and weights", several_outputs),
    Case("a subclass without `get_config`", subclassed(Small)),
    Case("a subclass with `get_config`", subclassed(SmallWithConfig)),
    Case("a `compute_loss` of its own, which counts updates and asks whether it trains", subclassed(WithItsOwnLoss)),
    Case("regularizers, constraints, `add_loss`", held_back),
    Case("frozen layers", frozen),
]


def excluding():
    optimizer = optimizers.AdamW(weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    return optimizer


def optimizer(what, make, *how, **more):
    return Case(what, sequential(TWO, optimizer=make), *how, **more)


def on_an_embedding(what, make, **more):
    """Return a row of an optimizer that gets a gradient in slices, some of them of the same row."""
    make = sequential(of("Embedding", 5, 1), of("Flatten"), shape=WORDS, optimizer=make)
    return Case(f"{what} on an embedding", make, **more)


def by_name(name, **how):
    return lambda: getattr(optimizers, name)(**how)


WRAPS = "optimizer must make its updates itself"
OPTIMIZERS = [
    optimizer("`SGD`", by_name("SGD")),
    optimizer("`SGD` with momentum", by_name("SGD", momentum=0.9)),
    optimizer("`SGD` with Nesterov's momentum", by_name("SGD", momentum=0.9, nesterov=True)),
    optimizer("`RMSprop`", by_name("RMSprop")),
    optimizer("`RMSprop`, centered, with momentum", by_name("RMSprop", centered=True, momentum=0.5)),
    optimizer("`Adam`", by_name("Adam")),
    optimizer("`Adam` with `amsgrad`", by_name("Adam", amsgrad=True)),
    optimizer("`AdamW`", by_name("AdamW", weight_decay=0.1)),
    optimizer("`Adadelta`", by_name("Adadelta"), rate=1.0),
    *(optimizer(f"`{name}`", by_name(name)) for name in ("Adagrad", "Adamax", "Nadam", "Lion", "Lamb")),
    optimizer("`Ftrl`", by_name("Ftrl", l1_regularization_strength=0.01, l2_regularization_strength=0.01)),
    optimizer("`weight_decay`", by_name("SGD", weight_decay=0.1)),
    optimizer("`exclude_from_weight_decay`", excluding),
    *(optimizer(f"`{name}`", by_name("SGD", **{name: 0.3})) for name in ("clipnorm", "global_clipnorm", "clipvalue")),
    on_an_embedding("`Adam`, `clipnorm`", by_name("Adam", clipnorm=0.1)),
    on_an_embedding("`RMSprop`", by_name("RMSprop")),
    on_an_embedding("`Adadelta`", by_name("Adadelta"), rate=100.0),
    optimizer("`use_ema`", by_name("Adam", use_ema=True, ema_momentum=0.8)),
    optimizer(
        "`ema_overwrite_frequency`",
        by_name("SGD", use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3),
        steps=7,
    ),
    optimizer("`gradient_accumulation_steps`", by_name("Adam", gradient_accumulation_steps=3), steps=7),
    optimizer("`loss_scale_factor`", by_name("SGD", loss_scale_factor=128.0)),
    *(
        optimizer(f"`{name}`", by_name(name), "refused", why, why)
        for name, why in keras_hooks.REFUSED.items()
        if name != "MultiOptimizer"
    ),
    optimizer(
        "`LossScaleOptimizer`",
        lambda: optimizers.LossScaleOptimizer(optimizers.SGD()),
        "refused",
        WRAPS,
        "it wraps the one that makes the updates",
    ),
]
CASES = [*LAYERS, *MODELS, *OPTIMIZERS]
