"""What a sweep can train, and the page that says so: each row is proven against Keras's own training.

A lane's whole run is compared with ``model.fit`` from the same start: the loss of every step, the weights at the end,
and what ``model.test_on_batch`` returns. ``python tests/test_models.py`` writes the page anew.
"""

from pathlib import Path

from lrlib.quiet import keras, tf  # isort: skip  (the first import of TensorFlow)

import numpy as np
import pytest

from lrlib import keras_hooks, proof
from lrlib.datasets import batches, count, each
from lrlib.lanes import Start
from lrlib.program import CONVOLUTIONS
from lrlib.sweep import sweep
from models import CASES, FAMILIES, LAYERS, MODELS, OPTIMIZERS, compiled, data_for, kinds_in, together
from refusal import refused

BATCH, SEED = 4, 4
PAGE = Path(__file__).parents[1] / "models.md"


@pytest.fixture
def whole_runs(monkeypatch):
    """Let no lane count as failed, for some learn next to nothing in so few steps, and the weights are wanted.

    Nor does anything else prove a model; and XLA, whose work takes seconds, compiles what asks for it alone.
    """
    nothing = lambda loss, _: {"failed": np.zeros(loss.shape[1], bool), "failed_since": np.full(loss.shape[1], -1)}  # noqa: E731
    monkeypatch.setattr("lrlib.training.failures", nothing)
    monkeypatch.setattr("lrlib.sweep.prove", lambda job: None)
    monkeypatch.setattr("lrlib.program.CONVOLUTIONS", ())


def swept(model, data, rate, engine="vectorized", steps=4):
    rates = [rate, 1e4 * rate]  # the lane of the second is far too large, and only keeps the other company
    return sweep(model, data, rates, [SEED], steps=steps, batch_size=BATCH, weights=True, engine=engine)


def compare(model, data, rate, runs):
    """Let Keras train the model like the lane of this rate, and compare them."""
    lane, (x, y, *weight) = runs.isel(learning_rate=0, seed=0), data.of("test")
    begun = Start(model).of_seed(int(lane.seed))
    for variable, value in zip(keras_hooks.variables_of(model), begun, strict=True):
        variable.assign(value)
    model.run_eagerly, model.optimizer.learning_rate = True, rate
    steps = runs.sizes["step"]
    orders = batches(count(data.of("train")), BATCH, steps, SEED)
    samples = (each(lambda array, chosen=chosen: tf.constant(array[chosen]), data.of("train")) for chosen in orders)
    losses = model.fit(samples, epochs=steps, steps_per_epoch=1, shuffle=False, verbose=0).history["loss"]
    np.testing.assert_allclose(lane.loss, losses, rtol=2e-5)
    for variable, start, mine, own in zip(model.weights, begun, runs.weights(), model.get_weights(), strict=False):
        change = max(np.abs(own - start).max(initial=0), 1e-3)
        np.testing.assert_allclose(mine / change, own / change, atol=5e-4, err_msg=variable.path)
    model.reset_metrics()
    loss = model.test_on_batch(x, y, weight[0] if weight else None, return_dict=True)["loss"]
    np.testing.assert_allclose(lane.test_loss, loss, rtol=5e-5)


def trains_like_keras(model, rate, **how):
    data = data_for(model)
    compare(model, data, rate, swept(model, data, rate, **how))


@pytest.mark.parametrize("family", FAMILIES)
def test_lanes_of_many_layers_are_what_keras_trains(family, whole_runs, monkeypatch):
    """All rows of a family are branches of one model; where that fails, each alone says whether it is its fault."""
    rows = [row for row in FAMILIES[family] if row.how != "refused"]
    engine = "loop" if family == "by loop" else "vectorized"
    if family == "planes":
        monkeypatch.setattr("lrlib.program.CONVOLUTIONS", CONVOLUTIONS)
    try:
        trains_like_keras(together(rows), 0.002, engine=engine)
    except Exception as error:
        error.add_note(f"Of {family} these fail alone: {', '.join(fail_alone(rows, engine)) or 'none'}.")
        raise


def test_a_mask_of_zeros_has_times_to_mask():
    (model,) = [case.make() for case in FAMILIES["times"] if case.what == "recurrent, after a mask of zeros"]
    (masking,) = [layer for layer in model.layers if isinstance(layer, keras.layers.Masking)]
    kept = masking.compute_mask(data_for(model).x_train).numpy()
    assert kept.any() and not kept.all()


def fail_alone(rows, engine):
    for row in rows:
        try:
            trains_like_keras(row.make(), row.rate, engine=engine)
        except Exception:
            yield row.what


@pytest.mark.parametrize("case", [c for c in (*MODELS, *OPTIMIZERS) if c.how != "refused"], ids=lambda case: case.what)
def test_a_lane_is_what_keras_trains(case, whole_runs):
    trains_like_keras(case.make(), case.rate, steps=case.steps)


