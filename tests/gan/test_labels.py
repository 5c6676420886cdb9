"""Conditional games: labels go from the loader, or from a step's argument, to both networks."""

import copy
import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.data import DataLoader, Dataset
from minigan.gan import Diagnosis, Minimax, Samples, oracles
from minigan.saving import load_tree, save_tree


class G(nn.Module):
    """z and a class to a number."""

    def __init__(self):
        self.embed, self.body = nn.Embedding(2, 4), nn.Sequential(nn.Linear(4, 16), nn.Tanh())
        self.noise, self.end = nn.Linear(2, 4), nn.Linear(16, 1)

    def forward(self, z, labels):
        return self.end(self.body(self.noise(z) + self.embed(labels)))


class D(nn.Module):
    def __init__(self):
        self.embed, self.inputs = nn.Embedding(2, 16), nn.Linear(1, 16)
        self.end = nn.Sequential(nn.LeakyReLU(0.2), nn.Linear(16, 1))

    def forward(self, x, labels):
        return self.end(self.inputs(x) * (1 + self.embed(labels)))


def conditional(**options):
    mg.manual_seed(1)
    return Minimax(G(), D(), latent_dim=2, **options)


def loader(n=64, batch=16):
    """Class 0 lies around -2, class 1 around 2."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    points = (4 * labels - 2 + 0.2 * rng.normal(size=n)).astype("f")[:, None]
    data = Dataset.from_array(points, labels=labels)
    return DataLoader(data, batch, shuffle=True, labels=True, seed=2)


CLASSES = np.arange(200) % 2


def test_a_conditional_game_learns_which_class_is_which():
    game = conditional(lr=1e-2)
    game.fit(loader(), 150)
    samples = game.sample(200, labels=mg.tensor(CLASSES)).numpy()[:, 0]
    assert samples[CLASSES == 0].mean() == pytest.approx(-2, abs=0.7)
    assert samples[CLASSES == 1].mean() == pytest.approx(2, abs=0.7)


def test_the_loaders_labels_reach_both_networks_in_every_pass():
    game, seen = conditional(penalties=["r1=1"]), []
    for network in (game.generator, game.discriminator):
        network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1].numpy()))
    (batch, labels), *_ = loader()
    game.fit([(batch, labels)], 1)
    assert len(seen) == 6  # D's step: G, D, D, and D for the penalty; G's step: G, D
    for given in seen:
        np.testing.assert_array_equal(given, labels.numpy())


WAYS = [
    {"objective": "wasserstein", "penalties": ["gradient-penalty", "weight-clipping=0.5"]},
    {"objective": "relativistic", "ema": 0.9, "d_steps": 2, "instance_noise": 0.1},
    {"simultaneous": True, "consensus": 0.1, "penalties": ["dragan"]},
    {"unroll": 2},
    {"consensus": 0.1, "clip_grad_norm": 1.0},
]


@pytest.mark.parametrize("options", WAYS, ids=str)
def test_labels_go_with_every_option_and_are_resumed_bit_for_bit(tmp_path, options):
    whole, first = conditional(**options), conditional(**options)
    rows = whole.fit(loader(), 4).rows
    assert all(math.isfinite(row["d_loss"]) for row in rows)
    mg.manual_seed(1)
    first = conditional(**options)
    played = first.fit(loader(), 2).rows
    save_tree(first.state_dict(), tmp_path / "state")
    second = conditional(**options)
    mg.manual_seed(5)
    second.load_state_dict(load_tree(tmp_path / "state"))
    assert played + second.fit(loader(), 4).rows == rows


def test_noise_and_labels_may_be_given_to_a_step():
    game = conditional()
    twin = copy.deepcopy(game)
    real, labels, z = mg.randn(8, 1), mg.tensor(np.arange(8) % 2), mg.randn(8, 2)
    state = mg.random.random_state()
    row = game.step_discriminator(real, z, labels)
    row |= game.step_generator(8, z=z, labels=labels)
    assert mg.random.random_state() == state  # no noise was drawn
    fake = twin.generator(z, labels).detach()
    a, b = twin.discriminator(real, labels), twin.discriminator(fake, labels)
    assert row["d_loss"] == pytest.approx(twin.objective.discriminator_loss(a, b).item(), rel=1e-5)
    plain = Minimax(*mg.zoo.build("mlp", (2,), {"latent_dim": 3}))
    z = mg.randn(4, 3)
    state = mg.random.random_state()
    plain.step_discriminator(mg.ones(4, 2), z=z)
    plain.step_generator(4, z=z)
    assert mg.random.random_state() == state


def test_diagnosis_samples_and_theory_of_a_conditional_game():
    game, shown = conditional(), []
    data = loader().dataset
    labels = mg.tensor(np.array([0, 1]))
    show = Samples(lambda samples, *_: shown.append(samples.shape), n=2, labels=labels)
    diagnosis = Diagnosis(data, every=2, say=lambda text: None)
    game.fit(loader(), 1, [diagnosis, show])
    assert shown == [(2, 1)] and "diversity" in diagnosis.readings[-1]
    field = oracles.gradient_field(game, (mg.randn(4, 1), mg.tensor([0, 1, 0, 1])), mg.randn(4, 2))
    assert field.shape == (sum(p.numel() for n in (G(), D()) for p in n.parameters()),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: conditional(pack=2), "does not go with labels"),
        (lambda: Minimax(G(), nn.Linear(1, 1), latent_dim=2), "generator takes labels, the discr"),
        (lambda: Minimax(nn.Linear(2, 1), D()), "discriminator takes labels, the generator does"),
        (lambda: conditional().step_discriminator(mg.randn(4, 1)), "networks take labels: give"),
        (lambda: conditional().fit([mg.randn(4, 1)], 1), "DataLoader(dataset, 64, labels=True)"),
        (lambda: conditional().sample(3), "networks take labels: give labels="),
        (lambda: conditional().sample(3, labels=mg.tensor([1])), "a label for each of 3 samples"),
    ],
)
def test_what_can_not_work_with_labels_says_why(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert message in str(error.value)


def test_a_second_argument_with_a_default_is_no_label():
    class Verbose(nn.Linear):
        def forward(self, x, verbose=False):
            return super().forward(x)

    game = Minimax(nn.Linear(2, 1), Verbose(1, 1))
    assert not game.conditional
    game.fit(loader(), 1)
