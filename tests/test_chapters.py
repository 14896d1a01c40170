"""The form of every chapter, measured from its notebook with its stored outputs; CONTRIBUTING says what the form is."""

import ast
import base64
import difflib
import functools
import json
import re
import struct
import textwrap
import unicodedata
from pathlib import Path

import nbformat
import pytest
import yaml

from lrlib import plot

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9]*.ipynb"))
STATEMENTS = [
    statement
    for name in ("folklore-on-trial.yml", "beyond-the-article.yml")
    for statement in yaml.safe_load((ROOT / name).read_text(encoding="utf8"))
]
LABELS = {
    "How this is drawn",
    "What is asserted here",
    "How this is run",
    "What is imported",
    "What is set up",
}
IN_WORDS = {"half the rate: ×", "4 × the batch: ×", "random labels: ×"}  # a half, a quarter, double
FIGURE = 440  # pixels: as wide as the text on a phone, with its margins
PRINTED = 44  # characters: what fits there in the type of an output
TO_THE_LETTER = {"graph-mode-lines"}  # the article's printout, which a phone breaks
TABLE = 46  # characters of a table's longest words, with the padding of its cells
END = ["Check yourself", "Exercises", "In short", "Open questions", "Further reading", "References"]

each_chapter = pytest.mark.parametrize("cells", CHAPTERS, ids=lambda path: path.stem, indirect=True)


@functools.cache
def stored(path):
    """A chapter, read once for all that is asked of it; who would change it takes a copy."""
    return nbformat.read(path, as_version=4)


@pytest.fixture
def cells(request):
    return stored(request.param).cells


def tags(cell):
    return set(cell.metadata.get("tags", []))


def is_open(cell):
    """Whether the page shows the cell's code."""
    return cell.cell_type == "code" and not tags(cell) & {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def is_solution(cell):
    return cell.id.startswith("solution-")


def markdown(cells):
    return [cell for cell in cells if cell.cell_type == "markdown"]


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def prose(source):
    """The lines that a reader sees of a markdown cell, at 80 characters a line, without the list of references."""
    source = re.sub(r"<[^>]*>", "", source.partition("## References")[0])
    source = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", source)
    lines = [line.removeprefix("> ") for line in source.splitlines() if not re.match(r"\s*(```|>$)", line)]
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|>#]|\d+\.) ?)", "\n".join(lines))
    return [line for text in paragraphs for line in textwrap.wrap(" ".join(text.split()), 80)]


def printed(cell):
    """The lines that a cell prints, as far as they are text of a fixed width."""
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            yield from output.text.splitlines()
        elif set(output.get("data", {})) == {"text/plain"}:
            yield from output.data["text/plain"].splitlines()


def rich(cell, kind):
    return [output.data[kind] for output in cell.get("outputs", []) if kind in output.get("data", {})]


def width(text):
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def figures(cell):
    """How wide each figure of a cell is drawn, in pixels."""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            pixels = struct.unpack(">I", base64.b64decode(data["image/png"])[16:20])[0]
            yield output.metadata.get("image/png", {}).get("width", pixels)
        elif "image/svg+xml" in data:
            yield float(re.search(r'<svg[^>]*\swidth="([\d.]+)pt"', data["image/svg+xml"])[1]) * 4 / 3
        elif "<lr-figure" in data.get("text/html", ""):
            yield FIGURE  # one that answers the hand is as wide as there is room for
        elif any(kind.startswith("image/") for kind in data):
            pytest.fail(f"{cell.id}: a figure is SVG or PNG, not {', '.join(data)}")


def tables(text):
    """The rows of every table in a markdown text, as lists of cells."""
    for block in re.findall(r"(?:^ *\|.*\|[ ]*$\n?)+", text, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in block.splitlines()]
        yield [[cell.strip() for cell in row] for row in rows if not re.fullmatch(r"[\s:|-]+", "|".join(row))]


def shown(cell):
    """A cell of a table without its markup."""
    return re.sub(r"[*`$]|\\(?=\|)", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cell))


