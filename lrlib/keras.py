"""The bridge to Keras: a schedule for its optimizers, and a record of the rates that they applied.

Keras must run on its TensorFlow backend. Import names from here, so that ``keras`` stays Keras's:
``from lrlib.keras import AppliedRates, KerasSchedule``.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from lrlib import _checks, schedules
from lrlib.schedules import Schedule

if keras.backend.backend() != "tensorflow":
    raise ImportError(f"lrlib.keras needs Keras on the TensorFlow backend, but Keras runs on {keras.backend.backend()}")


@keras.saving.register_keras_serializable(package="lrlib")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):
    r"""Give a schedule to a Keras optimizer: ``SGD(KerasSchedule(schedule))``.

    The rate is computed in float64 and rounded to Keras's float type once, so it is the float32 nearest to
    ``schedule(step)``. Keras's own schedules round every number on the way. The model can be saved and loaded
    again where ``lrlib.keras`` has been imported.

    Parameters
    ----------
    schedule : Schedule
        One of lrlib's schedules, or another :class:`~lrlib.schedules.Schedule` if the model need not be saved.

    Raises
    ------
    TypeError
        If ``schedule`` is not a schedule.
    ValueError
        On saving, if ``schedule`` is not one of lrlib's own, since it could not be loaded again.

    Notes
    -----
    The step is the optimizer's ``iterations``. With ``gradient_accumulation_steps`` it counts micro-batches, not
    updates. Unlike a schedule that is called from Python, a compiled one cannot refuse a step.

    Examples
    --------
    >>> from lrlib import ExponentialDecay
    >>> halving = KerasSchedule(ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5))
    >>> float(halving(20))
    0.02500000037252903
    """

    def __init__(self, schedule: Schedule):
        if not isinstance(schedule, Schedule):
            raise TypeError(f"schedule must be an lrlib schedule, got {schedule!r}")
        self.schedule = schedule

    def __call__(self, step):
        step = keras.ops.cast(step, "float64")
        return keras.ops.cast(self.schedule.formula(step, xp=keras.ops), keras.config.floatx())

    def __repr__(self):
        return f"KerasSchedule({self.schedule!r})"

    def get_config(self):
        """Return what Keras saves: the name of the schedule's class and its fields."""
        kind = type(self.schedule)
        if getattr(schedules, kind.__name__, None) is not kind:
            raise ValueError(f"schedule must be one of lrlib's own to be saved, got {self.schedule!r}")
        return {"class_name": kind.__name__, "fields": dataclasses.asdict(self.schedule)}

    @classmethod
    def from_config(cls, config):
        """Make the schedule again from what :meth:`get_config` returned."""
        kind = getattr(schedules, config["class_name"], None)
        if not (isinstance(kind, type) and issubclass(kind, Schedule)):
            raise ValueError(f"class_name must name an lrlib schedule, got {config['class_name']!r}")
        return cls(kind(**config["fields"]))


class AppliedRates:
    """Record the learning rate of every update that a Keras optimizer makes.

    What is recorded is the number that the optimizer's ``update_step`` receives: the one that multiplies the
    gradient. It is taken inside the compiled training step, so nothing is computed a second time, and with
    ``gradient_accumulation_steps`` there is one entry for each real update. (``optimizer.learning_rate`` read
    after a batch is the rate of the *next* one.)

    On leaving, also by an exception or Ctrl-C, the optimizer and the model are as they were; what was recorded
    so far stays.

    Parameters
    ----------
    model : keras.Model or keras.optimizers.Optimizer
        A compiled model, or an optimizer whose training step is traced inside the block.
    capacity : int
        The largest number of updates to hold, 4 bytes each.

    Attributes
    ----------
    rates : numpy.ndarray, shape (updates,), float32
        The applied rates in order.

    Raises
    ------
    TypeError, ValueError
        If ``model`` is neither model nor optimizer, or has not been compiled; if ``capacity`` is not a positive
        integer.
    RuntimeError
        If it is entered again while it records.
    OverflowError
        On reading ``rates``, if there were more updates than ``capacity``.

    Examples
    --------
    >>> from lrlib import StepDecay
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> schedule = StepDecay(0.5, decay_steps=2, decay_rate=0.5)
    >>> model.compile(keras.optimizers.SGD(KerasSchedule(schedule)), "mse")
    >>> with AppliedRates(model) as applied:
    ...     history = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=1, verbose=0)
    >>> applied.rates
    array([0.5 , 0.5 , 0.25, 0.25], dtype=float32)
    """

    def __init__(self, model, capacity: int = 1_000_000):
        self._capacity = _checks.whole("capacity", capacity, at_least=1)
        self._model = model if isinstance(model, keras.Model) else None
        optimizer = model if self._model is None else getattr(model, "optimizer", None)
        if self._model is not None and optimizer is None:
            raise ValueError(f"model must be compiled, got {model!r}")
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(f"model must be a Keras model or optimizer, got {model!r}")
        self._compiled_optimizer = optimizer
        self._optimizer = updating_optimizer(optimizer)
        self._updates = tf.Variable(0, dtype=tf.int32, trainable=False)
        # one place more than the capacity: it takes what comes after the record is full
        self._buffer = tf.Variable(tf.zeros(self._capacity + 1), trainable=False)
        self._found = None

    def __enter__(self):
        if self._found is not None:
            raise RuntimeError("this AppliedRates is recording already; make a second one")
        methods = vars(self._optimizer)
        self._found = {name: methods.get(name) for name in ("apply", "update_step")}
        self._apply, self._update_step = self._optimizer.apply, self._optimizer.update_step
        methods.update(apply=self._recording_apply, update_step=self._recording_update_step)
        if self._model is not None:
            # a training step that is compiled already would not call the recording methods
            self._train_function, self._model.train_function = self._model.train_function, None
        return self

    def __exit__(self, *exception):
        for name, method in self._found.items():
            if method is None:
                del vars(self._optimizer)[name]
            else:
                vars(self._optimizer)[name] = method
        self._found = None
        # a model that was compiled anew inside the block keeps what it was compiled to
        if self._model is not None and self._model.optimizer is self._compiled_optimizer:
            self._model.train_function = self._train_function

    @property
    def rates(self) -> np.ndarray:
        updates = int(self._updates)
        if updates > self._capacity:
            raise OverflowError(f"capacity must be at least {updates}, the number of updates, got {self._capacity}")
        return self._buffer[:updates].numpy()

    def _recording_apply(self, *args, **kwargs):
        self._first_of_this_update = True
        return self._apply(*args, **kwargs)

    def _recording_update_step(self, gradient, variable, learning_rate):
        # an update calls this once for every variable, with the same rate
        if self._first_of_this_update:
            self._first_of_this_update = False
            place = tf.minimum(self._updates, self._capacity)
            rate = keras.ops.cast(learning_rate, "float32")
            self._buffer.scatter_update(tf.IndexedSlices(rate, place))
            self._updates.assign_add(1)
        return self._update_step(gradient, variable, learning_rate)


def updating_optimizer(optimizer):
    """Return the optimizer that makes the updates: with mixed precision it is wrapped in one that scales the loss."""
    return getattr(optimizer, "inner_optimizer", optimizer)
