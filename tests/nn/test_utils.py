"""Clipping, parameters as one vector, spectral normalisation."""

import copy

import numpy as np
import pytest
from numeric import check_gradients

import minigan as mg
from minigan import nn

utils = nn.utils


def learner(*gradients):
    """Parameters with these gradients."""
    result = []
    for g in gradients:
        p = nn.Parameter(mg.zeros(np.shape(g)))
        p.grad = mg.tensor(np.asarray(g, "float32"))
        result.append(p)
    return result


def test_clip_grad_norm():
    parameters = learner([3.0, 0.0], [[4.0]])
    parameters.append(nn.Parameter(mg.ones(2)))  # without gradient
    assert utils.clip_grad_norm_(iter(parameters), 1.0).item() == 5
    np.testing.assert_allclose(parameters[0].grad.numpy(), [0.6, 0], rtol=1e-5)
    np.testing.assert_allclose(parameters[1].grad.numpy(), [[0.8]], rtol=1e-5)
    before = parameters[0].grad.numpy().copy()
    assert abs(utils.clip_grad_norm_(parameters, 10.0).item() - 1) < 1e-5
    np.testing.assert_array_equal(parameters[0].grad.numpy(), before)
    assert utils.clip_grad_norm_(learner([3.0, -4.0])[0], 1.0, float("inf")).item() == 4
    assert utils.clip_grad_norm_(learner([3.0], [-4.0]), 1.0, float("inf")).item() == 4
    assert utils.clip_grad_norm_(learner([3.0], [-4.0]), 1.0, 1.0).item() == 7
    assert utils.clip_grad_norm_([], 1.0).item() == 0


def test_clip_grad_norm_of_infinite_gradients():
    with pytest.raises(ValueError, match="inf"):
        utils.clip_grad_norm_(learner([np.inf]), 1.0, error_if_nonfinite=True)


def test_clipping_writes_where_the_gradient_lives():
    (p,) = learner([3.0, -4.0])
    memory = p.grad.array
    utils.clip_grad_norm_(p, 1.0)
    utils.clip_grad_value_(p, 0.7)
    assert p.grad.array is memory
    np.testing.assert_allclose(memory, [0.6, -0.7], rtol=1e-5)


def test_clipping_recorded_gradients_spares_their_graph():
    x = mg.ones(3, requires_grad=True)
    y = (2 * x).sum()
    y.backward(create_graph=True)  # the gradient is a read-only view of one number
    utils.clip_grad_value_(x, 0.5)
    np.testing.assert_array_equal(x.grad.numpy(), [0.5] * 3)
    np.testing.assert_array_equal(mg.grad(y, x)[0].numpy(), [2] * 3)


def test_clipping_gradients_that_have_a_graph():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x**3).sum().backward(create_graph=True)
    recorded = x.grad
    utils.clip_grad_value_(x, 4.0)
    assert x.grad.tolist() == [3, 4] and recorded.tolist() == [3, 12]
    assert mg.grad(recorded.sum(), x)[0].tolist() == [6, 12]


def test_vectors():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (13,)
    (g,) = mg.grad((vector**2).sum(), net[0].weight)
    np.testing.assert_allclose(g.numpy(), 2 * net[0].weight.array)
    memory = net[1].weight.array
    utils.vector_to_parameters(mg.arange(13.0), net.parameters())
    assert net[1].weight.array is memory
    np.testing.assert_array_equal(memory, [[9, 10, 11]])
    with pytest.raises(ValueError, match="13 numbers"):
        utils.vector_to_parameters(mg.ones(12), net.parameters())


# --------------------------------------------------------------------------- spectral normalisation

LAYERS = [
    (lambda: nn.Linear(5, 4), (3, 5), 0),
    (lambda: nn.Conv2d(3, 4, 3, padding=1), (2, 3, 4, 4), 0),
    (lambda: nn.ConvTranspose2d(3, 4, 2, 2), (2, 3, 2, 2), 1),
]
layers = pytest.mark.parametrize(("layer", "shape", "dim"), LAYERS)


def largest(weight, dim):
    """The largest singular value of the weight as a matrix."""
    matrix = np.moveaxis(weight, dim, 0).reshape(weight.shape[dim], -1)
    return np.linalg.svd(matrix, compute_uv=False)[0]


