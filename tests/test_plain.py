"""A chapter is read on GitHub and in JupyterLab too: its text is plain, and the site is told what only Sphinx knows."""

import base64
import copy
import io
import re
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from PIL import Image

from test_chapters import CHAPTERS, ROOT, code, markdown, rich, stored

sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "_ext")]
import notebooks  # noqa: E402
import site_plain  # noqa: E402

RAW = r"\{[a-z][\w:-]*\}`|:::|```\{|~~~\{|^\([\w-]+\)=|\{\{"
ANSWER = re.compile(r"<details>\n<summary>Answer</summary>\n\n(.*?)\n\n</details>", re.DOTALL)
CITATION = r"(?:[\w.-]+(?: and [\w.-]+| et al\.)?)"
GLOSSARY = site_plain.terms((ROOT / "glossary.md").read_text(encoding="utf8"))
_, WORKS = notebooks.bibliography()
EXPORTER = HTMLExporter(template_name="basic")

each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def text(path):
    return "\n\n".join(cell.source for cell in markdown(stored(path).cells))


def links(source):
    return re.findall(r"\[([^\[\]]+)\]\(([^)\s]+)\)", source)


# What is written


@each_chapter
def test_nothing_that_only_sphinx_knows(path):
    cells = stored(path).cells
    seen = [cell.source for cell in markdown(cells)] + [
        said for cell in code(cells) for said in rich(cell, "text/markdown")
    ]
    assert [found for source in seen for found in re.findall(RAW, source, re.MULTILINE)] == []


@pytest.mark.filterwarnings("ignore:Your element with mimetype")  # what is glued is for the text alone
@each_chapter
def test_nothing_raw_is_shown_by_another_viewer(path):
    """nbconvert stands for all of them; what stands in code is meant to be read as it is."""
    notebook = copy.deepcopy(stored(path))
    for cell in code(notebook.cells):
        cell.source = ""
        for output in [output for output in cell.outputs if "data" in output]:
            for picture in [kind for kind in output.data if kind.startswith("image/")]:
                del output.data[picture]  # which are most of the file, and no text
    page, _ = EXPORTER.from_notebook_node(notebook)
    page = BeautifulSoup(page, "html.parser")
    for element in page.select("code, pre, .jp-InputArea, script, style"):
        element.decompose()
    shown = page.get_text()
    assert len(shown) > 5000 and len(page.select("details > ul")) == len(ANSWER.findall(text(path)))
    assert re.findall(RAW + r"|<!--|</?details|<a id|\*\*\(", shown, re.MULTILINE) == []


@pytest.mark.parametrize(
    "raw", ["{term}`step`", "{cite:p}`a`", ":::{card} A", "```{bibliography}", "x\n(s1)=\n", "{{n}}"]
)
def test_what_is_raw_is_noticed(raw):
    assert re.search(RAW, raw, re.MULTILINE)


@each_chapter
def test_no_line_begins_with_a_comment(path):
    """Markdown takes such a line for HTML, and shows its stars and backticks."""
    assert re.findall(r"^[ >*+-]*<!--.*", text(path), re.MULTILINE) == []


@each_chapter
def test_what_is_folded_is_closed(path):
    for cell in markdown(stored(path).cells):
        tags = re.findall(r"</?details>", cell.source)
        assert tags == ["<details>", "</details>"] * (len(tags) // 2), cell.id
        assert cell.source.count("<details") == len(tags) // 2, cell.id


@each_chapter
def test_every_answer_gives_a_reason_for_every_option(path):
    """The right one comes first and is called right; each option of the question has one item."""
    (check,) = [cell.source for cell in markdown(stored(path).cells) if cell.source.startswith("## Check yourself")]
    questions = check.split("</details>")[:-1]
    assert 2 <= len(questions) <= 4
    for question in questions:
        (answer,) = ANSWER.findall(question + "</details>")
        options = re.findall(r"^- \((\w)\) \S", question.partition("<details>")[0], re.MULTILINE)
        reasons = re.findall(r"^- \*\*\((\w)\)\*\* (.*)", answer, re.MULTILINE)
        assert len(options) >= 2 and sorted(letter for letter, _ in reasons) == options, question
        right = [letter for letter, reason in reasons if reason.startswith("is right: ")]
        assert right == [reasons[0][0]], question
        assert all(re.match(r"- \*\*\(\w\)\*\* |  \S", line) for line in answer.splitlines()), question


@each_chapter
def test_links_lead_somewhere(path):
    for words, target in links(text(path)):
        file, _, anchor = target.partition("#")
        if not file.startswith("https://"):
            assert file and (path.parent / file).is_file(), target
        if file == "../glossary.md":
            assert anchor in GLOSSARY, target
            assert not re.search(r"[*`<>$]", words), f"{words}: the site could not link this"
        if file == "../api.md":
            assert re.fullmatch(r"`[\w.]+`", words) and anchor.startswith("lrlib."), target


@each_chapter
def test_citations_are_those_of_the_bibliography(path):
    """Name and year stand in a link to the work's own address, as references.bib has them."""
    cited = {notebooks.address(work): work for work in WORKS.values() if notebooks.address(work)}
    before = text(path).partition("## References")[0]
    for words, target in links(before):
        if target in cited:
            author, year = notebooks.author_and_year(cited[target])
            assert words in (f"{author}, {year}", f"{author} ({year})"), words
        else:
            assert not re.fullmatch(rf"{CITATION}(?:, | \()\d{{4}}\)?", words), f"{words} is no work of references.bib"
    elsewhere = re.sub(r"\[[^\]]*\]\([^)]*\)", "", before)
    for author, year in map(notebooks.author_and_year, cited.values()):
        assert f"{author}, {year}" not in elsewhere and f"{author} ({year})" not in elsewhere, "a citation is a link"


@each_chapter
def test_a_notebook_says_how_to_get_what_it_needs(path):
    first = code(stored(path).cells)[0].source.splitlines()
    assert first[0].startswith("# To run this notebook: git clone https://github.com/")
    assert first[1].endswith("pip install -r requirements.txt")


@each_chapter
def test_every_figure_can_be_seen_in_a_notebook_that_is_not_trusted(path):
    """JupyterLab shows no SVG there; PNG it does. In 256 colours a PNG takes a third of the room."""
    for cell in code(stored(path).cells):
        for output in cell.outputs:
            data = output.get("data", {})
            assert "image/svg+xml" not in data or "image/png" in data, cell.id
            if "image/png" in data:
                assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).mode == "P", cell.id


