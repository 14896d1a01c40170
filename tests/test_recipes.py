"""The page of recipes: every line that it tells a reader to type is run, from the first to the last."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[1] / "recipes.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def typed(tmp_path_factory):
    """What a reader has who typed all of it, in an empty folder."""
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("recipes"))
        patch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # which a recipe sets
        for i, block in enumerate(BLOCKS):
            exec(compile(block, f"{PAGE.name}, block {i}", "exec"), names)
        names["files"] = [file.name for file in Path().iterdir()]
    return names


def test_every_recipe_has_its_lines():
    """There are no other fences on the page, and no heading without lines."""
    text = PAGE.read_text(encoding="utf8")
    assert text.count("```") == 2 * len(BLOCKS)
    assert [part.splitlines()[0] for part in text.split("\n## ")[1:] if "```python" not in part] == []


def test_three_lines_find_a_rate_for_a_convolution(typed):
    found = typed["found"]
    chosen = found.runs.sel(learning_rate=found.learning_rate)
    assert found.low <= found.learning_rate <= found.high
    assert found.trainings <= 40 and not chosen.failed.any()
    assert chosen.validation_accuracy.mean() > 0.75


def test_the_rate_that_is_found_reads_digits(typed):
    best, fine = typed["fine"].best(), typed["fine"]
    assert typed["coarse"].best().learning_rate / 10 < best.learning_rate < 10 * typed["coarse"].best().learning_rate
    assert best.interval_low <= best.learning_rate <= best.interval_high
    assert fine.validation_accuracy.isel(learning_rate=best.index).mean() > 0.8
    assert typed["judge"].seed.values.tolist() == list(range(10, 18)), "others than those that chose"


def test_the_second_axis_is_chosen_with_the_rate(typed):
    assert typed["grid"].best().axis == "momentum"
    assert typed["grid"].plot().axes[0].get_ylabel() == "momentum"


def test_a_file_gives_the_record_back(typed):
    assert typed["files"] == ["digits.nc"]
    assert typed["again"].identical(typed["fine"])


def test_what_fit_applied_is_what_the_schedule_says(typed):
    rates, schedule = np.array(typed["applied"].rates), typed["schedule"]
    np.testing.assert_array_equal(rates, schedule.planned(len(rates)).astype(np.float32))
