"""What theory says, against closed forms; and games against what theory says."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import Minimax, oracles
from minigan.gan.penalties import R1, GradientPenalty

LINE = np.linspace(-12, 12, 2401)


class Point(nn.Module):
    """G of the Dirac-GAN: every noise becomes the point θ."""

    def __init__(self, theta=0.0):
        self.theta = nn.Parameter(np.full((1, 1), theta))

    def forward(self, z):
        return self.theta + 0 * z


class Slope(nn.Module):
    """D of the Dirac-GAN: the logit ψx."""

    def __init__(self, psi=0.0):
        self.psi = nn.Parameter(np.full((1, 1), psi))

    def forward(self, x):
        return self.psi * x


def dirac(theta=0.0, psi=0.0, **options):
    return Minimax(Point(theta), Slope(psi), latent_dim=1, **options)


ZERO = mg.Tensor(np.zeros((1, 1)))


def at(game, real=ZERO, noise=ZERO):
    return oracles.eigenvalues(game, real, noise)


# ------------------------------------------------------------------------------------- densities


def test_a_mixture_is_the_average_of_its_gaussians():
    x = np.linspace(-3, 3, 7)
    gauss = lambda c: np.exp(-((x - c) ** 2) / 0.5) / math.sqrt(0.5 * math.pi)  # noqa: E731
    np.testing.assert_allclose(oracles.mixture([-1, 2], 0.5)(x), (gauss(-1) + gauss(2)) / 2)
    plane = oracles.mixture([[2, 0], [0, 2], [-1, 1], [2, 0]], 0.3)  # one counts twice
    axis = np.linspace(-4, 5, 181)
    values = plane(oracles.points((axis, axis)))
    assert values.shape == (181, 181)
    assert np.trapezoid(np.trapezoid(values, axis), axis) == pytest.approx(1, abs=1e-9)
    place = np.unravel_index(values.argmax(), values.shape)
    assert (axis[place[0]], axis[place[1]]) == pytest.approx((2, 0), abs=1e-9)  # x comes first
    with pytest.raises(ValueError, match="needs std > 0, got 0"):
        oracles.mixture([0.0], 0)


def test_the_ring_is_distributed_as_its_density_says():
    """The mean of log p over samples is minus the entropy: log(8 · 2πe σ²) for parted modes."""
    ring = mg.data.ring(20_000, std=0.05)
    log_p = np.log(oracles.mixture(ring.centers, 0.05)(ring[:]))
    entropy = math.log(8 * 2 * math.pi * math.e * 0.05**2)
    assert -log_p.mean() == pytest.approx(entropy, abs=5 / math.sqrt(20_000))  # log p has std 1


def test_the_optimal_discriminator_as_probability_and_as_logit():
    p, q = np.array([1.0, 3.0, 0.0, 2.0]), np.array([1.0, 1.0, 2.0, 0.0])
    np.testing.assert_allclose(oracles.optimal_discriminator(p, q), [0.5, 0.75, 0, 1])
    logits = oracles.optimal_discriminator(p, q, logit=True)
    np.testing.assert_allclose(logits, [0, math.log(3), -np.inf, np.inf])
    assert np.isnan(oracles.optimal_discriminator(np.zeros(1), np.zeros(1)))


def test_two_gaussians_of_one_width_are_told_apart_by_a_line():
    """log p - log q = (μ_p - μ_q)(x - (μ_p + μ_q)/2) / σ²."""
    best = oracles.optimal_discriminator(
        oracles.mixture([1.0], 0.5), oracles.mixture([-2.0], 0.5), logit=True
    )
    x = np.linspace(-3, 3, 13)
    np.testing.assert_allclose(best(x), 3 * (x + 0.5) / 0.25)


def test_functions_and_arrays_do_not_mix():
    with pytest.raises(TypeError, match="both functions, or both arrays"):
        oracles.optimal_discriminator(oracles.mixture([0.0], 1), LINE)


def test_the_divergence_of_equal_and_of_parted_densities():
    p, q = oracles.mixture([0.0], 0.5), oracles.mixture([8.0], 0.5)
    assert oracles.jensen_shannon(p, p, grid=LINE) == pytest.approx(0, abs=1e-15)
    assert oracles.jensen_shannon(p, q, grid=LINE) == pytest.approx(math.log(2), abs=1e-12)
    assert oracles.game_value(p, p, grid=LINE) == pytest.approx(-math.log(4), abs=1e-15)
    assert oracles.game_value(p, q, grid=LINE) == pytest.approx(0, abs=1e-12)


def test_the_divergence_agrees_with_another_quadrature():
    """Gauss and Legendre's, of a formula written in another way: H(m) - (H(p) + H(q)) / 2."""
    p, q = oracles.mixture([-0.3], 1.0), oracles.mixture([0.8], 0.6)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    a, b, weights = p(9 * nodes), q(9 * nodes), 9 * weights
    entropy = lambda d: -(weights * d * np.log(d)).sum()  # noqa: E731
    expected = entropy((a + b) / 2) - (entropy(a) + entropy(b)) / 2
    assert oracles.jensen_shannon(p, q, grid=LINE) == pytest.approx(expected, abs=1e-12)
    arrays = p(LINE), q(LINE)
    assert oracles.jensen_shannon(*arrays, grid=LINE) == pytest.approx(expected, abs=1e-12)


