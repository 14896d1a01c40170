"""The directive ``{landing}``: what the first page shows of the book, taken from the book itself at every build.

Titles, questions, minutes and pictures are those of the chapters, the verdicts are the records that they left, the
citation is CITATION.cff, and the two rates are read off the article's own printout. So nothing there can go stale.
The numbers of the chapters come from the table of contents (``numbered``), as they do everywhere on the site.
"""

import re
import shutil
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from site_verdicts import in_words, judge, records, slug
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]
STYLE = Path(__file__).with_name("landing.css")
ENTRY = """@software{{lrlib,
  author  = {{{{{author}}}}},
  title   = {{{title}}},
  year    = {{{year}}},
  version = {{{version}}},
  url     = {{{url}}}
}}"""


class piece(nodes.General, nodes.Element):  # noqa: N801, as docutils names its nodes
    """The place of something that needs the whole book; filled when the page is written."""


class Landing(SphinxDirective):
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        if name == "cite":
            return citation(yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8")))
        if name == "line-zero":
            return [raw(line_zero((ROOT / "tests/data/article-printout.txt").read_text(encoding="utf8")))]
        if name not in PIECES:
            raise self.error(f"{name} is no piece of the first page: {', '.join(['cite', 'line-zero', *PIECES])}")
        return [piece(name=name)]


def raw(html):
    return nodes.raw("", html, format="html")


def citation(about):
    author, year = about["authors"][0]["name"], str(about["date-released"])[:4]
    words = nodes.paragraph(classes=["landing-plain"])
    words += nodes.Text(f"{author} ({year}). ")
    words += nodes.emphasis("", about["title"])
    words += nodes.Text(f" (version {about['version']}). {about['url']}")
    entry = ENTRY.format(author=author, year=year, title=about["title"], version=about["version"], url=about["url"])
    return [words, nodes.literal_block(entry, entry, language="bibtex")]


def line_zero(printout):
    """The rate that the article's first line prints, and the one that led from w = 5 to the weight beside it."""
    line = printout.splitlines()[0]
    said = dict(part.split(":") for part in line.split(","))
    start, weight = 5.0, float(said["w"])
    applied = (start - weight) / (2 * (start + 1))  # the gradient of (w + 1)² at the start is 12
    return (
        f'<p class="landing-printout"><code>{escape(line)}</code></p>\n<dl class="landing-rates">'
        f"<div><dt>printed</dt><dd>{said['learining_rate']}</dd><dd>on line 0</dd></div>"
        f"<div><dt>applied</dt><dd>{applied:.4g}</dd><dd>by the step from w = {start:g} to w = {weight:g}, "
        f"against a gradient of {2 * (start + 1):g}</dd></div></dl>"
    )


def spoken(words):
    """A statement as plain text, as a label has it: without the signs of code and formulas."""
    return words.replace("`", "").replace("$", "").replace("^2", "²")


# What a chapter says of itself


def chapters(env):
    """The numbered pages in their order: [(number, page)]."""
    found = [(numbers[""][0], page) for page, numbers in env.toc_secnumbers.items() if numbers.get("")]
    return sorted(found)


def question(doctree):
    """The first thing in bold that asks."""
    return next((strong.astext() for strong in doctree.findall(nodes.strong) if "?" in strong.astext()), "")


def minutes(doctree):
    found = re.search(r"(\d+)\s+minutes\s+to\s+read", doctree.astext())
    return int(found[1]) if found else 0


def figure(doctree):
    """All forms of the picture that a chapter opens with; where that is a live one, of its last, the summary."""
    pictures = [image for image in doctree.findall(nodes.image) if file_of(image)]
    if not pictures:
        return None
    opening = next(node for node in doctree.findall() if node is pictures[0] or is_live(node))
    shown = pictures[-1] if is_live(opening) else opening
    above = shown.parent
    while above is not None and above.get("nb_element") != "mime_bundle":
        above = above.parent
    return shown.parent if above is None else above


def is_live(node):
    return isinstance(node, nodes.raw) and "<lr-figure" in node.astext()


def file_of(image):
    return next(iter(image.get("candidates", {}).values()), None) or image.get("uri")


def picture(app, doctree):
    """A chapter's figure, the very file that its page shows: who goes on to the chapter has it already."""
    if (found := figure(doctree)) is None:
        return ""
    forms = {Path(file_of(image)).suffix: image for image in found.findall(nodes.image)}
    image = forms.get(".svg") or next(iter(forms.values()))  # drawn before dotted, as myst-nb chooses
    path = file_of(image)
    app.builder.images[path] = name = app.env.images[path][1]
    return (
        f'<img class="figure" src="{app.builder.imagedir}/{name}" alt="{escape(image.get("alt", ""))}" loading="lazy">'
    )


# The pieces


def facts(app, page):
    found = chapters(app.env)
    whole = sum(minutes(app.env.get_doctree(chapter)) for _, chapter in found)
    hours = f"{whole // 60} hours {whole % 60} minutes" if whole >= 60 else f"{whole} minutes"
    lines = [
        f"{len(found)} chapters, {hours} to read",
        "for everybody who knows what a derivative is and reads a little Python",
        "free, with nothing to install",
        "every claim is tested again when anything has changed",
    ]
    return f'<ul class="landing-facts">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def cards(app, page):
    items = []
    for number, chapter in chapters(app.env):
        doctree = app.env.get_doctree(chapter)
        link = app.builder.get_relative_uri(page, chapter)
        items.append(
            f'<li><h3><a href="{link}"><span class="number">{number}</span> {escape(app.env.titles[chapter].astext())}'
            f'</a></h3>\n<p class="question">{escape(question(doctree))}</p>\n'
            f'<p class="minutes">{minutes(doctree)} minutes</p>\n{picture(app, doctree)}</li>'
        )
    return f'<ol class="landing-chapters">{"".join(items)}</ol>'


def verdicts(app, page):
    statements = yaml.safe_load((Path(app.srcdir) / "folklore-on-trial.yml").read_text(encoding="utf8"))
    found, _ = judge(statements, list(records(app.env, "lrlib_verdict")))  # the page of verdicts warns
    target = app.builder.get_relative_uri(page, "folklore-on-trial")
    kinds = {s["id"]: found[s["id"]]["kind"] if s["id"] in found else "not yet tried" for s in statements}
    rows = []
    for kind, words in in_words(statements, found):
        squares = "".join(
            f'<li><a href="{target}#verdict-{s["id"].lower()}"><span class="name">{s["id"]}</span>'
            f'<span class="said"><span class="outcome">: {kind}{" …" * kind.endswith("if")}</span> '
            f"{escape(spoken(s['says']))}</span></a></li>"
            for s in statements
            if kinds[s["id"]] == kind
        )
        rows.append(f'<div class="{slug(kind)}"><h3>{words}</h3><ul>{squares}</ul></div>')
    return f'<div class="landing-verdicts">{"".join(rows)}</div>'


PIECES = {"facts": facts, "chapters": cards, "verdicts": verdicts}


def fill(app, doctree, page):
    for place in list(doctree.findall(piece)):
        place.replace_self(raw(PIECES[place["name"]](app, page)))


def style(app, page, template, context, doctree):
    if "landing-" in context.get("body", ""):
        folder = Path(app.outdir) / "_static"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(STYLE, folder / STYLE.name)  # what is in the book's own _static is loaded by every page
        app.add_css_file(STYLE.name)


def pages_with_pieces(app, env, *changes):
    """Read in every build, since a chapter that changes changes them."""
    pages = (page for page in env.found_docs if env.doc2path(page).endswith(".md"))
    return {page for page in pages if "```{landing}" in Path(env.doc2path(page)).read_text(encoding="utf8")}


def setup(app):
    app.add_node(piece)
    app.add_directive("landing", Landing)
    app.connect("env-get-outdated", pages_with_pieces)
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", style)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
