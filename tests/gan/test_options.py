"""The options of the game: what D gets to see, how both move, and that all goes with all."""

import copy
import json
import math
import warnings

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.data import DataLoader
from minigan.gan import EMA, OBJECTIVES, PENALTIES, R1, Minimax, WeightClipping
from minigan.optim import lr_scheduler


def points_game(objective="non-saturating", pack=1, hidden=8, **options):
    pair = mg.zoo.build(
        "mlp", (2,), {"latent_dim": 3, "hidden": [hidden]}, {"hidden": [hidden]}, pack
    )
    return Minimax(*pair, objective, pack=pack, **options)


def values(module):
    return {name: t.numpy().copy() for name, t in module.state_dict().items()}


# ------------------------------------------------------------------------------ all with all

EVERY_PENALTY = [None, *PENALTIES]


@pytest.mark.parametrize("pack", [1, 2])
@pytest.mark.parametrize("penalty", EVERY_PENALTY)
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.filterwarnings("ignore:nothing limits")
def test_every_objective_goes_with_every_penalty(objective, penalty, pack):
    game = points_game(objective, pack, penalties=[penalty] if penalty else [], hidden=4)
    before = values(game.generator), values(game.discriminator)
    history = game.fit([mg.randn(6, 2), mg.randn(6, 2)], epochs=1)
    assert len(history) == 2 and all(map(math.isfinite, history["d_loss"] + history["g_loss"]))
    for network, old in zip((game.generator, game.discriminator), before, strict=True):
        assert any(not np.array_equal(v, old[k]) for k, v in values(network).items())


