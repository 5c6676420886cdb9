"""The functions and methods that PyTorch has too: same values, derivatives, shapes and dtypes."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

import minigan as mg
from minigan import ops

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity


class Torch:
    """``torch`` and ``torch.nn.functional`` under one roof, and the few names that differ."""

    F = torch.nn.functional

    def __getattr__(self, name):
        return getattr(torch, name, None) or getattr(self.F, name)

    leaky_relu = staticmethod(lambda x, negative_slope: Torch.F.leaky_relu(x, negative_slope))
    bce = staticmethod(lambda p, t: Torch.F.binary_cross_entropy(p, t, reduction="none"))
    bce_with_logits = staticmethod(
        lambda x, t: Torch.F.binary_cross_entropy_with_logits(x, t, reduction="none")
    )

    @staticmethod
    def standardize(x, dim, eps):
        dim = [d % x.ndim for d in dim]
        if dim == [0, 2, 3]:
            return Torch.F.batch_norm(x, None, None, training=True, eps=eps)
        return Torch.F.layer_norm(x, [x.shape[d] for d in dim], eps=eps)

    @staticmethod
    def windows(x, kernel, stride, padding):
        n, c, h, w = x.shape
        taps = math.prod(kernel)
        size = [(a + 2 * padding - k) // stride + 1 for a, k in zip((h, w), kernel, strict=True)]
        columns = Torch.F.unfold(x, kernel, stride=stride, padding=padding)
        return columns.reshape(n, c, taps, *size).permute(0, 1, 3, 4, 2)


OURS, THEIRS = SimpleNamespace(tensor=mg.tensor, **vars(ops)), Torch()
RNG = np.random.default_rng(0)


def real(*shape):
    """Numbers of both signs, none near 0 and no two near each other."""
    n = math.prod(shape)
    values = 0.3 + 2 * (np.arange(n) + RNG.uniform(0, 0.5, n)) / max(n, 1)
    return RNG.permutation(values * RNG.choice([-1.0, 1.0], n)).reshape(shape)


def inside(*shape):
    """Numbers between 0 and 1."""
    return RNG.uniform(0.1, 0.9, shape)


INDEX = np.array([[0, 2, 1], [2, 2, 0]])
MASK = INDEX > 0

TABLE = [  # name, function of the library and its tensors, inputs
    # arithmetic and powers
    ("add", lambda m, a, b: m.add(a, b), real(2, 3), real(3)),
    ("sub", lambda m, a, b: m.sub(a, b), real(2, 1), real(1, 3)),
    ("mul", lambda m, a, b: m.mul(a, b), real(2, 3), real()),
    ("div", lambda m, a, b: m.div(a, b), real(3), real(2, 3)),
    ("neg", lambda m, x: m.neg(x), real(2, 3)),
    ("pow", lambda m, a, b: m.pow(a, b), inside(2, 3), real(3)),
    ("pow number", lambda m, x: m.pow(x, 3), real(2, 3)),
    ("pow fraction", lambda m, x: m.pow(x, -1.5), inside(2, 3)),
    ("number pow", lambda m, x: 2**x, real(2, 3)),
    ("numbers", lambda m, x: (1 - x) / 3 + 2 / x - 0.5 * x, real(2, 3)),
    # exponentials
    *(
        (name, lambda m, x, name=name: getattr(m, name)(x), draw(2, 3))
        for name, draw in {
            "exp": real,
            "expm1": real,
            "log": inside,
            "log1p": inside,
            "sqrt": inside,
            "sin": real,
            "cos": real,
            "erf": real,
            "tanh": real,
            "sigmoid": real,
            "softplus": real,
            "relu": real,
            "abs": real,
            "sign": real,
        }.items()
    ),
    ("leaky_relu", lambda m, x: m.leaky_relu(x, negative_slope=0.2), real(2, 3)),
    ("clamp", lambda m, x: m.clamp(x, -1, 1), real(2, 3)),
    ("clamp keyword", lambda m, x: m.clamp(x, max=0.5), real(2, 3)),
    ("maximum", lambda m, a, b: m.maximum(a, b), real(2, 3), real(3)),
    ("minimum", lambda m, a, b: m.minimum(a, b), real(2, 3), real(3)),
    ("where", lambda m, a, b: m.where(m.tensor(MASK), a, b), real(2, 3), real(3)),
    # kinks, to first order
    ("relu at 0", lambda m, x: m.relu(x), np.array([-1.0, 0, 1])),
    ("abs at 0", lambda m, x: m.abs(x), np.array([-1.0, 0, 1])),
    ("leaky_relu at 0", lambda m, x: m.leaky_relu(x, negative_slope=0.2), np.array([-1.0, 0, 1])),
    ("clamp at the edges", lambda m, x: m.clamp(x, -1, 1), np.array([-2.0, -1, 0, 1, 2])),
    ("clamp to equal edges", lambda m, x: m.clamp(x, 1, 1), np.array([0.0, 1, 2])),
    ("maximum of equals", lambda m, a, b: m.maximum(a, b), np.ones(2), np.array([1.0, 2])),
    ("minimum of equals", lambda m, a, b: m.minimum(a, b), np.ones(2), np.array([1.0, 2])),
    ("max of equals", lambda m, x: x.max(), np.array([3.0, 1, 3])),
    ("min of equals", lambda m, x: x.min(), np.array([1.0, 3, 1])),
    ("amax of equals", lambda m, x: m.amax(x, 1), np.array([[3.0, 1, 3], [2, 2, 2]])),
    ("amin of equals", lambda m, x: m.amin(x, 0), np.array([[3.0, 1, 3], [3, 2, 2]])),
    ("max(dim) of equals", lambda m, x: m.max(x, 1).values, np.array([[3.0, 1, 3], [2, 2, 2]])),
    ("min(dim) of equals", lambda m, x: m.min(x, 0).values, np.array([[3.0, 1, 3], [3, 2, 2]])),
    ("square at 0", lambda m, x: x**2, np.zeros(2)),
    ("power 1 at 0", lambda m, x: x**1, np.zeros(2)),
    ("power 0 at 0", lambda m, x: x**0, np.zeros(2)),
    # reductions
    ("sum", lambda m, x: m.sum(x), real(2, 3)),
    ("sum dims", lambda m, x: x.sum((0, -1), keepdim=True), real(2, 3, 2)),
    ("mean", lambda m, x: x.mean(1), real(2, 3)),
    ("mean of all", lambda m, x: m.mean(x), real(2, 3)),
    ("var", lambda m, x: x.var(), real(2, 3)),
    ("var dim", lambda m, x: x.var(1, keepdim=True), real(2, 3)),
    ("var correction", lambda m, x: m.var(x, (0, 1), correction=0), real(2, 3, 2)),
    ("std", lambda m, x: x.std(), real(2, 3)),
    ("std dim", lambda m, x: m.std(x, 0, correction=0), real(3, 2)),
    ("amax", lambda m, x: x.amax(), real(2, 3)),
    ("amin dims", lambda m, x: x.amin((0, 2)), real(2, 3, 2)),
    ("max", lambda m, x: x.max(), real(2, 3)),
    ("max dim", lambda m, x: x.max(1)[0], real(2, 3)),
    ("min dim", lambda m, x: x.min(dim=0, keepdim=True).values, real(2, 3)),
    ("norm", lambda m, x: x.norm(), real(2, 3)),
    ("norm dim", lambda m, x: x.norm(dim=1), real(2, 3)),
    ("norm 1", lambda m, x: m.norm(x, 1), real(2, 3)),
    ("norm 3", lambda m, x: m.norm(x, 3, dim=1, keepdim=True), real(2, 3)),
    ("norm inf", lambda m, x: x.norm(math.inf), real(2, 3)),
    ("logsumexp", lambda m, x: x.logsumexp(1), real(2, 3)),
    ("logsumexp dims", lambda m, x: m.logsumexp(x, (0, 1), keepdim=True), real(2, 3, 2)),
    ("softmax", lambda m, x: x.softmax(1), real(2, 3)),
    ("softmax dim", lambda m, x: m.softmax(x, dim=0), real(2, 3, 2)),
    ("log_softmax", lambda m, x: x.log_softmax(-1), real(2, 3)),
    # moving elements
    ("reshape", lambda m, x: x.reshape(3, -1), real(2, 3)),
    ("view", lambda m, x: x.view((6,)), real(2, 3)),
    ("flatten", lambda m, x: x.flatten(), real(2, 3, 2)),
    ("flatten 1", lambda m, x: m.flatten(x, 1), real(2, 3, 2)),
    ("flatten 0-d", lambda m, x: x.flatten(), real()),
    ("unflatten", lambda m, x: x.unflatten(1, (3, -1)), real(2, 6)),
    ("squeeze", lambda m, x: x.squeeze(), real(1, 3, 1)),
    ("squeeze dim", lambda m, x: x.squeeze(1), real(1, 3, 1)),
    ("unsqueeze", lambda m, x: x.unsqueeze(-1), real(2, 3)),
    ("permute", lambda m, x: x.permute(2, 0, 1), real(2, 3, 4)),
    ("transpose", lambda m, x: x.transpose(0, -1), real(2, 3, 4)),
    ("T", lambda m, x: x.T, real(2, 3)),
    ("mT", lambda m, x: x.mT, real(2, 3, 4)),
    ("expand", lambda m, x: x.expand(4, -1, 3), real(2, 1)),
    ("repeat", lambda m, x: x.repeat(2, 1, 3), real(2, 2)),
    ("flip", lambda m, x: m.flip(x, (0, 2)), real(2, 3, 2)),
    ("index", lambda m, x: x[1:, None, -1], real(3, 2)),
    ("index tensor", lambda m, x: x[m.tensor(INDEX)], real(3, 2)),
    ("index tensors", lambda m, x: x[m.tensor(INDEX), 0, m.tensor(INDEX)], real(3, 1, 3)),
    ("index mask", lambda m, x: x[m.tensor(MASK)], real(2, 3)),
    ("gather", lambda m, x: x.gather(1, m.tensor(INDEX)), real(2, 3)),
    ("gather 0", lambda m, x: m.gather(x, 0, m.tensor(INDEX)), real(3, 3)),
    ("cat", lambda m, *xs: m.cat(xs, 1), real(2, 3), real(2, 1)),
    ("stack", lambda m, *xs: m.stack(xs, dim=-1), real(2, 3), real(2, 3)),
    ("split", lambda m, x: m.cat([p * i for i, p in enumerate(x.split(2))]), real(5, 2)),
    ("split sizes", lambda m, x: x.split([1, 3], dim=1)[1], real(2, 4)),
    ("chunk", lambda m, x: m.cat([p * i for i, p in enumerate(x.chunk(4))]), real(5, 2)),
    ("unbind", lambda m, x: x.unbind(1)[2], real(2, 3)),
    ("pad", lambda m, x: m.pad(x, (1, 2, 0, 1), value=1.5), real(1, 2, 3)),
    ("pad crop", lambda m, x: m.pad(x, (-1, 1)), real(2, 3)),
    *(
        (f"pad {mode}", lambda m, x, mode=mode: m.pad(x, (2, 1, 0, 1), mode=mode), real(1, 1, 3, 3))
        for mode in ("reflect", "replicate", "circular")
    ),
    ("clone", lambda m, x: x.clone() * 2, real(2, 3)),
    # matrices
    *(
        (f"matmul {a} {b}", lambda m, a, b: m.matmul(a, b), real(*a), real(*b))
        for a, b in [
            ((3,), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3,)),
            ((2, 3), (3, 2)),
            ((2, 2, 3), (3, 2)),
            ((2, 3), (2, 3, 2)),
            ((2, 1, 2, 3), (2, 3, 1)),
            ((3,), (2, 3, 2)),
        ]
    ),
    ("@", lambda m, a, b: a @ b, real(2, 3), real(3, 4)),
    ("linear", lambda m, x, w, b: m.linear(x, w, b), real(2, 2, 3), real(4, 3), real(4)),
    ("linear without bias", lambda m, x, w: m.linear(x, w), real(3), real(4, 3)),
    ("outer", lambda m, a, b: m.outer(a, b), real(3), real(2)),
    # convolution
    *(
        (f"conv2d {s}", lambda m, x, w, b, s=s: m.conv2d(x, w, b, **s), *inputs)
        for s, *inputs in [
            ({}, real(2, 2, 4, 5), real(3, 2, 2, 3), real(3)),
            ({"stride": 2, "padding": 1}, real(1, 2, 6, 6), real(2, 2, 4, 4), real(2)),
            ({"groups": 2, "dilation": (2, 1)}, real(1, 4, 5, 4), real(4, 2, 2, 2), real(4)),
            ({"padding": "same"}, real(1, 1, 4, 4), real(1, 1, 3, 1), real(1)),
            ({"stride": (3, 2)}, real(1, 1, 6, 6), real(1, 1, 2, 2), real(1)),
        ]
    ),
    *(
        (f"conv_transpose2d {s}", lambda m, x, w, b, s=s: m.conv_transpose2d(x, w, b, **s), *inputs)
        for s, *inputs in [
            ({}, real(2, 3, 2, 2), real(3, 2, 2, 3), real(2)),
            ({"stride": 2, "padding": 1}, real(1, 2, 3, 3), real(2, 2, 4, 4), real(2)),
            ({"stride": 2, "output_padding": 1}, real(1, 1, 2, 2), real(1, 2, 3, 3), real(2)),
            ({"groups": 2, "dilation": 2}, real(1, 4, 2, 2), real(4, 1, 2, 2), real(2)),
            ({"dilation": 3, "output_padding": 2}, real(1, 1, 2, 2), real(1, 1, 2, 2), real(1)),
        ]
    ),
    ("conv1d", lambda m, x, w, b: m.conv1d(x, w, b, 2, 1), real(2, 2, 6), real(3, 2, 3), real(3)),
    ("windows", lambda m, x: m.windows(x, (2, 3), 2, 1), real(1, 2, 4, 5)),
    # fused
    ("bce", lambda m, p, t: m.bce(p, t), inside(2, 3), inside(2, 3)),
    ("bce_with_logits", lambda m, x, t: m.bce_with_logits(x, t), real(2, 3), inside(2, 3)),
    ("batch norm", lambda m, x: m.standardize(x, (0, 2, 3), 1e-5), real(3, 2, 2, 2)),
    ("layer norm", lambda m, x: m.standardize(x, (-1,), 1e-3), real(2, 5)),
]


def derivatives(grad, f, xs, cotangent, directions):
    """The value, its gradients, and the gradients of <gradients, directions>, as arrays."""

    def arrays(tensors):
        return [
            np.zeros(x.shape) if t is None else np.asarray((t + 0 * x).detach())
            for t, x in zip(tensors, xs, strict=True)
        ]

    y = f(*xs)
    first = grad(y, xs, cotangent, create_graph=True)
    total = sum((g * v).sum() for g, v in zip(first, directions, strict=True))
    second = [None] * len(xs)
    if total.requires_grad:
        second = grad(total, xs, allow_unused=True)
    return [np.asarray(y.detach()), *arrays(first), *arrays(second)]


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-10), ("float32", 2e-5)])
@pytest.mark.parametrize(
    "name, f, inputs", [(n, f, xs) for n, f, *xs in TABLE], ids=[row[0] for row in TABLE]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's own deprecations
def test_value_first_and_second_derivative(name, f, inputs, dtype, rtol):
    rng = np.random.default_rng(1)
    inputs = [x.astype(dtype) for x in inputs]
    shape = f(OURS, *map(mg.tensor, inputs)).shape
    cotangent = rng.standard_normal(shape).astype(dtype)
    directions = [rng.standard_normal(x.shape).astype(dtype) for x in inputs]
    ours = derivatives(
        mg.grad,
        lambda *xs: f(OURS, *xs),
        [mg.tensor(x, requires_grad=True) for x in inputs],
        mg.tensor(cotangent),
        [mg.tensor(v) for v in directions],
    )
    theirs = derivatives(
        torch.autograd.grad,
        lambda *xs: f(THEIRS, *xs),
        [torch.tensor(x, requires_grad=True) for x in inputs],
        torch.tensor(cotangent),
        [torch.tensor(v) for v in directions],
    )
    assert ours[0].dtype == theirs[0].dtype == dtype
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape
        scale = np.abs(b).max(initial=0) or 1.0
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * scale, err_msg=f"{name}, part {i}")


# ----------------------------------------------------------------------------- names and defaults

METHODS = """
backward grad detach item numpy to view reshape permute transpose flatten squeeze unsqueeze expand
sum mean var std max min exp log sqrt abs clamp tanh sigmoid pow matmul __matmul__ norm softmax
log_softmax logsumexp repeat
add sub mul div neg amax amin argmax argmin chunk split unbind unflatten flip gather cos sin erf
expm1 log1p relu sign maximum minimum isfinite eq ne lt le gt ge logical_and logical_or logical_not
T mT shape ndim dtype device is_leaf requires_grad requires_grad_ size dim numel tolist clone
contiguous cpu cuda float double long bool
"""

FUNCTIONS = """
Tensor tensor zeros ones full randn rand arange eye stack cat where no_grad enable_grad
is_grad_enabled zeros_like ones_like randn_like rand_like randint randperm linspace manual_seed
"""


@pytest.mark.parametrize("name", METHODS.split())
def test_methods_have_pytorchs_names(name):
    assert hasattr(mg.Tensor, name) and hasattr(torch.Tensor, name)


@pytest.mark.parametrize("name", FUNCTIONS.split())
def test_functions_have_pytorchs_names(name):
    assert hasattr(mg, name) and hasattr(torch, name)


X = RNG.standard_normal((4, 1, 3)).astype("float32")

SAME = [  # what PyTorch's defaults give, exactly or to rounding; may be a tuple of tensors
    lambda x: x.var(),
    lambda x: x.std(),
    lambda x: x.var(0),
    lambda x: x.norm(),
    lambda x: x.flatten(),
    lambda x: x.squeeze(),
    lambda x: x.squeeze(0),
    lambda x: x.max(0),
    lambda x: x.min(-1, keepdim=True),
    lambda x: x.max(dim=2),
    lambda x: x.argmax(),
    lambda x: x.argmin(2),
    lambda x: x.argmax(0, keepdim=True),
    lambda x: x.softmax(dim=2),
    lambda x: x.softmax(0),
    lambda x: x.log_softmax(dim=0),
    lambda x: x.logsumexp(dim=0),
    lambda x: x.logsumexp(2, keepdim=True),
    lambda x: x.transpose(0, 2),
    lambda x: x.permute(2, 0, 1),
    lambda x: x.permute((2, 0, 1)),
    lambda x: x.repeat(2, 1, 1, 2),
    lambda x: x.expand(4, 5, 3),
    lambda x: x.clamp(0),
    lambda x: x.clamp(max=0),
    lambda x: x.clamp(min=-1, max=1),
    lambda x: x.clamp(1, -1),
    lambda x: x.split(3),
    lambda x: x.split([1, 3]),
    lambda x: x.split(2, dim=-1),
    lambda x: x.chunk(3),
    lambda x: x.chunk(2, -1),
    lambda x: x[:0].split(2),
    lambda x: x.unbind(),
    lambda x: x.unbind(-1),
    lambda x: x.sum(dim=(0, 1)),
    lambda x: x.sum([0, 2], keepdim=True),
    lambda x: x.mean(-1),
    lambda x: x.size(),
    lambda x: x.size(-1),
    lambda x: x.numel(),
    lambda x: x.dim(),
    lambda x: len(x),
    lambda x: x.tolist(),
    lambda x: x[1, 0, 2].item(),
    lambda x: x > 0,
    lambda x: x == x,
    lambda x: (x > 0).sum(),
    lambda x: (x > 0) & (x < 1),
    lambda x: ~(x > 0),
    lambda x: x.long(),
    lambda x: x.double(),
    lambda x: x.bool(),
    lambda x: x.long() * 0.5,
    lambda x: x.long() / 2,
    lambda x: x.long().exp(),
    lambda x: x.long() + x,
    lambda x: x.long() + x.double(),
    lambda x: (x > 0) * x,
    lambda x: (x > 0) * 2,
    lambda x: (x > 0) * 0.5,
    lambda x: (x > 0) + (x > 1),
    lambda x: x.long().sum(),
    lambda x: x.long() ** 2,
    lambda x: x[0, 0, 0].max(0),
    lambda x: x[0, 0, 0].softmax(0),
    lambda x: x[0, 0, 0].sum(0),
    lambda x: x[:0].sum(0),
    lambda x: x[:0].mean(),
    lambda x: x[:1].var(0),
    lambda x: x[:0].softmax(1),
    lambda x: x.isfinite(),
    lambda x: x.sign(),
    lambda x: x.eq(0),
]


def as_parts(value):
    return list(value) if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("i", range(len(SAME)))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_defaults_are_pytorchs(i):
    ours, theirs = SAME[i](mg.tensor(X)), SAME[i](torch.tensor(X))
    if hasattr(theirs, "values") and isinstance(theirs, tuple):  # max(dim) and min(dim)
        np.testing.assert_array_equal(ours.indices.numpy(), theirs.indices.numpy())
        np.testing.assert_array_equal(ours.values.numpy(), theirs.values.numpy())
    ours, theirs = as_parts(ours), as_parts(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, torch.Tensor):
            a, b = a.numpy(), b.numpy()
            assert a.dtype == b.dtype and a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)
        else:
            assert a == b


def test_gradients_accumulate_as_in_pytorch():
    """backward() twice, through a shared tensor, with a cotangent, from two outputs."""
    results = []
    for m in (mg, torch):
        x = m.tensor(X.tolist(), requires_grad=True)
        h = m.tanh(x)
        (h * x).sum().backward(retain_graph=True)
        (h * h).backward(m.ones(4, 1, 3))
        results.append(np.asarray(x.grad))
    np.testing.assert_allclose(*results, rtol=1e-5)
