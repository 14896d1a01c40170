"""The built book in _build/html, as a visitor and their browser meet it; `make book` builds it."""

import gc
import json
import platform
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup
from sphinx_external_toc.parsing import parse_toc_yaml

from test_chapters import LABELS

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "_ext"))
from site_bench import beside, on_a_gpu, parts, schedules, ways  # noqa: E402
from site_verdicts import ABOUT_TRAINING, TOGETHER, held  # noqa: E402

HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
REPOSITORY = CONFIG["repository"]["url"]
OWNER, NAME = REPOSITORY.removeprefix("https://github.com/").split("/")
BRANCH = CONFIG["repository"]["branch"]
PAGES = sorted(parse_toc_yaml(ROOT / "_toc.yml"))
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").is_file()]
STATEMENTS = yaml.safe_load((ROOT / "folklore-on-trial.yml").read_text(encoding="utf8"))
BEYOND = yaml.safe_load((ROOT / "beyond-the-article.yml").read_text(encoding="utf8"))


@pytest.fixture(scope="module", autouse=True)
def finished_book():
    stamp = ROOT / "_build" / "stamp.json"
    if not stamp.is_file() or "site" not in json.loads(stamp.read_text()):
        pytest.fail("There is no finished book in _build/html to look at: run `make book` first.")


@cache
def soup(path):
    found = BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
    gc.freeze()  # it stays, and is not looked through for garbage again and again
    return found


@cache
def anchors(path):
    return {tag["id"] for tag in soup(path).find_all(id=True)}


@cache
def article(page):
    return soup(HTML / f"{page}.html").find("article")


@cache
def cells_of(page):
    return nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells


REDIRECTS = CONFIG["sphinx"]["config"]["redirects"]


def files():
    moved = {HTML / f"{old}.html" for old in REDIRECTS} | {HTML / "404.html"}  # for that see tests/test_meta.py
    return [path for path in sorted(HTML.rglob("*.html")) if "_static" not in path.parts and path not in moved]


def relative(path):
    return path.relative_to(HTML).as_posix()


def test_every_page_of_the_contents_is_there():
    assert CHAPTERS
    assert [page for page in PAGES if not (HTML / f"{page}.html").is_file()] == []


def test_every_notebook_is_in_the_contents():
    notebooks = {f"chapters/{path.stem}" for path in (ROOT / "chapters").glob("*.ipynb")}
    assert notebooks == set(CHAPTERS)


@pytest.mark.parametrize("path", files(), ids=relative)
def test_no_link_within_the_site_is_dead(path):
    dead = []
    for tag in soup(path).find_all(["a", "img", "link", "script", "source"]):
        address = tag.get("href") or tag.get("src")
        if not address or address == "#" or urlsplit(address).scheme:
            continue
        file, _, anchor = unquote(urlsplit(address)._replace(query="").geturl()).partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.is_file() or anchor and target.suffix == ".html" and anchor not in anchors(target):
            dead.append(address)
    assert dead == []


def test_nothing_that_belongs_to_a_formula_or_a_frame_is_left_on_another_line():
    held = 0
    for page in PAGES:
        for block in article(page).select("span.math, .tally > .kind, .held > .kind"):
            if "held" in block.parent.get("class", []):
                held += 1
                continue
            before, after = (str(side or "") for side in (block.previous_sibling, block.next_sibling))
            assert not re.match(r"[)\].,;:!?…]", after) and not re.search(r"[(\[]$", before), (page, block.text, after)
    assert held > 50


def test_a_link_with_the_title_of_a_chapter_has_its_number():
    titles = {article(page).h1.contents[-2 if article(page).h1.a else -1].strip(): page for page in CHAPTERS}
    links = [link for page in PAGES if page != "index" for link in article(page).select("a.reference.internal")]
    assert [link for link in links if link.text in titles] == []
    rows = [row.a.text for row in article("status").select("table.status tbody tr")]
    assert [row.split(". ")[0] for row in rows] == [str(int(page.removeprefix("chapters/")[:2])) for page in CHAPTERS]
    assert {row.split(". ", 1)[1] for row in rows} == set(titles)


def test_code_has_no_spans_that_change_nothing():
    for page in CHAPTERS:
        code = article(page).select("div.highlight pre")
        kinds = Counter(kind for block in code for span in block.find_all("span") for kind in span.get("class", [""]))
        assert code and sum(kinds[kind] for kind in ("k", "kn", "s2", "mi")) > 20
        assert not any(kinds[kind] for kind in ("n", "p", "w", ""))