OPTIONS = {
    "consensus": {"consensus": 0.1},
    "simultaneous": {"simultaneous": True},
    "both": {"simultaneous": True, "consensus": 0.1},
    "unroll": {"unroll": 2},
    "noise": {"instance_noise": 0.3, "noise_steps": 5, "clip_grad_norm": 0.5},
    "rates": {"d_lr": 1e-3, "d_steps": 2, "ema": 0.9},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("objective", ["relativistic", "wasserstein"])
def test_every_way_to_move_goes_with_penalties_and_packing(objective, name):
    options = {"penalties": ["gradient-penalty", "weight-clipping=0.5"], **OPTIONS[name]}
    game = points_game(objective, 2, **options)
    history = game.fit([mg.randn(6, 2), mg.randn(6, 2)], epochs=1)
    assert all(map(math.isfinite, history["d_loss"] + history["g_loss"]))
    assert all(np.abs(p.array).max() <= 0.5 for p in game.discriminator.parameters())


# --------------------------------------------------------------------------- what D gets to see


def test_packs_lie_side_by_side_in_the_channels():
    pair = mg.zoo.build("dcgan", (3, 8, 8), {"channels": 2}, {"channels": 2}, pack=2)
    game = Minimax(*pair, pack=2)
    x = mg.randn(7, 3, 8, 8)
    seen = game.seen(x)
    assert seen.shape == (3, 6, 8, 8)  # the seventh finds no partner
    for i in range(3):
        np.testing.assert_array_equal(seen.numpy()[i, :3], x.numpy()[2 * i])
        np.testing.assert_array_equal(seen.numpy()[i, 3:], x.numpy()[2 * i + 1])
    assert game.judge(x).shape == (3, 1)
    points = mg.arange(12.0).reshape(6, 2)
    np.testing.assert_array_equal(
        points_game(pack=3).seen(points).numpy(), [range(6), range(6, 12)]
    )
    with pytest.raises(ValueError, match="1 samples do not fill a pack of 2"):
        game.step_discriminator(x[:1])


def test_penalties_get_packs_too():
    class Watched(R1):
        def loss(self, discriminator, real, fake):
            self.shapes = real.shape, fake.shape
            return super().loss(discriminator, real, fake)

    watched = Watched(1.0)
    points_game(pack=2, penalties=[watched]).step_discriminator(mg.randn(6, 2))
    assert watched.shapes == ((3, 4), (3, 4))


def test_without_options_d_sees_the_samples_themselves():
    x = mg.randn(4, 2)
    assert points_game().seen(x) is x


def test_instance_noise_fades():
    game = points_game(instance_noise=0.5, noise_steps=10)
    zeros = mg.zeros(4000, 2)
    for step, expected in ((0, 0.5), (4, 0.3), (9, 0.05)):
        game.step = step
        noise = game.seen(zeros).numpy()
        assert noise.std() == pytest.approx(expected, rel=0.05) and abs(noise.mean()) < 0.05
    for step in (10, 11):
        game.step = step
        assert game.seen(zeros) is zeros
    stays = points_game(instance_noise=0.5)
    stays.step = 1000
    assert stays.seen(zeros).numpy().std() == pytest.approx(0.5, rel=0.05)


def test_noise_is_on_reals_and_fakes_and_different_on_each():
    game = points_game(instance_noise=0.5)
    seen = []
    game.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with mg.no_grad():
        for p in game.generator.parameters():
            p.array[...] = 0
    game.step_discriminator(mg.zeros(2000, 2))
    game.step_generator(2000)
    assert len(seen) == 3
    for x in seen:
        assert x.detach().numpy().std() == pytest.approx(0.5, rel=0.05)
    assert not np.array_equal(seen[0].numpy(), seen[1].numpy())


# ---------------------------------------------------------------------------------- how they move


def test_two_time_scales():
    game = points_game(lr=0.25, d_lr=0.5)
    assert [o.param_groups[0]["lr"] for o in (game.g_optimizer, game.d_optimizer)] == [0.25, 0.5]


def test_gradients_are_clipped_as_one_vector_for_both():
    norms = []
    for limit in (0.0, 1e-3):
        mg.manual_seed(0)
        game = points_game(clip_grad_norm=limit)
        for optimizer in (game.g_optimizer, game.d_optimizer):
            optimizer.param_groups[0]["lr"] = 0.0
        game.step_discriminator(mg.randn(4, 2))
        game.step_generator(4)
        norms.append(
            [
                math.sqrt(sum((p.grad.numpy() ** 2).sum() for p in network.parameters()))
                for network in (game.generator, game.discriminator)
            ]
        )
    assert min(norms[0]) > 1e-2
    np.testing.assert_allclose(norms[1], 1e-3, rtol=1e-3)


def test_simultaneous_steps_are_taken_from_the_same_point():
    """Each network moves as if the other had not, and trap 2: no gradient reaches the other."""
    game = points_game(simultaneous=True)
    for network, name in ((game.generator, "g_optimizer"), (game.discriminator, "d_optimizer")):
        setattr(game, name, mg.optim.SGD(network.parameters(), lr=0.5))
    twin = copy.deepcopy(game)
    real, z = mg.randn(6, 2), mg.randn(6, 3)
    game.sample_noise = lambda n: z
    row = game.step_simultaneously(real)
    fake = twin.generator(z)
    a, b = twin.discriminator(real), twin.discriminator(fake)
    d_loss = twin.objective.discriminator_loss(a, b)
    g_loss = twin.objective.generator_loss(b)
    assert row["d_loss"] == pytest.approx(d_loss.item(), rel=1e-6)
    assert row["g_loss"] == pytest.approx(g_loss.item(), rel=1e-6)
    for network, moved, loss in (
        (twin.discriminator, game.discriminator, d_loss),
        (twin.generator, game.generator, g_loss),
    ):
        weights = list(network.parameters())
        for p, q, g in zip(weights, moved.parameters(), mg.grad(loss, weights), strict=True):
            expected = p.detach().numpy() - 0.5 * g.numpy()
            np.testing.assert_allclose(q.detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_fit_plays_simultaneously_if_asked():
    game = points_game(simultaneous=True, ema=0.5)
    history = game.fit([mg.randn(4, 2)] * 3, epochs=1)
    assert (game.step, game.d_updates, len(history), game.ema.updates) == (3, 3, 3, 3)
    assert set(history.rows[0]) == {"step", "epoch", "d_loss", "g_loss", "d_real", "d_fake"}


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_the_consensus_term_is_in_both_players_gradients(player):
    """γ/2 (‖∇_θ L_G‖² + ‖∇_ψ L_D‖²), against differences of it in single weights."""
    game = points_game("minimax", consensus=0.7)
    for network, name in ((game.generator, "g_optimizer"), (game.discriminator, "d_optimizer")):
        network.double()
        setattr(game, name, mg.optim.SGD(network.parameters(), lr=1.0))
        getattr(game, name).param_groups[0]["lr"] = 0.0
    real, z = mg.randn(6, 2, dtype="float64"), mg.randn(6, 3, dtype="float64")
    game.sample_noise = lambda n: z

    def term():
        plain = copy.copy(game)
        plain.consensus = 0.0
        play = plain.losses(real, z)
        gs = mg.grad(play.g_loss, list(game.generator.parameters()))
        ds = mg.grad(play.d_loss, list(game.discriminator.parameters()))
        return 0.7 / 2 * sum((g.numpy() ** 2).sum() for g in (*gs, *ds))

    def step():
        if player == "generator":
            game.step_generator(6, real)
        else:
            game.step_discriminator(real)

    step()
    both = [p.grad.numpy().copy() for p in getattr(game, player).parameters()]
    game.consensus = 0.0
    step()
    other = game.generator if player == "discriminator" else game.discriminator
    assert all(p.grad is None for p in other.parameters())
    for p, whole in zip(getattr(game, player).parameters(), both, strict=True):
        gain, index = whole - p.grad.numpy(), tuple(0 for _ in p.shape)
        ends = []
        for step_size in (1e-5, -1e-5):
            p.array[index] += step_size
            ends.append(term())
            p.array[index] -= step_size
        assert gain[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-9)


def test_consensus_in_losses_is_the_same_for_both():
    game = points_game(consensus=0.7, penalties=["r1"])
    real, z = mg.randn(6, 2), mg.randn(6, 3)
    whole = game.losses(real, z)
    game.consensus = 0.0
    plain = game.losses(real, z)
    gains = [(a - b).item() for a, b in zip(whole[:2], plain[:2], strict=True)]
    assert gains[0] > 0 and gains[0] == pytest.approx(gains[1], rel=1e-4)
    assert plain.fakes.shape == (6, 2) and plain.real_logits.shape == (6, 1)


def test_gs_relativistic_step_has_the_reals_as_constants():
    game = points_game("relativistic")
    game.g_optimizer.param_groups[0]["lr"] = 0.0
    real, z = mg.randn(6, 2), mg.randn(6, 3)
    game.sample_noise = lambda n: z
    row = game.step_generator(6, real)
    assert all(p.grad is None for p in game.discriminator.parameters())
    a, b = game.discriminator(real), game.discriminator(game.generator(z))
    loss = game.objective.generator_loss(b, a.detach())
    assert row["g_loss"] == pytest.approx(loss.item(), rel=1e-6)
    weights = list(game.generator.parameters())
    for p, g in zip(weights, mg.grad(loss, weights), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), g.numpy(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("options", [{"objective": "relativistic"}, {"unroll": 1}])
def test_a_generator_that_needs_reals_says_so(options):
    game = points_game(**options)
    with pytest.raises(ValueError, match=r"needs real samples too: give step_generator\(n, real\)"):
        game.step_generator(4)
    game.step_generator(4, mg.randn(4, 2))


def test_learning_rates_follow_the_schedule_of_each_player():
    game = points_game(lr=0.1, d_lr=0.2, scheduler=lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5))
    rates = []
    for epoch in range(1, 6):
        game.fit([mg.randn(4, 2)], epoch)
        rates.append([o.param_groups[0]["lr"] for o in (game.g_optimizer, game.d_optimizer)])
    expected = [[0.1, 0.2], [0.05, 0.1], [0.05, 0.1], [0.025, 0.05], [0.025, 0.05]]
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


# ---------------------------------------------------------------------------------- continuing


def networks(norm="none"):
    g = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 64), nn.Tanh())
    return nn.Sequential(g, nn.Unflatten(1, (1, 8, 8))), mg.zoo.mlp.discriminator(
        (2, 8, 8), hidden=[6], norm=norm, dropout=0.2
    )


