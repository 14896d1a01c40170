"""Figures that answer the hand: each is an HTML element with its own script, which needs neither kernel nor network.

A figure's output holds its data, a picture that stays where no script runs (in print, on GitHub, in a notebook that is
not trusted), and the script, from the folder ``js`` beside this module.
"""

import base64
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

import numpy as np

from lrlib._modules import from_extra

with from_extra("plot"):
    from matplotlib.figure import Figure

from lrlib import _checks, _workbench, plot
from lrlib.descent import gradient_descent
from lrlib.objectives import Quadratic
from lrlib.schedules import Constant, ExponentialDecay, InverseTimeDecay, as_schedule

SCRIPTS = Path(__file__).parent / "js"


class Interactive:
    """A figure that a notebook shows and that a reader can drag.

    Parameters
    ----------
    kind : str
        The name of its script in the folder ``js``, without the ending.
    data : dict
        What the script draws: numbers, strings, lists and dictionaries of them.
    picture : matplotlib.figure.Figure
        What is seen where the script does not run.
    name : str
        What the figure is called, for those who hear it.
    alt : str
        What the picture shows, in words.
    recorded : bool
        Whether the data were measured in a run, so that another processor may change their last digits. They are
        marked, and ``pytest --nbval`` compares the rest.

    Raises
    ------
    ValueError
        If there is no such script, or the data hold a number that JSON does not know (NaN, infinity).
    """

    def __init__(self, kind: str, data: dict, picture: Figure, name: str, alt: str, recorded: bool = False):
        if not (SCRIPTS / f"{kind}.js").is_file() or kind == "figure":
            known = sorted(path.stem for path in SCRIPTS.glob("*.js") if path.stem != "figure")
            raise ValueError(f"kind must be one of {', '.join(known)}, got {kind!r}")
        try:
            self.data = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
        except ValueError as error:
            raise ValueError(f"data must hold finite numbers: {error}") from None
        self.kind, self.picture, self.name, self.alt, self.recorded = kind, picture, name, alt, recorded

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        mark = " data-recorded" * self.recorded
        picture = base64.b64encode(_png(self.picture)).decode()
        return {
            "text/html": f'<lr-figure kind="{self.kind}" name="{escape(self.name)}">'
            f'<script type="application/json"{mark}>{self.data}</script>'
            f'<img alt="{escape(self.alt)}" width="440" src="data:image/png;base64,{picture}"></lr-figure>'
            + scripts(self.kind),
            "text/plain": f"{self.name}: {self.alt}",
        }


def bowl(curvatures=(1.0, 8.0), start=(4.0, 1.0), learning_rate=0.2, steps=40, minimum=0.0) -> Interactive:
    """Gradient descent on a parabola or on a bowl with two axes, whose rate can be dragged.

    Parameters
    ----------
    curvatures : float or pair of float
        One number draws the parabola, two the map of the bowl.
    start, minimum : float or pair of float
        Where the run begins, and where the loss is 0.
    learning_rate : float
        The rate at first.
    steps : int
        How many steps are drawn.

    Raises
    ------
    ValueError
        If there are more than two curvatures, or the numbers do not fit :class:`~lrlib.objectives.Quadratic` and
        :func:`~lrlib.descent.gradient_descent`.

    Examples
    --------
    >>> bowl(2.0, start=5.0, learning_rate=0.25, steps=20, minimum=-1.0).name
    'Gradient descent on a parabola'
    """
    objective = Quadratic(curvatures, minimum)
    if objective.curvature.size > 2:
        raise ValueError(f"curvatures must be one or two, got {curvatures!r}")
    one = objective.curvature.ndim == 0
    run = gradient_descent(objective, start, learning_rate, steps)
    figure, axes = plot.figure_of(2.8)
    if one:
        reach = 1.15 * abs(start - minimum)
        curve = np.linspace(minimum - reach, minimum + reach, 200)
        axes.plot(curve, [objective(w) for w in curve], "-", color=plot.PALE)
        axes.plot(run.parameters, run.losses, "o-", color=plot.COLOUR["right"], markersize=3, linewidth=1.2)
        axes.set(xlabel="weight w", ylabel="loss")
    else:
        reach = 1.3 * max(abs(start[0] - objective.minimum[0]), 1e-9)
        corner = objective.minimum + np.multiply([[-1], [1]], [reach, 0.56 * reach])
        x, y = np.linspace(*corner, 81).T
        heights = np.array([[objective(np.array([u, v])) for u in x] for v in y])
        levels = run.losses[0] * (np.arange(1, 10) / 6) ** 2
        axes.contour(x, y, heights, levels=levels, colors=plot.PALE, linewidths=0.7)
        axes.plot(*run.parameters.T, "o-", color=plot.COLOUR["right"], markersize=3, linewidth=1.2)
        axes.plot(*objective.minimum, "+", color=plot.INK, markersize=9)
        axes.set(xlabel="flat axis", ylabel="steep axis", xlim=corner[:, 0], ylim=corner[:, 1])
        axes.grid(visible=False)
    axes.plot(*((start, run.losses[0]) if one else start), "o", color=plot.INK)
    data = {
        "curvatures": np.atleast_1d(objective.curvature).tolist(),
        "minimum": np.atleast_1d(objective.minimum).tolist(),
        "start": np.atleast_1d(run.parameters[0]).tolist(),
        "rate": float(learning_rate),
        "steps": steps,
    }
    where = "a parabola" if one else "the map of a long bowl"
    alt = (
        f"A run of gradient descent on {where}: {steps} steps with the learning rate {learning_rate:g}. "
        f"The loss falls from {run.losses[0]:.2g} to {run.losses[-1]:.2g}."
    )
    return Interactive("bowl", data, figure, f"Gradient descent on {'a parabola' if one else 'a bowl'}", alt)


