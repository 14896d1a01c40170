"""What only this book needs: verdicts on its 25 statements, the line on the applied rate, the count of claims."""

import numpy as np

from lrlib.claims import WIDTH, claims_made
from lrlib.schedules import as_schedule

KINDS = ("definition", "fact", "holds", "holds if", "does not hold")


def verdict(statement: str, kind: str, sentence: str, figure: str = "") -> None:
    """Show a verdict below a notebook's cell and leave its record in the output.

    The book's page of verdicts is made from these records.

    Parameters
    ----------
    statement : str
        Which of the statements: ``"S1"`` to ``"S25"``.
    kind : str
        One of ``KINDS``.
    sentence : str
        What was found, in one sentence that can be understood alone.
    figure : str
        What was measured, in a few characters with their unit; empty where nothing was.

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
    measured = f" ({figure})" if figure else ""
    record = {"statement": statement, "kind": kind, "sentence": sentence, "figure": figure}
    _display(
        f"{statement} · {kind} · {sentence}{measured}",
        f"**{statement}** · *{kind}* · {sentence}{measured}",
        {"lrlib_verdict": record},
    )


def taught_is_applied(record, schedule=1.0) -> None:
    """Assert that a run applied the rates that were taught, and say so in one line.

    Parameters
    ----------
    record : Trace, xarray.Dataset or array_like of float
        What recorded the applied rates: a run of ``gradient_descent``, the result of a ``sweep``, or the rates that
        ``AppliedRates`` took down.
    schedule : Schedule, float or callable
        What was taught. For a sweep it is the factor on every learning rate, by default 1 throughout, and may be a
        function that returns a factor for each rate.

    Raises
    ------
    AssertionError
        If a rate differs from the one that was taught, rounded once to the arithmetic of the run; in float64 by more
        than two units in the last place.
    ValueError
        If there is no rate in the record: then nothing was applied, or nothing was recorded. If it is no record.

    Examples
    --------
    >>> from lrlib import Quadratic, gradient_descent
    >>> taught_is_applied(gradient_descent(Quadratic(2.0), 1.0, 0.25, steps=3), 0.25)
    applied = taught: 0.25, 3 updates
    """
    applied = getattr(record, "applied", record)
    if np.size(applied) == 0:
        raise ValueError("record must hold the rate of at least one update, got none")
    if hasattr(applied, "dims"):
        from lrlib.sweep import factors

        applied = applied.transpose("step", "seed", "learning_rate")
        steps, seeds, rates = applied.shape
        taught = (factors(schedule, steps, rates) * applied.learning_rate.values)[:, None, :]
        lines = [f"applied = taught: {seeds * rates} runs, {steps} updates each"]
    else:
        applied = np.asarray(applied)
        if applied.ndim != 1 or applied.dtype.kind not in "iuf":
            raise ValueError(f"record must hold a rate for each update, got {record!r}")
        if applied.dtype.kind != "f":
            applied = applied.astype(np.float64)
        taught = as_schedule(schedule).planned(len(applied))
        ends = [applied[0]] + [applied[-1]] * bool(applied[-1] != applied[0])
        rates = [" to ".join(f"{rate:.{digits}g}" for rate in ends) for digits in (4, 3, 2)]
        lines = [f"applied = taught: {each}, {len(applied)} updates" for each in rates]
    applied, taught = np.asarray(applied), taught.astype(applied.dtype)
    # in float64 a power of one number and one of an array may differ in their last two units
    units = 2 * (applied.dtype == np.float64)
    wrong = ~(np.abs(applied - taught) <= units * np.spacing(taught))
    if wrong.any():
        step = int(np.argwhere(wrong)[0][0])
        was, meant = applied[wrong][0], np.broadcast_to(taught, applied.shape)[wrong][0]
        raise AssertionError(f"at step {step} the rate {was:.9g} was applied, and {meant:.9g} was taught")
    print(next((line for line in lines if len(line) <= WIDTH), lines[-1]))


def ledger() -> None:
    """Show how many claims a chapter has made, and leave the record in the output.

    The page of verdicts adds up these records. Luck alone passes a claim as often as its level says.

    Notes
    -----
    What counts is every claim of this process that has held, so a cell that was run twice is counted twice.
    """
    claims = claims_made()
    by_luck = round(sum(claim.level for claim in claims), 4)
    text = f"This chapter makes {len(claims)} claims. If none were true, luck would still pass {by_luck:g} of them."
    if not claims:
        text = "This chapter makes no claim over seeds."
    _display(text, text, {"lrlib_ledger": {"claims": len(claims), "expected_by_luck": by_luck}})


def _display(plain: str, markdown: str, metadata: dict) -> None:
    from IPython.display import display

    display({"text/plain": plain, "text/markdown": markdown}, raw=True, metadata=metadata)
