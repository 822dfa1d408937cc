"""Hypothesis without surprises: the same examples in every run, no clock, nothing kept on disk."""

from hypothesis import settings

settings.register_profile("core", derandomize=True, deadline=None, database=None)
settings.load_profile("core")
