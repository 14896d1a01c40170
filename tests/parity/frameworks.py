"""Run a framework's line for a number of steps: which rate does each update get?"""

import importlib.metadata
import importlib.util
import sys
import warnings

import numpy as np

LIVE = ("optax", "torch", "timm", "transformers")  # what `make parity` installs


def versions() -> dict:
    return {name: importlib.metadata.version(name).partition("+")[0] for name in ("jax", *LIVE)}


def rates(framework: str, text: str, steps: int) -> list[float]:
    """Return the rates of a run of ``steps`` updates, in float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return of_optax(text, steps) if framework == "optax" else of_an_optimizer(framework, text, steps)


def of_optax(text: str, steps: int, double: bool = True) -> list[float]:
    import jax
    import optax

    with jax.enable_x64(double):
        schedule = eval(text, {}, vars(optax))
        given = jax.vmap(schedule)(jax.numpy.arange(steps))
        return np.broadcast_to(np.asarray(given, np.float64), (steps,)).tolist()


def of_an_optimizer(framework: str, text: str, steps: int) -> list[float]:
    """Train, and take down what the optimizer's group holds when the update is made."""
    import torch

    names = {"torch": lambda: torch.optim.lr_scheduler, "timm": timm_schedulers, "transformers": transformers_schedules}
    scheduler = eval(text, {"SGD": sgd, **vars(names[framework]())})
    optimizer, taken = scheduler.optimizer, []
    for step in range(steps):
        taken.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step_update(step + 1) if framework == "timm" else scheduler.step()
    return [float(rate) for rate in taken]


def sgd(lr: float):
    import torch

    weight = torch.zeros((), dtype=torch.float64)
    weight.grad = torch.ones_like(weight)
    return torch.optim.SGD([weight], lr)


def timm_schedulers():
    """Import timm's schedulers alone: timm itself asks for torchvision, which they do not need."""
    if "timm" not in sys.modules:
        spec = importlib.util.find_spec("timm")
        sys.modules["timm"] = importlib.util.module_from_spec(spec)
    import timm.scheduler

    class Updates:
        """The schedulers, counting updates instead of epochs."""

    for name, kind in vars(timm.scheduler).items():
        if name.endswith("LRScheduler"):
            setattr(Updates, name, staticmethod(lambda *a, kind=kind, **k: kind(*a, t_in_epochs=False, **k)))
    return Updates


def transformers_schedules():
    import transformers.optimization

    return transformers.optimization
