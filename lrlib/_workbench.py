"""The decays of the workbench, as data: their parameters, and the code that makes each in Keras and in lrlib.

An entry is made from a schedule's class; what lrlib has no class for brings its code along. Its formula stands in
``js/decays.js``. A new schedule is an entry here and a formula there.
"""

from dataclasses import fields

from lrlib import schedules

# A parameter's label, and for a number its slider: lowest, highest and first value, positions, and what moves it:
# equal factors ("log"), equal steps ("linear"), or whole numbers of steps ("whole", here as shares of the run).
PARAMETERS = {
    "initial_learning_rate": ("first rate", 0.01, 1, 0.3, 40, "log"),
    "decay_steps": ("decay steps", 1 / 120, 1, 1 / 4, 119, "whole"),
    "decay_rate": ("decay rate", 0.01, 1, 0.5, 40, "log"),
    "staircase": ("staircase", False),
    "end_learning_rate": ("last rate", 0, 0.1, 0, 50, "linear"),
    "power": ("power", 1 / 4, 4, 2, 40, "log"),
    "first_boundary": ("last step of the first rate", 0, 1 / 2, 1 / 3, 60, "whole"),
    "second_rate": ("second rate", 0.001, 1, 0.1, 60, "log"),
    "second_boundary": ("last step of the second rate", 61 / 120, 1, 2 / 3, 59, "whole"),
    "third_rate": ("third rate", 0.001, 1, 0.03, 60, "log"),
}

RAMP = """{it} = schedules.Ramp(
    start={initial_learning_rate},
    end={end_learning_rate},
    steps={decay_steps},
    shape=%s,
)"""  # the last rate may be the higher one, which a decay refuses

LATE = {
    "keras": [
        """class LateStart(schedules.LearningRateSchedule):
    def __init__(self, decay, start):
        self.decay, self.start = decay, start

    def __call__(self, step):
        late = keras.ops.maximum(step - self.start, 0)
        return self.decay(late)

    def get_config(self):
        return {"decay": self.decay, "start": self.start}""",
        "schedule = LateStart(decay, start={start})",
    ],
    "lrlib": ["schedule = decay.shift({start})"],
}


TABLE = """{it} = %s(
    boundaries=[{first_boundary}, {second_boundary}],
    values=[{initial_learning_rate}, {second_rate}, {third_rate}],
)"""


def decays(steps: int, initial_learning_rate: float) -> list[dict]:
    """Return the entries for a run of so many steps."""
    line = ("initial_learning_rate", "decay_steps", "end_learning_rate")
    of_line = {"keras": _call("schedules.PolynomialDecay", line), "lrlib": RAMP % '"linear"'}
    alpha = "    alpha={end_learning_rate} / {initial_learning_rate},\n"
    of_cosine = {"keras": _call("schedules.CosineDecay", line[:2], alpha), "lrlib": RAMP % '"cosine"'}
    of_power = {"keras": _call("schedules.PolynomialDecay", (*line, "power")), "lrlib": RAMP % "{power}"}
    whole = {"imported": "schedules", "decay_steps": (1 / 120, 1, 1, 119)}
    table = "initial_learning_rate", "first_boundary", "second_rate", "second_boundary", "third_rate"
    of_table = {"keras": TABLE % "schedules.PiecewiseConstantDecay", "lrlib": TABLE % "PiecewiseConstantDecay"}
    of_step = _code(schedules.StepDecay)
    of_step["keras"] = _call("schedules.ExponentialDecay", _fields(schedules.StepDecay), "    staircase=True,\n")
    of_constant = {"keras": "{it} = {initial_learning_rate}", "lrlib": "{it} = Constant({initial_learning_rate})"}
    entries = [
        _entry("constant", "constant", "constant", line[:1], of_constant, "Constant", late=None),
        _entry("piecewise", "a table of rates", "piecewise", table, of_table, "PiecewiseConstantDecay", late=None),
        _entry("step", "step decay", "step", _fields(schedules.StepDecay), of_step, "StepDecay"),
        _of_class("exponential", "exponential decay", schedules.ExponentialDecay),
        _of_class("inverse-time", "inverse-time decay", schedules.InverseTimeDecay, decay_rate=(0.1, 10, 1, 40)),
        _entry("linear", "line to the end", "linear", line, of_line, **whole),
        _entry("cosine", "cosine to the end", "cosine", line, of_cosine, **whole),
        _entry("power", "power to the end", "power", (*line, "power"), of_power, **whole),
        _entry(
            "late", "late line", "linear", line, of_line, late=0.8, **whole | {"decay_steps": (1 / 120, 1, 1 / 5, 119)}
        ),
    ]
    for entry in entries:
        for about in entry["parameters"].values():
            if about.get("scale") == "whole":
                about.update({key: round(steps * about[key]) for key in ("low", "high", "value")})
        entry["parameters"]["initial_learning_rate"]["value"] = initial_learning_rate
    return entries


def _of_class(name: str, title: str, kind: type, **changed) -> dict:
    """An entry for a schedule that Keras has under the same name, with the same fields."""
    formula = name.replace("-", "_")
    return _entry(name, title, formula, _fields(kind), _code(kind), kind.__name__, **changed)


def _entry(name, title, formula, parameters, code, imported=None, late=0, **changed) -> dict:
    about = {}
    for key in parameters:
        label, *slider = PARAMETERS[key]
        if len(slider) == 1:
            about[key] = {"label": label, "value": slider[0]}
        else:
            named = dict(zip(("low", "high", "value", "positions"), changed.get(key, slider), strict=False))
            about[key] = {"label": label, "scale": slider[-1], **named}
    first = {
        "keras": "import keras" + "\nfrom keras.optimizers import schedules" * (name != "constant"),
        "lrlib": f"from lrlib import {imported}" if imported else "",
    }
    last = {"keras": "optimizer = keras.optimizers.SGD(schedule)", "lrlib": ""}
    code = {into: {"imports": first[into], "body": body, "end": last[into]} for into, body in code.items()}
    entry = {"name": name, "title": title, "formula": formula, "parameters": about, "code": code}
    return entry if late is None else entry | {"late": late}


def _fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _code(kind: type) -> dict[str, str]:
    name = kind.__name__
    return {"keras": _call(f"schedules.{name}", _fields(kind)), "lrlib": _call(name, _fields(kind))}


def _call(function: str, names, more: str = "") -> str:
    return f"{{it}} = {function}(\n" + "".join(f"    {name}={{{name}}},\n" for name in names) + more + ")"
