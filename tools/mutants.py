"""Do the tests bite? Small mutations of lrlib, one at a time, each in a copy of the project.

A mutation is caught if its unit test fails and a cell of a chapter no longer prints what is stored. One that changes
the rate of the article's program must change what every route through lrlib prints. A few have no chapter: what they
break shows where a claim or a run fails, and in a chapter none does. A mutation that survives fails the run, and so
does one whose text is not found exactly once: lrlib has moved on without it.

With words after it, `tools/mutants.py noise rate` tries the mutants with these in their names alone.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parents[1]
COPIED = ["lrlib", "tests", "chapters", "pyproject.toml"]
NBVAL = ["--nbval", "--nbval-current-env"]
CHAPTER = {
    1: "chapters/01-what-is-a-learning-rate.ipynb",
    2: "chapters/02-too-small-too-large.ipynb",
    3: "chapters/03-what-a-rate-finds.ipynb",
    4: "chapters/04-setting-it.ipynb",
    5: "chapters/05-decay.ipynb",
    6: "chapters/06-exponential-decay-in-tensorflow.ipynb",
    7: "chapters/07-polynomial-linear-cosine.ipynb",
    8: "chapters/08-warmup.ipynb",
    9: "chapters/09-cycles.ipynb",
    10: "chapters/10-budgets.ipynb",
    11: "chapters/11-rules-that-listen.ipynb",
    12: "chapters/12-one-schedule-five-frameworks.ipynb",
}
# what prints the lines of the article's program with lrlib's rates: tests and a cell of chapter 6
ARTICLE = "tests/test_article.py"
BY_KERAS = {"test_keras_with_a_schedule_of_lrlib_prints_the_lines"}
ROUTES = {"lrlib-lines", "test_one_call_of_lrlib_prints_the_lines", *BY_KERAS}


class Mutant(NamedTuple):
    name: str
    module: str  # of lrlib, with dots
    test: str  # what has to catch it, in tests/test_<module>.py or a file that is named …
    chapter: int | None  # … and so has this notebook
    old: str
    new: str
    routes: set[str] = set()  # of ROUTES, all that have to change

    @property
    def tests(self):
        file, _, test = self.test.rpartition("::")
        return f"tests/test_{file or self.module}.py::test_{test}"

    @property
    def path(self):
        return f"lrlib/{self.module.replace('.', '/')}.py"


MUTANTS = [
    Mutant(
        "the staircase is one stair late", "schedules.decays", "schedules::exponential_smooth_and_in_stairs", 6,
        "stairs(step, self.decay_steps, xp) if", "stairs(step, self.decay_steps, xp) + 1.0 if", ROUTES,
    ),
    Mutant(
        "a stair begins one step late where a quotient is rounded", "schedules.base",
        "keras::in_fit_a_stair_begins_on_time", None, "(step - left) / length + 0.5", "step / length",
    ),
    Mutant(
        "the step is not divided by decay_steps", "schedules.decays", "schedules::exponential_smooth_and_in_stairs", 6,
        "else step / self.decay_steps", "else step",
    ),
    Mutant(
        "powers of the initial rate", "schedules.decays", "schedules::the_40_steps_of_the_article", 6,
        "power(self.decay_rate, clock, xp) if self.staircase else self.decay_rate**clock",
        "self.initial_learning_rate**clock", ROUTES,
    ),
    Mutant(
        "a cosine goes half of its way", "schedules.shapes", "shapes::decays_to_an_end_by_hand", 7,
        "xp.sin(QUARTER * (", "xp.sin(0.5 * QUARTER * (",
    ),
    Mutant(
        "a square root is another root", "schedules.shapes", "parity::other_frameworks_as_recorded", None,
        "1.0 - xp.sqrt(position)", "1.0 - position**0.49",
    ),
    Mutant(
        "a triangle is a step too long", "schedules.cycles", "parity::other_frameworks_as_recorded", 12,
        "period = 2.0 * self.step_size", "period = 2.0 * self.step_size + 1.0",
    ),
    Mutant(
        "a cycle begins in the floor", "schedules.cycles",
        "cycles::a_cycle_begins_with_its_full_rate_wherever_it_begins", None,
        "xp.log1p(elapsed * self.growth) / self.log_of_growth + 1e-9",
        "xp.log1p(elapsed * self.growth) / self.log_of_growth - 1e-9",
    ),
    Mutant(
        "a warmup to a plateau begins a step ahead", "schedules.cycles", "cycles::warmup_plateau_and_decay", 8,
        "Ramp(0.0, peak, risen))]", "Ramp(0.0, peak, risen).shift(-1))]",
    ),
    Mutant(
        "a schedule begins anew a step late", "schedules.base", "composition::clocks", 9,
        "rest(step, self.period, xp)", "rest(step, self.period + 1.0, xp)",
    ),
    Mutant(
        "a table of rates is a step early", "schedules.decays",
        "schedules::a_boundary_is_the_last_step_of_the_piece_before_it", 11,
        "boundaries.searchsorted(step)", 'boundaries.searchsorted(step, "right")',
    ),
    Mutant(
        "the first difference is seen a step late", "schedules.prediction",
        "prediction::where_a_boundary_is_one_step_late", 10, "first, most = int(differ.argmax())",
        "first, most = int(differ.argmax()) + 1",
    ),
    Mutant(
        "a boundary belongs to the old piece", "schedules.composition",
        "composition::a_join_gives_each_piece_its_own_clock_and_its_boundary", None,
        "(step >= begin) & (step < end)", "(step > begin) & (step <= end)",
    ),
    Mutant(
        "a bound forgets that a step moves what came before it", "schedules.prediction",
        "prediction::the_closed_form_of_a_line", None, "rates[:-1] / to_go[1:]", "rates[:-1] / to_go[:-1]",
    ),
    Mutant(
        "the gradient has the wrong sign", "descent", "three_steps_by_hand", 1,
        "parameters - lr * gradient", "parameters + lr * gradient",
    ),
    Mutant(
        "float64 where float32 was asked for", "descent", "float32_is_not_float64_rounded", 6,
        "    dtype = _dtype(dtype)", "    dtype = np.float64",
    ),
    Mutant(
        "the next step's rate is recorded", "descent", "the_applied_rates_are_those_of_the_schedule_and_no_others", 6,
        "append(lr)", "append(_rate(schedule, step + 1, dtype))",
    ),
    Mutant(
        "losses are recorded a step late", "descent", "three_steps_by_hand", 1,
        "append(_loss(objective, parameters", "append(_loss(objective, path[-2]",
    ),
    Mutant(
        "the gradient lacks the curvature", "objectives", "numbers_by_hand", 1,
        "return curvature * (param", "return (param",
    ),
    Mutant(
        "Keras gets the next step's rate", "keras", "in_fit_every_schedule_is_applied_as_taught", 6,
        'steps_of(step), "float64")', 'steps_of(step), "float64") + 1', BY_KERAS,
    ),
    Mutant(
        "a schedule counts batches where gradients are put by", "keras",
        "with_accumulated_gradients_a_schedule_can_count_updates", None,
        "if self.gradient_accumulation_steps:", "if False:",
    ),
    Mutant(
        "the applied rate is read one step late", "keras_hooks", "keras::in_fit_every_schedule_is_applied_as_taught", 6,
        "received(self._var_key(variable), learning_rate)",
        "received(self._var_key(variable), self._learning_rate(self._iterations + 1))",
    ),
    Mutant(
        "all uses of a seed draw the same numbers", "streams",
        "streams_of_different_names_and_seeds_are_independent", 2,
        "spawn_key=tuple(name.encode())", "spawn_key=()",
    ),
    Mutant(
        "labels stay clean", "datasets", "label_noise_is_in_training_labels_only", 5,
        "with_label_noise(y[train], label_noise,", "with_label_noise(y[train], 0.0,",
    ),
    Mutant(
        "the digits are not scaled", "datasets", "pixels_lie_between_0_and_1", 2,
        "values / train.max()", "values / 1.0",
    ),
    Mutant(
        "shards come as they are finished", "shards", "results_come_in_the_order_of_the_shards", None,
        "return [finished[shard] for shard in shards]", "return list(finished.values())",
    ),
    Mutant(
        "a model is sent that cannot be opened", "_parcel",
        "shards::what_cannot_be_sent_is_refused_before_any_training", None, "_unpacked(*parts)  #", "parts  #",
    ),
    Mutant(
        "a sweep goes through its schedule backwards", "training",
        "sweep::the_rate_read_off_the_weights_is_the_rate_reported_and_the_schedule_s", 5,
        "(job.factors * job.learning_rates)", "(job.factors[::-1] * job.learning_rates)",
    ),
    Mutant(
        "what was trained does not count as done", "sweep", "what_the_result_holds", None,
        "self.done[lanes] = True", "self.done[lanes] = False",
    ),
    Mutant(
        "all layers begin with the same numbers", "lanes",
        "sweep::every_seed_and_every_layer_draws_its_own_weights", None,
        'f"initial weights {place}"', '"initial weights"',
    ),
    Mutant(
        "a mask is not Keras's", "lane_ops", "three_lanes_at_once_are_what_keras_computes_one_by_one", None,
        "0xD2511F53", "0xD2511F55",
    ),
    Mutant(
        "the axes of a lane are those of all lanes", "lane_ops", "axes_and_shapes_of_a_lane_are_those_of_one", None,
        "return told + (told >= 0)", "return told",
    ),
    Mutant(
        "whatever a model does is proven", "proof", "a_model_of_which_two_steps_differ_is_refused", None,
        "TOLERANCE = 0.01", "TOLERANCE = 1e9",
    ),
    Mutant(
        "a failed run is as good as a run can be", "runs",
        "a_rate_of_which_one_run_of_eight_failed_is_never_the_best", 2,
        "values.where(~lost, np.inf)", "values.where(~lost, 0.0)",
    ),
    Mutant(
        "the valley ends at once", "runs", "the_valley_ends_where_a_mean_is_more_than_a_tenth_above", 9,
        "means[best, at] + 0.1 * abs(means[best, at])", "means[best, at]",
    ),
    Mutant(
        "a sweep climbs", "program", "sweep::a_lane_is_what_keras_trains", 2,
        "scaled = self.optimizer.scale_loss(loss)", "scaled = -self.optimizer.scale_loss(loss)",
    ),
    Mutant(
        "a range test rises in equal steps", "range_test", "the_rate_read_off_the_weights_is_the_one_reported", 4,
        "np.geomspace(start", "np.linspace(start",
    ),
    Mutant(
        "a range test keeps what it trained", "as_it_was",
        "range_test::training_goes_on_as_if_there_had_been_no_test", None,
        "variable.assign(value)", "variable.assign(variable)",
    ),
    Mutant(
        "a range test records the rate that it asked for", "range_test",
        "what_is_recorded_is_what_the_update_received_and_not_what_was_asked_for", None,
        "received[0] if len(received) else np.float32(value)", "np.float32(value)",
    ),
    Mutant(
        "repeats side by side forget the optimizer's moments", "repeats",
        "side_by_side_is_one_after_the_other", None,
        "own = weights, others, slots", "own = weights, others, [tf.zeros_like(slot) for slot in slots]",
    ),
    Mutant(
        "every seed has the same batches", "batches_of",
        "arrays_come_in_the_order_of_a_sweep_s_batches", None,
        "return epochs(self.samples, self.batch_size, seed)", "return epochs(self.samples, self.batch_size, 0)",
    ),
    Mutant(
        "the steepest fall is on the axis of the rate", "finders", "lightning_prefers_the_smallest_rates", None,
        "(np.diff(losses) / np.diff(np.log(rates)))", "(np.diff(losses) / np.diff(rates))",
    ),
    Mutant(
        "a rate of which one run failed is found", "find_rate", "a_rate_that_failed_under_any_seed_is_not_chosen", None,
        ">= self.seeds and np.isfinite(losses).all()]", ">= self.seeds and np.isfinite(losses).any()]",
    ),
    Mutant(
        "the best rate may be the last that was tried", "find_rate", "the_budget_holds_and_an_edge_is_no_answer",
        None,
        "if best in (tried[0], tried[-1]):\n            side", "if best in ():\n            side",
    ),
    Mutant(
        "a range test answers from noise", "suggestion", "a_slope_of_noise_is_no_answer", None,
        "NOISE = 5.0", "NOISE = 0.0",
    ),
    Mutant(
        "a suggestion smooths over the past alone", "suggestion", "nine_tenths_of_the_fall", None,
        "/ widths[:, None]) * pieces", "/ widths[:, None]) * pieces * (x <= x[:, None])",
    ),
    Mutant(
        "momentum makes a range test early", "suggestion", "momentum_s_late_answer_is_taken_back", None,
        "momentum * np.exp(-growth)", "momentum * np.exp(growth)",
    ),
    Mutant(
        "the interval of a suggestion leaves out the repeats", "suggestion", "the_interval_holds_every_repeat", None,
        "read = averaged + [curve for curve in alone if not curve.problem]", "read = averaged",
    ),
    Mutant(
        "a search that found no rate has a best one in its picture", "plot_finding",
        "a_search_that_found_no_rate_says_why", None, "ring=chosen is not None", "ring=True",
    ),
    Mutant(
        "fastai's valley is the longest climb", "finders", "a_rule_is_its_definition", None,
        "losses[:i] > losses[i]", "losses[:i] < losses[i]",
    ),
    Mutant(
        "torch-lr-finder's slope is one on the axis of log rates", "finders",
        "a_rule_is_its_definition_on_uneven_rates_and_other_lengths", None,
        "np.gradient(means).argmin()", "np.gradient(means, np.log(rates)).argmin()",
    ),
    Mutant(
        "the spread over the seeds does not count", "claims", "p_is_student_s", 2,
        "stdtr(seeds - 1, -difference / error)", "stdtr(seeds - 1, -difference)",
    ),
    Mutant(
        "luck passes twice as often as the level says", "claims", "luck_passes_as_often_as_the_level_says", None,
        "record.p > record.level", "record.p > 2 * record.level",
    ),
    Mutant(
        "the arms of a claim are exchanged", "claims", "the_wrong_way_round_fails", 9,
        "error = _mean_and_error(a, b)\n    agree, seeds", "error = _mean_and_error(b, a)\n    agree, seeds",
    ),
    Mutant(
        "two identical arms support a claim", "claims", "identical_arms_fail", None,
        "int((a < b).sum()), len(a)\n    p = _p(", "int((a <= b).sum()), len(a)\n    p = _p(",
    ),
    Mutant(
        "arms that differ are within the margin", "claims",
        "arms_that_differ_by_the_margin_or_more_are_not_within_it", None,
        "p = max(_p(", "p = min(_p(",
    ),
    Mutant(
        "applied is not compared with taught", "book", "a_rate_that_is_one_step_off_or_one_digit_is_told", 9,
        "<= units * np.spacing(taught)", "<= 1",
    ),
]  # fmt: skip


def copy(source, folder):
    """Copy what the tests need; return the environment in which the copy's lrlib is the one imported."""
    folder = Path(folder).resolve()
    for name in COPIED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(source / name, folder)
    return folder, os.environ | {"PYTHONPATH": str(folder), "JUPYTER_PREFER_ENV_PATH": "1"}