def narrowest(table):
    """How wide a table is at least, in characters: its columns can break between words and nowhere else."""
    columns = zip(*([shown(cell) for cell in row] for row in table), strict=True)
    return sum(max(width(word) for cell in column for word in cell.split() or [""]) + 2 for column in columns)


def headings(cells):
    """(position of the cell, level, words) of every heading."""
    for i, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            outside = re.sub(r"^```.*?^```", "", cell.source, flags=re.MULTILINE | re.DOTALL)
            for marks, words in re.findall(r"^(#+) (.*)$", outside, re.MULTILINE):
                yield i, len(marks), words.strip()


def section(cells, title):
    """The cells from this heading to the next of its level."""
    at = [(i, words) for i, level, words in headings(cells) if level == 2]
    (start,) = [i for i, words in at if words == title]
    return cells[start : min((i for i, _ in at if i > start), default=len(cells))]


def plain(text):
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))


def number(path):
    return int(path.stem[:2])


# What is measured is measured rightly.


def test_prose_is_counted_as_a_reader_sees_it():
    text = (
        '<a id="s1"></a>\n# Title\n\n'
        "> **Predict.** What\n> [happens](page.md#there)?\n\n- <!--one-->1<!--/-->\n- two\n\n"
        + "word " * 16
        + "\n\n## References\n\n- A. Author. A book."
    )
    assert prose(text) == ["# Title", "**Predict.** What happens?", "- 1", "- two", ("word " * 16).strip()]


def test_the_width_of_a_table_is_that_of_its_longest_words():
    text = "Text\n\n| rate | what it is |\n| ---: | :--- |\n| `0.01` | [convergence](x.md), slowly |\n"
    (table,) = tables(text)
    assert table == [["rate", "what it is"], ["`0.01`", "[convergence](x.md), slowly"]]
    assert narrowest(table) == len("rate") + len("convergence,") + 4


def test_wide_characters_count_twice():
    assert width("学习率 0.1") == 10


# The first screen


@each_chapter
def test_the_first_screen_has_a_hook_a_question_and_a_picture(cells):
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")
    pictures = [i for i, cell in enumerate(cells) if list(figures(cell))]
    assert pictures and not any(map(is_open, cells[: pictures[0] + 1])), "the picture comes before any open code"
    before = cells[: pictures[0]]
    assert len(code(before)) <= 1, "before the picture's cell there is the one for Colab"
    words = " ".join(cell.source for cell in markdown(before))
    assert "?" in words
    assert len(words.split()) <= 120, f"{len(words.split())} words stand before the picture"


@each_chapter
def test_the_card_says_how_many_minutes(cells):
    """The first page of the site shows them, and the question, which is the first thing in bold."""
    (card,) = [cell.source for cell in markdown(cells) if cell.source.startswith("**After this chapter you can**\n")]
    assert len(re.findall(r"(\d+)\s+minutes\s+to\s+read", card)) == 1
    assert re.search(r"\*\*[^*]+\*\*", cells[0].source)[0].endswith("?**")


@each_chapter
def test_the_first_code_cell_is_for_colab(cells):
    first = code(cells)[0]
    assert first.id == "colab" and not is_open(first) and not first.outputs


# The thread and the workshop


@each_chapter
def test_less_than_a_third_of_what_is_seen_is_code(cells):
    of_code = sum(bool(line.strip()) for cell in cells if is_open(cell) for line in cell.source.splitlines())
    of_prose = sum(len(prose(cell.source)) for cell in markdown(cells))
    seen = [cell for cell in code(cells) if "hide-cell" not in tags(cell)]
    of_output = sum(len(list(printed(cell))) for cell in seen)
    of_output += sum(len(prose(text)) for cell in seen for text in rich(cell, "text/markdown"))
    share = of_code / (of_code + of_prose + of_output)
    assert share < 1 / 3, f"{of_code} lines of code, {of_prose} of prose, {of_output} of output: {share:.0%}"


