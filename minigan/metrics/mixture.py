"""Which modes of a mixture of Gaussians were found (PacGAN, Lin et al. 2018, section 4.1)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ..array import np
from ..random import default_rng
from .arrays import pair, squared_distances

REACH = 3.0  # a sample is of high quality within that many standard deviations of its mode


class ModeCoverage(NamedTuple):
    """Modes captured, the share of samples of high quality, and the reverse KL divergence."""

    modes: float
    high_quality: float
    reverse_kl: float


def mode_coverage(samples: Any, centers: Any, std: float) -> ModeCoverage:
    """How a generator covers K equal Gaussians with means ``centers`` (K, D).

    A sample (N, D) is of high quality if the nearest centre is within 3 ``std``. A mode is
    captured if it is the nearest to at least one such sample. The reverse KL divergence is
    log K - H, in nats, of the high-quality samples' histogram over the modes; NaN if there are
    none.

    Raises
    ------
    ValueError
        If two centres are equal, as the ends of ``linspace(0, 2π, 8)`` on a circle are, or
        ``std`` is not positive.
    """
    x, c = pair(samples, centers, least=1)
    if not std > 0:
        raise ValueError(f"expected a positive std, got {std}")
    # Centres that rounding alone separates count as one: ends of a circle differ by 1e-16.
    same = sum(int((d < (1e-6 * std) ** 2).sum()) for _, d in squared_distances(c, c)) - len(c)
    if same:
        raise ValueError(
            f"expected {len(c)} distinct centres, but some are equal: on a circle, use "
            "linspace(0, 2π, K, endpoint=False)"
        )
    nearest, distance = np.empty(len(x), dtype=int), np.empty(len(x))
    for block, d in squared_distances(x, c):
        nearest[block], distance[block] = d.argmin(axis=1), np.sqrt(d.min(axis=1))
    good = nearest[distance <= REACH * std]
    counts = np.bincount(good, minlength=len(c))
    p = counts[counts > 0] / max(1, len(good))
    reverse_kl = math.log(len(c)) + float((p * np.log(p)).sum()) if len(good) else math.nan
    return ModeCoverage(int((counts > 0).sum()), len(good) / len(x), reverse_kl)


def perfect_mode_coverage(
    centers: Any, std: float, n: int, trials: int = 100, seed: int = 0
) -> ModeCoverage:
    """The mean :func:`mode_coverage` of n samples of the mixture itself.

    98.9% in two dimensions, since 3σ leave out exp(-9/2); and (K - 1) / 2n above 0 for the
    reverse KL: .0014 for 8 modes and .0048 for 25 at n = 2,500.
    """
    c = np.asarray(centers, dtype=np.float64)
    rng = default_rng(seed)
    scores = []
    for _ in range(trials):
        points = c[rng.integers(len(c), size=n)] + std * rng.standard_normal((n, c.shape[1]))
        scores.append(mode_coverage(points, c, std))
    return ModeCoverage(*(float(np.mean(column)) for column in zip(*scores, strict=True)))
