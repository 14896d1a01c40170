"""Write the chapters without the solutions of their exercises, for teachers, into _build/exercises."""

import shutil
from pathlib import Path

import nbformat

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
TARGET = CHAPTERS.parent / "_build" / "exercises"
TO_DO = "# Your solution"


def without_solutions(notebook):
    """The notebook with an empty cell to fill in wherever a solution stood."""
    for cell in notebook.cells:
        if cell.id.startswith("solution-"):
            cell.source, cell.outputs, cell.execution_count = TO_DO, [], None
            cell.metadata = {}
    return notebook


def main():
    shutil.rmtree(TARGET, ignore_errors=True)
    not_for_them = shutil.ignore_patterns(".*", "*.ipynb", "conftest.py", "ruff.toml")
    shutil.copytree(CHAPTERS, TARGET / "chapters", ignore=not_for_them)
    shutil.copytree(CHAPTERS.parent / "tests" / "data", TARGET / "tests" / "data")
    for chapter in sorted(CHAPTERS.glob("*.ipynb")):
        nbformat.write(without_solutions(nbformat.read(chapter, as_version=4)), TARGET / "chapters" / chapter.name)
    print(f"The chapters without solutions are in {TARGET / 'chapters'}")


if __name__ == "__main__":
    main()
