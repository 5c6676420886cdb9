"""By which number trials are compared."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ... import metrics
from ...array import np, to_host
from ...data import Dataset
from ...gan import Minimax
from ...random import default_rng

SAMPLES = 5000  # of G, and as many real ones, if there are so many


@dataclass(frozen=True)
class Score:
    """A number that says how good a finished game is: ``of(game, dataset)``."""

    title: str
    of: Callable[[Minimax, Dataset], float]
    larger_is_better: bool = False


def _on_features(measure: Callable[[Any, Any], float], game: Minimax, dataset: Dataset) -> float:
    """A metric on the features that ``minigan evaluate`` takes for this data."""
    chosen = default_rng(0).permutation(len(dataset))[:SAMPLES]  # folders are sorted by class
    real, fake = dataset[chosen], _samples(game, len(chosen))
    if len(dataset.shape) == 3:
        real, fake = (metrics.to_unit(x, dataset.range) for x in (real, fake))
    extract = metrics.extractor("auto", dataset)
    return measure(extract(real).features, extract(fake).features)


def _on_modes(name: str, game: Minimax, dataset: Dataset) -> float:
    """A field of :func:`metrics.mode_coverage`, of 2,500 samples as in the PacGAN paper."""
    if dataset.centers is None or dataset.labels is None:
        raise ValueError(f"{dataset.name} is no mixture with known modes: take another score")
    std = metrics.mixture_std(dataset)
    return getattr(metrics.mode_coverage(_samples(game, 2500), dataset.centers, std), name)


def _samples(game: Minimax, n: int) -> np.ndarray:
    return np.asarray(to_host(game.sample(n, game.fixed_noise(n, seed=0)).array))


def _feature_score(title: str, measure: Callable[[Any, Any], float], larger: bool) -> Score:
    return Score(title, functools.partial(_on_features, measure), larger)


SCORES = {
    "frechet": _feature_score("Fréchet distance", metrics.frechet_distance, False),
    "kernel": _feature_score(
        "kernel distance", lambda x, y: metrics.kernel_distance(x, y).mean, False
    ),
    "precision": _feature_score(
        "precision", lambda x, y: metrics.precision_recall(x, y).precision, True
    ),
    "recall": _feature_score("recall", lambda x, y: metrics.precision_recall(x, y).recall, True),
    "density": _feature_score("density", lambda x, y: metrics.density_coverage(x, y).density, True),
    "coverage": _feature_score(
        "coverage", lambda x, y: metrics.density_coverage(x, y).coverage, True
    ),
    "modes": Score("modes", functools.partial(_on_modes, "modes"), True),
    "high-quality": Score("high quality", functools.partial(_on_modes, "high_quality"), True),
    "reverse-kl": Score("reverse KL", functools.partial(_on_modes, "reverse_kl")),
}