@layers
def test_sigma_converges_to_the_largest_singular_value(layer, shape, dim, rng):
    layer = utils.spectral_norm(layer().double())
    x = mg.tensor(rng.standard_normal(shape))
    for _ in range(300):
        layer(x)
    np.testing.assert_allclose(largest(layer.weight.array, dim), 1, rtol=1e-10)
    sigma = largest(layer.weight_orig.array, dim)
    np.testing.assert_allclose(layer.weight.array * sigma, layer.weight_orig.array, rtol=1e-10)
    before = layer.weight.array
    utils.remove_spectral_norm(layer)
    np.testing.assert_allclose(layer.weight.array, before)
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert not layer._forward_pre_hooks
    assert not layer._forward_hooks
    layer(x)


def test_many_iterations_at_once():
    layer = utils.spectral_norm(nn.Linear(5, 4).double(), n_power_iterations=200)
    layer(mg.ones(1, 5, dtype="float64"))
    np.testing.assert_allclose(largest(layer.weight.array, 0), 1, rtol=1e-10)


def test_state_and_modes():
    layer = utils.spectral_norm(nn.Linear(5, 4))
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_u", "weight_v"]
    assert [n for n, _ in layer.named_parameters()] == ["bias", "weight_orig"]
    layer.eval()
    u = layer.weight_u.numpy().copy()
    y = layer(mg.ones(1, 5))
    np.testing.assert_array_equal(layer.weight_u.numpy(), u)
    assert y.requires_grad
    layer.train()(mg.ones(1, 5))
    assert not np.array_equal(layer.weight_u.numpy(), u)
    np.testing.assert_allclose(np.linalg.norm(layer.weight_u.numpy()), 1, rtol=1e-6)


def test_gradients_with_u_and_v_constant(rng):
    """d/dW of W / (uᵀ W v), to second order, against finite differences."""
    layer = utils.spectral_norm(nn.Linear(3, 2).double()).eval()
    vars(layer).pop("weight")

    def f(w, b, x):
        layer.weight_orig, layer.bias = w, b
        return mg.tanh(layer(x))

    check_gradients(f, *(rng.standard_normal(s) for s in ((2, 3), (2,), (2, 3))))


def test_inside_a_gradient_penalty(rng):
    """The penalty (‖∂D/∂x‖ - 1)² is differentiated in the weights under the normalisation."""
    net = nn.Sequential(
        utils.spectral_norm(nn.Linear(3, 4)), nn.Tanh(), utils.spectral_norm(nn.Linear(4, 1))
    )
    net.double()
    x = mg.tensor(rng.standard_normal((2, 3)), requires_grad=True)
    for _ in range(5):
        net(x)
    net.eval()

    def penalty(a, b):
        net[0].weight_orig, net[2].weight_orig = a, b
        (g,) = mg.grad(net(x).sum(), x, create_graph=True)
        return ((g.norm(dim=1) - 1) ** 2).mean()

    check_gradients(penalty, net[0].weight_orig.array, net[2].weight_orig.array, rtol=1e-5)


def test_an_earlier_graph_survives_the_next_iteration():
    """real and fake batches pass before backward(): each must use its own u and v."""
    layer = utils.spectral_norm(nn.Linear(4, 3).double())
    x = mg.randn(2, 4, dtype="float64")
    alone = copy.deepcopy(layer)
    (expected,) = mg.grad((alone(x) ** 2).sum(), alone.weight_orig)
    first = (layer(x) ** 2).sum()
    layer(x)
    (got,) = mg.grad(first, layer.weight_orig)
    np.testing.assert_array_equal(got.numpy(), expected.numpy())


def test_a_copy_after_a_forward_pass_is_independent():
    layer = utils.spectral_norm(nn.Linear(4, 3))
    layer(mg.ones(1, 4))
    twin = copy.deepcopy(layer)
    u = layer.weight_u.numpy().copy()
    twin(mg.ones(1, 4)).sum().backward()
    np.testing.assert_array_equal(layer.weight_u.numpy(), u)
    assert layer.weight_orig.grad is None
    assert twin.weight_orig.grad is not None


def test_errors():
    with pytest.raises(ValueError, match="no parameter 'weight'"):
        utils.spectral_norm(nn.ReLU())
    with pytest.raises(ValueError, match="already"):
        utils.spectral_norm(utils.spectral_norm(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="not spectrally"):
        utils.remove_spectral_norm(nn.Linear(2, 2))
