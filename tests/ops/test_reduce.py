"""Sums and means, extremes, norms, the softmax family."""

import math

import numpy as np
import pytest
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan import ops

RNG = np.random.default_rng(0)


def real(*shape):
    """Normal numbers, no two of them close in size."""
    n = math.prod(shape)
    values = (np.arange(n) + RNG.uniform(0.2, 0.8, n)) * RNG.choice([-1, 1], n)
    return 2 * RNG.permutation(values).reshape(shape) / max(n, 1)


def over(f, **settings):
    """The function with its settings fixed."""
    return lambda x: f(x, **settings)


def numpy_over(f, dim=None, keepdim=False):
    return lambda x: f(x, axis=dim, keepdims=keepdim)


def logsumexp(x, axis, keepdims):
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def euclidean(x, axis, keepdims):
    return (np.abs(x) ** 2).sum(axis=axis, keepdims=keepdims) ** 0.5


REDUCTIONS = [  # name, function, the same in NumPy
    ("sum", ops.sum, np.sum),
    ("mean", ops.mean, np.mean),
    ("var", ops.var, lambda x, **s: np.var(x, ddof=1, **s)),
    ("std", ops.std, lambda x, **s: np.std(x, ddof=1, **s)),
    ("amax", ops.amax, np.max),
    ("amin", ops.amin, np.min),
    ("norm", ops.norm, euclidean),
    ("logsumexp", ops.logsumexp, logsumexp),
]

AXES = [  # shape, settings
    ((2, 3), {"dim": None}),
    ((2, 3), {"dim": None, "keepdim": True}),
    ((2, 3), {"dim": 0}),
    ((2, 3), {"dim": -1, "keepdim": True}),
    ((2, 3, 2), {"dim": (0, -1)}),
    ((2, 3, 2), {"dim": (1, 2), "keepdim": True}),
    ((0, 3), {"dim": 1}),
]


def pnorm(p):
    return lambda x: (np.abs(x) ** p).sum(1) ** (1 / p)


def softmax(axis):
    return lambda x: np.exp(x) / np.exp(x).sum(axis, keepdims=True)


