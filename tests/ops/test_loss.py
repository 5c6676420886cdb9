"""Binary cross-entropy: the formulas, the composed twins, the far ends."""

import math

import numpy as np
import pytest
from numeric import Case, Contract, every

import minigan as mg
from minigan import ops
from minigan.ops import bce, bce_with_logits

RNG = np.random.default_rng(0)


def probabilities(*shape):
    return RNG.uniform(0.1, 0.9, shape)


def formula(p, t):
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def formula_of_logits(x, t):
    return formula(1 / (1 + np.exp(-x)), t)


SHAPES = [((2, 3), (2, 3)), ((), ()), ((2, 3), (3,)), ((0, 2), (0, 2))]

CASES = [
    *(Case("bce", bce, formula, (probabilities(*p), probabilities(*t))) for p, t in SHAPES),
    *(
        Case("bce_with_logits", bce_with_logits, formula_of_logits, (x * 4 - 2, probabilities(*t)))
        for x, t in ((probabilities(*p), t) for p, t in SHAPES)
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


def composed(x, t):
    p = 1 / (1 + ops.exp(-x))
    return -t * ops.log(p) - (1 - t) * ops.log(1 - p)


def test_composed_twin_to_third_order():
    """The fused function and the same put together from small ones have equal derivatives."""
    x = mg.tensor(RNG.standard_normal(5), requires_grad=True)
    t = mg.tensor(probabilities(5))
    fused, twin = bce_with_logits(x, t), composed(x, t)
    for _ in range(4):
        np.testing.assert_allclose(fused.detach().numpy(), twin.detach().numpy(), rtol=1e-9)
        (fused,) = mg.grad(fused.sum(), x, create_graph=True)
        (twin,) = mg.grad(twin.sum(), x, create_graph=True)


@pytest.mark.filterwarnings("error")
def test_logits_of_any_size():
    x = mg.tensor([-1e5, -50.0, 50.0, 1e5], requires_grad=True)
    t = mg.tensor([1.0, 1.0, 0.0, 1.0])
    assert bce_with_logits(x, t).tolist() == [1e5, 50, 50, 0]
    assert mg.grad(bce_with_logits(x, t).sum(), x)[0].tolist() == [-1, -1, 1, 0]


@pytest.mark.filterwarnings("error")
def test_probabilities_of_exactly_zero_and_one():
    """The logarithm ends at -100, as in PyTorch, so that loss and gradient stay finite."""
    p = mg.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    t = mg.tensor([1.0, 0.0, 0.0, 1.0])
    assert bce(p, t).tolist() == [100, 100, 0, 0]
    (g,) = mg.grad(bce(p, t).sum(), p)
    np.testing.assert_allclose(g.numpy(), [-1e12, 1e12, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("f", [bce, bce_with_logits])
@pytest.mark.parametrize("targets", [[True, False], [1, 0]])
def test_integer_targets(f, targets):
    loss = f(mg.tensor([0.5, 0.5]), mg.tensor(targets))
    assert loss.dtype == np.float32
    assert loss.tolist() == f(mg.tensor([0.5, 0.5]), mg.tensor([1.0, 0.0])).tolist()
    if f is bce:
        assert loss.tolist() == pytest.approx([math.log(2)] * 2)