@pytest.mark.parametrize("path", files(), ids=relative)
def test_every_image_has_words(path):
    for image in soup(path).find_all("img"):
        alt = image.get("alt", "").strip()
        assert alt, image
        assert not re.fullmatch(r"\S*(/|\.(svg|png|jpe?g|gif))\S*", alt), image  # a path has no blanks


def loaded_from(path):
    """The addresses that a browser loads for this page by itself."""
    page = soup(path)
    for tag in page.find_all(["script", "img", "iframe", "source", "video", "audio", "embed"]):
        yield from filter(None, [tag.get("src"), tag.get("srcset")])
    for tag in page.find_all("link"):
        if set(tag.get("rel", [])) & {"stylesheet", "preload", "icon", "preconnect", "manifest"}:
            yield tag["href"]
    for style in page.find_all("style"):
        yield from re.findall(r"""url\(\s*['"]?([^'")]+)""", style.text)


@pytest.mark.parametrize("path", files(), ids=relative)
def test_nothing_is_loaded_from_another_host(path):
    assert [address for address in loaded_from(path) if urlsplit(address).netloc] == []


def test_no_style_sheet_loads_from_another_host():
    for sheet in (HTML / "_static").rglob("*.css"):
        loads = r"""(?:url\(|@import)\s*['"]?((?:https?:)?//[^'")]+)"""
        assert re.findall(loads, sheet.read_text(encoding="utf8")) == [], sheet


def test_what_cannot_be_selected_cannot_in_safari_either():
    """Or to drag over a drawing there would mark its words, and those around it."""
    ours = [
        file
        for kind in ("lrlib/js/*.js", "_static/*.css", "_ext/*.css", "_ext/reader/*.css")
        for file in ROOT.glob(kind)
    ]
    texts = [file.read_text(encoding="utf8") for file in ours]
    assert sum(text.count("user-select") for text in texts) > 0
    for file, text in zip(ours, texts, strict=True):
        assert len(re.findall("(?<!-)user-select:", text)) == text.count("-webkit-user-select:"), file


PARTS = {"msub": 2, "msup": 2, "mfrac": 2, "mover": 2, "munder": 2, "msubsup": 3, "munderover": 3}


@pytest.mark.parametrize("path", files(), ids=relative)
def test_formulas_are_drawn_already(path):
    page = soup(path)
    assert not page.find(class_="katex-error")
    for formula in page.find_all(class_="math"):
        assert formula.find(class_="katex-html"), formula
    for part in page.find_all([*PARTS]):  # of what screen readers read; Firefox takes no other number
        assert len(part.find_all(recursive=False)) == PARTS[part.name], part.find_parent("math")
    assert page.find_all(columnspacing="") == []


def test_fonts_and_engine_of_the_formulas_are_one_release():
    engine = (ROOT / "_ext" / "katex.min.js").read_text(encoding="utf8")
    sheet = (ROOT / "_static" / "katex" / "katex.min.css").read_text(encoding="utf8")
    (release,) = re.findall(r'\.katex-version::?after\{content:"([\d.]+)"', sheet)
    assert f'"{release}"' in engine


@pytest.mark.parametrize("page", CHAPTERS)
def test_chapters_can_be_launched(page):
    links = {a["href"] for a in soup(HTML / f"{page}.html").find_all("a", href=True)}
    file = f"{page}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{OWNER}/{NAME}/{BRANCH}?urlpath=lab/tree/{file}"
    colab = f"https://colab.research.google.com/github/{OWNER}/{NAME}/blob/{BRANCH}/{file}"
    assert {binder, colab} <= links


@pytest.mark.parametrize("page", CHAPTERS)
def test_colab_gets_lrlib_in_the_first_code_cell(page):
    cells = cells_of(page)
    first = next(cell for cell in cells if cell.cell_type == "code")
    condition, *commands = first.source.partition("import sys\n\n")[2].splitlines()
    assert condition.startswith('if "google.colab" in sys.modules:')
    assert any(command.startswith("    %pip install -q ") for command in commands)
    assert any(re.search(rf"{REPOSITORY}(?![\w/.-])", command) for command in commands)
    assert first.outputs == []


