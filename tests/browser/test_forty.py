"""The 40 steps, line by line: the numbers are those of lrlib, and of the article as far as float64 can be."""

import numpy as np
import pytest
from where import DESK, PHONE, ROOT

from lrlib import ExponentialDecay, Quadratic, gradient_descent

CHAPTER = "chapters/06-exponential-decay-in-tensorflow"
ARTICLE = (ROOT / "tests" / "data" / "article-printout.txt").read_text(encoding="utf8").splitlines()[:40]


@pytest.fixture
def forty(live):
    return lambda **options: live(CHAPTER, "forty", **options)


@pytest.fixture(scope="module")
def arithmetic(new_page):
    """A page for what is computed on it, which none of its tests changes."""
    page = new_page(CHAPTER)
    yield page
    page.context.close()


def test_the_runs_are_those_of_lrlib(arithmetic):
    page = arithmetic
    for base in (0.01, 0.1, 0.5, 0.9, 1.2):
        for decay in (0.8, 0.95, 0.99, 1.0):
            lines = page.evaluate("([base, decay]) => LrFigure.maths.forty.run(base, decay)", [base, decay])
            schedule = ExponentialDecay(base, 1, decay, staircase=True)
            run = gradient_descent(Quadratic(2.0, minimum=-1.0), 5.0, schedule, 40)
            for name, expected in [
                ("applied", run.applied),
                ("printed", schedule(run.steps + 1)),
                ("before", run.parameters[:-1]),
                ("w", run.parameters[1:]),
                ("loss", run.losses[1:]),
            ]:
                got = [line[name] for line in lines]
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{name} {base} {decay}")


def figures(line):
    return [part.split(":")[1] for part in line.split(",")]


def test_the_lines_are_the_articles_to_the_digits_that_float64_shares_with_it(arithmetic):
    """The article computed in float32. 19 of its 40 lines come out to the letter; elsewhere a rate is off by one unit
    of its last digit at most, a w by two, a loss by nine, on line 34."""
    page = arithmetic
    lines = page.evaluate("LrFigure.maths.forty.run(0.1, 0.99).map(LrFigure.maths.forty.printed)")
    assert sum(ours == theirs for ours, theirs in zip(lines, ARTICLE, strict=True)) == 19
    most = {"rate": 0, "loss": 0, "w": 0}
    for ours, theirs in zip(lines, ARTICLE, strict=True):
        assert figures(ours)[0] == figures(theirs)[0]
        for name, one, other in zip(most, figures(ours)[1:], figures(theirs)[1:], strict=True):
            unit = 10.0 ** (np.floor(np.log10(abs(float(other)))) - 5)
            most[name] = max(most[name], round(abs(float(one) - float(other)) / unit))
    assert most == {"rate": 1, "loss": 9, "w": 2}


def test_numbers_are_written_as_c_does(arithmetic):
    page = arithmetic
    for number in (0.1, 23.04, 3.8, 8.036621e-05, 1e-4, 123456.7, 1234567.0, -0.99573125, 0.0, 5e-324):
        assert page.evaluate("x => LrFigure.maths.forty.g(x)", number) == f"{number:g}"


@pytest.mark.parametrize(("size", "dark"), [(PHONE, True), (DESK, False)])
def test_line_by_line_with_the_keyboard(forty, size, dark):
    page, figure = forty(size=size, dark=dark)
    state, current = figure.locator(".lr-state"), figure.locator("[aria-current]")
    value = lambda name: figure.locator(f"dt:text-is('{name}') + dd").inner_text()  # noqa: E731
    assert state.inner_text() == "Line 0 prints 0.099, but 0.1 moved w: the printed rate is the one of step 1."
    assert (value("applied"), value("printed"), value("global_step")) == ("0.1", "0.099", "1")
    figure.get_by_role("button", name="Start again").press("Enter")
    assert current.inner_text().strip() == "w, global_step = 5.0, 0"
    assert (value("applied"), value("printed"), value("w")) == ("–", "–", "5")
    press = figure.get_by_role("button", name="Next line").press
    for line, words in [
        ("for step in range(40):", "Step 0 begins."),
        ("applied = base * decay ** global_step", "Step 0 takes the rate at global_step 0: 0.1."),
        ("w = w - applied * 2 * (w + 1)", "Step 0 applies 0.1: w moves from 5 to 3.8."),
        ("global_step = global_step + 1", "The update has raised global_step to 1, before anything is printed."),
        ("printed = base * decay ** global_step", "Now the program asks for the rate: at global_step 1 it is 0.099."),
        ("print(step, printed, (w + 1) ** 2, w)", "Line 0 prints 0.099, but 0.1 moved w"),
    ]:
        press("Enter")
        assert current.inner_text().strip() == line
        assert state.inner_text().startswith(words)
    assert figure.locator(".lr-output").inner_text().strip() == ARTICLE[0]
    figure.get_by_role("button", name="Next step").press("Enter")
    assert figure.locator(".lr-output").inner_text().strip() == ARTICLE[1]
    figure.get_by_role("button", name="Run to the end").press("Enter")
    assert state.inner_text().startswith("The end, w is -0.995731. Line 39 prints 0.0669, but 0.06757 moved w")
    assert figure.get_by_role("button", name="Next line").is_disabled()
    assert page.messages == []


def test_a_phone_breaks_no_line_of_the_program_and_no_number(forty):
    """In the letters of a Mac or an iPhone too, which are 0.62 of their size wide; here they are 0.6."""
    page, figure = forty(size=PHONE)
    figure.get_by_role("button", name="Run to the end").click()
    page.add_style_tag(content="lr-figure .lr-program { letter-spacing: .02em }")
    for what, count in ((".lr-program:not(.lr-output) > li", 9), (".lr-values :is(dt, dd)", 10)):
        lines = figure.locator(what).evaluate_all(
            "all => all.map(e => e.offsetHeight / parseFloat(getComputedStyle(e).fontSize))"
        )
        assert len(lines) == count and max(lines) < 2, what


def test_the_rates_can_be_dragged(forty):
    page, figure = forty()
    figure.get_by_role("slider", name="Decay rate").focus()
    page.keyboard.press("End")
    assert "Line 0 prints 0.1, but 0.1 moved w" not in figure.locator(".lr-state").inner_text()
    assert "the two agree" in figure.locator(".lr-state").inner_text()
    base = figure.get_by_role("slider", name="Base rate")
    box = base.bounding_box()
    page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2)
    assert float(base.get_attribute("aria-valuetext")) > 0.5
    assert page.messages == []
