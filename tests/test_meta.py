"""What every page says about itself, and the files for those who look for pages."""

import json
import re
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from test_site import CONFIG, HTML, NAME, OWNER, PAGES, finished_book, soup  # noqa: F401

BASE = f"https://{OWNER}.github.io/{NAME}/"
HAN = re.compile("[\u3400-\u9fff]")


def said(page, name):
    """The content of the one tag that says this."""
    (tag,) = soup(HTML / f"{page}.html").head.select(f'meta[name="{name}"], meta[property="{name}"]')
    return tag["content"]


def address(page):
    return BASE if page == "index" else f"{BASE}{page}.html"


def test_every_page_has_a_title_and_a_description_of_its_own():
    titles = [soup(HTML / f"{page}.html").title.text.strip() for page in PAGES]
    descriptions = [said(page, "description") for page in PAGES]
    assert len(set(titles)) == len(set(descriptions)) == len(PAGES)
    for title, text in zip(titles, descriptions, strict=True):
        parts = [part.strip() for part in title.split("—")]
        assert len(set(parts)) == len(parts), "a title says a thing once"
        assert 30 <= len(text) <= 160
    first = soup(HTML / "index.html")
    assert first.title.text.strip() == CONFIG["title"]
    assert " ".join(first.select_one(".landing-lead p").text.split()).startswith(said("index", "description"))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_shown_when_a_page_is_shared(page):
    assert said(page, "og:url") == address(page)
    assert said(page, "og:title") and said(page, "og:image:alt")
    assert said(page, "og:description") == said(page, "description")
    (canonical,) = soup(HTML / f"{page}.html").select('link[rel="canonical"]')
    assert canonical["href"] == address(page)
    picture = said(page, "og:image")
    assert picture.startswith(BASE)
    with Image.open(HTML / picture.removeprefix(BASE)) as shown:
        assert shown.size == (1200, 630)


def test_the_map_of_the_site_has_every_page():
    space = {"": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    places = [place.text for place in ElementTree.parse(HTML / "sitemap.xml").iterfind(".//loc", space)]
    assert sorted(places) == sorted(map(address, PAGES))
    assert f"Sitemap: {BASE}sitemap.xml" in (HTML / "robots.txt").read_text(encoding="utf8")


def test_the_lost_page_works_at_any_depth():
    page = soup(HTML / "404.html")
    root = f"/{NAME}/"
    assert page.html["data-content_root"] == root
    found = [tag.get("href") or tag.get("src") or tag.get("action") for tag in page.select("[href], [src], [action]")]
    assert any(place.endswith("site.css") or "site.css?" in place for place in found)
    for place in found:
        assert place.startswith((root, "#", "https://")), place
        file = place.removeprefix(root).partition("#")[0].partition("?")[0]
        assert not place.startswith(root) or (HTML / file).is_file(), place
    assert page.select_one('meta[name="robots"]')["content"] == "noindex"


@pytest.mark.parametrize("page", ["search", "genindex", "py-modindex"])
def test_what_only_leads_to_pages_is_not_for_search_engines(page):
    assert soup(HTML / f"{page}.html").select_one('meta[name="robots"]')["content"] == "noindex"


def test_every_entry_of_the_glossary_is_found_with_its_explanation():
    text = (HTML / "_static/search-index.js").read_text(encoding="utf8")
    rows = json.loads(text[text.index("[") : text.rindex("]") + 1])
    (entries,) = [sections for address, _, sections in rows if address == "glossary.html"]
    terms = {title: words for anchor, title, words in entries if anchor.startswith("term-")}
    assert terms["parameter"] == terms["weight"]
    assert all(terms.values())


@pytest.mark.parametrize("page", PAGES)
def test_chinese_is_marked_as_chinese(page):
    text = soup(HTML / f"{page}.html")
    chinese = page == "zh"
    assert text.html["lang"] == ("zh-CN" if chinese else "en")
    if chinese:
        assert text.body["lang"] == "en" and text.find("article")["lang"] == "zh-CN"
    for words in text.body.find_all(string=HAN):
        if not words.find_parent(["code", "pre", "script", "style"]):
            spoken = words.find_parent(lang=True)
            assert spoken["lang"] == "zh-CN", words
            assert spoken.name != "span" or not re.search("[A-Za-z]{4}", spoken.text)


def test_a_mark_is_set_once():
    """A second build finds pages that the first has marked."""
    import site_meta

    for text in ("<body><p>减缓, <code>分数</code></p></body>", (HTML / "zh.html").read_text(encoding="utf8")):
        once = site_meta.languages(text, "index")
        assert site_meta.languages(once, "index") == once
        assert BeautifulSoup(once, "html.parser").text == BeautifulSoup(text, "html.parser").text


def test_descriptions_are_whole_sentences():
    from docutils import nodes
    from site_meta import description

    def described(*paragraphs):
        section = nodes.section("", *(nodes.paragraph("", text) for text in paragraphs))
        return description(section, "otherwise")

    long = "This sentence says what the page is about, and it is not short. " * 2
    assert described("Short.", long) == long.strip()
    assert described(long * 3) == long.strip()
    assert described("word " * 60) == ("word " * 31).strip() + "…"
    assert described() == "otherwise"
    lead = nodes.container("", nodes.paragraph("", long), classes=["landing-lead"])
    page = nodes.section("", lead, nodes.paragraph("", "Another sentence " * 4))
    assert description(page, "otherwise") == long.strip()