def forty(base=0.1, decay=0.99, steps=40) -> Interactive:
    """The article's program of 40 steps, line by line: the rate that moves the weight, and the one that is printed.

    Parameters
    ----------
    base, decay : float
        The rate at first, and the factor on it after every step.
    steps : int
        How many steps the program makes.

    Examples
    --------
    >>> forty().name
    'The program of 40 steps'
    """
    schedule = ExponentialDecay(base, 1, decay, staircase=True)
    run = gradient_descent(Quadratic(2.0, minimum=-1.0), 5.0, schedule, steps)
    figure, axes = plot.figure_of(2.8)
    axes.plot(run.applied[:6], "o", color=plot.COLOUR["exponential"], label="moved w")
    axes.plot(schedule(run.steps + 1)[:6], "o", color=plot.INK, mfc="none", ms=9, label="printed")
    axes.set(xlabel="line", ylabel="learning rate")
    axes.legend()
    data = {"base": float(base), "decay": float(decay), "steps": steps}
    alt = (
        "For the first six lines, the rate that moved the weight and the rate that is printed. The printed one is "
        "that of the next line."
    )
    return Interactive("forty", data, figure, f"The program of {steps} steps", alt)


def decays(steps: int = 600, initial_learning_rate: float = 0.3, chosen: str = "exponential") -> Interactive:
    """The decay workbench: a decay whose parameters can be dragged, what it leaves, and the code for it.

    Parameters
    ----------
    steps : int
        The updates of the run at first, at least 120.
    initial_learning_rate : float
        The first rate of every decay, from 0.01 to 1.
    chosen : str
        The decay at first: ``"constant"``, ``"piecewise"``, ``"step"``, ``"exponential"``, ``"inverse-time"``,
        ``"linear"``, ``"cosine"``, ``"power"`` or ``"late"``.

    Raises
    ------
    ValueError
        If there is no such decay, the run is shorter, or the rate lies outside.

    Examples
    --------
    >>> decays(steps=300).name
    'The decay workbench'
    """
    steps = _checks.whole("steps", steps, at_least=120)
    if not 0.01 <= initial_learning_rate <= 1:
        raise ValueError(f"initial_learning_rate must lie from 0.01 to 1, got {initial_learning_rate!r}")
    entries = _workbench.decays(steps, float(initial_learning_rate))
    if chosen not in (names := [entry["name"] for entry in entries]):
        raise ValueError(f"chosen must be one of {', '.join(names)}, got {chosen!r}")
    entries = [entry | {"colour": plot.COLOUR.get(entry["name"], plot.INK)} for entry in entries]
    data = {"steps": steps, "chosen": chosen, "decays": entries, "late": _workbench.LATE}
    first, at = initial_learning_rate, np.arange(steps)
    quarter = {"decay_steps": steps / 4, "decay_rate": 0.5}
    shown = {
        "constant": Constant(first),
        "exponential": ExponentialDecay(first, **quarter),
        "inverse-time": InverseTimeDecay(first, steps / 4, 1),
        "linear": lambda step: first * (1 - step / steps),
        "late": lambda step: first * min(1, 5 * (1 - step / steps)),
    }
    figure, axes = plot.figure_of(2.6)
    for name, schedule in shown.items():
        axes.plot(at, as_schedule(schedule).planned(steps), "-", color=plot.COLOUR[name], label=name)
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    axes.legend(fontsize=9)
    alt = (
        f"Five rates over {steps} steps, all from {first:g}. The constant one stays, the exponential one is halved "
        "four times, inverse-time decay falls to a fifth, a line falls to zero over the whole run, and a late line in "
        "its last fifth."
    )
    return Interactive("decays", data, figure, "The decay workbench", alt)


