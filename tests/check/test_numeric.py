"""Numerical derivatives against known ones, and their error estimates against the true errors."""

import numpy as np
import pytest

from minigan.check import numeric

C = np.random.default_rng(1).standard_normal(30)
X = np.random.default_rng(0).standard_normal(30)

SMOOTH = {
    "exp": (np.exp, np.exp),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "cubic at a distance": (lambda x: (x - 7) ** 3, lambda x: 3 * (x - 7) ** 2),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "fast sine": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x)),
    "small": (lambda x: 1e-12 * np.sin(x), lambda x: 1e-12 * np.cos(x)),
    "large": (lambda x: 1e12 * np.sin(x), lambda x: 1e12 * np.cos(x)),
}


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("name", SMOOTH)
def test_central_differences_keep_their_promise(name, scale):
    f, derivative = SMOOTH[name]
    if scale > 1 and name in ("exp", "tanh", "fast sine"):
        pytest.skip("overflows, is flat, or turns too fast")
    x = X * scale
    found = numeric.gradient(lambda x: C @ f(x), [x], 0, complex_step=False)
    error = np.abs(found.value - C * derivative(x))
    assert found.method == "central differences"
    assert (error <= found.error).all()
    assert (found.error <= 1e-5 * np.abs(C * derivative(x)).max()).all()
    assert not found.kink.any()


def test_the_complex_step_is_exact_to_the_last_digits():
    found = numeric.gradient(lambda x: C @ np.exp(x), [X], 0)
    assert found.method == "complex step"
    np.testing.assert_allclose(found.value, C * np.exp(X), rtol=1e-14)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: float(np.real(C @ np.exp(x))),  # drops the imaginary part without a warning
        lambda x: C @ np.exp(np.asarray(x, dtype=float)),  # NumPy warns
        lambda x: float(C @ np.exp(x)),  # Python refuses
        lambda x: C @ np.exp(np.conj(x)),  # not analytic
    ],
)
def test_where_complex_numbers_are_not_taken_central_differences_serve(f):
    found = numeric.gradient(f, [X], 0)
    assert found.method == "central differences"
    np.testing.assert_allclose(found.value, C * np.exp(X), rtol=1e-8)


def test_kinks_are_found_and_only_they():
    x = X.copy()
    x[:3] = 0.0
    found = numeric.gradient(lambda x: C @ np.maximum(x, 0), [x], 0)
    assert list(np.flatnonzero(found.kink)) == [0, 1, 2]
    np.testing.assert_allclose(found.value[3:], (C * (x > 0))[3:], rtol=1e-9)


@pytest.mark.parametrize("distance", [1e-2, 1e-4, 1e-5])
def test_a_kink_nearby_does_no_harm(distance):
    x = np.array([distance, -distance, 1.0])
    found = numeric.gradient(lambda x: np.maximum(x, 0).sum(), [x], 0)
    assert not found.kink.any()
    np.testing.assert_allclose(found.value, [1, 0, 1], atol=1e-7)


def test_a_jump_counts_as_a_kink():
    found = numeric.gradient(lambda x: C[:2] @ np.sign(x), [np.array([0.0, 1.0])], 0)
    assert list(found.kink) == [True, False]


def test_the_edge_of_the_domain_counts_as_a_kink():
    found = numeric.gradient(lambda x: np.sqrt(x).sum(), [np.array([0.0, 4.0])], 0)
    assert list(found.kink) == [True, False]
    assert found.value[1] == pytest.approx(0.25)


def test_noise_is_measured():
    """A function computed in float32 has seven digits; the estimate knows."""

    def f(x):
        return float((C * np.tanh(x).astype("float32")).sum())

    found = numeric.gradient(f, [X], 0)
    error = np.abs(found.value - C * (1 - np.tanh(X) ** 2))
    assert (error <= 10 * found.error).all()
    assert error.max() > 1e-8


def test_inputs_are_not_changed():
    x = X.copy()
    x.flags.writeable = False
    numeric.gradient(lambda x: C @ x, [x], 0)
    numeric.directional(lambda x: C @ x, [x], [[C]])
    assert (x == X).all()
    with pytest.raises(ValueError, match="read-only"):
        numeric.gradient(lambda x: C @ np.negative(x, out=x), [x], 0)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,), (2, 0)])
def test_shapes(shape):
    x = np.ones(shape)
    found = numeric.gradient(lambda a, b: float((a * b * b).sum()), [x, x], 1)
    assert found.value.shape == found.error.shape == found.kink.shape == shape
    np.testing.assert_allclose(found.value, 2 * x)


def test_jacobian():
    a = X.reshape(5, 6)
    found = numeric.jacobian(lambda m, x: m @ (x * x), [a, X[:6]], 1)
    np.testing.assert_allclose(found.value, a * 2 * X[:6], rtol=1e-12)


def test_directional():
    rng = np.random.default_rng(0)
    ways = numeric.random_directions([X, C], [1], 3, rng)
    found = numeric.directional(lambda x, c: x @ np.sin(c), [X, C], ways)
    assert all(way[0] is None for way in ways)
    np.testing.assert_allclose(found.value, [X * np.cos(C) @ w[1] for w in ways], rtol=1e-13)


def test_a_point_among_many_kinks():
    """A bias of zero before 200,000 leaky units: even steps of 1e-7 cross kinks."""
    z = np.random.default_rng(0).normal(size=200_000) * 0.01

    def f(b):
        return np.maximum(z + b, 0.2 * (z + b)).mean()

    found = numeric.gradient(f, [np.zeros(1)], 0)
    exact = np.where(z > 0, 1.0, 0.2).mean()
    assert abs(found.value[0] - exact) <= 10 * found.error[0] <= 1e-4 * exact
