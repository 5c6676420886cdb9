"""The checker calls right what is right, wrong what is wrong, and says what can not be said."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import check, nn
from minigan.autograd import op
from minigan.check import CheckError, library
from minigan.ops.conv import conv2d_weight
from minigan.zoo import dcgan

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))


def quick(f, *inputs, **options):
    return check.gradients(f, *inputs, **{"order": 1, **options})


# ------------------------------------------------------------------------- the known impostors


@op(lambda g, y, x: g * 0.0, latex="")
def softmax_without_gradient(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _stale_rule(g, y, x):
    """Batch norm's rule, but the deviation is a constant when derived again."""
    data = x.array if isinstance(x, mg.Tensor) else x
    deviation = np.sqrt(data.var(axis=0) + 1e-5)
    return (g - mg.mean(g, 0) - y * mg.mean(g * y, 0)) / deviation


@op(_stale_rule, latex="")
def batch_norm_right_to_first_order(x):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)


_conv = mg.ops.conv2d(mg.Tensor(np.ones((1, 1, 3, 3)), True), np.ones((1, 1, 2, 2))).op


@op(
    _conv.rules[0],
    lambda g, y, x, w, **s: conv2d_weight(x, mg.ones_like(g), kernel=w.shape[2:], **s),
    latex="",
)
def conv_that_ignores_its_incoming_gradient(x, w, **settings):
    return _conv.forward(x, w, **settings)


def mutates_between(x):
    h = mg.exp(x)
    y = (h * h).sum()
    h.array *= 2  # the rule of h * h reads h
    return y


SETTINGS = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
PICTURE, KERNEL = RNG.standard_normal((2, 1, 4, 4)), RNG.standard_normal((2, 1, 2, 2))


def test_softmax_whose_backward_is_zero():
    report = quick(softmax_without_gradient, X)
    assert not report
    assert "zero everywhere" in report.message
    ones = [np.ones(X.shape)]  # the cotangent that other checkers use sees nothing
    assert quick(softmax_without_gradient, X, cotangents=ones, scale="directions")


def test_batch_norm_right_to_first_order_and_wrong_to_second():
    assert quick(batch_norm_right_to_first_order, X)
    report = check.gradients(batch_norm_right_to_first_order, X)
    assert not report
    assert "right and their derivatives are not" in report.message
    assert not any(b.wrong.any() for b in report.blocks if b.order == 1)


def test_convolution_whose_weight_gradient_ignores_what_comes_in():
    def f(x, w):
        return conv_that_ignores_its_incoming_gradient(x, w, **SETTINGS)

    report = quick(f, PICTURE, KERNEL)
    assert not report
    assert {b.name for b in report.blocks if b.wrong.any()} == {"input 1"}
    assert not check.gradients(f, PICTURE, KERNEL, scale="directions")


def test_in_place_mutation_between_forward_and_backward():
    report = quick(mutates_between, X)
    assert not report
    assert "the result of exp, shape (3, 4) was changed in place" in report.message


def test_in_place_mutation_of_an_input():
    def f(x):
        y = x * x
        x.array += 1
        return y.sum()

    report = quick(f, X)
    assert not report
    assert "input 0 was changed in place" in report.message


def test_a_rule_that_overwrites_what_it_was_given():
    def rule(g, y, x):
        x *= 2
        return g * 2

    @op(rule, latex="")
    def double(x):
        return 2 * x

    def f(x):
        h = mg.exp(x)
        return double(h) + h * h  # h's own rule runs later, on the overwritten h

    assert not quick(f, X)


# --------------------------------------------------------------------- right and wrong at random

RULES = {
    "tanh": (np.tanh, lambda g, y, x: g * (1 - y * y)),
    "exp": (np.exp, lambda g, y, x: g * y),
    "square": (np.square, lambda g, y, x: g * (2 * x)),
    "reciprocal": (lambda x: 1 / (x * x + 1), lambda g, y, x: -2 * g * x * y * y),
    "softmax": (
        lambda x: mg.softmax(x, 1),
        lambda g, y, x: y * (g - mg.sum(g * y, 1, keepdim=True)),
    ),
    "cumulative": (lambda x: x + x[:, ::-1], lambda g, y, x: g + mg.flip(g, 1)),
}

MISTAKES = {
    "scaled": lambda rule, g, y, x: rule(g, y, x) * (1 + 1e-4),
    "sign": lambda rule, g, y, x: -rule(g, y, x),
    "transposed": lambda rule, g, y, x: mg.transpose(rule(g, y, x), 0, 1),
    "zero": lambda rule, g, y, x: rule(g, y, x) * 0.0,
    "offset": lambda rule, g, y, x: rule(g, y, x) + 1e-4,
    "incoming gradient ignored": lambda rule, g, y, x: rule(g * 0.0 + 1.0, y, x),
    "incoming gradient's sign only": lambda rule, g, y, x: rule(mg.ops.sign(g), y, x),
    "input for output": lambda rule, g, y, x: rule(g, x, y),
    "first element doubled": lambda rule, g, y, x: rule(g, y, x) * _first_doubled(x.shape),
}


