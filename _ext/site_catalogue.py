"""The directive ``{catalogue}``: every schedule of the library, from the library itself, a group at a time.

What a schedule is comes from its docstring, its picture and its numbers from an example, its names elsewhere from
``chapters/data/frameworks.json``. ``tests/test_catalogue.py`` asks that no schedule is missing.
"""

import inspect
import json
import re

from docutils import nodes
from site_verdicts import Page

from lrlib import preview, schedules
from lrlib.schedules import bound

ADDRESS = re.compile(r"https://\S+?(?=[.;,]?(?:\s|$))")  # in a docstring's source
RUN = 400  # updates; the pictures and the numbers are of such a run
FRAMEWORKS = {
    "keras": "Keras",
    "optax": "optax",
    "torch": "PyTorch",
    "timm": "timm",
    "transformers": "Transformers",
}
# What each group has: the name under which the library has it, and an example.
GROUPS = {
    "decays": {
        "Constant": "Constant(0.1)",
        "PiecewiseConstantDecay": "PiecewiseConstantDecay([199, 299], [0.1, 0.05, 0.01])",
        "StepDecay": "StepDecay(0.1, decay_steps=80, decay_rate=0.5)",
        "ExponentialDecay": "ExponentialDecay(0.1, decay_steps=80, decay_rate=0.5)",
        "NaturalExponentialDecay": "NaturalExponentialDecay(0.1, decay_steps=80, decay_rate=0.7)",
        "InverseTimeDecay": "InverseTimeDecay(0.1, decay_steps=40, decay_rate=1)",
        "InverseSqrtDecay": "InverseSqrtDecay(0.1, decay_steps=10)",
    },
    "ends": {
        "LinearDecay": "LinearDecay(0.1, decay_steps=400)",
        "CosineDecay": "CosineDecay(0.1, decay_steps=400)",
        "PolynomialDecay": "PolynomialDecay(0.1, decay_steps=400, end_learning_rate=0, power=2)",
        "LinearCosineDecay": "LinearCosineDecay(0.1, decay_steps=400, num_periods=3.5)",
        "Ramp": 'Ramp(0.02, 0.1, steps=200, shape="cosine")',
    },
    "cycles": {
        "CosineDecayRestarts": "CosineDecayRestarts(0.1, first_decay_steps=57, m_mul=0.8)",
        "Triangular": 'Triangular(0.02, 0.1, step_size=50, mode="triangular2")',
        "OneCycle": "OneCycle(0.1, total_steps=400)",
        "WarmupStableDecay": "WarmupStableDecay(0.1, total_steps=400, warmup_steps=40, decay_steps=80)",
    },
    "composed": {
        "warmup": "warmup(40) >> CosineDecay(0.1, decay_steps=360)",
        "join": "join([Constant(0.1), LinearDecay(0.05, decay_steps=200)], [200])",
        "Product": "StepDecay(0.1, 100, 0.5) * Triangular(0.5, 1, step_size=20)",
        "Scaled": "0.5 * OneCycle(0.1, total_steps=400)",
        "Stretched": "StepDecay(0.1, decay_steps=3, decay_rate=0.5).in_epochs(steps_per_epoch=34)",
        "Shifted": "CosineDecay(0.1, decay_steps=400).shift(-100)",
        "Clipped": "ExponentialDecay(0.1, decay_steps=80, decay_rate=0.5).clip(lowest=0.02)",
        "Repeated": "LinearDecay(0.1, decay_steps=100).repeat(100)",
        "FunctionOfStep": "as_schedule(lambda step: 0.1 / (1 + step / 40) ** 0.6)",
    },
}


def example(expression):
    """The schedule that an expression of the catalogue makes."""
    return eval(expression, vars(schedules).copy())


