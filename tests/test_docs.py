"""What README, CONTRIBUTING and their neighbours say of the project is so."""

import ast
import io
import re
import runpy
import tokenize
import tomllib
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from sphinx_external_toc.parsing import parse_toc_yaml

import lrlib

ROOT = Path(__file__).resolve().parents[1]


def read(name):
    return (ROOT / name).read_text(encoding="utf8")


README, CONTRIBUTING, CHANGELOG = read("README.md"), read("CONTRIBUTING.md"), read("CHANGELOG.md")
CITATION = yaml.safe_load(read("CITATION.cff"))
PROJECT = tomllib.loads(read("pyproject.toml"))["project"]
CHAPTERS = [page for page in parse_toc_yaml(ROOT / "_toc.yml") if (ROOT / f"{page}.ipynb").is_file()]
DOCUMENTS = pytest.mark.parametrize(
    "document", [README, CONTRIBUTING, CHANGELOG], ids=["README", "CONTRIBUTING", "CHANGELOG"]
)


def fenced(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def spans(document):
    """What stands between single backticks, outside of code blocks."""
    prose = re.sub(r"^```.*?^```$", "", document, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)


# Commands, files, links


def make_targets():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.MULTILINE)
    return set(phony.split())


def make_commands(document):
    code = "\n".join([*spans(document), *fenced(document, "bash")])
    return set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE))


def test_the_make_commands_are_those_of_the_makefile():
    assert make_commands(README) == make_targets()
    assert make_commands(CONTRIBUTING) <= make_targets()


@DOCUMENTS
def test_every_file_that_is_named_exists(document):
    linked = re.findall(r"\]\((?!https?:|#)([^)]+)\)", re.sub(r"(`+).*?\1", "", document))
    named = [span for span in spans(document) if re.fullmatch(r"[\w./-]+(/|\.(py|md|yml|toml|txt|in|cff|bib))", span)]
    assert [name for name in linked + named if not (ROOT / name).exists()] == []


def test_the_picture_is_small():
    assert (ROOT / "_static" / "book.png").stat().st_size < 200_000
    assert re.search(r"!\[[^\]]{40,}\]\(_static/book\.png\)", README), "with words for those who do not see it"


def test_the_badges_show_workflows_that_exist():
    workflows = re.findall(r"actions/workflows/([\w.-]+)", README)
    assert workflows and all((ROOT / ".github" / "workflows" / name).is_file() for name in workflows)


def test_the_clone_is_entered_by_its_name():
    url = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    clones = re.findall(r"^git clone (\S+)\ncd (\S+)$", README, re.MULTILINE)
    assert len(clones) == README.count("git clone") and set(clones) == {(url, url.rsplit("/", 1)[1])}


@DOCUMENTS
def test_nothing_is_left_to_be_filled_in(document):
    assert re.findall(r"@@.*?@@", document) == []


# The chapters


@pytest.mark.parametrize("page", CHAPTERS)
def test_every_chapter_is_in_the_table_with_its_question(page):
    number = int(re.match(r"chapters/(\d+)-", page)[1])
    first = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells[0].source
    title, question = first.splitlines()[0].removeprefix("# "), re.search(r"\*\*([^*]+)\*\*", first)[1]
    assert f"\n| [{number}. {title}]({page}.ipynb) | {' '.join(question.split())} |" in README


def test_the_table_has_no_other_chapter():
    assert re.findall(r"^\| \[\d+\. .*\]\((.*)\.ipynb\)", README, re.MULTILINE) == CHAPTERS


