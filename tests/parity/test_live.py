"""`make parity`: the frameworks themselves, with random numbers, beside lrlib."""

import json
from pathlib import Path

import numpy as np
import pytest

from lrlib.schedules import as_schedule
from parity import frameworks, record
from parity.rows import DRAWS, ROWS, STEPS, TRAPS, draw, float32_bound, ours, same, told

ROOT = Path(__file__).resolve().parents[2]
LIVE = [row for row in ROWS if row.framework in frameworks.LIVE]
MINE = sorted({row.ours for row in ROWS})


@pytest.mark.parametrize("row", LIVE, ids=lambda row: row.theirs)
def test_every_step_is_the_same(row):
    for seed in DRAWS:
        theirs, mine, steps = row.written(seed)
        same(frameworks.rates(row.framework, theirs, steps), ours(mine).planned(steps))


@pytest.mark.parametrize("row", [row for row in LIVE if row.framework == "optax"], ids=lambda row: row.theirs)
def test_optax_as_it_stands_is_within_what_rounding_to_float32_moves(row):
    theirs, mine, steps = row.written(0)
    given = np.array(frameworks.of_optax(theirs, steps, double=False))
    assert (given == given.astype(np.float32)).all()
    assert (abs(given - ours(mine).planned(steps)) <= float32_bound(row, 0)).all()


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.framework in frameworks.LIVE], ids=lambda t: t.theirs)
def test_where_a_framework_is_wrong(trap):
    assert told(lambda steps: frameworks.rates(trap.framework, trap.theirs, steps), trap.steps) == trap.shows


@pytest.mark.parametrize("line", MINE)
def test_one_line_gives_a_schedule_to_torch(line):
    """A base rate of 1, which the schedule multiplies."""
    import torch

    mine = ours(line.format(**draw(0)))
    optimizer = frameworks.sgd(1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, mine)
    taken = []
    for _ in range(STEPS):
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert taken == [mine(step) for step in range(STEPS)]


@pytest.mark.parametrize("line", MINE)
def test_one_line_gives_a_schedule_to_optax(line):
    """Compiled, inside an optimizer: the update is minus the rate, for a gradient of 1."""
    import jax
    import optax

    mine = ours(line.format(**draw(0)))
    with jax.enable_x64(True):
        optimizer = optax.sgd(lambda count: mine.formula(count, jax.numpy))
        weight = jax.numpy.zeros(())
        state, taken, update = optimizer.init(weight), [], jax.jit(optimizer.update)
        for _ in range(STEPS):
            change, state = update(jax.numpy.ones(()), state)
            taken.append(-float(change))
    same(taken, mine.planned(STEPS))


def test_the_record_is_what_the_frameworks_give():
    stored = json.loads((ROOT / "tests" / "data" / "parity.json").read_text(encoding="utf8"))
    now = record.recorded()
    assert stored["versions"] == now["versions"], "other versions than those recorded: `make parity-record`"
    for was, given in zip(stored["conventions"] + stored["rows"], now["conventions"] + now["rows"], strict=True):
        assert was | {"rates": []} == given | {"rates": []}
        np.testing.assert_allclose(was["rates"], given["rates"], rtol=1e-14, atol=1e-17)


def test_a_scheduler_that_steps_first_skips_the_first_rate():
    """As PyTorch says itself; the chapter on the frameworks shows it with a scheduler of its own."""
    import torch

    optimizer = frameworks.sgd(1.0)
    scheduler, taken = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5), []
    with pytest.warns(UserWarning, match="skipping the first value of the learning rate schedule"):
        for _ in range(3):
            scheduler.step()
            taken.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
    assert taken == [0.5, 0.25, 0.125]


def test_the_comparison_notices_one_step_and_one_digit():
    rates = as_schedule(lambda step: 1 / (1 + step)).planned(9)
    for wrong in (np.roll(rates, 1), rates * (1 + 1e-11)):
        with pytest.raises(AssertionError):
            same(wrong, rates)
