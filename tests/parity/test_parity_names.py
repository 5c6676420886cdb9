"""The names of tensors that GAN scripts for PyTorch use: same values, dtypes, shapes, gradients."""

import numpy as np
import pytest

import minigan as mg

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def agree(ours, theirs, rtol=1e-10):
    if isinstance(theirs, tuple):
        for a, b in zip(ours, theirs, strict=True):
            agree(a, b, rtol)
        return
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs
        return
    assert ours.shape == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype).removeprefix("torch.")
    assert ours.requires_grad == theirs.requires_grad
    expected = theirs.detach().numpy()
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=rtol, atol=1e-12)


# ------------------------------------------------------------------------------ out of place


def wide(n):
    return real(n, n) + 3 * np.eye(n)


PURE = [  # f(library, *inputs), inputs
    *(
        (lambda L, *xs, e=e: L.einsum(e, *xs), [real(*s) for s in shapes])
        for e, *shapes in [
            ("ij,jk->ik", (2, 3), (3, 2)),
            ("ij,jk", (2, 1), (3, 2)),
            ("bhqd,bhkd->bhqk", (2, 1, 3, 2), (2, 1, 2, 2)),
            ("...ij,jk", (2, 2, 3), (3, 2)),
            ("ii->i", (3, 3)),
            ("ii", (3, 3)),
            ("ij->", (2, 3)),
            ("i,j,k->kji", (2,), (3,), (2,)),
            ("...,...", (2, 3), (3,)),
        ]
    ),
    *((lambda L, x: L.det(x), [wide(n)]) for n in (1, 2, 4, 6)),
    (lambda L, x: L.det(x), [np.outer([1.0, 2, 3], [2.0, 1, -1])]),
    (lambda L, x: L.linalg.inv(x), [wide(3)]),
    (lambda L, x: L.inverse(x), [np.stack([wide(2), wide(2)])]),
    (lambda L, x: tuple(L.slogdet(x))[1], [-wide(3)]),
    (lambda L, x: L.trace(x), [real(2, 3)]),
    *(
        (lambda L, x, a=a: L.diagonal(x, *a), [real(2, 3, 2)])
        for a in [(0,), (1,), (-1, 1, 2), (0, -1, 0)]
    ),
    *((lambda L, x, k=k: L.triu(x, k), [real(2, 3, 3)]) for k in (-1, 0, 2)),
    *((lambda L, x, k=k: L.tril(x, k), [real(3, 2)]) for k in (-1, 0, 2)),
    *((lambda L, x, d=d: L.cumsum(x, d), [real(2, 3)]) for d in (0, -1)),
    (lambda L, x: L.cumsum(x, 0), [real()]),
    *((lambda L, x, d=d: L.sort(x, -1, d)[0], [real(2, 4)]) for d in (False, True)),
    (lambda L, x: L.topk(x, 2)[0], [real(2, 4)]),
    (lambda L, x: L.topk(x, 2, 0, False)[0], [real(3, 2)]),
    (lambda L, a, b: L.dot(a, b), [real(3), real(3)]),
    (lambda L, a, b: L.mv(a, b), [real(2, 3), real(3)]),
    (lambda L, a, b: L.mm(a, b), [real(2, 3), real(3, 1)]),
    (lambda L, a, b: L.bmm(a, b), [real(2, 2, 3), real(2, 3, 1)]),
    (lambda L, x: L.index_select(x, 1, L.tensor([2, 0, 2])), [real(2, 3)]),
    (lambda L, x: L.masked_fill(x, L.tensor([True, False, True]), 7.0), [real(2, 3)]),
    (
        lambda L, x, s: L.scatter(x, 1, L.tensor([[0, 2], [1, 0]]), s),
        [real(2, 3), real(2, 2)],
    ),
    (lambda L, x: x.repeat(2, 1, 3), [real(2, 2)]),
    (lambda L, x, y: x.expand_as(y) * y.view_as(y), [real(1, 3), real(2, 3)]),
    (lambda L, x: x.t(), [real(2, 3)]),
]


@pytest.mark.parametrize("f, inputs", PURE)
def test_values_and_derivatives(f, inputs):
    xs = [mg.tensor(a, requires_grad=True) for a in inputs]
    ts = [torch.tensor(a, requires_grad=True) for a in inputs]
    ours, theirs = f(mg, *xs), f(torch, *ts)
    agree(ours, theirs)
    cotangent = RNG.standard_normal(tuple(theirs.shape))
    first = mg.grad(ours, xs, mg.tensor(cotangent), create_graph=True)
    firsts = torch.autograd.grad(theirs, ts, torch.tensor(cotangent), create_graph=True)
    for a, b in zip(first, firsts, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-11)
    if not any(b.requires_grad for b in firsts):
        return
    total = sum((g**2).sum() for g in first)
    totals = sum((g**2).sum() for g in firsts)
    second = mg.grad(total, xs, allow_unused=True)
    seconds = torch.autograd.grad(totals, ts, allow_unused=True)
    for a, b in zip(second, seconds, strict=True):
        zero = np.zeros(())
        a, b = (zero if g is None else g.detach().numpy() for g in (a, b))
        np.testing.assert_allclose(*np.broadcast_arrays(a, b), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.sort(descending=True),
        lambda x: x.argsort(0),
        lambda x: x.topk(2),
        lambda x: (x > 0).any(1),
        lambda x: (x > 0).all(0, keepdim=True),
        lambda x: (x > 0).any(),
        lambda x: (x > 0).cumsum(1),
        lambda x: x.type_as(x > 0),
        lambda x: (x * 10).int(),
        lambda x: (x.abs() * 10).byte(),
        lambda x: x.numel(),
        lambda x: x.is_cuda,
        lambda x: x.data.size(),
        lambda x: x.slogdet(),
    ],
)
def test_values(f):
    x = wide(3)
    ours, theirs = f(mg.tensor(x)), f(torch.tensor(x))
    agree(tuple(ours) if isinstance(ours, tuple) else ours, theirs)


