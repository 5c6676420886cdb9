"""The table: a perfect generator, a poor one, a collapsed one; and what it refuses."""

import json
import math

import numpy as np
import pytest

from minigan import data, metrics
from minigan.metrics import Report, Row, evaluate

DIGITS = data.digits()


def worse(report):
    """The metrics in which the samples are worse than a perfect sampler."""
    signs = {"lower": 1, "higher": -1}
    return {
        r.name
        for r in report.rows
        if r.better != "equal" and signs[r.better] * (r.value - r.perfect) > 0
    }


@pytest.fixture(scope="module")
def halves():
    order = np.random.default_rng(5).permutation(len(DIGITS))
    return DIGITS.subset(order[:1000]), DIGITS.subset(order[1000:])


def test_real_digits_as_samples_score_like_the_perfect_sampler(halves):
    real, others = halves
    report = evaluate(real, others[:400], metrics.digits())
    assert report.n == 400
    row = report["Fréchet distance (digit features)"]
    assert 0.6 < row.value / row.perfect < 1.6
    for name in ("precision", "recall", "coverage"):
        row = report[f"{name} (digit features)"]
        assert abs(row.value - row.perfect) < 0.08
    assert report["classes covered (of 10)"].value == 10
    assert sum(a for a, _ in report.shares.values()) == pytest.approx(1)


def test_a_collapsed_generator_is_told_by_recall_classes_and_ms_ssim(halves):
    real, others = halves
    one = others.subset(others.labels == 3)[:20]
    report = evaluate(real, np.tile(one, (20, 1, 1, 1)), metrics.digits())
    assert report["recall (digit features)"].value < 0.1
    assert report["precision (digit features)"].value > 0.8
    assert report["classes covered (of 10)"].value == 1
    row = report["MS-SSIM of pairs (scales: 1)"]
    assert row.value > row.perfect
    assert report["class score (digit features)"].value < 1.6


def test_noise_is_worse_in_everything_that_sees_quality(halves, rng):
    real, _ = halves
    report = evaluate(real, rng.uniform(-1, 1, (400, 1, 8, 8)), metrics.pixels())
    assert "Fréchet distance (pixels)" in worse(report) and not report.shares
    assert {"precision (pixels)", "coverage (pixels)", "Parzen log-likelihood (nats)"} <= worse(
        report
    )


def test_the_real_data_are_cut_in_two_parts_that_share_nothing(halves, monkeypatch):
    """Were the perfect sampler's pictures in the reference, its distance would be 0."""
    real, others = halves
    seen = []
    monkeypatch.setattr(metrics.report, "frechet_distance", lambda x, y: seen.append((x, y)) or 1.0)
    evaluate(real, others[:600], metrics.pixels())
    (x, fake), (x_again, perfect) = seen
    assert len(x) == len(fake) == len(perfect) == 500  # at most half of the 1,000
    assert x is x_again
    rows = {row.tobytes() for row in x}
    assert len(rows) == 500 and not any(row.tobytes() in rows for row in perfect)
    np.testing.assert_array_equal(fake, others[:500].reshape(500, -1))


def test_parzens_sigma_is_chosen_on_other_pictures_than_it_is_tested_on(halves, monkeypatch):
    real, others = halves
    seen = []
    monkeypatch.setattr(
        metrics.report,
        "parzen_log_likelihood",
        lambda *parts: seen.append(parts) or metrics.Parzen(1.0, 0.1, 0.2),
    )
    evaluate(real, others[:100], metrics.pixels())
    assert len(seen) == 2
    for samples, validation, test in seen:
        assert (len(samples), len(validation), len(test)) == (100, 50, 50)
        assert samples.min() >= 0 and samples.max() == 1  # pixels from 0 to 1, as published
        chosen_on = {row.tobytes() for row in validation}
        assert not any(row.tobytes() in chosen_on for row in test)