def _first_doubled(shape):
    factor = np.ones(shape)
    factor[0, 0] = 2
    return factor


square_inputs = st.builds(
    lambda n, seed: np.random.default_rng(seed).standard_normal((n, n)),
    st.integers(2, 4),
    st.integers(0, 2**31),
)


@given(square_inputs, st.sampled_from(sorted(RULES)), st.sampled_from(["elements", "directions"]))
def test_right_rules_are_never_refused(x, name, scale):
    forward, rule = RULES[name]
    report = check.gradients(op(rule, latex="")(forward), x, scale=scale)
    assert report, report


@given(
    square_inputs,
    st.sampled_from(sorted(RULES)),
    st.sampled_from(sorted(MISTAKES)),
    st.sampled_from(["elements", "directions"]),
)
def test_wrong_rules_are_always_refused(x, name, mistake, scale):
    forward, rule = RULES[name]
    if mistake == "input for output" and name in ("square", "cumulative", "exp"):
        rule = RULES["tanh"][1]  # where the rule does not read both, it is simply another's

    def wrong(g, y, x):
        return MISTAKES[mistake](rule, g, y, x)

    assert not quick(op(wrong, latex="")(forward), x, scale=scale)


chains = st.lists(
    st.sampled_from(
        [mg.tanh, mg.sigmoid, mg.sin, mg.ops.softplus, mg.ops.neg]
        + [lambda x: mg.softmax(x, -1), lambda x: x - mg.mean(x, 0, keepdim=True)]
        + [lambda x: x * x, lambda x: mg.logsumexp(x, -1, keepdim=True), lambda x: x.T]
        + [lambda x: mg.relu(x), lambda x: mg.amax(x, 0, keepdim=True), mg.abs]
    ),
    min_size=1,
    max_size=5,
)


@given(chains, st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(0, 2**31))
def test_the_librarys_functions_are_never_refused(functions, shape, seed):
    def f(x):
        for function in functions:
            x = function(x)
        return x

    report = check.gradients(f, np.random.default_rng(seed).standard_normal(shape))
    assert report or not any((~b.kink).any() for b in report.blocks), report


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "x, message",
    [
        (X.astype("float32"), "input 0 is float32, whose 7 digits .* use float64"),
        (mg.tensor([1.0]), "input 0 is float32"),
        (np.array([1, 2]), "input 0 is int64, and only float64 has derivatives"),
        (np.array([[1.0, np.nan]]), r"input 0 holds nan at index \[0, 1\]"),
        (np.array([np.inf]), "input 0 holds inf"),
    ],
)
def test_inputs_that_can_not_be_checked(x, message):
    with pytest.raises(CheckError, match=message):
        check.gradients(lambda x: x * 2, x)


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda x: x.detach() * 2, "not differentiable here: .* cut by .detach"),
        (lambda x: mg.Tensor(x.array * 2), "not differentiable"),
        (lambda x: mg.ones(3), "not differentiable"),
        (lambda x: mg.argmax(x), "not differentiable"),
        (lambda x: x.array * 2, "must return a Tensor .* got ndarray"),
        (lambda x: x.sum().item(), "must return a Tensor .* got float"),
        (lambda x: mg.log(x * 0 - 1), "f gives NaN or infinity here"),
        (lambda x: x.float(), "output 0 of f is float32 though its inputs are float64"),
    ],
)
def test_functions_that_can_not_be_checked(f, message):
    with pytest.raises(CheckError, match=message), np.errstate(all="ignore"):
        check.gradients(f, X)


def test_dropout_is_named():
    with pytest.raises(CheckError, match="not deterministic.*dropout. call module.eval"):
        check.gradients(nn.Dropout(0.5), X)
    assert check.gradients(nn.Dropout(0.5).eval(), X)


def test_hidden_state_is_named():
    calls = []

    def f(x):
        calls.append(1)
        return x * len(calls)

    with pytest.raises(CheckError, match="not deterministic.*something it reads"):
        check.gradients(f, X)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="order is 1 or more"):
        check.gradients(mg.tanh, X, order=0)
    with pytest.raises(ValueError, match="scale is"):
        check.gradients(mg.tanh, X, scale="all")
    with pytest.raises(CheckError, match="wrt names input 1 of 1"):
        check.gradients(mg.tanh, X, wrt=1)
    with pytest.raises(CheckError, match="nothing to differentiate"):
        check.gradients(lambda: mg.ones(1))
    with pytest.raises(CheckError, match="one cotangent per output"):
        check.gradients(mg.tanh, X, cotangents=[np.ones(3)])
    with pytest.raises(TypeError, match="expected a function"):
        check.gradients(X)


