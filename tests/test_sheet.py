"""The one style sheet of the site holds what every page needs, also after a build that has written only some anew."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "_ext"))
from site_sheet import one_sheet  # noqa: E402


def test_a_page_that_is_not_written_anew_keeps_its_rules(tmp_path):
    (tmp_path / "all.css").write_text("p.everywhere { margin: 0 }")
    (tmp_path / "chapter.css").write_text("p.chapter { margin: 1px }")
    link = '<link rel="stylesheet" href="../_static/{}.css?v=1">\n'
    index = link.format("all") + '<p class="everywhere"></p>'
    chapter = link.format("all") + link.format("chapter") + '<p class="chapter everywhere"></p>'

    first = one_sheet([chapter, index], [], tmp_path)
    whole = (tmp_path / "site.css").read_text()
    assert "p.everywhere" in whole and "p.chapter" in whole
    assert all(page.count("<link") == 1 and "site.css?v=" in page for page in first)

    again = one_sheet([first[0], index], [], tmp_path)
    assert (tmp_path / "site.css").read_text() == whole and again == first
    assert one_sheet(again, [], tmp_path) == again
