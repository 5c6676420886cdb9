"""Activation functions, by their formulas."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn

sigmoid = np.vectorize(lambda v: 1 / (1 + math.exp(-v)))
phi = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))

CASES = [
    (nn.ReLU(), lambda x: np.where(x > 0, x, 0)),
    (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    (nn.LeakyReLU(), lambda x: np.where(x > 0, x, 0.01 * x)),
    (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    (nn.Tanh(), np.tanh),
    (nn.Sigmoid(), sigmoid),
    (nn.SiLU(), lambda x: x * sigmoid(x)),
    (nn.GELU(), lambda x: x * phi(x)),
    (nn.Softplus(), lambda x: np.log(1 + np.exp(x))),
    (nn.Softplus(2.0, 1.0), lambda x: np.where(2 * x > 1, x, np.log(1 + np.exp(2 * x)) / 2)),
    (nn.Softmax(1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    (nn.LogSoftmax(0), lambda x: x - np.log(np.exp(x).sum(0, keepdims=True))),
]


@pytest.mark.parametrize(("layer", "formula"), CASES, ids=lambda v: repr(v)[:20])
def test_value_and_gradients(layer, formula, rng, check_layer):
    x = rng.standard_normal((2, 3, 2))
    x += 0.1 * np.sign(x)  # away from the kinks
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), formula(x), rtol=1e-12)
    check_layer(layer, x)


@pytest.mark.parametrize("n", [1, 3])
def test_prelu(n, rng, check_layer):
    layer = nn.PReLU(n, init=0.1)
    layer.weight.array[...] = rng.uniform(0.1, 0.5, n)
    x = rng.standard_normal((3, 3, 3))
    slope = layer.weight.array.reshape(-1, 1)
    expected = np.where(x > 0, x, x * slope)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-6)
    check_layer(layer, x)


def test_far_out_they_stay_finite():
    x = mg.tensor([-1000.0, -100.0, 0.0, 100.0, 1000.0], requires_grad=True)
    for layer, _ in CASES:
        if "oftmax" in repr(layer):
            continue
        y = layer(x)
        (g,) = mg.grad(y.sum(), x)
        assert np.isfinite(y.detach().numpy()).all(), layer
        assert np.isfinite(g.numpy()).all(), layer
    assert nn.functional.logsigmoid(x).tolist()[0] == -1000


def test_slopes_at_the_kink():
    """As in PyTorch: ReLU 0, leaky ReLU and PReLU the slope of the left, ELU alpha."""
    for layer, slope in ((nn.ReLU(), 0), (nn.LeakyReLU(0.2), 0.2), (nn.ELU(0.5), 0.5)):
        x = mg.zeros(1, dtype="float64", requires_grad=True)
        assert mg.grad(layer(x).sum(), x)[0].item() == slope


def test_gelu_needs_a_known_approximation():
    with pytest.raises(ValueError, match="tanh"):
        nn.GELU("sigmoid")(mg.ones(1))


@pytest.mark.parametrize(
    ("shape", "axis"), [((4,), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)]
)
@pytest.mark.parametrize("layer", [nn.Softmax, nn.LogSoftmax])
def test_softmax_without_dim_says_which_axis_it_takes(layer, shape, axis, rng):
    x = mg.tensor(rng.standard_normal(shape))
    with pytest.warns(UserWarning, match=f"say dim={axis}"):
        y = layer()(x)
    np.testing.assert_array_equal(y.numpy(), layer(axis)(x).numpy())


def test_prelu_needs_its_channels():
    with pytest.raises(nn.LayerError, match=r"expected input \(N, 4, ...\), got \(2, 3\)"):
        nn.PReLU(4)(mg.ones(2, 3))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu"])
def test_inplace_changes_nothing(name):
    x = mg.tensor([-1.0, 2.0])
    y = getattr(nn.functional, name)(x, inplace=True)
    assert x.tolist() == [-1, 2]
    assert y.tolist()[0] != -1
