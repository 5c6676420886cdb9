"""The tensor, the graph it records, backward() and grad()."""

import copy
import gc
import time
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan import Tensor, ops
from minigan.autograd import op
from minigan.tensor import Parameter


def leaf(*values):
    return mg.tensor(list(values), requires_grad=True)


# ------------------------------------------------------------------------------------------ dtypes


@pytest.mark.parametrize(
    "data, dtype",
    [
        ([1.0, 2.0], "float32"),
        (1.5, "float32"),
        ([1, 2], "int64"),
        ([1, 2.0], "float32"),
        (True, "bool"),
        (np.zeros(2), "float64"),
        (np.zeros(2, "float32"), "float32"),
        (np.zeros(2, "uint8"), "uint8"),
        (np.float64(1), "float64"),
    ],
)
def test_dtype_of_new_tensors(data, dtype):
    assert mg.tensor(data).dtype == Tensor(data).dtype == dtype
    assert mg.tensor(data, dtype="float64").dtype == "float64"


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_only_floats_require_grad(dtype):
    with pytest.raises(TypeError, match=f"only floating-point tensors.* not {dtype}"):
        mg.tensor([0, 1], dtype=dtype, requires_grad=True)
    with pytest.raises(TypeError):
        mg.zeros(2, dtype=dtype).requires_grad_()


WHOLE = [  # integers and truth values meet floats
    lambda x: x * 0.5,
    lambda x: 0.5 + x,
    lambda x: x / 2,
    lambda x: x / x,
    lambda x: mg.exp(x),
    lambda x: mg.sqrt(x),
    lambda x: mg.sigmoid(x),
    lambda x: ops.softplus(x),
    lambda x: x.mean(),
    lambda x: x * mg.ones(2),
    lambda x: mg.where(x > 0, 1.0, x),
    lambda x: mg.cat([x, mg.ones(2)]),
]


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
@pytest.mark.parametrize("f", WHOLE)
def test_whole_numbers_meet_floats_in_float32(f, dtype):
    assert f(mg.tensor([1, 1], dtype=dtype)).dtype == "float32"


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_whole_numbers_do_not_widen_gradients(dtype):
    x = leaf(1.0, 2.0)
    y = x * mg.tensor([1, 1], dtype=dtype)
    assert y.dtype == "float32" and mg.grad(y.sum(), x)[0].dtype == "float32"
    assert (mg.tensor([1, 1], dtype=dtype) * mg.ones(2, dtype="float64")).dtype == "float64"


