"""What a student is told: the sentence behind each cause, and how it is found."""

import gc
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan import check
from minigan.check import causes
from minigan.nn import functional as F


def message(*args, **options) -> str:
    verdict = check.by_hand(*args, **options)
    assert not verdict
    return verdict.message


@pytest.fixture
def x(rng):
    return rng.standard_normal((64, 3))


def test_every_cause_has_a_line():
    assert all(line.endswith(".") and len(line) < 100 for line in check.CAUSES.values())


class TestFactors:
    def test_sum_for_mean(self, x):
        told = message(lambda x: mg.tanh(x[:, 0]).mean(), x,
                       lambda x: np.eye(3)[0] * (1 - np.tanh(x) ** 2))  # fmt: skip
        assert "64 times the true value" in told and "mean over N = 64" in told

    def test_mean_for_sum(self, x):
        told = message(lambda x: mg.tanh(x).sum(), x, lambda x: (1 - np.tanh(x) ** 2) / x.size)
        assert "1/192 of the true value" in told and "sums over N = 192" in told

    def test_classes(self, x):
        told = message(lambda x: (x**2).mean(), x, lambda x: 2 * x / 64)
        assert "3 times the true value" in told and "axis 1" in told

    def test_batch_size(self, x):
        told = message(lambda x: (x**2).mean(), x, lambda x: 2 * x / 3)
        assert "64 times the true value" in told and "the batch size" in told

    def test_twice_and_half(self, x):
        assert "Twice the true value" in message(lambda x: (x**2).sum(), x, lambda x: 4 * x)
        assert "2 from the derivative of a square" in message(lambda x: (x**2).sum(), x, x)

    def test_sign_too(self, x):
        told = message(lambda x: (x**2).sum(), x, lambda x: -4 * x)
        assert "Minus twice the true value" in told and "sign is flipped too" in told


class TestWhich:
    """Which axis, which function, which path."""

    def test_axes(self, rng):
        x, b = rng.standard_normal((2, 5, 4)), rng.standard_normal(4)
        told = message(lambda x, b: mg.tanh(x + b).sum(), (x, b),
                       lambda x, b: (1 - np.tanh(x + b) ** 2).sum(axis=1), wrt="b")  # fmt: skip
        assert "Not summed over axis 0" in told and "axes 0 and 1" in told

    def test_order_of_axes(self, rng):
        x = rng.standard_normal((2, 3, 4))
        assert "(2, 0, 1)" in message(lambda x: (x**2).sum(), x, (2 * x).transpose(2, 0, 1))

    def test_input(self, rng):
        a, b = rng.standard_normal((2, 5))
        told = message(lambda a, b: (mg.exp(a) * b).sum(), (a, b), lambda a, b: np.exp(a))
        assert "gradient with respect to b, not a" in told

    @pytest.mark.parametrize(
        "name, f, claim",
        [
            ("σ", mg.sigmoid, 1.0),
            ("tanh", mg.tanh, 1.0),
            ("ReLU", mg.relu, 1.0),
            ("leaky ReLU", lambda x: F.leaky_relu(x, 0.3), 1.0),
            ("SiLU", F.silu, 1.0),
            ("GELU", F.gelu, 1.0),
            ("ELU", F.elu, 1.0),
            ("softplus", F.softplus, 1.0),
        ],
    )
    def test_activation(self, x, name, f, claim):
        told = message(lambda x: f(x).sum(), x, np.full(x.shape, claim))
        assert told == (
            f"Wrong. The derivative of {name} is missing: multiply the incoming gradient by it."
        )

    def test_composed_tanh(self, x):
        def tanh(x):
            return (mg.exp(x) - mg.exp(-x)) / (mg.exp(x) + mg.exp(-x))

        assert "derivative of tanh is missing" in message(lambda x: tanh(x).sum(), x, np.ones_like)

    def test_leaky_slope(self, x):
        told = message(lambda x: F.leaky_relu(x, 0.3).sum(), x, lambda x: (x > 0) * 1.0)
        assert "slope is missing" in told

    def test_paths_of_batch_norm(self, x, rng):
        c = rng.standard_normal(x.shape)
        scale = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        y = (x - x.mean(axis=0)) * scale
        f = lambda x: F.batch_norm(x, None, None, training=True)  # noqa: E731
        for claim, missing in [
            (scale * (c - y * (c * y).mean(axis=0)), "The path through the mean"),
            (scale * (c - c.mean(axis=0)), "The path through the variance"),
            (scale * c, "The paths through mean and variance"),
        ]:
            assert missing in message(f, x, claim, cotangent=c)

    def test_elements(self, x):
        claim = 2 * x
        claim[5, 1], claim[7, 2] = 9, 9
        told = message(lambda x: (x**2).sum(), x, claim)
        assert "2 of 192 elements: [5, 1], [7, 2]" in told

    def test_kinks(self, x):
        x[3, 1] = 0
        told = message(lambda x: mg.relu(x).sum(), x, lambda x: (x >= 0) * 1.0)
        assert "At [3, 1] the function has a kink" in told

    def test_constant(self, x):
        assert "plus 0.25 in every" in message(lambda x: mg.sin(x).sum(), x, np.cos(x) + 0.25)

    def test_link(self, x):
        told = message(lambda x: mg.sin(x**2).sum(), x, lambda x: 2 * x)
        assert "derivative of sin of pow" in told