def test_what_is_counted_in_words_is_counted_right():
    words = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
    chapters = words[len(CHAPTERS) - 10]
    assert f"in {chapters} chapters" in README and f"the {chapters} chapters weighed" in CONTRIBUTING
    weights = re.search(r"chapters weighed ([\d, and\n]+) kB", CONTRIBUTING)[1]
    assert len(re.findall(r"\d+", weights)) == len(CHAPTERS)
    mutants = len(runpy.run_path(ROOT / "tools" / "mutants.py")["MUTANTS"])
    tens = "forty fifty sixty seventy eighty ninety".split()[mutants // 10 - 4]
    assert f"in more than {tens} ways" in README and f"makes more than {tens} mistakes" in CONTRIBUTING


def test_outputs_that_are_not_compared_are_listed():
    section = CONTRIBUTING.split("### Outputs that are not compared\n")[1].split("\n## ")[0]
    listed = re.findall(r"^- `([\w-]+)`", section, re.MULTILINE)
    ignored = []
    for page in CHAPTERS:
        for cell in nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells:
            tags = " ".join(cell.metadata.get("tags", []))
            if re.search(r"nbval-(ignore|skip)", tags) or re.search(
                r"NBVAL_(IGNORE|SKIP)|PYTEST_VALIDATE_IGN", cell.source
            ):
                ignored.append(cell.id)
    assert listed == ignored
    assert ("None at present." in section) == (not ignored)


# lrlib


def code_lines(path):
    """How many lines have code: neither blank nor comment nor docstring."""
    source = path.read_text(encoding="utf8")
    no_code = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in no_code]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


EXAMPLE = '''"""Six lines of code."""

text = """two
lines"""  # and a remark


# a function
def one():
    """Return one."""
    return (
        1
    )
'''


def test_lines_of_code_are_counted_rightly(tmp_path):
    example = tmp_path / "example.py"
    example.write_text(EXAMPLE, encoding="utf8")
    assert code_lines(example) == 2 + 1 + 3


def test_the_size_of_the_library():
    sizes = {path.relative_to(ROOT / "lrlib").as_posix(): code_lines(path) for path in (ROOT / "lrlib").rglob("*.py")}
    largest = max(sizes, key=sizes.get)
    said = f"{sum(sizes.values())} lines of code in {len(sizes)} modules, "
    said += f"the largest `lrlib/{largest}` with {sizes[largest]} "
    assert said in " ".join(README.split())


def test_the_example_prints_what_is_shown():
    (example,), (shown,) = fenced(README, "python"), fenced(README, "text")
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(example, "README.md", "exec"), {"__name__": "README"})
    assert printed.getvalue() == shown


# Versions


def test_there_is_one_version():
    released = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", CHANGELOG, re.MULTILINE)
    assert len(released) == len(re.findall("^## ", CHANGELOG, re.MULTILINE))
    assert released[0] == (lrlib.__version__, CITATION["date-released"])
    assert PROJECT["version"] == CITATION["version"] == lrlib.__version__
    assert f"(version {lrlib.__version__})" in README


def test_the_citation():
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "license"} <= set(CITATION)
    assert CITATION["authors"] == [{"name": "The lrlib authors"}] == PROJECT["authors"], "an entity, not a person"
    assert CITATION["license"] == PROJECT["license"] == "MIT"
    assert f"The lrlib authors ({CITATION['date-released'][:4]}). *{CITATION['title']}*" in README


def test_the_versions_of_python():
    matrix = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]["test"]["strategy"]["matrix"]["python"]
    kind = "Programming Language :: Python :: "
    assert [name.removeprefix(kind) for name in PROJECT["classifiers"] if name.startswith(kind)] == matrix
    assert f"Python {', '.join(matrix[:-1])} or {matrix[-1]}" in README
    assert PROJECT["requires-python"] == f">={matrix[0]}"


# The rows of README's table, as environment markers see them.
SYSTEMS = {
    "Linux on x86-64": ("linux", "x86_64"),
    "Windows": ("win32", "AMD64"),
    "Linux on ARM": ("linux", "aarch64"),
    "macOS on Apple silicon": ("darwin", "arm64"),
    "macOS on Intel": ("darwin", "x86_64"),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_which_tensorflow_a_system_gets(system):
    environment = dict(zip(["sys_platform", "platform_machine"], SYSTEMS[system], strict=True))
    pins = [Requirement(line) for line in read("requirements.txt").splitlines() if line.startswith("tensorflow")]
    (row,) = re.findall(rf"^\| {system} \| (.*) \|$", README, re.MULTILINE)
    assert re.findall(r"`(tensorflow[\w-]*)`", row) == [pin.name for pin in pins if pin.marker.evaluate(environment)]


def test_the_tensorflow_that_intel_macs_do_not_get():
    (said,) = re.findall(r"TensorFlow ([\d.]+) has no wheel", README)
    pinned = set(re.findall(r"^tensorflow(?:-cpu)?==(\d+\.\d+)", read("requirements.txt"), re.MULTILINE))
    assert pinned == {said}
