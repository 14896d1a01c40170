"""A drawing of the site says in fewer bytes what matplotlib drew."""

import gzip
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from lrlib import plot

sys.path.append(str(Path(__file__).resolve().parents[1] / "_ext"))
from site_svg import light  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
STEPS = re.compile(r"([MLHVQCZmlhvqcz])|(-?(?:\d+\.?\d*|\.\d+))")


def ends(way):
    """The points, those that bend a curve included, of a path with absolute or relative commands."""
    points, here, start, command, numbers = [], np.zeros(2), np.zeros(2), "", []
    for letter, text in STEPS.findall(way):
        if letter:
            command = letter
            if letter in "Zz":
                here = start
            continue
        numbers.append(float(text))
        axis = {"h": 0, "v": 1}.get(command)
        if len(numbers) < (2 * {"q": 2, "c": 3}.get(command.lower(), 1) if axis is None else 1):
            continue
        base = here if command.islower() else np.zeros(2)
        found = base + np.eye(2)[axis] * numbers[0] if axis is not None else base + np.reshape(numbers, (-1, 2))
        points.extend(np.atleast_2d(found))
        here, numbers = points[-1], []
        if command in "Mm":
            start, command = here, "l" if command == "m" else "L"
    return np.array(points)


@pytest.fixture(scope="module")
def drawn():
    figure = Figure(figsize=(4.4, 2.8))
    axes = figure.add_subplot()
    rng = np.random.default_rng(0)
    axes.plot(rng.normal(size=60).cumsum(), "o-", label="noisy, −0.5 µ")
    axes.step([0, 20, 40, 60], [0, 3, -3, 0])
    axes.fill_between([0, 30, 60], [-1, 0, 1], [1, 3, 5], alpha=0.3)
    axes.set_yscale("symlog")
    axes.legend()
    return plot.to_svg(figure)


def test_every_point_is_where_it_was(drawn):
    before, after = (list(ET.fromstring(text).iter(f"{SVG}path")) for text in (drawn, light(drawn)))
    assert len(before) == len(after) > 30
    for old, new in zip(before, after, strict=True):
        if "d" not in old.attrib:  # the letter for a blank
            continue
        scale = [float((re.findall(r"scale\(([\d.]+)\)", path.get("transform", "")) or [1])[0]) for path in (old, new)]
        away = np.abs(scale[0] * ends(old.get("d")) - scale[1] * ends(new.get("d"))).max()
        letter, marker = "transform" in old.attrib, "id" in old.attrib
        assert away <= 1e-9 + (0.125 if letter else 0.005 if marker else 0.05)  # a letter of 10 points is a tenth of it
        assert old.get("style", "").replace(" ", "") == new.get("style", "").replace(" ", "")


def test_what_is_used_is_there(drawn):
    for text in (drawn, light(drawn)):
        named = set(re.findall(r' id="([^"]+)"', text))
        used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
        assert used and {one or other for one, other in used} <= named
    places = [
        [
            tuple(float(use.get(side, 0)) for side in "xy")
            for use in ET.fromstring(text).iter(f"{SVG}use")
            if "y" in use.attrib
        ]
        for text in (drawn, light(drawn))
    ]
    assert np.abs(np.subtract(*places)).max() <= 0.05 + 1e-9


def test_it_is_light_and_twice_is_once(drawn):
    once = light(drawn)
    small, large = (len(gzip.compress(text.encode(), mtime=0)) for text in (once, drawn))
    assert small < 0.6 * large
    assert light(once) == once
    assert light('<svg xmlns="http://www.w3.org/2000/svg"><path d="M 0.123 1"/></svg>').count("0.123") == 1


def test_points_that_are_nowhere_leave_a_drawing():
    """Matplotlib leaves an empty group for them, as for the runs that failed."""
    figure = Figure()
    figure.subplots().plot([1, 2], [np.nan, np.nan], ".")
    drawn = plot.to_svg(figure)
    assert re.search(r"<g[^>]*/>", drawn)
    assert "<g" not in re.sub(r"<g [^>]*[^/]>", "", light(drawn)) and ET.fromstring(light(drawn)).tag == f"{SVG}svg"
