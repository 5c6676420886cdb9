"""A generator's numbers, each beside those of a perfect sampler.

No number means much alone: a distance between two samples of one distribution is not 0, and its
size depends on n. So the real data are cut in two parts that share nothing. One is the reference;
n samples of the other stand for a generator that could not be better, and are measured exactly as
the generator's n samples are. n is at most half of the real data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ..array import np, to_host
from ..data import Dataset
from ..random import default_rng
from ..tensor import Tensor
from .features import Extractor
from .frechet import frechet_distance
from .inception_score import inception_score, softmax
from .kernel import kernel_distance
from .manifold import density_coverage, precision_recall
from .mixture import mode_coverage, perfect_mode_coverage
from .msssim import ms_ssim_diversity, scales
from .parzen import parzen_log_likelihood

COVERED = 0.1  # a class is covered if it gets that part of its share in the real data


@dataclass(frozen=True)
class Row:
    """One metric: the generator's value, the perfect sampler's, and which way is better."""

    name: str
    value: float
    perfect: float
    better: str  # "lower", "higher" or "equal" (to the perfect sampler's)


@dataclass
class Report:
    """The rows, how they were measured, and each class's share of the samples.

    ``print(report)`` shows the table; ``as_dict()`` is fit for JSON, with None for NaN.
    """

    n: int
    features: str
    rows: list[Row] = field(default_factory=list)
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'':{width}}  {'samples':>9}  {'perfect':>9}"]
        for row in self.rows:
            numbers = f"{_short(row.value):>9}  {_short(row.perfect):>9}"
            wish = "" if row.better == "equal" else f"  {row.better} is better"
            lines.append(f"{row.name:{width}}  {numbers}{wish}")
        if self.shares:
            lines.append("share of each class in %, samples (perfect):")
            texts = [f"{c} {100 * a:.1f} ({100 * b:.1f})" for c, (a, b) in self.shares.items()]
            lines += ["  " + "  ".join(texts[i : i + 5]) for i in range(0, len(texts), 5)]
        lines.append(f"perfect: {self.n:,} real samples in place of the generator's {self.n:,}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and dicts."""
        return {
            "n": self.n,
            "features": self.features,
            "metrics": {
                row.name: {
                    "value": _finite(row.value),
                    "perfect": _finite(row.perfect),
                    "better": row.better,
                }
                for row in self.rows
            },
            "shares": {c: {"value": a, "perfect": b} for c, (a, b) in self.shares.items()},
        }


