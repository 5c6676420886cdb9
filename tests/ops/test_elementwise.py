"""Arithmetic, powers, exponentials, S-shaped and kinked functions, comparisons."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan import ops

RNG = np.random.default_rng(0)


def real(*shape):
    """Numbers on both sides of 0, none of them near it."""
    return RNG.choice([-1.0, 1.0], shape) * RNG.uniform(0.3, 2.0, shape)


def positive(*shape):
    return RNG.uniform(0.3, 2.0, shape)


def beside(x, values):
    """The values where x is."""
    return values if isinstance(x, (np.ndarray, np.generic)) else mg.tensor(values)


def sigma(x):
    return 1 / (1 + np.exp(-x))


UNARY = [  # name, function, formula, inputs
    ("neg", ops.neg, lambda x: 0 - x, real),
    ("exp", ops.exp, lambda x: math.e**x, real),
    ("expm1", ops.expm1, lambda x: np.exp(x) - 1, real),
    ("log", ops.log, lambda x: np.log2(x) * math.log(2), positive),
    ("log1p", ops.log1p, lambda x: np.log(1 + x), positive),
    ("sqrt", ops.sqrt, lambda x: x**0.5, positive),
    ("sin", ops.sin, lambda x: np.exp(1j * x).imag, real),
    ("cos", ops.cos, lambda x: np.exp(1j * x).real, real),
    ("erf", ops.erf, lambda x: 1 - np.vectorize(math.erfc, otypes=[float])(x), real),
    ("tanh", ops.tanh, lambda x: 2 * sigma(2 * x) - 1, real),
    ("sigmoid", ops.sigmoid, sigma, real),
    ("softplus", ops.softplus, lambda x: np.log(1 + np.exp(x)), real),
    ("relu", ops.relu, lambda x: x * (x > 0), real),
    (
        "leaky_relu",
        lambda x: ops.leaky_relu(x, negative_slope=0.2),
        lambda x: np.maximum(x, 0.2 * x),
        real,
    ),
    ("abs", ops.abs, lambda x: np.sqrt(x * x), real),
    ("sign", ops.sign, lambda x: x / np.abs(x), real),
    (
        "clamp",
        lambda x: ops.clamp(x, -1, 1.05),
        lambda x: np.minimum(np.maximum(x, -1), 1.05),
        real,
    ),
    ("clamp_min", lambda x: ops.clamp(x, min=0.1), lambda x: np.maximum(x, 0.1), real),
    ("clamp_max", lambda x: ops.clamp(x, max=0.1), lambda x: np.minimum(x, 0.1), real),
    ("add_number", lambda x: ops.add(x, 2), lambda x: x + 2.0, real),
    ("number_sub", lambda x: ops.sub(0.5, x), lambda x: 0.5 - x, real),
    ("mul_number", lambda x: ops.mul(x, -3), lambda x: -3.0 * x, real),
    ("number_div", lambda x: ops.div(2.0, x), lambda x: 2 * x**-1.0, real),
    ("mul_numpy_scalar", lambda x: ops.mul(x, np.float32(0.5)), lambda x: x / 2, real),
    ("square", lambda x: ops.pow(x, 2), lambda x: x * x, real),
    ("cube", lambda x: ops.pow(x, 3.0), lambda x: x * x * x, real),
    ("reciprocal", lambda x: ops.pow(x, -1), lambda x: 1 / x, real),
    ("pow_zero", lambda x: ops.pow(x, 0), np.ones_like, real),
    ("root", lambda x: ops.pow(x, 1.7), lambda x: np.exp(1.7 * np.log(x)), positive),
    ("number_pow", lambda x: ops.pow(2, x), lambda x: np.exp(x * math.log(2)), real),
    ("maximum_number", lambda x: ops.maximum(x, 0.1), lambda x: np.where(x > 0.1, x, 0.1), real),
    ("minimum_number", lambda x: ops.minimum(0.1, x), lambda x: np.where(x < 0.1, x, 0.1), real),
    ("where_number", lambda x: ops.where(x > 0, x, 1.5), lambda x: np.where(x > 0, x, 1.5), real),
]

BINARY = [
    ("add", ops.add, lambda a, b: a - (-b), real),
    ("sub", ops.sub, lambda a, b: a + (-b), real),
    ("mul", ops.mul, lambda a, b: a / (1 / b), real),
    ("div", ops.div, lambda a, b: a * b**-1.0, real),
    ("pow", ops.pow, lambda a, b: np.exp(b * np.log(a)), positive),
    ("maximum", ops.maximum, lambda a, b: np.where(a > b, a, b), real),
    ("minimum", ops.minimum, lambda a, b: np.where(a > b, b, a), real),
    (
        "where",
        lambda a, b: ops.where(beside(a, np.arange(3) > 0), a, b),
        lambda a, b: np.choose([0, 1, 1], [b, a]),
        real,
    ),
]

CASES = [
    *(
        Case(name, f, formula, (draw(*shape),))
        for name, f, formula, draw in UNARY
        for shape in [(2, 3), (), (1, 1), (2, 0)]
    ),
    *(
        Case(name, f, formula, (draw(*a), draw(*b)))
        for name, f, formula, draw in BINARY
        for a, b in [((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((2, 3), (1, 1)), ((0, 3), ())]
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


# ------------------------------------------------------------------------------------------- kinks


def derivatives(f, *points, order=1):
    """f', f'', … of a function of one number, at each point."""
    x = mg.tensor(np.array(points), requires_grad=True)
    y, result = f(x), []
    for _ in range(order):
        (y,) = mg.grad(y.sum(), x, create_graph=True)
        result.append(y.tolist())
        if not y.requires_grad:
            y = y + 0 * x
    return result[0] if order == 1 else result


