"""The mutations of `make mutants` still fit lrlib; that they are caught is what `make mutants` itself shows."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "mutants.py"))
MUTANTS = TOOL["MUTANTS"]


def test_every_room_has_its_mutants():
    """The small rooms have none, and most pictures: nothing that is computed goes through them."""
    assert len({(mutant.module, mutant.new) for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    files = [path.relative_to(ROOT / "lrlib").with_suffix("") for path in (ROOT / "lrlib").rglob("*.py")]
    rooms = {".".join(file.parts) for file in files if file.name != "__init__"}
    without = {"_checks", "_modules", "_record", "_style", "_tape", "_workbench"}
    without |= {"interactive", "plot", "preview", "quiet"}
    assert {mutant.module for mutant in MUTANTS} == rooms - without
    assert {mutant.chapter for mutant in MUTANTS} >= {1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    return TOOL["copy"](ROOT, tmp_path_factory.mktemp("mutants"))


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_mutant_changes_one_place_and_is_still_python(mutant, copied):
    folder, environment = copied
    (folder / mutant.path).write_bytes((ROOT / mutant.path).read_bytes())  # as the one before has left it mutated
    TOOL["mutate"](mutant, folder)
    file = mutant.path
    before, after = ((root / file).read_text(encoding="utf8").splitlines() for root in (ROOT, folder))
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1
    compile("\n".join(after), file, "exec")
    assert environment["PYTHONPATH"] == str(folder)
    file, test = mutant.tests.split("::")
    assert f"def {test}(" in (folder / file).read_text(encoding="utf8")
    assert mutant.chapter is None or (folder / TOOL["CHAPTER"][mutant.chapter]).is_file()


def test_a_mutation_that_does_not_fit_is_refused(tmp_path):
    folder, _ = TOOL["copy"](ROOT, tmp_path)
    for text in ("nowhere in the file", "self"):
        with pytest.raises(SystemExit, match="times in decays.py"):
            TOOL["mutate"](MUTANTS[0]._replace(old=text), folder)
