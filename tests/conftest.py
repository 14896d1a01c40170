"""Hypothesis draws the same few examples at every run, so the tests are quick and repeat."""

from hypothesis import settings

settings.register_profile("lrlib", derandomize=True, max_examples=40, deadline=None, database=None)
settings.load_profile("lrlib")
