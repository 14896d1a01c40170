"""Verdicts on statements: a chapter passes one beside the assertion that supports it."""

KINDS = ("definition", "fact", "holds", "holds if", "does not hold")


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
