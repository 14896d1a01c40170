"""The catalogue has every schedule of the library, with what its docstring says of it."""

import importlib
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lrlib import schedules
from lrlib.schedules import Schedule, bound

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "_ext"))
catalogue = importlib.import_module("site_catalogue")
FRAMEWORKS = json.loads((ROOT / "chapters" / "data" / "frameworks.json").read_text(encoding="utf8"))
ENTRIES = [(name, text) for group in catalogue.GROUPS.values() for name, text in group.items()]
NAMES = [name for name, _ in ENTRIES]
each = pytest.mark.parametrize(("name", "text"), ENTRIES, ids=NAMES)


def test_every_public_schedule_is_on_the_page():
    public = {value for value in vars(schedules).values() if isinstance(value, type) and issubclass(value, Schedule)}
    shown = {type(catalogue.example(text)) for _, text in ENTRIES}
    assert public - {Schedule} == shown
    assert set(map(getattr, [schedules] * len(NAMES), NAMES)) >= public - {Schedule, schedules.Join}
    assert len(set(NAMES)) == len(NAMES) and set(FRAMEWORKS) <= set(NAMES), "what frameworks have is somewhere here"


def test_the_page_has_every_group():
    page = (ROOT / "catalogue.md").read_text(encoding="utf8")
    for group in (*catalogue.GROUPS, "elsewhere"):
        assert page.count(f"```{{catalogue}} chapters/data/frameworks.json {group}\n") == 1


@each
def test_an_entry_says_what_the_docstring_says(name, text):
    documented = getattr(schedules, name)
    says, formula, parameters, source = catalogue.read(name)
    doc = inspect.getdoc(documented)
    assert says.endswith(".") and "\n" not in says and says[:9] == doc[:9]
    assert (formula is None) == (".. math::" not in doc.split("Parameters\n")[0])
    assert formula is None or (formula in " ".join(doc.split()) and ":math:" not in formula)
    fields = [part for names, _, _ in parameters for part in names.split(", ")]
    assert fields == list(inspect.signature(documented).parameters)
    assert all(kind and words and ":math:" not in words and "``" not in words for _, kind, words in parameters)
    assert bool(source) == ("References\n" in doc)


@each
def test_an_example_is_a_run_of_its_kind(name, text):
    schedule = catalogue.example(text)
    rates = schedule.planned(catalogue.RUN)
    assert 0 <= rates.min() <= rates.max() == pytest.approx(0.1, abs=0.051)
    assert catalogue.numbers(schedule).startswith(f"In 400 updates it travels {rates.sum():.3g}, ")
    assert f"{bound(schedule, 400) * 20:.2f} / √400" in catalogue.numbers(schedule)


def test_a_formula_that_is_shown_is_the_whole_one():
    assert catalogue.read("CosineDecay")[1] == (
        r"\eta(t) = \eta_1 + (\eta_0 - \eta_1) \, \tfrac{1}{2} \left(1 + \cos(\pi \min(t / T, 1))\right)"
    )
    assert catalogue.read("WarmupStableDecay")[1].count("\\eta(t) =") == 3, "all of its lines"


def test_words_are_in_the_book_s_form():
    assert catalogue.as_markdown("A :math:`T`\n  of :meth:`Schedule.shift`, ``x`` in :func:`~lrlib.sweep.sweep`") == (
        "A $T$ of `shift`, `x` in `sweep`"
    )


def test_every_name_elsewhere_leads_here():
    rows = catalogue.elsewhere(FRAMEWORKS)
    assert len(rows) == sum(map(len, FRAMEWORKS.values())) and {here for _, _, here in rows} <= set(NAMES)
    assert {framework for _, framework, _ in rows} == set(catalogue.FRAMEWORKS.values())
    assert ("CosineAnnealingLR", "PyTorch", "CosineDecay") in rows


def test_numbers_of_closed_forms():
    line, constant = (
        catalogue.numbers(catalogue.example(f"{kind}")) for kind in ("LinearDecay(0.1, 400)", "Constant(0.1)")
    )
    assert line == "In 400 updates it travels 20.1, and its bound is 0.101, which is 2.01 / √400."
    assert "travels 40, " in constant and f"{np.sqrt(1 + sum(1 / k for k in range(1, 400))):.2f} / √400" in constant
