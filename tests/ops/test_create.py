"""New tensors: values, dtypes, shapes, reproducible random numbers."""

import math

import numpy as np
import pytest

import minigan as mg


@pytest.mark.parametrize(
    "made, expected, dtype",
    [
        (lambda: mg.zeros(2, 1), [[0], [0]], "float32"),
        (lambda: mg.zeros((2,)), [0, 0], "float32"),
        (lambda: mg.zeros([1, 2], dtype="int64"), [[0, 0]], "int64"),
        (lambda: mg.ones(), 1, "float32"),
        (lambda: mg.ones(2, dtype="float64"), [1, 1], "float64"),
        (lambda: mg.full((2,), 1.5), [1.5, 1.5], "float32"),
        (lambda: mg.full((2,), 7), [7, 7], "int64"),
        (lambda: mg.full((1,), True), [True], "bool"),
        (lambda: mg.full((1,), 7, dtype="float64"), [7], "float64"),
        (lambda: mg.eye(2), [[1, 0], [0, 1]], "float32"),
        (lambda: mg.eye(1, 3, dtype="int64"), [[1, 0, 0]], "int64"),
        (lambda: mg.arange(3), [0, 1, 2], "int64"),
        (lambda: mg.arange(1, 3), [1, 2], "int64"),
        (lambda: mg.arange(3, 0, -1), [3, 2, 1], "int64"),
        (lambda: mg.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], "float32"),
        (lambda: mg.arange(2, dtype="float64"), [0, 1], "float64"),
        (lambda: mg.linspace(0, 1, 3), [0, 0.5, 1], "float32"),
        (lambda: mg.zeros_like(mg.arange(2)), [0, 0], "int64"),
        (lambda: mg.ones_like(mg.zeros(1, dtype="float64")), [1], "float64"),
    ],
)
def test_constants(made, expected, dtype):
    x = made()
    assert x.tolist() == expected and x.dtype == dtype and not x.requires_grad
    assert x.shape == np.shape(expected) and x.device in ("cpu", "cuda:0")


def test_arange_does_not_add_up_rounding_errors():
    x = mg.arange(1000, 1001, 0.001)
    np.testing.assert_array_equal(x.numpy(), np.arange(1000, 1001, 0.001).astype("float32"))


@pytest.mark.parametrize("f", [mg.zeros, mg.ones, mg.rand, mg.randn])
def test_new_leaves_can_require_grad(f):
    x = f(2, 3, requires_grad=True)
    assert x.requires_grad and x.is_leaf and x.shape == (2, 3)


RANDOM = [
    lambda: mg.rand(3, 4),
    lambda: mg.randn(3, 4),
    lambda: mg.rand_like(mg.zeros(5)),
    lambda: mg.randn_like(mg.zeros(5, dtype="float64")),
    lambda: mg.randint(0, 100, (9,)),
    lambda: mg.randperm(20),
]


@pytest.mark.parametrize("draw", RANDOM)
def test_the_seed_decides(draw):
    mg.manual_seed(1)
    first, second = draw(), draw()
    mg.manual_seed(1)
    assert draw().tolist() == first.tolist() != second.tolist()
    mg.manual_seed(2)
    assert draw().tolist() != first.tolist()


def test_distributions():
    """Mean and spread of many draws, within five standard errors."""
    n = 20_000
    uniform, normal = mg.rand(n), mg.randn(n)
    assert uniform.min().item() >= 0 and uniform.max().item() < 1
    assert abs(uniform.mean().item() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(uniform.var().item() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    assert abs(normal.mean().item()) < 5 / math.sqrt(n)
    assert abs(normal.var().item() - 1) < 5 * math.sqrt(2 / n)
    assert abs((normal**4).mean().item() - 3) < 5 * math.sqrt(96 / n)
    integers = mg.randint(-2, 3, (n,))
    assert integers.dtype == np.int64 and sorted(set(integers.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(mg.randperm(7).tolist()) == list(range(7)) and mg.randperm(7).dtype == np.int64


def test_random_dtypes():
    assert mg.randn(2).dtype == mg.rand(2).dtype == "float32"
    assert mg.randn(2, dtype="float64").dtype == "float64"
    assert mg.randn_like(mg.zeros(2, dtype="float64")).dtype == "float64"
