"""The bridge to Keras: a schedule for its optimizers, and a record of the rates that they applied.

Keras must run on its TensorFlow backend. Import names from here, so that ``keras`` stays Keras's:
``from lrlib.keras import AppliedRates, KerasSchedule``.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from lrlib._modules import from_extra

with from_extra("keras"):
    import keras
    import tensorflow as tf

from lrlib import _checks, keras_hooks, schedules
from lrlib._tape import problem, tape_of
from lrlib.as_it_was import CtrlC
from lrlib.schedules import FunctionOfStep, Schedule, as_schedule
from lrlib.schedules.base import steps_of

if keras.backend.backend() != "tensorflow":
    raise ImportError(f"lrlib.keras needs Keras on the TensorFlow backend, but Keras runs on {keras.backend.backend()}")

for _kind in vars(schedules).values():
    if isinstance(_kind, type) and issubclass(_kind, Schedule):
        keras.saving.register_keras_serializable(package="lrlib")(_kind)


@keras.saving.register_keras_serializable(package="lrlib")
class KerasSchedule(keras.optimizers.schedules.LearningRateSchedule):
    r"""Give a schedule to a Keras optimizer: ``SGD(KerasSchedule(schedule))``.

    The rate is computed in float64 and rounded to Keras's float type once, so it is the float32 nearest to
    ``schedule(step)``. Keras's own schedules round every number on the way.

    Parameters
    ----------
    schedule : Schedule, float or callable
        What :func:`~lrlib.schedules.as_schedule` takes. TensorFlow must be able to compile it: its formula is made of
        operators and of functions of ``xp``, or of ``keras.ops``.
    gradient_accumulation_steps : int, optional
        What the optimizer has under this name. The schedule then counts updates; without it Keras counts every batch
        whose gradient is put by, and the schedule ends that many times too early.

    Raises
    ------
    TypeError
        If ``schedule`` is none, or cannot be compiled.
    ValueError
        If ``gradient_accumulation_steps`` is not an integer of at least 1; on saving, if a schedule of your own, or a
        function, is not registered with Keras.

    Notes
    -----
    The step is the optimizer's ``iterations``, which Keras saves with the optimizer. So a training that is resumed
    goes on in its schedule: ``fit`` again, with ``initial_epoch``, after ``load_model`` in a new process where
    ``lrlib.keras`` has been imported, or with the callback ``BackupAndRestore``. An optimizer that is made anew
    begins at step 0.

    A compiled function cannot raise an error. Where a schedule of your own gives a negative rate, it applies NaN.

    A schedule class of your own is saved with the model once it is registered:
    ``@keras.saving.register_keras_serializable()`` above its ``@dataclass(frozen=True)``.

    Examples
    --------
    >>> from lrlib import ExponentialDecay
    >>> halving = KerasSchedule(ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5))
    >>> float(halving(20))
    0.02500000037252903
    """

    def __init__(self, schedule, gradient_accumulation_steps: int | None = None):
        self.schedule = as_schedule(schedule)
        if gradient_accumulation_steps is not None:
            gradient_accumulation_steps = _checks.whole(
                "gradient_accumulation_steps", gradient_accumulation_steps, at_least=1
            )
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._ours = all(vars(schedules).get(part.__name__) is part for part in _parts(self.schedule))
        self._check_that_it_compiles()

    @tf.autograph.experimental.do_not_convert
    def __call__(self, step):
        step = keras.ops.cast(step if tf.is_tensor(step) else steps_of(step), "float64")
        if self.gradient_accumulation_steps:
            step = schedules.stairs(step, self.gradient_accumulation_steps, xp=keras.ops)
        rate = self.schedule.formula(step, xp=keras.ops)
        if not self._ours:  # those of lrlib are never negative
            rate = keras.ops.where(rate >= 0, rate, np.nan)
        return keras.ops.cast(rate, keras.config.floatx())

    def _check_that_it_compiles(self) -> None:
        def rate(step):
            given = self.schedule.formula(step, xp=keras.ops)
            if isinstance(self.schedule, FunctionOfStep) and not tf.is_tensor(given):
                raise TypeError(f"it returns {given!r} for every step; give that number instead")
            return tf.broadcast_to(tf.cast(given, tf.float64), ())

        try:
            tf.function(rate, autograph=False).get_concrete_function(tf.TensorSpec((), tf.float64))
        except Exception as error:  # TensorFlow, NumPy and Python raise many kinds
            raise TypeError(
                "schedule must be made of operators and functions of keras.ops, to be compiled: no `if`, int() or "
                "math on the step. A table is PiecewiseConstantDecay(boundaries, values). "
                f"Got {self.schedule!r}: {str(error).strip().splitlines()[0]}"
            ) from error

    def __repr__(self):
        accumulating = self.gradient_accumulation_steps
        return f"KerasSchedule({self.schedule!r}{f', {accumulating}' if accumulating else ''})"

    def get_config(self):
        """Return what Keras saves: the schedule with all that it is made of."""
        for part in _parts(self.schedule):
            registered = keras.saving.get_registered_object(keras.saving.get_registered_name(part))
            if registered is not part and not part.__module__.startswith("keras."):
                raise ValueError(
                    "schedule must be registered with Keras to be saved: "
                    f"put @keras.saving.register_keras_serializable() above {part.__qualname__}, got {self.schedule!r}"
                )
        packed = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": packed, "gradient_accumulation_steps": self.gradient_accumulation_steps}

    @classmethod
    def from_config(cls, config):
        """Make the schedule again from what :meth:`get_config` returned."""
        return cls(**config | {"schedule": keras.saving.deserialize_keras_object(config["schedule"])})


def _parts(value) -> Iterator:
    """Yield the classes and functions that a schedule is made of."""
    if isinstance(value, Schedule):
        yield type(value)
        for field in value.get_config().values():
            yield from _parts(field)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _parts(each)
    elif callable(value):
        yield value if hasattr(value, "__name__") else type(value)


class AppliedRates(keras.callbacks.Callback):
    """Record the learning rate of every update that a Keras optimizer makes.

    What is recorded is the number that the optimizer's ``update_step`` receives: the one that multiplies the
    gradient. It is taken inside the compiled training step, so nothing is computed a second time, and with
    ``gradient_accumulation_steps`` there is one entry for each real update. (``optimizer.learning_rate`` read
    after a batch, and what Keras logs, is the rate of the *next* one.)

    There are two ways to use it. In a ``with`` block it records all that happens there, custom training loops as
    well. As a callback of ``fit`` it also puts the last applied rate into the logs of every batch and epoch, and so
    into ``History``, ``CSVLogger`` and ``TensorBoard``: put it before these in the list of callbacks.

    A compiled step of Keras counts an update even where its data failed or ran out and no weight moved. While it is
    recorded it does not, and the record has no such entry.

    Where it cannot tell what was applied, it says so by an error at the end of the block or of ``fit``, and again
    whenever ``rates`` is read. An exception from the block itself goes first. However the block is left, the optimizer
    and the model are as they were, and what was recorded so far stays.

    Parameters
    ----------
    model : keras.Model or keras.optimizers.Optimizer, optional
        A compiled model, or an optimizer alone, whose training function is then to be compiled in the block.
        A callback needs none.
    optimizer : keras.optimizers.Optimizer, optional
        Which one to record, where a model has several or keeps it elsewhere than in ``model.optimizer``.
    capacity : int
        The largest number of updates to hold, 4 bytes each; as a callback, the largest number in one batch.
    name : str
        What the rate is called in the logs.

    Attributes
    ----------
    rates : numpy.ndarray, shape (updates,), float32
        The applied rates in order, of all blocks and calls of ``fit`` together.

    Raises
    ------
    TypeError, ValueError
        If ``model`` is neither model nor optimizer, or has not been compiled; if the optimizer is one of Keras's that
        apply another rate than ``update_step`` receives (Adafactor, Muon, schedule-free AdamW) or leave updates to
        others (MultiOptimizer); if ``capacity`` is not a positive integer.
    RuntimeError
        If it is used again while it records; as a callback, if another callback trains or compiles the model. At the
        end, and on reading ``rates``: if the optimizer counted updates that passed the record by, since their function
        was compiled before; if weights of the model changed and no update of this optimizer changed them (another
        optimizer, or a training step that applies gradients by hand); if the model got another optimizer in the block;
        if the variables of one update had different rates.
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

    As a callback:

    >>> log = model.fit(np.ones((4, 1)), np.ones((4, 1)), batch_size=2, verbose=0, callbacks=[AppliedRates()])
    >>> log.history["applied_learning_rate"]
    [0.125]
    """

    def __init__(self, model=None, *, optimizer=None, capacity: int = 1_000_000, name: str = "applied_learning_rate"):
        super().__init__()
        self._capacity = _checks.whole("capacity", capacity, at_least=1)
        self._name = name
        self._given = model, optimizer
        self._blocks = None  # what has to be closed, while it records in a with block
        self._open = None  # the tape and where this record began on it, while it records
        self._taken = []  # what was recorded in former blocks
        self._problem = None
        if model is not None or optimizer is not None:
            self._find(model, optimizer)

    def _find(self, model, optimizer):
        """Return the model, or None, and the optimizer that makes the updates."""
        if model is not None and not isinstance(model, keras.Model):
            if optimizer is not None or not isinstance(model, keras.optimizers.Optimizer):
                raise TypeError(f"model must be a Keras model or optimizer, got {model!r}")
            model, optimizer = None, model
        if optimizer is None:
            optimizer = getattr(model, "optimizer", None)
            if optimizer is None:
                raise ValueError(f"model must be compiled, got {model!r}")
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(f"optimizer must be a Keras optimizer, got {optimizer!r}")
        optimizer = keras_hooks.updating_optimizer(optimizer)
        keras_hooks.refuse_other_rates(optimizer)
        if isinstance(schedule := keras_hooks.learning_rate_given(optimizer), Schedule):
            raise TypeError(f"optimizer must be given {KerasSchedule.__name__}({schedule!r}), got the schedule itself")
        return model, optimizer

    @property
    def rates(self) -> np.ndarray:
        if self._problem is not None:
            raise self._problem
        taken = list(self._taken)
        if self._open:
            tape, start, optimizer = self._open
            taken.append(self._read(tape, start, tape.now(optimizer)))
        return np.concatenate([np.zeros(0, np.float32), *taken])

    @property
    def _recorded(self) -> int:
        return sum(map(len, self._taken))

    # In a with block

    def __enter__(self):
        if self._blocks is not None:
            raise RuntimeError("this AppliedRates is recording already; make a second one")
        if self._given == (None, None):
            raise ValueError("model must be given to record in a with block, got None")
        model, optimizer = self._find(*self._given)
        with ExitStack() as blocks:
            with CtrlC():  # it would leave half of this
                if model is not None:
                    blocks.enter_context(keras_hooks.retraced(model))
                    blocks.push(self._unseen_changes(model, optimizer))
                blocks.enter_context(self._recording(optimizer))
            self._blocks = blocks.pop_all()
        return self

    def __exit__(self, *exception):
        blocks, self._blocks = self._blocks, None
        with CtrlC():
            blocks.__exit__(*exception)
        if exception[0] is None and isinstance(self._problem, RuntimeError):
            raise self._problem

    @contextmanager
    def _recording(self, optimizer) -> Iterator[None]:
        """Record; what is wrong with the record is kept in ``_problem``, and no exception from the block is hidden."""
        if self._open is not None:
            raise RuntimeError("this AppliedRates is recording already; make a second one")
        tape, to_the_end = tape_of(optimizer), False
        start = tape.begin(self._capacity, optimizer)
        self._open = tape, start, optimizer
        try:
            with keras_hooks.watching(optimizer, tape):
                yield
            to_the_end = True
        finally:
            self._open = None
            tape.end()
            end = tape.now(optimizer)
            self._problem = self._problem or problem(start, end, optimizer, to_the_end)
            try:
                self._taken.append(self._read(tape, start, end))
            except OverflowError as error:
                self._problem = error

    def _read(self, tape, start, end) -> np.ndarray:
        if (updates := end.updates - start.updates) > self._capacity:
            raise OverflowError(f"capacity must be at least {updates}, the number of updates, got {self._capacity}")
        return tape.read(start, end)

    def _unseen_changes(self, model, optimizer):
        """Return what looks, at the end of a block, for weights that something else than recorded updates changed."""
        before = {id(variable): (variable, _print_of(variable)) for variable in model.trainable_variables}
        tape, recorded_before = tape_of(optimizer), self._recorded
        one_of_several = self._given[1] is not None or keras_hooks.updating_optimizer(model.optimizer) is not optimizer

        def look(*exception):
            recorded = self._recorded > recorded_before
            touched = tape.touched if recorded else ()
            changed = [
                variable.path
                for variable, was in before.values()
                if keras_hooks.variable_key(optimizer, variable) not in touched and _print_of(variable) != was
            ]
            if not (before or tape.touched) and model.train_function is not None and model.trainable_variables:
                changed = ["all"]  # the model was built in the block
            if recorded and one_of_several:
                return  # the others may have changed the other weights
            now = keras_hooks.updating_optimizer(model.optimizer)
            if recorded and now not in (None, optimizer) and keras_hooks.counted(now) and self._problem is None:
                self._problem = RuntimeError(
                    f"the model got another optimizer, {now.name!r}, and what {optimizer.name!r} applied is not all: "
                    "compile the model before the block, and record each optimizer in a block of its own"
                )
            if changed and self._problem is None:
                self._problem = RuntimeError(
                    f"weights of the model ({changed[0]}) changed, and no update by its optimizer {optimizer.name!r} "
                    "changed them. If another optimizer does: AppliedRates(model, optimizer=that_one). What a training "
                    "step does by hand cannot be recorded."
                )

        return look

    # As a callback: every call of the training step is a block

    def on_train_begin(self, logs=None):
        model, self._optimizer = self._find(self._given[0] or self.model, self._given[1])
        self._look = self._unseen_changes(self.model, self._optimizer)
        self._begun = False
        keras_hooks.train_through(self.model, self._in_one_call, wanted=lambda: self._begun)

    def on_train_batch_begin(self, batch, logs=None):
        self._begun = True

    @contextmanager
    def _in_one_call(self):
        self._begun = False
        with CtrlC() as ctrl_c, self._recording(self._optimizer), ctrl_c.let():
            yield
        if self._problem is not None:
            raise self._problem

    def on_train_batch_end(self, batch, logs=None):
        if self._begun:
            raise RuntimeError(
                "a batch of fit passed the record, since another callback trained the model or compiled it again: "
                "record in a with block"
            )
        self._log(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._log(logs)
        self._taken = [self.rates]

    def _log(self, logs) -> None:
        rates = self._taken[-1] if len(self._taken[-1]) else self.rates  # with accumulation, of a batch before
        logs[self._name] = float(rates[-1]) if len(rates) else np.nan

    def on_train_end(self, logs=None):
        try:
            self._look()
        finally:
            keras_hooks.train_without(self.model, self._in_one_call)
        if self._problem is not None:
            raise self._problem


def _print_of(variable) -> int:
    """Return a fingerprint of a variable's numbers."""
    return hash(tf.convert_to_tensor(variable.value).numpy().tobytes())