@pytest.mark.parametrize("old", REDIRECTS)
def test_old_addresses_lead_on(old):
    """With or without a script, and with the part of the page that was asked for."""
    assert old not in PAGES
    page, target = soup(HTML / f"{old}.html"), (HTML / f"{old}.html").parent / REDIRECTS[old]
    assert target.is_file() and target.relative_to(HTML).with_suffix("").as_posix() in CHAPTERS
    assert page.select_one("noscript meta")["content"] == f"0; url={REDIRECTS[old]}"
    assert f'location.replace("{REDIRECTS[old]}" + window.location.hash)' in page.script.text
    assert page.a["href"] == REDIRECTS[old]


def test_the_chapters_that_had_another_number_redirect():
    """The first edition's chapters 3 to 5; whoever renames one again adds a line."""
    assert {"chapters/03-setting-it", "chapters/04-decay", "chapters/05-exponential-decay-in-tensorflow"} <= set(
        REDIRECTS
    )


def test_verdicts():
    cards = article("folklore-on-trial").select("div.verdicts > div.verdict")
    assert [card["id"] for card in cards][:25] == [f"verdict-s{number}" for number in range(1, 26)]
    for card, statement in zip(cards, [*STATEMENTS, *BEYOND], strict=True):
        name = statement["id"].lower()
        links = {link["href"].partition("#")[2]: link["href"] for link in card.select("a.reference.internal")}
        assert Path(links[name]).name.startswith(f"{statement['chapter']:02d}-")
        assert card.select_one(".kind").text in TOGETHER
        said = BeautifulSoup(str(card.blockquote), "html.parser").text.replace("\n", " ")
        assert statement["says"].split()[-1].strip("`.") in said and statement.get("chinese", "") in said


def test_the_verdicts_are_sorted_without_a_script():
    """Two buttons stand before the cards in the same element, and the style sheet orders the cards by kind."""
    page, sheet = article("folklore-on-trial"), (HTML / "_static" / "book.css").read_text(encoding="utf8")
    buttons = page.select('input[type="radio"][name="order"]')
    assert [button["id"] for button in buttons] == ["by-number", "by-outcome"]
    assert all(page.select_one(f'label[for="{button["id"]}"]') for button in buttons)
    assert page.select("#by-outcome ~ div.verdicts")
    kinds = {name for card in page.select("div.verdicts > div.verdict") for name in card["class"]} - {"verdict"}
    for kind in kinds - {"docutils", "container"}:
        assert re.search(rf"#by-outcome:checked ~ div\.verdicts \.{kind} {{ order: \d; }}", sheet), kind
        assert page.select(f"div.verdicts > p.outcome.{kind}")


def test_the_page_of_verdicts_opens_with_the_tally():
    page = article("folklore-on-trial")
    first = page.find("h1").find_next("p")
    assert "tally" in first["class"]
    counts = [int(pill.text.split()[0]) for pill in first.select(".kind")]
    assert sum(counts) == len(STATEMENTS) == 25
    kinds = [card.select_one(".kind").text for card in page.select("div.verdicts")[0].select("div.verdict")]
    assert sorted(counts) == sorted(Counter(kinds).values())


def test_how_many_claims_luck_would_pass():
    records = [
        output.metadata["lrlib_ledger"]
        for page in CHAPTERS
        for cell in cells_of(page)
        for output in cell.get("outputs", [])
        if "lrlib_ledger" in output.get("metadata", {})
    ]
    text = article("folklore-on-trial").select_one("p.ledger").text
    assert f" {sum(record['claims'] for record in records)} claims" in text
    assert f"{sum(record['expected_by_luck'] for record in records):.2g}" in text


def test_every_verdict_about_training_shows_its_trial():
    page = article("folklore-on-trial")
    outcomes = json.loads((ROOT / "trials" / "outcomes.json").read_text(encoding="utf8"))["outcomes"]
    for name in ABOUT_TRAINING:
        outcome = outcomes[name]
        times, variations, exceptions = held(outcome)
        link = page.select_one(f"#verdict-{name.lower()} a[href$='#trial-{name.lower()}']")
        assert link.text == f"Held in {times} of {variations} variations"
        assert all(exception in link.parent.text for exception in exceptions)
        rows = article("trials").select(f"#trial-{name.lower()} tbody tr")
        said = [[cell.text for cell in row.select("td")] for row in rows]
        assert said == [
            [v["name"], "yes" if v["held"] else "no", str(v.get("figure", ""))] for v in outcome["variations"]
        ]


