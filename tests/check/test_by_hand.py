"""check.by_hand: the three-way comparison, its answer, and what it refuses to judge."""

import numpy as np
import pytest

import minigan as mg
from minigan import check
from minigan.autograd import op
from minigan.nn import functional as F


def sigma(x):
    return 1 / (1 + np.exp(-x))


def f(x):
    return (mg.sigmoid(x) ** 2).sum()


def derived(x):
    return 2 * sigma(x) ** 2 * (1 - sigma(x))


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 4))


class TestAnswer:
    def test_right(self, x):
        verdict = check.by_hand(f, x, derived)
        assert verdict and verdict.ok
        assert verdict.causes == [] and verdict.message == "Right in all 12 elements."

    def test_right_as_an_array(self, x):
        assert check.by_hand(f, x, derived(x)).ok
        assert check.by_hand(f, mg.Tensor(x), mg.Tensor(derived(x))).ok

    def test_three_gradients(self, x):
        verdict = check.by_hand(f, x, 2 * derived(x))
        np.testing.assert_allclose(verdict.claimed, 2 * derived(x))
        np.testing.assert_allclose(verdict.autograd, derived(x))
        np.testing.assert_allclose(verdict.numeric, derived(x), atol=1e-9)
        assert (np.abs(verdict.numeric - derived(x)) <= verdict.numeric_error + 1e-15).all()

    def test_worst_element_comes_first(self, x):
        claim = derived(x)
        claim[1, 2] += 0.1
        claim[2, 3] += 0.5
        table = check.by_hand(f, x, claim).table
        assert table["element"][:2] == ["x[2, 3]", "x[1, 2]"]
        assert table["difference"][:2] == pytest.approx([0.5, 0.1])
        assert table.marks == {0: "bad", 1: "bad"}

    def test_as_text_and_as_html(self, x):
        verdict = check.by_hand(f, x, -derived(x))
        assert repr(verdict).startswith("Wrong. Every sign is flipped")
        html = verdict._repr_html_()
        assert "Every sign is flipped" in html and "<table" in html
        assert "<script" not in check.by_hand(f, {"x": x}, -derived(x))._repr_html_()

    def test_numbers(self):
        assert check.by_hand(lambda x: x**3, 2.0, 12.0).message == "Right."
        verdict = check.by_hand(lambda x: x**3, 2.0, 24.0)
        assert not verdict and "several values" in verdict.message

    def test_inputs_stay_as_they_were(self, x):
        before = x.copy()
        assert check.by_hand(f, x, lambda x: x.fill(0) or derived(before))  # a rude student
        np.testing.assert_array_equal(x, before)

    def test_unexplained(self, x, rng):
        verdict = check.by_hand(f, x, rng.standard_normal(x.shape))
        assert not verdict and verdict.causes == []
        assert "Wrong in 12 of 12 elements, and no single known mistake" in verdict.message
        assert "largest at x[" in verdict.message

    def test_rounded_numbers_are_told(self, x):
        verdict = check.by_hand(f, x, np.round(derived(x), 4))
        assert not verdict and "rounded numbers" in verdict.message


class TestLarge:
    """Finite differences in some elements, autograd in all."""

    def dense(self, rng):
        x, w = rng.standard_normal((4, 60)), rng.standard_normal((60, 30))
        return lambda x, w: mg.tanh(x @ w).mean(), (x, w), x.T @ (1 - np.tanh(x @ w) ** 2) / 120

    def test_right(self, rng):
        g, at, claim = self.dense(rng)
        verdict = check.by_hand(g, at, claim, wrt="w")
        assert verdict.ok and "of 1800 elements; finite differences were taken in" in str(verdict)
        assert 256 <= np.isfinite(verdict.numeric).sum() <= 512

    def test_wrong(self, rng):
        g, at, claim = self.dense(rng)
        assert check.by_hand(g, at, 120 * claim, wrt="w").causes[0] == "constant factor"
        claim[31, 17] += 1e-3
        verdict = check.by_hand(g, at, claim, wrt="w")
        assert verdict.causes == ["a few wrong elements"] and "[31, 17]" in verdict.message
        assert np.isfinite(verdict.numeric[31, 17])

    def test_detached(self, rng):
        x = rng.standard_normal(1000)
        g = lambda x: (x * x.detach()).sum()  # noqa: E731
        assert not check.by_hand(g, x, x)
        assert not check.by_hand(g, x, 3 * x)
        assert check.by_hand(g, x, 2 * x)
        assert not check.by_hand(g, x, np.where(np.arange(1000) == 501, 0, 2 * x))


