"""Losses by their formulas, in the tails, and against their composed twins."""

import math

import numpy as np
import pytest
from numeric import check_gradients

import minigan as mg
from minigan import nn

F = nn.functional


def reduced(values, reduction):
    return {"none": values, "sum": values.sum(), "mean": values.mean()}[reduction]


def log_softmax(x, axis=1):
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


ELEMENTWISE = [
    (nn.MSELoss, lambda x, t: (x - t) ** 2),
    (nn.L1Loss, lambda x, t: np.abs(x - t)),
    (nn.BCELoss, lambda x, t: -t * np.log(x) - (1 - t) * np.log(1 - x)),
    (nn.BCEWithLogitsLoss, lambda x, t: np.log(1 + np.exp(x)) - t * x),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("kind", "formula"), ELEMENTWISE, ids=lambda v: getattr(v, "__name__", ""))
def test_elementwise(kind, formula, reduction, rng):
    x, t = rng.uniform(0.1, 0.9, (2, 4, 3))
    criterion = kind(reduction=reduction)
    value = criterion(mg.tensor(x), mg.tensor(t)).numpy()
    np.testing.assert_allclose(value, reduced(formula(x, t), reduction), rtol=1e-12)
    check_gradients(criterion, x, t)


@pytest.mark.parametrize("kind", [kind for kind, _ in ELEMENTWISE])
def test_shapes_are_not_broadcast(kind):
    """(N,) against (N, 1) would silently give N² terms."""
    with pytest.raises(nn.LayerError, match=r"\(4, 1\).*\(4,\)"):
        kind()(mg.ones(4, 1), mg.ones(4))


def test_unknown_reduction():
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        F.mse_loss(mg.ones(2), mg.ones(2), "avg")


OLD = [
    ({"size_average": True}, "mean"),
    ({"size_average": False}, "sum"),
    ({"reduce": True}, "mean"),
    ({"reduce": False}, "none"),
    ({"size_average": False, "reduce": True}, "sum"),
    ({"size_average": False, "reduce": False}, "none"),
    ({"size_average": True, "reduce": False}, "none"),
]


@pytest.mark.parametrize(("old", "reduction"), OLD, ids=str)
@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.MSELoss, F.mse_loss),
        (nn.L1Loss, F.l1_loss),
        (nn.BCELoss, F.binary_cross_entropy),
        (nn.BCEWithLogitsLoss, F.binary_cross_entropy_with_logits),
        (nn.CrossEntropyLoss, F.cross_entropy),
        (nn.NLLLoss, F.nll_loss),
    ],
)
def test_size_average_and_reduce_name_a_reduction(layer, function, old, reduction, rng):
    x = mg.tensor(rng.uniform(0.1, 0.9, (4, 3)))
    t = mg.tensor([0, 2, 1, 1]) if function in (F.cross_entropy, F.nll_loss) else x * x
    expected = layer(reduction=reduction)(x, t).numpy()
    with pytest.warns(UserWarning, match=f"reduction='{reduction}'"):
        criterion = layer(**old)
    np.testing.assert_array_equal(criterion(x, t).numpy(), expected)
    with pytest.warns(UserWarning, match=f"reduction='{reduction}'") as warned:
        value = function(x, t, **old)
    assert len(warned) == 1
    np.testing.assert_array_equal(value.numpy(), expected)


# ----------------------------------------------------------------------------- binary cross-entropy


