"""Dropout: how often, how scaled, when, and the same mask in the backward pass."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def test_rate_and_scale():
    y = nn.Dropout(0.3)(mg.ones(200, 500)).numpy()
    dropped = y == 0
    assert abs(dropped.mean() - 0.3) < 0.01
    np.testing.assert_allclose(y[~dropped], 1 / 0.7, rtol=1e-6)


@pytest.mark.parametrize(("layer", "size"), [(nn.Dropout2d, (3, 4)), (nn.Dropout3d, (2, 3, 2))])
def test_whole_channels_are_dropped(layer, size):
    y = layer(0.5, inplace=True)(mg.ones(20, 50, *size)).numpy().reshape(20, 50, -1)
    assert (y == y[:, :, :1]).all()
    assert abs((y == 0).mean() - 0.5) < 0.06


def test_the_backward_pass_uses_the_same_mask():
    x = mg.ones(50, 4, requires_grad=True)
    y = nn.Dropout()(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_evaluation_and_p_0_change_nothing():
    x = mg.randn(3, 4)
    assert nn.Dropout(0.9).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    assert not nn.Dropout(1.0)(x).numpy().any()


def test_reproducible():
    mg.manual_seed(3)
    first = nn.Dropout()(mg.ones(100)).numpy()
    assert not np.array_equal(first, nn.Dropout()(mg.ones(100)).numpy())
    mg.manual_seed(3)
    np.testing.assert_array_equal(first, nn.Dropout()(mg.ones(100)).numpy())


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probabilities(p):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        nn.functional.dropout(mg.ones(2), p)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(dtype):
    assert nn.Dropout()(mg.ones(3, dtype=dtype)).dtype == dtype
