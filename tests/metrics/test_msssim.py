import numpy as np
import pytest

from minigan.data import digits
from minigan.metrics import ms_ssim, ms_ssim_diversity
from minigan.metrics.msssim import scales


@pytest.mark.parametrize(
    ("side", "count"),
    [(6, 0), (7, 1), (8, 1), (14, 2), (28, 3), (32, 3), (64, 4), (112, 5), (512, 5)],
)
def test_how_many_scales(side, count):
    assert scales(side, side) == count


@pytest.mark.parametrize("shape", [(4, 1, 8, 8), (3, 3, 28, 28), (2, 1, 33, 40)])
def test_equal_pictures_give_1_and_it_is_symmetric(rng, shape):
    x, y = rng.uniform(-1, 1, shape), rng.uniform(-1, 1, shape)
    np.testing.assert_allclose(ms_ssim(x, x), 1, rtol=1e-12)
    np.testing.assert_allclose(ms_ssim(x, y), ms_ssim(y, x), rtol=1e-12)
    assert (ms_ssim(x, y) < 0.7).all() and (ms_ssim(x, y) >= 0).all()
    np.testing.assert_allclose(ms_ssim(x, y), ms_ssim((x + 1) / 2, (y + 1) / 2, (0, 1)), rtol=1e-9)


def test_constant_pictures_differ_by_luminance_alone():
    """One scale: (2 μx μy + C1) / (μx² + μy² + C1), structure and contrast being 1."""
    x, y = np.full((1, 1, 8, 8), 0.2), np.full((1, 1, 8, 8), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.04 + 0.36 + 1e-4)
    assert ms_ssim(x, y, (0, 1))[0] == pytest.approx(expected, rel=1e-9)


def test_opposite_pictures_are_0_and_no_root_of_a_negative_number(rng):
    x = rng.choice([-1.0, 1.0], size=(2, 1, 28, 28))
    np.testing.assert_array_equal(ms_ssim(x, -x), 0)


def test_a_generator_that_repeats_itself_is_seen():
    real = digits()[:400]
    varied = ms_ssim_diversity(real, pairs=300)
    assert ms_ssim_diversity(np.repeat(real[:4], 100, axis=0), pairs=300) > varied + 0.15
    assert ms_ssim_diversity(np.repeat(real[:1], 50, axis=0), pairs=30) == pytest.approx(1)


def test_pairs_are_of_different_pictures_and_of_one_class(rng):
    labels = digits().labels[:300]
    real = digits()[:300]
    within = ms_ssim_diversity(real, labels, pairs=300)
    assert within > ms_ssim_diversity(real, pairs=300) + 0.1
    two = rng.uniform(-1, 1, (2, 1, 8, 8))
    assert ms_ssim_diversity(two, pairs=20) == pytest.approx(ms_ssim(two[:1], two[1:])[0])
    # a class of one can not be paired; the others still are
    assert ms_ssim_diversity(real[:3], [0, 1, 1], pairs=9) == pytest.approx(
        ms_ssim(real[1:2], real[2:3])[0]
    )


def test_refusals(rng):
    x = rng.uniform(-1, 1, (3, 1, 8, 8))
    with pytest.raises(ValueError, match="at least 7x7, got 6x6"):
        ms_ssim(x[..., :6, :6], x[..., :6, :6])
    with pytest.raises(ValueError, match="one shape"):
        ms_ssim(x, x[:2])
    with pytest.raises(ValueError, match="pictures"):
        ms_ssim_diversity(x[:, 0])
    with pytest.raises(ValueError, match="two pictures of one class"):
        ms_ssim_diversity(x, [0, 1, 2])
    with pytest.raises(ValueError, match="one label per picture"):
        ms_ssim_diversity(x, [0, 1])
