"""The directive ``{bench}``: what `make bench-record` measured (`tools/bench.json`), a piece at a time.

Every number on the page of speed comes from there, or from `tools/sweep_on_a_gpu.json`. A piece is one of ``PIECES``.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from site_verdicts import Page

from lrlib._style import INK, PALE, figure_of, to_svg

MODELS = {"mlp": "Dense", "cnn": "Convolutional", "lstm": "LSTM", "normalised": "Normalised"}
SECONDS = {
    "fit": "A loop of `fit`",
    "tf_function_loop": "A loop of `tf.function`",
    "hand_stacked": "Stacked by hand",
    "sweep_first": "First sweep",
    "sweep": "Sweep",
}
RATIOS = {
    "fit_over_sweep": "`fit` / sweep",
    "fit_over_first_sweep": "`fit` / first sweep",
    "tf_function_loop_over_sweep": "`tf.function` / sweep",
    "sweep_over_hand_stacked": "sweep / by hand",
}
PARTS = {
    "large_products": "the two products of 64 × 64 matrices",
    "small_products": "the three products of the last layer",
    "loss": "the loss and its gradient",
    "activation": "tanh and its gradient",
    "update": "the update of the weights",
    "gather": "choosing the samples of the batch",
    "norm": "the norm of the gradient",
}
GPU = ["GPU, s", "GPU in TF32, s", "Two cores, s"]
ALT = (
    "Two panels, both with the cost of a lane's step in microseconds: above against the number of lanes, below against "
    "the width of the hidden layer. A pale line, which the cost stays above, is the time of the matrix products alone."
)


def short(value):
    """A number with three digits that count, or all that stand before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ways(found):
    """The rows of the table of ways: the seconds of each, and their ratios; a dash where a way was not tried."""

    def cells(names, end=""):
        return [
            [title, *(short(found[key]) if (key := f"{model}_{name}{end}") in found else "–" for model in MODELS)]
            for name, title in names.items()
        ]

    return cells(SECONDS, "_seconds"), cells(RATIOS)


def parts(found):
    """The rows of the table of a step's parts."""
    return [[title, short(found[f"piece_{name}_microseconds"])] for name, title in PARTS.items()]


def schedules(found):
    """The rows of the table of schedules: nanoseconds of a call, milliseconds of a million steps."""
    calls = re.findall(r"schedule_(\w+)_call_nanoseconds", " ".join(found))
    return [
        [
            f"`{name}`",
            *(short(found[f"schedule_{name}_{what}"]) for what in ("call_nanoseconds", "million_milliseconds")),
        ]
        for name in calls
    ]


def beside(found, elsewhere):
    """The rows of the table of frameworks: microseconds of one step."""
    of_cosine, taken = "schedule_CosineDecay", elsewhere["microseconds"]
    rows = {
        "`CosineDecay` of lrlib, called": found[f"{of_cosine}_call_nanoseconds"] / 1000,
        "`KerasSchedule` of it, compiled": found[f"{of_cosine}_bridge_compiled_microseconds"],
        "Keras, compiled": found[f"{of_cosine}_keras_compiled_microseconds"],
        "Keras, called": found[f"{of_cosine}_keras_microseconds"],
        "optax, compiled": taken["optax_compiled"],
        "optax, called": taken["optax"],
        "PyTorch, `scheduler.step()`": taken["torch_scheduler_step"],
        "timm, `step_update`": taken["timm_step_update"],
    }
    return [[name, short(value)] for name, value in rows.items()]


def on_a_gpu(found, here):
    """The rows of the table of a GPU: its seconds, and those of this processor where they were measured."""
    rows = []
    for model, lanes in sorted(re.findall(r"(\w+?)(\d+)_float32_seconds", " ".join(found)), key=place):
        many = here["lanes_1024_microseconds"] * 1024 * here["steps"] / 1e6
        others = {"192": here[f"{model}_sweep_seconds"], "1024": many}
        seconds = (found[f"{model}{lanes}_{meant}_seconds"] for meant in ("float32", "tf32"))
        rows.append(
            [f"{MODELS[model]}, {lanes}", *map(short, seconds), short(others[lanes]) if lanes in others else "–"]
        )
    return rows


def place(model_and_lanes):
    model, lanes = model_and_lanes
    return int(lanes), list(MODELS).index(model)


def series(found, what):
    """What was measured for each number of lanes, or each width: (numbers, microseconds)."""
    names = [name.split("_") for name in found if name.startswith(f"{what}_") and name.count("_") == 2]
    numbers = sorted(int(name[1]) for name in names if name[2] == "microseconds")
    return numbers, [found[f"{what}_{number}_microseconds"] for number in numbers]


def drawing(found):
    """Cost against lanes and against width, with what the products alone would take."""
    figure, panels = figure_of(4.4, rows=2)
    widths, by_width = series(found, "width")
    least = [found[f"width_{width}_products_microseconds"] for width in widths]
    lanes, by_lanes = series(found, "lanes")
    limits = [found["width_64_products_microseconds"]] * len(lanes), least
    for axes, x, y, limit, name in zip(
        panels, (lanes, widths), (by_lanes, by_width), limits, ("lanes", "width of the hidden layer"), strict=True
    ):
        axes.plot(x, y, color=INK, linestyle="-", marker="o", markersize=3, label="the sweep")
        axes.plot(x, limit, color=PALE, linestyle="--", label="its products alone")
        axes.set(xscale="log", xticks=x, xticklabels=x, xlabel=name, ylabel="µs a lane and step", ylim=(0, None))
        axes.minorticks_off()
    panels[0].legend()
    return to_svg(figure)


