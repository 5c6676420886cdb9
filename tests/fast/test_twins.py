"""Every twin against its definition: values, first derivatives, dtypes, layouts, empty axes.

Twins are found in the registry, and the cases in the tables of the functions' own tests: a twin
that no case reaches fails here.
"""

import functools
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
from devices import on_device
from numeric import Case
from ops import all_cases

import minigan as mg
from minigan import hooks, random
from minigan.fast.cuda import device as _  # noqa: F401
from minigan.fast.cuda import twins as _twins  # noqa: F401
from minigan.ops import batch_stats
from minigan.ops.norm import blend
from minigan.optim import optimizer
from minigan.seam import DEFINITIONS
from minigan.tensor import Op

WITHOUT_GRADIENT = {  # tested where they are named: these have no derivative, or no array
    record.op
    for record in (
        hooks.each_step,
        hooks.numbers,
        hooks.read,
        hooks.not_in_capture,
        hooks.mean_over_ranks,
        hooks.ranks,
    )
} | {random.uniform.op, random.standard_normal.op, optimizer.update.op, blend.op, batch_stats.op}
TWINS = [
    pytest.param(record, place, k, id=f"{record.name}-{place[0]}-{place[1]}-{k}")
    for record in DEFINITIONS
    if isinstance(record, Op) and record.definition.__module__.startswith("minigan.")
    for place, twins in record.twins.items()
    for k in range(len(twins))
]
ALONE = {"all_reduce"}  # its twin needs several processes: tests/fast/test_mpi.py


def columns(*xs):
    return mg.ops.cat([x + 0 for x in xs] * 5, 1)


RNG = np.random.default_rng(0)
EXTRA = {  # cases of a size that the tables do without
    "sum": [
        Case("many rows", lambda x: mg.sum(x, 0), None, (RNG.normal(size=(9000, 4)),)),
        Case("pictures", lambda x: mg.sum(x, (0, 2), True), None, (RNG.normal(size=(99, 3, 200)),)),
    ],
    "cat": [Case("many", columns, None, (RNG.normal(size=(2, 1)), RNG.normal(size=(2, 3))))],
}
IN_CAPTURES = {"cat", "matmul"}  # have their twins on a GPU only for these


@contextmanager
def instead(record, place, k, make):
    """Another function in the place of a twin, made from it."""
    twins = record.twins[place]
    before = twins[k]
    twins[k] = make(before)
    record.settle()
    try:
        yield
    finally:
        twins[k] = before
        record.settle()


@contextmanager
def device(place, record):
    """Where the twin is asked."""
    recording = _twins.recording
    if record.name in IN_CAPTURES:
        _twins.recording = lambda: True
    try:
        with on_device() if place[0] == "cuda" else nullcontext():
            yield
    finally:
        _twins.recording = recording


def layouts(a):
    """The same values in memory in order, transposed, and with gaps."""
    yield a
    if a.ndim > 1 and a.size:
        yield np.asfortranarray(a)
        yield np.repeat(a, 2, axis=-1)[..., ::2]


def computed(f, inputs, dtype, where):
    """The value, and the gradients for one random cotangent, as host arrays."""
    xs = [
        mg.Tensor(mg.array.asarray(a.astype(dtype) if a.dtype.kind == "f" else a, device=where))
        for a in inputs
    ]
    for x in xs:
        x.requires_grad_(x.dtype.kind == "f")
    y = f(*xs)
    found = [y.detach().numpy()]
    if y.requires_grad:
        cotangent = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
        g = mg.Tensor(mg.array.asarray(cotangent, device=where))
        leaves = [x for x in xs if x.requires_grad]
        found += [
            None if g is None else g.numpy() for g in mg.grad(y, leaves, g, allow_unused=True)
        ]
    return found


def compare(case, dtype, where):
    """The case with twins against the case without."""
    for inputs in zip(*map(layouts, case.inputs), strict=False):
        got = computed(case.f, inputs, dtype, where)
        with mg.plain():
            expected = computed(case.f, inputs, dtype, where)
        for a, b in zip(got, expected, strict=True):
            if b is None:
                assert a is None
                continue
            assert a.dtype == b.dtype and a.shape == b.shape
            scale = max(1.0, np.abs(b).max(initial=0)) * {"float32": 2e-5, "float64": 1e-11}[dtype]
            np.testing.assert_allclose(a, b, rtol=0, atol=scale)


@functools.cache
def cases_of(record, place, k):
    """The cases of all tables in which this twin is asked and answers."""
    found = []
    for case in all_cases():
        answers = []

        def noting(twin, answers=answers):
            def spy(*operands, **settings):
                result = twin(*operands, **settings)
                answers.append(result is not NotImplemented)
                return result

            return spy

        with instead(record, place, k, noting):
            computed(case.f, case.inputs, "float64", "cuda" if place[0] == "cuda" else "cpu")
        if any(answers):
            found.append(case)
    return found


@contextmanager
def asked(record, place, k):
    """All cases that reach a twin, where it is asked."""
    if record.name in ALONE:
        pytest.skip("needs several processes")
    with device(place, record):
        yield EXTRA.get(record.name, []) + cases_of(record, place, k), place[0]


@pytest.mark.host
@pytest.mark.parametrize("record, place, k", TWINS)
def test_a_twin_computes_what_its_definition_does(record, place, k):
    with asked(record, place, k) as (cases, where):
        assert cases, f"no case reaches this twin of {record.name}: add one to its table"
        for case in cases:
            for dtype in ("float32", "float64"):
                compare(case, dtype, where)


def wrong(twin):
    """The twin, a hundredth off."""

    def off(*operands, **settings):
        result = twin(*operands, **settings)
        if result is NotImplemented:
            return result
        if isinstance(result, tuple) and callable(result[-1]):  # a composite's: its gradients
            y, pullback = result
            return y, lambda g, wanted: tuple(
                None if gx is None else gx * 1.01 for gx in pullback(g, wanted)
            )
        return result * 1.01

    return off


@pytest.mark.host
@pytest.mark.parametrize("record, place, k", TWINS)
def test_a_wrong_twin_is_caught(record, place, k):
    off = instead(record, place, k, wrong)
    with asked(record, place, k) as (cases, where), off, pytest.raises(AssertionError):
        for case in cases:
            compare(case, "float64", where)


def test_functions_without_gradient_are_tested_elsewhere():
    """Who adds such a twin has to say here that it was seen."""
    known = {record for record in WITHOUT_GRADIENT if record.twins}
    found = {record for record in DEFINITIONS if record.twins and not isinstance(record, Op)}
    assert found == known
