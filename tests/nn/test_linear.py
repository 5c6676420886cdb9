"""Linear, and the layers that only change the shape."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias, rng, check_layer):
    layer = nn.Linear(3, 2, bias).double()
    x = rng.standard_normal(shape)
    expected = x @ layer.weight.array.T + (layer.bias.array if bias else 0)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)
    check_layer(layer, x)


def test_linear_agrees_with_matmul_to_second_order(rng):
    """The fused function and its composed twin."""
    x, w, b = (
        mg.tensor(rng.standard_normal(s), requires_grad=True) for s in ((4, 3), (2, 3), (2,))
    )
    results = []
    for f in (nn.functional.linear, lambda x, w, b: mg.matmul(x, w.T) + b):
        y = f(x, w, b)
        first = mg.grad(mg.tanh(y).sum(), (x, w, b), create_graph=True)
        second = mg.grad(sum((g * g).sum() for g in first), (x, w, b))
        results.append([y, *first, *second])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-12, atol=1e-14)


def test_dense_is_linear():
    assert nn.Dense is nn.Linear


def test_shapes(rng, check_layer):
    x = mg.tensor(rng.standard_normal((2, 3, 4, 5)))
    assert nn.Flatten()(x).shape == (2, 60)
    assert nn.Flatten(2, 3)(x).shape == (2, 3, 20)
    assert nn.Unflatten(1, (1, 3))(x).shape == (2, 1, 3, 4, 5)
    assert nn.Unflatten(-1, (5, -1))(x).shape == (2, 3, 4, 5, 1)
    assert nn.Identity(3, what="ever")(x) is x
    check_layer(nn.Flatten(), rng.standard_normal((2, 2, 3)))
