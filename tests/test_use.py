"""Somebody's own functions, layers, rules, objectives and steps in the place of minigan's."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def test_a_function_with_rules_of_its_own():
    x = mg.tensor([0.5], requires_grad=True)
    with mg.use(mg.tanh, lambda x: 3 * x, rules=[lambda g, y, x: 3 * g]):
        assert x.tanh().item() == mg.tanh(x).item() == nn.Tanh()(x).item() == 1.5
        assert mg.grad(mg.tanh(x).sum(), x)[0].item() == 3
        with mg.use(mg.tanh, lambda x: x * 0):  # the rules stay
            assert mg.tanh(x).item() == 0
        assert mg.tanh(x).item() == 1.5
    np.testing.assert_allclose(mg.tanh(x).detach().numpy(), np.tanh([0.5]), rtol=1e-6)


def test_without_rules_the_targets_stay():
    x = mg.tensor([0.5], requires_grad=True)
    (expected,) = mg.grad(mg.tanh(x).sum(), x)
    with mg.use(mg.tanh, lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)):
        (g,) = mg.grad(mg.tanh(x).sum(), x)
    np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-6)


def test_as_a_plain_call():
    mine = mg.use(mg.relu, lambda x: x * 0)
    try:
        assert mg.relu(mg.ones(1)).item() == 0
    finally:
        mine.undo()
    assert mg.relu(mg.ones(1)).item() == 1


def test_twins_are_off_for_what_was_replaced():
    """Leaky ReLU and convolution have twins, which must not answer in its place."""
    with mg.use(mg.ops.leaky_relu, lambda x, negative_slope: x * 0):
        assert nn.LeakyReLU()(mg.ones(2)).tolist() == [0, 0]
    calls = []

    def conv2d(x, w, b=None, *, stride, padding, dilation, groups):
        calls.append(x.shape)
        return np.zeros((len(x), len(w), 2, 2), x.dtype)

    with mg.use(mg.ops.conv2d, conv2d):
        nn.Conv2d(1, 2, 3)(mg.ones(1, 1, 4, 4))
    assert calls == [(1, 1, 4, 4)]


def test_a_composite_is_replaced_by_a_body():
    def batch_norm(x, weight, bias, *, eps, stats):
        return (x - x.mean(0)) * weight + bias

    layer = nn.BatchNorm1d(2)
    x = mg.tensor([[0.0, 1.0], [2.0, 5.0]], requires_grad=True)
    with mg.use(mg.ops.batch_norm, batch_norm):
        y = layer(x)
    assert y.tolist() == [[-1, -2], [1, 2]]
    y.sum().backward()
    assert layer.weight.grad.tolist() == [0, 0]


def test_a_layer():
    class Mine(nn.Module):
        def __init__(self, in_features, out_features, bias=True):
            self.weight = nn.Parameter(mg.ones(out_features, in_features))

        def forward(self, x):
            return x @ self.weight.T

    with mg.use(nn.Linear, Mine):
        layer = nn.Linear(3, 2)
        g, d = mg.zoo.build("mlp", (2,))
    assert type(layer) is Mine and layer(mg.ones(1, 3)).tolist() == [[3, 3]]
    assert any(isinstance(m, Mine) for m in g.modules())
    assert type(nn.Linear(3, 2)) is nn.Linear

    class Derived(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 0

    with mg.use(nn.Linear, Derived):
        layer = nn.Linear(3, 2)
    assert type(layer) is Derived and layer.weight.shape == (2, 3)
    assert layer(mg.ones(1, 3)).tolist() == [[0, 0]]


def test_an_optimisers_rule():
    p = nn.Parameter(np.ones(2))
    optimizer = mg.optim.Adam([p], lr=0.5)
    with mg.use(mg.optim.Adam.rule, lambda p, g, state, rates: p - rates.lr * g):
        p.sum().backward()
        optimizer.step()
    assert p.tolist() == [0.5, 0.5]
    optimizer.step()
    assert p.tolist() != [0, 0]  # Adam's own step again


def test_an_objective_and_the_two_steps():
    game = mg.gan.Minimax(*mg.zoo.build("mlp", (2,), {"latent_dim": 2}))
    with mg.use(mg.gan.NonSaturating.generator_loss, lambda self, fake: fake.mean() * 0 + 7):
        assert game.step_generator(4)["g_loss"] == 7

    def step(self, real, z=None, labels=None):
        return {"d_loss": 5.0, "d_real": 0.5, "d_fake": 0.5}

    with mg.use(mg.gan.Minimax.step_discriminator, step):
        assert game.step_discriminator(mg.ones(4, 2))["d_loss"] == 5
    assert game.step_discriminator(mg.ones(4, 2))["d_loss"] != 5


@pytest.mark.parametrize(
    "target, mine, message",
    [
        (mg.tanh, lambda: 0, r"tanh is called as tanh\(x.*but yours takes \(\)"),
        (mg.ops.leaky_relu, lambda x: x, "negative_slope"),
        (nn.Linear, type("Mine", (), {"__init__": lambda self, n: None}), "Linear is called as"),
        (mg.optim.Adam.rule, lambda p, g: p, r"Adam.rule\(p.*, g.*, state.*, rates"),
        (nn.functional.normalize, lambda x: x, "has no place.*such as mg.tanh"),
        (3, lambda x: x, "3 has no place"),
    ],
)
def test_what_does_not_fit_says_so_and_changes_nothing(target, mine, message):
    with pytest.raises(TypeError, match=message):
        mg.use(target, mine)
    assert mg.tanh(mg.zeros(1)).item() == 0 and type(nn.Linear(1, 1)) is nn.Linear


def test_rules_are_for_functions_that_have_them():
    with pytest.raises(TypeError, match="rules= is for differentiable functions, not for Linear"):
        mg.use(nn.Linear, nn.Linear, rules=[])


def test_functions_around_an_op_stand_for_it():
    with mg.use(mg.ops.linear, lambda x, w, b=None: np.full((len(x), len(w)), 7, x.dtype)):
        assert nn.Linear(3, 2)(mg.ones(1, 3)).tolist() == [[7, 7]]
    with mg.use(mg.matmul, lambda a, b: a @ b * 2):
        assert (mg.ones(1, 3) @ mg.ones(3, 1)).item() == 6
