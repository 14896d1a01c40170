"""What only this book needs: verdicts on its statements, outcomes of predictions, the count of claims."""

import json

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
        Which of the statements: ``"S1"`` to ``"S25"`` of the article, or ``"F1"`` and on, of the field.
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
    if statement not in [f"{of}{number}" for of, last in (("S", 25), ("F", 99)) for number in range(1, last + 1)]:
        raise ValueError(f"statement must be one of S1 to S25, or F1 and on, got {statement!r}")
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


def outcome(asked: dict, near: float = 0.1) -> None:
    """Show what came out where a reader was asked to predict, and leave the record in the output.

    The site makes a small form of it in the box *Predict* before the cell, and compares.

    Parameters
    ----------
    asked : dict
        What was asked, in a few words, and what came out. A number. For a choice a pair: the option that came out, and
        a dictionary that has a sentence of explanation for each option. For a curve a dictionary of its points ``x``
        and ``y``, its ``names`` (of both axes), the ends ``ylim`` of the vertical axis, beyond which points are drawn
        at its edge, and ``log``, which holds the letters of the logarithmic axes.
    near : float
        A number that differs by this share of what came out, or less, is called near.

    Raises
    ------
    ValueError
        If nothing is asked, an outcome is not one of its options, or a curve cannot be drawn.

    Examples
    --------
    >>> outcome({"who wins": ("both", {"one": "It did.", "none": "It did not."})})
    Traceback (most recent call last):
        ...
    ValueError: asked 'who wins': 'both' is none of the options 'one', 'none'
    """
    if not asked:
        raise ValueError(f"asked must hold a question, got {asked!r}")
    if not near >= 0:
        raise ValueError(f"near must not be negative, got {near!r}")
    record = [{"label": label, **_answer(label, value)} for label, value in asked.items()]
    came = [f"{ask['label']}: {ask['shown']}" for ask in record if "shown" in ask] or ["see the figure"]
    text = "What came out: " + "; ".join(came)
    # as text: an editor that saves 1.0 as 1 leaves it alone
    left = json.dumps({"near": near, "asked": record}, sort_keys=True)
    _display(text, text, {"lrlib_outcome": left})


def _answer(label, value):
    if isinstance(value, tuple):
        right, reasons = value
        if right not in reasons:
            raise ValueError(f"asked {label!r}: {right!r} is none of the options {', '.join(map(repr, reasons))}")
        return {"kind": "choice", "right": right, "options": [list(each) for each in reasons.items()], "shown": right}
    if not isinstance(value, dict):
        if not np.isfinite(value):
            raise ValueError(f"asked {label!r}: a number must be finite, got {value!r}")
        return {"kind": "number", "value": float(value), "shown": f"{value:.6g}"}
    x, y = (np.asarray(value[axis], dtype=float) for axis in "xy")
    low, high = value["ylim"]
    log = value.get("log", "")
    if x.shape != y.shape or x.ndim != 1 or not (np.diff(x) > 0).all() or len(x) < 3:
        raise ValueError(f"asked {label!r}: a curve has a y for each of three or more rising x, got {x} and {y}")
    if not low < high or ("y" in log and not low > 0) or ("x" in log and not x[0] > 0):
        raise ValueError(f"asked {label!r}: its axes must rise, from above 0 if logarithmic, got {value['ylim']!r}")
    y = np.clip(np.nan_to_num(y, nan=high), low, high)
    x, y = ([float(f"{number:.4g}") for number in numbers] for numbers in (x, y))
    return {"kind": "curve", "x": x, "y": y, "names": list(value["names"]), "ylim": [low, high], "log": log}


def ledger() -> None:
    """Show how many claims a chapter has made, and leave the record in the output.

    The page of verdicts adds up these records. Luck alone passes a claim as often as its level says.

    Notes
    -----
    What counts is every claim of this process that has held, so a cell that was run twice is counted twice.
    """
    claims = claims_made()
    luck = round(sum(claim.level for claim in claims), 4)
    text = f"This chapter makes {len(claims)} claims over seeds. If none were true, luck would pass {luck:g} of them."
    if not claims:
        text = "Nothing here depends on chance, so this chapter makes no claim over seeds."
    _display(text, text, {"lrlib_ledger": {"claims": len(claims), "expected_by_luck": luck}})


def _display(plain: str, markdown: str, metadata: dict) -> None:
    from IPython.display import display

    display({"text/plain": plain, "text/markdown": markdown}, raw=True, metadata=metadata)
