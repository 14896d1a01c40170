"""What the records of results have in common: two that say the same are equal, also where a number is unknown."""


def readable(value):
    """Return a number as a reader is shown it, 0.3 for 0.30000000000000004; anything else as it is."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


class Record:
    """A frozen dataclass's base, with ``eq=False``: NaN, which stands for what is not known, is equal to NaN.

    A dataclass by itself asks ``==`` of its fields. Up to Python 3.12 NaN passes if it is the same object in both, so
    not after pickling; from 3.13 on it never does.
    """

    def _said(self) -> tuple:
        return tuple("NaN" if value != value else value for value in vars(self).values())

    def __eq__(self, other):
        return self._said() == other._said() if type(other) is type(self) else NotImplemented

    def __hash__(self):
        return hash(self._said())
