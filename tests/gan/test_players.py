"""Games of other than two players, and what hangs on a player's optimiser."""

import warnings

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.data import DataLoader, Dataset
from minigan.gan import Checkpoints, Diagnosis, Diverged, Game, History, Player, Progress
from minigan.optim import SGD
from minigan.optim.lr_scheduler import StepLR
from minigan.saving import load_tree, save_tree


def vae_gan(every=1, **options):
    """Larsen et al. 2016 in small: encoder, decoder (the generator) and discriminator."""
    mg.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
    decoder = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(8, 1))
    bce = nn.BCEWithLogitsLoss()

    def verdict(samples, label):
        logits = critic(samples)
        return bce(logits, mg.full(logits.shape, label))

    def distance(table):
        return ((decoder(encoder(table.real)) - table.real) ** 2).mean()

    def of_critic(table):
        return verdict(table.real, 1.0) + verdict(decoder(table.z), 0.0)

    def of_encoder(table):
        return distance(table) + 0.1 * (encoder(table.real) ** 2).mean()

    def of_decoder(table):
        return verdict(decoder(table.z), 1.0) + distance(table)

    return Game(
        [
            Player("critic", critic, of_critic, lr=1e-2, project=lambda w: mg.clamp(w, -0.5, 0.5)),
            Player("encoder", encoder, of_encoder, lr=1e-2, every=every, clip_grad_norm=1.0),
            Player(
                "decoder", decoder, of_decoder, SGD(decoder.parameters(), 0.05, momentum=0.5),
                ema=0.9, every=every, scheduler=lambda o: StepLR(o, 1, 0.7),
            ),
        ],
        latent_dim=2,
        **options,
    )  # fmt: skip


def loader():
    points = np.random.default_rng(0).normal(size=(40, 2)) * 0.3 + [1.0, -0.5]
    return DataLoader(points, 8, shuffle=True, seed=1)


def weights(game):
    return {
        f"{name}.{key}": value.numpy().copy()
        for name, network in game.networks().items()
        for key, value in network.state_dict().items()
    }


def test_three_players_learn():
    game = vae_gan()
    real = mg.tensor(loader().dataset[:])
    encoder, decoder = game["encoder"].network, game["decoder"].network

    def distance():
        return ((decoder(encoder(real)) - real) ** 2).mean().item()

    before = distance()
    history = game.fit(loader(), 40)
    assert distance() < 0.5 * before
    assert len(history) == game.step == 200
    assert list(history.rows[0]) == [
        "step", "epoch", "critic_loss", "encoder_loss", "decoder_loss"
    ]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"every": 2}, {"simultaneous": True}], ids=str)
def test_three_players_are_resumed_bit_for_bit(tmp_path, options):
    whole = vae_gan(**options)
    rows = whole.fit(loader(), 6, [History(tmp_path / "whole.csv")]).rows
    first = vae_gan(**options)
    path = tmp_path / "checkpoint"
    played = first.fit(loader(), 3, [History(tmp_path / "half.csv"), Checkpoints(path)]).rows
    mg.manual_seed(99)
    second = vae_gan(**options)
    second.fit(loader(), 1)
    second.load_state_dict(load_tree(path))
    after = second.fit(loader(), 6, [History(tmp_path / "half.csv")]).rows
    assert played[: len(after) // 2] == rows[: len(after) // 2] and after[-1] == rows[-1]
    for game, name in ((whole, "a"), (second, "b")):
        save_tree(game.state_dict(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "whole.csv").read_text() == (tmp_path / "half.csv").read_text()


def test_a_move_changes_its_players_weights_alone():
    game = vae_gan()
    seen = []
    for player in game.players:
        others = [p for p in game.players if p is not player]
        player.before.append(lambda p, o=others: seen.append((p.name, o)))
        before = {
            p.name: [w.detach().numpy().copy() for w in p.network.parameters()]
            for p in game.players
        }
        for p in game.players:
            p.optimizer.zero_grad()
        game._moves[player.name](mg.randn(6, 2))
        for p in game.players:
            same = [
                np.array_equal(a, w.detach().numpy())
                for a, w in zip(before[p.name], p.network.parameters(), strict=True)
            ]
            assert all(same) if p is not player else not any(same), (player.name, p.name)
            moved = [w.grad is not None for w in p.network.parameters()]
            assert all(moved) if p is player else not any(moved), (player.name, p.name)
        assert all(w.requires_grad for p in game.players for w in p.network.parameters())
    assert [name for name, _ in seen] == ["critic", "encoder", "decoder"]


def test_at_once_every_gradient_is_taken_before_anyone_moves():
    game = vae_gan(simultaneous=True)
    for player in game.players:
        player.optimizer = SGD(player.network.parameters(), lr=0.5)
        player.project, player.clip_grad_norm = None, 0.0
    real, state = mg.randn(6, 2), mg.random.random_state()
    slopes = game.slopes(game.losses_of(game.deal(real)), create_graph=False)
    expected = [p.detach().numpy() - 0.5 * g.numpy() for p, g in slopes]
    mg.random.set_random_state(state)
    game.play(real)
    for (p, _), value in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), value, rtol=1e-5, atol=1e-7)


