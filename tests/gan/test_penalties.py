"""The penalties, against closed forms, finite differences, and what D must be asked for."""

import numpy as np
import pytest

import minigan as mg
from minigan import check, nn
from minigan.gan import (
    DRAGAN,
    PENALTIES,
    R1,
    R2,
    GradientPenalty,
    Minimax,
    OneSidedPenalty,
    Penalty,
    WeightClipping,
)
from minigan.gan.penalties import penalty

SLOPE_PENALTIES = [GradientPenalty, OneSidedPenalty, DRAGAN, R1, R2]


def linear(w):
    """D(x) = w·x for pictures of any shape, whose slope is w everywhere."""
    d = nn.Sequential(nn.Flatten(), nn.Linear(len(w), 1, bias=False).double())
    d[1].weight.array[...] = w
    return d


def batch(n, *shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).standard_normal((n, *shape)))


def term_and_gradient(kind, d, real, fake):
    loss = kind.loss(d, real, fake)
    (g,) = mg.grad(loss, next(d.parameters()), allow_unused=True)
    return loss.item(), g.numpy()[0]


# ------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_of_a_linear_discriminator(shape, length):
    """λ (‖w‖ - t)² with gradient 2λ (‖w‖ - t) w/‖w‖, and γ/2 ‖w‖² with gradient γ w."""
    w = length * np.array([0.1, -0.5, 0.7, 0.5])  # of length 1 before
    real, fake = batch(6, *shape), batch(6, *shape, seed=1)
    unit = w / length
    for kind, excess in (
        (GradientPenalty(10.0), length - 1),
        (GradientPenalty(0.7, target=0.2), length - 0.2),
        (DRAGAN(10.0), length - 1),
        (OneSidedPenalty(10.0), max(0, length - 1)),
    ):
        value, slope = term_and_gradient(kind, linear(w), real, fake)
        assert value == pytest.approx(kind.weight * excess**2, rel=1e-13, abs=1e-28)
        expected = 2 * kind.weight * excess * unit
        np.testing.assert_allclose(slope, expected, rtol=1e-13, atol=1e-13)
    for kind in (R1(10.0), R2(0.3)):
        value, slope = term_and_gradient(kind, linear(w), real, fake)
        assert value == pytest.approx(kind.weight / 2 * length**2, rel=1e-14)
        np.testing.assert_allclose(slope, kind.weight * w, rtol=1e-14)


def test_the_norm_is_each_samples_own():
    """Over the whole batch it would be √64 = 8, and the penalty (8 - 1)² = 49 where it is 0."""
    d = linear(np.array([0.6, 0.8]))
    value, _ = term_and_gradient(GradientPenalty(1.0), d, batch(64, 2), batch(64, 2, seed=1))
    assert value < 1e-28


