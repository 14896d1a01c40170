"""Small repairs to the pages of sphinx-book-theme 1.3; tests/test_site.py asks for each of them."""

import re
from pathlib import Path

READER = Path(__file__).parent / "reader"  # its script for every page

REPAIRS = [
    # 1.5 MB of script that draws icons which the icon font draws already.
    (r'\s*<script [^>]*src="[^"]*/fontawesome\.js[^"]*"[^>]*></script>', ""),
    # A name that says something else than the text in the element; the text is the better name.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'(<button class="btn search-button-field[^>]*?) aria-label="Search"', r"\1"),
    # The switch of colours; page.js adds how it stands.
    (r'(<button class="btn[^>]*theme-switch-button[^>]*?) aria-label="Color mode"', r'\1 aria-label="Colours"'),
    # A landmark around the book's title and the list of its pages.
    (
        r'<div class="sidebar-primary-items__start sidebar-primary__section">',
        '<div class="sidebar-primary-items__start sidebar-primary__section" role="navigation" aria-label="Book">',
    ),
    # A heading without words heads nothing.
    (r'<th class="(head[^"]*)">\s*(?:<p>\s*</p>)?\s*</th>', r'<td class="\1"></td>'),
    # A role that ARIA has dropped; the entries stand in a list.
    (r' role="doc-biblioentry"', ' role="listitem"'),
]


def rewrite(out, change):
    """Change every HTML file below a folder: ``change(text, name)``, the name without its ending."""
    for file in sorted(out.rglob("*.html")):
        old = file.read_text(encoding="utf8")
        new = change(old, file.relative_to(out).with_suffix("").as_posix())
        if new != old:
            file.write_text(new, encoding="utf8")


def repaired(text, _):
    for pattern, replacement in REPAIRS:
        text = re.sub(pattern, replacement, text)
    return text


def repair(app, exception):
    if not exception and app.builder.format == "html":
        rewrite(Path(app.outdir), repaired)


def setup(app):
    app.connect("config-inited", lambda app, config: config.html_static_path.append(str(READER)))
    app.add_js_file("page.js", loading_method="defer")
    app.connect("build-finished", repair)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