def test_the_page_of_speed_shows_the_record():
    found = json.loads((ROOT / "tools" / "bench.json").read_text(encoding="utf8"))
    page = article("bench")
    tables = [[[cell.text for cell in row.select("td")] for row in table.select("tbody tr")] for table in page("table")]
    dense, convolutional = (float(tables[1][0][column]) for column in (1, 2))
    assert dense == pytest.approx(found["mlp_fit_over_sweep"], rel=0.005)
    assert convolutional == pytest.approx(found["cnn_fit_over_sweep"], rel=0.005)
    elsewhere = json.loads((ROOT / "tools" / "parity.json").read_text(encoding="utf8"))
    card = json.loads((ROOT / "tools" / "sweep_on_a_gpu.json").read_text(encoding="utf8"))
    shown = *ways(found), parts(found), on_a_gpu(card, found), schedules(found), beside(found, elsewhere)
    plain = [[[text.replace("`", "") for text in row] for row in rows] for rows in shown]
    assert tables == plain
    text = " ".join(page.text.split())
    for name in ("processor", "date", "tensorflow"):
        assert found["machine"][name] in text
    assert f"{found['many_lanes_peak_bytes'] / 1e6:.0f} MB" in text
    assert f"{found['width_64_over_products']:.3g} times as long" in [strong.text for strong in page("strong")]
    assert page.select_one("figure img[alt]") and page.select_one("figcaption")


def test_the_status_of_every_notebook():
    page = article("status")
    rows = [[cell.text.strip() for cell in row.select("td")] for row in page.select("table.status tbody tr")]
    links = [row.a["href"].removesuffix(".html") for row in page.select("table.status tbody tr")]
    assert links == CHAPTERS
    for _, seconds, megabytes, result, day in rows:
        assert re.fullmatch(r"[1-9]\d* s", seconds) and result == "passed" and re.fullmatch(r"\d{4}-\d\d-\d\d", day)
        assert megabytes == "–" if sys.platform != "linux" else 50 < int(megabytes.removesuffix(" MB")) < 8000
    said = page.select_one("p.versions").text
    for package in ("numpy", "keras", "jupyter-book"):
        assert f"{package} {version(package)}" in said
    assert f"Python {platform.python_version()}" in said and platform.machine() in said


def test_figures_are_recoloured_in_the_dark():
    """Where the theme lays a light ground under images, a rule of the book's, which comes later, takes it away."""
    sheet = (HTML / "_static" / "site.css").read_text(encoding="utf8")
    rules = re.findall(r'html\[data-theme="?dark"?\] \.bd-content [^{}]*\bimg\b[^{]*\{([^}]*)\}', sheet)
    assert len(rules) > 1
    assert "background-color: transparent" in rules[-1] and "filter: invert(0.9) hue-rotate(180deg)" in rules[-1]


def test_folded_code_says_what_is_inside():
    for page in CHAPTERS:
        for title in article(page).select("details.hide > summary p.admonition-title"):
            assert title.text in LABELS | {"Solution"}


@pytest.mark.parametrize("page", PAGES)
def test_no_markup_is_left_over(page):
    code = {id(text) for block in article(page).find_all(["code", "pre"]) for text in block.strings}
    words = "".join(text for text in article(page).strings if id(text) not in code)
    left = r"\{[a-z:]+\}`|```|:::|^\([\w-]+\)=$|\]\(#|<Figure size|<lrlib\."
    assert len(words) > 50 and re.findall(left, words, flags=re.MULTILINE) == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_cell_of_a_chapter_failed(page):
    for output in article(page).select(".cell_output"):
        assert "Traceback (most recent call last)" not in output.text


@pytest.mark.parametrize("page", CHAPTERS)
def test_measured_numbers_stand_in_the_prose(page):
    cells = cells_of(page)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    asked = re.findall(r"<!--[\w-]+-->(.*?)<!--/-->", prose)
    assert asked, "a chapter prints what it measured"
    assert [span.text for span in article(page).select("span.pasted-text")] == asked


@pytest.mark.parametrize("page", CHAPTERS)
def test_plain_forms_have_become_rich_ones(page):
    """As many predictions, answers, terms and functions as the notebook has; the card comes first."""
    cells = cells_of(page)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    forms = {
        "div.admonition.predict": r"^> \*\*Predict\.\*\*",
        "details.answer > summary": "<summary>Answer</summary>",
        "a[href^='../glossary.html#term-'] .std-term": r"\(\.\./glossary\.md#term-",
        "a[href^='../api.html#lrlib.'] code": r"\(\.\./api\.md#lrlib\.",
    }
    found = {form: len(article(page).select(form)) for form in forms}
    assert found == {form: len(re.findall(mark, text, re.MULTILINE)) for form, mark in forms.items()}
    assert article(page).select_one("div.sd-card .sd-card-title").text.strip() == "After this chapter you can"


