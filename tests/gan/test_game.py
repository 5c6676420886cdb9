"""The two steps of the game do to each network what the documents' numbered steps say."""

import copy
import warnings

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.data import DataLoader, Dataset
from minigan.gan import Diverged, Minimax
from minigan.nn.module import LayerError


def dcgan_game(**options):
    """Small, with batch norm in both networks."""
    networks = mg.zoo.build("dcgan", (1, 8, 8), {"latent_dim": 5, "channels": 4}, {"channels": 4})
    return Minimax(*networks, **options)


def points_game(**options):
    networks = mg.zoo.build(
        "mlp", (2,), {"latent_dim": 3, "hidden": [8]}, {"hidden": [8], "dropout": 0.3}
    )
    return Minimax(*networks, **options)


def pictures(n=8):
    return mg.rand(n, 1, 8, 8) * 2 - 1


def values(module):
    return {name: t.numpy().copy() for name, t in module.state_dict().items()}


def changed(module, before):
    """The names of the parameters and buffers that are not bit for bit what they were."""
    after = values(module)
    return {name for name in before if not np.array_equal(before[name], after[name])}


def parameter_names(module):
    return {name for name, _ in module.named_parameters()}


# --------------------------------------------------------------------------------- the two steps


@pytest.mark.parametrize("objective", ["minimax", "non-saturating"])
def test_ds_step_changes_d_and_nothing_of_g(objective):
    game = dcgan_game(objective=objective)
    before_g, before_d = values(game.generator), values(game.discriminator)
    game.step_discriminator(pictures())
    assert changed(game.generator, before_g) & parameter_names(game.generator) == set()
    assert all(p.grad is None for p in game.generator.parameters())
    assert changed(game.discriminator, before_d) >= parameter_names(game.discriminator)


@pytest.mark.parametrize("objective", ["minimax", "non-saturating"])
def test_gs_step_changes_g_and_no_weight_of_d(objective):
    game = dcgan_game(objective=objective)
    before_g, before_d = values(game.generator), values(game.discriminator)
    game.step_generator(8)
    assert changed(game.discriminator, before_d) & parameter_names(game.discriminator) == set()
    assert all(p.grad is None for p in game.discriminator.parameters())
    assert changed(game.generator, before_g) >= parameter_names(game.generator)


def test_gs_step_leaves_ds_gradients_as_they_were():
    game = dcgan_game()
    game.step_discriminator(pictures())
    before = [p.grad.numpy().copy() for p in game.discriminator.parameters()]
    game.step_generator(8)
    for p, gradient in zip(game.discriminator.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), gradient)


def test_d_learns_again_after_gs_step_also_if_that_failed():
    game = points_game()
    first, *others = game.discriminator.parameters()
    first.requires_grad = False  # frozen by its owner: it stays so
    game.step_generator(4)
    assert not first.requires_grad and all(p.requires_grad for p in others)

    def fail(*_):
        raise RuntimeError("in the middle of D")

    game.discriminator.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle of D"):
        game.step_generator(4)
    assert not first.requires_grad and all(p.requires_grad for p in others)


def test_d_of_the_reals_does_not_depend_on_the_fakes():
    """With a batch of both in one pass, batch norm would mix them."""
    game = dcgan_game()
    other = copy.deepcopy(game)
    for p in other.generator.parameters():
        p.array *= 3
    real = pictures()
    mg.manual_seed(1)
    one = game.step_discriminator(real)
    mg.manual_seed(1)
    two = other.step_discriminator(real)
    assert one["d_real"] == two["d_real"]
    assert one["d_fake"] != two["d_fake"]


