"""`make parity-record`: write what the frameworks give, and how long a step takes them, for those who have none."""

import json
import platform
import timeit
from pathlib import Path

from parity import frameworks
from parity.rows import CONVENTIONS, ROWS

ROOT = Path(__file__).resolve().parents[2]


def recorded() -> dict:
    """Return the rates of every line that needs a framework, with the numbers of the first draw."""
    rows = []
    for row in ROWS:
        if row.framework in frameworks.LIVE:
            theirs, mine, steps = row.written(0)
            given = frameworks.rates(row.framework, theirs, steps)
            what = {"schedule": row.schedule, "framework": row.framework, "theirs": theirs, "ours": mine}
            rows.append(what | {"rates": given})
    conventions = [
        {"wish": wish, "framework": name, "theirs": line, "rates": frameworks.rates(name, line, 10)}
        for wish, lines in CONVENTIONS.items()
        for name, line in lines.items()
        if name in frameworks.LIVE
    ]
    return {"versions": frameworks.versions(), "conventions": conventions, "rows": rows}


def speed() -> dict:
    """Return the microseconds that one step of a cosine takes: the least of fifty measurements."""
    import jax
    import optax
    import torch

    def least(call, number):
        return round(min(timeit.repeat(call, number=number, repeat=50)) / number * 1e6, 3)

    schedule = optax.cosine_decay_schedule(0.1, 10_000)
    compiled = jax.jit(schedule)
    compiled(7)
    optimizer = frameworks.sgd(0.1)
    of_torch = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10_000)
    optimizer.step()
    of_timm = frameworks.timm_schedulers().CosineLRScheduler(frameworks.sgd(0.1), 10_000)
    return {
        "optax_compiled": least(lambda: compiled(7), 200),
        "optax": least(lambda: schedule(7), 20),
        "torch_scheduler_step": least(of_torch.step, 200),
        "timm_step_update": least(lambda: of_timm.step_update(7), 200),
    }


def lines(record: dict) -> str:
    """Return a record as JSON with a line for each row."""
    top = {name: json.dumps(value) for name, value in record.items()}
    for name in ("conventions", "rows"):
        top[name] = "[\n  " + ",\n  ".join(map(json.dumps, record[name])) + "\n ]"
    return "{\n " + ",\n ".join(f"{json.dumps(name)}: {value}" for name, value in top.items()) + "\n}\n"


def main():
    (ROOT / "tests" / "data" / "parity.json").write_text(lines(recorded()), encoding="utf8")
    timed = {"versions": {"python": platform.python_version(), **frameworks.versions()}, "microseconds": speed()}
    text = json.dumps(timed, indent=1) + "\n"
    (ROOT / "tools" / "parity.json").write_text(text, encoding="utf8")
    print(text)


if __name__ == "__main__":
    main()
