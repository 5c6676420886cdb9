"""Precision, recall, density, coverage: small cases by hand, and what theory says of equal sets."""

import numpy as np
import pytest

from minigan.metrics import arrays, density_coverage, precision_recall

LINE = np.array([[0.0], [1.0], [2.0], [10.0]])  # balls of radius 1, 1, 1, 8 for k = 1


def test_by_hand():
    fake = np.array([[0.5], [3.5], [30.0], [40.0]])  # radii 3, 3, 10, 10 for k = 1
    # 0.5 is in the balls of 0 and 1; 3.5 in that of 10 (2 to 18); 30 and 40 in none
    found = precision_recall(LINE, fake, k=1)
    assert found.precision == 2 / 4
    # 0, 1, 2 are within 3 of 0.5; 10 is in no fake's ball
    assert found.recall == 3 / 4
    found = density_coverage(LINE, fake, k=1)
    assert found.density == (2 + 1) / 4
    assert found.coverage == 3 / 4  # the balls of 0, 1 and 10 hold a fake


def test_k_counts_neighbours_without_the_sample_itself():
    # for k = 2 the balls of 0, 1, 2 reach 2, 1, 2
    assert precision_recall(LINE, np.array([[-1.5], [-2.5], [-3.0]]), k=2).precision == 1 / 3


def test_a_collapsed_generator_is_precise_and_recalls_nothing(rng):
    real = rng.normal(size=(300, 5))
    fake = np.repeat(real[:1], 300, axis=0)
    assert precision_recall(real, fake) == (1.0, pytest.approx(1 / 300))
    found = density_coverage(real, fake)
    assert found.coverage < 0.1 and found.density >= 1 / 5


def test_noise_beyond_the_data_is_neither(rng):
    real, fake = rng.normal(size=(200, 5)), rng.normal(size=(200, 5)) + 50
    assert precision_recall(real, fake) == (0, 0)
    assert density_coverage(real, fake) == (0, 0)


def test_a_copy_of_the_data_is_perfect(rng):
    real = 100 + rng.normal(size=(200, 8))
    assert precision_recall(real, real) == (1, 1)
    assert density_coverage(real, real).coverage == 1


@pytest.mark.parametrize("k", [1, 5])
def test_equal_distributions_have_the_expected_coverage_and_density(k):
    """Naeem et al. 2020, section 3: E coverage in closed form, E density = 1."""
    rng = np.random.default_rng(k)
    n, found = 200, []
    for _ in range(40):
        found.append(density_coverage(rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), k))
    expected = 1 - np.prod([(n - 1 - i) / (2 * n - 1 - i) for i in range(k)])
    density, coverage = np.mean(found, axis=0)
    assert coverage == pytest.approx(expected, abs=0.012)
    assert density == pytest.approx(1, abs=0.05)


def test_blocks_change_nothing(rng, monkeypatch):
    x, y = rng.normal(size=(70, 4)), rng.normal(size=(50, 4))
    whole = precision_recall(x, y), density_coverage(x, y)
    monkeypatch.setattr(arrays, "BLOCK", 130)
    assert (precision_recall(x, y), density_coverage(x, y)) == whole


def test_equal_rows_are_at_distance_0(rng):
    x = 1e3 * rng.normal(size=(30, 20))
    ((_, d),) = arrays.squared_distances(x, x)
    assert (np.diag(d) == 0).all() and (d >= 0).all()
    direct = ((x[:, None] - x[None]) ** 2).sum(-1)
    np.testing.assert_allclose(d, direct, rtol=1e-10)


def test_refusals(rng):
    x = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match="k from 1 to 4"):
        precision_recall(x, x, k=5)
