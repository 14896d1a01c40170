"""The proof: a sweep of a model is what Keras would train, or an error says where it is not."""

import math

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks
from lrlib.as_it_was import as_it_was
from lrlib.datasets import PARTS, Data, each
from lrlib.training import Job, begin, lanes_at_once, program_of

TOLERANCE = 0.01  # what rounding does to two steps is far below, another formula above

# what the tests compare with Keras's training over whole runs
PROVEN = frozenset(
    """
    Functional Sequential InputLayer Dense SGD Reshape Permute Flatten RepeatVector Identity Rescaling Activation ReLU
    LeakyReLU ELU PReLU Softmax Concatenate Add Subtract Multiply Average Maximum Minimum Dot Conv1D DepthwiseConv1D
    SeparableConv1D Conv1DTranspose Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose Conv3D Conv3DTranspose
    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D
    GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveAveragePooling1D AdaptiveAveragePooling2D ZeroPadding1D
    ZeroPadding2D ZeroPadding3D UpSampling1D UpSampling2D UpSampling3D Cropping1D Cropping2D Cropping3D
    BatchNormalization LayerNormalization RMSNormalization UnitNormalization GroupNormalization Normalization Dropout
    GaussianNoise GaussianDropout AlphaDropout SpatialDropout1D SpatialDropout2D SpatialDropout3D Embedding
    ReversibleEmbedding SimpleRNN SimpleRNNCell LSTM LSTMCell GRU GRUCell Masking Bidirectional RNN StackedRNNCells
    ConvLSTM1D ConvLSTMCell TimeDistributed EinsumDense MultiHeadAttention GroupedQueryAttention
    Attention AdditiveAttention CenterCrop RandomFlip RandomBrightness RandomContrast STFTSpectrogram
    ActivityRegularization RMSprop Adam AdamW Adadelta Adagrad Adamax Nadam Lion Lamb Ftrl
    """.split()
)