def test_ds_step_by_hand():
    """The gradient that D's optimiser gets is that of the loss with the fakes as constants."""
    game = dcgan_game(discriminator_optimizer="later", lr=0.0)
    game.d_optimizer = mg.optim.SGD(game.discriminator.parameters(), lr=0.5)
    discriminator = copy.deepcopy(game.discriminator)
    generator = copy.deepcopy(game.generator)
    real = pictures()
    mg.manual_seed(3)
    result = game.step_discriminator(real)
    mg.manual_seed(3)
    fake = generator(mg.randn(8, 5)).detach()
    a, b = discriminator(real), discriminator(fake)
    loss = -mg.log(mg.sigmoid(a)).mean() - mg.log(1 - mg.sigmoid(b)).mean()
    loss.backward()
    assert result["d_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert result["d_real"] == pytest.approx(mg.sigmoid(a).mean().item(), rel=1e-5)
    assert result["d_fake"] == pytest.approx(mg.sigmoid(b).mean().item(), rel=1e-5)
    pairs = zip(game.discriminator.parameters(), discriminator.parameters(), strict=True)
    for after, p in pairs:
        expected = (p - 0.5 * p.grad).detach().numpy()
        np.testing.assert_allclose(after.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("objective", "sign"), [("minimax", 1), ("non-saturating", -1)])
def test_gs_step_by_hand(objective, sign):
    game = dcgan_game(objective=objective)
    game.g_optimizer = mg.optim.SGD(game.generator.parameters(), lr=0.5)
    discriminator, generator = map(copy.deepcopy, (game.discriminator, game.generator))
    mg.manual_seed(3)
    result = game.step_generator(8)
    mg.manual_seed(3)
    d = mg.sigmoid(discriminator(generator(mg.randn(8, 5))))
    loss = mg.log(1 - d).mean() if sign == 1 else -mg.log(d).mean()
    loss.backward()
    assert result["g_loss"] == pytest.approx(loss.item(), rel=1e-5)
    for after, p in zip(game.generator.parameters(), generator.parameters(), strict=True):
        expected = (p - 0.5 * p.grad).detach().numpy()
        np.testing.assert_allclose(after.detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_each_network_has_its_own_optimiser():
    networks = mg.zoo.build("mlp", (2,), {"latent_dim": 3})
    mine = mg.optim.SGD(networks[0].parameters(), lr=0.1)
    game = Minimax(*networks, generator_optimizer=mine, lr=0.25, betas=(0.1, 0.2))
    assert game.g_optimizer is mine
    (group,) = game.d_optimizer.param_groups
    assert (group["lr"], group["betas"]) == (0.25, (0.1, 0.2))
    assert {id(p) for p in group["params"]} == {id(p) for p in networks[1].parameters()}


def test_smoothed_labels_reach_the_objective():
    game = points_game(real_label=0.9, fake_label=0.1)
    assert (game.objective.real_label, game.objective.fake_label) == (0.9, 0.1)


def test_an_objective_of_your_own():
    class LeastSquares:
        def discriminator_loss(self, real_logits, fake_logits):
            return ((real_logits - 1) ** 2).mean() + (fake_logits**2).mean()

        def generator_loss(self, fake_logits):
            return ((fake_logits - 1) ** 2).mean()

    history = points_game(objective=LeastSquares()).fit([mg.randn(4, 2)], epochs=2)
    assert len(history) == 2


def test_noise_is_as_long_as_gs_first_layer_is_wide():
    assert points_game().sample_noise(7).shape == (7, 3)
    convolutional = nn.Sequential(nn.ConvTranspose2d(6, 1, 8), nn.Tanh())
    with pytest.raises(ValueError, match="give latent_dim="):
        Minimax(convolutional, dcgan_game().discriminator)


def test_noise_has_gs_dtype():
    game = points_game()
    game.generator.double()
    assert game.sample_noise(2).dtype == game.fixed_noise(2, 0).dtype == "float64"


# ----------------------------------------------------------------------------- counting the steps


class Counted(Minimax):
    """Writes down the order of the steps."""

    def step_discriminator(self, real):
        self.order += "D"
        return super().step_discriminator(real)

    def step_generator(self, n, real=None):
        self.order += "G"
        self.sizes.append(n)
        return super().step_generator(n, real)


@pytest.mark.parametrize(
    ("d_steps", "order"), [(1, "DGDGDG" * 2), (2, "DDGDDGDDG"), (4, "DDDDGDD"), (7, "DDDDDD")]
)
def test_d_steps_are_counted_across_epochs(d_steps, order):
    networks = mg.zoo.build("mlp", (2,), {"latent_dim": 3})
    game = Counted(*networks, d_steps=d_steps)
    game.order, game.sizes = "", []
    history = game.fit([mg.randn(4, 2), mg.randn(4, 2), mg.randn(3, 2)], epochs=2)
    assert game.order == order
    assert (game.d_updates, game.step) == (order.count("D"), order.count("G"))
    assert history["step"] == list(range(1, order.count("G") + 1))


def test_g_makes_as_many_fakes_as_there_were_reals():
    game = Counted(*mg.zoo.build("mlp", (2,), {"latent_dim": 3}))
    game.order, game.sizes = "", []
    game.fit([mg.randn(4, 2), mg.randn(3, 2)], epochs=1)
    assert game.sizes == [4, 3]


def test_fit_counts_epochs_in_total():
    game = points_game()
    loader = [mg.randn(4, 2)]
    assert len(game.fit(loader, epochs=2)) == 2
    assert len(game.fit(loader, epochs=3)) == 1
    assert len(game.fit(loader, epochs=3)) == 0
    assert game.epoch == game.step == 3


def test_fit_takes_a_list_a_loader_and_a_loader_with_labels():
    x = mg.randn(8, 2).numpy()
    plain = Dataset.from_array(x, labels=np.arange(8))
    losses = []
    for loader in (
        [mg.tensor(x[:4]), mg.tensor(x[4:])],
        DataLoader(plain, 4),
        DataLoader(plain, 4, labels=True),
    ):
        mg.manual_seed(5)
        losses.append(points_game().fit(loader, epochs=2)["d_loss"])
    assert len(losses[0]) == 4
    assert losses[0] == losses[1] == losses[2]


def test_each_epoch_has_its_own_order_also_when_resumed():
    """Epoch e is the loader's batches(e), whatever the loader was used for before."""

    class Watched(Minimax):
        def step_discriminator(self, real):
            self.batches.append(real.numpy()[:, 0])
            return super().step_discriminator(real)

    points = np.stack([np.arange(20), np.zeros(20)], axis=1).astype("f")
    loader = DataLoader(points, 5, shuffle=True, seed=4)
    expected = [[b.numpy()[:, 0] for b in loader.batches(epoch)] for epoch in range(4)]
    assert not np.array_equal(expected[0], expected[1])
    game = Watched(*mg.zoo.build("mlp", (2,), {"latent_dim": 3}))
    game.batches = []
    game.fit(loader, epochs=2)
    next(iter(loader))
    game.fit(DataLoader(points, 5, shuffle=True, seed=4), epochs=3)
    game.fit(loader, epochs=4)
    np.testing.assert_array_equal(game.batches, np.concatenate(expected))


def test_an_iterator_that_ends_is_refused_when_it_has_ended():
    with pytest.raises(ValueError, match="no batch in epoch 2: give a DataLoader or a list"):
        points_game().fit(iter([mg.randn(4, 2)]), epochs=2)


def test_fit_returns_to_training_mode():
    game = points_game()
    game.generator.eval(), game.discriminator.eval()
    game.fit([mg.randn(4, 2)], epochs=1)
    assert game.generator.training and game.discriminator.training


# ------------------------------------------------------------------------------------- sampling


def test_sample_is_in_evaluation_mode_so_that_no_sample_depends_on_another():
    game = dcgan_game()
    game.fit([pictures()], epochs=2)
    z = game.fixed_noise(9, 0)
    together = game.sample(9, z)
    assert together.shape == (9, 1, 8, 8) and not together.requires_grad
    alone = game.sample(1, z[:1])
    np.testing.assert_allclose(alone.numpy()[0], together.numpy()[0], rtol=0, atol=1e-6)
    in_parts = game.sample(9, z, batch_size=4)
    np.testing.assert_allclose(in_parts.numpy(), together.numpy(), rtol=0, atol=1e-6)


def test_sample_leaves_everything_as_it_was():
    game = dcgan_game(ema=0.5)
    game.fit([pictures()], epochs=1)
    game.generator[2].eval()  # a layer that its owner has frozen: it stays so
    flags = [m.training for m in game.generator.modules()]
    assert len(set(flags)) == 2
    before = values(game.generator), values(game.discriminator), values(game.ema.module)
    random = mg.random.random_state()
    for network in (game.ema, None):  # from the average, and from G itself
        game.ema = network
        game.sample(4, game.fixed_noise(4, 0))
    assert mg.random.random_state() == random
    assert [m.training for m in game.generator.modules()] == flags
    assert changed(game.generator, before[0]) | changed(game.discriminator, before[1]) == set()


def test_sample_uses_the_moving_average_if_there_is_one():
    game = dcgan_game(ema=0.999)
    game.fit([pictures()] * 3, epochs=1)
    z = game.fixed_noise(4, 0)
    with mg.no_grad():
        np.testing.assert_array_equal(game.sample(4, z).numpy(), game.ema.module(z).numpy())
    averaged, game.ema = game.sample(4, z), None
    assert not np.array_equal(averaged.numpy(), game.sample(4, z).numpy())


def test_sample_draws_its_own_noise():
    game = points_game()
    assert game.sample(300).shape == (300, 2)
    assert not np.array_equal(game.sample(3).numpy(), game.sample(3).numpy())


def test_fixed_noise_depends_on_the_seed_alone():
    game = points_game()
    random = mg.random.random_state()
    first = game.fixed_noise(5, 3).numpy()
    assert mg.random.random_state() == random
    mg.manual_seed(99)
    np.testing.assert_array_equal(game.fixed_noise(5, 3).numpy(), first)
    assert not np.array_equal(game.fixed_noise(5, 4).numpy(), first)


# ------------------------------------------------------------------------------ what can go wrong


def generator_ending_in(*layers):
    return nn.Sequential(nn.Linear(3, 16), *layers)


PICTURE = nn.Unflatten(1, (1, 4, 4))


@pytest.mark.parametrize(
    ("layers", "range", "fits"),
    [
        ((nn.Tanh(), PICTURE), (0, 1), False),
        ((PICTURE, nn.Tanh()), (0, 1), False),
        ((nn.Sequential(nn.Tanh()), PICTURE), (0, 1), False),
        ((nn.Sigmoid(), PICTURE), (-1, 1), False),
        ((nn.Tanh(), PICTURE), (-1, 1), True),
        ((nn.Sigmoid(), PICTURE), (0, 1), True),
        ((PICTURE,), (0, 1), True),
        ((PICTURE,), (-1, 1), True),
    ],
)
def test_a_range_that_g_can_not_reach_is_reported(layers, range, fits):
    """Document 000 trains a tanh generator on data from 0 to 1."""
    dataset = Dataset(np.zeros((4, 1, 4, 4), np.uint8)).with_range(*range)
    discriminator = mg.zoo.mlp.discriminator((1, 4, 4))
    game = Minimax(generator_ending_in(*layers), discriminator)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        game.fit(DataLoader(dataset, 4), epochs=1)
    assert len(caught) == (not fits)
    if not fits:
        text = str(caught[0].message)
        assert f"but the data is in ({float(range[0])}, {float(range[1])})" in text
        assert "use dataset.with_range" in text
        assert caught[0].filename == __file__


def test_points_have_no_range_to_mismatch():
    generator = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    game = Minimax(generator, mg.zoo.mlp.discriminator((2,)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        game.fit(DataLoader(mg.data.ring(16), 8), epochs=1)


def test_the_zoos_networks_fit_the_bundled_data():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        game = Minimax(*mg.zoo.build("mlp", (1, 8, 8)))
        game.fit(DataLoader(mg.data.digits().subset(range(8)), 8), epochs=1)


@pytest.mark.parametrize("end", [[nn.Sigmoid()], [nn.Sigmoid(), nn.Flatten()]])
def test_a_discriminator_that_ends_in_a_sigmoid_is_refused_with_advice(end):
    discriminator = nn.Sequential(nn.Linear(2, 1), *end)
    with pytest.raises(ValueError, match="ends in a Sigmoid: leave it away"):
        Minimax(mg.zoo.mlp.generator((2,)), discriminator)


@pytest.mark.parametrize(
    "options", [{"d_steps": 0}, {"ema": 1.0}, {"real_label": 0.0}, {"objective": "wgna"}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=r"got|unknown"):
        points_game(**options)


def test_nan_in_the_data_stops_the_run():
    game = points_game()
    good, bad = mg.randn(4, 2), mg.full((4, 2), float("nan"))
    with pytest.raises(Diverged) as error:
        game.fit([good, good, bad], epochs=3)
    assert str(error.value).startswith("the discriminator's loss became nan at step 3 (epoch 1): ")
    assert "or check the data " in str(error.value)
    game.check_finite()  # the step was refused before it could spoil a weight


def test_a_learning_rate_far_too_large_stops_the_run_without_numpys_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(Diverged, match=r"loss became (nan|inf) at step \d+ \(epoch \d+\)"):
            dcgan_game(lr=1e30).fit([pictures()], epochs=5)


def test_the_network_that_went_wrong_is_named():
    game = points_game()
    game.generator[0].weight.array[0, 0] = np.nan
    with pytest.raises(Diverged, match=r"0.weight of the generator became NaN or infinite by step"):
        game.check_finite()
    game = points_game()
    game.discriminator[1].bias.array[0] = np.inf
    with pytest.raises(Diverged, match=r"1.bias of the discriminator became NaN or infinite"):
        game.check_finite()


def test_data_that_do_not_fit_d_name_the_layer_and_both_shapes():
    with pytest.raises(LayerError) as error:
        points_game().fit([mg.randn(4, 5)], epochs=1)
    message = str(error.value)
    assert message.startswith("layer '1', Linear(in_features=2, out_features=8")
    assert "5" in message.split(": ", 1)[1] and "\n" not in message


def test_fakes_that_do_not_fit_d_name_the_layer_and_both_shapes():
    generator = mg.zoo.mlp.generator((1, 6, 6), latent_dim=3)
    game = Minimax(generator, dcgan_game().discriminator)
    with pytest.raises(LayerError) as error:
        game.fit([pictures()], epochs=1)
    assert str(error.value).startswith("layer '")
    assert "Linear(in_features=32" in str(error.value)


def test_a_discriminator_with_two_outputs_is_refused():
    d = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    g = mg.zoo.mlp.generator((1, 8, 8), 4, [8])
    with pytest.raises(ValueError, match=r"one logit per sample.*got \(8, 2\)"):
        Minimax(g, d).step_discriminator(pictures())


def test_a_data_set_without_a_loader_is_refused():
    with pytest.raises(TypeError, match="got ndarray: give DataLoader"):
        dcgan_game().fit(mg.data.digits().subset(range(8)), 1)


def test_steps_are_counted_across_epochs():
    game = dcgan_game(d_steps=3)
    loader = DataLoader(mg.data.digits().subset(range(32)), 8)  # 4 batches an epoch
    assert len(game.fit(loader, 3)) == 4 == 3 * game.batches_per_epoch // 3