@each_chapter
def test_what_is_folded_says_what_is_inside(cells):
    wrong = []
    for cell in code(cells):
        if "hide-input" in tags(cell):
            said = {cell.metadata.get("mystnb", {}).get(f"code_prompt_{way}") for way in ("show", "hide")}
            if len(said) != 1 or not said <= LABELS:
                wrong.append(cell.id)
        elif "hide-cell" in tags(cell) and not is_solution(cell):
            wrong.append(cell.id)
    assert wrong == []


@each_chapter
def test_cells_are_short(cells):
    long = {cell.id: len(cell.source.splitlines()) for cell in code(cells)}
    most = {cell.id: 15 if is_open(cell) else 25 for cell in code(cells)}
    assert {name: lines for name, lines in long.items() if lines > most[name]} == {}


@each_chapter
def test_imports_are_folded(cells):
    many = []
    for cell in filter(is_open, cells):
        body = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)).body
        imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        if len(imports) > 2 or len(imports) == len(body):
            many.append(cell.id)
    assert many == []


# What is shown fits a phone, and has words


@each_chapter
def test_figures_fit_a_phone(cells):
    wide = {cell.id: round(pixels) for cell in code(cells) for pixels in figures(cell) if pixels > FIGURE}
    for cell in code(cells):
        for text in rich(cell, "text/plain"):
            if (size := re.match(r"<Figure size (\d+)x", text)) and int(size[1]) > FIGURE:
                wide[cell.id] = int(size[1])
    assert wide == {}


@each_chapter
def test_figures_have_an_alternative_text_and_a_caption(cells):
    without = []
    for cell in code(cells):
        if list(figures(cell)):
            about = cell.metadata.get("mystnb", {})
            alt, caption = about.get("image", {}).get("alt", ""), about.get("figure", {}).get("caption", "")
            if len(alt) < 40 or len(caption) < 15 or alt == caption:
                without.append(cell.id)
    assert without == []


@each_chapter
def test_printed_lines_fit_a_phone(cells):
    ours = [cell for cell in code(cells) if cell.id not in TO_THE_LETTER]
    long = [(cell.id, line) for cell in ours for line in printed(cell) if width(line.rstrip()) > PRINTED]
    assert long == []


@each_chapter
def test_tables_fit_a_phone(cells):
    texts = [(cell.id, cell.source) for cell in markdown(cells)]
    texts += [(cell.id, text) for cell in code(cells) for text in rich(cell, "text/markdown")]
    found = [(name, narrowest(table), len(table[0])) for name, text in texts for table in tables(text)]
    assert [(name, wide, columns) for name, wide, columns in found if wide > TABLE or columns > 6] == []


@each_chapter
def test_no_output_is_html_but_a_live_figure(cells):
    """A table in HTML has a style of its own, which neither theme nor phone knows."""
    html = [(cell.id, text) for cell in code(cells) for text in rich(cell, "text/html")]
    assert [name for name, text in html if not text.startswith("<lr-figure")] == []


@each_chapter
def test_colours_are_those_of_the_palette(cells):
    literal = r"""\bcolors?=["'](?!none|0?\.\d)[^"']*["']|["']#[0-9A-Fa-f]{6}["']|["']C\d["']|\bplt\.cm\b|\bcmap="""
    found = [(cell.id, words) for cell in code(cells) for words in re.findall(literal, cell.source)]
    assert found == []
    for cell in code(cells):
        for name in re.findall(r"""\bCOLOUR\[["']([^"']*)["']\]""", cell.source):
            assert name in plot.COLOUR, cell.id


# The reader's part


def is_prediction(cell):
    return cell.cell_type == "markdown" and re.search(r"^> \*\*Predict\.\*\* \S", cell.source, re.MULTILINE)