RESUMED = [
    {"objective": "hinge", "norm": "spectral", "instance_noise": 0.2, "noise_steps": 14},
    {
        "objective": "wasserstein",
        "penalties": ["gradient-penalty", "weight-clipping=0.3"],
        "d_steps": 2,
        "ema": 0.9,
        "scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
    },
    {"objective": "relativistic", "penalties": [R1(1.0, every=4)], "clip_grad_norm": 0.1},
    {"unroll": 2, "norm": "spectral", "d_lr": 1e-3},
    {"consensus": 0.1, "scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda e: 0.5**e)},
    {"simultaneous": True, "norm": "spectral"},
]


@pytest.mark.parametrize("options", RESUMED, ids=lambda o: "-".join(o))
def test_a_resumed_game_continues_bit_for_bit(tmp_path, options):
    """N + N = 2N steps: the place of the noise, spectral u and the schedules included."""
    options = dict(options)
    norm = options.pop("norm", "none")

    def make():
        return Minimax(*networks(norm), pack=2, **options)

    loader = DataLoader(mg.data.digits().subset(range(24)), 8, shuffle=True, seed=1)
    mg.manual_seed(7)
    whole = make()
    rows = whole.fit(loader, 6).rows
    mg.manual_seed(7)
    first = make()
    played = first.fit(loader, 3).rows
    mg.saving.save_tree(first.state_dict(), tmp_path / "state")
    mg.manual_seed(12345)
    second = make()
    second.fit(loader, 1)
    second.load_state_dict(mg.saving.load_tree(tmp_path / "state"))
    played += second.fit(loader, 6).rows
    assert played == rows
    for game, name in ((whole, "whole"), (second, "second")):
        mg.saving.save_tree(game.state_dict(), tmp_path / name)
    assert (tmp_path / "second").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_state_with_another_schedule_is_refused():
    scheduled = points_game(scheduler=lambda o: lr_scheduler.StepLR(o, 2))
    with pytest.raises(ValueError, match="differ in whether they have a scheduler"):
        points_game().load_state_dict(scheduled.state_dict())
    old = points_game().state_dict()
    del old["schedulers"]  # as version 0.1.0 wrote it
    points_game().load_state_dict(old)
    json.dumps(scheduled.state_dict()["schedulers"])


def test_the_average_of_a_network_with_batch_norm_and_decay_0_is_the_network():
    g, _ = networks()
    ema = EMA(g, 0.0)
    g(mg.randn(5, 4))
    ema.update()
    for name, value in values(ema.module).items():
        np.testing.assert_array_equal(value, values(g)[name])


# ------------------------------------------------------------------------------ what can not work


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pack": 0}, "pack must be at least 1, got 0"),
        ({"unroll": -1}, "unroll must be at least 0, got -1"),
        ({"consensus": -0.1}, "consensus must be at least 0"),
        ({"instance_noise": math.nan}, "instance_noise must be at least 0, got nan"),
        ({"clip_grad_norm": -1.0}, "clip_grad_norm must be at least 0"),
        ({"noise_steps": 10}, "noise_steps fades the instance noise, but instance_noise is 0"),
        ({"unroll": 1, "consensus": 0.1}, "unroll does not go with consensus"),
        ({"unroll": 1, "simultaneous": True}, "unroll does not go with simultaneous"),
        ({"unroll": 1, "clip_grad_norm": 1.0}, "unroll does not go with clip_grad_norm"),
        ({"simultaneous": True, "d_steps": 2}, "simultaneous steps are one and one"),
        ({"penalties": ["r3"]}, "unknown penalty 'r3'"),
        ({"objective": "hinge", "real_label": 0.9}, "hinge has no labels to smooth"),
    ],
)
def test_options_that_can_not_work_are_refused(options, message):
    with pytest.raises(ValueError) as error:
        points_game(**options)
    assert message in str(error.value)


