"""The limit of dense training: the rate of NumPy's BLAS on large matrices."""

from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_info

SIZES = (1024, 1536, 2048)


def numpy_version() -> str:
    """NumPy's version, and the kernels that its BLAS has chosen."""
    blas = ", ".join(
        f"{info['internal_api']} {info['version']} {info.get('architecture', '')}".strip()
        for info in threadpool_info()
        if info["user_api"] == "blas" and "numpy" in info["filepath"]
    )
    return f"{np.__version__} ({blas or 'BLAS unknown'})"


class MatrixProduct:
    """Products of square matrices of several sizes."""

    def __init__(self, dtype: str) -> None:
        self.version = numpy_version()
        rng = np.random.default_rng(0)
        self.matrices = [
            (rng.random((size, size)).astype(dtype), np.empty((size, size), dtype))
            for size in SIZES
        ]

    def flops(self) -> float:
        """Floating-point operations per second at the best size."""
        return max(2 * len(a) ** 3 / self.seconds(a, out) for a, out in self.matrices)

    @staticmethod
    def seconds(a: np.ndarray, out: np.ndarray) -> float:
        start = perf_counter()
        np.matmul(a, a, out=out)
        return perf_counter() - start