# ------------------------------------------------------------------------------------ the report


def test_kinks_are_reported_not_judged():
    report = check.gradients(mg.relu, np.array([0.0, 1.0, -1.0]))
    assert report
    assert report.kinks == [("input 0", "[0]")]
    assert "kinks at input 0[0]" in str(report)


def test_nothing_but_kinks_is_no_proof():
    report = quick(mg.abs, np.zeros(2))
    assert not report
    assert "nothing but kinks" in report.message


def test_noise_that_decides_nothing_is_no_proof():
    def f(x):  # rounds to four digits
        return mg.tanh(x) + mg.Tensor(np.round(np.tanh(x.array.real), 4) - np.tanh(x.array.real))

    report = quick(f, X)
    assert not report


def test_a_function_that_is_zero_but_for_rounding():
    assert check.gradients(lambda x: mg.softmax(mg.tanh(x), 1).sum(1) - 1, X)
    wrong = op(lambda g, y, x: g * 1e-9, latex="")(lambda x: x * 0.0)
    assert not quick(wrong, X)


def test_tiny_functions_are_no_easier_to_please():
    right = op(lambda g, y, x: g * 1e-10, latex="")(lambda x: x * 1e-10)
    wrong = op(lambda g, y, x: g * 1.0001e-10, latex="")(lambda x: x * 1e-10)
    assert check.gradients(right, X) and not quick(wrong, X)


def test_what_agrees_only_within_a_wide_tolerance_is_undecided():
    def f(x):  # shaken by a millionth
        return mg.tanh(x) + mg.Tensor(1e-6 * np.sin(1e12 * x.array.real))

    report = quick(f, X)
    assert not report
    assert "can not be decided" in report.message and "undecided" in str(report.table)
    assert not any(b.wrong.any() for b in report.blocks)


def test_the_worst_elements_come_first():
    wrong = op(lambda g, y, x: g * _first_doubled(x.shape), latex="")(lambda x: x * 1.0)
    report = quick(wrong, X)
    first = report.table.rows[0]
    assert (first["in"], first["at"], first["derivative of"]) == ("input 0", "[0, 0]", "y[0, 0]")
    assert (first["autograd"], first[""]) == (2.0, "WRONG")
    assert first["numeric"] == pytest.approx(1)
    assert sum(b.wrong.sum() for b in report.blocks) == 2  # its row of the Jacobian, and <c, y>
    assert report.worst_error > 0.5 and report.margin < 1e-3


def test_text_and_html():
    report = check.gradients(mg.tanh, X, scale="directions")
    assert "right: first and second derivatives" in str(report)
    assert "2 random directions" in str(report)
    assert "every element" in str(check.gradients(mg.tanh, X))
    page = report._repr_html_()
    assert "&lt;c, y&gt;" in page and "<c," not in page
    assert "http" not in page and "<script" not in page


def test_one_seed_gives_one_report():
    assert str(check.gradients(mg.tanh, X, seed=3)) == str(check.gradients(mg.tanh, X, seed=3))
    assert str(check.gradients(mg.tanh, X, seed=3)) != str(check.gradients(mg.tanh, X, seed=4))


# ------------------------------------------------------------------- what it is differentiated in


def test_inputs_of_every_kind_are_left_alone():
    array, tensor = X.copy(), mg.Tensor(X.copy(), requires_grad=True)
    array.flags.writeable = False
    assert check.gradients(lambda a, b, c: a * b * c, array, tensor, 2.0)
    assert (array == X).all() and (tensor.array == X).all() and tensor.grad is None


def test_several_outputs():
    assert check.gradients(lambda x: (x * x, mg.exp(x).sum()), X)
    assert check.gradients(lambda x: mg.max(x, 1), X)  # the indices have no gradient

    def cut(x):
        return x * x, mg.Tensor(np.exp(x.array))

    assert not quick(cut, X)


def test_an_input_that_is_not_used_has_gradient_zero():
    assert check.gradients(lambda a, b: a * a, X, X)


def test_a_path_that_was_cut_is_found():
    report = quick(lambda a, b: a * a + b.detach(), X, X)
    assert not report
    assert "input 1" in report.message and "path cut" in report.message


def test_inputs_left_out_are_constants():
    labels = np.array([0, 2, 1])
    assert check.gradients(lambda x, i: mg.gather(x, 1, i.reshape(3, 1)), X, labels, wrt=0)


def _network():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1)).double()


