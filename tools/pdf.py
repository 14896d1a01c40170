"""Print the built book as one PDF, _build/the-learning-rate.pdf: A4, tagged, with bookmarks and a page for each number.

The articles of all pages are put one after the other, in the order of the contents. What is folded on the site is open,
figures that answer the hand are their pictures, and a link to another page of the book leads there within the PDF.
"""

import re
import sys
import time
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from bs4 import BeautifulSoup
from chromium import FLAGS, NONE, found_browser
from playwright.sync_api import sync_playwright
from pypdf import PdfReader
from pypdf.generic import IndirectObject, NameObject
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "the-learning-rate.pdf"
PRINTED = ROOT / "_build" / "pdf.html"  # what is printed, to be looked at when something is wrong
SITE = "http://site/"  # stands for the root of the site while addresses are resolved
NOT_PRINTED = "script, style, button, input, input + label, template, .headerlink, .toctree-wrapper, summary svg"
SHORT = 16  # lines of code that stay together
NAMES = ["for", "headers", "aria-labelledby", "aria-describedby", "aria-controls"]  # attributes that hold ids
FOOTER = (
    '<div style="width: 100%; font: 8pt sans-serif; color: #555; text-align: center">'
    '<span class="pageNumber"></span></div>'
)
# What reaches beyond the paper, or is hidden at the edge of its box, and pictures that are not there.
CUT = """() => {
  const width = document.documentElement.clientWidth + 1;
  const all = [...document.querySelectorAll("article *:not(svg, svg *, .katex-mathml, .katex-mathml *)")];
  return all.filter(e => e.getBoundingClientRect().right > width || e.tagName === "IMG" && !e.naturalWidth
    || getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1
  ).map(e => `${e.closest("article").id}: ${e.outerHTML.slice(0, 200)}`);
}"""
# Two characters look the same where there is no font for them.
CHINESE = """() => {
  const canvas = document.createElement("canvas").getContext("2d");
  const [one, other] = ["学", "习"].map(character => {
    canvas.clearRect(0, 0, 300, 150);
    canvas.fillText(character, 20, 20);
    return canvas.canvas.toDataURL();
  });
  return one !== other;
}"""

# The numbers of the pages, by the articles that begin there, are written into the contents, which are left alone.
NUMBERED = """(pages) => {
  for (const line of document.querySelectorAll(".book-contents a"))
    line.nextElementSibling.textContent = pages[line.hash.slice(1)];
  document.querySelector("main").remove();
}"""


def public():
    """The address at which the book is published."""
    owner, name = CONFIG["repository"]["url"].removeprefix("https://github.com/").split("/")
    return f"https://{owner}.github.io/{name}/"


CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
CONTENTS = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
PAGES = list(parse_toc_yaml(ROOT / "_toc.yml"))


def name_of(page):
    return page.replace("/", "-")


def moved(address, page):
    """Where a link of this page leads: a place in the PDF if it is a page of the book, else a public address."""
    target = urljoin(f"{SITE}{page}.html", address)
    if not target.startswith(SITE):
        return address
    path, _, anchor = target.removeprefix(SITE).partition("#")
    found = unquote(path).removesuffix(".html")
    if found not in PAGES:
        return public() + target.removeprefix(SITE)
    return f"#{name_of(found)}" + (f"--{anchor}" if anchor else "")


def article(page):
    """The text of a page as it is printed, and the page's style sheets."""
    soup = BeautifulSoup((HTML / f"{page}.html").read_text(encoding="utf8"), "html.parser")
    found = soup.find("article")
    found["id"], found["lang"] = name_of(page), soup.html.get("lang", "en")
    for tag in found.select(NOT_PRINTED):
        tag.decompose()
    for tag in found.find_all("details"):
        tag["open"] = ""
    for tag in found.find_all("pre"):
        if len(tag.get_text().splitlines()) <= SHORT:
            tag["class"] = [*tag.get("class", []), "short"]
    for tag in found.find_all(True):
        if tag.has_attr("id"):
            tag["id"] = f"{name_of(page)}--{tag['id']}"
        for attribute in filter(tag.has_attr, NAMES):
            tag[attribute] = " ".join(f"{name_of(page)}--{name}" for name in tag[attribute].split())
        if tag.has_attr("href"):
            tag["href"] = moved(tag["href"], page)
        if tag.name == "img":
            tag["loading"], tag["src"] = "eager", local(tag["src"], page)
    sheets = [local(link["href"], page) for link in soup.head.find_all("link", rel="stylesheet")]
    return found, sheets


def local(address, page):
    """A file of the site by its address on this machine."""
    path = urlsplit(urljoin(f"{SITE}{page}.html", address)).path.lstrip("/")
    return (HTML / unquote(path)).as_uri()


def cover(titles):
    """Title and contents, with room for the numbers of the pages."""
    release = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    rows = []
    for part in [{"chapters": [{"file": CONTENTS["root"]}]}, *CONTENTS["parts"]]:
        rows += [f"<p class='part'>{part['caption']}</p>"] if "caption" in part else []
        entries = [(name_of(chapter["file"]), titles[chapter["file"]]) for chapter in part["chapters"]]
        rows += [f"<p><a href='#{name}'>{title}</a><span>0</span></p>" for name, title in entries]
    return (
        f"<header class='cover'><p class='title'>{CONFIG['title']}</p><p>{CONFIG['author']}</p>"
        f"<p>Version {release['version']}, {release['date-released']}</p>"
        f"<p>With figures that answer the hand at<br><a href='{public()}'>{public()}</a></p>"
        f"<p class='licence'>{CONFIG['html']['extra_footer']}</p></header>"
        f"<nav class='book-contents'><p class='heading'>Contents</p>{''.join(rows)}</nav>"
    )


