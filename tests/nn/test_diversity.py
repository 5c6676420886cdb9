"""Layers that look at the whole batch, and maxout."""

import copy
import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def batch(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# ------------------------------------------------------------------ mini-batch standard deviation


@pytest.mark.parametrize("shape", [(8, 3, 2, 2), (8, 5), (8, 3, 4)])
@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_the_channel_is_the_groups_mean_standard_deviation(shape, size):
    x = batch(*shape)
    y = nn.MinibatchStdDev(size)(mg.tensor(x)).numpy()
    assert y.shape == (8, shape[1] + 1, *shape[2:])
    np.testing.assert_array_equal(y[:, :-1], x)
    groups = max(1, 8 // size)
    for i in range(8):
        group = x[i % groups :: groups]  # as in the authors' code
        expected = np.sqrt(group.var(axis=0) + 1e-8).mean()
        np.testing.assert_allclose(y[i, -1], expected, rtol=1e-13)


def test_groups_are_independent():
    x = batch(8, 3, 2, 2)
    other = x.copy()
    other[1] *= 5  # in the group of 1, 3, 5, 7
    layer = nn.MinibatchStdDev(4)
    y, z = (layer(mg.tensor(a)).numpy()[:, -1, 0, 0] for a in (x, other))
    np.testing.assert_array_equal(y[::2], z[::2])
    assert (y[1::2] < z[1::2]).all()
    assert len(set(y)) == 2


def test_samples_all_alike_have_no_deviation():
    x = mg.tensor(np.repeat(batch(1, 3, 2, 2), 8, axis=0), requires_grad=True)
    y = nn.MinibatchStdDev()(x)
    np.testing.assert_allclose(y.array[:, -1], 1e-4)
    (g,) = mg.grad((y * y).sum(), x)
    assert np.isfinite(g.numpy()).all()


def test_stddev_gradients(check_layer):
    check_layer(nn.MinibatchStdDev(2), batch(4, 2, 2))
    check_layer(nn.MinibatchStdDev(4), batch(4, 3))


def test_a_batch_that_does_not_split_is_refused():
    with pytest.raises(ValueError, match="batch of 6 does not split into groups of 4: drop_last"):
        nn.MinibatchStdDev(4)(mg.ones(6, 2))
    with pytest.raises(ValueError, match="at least 2 samples to differ, got 1"):
        nn.MinibatchStdDev(1)


# --------------------------------------------------------------------- mini-batch discrimination


def test_discrimination_by_its_formula():
    x, layer = batch(5, 3), nn.MinibatchDiscrimination(3, 2, 4).double()
    y = layer(mg.tensor(x)).detach().numpy()
    assert y.shape == (5, 5)
    np.testing.assert_array_equal(y[:, :3], x)
    m = (x @ layer.weight.detach().numpy()).reshape(5, 2, 4)
    for i in range(5):
        for b in range(2):
            near = [math.exp(-np.abs(m[i, b] - m[j, b]).sum()) for j in range(5)]
            assert y[i, 3 + b] == pytest.approx(sum(near), rel=1e-13)


def test_samples_all_alike_are_all_near():
    x = np.repeat(batch(1, 3), 6, axis=0)
    y = nn.MinibatchDiscrimination(3, 2).double()(mg.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y[:, 3:], 6)


def test_discrimination_gradients(check_layer):
    check_layer(nn.MinibatchDiscrimination(3, 2, 2), batch(4, 3))


def test_discrimination_refuses_other_widths():
    with pytest.raises(ValueError, match=r"expected input \(N, 3\), got \(2, 4\)"):
        nn.MinibatchDiscrimination(3, 2)(mg.ones(2, 4))


def test_its_weights_start_like_a_dense_layers():
    weight = nn.MinibatchDiscrimination(25, 40, 5).weight.detach().numpy()
    assert weight.shape == (25, 200) and np.abs(weight).max() <= 0.2 and weight.std() > 0.11
    assert list(nn.MinibatchDiscrimination(2, 2).state_dict()) == ["weight"]
    copy.deepcopy(nn.MinibatchDiscrimination(2, 2))


# ---------------------------------------------------------------------------------------- maxout


def test_maxout_takes_the_largest_of_neighbours():
    x = batch(4, 6)
    y = nn.Maxout(3)(mg.tensor(x)).numpy()
    np.testing.assert_array_equal(y, x.reshape(4, 2, 3).max(axis=2))
    pictures = batch(2, 6, 3, 3)
    y = nn.Maxout(2)(mg.tensor(pictures)).numpy()
    np.testing.assert_array_equal(y, np.maximum(pictures[:, ::2], pictures[:, 1::2]))


def test_maxout_gradients(check_layer):
    check_layer(nn.Sequential(nn.Linear(3, 6), nn.Maxout(3)), batch(4, 3))


def test_the_gradient_of_equal_pieces_goes_to_the_first():
    x = mg.ones(1, 4, requires_grad=True)
    nn.Maxout(2)(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 0, 1, 0]])


def test_maxout_refuses_features_that_do_not_split():
    with pytest.raises(ValueError, match="5 features do not split into 2 pieces"):
        nn.Maxout(2)(mg.ones(1, 5))
    with pytest.raises(ValueError, match="at least 1 piece, got 0"):
        nn.Maxout(0)
