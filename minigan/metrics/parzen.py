"""The log-likelihood of real data under Gaussian windows around the samples.

    log p(x) = log 1/M Σ_j N(x; y_j, σ² I)

(Breuleux et al. 2011; Goodfellow et al. 2014, section 5: 225 ± 2 on MNIST.) It is here to compare
with those numbers: in many dimensions it ranks models badly (Theis et al. 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..array import np
from .arrays import pair, squared_distances

SIGMAS = tuple(float(s) for s in np.logspace(-2, 0, 21))


class Parzen(NamedTuple):
    """Mean log-likelihood in nats, its standard error, and the window's width."""

    mean: float
    standard_error: float
    sigma: float


def parzen_log_likelihood(
    samples: Any, validation: Any, test: Any, sigmas: Sequence[float] = SIGMAS
) -> Parzen:
    """The mean log-likelihood of ``test`` (N, D), with the σ that suits ``validation`` best.

    Parameters
    ----------
    samples, validation, test : (M, D), (V, D) and (N, D) array or Tensor
        Generated samples, and two sets of real ones that share none. Pixels from 0 to 1 in the
        published numbers; another scale shifts the result by D times its logarithm.
    sigmas : sequence of float
        The candidates.
    """
    likelihoods = log_likelihoods(samples, validation, sigmas)
    sigma = float(sigmas[int(likelihoods.mean(axis=1).argmax())])
    scores = log_likelihoods(samples, test, [sigma])[0]
    error = scores.std(ddof=1) / math.sqrt(len(scores)) if len(scores) > 1 else math.nan
    return Parzen(float(scores.mean()), float(error), sigma)


def log_likelihoods(samples: Any, points: Any, sigmas: Sequence[float]) -> np.ndarray:
    """log p of each of the points (N, D) for each σ: (len(sigmas), N), float64."""
    y, x = pair(samples, points, least=1)
    if not len(sigmas) or not all(s > 0 for s in sigmas):
        raise ValueError(f"expected widths above 0, got {list(sigmas)}")
    result = np.empty((len(sigmas), len(x)))
    for block, d in squared_distances(x, y):
        nearest = d.min(axis=1)  # its term is the largest: the others are summed relative to it
        d -= nearest[:, None]
        for row, sigma in zip(result, sigmas, strict=True):
            scale = -0.5 / sigma**2
            rest = np.log(np.exp(scale * d).sum(axis=1))
            row[block] = scale * nearest + rest
    constant = np.log(len(y)) + y.shape[1] * np.log(np.sqrt(2 * math.pi) * np.asarray(sigmas))
    return result - constant[:, None]