KINKS = [  # function, points, derivatives there
    (ops.relu, [-1, 0, 1], [0, 0, 1]),
    (ops.abs, [-1, 0, 1], [-1, 0, 1]),
    (ops.sign, [-1, 0, 1], [0, 0, 0]),
    (lambda x: ops.leaky_relu(x, negative_slope=0.2), [-1, 0, 1], [0.2, 0.2, 1]),
    (lambda x: ops.clamp(x, -1, 2), [-1.5, -1, 0, 2, 2.5], [0, 1, 1, 1, 0]),
    (lambda x: ops.clamp(x, min=-1), [-1.5, -1, 3], [0, 1, 1]),
    (lambda x: ops.clamp(x, max=1), [0, 1, 1.5], [1, 1, 0]),
    (lambda x: ops.maximum(x, mg.zeros(3)), [-1, 0, 1], [0, 0.5, 1]),
    (lambda x: ops.maximum(mg.zeros(3), x), [-1, 0, 1], [0, 0.5, 1]),
    (lambda x: ops.minimum(x, mg.zeros(3)), [-1, 0, 1], [1, 0.5, 0]),
    (lambda x: ops.minimum(mg.zeros(3), x), [-1, 0, 1], [1, 0.5, 0]),
    (lambda x: ops.maximum(x, x), [-1, 0, 1], [1, 1, 1]),
]


@pytest.mark.parametrize("f, points, expected", KINKS)
def test_kinks(f, points, expected):
    assert derivatives(f, *map(float, points)) == expected


@pytest.mark.parametrize(
    "exponent, expected",
    [
        (0, [0, 0, 0]),
        (1, [1, 0, 0]),
        (2, [0, 2, 0]),
        (3, [0, 0, 6]),
        (2.0, [0, 2, 0]),
        (np.float32(2), [0, 2, 0]),
        (mg.tensor(2.0), [0, 2, 0]),
        (mg.tensor(0.0), [0, 0, 0]),
    ],
)
@pytest.mark.host
@pytest.mark.filterwarnings("error")
def test_powers_at_zero_to_third_order(exponent, expected):
    assert np.ravel(derivatives(lambda x: x**exponent, 0.0, order=3)).tolist() == expected


def test_power_of_zero_is_flat_in_the_exponent():
    b = mg.tensor([1.0, 2.0], requires_grad=True)
    assert mg.grad((mg.zeros(2) ** b).sum(), b)[0].tolist() == [0, 0]


# ---------------------------------------------------------------------------------------- extremes


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_overflow_in_the_tails(dtype):
    x = mg.tensor([-1e4, -800.0, 0.0, 800.0, 1e4], dtype=dtype, requires_grad=True)
    assert ops.sigmoid(x).tolist() == [0, 0, 0.5, 1, 1]
    assert mg.grad(ops.sigmoid(x).sum(), x)[0].tolist() == [0, 0, 0.25, 0, 0]
    assert ops.softplus(x).tolist()[3:] == [800, 1e4] and ops.softplus(x).tolist()[:2] == [0, 0]
    assert mg.grad(ops.softplus(x).sum(), x)[0].tolist() == [0, 0, 0.5, 1, 1]
    assert ops.tanh(x).tolist() == [-1, -1, 0, 1, 1]


