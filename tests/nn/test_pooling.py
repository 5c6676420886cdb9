"""Pooling against loops over windows."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn

F = nn.functional


def pool(x, kernel, stride, padding, reduce, empty):
    """``reduce`` of every window, one after the other, over a border of ``empty``."""
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=empty)
    oh, ow = ((n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True))
    y = np.zeros((*x.shape[:2], oh, ow))
    for i, j in np.ndindex(oh, ow):
        window = x[:, :, i * stride[0] :, j * stride[1] :][:, :, : kernel[0], : kernel[1]]
        y[:, :, i, j] = reduce(window, axis=(2, 3))
    return y


CASES = [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 2), (1, 1)), ((3, 3), (2, 2), (1, 1))]


@pytest.mark.parametrize(("kernel", "stride", "padding"), CASES)
def test_max(kernel, stride, padding, rng, check_layer):
    layer = nn.MaxPool2d(kernel, stride, padding)
    x = rng.permutation(60).reshape(1, 2, 5, 6) / 10.0 - 10  # all negative: padding must not win
    expected = pool(x, kernel, stride, padding, np.max, -np.inf)
    np.testing.assert_array_equal(layer(mg.tensor(x)).numpy(), expected)
    check_layer(layer, x[:, :1])


@pytest.mark.parametrize(("kernel", "stride", "padding"), CASES)
def test_avg(kernel, stride, padding, rng, check_layer):
    layer = nn.AvgPool2d(kernel, stride, padding)
    x = rng.standard_normal((2, 3, 5, 6))
    expected = pool(x, kernel, stride, padding, np.mean, 0)
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), expected, rtol=1e-12)
    check_layer(layer, x[:1, :1])
    inside = nn.AvgPool2d(kernel, stride, padding, count_include_pad=False)
    expected = pool(x, kernel, stride, padding, np.nanmean, np.nan)
    np.testing.assert_allclose(inside(mg.tensor(x)).numpy(), expected, rtol=1e-12)


def test_a_constant_picture_stays_constant(rng):
    x = mg.full((1, 1, 5, 7), 3.0, dtype="float64")
    for pooled in (
        F.avg_pool2d(x, 2, 3, ceil_mode=True),
        F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
        F.adaptive_avg_pool2d(x, (3, 9)),
    ):
        np.testing.assert_allclose(pooled.numpy(), 3, rtol=1e-14)


@pytest.mark.parametrize(
    ("n", "k", "s", "p", "floor", "ceil"),
    [(5, 2, 2, 0, 2, 3), (6, 2, 2, 0, 3, 3), (5, 3, 2, 1, 3, 3), (4, 2, 3, 1, 2, 2)],
)
def test_ceil_mode_sizes(n, k, s, p, floor, ceil):
    x = mg.ones(1, 1, n, n)
    for function in (F.max_pool2d, F.avg_pool2d):
        assert function(x, k, s, p).shape[2:] == (floor, floor)
        assert function(x, k, s, p, ceil_mode=True).shape[2:] == (ceil, ceil)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, (None, 4), (2, None)])
def test_adaptive(size, rng, check_layer):
    x = rng.standard_normal((2, 3, 5, 6))
    sizes = (size, size) if isinstance(size, int) else size
    oh, ow = (n if s is None else s for n, s in zip((5, 6), sizes, strict=True))
    expected = np.empty((2, 3, oh, ow))
    for i, j in np.ndindex(oh, ow):
        rows = slice(i * 5 // oh, math.ceil((i + 1) * 5 / oh))
        columns = slice(j * 6 // ow, math.ceil((j + 1) * 6 / ow))
        expected[:, :, i, j] = x[:, :, rows, columns].mean((2, 3))
    layer = nn.AdaptiveAvgPool2d(size)
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), expected, rtol=1e-12)
    check_layer(layer, x[:1, :1])


def test_equal_values_the_first_gets_the_gradient():
    x = mg.zeros(1, 1, 2, 2, requires_grad=True)
    F.max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy()[0, 0], [[1, 0], [0, 0]])


def test_arguments():
    x = mg.ones(1, 1, 4, 4)
    with pytest.raises(ValueError, match="half of the kernel"):
        F.max_pool2d(x, 2, padding=2)
    with pytest.raises(ValueError, match="two sizes"):
        F.adaptive_avg_pool2d(x, (1, 2, 3))
    assert F.avg_pool2d(x, 2, divisor_override=1).numpy().max() == 4