@pytest.mark.parametrize("kind", SLOPE_PENALTIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_discriminator_without_any_slope_has_a_gradient(kind, dtype):
    """The root of 0 has none; a D that starts at zero must not become NaN."""
    d = nn.Linear(3, 1)
    d.to(dtype=dtype)
    d.weight.array[...] = 0
    loss = kind().loss(d, batch(4, 3).to(dtype=dtype), batch(4, 3, seed=1).to(dtype=dtype))
    assert loss.dtype == dtype
    (g,) = mg.grad(loss, d.weight)
    assert not g.numpy().any()


class Curved(nn.Module):
    """D(x) = ½ ‖x‖²: its slope at x is x itself. Remembers where it was asked."""

    def forward(self, x):
        self.asked = x.detach().numpy()
        return 0.5 * (x * x).sum(1, keepdim=True)


def test_interpolates_lie_on_the_lines_between_pairs_each_at_a_place_of_its_own():
    d, real, fake = Curved(), batch(50, 3), batch(50, 3, seed=1)
    loss = GradientPenalty(2.0).loss(d, real, fake)
    a, b = real.numpy(), fake.numpy()
    places = (d.asked - b) / (a - b)
    np.testing.assert_allclose(places, places[:, :1].repeat(3, 1), rtol=1e-9)
    epsilon = places[:, 0]
    assert len(set(epsilon.round(9))) == 50 and 0 <= epsilon.min() < 0.1 < 0.9 < epsilon.max() <= 1
    norms = np.linalg.norm(d.asked, axis=1)
    assert loss.item() == pytest.approx(2 * ((norms - 1) ** 2).mean(), rel=1e-12)


def test_pictures_have_one_place_each():
    class Asked(nn.Module):
        def forward(self, x):
            self.asked = x.detach().numpy()
            return x.reshape(len(x), -1).sum(1)

    d = Asked()
    GradientPenalty().loss(d, mg.ones(5, 2, 3, 3), mg.zeros(5, 2, 3, 3))
    assert (d.asked == d.asked[:, :1, :1, :1]).all() and len(np.unique(d.asked)) == 5


def test_r1_is_of_reals_and_r2_of_fakes():
    d, real, fake = Curved(), batch(5, 3), batch(5, 3, seed=1)
    for kind, samples in ((R1(2.0), real), (R2(2.0), fake)):
        value = kind.loss(d, real, fake).item()
        assert value == pytest.approx((samples.numpy() ** 2).sum(1).mean(), rel=1e-13)
        np.testing.assert_array_equal(d.asked, samples.numpy())


def test_dragan_looks_around_the_data():
    mg.manual_seed(5)  # else the noise is the very numbers that `batch` draws
    d, real = Curved(), 3 * batch(4000, 2)
    DRAGAN().loss(d, real, mg.full((4000, 2), 50.0, dtype="float64"))
    moved = d.asked - real.numpy()
    assert moved.std() == pytest.approx(0.5 * real.numpy().std(), rel=0.03)
    assert abs(moved.mean()) < 0.05


# ------------------------------------------------------------------------ the second derivative


def networks(name):
    """Discriminators without batch norm, for 1×8×8 pictures; smooth, so that differences exist."""
    if name == "mlp":
        layers = [nn.Flatten(), nn.Linear(64, 5), nn.Tanh(), nn.Linear(5, 4), nn.SiLU()]
        return nn.Sequential(*layers, nn.Linear(4, 1)).double()
    norm = "spectral" if name == "spectral" else "none"
    d = mg.zoo.dcgan.discriminator((1, 8, 8), channels=2, norm=norm).double()
    for p in d.parameters():
        p.array *= 10  # from weights of 0.02 the slopes would be tiny
    if norm == "spectral":
        for _ in range(20):
            d(batch(1, 1, 8, 8))
        d.eval()  # else every look at D moves u and v
    return d


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("mlp", kind(1.0)) for kind in (GradientPenalty, DRAGAN, R1, R2)],
        ("mlp", OneSidedPenalty(1.0, target=1e-3)),  # away from its kink
        *[(name, kind(1.0)) for name in ("conv", "spectral") for kind in (GradientPenalty, R1)],
    ],
    ids=str,
)
def test_its_gradient_in_every_weight_is_that_of_its_differences(name, kind):
    d, real, fake = networks(name), batch(3, 1, 8, 8), batch(3, 1, 8, 8, seed=1)

    def f():
        mg.manual_seed(5)  # the same interpolates every time
        return kind.loss(d, real, fake)

    report = check.gradients(f, wrt=d, order=1, scale="directions", directions=1)
    assert report, report


def test_it_reaches_every_layer():
    d = networks("conv")
    loss = GradientPenalty().loss(d, batch(3, 1, 8, 8), batch(3, 1, 8, 8, seed=1))
    for path, p in d.named_parameters():
        (g,) = mg.grad(loss, p, allow_unused=True)
        assert (g is None or not g.numpy().any()) == path.endswith("bias"), path


# ------------------------------------------------------------------------------ in the game


def game(*penalties, objective="non-saturating", **options):
    pair = mg.zoo.build("mlp", (2,), {"latent_dim": 3, "hidden": [8]}, {"hidden": [8]})
    return Minimax(*pair, objective, penalties=penalties, **options)


