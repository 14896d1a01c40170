"""Chapters are written in Markdown that every viewer knows; here it gets the forms that only Sphinx knows.

A notebook is read on this site, on GitHub and in JupyterLab, so its text holds no directive, role or target. What
stands for them is listed in CONTRIBUTING under "The plain forms"; ``rich`` turns each into its counterpart when Sphinx
reads the notebook. The file, and what a reader downloads, stay as they are.
"""

import json
import re
from pathlib import Path

from docutils import nodes

PREDICT = re.compile(r"^> \*\*Predict\.\*\* .*(?:\n>.*)*", re.MULTILINE)
CARD = re.compile(r"\A\*\*(After this chapter you can)\*\*\n(.*?\n\n\*[^*].*?\*)$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"<!--([\w-]+)-->.*?<!--/-->", re.DOTALL)
TERM = re.compile(r"\[([^\]]+)\]\(\.\./glossary\.md#(term-[\w-]+)\)")
API = re.compile(r"\[`([^`]+)`\]\(\.\./api\.md#([\w.]+)\)")
TARGET = re.compile(r'^<a id="([\w-]+)"></a>$', re.MULTILINE)


def slug(term):
    """The anchor that Sphinx gives a term of the glossary."""
    return "term-" + re.sub(r"[^A-Za-z0-9]+", "-", term).strip("-")


def terms(glossary):
    """{anchor: term} of a page with a glossary."""
    (block,) = re.findall(r"^```\{glossary\}\n(.*?)^```", glossary, re.MULTILINE | re.DOTALL)
    return {slug(term): term for term in re.findall(r"^(\S.*)$", block, re.MULTILINE)}


def predict(found):
    text = re.sub(r"^> ?", "", found[0], flags=re.MULTILINE).removeprefix("**Predict.** ")
    return f":::{{admonition}} Predict\n:class: predict\n{text}\n:::"


def rich(text, known):
    """The text of a cell with Sphinx's forms; ``known`` are the terms of the glossary by their anchors."""
    text = PREDICT.sub(predict, text)
    text = CARD.sub(r":::{card} \1\n\2\n:::", text)
    text = NUMBER.sub(r"{glue:text}`\1`", text)
    text = TERM.sub(lambda found: f"{{term}}`{found[1]} <{known.get(found[2], found[2])}>`", text)
    text = API.sub(r"{py:obj}`\1 <\2>`", text)
    text = TARGET.sub(r"(\1)=", text)
    return text.replace("<details>", '<details class="answer">')


def read(app, docname, source):
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".ipynb":
        return
    notebook, glossary, known = json.loads(source[0]), Path(app.srcdir) / "glossary.md", {}
    if glossary.is_file():
        known = terms(glossary.read_text(encoding="utf8"))
        app.env.note_dependency("glossary.md")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = rich("".join(cell["source"]), known)
    source[0] = json.dumps(notebook)


def numbered(app, doctree, page):
    """A link that says the title of a chapter says its number too, by which the text cites it."""
    env = app.env
    titles = {env.titles[name].astext(): numbers[""] for name, numbers in env.toc_secnumbers.items() if numbers.get("")}
    for link in doctree.findall(nodes.reference):
        number = titles.get(link.astext())
        words = next(link.findall(nodes.Text), None)
        if number and link.get("internal") and "#" not in link.get("refuri", "#"):
            words.parent.replace(words, nodes.Text(f"{'.'.join(map(str, number))}. {words}"))


def setup(app):
    app.connect("doctree-resolved", numbered)
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
