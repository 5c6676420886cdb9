"""The games with penalties, later objectives and unrolling, against PyTorch code for the same."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import DRAGAN, R1, R2, GradientPenalty, Minimax, OneSidedPenalty, WeightClipping

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity
torch.set_num_threads(1)  # with layers this small, threads would only wait for each other
F = torch.nn.functional

BATCH, LATENT, STEPS, SEED, LR = 6, 5, 40, 11, 2e-3


def theirs(array):
    return torch.from_numpy(np.array(array.array if isinstance(array, mg.Tensor) else array))


def copy_weights(ours, network):
    state = {name: theirs(value) for name, value in ours.state_dict().items()}
    return network.double().load_state_dict(state, strict=True) and network


# ------------------------------------------------------------- penalties, to third derivatives


def critics(kind):
    """The same discriminator twice, without batch norm, for 1×8×8 pictures."""
    if kind == "mlp":
        ours = mg.zoo.mlp.discriminator((1, 8, 8), hidden=[7, 6])
        sizes = [(64, 6), (6, 7)]
        layers = [torch.nn.Flatten()]
        for a, b in sizes:
            layers += [torch.nn.Linear(a, b), torch.nn.LeakyReLU(0.2)]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(7, 1))
    else:
        ours = nn.Sequential(
            nn.Conv2d(1, 3, 4, 2, 1), nn.Tanh(), nn.Conv2d(3, 4, 4, 2, 1), nn.Softplus(),
            nn.Flatten(), nn.Linear(16, 1),
        )  # fmt: skip
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 3, 4, 2, 1), torch.nn.Tanh(), torch.nn.Conv2d(3, 4, 4, 2, 1),
            torch.nn.Softplus(), torch.nn.Flatten(), torch.nn.Linear(16, 1),
        )  # fmt: skip
    ours.double()
    return ours, copy_weights(ours, network)


def noise_of(shape):
    return theirs(mg.rand(*shape, dtype="float64"))


def slopes(d, x):
    x = x.detach().requires_grad_()
    (g,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return g.flatten(1)


def gradient_penalty(d, real, fake):
    epsilon = noise_of((len(real), 1, 1, 1))
    return 10 * ((slopes(d, epsilon * real + (1 - epsilon) * fake).norm(dim=1) - 1) ** 2).mean()


def one_sided(d, real, fake):
    epsilon = noise_of((len(real), 1, 1, 1))
    norms = slopes(d, epsilon * real + (1 - epsilon) * fake).norm(dim=1)
    return 10 * F.relu(norms - 0.01).square().mean()


def dragan(d, real, fake):
    around = theirs(mg.randn(*real.shape, dtype="float64"))
    around = real + 0.5 * real.std(unbiased=False) * around
    return 10 * ((slopes(d, around).norm(dim=1) - 1) ** 2).mean()


PENALTIES = {
    "gradient penalty": (GradientPenalty(10.0), gradient_penalty),
    "one-sided": (OneSidedPenalty(10.0, target=0.01), one_sided),
    "dragan": (DRAGAN(10.0), dragan),
    "r1": (R1(3.0), lambda d, real, fake: 1.5 * slopes(d, real).square().sum(1).mean()),
    "r2": (R2(3.0), lambda d, real, fake: 1.5 * slopes(d, fake).square().sum(1).mean()),
}


@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("name", PENALTIES)
def test_a_critics_loss_its_gradient_and_that_ones_gradient(name, kind, rng):
    """The gradient is a second derivative of D already; its product with a vector adds a third."""
    d, network = critics(kind)
    term, their_term = PENALTIES[name]
    real, fake = (rng.standard_normal((BATCH, 1, 8, 8)) for _ in range(2))
    mg.manual_seed(SEED)
    loss = d(mg.tensor(fake)).mean() - d(mg.tensor(real)).mean()
    loss = loss + term.loss(d, mg.tensor(real), mg.tensor(fake))
    mg.manual_seed(SEED)
    their_loss = network(theirs(fake)).mean() - network(theirs(real)).mean()
    their_loss = their_loss + their_term(network, theirs(real), theirs(fake))
    assert loss.item() == pytest.approx(their_loss.item(), rel=1e-12)

    weights, their_weights = list(d.parameters()), list(network.parameters())
    first = mg.grad(loss, weights, create_graph=True)
    their_first = torch.autograd.grad(their_loss, their_weights, create_graph=True)
    for g, h in zip(first, their_first, strict=True):
        np.testing.assert_allclose(g.array, h.detach().numpy(), rtol=1e-10, atol=1e-12)
    v = [rng.standard_normal(p.shape) for p in weights]
    product = sum((g * mg.tensor(x)).sum() for g, x in zip(first, v, strict=True))
    their_product = sum((g * theirs(x)).sum() for g, x in zip(their_first, v, strict=True))
    second = mg.grad(product, weights, allow_unused=True)
    their_second = torch.autograd.grad(their_product, their_weights, allow_unused=True)
    for g, h in zip(second, their_second, strict=True):
        ours, others = (0 if g is None else g.array), (0 if h is None else h.numpy())
        np.testing.assert_allclose(ours, others, rtol=1e-9, atol=1e-11)


# ------------------------------------------------------------------------------- whole games


def discriminator_loss(objective, a, b):
    if objective == "least-squares":
        return 0.5 * F.mse_loss(a, torch.ones_like(a)) + 0.5 * F.mse_loss(b, torch.zeros_like(b))
    if objective == "hinge":
        return F.relu(1 - a).mean() + F.relu(1 + b).mean()
    if objective == "wasserstein":
        return b.mean() - a.mean()
    bce = F.binary_cross_entropy_with_logits
    return bce(a - b.mean(), torch.ones_like(a)) + bce(b - a.mean(), torch.zeros_like(b))


def generator_loss(objective, a, b):
    if objective == "least-squares":
        return 0.5 * F.mse_loss(b, torch.ones_like(b))
    if objective in ("hinge", "wasserstein"):
        return -b.mean()
    return discriminator_loss(objective, b, a)


GAMES = [
    ("least-squares", None, "none", 1),
    ("hinge", "r1", "none", 1),
    ("hinge", None, "spectral", 1),
    ("wasserstein", "gradient penalty", "none", 2),
    ("wasserstein", "gradient penalty", "spectral", 1),
    ("wasserstein", "clip", "none", 1),
    ("relativistic", None, "none", 1),
    ("relativistic", "r1", "none", 1),
]


@pytest.mark.parametrize(("objective", "penalty", "norm", "d_steps"), GAMES)
def test_the_same_game_has_the_same_losses(objective, penalty, norm, d_steps):
    """Steps in float64, from the same weights, with the same data and noise."""
    sizes = {"latent_dim": LATENT, "hidden": [12]}, {"hidden": [12], "norm": norm}
    generator, discriminator = (n.double() for n in mg.zoo.build("mlp", (1, 8, 8), *sizes))
    own = torch.nn.Sequential(
        torch.nn.Linear(LATENT, 12), torch.nn.LeakyReLU(0.2), torch.nn.Linear(12, 64),
        torch.nn.Tanh(), torch.nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip
    wrap = torch.nn.utils.spectral_norm if norm == "spectral" else lambda layer: layer
    judge = torch.nn.Sequential(
        torch.nn.Flatten(), wrap(torch.nn.Linear(64, 12)), torch.nn.LeakyReLU(0.2),
        wrap(torch.nn.Linear(12, 1)),
    )  # fmt: skip
    g, d = copy_weights(generator, own), copy_weights(discriminator, judge)
    terms = {"clip": WeightClipping(0.05), None: None} | {k: v[0] for k, v in PENALTIES.items()}
    chosen = [terms[penalty]] if penalty else []
    options = {"lr": LR, "d_steps": d_steps, "penalties": chosen}
    game = Minimax(generator, discriminator, objective, **options)
    digits = mg.data.digits()[: BATCH * STEPS].astype(np.float64)
    reals = digits.reshape(STEPS, BATCH, 1, 8, 8)
    mg.manual_seed(SEED)
    history = game.fit([mg.tensor(x) for x in reals], epochs=1)

    d_optimizer = torch.optim.Adam(d.parameters(), lr=LR, betas=(0.5, 0.999))
    g_optimizer = torch.optim.Adam(g.parameters(), lr=LR, betas=(0.5, 0.999))
    mg.manual_seed(SEED)
    d_losses, g_losses = [], []
    for i, x in enumerate(map(theirs, reals), 1):
        fake = g(theirs(mg.randn(BATCH, LATENT, dtype="float64"))).detach()
        d_loss = discriminator_loss(objective, d(x), d(fake))
        shown = d_loss.item()
        if penalty in PENALTIES:
            d_loss = d_loss + PENALTIES[penalty][1](d, x, fake)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        if penalty == "clip":
            for p in d.parameters():
                p.data.clamp_(-0.05, 0.05)
        if i % d_steps:
            continue
        fake = g(theirs(mg.randn(BATCH, LATENT, dtype="float64")))
        b = d(fake)
        a = d(x).detach() if objective == "relativistic" else None
        g_loss = generator_loss(objective, a, b)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        d_losses.append(shown)
        g_losses.append(g_loss.item())
    np.testing.assert_allclose(history["d_loss"], d_losses, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(history["g_loss"], g_losses, rtol=1e-8, atol=1e-8)
    assert np.ptp(g_losses) > 1e-3
    for ours, network in ((generator, g), (discriminator, d)):
        expected = network.state_dict()
        for name, value in ours.state_dict().items():
            np.testing.assert_allclose(
                value.numpy(), expected[name].numpy(), rtol=1e-6, atol=1e-8, err_msg=name
            )


# -------------------------------------------------------------------------------- unrolling


def test_gs_gradient_through_two_steps_of_adam(rng):
    """With torch.func: D's weights as tensors, Adam's formula written out."""
    generator, discriminator = (
        n.double() for n in mg.zoo.build("mlp", (2,), {"latent_dim": 3, "hidden": [6]})
    )
    g = copy_weights(
        generator,
        torch.nn.Sequential(torch.nn.Linear(3, 6), torch.nn.LeakyReLU(0.2), torch.nn.Linear(6, 2)),
    )
    d = copy_weights(
        discriminator,
        torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.Linear(2, 128), torch.nn.LeakyReLU(0.2),
            torch.nn.Linear(128, 1),
        ),
    )  # fmt: skip
    game = Minimax(generator, discriminator, unroll=2, lr=1e-2)
    real, z = rng.standard_normal((BATCH, 2)), rng.standard_normal((BATCH, 3))
    game.sample_noise = lambda n: mg.tensor(z)
    game.g_optimizer.param_groups[0]["lr"] = 0.0
    value = game.step_generator(BATCH, mg.tensor(real))["g_loss"]

    fake = g(theirs(z))
    weights = dict(d.named_parameters())
    m = {name: torch.zeros_like(p) for name, p in weights.items()}
    v = dict(m)
    bce = F.binary_cross_entropy_with_logits

    def logits(x):
        return torch.func.functional_call(d, weights, (x,))

    for t in (1, 2):
        a, b = logits(theirs(real)), logits(fake)
        loss = bce(a, torch.ones_like(a)) + bce(b, torch.zeros_like(b))
        gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        for (name, p), slope in zip(list(weights.items()), gradients, strict=True):
            m[name] = 0.5 * m[name] + 0.5 * slope
            v[name] = 0.999 * v[name] + 0.001 * slope**2
            root = (v[name] / (1 - 0.999**t)).sqrt() + 1e-8
            weights[name] = p - 1e-2 * (m[name] / (1 - 0.5**t)) / root
    b = logits(fake)
    loss = bce(b, torch.ones_like(b))
    loss.backward()
    assert value == pytest.approx(loss.item(), rel=1e-10)
    for p, q in zip(generator.parameters(), g.parameters(), strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-7, atol=1e-10)
