import numpy as np
import pytest

from minigan.data import grid, ring, swiss_roll, two_moons

ALL = [ring, grid, swiss_roll, two_moons]


@pytest.mark.parametrize("make", ALL)
def test_float32_points_of_the_asked_number_decided_by_the_seed(make):
    ds = make(n=500, seed=3)
    assert ds.data.shape == (500, 2) and ds.data.dtype == np.float32 and ds.range is None
    assert ds.labels is None or ds.labels.dtype == np.int64
    np.testing.assert_array_equal(ds[:], make(n=500, seed=3)[:])
    assert (ds[:] != make(n=500, seed=4)[:]).any()


@pytest.mark.parametrize("modes", [1, 2, 8, 25])
def test_the_ring_has_exactly_as_many_distinct_centres_on_the_circle(modes):
    centers = ring(n=10, modes=modes, radius=2.0).centers
    assert len(np.unique(centers.round(5), axis=0)) == modes
    np.testing.assert_allclose(np.hypot(*centers.T), 2.0, rtol=1e-6)
    if modes > 1:  # evenly spaced: every neighbour equally far
        gaps = np.linalg.norm(centers - np.roll(centers, 1, axis=0), axis=1)
        np.testing.assert_allclose(gaps, gaps[0], rtol=1e-5)


def test_the_grids_centres_are_the_papers():
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(c) for c in grid(n=10).centers} == expected


@pytest.mark.parametrize(("make", "std", "modes"), [(ring, 0.01, 8), (grid, 0.05, 25)])
def test_points_scatter_around_their_labels_centre(make, std, modes):
    ds = make(n=50_000)
    offset = ds[:] - ds.centers[ds.labels]
    np.testing.assert_allclose(offset.std(axis=0), std, rtol=0.02)
    np.testing.assert_allclose(offset.mean(axis=0), 0, atol=4 * std / np.sqrt(50_000))
    counts = np.bincount(ds.labels, minlength=modes)
    expected = 50_000 / modes
    assert len(counts) == modes and abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_perfect_sampler_scores_what_theory_says():
    """Within 3 standard deviations in two dimensions: 1 - exp(-9/2), 98.9 %."""
    ds = ring(n=50_000)
    distance = np.linalg.norm(ds[:, None] - ds.centers, axis=2).min(axis=1)
    assert abs((distance < 3 * 0.01).mean() - (1 - np.exp(-4.5))) < 0.003


def test_the_swiss_roll_without_noise_is_the_spiral():
    ds = swiss_roll(n=2000, noise=0.0)
    r = np.linalg.norm(ds[:], axis=1)
    t = 4.5 * np.pi * r
    np.testing.assert_allclose(ds[:], np.stack([r * np.cos(t), r * np.sin(t)], 1), atol=1e-5)
    assert 1 / 3 - 1e-6 <= r.min() < 0.34 and 0.99 < r.max() <= 1 + 1e-6
    assert ds.labels is None and ds.centers is None


def test_the_moons_without_noise_are_two_half_circles():
    ds = two_moons(n=2000, noise=0.0)
    upper, lower = ds[ds.labels == 0], ds[ds.labels == 1]
    np.testing.assert_allclose(np.hypot(*(upper + [0.5, 0.25]).T), 1, atol=1e-6)
    np.testing.assert_allclose(np.hypot(*(lower - [0.5, 0.25]).T), 1, atol=1e-6)
    assert upper[:, 1].min() >= -0.2501 and lower[:, 1].max() <= 0.2501
    assert 800 < len(upper) < 1200


@pytest.mark.parametrize("make", [swiss_roll, two_moons])
def test_noise_is_a_standard_deviation(make):
    noisy, exact = make(n=20_000, noise=0.1), make(n=20_000, noise=0.0)
    np.testing.assert_allclose((noisy[:] - exact[:]).std(axis=0), 0.1, rtol=0.03)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (ring, {"n": 0}, "n >= 1, got 0"),
        (ring, {"modes": 0}, "modes >= 1"),
        (ring, {"std": -0.1}, "std >= 0"),
        (grid, {"side": 0}, "side >= 1"),
        (swiss_roll, {"noise": float("nan")}, "noise >= 0"),
        (two_moons, {"n": -1}, "n >= 1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)
