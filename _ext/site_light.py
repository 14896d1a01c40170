"""Pages that are light: pictures in a small format that keep their place, scripts that wait, one style sheet.

All of it happens at the end of a build, to pages that may have been through it before: doing it twice is doing it once.
"""

import re
import struct
from functools import cache
from pathlib import Path

import site_sheet
import site_svg
from PIL import Image

COLOURS = 64  # of a picture, its transparency counted in: three quarters of the bytes go, and no eye sees it
ALWAYS = {"documentation_options", "sphinx-book-theme", "bootstrap", "pydata-sphinx-theme"}
WHERE = {  # the theme's other scripts, and what a page must have to need them
    "clipboard.min": r'<div class="highlight',
    "copybutton": r'<div class="highlight',
    "togglebutton": r'class="(?:[^"]* )?(?:toggle[ "]|admonition [^"]*dropdown)',
    "design-tabs": r'class="sd-tab-set',
    "searchtools": None,
    "language_data": None,
    "searchindex": None,
    "doctools": None,
    "sphinx_highlight": None,
}
SCRIPT = re.compile(r'[ \t]*<script\b([^>]*)\bsrc="(?:\.\./)*([^"?]+)\.js(?:\?[^"]*)?"([^>]*)></script>\n?')
SETTING = re.compile(r"[ \t]*<script>(?:let toggle|var togglebutton)[^<]*</script>\n?")
LATE = re.compile(r"[ \t]*<script>DOCUMENTATION_OPTIONS\.[^<]*</script>\n?")  # for a search as one types, and versions
PRELOAD = re.compile(r'[ \t]*<link rel="preload" as="script"[^>]*>\n?')
# Light or dark is settled before anything is drawn; the theme's own script comes too late for that.
THEME = 'dataset.theme = localStorage.getItem("theme") || "auto";'
AT_ONCE = (
    'dataset.theme = ["light", "dark"].find((theme) => theme === document.documentElement.dataset.mode)\n'
    '      || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
)
IMAGE = re.compile(r"<img\b[^>]*>")


@cache
def small(path):
    """The file of this picture as the site shows it, and its size in the page's dots."""
    if path.suffix == ".svg":
        text = path.read_text(encoding="utf8")
        size = re.search(r'<svg[^>]*?\bwidth="([\d.]+)(pt)?"\s+height="([\d.]+)', text)
        scale = 4 / 3 if size and size[2] else 1
        short = site_svg.light(text)
        if short != text:
            path.write_text(short, encoding="utf8")
        return path, (float(size[1]) * scale, float(size[3]) * scale) if size else None
    if path.suffix != ".png":
        return path, None
    wide, high = struct.unpack(">II", path.read_bytes()[16:24])
    size = wide / 2, high / 2
    target = path.with_suffix(".webp")
    if not target.is_file():
        with Image.open(path) as picture:
            picture = picture.convert("RGBA").quantize(COLOURS, method=Image.Quantize.FASTOCTREE).convert("RGBA")
            picture.save(target, lossless=True, quality=75, method=4)
    return target, size


def image(tag, page, folder, late):
    """The tag with the small file, its size, and whether it may wait."""
    source = re.search(r'\bsrc="([^"]+)"', tag)
    file = (folder / source[1]).resolve() if source and ":" not in source[1] else None
    if file and file.is_file() and "_images" in file.parts:
        target, size = small(file)
        tag = tag.replace(source[1], source[1].removesuffix(file.name) + target.name)
        given = re.search(r'style="width: ([\d.]+)px; height: ([\d.]+)px;"', tag)
        if given:
            size, tag = (float(given[1]), float(given[2])), tag.replace(given[0], "")
        if size and not re.search(r"\b(?:width|height)=", tag):
            tag = tag.replace("<img", f'<img width="{size[0]:.0f}" height="{size[1]:.0f}"', 1)
    if late and "loading=" not in tag:
        tag = tag.replace("<img", '<img loading="lazy"', 1)
    return tag


def pictures(page, folder):
    """What stands before the first heading of a section is on the first screen; all else waits until it is near."""
    start, end = page.find("<article"), page.find("<h2", page.find("<article"))
    first = lambda match: start < match.start() < (end if end > 0 else len(page))  # noqa: E731
    return IMAGE.sub(lambda match: image(match[0], page, folder, not first(match)), page)


def plain_words(styles):
    """The classes of words in code that have no look of their own: in every theme they are as the code around them."""
    plain = None
    for theme in re.findall(r'html\[data-theme="\w+"\]', styles):
        rules = dict(re.findall(re.escape(theme) + r" \.highlight (?:\.(\w+) )?\{ ?([^}]*?) ?\}", styles))
        ink = re.search(r"color: #\w+$", rules[""])[0]
        found = {name for name, rule in rules.items() if name and rule == ink}
        plain = found if plain is None else plain & found
    return plain or set()


def code(page, plain):
    """Code without the spans that change nothing."""
    if not plain:
        return page
    span = re.compile(rf'<span class="(?:{"|".join(sorted(plain))})">([^<]*)</span>|<span></span>')
    block = re.compile(r'<div class="highlight">\s*<pre.*?</pre>', re.DOTALL)
    return block.sub(lambda found: span.sub(lambda word: word[1] or "", found[0]), page)


def scripts(page):
    """Only those that this page needs, and none before the text."""

    def script(match):
        name = match[2].rpartition("/")[2]
        if name in WHERE and (WHERE[name] is None or not re.search(WHERE[name], page)):
            return ""
        if re.search(r"\b(?:defer|async|type)\b", match[1] + match[3]):
            return match[0]
        return match[0].replace("<script", "<script defer", 1)

    if not re.search(WHERE["togglebutton"], page):
        page = SETTING.sub("", page)
    page = page.replace(THEME, AT_ONCE)
    return LATE.sub("", PRELOAD.sub("", SCRIPT.sub(script, page)))


def loaded(pages, out):
    """The text of every script that some page loads, and of those that stand in the pages."""
    files = {name for page in pages for _, name, _ in SCRIPT.findall(page)}
    for name in sorted(files):
        if (out / f"{name}.js").is_file():
            yield (out / f"{name}.js").read_text(encoding="utf8")
    for page in pages:
        yield from re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, flags=re.DOTALL)


def lighten(app, exception):
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    files = [file for file in sorted(out.rglob("*.html")) if "_static" not in file.relative_to(out).parts]
    old = [file.read_text(encoding="utf8") for file in files]
    styles = out / "_static" / "pygments.css"
    plain = plain_words(styles.read_text(encoding="utf8")) if styles.is_file() else set()
    pages = [pictures(scripts(code(page, plain)), file.parent) for file, page in zip(files, old, strict=True)]
    pages = site_sheet.one_sheet(pages, list(loaded(pages, out)), out / "_static")
    for file, before, after in zip(files, old, pages, strict=True):
        if before != after:
            file.write_text(after, encoding="utf8")


def setup(app):
    app.connect("build-finished", lighten, priority=900)  # when the others have done what they do to pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}
