"""Formulas become HTML while the book is built, by KaTeX in an embedded V8.

A page then needs no script and no network to show them, and a formula that KaTeX cannot read is a
warning, so it fails the build. This engine and the style sheet and fonts in _static/katex are one
release, and are replaced together.
"""

import atexit
import re
from functools import cache
from html import escape
from pathlib import Path

from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

KATEX = Path(__file__).parent / "katex.min.js"  # 0.19.1
logger = logging.getLogger(__name__)

APPLIED = re.compile("<mo>\N{FUNCTION APPLICATION}</mo>(?=</m(?:sub|sup|subsup)>)")
BASE, HELD = '<span class="katex-base">', "held"
FRAMED = "kind"  # a class of words in a frame, which are as much a block in the line as a formula is
BEFORE, AFTER = re.compile(r"[(\[“‘]+$"), re.compile(r"^[)\]”’.,;:!?…%]+(?:[-–]\w+)?|^[-–’]\w+")


@cache
def engine():
    v8 = MiniRacer()
    atexit.register(v8.close)  # left to itself it would wait, from Python 3.13 on, for a thread that has ended
    v8.eval(KATEX.read_text(encoding="utf8"))
    return v8


@cache
def render(tex, display):
    """What KaTeX gives, less two slips in its MathML, at which Firefox drops the formula or complains.

    The name of a function as an index, ``\\lambda_{\\max}``, brings along the sign that applies it, and then the index
    is two; and ``aligned`` has an empty attribute.
    """
    options = {"displayMode": display, "throwOnError": True, "strict": "error"}
    html = str(engine().call("katex.renderToString", tex, options))
    return APPLIED.sub("", html).replace(' columnspacing=""', "")


def formula(node, tex, display):
    try:
        return render(tex, display)
    except JSEvalException as error:
        reason = str(error).strip().splitlines()[0]
        logger.warning("KaTeX cannot read %r: %s", tex, reason, location=node, type="katex")
        return escape(tex)


def visit_math(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    html = formula(node, node.astext(), display=False)
    if HELD in node.parent.get("classes", ()):  # within it the line may break after a sign, as KaTeX lets it
        html = html.replace(BASE, f"<wbr>{BASE}").replace(f"<wbr>{BASE}", BASE, 1)
    self.body.append(html + "</span>")
    raise nodes.SkipNode


def visit_displaymath(self, node):
    attributes = {"class": "math notranslate nohighlight", "tabindex": "0"}  # scrolls by keyboard
    self.body.append(self.starttag(node, "div", **attributes))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    tex = node.astext()
    if not node["nowrap"] and r"\\" in tex:
        tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    self.body.append(formula(node, tex, display=True) + "</div>\n")
    raise nodes.SkipNode


def hold(app, doctree, page):
    """A comma or a bracket stays on the line of the formula that it belongs to; a browser would break between them."""
    blocks = [node for node in doctree.findall(nodes.inline) if FRAMED in node["classes"]]
    for node in [*doctree.findall(nodes.math), *blocks]:
        above, place = node.parent, node.parent.index(node)
        parts = [node]
        for neighbour, edge in ((place + 1, AFTER), (place - 1, BEFORE)):
            text = above[neighbour] if 0 <= neighbour < len(above) else None
            found = edge.search(text) if isinstance(text, nodes.Text) else None
            if found:
                above[neighbour] = nodes.Text(text[: found.start()] + text[found.end() :])
                parts.insert(len(parts) if edge is AFTER else 0, nodes.Text(found[0]))
        if len(parts) > 1:
            above[place] = held = nodes.inline(classes=[HELD])
            held += parts


def setup(app):
    app.connect("doctree-resolved", hold)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": False}
