"""Every prediction is entered and compared, every option of every question is pressed, by hand as a reader would."""

import json
import re

import nbformat
import pytest
from axe import OF_COLOURS, violations
from bs4 import BeautifulSoup
from walk import screen
from where import CHAPTERS, HTML, PHONE, ROOT, each

PARTS = "div.admonition.predict, ul.options, div.reason"


def records(name):
    """What the notebook has left for each box."""
    cells = nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [json.loads(o.metadata["lrlib_outcome"]) for o in outputs if "lrlib_outcome" in o.get("metadata", {})]


def compare(box):
    """Press the button by keyboard; what is said then."""
    box.get_by_role("button", name="Compare").press("Enter")
    return box.get_by_role("status").inner_text()


def capital(words):
    return re.sub("^[a-z](?=[a-z])", lambda letter: letter[0].upper(), words)


def type_numbers(box, label, entries):
    for said in entries:
        box.get_by_label(label, exact=True).fill(said)
        yield compare(box)


def press_choices(box, label, entries):
    group = box.get_by_role("radiogroup", name=label, exact=True)
    for said in entries:
        group.get_by_role("radio", name=said, exact=True).press("Space")
        yield compare(box)
        group.get_by_role("radio", name=said, exact=True).press("ArrowRight")


# A hand takes ten times as long as a script that does the same, so it does it in one chapter.
ENTER = """(box, [label, entries]) => {
  const ask = [...box.querySelectorAll(".ask")].find((ask) => ask.querySelector("span").textContent === label);
  const field = ask.querySelector("input[type=text]");
  return entries.map((said) => {
    if (field) field.value = said;
    else [...ask.querySelectorAll("label")].find((option) => option.textContent === said).click();
    box.querySelector("[type=submit]").click();
    return box.querySelector("[role=status]").innerText;
  });
}"""
QUESTIONS = """(questions) => questions.map((question) => {
  const reason = question.nextElementSibling;
  const answers = [...reason.nextElementSibling.querySelectorAll("li")];
  return [reason.role, reason.innerText, answers.map((answer) => answer.textContent)];
})"""
PRESSED = """(button) => {
  const question = button.closest("ul"), pressed = [...question.querySelectorAll("[aria-pressed=true]")];
  return [button.innerText, question.nextElementSibling.innerText, pressed.length === 1 && pressed[0] === button];
}"""
PRESS_EACH = f"(question) => [...question.querySelectorAll('button')].map((b) => (b.click(), ({PRESSED})(b)))"
BY_HAND = CHAPTERS[0]


def numbers(ask, near):
    """What a reader might enter, and what is said to it."""
    beyond, label, shown = ask["value"] + 2 * near * abs(ask["value"]) + 1, capital(ask["label"]), ask["shown"]
    for said, judged in ((f"{beyond:.6g}", "Too high."), (f"{2 * ask['value'] - beyond:.6g}", "Too low.")):
        yield said, f"{label}: you said {said}; it is {shown}. {judged}"
    yield shown.replace("-", "−"), f"you said {shown}, and so it is. Right."


def choices(ask, _):
    for option, reason in ask["options"]:
        right = option == ask["right"]
        verdict = f"you said “{option}”, and so it is." if right else f"you said “{option}”; it is “{ask['right']}”."
        yield option, f"{capital(ask['label'])}: {verdict} {reason}"


def draw(page, box, ask):
    """By keyboard a line along the upper edge, then by mouse one along the measured points."""
    svg = box.get_by_role("group", name=f"Draw: {ask['label']}", exact=True)
    points = svg.get_by_role("slider")
    assert points.count() == min(11, len(ask["x"]))
    assert svg.locator('[tabindex="0"]').count() == 1
    svg.locator('[tabindex="0"]').focus()
    for _ in range(points.count()):
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
    assert {point.get_attribute("aria-valuenow") for point in points.all()} == {"100"}
    said = compare(box)
    assert "Too high above all" in said and "what came out" in svg.locator("..").inner_text()
    worst = re.search(r"and (\S+) came out", said)[1]
    assert any(float(f"{y:.2g}") == float(worst) for y in ask["y"])

    places = [int(i * (len(ask["x"]) - 1) / (points.count() - 1) + 0.5) for i in range(points.count())]
    svg.scroll_into_view_if_needed()
    line = svg.locator(".measured").evaluate(  # where the measured points stand in the window
        """(path, places) => places.map((i) => {
          const [x, y] = path.getAttribute("d").slice(1).split("L")[i].split(" ").map(Number);
          const at = new DOMPoint(x, y).matrixTransform(path.getScreenCTM());
          return [at.x, at.y];
        })""",
        places,
    )
    page.mouse.move(*line[0])
    page.mouse.down()
    for at in line[1:]:
        page.mouse.move(*at)
    page.mouse.up()
    assert re.search(r"off by [01] % of the axis on average\. Right\.", compare(box))


