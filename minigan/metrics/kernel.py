"""The kernel distance: squared maximum mean discrepancy with a polynomial kernel.

    MMD² = E k(x, x') + E k(y, y') - 2 E k(x, y),   k(x, y) = (x·y / D + 1)³

(Bińkowski et al. 2018, section 4, who call it KID on Inception features.) The estimate leaves out
the pairs of a sample with itself, so its mean is the truth at every n, and 0 for equal
distributions: half of the time it is then below 0, and clipping would bias it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..array import np
from ..random import default_rng
from .arrays import BLOCK, pair


class KernelDistance(NamedTuple):
    """The subsets' mean, their standard deviation, and the mean's standard error."""

    mean: float
    std: float
    standard_error: float


def mmd(real: Any, fake: Any) -> float:
    """The unbiased MMD² of all samples, features (N, D) and (M, D); it may be negative."""
    x, y = pair(real, fake)
    n, m = len(x), len(y)
    within_x = (_kernel_sum(x, x) - _itself(x)) / (n * (n - 1))
    within_y = (_kernel_sum(y, y) - _itself(y)) / (m * (m - 1))
    return float(within_x + within_y - 2 * _kernel_sum(x, y) / (n * m))


def kernel_distance(
    real: Any, fake: Any, subsets: int = 100, subset_size: int | None = None, seed: int = 0
) -> KernelDistance:
    """The mean of MMD² over random subsets, and how far it can be trusted.

    Parameters
    ----------
    real, fake : (N, D) and (M, D) array or Tensor
    subsets, subset_size : int
        100 subsets of 1,000 (of half the samples, if there are less than 2,000) as in the paper.
    seed : int
        Of the subsets.

    Returns
    -------
    KernelDistance
        ``std`` is what others print: the spread of one subset. Subsets overlap, so the mean's
        ``standard_error`` is not std / √subsets, which would shrink without new data, but the
        delete-d jackknife's std · √(s / (n - s) + 1 / subsets) for subsets of s of the n samples
        (Shao and Wu 1989). NaN if a subset holds all samples or there is only one.

    Raises
    ------
    ValueError
        If a subset is larger than a set, or smaller than 2.
    """
    x, y = pair(real, fake, least=4)
    n = min(len(x), len(y))
    size = min(1000, n // 2) if subset_size is None else subset_size
    if not 2 <= size <= n:
        raise ValueError(f"expected subsets of 2 to {n} samples, the smaller set, got {size}")
    if subsets < 1:
        raise ValueError(f"expected at least 1 subset, got {subsets}")
    rng = default_rng(seed)
    values = [
        mmd(x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)])
        for _ in range(subsets)
    ]
    mean, std = float(np.mean(values)), float(np.std(values))
    if size == n or subsets == 1:
        return KernelDistance(mean, std, float("nan"))
    return KernelDistance(mean, std, std * float(np.sqrt(size / (n - size) + 1 / subsets)))


kid = kernel_distance


def _kernel_sum(x: np.ndarray, y: np.ndarray) -> float:
    height = max(1, BLOCK // len(y))
    blocks = (x[i : i + height] @ y.T / x.shape[1] + 1 for i in range(0, len(x), height))
    return sum(float((b * b * b).sum()) for b in blocks)  # b ** 3 calls pow, ten times slower


def _itself(x: np.ndarray) -> float:
    return float((((x * x).sum(axis=1) / x.shape[1] + 1) ** 3).sum())
