"""A schedule's own small picture, as a notebook shows it: SVG text from NumPy alone."""

from html import escape

import numpy as np

from lrlib import _checks

WIDTH, HEIGHT = 360, 150
LEFT, RIGHT, TOP, BOTTOM = 58, 298, 26, 122  # the frame of the curve; the numbers stand beside it
POINTS = 240  # more are not seen
FAR = 2**20  # steps; a run that is drawn is no longer, unless the rate comes to its last value later
_END = 2.0**40  # what has not come to its last value there never does
_CYCLES = 3  # of a rate that rises again and again


def svg(schedule, steps: int | None = None) -> str:
    """Draw the rates that a schedule plans for a run: the first, the highest and the last applied are marked.

    Where the rate rises once, from step 0 to its highest, and never again, the warmup is shaded.

    Parameters
    ----------
    schedule : Schedule
        What to draw.
    steps : int, optional
        The number of updates, at least 2. None: three cycles of a rate that rises again and again; until the rate comes
        to its last value, and further where that is worth seeing; else until it has fallen to a tenth or grown tenfold.

    Returns
    -------
    str
        An SVG element, the same at every call, on no background, with the text's colour from the page around it;
        its title says in words what is drawn.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If the schedule has no valid rate there, or ``steps`` is not an integer of at least 2.

    Examples
    --------
    >>> from lrlib import Constant
    >>> picture = svg(Constant(0.1))
    >>> picture[picture.index("<title>") : picture.index("</title>")]
    '<title>Constant(learning_rate=0.1), planned: 0.1 at step 0, 0.1 at step 99'
    """
    updates = max(2, _length(schedule)) if steps is None else _checks.whole("steps", steps, at_least=2)
    steps = _whole(0, updates - 1, POINTS)
    steps = np.union1d(steps, peak := _highest(schedule, steps))
    rates = schedule(steps)
    highest, last = int(np.searchsorted(steps, peak)), len(steps) - 1
    top = rates[highest] or 1.0
    edges = np.append(steps, updates)  # a step's rate holds until the next
    x = LEFT + (RIGHT - LEFT) * edges / updates
    y = BOTTOM - (BOTTOM - TOP) * rates / top

    rises = np.diff(rates) > 0
    warmup = 0 < highest < last and not rises[highest:].any() and not (np.diff(rates[: highest + 1]) < 0).any()
    marked = sorted({0, highest, last})
    words = [f"{rates[i]:.3g} at step {steps[i]:.0f}" for i in marked]
    if warmup:
        words.insert(0, f"warmup until step {steps[highest]:.0f}")
    shade = f'<path d="M{LEFT} {TOP}H{x[highest]:.1f}V{BOTTOM}H{LEFT}Z" fill="#0072B2" fill-opacity="0.12"/>'
    changes = 1 + np.flatnonzero(np.diff(y.round(1)))
    curve = "".join(f"H{x[i]:.1f}V{y[i]:.1f}" for i in changes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'role="img" font-family="sans-serif" font-size="12" fill="currentColor">'
        f"<title>{escape(repr(schedule), quote=False)}, planned: {', '.join(words)}</title>"
        f"{shade if warmup else ''}"
        f'<path d="M{LEFT} {BOTTOM}H{RIGHT}" stroke="currentColor" stroke-opacity="0.4"/>'
        f'<path d="M{x[0]:.1f} {y[0]:.1f}{curve}H{x[-1]:.1f}" fill="none" stroke="#0072B2" stroke-width="2"/>'
        f"{_marks(marked, x, y, rates)}"
        f'<text x="{LEFT}" y="{HEIGHT - 10}">0</text>'
        f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">step (planned learning rate)</text>'
        f'<text x="{RIGHT}" y="{HEIGHT - 10}" text-anchor="end">{updates}</text>'
        "</svg>"
    )


