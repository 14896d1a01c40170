"""What a page says about itself to search engines, to whoever shares it, and to a voice that reads it.

The public address follows the repository's in _config.yml, as the pages of GitHub have it.
"""

import io
import re
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from matplotlib.figure import Figure
from PIL import Image
from site_repairs import rewrite

from lrlib.plot import COLOUR

CARD = "_static/card.png"  # the picture that a shared link shows
LOST = "404"
LOST_BODY = """<section id="lost"><h1>There is no such page</h1>
<p>The address may have a mistake, or the page has moved: chapters do when the course grows. The contents are beside
this text, <a href="search.html">the search</a> looks through every page, and
<a href="index.html">the first page</a> says where to begin.</p></section>"""
LEAD = "landing-lead"  # what the first page begins with is no paragraph of a section
LENGTH = 160  # characters of a description that search engines show
CHINESE = "zh-CN"
LETTERS = "\u3001-\u303f\u3400-\u9fff\uff01-\uffef"
HAN = re.compile(f"[{LETTERS}]*[\u3400-\u9fff][{LETTERS}]*")
WHOLE = "script|style|pre|code|textarea|title|math"  # elements whose text is left as it is
PIECE = re.compile(
    rf"(<!--.*?-->|<({WHOLE})\b.*?</\2>|<(?:span|article)[^>]*\blang=.*?</(?:span|article)>"
    r"""|<(?:"[^"]*"|'[^']*'|[^'">])*>)""",
    re.DOTALL,
)


def public_address(app, config):
    owner, name = config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    config.html_baseurl = f"https://{owner}.github.io/{name}/"


def description(doctree, otherwise):
    """The first paragraph of the text that has no formula, in whole sentences if they are short enough."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        text = " ".join(paragraph.astext().split())
        above = paragraph.parent
        leads = isinstance(above, nodes.section) or LEAD in above.get("classes", ())
        plain = leads and not list(paragraph.findall(nodes.math))
        if plain and len(text) > 40:
            break
    else:
        return otherwise
    if len(text) <= LENGTH:
        return text
    sentences = list(re.finditer(r"[.?!](?= )|[。？！]", text[:LENGTH]))  # noqa: RUF001
    if sentences and sentences[-1].end() > LENGTH / 3:
        return text[: sentences[-1].end()]
    return text[: LENGTH - 1].rpartition(" ")[0] + "…"


def describe(app, page, template, context, doctree):
    site = app.config.html_title or app.config.project
    first = page == app.config.root_doc
    title = re.sub(r"<[^>]+>", "", context.get("title", "")) or site
    if first:
        context["docstitle"] = ""  # a title that says it once
        context["pageurl"] = app.config.html_baseurl
    if page == LOST or template in ("search.html", "genindex.html", "domainindex.html"):
        context["metatags"] = context.get("metatags", "") + '<meta name="robots" content="noindex">\n'
    base = app.config.html_baseurl
    text = description(doctree, f"{title}: a page of the course “{site}”.")
    said = {
        "og:title": title,
        "og:description": text,
        "og:type": "website" if first else "article",
        "og:url": base + ("" if first else f"{page}.html"),
        "og:site_name": site,
        "og:image": base + CARD,
        "og:image:alt": "A parabola, and the steps of three learning rates on it: too small, right, too large.",
        "og:locale": "zh_CN" if chinese(page) else "en_GB",
    }
    tags = [
        f'<meta name="description" content="{escape(text)}">',
        '<meta name="twitter:card" content="summary_large_image">',
    ]
    tags += [f'<meta property="{name}" content="{escape(value)}">' for name, value in said.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(tags) + "\n"


def chinese(page):
    return page == "zh" or page.startswith("zh/")


def lost(app):
    """The page that GitHub shows for an address at which nothing is."""
    yield LOST, {"title": "There is no such page", "body": LOST_BODY}, "page.html"


def languages(text, page):
    """Mark runs of Chinese in an English page; in a Chinese one mark the article."""
    if chinese(page):
        text = re.sub(r'(<html[^>]*?) lang="en"', rf'\1 lang="{CHINESE}"', text, count=1)
        text = re.sub(r"<body(?![^>]* lang=)", '<body lang="en"', text, count=1)
        text = re.sub(r"<article(?![^>]* lang=)", f'<article lang="{CHINESE}"', text, count=1)
    if not HAN.search(text):
        return text
    head, body, rest = text.partition("<body")
    pieces, done, end = [], [], 0
    for match in PIECE.finditer(rest):
        pieces.append((rest[end : match.start()], match[0]))
        end = match.end()
    for words, tag in pieces:
        done.append(HAN.sub(rf'<span lang="{CHINESE}">\g<0></span>', words) + tag)
    return head + body + "".join(done) + rest[end:]


def from_anywhere(text, base):
    """Addresses that lead to the same place from whatever depth the lost page is shown at."""
    text = re.sub(r'\b(href|src|action)="(?![a-z]+:|[/#])', rf'\1="{base}', text)
    return text.replace('data-content_root="./"', f'data-content_root="{base}"')


def card():
    """A parabola with three learning rates, 1200 by 630 dots as those who show it expect."""
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    figure.text(0.06, 0.83, "The learning rate", fontsize=46, fontweight="bold", color="#222222")
    figure.text(0.06, 0.74, "One number multiplies every gradient.", fontsize=25, color="#444444")
    axes = figure.add_axes([0.04, 0.04, 0.92, 0.62])
    for i, (kind, rate) in enumerate([("too small", 0.08), ("right", 0.6), ("too large", 1.9)]):
        ground = [(w / 50 - 1) * 2.2 for w in range(101)]
        axes.plot([w + 5 * i for w in ground], [w * w for w in ground], color="#9A9A9A", linewidth=2)
        steps = [-2.0 * (1 - rate) ** step for step in range(9)]
        look = {"color": COLOUR[kind], "linewidth": 3, "marker": "o", "markersize": 9}
        axes.plot([w + 5 * i for w in steps], [w * w for w in steps], **look)
        axes.text(5 * i, 3.6, f"{kind}", ha="center", fontsize=22, color=COLOUR[kind], fontweight="bold")
    axes.set_axis_off()
    return figure


def finish(app, exception):
    if exception or app.builder.name != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    rewrite(out, lambda text, name: text if name.startswith("_static/") else languages(text, name))
    pages = sorted(app.env.found_docs)
    places = [base if page == app.config.root_doc else f"{base}{page}.html" for page in pages]
    rows = "\n".join(f"  <url><loc>{place}</loc></url>" for place in places)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    sitemap = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n{rows}\n</urlset>\n'
    (out / "sitemap.xml").write_text(sitemap, encoding="utf8")
    (out / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n", encoding="utf8")
    if not (out / CARD).is_file():
        drawn = io.BytesIO()
        card().savefig(drawn, metadata={"Software": None})
        Image.open(drawn).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(out / CARD, optimize=True)


def settle(app, exception):
    """The last step: other steps know the addresses of a page only as seen from it."""
    file = Path(app.outdir) / f"{LOST}.html"
    if not exception and app.builder.name == "html":
        text = file.read_text(encoding="utf8")
        file.write_text(from_anywhere(text, urlsplit(app.config.html_baseurl).path), encoding="utf8")


def setup(app):
    app.connect("config-inited", public_address, priority=900)
    app.connect("html-page-context", describe)
    app.connect("html-collect-pages", lost)
    app.connect("build-finished", finish, priority=800)
    app.connect("build-finished", settle, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
