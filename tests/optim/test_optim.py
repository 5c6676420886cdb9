"""The optimisers' buffers, state and manners; the digits are compared with PyTorch in parity/."""

import copy
import gc
import math

import numpy as np
import pytest

import minigan as mg
from minigan.fast.numpy import optim as fast
from minigan.optim import SGD, Adam, AdamW, RMSprop, lr_scheduler

SHAPES = [(4, 3), (4,), (2, 2, 2), (), (5,)]

# every branch of every rule
RULES = {
    "SGD": lambda ps: SGD(ps, 0.1),
    "SGD momentum": lambda ps: SGD(ps, 0.1, 0.9, dampening=0.2, weight_decay=0.1, maximize=True),
    "SGD Nesterov": lambda ps: SGD(ps, 0.1, 0.9, nesterov=True),
    "RMSprop": lambda ps: RMSprop(ps, weight_decay=0.1),
    "RMSprop centered": lambda ps: RMSprop(ps, momentum=0.9, centered=True, maximize=True),
    "Adam": lambda ps: Adam(ps, 0.01),
    "Adam GAN": lambda ps: Adam(ps, 0.01, (0.5, 0.9), weight_decay=0.1, maximize=True),
    "Adam GP": lambda ps: Adam(ps, 0.01, (0, 0.9), amsgrad=True),
    "AdamW": lambda ps: AdamW(ps, 0.01, amsgrad=True),
}


def parameters(dtype="float64", shapes=SHAPES):
    rng = np.random.default_rng(3)
    return [mg.Parameter(np.asarray(rng.standard_normal(s), dtype)) for s in shapes]


def gradients(params, seed, missing=()):
    """Set every ``.grad`` to random numbers, but to None where a number is in ``missing``."""
    rng = np.random.default_rng(seed)
    for i, p in enumerate(params):
        g = np.asarray(rng.standard_normal(p.shape), p.dtype)
        p.grad = None if i in missing else mg.Tensor(g)


def backward(params, seed=0):
    """Random gradients again, but through the engine."""
    rng = np.random.default_rng(seed)
    draws = [np.asarray(rng.standard_normal(p.shape), p.dtype) for p in params]
    sum((p * mg.Tensor(d)).sum() for p, d in zip(params, draws, strict=True)).backward()


def values(params):
    return [p.array.copy() for p in params]


def assert_equal(xs, ys):
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_array_equal(x, y, strict=True)


# -------------------------------------------------------------------------------- the update rules


def plain_update(kind, s, p, g, state):
    """The textbook update of one parameter, out of place: what the flat one must equal."""
    state["t"] = t = state.get("t", 0) + 1
    zero = np.zeros_like(p)
    g = -g if s["maximize"] else g
    if kind is AdamW:
        p = p * (1 - s["lr"] * s["weight_decay"])
    elif s["weight_decay"]:
        g = g + p * s["weight_decay"]

    def mean(name, new, keep):  # PyTorch's lerp: from the nearer end
        old = state.get(name, zero)
        state[name] = old + (new - old) * (1 - keep) if keep > 0.5 else new - (new - old) * keep
        return state[name]

    def mean_square(name, keep):
        state[name] = state.get(name, zero) * keep + g * (1 - keep) * g
        return state[name]

    if kind is SGD:
        mu = s["momentum"]
        if mu:
            b = state["b"] = g if t == 1 else state["b"] * mu + g * (1 - s["dampening"])
            g = g + b * mu if s["nesterov"] else b
        return p + g * -s["lr"]
    if kind is RMSprop:
        v = mean_square("v", s["alpha"])
        if s["centered"]:
            v = v - mean("m", g, s["alpha"]) ** 2
        root = np.sqrt(v) + s["eps"]
        if s["momentum"]:
            state["b"] = state.get("b", zero) * s["momentum"] + g / root
            return p + state["b"] * -s["lr"]
        return p + g * -s["lr"] / root
    beta1, beta2 = s["betas"]
    m, v = mean("m", g, beta1), mean_square("v", beta2)
    if s["amsgrad"]:
        v = state["top"] = np.maximum(state.get("top", zero), v)
    root = np.sqrt(v) / math.sqrt(1 - beta2**t) + s["eps"]
    return p + m * (-s["lr"] / (1 - beta1**t)) / root