def warned(make):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    assert all(w.filename == __file__ for w in caught)
    return [str(w.message) for w in caught]


def spectral_game():
    pair = mg.zoo.build("mlp", (2,), {"latent_dim": 3}, {"norm": "spectral"})
    return Minimax(*pair, "wasserstein")


def test_a_critic_that_nothing_limits_is_reported():
    (message,) = warned(
        lambda: Minimax(*mg.zoo.build("mlp", (2,), {"latent_dim": 3}), "wasserstein")
    )
    assert "nothing limits D's slope" in message and "--penalty gradient-penalty=10" in message
    for limit in ("gradient-penalty", "weight-clipping", WeightClipping(1.0)):
        assert not warned(lambda limit=limit: points_game("wasserstein", penalties=[limit]))
    assert not warned(spectral_game)
    for objective in OBJECTIVES:
        if objective != "wasserstein":
            assert not warned(lambda objective=objective: points_game(objective))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_batch_norm_under_a_penalty_of_each_samples_slope_is_reported(penalty):
    sizes = {"latent_dim": 3, "channels": 2}
    for norm in ("batch", "none", "spectral"):
        pair = mg.zoo.build("dcgan", (1, 8, 8), sizes, {"channels": 2, "norm": norm})
        messages = warned(lambda pair=pair: Minimax(*pair, penalties=[penalty]))
        assert len(messages) == (norm == "batch" and penalty != "weight-clipping")
        assert all("build D without it" in m for m in messages)


