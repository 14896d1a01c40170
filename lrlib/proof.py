"""The proof: a sweep of a model is what Keras would train, or an error says where it is not."""

import math
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from lrlib import keras_hooks
from lrlib.as_it_was import CtrlC, as_it_was, tensorflow_s_as_they_were
from lrlib.datasets import PARTS, Data, count, each
from lrlib.program import all_keras_s, signature
from lrlib.training import NOT_FINITE, Job, begin, lanes_at_once, program_of

TOLERANCE = 0.01  # what rounding does to two steps is far below, another formula above

UNLIKE = "ctc", "circle"  # losses of labels that are not like the outputs

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
        floats = {kind for kind in (layer.compute_dtype, layer.variable_dtype) if "float" in kind} - {"float32"}
        if floats:
            raise ValueError(f"model's layers must be in float32, got {layer.name!r} with {layer.dtype_policy.name}")
    if not model.trainable_variables:
        raise ValueError("model must have weights to train, but all its layers are frozen or have none")
    optimizer = model.optimizer
    if keras_hooks.updating_optimizer(optimizer) is not optimizer:
        raise ValueError(f"optimizer must make its updates itself, got {type(optimizer).__name__}, which wraps another")
    keras_hooks.refuse_other_rates(optimizer)
    keras_hooks.refuse_other_settings(optimizer)
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
    with _only_read(model):
        x, y, *weights = _samples(data, 0, 2)
        try:
            outputs = model(x)
        except Exception as error:
            raise ValueError(f"model must take what the data hold, but for two samples of x_train: {error}") from error
        if isinstance(outputs, tf.Tensor):
            _check_labels(model, data, tuple(outputs.shape[1:]))
        loss = tf.convert_to_tensor(keras_hooks.loss_of(model, True, x, y, outputs, *weights))
    if loss.shape.rank:
        raise ValueError(
            f"model's loss must be one number for a batch, got {loss.shape[0]} numbers: look at reduction="
        )
    return {part: data.of(part) for part in PARTS}


_of_means = {}


def of_means(model, data: Data) -> bool:
    """Whether the loss of some samples is the mean of their losses: no sum, no mask, nothing that counts by batches.

    Models of the same making are asked once for data of a kind.
    """
    made, half = signature(model), min(64, count(data.of("train"))) // 2
    kind = made, str(each(lambda array: (array.shape[1:], array.dtype), data.of("train"))), half
    if made is None:
        return _is_of_means(model, data, half)
    if kind not in _of_means:
        _of_means[kind] = _is_of_means(model, data, half)
    return _of_means[kind]


def _is_of_means(model, data: Data, half: int) -> bool:
    losses = [keras.losses.get(loss) for loss in tf.nest.flatten(keras_hooks.loss_given(model)[0])]
    if half == 0 or not all(loss is None or _is_mean(loss) for loss in losses):
        return False
    masks = []

    def loss(first, end):
        x, y, *weights = _samples(data, first, end)
        outputs = model(x)
        masks.extend(getattr(part, "_keras_mask", None) is not None for part in tf.nest.flatten(outputs))
        return float(keras_hooks.loss_of(model, False, x, y, outputs, *weights))

    noise = np.random.default_rng(0)  # with weights near 0 all losses may be alike
    with _only_read(model, lambda weight: noise.normal(0, 0.3, weight.shape).astype(np.float32)):
        alike = np.isclose(2 * loss(0, 2 * half), loss(0, half) + loss(half, 2 * half), rtol=1e-4)
    return bool(alike) and not any(masks)


def _is_mean(loss) -> bool:
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    counts_all = reduction in ("sum_over_batch_size", "mean") and getattr(loss, "ignore_class", None) is None
    return counts_all and keras_hooks.is_keras_s(loss)


@contextmanager
def _only_read(model, other=tf.convert_to_tensor):
    weights = {id(v) for v in model.trainable_variables}
    values = [(v, other(v.value) if id(v) in weights else v.value) for v in model.variables]
    with tensorflow_s_as_they_were(model), keras.StatelessScope(values, collect_losses=True):
        yield


def _samples(data: Data, first: int, end: int):
    return each(lambda array: tf.constant(array[first:end]), data.of("train"))


def _check_labels(model, data: Data, outputs: tuple) -> None:
    loss = keras_hooks.loss_given(model)[0]
    if not isinstance(loss, str) and not keras_hooks.is_keras_s(loss):
        return  # whoever wrote it knows what it takes
    if str(getattr(loss, "__name__", loss if isinstance(loss, str) else type(loss).__name__)).lower() in UNLIKE:
        return
    sparse, ignored = keras_hooks.is_sparse(loss), getattr(loss, "ignore_class", None)
    for part in PARTS:
        y = getattr(data, f"y_{part}")
        if not isinstance(y, np.ndarray):
            raise ValueError(f"y_{part} must be one array, as the model has one output, got a {type(y).__name__}")
        if sparse:
            fits = y.shape[1:] in (places := outputs[:-1], (*places, 1)) and y.dtype == np.int32
            if not fits or not ((0 <= y) & (y < outputs[-1]) | (y == ignored)).all():
                each = f"each of {math.prod(places)} places of a sample" if places else "each sample"
                raise ValueError(
                    f"y_{part} must hold one integer from 0 to {outputs[-1] - 1}, the model's last output, for {each}, "
                    f"got {y.dtype} of shape {y.shape} from {y.min()} to {y.max()}"
                )
        elif outputs not in (y.shape[1:], (*y.shape[1:], 1)) and y.shape[1:] != (*outputs, 1):
            wanted, got = math.prod(outputs), math.prod(y.shape[1:])
            got = got if got != wanted else f"shape {y.shape[1:]} instead of {outputs}"
            raise ValueError(f"y_{part} must have a number for each of the {wanted} outputs, got {got}")


