"""The directive ``{verdicts}``: the statements on trial, each with the verdict of its chapter.

The statements are data (`folklore-on-trial.yml`); the verdicts are what `lrlib.claims.verdict` left in
the outputs of the notebooks that this very build has executed or taken from its cache.
"""

from contextlib import suppress
from pathlib import Path

import yaml
from docutils import nodes
from jupyter_cache import get_cache
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from lrlib.book import KINDS

logger = logging.getLogger(__name__)


def records(env):
    """Every record of the executed chapters: (page, record)."""
    executed = get_cache(env.mystnb_config.execution_cache_path)
    for page in sorted(env.found_docs):
        if env.doc2path(page).endswith(".ipynb"):
            with suppress(KeyError):  # a notebook that failed is not there, and Sphinx has said so
                match = executed.match_cache_file(env.doc2path(page))
                for cell in executed.get_cache_bundle(match.pk).nb.cells:
                    for output in cell.get("outputs", []):
                        if "lrlib_verdict" in output.get("metadata", {}):
                            yield page, output.metadata.lrlib_verdict


def judge(statements, found):
    """Match records to statements: ({id: record}, [what is wrong])."""
    chapters = {s["id"]: s.get("chapter") for s in statements}
    verdicts, wrong = {}, []
    for page, record in found:
        name, kind = record["statement"], record["kind"]
        if name not in chapters:
            wrong.append(f"{page} judges {name}, which is no statement")
        elif name in verdicts:
            wrong.append(f"{page} judges {name} a second time")
        elif kind not in KINDS:
            wrong.append(f"{page} calls {name} {kind!r}; a verdict is one of {', '.join(KINDS)}")
        elif chapters[name] is None:
            wrong.append(f"{page} judges {name}, which the statements list as not yet tried")
        elif not Path(page).name.startswith(f"{chapters[name]:02d}-"):
            wrong.append(f"{page} judges {name}, which belongs to chapter {chapters[name]}")
        else:
            verdicts[name] = record
    wrong += [
        f"{name} is said to be tried in chapter {chapter}, which left no verdict on it"
        for name, chapter in chapters.items()
        if chapter is not None and name not in {record["statement"] for _, record in found}
    ]
    return verdicts, wrong


class Verdicts(SphinxDirective):
    required_arguments = 1  # the file of statements, relative to the page

    def run(self):
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        statements = yaml.safe_load(Path(path).read_text(encoding="utf8"))
        verdicts, wrong = judge(statements, list(records(self.env)))
        for message in wrong:
            logger.warning("verdicts: %s", message, location=self.get_location(), type="verdicts")
        return [self.table(statements, verdicts)]

    def table(self, statements, verdicts):
        head = [[nodes.Text(title)] for title in ("No.", "The statement", "The verdict")]
        rows = []
        for statement in statements:
            chinese = statement.get("chinese")
            says = self.parse(statement["says"] + (f" ({chinese})" if chinese else ""))
            rows.append([[nodes.Text(statement["id"])], says, self.verdict(statement["id"], verdicts)])
        table = nodes.table(classes=["verdicts"])
        group = nodes.tgroup(cols=3)
        table += group
        group += [nodes.colspec(colwidth=width) for width in (6, 44, 50)]
        group += nodes.thead("", self.row(head))
        group += nodes.tbody("", *map(self.row, rows))
        return table

    def verdict(self, name, verdicts):
        if name not in verdicts:
            return [nodes.inline("", "not yet tried", classes=["untried"])]
        kind, sentence = verdicts[name]["kind"], verdicts[name]["sentence"]
        classes = ["kind", kind.replace(" ", "-")]
        link = self.parse(f"{{ref}}`See it tried. <{name.lower()}>`")
        text = self.parse(sentence)
        return [
            nodes.inline("", kind, classes=classes),
            nodes.Text(" "),
            *text,
            nodes.Text(" "),
            *link,
        ]

    def parse(self, text):
        return self.state.inline_text(text, self.lineno)[0]

    @staticmethod
    def row(cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


def last(app, env, docnames):
    """Read the pages with verdicts in every build, after all notebooks."""
    pages = [page for page in docnames if page in verdict_pages(env)]
    docnames[:] = [page for page in docnames if page not in pages] + pages


def verdict_pages(env):
    """The pages that use the directive."""
    pages = (page for page in env.found_docs if env.doc2path(page).endswith(".md"))
    return {page for page in pages if "{verdicts}" in Path(env.doc2path(page)).read_text(encoding="utf8")}


def setup(app):
    app.add_directive("verdicts", Verdicts)
    app.connect("env-get-outdated", lambda app, env, *changes: verdict_pages(env))
    app.connect("env-before-read-docs", last)
    return {"parallel_read_safe": False}
