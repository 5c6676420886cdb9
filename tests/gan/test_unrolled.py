"""Unrolling: the optimisers' steps as a graph, and what G's gradient through them is."""

import copy

import numpy as np
import pytest

import minigan as mg
from minigan import check, nn
from minigan.gan import Minimax, WeightClipping
from minigan.gan.unrolled import unrolled

OPTIMIZERS = {
    "adam": lambda ps: mg.optim.Adam(ps, 0.03, (0.5, 0.9)),
    "adam, decay": lambda ps: mg.optim.Adam(ps, 0.03, (0.5, 0.9), weight_decay=0.1),
    "amsgrad": lambda ps: mg.optim.Adam(ps, 0.03, (0.5, 0.9), amsgrad=True, maximize=True),
    "adamw": lambda ps: mg.optim.AdamW(ps, 0.03, weight_decay=0.1),
    "rmsprop": lambda ps: mg.optim.RMSprop(ps, 0.03, weight_decay=0.1),
    "rmsprop, all": lambda ps: mg.optim.RMSprop(ps, 0.03, momentum=0.9, centered=True),
    "sgd": lambda ps: mg.optim.SGD(ps, 0.3, weight_decay=0.1),
    "momentum": lambda ps: mg.optim.SGD(ps, 0.1, momentum=0.9, dampening=0.3),
    "nesterov": lambda ps: mg.optim.SGD(ps, 0.1, momentum=0.9, nesterov=True),
}


def discriminator():
    layers = [nn.Linear(2, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 3), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(3, 1)).double()


def generator():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def d_loss(network, real, fake):
    return mg.gan.NonSaturating().discriminator_loss(network(real), network(fake))


@pytest.fixture
def samples():
    return mg.randn(6, 2, dtype="float64") + 1, mg.randn(6, 2, dtype="float64")


def weights(network):
    """All parameters' values, whether parameters or tensors of a graph stand in their place."""
    return [
        value.detach().numpy().copy()
        for module in network.modules()
        for value in vars(module).values()
        if isinstance(value, mg.Tensor) and not isinstance(value, nn.Buffer)
    ]


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_inside_are_the_weights_of_so_many_real_steps(samples, name, steps_before):
    """From where the optimiser is: its averages and its step count go on."""
    d = discriminator()
    optimizer = OPTIMIZERS[name](d.parameters())

    def train(network, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            d_loss(network, *samples).backward()
            optimizer.step()

    train(d, optimizer, steps_before)
    after, its_optimizer = copy.deepcopy((d, optimizer))
    train(after, its_optimizer, 3)
    before, state = weights(d), optimizer.state_dict()
    buffers = [b.numpy().copy() for b in d.buffers()]
    with unrolled(d, optimizer, lambda: d_loss(d, *samples), 3, lambda p: p):
        for got, expected in zip(weights(d), weights(after), strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    for got, expected in zip(weights(d), before, strict=True):  # and outside all is as it was
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(d.buffers(), buffers, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)
    assert str(optimizer.state_dict()) == str(state)
    assert all(isinstance(p, nn.Parameter) and p.grad is not None for p in d.parameters()) == bool(
        steps_before
    )


@pytest.mark.parametrize("name", ["adam", "rmsprop, all", "momentum"])
def test_gs_gradient_goes_through_the_steps(samples, name):
    """Of L_G(θ, ψ₂(θ)), against differences in every weight of G."""
    g, d = generator(), discriminator()
    optimizer = OPTIMIZERS[name](d.parameters())
    for _ in range(2):
        optimizer.zero_grad()
        d_loss(d, *samples).backward()
        optimizer.step()
    z = mg.randn(6, 3, dtype="float64")

    def loss():
        fake = g(z)
        with unrolled(d, optimizer, lambda: d_loss(d, samples[0], fake), 2, lambda p: p):
            return mg.gan.NonSaturating().generator_loss(d(fake))

    report = check.gradients(loss, wrt=g, order=1, scale="directions", directions=1)
    assert report, report
    (plain,) = mg.grad(mg.gan.NonSaturating().generator_loss(d(g(z))), g[0].weight)
    (through,) = mg.grad(loss(), g[0].weight)
    assert np.abs(through.numpy() - plain.numpy()).max() > 0.01 * np.abs(plain.numpy()).max()


def game(**options):
    pair = mg.zoo.build("mlp", (2,), {"latent_dim": 3, "hidden": [8]}, {"hidden": [8]})
    return Minimax(*pair, **options)


def test_the_games_step_leaves_d_and_its_optimiser_as_they_were():
    played = game(unroll=2, penalties=["r1"])
    real = mg.randn(8, 2)
    played.step_discriminator(real)
    before = {k: v.numpy().copy() for k, v in played.discriminator.state_dict().items()}
    grads = [p.grad.numpy().copy() for p in played.discriminator.parameters()]
    state = str(played.d_optimizer.state_dict())
    row = played.step_generator(8, real)
    assert row["g_loss"] > 0
    for name, value in played.discriminator.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    for p, gradient in zip(played.discriminator.parameters(), grads, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), gradient)
    assert str(played.d_optimizer.state_dict()) == state


def test_the_games_loss_is_that_against_the_d_of_later():
    played = game(unroll=3, penalties=[WeightClipping(0.2)], lr=0.01)
    real, z = mg.randn(8, 2), mg.randn(8, 3)
    later = copy.deepcopy(played)
    later.sample_noise = lambda n: z
    for _ in range(3):
        later.step_discriminator(real)
    expected = later.objective.generator_loss(later.judge(later.generator(z))).item()
    played.sample_noise = lambda n: z
    assert played.step_generator(8, real)["g_loss"] == pytest.approx(expected, rel=1e-5)


def test_after_an_error_d_is_as_it_was(samples):
    d = discriminator()
    optimizer = mg.optim.SGD(d.parameters(), 0.1)
    before = weights(d)
    with (
        pytest.raises(RuntimeError, match="in the middle"),
        unrolled(d, optimizer, lambda: d_loss(d, *samples), 1, lambda p: p),
    ):
        raise RuntimeError("in the middle")
    for got, expected in zip(weights(d), before, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(list(d.parameters())) == 8


def test_an_optimiser_without_a_rule_is_refused():
    class Own(mg.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def _check(self, group):
            pass

    pair = mg.zoo.build("mlp", (2,), {"latent_dim": 3})
    played = Minimax(*pair, unroll=1, discriminator_optimizer=Own(pair[1].parameters()))
    with pytest.raises(ValueError, match="through the optimiser's rule, but Own defines none"):
        played.step_generator(4, mg.randn(4, 2))
