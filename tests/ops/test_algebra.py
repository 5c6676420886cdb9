"""Linear algebra, Einstein's sums, sorting, truth: values, derivatives, errors."""

import numpy as np
import pytest
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan.ops import algebra as ops

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def regular(*shape):
    """Square matrices far from singular ones."""
    return real(*shape) + 3 * np.eye(shape[-1])


EINSUM = [  # the equation, its operands' shapes
    ("ij,jk->ik", (2, 3), (3, 2)),
    ("ij,jk", (2, 3), (3, 2)),
    ("ba,cb", (2, 3), (3, 2)),
    ("i,i", (3,), (3,)),
    ("i,j->ji", (3,), (2,)),
    ("ij->ji", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij,jk->ik", (2, 2, 3), (3, 1)),
    ("iijj->ji", (2, 2, 3, 3)),
    ("iii->i", (2, 2, 2)),
    ("ij,ik,il->jkl", (2, 2), (2, 1), (2, 3)),
    ("ij,kl->", (2, 2), (2, 3)),
    ("...ij,...jk->...ik", (2, 1, 2, 3), (2, 3, 1)),
    ("...i,i...", (2, 3), (3, 2)),
    ("...,...->...", (2, 1), (3,)),
    ("i...->...", (2, 3)),
    ("ij,jk->ik", (2, 1), (3, 2)),
    ("ij,jk->ik", (2, 3), (1, 2)),
    ("ij,ij->i", (2, 1), (1, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)),
    ("ij,jk->ik", (0, 2), (2, 3)),
    (",i->i", (), (2,)),
    (" n i , i -> n ", (2, 3), (3,)),
]

ONE = [  # name, function, formula, input
    ("inverse", ops.inverse, np.linalg.inv, regular(3, 3)),
    ("inverse of many", ops.inverse, np.linalg.inv, regular(2, 1, 2, 2)),
    ("inverse 1x1", ops.inverse, lambda x: 1 / x, regular(1, 1)),
    ("inverse of nothing", ops.inverse, lambda x: x, real(0, 2, 2)),
    *(("det", ops.det, np.linalg.det, regular(n, n)) for n in (0, 1, 2, 3, 4, 5)),
    ("det of many", ops.det, np.linalg.det, regular(2, 1, 2, 2)),
    ("det, singular", ops.det, np.linalg.det, np.outer([1.0, -1, 2], [2.0, 1, 3])),
    ("det, rank 0", ops.det, np.linalg.det, np.zeros((2, 2))),
    *(
        ("slogdet", lambda x: ops.slogdet(x)[1], lambda x: np.linalg.slogdet(x)[1], x)
        for x in (regular(3, 3), -regular(2, 1, 3, 3), regular(1, 1))
    ),
    ("trace", ops.trace, np.trace, real(2, 3)),
    ("trace 0", ops.trace, np.trace, real(0, 3)),
    ("cumsum", lambda x: ops.cumsum(x, 0), lambda x: np.cumsum(x, 0), real(3, 2)),
    ("cumsum(-1)", lambda x: ops.cumsum(x, -1), lambda x: np.cumsum(x, -1), real(2, 1, 3)),
    ("cumsum of one", lambda x: ops.cumsum(x, 1), lambda x: x, real(2, 1)),
    ("cumsum 0-d", lambda x: ops.cumsum(x, 0), lambda x: x, real()),
    ("cumsum of nothing", lambda x: ops.cumsum(x, 0), lambda x: x, real(0, 2)),
    *(
        (f"{f.__name__}({k})", lambda x, f=f, k=k: f(x, k), lambda x, h=h, k=k: h(x, k), real(*s))
        for f, h in ((ops.tril, np.tril), (ops.triu, np.triu))
        for k, s in ((0, (3, 3)), (1, (2, 3)), (-1, (2, 3, 2)), (0, (0, 2)), (5, (1, 1)))
    ),
    *(
        (
            f"diagonal{(k, a, b)}",
            lambda x, k=k, a=a, b=b: ops.diagonal(x, k, a, b),
            lambda x, k=k, a=a, b=b: np.diagonal(x, k, a, b),
            real(*shape),
        )
        for k, a, b, shape in [
            (0, 0, 1, (3, 3)),
            (1, 0, 1, (2, 3)),
            (-1, 0, 1, (3, 2)),
            (0, -2, -1, (2, 3, 2)),
            (1, 2, 0, (2, 3, 2)),
            (5, 0, 1, (2, 2)),
            (0, 0, 1, (0, 2)),
            (0, 0, 1, (1, 1)),
        ]
    ),
    ("sort", lambda x: ops.sort(x).values, np.sort, real(2, 3)),
    ("sort(0)", lambda x: ops.sort(x, 0)[0], lambda x: np.sort(x, 0), real(3, 1, 2)),
    ("sort down", lambda x: ops.sort(x, -1, True)[0], lambda x: -np.sort(-x), real(2, 3)),
    ("sort 0-d", lambda x: ops.sort(x)[0], lambda x: x, real()),
    ("sort of nothing", lambda x: ops.sort(x, 1)[0], lambda x: x, real(2, 0)),
    ("topk", lambda x: ops.topk(x, 2)[0], lambda x: -np.sort(-x)[..., :2], real(2, 4)),
    (
        "topk smallest",
        lambda x: ops.topk(x, 1, 0, largest=False).values,
        lambda x: x.min(0, keepdims=True),
        real(3, 2),
    ),
    ("topk of none", lambda x: ops.topk(x, 0)[0], lambda x: x[:, :0], real(2, 3)),
    (
        "index_select",
        lambda x: ops.index_select(x, 1, np.array([2, 0, 2])),
        lambda x: x[:, [2, 0, 2]],
        real(2, 3),
    ),
]

PRODUCTS = [
    ("dot", mg.dot, "i,i->", (3,), (3,)),
    ("mv", mg.mv, "ij,j->i", (2, 3), (3,)),
    ("mm", mg.mm, "ij,jk->ik", (2, 3), (3, 1)),
    ("bmm", mg.bmm, "nij,njk->nik", (2, 2, 3), (2, 3, 1)),
    ("bmm", mg.bmm, "nij,njk->nik", (0, 2, 3), (0, 3, 1)),
]

CASES = [
    *(
        Case(
            f"einsum {equation}",
            lambda *xs, e=equation: ops.einsum(e, *xs),
            lambda *xs, e=equation: np.einsum(e, *xs),
            tuple(real(*s) for s in shapes),
        )
        for equation, *shapes in EINSUM
    ),
    *(Case(name, f, formula, (x,)) for name, f, formula, x in ONE),
    *(
        Case(name, f, lambda a, b, s=s: np.einsum(s, a, b), (real(*m), real(*n)))
        for name, f, s, m, n in PRODUCTS
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


def test_einsum_takes_a_list_and_one_operand_twice():
    x = mg.tensor(real(2, 2), requires_grad=True)
    assert ops.einsum("ij,jk", [x, x]).tolist() == (x @ x).tolist()
    check_gradients(lambda a: ops.einsum("ij,jk,kl->il", a, a, a), real(2, 2), order=3)


def test_derivatives_of_the_third_order():
    check_gradients(ops.det, regular(3, 3), order=3)
    check_gradients(ops.inverse, regular(2, 2), order=3)
    check_gradients(lambda x: ops.slogdet(x)[1], regular(2, 2), order=3)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda: ops.einsum("ij,jk", mg.zeros(2, 3)), "names 2 operands, got 1"),
        (lambda: ops.einsum("ij", mg.zeros(3)), "'ij' does not fit an operand of 1 axes"),
        (lambda: ops.einsum("i", mg.zeros(3, 2)), "'i' does not fit an operand of 2 axes"),
        (lambda: ops.einsum("ii", mg.zeros(2, 3)), "i stands for sizes 2 and 3"),
        (lambda: ops.einsum("i,i", mg.zeros(2), mg.zeros(3)), r"einsum of \(2,\) and \(3,\)"),
        (lambda: ops.topk(mg.zeros(2), 3), "topk needs 0 to 2 elements of axis 0, got k = 3"),
        (lambda: ops.trace(mg.zeros(2)), "trace needs a matrix"),
        (lambda: ops.inverse(mg.zeros(2, 3)), r"inverse of \(2, 3\)"),
    ],
)
def test_errors_say_what_was_expected(f, message):
    with pytest.raises(ValueError, match=message):
        f()


