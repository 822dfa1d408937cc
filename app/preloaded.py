"""What the fork server loads before the first worker: libraries, experiments and compiled kernels.

Workers are copies of that process, so each of them is warm from its first moment, and shares this memory.
"""

from app.parts import arguments, deep_trials, kernel_rounds, matrix_reading, real_data, realisations
from app.warm_worker import warm_worker

__all__ = ["arguments", "deep_trials", "kernel_rounds", "matrix_reading", "real_data", "realisations"]

warm_worker()
