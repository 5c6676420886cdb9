"""Quality and variety apart: precision and recall, density and coverage.

All four take the balls around samples that reach to the k-th nearest other sample of the same set
as a picture of where that set lives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..array import np
from .arrays import pair, squared_distances


class PrecisionRecall(NamedTuple):
    """The share of fakes among the real samples, and of real samples among the fakes."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """How densely real samples lie around the fakes, and the share of them that is reached."""

    density: float
    coverage: float


def precision_recall(real: Any, fake: Any, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2).

    Precision is the share of fakes that lie in the ball of at least one real sample, recall the
    share of real samples in the ball of at least one fake. Features are (N, D) and (M, D); both
    sets should be of one size, because more samples have smaller balls.
    """
    x, y = _checked(real, fake, k)
    return PrecisionRecall(
        precision=float(np.mean(_balls_around(y, x, k)[0] > 0)),
        recall=float(np.mean(_balls_around(x, y, k)[0] > 0)),
    )


def density_coverage(real: Any, fake: Any, k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, section 3).

    Density is the mean number of real balls that hold a fake, over k: about 1 for a perfect
    sampler, and possibly more; one stray real sample with a large ball hardly moves it, where it
    spoils precision. Coverage is the share of real balls that hold a fake: for equally many
    samples n of one distribution 1 - Π_{i<k} (n - 1 - i)/(2n - 1 - i), near 1 - 2^-k.
    """
    x, y = _checked(real, fake, k)
    around, inside = _balls_around(y, x, k)
    return DensityCoverage(density=float(around.mean() / k), coverage=float(inside.mean()))


def _balls_around(x: np.ndarray, centers: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """How many of the centres' balls hold each x, and whether each ball holds any."""
    radii = np.concatenate(
        # place 0 is the sample's distance from itself
        [np.partition(d, k, axis=1)[:, k] for _, d in squared_distances(centers, centers)]
    )
    count, reached = np.zeros(len(x)), np.zeros(len(centers), dtype=bool)
    for block, d in squared_distances(x, centers):
        held = d <= radii
        count[block] = held.sum(axis=1)
        reached |= held.any(axis=0)
    return count, reached


def _checked(real: Any, fake: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = pair(real, fake)
    if not 1 <= k < min(len(x), len(y)):
        raise ValueError(f"expected k from 1 to {min(len(x), len(y)) - 1} neighbours, got {k}")
    return x, y
