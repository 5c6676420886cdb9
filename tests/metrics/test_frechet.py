"""The Fréchet distance; trap 12: float64, a symmetric root, negatives clipped, biased by n."""

import numpy as np
import pytest

import minigan as mg
from minigan.metrics import frechet_distance, moments


def covariance(rng, d):
    a = rng.normal(size=(d, d))
    return a @ a.T / d


def test_closed_form_for_gaussians_that_share_axes(rng):
    """(μ1 - μ2)² + (σ1 - σ2)², summed over the axes, in whatever rotation."""
    d = 6
    q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    s1, s2 = rng.uniform(0.5, 2, d), rng.uniform(0.5, 2, d)
    m1, m2 = rng.normal(size=d), rng.normal(size=d)
    expected = ((m1 - m2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    found = frechet_distance((m1, q * s1**2 @ q.T), (m2, q * s2**2 @ q.T))
    assert found == pytest.approx(expected, rel=1e-12)


def test_closed_form_in_two_dimensions_without_common_axes():
    """tr √M = √(tr M + 2 √det M) for 2×2."""
    a, b = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.8], [-0.8, 3.0]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    zero = np.zeros(2)
    assert frechet_distance((zero, a), (zero, b)) == pytest.approx(expected, rel=1e-12)


def test_features_and_their_moments_give_the_same(rng):
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(60, 4)) + 1
    mean, cov = moments(x)
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-14)
    np.testing.assert_allclose(cov, np.cov(x, rowvar=False), rtol=1e-12)
    assert frechet_distance(moments(x), y) == frechet_distance(x, y)
    np.testing.assert_allclose(frechet_distance(y, x), frechet_distance(x, y), rtol=1e-12)


@pytest.mark.parametrize("n", [10, 200])
def test_a_set_has_no_distance_from_itself(rng, n):
    """Also where the covariance of few samples is singular."""
    x = rng.normal(size=(n, 64)) * 10.0 ** rng.uniform(-3, 1, 64)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rank", [9, 64])
def test_singular_covariances_lose_no_digits(rng, rank):
    """S and 4 S are tr S apart; roots of the zero eigenvalues' rounding errors would add 1e-7."""
    q = np.linalg.qr(rng.normal(size=(64, 64)))[0][:, :rank]
    values = 10.0 ** rng.uniform(-2, 2, rank)
    cov, zero = q * values @ q.T, np.zeros(64)
    cov = (cov + cov.T) / 2
    found = frechet_distance((zero, cov), (zero, 4 * cov))
    assert found == pytest.approx(values.sum(), rel=1e-11)


def test_singular_covariances_that_share_no_direction_are_their_traces_apart(rng):
    q = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    first, second = q[:, :9], q[:, 9:18]
    values, zero = 10.0 ** rng.uniform(-2, 2, 9), np.zeros(64)
    found = frechet_distance((zero, first * values @ first.T), (zero, second * values @ second.T))
    assert found == pytest.approx(2 * values.sum(), rel=1e-11)


def test_disjoint_subspaces_where_sqrtm_of_the_product_fails():
    """S_r S_f is nilpotent here: no square root exists, but the distance is tr S_r + tr S_f."""
    zero = np.zeros(2)
    found = frechet_distance((zero, np.diag([1.0, 0.0])), (zero, np.diag([0.0, 4.0])))
    assert found == pytest.approx(5, rel=1e-12)


def test_float32_features_are_measured_in_float64(rng):
    """Features far from 0: in float32 the covariance of 1000 ± 0.01 would be noise."""
    x = (1000 + 0.01 * rng.normal(size=(500, 8))).astype(np.float32)
    y = (1000 + 0.02 * rng.normal(size=(500, 8))).astype(np.float32)
    found = frechet_distance(mg.tensor(x), mg.tensor(y))
    assert found == frechet_distance(x.astype(float), y.astype(float))
    assert found == pytest.approx(8 * 0.01**2, rel=0.3)


@pytest.mark.parametrize(("n", "expected"), [(250, 8.9), (1000, 2.2), (16_000, 0.14)])
def test_the_bias_of_few_samples(n, expected):
    """64 independent normal features, both sets from one distribution: always report n."""
    rng = np.random.default_rng(n)
    found = frechet_distance(rng.normal(size=(n, 64)), rng.normal(size=(n, 64)))
    assert found == pytest.approx(expected, rel=0.06)


def test_refusals(rng):
    x = rng.normal(size=(20, 3))
    with pytest.raises(ValueError, match="one length, got 3 and 2"):
        frechet_distance(x, x[:, :2])
    with pytest.raises(ValueError, match="flatten pictures"):
        frechet_distance(x, np.zeros((5, 1, 2, 2)))
    with pytest.raises(ValueError, match="NaN or infinity"):
        frechet_distance(x, np.full((5, 3), np.nan))
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(x, x[:1])
    with pytest.raises(ValueError, match="symmetric"):
        frechet_distance((np.zeros(2), np.array([[1.0, 0.5], [0.0, 1.0]])), x[:, :2])
    with pytest.raises(ValueError, match="mean"):
        frechet_distance((np.zeros(2), np.eye(3)), x)
