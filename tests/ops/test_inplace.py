"""Changes in place: what they write, what they record, what they refuse."""

import math

import numpy as np
import pytest
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan.ops import inplace as ops
from minigan.ops.inplace import put_
from minigan.ops.index import _beside

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([[0, 2], [1, 0]])


def placed(*index):
    """put_ at an index, and the same in NumPy."""

    def formula(x, value):
        y = x.copy()
        y[index] = value
        return y

    return lambda x, v: put_(x, v, index=tuple(_beside(x, i) for i in index)), formula


def along(axis):
    """scatter with the index ROWS, in loops."""

    def formula(x, src):
        y = x.copy()
        for i, j in np.ndindex(ROWS.shape):
            place = (ROWS[i, j], j) if axis == 0 else (i, ROWS[i, j])
            y[place] = src[i, j]
        return y

    return formula


CASES = [
    *(
        Case(f"put {name}", *placed(*index), (real(*shape), real(*value)))
        for name, index, shape, value in [
            ("all", (...,), (2, 3), (2, 3)),
            ("a number", (...,), (2, 3), ()),
            ("0-d", (...,), (), ()),
            ("row", (1,), (2, 3), (3,)),
            ("broadcast", (slice(None), slice(0, 2)), (2, 3), (1, 2)),
            ("nothing", (slice(5, 9),), (3, 2), (0, 2)),
            ("steps", (..., slice(None, None, -2)), (2, 3), (2, 2)),
            ("array", (np.array([2, 0]),), (3, 2), (2, 2)),
            ("array of one", (np.array([1]),), (3, 1), (1,)),
            ("mask", (MASK,), (2, 3), (3,)),
            ("mask, number", (MASK,), (2, 3), ()),
        ]
    ),
    Case(
        "masked_fill",
        lambda x, v: ops.masked_fill(x, _beside(x, MASK), v),
        lambda x, v: np.where(MASK, v, x),
        (real(2, 3), real()),
    ),
    Case("scatter", lambda x, s: ops.scatter(x, 1, ROWS, s), along(1), (real(2, 3), real(2, 2))),
    Case("scatter", lambda x, s: ops.scatter(x, 0, ROWS, s), along(0), (real(3, 2), real(3, 4))),
]


@every(CASES)
class TestContract(Contract):
    pass


@pytest.mark.host
def test_of_two_values_for_one_element_the_last_has_the_gradient():
    f = placed(np.array([1, 1, 0]))[0]
    check_gradients(f, real(2), real(3))


# ------------------------------------------------------------------------- nothing is recorded


CHANGES = [  # a change, and what it makes of [1, 2, 3]
    (lambda x: x.fill_(7), [7, 7, 7]),
    (lambda x: x.fill_(mg.tensor(7)), [7, 7, 7]),
    (lambda x: x.zero_(), [0, 0, 0]),
    (lambda x: x.copy_(mg.tensor([4, 5, 6])), [4, 5, 6]),
    (lambda x: x.copy_([4, 5, 6]), [4, 5, 6]),
    (lambda x: x.copy_(mg.tensor([9.0])), [9, 9, 9]),
    (lambda x: x.add_(1), [2, 3, 4]),
    (lambda x: x.add_(x), [2, 4, 6]),
    (lambda x: x.add_(mg.tensor([1.0, 0, 2]), alpha=2), [3, 2, 7]),
    (lambda x: x.sub_(1), [0, 1, 2]),
    (lambda x: x.sub_(x, alpha=2), [-1, -2, -3]),
    (lambda x: x.mul_(2).add_(1), [3, 5, 7]),
    (lambda x: x.div_(2), [0.5, 1, 1.5]),
    (lambda x: x.pow_(2), [1, 4, 9]),
    (lambda x: x.neg_().abs_(), [1, 2, 3]),
    (lambda x: x.sub_(2).relu_(), [0, 0, 1]),
    (lambda x: x.clamp_(1.5, 2.5), [1.5, 2, 2.5]),
    (lambda x: x.clamp_(max=2), [1, 2, 2]),
    (lambda x: x.sub_(x).exp_(), [1, 1, 1]),
    (lambda x: x.pow_(0).log_(), [0, 0, 0]),
    (lambda x: x.pow_(2).sqrt_(), [1, 2, 3]),
    (lambda x: x.mul_(0).sigmoid_(), [0.5, 0.5, 0.5]),
    (lambda x: x.mul_(0).tanh_(), [0, 0, 0]),
    (lambda x: x.masked_fill_(x > 1, -1), [1, -1, -1]),
    (lambda x: x.scatter_(0, mg.tensor([2, 0]), 8.0), [8, 2, 8]),
    (lambda x: x.scatter_(0, mg.tensor([2, 0]), mg.tensor([4.0, 5.0])), [5, 2, 4]),
    (lambda x: x.__setitem__(0, 9), [9, 2, 3]),
    (lambda x: x.__setitem__(-1, mg.tensor(9, dtype="int64")), [1, 2, 9]),
    (lambda x: x.__setitem__(slice(1, None), [8, 9]), [1, 8, 9]),
    (lambda x: x.__setitem__(..., np.float64(0.5)), [0.5, 0.5, 0.5]),
    (lambda x: x.__setitem__(x > 1, 0), [1, 0, 0]),
    (lambda x: x.__setitem__([0, 2], mg.tensor([[5.0, 6.0]])[0]), [5, 2, 6]),
    (lambda x: x.__setitem__(mg.tensor([0, 2]), 4), [4, 2, 4]),
    (lambda x: x.__setitem__(slice(1, None), x[:-1]), [1, 1, 2]),
]


