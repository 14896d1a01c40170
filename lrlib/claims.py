"""Claims that seeds must support, and verdicts on statements, which a chapter passes beside its assertions."""

from dataclasses import dataclass

import numpy as np

KINDS = ("definition", "fact", "holds", "holds if", "does not hold")

SEEDS = 5  # fewer of them support nothing


@dataclass(frozen=True)
class Claim:
    """The record of a claim that holds; ``print(claim)`` shows it in one line.

    Attributes
    ----------
    sentence : str
        What was claimed.
    difference : float
        The mean of ``b - a`` over the seeds; infinite if a run of ``b`` failed.
    standard_error : float
        Its standard error; NaN if the difference is infinite.
    agree, seeds : int
        In how many of how many seeds ``a`` is below ``b``.
    """

    sentence: str
    difference: float
    standard_error: float
    agree: int
    seeds: int

    def __str__(self):
        return f"{self.sentence}: {_evidence(self)}"


def claim(a, b, sentence: str) -> Claim:
    r"""Assert that one arm of an experiment comes out below the other, seed by seed.

    With :math:`d_i = b_i - a_i` for the same seed in both arms, it holds if

    .. math:: \bar d > 2 \, s_d / \sqrt n \quad \text{or} \quad d_i > 0 \text{ for all } i, \qquad n \ge 5.

    Two arms that are identical fail. To claim that something is larger, put it second.

    Parameters
    ----------
    a, b : array_like, shape (seeds,)
        The result of each seed, the smaller arm first, in the same order. Infinity stands for a run that failed. If
        both are xarray's, their seeds must be the same.
    sentence : str
        What is claimed.

    Returns
    -------
    Claim
        The record.

    Raises
    ------
    AssertionError
        If the claim does not hold.
    ValueError
        If there are fewer than five seeds, the arms do not pair, or a result is NaN.

    Examples
    --------
    >>> print(claim([0.1, 0.2, 0.1, 0.3, 0.2], [0.3, 0.3, 0.2, 0.5, 0.4], "decay beats a constant rate"))
    decay beats a constant rate: difference 0.16 ± 0.024 (standard error), 5 of 5 seeds agree
    >>> claim([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], "an arm beats itself")
    Traceback (most recent call last):
        ...
    AssertionError: not shown: an arm beats itself: difference 0 ± 0 (standard error), 0 of 5 seeds agree
    """
    for name, arm in (("a", a), ("b", b)):
        if getattr(arm, "dims", ("seed",)) != ("seed",):
            raise ValueError(f"{name} must have the dimension 'seed' alone, got {', '.join(arm.dims) or 'none'}")
    if hasattr(a, "coords") and hasattr(b, "coords") and a.seed.values.tolist() != b.seed.values.tolist():
        raise ValueError("a and b must have the same seeds in the same order")
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"a and b must have one result for each seed, got shapes {a.shape} and {b.shape}")
    if len(a) < SEEDS:
        raise ValueError(f"a and b must have at least {SEEDS} seeds, got {len(a)}")
    if np.isnan(a).any() or np.isnan(b).any():
        raise ValueError("a and b must not be NaN: give infinity for a run that failed")

    with np.errstate(invalid="ignore"):
        differences = b - a
        mean, error = differences.mean(), differences.std(ddof=1) / len(a) ** 0.5
    record = Claim(sentence, float(mean), float(error), int((a < b).sum()), len(a))
    if record.agree == len(a) or mean > 2 * error:
        return record
    raise AssertionError(f"not shown: {sentence}: {_evidence(record)}")


def _evidence(record: Claim) -> str:
    agree = f"{record.agree} of {record.seeds} seeds agree"
    if not np.isfinite(record.difference):
        return agree
    return f"difference {record.difference:.2g} ± {record.standard_error:.2g} (standard error), {agree}"


def verdict(statement: str, kind: str, sentence: str) -> None:
    """Show a verdict below a notebook's cell and leave its record in the output.

    The book's page of verdicts is made from these records.

    Parameters
    ----------
    statement : str
        Which of the statements: ``"S1"`` to ``"S25"``.
    kind : str
        One of ``KINDS``.
    sentence : str
        What was found, in one sentence.

    Raises
    ------
    ValueError
        If there is no such statement or kind, or the sentence is empty.

    Examples
    --------
    >>> verdict("S3", "true", "The update is as stated.")
    Traceback (most recent call last):
        ...
    ValueError: kind must be one of definition, fact, holds, holds if, does not hold, got 'true'
    """
    if statement not in [f"S{number}" for number in range(1, 26)]:
        raise ValueError(f"statement must be one of S1 to S25, got {statement!r}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if not sentence.strip():
        raise ValueError(f"sentence must say what was found, got {sentence!r}")

    from IPython.display import display

    shown = {
        "text/plain": f"{statement} · {kind} · {sentence}",
        "text/markdown": f"**{statement}** · *{kind}* · {sentence}",
    }
    record = {"statement": statement, "kind": kind, "sentence": sentence}
    display(shown, raw=True, metadata={"lrlib_verdict": record})
