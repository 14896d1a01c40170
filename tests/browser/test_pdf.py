"""The whole book as one PDF, as `make pdf` prints it."""

import re
import subprocess
import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader
from sphinx_external_toc.parsing import parse_toc_yaml
from where import HTML, ROOT

sys.path.append(str(ROOT / "_ext"))
from site_verdicts import TOGETHER  # noqa: E402

A4 = 595, 842  # in points
HEADING = r"<article\b.*?(<h1\b.*?</h1>)"


@pytest.fixture(scope="module")
def pdf(finished_book):
    subprocess.run([sys.executable, ROOT / "tools" / "pdf.py"], check=True)
    return PdfReader(ROOT / "_build" / "the-learning-rate.pdf")


@pytest.fixture(scope="module")
def chapters(pdf):
    """Title and first page of each page of the book, from the bookmarks."""
    marks = [mark for mark in pdf.outline if not isinstance(mark, list)]
    return [(mark.title, pdf.get_destination_page_number(mark)) for mark in marks]


def words(text):
    """Letters and digits alone: where lines break, and which quotes and blanks there are, is the printer's business."""
    return re.sub(r"[\W_]+", "", text)


def on_paper(pdf, chapters, title):
    """The words of one page of the book."""
    (number,) = (i for i, (name, _) in enumerate(chapters) if name == title)
    last = chapters[number + 1][1] if number + 1 < len(chapters) else len(pdf.pages)
    return words("".join(pdf.pages[i].extract_text() for i in range(chapters[number][1], last)))


def test_it_is_a4_and_tagged_and_says_its_title_and_language(pdf):
    assert {tuple(round(side) for side in page.mediabox[2:]) for page in pdf.pages} == {A4}
    root = pdf.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and "/StructTreeRoot" in root
    assert root["/Lang"] == "en" and pdf.metadata.title == "The learning rate"


def test_every_page_of_the_book_has_its_bookmark(chapters):
    pages = [HTML / f"{page}.html" for page in parse_toc_yaml(ROOT / "_toc.yml")]
    headings = [re.search(HEADING, page.read_text(encoding="utf8"), re.DOTALL)[1] for page in pages]
    titles = [BeautifulSoup(heading, "html.parser").h1 for heading in headings]
    for title in titles:
        title.select_one(".headerlink").decompose()
    assert [title for title, _ in chapters] == [title.text for title in titles]


def test_the_contents_name_the_pages(pdf, chapters):
    contents = "\n".join(page.extract_text() for page in pdf.pages[1 : chapters[0][1]])
    for title, number in chapters:
        assert re.search(rf"^{re.escape(title)} {number + 1}$", contents, re.MULTILINE), title


def test_all_verdicts_are_printed(pdf, chapters):
    text = on_paper(pdf, chapters, "Folklore on trial")
    kinds = "|".join(words(kind) for kind in TOGETHER)
    for statement in yaml.safe_load((ROOT / "folklore-on-trial.yml").read_text(encoding="utf8")):
        said = words(re.sub(r"\$.*?\$.*", "", statement["says"]))
        assert re.search(rf"{statement['id']}({kinds})", text) and said in text, statement["id"]


def test_solutions_and_answers_are_open_and_so_is_the_code_that_draws(pdf, chapters):
    text = on_paper(pdf, chapters, chapters[1][0])
    assert "Solution" in text and "Answer" in text and "Howthisisdrawn" in text and "axesplot" in text


def test_no_link_leads_to_this_machine(pdf):
    addresses = [
        note["/A"]["/URI"]
        for page in pdf.pages
        for note in (entry.get_object() for entry in page.get("/Annots", []))
        if "/URI" in note.get("/A", {})
    ]
    assert addresses and not [address for address in addresses if not address.startswith("https://")]
