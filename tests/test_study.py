"""The study's file belongs to its code, its figures follow from what it stores, and a setting comes out again."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lrlib.finders import RULES
from study import __main__ as command
from study.judge import ANSWERS, OURS, Judge, judged, summary
from study.record import PLANS, SEARCHES, SEEDS, TESTS, Record, ended, record, rounded
from study.settings import GRIDS, PAIRS, REPORTED, SETTINGS, TUNED

STUDY = json.loads(command.STORED.read_text(encoding="utf8"))
BY_NAME = {one["name"]: one for one in STUDY["settings"]}
SMALL = next(setting for setting in SETTINGS if setting.name == "diabetes, linear, SGD, 150")
SHOWN = next(setting for setting in SETTINGS if setting.name == command.SHOWN)


# The file and the code


def test_the_settings_are_those_of_the_code():
    assert [*BY_NAME] == [setting.name for setting in SETTINGS]
    assert (STUDY["tuned"], STUDY["reported"]) == (TUNED, REPORTED)
    assert len(SETTINGS) == 2 * len(PAIRS) == 28 and not set(TUNED) & set(REPORTED)
    for setting in SETTINGS:
        of = BY_NAME[setting.name]
        assert (of["optimizer"], of["steps"], len(of["test"])) == (setting.optimizer, setting.steps, len(setting.grid))


def test_rules_plans_and_seeds_are_those_of_the_code():
    assert STUDY["rules"] == [*RULES]
    assert STUDY["columns"] == {
        "rules": [*ANSWERS], "ours": [*OURS], "find_rate": ["ratio", "cost", "trainings"]
    }  # fmt: skip
    assert [*STUDY["plans"]] == [*PLANS]
    for name, plan in PLANS.items():
        assert STUDY["plans"][name] == pytest.approx([len(plan), plan[0], plan[-1]], rel=1e-5)
    assert STUDY["seeds"] == {"sweep": len(SEEDS), "tests": len(TESTS), "repeats": 4}
    for name, grid in GRIDS.items():
        np.testing.assert_allclose(STUDY["grids"][name], grid, rtol=1e-5)
    assert not set(SEEDS) & set(TESTS) and min(SEARCHES) > max(TESTS)


def test_the_file_is_small():
    assert command.STORED.stat().st_size < 60_000


@pytest.mark.parametrize("half", ["tuned", "reported"])
def test_the_summary_is_that_of_the_settings(half):
    found = summary([BY_NAME[name] for name in STUDY[half]])
    assert json.loads(json.dumps(found)) == STUDY["summary"][half]


def test_no_best_rate_lies_on_the_edge():
    for setting in SETTINGS:
        at = np.abs(np.log(setting.grid / BY_NAME[setting.name]["best"])).argmin()
        assert 0 < at < len(setting.grid) - 1
        assert BY_NAME[setting.name]["best"] == pytest.approx(setting.grid[at])


# What the book says of it


def test_our_suggestion_is_the_cheapest_on_the_half_that_it_was_not_tuned_on():
    for way in ("all, 100", "answered, 100"):
        rules = dict(STUDY["summary"]["reported"]["rules"][way])
        ours = rules.pop("suggest")
        rules.pop("suggest, one test")
        assert all(ours["cost"] < rule["cost"] and ours["worst"] < rule["worst"] for rule in rules.values())


def test_its_interval_holds_the_best_rate_in_four_of_five_answers():
    for plan in ("ours, 50", "ours, 100", "ours, 300", "ours, uneven", "ours, narrow", "ours, epoch"):
        of = STUDY["summary"]["reported"]["plans"][plan]
        assert of["covered"] >= 0.8 * of["answers"] > 0.5 * of["tests"]


# Its figures once more


def as_recorded(setting, tests):
    """A setting's record, made of what the file holds."""
    stored = BY_NAME[setting.name]
    validation = np.where(np.isclose(setting.grid, stored["best"]), 0.0, 1.0)
    return Record(validation, np.array(stored["test"]), tests, {}, [])


def test_the_table_follows_from_the_stored_tests():
    tests = np.array(STUDY["curves"][command.SHOWN], dtype=float)  # null becomes NaN
    judge, stored = Judge(SHOWN, as_recorded(SHOWN, {"100": tests})), BY_NAME[command.SHOWN]
    assert tests.shape == (len(TESTS), 100)
    # the test losses are stored to three digits
    np.testing.assert_allclose(judge.rules()["100"], stored["rules"]["100"], rtol=0.02)
    np.testing.assert_allclose(judge.ours("100"), stored["ours"]["100"], rtol=0.02)
    np.testing.assert_allclose(judge.ours("100", repeats=1), stored["alone"]["100"], rtol=0.02)