def test_turns_are_counted_by_the_first_player():
    game = vae_gan(every=2)
    rows = [game.play(mg.randn(4, 2)) for _ in range(5)]
    assert [row is None for row in rows] == [True, False, True, False, True]
    assert [p.updates for p in game.players] == [5, 2, 2]
    assert set(rows[1]) == {"critic_loss", "encoder_loss", "decoder_loss"}


def test_the_limits_and_the_average_hang_on_the_optimisers_step():
    game = vae_gan()
    game.fit(loader(), 2)
    for p in game["critic"].network.parameters():
        assert np.abs(p.array).max() <= np.float32(0.5)
    assert game["decoder"].ema.updates == 10 and game["encoder"].ema is None
    assert game["decoder"].optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.7**2)
    old, critic = game["critic"].optimizer, game["critic"]
    critic.optimizer = SGD(critic.network.parameters(), lr=0.1)
    old.step()
    assert critic.updates == 10  # the old one has let go
    critic.optimizer.step()
    assert critic.updates == 11


def test_a_loss_that_is_not_finite_stops_before_any_weight_has_moved():
    game = vae_gan()
    before = weights(game)
    with warnings.catch_warnings(), pytest.raises(Diverged, match="the critic's loss became nan"):
        warnings.simplefilter("ignore")
        game.play(mg.full((4, 2), float("nan")))
    after = weights(game)
    trained = {n for n, p in game["critic"].network.named_parameters()}
    assert all(np.array_equal(after[f"critic.{n}"], before[f"critic.{n}"]) for n in trained)


def test_one_player_may_have_several_networks():
    """CycleGAN in small: both mappings are one player, both judges the other."""
    there, back, a_judge, b_judge = (nn.Linear(2, n) for n in (2, 2, 1, 1))

    def of_judges(table):
        a, b = table.batch
        return (
            ((a_judge(a) - 1) ** 2 + a_judge(back(b)) ** 2).mean()
            + ((b_judge(b) - 1) ** 2 + b_judge(there(a)) ** 2).mean()
        )  # fmt: skip

    def of_mappings(table):
        a, b = table.batch
        fooled = ((a_judge(back(b)) - 1) ** 2 + (b_judge(there(a)) - 1) ** 2).mean()
        return fooled + 10 * (abs(back(there(a)) - a) + abs(there(back(b)) - b)).mean()

    game = Game(
        [
            Player("judges", [a_judge, b_judge], of_judges, lr=1e-2),
            Player("mappings", [there, back], of_mappings, lr=1e-2),
        ]
    )
    batches = [(mg.randn(16, 2), mg.randn(16, 2) + 1) for _ in range(20)]
    history = game.fit(batches, 10)
    assert history["mappings_loss"][-1] < 0.5 * history["mappings_loss"][0]
    assert "0.weight" in game.state_dict()["players"]["mappings"]["network"]


def test_diagnosis_and_progress_of_three_players(capsys):
    game = vae_gan()
    game["decoder"].network[0].bias.array[...] = -1e3  # its ReLU never speaks again
    said = []
    points = Dataset.from_array(loader().dataset[:])
    diagnosis = Diagnosis(points, every=1, patience=2, say=said.append)
    history = game.fit(loader(), 2, [diagnosis, Progress()])
    assert [f.name for f in diagnosis.findings] == [
        "units are dead", "the gradient is lost between layers"
    ]  # fmt: skip
    assert "decoder, 1 ReLU" in said[0] and "gradient of decoder, 0 Linear" in said[1]
    last = diagnosis.readings[-1]
    assert last["loss of critic"] == history["critic_loss"][-1]
    assert last["gradient of encoder"] > 0 and any("drift of encoder" in k for k in last)
    assert "encoder_loss" in capsys.readouterr().err
    plain = vae_gan()
    plain["decoder"].network[0].bias.array[...] = -1e3
    plain.fit(loader(), 2)
    for name, value in weights(plain).items():
        np.testing.assert_array_equal(weights(game)[name], value)  # watching changes nothing


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: Game([]), "players of different names, got []"),
        (lambda p: Game([p("a"), p("a")]), "players of different names"),
        (lambda p: Game([p("a", every=2), p("b")]), "expected the first player to move at every=1"),
        (lambda p: Game([p("a"), p("b", every=2), p("c", every=3)]), "divide the last one's"),
        (lambda p: Game([p("a"), p("b", every=2)], simultaneous=True), "are one each"),
        (lambda p: vae_gan().load_state_dict(Game([p("a")]).state_dict()), "has the players"),
    ],
)
def test_games_that_can_not_work_are_refused(make, message):
    with pytest.raises(ValueError) as error:
        make(lambda name, **options: Player(name, nn.Linear(1, 1), None, **options))
    assert message in str(error.value)


def test_a_game_that_does_not_say_how_it_samples():
    with pytest.raises(NotImplementedError, match="define sample"):
        vae_gan().sample(3)
    with pytest.raises(KeyError, match="no player 'generator': there are critic"):
        vae_gan()["generator"]
