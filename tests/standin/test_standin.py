"""The stand-in catches what CuPy would not forgive; with ``-m gpu``, CuPy is asked as well."""

import importlib
import json
import math
import operator
import pickle
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import standin
from standin import Misuse, counts, no_sync, snapshot
from standin import library as stand_in

HIDDEN = "hidden"  # counted, and under no_sync() refused; CuPy does it silently
SILENT = None  # CuPy does it, and the result is not what was meant


class Planted(NamedTuple):
    """A mistake: what is done, what the stand-in and CuPy say to it."""

    name: str
    do: Any
    here: Any
    cupy: Any


def both(name, do, error):
    return Planted(name, do, error, error)


def waits(name, do):
    return Planted(name, do, HIDDEN, SILENT)


def silent(name, do):
    return Planted(name, do, Misuse, SILENT)


MISUSES = [  # s.a, s.b: float32 (2, 3); s.i: integers; s.mask: booleans; s.h: a on the host
    # fetched without a word
    waits("float", lambda xp, s: float(s.a.sum())),
    waits("int", lambda xp, s: int(s.i[0])),
    waits("complex", lambda xp, s: complex(s.a[0, 0])),
    waits("bool", lambda xp, s: bool(s.a[0, 0] > 0)),
    waits("an if", lambda xp, s: 1 if (s.a > 0).all() else 2),
    waits("not", lambda xp, s: not s.a[0, 0]),
    waits("repr", lambda xp, s: repr(s.a)),
    waits("str", lambda xp, s: str(s.a)),
    waits("an f-string", lambda xp, s: f"{s.a.sum():.3f}"),
    waits("math", lambda xp, s: math.sqrt(s.a[1, 1])),
    waits("max of Python", lambda xp, s: max(s.a[0])),
    waits("sorted", lambda xp, s: sorted(s.a[0])),
    waits("in", lambda xp, s: 7.0 in s.a[0]),
    waits("a mask as index", lambda xp, s: s.a[s.mask]),
    waits("nonzero", lambda xp, s: s.a.nonzero()),
    waits("flatnonzero", lambda xp, s: xp.flatnonzero(s.a)),
    waits("where of one", lambda xp, s: xp.where(s.a)),
    waits("argwhere", lambda xp, s: xp.argwhere(s.a)),
    waits("unique", lambda xp, s: xp.unique(s.a)),
    waits("bincount", lambda xp, s: xp.bincount(s.i)),
    # sent without a word
    waits("a list as index", lambda xp, s: s.a[:, [0, 2]]),
    waits("a NumPy index", lambda xp, s: s.a[:, np.array([0, 2])]),
    # host and device mixed
    both("asarray", lambda xp, s: np.asarray(s.a), TypeError),
    both("array of NumPy", lambda xp, s: np.array(s.a), TypeError),
    both("device + host", lambda xp, s: s.a + s.h, TypeError),
    both("host + device", lambda xp, s: s.h + s.a, TypeError),
    both("device += host", lambda xp, s: operator.iadd(s.a, s.h), TypeError),
    both("host += device", lambda xp, s: operator.iadd(s.h, s.a), TypeError),
    both("device @ host", lambda xp, s: s.a @ s.h.T, TypeError),
    both("NumPy's add", lambda xp, s: np.add(s.h, s.a), TypeError),
    Planted("NumPy's copyto", lambda xp, s: np.copyto(s.h, s.a), TypeError, AttributeError),
    both("exp of host", lambda xp, s: xp.exp(s.h), TypeError),
    both("maximum", lambda xp, s: xp.maximum(s.a, s.h), TypeError),
    both("concatenate", lambda xp, s: xp.concatenate([s.a, s.h]), TypeError),
    both("out on the host", lambda xp, s: xp.exp(s.a, out=s.h), TypeError),
    both("a host's values assigned", lambda xp, s: operator.setitem(s.a, ..., s.h), ValueError),
    both("index of a list", lambda xp, s: [1, 2, 3][s.i[0]], TypeError),
    both("text", lambda xp, s: xp.asarray(["a"]), ValueError),
    # what CuPy lacks
    both("errstate", lambda xp, s: xp.errstate(all="ignore"), AttributeError),
    both("vecdot", lambda xp, s: xp.vecdot(s.a, s.b), AttributeError),
    both("geomspace", lambda xp, s: xp.geomspace(1, 2, 3), AttributeError),
    both("scatter_add", lambda xp, s: xp.scatter_add(s.a, 0, 1.0), AttributeError),
    both("vector_norm", lambda xp, s: xp.linalg.vector_norm(s.a), AttributeError),
    both("resize", lambda xp, s: s.a.resize(3, 2), AttributeError),
    both("writeable", lambda xp, s: s.a.flags.writeable, AttributeError),
    both("where= of a ufunc", lambda xp, s: xp.log(s.a, where=s.mask), TypeError),
    both("order= of a ufunc", lambda xp, s: xp.log(s.a, order="C"), TypeError),
    both("where= of a sum", lambda xp, s: xp.sum(s.a, where=s.mask), TypeError),
    both("where= of a mean", lambda xp, s: s.a.mean(where=s.mask), TypeError),
    both("initial= of a maximum", lambda xp, s: s.a.max(initial=0.0), TypeError),
    both("correction= of var", lambda xp, s: xp.var(s.a, correction=1), TypeError),
    both("min= of clip", lambda xp, s: xp.clip(s.a, min=0.0), TypeError),
    both("stable= of argsort", lambda xp, s: xp.argsort(s.a, stable=True), TypeError),
    both("multiply.at", lambda xp, s: xp.multiply.at(s.a, s.i, 2.0), NotImplementedError),
    both("maximum.reduce", lambda xp, s: xp.maximum.reduce(s.a), NotImplementedError),
    both("maximum.accumulate", lambda xp, s: xp.maximum.accumulate(s.a), NotImplementedError),
    both("out of another shape", lambda xp, s: xp.exp(s.a, out=s.a[0]), ValueError),
    both("whole numbers += float", lambda xp, s: operator.iadd(s.i, 0.5), TypeError),
    # what CuPy computes, but not as NumPy does
    silent("a NumPy scalar widens", lambda xp, s: s.a * np.float64(0.5)),
    silent("a NumPy scalar widens, first", lambda xp, s: np.float64(0.5) * s.a),
    silent("a NumPy scalar widens, by name", lambda xp, s: xp.maximum(s.a, np.float64(0))),
    silent("out of range", lambda xp, s: s.a[:, xp.asarray([3])]),
    silent("below the range", lambda xp, s: s.a[xp.asarray([-3])]),
    silent("assigned twice", lambda xp, s: operator.setitem(s.i, xp.asarray([0, 0]), s.i[:2])),
    silent("added out of range", lambda xp, s: xp.add.at(s.a, xp.asarray([2]), 1.0)),
    silent("pickled", lambda xp, s: pickle.dumps(s.a)),
]