@pytest.mark.host
def test_a_singular_matrix_is_named():
    with pytest.raises(ValueError, match=r"inverse of \(2, 2\): Singular"):
        mg.zeros(2, 2).inverse()


def test_sorting_keeps_the_order_of_equals():
    x = mg.tensor([[2, 1, 2, 1, 2]])
    for descending, expected in [(False, [1, 3, 0, 2, 4]), (True, [0, 2, 4, 1, 3])]:
        found = x.sort(descending=descending)
        assert found.indices.tolist() == x.argsort(descending=descending).tolist() == [expected]
        assert found.indices.dtype == np.int64
        assert found.values.tolist() == [sorted(x.tolist()[0], reverse=descending)]
    assert mg.topk(mg.tensor([1, 3, 3]), 2).indices.tolist() == [1, 2]
    assert mg.tensor(4.0).sort().indices.item() == 0
    nan = mg.tensor([np.nan, 1.0, 2.0])
    assert nan.argsort().tolist() == [1, 2, 0] and nan.argsort(descending=True)[0].item() == 0


def test_the_gradient_goes_to_the_elements_chosen():
    x = mg.tensor([3.0, 1.0, 2.0], requires_grad=True)
    x.topk(2).values.mul(mg.tensor([10.0, 20.0])).sum().backward()
    assert x.grad.tolist() == [10, 0, 20]