def test_the_notebooks_stay_small():
    assert sum(path.stat().st_size for path in CHAPTERS) < len(CHAPTERS) * 700_000


# What the site is told


@pytest.mark.parametrize(
    ("plain", "rich"),
    [
        (
            "> **Predict.** Which?\n>\n> | a |\n\nText",
            ":::{admonition} Predict\n:class: predict\nWhich?\n\n| a |\n:::\n\nText",
        ),
        ("> A statement.", "> A statement."),
        (
            "**After this chapter you can**\n\n- one;\n- two.\n\n*20 minutes\nto read.*\n\nText, *bold*.",
            ":::{card} After this chapter you can\n\n- one;\n- two.\n\n*20 minutes\nto read.*\n:::\n\nText, *bold*.",
        ),
        ("It is <!--a-key-->1.5<!--/-->.", "It is {glue:text}`a-key`."),
        ("[Rates](../glossary.md#term-learning-rate)", "{term}`Rates <learning rate>`"),
        ("[`sweep`](../api.md#lrlib.sweep.sweep)", "{py:obj}`sweep <lrlib.sweep.sweep>`"),
        ('<a id="s1"></a>\n### S1', "(s1)=\n### S1"),
        ("<details>\n<summary>", '<details class="answer">\n<summary>'),
        ("[Goh (2017)](https://distill.pub/)", "[Goh (2017)](https://distill.pub/)"),
    ],
)
def test_plain_forms_become_those_of_sphinx(plain, rich):
    assert site_plain.rich(plain, {"term-learning-rate": "learning rate"}) == rich


def test_terms_have_the_anchors_that_sphinx_gives_them():
    assert GLOSSARY["term-inverse-time-decay"] == "inverse-time decay" and GLOSSARY["term-XLA"] == "XLA"


# What `make notebooks` fills in


def small_notebook(*texts, value="'17'"):
    data = {"application/papermill.record/text/plain": value}
    glued = nbformat.v4.new_output("display_data", data, metadata={"scrapbook": {"name": "turn"}})
    cell = nbformat.v4.new_code_cell("glue()", outputs=[glued])
    return nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_markdown_cell, texts), cell])


def test_a_measured_number_is_that_of_the_outputs():
    notebook = notebooks.filled(small_notebook("At step <!--turn-->9<!--/--> it turns."))
    assert notebook.cells[0].source == "At step <!--turn-->17<!--/--> it turns."
    with pytest.raises(ValueError, match="asks for other, which no cell has glued"):
        notebooks.filled(small_notebook("At step <!--other-->9<!--/--> it turns."))


def test_the_references_are_the_works_that_are_cited():
    source = (
        "As ([Kingma and Ba, 2015](https://arxiv.org/abs/1412.6980)), [Goh (2017)](https://distill.pub/2017/momentum/)"
    )
    end = "## References\n\n- Somebody else."
    cells = notebooks.filled(small_notebook(source + " and an article (hope_wisdom, undated) say.", end)).cells
    items = cells[1].source.removeprefix("## References\n\n").splitlines()
    assert [re.match(r"- (Gabriel Goh|hope_wisdom|Diederik P. Kingma)", item)[1] for item in items] == [
        "Gabriel Goh",
        "Diederik P. Kingma",
        "hope_wisdom",
    ]
    assert items[0].startswith(
        "- Gabriel Goh. Why momentum really works. *Distill*, 2017. [distill.pub](https://distill"
    )
    assert notebooks.filled(small_notebook("Nobody is cited.", end)).cells[1].source == "## References\n\n"


@each_chapter
def test_number_or_references_typed_by_hand_are_noticed(path):
    """The check compares the file with what is filled in, so a changed digit or a lost reference fails it."""
    right = path.read_text(encoding="utf8")
    assert notebooks.normalised(copy.deepcopy(stored(path))) == right
    changed = [(r"(<!--[\w-]+-->)[^<]+", r"\g<1>123456"), (r'("## References\\n",\s*"\\n",\s*)"- [^\n]*\n', r"\1")]
    for pattern, by in changed:
        wrong = re.sub(pattern, by, right, count=1)
        assert wrong != right and notebooks.normalised(nbformat.reads(wrong, as_version=4)) == right


def test_a_figure_is_made_small_once_and_keeps_its_looks():
    picture = Image.new("RGBA", (60, 40))
    picture.paste((29, 95, 175, 255), (10, 10, 30, 30))
    file = io.BytesIO()
    picture.save(file, "PNG")
    once = notebooks.small(base64.b64encode(file.getvalue()).decode())
    assert notebooks.small(once) == once
    kept = Image.open(io.BytesIO(base64.b64decode(once))).convert("RGBA")
    assert kept.getpixel((0, 0))[3] == 0
    assert max(abs(a - b) for a, b in zip(kept.getpixel((20, 20)), (29, 95, 175, 255), strict=True)) <= 8
