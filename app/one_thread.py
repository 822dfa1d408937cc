"""Loaded first by the process from which workers are forked: one thread for each library that reads this.

More would only get in each other's way; every worker has a core to itself.
"""

import os

os.environ.update({f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")})