def mutate(mutant, folder):
    """Replace the text of one mutation, which must be there exactly once."""
    file = folder / mutant.path
    text = file.read_text(encoding="utf8")
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: found {text.count(mutant.old)} times in {file.name}: {mutant.old}")
    file.write_text(text.replace(mutant.old, mutant.new), encoding="utf8")


def pytest(folder, environment, *arguments):
    """Return the names of the tests that failed; an error that is no failed test ends the run."""
    command = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *arguments]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    failed = re.findall(r"^FAILED .*?::([^\[\n]*?)(?:\[.*| - .*)?$", run.stdout, re.MULTILINE)
    if run.returncode not in (0, 1) or run.returncode != bool(failed):
        raise SystemExit(f"pytest {' '.join(arguments)} did not run:\n{run.stdout[-3000:]}{run.stderr[-3000:]}")
    return failed


def cells(folder, environment, chapter, *options):
    """Return the ids of the cells that do not print what is stored in the chapter."""
    failed = pytest(folder, environment, *NBVAL, *options, chapter)
    code = [cell.id for cell in nbformat.read(folder / chapter, 4).cells if cell.cell_type == "code"]
    return [code[int(name.removeprefix("Cell "))] for name in failed]


def unmutated(source, mutants):
    """Where nothing was mutated all must pass, with the copy's lrlib, in tests and in a notebook's kernel."""
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = copy(source, folder)
        here = f"import lrlib, pathlib\nassert pathlib.Path(lrlib.__file__).is_relative_to({str(folder)!r})\n"
        (folder / "tests" / "test_where.py").write_text(here + "def test_where(): pass\n", encoding="utf8")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(here)])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / "where.ipynb")
        tests = sorted({mutant.tests for mutant in mutants})
        chapters = [CHAPTER[number] for number in sorted({mutant.chapter for mutant in mutants} - {None})]
        for arguments in (["tests/test_where.py", ARTICLE, *tests], [*NBVAL, "where.ipynb", *chapters]):
            if failed := pytest(folder, environment, *arguments):
                raise SystemExit(f"{failed} fails without any mutation")


