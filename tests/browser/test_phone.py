"""On a phone what is touched is large enough for a finger; that nothing is too wide, test_pages.py asks."""

from where import CHAPTERS, each


@each(CHAPTERS)
def test_fingers_and_copy_buttons(seen):
    """Only what a reader would run has a button to copy it; button and fold are seen, and 44 pixels high."""
    assert seen.outputs_with_buttons == 0
    assert len(seen.buttons) == seen.inputs > 0
    assert all(width >= 44 and height >= 44 and opacity == "1" for width, height, opacity in seen.buttons)
    assert seen.folds and all(height >= 44 for _, height, _ in seen.folds)


@each(CHAPTERS)
def test_safari_need_not_enlarge_the_page_for_a_field(seen):
    """As it does on a phone where one touches a field or a choice whose letters have less than 16 pixels."""
    assert [field for field, size in seen.typed if size < 16] == []