def test_exact_for_tiny_arguments():
    x = mg.tensor(np.array([1e-18]))
    assert ops.expm1(x).item() == ops.log1p(x).item() == 1e-18
    assert ops.sigmoid(mg.tensor(np.array(-700.0))).item() == pytest.approx(
        math.exp(-700), rel=1e-12
    )


def test_nan_passes_through():
    x = mg.tensor([math.nan])
    functions = (ops.relu, ops.sigmoid, ops.softplus, ops.abs, lambda x: ops.clamp(x, 0, 1))
    assert all(math.isnan(f(x).item()) for f in functions)


def test_clamp_needs_a_limit():
    with pytest.raises(ValueError, match="min, max or both"):
        ops.clamp(mg.zeros(1))


def test_third_derivatives():
    x = RNG.uniform(0.3, 1.5, 3)
    for f in (ops.tanh, ops.sigmoid, ops.softplus, ops.erf, ops.log, ops.sqrt, ops.sin):
        check_gradients(f, x, order=3)


# ------------------------------------------------------------------------- operators, comparisons


def test_operators_are_the_functions():
    a, b = mg.tensor([1.0, -2.0]), mg.tensor([3.0, 4.0])
    pairs = [
        (a + b, [4, 2]),
        (1 + a, [2, -1]),
        (a - b, [-2, -6]),
        (1 - a, [0, 3]),
        (a * b, [3, -8]),
        (2 * a, [2, -4]),
        (b / a, [3, -2]),
        (12 / b, [4, 3]),
        (a**2, [1, 4]),
        (2**b, [8, 16]),
        (-a, [-1, 2]),
        (abs(a), [1, 2]),
        (a @ b, -5),
        (a > 0, [True, False]),
        (a >= 1, [True, False]),
        (a < b, [True, True]),
        (a <= -2, [False, True]),
        (a == 1, [True, False]),
        (a != 1, [False, True]),
        (~(a > 0), [False, True]),
        ((a > 0) & (b > 3), [False, False]),
        ((a > 0) | (b > 3), [True, True]),
    ]
    for got, expected in pairs:
        assert got.tolist() == expected


@pytest.mark.parametrize("f", [ops.eq, ops.ne, ops.lt, ops.le, ops.gt, ops.ge])
def test_comparisons_have_no_gradient(f):
    a, b = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    out = f(mg.tensor(a, requires_grad=True), mg.tensor(b))
    assert out.dtype == bool and not out.requires_grad
    assert out.tolist() == list(map(getattr(operator, f.op.name), a, b))


@pytest.mark.host
@pytest.mark.parametrize("one", [1, 1.0, True, np.float32(1), np.int64(1), np.ones(1)])
def test_comparing_with_any_kind_of_number(one):
    x = mg.tensor([1.0, 2.0])
    assert (x == one).tolist() == (one == x).tolist() == [True, False]
    assert (x != one).tolist() == (x > one).tolist() == [False, True]


def test_isfinite():
    x = mg.tensor([1.0, math.inf, -math.inf, math.nan])
    assert ops.isfinite(x).tolist() == [True, False, False, False]


# ------------------------------------------------------------------------------------ broadcasting

BROADCASTING = {
    ops.add: np.add,
    ops.sub: np.subtract,
    ops.mul: np.multiply,
    ops.maximum: np.maximum,
}


@given(
    mutually_broadcastable_shapes(num_shapes=2, max_dims=4, min_side=0, max_side=3),
    st.sampled_from(list(BROADCASTING)),
)
def test_broadcasting_as_numpy_does(shapes, f):
    a, b = (np.random.default_rng(0).standard_normal(s) for s in shapes.input_shapes)
    ta, tb = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    out = f(ta, tb)
    np.testing.assert_array_equal(out.detach().numpy(), BROADCASTING[f](a, b))
    ga, gb = mg.grad(out, [ta, tb], mg.ones_like(out))
    assert ga.shape == a.shape and gb.shape == b.shape
    if f is ops.add and a.size:  # each element of a was used out.numel() / a.numel() times
        assert (ga.numpy() == out.numel() / a.size).all()


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match=r"add of \(2, 3\) and \(4,\)"):
        mg.zeros(2, 3) + mg.zeros(4)