@pytest.mark.parametrize("change, expected", CHANGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_is_written(change, expected, dtype):
    x = mg.tensor([1, 2, 3], dtype=dtype)
    memory, seen = x.array, x.detach()
    change(x)
    assert x.array is memory and x.tolist() == seen.tolist() == expected
    assert x.dtype == dtype and x.is_leaf and not x.requires_grad


@pytest.mark.parametrize("change, expected", CHANGES)
def test_a_leaf_is_changed_through_data_and_under_no_grad_only(change, expected):
    p = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (p * p).sum()
    with pytest.raises(RuntimeError, match="only inside `with no_grad"):
        change(p)
    assert p.tolist() == [1, 2, 3] and p.is_leaf
    loss.backward()
    for touch in (lambda: change(p.data), lambda: mg.no_grad()(change)(p)):
        p.data = mg.tensor([1.0, 2.0, 3.0])
        loss = (p * p).sum()
        touch()
        assert p.tolist() == expected and p.requires_grad and p.is_leaf
        with pytest.raises(RuntimeError, match="changed in place"):
            loss.backward()


def test_methods_return_the_tensor():
    x = mg.zeros(2, 2)
    for f in ("zero_", "exp_", "normal_", "uniform_", "triu_", "random_"):
        assert getattr(x, f)() is x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_numbers_fill_in_place(dtype):
    x, n = mg.empty(100, 100, dtype=dtype), 10_000
    assert abs(x.normal_(3, 0.5).mean().item() - 3) < 5 * 0.5 / math.sqrt(n)
    assert abs(x.std().item() - 0.5) < 5 * 0.5 / math.sqrt(2 * n)
    x.uniform_(-1, 3)
    assert x.min().item() >= -1 and x.max().item() < 3
    assert abs(x.mean().item() - 1) < 5 * 4 / math.sqrt(12 * n)
    assert sorted(set(x.random_(3).flatten().tolist())) == [0, 1, 2] and x.dtype == dtype
    assert sorted(set(x.random_(-1, 2).flatten().tolist())) == [-1, 0, 1]
    assert mg.empty(5, dtype="int64").random_().min().item() >= 0
    mg.manual_seed(1)
    first = x.normal_().tolist()
    mg.manual_seed(1)
    assert x.normal_().tolist() == first


def test_integers_hold_integers():
    x = mg.tensor([1, 2, 3])
    assert x.fill_(2.9).tolist() == [2, 2, 2] and x.add_(True).tolist() == [3, 3, 3]
    x[0] = 7.5
    assert x.tolist() == [7, 3, 3]
    for change in (lambda: x.mul_(0.5), lambda: x.div_(2), lambda: x.exp_()):
        with pytest.raises(TypeError, match="int64 can not hold fractions"):
            change()
    with pytest.raises(TypeError, match="bool can not hold int64"):
        (x > 5).add_(x)
    assert x.tolist() == [7, 3, 3] and mg.tensor([True]).mul_(mg.tensor([False])).tolist() == [0]


@pytest.mark.parametrize(
    "change, error",
    [
        (lambda x: x.add_(mg.zeros(2, 3)), r"keeps the shape \(3,\), but .* \(2, 3\)"),
        (lambda x: x.add_(mg.zeros(2)), r"add of \(3,\) and \(2,\)"),
        (lambda x: x.copy_(mg.zeros(2)), "broadcast"),
        (lambda x: x.__setitem__(slice(2), mg.zeros(3)), "broadcast"),
    ],
)
def test_a_refused_change_leaves_the_tensor_as_it_was(change, error):
    x = mg.tensor([1.0, 2.0, 3.0])
    w = mg.tensor([1.0, 1.0, 1.0], requires_grad=True)
    loss = (w * x).sum()
    with pytest.raises(ValueError, match=error):
        change(x)
    assert x.tolist() == [1, 2, 3]
    loss.backward()  # it is still x that the graph read
    assert w.grad.tolist() == [1, 2, 3]


def test_expanded_memory_is_not_written():
    x = mg.zeros(1, 2)
    with pytest.raises(RuntimeError, match="expanded tensor keeps several elements in one place"):
        x.expand(3, 2).fill_(1)
    assert x.tolist() == [[0, 0]]
    assert x.repeat(3, 1).fill_(1).tolist() == [[1, 1]] * 3 and x.tolist() == [[0, 0]]
    assert x.repeat(1, 1).add_(1).tolist() == [[1, 1]] and x.tolist() == [[0, 0]]


# ------------------------------------------------------------------------------ what is recorded


RECORDED = [  # a change of x with w, the same out of place
    (lambda x, w: x.mul_(w), lambda x, w: x * w),
    (lambda x, w: x.mul_(x), lambda x, w: x * x),
    (lambda x, w: x.add_(w, alpha=-3), lambda x, w: x - 3 * w),
    (lambda x, w: x.exp_().div_(w).sub_(1), lambda x, w: x.exp() / w - 1),
    (lambda x, w: x.fill_(w[1]), lambda x, w: w[1].expand(3)),
    (lambda x, w: x.zero_().add_(w), lambda x, w: w),
    (lambda x, w: x.copy_(w * w), lambda x, w: w * w),
    (lambda x, w: x.copy_(w[:1]), lambda x, w: w[:1].expand(3)),
    (lambda x, w: x.masked_fill_(x > 0.5, w[0]), lambda x, w: mg.where(x > 0.5, w[0], x)),
    (lambda x, w: x.__setitem__(1, w[0] ** 2), lambda x, w: mg.stack([x[0], w[0] ** 2, x[2]])),
    (
        lambda x, w: x.__setitem__(slice(1, 3), w[:2].reshape(1, 2)),
        lambda x, w: mg.cat([x[:1], w[:2]]),
    ),
    (lambda x, w: x.__setitem__(x > 0.5, w[0]), lambda x, w: mg.where(x > 0.5, w[0], x)),
    (lambda x, w: x.__setitem__(..., x), lambda x, w: x),
    (
        lambda x, w: x.scatter_(0, mg.tensor([2, 0]), w),
        lambda x, w: mg.stack([w[1], x[1], w[0]]),
    ),
]


@pytest.mark.parametrize("change, pure", RECORDED)
def test_what_is_recorded_stays_differentiable(change, pure):
    """x computed from v, changed with w: value and derivatives are those of the pure function."""
    v, w = np.array([0.3, 0.7, 1.1]), np.array([0.9, 1.3, 0.4])

    def changed(v, w):
        x = v.sin()
        change(x, w)
        return x * x

    check_gradients(changed, v, w)
    vt, wt = mg.Tensor(v), mg.Tensor(w)
    np.testing.assert_allclose(
        changed(vt, wt).numpy(), (pure(vt.sin(), wt) ** 2).numpy(), rtol=1e-12
    )
    # and the gradients are those of the pure function, not only consistent
    leaves = [mg.Tensor(a, requires_grad=True) for a in (v, w)]
    ours = mg.grad(changed(*leaves).sum(), leaves, allow_unused=True)
    theirs = mg.grad((pure(leaves[0].sin(), leaves[1]) ** 2).sum(), leaves, allow_unused=True)
    for a, b in zip(ours, theirs, strict=True):
        zero = np.zeros(3)
        np.testing.assert_allclose(
            *(zero if g is None else g.numpy() for g in (a, b)), rtol=1e-12, atol=1e-15
        )


def test_a_constant_becomes_recorded():
    w, x = mg.tensor([2.0, 3.0], requires_grad=True), mg.zeros(3, 2)
    x[1] = w
    x[2] = w * w
    assert x.requires_grad and not x.is_leaf and x.tolist() == [[0, 0], [2, 3], [4, 9]]
    x.sum().backward()
    assert w.grad.tolist() == [5, 7]


def test_the_value_keeps_the_dtype_of_the_tensor():
    w, x = mg.tensor([2.0], dtype="float64", requires_grad=True), mg.zeros(3)
    x[:1] = w
    x.add_(w)
    assert x.dtype == "float32"
    x.sum().backward()
    assert w.grad.dtype == "float64" and w.grad.tolist() == [4]


def test_a_graph_that_read_the_tensor_before_is_refused():
    w = mg.tensor([2.0], requires_grad=True)
    x = w * 3
    early = x * x
    x.mul_(2)
    late = x * x
    with pytest.raises(RuntimeError, match="changed in place"):
        early.sum().backward()
    late.sum().backward()
    assert w.grad.tolist() == [2 * 36 * 2]


@pytest.mark.parametrize(
    "change", [lambda x: x.add_(x * x), lambda x: x.__setitem__(slice(1, None), x[:-1])]
)
def test_a_value_computed_from_the_tensor_itself_is_refused_not_wrong(change):
    w = mg.tensor([2.0, 3.0], requires_grad=True)
    x = w * 3
    change(x)
    with pytest.raises(RuntimeError, match="changed in place"):
        x.sum().backward()
    with pytest.raises(RuntimeError, match="changed in place"):
        mg.grad(x.sum(), w)


def test_those_who_share_the_old_memory_keep_it():
    w = mg.tensor([2.0, 5.0], requires_grad=True)
    x = w.exp()  # whose rule reads its own value
    shared, value = x.detach(), x.tolist()
    x.mul_(0)
    assert shared.tolist() == value and x.tolist() == [0, 0]
    mg.grad(x.sum(), w)


VIEWS = [
    lambda x: x[0],
    lambda x: x[:, 1],
    lambda x: x.reshape(4),
    lambda x: x.T,
    lambda x: x.reshape(4)[1:].reshape(3, 1)[::2],
    lambda x: x.T[1][None],
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_recorded_change_of_a_view_changes_what_it_views(view):
    v, w = np.array([[0.3, 0.7], [1.1, 0.4]]), np.array(1.7)

    def changed(v, w):
        x = v.sin()
        part = view(x)
        part.mul_(w).add_(part)
        assert part.tolist() == view(x).tolist()
        return mg.cat([x.flatten(), (part * part).flatten()])

    check_gradients(changed, v, w)
    expected = np.sin(v)
    view(expected)[...] *= 3.4
    np.testing.assert_allclose(
        changed(mg.Tensor(v, requires_grad=True), mg.Tensor(w)).tolist(),
        [*expected.flatten(), *(view(expected) ** 2).flatten()],
        rtol=1e-12,
    )


@pytest.mark.parametrize("view", VIEWS)
def test_a_change_of_a_view_of_a_leaf_that_requires_grad_is_refused(view):
    w = mg.tensor([[2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    with pytest.raises(RuntimeError, match="only inside `with no_grad"):
        view(w).zero_()
    view(w.data).zero_()
    assert w.sum().item() < 14 and view(w).sum().item() == 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_recorded_value_does_not_go_into_a_part_of_a_constant(view):
    """What it is a part of can not be known; an assignment to the whole can be recorded."""
    w, constant = mg.tensor(2.0, requires_grad=True), mg.zeros(2, 2)
    with pytest.raises(RuntimeError, match="a view of other memory"):
        view(constant).fill_(w)
    assert constant.tolist() == [[0, 0], [0, 0]]
    view(constant).fill_(1)
    assert constant.sum().item() == view(constant).numel()


@pytest.mark.host
def test_other_views_are_refused():
    w = mg.tensor(2.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="a view of other memory"):
        mg.einsum("ij->ji", w * mg.ones(2, 2)).mul_(2)


def test_a_view_taken_before_the_change_gives_no_gradient():
    w = mg.tensor([[2.0, 3.0], [4.0, 5.0]], requires_grad=True)
    x = w * 3
    row, other = x[0], x[1]
    other.mul_(2)
    assert x.tolist() == [[6, 9], [24, 30]]
    for stale in (lambda: row.sum(), lambda: row.mul_(2).sum()):
        with pytest.raises(RuntimeError, match="changed in place"):
            stale().backward()
    x.sum().backward()
    assert w.grad.tolist() == [[3, 3], [6, 6]]


def test_a_recorded_tensor_is_not_changed_under_no_grad():
    w = mg.tensor([2.0], requires_grad=True)
    x = w.exp()
    for change in (lambda: x.mul_(2), lambda: x.__setitem__(0, 1), lambda: x.normal_()):
        with pytest.raises(RuntimeError, match="not changed under no_grad"):
            mg.no_grad()(change)()
    x.sum().backward()
    assert w.grad.item() == x.item()


def test_another_dtype_and_device_are_copied():
    x = mg.zeros(2, dtype="float64")
    assert x.copy_(mg.tensor([True, False])).tolist() == [1, 0] and x.dtype == "float64"
    assert x.copy_(mg.tensor([1.0, 2.0], device="cpu")).tolist() == [1, 2]
