"""`minigan check` forgets no function, and would notice a wrong one."""

import importlib
import pkgutil

import numpy as np
import pytest

import minigan as mg
from minigan import autograd, check, ops
from minigan.check import library
from minigan.check.subject import graph
from minigan.tensor import Op


def all_ops():
    modules = [
        importlib.import_module(m.name) for m in pkgutil.iter_modules(ops.__path__, "minigan.ops.")
    ]
    return {
        f"{module.__name__}.{name}": value.op
        for module in [*modules, autograd]
        for name, value in vars(module).items()
        if isinstance(getattr(value, "op", None), Op) and value.__module__ == module.__name__
    }


def used():
    """(id of the Op, input) of every rule that some example's gradient goes through."""
    found = set()
    for example in library.EXAMPLES:
        y = example.f(*(mg.Tensor(a, requires_grad=True) for a in example.inputs))
        for t in graph(list(y) if isinstance(y, tuple) else [y]):
            for i, x in enumerate(t.inputs):
                if isinstance(x, mg.Tensor) and x.requires_grad:
                    found.add((id(t.op), min(i, len(t.op.rules) - 1)))
    return found


def test_every_rule_has_an_example():
    covered = used()
    missing = [
        f"{name}, input {i}"
        for name, record in all_ops().items()
        for i, rule in enumerate(record.rules)
        if rule is not None and (id(record), i) not in covered
    ]
    assert not missing, "add an example to minigan/check/library.py"


def test_names_are_unique_and_points_are_far_from_kinks():
    names = [example.name for example in library.EXAMPLES]
    assert len(set(names)) == len(names)
    assert all(a.dtype == np.float64 for e in library.EXAMPLES for a in e.inputs)


@pytest.fixture(scope="module")
def results():
    return list(library.check(2))


def test_everything_is_right_with_a_margin(results):
    for example, report in results:
        assert report, f"{example.name}: {report}"
        assert not report.kinks, example.name
        assert report.margin > 3, example.name
        assert report.worst_error < 1e-10, example.name


def test_the_table(results):
    table = library.table(results)
    assert table["function"] == [e.name for e in library.EXAMPLES]
    assert set(table["orders"]) == {"1, 2"} and set(table["verdict"]) == {"right"}
    assert "0 wrong" in table.note


def test_a_wrong_function_is_shown(results):
    wrong = autograd.op(lambda g, y, x: -g, latex="")(lambda x: x * 1.0)
    report = check.gradients(wrong, np.ones(2))
    table = library.table([results[0], (library.Example("wrong", wrong, ()), report)])
    assert table["verdict"] == ["right", "WRONG"] and "1 wrong" in table.note
    assert table["orders"][1] == "1"  # the second order of a wrong gradient tells nothing new
