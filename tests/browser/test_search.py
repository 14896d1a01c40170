"""The search finds words as readers write them, in both languages, and says where they stand."""

import re
from urllib.parse import quote

import pytest
from where import PHONE, ROOT

ASK = """(question) => {
  const field = document.querySelector(".bd-search-container input");
  field.value = question;
  field.dispatchEvent(new Event("input"));
  return [...document.querySelectorAll("#search-results li")].map((item) => ({
    address: item.querySelector("a").getAttribute("href"),
    title: item.querySelector("a").textContent,
    excerpt: item.querySelector("p").textContent,
    marks: [...item.querySelectorAll("mark")].map((mark) => mark.textContent),
  }));
}"""

WARMUP = "chapters/08-warmup.html#warmup-the-first-twenty-steps"


@pytest.fixture
def ask(visit):
    page = visit("search")

    def ask(question):
        return page.evaluate(ASK, question)

    yield ask
    assert page.messages == [] and page.foreign == []


def test_words_are_found_however_they_are_written(ask):
    found = ask("staircase")
    assert any(one["address"] == "glossary.html#term-staircase" for one in found)
    assert [(one["address"], one["excerpt"]) for one in found] == [
        (one["address"], one["excerpt"]) for one in ask("Staircases")
    ]
    assert {mark.lower() for one in found for mark in one["marks"]} >= {"staircase"}
    assert ask("warm-up") == ask("warmup") != []
    assert {"glossary.html#term-warmup", WARMUP} <= {one["address"] for one in ask("warmup")[:5]}
    assert [one["address"] for one in ask("inverse time decay")] != []
    assert all("learning" in (one["title"] + one["excerpt"]).lower() or one["marks"] for one in ask("learning rate"))
    assert ask("nothingofthekind") == [] and ask("") == [] and ask("(") == []


def test_chinese_is_found(ask):
    terms = re.findall(r"^  ([\u4e00-\u9fff]+)", (ROOT / "glossary.md").read_text(encoding="utf8"), re.MULTILINE)
    assert len(terms) > 30
    for term in terms:
        assert any(one["address"].startswith("glossary.html#term-") for one in ask(term)), term
    assert {"zh.html", "glossary.html"} <= {one["address"].partition("#")[0] for one in ask("分数减缓")}


def test_excerpts_say_something(ask):
    for question in ("staircase", "momentum", "gradient", "衰减"):
        for one in ask(question):
            assert len(one["excerpt"]) > 15, one
            assert not re.search(
                r"cell_type|Skip to main|Search this book|Back to top|\\\\frac|\{\{", one["excerpt"]
            ), one
    (parabola,) = (one["excerpt"] for one in ask("parabola of curvature") if "steepest-fall" in one["address"])
    assert "curvature λ. From" in parabola and "by a factor …. An update" in parabola, parabola
    assert not any("How this is" in one["excerpt"] for one in ask("batches long"))


def test_results_lead_to_their_place(visit):
    page = visit(f"search.html?q={quote('condition number')}")
    page.locator("#search-results a").first.click()
    page.wait_for_load_state()
    assert page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))) !== null")


def test_the_question_comes_from_any_page(visit):
    page = visit("index", size=PHONE)
    page.locator(".search-button__button:visible").first.click()
    field = page.locator("#pst-search-dialog input")
    clear_of_the_magnifier(page, "#pst-search-dialog")
    field.fill("plateau loss")
    field.press("Enter")
    page.wait_for_url("**/search.html?q=*")
    assert page.locator(".bd-search-container input").input_value() == "plateau loss"
    assert page.locator("#search-results [role=status]").inner_text()
    clear_of_the_magnifier(page, ".bd-search-container")


def clear_of_the_magnifier(page, place):
    icon = page.locator(f"{place} .fa-magnifying-glass").bounding_box()
    field = page.locator(f"{place} input").bounding_box()
    padding = page.locator(f"{place} input").evaluate("field => parseFloat(getComputedStyle(field).paddingLeft)")
    assert icon["x"] + icon["width"] <= field["x"] + padding