@pytest.mark.parametrize(
    ("p", "t", "value"),
    [(0.0, 0.0, 0.0), (0.0, 1.0, 100.0), (1.0, 0.0, 100.0), (1.0, 1.0, 0.0), (0.0, 0.5, 50.0)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bce_at_certainty(p, t, value, dtype):
    """The logarithm ends at -100, and the gradient's divisor at 1e-12, as in PyTorch."""
    x = mg.tensor([p], dtype=dtype, requires_grad=True)
    target = mg.tensor([t], dtype=dtype, requires_grad=True)
    loss = F.binary_cross_entropy(x, target)
    assert loss.item() == value
    (gx,) = mg.grad(loss, x)
    with np.errstate(divide="ignore"):
        (gt,) = mg.grad(loss, target)
    np.testing.assert_allclose(gx.item(), (p - t) / 1e-12, rtol=1e-6)
    assert gt.item() == (100 if p == 0 else -100)


def test_bce_wants_probabilities():
    for wrong in ([1.5], [-0.1], [math.nan]):
        with pytest.raises(nn.LayerError, match="BCEWithLogitsLoss"):
            nn.BCELoss()(mg.tensor(wrong), mg.ones(1))


@pytest.mark.parametrize("x", [-100.0, 100.0, -1000.0])
@pytest.mark.parametrize("t", [0.0, 1.0, 0.9])
def test_logits_far_out(x, t):
    logit = mg.tensor([x], dtype="float64", requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(logit, mg.tensor([t], dtype="float64"))
    np.testing.assert_allclose(loss.item(), max(x, 0) - t * x, rtol=1e-14, atol=1e-40)
    sigmoid = 1 / (1 + math.exp(-x)) if x > -700 else 0.0
    np.testing.assert_allclose(mg.grad(loss, logit)[0].item(), sigmoid - t, rtol=1e-12)


def test_fused_losses_agree_with_their_composed_twins(rng):
    """In value, first and second derivative."""
    x = mg.tensor(rng.standard_normal((4, 3)), requires_grad=True)
    t = mg.tensor(rng.uniform(0, 1, (4, 3)), requires_grad=True)
    n = mg.tensor([0, 2, 1, 1])
    c = mg.tensor(rng.standard_normal((4, 3)))

    def logits(x):
        return (mg.log(1 + mg.exp(x)) - t * x).mean()

    def probabilities(x):
        p = mg.sigmoid(x)
        return -(t * mg.log(p) + (1 - t) * mg.log(1 - p)).mean()

    def softmax(x):
        p = mg.exp(x) / mg.exp(x).sum(1, keepdim=True)
        return -mg.log(p[mg.arange(4), n]).mean()

    bce, bce_with_logits = F.binary_cross_entropy, F.binary_cross_entropy_with_logits
    pairs = [
        (lambda x: bce_with_logits(x, t), logits),
        (lambda x: bce_with_logits(x, t), lambda x: bce(mg.sigmoid(x), t)),
        (lambda x: bce(mg.sigmoid(x), t), probabilities),
        (lambda x: F.cross_entropy(x, n), softmax),
        (lambda x: F.nll_loss(mg.log_softmax(x, 1), n), softmax),
    ]
    for pair in pairs:
        results = []
        for f in pair:
            y = f(x)
            (first,) = mg.grad(y, x, create_graph=True)
            results.append([y, first, *mg.grad((first * c).sum(), x)])
        for a, b in zip(*results, strict=True):
            np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-9, atol=1e-13)


def test_weights(rng):
    x, t, w, pos = rng.uniform(0.1, 0.9, (4, 5, 3))
    w, pos = w[0], pos[0]
    loss = nn.BCELoss(weight=mg.tensor(w))(mg.tensor(x), mg.tensor(t))
    terms = -t * np.log(x) - (1 - t) * np.log(1 - x)
    np.testing.assert_allclose(loss.item(), (w * terms).mean())
    criterion = nn.BCEWithLogitsLoss(pos_weight=mg.tensor(pos))
    s = 1 / (1 + np.exp(-x))
    expected = (-pos * t * np.log(s) - (1 - t) * np.log(1 - s)).mean()
    np.testing.assert_allclose(criterion(mg.tensor(x), mg.tensor(t)).item(), expected)
    check_gradients(criterion, x, t)
    assert criterion.float().pos_weight.dtype == np.float32


# ----------------------------------------------------------------------------------------- classes


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 4, 3), (2, 4, 3, 2)])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes(shape, weighted, rng):
    """One term at a time."""
    axis = 0 if len(shape) == 1 else 1
    x = rng.standard_normal(shape)
    t = rng.integers(0, 4, shape[:axis] + shape[axis + 1 :])
    t = np.asarray(t)
    t[...] = np.where(np.arange(t.size).reshape(t.shape) % 3 == 1, -100, t)
    w = rng.uniform(0.5, 2, 4) if weighted else np.ones(4)
    log_p = np.moveaxis(log_softmax(x, axis), axis, -1).reshape(-1, 4)
    terms = [(w[c], -w[c] * row[c]) for row, c in zip(log_p, t.ravel(), strict=True) if c != -100]
    weights, losses = np.array(terms).T
    given = {"weight": mg.tensor(w)} if weighted else {}
    inputs = mg.tensor(x), mg.tensor(t)
    np.testing.assert_allclose(
        nn.CrossEntropyLoss(**given)(*inputs).item(), losses.sum() / weights.sum()
    )
    total = nn.CrossEntropyLoss(**given, reduction="sum")(*inputs)
    np.testing.assert_allclose(total.item(), losses.sum())
    each = nn.CrossEntropyLoss(**given, reduction="none")(*inputs)
    assert each.shape == t.shape
    np.testing.assert_allclose(each.numpy().ravel()[t.ravel() == -100], 0)
    smooth = nn.CrossEntropyLoss(**given, label_smoothing=0.1)(*inputs)
    uniform = sum(-(w * row).mean() for row, c in zip(log_p, t.ravel(), strict=True) if c != -100)
    np.testing.assert_allclose(smooth.item(), (0.9 * losses.sum() + 0.1 * uniform) / weights.sum())
    check_gradients(lambda x: F.cross_entropy(x, inputs[1], label_smoothing=0.1, **given), x)


