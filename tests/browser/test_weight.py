"""What a reader's line has to carry, what waits until it is needed, and that nothing jumps when it comes."""

import gzip
import re
from urllib.parse import unquote, urlsplit

import pytest
from walk import screen
from where import CHAPTERS, DESK, HTML, PAGES, PHONE, each

FIRST, FURTHER = (
    250_000,
    120_000,
)  # bytes, compressed, of a page as it opens first, and of a further one read to its end
PACKED = {".woff2", ".webp", ".png"}
MISSING = """async ([sheets, folder]) => {
  const parts = (text) => {
    const found = [""];
    let depth = 0;
    for (const letter of text) {
      depth += (letter === "(") - (letter === ")");
      if (letter === "," && depth === 0) found.push("");
      else found[found.length - 1] += letter;
    }
    return found.map((part) => part.trim());
  };
  const selectors = function* (rules) {
    for (const rule of rules) {
      if (rule.selectorText) yield* parts(rule.selectorText);
      else if (rule.cssRules) yield* selectors(rule.cssRules);
    }
  };
  const ours = new Set([...document.styleSheets].flatMap((sheet) => [...selectors(sheet.cssRules)]));
  const missing = [];
  let asked = 0;
  for (const name of sheets) {
    const text = await (await fetch(folder + name)).text();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text.replace(/@import[^;]*;/g, ""));
    for (const selector of selectors(sheet.cssRules)) {
      const still = selector.replace(/::?(?:hover|focus(?:-\\w+)?|active|visited|before|after|placeholder)\\b/g, "");
      try {
        if (document.querySelector(still || "*")) {
          asked += 1;
          if (!ours.has(selector)) missing.push(selector);
        }
      } catch {} // a pseudo-element of another browser
    }
  }
  return [asked, missing];
}"""


def weight(address):
    """The bytes of this file on the line of a server that compresses."""
    file = HTML / unquote(urlsplit(address).path).lstrip("/")
    content = file.read_bytes()
    return len(content) if file.suffix in PACKED else len(gzip.compress(content, mtime=0))


@pytest.fixture(scope="session")
def at_first(new_page):
    """The addresses that the first page loads as it opens."""
    page = new_page("index", size=PHONE)
    page.wait_for_load_state("networkidle")
    yield set(page.asked)
    page.context.close()


@each(PAGES)
def test_a_page_is_light(seen, at_first):
    assert seen.never_asked == []
    first = sum(map(weight, seen.opened))
    further, to_the_end = (sum(map(weight, files - at_first)) for files in (seen.opened, seen.whole))
    print(
        f"{seen.address}: first {first / 1000:.0f} kB, {len(seen.opened)} requests; "
        f"after the index {further / 1000:.0f} kB, to the end {to_the_end / 1000:.0f} kB"
    )
    assert first <= FIRST
    assert seen.address.endswith("/index.html") or to_the_end <= FURTHER


@each(PAGES)
def test_nothing_jumps_and_nothing_is_loaded_for_other_pages(seen):
    assert seen.jumped < 0.05  # 0.1 is called good
    loaded = " ".join(sorted(seen.whole))
    assert not re.search(r"search|doctools|fontawesome\.js|\.ttf|/styles/|basic\.css", loaded)
    assert len(re.findall(r"\.css", loaded)) == 1


@each(CHAPTERS)
def test_pictures_wait_and_keep_their_place(seen):
    assert seen.pictures and seen.waiting and all(seen.waiting)
    for loading, sized, top, source in seen.pictures:
        assert sized, source
        assert not source.endswith(".png"), source
        assert loading == "lazy" or top < 4000, source


@each(["index", "folklore-on-trial", "api", CHAPTERS[1], CHAPTERS[-1], "search"])
def test_the_one_style_sheet_has_every_rule_that_applies(seen):
    static = HTML / "_static"
    sheets = [file.relative_to(static).as_posix() for file in static.rglob("*.css") if file.name != "site.css"]
    screen(seen.page, DESK)
    root = seen.page.evaluate("document.documentElement.dataset.content_root")
    seen.page.locator("button.dropdown-toggle").first.evaluate("(button) => button.click()")
    asked, missing = seen.page.evaluate(MISSING, [sheets, f"{root}_static/"])
    assert asked > 200 and missing == []


def test_icons_are_drawn(visit):
    """Every icon in sight has a glyph in the font that was cut for it."""
    page = visit(CHAPTERS[0])
    page.wait_for_load_state("networkidle")
    fonts = page.evaluate(
        "document.fonts.ready.then(all => [...all].filter(font => font.status === 'loaded').map(font => font.family))"
    )
    assert any("Font Awesome" in font for font in fonts)
    widths = page.eval_on_selector_all(
        "i[class*='fa-'], span[class*='fa-']",
        "all => all.filter(icon => icon.offsetParent).map(icon => icon.offsetWidth)",
    )
    assert len(widths) > 5 and min(widths) > 5
    from fontTools.ttLib import TTFont

    glyphs = set().union(*(TTFont(file).getBestCmap() for file in (HTML / "_static" / "fonts").glob("fa-*.woff2")))
    shown = page.eval_on_selector_all(
        "i[class*='fa-'], span[class*='fa-']",
        "all => all.map(icon => getComputedStyle(icon, '::before').content.replace(/[\"']/g, ''))",
    )
    assert {letter for text in shown if text != "none" for letter in map(ord, text)} <= glyphs


def test_the_dark_comes_at_once(visit):
    """Before any script file has run, as they wait until the page has been read."""
    page = visit("index", dark=True)
    page.route("**/*.js*", lambda route: route.abort())
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
