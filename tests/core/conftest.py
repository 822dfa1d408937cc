"""Hypothesis without surprises: the same examples in every run, no clock, nothing kept. One BLAS thread."""

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

settings.register_profile("core", derandomize=True, deadline=None, database=None)
settings.load_profile("core")


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread():
    """Small matrices gain nothing from more, and lose much where other processes hold the cores."""
    with threadpool_limits(1):
        yield
