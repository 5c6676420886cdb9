"""Definitions and twins: who is asked, in which order, and how all of them are switched off."""

import numpy as np
import pytest

import minigan as mg
from minigan.autograd import composite, op
from minigan.seam import definition, twin


def double():
    @op(lambda g, y, x: 2 * g, latex=r"\\bar x = 2 \\bar y")
    def double(x):
        return x + x

    return double


def test_a_twin_is_asked_first_and_may_decline():
    f = double()

    @twin(f, "cpu")
    def positive(x):
        return 20 * x if (x > 0).all() else NotImplemented

    assert f(mg.ones(1)).item() == 20 and f(-mg.ones(1)).item() == -2
    assert f(np.ones(1)) == 20  # arrays and tensors alike


def test_the_last_twin_is_asked_first():
    f = double()
    twin(f, "cpu")(lambda x: 10 * x)
    twin(f, "cpu")(lambda x: 20 * x)
    assert f(mg.ones(1)).item() == 20


def test_a_twin_of_another_device_is_not_asked():
    f = double()
    twin(f, "cuda")(lambda x: 1 / 0)
    assert f(mg.ones(1)).item() == 2


def test_a_rules_twin_runs_on_arrays_and_is_never_differentiated():
    f, x = double(), mg.ones(1, requires_grad=True)
    twin(f, "cpu", rule=0)(lambda g, y, x: 20 * g)
    assert mg.grad(f(x).sum(), x)[0].item() == 20
    assert mg.grad(f(x).sum(), x, create_graph=True)[0].item() == 2


def test_a_composites_twin_gives_value_and_gradients_and_its_body_the_second_ones():
    @composite(latex="")
    def cube(x):
        return x * x * x

    seen = []

    @twin(cube, "cpu")
    def fast_cube(x):
        def pullback(g, wanted):
            seen.append(wanted)
            return (g * 3 * x**2,)

        return x**3, pullback

    x = mg.tensor([2.0], requires_grad=True)
    y = cube(x)
    assert y.op.name == "cube" and y.item() == 8
    assert mg.grad(y.sum(), x)[0].item() == 12 and seen == [[True]]
    (g,) = mg.grad(cube(x).sum(), x, create_graph=True)
    (h,) = mg.grad(g.sum(), x)
    assert (g.item(), h.item(), len(seen)) == (12, 12, 1)
    with mg.plain():
        assert cube(x).op.name == "mul"


def test_the_gradient_of_a_composite_is_partial():
    """One input may depend on another: each gets the gradient of its own place alone."""

    @composite(latex="")
    def product(a, b):
        return a * b

    twin(product, "cpu")(lambda a, b: (a * b, lambda g, wanted: (g * b, g * a)))
    a = mg.tensor([3.0], requires_grad=True)
    b = a * a
    plain, recorded = (
        mg.grad(product(a, b).sum(), [a, b], create_graph=create)[0].item()
        for create in (False, True)
    )
    assert plain == recorded == 27  # a³ differentiated: 3 a²
    (g,) = mg.grad(product(a, b).sum(), [b], create_graph=True)
    assert g.item() == 3


def test_plain_switches_every_twin_off_and_on_again_also_after_an_error():
    f = double()
    twin(f, "cpu")(lambda x: 20 * x)
    with pytest.raises(ZeroDivisionError), mg.plain():
        assert f(mg.ones(1)).item() == 2
        with mg.plain():
            pass
        assert f(mg.ones(1)).item() == 2
        1 / 0  # noqa: B018
    assert f(mg.ones(1)).item() == 20


def test_functions_without_gradients_have_twins_too():
    @definition
    def where():
        return "here"

    twin(where)(lambda: "there")
    assert where() == "there"
    with mg.plain():
        assert where() == "here"