def scene(xp):
    host = np.arange(6, dtype="float32").reshape(2, 3) - 1
    a = xp.asarray(host)
    return SimpleNamespace(
        a=a, b=xp.asarray(host), h=host, i=xp.asarray(np.array([1, 0, 1])), mask=a > 0
    )


def test_there_are_enough_of_them():
    assert len(MISUSES) >= 30 and len({m.name for m in MISUSES}) == len(MISUSES)


@pytest.mark.parametrize("planted", MISUSES, ids=lambda m: m.name)
def test_caught_by_the_stand_in(planted):
    s = scene(stand_in)
    if planted.here is not HIDDEN:
        with pytest.raises(planted.here):
            planted.do(stand_in, s)
        return
    counts.reset()
    planted.do(stand_in, s)
    assert counts.hidden >= 1
    with no_sync(), pytest.raises(Misuse, match="hidden in"):
        planted.do(stand_in, scene(stand_in))


@pytest.mark.gpu
@pytest.mark.parametrize("planted", MISUSES, ids=lambda m: m.name)
def test_the_same_on_cupy(planted):
    """Fidelity: where the stand-in refuses as CuPy does, it does; the rest CuPy lets pass."""
    cupy = importlib.import_module("cupy")
    s = scene(cupy)
    if planted.cupy is SILENT:
        planted.do(cupy, s)
    else:
        with pytest.raises(planted.cupy):
            planted.do(cupy, s)


