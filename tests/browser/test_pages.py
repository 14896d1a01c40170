"""Every page, as a browser meets it: nothing from elsewhere, nothing in the console."""

import pytest
from where import PAGES


@pytest.mark.parametrize("name", PAGES)
def test_no_other_host_and_a_silent_console(visit, name):
    page = visit(name)
    assert page.foreign == [] and page.messages == []
    assert page.locator("article h1").count() == 1