def test_class_probabilities_generalise_classes(rng):
    x, t = mg.tensor(rng.standard_normal((5, 4))), mg.tensor([0, 3, 1, 1, 2])
    one_hot = F.one_hot(t, 4).double()
    for smoothing in (0.0, 0.2, 1.0):
        a = F.cross_entropy(x, t, label_smoothing=smoothing)
        b = F.cross_entropy(x, one_hot, label_smoothing=smoothing)
        np.testing.assert_allclose(a.item(), b.item(), rtol=1e-12)
    uniform = F.cross_entropy(mg.zeros(3, 4), mg.tensor([0, 1, 2]))
    np.testing.assert_allclose(uniform.item(), math.log(4), rtol=1e-6)


def test_far_scores_stay_exact():
    x = mg.tensor([[1000.0, 0.0], [0.0, -1000.0]], requires_grad=True)
    loss = F.cross_entropy(x, mg.tensor([1, 0]), reduction="none")
    np.testing.assert_array_equal(loss.detach().numpy(), [1000, 0])
    loss.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, -1], [0, 0]])


def test_everything_ignored_is_nan_as_in_pytorch():
    assert math.isnan(F.cross_entropy(mg.ones(2, 3), mg.tensor([-100, -100])).item())


@pytest.mark.parametrize(
    ("target", "settings", "problem"),
    [
        (mg.tensor([0, 3]), {}, "classes 0 to 2"),
        (mg.tensor([0, -1]), {}, "classes 0 to 2"),
        (mg.tensor([0]), {}, r"shape \(2,\)"),
        (mg.ones(2), {}, r"\(2, 3\).*\(2,\)"),
        (mg.tensor([0, 1]), {"weight": mg.ones(2)}, "one weight for each of 3"),
        (mg.tensor([0, 1]), {"label_smoothing": 2.0}, "label_smoothing"),
    ],
)
def test_errors(target, settings, problem):
    with pytest.raises(nn.LayerError, match=problem):
        nn.CrossEntropyLoss(**settings)(mg.ones(2, 3), target)
