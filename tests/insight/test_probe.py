"""What the probe measures, on networks small enough to know it by hand."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import Minimax
from minigan.insight.probe import Probe, mean_distance, untouched


def linear(weight, bias=0.0):
    """The layer x → x Wᵀ + b with these numbers."""
    weight = np.array(weight, dtype="f")
    layer = nn.Linear(*weight.shape[::-1])
    layer.weight.array[...], layer.bias.array[...] = weight, bias
    return layer


def read(generator, discriminator, real, **options):
    game = Minimax(generator, discriminator, **options)
    return Probe(game, mg.tensor(np.array(real, dtype="f"))).read()


REAL = [[3.0, 0.0], [0.0, 4.0], [0.0, 0.0], [-3.0, 0.0]]


def test_the_mean_distance_is_that_over_all_pairs(rng):
    assert mean_distance(np.array([[0.0], [1.0], [3.0]])) == pytest.approx((1 + 2 + 3) / 3)
    x = rng.standard_normal((7, 2, 3)).astype("f")
    pairs = [np.linalg.norm(x[i] - x[j]) for i in range(7) for j in range(i)]
    assert mean_distance(x) == pytest.approx(np.mean(pairs), rel=1e-6)
    near = 1e6 + np.array([[0], [1], [3]]) / 3e4  # squares of these differ in no digit
    assert mean_distance(near) == pytest.approx(2 / 3e4, rel=1e-4)
    assert mean_distance(np.ones((3, 2), dtype="f")) == 0


def test_diversity_is_relative_to_the_data():
    same = read(linear([[0, 0], [0, 0]], [1, 2]), linear([[1, 1]]), REAL)
    assert same["diversity"] == 0
    spread = 5 + 3 + 6 + 4 + 5 + 3
    assert same["distance between reals"] == pytest.approx(spread / 6)
    one, three = (read(linear(np.eye(2) * k), linear([[1, 1]]), REAL) for k in (1, 3))
    assert three["diversity"] == pytest.approx(3 * one["diversity"], rel=1e-6)


def test_accuracies_count_the_right_side_of_the_boundary():
    """D(x) = x₁ on reals 3, 0, 0, -3; all fakes at -1 or at 0.4."""
    left, right = (linear([[0, 0], [0, 0]], [at, 0]) for at in (-1, 0.4))
    d = linear([[1, 0]])
    assert read(left, d, REAL)["accuracy on reals"] == 0.25
    assert read(left, d, REAL)["accuracy on fakes"] == 1
    assert read(right, d, REAL)["accuracy on fakes"] == 0
    assert read(right, d, REAL, objective="least-squares")["accuracy on fakes"] == 1  # 1/2
    relative = read(left, d, REAL, objective="relativistic")  # the middle of 0 and -1
    assert (relative["accuracy on reals"], relative["accuracy on fakes"]) == (0.75, 1)


def test_an_objective_of_ones_own_need_not_have_a_boundary():
    class Own:
        def discriminator_loss(self, real, fake):
            return (fake - real).mean()

        def generator_loss(self, fake):
            return -fake.mean()

    assert read(linear(np.eye(2)), linear([[1, 0]]), REAL, objective=Own())["saturation"] == 0


@pytest.mark.parametrize("n", [4, 40])
def test_saturation_does_not_depend_on_the_batch(n):
    """At D(G(z)) = σ(-7) = 0.00091 the minimax loss is flat, at σ(-6) = 0.0025 not yet."""
    for logit, expected in ((-7, 1.0), (-6, 0.0)):
        d = linear([[0, 0]], logit)
        real = np.resize(REAL, (n, 2))
        assert read(linear(np.eye(2)), d, real, objective="minimax")["saturation"] == expected
        assert read(linear(np.eye(2)), d, real)["saturation"] == 0


def test_the_slope_of_a_linear_discriminator_is_its_weights_length():
    found = read(linear(np.eye(2)), linear([[3, 4]]), REAL)
    assert found["slope of D"] == pytest.approx(5) and found["steepest slope of D"] == 5
    bent = nn.Sequential(linear([[1, 0], [-1, 0]]), nn.ReLU(), linear([[2, 6]]))
    found = read(linear([[0, 0], [0, 0]], [9, 0]), bent, [[9, 1], [9, 2], [9, 3], [-1e6, 0]])
    assert (found["slope of D"], found["steepest slope of D"]) == (2, 6)


def test_slopes_are_between_reals_and_fakes():
    """D = x₁²: its slope is 2x₁ at points between the reals, at 1, and the fakes, at 3."""

    class Square(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(np.ones(1, dtype="f"))

        def forward(self, x):
            return x[:, :1] * x[:, :1] * self.w

    real = np.stack([np.ones(200), np.arange(200)], axis=1)
    found = read(linear([[0, 0], [0, 0]], [3, 0]), Square(), real)
    assert found["slope of D"] == pytest.approx(4, abs=0.3)
    assert 5.9 < found["steepest slope of D"] <= 6


def test_gradients_are_those_that_the_players_get():
    generator = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 2))
    discriminator = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    game = Minimax(generator, discriminator, penalties=["r1=2"])
    probe = Probe(game, mg.tensor(np.array(REAL, dtype="f")))
    found = probe.read()
    play = game.losses(probe.real, probe.noise)
    for player, network, loss in (
        ("G", generator, play.g_loss),
        ("D", discriminator, play.d_loss),
    ):
        network.zero_grad()
        loss.backward()
        norms = [
            math.sqrt(sum((p.grad.numpy() ** 2).sum() for p in layer.parameters()))
            for layer in network
            if list(layer.parameters())
        ]
        names = [name for name in found if name.startswith(f"gradient of {player}, ")]
        assert [found[name] for name in names] == pytest.approx(norms, rel=1e-5)
        assert found[f"gradient of {player}"] == pytest.approx(np.linalg.norm(norms), rel=1e-5)
        game.generator.zero_grad()
    assert names == ["gradient of D, 0 Linear", "gradient of D, 2 Linear"]


@pytest.mark.parametrize("norm", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_drift_is_how_far_evaluation_is_from_training(norm):
    flat = norm is nn.BatchNorm1d
    tail = [] if flat else [nn.Flatten(), nn.Linear(12, 2)]
    head = nn.Linear(2, 3 if flat else 12)
    shape = nn.Identity() if flat else nn.Unflatten(1, (3, 2, 2))
    layer = norm(3, affine=False)
    layer.running_mean.array[...] = [0.5, -1, 0]
    layer.running_var.array[...] = [0.2, 1, 3]
    generator = nn.Sequential(head, shape, layer, *tail or [nn.Linear(3, 2)])
    game = Minimax(generator, nn.Linear(2, 1), latent_dim=2)
    probe = Probe(game, mg.tensor(np.array(REAL, dtype="f")))
    with mg.no_grad(), untouched(game):
        x = shape(head(probe.noise))
        evaluated = layer.eval()(x)  # first: a pass in training mode moves the statistics
        trained = layer.train()(x)
    expected = np.sqrt(((trained - evaluated).numpy() ** 2).mean())
    found = probe.read()
    assert found[f"drift of G, 2 {norm.__name__}"] == pytest.approx(expected, rel=1e-3)
    layer.eval()  # frozen by its owner: training sees the running statistics, too
    assert not any(name.startswith("drift") for name in probe.read())


def test_dead_units_are_0_for_every_sample_real_or_fake():
    """Units see x₁ - 1, -x₁ - 1, -9 and x₁ + 9: the first two live on one side only."""
    d = nn.Sequential(
        linear([[1, 0], [-1, 0], [0, 0], [1, 0]], [-1, -1, -9, 9]), nn.ReLU(), nn.Linear(4, 1)
    )
    reals, fakes = np.array(REAL) * [1, 1] + [9, 0], linear(np.zeros((2, 2)), [-9, 0])
    assert read(fakes, d, reals)["dead units of D, 1 ReLU"] == 0.25
    g = nn.Sequential(linear(np.zeros((2, 2)), [1, -1]), nn.ReLU(), nn.Linear(2, 2))
    assert read(g, d, reals)["dead units of G, 1 ReLU"] == 0.5


def test_dead_channels_are_0_at_every_place():
    d = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    d[0].weight.array[...] = 1
    d[0].bias.array[...] = [0, -100]
    g = nn.Sequential(nn.Linear(2, 4), nn.Unflatten(1, (1, 2, 2)))
    real = -np.ones((3, 1, 2, 2))
    real[1, 0, 1, 0] = 5  # one place of one picture keeps the first channel alive
    g[0].weight.array[...], g[0].bias.array[...] = 0, -1
    assert read(g, d, real)["dead units of D, 1 ReLU"] == 0.5


def test_what_is_packed_is_measured_too():
    found = read(linear(np.eye(2)), linear([[3, 4, 0, 0]]), [*REAL, [1, 1]], pack=2)
    assert found["steepest slope of D"] == 5
    assert found["accuracy on reals"] in (0.0, 0.5, 1.0)  # of two packs


def test_the_same_game_reads_the_same():
    networks = mg.zoo.build("mlp", (2,), {"latent_dim": 3}, {"dropout": 0.5})
    game = Minimax(*networks, instance_noise=0.5)
    probe = Probe(game, mg.tensor(np.array(REAL, dtype="f")))
    assert probe.read() == probe.read()


def test_frozen_layers_have_no_gradient():
    g = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    g[0].requires_grad_(False)
    found = read(g, nn.Linear(2, 1).requires_grad_(False), REAL, latent_dim=2)
    assert [n for n in found if "gradient" in n] == [
        "gradient of G", "gradient of G, 1 Linear", "gradient of D"
    ]  # fmt: skip
    assert found["gradient of D"] == 0


def test_data_of_equal_points_has_no_diversity_to_compare_with():
    found = read(linear([[1.0]]), linear([[1.0]]), [[2.0], [2.0]])
    assert math.isnan(found["diversity"]) and found["distance between reals"] == 0
