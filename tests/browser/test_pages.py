"""Every page, as a browser meets it: nothing from elsewhere, a silent console, no dead link, room on all screens."""

import re
from functools import cache
from urllib.parse import unquote, urlsplit

import yaml
from where import BELOW, CHAPTERS, CONFIG, EVERY, HTML, ROOT, each

REDIRECTS = CONFIG["sphinx"]["config"]["redirects"]
STATEMENTS = yaml.safe_load((ROOT / "folklore-on-trial.yml").read_text(encoding="utf8"))
BEYOND = yaml.safe_load((ROOT / "beyond-the-article.yml").read_text(encoding="utf8"))
ANOTHER_ARITHMETIC = [4, 7, 14, 15]  # as in tests/test_article.py
ARTICLE = (ROOT / "tests" / "data" / "article-printout.txt").read_text(encoding="utf8").splitlines()


@each(EVERY)
def test_no_other_host_and_a_silent_console(seen):
    assert seen.foreign == [] and seen.messages == []


@each(EVERY)
def test_one_title_and_every_picture(seen):
    assert seen.titles == 1 and seen.broken == []


@each(EVERY)
def test_nothing_reaches_beyond_the_screen(seen):
    """Of a desk, of phones and of small phones, with all folds open; nor is any code or figure cut in the text."""
    assert seen.wide == {1280: [], 390: [], 360: [], 320: []}


@each(EVERY)
def test_the_theme_can_be_switched(seen):
    """Three clicks bring both, wherever one begins."""
    assert set(seen.themes) == {"light", "dark"}


def test_what_the_switch_says_goes_when_it_is_pressed(visit):
    page = visit("index")
    switch = page.locator(".theme-switch-button:visible")
    switch.hover()
    page.wait_for_selector(".tooltip")
    switch.click()
    page.wait_for_selector(".tooltip", state="detached")
    assert switch.evaluate("(button) => button === document.activeElement")


def test_what_the_switch_would_have_said_is_not_said_after_it_is_pressed(visit):
    """To a hand that is faster than the words, and goes away."""
    page = visit("index")
    page.clock.install()
    page.locator(".theme-switch-button:visible").click()
    page.mouse.move(500, 500)
    page.clock.run_for(2000)
    assert page.locator(".tooltip").count() == 0


@cache
def targets(name):
    """The anchors of a page, as its file has them."""
    return set(re.findall(r'<[^>]*? id="([^"]+)"', (HTML / f"{name}.html").read_text(encoding="utf8")))


@each(EVERY)
def test_links_and_anchors_within_the_site(seen, site):
    """In the page as its scripts have left it, and they leave every anchor to which another page may lead."""
    dead, here = [], seen.address.removeprefix(f"{site}/").removesuffix(".html")
    assert targets(here) - seen.ids == set()
    for link in seen.links:
        if not link.startswith(site):
            assert urlsplit(link).scheme in ("https", "mailto"), link
            continue
        path, _, anchor = unquote(link.removeprefix(site).removeprefix(BELOW).lstrip("/")).partition("#")
        path = path.partition("?")[0] or "index.html"
        target = path.removesuffix(".html")
        if target in EVERY:
            there = not anchor or anchor in (seen.ids if target == here else targets(target))
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


def test_old_addresses_lead_on_with_their_anchor(visit, site):
    page = visit("zh")
    for old, new in REDIRECTS.items():
        new = new.removeprefix("../") if "/" in new else f"chapters/{new}"
        page.goto(f"{site}/{old}.html#exercises", wait_until="commit")
        page.wait_for_url(f"{site}/{new}#exercises", wait_until="commit")
        assert "exercises" in targets(new.removesuffix(".html"))
    assert page.messages == page.foreign == []


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


@each([name for name in CHAPTERS if "/06-" in name])
def test_the_40_lines_are_in_chapter_6(seen):
    """As this book's arithmetic prints them: in four lines its last digit is not the article's."""
    lines = seen.text.splitlines()
    assert {int(found[1]) for line in lines if (found := re.match(r"step:(\d+),learining_rate:", line))} == {*range(40)}
    assert [i for i, line in enumerate(ARTICLE) if line not in lines] == ANOTHER_ARITHMETIC


@each(["folklore-on-trial"])
def test_all_25_verdicts_are_on_their_page(seen):
    text = words(seen.text)
    for statement in [*STATEMENTS, *BEYOND]:
        parts = [part for part in re.split(r"\$.*?\$", statement["says"]) if words(part)]
        assert all(words(part) in text for part in [*parts, statement.get("chinese", "")]), statement["id"]
    assert len(STATEMENTS) == 25


@each(CHAPTERS)
def test_a_statement_is_quoted_where_its_verdict_leads(seen):
    number = int(re.search(r"chapters/(\d\d)-", seen.address)[1])
    for statement in [*STATEMENTS, *BEYOND]:
        if statement["chapter"] == number:
            assert statement["id"].lower() in seen.ids, statement["id"]
            assert words(statement["says"].split("$")[0]) in words(seen.text), statement["id"]


def test_every_statement_has_a_chapter_of_the_book():
    numbers = {int(name.removeprefix("chapters/")[:2]) for name in CHAPTERS}
    assert {statement["chapter"] for statement in [*STATEMENTS, *BEYOND]} <= numbers