CASES = [
    *(
        Case(f"{name}({settings})", over(f, **settings), numpy_over(g, **settings), (real(*shape),))
        for name, f, g in REDUCTIONS
        for shape, settings in AXES
    ),
    *(
        Case(name, f, lambda x: x, (np.array(1.5),))
        for name, f in [
            ("sum", ops.sum),
            ("mean", ops.mean),
            ("amax", ops.amax),
            ("max(dim)", lambda x: ops.max(x, 0).values),
            ("norm", ops.norm),
            ("logsumexp", lambda x: ops.logsumexp(x, 0)),
        ]
    ),
    Case("sum of nothing", ops.sum, np.sum, (np.zeros((0, 3)),)),
    Case("sum of nothing(dim)", over(ops.sum, dim=0), lambda x: x.sum(0), (np.zeros((0, 3)),)),
    Case("var(0)", over(ops.var, correction=0), np.var, (real(2, 3),)),
    Case("std(0)", over(ops.std, dim=0, correction=0), lambda x: x.std(0), (real(3, 2),)),
    Case("max", ops.max, np.max, (real(2, 3),)),
    Case("min", ops.min, np.min, (real(2, 3),)),
    Case("max(dim)", lambda x: ops.max(x, 1).values, lambda x: x.max(1), (real(2, 3),)),
    Case(
        "max(keepdim)",
        lambda x: ops.max(x, 0, keepdim=True).values,
        lambda x: x.max(0, keepdims=True),
        (real(2, 3, 2),),
    ),
    Case("min(dim)", lambda x: ops.min(x, -2).values, lambda x: x.min(1), (real(2, 3, 2),)),
    Case("norm(1)", over(ops.norm, p=1, dim=1), pnorm(1), (real(2, 3),)),
    Case("norm(3)", over(ops.norm, p=3, dim=1), pnorm(3), (real(2, 3),)),
    Case("norm(0.5)", over(ops.norm, p=0.5, dim=1), pnorm(0.5), (real(2, 3),)),
    Case("norm(inf)", over(ops.norm, p=math.inf), lambda x: np.abs(x).max(), (real(2, 3),)),
    *(Case("softmax", over(ops.softmax, dim=d), softmax(d), (real(2, 3, 2),)) for d in (0, 1, -1)),
    *(
        Case(
            "log_softmax", over(ops.log_softmax, dim=d), lambda x, d=d: np.log(softmax(d)(x)), (x,)
        )
        for d, x in [(0, real(2, 3)), (1, real(2, 3)), (-1, real(4)), (1, real(0, 3))]
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


# --------------------------------------------------------------------------------- kinks and ties


def gradient(f, values):
    x = mg.tensor(values, requires_grad=True)
    return mg.grad(f(x).sum(), x)[0].tolist()


@pytest.mark.parametrize(
    "f, values, expected",
    [
        (ops.max, [3.0, 1.0, 3.0], [0.5, 0, 0.5]),
        (ops.min, [1.0, 3.0, 1.0], [0.5, 0, 0.5]),
        (over(ops.amax, dim=0), [3.0, 3.0, 3.0, 1.0], [1 / 3, 1 / 3, 1 / 3, 0]),
        (over(ops.amin, dim=(0, 1)), [[0.0, 1.0], [0.0, 2.0]], [[0.5, 0], [0.5, 0]]),
        (lambda x: ops.max(x, 0).values, [3.0, 1.0, 3.0], [1, 0, 0]),
        (lambda x: ops.min(x, 0).values, [1.0, 3.0, 1.0], [1, 0, 0]),
        (ops.norm, [0.0, 0.0], [0, 0]),
        (over(ops.norm, dim=1), [[0.0, 0.0], [3.0, 4.0]], [[0, 0], [0.6, 0.8]]),
        (over(ops.norm, p=1), [0.0, -2.0], [0, -1]),
        (over(ops.norm, p=3), [0.0, 0.0], [0, 0]),
        (over(ops.norm, p=math.inf), [2.0, -2.0, 1.0], [0.5, -0.5, 0]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_kinks(f, values, expected):
    np.testing.assert_allclose(gradient(f, values), expected, rtol=1e-6)


@pytest.mark.parametrize("f, arg", [(ops.max, np.argmax), (ops.min, np.argmin)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_extremes_along_an_axis(f, arg, keepdim, rng):
    x = rng.integers(0, 4, (4, 5, 3)).astype("float32")  # with ties
    for dim in (0, 1, 2, -1):
        pair = f(mg.tensor(x), dim, keepdim=keepdim)
        values, indices = pair
        assert pair.values is values and pair.indices is indices
        assert indices.dtype == np.int64
        expected = arg(x, axis=dim, keepdims=True)
        np.testing.assert_array_equal(
            np.reshape(indices.numpy(), expected.shape), expected, strict=True
        )
        taken = np.take_along_axis(x, expected, dim)
        assert values.tolist() == (taken if keepdim else taken.squeeze(dim)).tolist()


def test_gradient_goes_to_the_index_returned(rng):
    x = mg.tensor(rng.integers(0, 2, (3, 4)).astype("float32"), requires_grad=True)
    values, indices = x.max(1)
    (g,) = mg.grad(values.sum(), x)
    assert g.numpy().argmax(1).tolist() == indices.tolist() and g.sum().item() == 3


def test_argmax_and_argmin():
    x = mg.tensor([[1.0, 3.0, 3.0], [0.0, 0.0, 2.0]], requires_grad=True)
    assert x.argmax().item() == 1 and x.argmin().item() == 3
    assert x.argmax(1).tolist() == [1, 2] and x.argmin(0, keepdim=True).tolist() == [[1, 1, 1]]
    assert x.argmax(1).dtype == np.int64 and not x.argmax(1).requires_grad


# ------------------------------------------------------------------------------------------- edges


def test_statistics_of_too_few_elements_are_nan():
    assert math.isnan(mg.zeros(0).mean().item())
    assert math.isnan(mg.ones(1).var().item())
    assert mg.ones(1).var(correction=0).item() == 0


@pytest.mark.filterwarnings("error")
def test_softmax_family_does_not_overflow():
    x = mg.tensor([1000.0, 0.0, -1000.0], requires_grad=True)
    assert x.softmax(0).tolist() == [1, 0, 0]
    assert x.log_softmax(0).tolist() == [0, -1000, -2000]
    assert x.logsumexp(0).item() == 1000
    assert mg.grad(x.logsumexp(0), x)[0].tolist() == [1, 0, 0]


def test_softmax_with_masked_elements():
    x = mg.tensor([0.0, -math.inf, 0.0], requires_grad=True)
    assert x.softmax(0).tolist() == [0.5, 0, 0.5]
    assert mg.grad(x.logsumexp(0), x)[0].tolist() == [0.5, 0, 0.5]


def test_softmax_gradient_is_right_though_its_sum_has_none(rng):
    check_gradients(lambda x: ops.softmax(x, 0) * 3, rng.standard_normal(4), order=3)


@pytest.mark.parametrize("f", [ops.sum, ops.mean, ops.var, ops.amax, ops.norm, ops.argmax, ops.max])
def test_an_axis_out_of_range_is_named(f):
    with pytest.raises(IndexError, match="2"):
        f(mg.zeros(2, 3), dim=2)


def test_norm_needs_a_positive_p():
    with pytest.raises(ValueError, match="p > 0"):
        ops.norm(mg.ones(2), 0)


def test_extreme_of_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"amax of \(0,\)"):
        mg.zeros(0).max()


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64"])
def test_integers(dtype):
    x = mg.tensor([0, 1, 1], dtype=dtype)
    assert x.sum().dtype == np.int64 and x.sum().item() == 2
    assert x.mean().dtype == np.float32 and x.mean().item() == pytest.approx(2 / 3)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize(
    "shape, order, dim",
    [
        ((500, 70), (0, 1), 0),
        ((70, 500), (1, 0), 1),
        ((8, 19, 20, 12), (0, 3, 1, 2), (0, 2, 3)),
        ((8, 60, 70), (0, 1, 2), (0, 2)),
    ],
    ids=["rows", "columns", "channels last", "channels first"],
)
def test_large_sums_of_all_axes_but_one(rng, shape, order, dim, dtype, keepdim):
    """Those that lie right in memory are products with ones."""
    x = (10 * rng.standard_normal(shape)).astype(dtype).transpose(order)
    y = ops.sum(x, dim, keepdim)
    expected = x.astype("float64").sum(axis=dim, keepdims=keepdim)
    assert y.shape == expected.shape and y.dtype == dtype
    rtol = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(y, expected, rtol=rtol, atol=100 * rtol)
