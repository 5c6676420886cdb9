"""Multi-scale structural similarity (MS-SSIM), and the variety of samples by it.

Two pictures are compared in Gaussian windows by structure and contrast at every scale, and by
luminance at the last (Wang, Simoncelli and Bovik 2003, eq. 7):

    MS-SSIM = l_M^w_M · Π_j (c s)_j^w_j,   c s = (2 σ_xy + C2) / (σ_x² + σ_y² + C2),
    l = (2 μ_x μ_y + C1) / (μ_x² + μ_y² + C1),   C1 = (.01 L)², C2 = (.03 L)²

1 for equal pictures. The mean over pairs of samples measures a *lack* of variety (Odena, Olah and
Shlens 2017, section 4.2): well above the real data's, a generator repeats itself.
"""

from __future__ import annotations

from typing import Any

from ..array import np, to_host
from ..random import default_rng
from ..tensor import Tensor

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, SIGMA, SMALLEST = 11, 1.5, 7


def scales(height: int, width: int) -> int:
    """How many scales a picture of that size has: 1 for 8×8, 3 for 28×28, 5 from 112×112 on.

    Each halves the one before, and the last needs 7 pixels. The published five with the full
    window of 11 need 176: where it does not fit, the window is the largest odd one that does.
    """
    side, count = min(height, width), 0
    while side >= SMALLEST and count < len(WEIGHTS):
        side, count = side // 2, count + 1
    return count


def ms_ssim(x: Any, y: Any, range: tuple[float, float] = (-1.0, 1.0)) -> np.ndarray:
    """The similarity of each pair of pictures (N, C, H, W) with values in ``range``: (N,).

    With less than five scales the weights of those that are there are scaled to sum to 1.

    Raises
    ------
    ValueError
        If the shapes differ, or the pictures are smaller than 7×7.
    """
    x, y = _pictures(x, range), _pictures(y, range)
    if x.shape != y.shape:
        raise ValueError(f"expected two batches of one shape, got {x.shape} and {y.shape}")
    count = scales(*x.shape[2:])
    if not count:
        raise ValueError(f"expected pictures of at least 7x7, got {x.shape[2]}x{x.shape[3]}")
    weights = np.array(WEIGHTS[:count])
    if count < len(WEIGHTS):  # all five are taken as published, with their sum of 1.0001
        weights /= weights.sum()
    result = np.ones(x.shape[:2])
    for scale, weight in enumerate(weights):
        luminance, contrast = _compare(x, y)
        last = scale == count - 1
        # a negative correlation has no real power: it counts as no similarity
        factor = np.clip((luminance * contrast if last else contrast).mean(axis=(2, 3)), 0, None)
        result *= factor**weight
        x, y = _halved(x), _halved(y)
    return result.mean(axis=1)


def ms_ssim_diversity(
    pictures: Any,
    labels: Any = None,
    pairs: int = 1000,
    range: tuple[float, float] = (-1.0, 1.0),
    seed: int = 0,
) -> float:
    """The mean MS-SSIM of random pairs of different pictures (N, C, H, W); lower is more varied.

    With ``labels`` (N,) both of a pair are of one class, as in the paper.
    """
    x = _pictures(pictures, range)
    groups = np.zeros(len(x), dtype=int) if labels is None else np.asarray(labels)
    if groups.shape != (len(x),):
        raise ValueError(f"expected one label per picture, ({len(x)},), got {groups.shape}")
    rng = default_rng(seed)
    order = np.argsort(groups, kind="stable")
    names, starts, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    able = np.flatnonzero(sizes[np.searchsorted(names, groups)] > 1)
    if not len(able):
        raise ValueError("expected at least two pictures of one class to make a pair of")
    first = rng.choice(able, pairs)
    place = np.empty(len(x), dtype=int)
    place[order] = np.arange(len(x))
    group = np.searchsorted(names, groups[first])
    step = 1 + (rng.random(pairs) * (sizes[group] - 1)).astype(int)  # never back to the first
    second = order[starts[group] + (place[first] - starts[group] + step) % sizes[group]]
    chunks = np.array_split(np.arange(pairs), max(1, pairs * x[0].size // 2_000_000))
    unit = (0.0, 1.0)
    return float(np.concatenate([ms_ssim(x[first[c]], x[second[c]], unit) for c in chunks]).mean())


def _pictures(given: Any, range: tuple[float, float]) -> np.ndarray:
    data = given.array if isinstance(given, Tensor) else given
    x = np.asarray(to_host(data), dtype=np.float64)
    if x.ndim != 4 or not len(x):
        raise ValueError(f"expected pictures (N, C, H, W), got {x.shape}")
    low, high = range
    return (x - low) / (high - low)


def _compare(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Luminance, and contrast times structure, in every window of pictures from 0 to 1."""
    side = min(WINDOW, *x.shape[2:])
    window = _gaussian(side - (side + 1) % 2)
    mean_x, mean_y = _filtered(x, window), _filtered(y, window)
    var_x = _filtered(x * x, window) - mean_x**2
    var_y = _filtered(y * y, window) - mean_y**2
    covariance = _filtered(x * y, window) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (var_x + var_y + c2)


def _gaussian(size: int) -> np.ndarray:
    """A window whose σ shrinks with its size: 1.5 for 11."""
    t = np.arange(size) - (size - 1) / 2
    g = np.exp(-0.5 * (t * WINDOW / (SIGMA * size)) ** 2)
    return g / g.sum()


def _filtered(x: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Windows that lie inside of the picture, along both axes in turn."""
    for axis in (2, 3):
        x = np.lib.stride_tricks.sliding_window_view(x, len(window), axis=axis) @ window
    return x


def _halved(x: np.ndarray) -> np.ndarray:
    h, w = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    x = x[:, :, :h, :w]
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
