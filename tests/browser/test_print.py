"""A page on paper: no line is cut, what was folded stands open, and nothing is left of the menus."""

from walk import PAPER
from where import CHAPTERS, PAGES, each


@each(PAGES)
def test_paper(seen):
    """On the way back to the screen the folds were closed again, and the dark was back."""
    assert (seen.paper.cut, seen.paper.hidden, seen.paper.empty, seen.paper.menus) == ([], [], [], 0)
    assert seen.paper.title
    (ink,) = seen.paper.ink
    assert max(map(int, ink.removeprefix("rgb(").removesuffix(")").split(","))) < 100, "dark ink on paper"


def test_the_folds_open_in_print_without_a_script(visit):
    page = visit(CHAPTERS[1], size=PAPER, java_script_enabled=False)
    page.emulate_media(media="print")
    code = page.locator("article details pre").first.bounding_box()
    assert code and code["height"] > 20
