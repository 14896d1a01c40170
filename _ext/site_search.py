"""The search: an index of the sections by their text, and a script of ours that only the search page loads.

Sphinx's own index knows single words, cut to their stems, and fetches whole pages to quote from them. A section's text
is little, is searched as it stands, so in Chinese too, and is there to be quoted.
"""

import itertools
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

SCRIPT = Path(__file__).parent / "search.js"
INDEX = "_static/search-index.js"
SILENT = {"pre", "math", "script", "style", "svg", "button", "summary"}
SILENT_CLASSES = {"headerlink", "viewcode-link", "eqno"}
FORMULA, SYMBOLS = "katex", {"mi", "mn", "mo"}
VOID = {"img", "br", "hr", "input", "wbr", "col", "source", "link", "meta"}
STYLE = """<style>
#search-results ul { padding: 0; list-style: none; }
#search-results li { margin: 1.25rem 0; overflow-wrap: anywhere; }
#search-results li > a { font-weight: 600; }
#search-results li > p { margin: 0.15rem 0 0; }
#search-results .page { color: var(--pst-color-text-muted); font-size: 0.9rem; }
#search-results mark { padding: 0; }
</style>
"""


class Sections(HTMLParser):
    """The sections of an article, [anchor, title, text] each; entries of glossary and library are sections too.

    Of the formulas a symbol is text, and dots stand for longer ones.
    """

    def __init__(self, page):
        super().__init__()
        self.found, self.skipped, self.depth, self.heading, self.formula = [], None, 0, False, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        given = dict(attributes)
        classes = set((given.get("class") or "").split())
        if self.skipped:
            self.depth += tag == self.skipped
        elif tag in SILENT or classes & {FORMULA, *SILENT_CLASSES}:
            self.skipped, self.depth, self.formula = tag, 1, "" if FORMULA in classes else None
        elif given.get("id") and (tag in ("section", "dt") or "verdict" in classes):
            self.found.append([given["id"], "", ""])
            self.heading = tag == "dt"
        elif re.fullmatch("h[1-6]", tag):
            self.heading = True

    def handle_endtag(self, tag):
        if self.skipped:
            self.depth -= tag == self.skipped
            if not self.depth:
                self.skipped, formula = None, self.formula
                if formula is not None:
                    self.handle_data(formula if len(formula) == 1 else "…")
        elif self.heading and re.fullmatch("h[1-6]|dt", tag):
            self.heading = False
        elif tag in ("p", "td", "th", "li", "dd", "dt", "figcaption") and self.found:
            self.found[-1][2] += " "

    def handle_data(self, data):
        if self.skipped:
            if self.formula is not None and self.lasttag in SYMBOLS:
                self.formula += data.strip()
        elif self.found:
            self.found[-1][1 if self.heading else 2] += data


def tidy(text):
    return " ".join(text.replace("\u200b", "").split())


def index(out, pages):
    """[[address, title, [[anchor, title, text], …]], …] of all pages."""
    rows = []
    for page in pages:
        text = (out / f"{page}.html").read_text(encoding="utf8")
        article = text[text.find("<article") : text.find("</article>")]
        sections = [[anchor, tidy(title), tidy(words)] for anchor, title, words in Sections(article).found]
        for term, following in reversed([*itertools.pairwise(sections)]):
            if term[0].startswith("term-"):
                term[2] = term[2] or following[2]  # two terms with one explanation
        sections = [section for section in sections if section[1] or section[2]]
        if sections:
            rows.append([f"{page}.html", sections[0][1], sections])
    return rows


def style(app, page, template, context, doctree):
    if template == "search.html":
        context["metatags"] = context.get("metatags", "") + STYLE


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    rows = json.dumps(index(out, sorted(app.env.found_docs)), ensure_ascii=False, separators=(",", ":"))
    (out / INDEX).write_text(f"const BOOK = {rows};\n", encoding="utf8")
    shutil.copyfile(SCRIPT, out / "_static" / SCRIPT.name)
    page = out / "search.html"
    text = page.read_text(encoding="utf8")
    if INDEX not in text:
        scripts = f'<script defer src="{INDEX}"></script>\n<script defer src="_static/{SCRIPT.name}"></script>\n'
        text = text.replace("</head>", f"{scripts}</head>", 1)
    site = app.config.html_title or app.config.project
    page.write_text(re.sub("<title>[^<]*</title>", f"<title>Search — {site}</title>", text, count=1), encoding="utf8")


def setup(app):
    app.connect("html-page-context", style)
    app.connect("build-finished", finish, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
