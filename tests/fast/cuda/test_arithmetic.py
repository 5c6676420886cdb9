"""Every kernel against its twin: the same source, compiled by g++, on the stand-in for CuPy.

The numbers of threads are those of a GPU, and, so that results can not depend on it, a few.
"""

import importlib
import shutil
import sys
from typing import Any

import numpy as np
import pytest

import minigan as mg
from minigan import random
from minigan.fast.cuda import kernels
from minigan.ops import conv, elementwise, linalg, loss
from minigan.optim import Adam, AdamW

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
norm = importlib.import_module("minigan.ops.norm")  # the package has a function of that name
xp: Any = None  # CuPy, or the stand-in
DTYPES = ("float32", "float64")
TOLERANCE = {"float32": 3e-6, "float64": 1e-13}


@pytest.fixture(autouse=True, params=[(256, 32), (8, 8)], ids=["many", "few"])
def sizes(device, request, monkeypatch):
    """How many threads make a block, and what square of a product; CuPy or the stand-in as xp."""
    monkeypatch.setattr(kernels, "THREADS", request.param[0])
    monkeypatch.setattr(kernels, "TILE", request.param[1])
    monkeypatch.setitem(globals(), "xp", sys.modules["cupy"])


@pytest.fixture(params=DTYPES)
def dtype(request):
    return request.param


def started(monkeypatch):
    """The names of the kernels that are started from now on."""
    names, start = [], kernels._start

    def noting(file, name, *args):
        names.append(name)
        start(file, name, *args)

    monkeypatch.setattr(kernels, "_start", noting)
    return names


def layouts(a):
    """The same values as the device holds them: contiguous, channels last, with gaps, reversed."""
    yield xp.asarray(a)
    if a.ndim > 1:
        order = (0, *range(2, a.ndim), 1)
        last = xp.asarray(np.ascontiguousarray(a.transpose(order)))
        yield last.transpose(0, a.ndim - 1, *range(1, a.ndim - 1))
        yield xp.asarray(np.repeat(a, 2, axis=-1))[..., ::2]
        yield xp.flip(xp.asarray(np.flip(a, 0).copy()), 0)


def same(found, expected, dtype, scale=1.0):
    found = found.get()
    assert found.shape == expected.shape and found.dtype == dtype
    size = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=scale * TOLERANCE[dtype] * size)


def agree(f, arrays, dtype, names, kernel, scale=1.0):
    """f of device arrays, in every layout of the first, is what f of host arrays is."""
    arrays = [np.asarray(a, dtype) for a in arrays]
    expected = f(*arrays)
    for x in layouts(arrays[0]):
        names.clear()
        found = f(x, *map(xp.asarray, arrays[1:]))
        many = isinstance(expected, tuple)
        for a, b in zip(found if many else [found], expected if many else [expected], strict=True):
            same(a, np.asarray(b), dtype, scale)
        assert kernel in names or not arrays[0].size