def _marks(marked, x, y, rates) -> str:
    """Return a dot for each marked rate and its number: left of the first, right of the last, above what is between."""
    places = [(f"{x[i]:.1f}", y[i] - 8, "middle") for i in marked]
    places[0], places[-1] = (LEFT - 7, y[0] + 4, "end"), (RIGHT + 7, y[-1] + 4, "start")
    return "".join(
        f'<circle cx="{x[i]:.1f}" cy="{y[i]:.1f}" r="3"/>'
        f'<text x="{across}" y="{up:.1f}" text-anchor="{anchor}">{rates[i]:.3g}</text>'
        for i, (across, up, anchor) in zip(marked, places, strict=True)
    )


def _whole(first: float, last: float, count: int) -> np.ndarray:
    """Return about ``count`` whole steps, evenly from the first to the last."""
    return np.unique(np.linspace(first, last, count).round())


def _highest(schedule, steps: np.ndarray) -> float:
    """Return the first step with the highest rate, but for rounding; it may lie between the steps that are drawn."""
    rates = schedule(steps)
    hills = np.append(np.diff(rates), -np.inf) <= 0
    found = []
    for near in (int((hills & (rates > 0.9 * rates.max())).argmax()), int(rates.argmax())):
        between = _whole(steps[max(near - 1, 0)], steps[min(near + 1, len(steps) - 1)], FAR // 64)
        high = schedule(between)
        found.append((high.max(), between[(high >= (1 - 1e-9) * high.max()).argmax()]))
    (first, step), (highest, other) = found
    return step if first >= (1 - 1e-9) * highest else other


def _length(schedule) -> int:
    """Return how many updates to draw."""
    steps = np.unique(np.append(0, np.geomspace(1, _END, 600).round()))
    while True:
        try:
            rates = schedule(steps)
            break
        except OverflowError:  # it grows for ever
            steps = steps[: 9 * len(steps) // 10]
    end, cycles = _settled(schedule, steps, rates), _cycles(schedule, min(FAR, steps[-1]))
    if cycles and not (end and end < 10 * cycles):
        return cycles
    if end is not None:
        peak, last = rates.max(), rates[-1]
        return int(end * (1 if last <= peak / 100 else 3 if last == peak else 1.25)) or 100
    updates, grows = 4, rates.argmax() == len(rates) - 1
    while updates < FAR:
        peak, now = schedule(_whole(0, updates, POINTS)).max(), schedule(updates)
        if now <= peak / 10 or (grows and now >= 10 * rates[0]):
            break
        updates *= 2
    return updates


def _settled(schedule, steps, rates) -> float | None:
    """Return the step from which on the rate stays as it is; None where there is none but by rounding to 0."""
    other = np.flatnonzero(rates != rates[-1])
    if not len(other):
        return 0
    if steps[-1] < _END or other[-1] > len(rates) - 20:
        return None
    before, end = steps[other[-1]], steps[other[-1] + 1]
    while end - before > 1:
        middle = (before + end) // 2
        before, end = (before, middle) if schedule(middle) == rates[-1] else (middle, end)
    return None if rates[-1] == 0 < schedule(before) < 1e-100 * rates.max() else end


def _cycles(schedule, limit: float) -> int | None:
    """Return how many updates the first cycles take of a rate that rises again and again; None where it does not."""
    updates = 8
    while updates <= limit:
        steps = _whole(0, updates, 512)
        turns = np.diff(schedule(steps))
        moves = np.flatnonzero(turns)
        lows = [j for i, j in zip(moves, moves[1:], strict=False) if turns[i] < 0 < turns[j]]
        if len(lows) >= _CYCLES:
            low = lows[_CYCLES - 1]
            between = _whole(steps[low - 1], steps[low + 1], FAR // 64)
            lowest = int(between[::-1][schedule(between[::-1]).argmin()])
            before, at, after = schedule(np.arange(lowest - 1, lowest + 2))
            return lowest + 1 if after - at > 2 * (before - at) else lowest  # a jump or a valley
        updates *= 2
    return None
