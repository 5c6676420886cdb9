"""Functions that move elements: reshape, permute, index, join, pad."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices
from numeric import Case, Contract, every

import minigan as mg
from minigan import ops
from minigan.ops.index import _beside, scatter
from minigan.ops.shape import cast, sum_to

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


ROWS = np.array([[0, 2], [2, 2]])  # an index that meets row 2 three times
MASK = np.array([[True, False, True], [False, False, True]])


def at(index):
    """The function x[index], and the same in NumPy."""
    return lambda x: ops.getitem(x, index), lambda x: x[index]


def scattered(shape, index):
    def formula(x):
        out = np.zeros(shape)
        for target, value in zip(index, x, strict=True):
            out[target] += value
        return out

    return lambda x: scatter(x, shape=shape, index=_beside(x, np.array(index)), once=False), formula


def padded(pad, **settings):
    return lambda x: ops.pad(x, pad, **settings)


ONE = [  # name, function, formula, shape of the input
    ("reshape", lambda x: ops.reshape(x, 3, -1), lambda x: x.reshape(3, 4), (2, 3, 2)),
    ("reshape(tuple)", lambda x: ops.reshape(x, (6,)), lambda x: x.reshape(6), (2, 3)),
    ("reshape to 0-d", lambda x: ops.reshape(x, ()), lambda x: x[0, 0], (1, 1)),
    ("reshape nothing", lambda x: ops.reshape(x, 3, 0), lambda x: x.reshape(3, 0), (0, 2)),
    ("flatten", ops.flatten, np.ravel, (2, 3, 2)),
    ("flatten 0-d", ops.flatten, np.ravel, ()),
    ("flatten(1)", lambda x: ops.flatten(x, 1), lambda x: x.reshape(2, 6), (2, 3, 2)),
    ("flatten(0,1)", lambda x: ops.flatten(x, 0, -2), lambda x: x.reshape(6, 2), (2, 3, 2)),
    ("unflatten", lambda x: ops.unflatten(x, 1, (3, -1)), lambda x: x.reshape(2, 3, 2), (2, 6)),
    ("squeeze", ops.squeeze, np.squeeze, (1, 3, 1)),
    ("squeeze(dim)", lambda x: ops.squeeze(x, -1), lambda x: x[..., 0], (1, 3, 1)),
    ("squeeze of a size over 1", lambda x: ops.squeeze(x, 1), lambda x: x, (1, 3)),
    ("unsqueeze", lambda x: ops.unsqueeze(x, -1), lambda x: x[..., None], (2, 3)),
    ("unsqueeze(1)", lambda x: ops.unsqueeze(x, 1), lambda x: x[:, None], (2, 3)),
    ("permute", lambda x: ops.permute(x, 2, 0, -2), lambda x: np.einsum("abc->cab", x), (2, 3, 4)),
    ("transpose", lambda x: ops.transpose(x, 0, -1), lambda x: np.swapaxes(x, 0, 2), (2, 3, 4)),
    ("expand", lambda x: ops.expand(x, 2, -1, 3), lambda x: np.tile(x, (2, 1, 3)), (2, 1)),
    ("repeat", lambda x: ops.repeat(x, 2, 1, 3), lambda x: np.tile(x, (2, 1, 3)), (2, 2)),
    ("flip", lambda x: ops.flip(x, 0, -1), lambda x: x[::-1, :, ::-1], (2, 3, 2)),
    ("index int", *at(1), (3, 2)),
    ("index slice", *at((slice(None), slice(2, 0, -1))), (2, 4)),
    ("index ellipsis", *at((..., None, 0)), (2, 3)),
    ("index array", *at(ROWS), (3, 2)),
    ("index list", *at([0, 0, -1]), (3, 2)),
    ("index arrays", *at((np.array([0, 1]), slice(None), np.array([2, 2]))), (2, 2, 3)),
    ("index mask", *at(MASK), (2, 3)),
    ("index nothing", *at(slice(5, 9)), (3, 2)),
    (
        "gather",
        lambda x: ops.gather(x, 1, ROWS),
        lambda x: np.take_along_axis(x, ROWS, 1),
        (2, 3),
    ),
    (
        "gather(0)",
        lambda x: ops.gather(x, -2, ROWS),
        lambda x: np.take_along_axis(x, ROWS, 0),
        (3, 2),
    ),
    ("scatter", *scattered((4, 2), [3, 0, 3]), (3, 2)),
    ("split", lambda x: ops.split(x, 2, 1)[-1], lambda x: x[:, 4:], (2, 5)),
    ("split(sizes)", lambda x: ops.split(x, [1, 3])[1], lambda x: x[1:], (4, 2)),
    ("chunk", lambda x: ops.chunk(x, 2)[0], lambda x: x[:3], (5, 2)),
    ("unbind", lambda x: ops.unbind(x, 1)[2], lambda x: x[:, 2], (2, 3)),
    ("pad", padded((1, 2)), lambda x: np.pad(x, ((0, 0), (1, 2))), (2, 3)),
    (
        "pad(value)",
        padded((0, 1, 2, 0), value=7.0),
        lambda x: np.pad(x, ((2, 0), (0, 1)), constant_values=7),
        (2, 3),
    ),
    ("pad(crop)", padded((-1, 1)), lambda x: np.pad(x[:, 1:], ((0, 0), (0, 1))), (2, 3)),
    *(
        (f"pad({mode})", padded((2, 1, 0, 1), mode=mode), formula, (2, 3))
        for mode, formula in [
            ("reflect", lambda x: np.pad(x, ((0, 1), (2, 1)), "reflect")),
            ("replicate", lambda x: np.pad(x, ((0, 1), (2, 1)), "edge")),
            ("circular", lambda x: np.pad(x, ((0, 1), (2, 1)), "wrap")),
        ]
    ),
    ("cast", lambda x: cast(cast(x, dtype="float64"), dtype=x.dtype), lambda x: x, (2, 3)),
    ("sum_to", lambda x: sum_to(x, shape=(3, 1)), lambda x: x.sum((0, 2))[:, None], (2, 3, 4)),
]

SEVERAL = [  # several inputs
    ("cat", lambda *xs: ops.cat(xs), np.vstack, [(2, 3), (1, 3), (0, 3)]),
    ("cat(-1)", lambda *xs: ops.cat(xs, -1), np.hstack, [(2, 3), (2, 1)]),
    ("cat of one", lambda x: ops.cat([x]), lambda xs: xs[0], [(2, 3)]),
    ("stack", lambda *xs: ops.stack(xs), np.array, [(2, 3), (2, 3)]),
    ("stack(-1)", lambda *xs: ops.stack(xs, -1), lambda xs: np.stack(xs, -1), [(2,), (2,), (2,)]),
    ("stack 0-d", lambda *xs: ops.stack(xs), np.array, [(), ()]),
]

CASES = [
    *(Case(name, f, formula, (real(*shape),)) for name, f, formula, shape in ONE),
    *(
        Case(name, f, lambda *xs, g=formula: g(xs), tuple(real(*s) for s in shapes))
        for name, f, formula, shapes in SEVERAL
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


def test_cast_gives_the_gradient_in_the_inputs_dtype():
    x = mg.tensor([1.5, 2.5], requires_grad=True)
    y = cast(x, dtype="float64")
    (g,) = mg.grad((y * y).sum(), x, create_graph=True)
    assert y.dtype == "float64" and g.dtype == "float32" and g.tolist() == [3, 5]
    assert mg.grad(g.sum(), x)[0].tolist() == [2, 2]
    assert not cast(x, dtype="int64").requires_grad


# ------------------------------------------------------------------------------------- round trips


@given(array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), st.randoms())
def test_reshape_permute_and_expand_undo(shape, random):
    x = mg.tensor(np.random.default_rng(0).standard_normal(shape))
    order = random.sample(range(x.ndim), x.ndim)
    back = [order.index(i) for i in range(x.ndim)]
    assert (x.permute(order).permute(back).array == x.array).all()
    assert (x.flatten().reshape(shape).array == x.array).all()
    assert x.flatten(0, 0).shape == (shape or (1,)) and x.squeeze().numel() == x.numel()
    for dim in range(-x.ndim - 1, x.ndim + 1):
        assert x.unsqueeze(dim).shape == np.expand_dims(x.array, dim).shape
        assert (x.unsqueeze(dim).squeeze(dim).array == x.array).all()
    assert (x.expand(2, *shape)[1].array == x.array).all()
    assert (x.repeat(2, *[1] * x.ndim)[0].array == x.array).all()


@given(st.data(), array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_indexing_as_numpy_does(data, shape):
    index = data.draw(basic_indices(shape, allow_newaxis=True))
    array = np.random.default_rng(0).standard_normal(shape)
    x = mg.tensor(array, requires_grad=True)
    y = x[index]
    np.testing.assert_array_equal(y.detach().numpy(), array[index])
    (g,) = mg.grad(y, x, mg.ones_like(y))
    expected = np.zeros(shape)
    expected[index] = 1
    np.testing.assert_array_equal(g.numpy(), expected)


@given(st.integers(0, 7), st.integers(1, 5), st.integers(0, 1))
def test_pieces_join_to_the_whole(n, size, dim):
    x = mg.rand(*((n, 2) if dim == 0 else (2, n)))
    for pieces in (x.split(size, dim), x.chunk(size, dim)):
        assert (ops.cat(pieces, dim).array == x.array).all()
    assert len(x.chunk(size, dim)) <= size
    assert all(p.shape[dim] == size for p in x.split(size, dim)[:-1])
    if n:
        assert (ops.stack(x.unbind(dim), dim).array == x.array).all()


# ----------------------------------------------------------------------------------------- indices


def test_tensors_as_indices():
    x = mg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert x[mg.tensor([1, 0, 1]), mg.tensor([0, 2, 0])].tolist() == [4, 3, 4]
    assert x[mg.tensor(1)].tolist() == [4, 5, 6]
    assert x[x > 3].tolist() == [4, 5, 6]
    assert x[:, mg.tensor([True, False, True])].tolist() == [[1, 3], [4, 6]]
    assert x[np.int64(1), -1].item() == 6 and x[None].shape == (1, 2, 3)


def test_repeated_indices_add_up():
    x = mg.zeros(3, requires_grad=True)
    (g,) = mg.grad(x[[0, 2, 2, 2]], x, mg.tensor([1.0, 10.0, 100.0, 1000.0]))
    assert g.tolist() == [1, 0, 1110]


@pytest.mark.host
def test_views_share_memory():
    x = mg.zeros(2, 3)
    views = [x.reshape(6), x.permute(1, 0), x.T, x[0], x.expand(4, 2, 3), x.unsqueeze(0)]
    assert all(np.shares_memory(v.array, x.array) for v in views)


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    "f, error, message",
    [
        (lambda x: x.reshape(4), ValueError, r"reshape of \(2, 3\)"),
        (lambda x: x.permute(0, 0), ValueError, "each of the 2 axes once"),
        (lambda x: x.permute(0), ValueError, "each of the 2 axes once"),
        (lambda x: x.transpose(0, 2), IndexError, "dimension 2 is out of range"),
        (lambda x: x.unsqueeze(4), IndexError, "dimension 4 is out of range"),
        (lambda x: x.flatten(5), IndexError, "dimension 5 is out of range"),
        (lambda x: x.expand(4, 3), ValueError, r"expand of \(2, 3\)"),
        (lambda x: x.repeat(2), ValueError, "at least 2 counts"),
        (lambda x: x.split([1, 2]), ValueError, "do not add up to axis 0's size, 2"),
        (lambda x: x[2], IndexError, "out of bounds"),
        (lambda x: ops.cat([]), ValueError, "at least one"),
        (lambda x: ops.cat([x, mg.zeros(2, 4)]), ValueError, r"cat of \(2, 3\) and \(2, 4\)"),
        (lambda x: ops.stack([x, mg.zeros(3)]), ValueError, "one shape"),
        (lambda x: ops.pad(x, (1,)), ValueError, "two numbers per axis"),
        (lambda x: ops.pad(x, (3, 0), mode="reflect"), ValueError, "too large for axis of 3"),
        (lambda x: ops.pad(x, (4, 0), mode="circular"), ValueError, "too large for axis of 3"),
        (lambda x: ops.pad(x, (1, 1), mode="mirror"), ValueError, "unknown padding mode 'mirror'"),
    ],
)
def test_errors_say_what_was_wrong(f, error, message):
    with pytest.raises(error, match=message):
        f(mg.zeros(2, 3))
