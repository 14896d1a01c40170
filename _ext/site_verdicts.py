"""The directives ``{verdicts}`` and ``{trials}``: the statements on trial and what became of them.

Three sources meet on the page of verdicts. The statements are data: the article's, S1 to S25, in
`folklore-on-trial.yml`, the field's, F1 and on, in `beyond-the-article.yml`. The verdicts and the number of claims are
what `lrlib.book` left in the outputs of the notebooks that this very build has executed or taken from its cache. In
how many variations a verdict held is in the file that `make trials` writes (`trials/outcomes.json`). What is missing
among them, or disagrees, is a warning, and so fails the build.
"""

import json
import re
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from jupyter_cache import get_cache
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from lrlib.book import KINDS

logger = logging.getLogger(__name__)

ABOUT_TRAINING = [f"S{number}" for number in (*range(5, 11), *range(12, 18))]  # these need a trial
VARIATIONS = 8  # at least so many
SHARE = 0.9  # a verdict without a condition holds in this share of them, or says on what it depends
CHAPTER = "as in the chapter"  # the trial's first row, which is no variation
MADE_LAST = re.compile(r"\{(verdicts|notebook-status)\}")
TOGETHER = {  # in the order of the page's second order: (one, several)
    "holds": ("holds", "hold"),
    "holds if": ("holds if a condition is met", "hold if a condition is met"),
    "does not hold": ("does not hold", "do not hold"),
    "definition": ("is a definition", "are definitions"),
    "fact": ("is a fact", "are facts"),
    "not yet tried": ("is not yet tried", "are not yet tried"),
}


@cache
def left_by(notebook, when, cache_path):
    """What the outputs of an executed chapter say beside what they show; one that is not in the cache is an error."""
    executed = get_cache(cache_path)
    cells = executed.get_cache_bundle(executed.match_cache_file(notebook).pk).nb.cells
    return [output["metadata"] for cell in cells for output in cell.get("outputs", []) if output.get("metadata")]


def records(env, key):
    """Every record of this key in the executed chapters: (page, record)."""
    for page in sorted(env.found_docs):
        notebook = env.doc2path(page)
        if notebook.endswith(".ipynb"):
            with suppress(KeyError):  # a notebook that failed is not there, and Sphinx has said so
                found = left_by(notebook, Path(notebook).stat().st_mtime_ns, env.mystnb_config.execution_cache_path)
                yield from ((page, metadata[key]) for metadata in found if key in metadata)


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


def held(outcome):
    """In how many of how many variations a verdict held, and where it did not."""
    variations = [variation for variation in outcome["variations"] if variation["name"] != CHAPTER]
    exceptions = [variation["name"] for variation in variations if not variation["held"]]
    return len(variations) - len(exceptions), len(variations), exceptions


def tried(verdicts, outcomes):
    """What is wrong with the trials of these verdicts."""
    wrong = []
    for name, record in verdicts.items():
        if name not in outcomes:
            if name in ABOUT_TRAINING or (name[0] == "F" and record["kind"] not in ("definition", "fact")):
                wrong.append(f"{name} is a verdict about training and has no trial")
            continue
        times, variations, _ = held(outcomes[name])
        if variations < VARIATIONS:
            wrong.append(f"{name} was tried in {variations} variations; a verdict about training needs {VARIATIONS}")
        if any(v["name"] == CHAPTER and not v["held"] for v in outcomes[name]["variations"]):
            wrong.append(f"{name} did not hold {CHAPTER}: the trial asks for something else than the verdict says")
        if record["kind"] in ("holds", "does not hold") and times < SHARE * variations:
            wrong.append(
                f"{name} held in {times} of {variations} variations, so its verdict must say on what it depends, "
                f"and not be {record['kind']!r}"
            )
    wrong += [f"{name} has a trial and no verdict" for name in outcomes if name not in verdicts]
    return wrong


def in_words(statements, verdicts):
    """The tally: ["4 hold", "12 hold if a condition is met", …]."""
    count = Counter(verdicts[s["id"]]["kind"] if s["id"] in verdicts else "not yet tried" for s in statements)
    return [(kind, f"{count[kind]} {words[count[kind] > 1]}") for kind, words in TOGETHER.items() if count[kind]]


def slug(kind):
    return kind.replace(" ", "-")


class Page(SphinxDirective):
    """What both directives need: data files beside the page, inline text, small nodes."""

    def read(self, name, load):
        relative, path = self.env.relfn2path(name)
        self.env.note_dependency(relative)
        return load(Path(path).read_text(encoding="utf8")) if Path(path).is_file() else None

    def outcomes(self, name):
        return (self.read(name, json.loads) or {"outcomes": {}})["outcomes"]

    def words(self, text, **how):
        return nodes.paragraph("", "", *self.state.inline_text(text, self.lineno)[0], **how)

    def warn(self, message):
        logger.warning("verdicts: %s", message, location=self.get_location(), type="verdicts")


