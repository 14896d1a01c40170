"""Every page, as a browser meets it: nothing from elsewhere, a silent console, no dead link, room on all screens.

A page is opened once, looked at in all these ways, and closed; the tests then ask what was seen.
"""

import re
from functools import cache
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from where import BELOW, CHAPTERS, CONFIG, DESK, HTML, PAGES, PHONE, ROOT

OTHERS = ["genindex", "py-modindex", "search", "404"]  # pages that no notebook and no text of ours is behind
ALL = [*PAGES, *OTHERS]
REDIRECTS = CONFIG["sphinx"]["config"]["redirects"]
STATEMENTS = yaml.safe_load((ROOT / "folklore-on-trial.yml").read_text(encoding="utf8"))
BEYOND = yaml.safe_load((ROOT / "beyond-the-article.yml").read_text(encoding="utf8"))
ANOTHER_ARITHMETIC = [4, 7, 14, 15]  # as in tests/test_article.py
ARTICLE = (ROOT / "tests" / "data" / "article-printout.txt").read_text(encoding="utf8").splitlines()
EVERY_PAGE = pytest.mark.parametrize("name", ALL)

LINKS = "[...document.querySelectorAll('a[href]')].map(a => a.href)"
IDS = "[...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name)"
# The first elements that reach beyond the screen: the names and the places of at most three.
WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const out = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1);
  return [`${document.documentElement.scrollWidth} > ${width}`, ...out.slice(0, 3).map(e => e.outerHTML.slice(0, 120))];
}"""
BROKEN = """async () => {
  const images = [...document.images].filter(image => image.getClientRects().length);
  images.forEach(image => image.loading = "eager");
  await Promise.all(images.map(image => image.decode().catch(() => null)));
  return images.filter(image => !image.naturalWidth).map(image => image.src.slice(0, 200));
}"""
SWITCH = ".theme-switch-button:visible"


@pytest.fixture(scope="module")
def seen(new_page):
    """``seen(name)``: what a visit of this page shows, at a desk, on phones, and after the theme switch."""

    @cache
    def seen(name):
        page = new_page(name)
        found = SimpleNamespace(address=page.url, links=page.evaluate(LINKS), ids=set(page.evaluate(IDS)))
        found.titles = page.locator("main h1:visible").count()
        found.broken = page.evaluate(BROKEN)
        found.text = page.locator("main").inner_text()
        found.wide = {}
        for size in (DESK, PHONE):
            page.set_viewport_size(size)
            found.wide[size["width"]] = page.evaluate(WIDE)
        page.set_viewport_size(DESK)
        found.themes = []
        for _ in range(3):
            page.locator(SWITCH).first.click()
            found.themes.append(page.evaluate("document.documentElement.dataset.theme"))
        found.messages, found.foreign = page.messages, page.foreign
        page.context.close()
        return found

    return seen


@EVERY_PAGE
def test_no_other_host_and_a_silent_console(seen, name):
    assert seen(name).foreign == [] and seen(name).messages == []


@EVERY_PAGE
def test_one_title(seen, name):
    assert seen(name).titles == 1


@EVERY_PAGE
def test_every_picture_is_there(seen, name):
    assert seen(name).broken == []


@EVERY_PAGE
def test_nothing_reaches_beyond_the_screen(seen, name):
    assert seen(name).wide == {1280: [], 390: []}


@EVERY_PAGE
def test_the_theme_can_be_switched(seen, name):
    """Three clicks bring both, wherever one begins."""
    assert set(seen(name).themes) == {"light", "dark"}


@EVERY_PAGE
def test_links_and_anchors_within_the_site(seen, name, site):
    """In the page as its scripts have left it."""
    dead = []
    for link in seen(name).links:
        if not link.startswith(site):
            assert urlsplit(link).scheme in ("https", "mailto"), link
            continue
        path, _, anchor = unquote(link.removeprefix(site).removeprefix(BELOW).lstrip("/")).partition("#")
        path = path.partition("?")[0] or "index.html"
        target = path.removesuffix(".html")
        if target in ALL:
            there = not anchor or anchor in seen(target).ids
        else:
            there = (HTML / path).is_file()
        if not there:
            dead.append(link)
    assert dead == []


def test_another_host_would_be_seen_and_refused(visit):
    page = visit("zh")
    for address in ("https://example.org/one.js", "http://192.0.2.1/two.js"):
        assert page.evaluate("(address) => fetch(address).then(() => 'came', () => 'refused')", address) == "refused"
    assert page.foreign == ["https://example.org/one.js", "http://192.0.2.1/two.js"] and len(page.messages) == 2


@pytest.mark.parametrize("old", REDIRECTS)
def test_old_addresses_lead_on_with_their_anchor(visit, site, old):
    page = visit(f"{old}.html#exercises")
    page.wait_for_url(f"{site}/{REDIRECTS[old] if '/' in REDIRECTS[old] else f'chapters/{REDIRECTS[old]}'}#exercises")
    assert page.locator("#exercises").count() == 1 and page.messages == page.foreign == []


def test_an_address_without_a_page_shows_the_way(visit, site):
    page = visit("chapters/07-nowhere/at-all")
    assert page.locator("h1:visible").inner_text().startswith("There is no such page")
    assert len(page.messages) == 1 and "404" in page.messages[0], "of the page itself, and nothing that it loads"
    page.locator("article a", has_text="first page").click()
    page.wait_for_url(f"{site}{BELOW}/index.html")


def test_the_next_page_is_the_next_of_the_contents(visit):
    """By the link at the end of each page, clicked."""
    page = visit("index")
    page.locator("a.right-next").click()
    page.wait_for_url("**/chapters/01-*.html")
    page.locator("a.left-prev").click()
    page.wait_for_url("**/index.html")


def words(text):
    """Letters and digits alone, since a page sets formulas, quotes and blanks in its own way."""
    return re.sub(r"[\W_]+", "", re.sub(r"\$.*?\$", "", text))


def test_the_40_lines_are_in_chapter_6(seen):
    """As this book's arithmetic prints them: in four lines its last digit is not the article's."""
    (chapter,) = (name for name in CHAPTERS if "/06-" in name)
    lines = seen(chapter).text.splitlines()
    assert {int(found[1]) for line in lines if (found := re.match(r"step:(\d+),learining_rate:", line))} == {*range(40)}
    assert [i for i, line in enumerate(ARTICLE) if line not in lines] == ANOTHER_ARITHMETIC


def test_all_25_verdicts_are_on_their_page(seen):
    text = words(seen("folklore-on-trial").text)
    for statement in [*STATEMENTS, *BEYOND]:
        parts = [part for part in re.split(r"\$.*?\$", statement["says"]) if words(part)]
        assert all(words(part) in text for part in [*parts, statement.get("chinese", "")]), statement["id"]
    assert len(STATEMENTS) == 25


@pytest.mark.parametrize("statement", [*STATEMENTS, *BEYOND], ids=lambda statement: statement["id"])
def test_a_statement_is_quoted_where_its_verdict_leads(seen, statement):
    (chapter,) = (name for name in CHAPTERS if f"/{statement['chapter']:02d}-" in name)
    page = seen(chapter)
    assert statement["id"].lower() in page.ids
    assert words(statement["says"].split("$")[0]) in words(page.text)