def document(articles, sheets):
    titles = {page: re.sub(r"\s+", " ", found.h1.get_text()).strip() for page, found in articles.items()}
    links = [f'<link rel="stylesheet" href="{sheet}">' for sheet in [*sheets, (ROOT / "tools" / "pdf.css").as_uri()]]
    return (
        '<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{CONFIG['title']}</title>{''.join(links)}</head><body>{cover(titles)}<main class='bd-content'>"
        f"{''.join(map(str, articles.values()))}</main></body></html>"
    )


def dead(html):
    """Links within the book that lead nowhere."""
    ids = set(re.findall(r' id="([^"]+)"', html))
    return sorted(set(re.findall(r' href="#([^"]+)"', html)) - ids)


def numbers(book):
    """On which page of the PDF an article begins, by its name, to which its line in the contents leads."""
    reader = PdfReader(BytesIO(book))
    names = {f"/{name_of(page)}" for page in PAGES}
    places = reader.named_destinations.items()
    return {name[1:]: reader.get_destination_page_number(place) + 1 for name, place in places if name in names}


def opened(browser, html):
    """The book in a tab of the browser, as paper would have it."""
    PRINTED.write_text(html, encoding="utf8")
    tab = browser.new_page(viewport={"width": 657, "height": 900})  # the paper less its margins
    tab.goto(PRINTED.as_uri())
    tab.emulate_media(media="print")
    tab.evaluate("() => document.fonts.ready")
    if not tab.evaluate(CHINESE):
        sys.exit("No font here has Chinese characters: run `make browser`.")
    if cut := tab.evaluate(CUT):
        sys.exit("\n".join(["This would be cut at the edge, or is not there:", *cut]))
    return tab


def printed(tab):
    # The widths of cover and contents are those of tools/pdf.css, the page numbers stand in the lower margin.
    return tab.pdf(format="A4", tagged=True, outline=True, print_background=True, prefer_css_page_size=True,
                   display_header_footer=True, header_template="<span></span>", footer_template=FOOTER)  # fmt: skip


def drawn(page):
    """What a page shows, less its words: the marks by which the tags find them."""
    return re.findall(rb"/MCID \d+", page["/Contents"].get_data())


def exchanged(book, front):
    """The book with the first pages as they are in another print, which has the same tags.

    They are appended to it, as a PDF that is changed may be: to write all anew takes longer than to print it.
    """
    old, new = PdfReader(BytesIO(book)), PdfReader(BytesIO(front))
    size, numbers, written, places = int(old.trailer["/Size"]), {}, BytesIO(), {}

    def renumbered(thing):
        if isinstance(thing, IndirectObject):
            if thing.idnum not in numbers:
                numbers[thing.idnum] = size + len(numbers)
                write(numbers[thing.idnum], renumbered(thing.get_object()))
            return IndirectObject(numbers[thing.idnum], 0, None)
        if isinstance(thing, dict):
            for key in thing:
                thing[key] = renumbered(thing.raw_get(key))
        elif isinstance(thing, list):
            thing[:] = [renumbered(entry) for entry in list.__iter__(thing)]
        return thing

    def write(number, thing):
        found = BytesIO()
        thing.write_to_stream(found)
        places[number] = len(book) + 1 + written.tell()
        written.write(b"%d 0 obj\n%b\nendobj\n" % (number, found.getvalue()))

    for before, after in zip(old.pages, new.pages, strict=False):
        if drawn(before) != drawn(after):
            sys.exit("The page of contents has other tags with the numbers of the pages than without them.")
        for part in ("/Contents", "/Resources"):
            before[NameObject(part)] = renumbered(after.raw_get(part))
        write(before.indirect_reference.idnum, before)
    rows = "".join(f"{number} 1\n{place:010} 00000 n \n" for number, place in sorted(places.items()))
    start = int(re.findall(rb"startxref\s+(\d+)", book)[-1])
    root, info = (old.trailer.raw_get(key).idnum for key in ("/Root", "/Info"))
    about = f"<< /Size {size + len(numbers)} /Root {root} 0 R /Info {info} 0 R /Prev {start} >>"
    table = f"xref\n0 1\n{0:010} 65535 f \n{rows}trailer\n{about}\nstartxref\n{len(book) + 1 + written.tell()}\n%%EOF\n"
    return book + b"\n" + written.getvalue() + table.encode()


def main():
    start = time.perf_counter()
    if not found_browser():
        sys.exit(NONE)
    articles, sheets = {}, {}
    for page in PAGES:
        articles[page], of_page = article(page)
        sheets |= dict.fromkeys(of_page)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found_browser(), args=FLAGS)
        html = document(articles, sheets)
        tab = opened(browser, html)
        # Where the pages begin is known when they are printed; then the first pages are printed again, by themselves.
        book = printed(tab)
        tab.evaluate(NUMBERED, numbers(book))
        PDF.write_bytes(exchanged(book, printed(tab)))
        browser.close()
    if lost := dead(html):
        sys.exit(f"These links lead nowhere: {', '.join(lost)}")
    much = f"{len(PdfReader(PDF).pages)} pages, {PDF.stat().st_size / 1e6:.1f} MB"
    print(f"Printed in {time.perf_counter() - start:.0f} s: {PDF.as_uri()}, {much}")


if __name__ == "__main__":
    main()