def test_a_class_that_no_picture_has_is_not_covered(halves):
    real, others = halves

    def always_b(x):
        return metrics.features.Extracted(x.reshape(len(x), -1), np.eye(3)[np.ones(len(x), int)])

    named = metrics.Extractor("mine", always_b, ("a", "b", "c"))
    row = evaluate(real, others[:60], named)["classes covered (of 3)"]
    assert (row.value, row.perfect) == (1, 1)


def test_the_seed_decides(halves):
    real, others = halves
    small = real.subset(range(120))
    one, again, other = (evaluate(small, others[:50], metrics.pixels(), s) for s in (1, 1, 2))
    assert one == again and one != other


def test_pictures_in_another_range_give_the_same(halves):
    real, others = halves
    small = real.subset(range(200))
    usual = evaluate(small, others[:100], metrics.digits())
    shifted = evaluate(small.with_range(0, 1), (others[:100] + 1) / 2, metrics.digits())
    for a, b in zip(usual.rows, shifted.rows, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-3, abs=1e-4), a.name


@pytest.mark.parametrize("make", [data.ring, data.grid])
def test_a_mixture_has_its_modes_counted(make):
    dataset = make(20_000)
    count = len(dataset.centers)
    perfect = evaluate(dataset, make(3000, seed=1)[:], metrics.extractor("auto", dataset))
    assert [row.name for row in perfect.rows] == [
        f"modes captured (of {count})",
        "high-quality samples (%)",
        "reverse KL (nats)",
    ]
    assert [r.perfect for r in perfect.rows[:2]] == [count, pytest.approx(98.89, abs=0.1)]
    assert perfect.rows[1].value == pytest.approx(98.9, abs=0.8)
    poor = make(3000, seed=1)
    few = evaluate(dataset, poor.subset(poor.labels < 2)[:], metrics.pixels())
    assert few.rows[0].value == 2
    assert few.rows[2].value == pytest.approx(math.log(count / 2), abs=0.01)


def test_points_without_centres_are_measured_as_points():
    dataset = data.swiss_roll(400)
    report = evaluate(dataset, data.swiss_roll(200, seed=1)[:], metrics.extractor("auto", dataset))
    assert report["Fréchet distance (points)"].value < 0.1
    assert not any("MS-SSIM" in row.name or "Parzen" in row.name for row in report.rows)


def test_inception_alone_says_fid(halves):
    real, others = halves
    pixels = metrics.pixels()
    named = metrics.Extractor("Inception", lambda x: pixels(x)._replace(logits=pixels(x).features))
    small, fake = real.subset(range(100)), others[:50]
    text = str(evaluate(small, fake, named))
    for name in ("FID ", "KID ", "IS "):
        assert name in text
    for made in (metrics.digits(), pixels):
        text = str(evaluate(small, fake, made))
        for name in ("FID", "KID", "IS ", "Inception"):
            assert name not in text


def test_the_table_and_its_json():
    report = Report(
        50, "pixels", [Row("a", 1.23456, 0.5, "lower"), Row("bc", 3, math.nan, "higher")]
    )
    report.shares = {"cat": (0.5, 0.25)}
    assert str(report).splitlines() == [
        "      samples    perfect",
        "a       1.235        0.5  lower is better",
        "bc          3          -  higher is better",
        "share of each class in %, samples (perfect):",
        "  cat 50.0 (25.0)",
        "perfect: 50 real samples in place of the generator's 50",
    ]
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert content["metrics"]["bc"] == {"value": 3, "perfect": None, "better": "higher"}
    assert content["shares"] == {"cat": {"value": 0.5, "perfect": 0.25}}


def test_refusals(halves):
    real, others = halves
    with pytest.raises(ValueError, match=r"samples of \(1, 8, 8\) each, got \(1, 28, 28\)"):
        evaluate(real, np.zeros((30, 1, 28, 28)), metrics.pixels())
    with pytest.raises(ValueError, match="diverged"):
        evaluate(real, np.full((30, 1, 8, 8), np.nan), metrics.pixels())
    with pytest.raises(ValueError, match="at least 20 samples"):
        evaluate(real, others[:19], metrics.pixels())
