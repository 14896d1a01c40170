"""A module that can be called, for a function that has the name of its module."""

import inspect
import sys
from collections.abc import Callable
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
