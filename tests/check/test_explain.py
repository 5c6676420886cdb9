"""The derivation is the one that autograd carries out, with its numbers."""

import re

import numpy as np
import pytest

import minigan as mg
from minigan import check, nn
from minigan.check import library
from minigan.check.explain import brief, plain
from minigan.zoo import dcgan


@pytest.fixture
def worked():
    x, w = mg.tensor(3.0, requires_grad=True), mg.tensor(-2.0, requires_grad=True)
    y = (w * x + x**2) * x
    return check.explain(y, {"x": x, "w": w})


def test_reads_like_a_worked_example(worked):
    told = worked.text()
    assert "v1 = w · x = (-2) · 3 = -6" in told
    assert "v2 = x ^ 2 = 3 ^ 2 = 9" in told
    assert "x̄ = v̄2 · 2 · x^(2-1) = 3 · 2 · 3^(2-1) = 18" in told
    assert "x̄ = v̄1 · w = 3 · (-2) = -6" in told
    assert "gradient in x: 15\ngradient in w: 9" in told  # 3x² + 2wx, x²


def test_where_paths_add_up(worked):
    sums = re.findall(r"(\d) paths add up: (.*)", worked.text())
    assert sums == [("2", "3 + 18 = 21"), ("3", "3 + 18 + -6 = 15")]


def test_one_row_per_rule_from_the_output_back(worked):
    assert [row["operation"].split(" =")[0] for row in worked.table] == [
        *("y", "", "v3", "", "v2", "v1", "")
    ]
    assert worked.table["incoming"][0] == "1"


def test_latex_has_the_names_in_it(worked):
    rules = worked.table["rule"]
    assert all(r.startswith("$") and r.endswith("$") for r in rules)
    assert all(r.count("{") == r.count("}") for r in rules)
    assert rules[0] == r"$\bar {v_{3}} = \bar y \cdot x = 1 \cdot 3 = 3$"
    assert rules[0] in worked.markdown()


@pytest.mark.twins  # a layer that one twin computes is one step
def test_gradients_are_autograds_own():
    network = dcgan.discriminator((1, 8, 8), 4)
    loss = (network(mg.randn(2, 1, 8, 8)) ** 2).mean()
    found = check.explain(loss, network)
    names = [name for name, _ in network.named_parameters()]
    assert list(found.gradients) == names
    for (name, _), g in zip(
        network.named_parameters(), mg.grad(loss, list(network.parameters())), strict=True
    ):
        np.testing.assert_array_equal(found.gradients[name], g.numpy())
    told = found.text()
    assert "batch_norm(" in told and "grad(0.weight)" in told and "rms" in told
    assert "0.weight" in found.html() and "<script" not in found.html()


def test_explaining_changes_nothing():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    check.explain((x * x).sum())
    assert x.grad is None


def test_only_what_was_asked_for():
    a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(3.0, requires_grad=True)
    found = check.explain(a * mg.exp(b), {"a": a})
    assert list(found.gradients) == ["a"]
    assert "exp" not in [s.tensor.op.name for s in found.steps]


def test_a_gradient_to_start_from():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    found = check.explain(x * x, gradient=[3.0, 5.0])
    np.testing.assert_array_equal(found.gradients["x1"], [6, 20])
    with pytest.raises(RuntimeError, match="started at a scalar"):
        check.explain(x * x)


def test_what_was_not_computed_has_no_derivation():
    for bad in (mg.tensor(1.0, requires_grad=True), mg.tensor(1.0) * 2, 3.0):
        with pytest.raises(ValueError, match="computed from one with requires_grad=True"):
            check.explain(bad)


@pytest.mark.host
@pytest.mark.parametrize("example", library.EXAMPLES, ids=lambda e: e.name)
def test_every_function_can_be_explained(example):
    xs = [mg.Tensor(a, requires_grad=True) for a in example.inputs]
    y = example.f(*xs)
    y = sum(part.sum() for part in y) if isinstance(y, tuple) else y.sum()
    found = check.explain(y)
    told = found.text() + found.markdown() + found.html()
    assert found.steps and "\\bar" not in found.text()
    assert told


@pytest.mark.parametrize(
    "latex, text",
    [
        (r"\bar x = \bar y / (2y)", "x̄ = ȳ / (2y)"),
        (r"\bar a = \bar y\, b^\top", "ā = ȳ b^T"),
        (r"\bar {v_{12}} = \bar y", "v̄12 = ȳ"),
        (r"\overline \mathtt{0.weight} = \bar y", "grad(0.weight) = ȳ"),
        (r"\frac{p - t}{p(1 - p)}", "(p - t)/(p(1 - p))"),
    ],
)
def test_formulas_for_the_terminal(latex, text):
    assert plain(latex) == text


def test_values_in_brief():
    assert brief(np.array([1.0, -0.25])) == "[1, -0.25]"
    assert brief(np.array([[0.5]])) == "0.5"
    assert brief(np.arange(10.0)) == "0 … 9, rms 5.34"
    assert brief(nn.Linear(1, 1).bias.array * 0) == "0"
