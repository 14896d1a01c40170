"""A schedule's own small picture, as a notebook shows it: SVG text from NumPy alone."""

from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 12, 348, 30, 122  # the frame of the curve
POINTS = 240  # more are not seen
FAR = 2**20  # steps


def svg(schedule) -> str:
    """Draw the rates that a schedule plans, with the first, the highest and the last of them marked.

    Parameters
    ----------
    schedule : Schedule
        What to draw: until the rate has fallen to a tenth, grown tenfold or come to its last value, or to a quarter
        past the last boundary.

    Returns
    -------
    str
        An SVG element, the same at every call, on no background, with the text's colour from the page around it;
        its title says in words what is drawn.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If the schedule has no valid rate there.

    Examples
    --------
    >>> from lrlib import Constant
    >>> picture = svg(Constant(0.1))
    >>> picture[picture.index("<title>") : picture.index("</title>")]
    '<title>Constant(learning_rate=0.1), planned: 0.1 at step 0, 0.1 at step 100'
    """
    last = _horizon(schedule)
    steps = np.unique(np.linspace(0, last, POINTS).round())
    rates = schedule(steps)
    highest = int(rates.argmax())
    top = rates[highest] or 1.0
    x = LEFT + (RIGHT - LEFT) * steps / last
    y = BOTTOM - (BOTTOM - TOP) * rates / top

    marked = {0: "start"} | ({highest: "middle"} if highest else {}) | {len(steps) - 1: "end"}
    words = ", ".join(f"{rates[i]:.3g} at step {steps[i]:.0f}" for i in marked)
    dots = "".join(
        f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="3"/>'
        f'<text x="{x[i]:.1f}" y="{y[i] - 8:.1f}" text-anchor="{anchor}">{rates[i]:.3g}</text>'
        for i, anchor in marked.items()
    )
    curve = " ".join(f"H{across:.1f}V{up:.1f}" for across, up in zip(x[1:], y[1:], strict=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'role="img" font-family="sans-serif" font-size="12" fill="currentColor">'
        f"<title>{escape(repr(schedule), quote=False)}, planned: {words}</title>"
        f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="currentColor" stroke-opacity="0.4"/>'
        f'<path d="M{x[0]:.1f} {y[0]:.1f}{curve}" fill="none" stroke="#0072B2" stroke-width="2"/>'
        f"{dots}"
        f'<text x="{LEFT}" y="{HEIGHT - 10}">0</text>'
        f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">step (planned learning rate)</text>'
        f'<text x="{RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{last:.0f}</text>'
        "</svg>"
    )


def _horizon(schedule) -> float:
    """Return the last step to draw."""
    if boundaries := getattr(schedule, "boundaries", ()):
        return np.ceil(1.25 * boundaries[-1]) + 1.0
    start, last = schedule(0), 4.0
    while last < FAR and start / 10 < schedule(last) < 10 * start:
        last *= 2
    while last > 4 and schedule(last / 2) == schedule(last):  # it has come to its end before
        last /= 2
    return last if schedule(last) != start else 100.0
