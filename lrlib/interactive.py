"""Figures that answer the hand: each is an HTML element with its own script, which needs neither kernel nor network.

A figure's output holds its data, a picture that stays where no script runs (in print, on GitHub, in a notebook that is
not trusted), and the script, from the folder ``js`` beside this module.
"""

import base64
import json
from functools import cache
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lrlib import plot
from lrlib.descent import gradient_descent
from lrlib.objectives import Quadratic

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
            f"<script>{_script('figure')}{_script(self.kind)}</script>",
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
        If there are more than two curvatures, or the numbers do not fit :class:`~lrlib.Quadratic` and
        :func:`~lrlib.gradient_descent`.

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