def as_markdown(text):
    """A docstring's words in the book's own form."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r":\w+:`(?:[^`<]*<)?~?(?:[\w.]*\.)?(\w+)>?`", r"`\1`", text)
    return re.sub(r"``([^`]*)``", r"`\1`", text)


def read(name):
    """What a public name's docstring says: (first sentence, formula or None, [(parameters, kind, words)], source)."""
    text = inspect.getdoc(getattr(schedules, name))
    formula = re.search(r"^\.\. math::[ \n]*((?:.*\n?(?=\n| |\Z))*)", text, re.MULTILINE)
    sections = dict(zip(*[iter(re.split(r"^(\w+)\n-+$\n?", text, flags=re.MULTILINE)[1:])] * 2, strict=True))
    parameters = re.findall(r"^(\S.*?) : (.*)\n((?:(?: .*)?\n?)*)", sections.get("Parameters", ""), re.MULTILINE)
    return (
        as_markdown(text.split("\n\n")[0]),
        " ".join(formula[1].split()) if formula else None,
        [(names, kind, as_markdown(words)) for names, kind, words in parameters],
        as_markdown(sections.get("References", "")),
    )


def numbers(schedule):
    """The travel and the bound of a run, in words."""
    promised = bound(schedule, RUN)
    return (
        f"In {RUN} updates it travels {schedule.travel(RUN):.3g}, and its bound is {promised:.3g}, "
        f"which is {promised * RUN**0.5:.2f} / √{RUN}."
    )


def elsewhere(frameworks):
    """Every name that another framework has for a schedule, in order: (name there, framework, name here)."""
    rows = [
        (there["name"], FRAMEWORKS[framework], name)
        for name, entry in frameworks.items()
        for framework, there in entry.items()
    ]
    return sorted(rows, key=lambda row: (row[0].split(".")[-1].lower(), row[1]))


class Catalogue(Page):
    required_arguments = 2  # the file of names, relative to the page, and the group

    def run(self):
        frameworks, group = self.read(self.arguments[0], json.loads), self.arguments[1]
        if frameworks is None or group not in (*GROUPS, "elsewhere"):
            self.warn(f"there is no {self.arguments[0]}, or no group {group!r} of the catalogue")
            return []
        if group == "elsewhere":
            return [self.names(elsewhere(frameworks))]
        return [self.entry(name, text, frameworks.get(name, {})) for name, text in GROUPS[group].items()]

    def entry(self, name, expression, there):
        says, formula, parameters, source = read(name)
        schedule, label = example(expression), name.lower()
        section = nodes.section(ids=[label], names=[label], classes=["schedule"])
        section += [nodes.title("", name), self.words(says)]
        section += nodes.raw("", preview.svg(schedule, RUN), format="html")
        section += nodes.literal_block(expression, expression, language="python")
        if formula:
            section += nodes.math_block(formula, formula, nowrap=False, number=None, label=None)
        if parameters:
            section += self.parameters(parameters)
        section += self.words(numbers(schedule))
        if there:
            section += self.framework(there)
        if source:
            section += self.words("Source: " + ADDRESS.sub(r"<\g<0>>", source))
        self.state.document.note_explicit_target(section, section)
        return section

    def parameters(self, parameters):
        listed = nodes.definition_list()
        for names, kind, words in parameters:
            term = nodes.term("", "", *self.words(f"`{names}`, {kind}").children)
            listed += nodes.definition_list_item("", term, nodes.definition("", self.words(words)))
        return listed

    def framework(self, there):
        listed = nodes.bullet_list()
        for framework, title in FRAMEWORKS.items():
            if framework in there:
                entry = there[framework]
                text = f"{title}: `{entry['name']}`. {entry['differs']}".strip()
                listed += nodes.list_item("", self.words(text))
        return listed

    def names(self, rows):
        listed = nodes.bullet_list()
        for there, framework, here in rows:
            listed += nodes.list_item("", self.words(f"`{there}` in {framework}: [{here}](#{here.lower()})"))
        return listed


def setup(app):
    app.add_directive("catalogue", Catalogue)
    return {"parallel_read_safe": False}
