"""Numerical derivatives, and what every differentiable function promises.

Derivatives are compared along random cotangents. Summing the output instead would call many wrong
gradients right: the gradient of ``softmax(x).sum()`` is zero whatever the rule says.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import minigan as mg
from minigan import Tensor


def check_gradients(
    f: Callable[..., Tensor], *arrays: np.ndarray, order: int = 2, rtol: float = 1e-6
) -> None:
    """Compare the derivatives of ``f`` with central differences, element by element, in float64.

    The first derivative is that of the number <cotangent, f(*arrays)>, with a random cotangent.
    It is again a function, of which the second derivative is checked the same way, and so on.
    ``rtol`` is relative to the largest element of each gradient. Kinks are the caller's to avoid.
    """
    arrays = tuple(np.array(a, dtype=np.float64) for a in arrays)
    for a in arrays:
        a.flags.writeable = False  # a function or a rule that wrote to its input would fail here
    rng = np.random.default_rng(0)
    shape = f(*(Tensor(a, requires_grad=True) for a in arrays)).shape
    cotangent = Tensor(rng.standard_normal(shape))
    directions = [Tensor(rng.standard_normal(a.shape)) for a in arrays]
    on_host = mg.array.default_device() == "cpu"
    if on_host:
        cotangent.array.flags.writeable = False

    def value(*xs: Tensor) -> float:
        return np.vdot(f(*xs).detach().numpy(), cotangent.numpy())

    def derivative(*xs: Tensor) -> Tensor:
        """The first derivative along the random directions, as a recorded number."""
        grads = mg.grad(f(*xs), xs, cotangent, create_graph=True, allow_unused=True)
        terms = [(g * v).sum() for g, v in zip(grads, directions, strict=True) if g is not None]
        return sum(terms, Tensor(np.float64(0)))

    if not on_host:  # that each element is right has been shown on the host: one number will do
        xs = [Tensor(a, requires_grad=True) for a in arrays]
        along = list(zip(arrays, directions, strict=True))
        ends = [
            value(*(Tensor(a + step * v.numpy(), requires_grad=True) for a, v in along))
            for step in (1e-5, -1e-5)
        ]
        analytic, numeric = np.array(derivative(*xs).item()), np.array((ends[0] - ends[1]) / 2e-5)
        _compare(analytic, numeric, 10 * rtol, "derivative along a random direction")
        if order > 1:
            check_gradients(derivative, *arrays, order=order - 1, rtol=rtol * 10)
        return

    analytic = _gradients(f, arrays, cotangent)
    for i, gradient in enumerate(analytic):
        assert gradient.shape == arrays[i].shape, f"input {i}: shape {gradient.shape}"
        numeric = _central_differences(value, arrays, i)
        _compare(gradient, numeric, rtol, f"derivative of input {i}")
    if order > 1:
        check_gradients(derivative, *arrays, order=order - 1, rtol=rtol * 10)


def _gradients(f, arrays, cotangent) -> list[np.ndarray]:
    xs = [Tensor(a, requires_grad=True) for a in arrays]
    found = mg.grad(f(*xs), xs, cotangent, allow_unused=True)
    return [np.zeros(x.shape) if g is None else g.numpy() for x, g in zip(xs, found, strict=True)]


def _central_differences(value, arrays, i: int) -> np.ndarray:
    result = np.zeros(arrays[i].shape)
    for index in np.ndindex(arrays[i].shape):
        step = 1e-5 * max(1.0, abs(arrays[i][index]))
        ends = []
        for shift in (step, -step):
            moved = arrays[i].copy()
            moved[index] += shift
            xs = [Tensor(moved if j == i else a, requires_grad=True) for j, a in enumerate(arrays)]
            ends.append(value(*xs))
        result[index] = (ends[0] - ends[1]) / (2 * step)
    return result


def _compare(analytic, numeric, rtol: float, what: str) -> None:
    if not analytic.size:
        return
    error = np.abs(analytic - numeric)
    tolerance = rtol * max(1.0, np.abs(numeric).max())
    if not (error <= tolerance).all():
        worst = np.unravel_index(np.nanargmax(np.nan_to_num(error, nan=np.inf)), error.shape)
        raise AssertionError(
            f"{what}, element {tuple(map(int, worst))}: "
            f"analytic {analytic[worst]:.10g}, numeric {numeric[worst]:.10g}"
        )


# --------------------------------------------------------------------- what every function promises


class Case(NamedTuple):
    """A function, what it should give by an independent formula, and inputs away from kinks."""

    name: str
    f: Callable
    formula: Callable
    inputs: tuple[np.ndarray, ...]

    def __str__(self) -> str:
        return "-".join([self.name, *("x".join(map(str, a.shape)) or "0d" for a in self.inputs)])


def every(cases: list[Case]):
    """Run each test of a class for every case."""
    return pytest.mark.parametrize("case", cases, ids=str)


class Contract:
    """The promises. The test files inherit this class and decorate theirs with ``every(CASES)``."""

    def test_value(self, case):
        expected = np.asarray(case.formula(*case.inputs))
        value = case.f(*map(Tensor, case.inputs))
        assert value.shape == expected.shape
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-12, atol=1e-13)

    @pytest.mark.host
    def test_plain_arrays(self, case):
        """On arrays a function only computes: same value, no tensor."""
        value = case.f(*case.inputs)
        assert not isinstance(value, Tensor)
        np.testing.assert_array_equal(value, case.f(*map(Tensor, case.inputs)).numpy())

    def test_gradients(self, case):
        check_gradients(case.f, *case.inputs)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_dtypes(self, case, dtype):
        """The value, the gradients and the second derivatives keep the inputs' dtype."""
        xs = [mg.tensor(a, dtype=dtype, requires_grad=True) for a in case.inputs]
        out = case.f(*xs)
        assert out.dtype == dtype
        assert case.f(*(x.array for x in xs)).dtype == dtype
        assert [g.dtype for g in mg.grad(out.sum(), xs)] == [dtype] * len(xs)
        first = mg.grad(out.sum(), xs, create_graph=True)
        assert [g.dtype for g in first] == [dtype] * len(xs)
        second = mg.grad(list(first), xs, [mg.ones_like(g) for g in first], allow_unused=True)
        assert {g.dtype for g in second if g is not None} <= {np.dtype(dtype)}

    @pytest.mark.host
    def test_memory_layouts(self, case):
        """Strided, reversed and transposed inputs give what contiguous ones give."""
        cotangent = np.random.default_rng(0).standard_normal(np.shape(case.f(*case.inputs)))
        expected = [case.f(*case.inputs), *_gradients(case.f, case.inputs, Tensor(cotangent))]
        for scatter in (_reversed, _transposed, _strided):
            inputs = [scatter(a) for a in case.inputs]
            got = [case.f(*inputs), *_gradients(case.f, inputs, Tensor(scatter(cotangent)))]
            for a, b in zip(got, expected, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def _reversed(a: np.ndarray) -> np.ndarray:
    """The same elements, stored backwards."""
    return np.flip(np.flip(a).copy())


def _transposed(a: np.ndarray) -> np.ndarray:
    """The same elements, stored column by column."""
    return np.array(a, order="F")


def _strided(a: np.ndarray) -> np.ndarray:
    """The same elements, stored with gaps."""
    return np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a
