"""Random numbers by name: every use of a seed draws from a stream of its own."""

import numpy as np

from lrlib import _checks


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random generator that belongs to a seed and a name.

    The same seed and name give the same numbers in every process. Streams of different names are independent, so the
    seed that draws the initial weights may also shuffle the samples.

    Parameters
    ----------
    seed : int
        At least 0.
    name : str
        What the numbers are for, not empty.

    Returns
    -------
    numpy.random.Generator
        NumPy's generator from a ``SeedSequence`` with the letters of the name for its ``spawn_key``.

    Raises
    ------
    TypeError, ValueError
        If ``seed`` is not a whole number of at least 0, or ``name`` is not a text or is empty.

    References
    ----------
    NumPy: https://numpy.org/doc/stable/reference/random/parallel.html

    Examples
    --------
    >>> stream(0, "batches").permutation(5)
    array([1, 2, 4, 3, 0])
    >>> stream(0, "label noise").permutation(5)
    array([0, 2, 3, 4, 1])
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a text, got {name!r}")
    if not name:
        raise ValueError(f"name must say what the numbers are for, got {name!r}")
    seed = _checks.whole("seed", seed, at_least=0)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(name.encode())))