def test_the_plane_and_the_line_agree():
    """The divergence of N(a, σ² I) and N(b, σ² I) depends on |a - b| / σ alone."""
    line = oracles.jensen_shannon(
        oracles.mixture([0.0], 1), oracles.mixture([1.0], 1), grid=np.linspace(-9, 9, 901)
    )
    axis = np.linspace(-9, 9, 181)
    plane = oracles.jensen_shannon(
        oracles.mixture([[0, 0]], 1), oracles.mixture([[0.6, 0.8]], 1), grid=(axis, axis)
    )
    assert plane == pytest.approx(line, abs=1e-12)


def test_samples_give_the_same_divergence(rng):
    p, q = oracles.mixture([-1.0, 1.0], 0.4), oracles.mixture([0.5], 0.8)
    n = 200_000
    x = rng.choice([-1, 1], n) + 0.4 * rng.standard_normal(n)
    y = 0.5 + 0.8 * rng.standard_normal(n)
    exact = oracles.jensen_shannon(p, q, grid=LINE)
    assert oracles.jensen_shannon(p, q, samples=(x, y)) == pytest.approx(exact, abs=0.004)


def test_a_grid_that_misses_the_mass_is_refused():
    p, q = oracles.mixture([0.0], 1), oracles.mixture([20.0], 1)
    with pytest.raises(ValueError, match="q has a mass of .* on the grid, not 1: make the grid"):
        oracles.jensen_shannon(p, q, grid=LINE)
    with pytest.raises(TypeError, match="either grid=.* or samples="):
        oracles.jensen_shannon(p, p)
    with pytest.raises(ValueError, match=r"values in the grid's shape \(2401,\), got \(3,\)"):
        oracles.jensen_shannon(np.ones(3), p, grid=LINE)


def test_a_discriminator_learns_the_optimal_one_and_the_value():
    """Against a fixed G, D comes to p / (p + q), and V(D) to -log 4 + 2 JSD from below."""
    p, q = oracles.mixture([-1.0, 1.0], 0.4), oracles.mixture([0.5], 0.8)
    d = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    class Normal(nn.Module):
        def __init__(self):
            self.mean = nn.Parameter(np.full(1, 0.5, dtype="f"))

        def forward(self, z):
            return self.mean + 0.8 * z

    steps, rng = 500, np.random.default_rng(0)
    game = Minimax(Normal(), d, latent_dim=1, lr=1e-2, betas=(0.9, 0.99))
    x = np.linspace(-5, 6, 1101)
    points = mg.tensor(x[:, None].astype("f"))

    def value():
        with mg.no_grad():
            logits = d(points).numpy()[:, 0].astype("float64")
        loss = p(x) * np.logaddexp(0, -logits) + q(x) * np.logaddexp(0, logits)
        return -np.trapezoid(loss, x), 1 / (1 + np.exp(-logits))

    before, _ = value()
    for i in range(steps):
        game.d_optimizer.param_groups[0]["lr"] = 1e-2 * (1 - i / steps)
        real = rng.choice([-1, 1], (256, 1)) + 0.4 * rng.standard_normal((256, 1))
        game.step_discriminator(mg.tensor(real.astype("f")))
    after, learned = value()
    best = oracles.game_value(p, q, grid=x)
    assert before < best - 0.2
    assert best - 0.01 < after <= best
    often = p(x) + q(x) > 0.1  # samples come there
    error = abs(learned - oracles.optimal_discriminator(p, q)(x))[often]
    print(f"V {before:.4f} -> {after:.4f}, best {best:.4f}; |D - D*| {error.max():.3f}")
    assert error.max() < 0.1 and error.mean() < 0.03


# ------------------------------------------------------------------- the Jacobian of the game


@pytest.mark.host
@pytest.mark.parametrize("objective", ["minimax", "non-saturating"])
def test_the_dirac_gan_circles_without_a_penalty(objective):
    """Mescheder et al. 2018, lemma 2.3: ±i f'(0), f'(0) = 1/2."""
    np.testing.assert_allclose(at(dirac(objective=objective)), [0.5j, -0.5j], atol=1e-10)