def test_ds_gradient_gains_that_of_the_penalty():
    plain, held = game(), game(R1(3.0))
    held.discriminator.load_state_dict(plain.discriminator.state_dict())
    held.generator.load_state_dict(plain.generator.state_dict())
    real = mg.randn(6, 2)
    rows = []
    for g in (plain, held):
        g.d_optimizer.param_groups[0]["lr"] = 0.0  # look at the gradients only
        mg.manual_seed(1)
        rows.append(g.step_discriminator(real))
    assert rows[0] == rows[1]  # the loss that is shown is the objective's
    term = R1(3.0).loss(plain.discriminator, real, real)
    weights = list(plain.discriminator.parameters())
    gains = mg.grad(term, weights, allow_unused=True)
    for p, q, gain in zip(weights, held.discriminator.parameters(), gains, strict=True):
        expected = p.grad.numpy() + (0 if gain is None else gain.numpy())
        np.testing.assert_allclose(q.grad.numpy(), expected, rtol=1e-5, atol=1e-7)


def test_a_penalty_leaves_g_alone():
    g = game("gradient-penalty", "r1", "r2", "dragan")
    before = {k: v.numpy().copy() for k, v in g.generator.state_dict().items()}
    g.step_discriminator(mg.randn(6, 2))
    assert all(p.grad is None for p in g.generator.parameters())
    for name, value in g.generator.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_weights_are_clipped_after_every_step_of_d():
    g = game(WeightClipping(0.05), objective="wasserstein", lr=0.1)
    weights = list(g.discriminator.parameters())
    generator = [p.numpy().copy() for _, p in g.generator.state_dict().items()]
    g.step_discriminator(mg.randn(6, 2))
    for p in weights:
        assert np.abs(p.array).max() <= np.float32(0.05)
    assert any((np.abs(p.array) == np.float32(0.05)).any() for p in weights)
    for p, before in zip(g.generator.state_dict().values(), generator, strict=True):
        np.testing.assert_array_equal(p.numpy(), before)


def test_a_lazy_penalty_comes_every_so_often_and_as_much_stronger():
    class Watched(R1):
        def loss(self, discriminator, real, fake):
            self.calls = [*getattr(self, "calls", []), g.d_updates]
            return super().loss(discriminator, real, fake)

    lazy = Watched(2.0, every=3)
    g = game(lazy)
    for _ in range(7):
        g.step_discriminator(mg.randn(4, 2))
    assert lazy.calls == [0, 3, 6]
    real, zero = mg.randn(4, 2), mg.zeros(())
    once = R1(2.0).loss(g.discriminator, real, real).item()
    assert g.penalized(zero, real, real, 9).item() == pytest.approx(3 * once, rel=1e-6)
    assert g.penalized(zero, real, real, 10) is zero
    assert g.penalized(zero, real, real, None).item() == pytest.approx(once, rel=1e-6)


def test_a_penalty_of_your_own():
    class Drift(Penalty):
        """Karras et al. 2018: logits are kept near 0."""

        def loss(self, discriminator, real, fake):
            return self.weight * (discriminator(real) ** 2).mean()

    g = game(Drift(0.5))
    g.step_discriminator(mg.randn(4, 2))
    assert str(g.penalties[0]) == "Drift(weight=0.5, every=1)"


# -------------------------------------------------------------------------------------- by name


def test_penalties_by_name():
    assert list(PENALTIES) == [
        "gradient-penalty", "one-sided", "dragan", "r1", "r2", "weight-clipping"
    ]  # fmt: skip
    for name, kind in PENALTIES.items():
        assert type(penalty(name)) is kind and penalty(name).weight == kind().weight
        assert type(penalty(f"{name.upper()} = 0.25")) is kind
        assert str(penalty(f"{name}=0.25")) == f"{name}=0.25"
        assert penalty(str(kind())).weight == kind().weight
    assert [penalty(n).weight for n in ("gradient-penalty", "r1", "weight-clipping")] == [
        10, 10, 0.01
    ]  # fmt: skip
    assert isinstance(game("r1=3").penalties[0], R1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("r3", "unknown penalty 'r3': did you mean 'r"),
        ("r1=much", "NAME or NAME=WEIGHT, like r1=10; 'much' is no number"),
        ("r1=", "'' is no number"),
        ("r1=-1", "R1 needs a weight of at least 0, got -1.0"),
        ("r1=nan", "R1 needs a weight of at least 0, got nan"),
        ("weight-clipping=0", "clipped to a positive limit, got 0.0"),
    ],
)
def test_bad_penalties_are_refused(text, message):
    with pytest.raises(ValueError, match="needs every >= 1, got 0"):
        R1(1.0, every=0)
    with pytest.raises(ValueError) as error:
        penalty(text)
    assert message in str(error.value)
