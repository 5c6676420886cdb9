import numpy as np
import pytest

from minigan.metrics import arrays, parzen_log_likelihood
from minigan.metrics.parzen import log_likelihoods


def test_one_window_is_a_gaussian():
    """log N(x; y, σ² I) in 3 dimensions."""
    x, y, sigma = np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, 2.0, 2.0]]), 0.7
    expected = -1.25 / (2 * sigma**2) - 1.5 * np.log(2 * np.pi * sigma**2)
    assert log_likelihoods(y, x, [sigma])[0, 0] == pytest.approx(expected, rel=1e-12)


def test_the_density_integrates_to_1(rng):
    samples = rng.normal(size=(5, 1))
    x = np.linspace(-8, 8, 4001)[:, None]
    for row in log_likelihoods(samples, x, [0.2, 0.5]):
        assert np.exp(row).sum() * 16 / 4000 == pytest.approx(1, abs=1e-6)


def test_far_away_it_is_finite_and_very_negative():
    """exp underflows at 40σ: the sum of exponentials must be taken relative to the largest."""
    found = log_likelihoods(np.zeros((3, 2)), np.full((1, 2), 100.0), [0.1])[0, 0]
    assert found == pytest.approx(-2e4 / 0.02 - np.log(2 * np.pi * 0.01), rel=1e-12)


def test_blocks_change_nothing(rng, monkeypatch):
    y, x = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    whole = log_likelihoods(y, x, [0.1, 1.0])
    monkeypatch.setattr(arrays, "BLOCK", 90)
    np.testing.assert_allclose(log_likelihoods(y, x, [0.1, 1.0]), whole, rtol=1e-12)


def test_sigma_is_chosen_on_the_validation_data_alone(rng):
    samples, validation = rng.normal(size=(400, 1)), rng.normal(size=(200, 1))
    test = samples[:100]  # copies would ask for the narrowest window
    found = parzen_log_likelihood(samples, validation, test, [0.001, 0.3, 5.0])
    assert found.sigma == 0.3
    scores = log_likelihoods(samples, test, [0.3])[0]
    assert found.mean == pytest.approx(scores.mean())
    assert found.standard_error == pytest.approx(scores.std(ddof=1) / 10)


def test_it_estimates_the_entropy_of_what_it_was_given(rng):
    """Of N(0, I) in 2 dimensions, E log p = -log(2πe); windows can only lose."""
    parts = (rng.normal(size=(n, 2)) for n in (1500, 200, 800))
    found = parzen_log_likelihood(*parts)
    assert found.mean == pytest.approx(-np.log(2 * np.pi * np.e), abs=0.1)


def test_refusals(rng):
    x = rng.normal(size=(5, 2))
    with pytest.raises(ValueError, match="widths above 0"):
        parzen_log_likelihood(x, x, x, [0.0])
