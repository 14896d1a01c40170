"""A module that can be called, for a function that has the name of its module, and what brings one that is missing."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType


def make_callable(module: str, function: Callable) -> None:
    """Make calling a module call its function, so that ``from lrlib import sweep`` and ``sweep(...)`` work.

    Parameters
    ----------
    module : str
        The module's ``__name__``.
    function : callable
        What a call of the module calls; its signature becomes the module's.
    """
    members = {"__call__": staticmethod(function), "__signature__": inspect.signature(function)}
    sys.modules[module].__class__ = type("CallableModule", (ModuleType,), members)


@contextmanager
def from_extra(name: str) -> Iterator[None]:
    """Add to the error of an import that fails which of lrlib's extras brings the package."""
    try:
        yield
    except ModuleNotFoundError as error:
        if "lrlib" in error.msg:  # said already, or a module of lrlib itself
            raise
        raise ModuleNotFoundError(f"{error.msg}: lrlib[{name}] brings it", name=error.name, path=error.path) from error
