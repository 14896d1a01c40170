"""A verdict shows one line and leaves its record in the output."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lrlib.claims import KINDS, verdict
from refusal import refused


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("kind", KINDS)
def test_a_verdict_shows_a_line_and_leaves_a_record(shell, kind):
    with capture_output() as captured:
        assert verdict("S3", kind, "The update is as stated.") is None
    (output,) = captured.outputs
    assert output.data["text/plain"] == f"S3 · {kind} · The update is as stated."
    assert output.data["text/markdown"] == f"**S3** · *{kind}* · The update is as stated."
    record = {"statement": "S3", "kind": kind, "sentence": "The update is as stated."}
    assert output.metadata == {"lrlib_verdict": record}
    assert captured.stdout == captured.stderr == ""


@pytest.mark.parametrize("statement", ["S0", "S26", "S03", "s3", "3", 3, "", None])
def test_there_are_25_statements(statement):
    refused(
        lambda: verdict(statement, "fact", "So."),
        ValueError,
        "statement must be one of S1 to S25",
        f"got {statement!r}",
    )


@pytest.mark.parametrize("kind", ["true", "Holds", "", None, "holds if "])
def test_there_are_five_kinds(kind):
    assert set(KINDS) == {"definition", "fact", "holds", "holds if", "does not hold"}
    refused(lambda: verdict("S3", kind, "So."), ValueError, "kind must be one of definition, fact,", f"got {kind!r}")


@pytest.mark.parametrize("sentence", ["", "  ", "\n"])
def test_a_verdict_says_something(sentence):
    refused(
        lambda: verdict("S3", "fact", sentence), ValueError, "sentence must say what was found", f"got {sentence!r}"
    )
