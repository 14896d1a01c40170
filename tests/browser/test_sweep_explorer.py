"""The sweep explorer says and draws what the record of the sweep says."""

import json
import re

import numpy as np
import pytest
from axe import violations
from walk import STILL
from where import DESK, HTML, PHONE

NETWORK, THREE = "chapters/02-too-small-too-large", "chapters/04-setting-it"


@pytest.fixture
def explorer(live):
    def explorer(name, **options):
        page, figure = live(name, "sweep", **options)
        return page, figure, json.loads(figure.locator('script[type="application/json"]').text_content())

    return explorer


def test_results_and_words_are_those_of_the_record(explorer):
    page, _, data = explorer(NETWORK)
    (sweep,) = data["sweeps"]
    seeds = len(sweep["losses"][0])
    results = page.evaluate("(s) => s.rates.map((_, i) => LrFigure.maths.sweep.result(s, i))", sweep)
    words = page.evaluate("(s) => s.rates.map((_, i) => LrFigure.maths.sweep.words(s, i, 'test loss'))", sweep)
    for i, (found, said) in enumerate(zip(results, words, strict=True)):
        losses = np.array(sweep["losses"][i], float)
        kept = np.delete(losses, sweep["failed"][i])
        assert (found["count"], found["failed"]) == (seeds, len(sweep["failed"][i]))
        assert found["kept"] == kept.tolist()
        if len(kept):
            assert [found["mean"], found["low"], found["high"]] == pytest.approx([kept.mean(), kept.min(), kept.max()])
            assert f"test loss {kept.mean():.2g}".removesuffix("0") in said
        else:
            assert said.endswith(f"{seeds} of {seeds} runs failed")
    best = sweep["best"]
    arrive = f"lr 1, right: {seeds} of {seeds} runs arrive"
    assert re.fullmatch(arrive + r"; test loss 0\.1\d* \(0\.\d+ to 0\.\d+\)", words[best])
    assert sweep["kinds"][:best] == ["too small"] * best and sweep["kinds"][-1] == "failed"


def test_what_failed_and_what_is_slow_is_told(explorer):
    page, _, _ = explorer(NETWORK)
    record = {
        "rates": [1e-3, 0.1, 1, 4],
        "losses": [[2.4, 2.2], [0.5, 0.7], [0.1, 0.12], [0.3, None]],
        "failed": [[0], [], [], [1]],
        "kinds": ["too small", "too small", "right", "too large"],
    }
    words = page.evaluate("(s) => s.rates.map((_, i) => LrFigure.maths.sweep.words(s, i, 'test loss'))", record)
    assert words == [
        "lr 0.001, too small: 1 of 2 runs are still no better than a constant guess; the others' test loss 2.2",
        "lr 0.1, too small: no run failed; test loss 0.6 (0.5 to 0.7)",
        "lr 1, right: 2 of 2 runs arrive; test loss 0.11 (0.1 to 0.12)",
        "lr 4, too large: 1 of 2 runs failed; the others' test loss 0.3",
    ]
    nearest = [
        page.evaluate("([r, x]) => LrFigure.maths.sweep.nearest(r, x)", [record["rates"], x])
        for x in (1e-9, 0.31, 0.33, 99)
    ]
    assert nearest == [0, 1, 2, 3]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_along_the_rates_by_keyboard_and_by_hand(explorer, size):
    page, figure, data = explorer(NETWORK, size=size)
    page.add_style_tag(content=STILL)
    (sweep,) = data["sweeps"]
    seeds = len(sweep["losses"][0])
    state, slider = figure.locator(".lr-state"), figure.get_by_label("Learning rate", exact=True)
    u, curves = figure.locator("svg").first, figure.locator("svg").last
    assert state.inner_text().startswith(f"lr 1, right: {seeds} of {seeds} runs arrive")
    assert curves.locator("g .lr-seed").count() == seeds
    ways = {"Home": 0, "ArrowRight": 1, "End": len(sweep["rates"]) - 1}
    for key, at in ways.items():
        slider.press(key)
        told = page.evaluate("([s, i]) => LrFigure.maths.sweep.words(s, i, 'test loss')", [sweep, at])
        assert state.inner_text() == told
        rate = float(f"{sweep['rates'][at]:.2g}")
        assert f"the learning rate {rate:g}," in curves.get_attribute("aria-label")
        if key == "ArrowRight":
            continue  # a state like the one before
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for theme in ("light", "dark"):
            page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
            assert violations(page, "lr-figure[kind=sweep]") == [], theme
    assert state.inner_text() == f"lr 100: {seeds} of {seeds} runs failed"
    failed = sum(
        bool(places) and kind != "too small" for places, kind in zip(sweep["failed"], sweep["kinds"], strict=True)
    )
    assert u.locator(".lr-crosses").count() == failed + 1, "one for each rate, and a large one"
    box = u.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.17, y, steps=4)
    page.mouse.up()
    assert state.inner_text().startswith("lr 0.001, too small") and slider.input_value() == "0"
    page.mouse.move(box["x"] + box["width"] * 0.8, y)
    assert slider.input_value() == "0", "only a pressed mouse drags"
    assert page.messages == page.foreign == []
    beside = curves.bounding_box()["y"] < box["y"] + 40
    assert beside == (size == DESK)


def test_by_touch_and_another_optimizer(explorer):
    page, figure, data = explorer(THREE, size=PHONE, has_touch=True)
    state = figure.locator(".lr-state")
    assert state.inner_text().startswith("lr 0.01, too small: ")
    figure.get_by_label("Trained by").select_option("Adam")
    assert re.match(
        r"lr 0\.01(, right: 5 of 5 runs arrive|, too small: no run failed); test loss 0\.", state.inner_text()
    )
    u = figure.locator("svg").first
    box = u.bounding_box()
    u.tap(position={"x": box["width"] * 0.96, "y": box["height"] / 2})
    assert state.inner_text().startswith("lr 2.2")
    assert page.messages == page.foreign == []


@pytest.mark.parametrize("name", [NETWORK, THREE])
def test_a_chapters_data_are_light(name):
    import gzip

    text = (HTML / f"{name}.html").read_text(encoding="utf8")
    records = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert records and len(gzip.compress("".join(records).encode())) < 60_000