@pytest.mark.parametrize("case", [c for c in OPTIMIZERS if c.steps > 4], ids=lambda case: case.what)
def test_a_lane_alone_makes_now_and_then_what_is_made_now_and_then(case, whole_runs):
    trains_like_keras(case.make(), case.rate, steps=case.steps, engine="loop")


@pytest.mark.parametrize("case", [case for case in CASES if case.how != "vectorized"], ids=lambda case: case.what)
def test_what_cannot_be_vectorized_is_refused(case):
    model, expected = case.make(), [case.reason]
    if case.how == "by loop":
        (name,) = [layer.name for layer in model.layers if type(layer).__name__ in shown(case)]
        expected = f"its layer {name!r} needs the operation {case.reason}", "engine='loop'"
    refused(lambda: swept(model, data_for(model), case.rate), ValueError, *expected)


def test_samples_have_weights(whole_runs):
    model = compiled(keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)]))
    data = data_for(model, weights=True)
    compare(model, data, 0.02, swept(model, data, 0.02))


def test_one_after_the_other_is_the_same_with_the_same_record():
    x = np.random.default_rng(1).normal(size=(40, 6))
    data, layers = (x, (x[:, 0] > 0).astype(int)), keras.layers
    parts = [
        layers.Dense(4, use_bias=False),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.Dense(2, name="last"),
    ]
    model = keras.Sequential([keras.Input((6,)), *parts])
    optimizer = keras.optimizers.AdamW(weight_decay=0.1, epsilon=1e-3, clipnorm=1.0, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    how = dict(steps=8, batch_size=8, record_every=3, weights=True, schedule=lambda step: 1 / (1 + step))
    how["also"] = {"last": [1.0, 0.3]}
    at_once, by_loop = (
        sweep(model, data, [0.05, 0.1], [4, 0], engine=engine, **how) for engine in ("vectorized", "loop")
    )
    assert list(at_once.data_vars) == list(by_loop.data_vars) and dict(at_once.sizes) == dict(by_loop.sizes)
    for name, values in at_once.data_vars.items():
        assert (values.dims, values.dtype) == (by_loop[name].dims, by_loop[name].dtype), name
        np.testing.assert_allclose(by_loop[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert list(at_once.attrs) == list(by_loop.attrs) and at_once.engine == "vectorized" and by_loop.engine == "loop"
    other = {name for name, value in at_once.attrs.items() if value != by_loop.attrs[name]}
    assert other <= {"engine", "bytes_of_lane"}


def test_what_is_not_compared_before_a_sweep_is_what_these_tests_prove():
    assert {kind for case in CASES if case.how == "vectorized" for kind in kinds_in(case)} == proof.PROVEN


@pytest.mark.parametrize("kind", [keras.layers.Lambda, keras.layers.SpectralNormalization])
def test_other_layers_are_compared(kind):
    assert kind.__name__ not in proof.PROVEN


# The page


def page():
    """Return the text of the page."""
    tables = [
        table(["What", "Layers", "How"], LAYERS, lambda case: [case.what, ", ".join(f"`{k}`" for k in shown(case))]),
        table(["What", "How"], MODELS, lambda case: [case.what]),
        table(["What", "How"], OPTIMIZERS, lambda case: [case.what]),
    ]
    return TEXT.format(*tables)


def table(head, cases, cells):
    rows = [head, ["---"] * len(head)]
    rows += [[*cells(case), f"**{case.how}**: {case.why}" if case.why else case.how] for case in cases]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def shown(case):
    """Return the layers that a row is about, not those that are in every model."""
    kinds = [kind for kind in kinds_in(case) if kind not in (*BESIDE, "SGD")]
    return [kind for kind in kinds if kind not in EVERYWHERE] or ["Dense"]


BESIDE = "Functional", "Sequential", "InputLayer"
EVERYWHERE = "Dense", "Flatten", "Concatenate", "Reshape"
TEXT = """\
# What a sweep can train

{{py:func}}`lrlib.sweep.sweep` trains any Keras model in many lanes at once, as far as TensorFlow can. What stands here
was found by tests, and this page is written by them: for each row a whole run of a lane was compared with Keras's own
training from the same start, the loss of every step, the weights at the end and the loss of the test part, to the
rounding of float32.

- **vectorized** – all lanes at once, in one program;
- **by loop** – one lane after the other, with `engine="loop"`; without it an error names the layer;
- **refused** – an error says why before anything is trained.

A model with any other layer or optimizer in it, or one of your own, is compared before its sweep: two steps of the
model itself with two steps of a lane. Where they differ an error says what was seen. A `compute_loss` of your own is
called as Keras calls it; a model with a `train_step` or `test_step` of its own is refused.

## Layers

{}

## Models

{}

## Optimizers and their settings

Every rate that is recorded is the one that was applied. So an optimizer that makes another rate of the one that it is
given is refused.

{}
"""


def test_the_page_says_what_was_proven():
    assert PAGE.read_text(encoding="utf8") == page(), "python tests/test_models.py writes it anew"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf8")