def test_labels_belong_to_an_objective_that_is_an_object():
    with pytest.raises(ValueError, match="give the labels to the objective itself"):
        points_game(mg.gan.NonSaturating(), real_label=0.9)
    assert points_game(mg.gan.NonSaturating(0.9)).objective.real_label == 0.9


def test_unrolled_steps_count_on_for_lazy_penalties():
    """Of four steps ahead after update 2, one with every=4 is in the third alone."""
    calls = []

    class Lazy(mg.gan.Penalty):
        def loss(self, discriminator, real, fake):
            calls.append(1)
            return 0 * discriminator(real).sum()

    game = points_game(penalties=[Lazy(1.0, every=4)], unroll=4)
    game.d_updates = 2
    game.step_generator(4, mg.randn(4, 2))
    assert len(calls) == 1


def test_unrolling_leaves_weights_that_the_optimiser_does_not_move():
    generator, discriminator = mg.zoo.build("mlp", (2,), {"latent_dim": 3})
    optimizer = mg.optim.SGD(list(discriminator.parameters())[2:], 0.1)
    game = Minimax(generator, discriminator, discriminator_optimizer=optimizer, unroll=2)
    before = values(discriminator)
    assert math.isfinite(game.step_generator(4, mg.randn(4, 2))["g_loss"])
    assert all(np.array_equal(v, before[k]) for k, v in values(discriminator).items())


def test_g_loss_is_without_the_consensus_term_in_both_ways_to_move():
    losses = []
    for options in ({}, {"consensus": 5.0}):
        mg.manual_seed(0)
        game = points_game(simultaneous=True, **options)
        losses.append(game.step_simultaneously(mg.randn(6, 2))["g_loss"])
    assert losses[0] == losses[1]


def test_a_last_layer_counts_only_where_layers_are_called_in_order():
    """A gate that is declared last need not be at D's end."""

    class Gated(nn.Module):
        def __init__(self):
            self.head, self.gate = nn.Linear(2, 1), nn.Sigmoid()

        def forward(self, x):
            return self.head(x * self.gate(x))

    Minimax(nn.Linear(3, 2), Gated())
    with pytest.raises(ValueError, match="ends in a Sigmoid"):
        Minimax(nn.Linear(3, 2), nn.Sequential(nn.Linear(2, 1), nn.Sequential(nn.Sigmoid())))


@pytest.mark.parametrize("n, noise", [(0, None), (3, 2), (2, 3)])
def test_a_sample_needs_noise_of_its_size(n, noise):
    noise = None if noise is None else mg.randn(noise, 3)
    with pytest.raises(ValueError, match=f"expected noise for {n} samples"):
        points_game().sample(n, noise)
