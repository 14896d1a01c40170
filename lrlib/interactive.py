"""Figures that answer the hand: each is an HTML element with its own script, which needs neither kernel nor network.

A figure's output holds its data, a picture that stays where no script runs (in print, on GitHub, in a notebook that is
not trusted), and the script, from the folder ``js`` beside this module.
"""

import base64
import json
from functools import cache
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

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


@cache
def _script(name: str) -> str:
    return (SCRIPTS / f"{name}.js").read_text(encoding="utf8").replace("</", "<\\/")


def _png(figure: Figure) -> bytes:
    from io import BytesIO

    file = BytesIO()
    figure.savefig(file, format="png", dpi=200, metadata={"Software": None})
    return file.getvalue()