@each_chapter
def test_predictions_look_the_same(cells):
    """Wherever the word is set in bold or as a heading it begins a quotation, and ends with a full stop."""
    assert any(map(is_prediction, cells)), "a chapter asks for predictions"
    for cell in markdown(cells):
        marked = re.findall(r"^.*(?:\*\*|#+ )Predict\b.*$", cell.source, re.MULTILINE)
        assert [line for line in marked if not re.match(r"> \*\*Predict\.\*\* \S", line)] == [], cell.id


@each_chapter
def test_a_prediction_is_answered_by_something_that_is_seen(cells):
    """After the question and before the next there is an output."""
    asked = [i for i, cell in enumerate(cells) if is_prediction(cell)]
    for start, end in zip(asked, asked[1:] + [len(cells)], strict=True):
        after = [cell for cell in code(cells[start:end]) if not tags(cell) & {"hide-cell", "remove-cell"}]
        assert any(cell.outputs for cell in after), cells[start].id


def outcomes(cells):
    about = [output.get("metadata", {}) for cell in code(cells) for output in cell.outputs]
    return [json.loads(metadata["lrlib_outcome"]) for metadata in about if "lrlib_outcome" in metadata]


@each_chapter
def test_every_prediction_has_one_outcome(cells):
    """Between the question and the next a cell records what came out; the site puts it into the box."""
    asked = [i for i, cell in enumerate(cells) if is_prediction(cell)]
    assert outcomes(cells[: asked[0]]) == []
    for start, end in zip(asked, asked[1:] + [len(cells)], strict=True):
        assert len(outcomes(cells[start:end])) == 1, cells[start].id


@each_chapter
def test_an_outcome_says_what_the_chapter_says(cells):
    """Its numbers stand in what is printed or told before the next prediction but one."""
    asked = [i for i, cell in enumerate(cells) if is_prediction(cell)]
    for start, end in zip(asked, [*asked[2:], len(cells), len(cells)], strict=True):
        after = [cell for cell in cells[start + 1 : end] if not cell.id.startswith("outcome-")]
        text = "\n".join(cell.source for cell in markdown(after))
        text += "\n".join(line for cell in code(after) for line in printed(cell))
        text += "\n".join(table for cell in code(after) for table in rich(cell, "text/markdown"))
        found = [float(number.replace("−", "-")) for number in re.findall(r"[-−]?\d+(?:\.\d+)?(?:e-?\d+)?", text)]
        for ask in outcomes(cells[start:])[0]["asked"]:
            if ask["kind"] == "number" and ask["label"] not in IN_WORDS:
                assert ask["value"] in found, f"{cells[start].id}: {ask['label']}: {ask['value']}"


@each_chapter
def test_there_are_two_or_three_experiments_to_change(cells):
    invitations = [i for i, cell in enumerate(cells) if re.search(r"^\*\*Try it\.\*\* \S", cell.source, re.MULTILINE)]
    assert 2 <= len(invitations) <= 3
    for i in invitations:
        assert cells[i].cell_type == "markdown" and is_open(cells[i + 1]), cells[i].id
        first = ast.parse(cells[i + 1].source).body[0]
        assert isinstance(first, ast.Assign), f"{cells[i + 1].id} begins with the value to change"


@each_chapter
def test_the_end_of_a_chapter(cells):
    titles = [words for _, level, words in headings(cells) if level == 2]
    end = [title for title in titles if title in END]
    assert end == [title for title in END if title in end], "in this order"
    assert set(END) - set(end) <= {"Open questions"}
    assert titles[-len(end) :] == end, "and nothing between or after"


@each_chapter
def test_exercises_have_solutions(cells):
    solutions = [cell for cell in section(cells, "Exercises") if is_solution(cell)]
    assert len(solutions) >= 2
    assert all("hide-cell" in tags(cell) and cell.outputs for cell in solutions)
    assert [cell.id for cell in cells if is_solution(cell)] == [cell.id for cell in solutions]