def attack(source, mutant):
    """Return the unit test that catches the mutant, the cells that do, and what survived."""
    changed, routes = [], set()
    with tempfile.TemporaryDirectory() as folder:
        folder, environment = copy(source, folder)
        mutate(mutant, folder)
        tests = pytest(folder, environment, "-x", mutant.tests)
        if mutant.chapter:
            # one cell is enough, but of the article's lines every route has to change
            changed = cells(folder, environment, CHAPTER[mutant.chapter], *([] if mutant.routes else ["-x"]))
        if mutant.routes:
            routes = {*changed, *pytest(folder, environment, ARTICLE)}
    survived = [] if tests else [mutant.tests]
    survived += [CHAPTER[mutant.chapter]] if mutant.chapter and not changed else []
    return tests, changed, survived + sorted(mutant.routes - routes)


def main():
    start, words = time.perf_counter(), sys.argv[1:]
    mutants = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    with tempfile.TemporaryDirectory() as source, ThreadPoolExecutor(2) as pool:
        source, _ = copy(ROOT, source)  # what is edited meanwhile does not matter
        ready = pool.submit(unmutated, source, mutants)
        results = list(pool.map(partial(attack, source), mutants))
        ready.result()
    for mutant, (tests, changed, survived) in zip(mutants, results, strict=True):
        print(f"\n{mutant.name} ({mutant.path})")
        print(f"    unit test  {tests[0] if tests else '—'}")
        if mutant.chapter:
            print(f"    chapter {mutant.chapter}  {', '.join(changed) or '—'}")
        if survived:
            print(f"    SURVIVED   {', '.join(survived)}")
    survivors = sum(bool(survived) for *_, survived in results)
    print(f"\n{len(mutants)} mutants, {survivors} survived, {time.perf_counter() - start:.0f} s")
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