def follow_the_textbook(rule, dtype, same):
    """Also when gradients are missing now and then."""
    params = parameters(dtype)
    expected, states = values(params), [{} for _ in params]
    opt = RULES[rule](params)
    for i in range(12):
        gradients(params, i, missing={i % 7, (i * i) % 5} if i % 3 else ())
        for k, p in enumerate(params):
            if p.grad is not None:
                g, settings = p.grad.array.copy(), opt.param_groups[0]
                expected[k] = plain_update(type(opt), settings, expected[k], g, states[k])
        opt.step()
        same(values(params), [np.asarray(e) for e in expected])


def nearly_equal(xs, ys):
    for x, y in zip(xs, ys, strict=True):
        assert x.dtype == y.dtype
        scale = 50 * np.finfo(x.dtype).eps
        np.testing.assert_allclose(x, y, rtol=scale, atol=scale)


@pytest.mark.twins
@pytest.mark.host
@pytest.mark.parametrize("block, small", [(1, 0), (7, 0), (1 << 16, 0), (1 << 16, 6), (7, 99)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_updates_in_place_equal_the_textbook_bit_for_bit(rule, dtype, block, small, monkeypatch):
    """However the blocks fall, and whichever parameters are gathered."""
    monkeypatch.setattr(fast, "BLOCK", block)
    monkeypatch.setattr(fast, "SMALL", small)
    follow_the_textbook(rule, dtype, assert_equal)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_the_rules_are_the_textbooks(rule, dtype):
    with mg.plain():
        follow_the_textbook(rule, dtype, nearly_equal)
    follow_the_textbook(rule, dtype, nearly_equal)


@pytest.mark.parametrize("rule", RULES)
def test_the_same_steps_give_the_same_bits(rule):
    results = []
    for _ in range(2):
        params = parameters("float32")
        opt = RULES[rule](params)
        for i in range(10):
            gradients(params, i)
            opt.step()
        results.append(values(params))
    assert_equal(*results)


@pytest.mark.parametrize("rule", RULES)
def test_gradients_are_not_changed_by_a_step(rule):
    params = parameters()
    opt = RULES[rule](params)
    backward(params)
    before = [p.grad.array.copy() for p in params]
    opt.step()
    assert_equal([p.grad.array for p in params], before)


@pytest.mark.parametrize("rule", RULES)
def test_a_parameter_without_gradient_is_skipped_one_with_zero_gradient_is_not(rule):
    params = parameters()
    opt = RULES[rule](params)
    for i in range(3):
        gradients(params, i, missing={1})
        opt.step()
    before = values(params)
    assert_equal([before[1]], [parameters()[1].array])
    assert params[1] not in opt.state
    opt.zero_grad()
    opt.step()  # nothing has a gradient
    assert_equal(values(params), before)
    gradients(params, 4)
    opt.zero_grad(set_to_none=False)
    opt.step()
    moves = not np.array_equal(params[0].array, before[0])
    assert moves == (rule not in ("SGD", "Adam GP"))  # which have no momentum and no decay


def test_adams_first_step_has_the_length_of_the_learning_rate():
    """m̂ = g and v̂ = g² at t = 1, so every parameter moves by lr, however late its first step."""
    params = parameters()
    opt = Adam(params, lr=0.25, eps=0)
    for i in range(5):
        gradients(params, i, missing={2})
        opt.step()
    before = params[2].array.copy()
    gradients(params, 9)
    opt.step()
    np.testing.assert_allclose(np.abs(params[2].array - before), 0.25, rtol=1e-14)
    assert [opt.state[p]["step"] for p in params] == [6, 6, 1, 6, 6]


@pytest.mark.twins
@pytest.mark.host
def test_averages_that_fade_to_denormals_become_zero_unless_eps_is_tiny():
    for eps, kept in ((1e-8, 0), (0, 1)):
        p = mg.Parameter(np.ones(3, "float32"))
        opt = Adam([p], eps=eps)
        for i in range(128):
            p.grad = mg.Tensor(np.array([1e-20, 1e-3, 1], "float32"))
            assert i == 0 or opt.state[p]["exp_avg_sq"][0] > 0
            opt.step()
        m, v = opt.state[p]["exp_avg"], opt.state[p]["exp_avg_sq"]
        assert (v != 0).tolist() == [bool(kept), True, True] and m.all()


def test_step_calls_a_closure_and_returns_its_loss():
    (p,) = parameters(shapes=[(3,)])
    opt = SGD([p], lr=0.5)
    start = p.array.copy()

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mg.no_grad():
        loss = opt.step(closure)
    assert loss.item() == pytest.approx((start**2).sum())
    np.testing.assert_allclose(p.array, 0, atol=1e-15)
    assert SGD([p]).step() is None


# ------------------------------------------------------------------------ parameters stay in place


def test_parameters_stay_where_they_are():
    params = parameters()
    arrays = [p.array for p in params]
    opt = Adam(params)
    for i in range(3):
        opt.zero_grad()
        gradients(params, i)
        opt.step()
        assert all(p.array is a for p, a in zip(params, arrays, strict=True))


@pytest.mark.twins
@pytest.mark.host
def test_many_small_parameters_are_updated_together(monkeypatch):
    """A pass over an array costs the same for one element as for a thousand."""
    calls = []
    rule = fast._IN_PLACE[Adam.rule]
    counting = lambda rates, p, *rest: (calls.append(p.size), rule(rates, p, *rest))  # noqa: E731
    monkeypatch.setitem(fast._IN_PLACE, Adam.rule, counting)
    params = parameters(shapes=[(3,)] * 40)
    opt = Adam(params)
    gradients(params, 0)
    opt.step()
    assert calls == [120]
    gradients(params, 1, missing={10})
    opt.step()  # one by one where they differ
    assert calls[1:] == [3] * 39
    gradients(params, 2)
    opt.step()  # the tenth is a step behind
    assert calls[40:] == [3] * 40


@pytest.mark.twins
@pytest.mark.host
def test_an_optimiser_that_is_gone_leaves_nothing_behind():
    params = parameters()
    opt = Adam(params)
    gradients(params, 0)
    opt.step()
    gc.collect()  # of what other tests left
    known = len(fast._homes)
    del opt
    gc.collect()
    assert len(fast._homes) == known - 1


def test_dtypes_may_be_mixed():
    params = parameters("float32", [(3,), (2, 2)]) + parameters("float64", [(4,)])
    params = [params[0], params[2], params[1]]
    opt = Adam(params, lr=0.1)
    alone = [mg.Parameter(p.array.copy()) for p in params]
    opts = [Adam([p], lr=0.1) for p in alone]
    for i in range(3):
        gradients(params, i)
        gradients(alone, i)
        for o in (opt, *opts):
            o.step()
    assert_equal(values(params), values(alone))


def test_zero_grad():
    params = parameters()
    opt = SGD(params)
    backward(params)
    gradient = params[0].grad
    opt.zero_grad(set_to_none=False)
    assert all((p.grad.array == 0).all() and p.grad.shape == p.shape for p in params)
    backward(params)
    assert gradient is not params[0].grad
    opt.zero_grad()
    assert all(p.grad is None for p in params)
    opt.zero_grad(set_to_none=False)  # None stays None
    assert all(p.grad is None for p in params)


# ------------------------------------------------------------------- when others rebind the arrays


def rebind(how, params):
    if how == "copy":
        for p in params:
            p.data = p.array.copy()
    elif how == "one":
        params[2].data = params[2].array + 1
    elif how == "transposed":
        params[0].data = params[0].array.T.copy().T
    elif how == "clip":  # WGAN's weight clipping
        for p in params:
            p.data = p.array.clip(-0.5, 0.5)
    elif how == "reversed":
        params[4].data = params[4].array[::-1]
    elif how == "grad":
        params[0].grad = mg.Tensor(params[0].grad.array * 2)
    elif how == "grad view":
        params[4].grad = mg.Tensor(params[4].grad.array[::-1])


@pytest.mark.parametrize("rule", ["SGD momentum", "Adam"])
@pytest.mark.parametrize(
    "how", ["copy", "one", "transposed", "clip", "reversed", "grad", "grad view"]
)
def test_rebound_arrays_are_noticed(how, rule):
    """The same things, done between steps to parameters with one optimiser each."""
    params, alone = parameters(), parameters()
    opt, opts = RULES[rule](params), [RULES[rule]([p]) for p in alone]
    for i in range(4):
        backward(params, i)
        gradients(alone, i)
        rebind(how, params)
        rebind(how, alone)
        plain = [p.array.copy() for p in params]
        assert_equal(plain, values(alone))
        opt.step()
        for o in opts:
            o.step()
        assert_equal(values(params), values(alone))
        assert not np.array_equal(params[0].array, plain[0])
        opt.zero_grad()


def test_swapped_arrays_are_swapped():
    p, q = parameters(shapes=[(3,), (3,)])
    opt = SGD([p, q], lr=1)
    backward([p, q])
    a, b, g, h = p.array.copy(), q.array.copy(), p.grad.array.copy(), q.grad.array.copy()
    p.array, q.array = q.array, p.array
    p.grad, q.grad = q.grad, p.grad
    opt.step()
    assert_equal([p.array, q.array], [b - h, a - g])


@pytest.mark.parametrize("zero_grad_first", [True, False])
def test_a_module_may_change_dtype_between_steps(zero_grad_first):
    net = mg.nn.Linear(3, 2)
    opt = Adam(net.parameters(), lr=0.1)
    x = mg.randn(4, 3)
    (net(x) ** 2).sum().backward()
    opt.step()
    average = opt.state[net.weight]["exp_avg"].astype("float64")
    opt.zero_grad()
    net.double()
    if zero_grad_first:
        opt.zero_grad()
    (net(mg.Tensor(x.array.astype("float64"))) ** 2).sum().backward()
    assert net.weight.grad.dtype == np.float64
    opt.step()
    state = opt.state[net.weight]
    assert net.weight.dtype == state["exp_avg"].dtype == np.float64 and state["step"] == 2
    np.testing.assert_allclose(state["exp_avg"], 0.9 * average + 0.1 * net.weight.grad.array)


def test_a_gradient_with_create_graph_is_used():
    (p,) = parameters(shapes=[(3,)])
    start = p.array.copy()
    opt = SGD([p], lr=0.1)
    (p**3).sum().backward(create_graph=True)
    assert p.grad.op is not None
    opt.step()
    np.testing.assert_allclose(p.array, start - 0.1 * 3 * start**2)
    opt.zero_grad(set_to_none=False)
    assert p.grad.op is None and (p.grad.array == 0).all()


def test_gradients_from_before_the_optimiser_was_made_count():
    (p,) = parameters(shapes=[(3,)])
    start = p.array.copy()
    (p * 2).sum().backward()
    SGD([p], lr=1).step()
    np.testing.assert_array_equal(p.array, start - 2)


@pytest.mark.twins
@pytest.mark.parametrize("zero", [True, False])
def test_two_optimisers_on_the_same_parameters_alternate(zero):
    """As if each parameter had no buffer; the second one holds only some of them."""
    params = parameters()
    expected, states = values(params), [[{} for _ in params] for _ in range(2)]
    both = [(Adam(params, 0.1), range(5)), (SGD(params[1:4], 0.1, 0.9), range(1, 4))]
    for i in range(6):
        backward(params, i)
        for number, (opt, members) in enumerate(both):
            opt.step()
            for k in members:
                g, settings = params[k].grad.array.copy(), opt.param_groups[0]
                expected[k] = plain_update(type(opt), settings, expected[k], g, states[number][k])
            assert_equal(values(params), [np.asarray(e) for e in expected])
        if zero:
            both[i % 2][0].zero_grad()
            params[0].grad = params[4].grad = None


def test_a_deep_copy_of_model_and_optimiser_trains_alone():
    """Unrolled GANs look ahead on a copy of the discriminator and its optimiser."""
    params = parameters()
    opt = Adam(params, lr=0.1)
    gradients(params, 0)
    opt.step()
    before = values(params)
    copies, copied = copy.deepcopy((params, opt))
    for i in (1, 2):
        gradients(copies, i)
        copied.step()
    assert_equal(values(params), before)
    for i in (1, 2):
        gradients(params, i)
        opt.step()
    assert_equal(values(params), values(copies))


# ------------------------------------------------------------------------------------------- state


@pytest.mark.parametrize("through", ["same", "other"])
@pytest.mark.parametrize("rule", RULES)
def test_a_loaded_state_continues_bit_for_bit(rule, through):
    params = parameters("float32")
    opt = RULES[rule](params)
    for i in range(5):
        gradients(params, i, missing={3, 4} if i < 2 else {3})
        opt.step()
    saved, at = copy.deepcopy(opt.state_dict()), values(params)

    def second_half(params, opt):
        for i in range(5, 10):
            gradients(params, i, missing={0} if i == 6 else ())
            opt.step()
        return values(params)

    expected = second_half(params, opt)
    if through == "other":
        params = parameters("float32")
        opt = RULES[rule](params)
        gradients(params, 99)
        opt.step()  # is forgotten
    for p, value in zip(params, at, strict=True):
        p.array = value.copy()
    opt.load_state_dict(saved)
    assert_equal(second_half(params, opt), expected)


def test_a_state_dict_is_a_copy_nested_as_pytorchs():
    params = parameters(shapes=[(2, 3), (3,), (4,)])
    opt = Adam([{"params": params[:2], "lr": 0.5}, {"params": [params[2]]}])
    gradients(params, 0, missing={1})
    opt.step()
    saved = opt.state_dict()
    assert [g["params"] for g in saved["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in saved["param_groups"]] == [0.5, 1e-3]
    assert saved["state"].keys() == {0, 2}
    assert saved["state"][0].keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["state"][0]["step"] == 1 and saved["state"][0]["exp_avg"].shape == (2, 3)
    before = saved["state"][0]["exp_avg"].copy()
    opt.step()
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], before)
    opt.load_state_dict(saved)
    opt.step()
    np.testing.assert_array_equal(saved["state"][0]["exp_avg"], before)
    assert SGD(params).state_dict()["state"] == {}


def test_loading_replaces_settings_and_keeps_parameters():
    params, others = parameters(), parameters()
    opt = Adam(params, lr=0.5, betas=(0.5, 0.9))
    opt.load_state_dict(Adam(others, lr=0.1).state_dict())
    (group,) = opt.param_groups
    assert group["lr"] == 0.1 and group["betas"] == (0.9, 0.999)
    assert all(p is q for p, q in zip(group["params"], params, strict=True))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ps: Adam(ps[:4]), "expected 5 parameters in group 0, got a state dict with 4"),
        (lambda ps: Adam([{"params": ps[:2]}, {"params": ps[2:]}]), "expected 1 parameter groups"),
        (lambda ps: RMSprop(ps), "expected Adam's state .* of parameter 0"),
        (lambda ps: Adam(ps[::-1]), r"of parameter 0 in shape \(4, 3\).* with \(5,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(make, message):
    params, others = parameters(), parameters()
    opt, other = Adam(params), make(others)
    for ps, o in ((params, opt), (others, other)):
        gradients(ps, 0)
        o.step()
    before = copy.deepcopy(opt.state_dict())
    with pytest.raises(ValueError, match=message):
        opt.load_state_dict(other.state_dict())
    after = opt.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i, entry in before["state"].items():
        for name, value in entry.items():
            np.testing.assert_array_equal(after["state"][i][name], value)


# ---------------------------------------------------------------------------- groups and refusals


def test_parameters_come_from_iterables_of_every_kind():
    for params in (
        (p for p in parameters()),
        tuple(parameters()),
        mg.nn.Linear(2, 3).parameters(),
        iter([{"params": parameters()[0]}, {"params": (p for p in parameters())}]),
    ):
        opt = SGD(params, lr=0.1)
        assert all(isinstance(g["params"], list) for g in opt.param_groups)
    assert "lr=0.1" in repr(opt) and "group 1: 5 parameters" in repr(opt)


def test_a_group_that_is_given_is_not_changed_and_settings_may_be_changed_later():
    p, q = parameters(shapes=[(2,), (2,)])
    group = {"params": [p]}
    opt = SGD([group], lr=1)
    opt.add_param_group({"params": q, "lr": 2, "name": "head"})
    assert group == {"params": [p]} and opt.param_groups[1]["name"] == "head"
    opt.param_groups[0]["lr"] = 3
    start = values([p, q])
    p.grad, q.grad = mg.ones(2).double(), mg.ones(2).double()
    opt.step()
    assert_equal([p.array, q.array], [start[0] - 3, start[1] - 2])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (lambda p: [], ValueError, "empty parameter list"),
        (lambda p: p, TypeError, "expected parameters in a fixed order.*got a Parameter"),
        (lambda p: {p}, TypeError, "fixed order.*got a set"),
        (lambda p: [{"params": {p}}], TypeError, "fixed order.*got a set"),
        (lambda p: [{"params": [p]}, {"params": [p]}], ValueError, "more than one group"),
        (lambda p: [p * 2], ValueError, "non-leaf.*computed by mul"),
        (lambda p: [mg.arange(3)], TypeError, "floats.*parameter 0 is int64"),
        (lambda p: [p.array], TypeError, "Tensors.*parameter 0 is a ndarray"),
        (lambda p: [("w", p)], TypeError, r"parameter 0 is a tuple: pass module.parameters\(\)"),
        (lambda p: [{"lr": 1}], TypeError, "expected a dict with 'params'"),
        (lambda p: [{"params": [p], "lr": -1}], ValueError, "Invalid lr: .* got -1"),
    ],
)
def test_wrong_parameters_are_refused(params, error, message):
    (p,) = parameters(shapes=[(3,)])
    with pytest.raises(error, match=message):
        SGD(params(p))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda ps: SGD(ps, lr=-1), "Invalid lr: expected at least 0, got -1"),
        (lambda ps: SGD(ps, lr=float("nan")), "Invalid lr.*nan"),
        (lambda ps: SGD(ps, nesterov=True), "Nesterov momentum requires.*momentum=0"),
        (lambda ps: RMSprop(ps, alpha=-1), "Invalid alpha"),
        (lambda ps: Adam(ps, eps=-1), "Invalid eps"),
        (lambda ps: Adam(ps, betas=(0.9, 1.0)), r"Invalid betas.*in \[0, 1\), got \(0.9, 1.0\)"),
        (lambda ps: AdamW(ps, weight_decay=-1), "Invalid weight_decay"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make(parameters())


def test_gradients_that_do_not_fit_are_refused_before_anything_changes():
    params = parameters()
    opt = SGD(params, lr=1)
    for wrong in (np.ones(1), np.ones(5, "float32")):
        gradients(params, 0)
        params[4].grad = mg.Tensor(wrong)
        before = values(params)
        with pytest.raises(ValueError, match=r"float64 of shape \(5,\) on (cpu|cuda:0), got"):
            opt.step()
        assert_equal(values(params), before)


def test_a_parameter_that_is_listed_twice_is_stepped_twice_and_warned_of():
    """As in PyTorch."""
    (p,) = parameters(shapes=[(3,)])
    with pytest.warns(UserWarning, match="more than once"):
        opt = SGD([p, p], lr=1.0)
    start = p.array.copy()
    gradients([p], 0)
    opt.step()
    np.testing.assert_allclose(p.array, start - 2 * p.grad.array)


def test_hooks_around_a_step():
    """With PyTorch's names and arguments."""
    (p,) = parameters(shapes=[(3,)])
    opt, calls = SGD([p], lr=1.0), []
    before = opt.register_step_pre_hook(
        lambda *args: calls.append(("before", p.array.copy(), args))
    )
    opt.register_step_post_hook(lambda *args: calls.append(("after", p.array.copy(), args)))
    gradients([p], 0)
    start = p.array.copy()
    opt.step()
    assert [name for name, *_ in calls] == ["before", "after"]
    assert_equal([values for _, values, _ in calls], [start, start - p.grad.array])
    assert calls[0][2] == (opt, (None,), {})
    before.remove()
    opt.step()
    assert [name for name, *_ in calls[2:]] == ["after"]


def test_a_parameter_that_changed_its_shape_is_refused():
    params = parameters()
    opt = Adam(params)
    gradients(params, 0)
    opt.step()
    params[4].data = mg.Tensor(np.zeros((5, 1)))
    gradients(params, 1)
    with pytest.raises(ValueError, match=r"shape \(5,\) now has shape \(5, 1\)"):
        opt.step()


# ---------------------------------------------------------------------------------------- schedules


def schedule(make, lr=1.0, epochs=6):
    opt = SGD(parameters(), lr=lr)
    opt.step()
    scheduler = make(opt)
    rates = []
    for _ in range(epochs):
        rates += scheduler.get_last_lr()
        scheduler.step()
    return rates


def test_the_schedules_by_their_formulas():
    halves = schedule(lambda o: lr_scheduler.StepLR(o, 2, 0.5))
    assert halves == [1, 1, 0.5, 0.5, 0.25, 0.25]
    linear = schedule(lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 - epoch / 10), lr=2)
    np.testing.assert_allclose(linear, [2, 1.8, 1.6, 1.4, 1.2, 1])
    cosine = schedule(lambda o: lr_scheduler.CosineAnnealingLR(o, 4, 0.2), epochs=17)
    t = np.arange(17)
    np.testing.assert_allclose(cosine, 0.2 + 0.4 * (1 + np.cos(np.pi * t / 4)), rtol=1e-12)


