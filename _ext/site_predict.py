"""The boxes *Predict* get their forms, and the check-yourself questions their buttons, by two small scripts.

What came out is what `lrlib.book.outcome` left in the outputs of the executed notebook. It is put into the box as data,
in the order of the boxes; a box without its record fails the build. The scripts and their style, in the folder
``reader`` (which `site_repairs` copies), are loaded on chapters only; without them box and answer are plain text.
"""

import json
from collections import defaultdict

from docutils import nodes
from site_verdicts import records
from sphinx.util import logging

logger = logging.getLogger(__name__)


def outcomes(env):
    """The outcomes of every chapter, in their order."""
    found = defaultdict(list)
    for page, record in records(env, "lrlib_outcome"):
        found[page].append(json.loads(record))
    return found


def as_data(record):
    """What a page may hold between the tags of a script."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def fill(app, doctree, name):
    boxes = [box for box in doctree.findall(nodes.Admonition) if "predict" in box.get("classes", [])]
    if app.builder.format != "html" or not boxes:
        return
    if not hasattr(app.builder, "outcomes"):
        app.builder.outcomes = outcomes(app.env)
    found = app.builder.outcomes[name]
    if len(found) != len(boxes):
        words = f"{len(boxes)} boxes ask for a prediction, and the notebook has {len(found)} outcomes"
        logger.warning(words, location=name, type="predict")
    for box, record in zip(boxes, found, strict=False):
        data = f'<script type="application/json" class="outcome">{as_data(record)}</script>'
        box += nodes.raw("", data, format="html")


def load(app, name, template, context, doctree):
    if doctree is not None and name.startswith("chapters/"):
        app.add_css_file("reader.css")
        for script in ("predict.js", "quiz.js"):
            app.add_js_file(script, loading_method="defer")


def setup(app):
    app.connect("doctree-resolved", fill)
    app.connect("html-page-context", load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