class TestInputs:
    def test_tuple_by_position_and_name(self, x, rng):
        w = rng.standard_normal((4, 2))
        for wrt in (1, -1, "w"):
            verdict = check.by_hand(lambda x, w: (x @ w).sum(), (x, w),
                                    lambda x, w: x.T @ np.ones((3, 2)), wrt=wrt)  # fmt: skip
            assert verdict.ok

    def test_dict(self, x, rng):
        at = {"w": rng.standard_normal(4), "x": x}
        g = lambda x, w: mg.tanh(x @ w).sum()  # noqa: E731
        claim = lambda w, x: x.T @ (1 - np.tanh(x @ w) ** 2)  # noqa: E731
        assert check.by_hand(g, at, claim, wrt="w").ok

    def test_labels_stay_integers(self, x):
        y = np.array([0, 3, 1])

        def claim(z, y):
            p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
            return (p - np.eye(4)[y]) / 3

        assert check.by_hand(lambda z, y: F.cross_entropy(z, y), (x, y), claim).ok

    def test_first_float_input_is_the_default(self, x):
        y = np.array([2, 0])
        assert check.by_hand(lambda y, x: (x[y] ** 2).sum(), (y, x), lambda y, x: np.where(
            np.isin(np.arange(3), y)[:, None], 2 * x, 0)).ok  # fmt: skip

    def test_cotangent(self, x, rng):
        c = rng.standard_normal(x.shape)
        assert check.by_hand(mg.tanh, x, c * (1 - np.tanh(x) ** 2), cotangent=c).ok
        assert not check.by_hand(mg.tanh, x, 1 - np.tanh(x) ** 2, cotangent=c).ok

    def test_f_may_differentiate_inside(self, x):
        def penalty(x):
            (g,) = mg.grad((x**3).sum(), x, create_graph=True)
            return (g**2).sum()

        assert check.by_hand(penalty, x, lambda x: 36 * x**3).ok


class TestThreeWays:
    """Autograd is a witness, not the judge."""

    def wrong_rule(self):
        @op(lambda g, y, x: 2 * g, latex="")
        def triple(x):
            return 3 * x

        return lambda x: triple(x).sum()

    def test_right_though_autograd_is_wrong(self, x):
        verdict = check.by_hand(self.wrong_rule(), x, np.full(x.shape, 3.0))
        assert verdict.ok and "it is right" in verdict.message

    def test_wrong_though_autograd_agrees(self, x):
        verdict = check.by_hand(self.wrong_rule(), x, np.full(x.shape, 2.0))
        assert not verdict
        assert verdict.causes == ["autograd disagrees with finite differences"]

    def test_wrong_by_both(self, x):
        verdict = check.by_hand(self.wrong_rule(), x, np.full(x.shape, 4.0))
        assert not verdict and verdict.message.endswith("agrees with neither.")
        assert not check.by_hand(self.wrong_rule(), 1.5, 4.0)


class TestRefused:
    def refuses(self, match, f, at, claimed, **options):
        with pytest.raises(check.CheckError, match=match):
            check.by_hand(f, at, claimed, **options)

    def test_not_scalar(self, x):
        self.refuses(r"shape \(3, 4\).*\.sum\(\).*cotangent", mg.tanh, x, x)

    def test_several_outputs(self, x):
        self.refuses("return one output", lambda x: (x.sum(), x.mean()), x, x)

    def test_no_tensor(self, x):
        self.refuses("float", lambda x: float(x.sum()), x, x)

    @pytest.mark.parametrize("cut", [lambda x: (x > 0).sum(), lambda x: x.detach().sum(),
                                     lambda x: x.argmax()])  # fmt: skip
    def test_not_differentiable(self, x, cut):
        self.refuses("not differentiable", cut, x, x)

    def test_dropout(self, x):
        self.refuses("not deterministic.*dropout", lambda x: F.dropout(x).sum(), x, x)

    def test_randomness_of_its_own(self, x):
        rng = np.random.default_rng(0)
        self.refuses("not deterministic", lambda x: (x * rng.standard_normal()).sum(), x, x)

    def test_nan(self, x):
        self.refuses("holds nan", f, np.where(x > 1, np.nan, x) * np.nan, x)
        self.refuses("NaN or infinity", lambda x: mg.log(-mg.abs(x)).sum(), x, x)
        self.refuses("claimed gradient holds nan", f, x, x * np.nan)

    def test_infinite_slope(self):
        self.refuses("NaN or infinite at this point", lambda x: mg.sqrt(x).sum(), np.zeros(2), 1.0)

    def test_integers(self):
        self.refuses("integers have no derivative", f, np.arange(3), np.arange(3.0))
        self.refuses("integers have no derivative", f, 3, 1.0)

    def test_float32(self, x):
        self.refuses("float32.*digits", f, x.astype("float32"), derived(x))
        self.refuses("claimed gradient is float32", f, x, derived(x).astype("float32"))

    def test_float32_inside(self, x):
        self.refuses("float32", lambda x: x.float().sum(), x, np.ones((3, 4)))

    def test_shapes_say_which_axis(self, x):
        self.refuses("axis 1 is 5 instead of 4", f, x, np.ones((3, 5)))
        self.refuses("1 axes instead of 2", f, x, np.ones(3))
        self.refuses(
            "cotangent.*axis 0 is 2 instead of 3", mg.tanh, x, x, cotangent=np.ones((2, 4))
        )

    def test_wrt(self, x):
        self.refuses("wrt='y' is no input; they are 'x'", f, x, x, wrt="y")
        self.refuses("wrt=3 is no input", f, x, x, wrt=3)

    def test_empty(self):
        self.refuses("no elements", f, np.zeros((0, 3)), np.zeros((0, 3)))

    def test_no_result(self, x):
        self.refuses("claimed gradient is None.*return", f, x, lambda x: None)

    def test_no_numbers(self, x):
        self.refuses("numbers", f, x, "2x")
