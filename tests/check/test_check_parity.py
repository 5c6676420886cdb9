import builtins
import importlib

import numpy as np
import pytest

import minigan as mg
from minigan import check

X = np.random.default_rng(0).standard_normal((3, 4))


def test_without_pytorch_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r'pip install "minigan\[parity\]"'):
        check.parity(mg.tanh, mg.tanh, X)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parity
class TestParity:
    def test_the_same_function(self, torch):
        found = check.parity(lambda x: mg.softmax(x, 1), lambda x: torch.softmax(x, 1), X)
        assert found, found
        assert found.table[""] == [
            "value",
            "gradient in input 0",
            "second derivative in input 0",
        ]
        assert max(found.table["difference"]) < 1e-14

    def test_other_functions(self, torch):
        found = check.parity(lambda x: mg.softmax(x, 1), lambda x: torch.softmax(x, 0), X)
        assert not found and "differ" in str(found) and found._repr_html_()

    def test_a_wrong_gradient_of_a_right_value(self, torch):
        class Wrong(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                return g

        found = check.parity(lambda x: x * 2, Wrong.apply, X, order=1)
        assert found.table["differs"] == [False, True]

    def test_a_wrong_second_derivative_of_a_right_gradient(self, torch):
        def rule(g, y, x):
            return g * mg.Tensor(2 * x.array) if isinstance(x, mg.Tensor) else g * 2 * x

        square = mg.autograd.op(rule, latex="")(np.square)
        found = check.parity(square, torch.square, X)
        assert found.table["differs"] == [False, False, True]

    def test_several_inputs_and_integers(self, torch):
        index = np.array([[0], [2], [1]])
        found = check.parity(
            lambda x, i, b: mg.gather(x, 1, i) * b,
            lambda x, i, b: torch.gather(x, 1, i) * b,
            X,
            index,
            X[:, :1],
        )
        assert found, found
        assert len(found.table) == 5

    def test_linear_functions_have_no_second_derivative(self, torch):
        assert check.parity(mg.add, torch.add, X, X[0])

    def test_float32_needs_its_own_tolerance(self, torch):
        x = X.astype("float32")
        assert check.parity(mg.exp, torch.exp, x, rtol=1e-5)

    def test_shapes_that_differ(self, torch):
        found = check.parity(lambda x: x.sum(0), lambda x: x.sum(0, keepdim=True), X, order=0)
        assert not found and "shapes (4,), (1, 4)" in str(found)

    def test_nothing_to_differentiate(self, torch):
        with pytest.raises(ValueError, match="floating-point"):
            check.parity(mg.add, torch.add, np.ones(2, dtype=int), np.ones(2, dtype=int))


def test_pytorch_is_not_imported_with_minigan():
    assert builtins.__import__("minigan.check.parity")
    import subprocess
    import sys

    code = "import minigan, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
