"""Let nbval compare the chapters with the run that the book was built from, in place of a second run.

``pytest --nbval -p tools.executed --executed _build/.jupyter_cache chapters`` gives nbval what the cells have put out,
as the build's cache has it for a notebook with the very same code. What is compared, and how, is nbval's own affair.
"""

import functools

import pytest
from jupyter_cache import get_cache

DRAWING = "image/svg+xml"


def pytest_addoption(parser):
    parser.addoption("--executed", metavar="FOLDER", help="the cache of the notebooks that were run")


def pytest_collection_modifyitems(config, items):
    cache = get_cache(config.option.executed)
    for file in {item.parent for item in items}:
        file.setup = functools.partial(without_a_kernel, file, cache)


def without_a_kernel(file, cache):
    """Set up a notebook of nbval's."""
    try:
        executed = cache.get_cache_bundle(cache.match_cache_file(str(file.path)).pk).nb
    except KeyError:
        pytest.fail(f"{file.path.name} has no run that came to its end: `make book` runs the chapters")
    file.kernel = Executed(executed.cells, [cell for cell in file.nb.cells if cell.cell_type == "code"])
    file.setup_sanitize_files()


class Executed:
    """What nbval asks of a kernel, answered with what the cells have put out."""

    def __init__(self, executed, stored):
        self.cells = iter(zip(executed, stored, strict=True))

    def execute_cell_input(self, source, allow_stdin=None):
        cell, stored = next((cell, stored) for cell, stored in self.cells if cell.source == source)
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