class Decay:
    """A schedule with a memory."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


@pytest.mark.parametrize(
    "make",
    [
        lambda o, rate=0.5: lr_scheduler.StepLR(o, 3, rate),
        lambda o, rate=0.5: lr_scheduler.CosineAnnealingLR(o, 5),
        lambda o, rate=0.5: lr_scheduler.LambdaLR(o, Decay(rate)),
        lambda o, rate=0.5: lr_scheduler.LambdaLR(o, [lambda epoch: 1 / (epoch + 1)]),
    ],
)
def test_a_loaded_schedule_continues_exactly(make):
    opt = SGD(parameters(), lr=0.3)
    opt.step()
    scheduler = make(opt)
    for _ in range(4):
        scheduler.step()
    saved, saved_opt = copy.deepcopy(scheduler.state_dict()), opt.state_dict()
    assert saved["last_epoch"] == 4 and "optimizer" not in saved
    other_opt = SGD(parameters(), lr=9.0)
    other = make(other_opt, 0.9)
    other_opt.load_state_dict(saved_opt)
    other.load_state_dict(saved)
    for _ in range(10):
        assert other.get_last_lr() == scheduler.get_last_lr()
        assert other_opt.param_groups[0]["lr"] == opt.param_groups[0]["lr"]
        scheduler.step()
        other.step()


def test_schedules_refuse_and_warn():
    opt = SGD(parameters())
    with pytest.raises(TypeError, match="expected an Optimizer, got list"):
        lr_scheduler.StepLR([], 1)
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(opt, 1, last_epoch=3)
    with pytest.raises(ValueError, match="expected 1 lr_lambdas, got 2"):
        lr_scheduler.LambdaLR(opt, [abs, abs])
    scheduler = lr_scheduler.StepLR(opt, 1)
    with pytest.raises(ValueError, match="of 1 parameter groups, got a state dict with 2"):
        scheduler.load_state_dict({**scheduler.state_dict(), "base_lrs": [1, 2]})
    with pytest.warns(UserWarning, match="before optimizer.step"):
        scheduler.step()


# --------------------------------------------------------------- a graph older than the weights


def test_walking_back_through_weights_that_were_updated_since_is_an_error():
    w, b = mg.Parameter(np.ones(2)), mg.Parameter(np.ones(1))
    optimizer = SGD([w, b], 0.1)
    first, second = (w * w).sum(), (w * 3 + b).sum()
    first.backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was changed in place"):
        second.backward()
    with pytest.raises(RuntimeError, match="compute the loss anew"):
        mg.grad(second, w)
    mg.grad((b * b).sum(), b)  # b had no gradient, so it is what it was
    (w * 3 + b).sum().backward()


def test_a_graph_may_be_walked_twice_before_the_step():
    w = mg.Parameter(np.ones(2))
    optimizer = SGD([w], 0.1)
    loss = (w * w).sum()
    loss.backward()
    loss.backward()
    optimizer.step()
    np.testing.assert_allclose(w.detach().numpy(), 1 - 0.1 * 4)