# ---------------------------------------------------------------------------------- in place

CHANGES = [
    lambda L, x, w: x.mul_(w),
    lambda L, x, w: x.add_(w, alpha=-2).sub_(w, alpha=0.5),
    lambda L, x, w: x.add_(1).div_(3).neg_().exp_(),
    lambda L, x, w: x.fill_(0.5),
    lambda L, x, w: x.zero_().add_(w),
    lambda L, x, w: x.copy_(w[0]),
    lambda L, x, w: x.clamp_(-0.5, 0.5),
    lambda L, x, w: x.clamp_(min=0.1).sqrt_(),
    lambda L, x, w: x.abs_().log_().tanh_(),
    lambda L, x, w: x.mul_(2).add_(1).relu_(),
    lambda L, x, w: x.masked_fill_(L.tensor([True, False, True]), -1.0),
    lambda L, x, w: x.scatter_(1, L.tensor([[0], [2]]), 1.0),
    lambda L, x, w: x.scatter_(1, L.tensor([[0], [2]]), w[:, :1]),
    lambda L, x, w: x.tril_(),
    lambda L, x, w: x.triu_(1),
    lambda L, x, w: x.__setitem__(0, w[1]),
    lambda L, x, w: x.__setitem__((slice(None), 1), 5),
    lambda L, x, w: x.__setitem__((..., slice(0, 2)), w[:, 1:]),
    lambda L, x, w: x.__setitem__([0, 1], w * w),
    lambda L, x, w: x.__setitem__(L.tensor([1]), w[:1]),
    lambda L, x, w: x.__setitem__(x > 0, 0.25),
    lambda L, x, w: x.__setitem__((L.tensor([0, 1]), L.tensor([2, 0])), w[:, 0]),
    lambda L, x, w: x[:, 1].mul_(3).add_(w[:, 0]),
    lambda L, x, w: x.view(6)[2:4].fill_(1.5),
    lambda L, x, w: x.t()[0].exp_(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_that_are_recorded(change):
    v, w = real(2, 3), real(2, 3)
    results = []
    for library in (mg, torch):
        leaves = [library.tensor(a, requires_grad=True) for a in (v, w)]
        x = leaves[0] * 1
        change(library, x, leaves[1])
        (x * x).sum().backward()
        results.append((x, [leaf.grad for leaf in leaves]))
    (ours, mine), (theirs, yours) = results
    agree(ours, theirs)
    for a, b in zip(mine, yours, strict=True):
        np.testing.assert_allclose(
            *np.broadcast_arrays(*(0.0 if g is None else g.numpy() for g in (a, b))), rtol=1e-10
        )


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("how", ["data", "no_grad", "constant"])
def test_changes_of_memory(change, how):
    v, w = real(2, 3), real(2, 3)
    results = []
    for library in (mg, torch):
        x = library.tensor(v, requires_grad=how != "constant")
        memory = x.detach()
        with library.no_grad():
            change(library, x.data if how == "data" else x, library.tensor(w))
        assert memory.tolist() == x.tolist()
        results.append(x)
    agree(*results)


@pytest.mark.parametrize("change", CHANGES)
def test_a_leaf_is_refused(change):
    for library in (mg, torch):
        x, w = (library.tensor(real(2, 3), requires_grad=True) for _ in range(2))
        before = x.tolist()
        with pytest.raises(RuntimeError):
            change(library, x, w)
        assert x.tolist() == before


@pytest.mark.parametrize(
    "wrong",
    [
        lambda L: L.tensor([1, 2]).mul_(0.5),
        lambda L: L.tensor([1, 2]).div_(2),
        lambda L: L.zeros(3).add_(L.zeros(2, 3)),
        lambda L: L.zeros(2).copy_(L.zeros(3)),
        lambda L: L.zeros(1).expand(3).add_(1),
        lambda L: L.FloatTensor(1.5),
    ],
)
def test_what_pytorch_refuses_is_refused(wrong):
    for library in (mg, torch):
        with pytest.raises((RuntimeError, TypeError, ValueError)):
            wrong(library)


@pytest.mark.parametrize("name", ["Float", "Double", "Long", "Int", "Byte", "Bool"])
def test_constructors(name):
    for source in (np.array([[0.0, 1.0]]), [0, 1], np.arange(2)):
        made = [getattr(library, f"{name}Tensor") for library in (mg, torch)]
        kinds = [kind(source) for kind in made]
        agree(*kinds)
        assert kinds[1].type() == f"torch.{kinds[0].type()}"
        agree(mg.tensor(source).type(made[0]), torch.tensor(source).type(made[1]))
    assert tuple(made[1](2, 3).shape) == made[0](2, 3).shape == (2, 3)


def test_variable():
    for library, variable in ((mg, mg.Variable), (torch, torch.autograd.Variable)):
        x = library.tensor([1.0], requires_grad=True)
        v = variable(x * 2)
        assert v.is_leaf and not v.requires_grad and variable(x, requires_grad=True).is_leaf