@pytest.mark.host
@pytest.mark.parametrize("gamma", [0.1, 0.3, 0.99, 1.0, 1.01, 2.0, 10.0])
@pytest.mark.parametrize("objective", ["minimax", "non-saturating"])
def test_the_dirac_gan_settles_with_r1(objective, gamma):
    """-γ/2 ± √(γ²/4 - 1/4) (theorem 4.1): turning inwards below γ = 1, straight beyond."""
    root = np.emath.sqrt(gamma**2 / 4 - 0.25)
    found = at(dirac(objective=objective, penalties=[R1(gamma)]))
    np.testing.assert_allclose(found, [-gamma / 2 + root, -gamma / 2 - root], atol=1e-10)
    assert (abs(found.imag).max() > 1e-3) == (gamma < 1)
    assert (found.real < 0).all()


@pytest.mark.host
def test_the_wasserstein_game_circles_faster():
    """Its f' is 1 everywhere."""
    with pytest.warns(UserWarning, match="nothing limits D's slope"):
        game = dirac(objective="wasserstein")
    np.testing.assert_allclose(at(game), [1j, -1j], atol=1e-10)


@pytest.mark.host
def test_the_gradient_field_is_minus_the_gradients():
    """L_G = -log σ(ψθ), L_D = softplus(-ψ·0) + softplus(ψθ): the two slopes by hand."""
    theta, psi = 0.7, -1.2
    sigma = 1 / (1 + math.exp(-theta * psi))
    field = oracles.gradient_field(dirac(theta, psi), ZERO, ZERO)
    np.testing.assert_allclose(field, [psi * (1 - sigma), -theta * sigma], rtol=1e-12)


def small_game(**options):
    """G of 8 parameters, batch norm's among them, and D of 9; smooth."""
    mg.manual_seed(3)
    generator = nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.BatchNorm1d(2)).double()
    discriminator = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)).double()
    return Minimax(generator, discriminator, **options)


@pytest.mark.parametrize("penalties", [[], [R1(3.0)], [GradientPenalty(2.0)]])
@pytest.mark.parametrize("objective", ["non-saturating", "least-squares", "relativistic"])
def test_the_jacobian_is_the_derivative_of_the_field(objective, penalties, rng):
    game = small_game(objective=objective, penalties=penalties)
    real, noise = (mg.Tensor(rng.standard_normal((5, n))) for n in (2, 1))
    weights = [p for n in (game.generator, game.discriminator) for p in n.parameters()]
    found = oracles.jacobian(game, real, noise)
    columns, h = [], 1e-5
    for p in weights:
        for i in np.ndindex(p.shape):
            start = p.array[i].item()
            ends = []
            for end in (start + h, start - h):
                p.array[i] = end
                ends.append(oracles.gradient_field(game, real, noise))
            p.array[i] = start
            columns.append((ends[0] - ends[1]) / (2 * h))
    np.testing.assert_allclose(found, np.stack(columns, axis=1), rtol=1e-6, atol=1e-8)
    assert np.abs(found[: 2 * 4, 2 * 4 :]).max() > 1e-3  # the players depend on each other


def test_looking_at_a_game_does_not_change_it(rng):
    game = small_game(penalties=[GradientPenalty(2.0)])
    real, noise = (mg.Tensor(rng.standard_normal((5, n))) for n in (2, 1))
    game.step_discriminator(real)
    before = {k: v.numpy().copy() for k, v in game.generator.state_dict().items()}
    gradients = [p.grad.numpy().copy() for p in game.discriminator.parameters()]
    random = mg.random.random_state()
    assert oracles.eigenvalues(game, real, noise).shape == (8 + 9,)
    assert mg.random.random_state() == random
    for name, value in game.generator.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
    for p, gradient in zip(game.discriminator.parameters(), gradients, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), gradient)
    assert all(p.requires_grad for p in game.generator.parameters())


@pytest.mark.host
def test_a_lazy_penalty_counts_once_in_theory():
    """Training adds it at every 16th update and 16-fold, whenever one looks theory sees it once."""
    game = dirac(penalties=[R1(0.5, every=16)])
    expected = at(dirac(penalties=[R1(0.5)]))
    for game.d_updates in (0, 1):
        np.testing.assert_allclose(at(game), expected, atol=1e-12)


def test_points_of_another_dimension_are_refused():
    density = oracles.mixture([[0.0, 0.0], [1.0, 1.0]], 1.0)
    with pytest.raises(ValueError, match=r"expected points \(…, 2\), got \(5, 3\)"):
        density(np.zeros((5, 3)))
