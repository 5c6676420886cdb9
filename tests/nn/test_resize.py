"""Interpolation, pixel shuffle and padding."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

F = nn.functional


def bilinear(x, size, align_corners):
    """The definition: weigh the four pixels around the source position."""
    h, w = x.shape[2:]
    y = np.empty((*x.shape[:2], *size))

    def source(i, n, out):
        if align_corners:
            p = i * (n - 1) / (out - 1) if out > 1 else 0.0
        else:
            p = max((i + 0.5) * n / out - 0.5, 0.0)
        low = min(int(p), n - 1)
        return low, min(low + 1, n - 1), p - low

    for i, j in np.ndindex(*size):
        top, bottom, a = source(i, h, size[0])
        left, right, b = source(j, w, size[1])
        upper = (1 - b) * x[:, :, top, left] + b * x[:, :, top, right]
        lower = (1 - b) * x[:, :, bottom, left] + b * x[:, :, bottom, right]
        y[:, :, i, j] = (1 - a) * upper + a * lower
    return y


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(6, 8), (9, 5), (1, 2), (2, 3), (3, 4)])
def test_bilinear(size, align_corners, rng, check_layer):
    x = rng.standard_normal((2, 2, 3, 4))
    layer = nn.Upsample(size, mode="bilinear", align_corners=align_corners)
    expected = bilinear(x, size, align_corners)
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), expected, rtol=1e-12, atol=1e-14)
    check_layer(layer, x[:1, :1])


@pytest.mark.parametrize("size", [(6, 8), (3, 12), (5, 6), (2, 3), (1, 1)])
def test_nearest(size, rng, check_layer):
    x = rng.standard_normal((2, 2, 3, 4))
    rows, columns = (np.arange(s) * n // s for s, n in zip(size, (3, 4), strict=True))
    layer = nn.Upsample(size)
    np.testing.assert_array_equal(layer(mg.tensor(x)).numpy(), x[:, :, rows][..., columns])
    check_layer(layer, x[:1, :1])


def test_scale_factor(rng):
    x = mg.tensor(rng.standard_normal((1, 2, 3, 4)))
    twice = nn.Upsample(scale_factor=2)(x).numpy()
    np.testing.assert_array_equal(twice, x.numpy().repeat(2, 2).repeat(2, 3))
    assert nn.Upsample(scale_factor=(1.5, 3.0))(x).shape == (1, 2, 4, 12)
    assert nn.Upsample(scale_factor=0.5, mode="bilinear")(x).shape == (1, 2, 1, 2)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": 2, "scale_factor": 2},
        {"size": 2, "mode": "bicubic"},
        {"size": 2, "align_corners": True},
        {"scale_factor": 0.1},
        {"size": (2, 2, 2)},
    ],
)
def test_arguments(settings):
    with pytest.raises(ValueError):
        F.interpolate(mg.ones(1, 1, 4, 4), **settings)


def test_pixel_shuffle(rng, check_layer):
    """Output pixel (r·i + a, r·j + b) of channel c is input channel c·r² + r·a + b at (i, j)."""
    x = rng.standard_normal((2, 8, 3, 2))
    y = nn.PixelShuffle(2)(mg.tensor(x)).numpy()
    assert y.shape == (2, 2, 6, 4)
    for c, i, j, a, b in np.ndindex(2, 3, 2, 2, 2):
        np.testing.assert_array_equal(y[:, c, 2 * i + a, 2 * j + b], x[:, 4 * c + 2 * a + b, i, j])
    check_layer(nn.PixelShuffle(2), x[:1, :4])


@pytest.mark.parametrize("padding", [2, (1, 0, 2, 3)])
@pytest.mark.parametrize(
    ("layer", "mode"),
    [(nn.ZeroPad2d, "constant"), (nn.ReflectionPad2d, "reflect"), (nn.ReplicationPad2d, "edge")],
)
def test_padding(layer, mode, padding, rng, check_layer):
    left, right, top, bottom = (padding,) * 4 if isinstance(padding, int) else padding
    x = rng.standard_normal((1, 2, 4, 4))
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=mode)
    np.testing.assert_array_equal(layer(padding)(mg.tensor(x)).numpy(), expected)
    check_layer(layer(padding), x[:, :1])
    with pytest.raises(ValueError, match="left, right, top, bottom"):
        layer((1, 2))
