"""The objectives, against their formulas written out with Python's math."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan.gan import (
    OBJECTIVES,
    Hinge,
    LeastSquares,
    NonSaturating,
    RelativisticAverage,
    Saturating,
    Wasserstein,
)
from minigan.gan.checks import as_objective as objective
from minigan.gan.objectives import Objective

LOGITS = [-2.0, -0.3, 0.0, 0.7, 3.0]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def mean(values):
    return sum(values) / len(values)


def loss_and_gradients(loss, *logits):
    xs = [mg.tensor(x, dtype="float64", requires_grad=True) for x in logits]
    value = loss(*xs)
    return value.item(), [g.numpy() for g in mg.grad(value, xs)]


@pytest.mark.parametrize("kind", [Saturating, NonSaturating])
@pytest.mark.parametrize("labels", [(1.0, 0.0), (0.9, 0.0), (0.9, 0.1)])
def test_the_discriminators_loss(kind, labels):
    """Cross-entropy with the labels; one- and two-sided smoothing move them. Gradient: (D - y)/N"""
    real, fake = LOGITS, LOGITS[1:]
    value, (g_real, g_fake) = loss_and_gradients(kind(*labels).discriminator_loss, real, fake)

    def cross_entropy(x, y):
        return -y * math.log(sigmoid(x)) - (1 - y) * math.log(1 - sigmoid(x))

    a, b = labels
    expected = mean([cross_entropy(x, a) for x in real]) + mean([cross_entropy(x, b) for x in fake])
    assert value == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(g_real, [(sigmoid(x) - a) / 5 for x in real], rtol=1e-14)
    np.testing.assert_allclose(g_fake, [(sigmoid(x) - b) / 4 for x in fake], rtol=1e-14)


def test_the_minimax_generators_loss():
    """E[log(1 - D)], which G minimises; gradient -D/N, and no label moves it."""
    value, (g,) = loss_and_gradients(Saturating(0.9, 0.1).generator_loss, LOGITS)
    assert value == pytest.approx(mean([math.log(1 - sigmoid(x)) for x in LOGITS]), rel=1e-14)
    np.testing.assert_allclose(g, [-sigmoid(x) / 5 for x in LOGITS], rtol=1e-14)


def test_the_non_saturating_generators_loss():
    """-E[log D]; gradient (D - 1)/N, and no label moves it."""
    value, (g,) = loss_and_gradients(NonSaturating(0.9, 0.1).generator_loss, LOGITS)
    assert value == pytest.approx(-mean([math.log(sigmoid(x)) for x in LOGITS]), rel=1e-14)
    np.testing.assert_allclose(g, [(sigmoid(x) - 1) / 5 for x in LOGITS], rtol=1e-14)


def test_minimax_is_one_value_with_two_signs():
    """What G minimises is the part of D's loss that depends on it, with the opposite sign."""
    game = Saturating()
    fakes = mg.tensor(LOGITS, dtype="float64")
    reals = mg.full((3,), 800.0, dtype="float64")  # D(x) = 1: their part of the loss is 0
    assert game.generator_loss(fakes).item() == -game.discriminator_loss(reals, fakes).item()


def test_where_d_is_sure_of_a_fake_only_minimax_saturates():
    d = 1e-4
    logit = [math.log(d / (1 - d))]
    _, (minimax,) = loss_and_gradients(Saturating().generator_loss, logit)
    _, (other,) = loss_and_gradients(NonSaturating().generator_loss, logit)
    assert minimax.item() == pytest.approx(-1e-4, rel=1e-10)
    assert other.item() == pytest.approx(-(1 - 1e-4), rel=1e-10)


def test_at_the_optimum_the_value_is_minus_log_4():
    """Where p = q, the best D says 1/2 everywhere and V = -L_D = -log 4."""
    half = mg.zeros(7, dtype="float64")
    assert -Saturating().discriminator_loss(half, half).item() == pytest.approx(-math.log(4))
    assert Saturating().generator_loss(half).item() == pytest.approx(-math.log(2))


# ------------------------------------------------------------------------------- later games

FAKES = [-1.7, -0.4, 0.2, 1.6]