# ------------------------------------------------------------------------------ a device's manners


def devices():
    yield pytest.param("standin.library", id="standin")
    yield pytest.param("cupy", id="cupy", marks=pytest.mark.gpu)


@pytest.fixture(params=devices())
def xp(request):
    return importlib.import_module(request.param)


def test_reductions_give_arrays(xp):
    a = scene(xp).a
    for value in (a.sum(), a.max(), xp.mean(a), a @ a.T @ a[:, 0] @ a[:, 0][:2], a[0, 0]):
        assert type(value) is xp.ndarray
    assert a.sum().shape == a[1, 2].shape == a[xp.asarray(0), xp.asarray(1)].shape == ()


def test_elementwise_results_lose_the_layout(xp):
    a = xp.zeros((2, 4, 4, 3), "float32").transpose(0, 3, 1, 2)
    assert not a.flags.c_contiguous
    for result in (a + 1, -a, xp.exp(a), xp.maximum(a, 0), a > 0, xp.where(a > 0, a, 0.0)):
        assert result.flags.c_contiguous
    assert xp.add(a, a, out=a) is a and not a.flags.c_contiguous
    assert not xp.zeros_like(a).flags.c_contiguous


def test_views_share_memory_and_have_an_owner(xp):
    a = xp.zeros((2, 6), "float32")
    a[0].reshape(2, 3).T[1:, 0] = 1.0
    assert a.get().tolist() == [[0, 1, 1, 0, 0, 0], [0] * 6]
    assert a[1].base is a and a.T.base is a and a.base is None
    assert a[1].data.ptr == a.data.ptr + 24
    assert a.astype("float32", copy=False) is a and xp.asarray(a) is a


def test_additions_meet(xp):
    a = xp.zeros(3, "float32")
    xp.add.at(a, xp.asarray([0, 2, 2]), xp.asarray([1.0, 2.0, 3.0], "float32"))
    assert a.tolist() == [1, 0, 5]


def test_new_memory_is_garbage():
    assert np.isnan(stand_in.empty((2, 2), "float32").get()).all()
    assert np.isnan(stand_in.empty_like(stand_in.zeros(3)).get()).all()
    assert (stand_in.empty(3, "int64").get() != 0).all()


def test_no_library_can_read_the_memory():
    assert not hasattr(stand_in.zeros(1), "__cuda_array_interface__")


# ------------------------------------------------------------------------------------------ kernels


def double(grid, block, args):
    x, factor = args
    x *= factor


@pytest.fixture
def kernel(monkeypatch):
    """A kernel that multiplies an array in place, with Python for a compiler."""
    compiled = SimpleNamespace(get_function={"double": double}.get)
    module = SimpleNamespace(load=lambda source, options: compiled)
    monkeypatch.setitem(sys.modules, "standin.hostcuda", module)
    return stand_in.RawModule(code="", options=("-std=c++17",)).get_function("double")


def test_a_kernel_writes_to_the_memory_it_is_given(kernel):
    a = stand_in.ones(3, "float32")
    counts.reset()
    kernel((1,), (32,), (a, np.float32(2)))
    assert a.tolist() == [2, 2, 2] and counts.launches == 1