@each_chapter
def test_the_chapter_in_one_figure(cells):
    assert any(list(figures(cell)) for cell in section(cells, "In short"))


@each_chapter
def test_further_reading_says_why(cells):
    text = "\n".join(cell.source for cell in markdown(section(cells, "Further reading")))
    text = text.partition("## Further reading\n")[2].partition("## References\n")[0]
    entries = re.split(r"^[-*] ", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= 2
    assert [entry for entry in entries if len(entry.split()) < 10] == []


# What is taught, claimed and judged


@each_chapter
def test_what_was_taught_was_applied(cells):
    source = "\n".join(cell.source for cell in code(cells) if not is_solution(cell))
    if re.search(r"\b(gradient_descent|sweep|range_test|fit)\(", source):
        assert re.search(r"^\s*taught_is_applied\(", source, re.MULTILINE)
        lines = [line for cell in code(cells) if "hide-cell" not in tags(cell) for line in printed(cell)]
        assert any(line.startswith("applied = taught") for line in lines)


@each_chapter
def test_the_last_cell_counts_the_claims(cells):
    last = code(cells)[-1]
    assert last.source.rstrip().endswith("ledger()") and not is_open(last)
    assert [1 for output in last.outputs if "lrlib_ledger" in output.get("metadata", {})] == [1]


def judged(heading):
    """The statements that a heading names: "S5 on trial", "S18 to S21 on trial"."""
    named = set(re.findall(r"\b[SF]\d+\b", heading))
    for first, end in re.findall(r"\bS(\d+) to S(\d+)\b", heading):
        named |= {f"S{n}" for n in range(int(first), int(end) + 1)}
    return named


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement["id"])
def test_every_trial_has_its_heading_its_label_and_the_quotation(statement):
    (path,) = [path for path in CHAPTERS if number(path) == statement["chapter"]]
    cells = stored(path).cells
    name, text = statement["id"], "\n\n".join(cell.source for cell in markdown(cells))
    assert [h for _, level, h in headings(cells) if level == 3 and "on trial" in h and name in judged(h)], (
        "### … on trial"
    )
    assert len(re.findall(rf'^<a id="{name.lower()}"></a>$', text, re.MULTILINE)) == 1
    quotations = re.findall(r"(?:^ {0,3}>.*\n?)+", text, re.MULTILINE)
    says = plain(statement["says"])
    ratios = [difflib.SequenceMatcher(None, says, part).ratio() for quote in quotations for part in parts(quote)]
    assert max(ratios, default=0) > 0.9, f"no blockquote says: {statement['says']}"


def parts(quotation):
    """A quotation as a whole and its paragraphs, without a number or a Chinese term."""
    text = re.sub(r"^ {0,3}> ?", "", quotation, flags=re.MULTILINE)
    text = re.sub(r"\*\*[SF]\d+\.?\*\*|^[SF]\d+[.:]", "", text, flags=re.MULTILINE)
    return [plain(part) for part in [text, *re.split(r"\n\s*\n|\n(?=[-*] )", text)]]


def test_every_statement_is_judged():
    assert [statement["id"] for statement in STATEMENTS if "chapter" not in statement] == []


# Words


@each_chapter
def test_words_that_nobody_says(cells):
    text = "\n".join(cell.source for cell in markdown(cells))
    text += "\n".join(line for cell in code(cells) for line in printed(cell))
    banned = r"had again|ξ|\blanes?\b|rounded to odd|judged by are"
    assert re.findall(rf".*(?:{banned}).*", text, re.IGNORECASE) == []


def test_no_two_chapters_have_one_number():
    """There may be gaps: a chapter has the number of its place in the course, also while others are not there yet."""
    numbers = list(map(number, CHAPTERS))
    assert numbers[0] == 1 and sorted(set(numbers)) == numbers