def test_a_module_is_checked_in_its_parameters_and_left_as_it_was():
    network, x = _network(), mg.Tensor(X)
    before = {name: t.array.copy() for name, t in network.state_dict().items()}
    report = check.gradients(lambda: (network(x) ** 2).sum(), wrt=network)
    assert report
    assert [b.name for b in report.blocks if b.order == 1] == [
        name for name, _ in network.named_parameters()
    ]
    after = network.state_dict()
    assert all((after[name].array == a).all() for name, a in before.items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())


def test_tensors_can_be_listed_or_named():
    network = _network()
    parameters = list(network.parameters())[:2]
    assert quick(lambda: network(mg.Tensor(X)), wrt=parameters)
    report = quick(lambda: network(mg.Tensor(X)), wrt={"bias": parameters[1]})
    assert [b.name for b in report.blocks] == ["bias"]


def test_a_detached_layer_is_found_by_its_name():
    first, second = nn.Linear(4, 3).double(), nn.Linear(3, 1).double()
    both = nn.Sequential(first, second)
    report = quick(lambda: second(first(mg.Tensor(X)).detach()).sum(), wrt=both)
    assert not report
    assert {b.name for b in report.blocks if b.wrong.any()} == {"0.weight", "0.bias"}


def test_a_float32_module_is_refused_with_the_remedy():
    network = nn.Linear(4, 1)
    with pytest.raises(CheckError, match=r"weight is float32.*module.double\(\)"):
        check.gradients(lambda: network(mg.Tensor(X)), wrt=network)


@pytest.mark.parametrize("shape, channels", [((1, 8, 8), 8)])
def test_a_discriminators_whole_loss(shape, channels):
    d = dcgan.discriminator(shape, channels).double()
    x = mg.Tensor(RNG.standard_normal((4, *shape)))

    def loss():
        logits = d(x)
        return nn.functional.binary_cross_entropy_with_logits(logits, mg.ones_like(logits))

    report = check.gradients(loss, wrt=d)
    assert report, report
    assert report.scale == "directions" and "random directions" in str(report)
    frozen = d[2]
    d[2].forward = lambda h: nn.Conv2d.forward(frozen, h.detach())
    report = quick(loss, wrt=d)
    assert not report
    assert {b.name for b in report.blocks if b.wrong.any()} == {"0.weight", "0.bias"}


def test_a_gradient_penalty_inside_f():
    w = RNG.standard_normal((4, 1))

    def penalty(w):
        x = mg.Tensor(X, requires_grad=True)
        (g,) = mg.grad(mg.tanh(x @ w).sum(), x, create_graph=True)
        return ((mg.norm(g, dim=1) - 1) ** 2).mean()

    assert check.gradients(penalty, w)


def test_third_order():
    assert check.gradients(lambda x: mg.exp(mg.sin(x)), X[:2, :2], order=3)


# ------------------------------------------------------------------------------- as PyTorch has it


def test_gradcheck():
    x = mg.Tensor(X, requires_grad=True)
    assert mg.gradcheck(mg.tanh, x) is True
    assert mg.gradcheck(lambda a, b: a @ b, (x, mg.Tensor(X.T.copy())), eps=1e-4) is True
    assert mg.gradcheck(mg.tanh, (x,), fast_mode=True) is True
    assert mg.gradcheck(softmax_without_gradient, (x,), raise_exception=False) is False
    with pytest.raises(check.GradcheckError, match="zero everywhere"):
        mg.gradcheck(softmax_without_gradient, x)
    with pytest.raises(CheckError, match="requires_grad=True"):
        mg.gradcheck(mg.tanh, mg.Tensor(X))


def test_gradcheck_accepts_what_its_tolerances_accept():
    nearly = op(lambda g, y, x: g * (1 + 1e-4), latex="")(lambda x: x * 1.0)
    x = mg.Tensor(X, requires_grad=True)
    assert mg.gradcheck(nearly, x)
    assert not mg.gradcheck(nearly, x, atol=0, rtol=1e-5, raise_exception=False)


def test_gradgradcheck():
    x = mg.Tensor(X, requires_grad=True)
    assert mg.gradgradcheck(mg.tanh, x) is True
    assert mg.gradgradcheck(mg.tanh, x, grad_outputs=mg.Tensor(X)) is True
    assert mg.gradcheck(batch_norm_right_to_first_order, x)
    with pytest.raises(check.GradcheckError, match="second derivative"):
        mg.gradgradcheck(batch_norm_right_to_first_order, x)
    with pytest.raises(CheckError, match="one cotangent per output"):
        mg.gradgradcheck(mg.tanh, x, grad_outputs=mg.ones(2))


def test_every_order_is_checked_in_the_cotangent_too():
    report = check.gradients(mg.tanh, X)
    assert [(b.order, b.name) for b in report.blocks] == [
        (1, "input 0"),
        (2, "input 0"),
        (2, "cotangent 0"),
    ]
    assert library.EXAMPLES