def press_by_hand(question):
    for place, button in enumerate(question.get_by_role("button").all()):
        button.press("Space" if place else "Enter")
        yield button.evaluate(PRESSED)


def press_every_option(page, by_hand):
    """(how many questions, how many options) there are; each tells its own reason."""
    questions = page.locator("ul.options")
    options = 0
    for question, (role, before, answers) in zip(questions.all(), questions.evaluate_all(QUESTIONS), strict=True):
        assert role == "status" and before == ""
        told = []
        for option, words, alone in press_by_hand(question) if by_hand else question.evaluate(PRESS_EACH):
            letter = re.match(r"\((\w)\)", option)[1]
            assert alone and f"({letter})" in words
            (answer,) = [answer for answer in answers if re.match(rf"[^.:]*\({letter}\)", answer)]
            right = "is right:" in answer
            assert words.startswith("Right. " if right else "Not this one. ")
            told.append(words)
        assert len(set(told)) == len(told) >= 3 and sum(words.startswith("Right") for words in told) == 1
        options += len(told)
    return questions.count(), options


@each(CHAPTERS)
def test_every_prediction_and_every_question(seen):
    """test_axe.py has asked axe about the page as it comes; here it is asked when all has been answered."""
    page, name = seen.page, re.search(r"chapters/[\w-]+", seen.address)[0]
    by_hand, record_of_each = name == BY_HAND, records(name)
    entries, hands = {"number": numbers, "choice": choices}, {"number": type_numbers, "choice": press_choices}
    screen(page, PHONE, phone=True)
    boxes, asked = page.locator("div.admonition.predict"), len(page.asked)
    assert boxes.count() == len(record_of_each) > 0
    for box, record in zip(boxes.all(), record_of_each, strict=True):
        assert compare(box) == "Enter a prediction first, or read on."
        for ask in record["asked"]:
            if ask["kind"] == "curve":
                draw(page, box, ask)
                continue
            enter = hands[ask["kind"]] if by_hand else lambda box, *said: box.evaluate(ENTER, said)
            entered, expected = zip(*entries[ask["kind"]](ask, record["near"]), strict=True)
            label = capital(ask["label"])
            for answer, said in zip(expected, enter(box, label, entered), strict=True):
                assert answer in said
            if ask["kind"] == "choice":
                group = box.get_by_role("radiogroup", name=label, exact=True)
                assert group.get_by_role("radio").count() == len(entered)
    kinds = {ask["kind"] for record in record_of_each for ask in record["asked"]}
    assert kinds == {*hands, "curve"} or not by_hand
    questions, options = press_every_option(page, by_hand)
    assert questions == page.locator("details.answer").count() >= 3 and options >= 9
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert violations(page, PARTS) == []
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert violations(page, PARTS, rules=OF_COLOURS) == []
    assert page.asked[asked:] == page.foreign == page.messages == []
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") <= 2  # the theme's


def test_what_is_no_number_is_told(visit):
    page = visit(CHAPTERS[0])
    box = page.locator("div.admonition.predict").first
    field = box.get_by_role("textbox").first
    for said, value in (("1,5", "1.5"), ("3/2", "3/2"), (" 1.5e0 ", "1.5e0")):
        field.fill(said)
        assert f"you said {said.strip()}; it is 3. Too low." in compare(box), value
    field.fill("three")
    assert "“three” is no number." in compare(box)
    assert field.get_attribute("aria-invalid") is not None and field.evaluate("it => it === document.activeElement")


@pytest.mark.parametrize("name", CHAPTERS)
def test_without_a_script_there_is_the_text(name):
    page = BeautifulSoup((HTML / f"{name}.html").read_text(encoding="utf8"), "html.parser")
    boxes = page.select("div.admonition.predict")
    assert len(boxes) == len(records(name)) and page.select("div.admonition.predict form, ul.options") == []
    assert all(len(box.text) > 40 and "{" not in box.text for box in boxes)
    assert len(page.select("details.answer > summary")) >= 3


def test_without_a_script_an_answer_unfolds(visit):
    page = visit(CHAPTERS[0], java_script_enabled=False)
    assert page.locator("ul.options, div.admonition.predict form").count() == 0
    page.locator("details.answer summary").first.click()
    assert page.locator("details.answer li").first.is_visible()
