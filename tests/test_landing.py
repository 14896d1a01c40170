"""The first page shows the book as it is: chapters, verdicts, the article's first line and the citation."""

import json
import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from test_site import CHAPTERS, HTML, ROOT, STATEMENTS, finished_book, soup  # noqa: F401

sys.path.append(str(ROOT / "_ext"))
import site_landing  # noqa: E402
from site_verdicts import TOGETHER  # noqa: E402


@pytest.fixture
def page():
    return soup(HTML / "index.html").find("article")


def one_line(text):
    return " ".join(text.split())


def number_of(chapter):
    """The number by which the text cites a chapter: that of its file."""
    return int(re.match(r"chapters/(\d+)-", chapter)[1])


def test_the_cards_are_the_chapters(page):
    cards = page.select("ol.landing-chapters > li")
    assert [card.a["href"] for card in cards] == [f"{chapter}.html" for chapter in CHAPTERS]
    for card, chapter in zip(cards, CHAPTERS, strict=True):
        cells = nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        title, asked = text.splitlines()[0].removeprefix("# "), re.search(r"\*\*([^*]+)\*\*", text)[1]
        assert one_line(card.h3.text) == f"{number_of(chapter)} {title}"
        assert card.select_one(".question").text == one_line(asked)
        assert (
            card.select_one(".minutes").text == f"{re.search(r'([0-9]+) minutes to read', one_line(text))[1]} minutes"
        )


def test_the_pictures_of_the_cards_are_the_chapters_and_small(page):
    for card, chapter in zip(page.select("ol.landing-chapters > li"), CHAPTERS, strict=True):
        assert card.img["alt"] in {image["alt"] for image in soup(HTML / f"{chapter}.html").select("article img")}
        assert card.img["loading"] == "lazy"
        assert int(card.img["width"]) <= 440 and int(card.img["height"]) > 100, "the place is kept until it has come"


def test_every_statement_has_its_square(page):
    """Under its outcome in words, with a name that says it without the colour, and a link to its verdict."""
    verdicts = soup(HTML / "folklore-on-trial.html")
    found = {}
    for row in page.select(".landing-verdicts > div"):
        squares = row.select("li > a")
        count, words = row.h3.text.split(" ", 1)
        assert int(count) == len(squares)
        for square in squares:
            file, _, anchor = square["href"].partition("#")
            kind = verdicts.find(id=anchor).select_one(".kind").text
            assert file == "folklore-on-trial.html" and words in TOGETHER[kind]
            found[square.select_one(".name").text] = (anchor, one_line(square.text), kind)
    assert sorted(found) == sorted(statement["id"] for statement in STATEMENTS) and len(found) == 25
    for statement in STATEMENTS:
        anchor, name, kind = found[statement["id"]]
        assert anchor == f"verdict-{statement['id'].lower()}"
        assert name.startswith(f"{statement['id']}: {kind}") and name.endswith(statement["says"].replace("`", "")[-20:])
        assert not set(name) & set("$`^\\"), "neither code nor formulas"


def test_the_two_rates_are_those_of_the_first_line(page):
    printout = (ROOT / "tests" / "data" / "article-printout.txt").read_text(encoding="utf8").splitlines()
    assert page.select_one(".landing-printout").text == printout[0]
    assert [rate.find("dd").text for rate in page.select(".landing-rates > div")] == ["0.099", "0.1"]
    assert page.h2.text.startswith("Line 0 says 0.099. The program was told 0.1.")


def test_another_first_line_would_give_other_rates():
    html = BeautifulSoup(site_landing.line_zero("step:0,learining_rate:0.19,loss:4,w:2.6\n"), "html.parser")
    assert [rate.find("dd").text for rate in html.select("dl > div")] == ["0.19", "0.2"]


def test_the_citation_is_that_of_the_file(page):
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    (author,), year = about["authors"], str(about["date-released"])[:4]
    shown = one_line(page.select_one(".landing-plain").text)
    assert shown == f"{author['name']} ({year}). {about['title']} (version {about['version']}). {about['url']}"
    entry = page.select_one(".highlight-bibtex pre").text
    fields = dict(re.findall(r"^\s+(\w+)\s*= \{+(.*?)\}+,?$", entry, re.MULTILINE))
    assert fields == {
        "author": author["name"],
        "title": about["title"],
        "year": year,
        "version": about["version"],
        "url": about["url"],
    }


def test_one_button_starts(page):
    (start,) = page.select("a.landing-start")
    assert start["href"] == f"{CHAPTERS[0]}.html"


def test_the_ways_in_lead_there(page):
    links = [urlsplit(link["href"]) for link in page.select(".landing-ways a")]
    assert {"zh.html", "teaching.html", "glossary.html", "references.html"} <= {link.path for link in links}
    assert "lrlib.find_rate.find_rate" in {link.fragment for link in links}


def test_its_rules_touch_no_other_page():
    """They may stand in the one style sheet of all pages."""
    sheet = re.sub(r"/\*.*?\*/", "", (ROOT / "_ext" / "landing.css").read_text(encoding="utf8"), flags=re.DOTALL)
    heads = [head.strip() for head in re.findall(r"([^{}]+)\{", sheet) if not head.strip().startswith("@")]
    assert len(heads) > 20 and [head for head in heads if "landing-" not in head] == []


def test_chapters_have_their_number_everywhere_and_sections_none():
    for at, chapter in enumerate(CHAPTERS):
        number = number_of(chapter)
        page = soup(HTML / f"{chapter}.html")
        title = (
            nbformat.read(ROOT / f"{chapter}.ipynb", as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
        )
        full = f"{number}. {title}"
        assert page.title.text.startswith(full)
        assert page.select_one("article h1").text.startswith(full)
        assert one_line(page.select_one("nav.bd-links li.active > a").text) == full
        assert not page.select("h2 .section-number, h3 .section-number")
        neighbours = [one_line(words.text) for words in page.select(".prev-next-title")]
        beside = CHAPTERS[max(0, at - 1) : at] + CHAPTERS[at + 1 : at + 2]
        expected = [number_of(other) for other in beside]
        assert [int(n) for words in neighbours for n in re.findall(r"^(\d+)\. ", words)] == expected
        captions = [one_line(words.text) for words in page.select(".caption-number")]
        assert captions == [f"Fig. {number}.{figure}" for figure in range(1, len(captions) + 1)] != []
    for path in HTML.glob("*.html"):
        page = soup(path).article
        assert not (page and page.find(class_="section-number")), "an appendix has no number"


def test_no_piece_is_left_unfilled(page):
    assert not re.search(r"\{landing\}|<piece", str(page))
    assert json.dumps(sorted(site_landing.PIECES)) == '["chapters", "facts", "verdicts"]'


def test_the_teaching_page_names_every_chapter():
    table = soup(HTML / "teaching.html").select_one("article table")
    assert [link["href"] for link in table.select("a")] == [f"{chapter}.html" for chapter in CHAPTERS]


def test_readme_shows_the_first_page():
    (words,) = re.findall(
        r"\[!\[([^\]]+)\]\(_static/book\.png\)\]", Path(ROOT / "README.md").read_text(encoding="utf8")
    )
    assert words.startswith("The first page")
