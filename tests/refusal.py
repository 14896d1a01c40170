"""How the tests read an error's message."""

import pytest


def refused(call, error, *fragments):
    """Assert that the call raises this very error and that its message has every fragment."""
    with pytest.raises(error) as caught:
        call()
    assert caught.type is error
    for fragment in fragments:
        assert fragment in str(caught.value)
