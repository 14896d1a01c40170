"""The page of the notebooks' last runs: ``{notebook-status}`` makes its table from the cache of executed notebooks.

The cache knows when each ran and how long it took. How much memory its kernel had at most, the kernel is asked at the
end of the run, and its notebook keeps the answer in the cache; Linux alone tells it.
"""

import platform
from contextlib import suppress
from importlib.metadata import Distribution, version
from pathlib import Path

from docutils import nodes
from jupyter_cache import get_cache
from nbclient import NotebookClient
from site_verdicts import Page

PEAK = "peak_kilobytes"  # of a notebook's metadata in the cache
PACKAGES = ["numpy", "tensorflow", "tensorflow-cpu", "keras", "jupyter-book"]
HEAD = ["Notebook", "Run time", "Memory", "Result", "Run on"]
WIDTHS = [40, 15, 15, 15, 15]


def remember_peak(client):
    """Keep the largest amount of memory that the kernel, which is still there, has had."""
    with suppress(OSError, AttributeError, StopIteration):
        lines = Path(f"/proc/{client.km.provisioner.pid}/status").read_text().splitlines()
        client.nb.metadata[PEAK] = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def at_the_end_of_a_run(method):
    def with_peak(client):
        remember_peak(client)
        return method(client)

    return with_peak


def row_of(cache, path):
    """What the cache knows of a notebook: its row of the table, less its name."""
    try:
        run = cache.match_cache_file(path)
    except KeyError:  # a run that failed is not kept
        return ["–", "–", "**failed**", "–"]
    peak = cache.get_cache_bundle(run.pk).nb.metadata.get(PEAK)
    seconds = f"{run.data['execution_seconds']:.0f} s"
    return [seconds, f"{peak / 1000:.0f} MB" if peak else "–", "passed", f"{run.created:%Y-%m-%d}"]


def versions():
    found = {name: version(name) for name in PACKAGES if any(Distribution.discover(name=name))}
    packages = ", ".join(f"{name} {number}" for name, number in found.items())
    return f"Python {platform.python_version()}, {packages}; {platform.system()} on {platform.machine()}."


class Status(Page):
    def run(self):
        cache = get_cache(self.env.mystnb_config.execution_cache_path)
        rows = [
            [f"{{doc}}`/{page}`", *row_of(cache, self.env.doc2path(page))]
            for page in sorted(self.env.found_docs)
            if self.env.doc2path(page).endswith(".ipynb")
        ]
        table, group = nodes.table(classes=["status"]), nodes.tgroup(cols=len(HEAD))
        table += group
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        group += [nodes.thead("", self.row(*HEAD)), nodes.tbody("", *(self.row(*row) for row in rows))]
        return [table, self.words(versions(), classes=["versions"])]

    def row(self, *cells):
        return nodes.row("", *(nodes.entry("", self.words(cell)) for cell in cells))


def setup(app):
    app.add_directive("notebook-status", Status)
    NotebookClient.set_widgets_metadata = at_the_end_of_a_run(NotebookClient.set_widgets_metadata)
    return {"parallel_read_safe": False}
