"""A whole game against the same game written in PyTorch, as its tutorials write it."""

import numpy as np
import pytest

import minigan as mg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
torch.set_num_threads(1)  # with layers this small, threads would only wait for each other

BATCH, LATENT, STEPS, SEED = 8, 6, 100, 11


def torch_dcgan(width):
    """zoo.dcgan for 1×8×8 pictures, spelled out."""
    nn = torch.nn
    generator = nn.Sequential(
        nn.Linear(LATENT, 2 * width * 2 * 2),
        nn.Unflatten(1, (2 * width, 2, 2)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 2 * 2, 1),
    )
    return generator, discriminator


def torch_mlp(width):
    """zoo.mlp for 1×8×8 pictures, spelled out."""
    nn = torch.nn
    generator = nn.Sequential(
        nn.Linear(LATENT, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, 64),
        nn.Tanh(),
        nn.Unflatten(1, (1, 8, 8)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(64, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
    )
    return generator, discriminator


def game_in_minigan(model, width, objective, real_label, reals):
    if model == "dcgan":
        options = {"latent_dim": LATENT, "channels": width}, {"channels": width}
    else:
        options = {"latent_dim": LATENT, "hidden": [width]}, {"hidden": [width]}
    generator, discriminator = mg.zoo.build(model, (1, 8, 8), *options)
    for network in (generator, discriminator):
        network.double()
    weights = [
        {name: np.array(value.array) for name, value in network.state_dict().items()}
        for network in (generator, discriminator)
    ]
    game = mg.gan.Minimax(generator, discriminator, objective, lr=2e-3, real_label=real_label)
    mg.manual_seed(SEED)
    history = game.fit([mg.tensor(x) for x in reals], epochs=1)
    return game, weights, history


def game_in_torch(model, width, objective, real_label, reals, weights):
    """The loop of PyTorch's DCGAN tutorial, with the noise that minigan drew."""
    networks = torch_dcgan(width) if model == "dcgan" else torch_mlp(width)
    for network, values in zip(networks, weights, strict=True):
        state = {name: torch.from_numpy(value.copy()) for name, value in values.items()}
        network.double().load_state_dict(state, strict=True)
    generator, discriminator = networks
    criterion = torch.nn.BCEWithLogitsLoss()
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    mg.manual_seed(SEED)

    def noise():
        return torch.from_numpy(mg.randn(BATCH, LATENT, dtype="float64").numpy())

    d_losses, g_losses = [], []
    for x in reals:
        discriminator.zero_grad()
        real_logits = discriminator(torch.from_numpy(x))
        fake_logits = discriminator(generator(noise()).detach())
        d_loss = criterion(real_logits, torch.full_like(real_logits, real_label))
        d_loss = d_loss + criterion(fake_logits, torch.zeros_like(fake_logits))
        d_loss.backward()
        d_optimizer.step()

        generator.zero_grad()
        logits = discriminator(generator(noise()))
        if objective == "minimax":
            g_loss = -criterion(logits, torch.zeros_like(logits))
        else:
            g_loss = criterion(logits, torch.ones_like(logits))
        g_loss.backward()
        g_optimizer.step()
        d_losses.append(d_loss.item())
        g_losses.append(g_loss.item())
    return networks, d_losses, g_losses


@pytest.mark.parametrize(
    ("model", "width", "objective", "real_label"),
    [
        ("dcgan", 4, "non-saturating", 1.0),
        ("dcgan", 4, "minimax", 0.9),
        ("mlp", 16, "non-saturating", 0.9),
        ("mlp", 16, "minimax", 1.0),
    ],
)
def test_the_same_game_has_the_same_losses(model, width, objective, real_label):
    """100 alternating steps in float64, from the same weights, with the same data and noise."""
    digits = mg.data.digits()[: BATCH * STEPS].astype(np.float64)
    reals = digits.reshape(STEPS, BATCH, 1, 8, 8)
    game, weights, history = game_in_minigan(model, width, objective, real_label, reals)
    networks, d_losses, g_losses = game_in_torch(
        model, width, objective, real_label, reals, weights
    )

    assert len(history) == STEPS
    np.testing.assert_allclose(history["d_loss"], d_losses, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(history["g_loss"], g_losses, rtol=1e-8, atol=1e-8)
    assert np.ptp(d_losses) > 0.1 and np.ptp(g_losses) > 0.1  # something was learned
    for ours, theirs in zip((game.generator, game.discriminator), networks, strict=True):
        expected = theirs.state_dict()
        for name, value in ours.state_dict().items():
            np.testing.assert_allclose(
                value.numpy(), expected[name].numpy(), rtol=1e-6, atol=1e-8, err_msg=name
            )
