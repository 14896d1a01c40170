"""What teachers hand out: every chapter, with an empty cell wherever a solution stood."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import exercises  # noqa: E402

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_solutions_are_taken_out_and_nothing_else(path):
    whole, handed_out = (nbformat.read(path, as_version=4) for _ in range(2))
    exercises.without_solutions(handed_out)
    solved = 0
    for before, after in zip(whole.cells, handed_out.cells, strict=True):
        if "hide-cell" in before.metadata.get("tags", []):
            assert before.id.startswith("solution-"), "a hidden cell is a solution, and is named so"
            assert (after.source, after.outputs) == (exercises.TO_DO, [])
            solved += 1
        else:
            assert after == before
    assert solved >= 2


def test_they_are_written_where_make_says(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exercises, "TARGET", tmp_path / "exercises")
    exercises.main()
    written = tmp_path / "exercises" / "chapters"
    assert [path.name for path in sorted(written.glob("*.ipynb"))] == [path.name for path in CHAPTERS]
    assert (written / "data").is_dir() and (written.parent / "tests" / "data" / "article-printout.txt").is_file()
    assert str(written) in capsys.readouterr().out