class Bench(Page):
    required_arguments = 2  # the record, relative to the page, and the piece

    def run(self):
        found, piece = self.read(self.arguments[0], json.loads), self.arguments[1]
        if found is None or piece not in PIECES:
            self.warn(f"there is no {self.arguments[0]}, or no piece of it called {piece!r}: run `make bench-record`")
            return []
        return PIECES[piece](self, found)

    def machine(self, found):
        about = found["machine"]
        packages = ", ".join(f"{name} {about[name]}" for name in ("python", "tensorflow", "keras", "numpy"))
        return [
            self.words(
                f"Measured on {about['date']} on {about['cores']} cores ({about['processor']}, {about['system']}), "
                f"with {packages}: {found['lanes']:.0f} networks, {found['steps']:.0f} steps each. The ways took "
                f"turns, and the numbers are the medians of {found['rounds']:.0f} rounds."
            )
        ]

    def ways(self, found):
        seconds, ratios = ways(found)
        return [
            self.table("Seconds", seconds),
            self.table("How many times", ratios),
            self.words(
                "TensorFlow had one thread for an operation, as the notes of {func}`lrlib.sweep` advise, and for the "
                "convolutions one for each core. With as many, its own choice, the sweep of the dense network takes "
                f"{short(found['all_threads_sweep_seconds'])} s, a loop of `fit` "
                f"{short(found['all_threads_fit_over_sweep'])} times as long and one of `tf.function` "
                f"{short(found['all_threads_tf_function_loop_over_sweep'])} times."
            ),
        ]

    def memory(self, found):
        return [
            self.words(
                f"A lane of the dense network takes at most {found['bytes_of_lane'] / 1e3:.0f} kB while it trains. A "
                f"process that swept {found['many_lanes']:.0f} of them had at most "
                f"{found['many_lanes_peak_bytes'] / 1e6:.0f} MB, Python and TensorFlow included."
            )
        ]

    def limit(self, found):
        return [
            self.words(
                f"In the same run the machine multiplied at {found['products_batched_gigaflops']:.0f} GFLOP/s where "
                f"many pairs of 64 × 64 matrices stand beside each other, and at "
                f"{found['products_large_gigaflops']:.0f} in one large product. At the former rate the products of a "
                f"step of the dense network take {short(found['width_64_products_microseconds'])} µs. A step in the "
                f"sweep takes **{short(found['width_64_over_products'])} times as long**."
            )
        ]

    def costs(self, found):
        # beside the site, where MyST-NB keeps the pictures of notebooks too
        path = Path(self.env.app.outdir).parent / "bench" / "cost.svg"
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawing(found), encoding="utf8")
        uri = f"/{path.relative_to(self.env.srcdir).as_posix()}"
        caption = "What a step of one lane costs. In a loop it costs the same for every number of lanes."
        return [nodes.figure("", nodes.image(uri=uri, alt=ALT), nodes.caption("", caption))]

    def parts(self, found):
        columns = ["Part of a step", "Microseconds"]
        return [self.table(columns[0], parts(found), columns[1:])]

    def schedules(self, found):
        over = ", ".join(
            f"{found[f'schedule_{name}_over_bare']:.2g} for `{name}`" for name in ("ExponentialDecay", "CosineDecay")
        )
        elsewhere = self.read("tools/parity.json", json.loads)
        return [
            self.table("Schedule", schedules(found), ["One call, ns", "A million steps, ms"]),
            self.words(
                f"A million steps take, beside the bare formula in NumPy, which checks nothing: {over} times as long."
            ),
            self.table("Microseconds of one step", beside(found, elsewhere), ["µs"]),
        ]

    def gpu(self, found):
        names = {model: title if title.isupper() else title.lower() for model, title in MODELS.items()}
        alike = "; ".join(
            f"{name} {found[f'{model}192_within_a_thousandth']} of {found[f'{model}192_lanes']}, the others at rates "
            f"from {short(found[f'{model}192_others_from'])}"
            for model, name in names.items()
        )
        fewest, most = (found[f"mlp{lanes}_float32_seconds"] for lanes in (192, 16384))
        return [
            self.words(
                f"On {found['date']} an {found['device']} trained with them, through JAX {found['jax']}. Its seconds "
                f"are those of the training alone, those of the two cores have the evaluation in them."
            ),
            self.table("Networks", on_a_gpu(found, self.read("tools/bench.json", json.loads)), GPU),
            self.words(
                f"A few hundred small networks leave such a card idle: {16384 / 192:.0f} times as many dense networks "
                f"take {most / fewest:.0f} times as long. Of the networks that do not fail, so many end within a "
                f"thousandth of the loss that they reach here: {alike}."
            ),
        ]

    def table(self, first, rows, others=None):
        others = others or [*MODELS.values()]
        table, group = nodes.table(classes=["bench"]), nodes.tgroup(cols=1 + len(others))
        table += group
        group += [nodes.colspec(colwidth=width) for width in (30, *[15] * len(others))]
        group += [nodes.thead("", self.row(first, *others)), nodes.tbody("", *(self.row(*row) for row in rows))]
        return table

    def row(self, *cells):
        return nodes.row("", *(nodes.entry("", self.words(cell)) for cell in cells))


NAMES = "machine", "ways", "memory", "limit", "costs", "parts", "gpu", "schedules"
PIECES = {name: getattr(Bench, name) for name in NAMES}


def setup(app):
    app.add_directive("bench", Bench)
    return {"parallel_read_safe": False}