@pytest.mark.parametrize("dim, keepdim", [(None, False), (0, False), (-1, True), ((0, 1), False)])
def test_any_and_all(dim, keepdim):
    for x in ([[0, 1], [0, 0]], [[1.5, 2.0], [1.0, 0.0]], [[True, True], [True, True]]):
        x = np.array(x)
        for ours, theirs in ((mg.any, np.any), (mg.all, np.all)):
            got = ours(mg.Tensor(x), dim, keepdim)
            expected = theirs(x, dim, keepdims=keepdim)
            assert got.dtype == bool and got.tolist() == expected.tolist()
    assert not mg.zeros(0).any() and mg.zeros(0).all()


def test_integers_and_truth_keep_their_dtype():
    x = mg.arange(9).reshape(3, 3)
    for f in (mg.tril, mg.triu, mg.diagonal, mg.trace, lambda x: mg.cumsum(x, 0)):
        assert f(x).dtype == np.int64
    assert mg.tril(x > 3).dtype == bool and mg.triu(x > 3).dtype == bool
    assert mg.cumsum(x > 3, 1).dtype == np.int64
    assert mg.einsum("ij,j->i", x, x[0]).tolist() == [5, 14, 23]


def test_slogdet_and_the_names_of_linalg():
    x = mg.tensor([[0.0, 2.0], [3.0, 0.0]])
    sign, size = mg.linalg.slogdet(x)
    assert sign.item() == -1 and abs(size.item() - np.log(6)) < 1e-6
    assert mg.slogdet(mg.zeros(2, 2)).logabsdet.item() == -np.inf
    np.testing.assert_allclose(mg.linalg.inv(x).tolist(), [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6)
    assert mg.linalg.det(x).item() == pytest.approx(-6)
    assert mg.linalg.norm(x).item() == pytest.approx(13**0.5)
