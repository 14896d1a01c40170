"""`pytest --nbval chapters` does not compare what tests/nbval.cfg names."""

from pathlib import Path

UNCOMPARED = Path(__file__).parents[1] / "tests" / "nbval.cfg"


def pytest_configure(config):
    options = config.option
    if getattr(options, "nbval", False) and not options.nbval_sanitize_with:
        options.nbval_sanitize_with = str(UNCOMPARED)
