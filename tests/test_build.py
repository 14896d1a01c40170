"""What must fail the build does fail it, and old results never stay, shown on a book of two pages."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tools"))
import book  # noqa: E402

PARTS = ["_config.yml", "_ext", "_static", "lrlib", "requirements.txt", "tools"]
FINISH = ("bench", "catalogue", "landing", "light", "meta", "search", "status")  # of the whole book; it takes seconds
CHAPTER = "chapters/01-small"


def notebook(code="print(lrlib.MEASURED)", text="Steps are small {cite:p}`small1950`."):
    cells = [
        nbformat.v4.new_markdown_cell(f"# A small chapter\n\n{text}"),
        nbformat.v4.new_code_cell(f"import lrlib\n\n{code}"),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=kernel))


GOOD = {
    "_toc.yml": f"format: jb-book\nroot: index\nchapters:\n  - file: {CHAPTER}\n",
    "index.md": "# A book\n\nRead [the chapter](chapters/01-small.ipynb).\n\n```{bibliography}\n```\n",
    "references.bib": "@book{small1950, author={A. Small}, title={Steps}, publisher={S}, year={1950}}",
    f"{CHAPTER}.ipynb": notebook(),
}

ALL_WRONG = {  # one book with all these mistakes, by its files
    "_toc.yml": GOOD["_toc.yml"] + "  - file: chapters/02-loud\n  - file: nowhere\n",
    "index.md": GOOD["index.md"] + "\n[There](chapters/03-nowhere.ipynb)\n\n$\\frac{1$\n"
    "\n```{verdicts} trial.yml outcomes.json\n```\n",
    "more.md": "# More\n",
    f"{CHAPTER}.ipynb": notebook(code="1 / 0", text="See {ref}`nowhere`. As is known {cite:p}`nobody1900`."),
    "chapters/02-loud.ipynb": notebook(code="import sys\n\nprint('careful', file=sys.stderr)"),
}
COMPLAINTS = {  # what the build says of each mistake
    "failing cell": "Executing notebook failed: CellExecutionError",
    "output on stderr": "stderr was found",
    "page not in the contents": "isn't included in any toctree",
    "page of the contents not there": "nonexisting document 'nowhere'",
    "broken reference": "undefined label: 'nowhere'",
    "broken link": "03-nowhere",
    "broken citation": 'could not find bibtex key "nobody1900"',
    "formula that cannot be read": "KaTeX cannot read",
    "statement without a verdict": "S1 is said to be tried in chapter 1, which left no verdict on it",
}


def make_book(folder):
    for part in PARTS:
        if (ROOT / part).is_dir():  # other tests run meanwhile, and write what Python has compiled
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    config = (folder / "_config.yml").read_text(encoding="utf8").splitlines(keepends=True)
    kept = [line for line in config if not re.match(rf"[- ]*site_({'|'.join(FINISH)})\b", line)]
    assert len(config) - len(kept) == 2 * len(FINISH)
    (folder / "_config.yml").write_text("".join(kept), encoding="utf8")
    (folder / "chapters").mkdir()
    for name, text in GOOD.items():
        (folder / name).write_text(text, encoding="utf8")
    (folder / "trial.yml").write_text("- {id: S1, says: It is so., chapter: 1}\n")
    measure(folder, "0.125")
    return folder


def measure(folder, value):
    """Set a constant in this copy of lrlib."""
    source = (ROOT / "lrlib" / "__init__.py").read_text(encoding="utf8")
    (folder / "lrlib" / "__init__.py").write_text(f"{source}\nMEASURED = {value}\n")


def build(folder):
    """(whether it worked, what it printed)"""
    command = [sys.executable, folder / "tools" / "book.py"]
    environment = os.environ | {"PYTHONPATH": str(folder), "NO_COLOR": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return result.returncode == 0, result.stdout + result.stderr


def page(folder):
    return folder / "_build" / "html" / f"{CHAPTER}.html"


def all_wrong(book):
    """What two builds say of the book with all mistakes: from nothing, and from what the first has left."""
    for file, text in ALL_WRONG.items():
        (book / file).write_text(text, encoding="utf8")
    return [(*build(book), page(book).exists()) for _ in ("clean", "half-built")]


def life(book):
    """A good book goes bad by way of a build that swallows the warning, is mended, and then lrlib changes."""
    index = book / "index.md"
    index.write_text(GOOD["index.md"] + "\nSee {ref}`nowhere`.\n", encoding="utf8")
    plain = [Path(sys.executable).with_name("jupyter-book"), "build", "--quiet", book]
    subprocess.run(plain, check=True, capture_output=True)
    worked, printed = build(book)
    assert not worked and "undefined label" in printed

    index.write_text(GOOD["index.md"], encoding="utf8")
    worked, printed = build(book)
    assert worked, printed
    assert "Executed notebook" not in printed, "the results were still good"
    assert "0.125" in page(book).read_text(encoding="utf8")

    measure(book, "0.375")
    worked, printed = build(book)
    assert worked, printed
    assert "0.375" in page(book).read_text(encoding="utf8")
    assert "0.125" not in page(book).read_text(encoding="utf8")


@pytest.fixture(scope="module")
def builds(tmp_path_factory):
    """All the builds of this file, as many at a time as there are processors."""
    bad, good = (make_book(tmp_path_factory.mktemp(name)) for name in ("bad", "good"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = {"all wrong": pool.submit(all_wrong, bad)}
        worked, printed = build(good)
        assert worked, printed
        assert "Executed notebook" in printed
        book = shutil.copytree(good, tmp_path_factory.mktemp("life"), dirs_exist_ok=True)
        started["life"] = pool.submit(life, book)
    return started


@pytest.mark.parametrize("mistake", COMPLAINTS)
def test_a_mistake_is_a_warning_from_any_state(builds, mistake):
    for _, printed, _ in builds["all wrong"].result():
        said = [line for line in printed.splitlines() if re.search("WARNING: |ERROR: ", line)]
        assert any(COMPLAINTS[mistake] in line for line in said), printed


def test_warnings_fail_the_build_from_any_state_and_leave_no_page(builds):
    """That a single one does, and in a page that was read before, the life of a book shows below."""
    assert [(worked, left) for worked, _, left in builds["all wrong"].result()] == [(False, False)] * 2
    assert all("No page: nowhere" in printed for _, printed, _ in builds["all wrong"].result())


def test_old_results_never_stay(builds):
    builds["life"].result()


@pytest.mark.parametrize("file", ["lrlib/schedules/base.py", "requirements.txt", "chapters/data/new.txt"])
def test_what_a_notebook_can_read_drops_what_was_executed(file, tmp_path, monkeypatch):
    changed = make_book(tmp_path) / file
    monkeypatch.setattr(book, "ROOT", tmp_path)
    before = book.digest(book.EXECUTION)
    assert before == book.digest(book.EXECUTION)
    changed.parent.mkdir(exist_ok=True)
    with changed.open("a") as more:
        more.write("# changed\n")
    assert before != book.digest(book.EXECUTION)
