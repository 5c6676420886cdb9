"""The Dirac-GAN (Mescheder et al. 2018): the smallest game, played by the class that trains images.

The data are one point at 0, G makes one point θ, and D(x) = ψ x. Both players take plain gradient
steps of 0.2, 500 times, from (θ, ψ) = (1, -1). Where they end, √(θ² + ψ²), tells which methods
arrive at the equilibrium (0, 0): ``pytest -n 0 -s tests/gan/test_dirac.py`` prints the table.
"""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.gan import R1, GradientPenalty, Minimax, WeightClipping

STEP, STEPS = 0.2, 500
SCHEDULES = ("simultaneous", "alternating, 1 D step", "alternating, 5 D steps")

# The radii that the authors' code gives; for consensus see the last test
GAMES = {
    "minimax GAN": ({"objective": "minimax"}, (3.09695, 1.42102, 1.84527)),
    "non-saturating": ({"objective": "non-saturating"}, (0.640207, 0.283923, 0.138877)),
    "WGAN, clip 1": (
        {"objective": "wasserstein", "penalties": [WeightClipping(1.0)]},
        (1.00215, 1.02412, 0.916885),
    ),
    "WGAN-GP, λ 0.7, target 1": (  # λ/2 (|ψ| - 1)²
        {"objective": "wasserstein", "penalties": [GradientPenalty(0.35, target=1.0)]},
        (1.80179, 1.22107, 0.716301),
    ),
    "GAN + R1, γ 0.3": (
        {"objective": "minimax", "penalties": [R1(0.3)]},
        (2.64266e-6, 2.30091e-7, 9.24981e-34),
    ),
    "GAN + R1, γ 1": (
        {"objective": "minimax", "penalties": [R1(1.0)]},
        (9.52872e-22, 7.48124e-17, 5.1435e-12),
    ),
    "consensus, γ 1": (
        {"objective": "minimax", "consensus": 1.0},
        (2.57855e-10, 1.72410e-11, 10.9687),
    ),
}


class Point(nn.Module):
    """G: every z becomes θ."""

    def __init__(self, theta):
        self.theta = nn.Parameter(mg.tensor([[theta]], dtype="float64"))

    def forward(self, z):
        return self.theta.expand(len(z), 1)


class Slope(nn.Module):
    """D: the logit of x is ψ x."""

    def __init__(self, psi):
        self.psi = nn.Parameter(mg.tensor([[psi]], dtype="float64"))

    def forward(self, x):
        return x @ self.psi


def dirac_game(kind=Minimax, theta=1.0, psi=-1.0, **options):
    generator, discriminator = Point(theta), Slope(psi)
    return kind(
        generator,
        discriminator,
        latent_dim=1,
        generator_optimizer=mg.optim.SGD(generator.parameters(), lr=STEP),
        discriminator_optimizer=mg.optim.SGD(discriminator.parameters(), lr=STEP),
        **options,
    )


def play(game, schedule):
    """G moves first when they alternate, as in the authors' code."""
    real = mg.zeros(1, 1, dtype="float64")
    for _ in range(STEPS):
        if schedule == "simultaneous":
            game.step_simultaneously(real)
        else:
            game.step_generator(1, real)
            for _ in range(5 if "5" in schedule else 1):
                game.step_discriminator(real)
    return math.hypot(game.generator.theta.item(), game.discriminator.psi.item())


@pytest.fixture(scope="module")
def table():
    """Row by row as it is filled, printed at the end."""
    rows = {}
    yield rows
    print("\n\n| | " + " | ".join(SCHEDULES) + " |\n|---|---|---|---|")
    for name, radii in rows.items():
        cells = (f"{r:.4e}" if r < 1e-3 else f"{r:.6g}" for r in radii)
        print(f"| {name} | " + " | ".join(cells) + " |")


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_where_the_dirac_game_ends(name, table):
    options, expected = GAMES[name]
    table[name] = [play(dirac_game(**options), schedule) for schedule in SCHEDULES]
    np.testing.assert_allclose(table[name], expected, rtol=5e-5)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(1.0, GAMES["consensus, γ 1"][1]), (0.5, (2.08e-10, 1.33e-11, 4.56e-33))],
)
def test_consensus_as_the_paper_defines_it_and_as_its_code_computes_it(share, expected):
    """With f = log(1 + exp(ψθ)), both players descend R = ½ (θ² + ψ²) f'² too (γ = 1).

    dR/dθ = θ f'² + (θ² + ψ²) ψ f' f''. The authors' code (GAN_stability, diracgan/gans.py) takes
    half of the second term, and only so are its figures found: with the whole gradient, five steps
    of D each are too many for this step size and the game runs away.
    """

    def field(theta, psi):
        t = theta * psi
        f1 = 1 / (1 + math.exp(-t))
        f2 = f1 * (1 - f1)
        both = share * (theta**2 + psi**2) * f1 * f2
        return -psi * f1 + theta * f1**2 + psi * both, theta * f1 + psi * f1**2 + theta * both

    for schedule, radius in zip(SCHEDULES, expected, strict=True):
        theta, psi = 1.0, -1.0
        for _ in range(STEPS):
            if schedule == "simultaneous":
                g, d = field(theta, psi)
                theta, psi = theta - STEP * g, psi - STEP * d
            else:
                theta -= STEP * field(theta, psi)[0]
                for _ in range(5 if "5" in schedule else 1):
                    psi -= STEP * field(theta, psi)[1]
        assert math.hypot(theta, psi) == pytest.approx(radius, rel=5e-3 if share == 0.5 else 5e-5)
