"""The Inception Score: does each sample look like one class, and do all look like many?

    IS = exp E_x KL(p(y|x) ‖ p(y)),   p(y) = E_x p(y|x)

(Salimans et al. 2016, section 4.) 1 if every sample gets the same prediction, K if the predictions
are sure and spread evenly over K classes. It never sees real data, nor variety inside a class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..array import np
from .arrays import rows


class InceptionScore(NamedTuple):
    """The mean and standard deviation over the splits."""

    mean: float
    std: float


def inception_score(probabilities: Any, splits: int = 10) -> InceptionScore:
    """The score of predictions p(y|x), (N, K), averaged over ``splits`` equal parts.

    Raises
    ------
    ValueError
        If the rows are no probabilities (a softmax is missing), or less than ``splits``.
    """
    p = rows(probabilities, "predictions", least=1)
    if (p < 0).any() or not np.allclose(p.sum(axis=1), 1, rtol=0, atol=1e-4):
        raise ValueError(
            "expected probabilities, rows of 0 or more that sum to 1: take the softmax of "
            "logits, once"
        )
    if not 1 <= splits <= len(p):
        raise ValueError(f"expected 1 to {len(p)} splits of {len(p)} predictions, got {splits}")
    edges = [i * len(p) // splits for i in range(splits + 1)]
    scores = [_score(p[low:high]) for low, high in zip(edges, edges[1:], strict=False)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(p: np.ndarray) -> float:
    marginal = np.broadcast_to(p.mean(axis=0), p.shape)
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=p > 0)  # 0 log 0 is 0
    return float(np.exp((p * np.log(ratio)).sum(axis=1).mean()))


def softmax(logits: Any) -> np.ndarray:
    """exp(l) / Σ exp(l) of each row of (N, K), float64."""
    x = rows(logits, "logits", least=1)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
