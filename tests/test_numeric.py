"""The checker that checks everything else: it must see wrong rules, and say where."""

import numpy as np
import pytest
from numeric import check_gradients

import minigan as mg
from minigan.autograd import op

X = np.array([0.5, 1.5, 3.0])


def cube(rule):
    """x³ with a rule of the caller's."""
    return op(rule, latex="x")(lambda x: x * x * x)


def second_order_forgets_x(g, y, x):
    """Right to first order; the second derivative comes out as 0."""
    return g * 3 * (x.detach() if isinstance(x, mg.Tensor) else x) ** 2


def test_a_right_rule_passes_to_third_order():
    check_gradients(cube(lambda g, y, x: g * 3 * x * x), X, order=3)


def test_a_failure_names_input_element_and_both_values():
    wrong_at_the_end = cube(lambda g, y, x: g * 3 * x * x * (1 + (x > 2)))
    with pytest.raises(AssertionError, match=r"input 1, element \(2,\): analytic .*, numeric"):
        check_gradients(lambda a, b: a + wrong_at_the_end(b), X, X)


@pytest.mark.parametrize(
    "f",
    [
        cube(lambda g, y, x: g * 2 * x * x),
        cube(lambda g, y, x: -g * 3 * x * x),
        cube(lambda g, y, x: g * 3 * x * x + 1e-3),
        cube(lambda g, y, x: g * float("nan")),
        cube(second_order_forgets_x),
        lambda x: (x * x).detach() * x,
    ],
    ids=["factor", "sign", "offset", "nan", "second order", "detached"],
)
def test_wrong_rules_fail(f):
    with pytest.raises(AssertionError, match="derivative of input 0"):
        check_gradients(f, X)


def test_a_wrong_softmax_fails_although_its_outputs_sum_to_one():
    zero = op(lambda g, y, x: g * 0.0, latex="0")(lambda x: np.exp(x) / np.exp(x).sum())
    with pytest.raises(AssertionError, match="derivative of input 0"):
        check_gradients(zero, X)


def test_inputs_are_not_changed_and_may_not_be():
    check_gradients(mg.exp, x := X.copy())
    assert (x == X).all() and x.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        check_gradients(op(lambda g, y, x: g, latex="x")(lambda x: np.exp(x, out=x)), X)