@pytest.mark.parametrize("number", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_do_not_change_the_dtype(number, dtype):
    x = mg.ones(2, dtype=dtype, requires_grad=True)
    for y in (x * number, number * x, x + number, number - x, x / number, number / x, x**number):
        assert y.dtype == dtype and mg.grad(y.sum(), x)[0].dtype == dtype


def test_mixed_floats_each_get_their_own():
    a, b = leaf(1.0, 2.0), mg.tensor(np.array([3.0, 4.0]), requires_grad=True)
    y = a * b
    ga, gb = mg.grad(y.sum(), [a, b])
    assert (y.dtype, ga.dtype, gb.dtype) == ("float64", "float32", "float64")


def test_changing_the_dtype():
    x = leaf(1.5, 0.0)
    assert x.double().dtype == x.to("float64").dtype == x.to(dtype=np.float64).dtype == "float64"
    assert x.double().float().dtype == "float32" and x.float() is x
    assert x.long().tolist() == [1, 0] and x.long().dtype == "int64"
    assert x.bool().tolist() == [True, False] and x.to(mg.zeros(1, dtype="int64")).dtype == "int64"
    (g,) = mg.grad((x.double() * 2).sum(), x)
    assert g.dtype == "float32" and g.tolist() == [2, 2]
    assert x.to(x.device) is x


# ----------------------------------------------------------------------------------- what it holds


def test_attributes():
    x = mg.zeros(2, 3, requires_grad=True)
    assert x.shape == x.size() == (2, 3) and x.size(-1) == 3 and x.numel() == 6
    assert x.ndim == x.dim() == 2 and len(x) == 2 and x.device == mg.zeros(1).device
    assert x.is_leaf and not (x + 1).is_leaf and x.grad is None
    assert x.T.shape == (3, 2) and mg.zeros(4, 2, 3).mT.shape == (4, 3, 2)


@pytest.mark.host
def test_memory_is_shared_unless_asked():
    a = np.zeros(2)
    assert Tensor(a).array is a and Tensor(a).numpy() is a
    assert not np.shares_memory(mg.tensor(a).array, a)
    x = leaf(1.0)
    assert not np.shares_memory(mg.tensor(x).array, x.array)
    assert not np.shares_memory(x.clone().array, x.array) and not x.clone().is_leaf
    assert x.contiguous() is x and mg.tensor([True]).clone().dtype == bool


def test_leaving_python_and_numpy():
    assert mg.tensor(2.5).item() == float(mg.tensor(2.5)) == 2.5
    assert int(mg.tensor([3])) == 3 and bool(mg.tensor(1)) and not bool(mg.tensor(0.0))
    assert [10, 20, 30][mg.tensor(2)] == 30 and list(range(mg.tensor(2))) == [0, 1]
    assert mg.tensor([[1, 2]]).tolist() == [[1, 2]]
    assert np.asarray(mg.tensor([1, 2])).tolist() == [1, 2]
    assert np.array(mg.tensor([1, 2]), dtype="float64").dtype == "float64"
    assert [row.tolist() for row in mg.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    first, second = mg.tensor([5, 6])
    assert (first.item(), second.item()) == (5, 6)


@pytest.mark.parametrize(
    "f, error, message",
    [
        (lambda: mg.zeros(2).item(), ValueError, r"exactly one element, got shape \(2,\)"),
        (lambda: bool(mg.zeros(2)), ValueError, "exactly one element"),
        (lambda: len(mg.tensor(1.0)), TypeError, "without axes"),
        (lambda: list(mg.tensor(1.0)), TypeError, "without axes"),
        (lambda: range(mg.tensor(1.5)), TypeError, "integer"),
        (lambda: leaf(1.0).numpy(), RuntimeError, r"use tensor.detach\(\).numpy\(\)"),
        (lambda: np.asarray(leaf(1.0)), RuntimeError, "requires grad"),
        (lambda: mg.tensor("text"), TypeError, "expected numbers"),
        (lambda: mg.tensor([1.0]) + "text", TypeError, "got str: 'text'"),
        (lambda: mg.tensor([1.0]) + None, TypeError, "got NoneType"),
        (lambda: mg.add(mg.tensor([1.0]), [1.0]), TypeError, "got list"),
        (lambda: mg.tensor([1.0]) < None, TypeError, "got NoneType"),
        (lambda: mg.tensor([1.0]).no_such_name, AttributeError, "no_such_name"),
    ],
)
def test_errors_say_what_was_wrong(f, error, message):
    with pytest.raises(error, match=message):
        f()


def test_a_typo_is_no_new_attribute():
    with pytest.raises(AttributeError):
        mg.zeros(3).gard = None


@pytest.mark.host
def test_repr():
    x = leaf(1.0, 2.0)
    assert repr(x) == "tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=mul)"
    assert repr(mg.tensor([1, 2])) == "tensor([1, 2])"
    assert repr(mg.tensor(1.5)) == "tensor(1.5)"
    assert repr(mg.zeros(1, dtype="float64")) == "tensor([0.], dtype=float64)"
    assert repr(Parameter([1.0])).startswith("Parameter containing:\ntensor([1.]")
    assert len(repr(mg.zeros(100, 100))) < 1000


def test_equality_is_by_element_and_hash_by_identity():
    x, y = mg.tensor([1.0, 2.0]), mg.tensor([1.0, 3.0])
    assert (x == y).tolist() == [True, False] and (x != y).tolist() == [False, True]
    assert (x == None) is False and (x != None) is True  # noqa: E711
    assert (x == "text") is False
    assert len({x, y, x}) == 2 and {x: "x"}[x] == "x"


def test_deepcopy():
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    p = Parameter(np.ones(2))
    shared, twice, q = copy.deepcopy([x, x, p])
    assert shared is twice and shared is not x and type(q) is type(p) and q.requires_grad
    assert shared.tolist() == x.tolist() and shared.grad.tolist() == [2, 4]
    assert not np.shares_memory(shared.array, x.array)
    assert not np.shares_memory(shared.grad.array, x.grad.array)
    with pytest.raises(RuntimeError, match="only leaf tensors"):
        copy.deepcopy(x * 2)


def test_parameters_require_grad():
    assert (
        Parameter([1.0]).requires_grad and not Parameter([1.0], requires_grad=False).requires_grad
    )
    assert isinstance(Parameter([1.0]), Tensor)


@pytest.mark.host
def test_numpy_on_the_left_asks_the_tensor():
    a, x = np.array([1.0, 2.0], "float32"), leaf(3.0, 4.0)
    for y in (a * x, a + x, a - x, a / x, a @ x, a**x, np.float32(2) * x, np.float64(2) - x):
        assert isinstance(y, Tensor) and y.requires_grad and y.dtype == "float32"
    assert isinstance(a == x, Tensor) and isinstance(a < x, Tensor)
    with pytest.raises(TypeError):
        np.exp(x)


# ---------------------------------------------------------------------------------------- backward


def test_backward_twice_adds():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [2, 4]
    y.backward()
    assert x.grad.tolist() == [4, 8]
    assert x.grad.dtype == "float32" and not x.grad.requires_grad


@pytest.mark.host
def test_backward_from_a_given_gradient():
    x = leaf(1.0, 2.0)
    (x * 3).backward(mg.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3, 30]
    (x * 3).backward(np.array([1.0, 1.0]))  # float64 is brought to the output's dtype
    assert x.grad.tolist() == [6, 33] and x.grad.dtype == "float32"


def test_backward_fills_leaves_only():
    x, w = leaf(2.0), leaf(3.0)
    hidden = x * w
    constant = mg.tensor([5.0])
    (hidden * constant).backward()
    assert x.grad.tolist() == [15] and w.grad.tolist() == [10]
    assert hidden.grad is None and constant.grad is None


def test_backward_of_a_leaf_and_through_no_operation():
    x = leaf(2.0)
    x.backward()
    assert x.grad.tolist() == [1]


def test_backward_with_create_graph_can_be_differentiated():
    x = leaf(3.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.item() == 27 and x.grad.requires_grad
    (second,) = mg.grad(x.grad, x)
    assert second.item() == 18


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_are_not_the_same_memory(create_graph):
    a, b, start = leaf(1.0, 2.0), leaf(3.0, 4.0), mg.ones(2)
    (a + b).backward(start, create_graph=create_graph)
    a.grad.array[...] = 7
    assert b.grad.tolist() == [1, 1] and start.tolist() == [1, 1]


def test_users_arrays_are_left_alone():
    values, start = np.ones(2), np.full(2, 3.0)
    x = Tensor(values, requires_grad=True)
    for _ in range(3):
        (x + 0).backward(Tensor(start))
    assert x.grad.tolist() == [9, 9]
    assert values.tolist() == [1, 1] and start.tolist() == [3, 3]
    old = x.grad
    (x + 0).backward(Tensor(start))
    assert old.tolist() == [9, 9]  # a gradient that the user kept does not change either


def test_gradients_that_were_kept_do_not_change():
    """Three losses, zero_grad between: what was put aside stays what it was."""
    w = leaf(1.0, 2.0)
    optimizer, kept = mg.optim.Adam([w]), []
    for k in (1.0, 2.0, 3.0):
        optimizer.zero_grad()
        (k * (w * w).sum()).backward()
        kept.append(w.grad)
    assert [g.tolist() for g in kept] == [[2, 4], [4, 8], [6, 12]]
    (w * w).sum().backward()
    assert kept[2].tolist() == [6, 12] and w.grad.tolist() == [8, 16]


def test_views_taken_before_an_optimiser_was_made_stay_views():
    w = leaf(1.0, 2.0)
    view, data, array = w.detach(), w.data, w.array
    optimizer = mg.optim.SGD([w], lr=1.0)
    w.sum().backward()
    optimizer.step()
    assert w.tolist() == view.tolist() == data.tolist() == array.tolist() == [0, 1]


def test_changes_are_seen_by_whichever_name_they_are_made():
    """One version for a memory, shared by views, as in PyTorch."""
    for change in (
        lambda w: w.data.__imul__(2),
        lambda w: w.detach().__iadd__(1),
        lambda w: w.data.view(2, 1).__imul__(2),
    ):
        w = leaf(1.0, 2.0)
        y = (w * w).sum()
        change(w)
        with pytest.raises(RuntimeError, match="changed in place"):
            y.backward()


# ------------------------------------------------------------------------------------------- graphs


def test_one_tensor_many_uses():
    x = leaf(3.0)
    assert mg.grad(x * x, x)[0].item() == 6
    assert mg.grad(x + x + x, x)[0].item() == 3
    assert mg.grad(x * x * x - x / x, x)[0].item() == 27
    assert mg.grad(sum((x for _ in range(50)), mg.zeros(1)), x)[0].item() == 50


def test_diamonds():
    """Every level doubles the number of paths; each tensor is still visited once."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    assert mg.grad(y, x)[0].item() == 2.0**60
    a, b = x * 2, x * 3
    assert mg.grad(a * b + a / b, x)[0].item() == 12


def test_two_outputs():
    x = leaf(2.0)
    a, b = x * x, 3 * x
    assert mg.grad([a, b], x)[0].item() == 7
    assert mg.grad([a, b], [x], [mg.tensor([10.0]), None])[0].item() == 43
    a.backward()
    b.backward()
    assert x.grad.item() == 7
    assert mg.grad([a, a], x)[0].item() == 8


@pytest.mark.host
def test_views_and_constants_mix():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x[0] * x.T[1] + x.sum() * np.array([1.0, 2.0], "float32")
    assert mg.grad(y.sum(), x)[0].tolist() == [[5, 8], [3, 5]]


def test_detach_shares_memory_and_stops_gradients():
    x = leaf(3.0)
    y = x * x
    d = y.detach()
    assert d.array is y.array and d.is_leaf and not d.requires_grad
    assert mg.grad(x * d, x)[0].item() == 9


def test_leaves_can_stop_and_start_requiring_grad():
    x, w = leaf(1.0), leaf(2.0)
    assert x.requires_grad_(False) is x and not x.requires_grad
    y = x * w
    y.backward()
    assert x.grad is None and w.grad.item() == 1
    with pytest.raises(RuntimeError, match=r"use .detach\(\)"):
        y.requires_grad_(False)


# --------------------------------------------------------------------------------------------- grad


def test_grad_leaves_every_grad_alone():
    x, w = leaf(2.0), leaf(3.0)
    (x * w).backward()
    before = x.grad, w.grad
    gx, gw = mg.grad(x * w, (x, w))
    assert (gx.item(), gw.item()) == (3, 2)
    assert x.grad is before[0] and w.grad is before[1] and x.grad.item() == 3


def test_grad_of_intermediate_tensors():
    x = leaf(2.0)
    h = x * x
    y = h * x + h
    gh, gx = mg.grad(y, [h, x])
    assert (gh.item(), gx.item()) == (3, 16)
    assert mg.grad(y, y)[0].item() == 1
    assert [g.item() for g in mg.grad(y, [x, x, h])] == [16, 16, 3]


def test_grad_of_grad_of_grad():
    x = leaf(2.0)
    y = x**4
    for expected in (32, 48, 48, 24):
        (y,) = mg.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_gradient_penalty():
    """The use that needs second derivatives: the norm of an input gradient, in a loss."""
    w, x = leaf(3.0, 4.0), leaf(1.0, 2.0)
    (g,) = mg.grad((w * x * x).sum(), x, create_graph=True)  # 2 w x
    penalty = (g.norm() - 1) ** 2
    penalty.backward()
    values = 2 * w.array * x.array
    length = np.sqrt((values**2).sum())
    np.testing.assert_allclose(
        w.grad.numpy(), 2 * (length - 1) / length * values * 2 * x.array, rtol=1e-6
    )


def test_the_graph_stays_for_a_second_pass():
    x = leaf(2.0)
    y = mg.exp(x) * x
    first = mg.grad(y, x)[0].item()
    y.backward()
    y.backward()
    assert mg.grad(y, x)[0].item() == first and x.grad.item() == pytest.approx(2 * first)


def test_unused_inputs():
    x, z = leaf(1.0), leaf(2.0)
    assert mg.grad(x * 2, [x, z], allow_unused=True)[1] is None
    with pytest.raises(RuntimeError, match=r"input 1 was not used .* allow_unused=True"):
        mg.grad(x * 2, [x, z])
    assert mg.grad(mg.sign(x), x)[0].item() == 0  # used, though flat


def test_only_what_was_asked_for_is_computed():
    calls = []

    def rule(g, y, x):
        calls.append(1)
        return g

    probe = op(rule, latex=r"\bar x = \bar y")(lambda x: x + 0)
    x, w = leaf(1.0), leaf(2.0)
    y = probe(x) * w
    mg.grad(y, w)
    assert not calls
    mg.grad(y, x)
    assert calls == [1]


@pytest.mark.parametrize(
    "f, error, message",
    [
        (lambda x: (x * 2).backward(), RuntimeError, r"the output has shape \(2,\)"),
        (lambda x: mg.grad(x * 2, x), RuntimeError, r"reduce it with .sum\(\) or .mean\(\)"),
        (lambda x: (x * 2).backward(mg.ones(3)), ValueError, r"shape \(2,\), got \(3,\)"),
        (lambda x: mg.grad(x * 2, x, mg.ones(1)), ValueError, r"shape \(2,\), got \(1,\)"),
        (lambda x: mg.grad([x, x], x, [mg.ones(2)]), ValueError, "2 grad_outputs, .* got 1"),
        (lambda x: mg.zeros(1).backward(), RuntimeError, "does not depend on any requires_grad"),
        (lambda x: mg.grad(x.sum(), mg.zeros(1)), RuntimeError, "does not require grad"),
        (lambda x: mg.grad(mg.zeros(1), x), RuntimeError, "was not used"),
    ],
)
def test_errors_of_differentiation(f, error, message):
    with pytest.raises(error, match=message):
        f(leaf(1.0, 2.0))


# ---------------------------------------------------------------------------------------- recording


def test_no_grad_as_context():
    x = leaf(1.0)
    with mg.no_grad():
        assert not (x * 2).requires_grad and not mg.is_grad_enabled()
        with mg.enable_grad():
            assert (x * 2).requires_grad
            with mg.no_grad():
                assert not mg.is_grad_enabled()
            assert mg.is_grad_enabled()
        assert not mg.is_grad_enabled()
    assert (x * 2).requires_grad and mg.is_grad_enabled()


def test_no_grad_as_decorator():
    @mg.no_grad()
    def double(x):
        """Twice x."""
        return x * 2 if mg.is_grad_enabled() is False else None

    @mg.enable_grad()
    def record(x):
        return x * 2

    x = leaf(1.0)
    assert not double(x).requires_grad and not double(x).requires_grad
    assert double.__name__ == "double" and double.__doc__ == "Twice x."
    with mg.no_grad():
        assert record(x).requires_grad
    assert mg.is_grad_enabled()


def test_recording_goes_on_after_an_exception():
    @mg.no_grad()
    def fails():
        raise KeyError

    with pytest.raises(KeyError), mg.no_grad(), mg.enable_grad():
        raise KeyError
    with pytest.raises(KeyError):
        fails()
    assert mg.is_grad_enabled()


def test_one_context_object_can_be_nested():
    quiet = mg.no_grad()
    with quiet:
        with quiet:
            pass
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()


def broken(rule):
    return op(rule, latex=r"\bar x = ?")(lambda x: x * 1)


def test_recording_goes_on_after_a_rule_failed():
    def rule(g, y, x):
        raise KeyError

    x = leaf(1.0)
    with pytest.raises(KeyError):
        broken(rule)(x).backward()
    assert mg.is_grad_enabled() and x.grad is None


def test_gradients_inside_no_grad():
    x = leaf(3.0)
    y = x * x
    with mg.no_grad():
        assert mg.grad(y, x)[0].item() == 6
        (g,) = mg.grad(y, x, create_graph=True)
    assert g.requires_grad


# -------------------------------------------------------------------------------- rules by the user


def test_a_function_of_ones_own():
    @op(lambda g, y, x, power: g * power * x ** (power - 1), latex=r"\bar x = \bar y n x^{n-1}")
    def power(x, *, power):
        return x**power

    x = leaf(2.0)
    y = power(x, power=3)
    (g,) = mg.grad(y, x, create_graph=True)
    assert y.item() == 8 and g.item() == 12 and mg.grad(g, x)[0].item() == 12
    assert power(np.array(2.0), power=3) == 8 and repr(y).endswith("grad_fn=power)")


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("shape", [(3,), (2, 1), (2, 3), (1,), ()])
def test_a_rule_of_the_wrong_shape_is_not_hidden(shape, create_graph):
    """Only a shape that broadcasting could have made of the input's is summed back to it."""

    def rule(g, y, x):
        return mg.ones(shape) if create_graph else np.ones(shape, "float32")

    x = leaf(1.0, 2.0)
    y = broken(rule)(x).sum()
    with pytest.raises(AssertionError, match=r"rule of <lambda>: shape .* for input \(2,\)"):
        mg.grad(y, x, create_graph=create_graph)


def test_inputs_without_a_rule_have_no_gradient():
    pick = op(None, lambda g, y, i, x: g, latex=r"\bar x = \bar y")(lambda i, x: x + 0 * i)
    i, x = leaf(1.0), leaf(2.0)
    gi, gx = mg.grad(pick(i, x), [i, x], allow_unused=True)
    assert gi is None and gx.item() == 1


# ---------------------------------------------------------------------------------- life and death


@pytest.fixture
def collector_off():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def deep(x):
    """A small network, and a weak reference to a tensor in the middle of its graph."""
    hidden = mg.tanh(x @ mg.ones(2, 2, requires_grad=True))
    y = (mg.softmax(hidden, -1) * hidden).sum()
    return y, weakref.ref(hidden)


def forward(x):
    return deep(x)


def after_backward(x):
    y, hidden = deep(x)
    y.backward()
    return y, hidden


def after_grad(x):
    y, hidden = deep(x)
    return mg.grad(y, x), y, hidden


def after_second_order(x):
    y, hidden = deep(x)
    (g,) = mg.grad(y, x, create_graph=True)
    mg.grad((g * g).sum(), x)
    return g, hidden


def after_an_exception(x):
    y, hidden = deep(x)
    try:
        mg.grad(broken(lambda g, y, x: g[None].sum(5))(y), x, create_graph=True)
    except IndexError:
        return y, hidden
    raise AssertionError("the rule should have failed")


def after_no_shape(x):
    y, hidden = deep(x)
    try:
        y + mg.zeros(3, 3) @ mg.zeros(4, 4)
    except ValueError:
        return y, hidden
    raise AssertionError("the shapes should have failed")


@pytest.mark.parametrize(
    "use",
    [forward, after_backward, after_grad, after_second_order, after_an_exception, after_no_shape],
)
def test_a_dead_graph_is_freed_by_reference_counting_alone(use, collector_off):
    x = mg.ones(3, 2, requires_grad=True)
    *results, hidden = use(x)
    assert hidden() is not None
    del results
    assert hidden() is None


@pytest.mark.host
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_chain_of_50_000_operations(create_graph, collector_off):
    """No recursion: neither to sort, nor to walk back, nor to free."""
    start = time.perf_counter()
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + x
    middle = weakref.ref(y.inputs[0])
    (g,) = mg.grad(y, x, create_graph=create_graph)
    assert g.item() == 50_001
    if not create_graph:
        y.backward()
        assert x.grad.item() == 50_001
    del y, g
    assert middle() is None
    assert time.perf_counter() - start < 20


# ------------------------------------------------------------------------------------- in place


def test_a_leaf_is_updated_in_place_under_no_grad():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    memory, same = w.array, w
    (w * w).sum().backward()
    with mg.no_grad():
        w -= 0.5 * w.grad
    assert w is same and w.array is memory and w.requires_grad
    np.testing.assert_array_equal(w.array, [0, 0])
    with mg.no_grad():
        w += 3
        w *= 2
        w /= 4
    np.testing.assert_array_equal(w.array, [1.5, 1.5])


def test_a_leaf_that_requires_grad_is_not_changed_while_recording():
    w = mg.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="only inside `with no_grad"):
        w -= 1


def test_a_graph_that_used_the_old_value_is_refused():
    w = mg.tensor([1.0], requires_grad=True)
    loss = (w * w).sum()
    with mg.no_grad():
        w -= 0.1
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_what_was_computed_is_not_changed_in_place():
    w = mg.tensor([1.0], requires_grad=True)
    y = before = w * 2
    y += 1
    y.sum().backward()
    assert before.item() == 2 and y.item() == 3 and w.grad.item() == 2


def test_a_single_element_is_formatted_as_a_number():
    assert f"{mg.tensor(1.25):.1f}" == "1.2" and "1.25" in f"{mg.tensor([1.25, 2])}"
    with pytest.raises(ValueError, match="exactly one element"):
        bool(mg.tensor([1.0, 2.0]))


def test_a_sum_of_losses_keeps_its_graph():
    w, total = mg.tensor([2.0], requires_grad=True), mg.tensor(0.0)
    for _ in range(3):
        total += (w * w).sum()
    total.backward()
    assert total.item() == 12 and w.grad.item() == 12


def test_integers_are_not_changed_to_fractions_in_place():
    count = same = mg.tensor([1, 2])
    count += 1
    assert count is same and count.tolist() == [2, 3]
    with pytest.raises(TypeError, match="int64 can not hold fractions"):
        count += 0.5
    assert count.tolist() == [2, 3]