@pytest.mark.parametrize("page", CHAPTERS)
def test_each_notebook_can_be_downloaded_as_it_is(page):
    """In the plain form, outputs included, under the name that it has in the repository."""
    button = soup(HTML / f"{page}.html").select_one("a.btn-download-source-button")
    file = (HTML / f"{page}.html").parent / button["href"]
    assert file.resolve().read_bytes() == (ROOT / f"{page}.ipynb").read_bytes()


def test_every_module_of_the_library_has_its_docstrings_on_a_page():
    modules = {f"lrlib.{path.stem}" for path in (ROOT / "lrlib").glob("[!_]*.py")}
    modules |= {f"lrlib.{path.parent.name}" for path in (ROOT / "lrlib").glob("*/__init__.py")}
    sections = {tag["id"] for tag in article("api").find_all(id=re.compile(r"^module-"))}
    assert sections == {f"module-{module}" for module in modules}


@pytest.mark.parametrize("path", files(), ids=relative)
def test_repairs_of_the_theme(path):
    page = soup(path)
    assert not page.select('script[src*="fontawesome"], script[src*="thebe"]')
    assert page.body["data-default-mode"] == "auto"
    assert len(page.select(".search-button-field")) == 1
    for tag in page.select("button[aria-label], summary[aria-label], a[aria-label]"):
        words = " ".join(tag.get_text(" ").split()).lower()
        assert words in tag["aria-label"].lower(), "its name must contain the words that it shows"


# The project's address stands in _config.yml alone; whatever else names it has to follow.

OTHERS = {"KaTeX/KaTeX", "pytorch/pytorch", "tensorflow/tensorflow"}  # projects of other people that our files may name
OTHERS |= {"fastai/fastai", "Lightning-AI/pytorch-lightning"}
OTHERS |= set(
    re.findall(r"github\.com/([\w-]+/[\w-]+)", (ROOT / "references.bib").read_text(encoding="utf8"))
)  # and cite


def tracked_files():
    """What is or may be committed, less other people's works: the vendored KaTeX and the literature."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        theirs = "katex" in Path(name).name.lower() or name == "references.bib"
        if (ROOT / name).is_file() and not theirs:
            yield name


def addresses():
    """Every (file, owner/name, branch or None) by which a tracked file names a repository."""
    part = r"([\w.-]+?)"
    end = r"(?:\.git)?(?![\w-])"
    patterns = {  # and a word that is in all that they find, as most files have none
        "github": rf"(?:raw\.)?github(?:usercontent)?\.com[/:]{part}/{part}{end}"
        rf"(?:/(?:blob|tree|raw)/{part}(?![\w-]))?",
        "mybinder": rf"mybinder\.org/v2/gh/{part}/{part}/{part}(?![\w-])",
        "colab": rf"colab\.research\.google\.com/github/{part}/{part}/blob/{part}(?![\w-])",
        "img.shields": rf"img\.shields\.io/github/[\w/-]+?/{part}/{part}{end}()",
        ".github.io": rf"{part}\.github\.io/{part}(?![\w-])()",
    }
    for file in tracked_files():
        try:
            text = (ROOT / file).read_text(encoding="utf8")
        except UnicodeDecodeError:
            continue
        for pattern in (pattern for word, pattern in patterns.items() if word in text):
            for owner, name, branch in re.findall(pattern, text):
                yield file, f"{owner}/{name}", branch or None


def test_every_address_follows_the_one_in_the_configuration():
    found = [(file, repository, branch) for file, repository, branch in addresses()]
    wrong = [
        (file, repository, branch)
        for file, repository, branch in found
        if repository not in OTHERS and (repository != f"{OWNER}/{NAME}" or branch not in {None, BRANCH})
    ]
    assert wrong == [], f"_config.yml says {REPOSITORY}, branch {BRANCH}"
    assert "_config.yml" in {file for file, repository, _ in found if repository not in OTHERS}


def test_metadata_names_the_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert project["urls"]["Repository"] == REPOSITORY
    assert citation["repository-code"] == REPOSITORY


def test_a_reader_is_told_the_address():
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    assert f"git clone {REPOSITORY}" in readme
    assert f"https://{OWNER}.github.io/{NAME}" in readme


def test_a_program_that_set_a_formula_ends():
    """Its engine runs a thread, for which Python must not wait at the exit."""
    code = "import sys; sys.path.append('_ext'); import site_maths; print(site_maths.render('x^2', True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "katex" in run.stdout