@pytest.mark.parametrize(
    "factor, x, error",
    [
        (2.0, stand_in.ones(3), Misuse),
        (2, stand_in.ones(3), Misuse),
        (np.float32(2), np.ones(3), TypeError),
        (np.float32(2), [1.0], TypeError),
    ],
)
def test_arguments_that_a_kernel_would_misread(kernel, factor, x, error):
    with pytest.raises(error):
        kernel((1,), (32,), (x, factor))


def test_without_a_compiler_kernels_are_skipped(monkeypatch):
    monkeypatch.setitem(sys.modules, "standin.hostcuda", None)
    with pytest.raises(pytest.skip.Exception, match="runs on the host through hostcuda.py and g"):
        stand_in.RawModule(code="")


# ------------------------------------------------------------------------------------------- counts


def test_transfers_by_name_are_counted_and_allowed_unless_strict():
    counts.reset()
    with no_sync():
        a = stand_in.asarray(np.ones(3))
        assert a.sum().item() == 3 and a.get().tolist() == a.tolist() == [1, 1, 1]
    assert (counts.uploads, counts.downloads, counts.hidden) == (1, 3, 0)
    for transfer in (lambda: a.get(), lambda: a.item(), lambda: stand_in.asarray(np.ones(1))):
        with no_sync(strict=True), pytest.raises(Misuse, match="load while every transfer"):
            transfer()


def test_launches_are_counted_and_views_are_free():
    a = stand_in.ones((2, 3))
    counts.reset()
    a.reshape(3, 2), a.T, a[0], a[:, 1:], stand_in.broadcast_to(a, (4, 2, 3)), a.shape
    assert counts.launches == 0
    a + 1, a @ a.T, a.sum(), a.copy(), a.T.reshape(6)
    a[0] = 0.0
    a += a
    a[1] += 1
    assert counts.launches == 8


# ---------------------------------------------------------- a package is judged, its tests are not


@pytest.fixture
def library():
    """A module of a package that is held to the rules."""
    code = (
        "def exp(np, a): return np.exp(a)\n"
        "def wait(a): return float(a.sum())\n"
        "def send(a, i): return a[i]\n"
        "def upload(xp, a): return xp.asarray(a)\n"
        "def add(a, b): return a + b\n"
    )
    scope = {"__name__": "judged.module"}
    exec(compile(code, "judged", "exec"), scope)
    with standin.held_to_them("judged", uploader="judged.array"):
        yield SimpleNamespace(**{k: v for k, v in scope.items() if callable(v)})


@pytest.mark.parametrize(
    "do, error, words",
    [
        (lambda lib, s: lib.exp(np, s.a), Misuse, "NumPy's exp called on the device in judged"),
        (lambda lib, s: lib.wait(s.a), Misuse, "float.* hidden in judged.module"),
        (lambda lib, s: lib.send(s.a, [0]), Misuse, "list is uploaded, hidden in judged.module"),
        (lambda lib, s: lib.upload(stand_in, s.h), Misuse, "only judged.array does"),
        (lambda lib, s: lib.add(s.a, s.h), TypeError, "Unsupported type"),
        (lambda lib, s: lib.add(s.h, s.a), TypeError, "Unsupported type"),
    ],
)
def test_what_the_package_may_not(library, do, error, words):
    with pytest.raises(error, match=words):
        do(library, scene(stand_in))


def test_its_tests_may(library):
    s = scene(stand_in)
    counts.reset()
    np.testing.assert_array_equal(np.exp(s.a), np.exp(s.h))
    assert float(s.a.sum()) == s.h.sum() and s.a[[1]].shape == (1, 3) and repr(s.a) == repr(s.h)
    assert np.array_equal(s.a + s.h, 2 * s.h) and np.asarray(s.a).tolist() == s.h.tolist()
    assert counts.hidden == 0


# ------------------------------------------------------------------------------------ the snapshot


@pytest.mark.cupy
def test_the_snapshot_is_that_of_the_installed_cupy():
    pytest.importorskip("cupy")
    committed = json.loads(snapshot.FILE.read_text())
    assert committed == snapshot.names(), "run: python tests/standin/snapshot.py"