def check(model) -> None:
    """Raise an error if a model cannot be trained in lanes, before anything is trained.

    Raises
    ------
    TypeError
        If it is no ``keras.Model``.
    ValueError
        If it is not built or not compiled; if it, or Keras, computes in anything but float32 on TensorFlow; if its
        optimizer has a schedule, or is one that wraps another.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, got {model!r}")
    if not model.built:
        raise ValueError(
            "model must know the shape of its input: begin it with keras.Input, or call it on samples first"
        )
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(f"model must be compiled with an optimizer and a loss, got {model!r}")
    if keras.config.backend() != "tensorflow" or keras.config.floatx() != "float32":
        got = f"{keras.config.floatx()} on {keras.config.backend()}"
        raise ValueError(f"Keras must compute in float32 on TensorFlow, as keras.json or KERAS_BACKEND say, got {got}")
    for layer in model._flatten_layers():
        if layer.compute_dtype != "float32" or layer.variable_dtype != "float32":
            raise ValueError(f"model's layers must be in float32, got {layer.name!r} with {layer.dtype_policy.name}")
    if not model.trainable_variables:
        raise ValueError("model must have weights to train, but all its layers are frozen or have none")
    optimizer = model.optimizer
    if keras_hooks.updating_optimizer(optimizer) is not optimizer:
        raise ValueError(f"optimizer must make its updates itself, got {type(optimizer).__name__}, which wraps another")
    keras_hooks.refuse_other_rates(optimizer)
    if not isinstance(keras_hooks.learning_rate_given(optimizer), keras.Variable):
        raise ValueError(
            "optimizer must not have a schedule, which a sweep would not use: give it to the sweep, as schedule=, "
            "which multiplies every learning rate"
        )


def fitting(model, data: Data) -> dict[str, tuple]:
    """Return the samples and labels of each part, if the model and its loss take them.

    Raises
    ------
    ValueError
        If they do not, or if the loss is not one number.
    """
    expected = getattr(model, "input_shape", None)
    for part in PARTS:
        x = getattr(data, f"x_{part}")
        if isinstance(x, np.ndarray) and isinstance(expected, tuple) and expected[:1] == (None,):
            if len(expected) != x.ndim or any(a not in (None, b) for a, b in zip(expected, x.shape, strict=True)):
                raise ValueError(
                    f"x_{part} must have the shape of the model's input, {expected[1:]}, got {x.shape[1:]}"
                )
    x, y, *weights = each(lambda array: tf.constant(array[:2]), data.of("train"))
    with keras.StatelessScope([(v, v.value) for v in model.variables], collect_losses=True):
        try:
            outputs = model(x)
        except Exception as error:
            raise ValueError(f"model must take what the data hold, but for two samples of x_train: {error}") from error
        if isinstance(outputs, tf.Tensor):
            _check_labels(model, data, outputs.shape[1:])
        loss = tf.convert_to_tensor(model.compute_loss(x, y, outputs, *weights))
    if loss.shape.rank:
        raise ValueError(
            f"model's loss must be one number for a batch, got {loss.shape[0]} numbers: look at reduction="
        )
    return {part: data.of(part) for part in PARTS}


def _check_labels(model, data: Data, outputs) -> None:
    loss = keras_hooks.loss_given(model)[0]
    if not isinstance(loss, str) and not keras_hooks.is_keras_s(loss):
        return  # whoever wrote it knows what it takes
    sparse = keras_hooks.is_sparse(loss)
    for part in PARTS:
        y = getattr(data, f"y_{part}")
        if sparse:
            if y.shape[1:] not in ((), (1,)) or y.dtype != np.int32 or not (0 <= y.min() and y.max() < outputs[-1]):
                raise ValueError(
                    f"y_{part} must hold one integer from 0 to {outputs[-1] - 1}, the model's last output, for each "
                    f"sample, got {y.dtype} of shape {y.shape} from {y.min()} to {y.max()}"
                )
        elif y.shape[1:] != tuple(outputs) and (y.shape[1:] or tuple(outputs) != (1,)):
            wanted, got = math.prod(outputs), math.prod(y.shape[1:])
            raise ValueError(f"y_{part} must have a number for each of the {wanted} outputs, got {got}")


def constant_loss(model, data: Data) -> float:
    """Return the loss of the best prediction that is the same for all samples.

    It is the entropy of the labels in nats for sparse categorical cross-entropy, their variance for the mean squared
    error, and NaN for other losses.
    """
    loss = keras_hooks.loss_given(model)[0]
    if isinstance(loss, (dict, list, tuple)) or not isinstance(data.y_train, np.ndarray):
        return np.nan
    loss = keras.losses.get(loss)
    known = getattr(loss, "fn", loss) if keras_hooks.is_keras_s(loss) else None
    if known is keras.losses.sparse_categorical_crossentropy:
        shares = np.bincount(data.y_train) / len(data.y_train)
        return float(-(shares * np.log(shares, where=shares > 0, out=np.zeros_like(shares))).sum())
    if known is keras.losses.mean_squared_error:
        return float(data.y_train.var(axis=0, dtype=np.float64).mean())
    return np.nan


def prove(job: Job) -> None:
    """Compare two steps of a lane with two of the model itself, unless the tests have done so for all its parts.

    Raises
    ------
    ValueError
        If they differ, or the model cannot be vectorised.
    """
    program, model = program_of(job), job.model
    if program.proven or _known(model):
        return
    steps, lane = min(2, job.steps), int(np.argmin(job.learning_rates)) * len(job.values) * len(job.seeds)
    width = lanes_at_once(job, 1)
    start = begin(job, [lane], width)
    start = start._replace(values=tf.ones_like(start.values)) if job.group else start
    state, (losses, *_) = program.at(width).train(*start.steps(0, steps))
    losses = losses[:, 0].numpy()
    swept = program.in_model(state[0], state[1], start.fixed, 0)
    drawn, seen = program.start.of_seed(job.seeds[0]), []
    with as_it_was(model), keras_hooks.with_fresh_optimizer(model) as fresh:
        if job.setting:
            setattr(fresh, job.setting, job.values[0])
        for variable, value in zip(keras_hooks.variables_of(model), drawn, strict=True):
            variable.assign(value)
        for rate, chosen in zip(start.rates[:steps, 0], start.order[:steps, 0], strict=True):
            fresh.learning_rate = float(rate)
            model.reset_metrics()
            batch = each(lambda array, chosen=chosen: array[chosen], job.parts["train"])
            seen.append(float(keras_hooks.trained_on(model, batch)["loss"]))
        trained = model.get_weights()
    differ = [
        f"{variable.path} differs by {gap:.2g} of its change"
        for variable, begun, one, other in zip(model.weights, drawn, trained, swept, strict=False)
        if not (gap := _gap(begun, one, other)) < TOLERANCE
    ]
    if not np.allclose(losses, seen, rtol=TOLERANCE, atol=1e-6, equal_nan=True):
        differ.insert(0, f"the losses are {losses.tolist()}, not {seen}")
    if differ:
        branch = ". A lane computes both branches of a cond: the gradient of the one not taken must be finite too"
        hint = branch if np.isnan(losses).any() and not np.isnan(seen).any() else ""
        raise ValueError(
            f"model must do in a sweep what it does in Keras, but after {steps} steps of training {differ[0]}{hint}"
        )
    program.proven = True


def _known(model) -> bool:
    """Whether the tests have compared all that a model is made of: no function of anybody else's is inside."""
    layers = model._flatten_layers()
    kinds = {type(model), type(model.optimizer), *map(type, layers)}
    if not all(kind.__name__ in PROVEN and keras_hooks.is_keras_s(kind) for kind in kinds):
        return False
    inside = [part for layer in layers if not isinstance(layer, keras.Model) for part in vars(layer).values()]
    inside += tf.nest.flatten(keras_hooks.loss_given(model)[0])
    return all(keras_hooks.is_keras_s(part) for part in inside if callable(part))


def _gap(begun, trained, swept) -> float:
    change = np.linalg.norm(np.asarray(trained, np.float64) - begun)
    return float(
        np.linalg.norm(np.asarray(trained, np.float64) - swept) / max(change, 1e-5 * np.linalg.norm(begun), 1e-12)
    )