class TestTies:
    def test_both_are_named(self, x):
        """A half left out, or a link of the chain: the same numbers, two stories."""
        verdict = check.by_hand(lambda x: 0.5 * (x**2).sum(), x, lambda x: 2 * x)
        assert verdict.causes == ["constant factor", "chain rule's outer factor missing"]
        assert "equally possible" in verdict.message

    def test_what_makes_no_difference_is_not_named(self, x):
        """All inputs positive: a ReLU's mask can not be what is missing."""
        verdict = check.by_hand(lambda x: (mg.relu(x) ** 2).sum(), np.abs(x), lambda x: 2 * x + 0.1)
        assert verdict.causes == ["additive constant"]


class TestNotNamed:
    """What looks like an explanation and is none."""

    def test_one_negative_number_is_no_leaky_relu(self, x):
        """0.1 times a negative number equals a leaky ReLU of it."""
        verdict = check.by_hand(lambda x: 0.1 * mg.tanh(-mg.abs(x)).sum(), x,
                                lambda x: -np.sign(x) * (1 - np.tanh(x) ** 2))  # fmt: skip
        assert verdict.causes == ["chain rule's outer factor missing"]
        assert "mul by 0.1" in verdict.message

    def test_a_copy_is_no_relu(self, x):
        """A tensor of positive numbers equals its ReLU, whose mask lets everything pass."""
        verdict = check.by_hand(lambda x: ((x**2).reshape(x.shape) + mg.sin(x)).sum(), x, np.cos(x))
        assert verdict.causes == ["a path left out"]

    def test_what_leaves_most_of_the_difference_unexplained(self, x, rng):
        """Both the path and the noise are below the precision of an explanation."""
        x = rng.uniform(0, 0.5, x.shape)
        right = np.cos(x) + 8e-7 * x
        claim = right * (1 + 3e-7 * rng.uniform(-1, 1, x.shape))
        verdict = check.by_hand(lambda x: (mg.sin(x) + 4e-7 * x**2).sum(), x, claim)
        assert not verdict and verdict.causes == []


class TestMechanism:
    def point(self, x):
        t = mg.Tensor(x, requires_grad=True)
        y = (mg.sigmoid(mg.sigmoid(t)) ** 2).sum()
        return causes.Point({"x": t}, "x", y, mg.Tensor(np.ones(())))

    def test_the_graph_is_as_before(self, x):
        point = self.point(x)
        before = [(t.op, t.inputs, t.settings) for t in point.graph]
        right = point.right.copy()
        causes.explanations(point, np.ones(x.shape), np.zeros(x.shape, bool))
        assert [(t.op, t.inputs, t.settings) for t in point.graph] == before
        np.testing.assert_array_equal(point.gradient(), right)

    def test_the_graph_is_as_before_after_an_error(self, x):
        def broken(g, y, x):
            raise KeyError("a bug")

        point = self.point(x)
        s = point.graph[1]
        before = s.op
        with pytest.raises(KeyError):
            point.gradient(causes.point.wrong_rule(s, 0, broken))
        assert s.op is before

    def test_nothing_is_left_in_memory(self, x):
        gc.collect()
        gc.disable()
        try:
            seen = []

            def f(x):
                y = mg.sigmoid(x)
                seen.append(weakref.ref(y))
                return (y**2).sum()

            verdict = check.by_hand(f, x[:2], x[:2])
            assert not verdict and all(ref() is None for ref in seen)
        finally:
            gc.enable()

    def test_one_place_or_all(self, rng):
        x, v, w = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)

        def f(x, v, w):
            return mg.tanh(mg.tanh(x @ v) @ w).sum()

        def both(x, v, w):
            return x.T @ (np.ones((5, 1)) * w)

        def inner(x, v, w):
            outer = 1 - np.tanh(np.tanh(x @ v) @ w) ** 2
            return x.T @ (outer[:, None] * w)

        told = message(f, (x, v, w), both, wrt="v")
        assert "In all 2 places: the derivative of tanh is missing" in told
        assert message(f, (x, v, w), inner, wrt="v").startswith("Wrong. The derivative of tanh")

    def test_rounding_is_small_where_the_gradient_is_plain(self, x):
        point = self.point(x)
        assert (point.rounding < 1e-10 * np.abs(point.right).max()).all()
