"""What every metric starts from: features as float64 rows, and distances between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..array import np, to_host
from ..tensor import Tensor

BLOCK = 4_000_000  # elements of a block of distances: 32 MB, whatever the number of samples


def rows(features: Any, name: str = "features", least: int = 2) -> np.ndarray:
    """``features`` (N, D), an array or a Tensor on any device, as float64 on the host.

    Raises
    ------
    ValueError
        If they are not (N, D) with N at least ``least``, or hold NaN or infinity.
    """
    data = features.array if isinstance(features, Tensor) else features
    x = np.asarray(to_host(data), dtype=np.float64)
    if x.ndim != 2:
        raise ValueError(
            f"expected {name} of shape (N, D), got {x.shape}: flatten pictures with "
            "x.reshape(len(x), -1), or take an extractor's features"
        )
    if len(x) < least:
        raise ValueError(f"expected at least {least} {name}, got {len(x)}")
    if not np.isfinite(x).all():
        raise ValueError(f"expected finite {name}, got NaN or infinity: has the run diverged?")
    return x


def pair(real: Any, fake: Any, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both as :func:`rows`, with the same D."""
    x, y = rows(real, "real features", least), rows(fake, "generated features", least)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"expected real and generated features of one length, got {x.shape[1]} and {y.shape[1]}"
        )
    return x, y


def squared_distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """‖x_i - y_j‖² for a block of rows i and all j, one block after the other.

    ‖x‖² + ‖y‖² - 2 x·y: equal rows cancel to a rounding error, which is set to 0.
    """
    center = y.mean(axis=0)  # distances stay, and cancel less far from the origin
    x, y = x - center, y - center
    xx, yy = (x * x).sum(axis=1), (y * y).sum(axis=1)
    height = max(1, BLOCK // len(y))
    for start in range(0, len(x), height):
        block = slice(start, start + height)
        sums = xx[block, None] + yy
        squares = sums - 2 * (x[block] @ y.T)
        squares[squares <= 1e-14 * sums] = 0
        yield block, squares