class Verdicts(Page):
    required_arguments = 2  # the file of statements and that of the trials' outcomes, relative to the page
    option_spec = {"tally": directives.flag, "cards": directives.flag}  # the tally alone; the cards in one order

    def run(self):
        statements, outcomes = self.read(self.arguments[0], yaml.safe_load), self.outcomes(self.arguments[1])
        kind = statements[0]["id"][0]  # S or F
        outcomes = {name: outcome for name, outcome in outcomes.items() if name[0] == kind}
        found = [each for each in records(self.env, "lrlib_verdict") if each[1]["statement"][0] == kind]
        verdicts, wrong = judge(statements, found)
        if "tally" in self.options:
            return [self.tally(statements, verdicts), self.ledger()]
        for message in wrong + tried(verdicts, outcomes):
            self.warn(message)
        orders = [] if "cards" in self.options else self.orders()
        return [*orders, self.cards(statements, verdicts, outcomes)]

    def tally(self, statements, verdicts):
        tally = nodes.paragraph(classes=["tally"])
        tally += nodes.Text(f"Of {len(statements)} statements ")
        for i, (kind, words) in enumerate(found := in_words(statements, verdicts)):
            tally += nodes.Text("" if i == 0 else " and " if i == len(found) - 1 else ", ")
            tally += nodes.inline("", words, classes=["kind", slug(kind)])
        return tally

    def ledger(self):
        chapters = [record for _, record in records(self.env, "lrlib_ledger")]
        claims, luck = sum(record["claims"] for record in chapters), sum(r["expected_by_luck"] for r in chapters)
        return self.words(
            f"The verdicts rest on {claims} claims that are tested over random seeds. If there were nothing to be "
            f"found in any of them, luck alone would be expected to pass {luck:.2g}.",
            classes=["ledger"],
        )

    @staticmethod
    def orders():
        """Two radio buttons and their labels; the style sheet does the sorting, without a script."""
        html = '<input type="radio" name="order" id="{0}"{2}><label for="{0}">{1}</label>'
        choices = [("by-number", "by number", " checked"), ("by-outcome", "by outcome", "")]
        return [nodes.raw("", "\n".join(html.format(*choice) for choice in choices), format="html")]

    def cards(self, statements, verdicts, outcomes):
        cards = nodes.container(classes=["verdicts"])
        for kind, words in in_words(statements, verdicts):
            cards += nodes.paragraph("", words.capitalize(), classes=["outcome", slug(kind)])
        for statement in statements:
            cards += self.card(statement, verdicts.get(statement["id"]), outcomes.get(statement["id"]))
        return cards

    def card(self, statement, verdict, outcome):
        name = statement["id"]
        kind = verdict["kind"] if verdict else "not yet tried"
        card = nodes.container(classes=["verdict", slug(kind)], ids=[f"verdict-{name.lower()}"])
        head = nodes.paragraph(classes=["head"])
        head += [nodes.strong("", name), nodes.Text(" "), nodes.inline("", kind, classes=["kind", slug(kind)])]
        chinese = f" ({statement['chinese']})" if "chinese" in statement else ""
        source = f" ({statement['source']})" if "source" in statement else ""
        card += [head, nodes.block_quote("", self.words(statement["says"] + chinese + source))]
        if verdict:
            figure = f" **{verdict['figure']}**" if verdict.get("figure") else ""
            card += self.words(verdict["sentence"] + figure)
            card += self.words(self.trial(name, outcome), classes=["trial"])
        return card

    @staticmethod
    def trial(name, outcome):
        chapter = f"{{ref}}`See it tried. <{name.lower()}>`"
        if not outcome:
            return chapter
        times, variations, exceptions = held(outcome)
        where = f"; not with: {', '.join(exceptions)}" if exceptions else ""
        return f"{{ref}}`Held in {times} of {variations} variations <trial-{name.lower()}>`{where}. {chapter}"


class Trials(Page):
    """All trials, a section and a table for each statement."""

    required_arguments = 1

    def run(self):
        data = self.read(self.arguments[0], json.loads)
        if data is None:
            self.warn(f"there is no {self.arguments[0]}: run `make trials`")
            return []
        numbers = sorted(data["outcomes"], key=lambda name: (name[0] == "F", int(name[1:])))
        versions = ", ".join(f"{name} {version}" for name, version in data["versions"].items())
        return [self.words(f"Measured with {versions}."), *(self.section(n, data["outcomes"][n]) for n in numbers)]

    def section(self, name, outcome):
        times, variations, _ = held(outcome)
        title, label = f"{name}: held in {times} of {variations}", f"trial-{name.lower()}"
        section = nodes.section(ids=[label], names=[label])
        section += [nodes.title("", title), self.words(f"{outcome['claim']} {{ref}}`The chapter. <{name.lower()}>`")]
        section += self.table(outcome["variations"])
        self.state.document.note_explicit_target(section, section)
        return section

    def table(self, variations):
        table, group = nodes.table(classes=["trials"]), nodes.tgroup(cols=3)
        table += group
        group += [nodes.colspec(colwidth=width) for width in (40, 15, 45)]
        group += nodes.thead("", self.row("Variation", "Held", "Measured"))
        rows = [(v["name"], "yes" if v["held"] else "**no**", str(v.get("figure", ""))) for v in variations]
        group += nodes.tbody("", *(self.row(*row) for row in rows))
        return table

    def row(self, *cells):
        return nodes.row("", *(nodes.entry("", self.words(cell)) for cell in cells))


def last(app, env, docnames):
    """Read the pages with verdicts in every build, after all notebooks."""
    pages = [page for page in docnames if page in verdict_pages(env)]
    docnames[:] = [page for page in docnames if page not in pages] + pages


def verdict_pages(env):
    """The pages that are made from executed notebooks."""
    pages = (page for page in env.found_docs if env.doc2path(page).endswith(".md"))
    return {page for page in pages if MADE_LAST.search(Path(env.doc2path(page)).read_text(encoding="utf8"))}


def setup(app):
    app.add_directive("verdicts", Verdicts)
    app.add_directive("trials", Trials)
    app.connect("env-get-outdated", lambda app, env, *changes: verdict_pages(env))
    app.connect("env-before-read-docs", last)
    return {"parallel_read_safe": False}
