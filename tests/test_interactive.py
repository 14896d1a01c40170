"""Figures that answer the hand, as far as Python makes them; tests/browser tries their scripts."""

import json
import re
import runpy
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns
from PIL import Image

from lrlib import interactive, plot
from lrlib.interactive import Interactive, bowl, forty, scripts

ROOT = Path(__file__).resolve().parents[1]


def html(figure):
    return figure._repr_mimebundle_()["text/html"]


def any_figure(data, recorded=False, height=2.0):
    figure, axes = plot.figure_of(height)
    axes.plot([0, 1])
    return Interactive("bowl", data, figure, "A <name>", "What is 'seen' & \"heard\"", recorded)


def test_the_output_holds_data_picture_words_and_scripts():
    text = html(any_figure({"words": "</script><b>", "rate": 0.5}))
    figure, end, script = text.partition("</lr-figure>")
    assert figure.startswith('<lr-figure kind="bowl" name="A &lt;name&gt;"><script type="application/json">')
    assert 'alt="What is &#x27;seen&#x27; &amp; &quot;heard&quot;"' in figure
    (data,) = re.findall(r"<script[^>]*>(.*?)</script>", figure)
    assert json.loads(data) == {"words": "</script><b>", "rate": 0.5}
    assert script == scripts("bowl") and script.count("</script>") == 1
    plain = any_figure({})._repr_mimebundle_()["text/plain"]
    assert plain == "A <name>: What is 'seen' & \"heard\""


def test_the_picture_is_light():
    content = b64decode(re.search(r"base64,([^\"]+)", html(bowl()))[1])
    assert len(content) < 25_000
    picture = Image.open(BytesIO(content))
    assert picture.width == 880 and picture.mode == "P" and len(picture.getcolors()) <= 32


@pytest.mark.parametrize("kind", ["no-such", "figure", "../bowl"])
def test_a_kind_without_a_script_is_refused(kind):
    with pytest.raises(ValueError, match="kind must be one of bowl, .*forty"):
        Interactive(kind, {}, plot.figure_of()[0], "name", "alt")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know_are_refused(value):
    with pytest.raises(ValueError, match="data must hold finite numbers"):
        any_figure({"loss": [1.0, value]})


def test_the_bowl_is_what_was_asked_for():
    assert json.loads(bowl().data) == {
        "curvatures": [1, 8], "minimum": [0, 0], "start": [4, 1], "rate": 0.2, "steps": 40,
    }  # fmt: skip
    one = bowl(2.0, start=5.0, learning_rate=0.25, steps=20, minimum=-1.0)
    assert json.loads(one.data)["minimum"] == [-1] and json.loads(one.data)["start"] == [5]
    assert "20 steps with the learning rate 0.25. The loss falls from 36 to" in one.alt
    with pytest.raises(ValueError, match="curvatures must be one or two"):
        bowl([1.0, 2.0, 3.0], [1.0, 1.0, 1.0])


def test_the_forty_steps_are_the_articles():
    assert json.loads(forty().data) == {"base": 0.1, "decay": 0.99, "steps": 40}


# What nbval compares


def compared(text):
    for pattern, replacement in get_sanitize_patterns((ROOT / "tests" / "nbval.cfg").read_text(encoding="utf8")):
        text = re.sub(pattern, replacement, text)
    return text


def test_pictures_and_recorded_data_are_not_compared():
    before, after = (any_figure({"losses": [loss]}, recorded=True, height=h) for loss, h in [(1.0, 2.0), (1.5, 2.1)])
    assert html(before) != html(after)
    assert compared(html(before)) == compared(html(after))
    assert "1.5" not in compared(html(after)).partition("</lr-figure>")[0]


def test_everything_else_is_compared(monkeypatch):
    seen = compared(html(any_figure({"rate": 0.1})))
    assert compared(html(any_figure({"rate": 0.2}))) != seen
    words = seen.replace("seen", "shown", 1)
    assert compared(words) == words != seen
    monkeypatch.setattr(interactive, "_script", lambda name: "another")
    assert compared(html(any_figure({"rate": 0.1}))) != seen


def test_everyone_who_compares_the_chapters_gets_it():
    configure = runpy.run_path(str(ROOT / "chapters" / "conftest.py"))["pytest_configure"]
    for nbval, given, expected in [
        (True, None, str(ROOT / "tests" / "nbval.cfg")),
        (True, "mine.cfg", "mine.cfg"),
        (False, None, None),
    ]:
        option = SimpleNamespace(nbval=nbval, nbval_sanitize_with=given)
        configure(SimpleNamespace(option=option))
        assert option.nbval_sanitize_with == expected


# What is stored


def test_the_chapters_hold_the_scripts_of_today():
    """`tools/notebooks.py --no-run` brings them up to date."""
    kinds = set()
    for path in (ROOT / "chapters").glob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                text = output.get("data", {}).get("text/html", "")
                if kind := re.match(r'<lr-figure kind="(\w+)"', text):
                    kinds.add(kind[1])
                    assert text.endswith("</lr-figure>" + scripts(kind[1])), f"{path.name}: {cell.id}"
    assert kinds >= {"bowl", "forty"}


def test_every_script_is_small_and_has_no_other_host():
    for script in interactive.SCRIPTS.glob("*.js"):
        text = script.read_text(encoding="utf8")
        assert len(text) < 30_000, script.name
        assert re.findall(r"https?:.*", text.replace("http://www.w3.org/2000/svg", "")) == [], script.name