def evaluate(dataset: Dataset, samples: Any, extractor: Extractor, seed: int = 0) -> Report:
    """Measure samples of a generator against the data set that it learned.

    Parameters
    ----------
    dataset : Dataset
        Pictures; points; or points of a mixture, whose modes are then counted.
    samples : array or Tensor (N, \\*shape)
        In the data's range. At most ``len(dataset) // 2`` of them are used.
    extractor : Extractor
    seed : int
        Of the cut of the real data, and of the metrics' own random choices.

    Raises
    ------
    ValueError
        If the shapes differ, samples are not finite, or there are too few.
    """
    data = samples.array if isinstance(samples, Tensor) else samples
    fake = np.asarray(to_host(data), dtype=np.float32)
    if fake.shape[1:] != dataset.shape:
        raise ValueError(f"expected samples of {dataset.shape} each, got {fake.shape[1:]}")
    if not np.isfinite(fake).all():
        raise ValueError("the samples hold NaN or infinity: the run has diverged")
    n = min(len(fake), len(dataset) // 2)
    if n < 20:
        raise ValueError(
            f"expected at least 20 samples and 40 real examples, got {len(fake)} and {len(dataset)}"
        )
    order = default_rng(seed, 2).permutation(len(dataset))[: 2 * n]
    fake, real, perfect = fake[:n], dataset.subset(order[:n]), dataset.subset(order[n:])
    if dataset.centers is not None and dataset.labels is not None:
        return _modes(dataset, fake, seed)
    report = Report(n, extractor.name)
    if len(dataset.shape) == 1:
        _add_distances(report, extractor, real[:], fake, perfect[:], seed)
        return report
    x, y, z = real.with_range(-1, 1)[:], to_unit(fake, dataset.range), perfect.with_range(-1, 1)[:]
    classes = _add_distances(report, extractor, x, y, z, seed)
    if min(dataset.shape[1:]) >= 7:
        name = f"MS-SSIM of pairs (scales: {scales(*dataset.shape[1:])})"
        a, b = (ms_ssim_diversity(p, of, seed=seed) for p, of in zip((y, z), classes, strict=True))
        report.rows.append(Row(name, a, b, "equal"))
    a, b = _parzen(y, x), _parzen(z, x)
    report.rows.append(Row("Parzen log-likelihood (nats)", a, b, "higher"))
    return report


def _modes(dataset: Dataset, fake: np.ndarray, seed: int) -> Report:
    centers = dataset.centers
    assert centers is not None
    std = mixture_std(dataset)
    found = mode_coverage(fake, centers, std)
    perfect = perfect_mode_coverage(centers, std, len(fake), seed=seed)
    report = Report(len(fake), "points")
    report.rows = [
        Row(f"modes captured (of {len(centers)})", found.modes, perfect.modes, "higher"),
        Row(
            "high-quality samples (%)",
            100 * found.high_quality,
            100 * perfect.high_quality,
            "higher",
        ),
        Row("reverse KL (nats)", found.reverse_kl, perfect.reverse_kl, "lower"),
    ]
    return report


def _add_distances(
    report: Report, extractor: Extractor, real: Any, fake: Any, perfect: Any, seed: int
) -> tuple[Any, Any]:
    """Add all that is measured on features; gives the classes of fakes and of perfect samples."""
    (x, _), (y, fake_logits), (z, perfect_logits) = map(extractor, (real, fake, perfect))
    inception = extractor.name == "Inception"
    suffix = "" if inception else f" ({extractor.name})"

    def add(name: str, measure: Any, better: str) -> None:
        report.rows.append(Row(name + suffix, measure(x, y), measure(x, z), better))

    add("FID" if inception else "Fréchet distance", frechet_distance, "lower")
    a, b = (kernel_distance(x, s, seed=seed) for s in (y, z))
    name = "1000 × " + ("KID" if inception else "kernel distance")
    report.rows += [
        Row(name + suffix, 1e3 * a.mean, 1e3 * b.mean, "lower"),
        Row(name + ", standard error", 1e3 * a.standard_error, 1e3 * b.standard_error, "equal"),
    ]
    for measure in (precision_recall, density_coverage):
        c, d = measure(x, y), measure(x, z)
        for name in c._fields:
            report.rows.append(Row(name + suffix, getattr(c, name), getattr(d, name), "higher"))
    if fake_logits is None or perfect_logits is None:
        return None, None
    name = "IS" if inception else "class score"
    scores = [inception_score(softmax(logits)).mean for logits in (fake_logits, perfect_logits)]
    report.rows.append(Row(name + suffix, scores[0], scores[1], "higher"))
    if extractor.classes is None:
        return None, None
    classes = [logits.argmax(axis=1) for logits in (fake_logits, perfect_logits)]
    count = len(extractor.classes)
    shares = [np.bincount(c, minlength=count) / len(c) for c in classes]
    covered = [int(((s > 0) & (s >= COVERED * shares[1])).sum()) for s in shares]
    report.rows.append(Row(f"classes covered (of {count})", covered[0], covered[1], "higher"))
    report.shares = {
        name: (float(a), float(b)) for name, a, b in zip(extractor.classes, *shares, strict=True)
    }
    return classes[0], classes[1]


def _parzen(samples: np.ndarray, real: np.ndarray) -> float:
    """With pixels from 0 to 1, σ from the first half of the real pictures, the second to test."""
    y, x = ((p.reshape(len(p), -1) + 1) / 2 for p in (samples, real))
    return parzen_log_likelihood(y, x[: len(x) // 2], x[len(x) // 2 :]).mean


def mixture_std(dataset: Dataset) -> float:
    """The standard deviation of a mixture's points (N, D) around the centres of their modes."""
    assert dataset.centers is not None and dataset.labels is not None
    return float(np.std(dataset[:].astype(np.float64) - dataset.centers[dataset.labels]))


def to_unit(pictures: np.ndarray, range: tuple[float, float] | None) -> np.ndarray:
    """To [-1, 1]; what lies outside of the range is shown as its ends, as a picture is."""
    low, high = range or (-1.0, 1.0)
    return np.clip((pictures - low) * (2 / (high - low)) - 1, -1, 1)


def _short(value: float) -> str:
    if math.isnan(value):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