CURVE = 60  # points of a loss curve, at most


def sweep(runs, measure: str = "test_loss", learning_rate: float | None = None) -> Interactive:
    """The sweep explorer: the U of a recorded sweep, and the loss curves of the rate that the reader points at.

    Parameters
    ----------
    runs : xarray.Dataset or mapping of str to xarray.Dataset
        What ``lrlib.sweep.sweep`` returned; or several of them by their names, of which the reader chooses one.
    measure : str
        The loss that the U shows: ``"test_loss"``, ``"validation_loss"``, ``"train_loss"``.
    learning_rate : float, optional
        The rate at first; by default the best.

    Notes
    -----
    The losses are recorded in three digits, and a curve as the means of at most 60 windows.
    """
    named = dict(runs) if isinstance(runs, Mapping) and not hasattr(runs, "data_vars") else {"": runs}
    in_order = "learning_rate", "seed", "step"
    named = {name: each.sortby("learning_rate").transpose(*in_order) for name, each in named.items()}
    if not measure.endswith("_loss"):
        raise ValueError(f"measure must be a loss, got {measure!r}")
    sweeps = [_recorded(name, each, measure) for name, each in named.items()]
    first = next(iter(named.values()))
    rates, best = np.array(sweeps[0]["rates"]), sweeps[0]["best"]
    runs_failed = any(sweeps[0]["failed"][best:])
    chosen = best if learning_rate is None else int(np.abs(np.log(rates / learning_rate)).argmin())
    data = {"sweeps": sweeps, "measure": measure.replace("_", " "), "chosen": chosen}
    figure = plot.u_shape(first, measure, rates=[float(first.learning_rate[best])])
    low, high, at, lowest = (
        f"{_digits(value, 2):g}" for value in (rates[0], rates[-1], rates[best], np.mean(sweeps[0]["losses"][best]))
    )
    alt = (
        f"The {data['measure']} against {len(rates)} learning rates from {low} to {high}, both logarithmic. It falls "
        f"to {lowest} at the rate {at}, which is drawn larger, and rises beyond."
        + " Crosses at the upper edge are rates with which runs failed."
        * bool(runs_failed)
    )
    return Interactive("sweep", data, figure, "The sweep explorer", alt, recorded=True)


def _recorded(name: str, runs, measure: str) -> dict:
    """A sweep as the explorer draws it, in few digits; None is a loss that is not finite."""
    steps = runs.sizes["step"]
    window = -(-steps // CURVE)
    losses = runs.loss.values[..., : steps // window * window].astype(np.float64)
    curves = losses.reshape(*losses.shape[:2], -1, window).mean(axis=-1)
    final = np.where(runs.failed, np.inf, runs[measure]).mean(axis=1)
    constant = float(runs.attrs.get("constant_loss", np.nan))
    return {
        "name": name,
        "rates": _digits(runs.learning_rate.values, 4),
        "losses": _digits(runs[measure].values, 3),
        "failed": [np.flatnonzero(row).tolist() for row in runs.failed.values],
        "kinds": plot.meanings(runs, measure),
        "best": int(np.nan_to_num(final, nan=np.inf).argmin()),
        "constant": _digits(constant, 3),
        "steps": steps,
        "window": window,
        "curves": _digits(curves, 3),
    }


def _digits(values, digits: int):
    if np.ndim(values):
        return [_digits(each, digits) for each in values]
    if not np.isfinite(values):
        return None
    short = float(f"{values:.{digits}g}")
    return int(short) if short.is_integer() else short


def scripts(kind: str) -> str:
    """The script of a kind of figure, as its output holds it, after that of all of them."""
    return f"<script>{_script('figure')}{_script(kind)}</script>"


@cache
def _script(name: str) -> str:
    return (SCRIPTS / f"{name}.js").read_text(encoding="utf8").replace("</", "<\\/")


def _png(figure: Figure) -> bytes:
    """The picture with 32 colours, a third of the bytes that it has with all."""
    import io

    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png", dpi=200)
    picture = Image.open(full).quantize(32, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    return small.getvalue()
