"""The LSTM as one function, against its twin that is recorded step by step."""

import numpy as np
import pytest
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan import ops
from minigan.ops import lstm

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def logistic(x):
    return 1 / (1 + np.exp(-x))


def formula(x, weight, h, c):
    steps = []
    for row in x:
        i, f, g, o = np.split(row + h @ weight.T, 4, axis=1)
        i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append([h, c])
    return np.array(steps).swapaxes(0, 1)


def composed(x, weight, h, c):
    hs, cs = [], []
    for row in ops.unbind(x):
        write, keep, new, show = ops.chunk(row + ops.linear(h, weight), 4, 1)
        c = ops.sigmoid(keep) * c + ops.sigmoid(write) * ops.tanh(new)
        h = ops.sigmoid(show) * ops.tanh(c)
        hs.append(h)
        cs.append(c)
    return ops.stack(hs), ops.stack(cs)


def inputs(steps, n, size):
    return real(steps, n, 4 * size), real(4 * size, size), real(n, size), real(n, size)


CASES = [Case("lstm", lstm, formula, inputs(*sizes)) for sizes in [(1, 1, 1), (3, 2, 2), (2, 3, 1)]]


@every(CASES)
class TestContract(Contract):
    pass


@pytest.mark.parametrize("part", [0, 1], ids=["h", "c"])
def test_composed_twin_to_third_order(part):
    xs = [mg.tensor(a, requires_grad=True) for a in inputs(3, 2, 2)]
    fused, twin = lstm(*xs)[part], composed(*xs)[part]
    for _ in range(4):
        np.testing.assert_allclose(fused.detach().numpy(), twin.detach().numpy(), atol=1e-9)
        weights = mg.tensor(real(*fused.shape))
        fused, twin = (
            ops.cat([g.reshape(-1) for g in mg.grad((y * weights).sum(), xs, create_graph=True)])
            for y in (fused, twin)
        )


def test_gradient_through_the_last_cell():
    check_gradients(lambda *a: lstm(*a)[1][-1], *inputs(2, 2, 1))


def test_an_input_that_needs_no_gradient():
    """The start from zeros is a constant; the weights' gradient may not be wanted either."""
    x, weight, h, c = (mg.tensor(a) for a in inputs(3, 2, 2))
    everything = [mg.tensor(t.array, requires_grad=True) for t in (x, weight, h, c)]
    expected = mg.grad(lstm(*everything)[0].sum(), everything)
    for i in range(4):
        alone = [mg.tensor(t.array, requires_grad=i == j) for j, t in enumerate((x, weight, h, c))]
        (g,) = mg.grad(lstm(*alone)[0].sum(), alone[i])
        np.testing.assert_array_equal(g.numpy(), expected[i].numpy())
