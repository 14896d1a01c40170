"""Chapters have the number of their file, by which the text cites them, and not that of their place among the pages.

Sphinx counts the pages of the table of contents. Where chapters are still missing, that would make the thirteenth a
seventh. So once it has counted, the first number of all that is in ``chapters/13-…`` becomes 13: titles, figures.
"""

import re

CHAPTER = re.compile(r"chapters/(\d+)-")


def by_file(app, env):
    """Renumber the chapters; return those whose pages must be written again."""
    changed = []
    for page, sections in env.toc_secnumbers.items():
        name, old = CHAPTER.match(page), sections.get("")
        if not name or not old or old[0] == (number := int(name[1])):
            continue
        renumbered = {anchor: (number, *each[1:]) if each else each for anchor, each in sections.items()}
        env.toc_secnumbers[page] = renumbered
        for figures in env.toc_fignumbers.get(page, {}).values():
            figures.update({anchor: (number, *each[1:]) for anchor, each in figures.items()})
        for node in [env.titles[page], *env.tocs[page].findall()]:
            if getattr(node, "attributes", {}).get("secnumber"):
                node["secnumber"] = [number, *node["secnumber"][1:]]
        changed.append(page)
    return changed


def setup(app):
    app.connect("env-get-updated", by_file, priority=900)  # after Sphinx's own count
    return {"parallel_read_safe": True, "parallel_write_safe": True}
