"""The first page as a stranger meets it: a rate to drag and one way to start, at any width and without a script."""

from where import CHAPTERS, DESK, PHONE


def bottom(page, selector):
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"]


def test_the_first_screen(visit):
    """Title, words, Start and the live figure with its rate, without scrolling."""
    page = visit("index", size=PHONE)
    page.wait_for_selector("lr-figure[data-live]")
    for size in (PHONE, {"width": 360, "height": 800}, {"width": 768, "height": 1024}, DESK):
        page.set_viewport_size(size)
        page.evaluate("scrollTo(0, 0)")
        for part in ("article h1", ".landing-lead", "a.landing-start", 'lr-figure input[type="range"]'):
            assert 0 < bottom(page, part) <= size["height"], (size, part)
        assert page.locator("a.landing-start").bounding_box()["height"] >= 44
        before = page.locator(".lr-state").inner_text()
        page.locator('lr-figure input[type="range"]').first.press("ArrowRight")
        assert page.locator(".lr-state").inner_text() != before, "the figure answers"


def test_nothing_overflows_a_small_phone(visit):
    page = visit("index", size={"width": 320, "height": 700})
    page.wait_for_selector("lr-figure[data-live]")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    wide = "all => all.filter(e => e.getBoundingClientRect().right > 320.5 && !e.closest('pre, .bd-sidebar')).length"
    assert page.locator("article :is(p, li, img, dl, h1, h2, h3, a)").evaluate_all(wide) == 0
    small = "all => all.filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 44).length"
    assert page.locator(".landing-verdicts a").evaluate_all(small) == 0


GAPS = """(cards) => cards.map((card) => {
  const title = document.createRange();
  title.selectNodeContents(card.querySelector("h3 a").lastChild);
  return title.getBoundingClientRect().left - card.querySelector(".number").getBoundingClientRect().right;
})"""


def test_a_number_stands_apart_from_its_title(visit):
    gaps = visit("index").locator("ol.landing-chapters > li").evaluate_all(GAPS)
    assert len(gaps) == len(CHAPTERS) and min(gaps) > 3, gaps


def test_a_square_says_its_statement_when_it_is_reached(visit):
    page = visit("index")
    shown = "name => getComputedStyle(document.querySelector(`a[href$='#verdict-${name}'] .said`)).opacity"
    assert page.evaluate(shown, "s7") == "0"
    page.locator("a[href$='#verdict-s7']").focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.evaluate(shown, "s7") == "1" and page.evaluate(shown, "s11") == "0"
    page.locator("a[href$='#verdict-s11']").hover()
    assert page.evaluate(shown, "s11") == "1"
    page.keyboard.press("Enter")
    page.wait_for_url("**/folklore-on-trial.html#verdict-s7")


def test_it_is_all_there_without_a_script(visit):
    page = visit("index", java_script_enabled=False)
    assert page.locator("lr-figure > img").is_visible()
    assert page.locator(".landing-verdicts a").count() == 25
    assert page.locator("ol.landing-chapters h3 a").last.is_visible()
    page.locator("ol.landing-chapters > li").nth(1).click()
    page.wait_for_url("**/chapters/02-too-small-too-large.html")
    page.go_back()
    page.locator("a.landing-start").click()
    page.wait_for_url("**/chapters/01-what-is-a-learning-rate.html")


def test_the_keyboard_comes_to_start_before_the_figure_and_the_rest_in_order(visit):
    page = visit("index")
    page.wait_for_selector("lr-figure[data-live]")
    inside = "article :is(a[href], button, input, [tabindex='0'])"
    order = page.locator(inside).evaluate_all("all => all.map(e => e.closest('lr-figure') ? 'figure' : e.className)")
    order = [name for name in order if "headerlink" not in name]
    assert "landing-start" in order[0] and order[1] == "figure"
    tops = page.locator(".landing-verdicts a, ol.landing-chapters a, .landing-ways > *").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().top)"
    )
    assert all(after > before - 60 for before, after in zip(tops, tops[1:], strict=False))


def test_pictures_come_when_they_are_needed(visit):
    page = visit("index", size=PHONE)  # where most are too far away to be asked for at once
    page.wait_for_load_state("networkidle")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(e => e.name)")
    sources = page.locator("ol.landing-chapters img").evaluate_all("all => all.map(e => e.src)")
    assert len(sources) == len(CHAPTERS) and not set(sources) <= set(loaded)
    for image in page.locator("ol.landing-chapters img").all():
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
    assert page.locator("ol.landing-chapters img").evaluate_all("all => all.every(e => e.naturalWidth > 0)")
