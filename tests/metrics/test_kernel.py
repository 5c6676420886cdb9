"""The kernel distance; trap 14: unbiased, so it may be negative and is 0 on average."""

import numpy as np
import pytest

from minigan.metrics import arrays, kernel_distance, kid, mmd
from minigan.metrics import kernel as kernel_module


def test_against_the_definition(rng):
    """Every pair, spelled out, the pairs of a sample with itself left out."""
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)) + 0.5

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert mmd(x, y) == pytest.approx(xx + yy - 2 * xy, rel=1e-12)


def test_blocks_change_nothing(rng, monkeypatch):
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(31, 4))
    whole = mmd(x, y)
    monkeypatch.setattr(kernel_module, "BLOCK", 100)
    assert mmd(x, y) == pytest.approx(whole, rel=1e-12)
    assert arrays.BLOCK > 100


def test_mean_is_0_on_equal_distributions_and_single_values_are_negative():
    rng = np.random.default_rng(1)
    values = [mmd(rng.normal(size=(40, 8)), rng.normal(size=(40, 8))) for _ in range(800)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert 0.3 < np.mean(np.array(values) < 0) < 0.8
    bias = 2 * 2 * 40 / (40 * 40)  # what the diagonals, of at least 1 each, would add at least
    assert 3 * error < bias / 4


def test_the_subsets_mean_is_near_the_whole(rng):
    x, y = rng.normal(size=(400, 6)), rng.normal(size=(400, 6)) + 0.3
    found = kernel_distance(x, y, subsets=200, subset_size=100)
    assert abs(found.mean - mmd(x, y)) < 4 * found.std / np.sqrt(200)
    assert kid is kernel_distance
    assert kernel_distance(x, y, 20, 100, seed=3) == kernel_distance(x, y, 20, 100, seed=3)
    assert kernel_distance(x, y, 20, 100, seed=3) != kernel_distance(x, y, 20, 100, seed=4)


def test_the_standard_error_is_the_spread_over_new_data():
    """Repeated with fresh samples, the mean moves as much as the error says; std/√100 says less."""
    rng = np.random.default_rng(2)
    found = [
        kernel_distance(rng.normal(size=(150, 4)), rng.normal(size=(150, 4)) + 0.4, 30)
        for _ in range(60)
    ]
    spread = np.std([f.mean for f in found])
    claimed = np.mean([f.standard_error for f in found])
    assert 0.75 < claimed / spread < 1.5
    assert np.mean([f.std for f in found]) / np.sqrt(30) < 0.5 * spread


def test_a_subset_of_everything_has_no_error_estimate(rng):
    x, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 3))
    found = kernel_distance(x, y, subsets=3, subset_size=30)
    assert found.mean == pytest.approx(mmd(x, y), rel=1e-9) and np.isnan(found.standard_error)


def test_refusals(rng):
    x = rng.normal(size=(30, 3))
    with pytest.raises(ValueError, match="subsets of 2 to 30 samples"):
        kernel_distance(x, x, subset_size=31)
    with pytest.raises(ValueError, match="at least 1 subset"):
        kernel_distance(x, x, subsets=0)
