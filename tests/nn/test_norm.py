"""Normalisation: statistics, running statistics, and the twin made of mean and variance."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

F = nn.functional


def standard(x, axes, eps=1e-5):
    """(x - mean) / √(var + eps), with NumPy."""
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


LAYERS = [  # layer, input shape, the axes of one mean, shape to take them in
    (lambda: nn.BatchNorm1d(3), (5, 3), (0,), None),
    (lambda: nn.BatchNorm1d(3, eps=0.1), (2, 3, 4), (0, 2), None),
    (lambda: nn.BatchNorm2d(3), (2, 3, 2, 2), (0, 2, 3), None),
    (lambda: nn.InstanceNorm2d(3), (2, 3, 2, 3), (2, 3), None),
    (lambda: nn.LayerNorm(4), (3, 4), (1,), None),
    (lambda: nn.LayerNorm((2, 3), eps=0.1), (2, 2, 3), (1, 2), None),
    (lambda: nn.GroupNorm(2, 4), (2, 4, 3), (2,), (2, 2, 6)),
]


@pytest.mark.parametrize("layer,shape,axes,view", LAYERS)
def test_value_and_gradients(layer, shape, axes, view, rng, check_layer):
    layer = layer().double()
    x = rng.standard_normal(shape) * 3 + 1
    expected = standard(x.reshape(view or shape), axes, layer.eps).reshape(shape)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-10)
    for p in layer.parameters():
        p.array[...] = rng.uniform(0.5, 1.5, p.shape)
    check_layer(layer, x)


@pytest.mark.parametrize("axes", [(0,), (0, 2)])
def test_standardize_agrees_with_its_composed_twin(axes, rng):
    """Value, first and second derivative; fused rules are easily right to first order only."""
    x = mg.tensor(rng.standard_normal((4, 3, 2)), requires_grad=True)
    c, d = (mg.tensor(rng.standard_normal((4, 3, 2))) for _ in range(2))

    def composed(x):
        centred = x - x.mean(axes, keepdim=True)
        return centred / mg.sqrt((centred * centred).mean(axes, keepdim=True) + 1e-5)

    def fused_with_statistics(x):
        return mg.ops.standardize(x, axes, 1e-5, mg.ops.batch_stats(x.array, axes))

    results = []
    for f in (composed, lambda x: mg.ops.standardize(x, axes, 1e-5), fused_with_statistics):
        y = f(x)
        (first,) = mg.grad(y, x, c, create_graph=True)
        (second,) = mg.grad(first, x, d, create_graph=True)
        (third,) = mg.grad(second, x, c)
        results.append([y, first, second, third])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.1, 0.4, None])
def test_running_statistics(momentum, rng):
    layer = nn.BatchNorm2d(2, momentum=momentum).double()
    mean, var = np.zeros(2), np.ones(2)
    for step in range(1, 4):
        x = rng.standard_normal((3, 2, 4, 5)) * step + 1
        layer(mg.tensor(x))
        rate = 1 / step if momentum is None else momentum
        mean = (1 - rate) * mean + rate * x.mean((0, 2, 3))
        var = (1 - rate) * var + rate * x.var((0, 2, 3), ddof=1)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
        assert layer.num_batches_tracked.item() == step
    layer.eval()
    x = rng.standard_normal((1, 2, 4, 5))
    shape = (1, 2, 1, 1)
    expected = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-5)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)
    assert layer.num_batches_tracked.item() == 3


def test_instance_norm_running_statistics(rng):
    layer = nn.InstanceNorm2d(2, track_running_stats=True).double()
    x = rng.standard_normal((3, 2, 4, 5)) + 2
    layer(mg.tensor(x))
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.mean((0, 2, 3)))
    expected = 0.9 + 0.1 * x.var((2, 3), ddof=1).mean(0)
    np.testing.assert_allclose(layer.running_var.numpy(), expected)
    assert layer.num_batches_tracked.item() == 0  # never counted, as in PyTorch
    by_running = layer.eval()(mg.tensor(x)).numpy()
    assert abs(by_running.mean((2, 3))).max() > 0.5
    own = nn.InstanceNorm2d(2).eval()(mg.tensor(x)).numpy()
    np.testing.assert_allclose(own, standard(x, (2, 3)), rtol=1e-10)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d(3), (1, 3)),
        (nn.BatchNorm1d(3), (1, 3, 1)),
        (nn.BatchNorm2d(3), (1, 3, 1, 1)),
        (nn.InstanceNorm2d(3), (4, 3, 1, 1)),
    ],
)
def test_one_value_per_channel_can_not_be_standardised(layer, shape):
    with pytest.raises(nn.LayerError, match="more than one value per channel"):
        layer(mg.ones(shape))


def test_one_value_is_fine_in_evaluation():
    assert nn.BatchNorm1d(3).eval()(mg.ones(1, 3)).shape == (1, 3)


def test_in_evaluation_examples_do_not_see_each_other(rng):
    net = nn.Sequential(
        nn.Linear(4, 8),
        nn.BatchNorm1d(8),
        nn.Unflatten(1, (2, 2, 2)),
        nn.ConvTranspose2d(2, 3, 4, 2, 1),
        nn.BatchNorm2d(3),
        nn.Tanh(),
    )
    z = mg.randn(6, 4)
    net(z)
    apart = net(z[:2])  # in training they do
    assert abs(net(z)[0] - apart[0]).max().item() > 1e-3
    net.eval()
    np.testing.assert_allclose(net(z)[0].detach(), net(z[:1])[0].detach(), rtol=1e-5, atol=1e-6)


def test_no_gradient_reaches_the_running_statistics(rng):
    layer = nn.BatchNorm1d(3)
    x = mg.randn(4, 3, requires_grad=True)
    layer(x).sum().backward()
    assert layer.running_mean.is_leaf
    assert layer.running_mean.grad is None
    layer.eval()(x).sum().backward()
    slope = np.ones((4, 3)) / np.sqrt(layer.running_var.numpy() + 1e-5)
    np.testing.assert_allclose(x.grad.numpy(), slope, atol=1e-4)


def test_without_tracking_evaluation_uses_the_batch(rng):
    layer = nn.BatchNorm1d(3, affine=False, track_running_stats=False).eval()
    assert layer.state_dict() == {}
    x = rng.standard_normal((5, 3))
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), standard(x, (0,)), rtol=1e-10)
    with pytest.raises(ValueError, match="running_mean"):
        F.batch_norm(mg.tensor(x), None, None)


def test_group_norm_at_its_ends_is_layer_and_instance_norm(rng):
    x = mg.tensor(rng.standard_normal((2, 4, 3, 3)))
    one, each = nn.GroupNorm(1, 4)(x), nn.GroupNorm(4, 4)(x)
    layer = nn.LayerNorm((4, 3, 3), elementwise_affine=False)(x)
    np.testing.assert_allclose(one.detach(), layer, rtol=1e-10)
    np.testing.assert_allclose(each.detach(), nn.InstanceNorm2d(4)(x), rtol=1e-10)
    with pytest.raises(ValueError, match="groups"):
        nn.GroupNorm(3, 4)


def test_normalize(rng):
    x = rng.standard_normal((3, 4))
    y = F.normalize(mg.tensor(x)).numpy()
    np.testing.assert_allclose(y, x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-12)
    assert not F.normalize(mg.zeros(2, 3)).numpy().any()


def test_synchronised_over_one_rank_is_batch_norm():
    """To the bit, and with a plain average, which only several ranks can not keep."""
    x = mg.randn(6, 3)
    alone, plain = mg.nn.SyncBatchNorm(3, momentum=None), mg.nn.BatchNorm1d(3, momentum=None)
    np.testing.assert_array_equal(alone(x).detach().numpy(), plain(x).detach().numpy())
    np.testing.assert_array_equal(alone.running_var.numpy(), plain.running_var.numpy())
