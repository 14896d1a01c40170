"""Let nbval compare the chapters with the run that the book was built from, in place of a second run.

``pytest --nbval -p tools.executed --executed FOLDER chapters`` gives nbval what the cells of the notebooks in the
folder have put out. What is compared, and how, is nbval's own affair, as without this plugin.
"""

import functools
from pathlib import Path

import nbformat
import pytest

DRAWING = "image/svg+xml"


def pytest_addoption(parser):
    parser.addoption("--executed", metavar="FOLDER", type=Path, help="where the notebooks are that were run")


def pytest_collection_modifyitems(config, items):
    for file in {item.parent for item in items}:
        file.setup = functools.partial(without_a_kernel, file, config.option.executed)


def without_a_kernel(file, folder):
    """Set up a notebook of nbval's."""
    executed = folder / file.path.name
    if not executed.is_file():
        pytest.fail(f"{executed} is not there: `make book` runs the chapters")
    file.kernel = Executed(nbformat.read(executed, as_version=4), file.nb)
    file.setup_sanitize_files()


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


class Executed:
    """What nbval asks of a kernel, answered with what the cells have put out."""

    def __init__(self, executed, stored):
        self.cells = iter(zip(code_of(executed), code_of(stored), strict=True))

    def execute_cell_input(self, source, allow_stdin=None):
        cell, stored = next(self.cells)
        if cell.source != source or stored.source != source:
            pytest.fail("another cell was run: `make book` runs the chapters, from their first cell to their last")
        if not any(DRAWING in output.get("data", {}) for output in stored.outputs):
            for output in cell.outputs:  # the build has drawings of all figures: CONTRIBUTING, "What a page weighs"
                output.get("data", {}).pop(DRAWING, None)
        self.messages = [(output.output_type, output) for output in cell.outputs]
        self.messages.append(("status", {"execution_state": "idle"}))
        self.asked = id(cell)
        return self.asked

    def get_message(self, stream, timeout=None):
        kind, content = self.messages.pop(0)
        return {"parent_header": {"msg_id": self.asked}, "msg_type": kind, "content": content}

    def is_alive(self):
        return True

    def await_reply(self, asked, timeout=None):
        pass

    def await_idle(self, asked, timeout=None):
        pass

    def stop(self):
        pass
