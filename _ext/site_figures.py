"""Figures that answer the hand, as a page has them: the directive ``{figure-live}``, and scripts that are files.

In a notebook such a figure brings its script and its picture along. On the site both are files, which a page loads only
if it has the figure: the scripts when the page has been read, the picture only where no script runs. The place of the
figure is kept free for it, so that the text below does not jump.
"""

import base64
import hashlib
import re
import shutil
import struct
from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from lrlib import interactive

FIGURE = re.compile(r'(<lr-figure kind="(\w+)".*?</lr-figure>)(\s*<script>.*?</script>)?', re.DOTALL)
PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')
FOLDER = "lrlib"  # below _static

# How high a figure is before its script has drawn it, 100cqi being the width of the text; a test in the browser
# measures the jump that is left.
ROOM = {
    "bowl": "calc(0.89 * min(27.5rem, 100cqi) + 14.4rem + var(--words, 0rem))",
    "forty": "calc(0.976 * min(27.5rem, 100vw - 2rem) + 26.8rem + max(0px, min(2.55rem, (480px - 100vw) * 1000)))",
    "decays": "calc(0.58 * min(27.5rem, 100vw - 3rem) + 40.8rem)",
    # one below the other on a phone, side by side where there is room; below them the choice of a sweep
    "sweep": "calc(min(1.412 * min(100cqi - 1rem, 27.5rem) + 0.5rem, 0.353 * (min(100cqi - 1rem, 46rem) - 1rem) + "
    "max(0px, (40rem - 100cqi) * 1000)) + 6.9rem + var(--choice, 0rem))",
}
CHOICE = "2.75rem"
STYLE = """<style>
lr-figure > img { max-width: 100%; height: auto; }
/* The theme gives outputs in HTML a light ground in the dark. */
html .bd-content div.cell_output div.text_html:has(> lr-figure) { padding: 0; background: none !important; }
@media screen and (scripting: enabled) {
  lr-figure:not([data-live]) { display: block; max-width: 27.5rem; }
  lr-figure:not([data-live]) > img { display: none !important; } /* fetched where no script runs */
  ROOM
}
</style>
"""


class FigureLive(SphinxDirective):
    """``{figure-live} bowl``: the figure of ``lrlib.interactive.bowl()``; its content are the arguments, in YAML."""

    required_arguments = 1
    has_content = True
    option_spec = {"caption": directives.unchanged, "name": directives.unchanged, "class": directives.class_option}

    def run(self):
        given = yaml.safe_load("\n".join(self.content)) or {}
        figure = getattr(interactive, self.arguments[0])(**given)
        drawn = nodes.raw("", figure._repr_mimebundle_()["text/html"], format="html")
        block = nodes.figure("", drawn, classes=["live", *self.options.get("class", [])])
        if "caption" in self.options:
            words, messages = self.state.inline_text(self.options["caption"], self.lineno)
            block += [nodes.caption("", "", *words), *messages]
        self.add_name(block)
        self.set_source_info(block)
        return [block]


def copy_scripts(app):
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static" / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        for script in interactive.SCRIPTS.glob("*.js"):
            shutil.copyfile(script, folder / script.name)


def as_files(app, page, template, context, doctree):
    """Take scripts and pictures out of the page, and load the scripts."""
    if "<lr-figure" not in context.get("body", ""):
        return

    def picture(match):
        content = base64.b64decode(match[1])
        name = f"figure-{hashlib.sha256(content).hexdigest()[:16]}.png"
        folder = Path(app.outdir) / app.builder.imagedir
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        wide, high = struct.unpack(">II", content[16:24])
        size = f'width="440" height="{round(440 * high / wide)}"'
        return f'{size} loading="lazy" src="{context["pathto"](f"{app.builder.imagedir}/{name}", True)}"'

    def figure(match):
        drawn = match[1].replace(' width="440"', "")
        if drawn.count('"rates":') > 1:
            drawn = drawn.replace(" name=", f' style="--choice: {CHOICE}" name=', 1)
        return PICTURE.sub(picture, drawn)

    kinds = sorted({kind for _, kind, _ in FIGURE.findall(context["body"])})
    context["body"] = FIGURE.sub(figure, context["body"])
    place = 'lr-figure[kind="{}"]:not([data-live]) {{ min-height: {}; }}'
    room = [place.format(kind, ROOM[kind]) for kind in kinds if kind in ROOM]
    context["metatags"] = context.get("metatags", "") + STYLE.replace("ROOM", "\n  ".join(room))
    for script in ("figure", *kinds):
        app.add_js_file(f"{FOLDER}/{script}.js", loading_method="defer")


def setup(app):
    app.add_directive("figure-live", FigureLive)
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", as_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
