"""Run chapters again, in place, and write them so that a diff shows what changed and no more.

Without names it runs all of them. With --check nothing is run or written: it fails where a chapter is not in this form.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}
KEPT = ("jupyter", "mystnb", "tags")  # of a cell's metadata; timings and editor states go


def normalised(notebook):
    """The file's text: known kernel, no version of Python, no timings; cells keep their ids."""
    notebook.metadata = {
        **{key: value for key, value in notebook.metadata.items() if key == "mystnb"},
        "kernelspec": KERNEL,
        "language_info": LANGUAGE,
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapters", nargs="*", type=Path, default=sorted(CHAPTERS.glob("*.ipynb")))
    parser.add_argument("--check", action="store_true", help="run and write nothing")
    options = parser.parse_args()
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # `python3` is this environment's kernel
    for path in options.chapters:
        notebook = nbformat.read(path, as_version=4)
        if options.check:
            if path.read_text(encoding="utf8") != normalised(notebook):
                sys.exit(f"{path.name} is not as `make notebooks` writes it")
            continue
        print(f"running {path.name}", flush=True)
        NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(CHAPTERS)}},
        ).execute()
        path.write_text(normalised(notebook), encoding="utf8", newline="\n")


if __name__ == "__main__":
    main()
