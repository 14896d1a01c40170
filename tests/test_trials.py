"""The trials: what is stored is what the modules try, and a changed outcome is noticed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trials.__main__ import changed, trials, tried
from trials.setting import CHOOSE, JUDGE, Outcome, Setting, Trial, variations

STORED = json.loads((Path(__file__).parents[1] / "trials" / "outcomes.json").read_text(encoding="utf8"))
TRIALS = {trial.statement: trial for trial in trials(only=[])}
TRAINING = {f"S{number}" for number in (5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17)}


def test_every_verdict_about_training_has_a_trial():
    assert TRAINING <= set(TRIALS)


@pytest.mark.parametrize("statement", TRIALS)
def test_a_trial_goes_where_its_sentence_does_not_look(statement):
    chapter, *others = TRIALS[statement].settings
    assert len(others) >= 8
    names = [setting.name for setting in TRIALS[statement].settings]
    assert len(set(names)) == len(names)
    assert all(replace(other, name=chapter.name) != chapter for other in others), "each changes something"


def test_what_is_stored_is_what_is_tried():
    assert set(STORED["outcomes"]) == set(TRIALS)
    assert all(STORED["versions"].values())
    for statement, trial in TRIALS.items():
        stored = STORED["outcomes"][statement]
        assert stored["claim"] == trial.claim
        assert [variation["name"] for variation in stored["variations"]] == [s.name for s in trial.settings]
        assert all(variation["figure"] for variation in stored["variations"])


def outcomes(**held):
    return {"S5": {"claim": "", "variations": [{"name": n, "held": h, "figure": "1"} for n, h in held.items()]}}


def test_a_changed_outcome_is_noticed():
    assert list(changed(outcomes(a=True, b=False), outcomes(a=True, b=False))) == []
    (flipped,) = changed(outcomes(a=True, b=True), outcomes(a=True, b=False))
    assert flipped == "S5, b: stored False, now True (1)"
    (new,) = changed(outcomes(a=True, c=True), outcomes(a=True))
    assert new.startswith("S5, c: stored None")


def test_a_trial_runs_in_every_setting(capsys):
    settings = Setting(), replace(Setting(), name="other", steps=3)
    trial = Trial("S5", "few steps", lambda setting: Outcome(np.True_ if setting.steps > 3 else False, "so"), settings)
    record = tried(trial)
    assert [variation["held"] for variation in record["variations"]] == [True, False]
    json.dumps(record)
    assert "did not  other" in capsys.readouterr().out


def test_variations_change_one_thing_each():
    chapter = Setting()
    for setting in variations(chapter)[1:]:
        fields = [name for name in vars(chapter) if getattr(setting, name) != getattr(chapter, name)]
        assert len(fields) == 2 and "name" in fields, fields


def test_the_seeds_that_judge_have_not_chosen():
    assert not set(CHOOSE) & set(JUDGE) and len(JUDGE) >= 8


def test_the_peak_is_chosen_on_validation_and_reported_on_test():
    setting = Setting(steps=20, data="breast_cancer", width=0)
    peaks = [0.001, 0.1, 1.0, 1000.0]
    losses = setting.judged(peaks)
    runs = setting.sweep(peaks, JUDGE)
    validation = setting.sweep(peaks, CHOOSE).validation_loss.mean("seed").values
    chosen = int(validation.argmin())
    assert losses.tolist() == runs.test_loss.values[chosen].tolist()
    errors = replace(setting, measure="accuracy").judged(peaks)
    assert ((errors >= 0) & (errors <= 1)).all()