def test_a_setting_comes_out_again():
    """Another processor rounds otherwise; on a convex loss that moves no figure by much."""
    again = record(SMALL, plans=("100",), searches=())
    judge, stored = Judge(SMALL, again), BY_NAME[SMALL.name]
    assert judge.best == pytest.approx(stored["best"])
    np.testing.assert_allclose(again.test, stored["test"], rtol=0.02)
    # medians of the rates and of their costs; Lightning reads noise
    places = [i for i, name in enumerate(RULES) if name != "lightning"]
    found, known = (np.array(rules)[places][:, [0, 2]] for rules in (judge.rules()["100"], stored["rules"]["100"]))
    np.testing.assert_allclose(found, known, rtol=0.25)
    ours = judge.ours("100")
    np.testing.assert_allclose([ours[0], ours[2]], [stored["ours"]["100"][0], stored["ours"]["100"][2]], rtol=0.25)
    assert abs(ours[4] - stored["ours"]["100"][4]) <= 1


# Its pieces


def test_what_a_rate_costs():
    grid = SHOWN.grid
    validation, test = np.full(len(grid), 3.0), np.full(len(grid), 8.0)
    validation[5], test[5], test[6] = 1.0, 2.0, 4.0
    judge = Judge(SHOWN, Record(validation, test, {}, {}, [(grid[6], 4.2, 12.345), (None, np.nan, 40.0)]))
    assert judge.best == grid[5]
    np.testing.assert_allclose(judge.cost(grid[[0, 5, 6]]), [4, 1, 2])
    np.testing.assert_allclose(judge.cost(np.sqrt(grid[5] * grid[6])), 2**0.5)
    # of three answers, of which one is none
    np.testing.assert_allclose(
        judge.of([grid[5], np.nan, grid[7]]), [(1 + grid[7] / grid[5]) / 2, 10**0.5, 2.5, 4], 0.01
    )
    assert judge.of([np.nan]) == [None] * 4
    assert judge.searched() == [[1.78, 2.1, 12.3], [None, None, 40.0]]


@pytest.mark.parametrize("edge", [0, -1])
def test_a_best_rate_on_the_edge_is_no_truth(edge):
    validation = np.ones(len(SHOWN.grid))
    validation[edge] = 0.5
    with pytest.raises(ValueError, match="must go on beyond"):
        Judge(SHOWN, Record(validation, validation, {}, {}, []))


def test_a_test_ends_where_the_range_test_ends():
    falling, burst = np.linspace(2, 1, 30), np.r_[np.linspace(2, 1, 20), [9.0] * 10]
    found = ended(np.array([falling, burst, np.where(np.arange(30) > 9, np.inf, 2.0)]))
    np.testing.assert_array_equal(found[0], falling)
    # the mean of five is above four times the lowest when three of them are nines
    assert np.isfinite(found[1]).sum() in (22, 23) and np.isnan(found[1, -1])
    assert np.isfinite(found[2]).sum() == 10


def test_three_digits():
    np.testing.assert_array_equal(rounded(np.array([2.34567, 0.0012345, 12345.0])), [2.35, 0.00123, 12300.0])
    np.testing.assert_array_equal(rounded(np.array([np.nan, np.inf, 1e7, 0.0])), [np.inf, np.inf, np.inf, 0.0])


def test_the_wines_are_scaled_by_their_training_part():
    data = SETTINGS[-1].samples
    assert SETTINGS[-1].data == "wine" and len(data.x_train) == 108
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-5)
    assert data.classes == 3 and np.abs(data.x_test.mean(axis=0)).max() > 0.01


def test_the_command_writes_what_it_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "STORED", tmp_path / "finders.json")
    monkeypatch.setattr(command, "SETTINGS", [SMALL])
    monkeypatch.setattr(command, "SHOWN", SMALL.name)
    for half in ("TUNED", "REPORTED"):
        monkeypatch.setattr(command, half, [SMALL.name])
    level = {plan: np.ones((len(TESTS), len(rates))) for plan, rates in PLANS.items()}
    plain = replace(as_recorded(SMALL, level), found=[(0.01, 1.0, 20.0)])
    monkeypatch.setattr(command, "record", lambda setting: plain)
    monkeypatch.setattr("sys.argv", ["study"])
    command.main()
    written = json.loads((tmp_path / "finders.json").read_text(encoding="utf8"))
    assert written["settings"] == [json.loads(json.dumps(judged(SMALL, plain)))]
    assert written["settings"][0]["reasons"] == ["the loss never falls"]
    assert written["curves"] == {SMALL.name: level["100"].tolist()} and [*written] == [*STUDY]
    assert SMALL.name in capsys.readouterr().out
