"""Run chapters again, in place, and write them so that a diff shows what changed and no more.

Two things in the text follow from elsewhere and are filled in: a number between `<!--key-->` and `<!--/-->` is what the
cells glued under that key, and the list of references has the works of references.bib that the chapter cites. PNG
figures are kept in 256 colours, which nobody can tell from all of them and which take a third of the room.

Without names it runs all of them. With --check nothing is run or written: it fails where a chapter is not in this form.
"""

import argparse
import ast
import base64
import functools
import io
import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image
from pybtex.backends.markdown import Backend
from pybtex.database import parse_file
from pybtex.style.formatting.plain import Style

from lrlib.interactive import scripts

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"
REFERENCES = "## References"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {  # as JupyterLab writes it, less the version of Python
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
KEPT = ("jupyter", "mystnb", "tags")  # of a cell's metadata; timings and editor states go


class Plain(Backend):
    """Markdown without a backslash before each full stop."""

    def format_str(self, text):
        return text


@functools.cache  # it takes longer than all else that is filled in
def bibliography():
    """The works of references.bib, by author and year."""
    entries = parse_file(CHAPTERS.parent / "references.bib").entries
    by_author = sorted(entries.values(), key=lambda entry: [part.lower() for part in author_and_year(entry)])
    return list(Style().format_entries(by_author)), entries


def address(entry):
    """Where a citation of this work leads: to its page, else to its DOI, else nowhere."""
    fields = entry.fields
    return fields.get("url") or ("doi" in fields and f"https://doi.org/{fields['doi']}") or None


def author_and_year(entry):
    """How a work is cited: "Kingma and Ba", "2015"."""
    names = [" ".join(map(str, (*one.rich_prelast_names, *one.rich_last_names))) for one in entry.persons["author"]]
    names = [names[0], "et al."] if len(names) > 2 else [" and ".join(names)]
    return " ".join(names), entry.fields.get("year", "undated")


def is_cited(entry, text):
    """Whether a text has a link to this work or, if it is nowhere on the web, names it."""
    if address(entry):
        return f"]({address(entry)})" in text
    author, year = author_and_year(entry)
    return f"{author}, {year}" in text or f"{author} ({year})" in text


def references(text):
    """The list of the works that a text cites."""
    formatted, entries = bibliography()
    cited = (work.text.render(Plain()) for work in formatted if is_cited(entries[work.key], text))
    lines = "\n".join("- " + " ".join(work.split()) for work in cited)
    return re.sub(r"URL: \[https://([^/\]]+)[^\]]*\]", r"[\1]", lines)  # an address is long, its host is enough


def glued(notebook):
    """{key: value} of what the cells have measured for the text."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "scrapbook" in output.get("metadata", {}):
                (value,) = output.data.values()
                found[output.metadata["scrapbook"]["name"]] = str(ast.literal_eval(value))
    return found


def filled(notebook):
    """The notebook with the measured numbers and the list of references that belong into its text."""
    values, texts = glued(notebook), [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in texts:
        asked = re.findall(r"<!--([\w-]+)-->", cell.source)
        if missing := set(asked) - set(values):
            raise ValueError(f"{cell.id} asks for {', '.join(sorted(missing))}, which no cell has glued")
        number = lambda found: f"<!--{found[1]}-->{values[found[1]]}<!--/-->"  # noqa: E731
        cell.source = re.sub(r"<!--([\w-]+)-->.*?<!--/-->", number, cell.source, flags=re.DOTALL)
    whole = "\n".join(cell.source.partition(REFERENCES)[0] for cell in texts)
    for cell in texts:
        before, heading, _ = cell.source.partition(REFERENCES)
        if heading:
            cell.source = f"{before}{heading}\n\n{references(whole)}"
    return notebook


def small(figure):
    """A PNG figure, in base64, in 256 colours."""
    picture = Image.open(io.BytesIO(base64.b64decode(figure)))
    if picture.mode == "P":
        return figure
    file, method = io.BytesIO(), Image.Quantize.FASTOCTREE  # the one that knows transparency
    picture.convert("RGBA").quantize(256, method, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def with_scripts(notebook):
    """The notebook whose live figures have the scripts of today; nothing else in an output depends on them."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = output.get("data", {}).get("text/html", "")
            if kind := re.match(r'<lr-figure kind="(\w+)"', html):
                figure, end, _ = html.partition("</lr-figure>")
                output.data["text/html"] = figure + end + scripts(kind[1])
    return notebook


def normalised(notebook):
    """The file's text: known kernel, no version of Python, no timings, text filled in; cells keep their ids."""
    with_scripts(filled(notebook))
    notebook.metadata = {
        **{key: value for key, value in notebook.metadata.items() if key == "mystnb"},
        "kernelspec": KERNEL,
        "language_info": LANGUAGE,
    }
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = small(output.data["image/png"])
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chapters", nargs="*", type=Path, default=sorted(CHAPTERS.glob("*.ipynb")))
    parser.add_argument("--check", action="store_true", help="run and write nothing")
    parser.add_argument("--no-run", action="store_true", help="write them anew as they are")
    options = parser.parse_args()
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # `python3` is this environment's kernel
    for path in options.chapters:
        notebook = nbformat.read(path, as_version=4)
        if options.check:
            if path.read_text(encoding="utf8") != normalised(notebook):
                sys.exit(f"{path.name} is not as `make notebooks` writes it")
            continue
        if options.no_run:
            path.write_text(normalised(notebook), encoding="utf8", newline="\n")
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