SHAPES = [(3, 5), (1, 1), (0, 4), (300, 7), (2, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_activations(shape, dtype, rng, monkeypatch):
    names, x, g = started(monkeypatch), 3 * rng.normal(size=shape), rng.normal(size=shape)
    leaky = {"negative_slope": 0.2}
    agree(lambda x: elementwise.leaky_relu(x, **leaky), [x], dtype, names, "bias_activation")
    agree(elementwise.sigmoid, [x * 30], dtype, names, "bias_activation")
    back, leaky_slope = "activation_backward", elementwise.leaky_relu.op.backward[0]
    agree(lambda g, x: leaky_slope(g, None, x, **leaky), [g, x], dtype, names, back)


def test_what_no_rule_uses_yet(dtype, rng):
    """The other kinds of activation, with a bias."""
    x, b = rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=3).astype(dtype)
    for kind, f in (
        (kernels.NONE, lambda a: a),
        (kernels.LEAKY_RELU, lambda a: np.where(a > 0, a, 0.1 * a)),
        (kernels.TANH, np.tanh),
        (kernels.SIGMOID, lambda a: 1 / (1 + np.exp(-a))),
    ):
        same(kernels.activation(xp.asarray(x), kind, 0.1, xp.asarray(b)), f(x + b), dtype)
    for kind, y, slope in (
        (kernels.SIGMOID, 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
        (kernels.TANH, np.tanh(x), lambda y: 1 - y * y),
    ):
        found = kernels.activation_backward(xp.asarray(x), xp.asarray(y), kind)
        same(found, x * slope(y), dtype)


def test_kinks_and_infinities(dtype):
    x = np.array([-np.inf, -0.0, 0.0, np.inf, np.nan, -1000, 1000], dtype)
    with np.errstate(all="ignore"):
        for f in (elementwise.sigmoid, lambda a: elementwise.leaky_relu(a, negative_slope=0.2)):
            np.testing.assert_array_equal(f(xp.asarray(x)).get(), f(x))
    rule = elementwise.leaky_relu.op.backward[0]
    slope = rule(xp.ones(3, dtype), None, xp.asarray(x[1:4]), negative_slope=0.2)
    assert slope.get().tolist() == np.array([0.2, 0.2, 1], dtype).tolist()


@pytest.mark.parametrize("shape", [(3, 1), (64, 1), (0, 1), (7,), ()])
def test_cross_entropy_on_logits(shape, dtype, rng, monkeypatch):
    names = started(monkeypatch)
    x, t, g = 40 * rng.normal(size=shape), rng.random(shape), rng.normal(size=shape)
    agree(loss.bce_with_logits.op.forward, [x, t], dtype, names, "bce_with_logits")
    rule = loss.bce_with_logits.op.backward[0]
    kernel = "bce_with_logits_backward"
    agree(lambda g, x, t: rule(g, None, x, t), [g, x, t], dtype, names, kernel)


@pytest.mark.parametrize("shape", [(5, 3), (1, 2), (300, 2), (4, 3, 5), (2, 3, 4, 5), (2, 1, 1, 1)])
def test_batch_norm(shape, dtype, rng, monkeypatch):
    names, c = started(monkeypatch), shape[1]
    x, g = 2 + 3 * rng.normal(size=shape), rng.normal(size=shape)
    w, b = rng.normal(size=c), rng.normal(size=c)
    dim, wanted = (0, *range(2, len(shape))), (True, True, True)
    agree(lambda x: norm.batch_stats(x, dim), [x], dtype, names, "batch_stats")

    def forward(x, w, b):
        return norm.batch_norm(x, w, b)

    def backward(x, g, w, b):
        return norm.batch_norm.op.forward(x, w, b, eps=1e-2, stats=None)[1](g, wanted)

    agree(forward, [x, w, b], dtype, names, "batch_norm", 10)
    agree(backward, [x, g, w, b], dtype, names, "batch_norm_backward", 10)


def test_large_values_keep_their_variance(dtype, rng):
    """The squares of the distances to the mean are added up, not the squares."""
    x = (1e4 + rng.normal(size=(512, 2))).astype(dtype)
    _, variance = norm.batch_stats(xp.asarray(x), (0,))
    np.testing.assert_allclose(variance.get()[0], x.astype(float).var(0), rtol=1e-3)


CONVOLUTIONS = [
    # x, w, stride, padding, dilation, groups
    ((2, 3, 5, 6), (4, 3, 3, 2), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 8, 8), (5, 3, 4, 4), (2, 2), (1, 1), (1, 1), 1),
    ((1, 4, 7, 5), (6, 2, 3, 3), (2, 1), (1, 2), (1, 2), 2),
    ((3, 1, 4, 4), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 6, 5, 5), (6, 1, 2, 2), (3, 3), (1, 1), (2, 1), 6),
    ((0, 3, 5, 5), (2, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(case, dtype, rng, monkeypatch):
    names, (shape, kernel, stride, padding, dilation, groups) = started(monkeypatch), case
    s = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    x, w = rng.normal(size=shape), rng.normal(size=kernel)
    b, o = rng.normal(size=kernel[0]), rng.normal(size=kernel[1] * groups)
    e = rng.normal(size=conv.conv2d.op.forward(x, w, **s).shape)
    agree(lambda *a: conv.conv2d.op.forward(*a, **s), [x, w, b], dtype, names, "unfold", 10)
    transpose, weight = conv._conv_transpose2d.op.forward, conv.conv2d_weight.op.forward
    size = {"size": shape[2:], **s}
    agree(lambda *a: transpose(*a, **size), [e, w, o], dtype, names, "fold", 10)
    agree(lambda *a: weight(*a, kernel=kernel[2:], **s), [x, e], dtype, names, "unfold", 10)


@pytest.mark.parametrize("kernel, stride, dilation", [(2, 2, 1), (3, 1, 1), (2, 3, 2), (3, 2, 1)])
def test_windows(kernel, stride, dilation, dtype, rng, monkeypatch):
    names, x = started(monkeypatch), rng.normal(size=(2, 3, 7, 6))
    s = dict.fromkeys(("kernel", "stride", "padding", "dilation"), (1, 1))
    s |= {"kernel": (kernel, 2), "stride": (stride, 1), "dilation": (dilation, 1)}
    y = conv.unfold.op.forward(x, value=0.0, **s)
    fold = conv.fold.op.forward
    agree(lambda y: fold(y, size=(7, 6), **s), [rng.normal(size=y.shape)], dtype, names, "fold", 10)


PRODUCTS = [
    ((3, 4), (4, 5)),
    ((1, 1), (1, 1)),
    ((33, 70), (70, 65)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (3, 4, 2)),
    ((5, 3, 4), (4, 2)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
]


@pytest.mark.parametrize("a, b", PRODUCTS, ids=str)
def test_products_of_recorded_steps(a, b, dtype, rng, monkeypatch):
    names = started(monkeypatch)
    monkeypatch.setattr(sys.modules["minigan.fast.cuda.twins"], "recording", lambda: True)
    agree(linalg._matmul, [rng.normal(size=a), rng.normal(size=b)], dtype, names, "gemm", 10)
    x, y = rng.normal(size=a[::-1][:2]).astype(dtype), rng.normal(size=b[::-1][:2]).astype(dtype)
    if len(a) == len(b) == 2:
        found = linalg._matmul(xp.asarray(x).T, xp.asarray(y).T)
        same(found, x.T @ y.T, dtype, 10)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: Adam(p, 0.01),
        lambda p: Adam(p, 0.01, (0.3, 0.9), weight_decay=0.1, amsgrad=True),
        lambda p: AdamW(p, 0.01, maximize=True),
    ],
)
def test_adam_over_two_hundred_steps(make, dtype, rng, monkeypatch):
    names = started(monkeypatch)
    start, gradients = rng.normal(size=33), rng.normal(size=(200, 33))
    ends = []
    for device in ("cpu", "cuda"):
        p = mg.tensor(start.astype(dtype), device=device, requires_grad=True)
        optimizer = make([p])
        for g in gradients:
            p.grad = mg.tensor(g.astype(dtype), device=device)
            optimizer.step()
        ends.append(p.detach().numpy())
    tolerance = {"float32": 2e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(ends[1], ends[0], rtol=tolerance, atol=tolerance)
    assert names == ["adam"] * 200


def test_blending(dtype, rng, monkeypatch):
    names, (a, b) = started(monkeypatch), rng.normal(size=(2, 9)).astype(dtype)
    average = xp.asarray(a)
    kernels.blend(average, xp.asarray(b), (0.9, 0.1))
    same(average, a * np.dtype(dtype).type(0.9) + np.dtype(dtype).type(0.1) * b, dtype)
    assert names == ["blend"]


@pytest.mark.parametrize("n", [1, 7, 8, 1000])
@pytest.mark.parametrize("rank", [0, 3])
def test_random_numbers(n, rank, dtype):
    for f, tolerance in ((random.uniform, 0), (random.standard_normal, TOLERANCE[dtype])):
        drawn = []
        for device in ("cpu", "cuda"):
            mg.manual_seed(5, rank)
            drawn.append([f((n,), dtype, device), f((2, n), dtype, device)])
            state = random.random_state()
        for host, device in zip(*drawn, strict=True):
            np.testing.assert_allclose(device.get(), host, rtol=0, atol=tolerance)
        mg.manual_seed(5, rank)
        f((n,), dtype), f((2, n), dtype)
        assert random.random_state() == state  # and the next numbers follow on both


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_a_recorded_step_finds_seed_rank_and_counter_in_memory(kind, dtype):
    place = (5, 3, 70)
    there = xp.asarray(np.array(place, np.uint64))
    given, found = (kernels.random(kind, xp, (1000,), dtype, p) for p in (place, there))
    np.testing.assert_array_equal(found.get(), given.get())


def test_for_what_kernels_do_not_accept_the_definition_runs(monkeypatch):
    names = started(monkeypatch)
    whole = xp.asarray(np.array([-3, 4]))
    assert elementwise.leaky_relu(whole, negative_slope=0.5).tolist() == [-1.5, 4]
    a, b = xp.ones(2, "float32"), xp.ones(2, "float64")
    assert loss.bce_with_logits.op.forward(a, b).dtype == "float64"
    assert not kernels.accepts(np.ones(2)) and not kernels.accepts(2.0) and not names