def check_losses(kind, d_loss, d_slopes, g_loss, g_slopes):
    """The values and the gradients with respect to reals' and fakes' logits, as they should be."""
    value, (g_real, g_fake) = loss_and_gradients(kind.discriminator_loss, LOGITS, FAKES)
    assert value == pytest.approx(d_loss, rel=1e-14)
    np.testing.assert_allclose(g_real, d_slopes[0], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(g_fake, d_slopes[1], rtol=1e-13, atol=1e-15)
    value, (slopes,) = loss_and_gradients(kind.generator_loss, FAKES)
    assert value == pytest.approx(g_loss, rel=1e-14)
    np.testing.assert_allclose(slopes, g_slopes, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("b", "a"), [(1.0, 0.0), (0.9, 0.1)])
def test_least_squares(b, a):
    check_losses(
        LeastSquares(b, a),
        mean([(x - b) ** 2 / 2 for x in LOGITS]) + mean([(x - a) ** 2 / 2 for x in FAKES]),
        ([(x - b) / 5 for x in LOGITS], [(x - a) / 4 for x in FAKES]),
        mean([(x - 1) ** 2 / 2 for x in FAKES]),
        [(x - 1) / 4 for x in FAKES],
    )
    assert LeastSquares(b, a).boundary == 0.5


def test_hinge():
    check_losses(
        Hinge(),
        mean([max(0, 1 - x) for x in LOGITS]) + mean([max(0, 1 + x) for x in FAKES]),
        ([-(x < 1) / 5 for x in LOGITS], [(x > -1) / 4 for x in FAKES]),
        -mean(FAKES),
        [-1 / 4] * 4,
    )


def test_wasserstein():
    check_losses(
        Wasserstein(),
        mean(FAKES) - mean(LOGITS),
        ([-1 / 5] * 5, [1 / 4] * 4),
        -mean(FAKES),
        [-1 / 4] * 4,
    )
    assert Wasserstein.needs_constraint and math.isnan(Wasserstein.boundary)


def test_relativistic_average():
    reals, fakes = mean(LOGITS), mean(FAKES)
    r, f = [x - fakes for x in LOGITS], [x - reals for x in FAKES]
    d_loss = -mean([math.log(sigmoid(x)) for x in r]) - mean([math.log(sigmoid(-x)) for x in f])
    g_loss = -mean([math.log(sigmoid(-x)) for x in r]) - mean([math.log(sigmoid(x)) for x in f])
    kind = RelativisticAverage()
    value, slopes = loss_and_gradients(kind.discriminator_loss, LOGITS, FAKES)
    assert value == pytest.approx(d_loss, rel=1e-14)
    assert sum(g.sum() for g in slopes) == pytest.approx(0, abs=1e-15)  # only differences count
    up, down = mean([sigmoid(-x) for x in r]), mean([sigmoid(x) for x in f])
    expected = [(-sigmoid(-x) - down) / 5 for x in r]
    np.testing.assert_allclose(slopes[0], expected, rtol=1e-13)
    np.testing.assert_allclose(slopes[1], [(sigmoid(x) + up) / 4 for x in f], rtol=1e-13)
    value, _ = loss_and_gradients(kind.generator_loss, FAKES, LOGITS)
    assert value == pytest.approx(g_loss, rel=1e-14)
    with pytest.raises(ValueError, match="needs the reals' logits too"):
        kind.generator_loss(mg.zeros(3))


POINTS = np.linspace(-6, 6, 4001)
P, Q = (np.exp(-((POINTS - m) ** 2) / 2) / math.sqrt(2 * math.pi) for m in (-0.5, 0.7))


@pytest.mark.parametrize("name", ["minimax", "least-squares", "hinge"])
def test_the_best_discriminator_is_as_the_docstring_says(name):
    """Where p and q have these values, no other logit makes the loss less."""
    kind = OBJECTIVES[name]()
    spacing = POINTS[1] - POINTS[0]
    d = P / (P + Q)
    best = {"minimax": np.log(P / Q), "least-squares": d, "hinge": np.sign(P - Q)}[name]

    def loss(values):
        x = [mg.tensor([v], dtype="float64") for v in values]
        zero = mg.zeros(1, dtype="float64")
        base = kind.discriminator_loss(zero, zero).item()
        real = np.array([kind.discriminator_loss(v, zero).item() for v in x])
        fake = np.array([kind.discriminator_loss(zero, v).item() for v in x])
        at = slice(None, None, 50)
        return real * P[at] + fake * Q[at] - base

    at = best[::50]
    for step in (-0.01, 0.01):
        assert (loss(at + step) >= loss(at) - 1e-15).all()
    if name == "hinge":  # at the best D: L_D = 2 - 2 TV
        variation = 0.5 * np.abs(P - Q).sum() * spacing
        total = (np.maximum(0, 1 - best) * P + np.maximum(0, 1 + best) * Q).sum() * spacing
        assert total == pytest.approx(2 - 2 * variation, rel=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [Saturating, NonSaturating])
def test_logits_of_100_are_finite_and_right(kind, dtype):
    """exp(100) overflows float32, and log(1 - sigmoid(100)) is log 0 in both."""
    plus, minus = (mg.tensor([s * 100.0], dtype=dtype, requires_grad=True) for s in (1, -1))
    wrong = kind().discriminator_loss(minus, plus)  # sure, and wrong of both
    assert wrong.item() == pytest.approx(200, rel=1e-6)
    assert [g.item() for g in mg.grad(wrong, [minus, plus])] == [-1, 1]
    right = kind().discriminator_loss(plus, minus)
    assert 0 <= right.item() < 1e-40
    assert all(abs(g.item()) < 1e-40 for g in mg.grad(right, [plus, minus]))
    g_losses = {
        (Saturating, 1): (-100, -1),
        (Saturating, -1): (0, 0),
        (NonSaturating, 1): (0, 0),
        (NonSaturating, -1): (100, -1),
    }
    for sign, logit in ((1, plus), (-1, minus)):
        loss = kind().generator_loss(logit)
        value, slope = g_losses[kind, sign]
        assert loss.item() == pytest.approx(value, abs=1e-40, rel=1e-6)
        assert mg.grad(loss, [logit])[0].item() == pytest.approx(slope, abs=1e-40)


def test_losses_keep_the_logits_dtype():
    for dtype in ("float32", "float64"):
        x = mg.zeros(3, 1, dtype=dtype)
        for kind in (Saturating, NonSaturating):
            assert kind(0.9).discriminator_loss(x, x).dtype == dtype
            assert kind(0.9).generator_loss(x).dtype == dtype


def test_objectives_by_name():
    assert type(objective("minimax")) is Saturating
    smoothed = objective("non_saturating", real_label=0.9, fake_label=0.1)
    assert type(smoothed) is NonSaturating
    assert (smoothed.real_label, smoothed.fake_label) == (0.9, 0.1)
    with pytest.raises(ValueError, match="unknown objective 'minmax': did you mean 'minimax'"):
        objective("minmax")
    kinds = [Saturating, NonSaturating, LeastSquares, Hinge, Wasserstein, RelativisticAverage]
    assert [type(objective(name)) for name in OBJECTIVES] == kinds


@pytest.mark.parametrize("name", ["hinge", "wasserstein", "relativistic"])
def test_labels_are_smoothed_only_where_there_are_labels(name):
    with pytest.raises(ValueError, match=f"{name} has no labels to smooth, got real_label 0.9"):
        objective(name, real_label=0.9)
    with pytest.raises(ValueError, match="take minimax, non-saturating, least-squares"):
        objective(name, fake_label=0.1)


def test_an_objective_must_define_its_losses():
    for loss, count in (("discriminator_loss", 2), ("generator_loss", 1)):
        with pytest.raises(NotImplementedError, match=f"Objective does not define {loss}"):
            getattr(Objective(), loss)(*[mg.zeros(1)] * count)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_objective_keeps_dtype_and_is_finite_at_100(name, dtype):
    kind = objective(name)
    for sign in (1, -1):
        a, b = (mg.tensor([s * 100.0], dtype=dtype, requires_grad=True) for s in (sign, -sign))
        losses = [
            kind.discriminator_loss(a, b),
            kind.generator_loss(a, *[b] * kind.compares),
        ]
        for loss in losses:
            assert loss.dtype == dtype and math.isfinite(loss.item())
            for g in mg.grad(loss, [a, b], allow_unused=True):
                assert g is None or (g.dtype == dtype and math.isfinite(g.item()))


@pytest.mark.parametrize("labels", [(1.1, 0), (1, -0.1), (0.5, 0.5), (0.1, 0.9), (float("nan"), 0)])
def test_labels_out_of_range_are_refused(labels):
    with pytest.raises(ValueError, match="labels need 0 <= fake_label < real_label <= 1, got"):
        NonSaturating(*labels)
