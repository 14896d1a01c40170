"""What the page of verdicts asks of the chapters and of the trials; tests/test_site.py looks at the page itself."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "_ext"))
from site_verdicts import held, in_words, judge, tried  # noqa: E402

TRIAL = [{"id": "S1", "chapter": 1}, {"id": "S2", "chapter": 1}, {"id": "S3"}]


def record(statement, kind="fact"):
    return "chapters/01-first", {"statement": statement, "kind": kind, "sentence": "So it is."}


def test_verdicts_that_are_in_order():
    verdicts, wrong = judge(TRIAL, [record("S1"), record("S2", "holds if")])
    assert wrong == []
    assert {name: verdict["kind"] for name, verdict in verdicts.items()} == {
        "S1": "fact",
        "S2": "holds if",
    }


@pytest.mark.parametrize(
    ("records", "complaint"),
    [
        ([record("S1")], "S2 is said to be tried in chapter 1, which left no verdict"),
        ([record("S1"), record("S2"), record("S2")], "judges S2 a second time"),
        ([record("S1"), record("S2"), record("S99")], "judges S99, which is no statement"),
        ([record("S1"), record("S2"), record("S3")], "judges S3, which the statements list as not"),
        ([record("S1"), record("S2", "maybe")], "calls S2 'maybe'"),
        (
            [record("S1"), ("chapters/02-x", record("S2")[1])],
            "judges S2, which belongs to chapter 1",
        ),
    ],
)
def test_verdicts_that_are_not(records, complaint):
    _, wrong = judge(TRIAL, records)
    assert len(wrong) == 1 and complaint in wrong[0]


def outcome(times, variations):
    names = [f"variation {i}" for i in range(variations)]
    return {"claim": "So it is.", "variations": [{"name": n, "held": i < times} for i, n in enumerate(names)]}


def test_a_trial_counts_and_names_its_exceptions():
    assert held(outcome(7, 9)) == (7, 9, ["variation 7", "variation 8"])


def test_the_chapters_own_setting_is_no_variation_but_must_hold():
    own = {"name": "as in the chapter", "held": True}
    trial = outcome(8, 8)
    trial["variations"].insert(0, own)
    assert held(trial) == (8, 8, [])
    assert tried({"S5": record("S5", "holds")[1]}, {"S5": trial}) == []
    own["held"] = False
    (wrong,) = tried({"S5": record("S5", "holds if")[1]}, {"S5": trial})
    assert "S5 did not hold as in the chapter" in wrong


@pytest.mark.parametrize(
    ("kind", "trial", "complaint"),
    [
        ("holds", outcome(9, 10), None),
        ("holds if", outcome(3, 10), None),
        ("does not hold", outcome(8, 8), None),
        ("holds", None, "S5 is a verdict about training and has no trial"),
        ("holds", outcome(7, 7), "S5 was tried in 7 variations; a verdict about training needs 8"),
        ("holds", outcome(8, 9), "S5 held in 8 of 9 variations, so its verdict must say on what it depends"),
        ("does not hold", outcome(8, 10), "S5 held in 8 of 10 variations, so its verdict must say on what it depends"),
    ],
)
def test_verdicts_about_training_need_a_trial(kind, trial, complaint):
    wrong = tried({"S5": record("S5", kind)[1]}, {"S5": trial} if trial else {})
    assert wrong == [] if complaint is None else len(wrong) == 1 and complaint in wrong[0]


def test_other_verdicts_need_none_and_no_trial_is_left_over():
    assert tried({"S3": record("S3")[1]}, {}) == []
    assert tried({}, {"S6": outcome(9, 9)}) == ["S6 has a trial and no verdict"]


def test_of_what_the_field_says_all_but_facts_need_a_trial():
    assert tried({"F1": record("F1", "fact")[1], "F2": record("F2", "definition")[1]}, {}) == []
    assert tried({"F1": record("F1", "holds if")[1]}, {}) == ["F1 is a verdict about training and has no trial"]


def test_the_tally_in_words():
    verdicts = {"S1": {"kind": "holds"}, "S2": {"kind": "fact"}, "S4": {"kind": "fact"}}
    words = in_words([*TRIAL, {"id": "S4"}], verdicts)
    assert words == [("holds", "1 holds"), ("fact", "2 are facts"), ("not yet tried", "1 is not yet tried")]