def constant_loss(model, data: Data) -> float:
    """Return the loss of the best prediction that is the same for all samples.

    It is the entropy of the labels in nats for sparse categorical cross-entropy, their variance for the mean squared
    error, each with the samples' weights, and NaN for other losses and for labels of many places. Samples of a class
    that the loss ignores do not count. What regularizers add is not in it, so where there are some it is NaN.
    """
    (loss, factor), y = keras_hooks.loss_given(model), data.y_train
    if isinstance(loss, (dict, list, tuple)) or factor is not None or not isinstance(y, np.ndarray) or y.ndim > 2:
        return np.nan
    loss = keras.losses.get(loss)
    known = getattr(loss, "fn", loss) if keras_hooks.is_keras_s(loss) else None
    if getattr(loss, "reduction", "sum_over_batch_size") != "sum_over_batch_size" or known is None or model.losses:
        return np.nan
    weights = getattr(data, "weights_train", None)
    weights = (
        np.ones(len(y))
        if not isinstance(weights, np.ndarray)
        else weights.astype(np.float64).reshape(len(y), -1).mean(axis=1)
    )
    if known is keras.losses.sparse_categorical_crossentropy and y.size == len(y):
        counts = y.ravel() != getattr(loss, "ignore_class", None)
        y, weights = y.ravel()[counts], weights[counts]
        if y.min(initial=0) < 0 or weights.sum() <= 0:
            return np.nan
        shares = np.bincount(y, weights) / weights.sum()
        logs = np.log(shares, where=shares > 0, out=np.zeros_like(shares))
        return float(-(shares * logs).sum() * weights.mean())
    if known is keras.losses.mean_squared_error and weights.sum() > 0:
        from_mean = y - np.average(y, axis=0, weights=weights)
        return float((np.square(from_mean).reshape(len(y), -1).mean(axis=1) * weights).mean())
    return np.nan


def prove(job: Job) -> None:
    """Compare two steps of a lane with two of the model itself, unless the tests have done so for all its parts.

    Raises
    ------
    ValueError
        If they differ, or the model cannot be vectorised; if it has a training step of its own, of which two steps do
        not tell what it does later.
    """
    model = job.model
    for step in "train_step", "test_step":
        if not keras_hooks.is_keras_s(getattr(model, step)):
            raise ValueError(
                f"model must do in a sweep what it does in Keras, but a sweep does not call its own {step}: it calls "
                "the model and compute_loss, which may be your own, and the optimizer"
            )
    program = program_of(job)
    if program.proven or _known(model):
        return
    steps, value, setting = min(2, job.steps), 0, {}
    if job.setting:  # the value that is least like the optimizer's own
        own = model.optimizer.get_config()[job.setting] or 0
        value = int(np.argmax(np.abs(np.subtract(job.values, own))))
        setting = {job.setting: job.values[value]}
    lane = np.ravel_multi_index((np.argmin(job.learning_rates), value, 0), job.shape)
    width = lanes_at_once(job, 1)
    start = begin(job, [int(lane)], width)
    start = start._replace(values=tf.ones_like(start.values)) if job.group else start
    state, (losses, *_) = program.at(width).train(*start.steps(0, steps))
    losses = losses[:, 0].numpy()
    swept = program.in_model(state[0], state[1], start.fixed, 0)
    drawn, seen = program.start.of_seed(job.seeds[0]), []
    with (
        CtrlC() as ctrl_c,
        keras_hooks.with_fresh_optimizer(model, **setting) as fresh,  # its own need not be built
        as_it_was(model),
        ctrl_c.let(),
    ):
        for variable, value in zip(keras_hooks.variables_of(model), drawn, strict=True):
            variable.assign(value)
        for rate, chosen in zip(start.rates[:steps, 0], start.order[:steps, 0], strict=True):
            fresh.learning_rate = float(rate)
            model.reset_metrics()
            batch = each(lambda array, chosen=chosen: array[chosen], job.parts["train"])
            seen.append(float(keras_hooks.trained_on(model, batch)["loss"]))
        trained = model.get_weights()
    if not np.isfinite([losses[0], seen[0]]).any():
        raise ValueError(NOT_FINITE)
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
    kinds = {type(model), type(model.optimizer), *map(type, model._flatten_layers())}
    return all(kind.__name__ in PROVEN for kind in kinds) and all_keras_s(model)


def _gap(begun, trained, swept) -> float:
    change = np.linalg.norm(np.asarray(trained, np.float64) - begun)
    return float(
        np.linalg.norm(np.asarray(trained, np.float64) - swept) / max(change, 1e-5 * np.linalg.norm(begun), 1e-12)
    )
