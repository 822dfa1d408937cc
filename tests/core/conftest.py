"""One BLAS thread for the numerical tests; the hypothesis profile is that of tests/conftest.py."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread():
    """Small matrices gain nothing from more, and lose much where other processes hold the cores."""
    with threadpool_limits(1):
        yield
