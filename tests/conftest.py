"""Hypothesis draws the same few examples at every run, Ctrl-C is heard, and the longest files begin."""

import gc
import signal
import sys

from hypothesis import settings

settings.register_profile("lrlib", derandomize=True, max_examples=40, deadline=None, database=None)
settings.load_profile("lrlib")
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a shell ignores it

LONGEST = [
    "shards",
    "models",
    "lane_ops",
    "keras",
    "sweep",
    "range_test",
    "as_it_was",
    "repeats",
    "recipes",
    "bench",
    "imports",
    "find_rate",
    "second_axis",
    "proof",
]


def pytest_collection_modifyitems(items):
    """So no process waits for another at the end."""
    places = {f"test_{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_runtest_teardown(item, nextitem):
    """What a file has left of TensorFlow is not looked through for garbage again and again while the others run."""
    if "tensorflow" in sys.modules and (nextitem is None or nextitem.path != item.path):
        gc.collect()
        gc.freeze()
