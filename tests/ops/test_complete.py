"""No function without a gradient test: every Op of minigan.ops appears in some file's CASES."""

import importlib
import inspect
import pkgutil

import pytest

import minigan as mg
from minigan import ops
from minigan.tensor import Op
from ops import all_cases


def all_ops() -> dict[str, Op]:
    """Every recorded function of the package, by module and name."""
    found = {}
    for info in pkgutil.iter_modules(ops.__path__, "minigan.ops."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(getattr(value, "op", None), Op) and value.__module__ == info.name:
                found[f"{info.name}.{name}"] = value.op
    return found


def differentiated() -> dict[int, set[int]]:
    """Of each Op that some case's last step is: the inputs that were differentiated."""
    result: dict[int, set[int]] = {}
    for case in all_cases():
        out = case.f(*(mg.tensor(a, requires_grad=True) for a in case.inputs))
        if out.op is not None:
            used = {
                min(i, len(out.op.rules) - 1)
                for i, x in enumerate(out.inputs)
                if isinstance(x, mg.Tensor) and x.requires_grad
            }
            result.setdefault(id(out.op), set()).update(used)
    return result


@pytest.mark.host
def test_every_rule_has_a_gradient_test():
    covered = differentiated()
    missing = [
        f"{name}, input {i}"
        for name, op in all_ops().items()
        for i, rule in enumerate(op.rules)
        if rule is not None and i not in covered.get(id(op), ())
    ]
    assert not missing, "add a case to the table of tests/ops/test_<family>.py"


def test_the_search_finds_the_functions():
    names = {name.rpartition(".")[2] for name in all_ops()}
    assert {"add", "eq", "sum", "softmax", "conv2d", "bce", "getitem", "_matmul", "lstm"} <= names


@pytest.mark.parametrize("name, op", all_ops().items(), ids=all_ops())
@pytest.mark.host
def test_every_rule_has_its_formula(name, op):
    assert bool(op.latex) == bool(op.rules or op.composite)
    assert op.latex.count("{") == op.latex.count("}")
    assert op.name and not op.name.startswith("_")
    assert inspect.getdoc(op.forward)
