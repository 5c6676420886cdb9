"""Devices, and the few functions that NumPy lacks."""

import importlib
import math
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import minigan as mg
from minigan import DeviceError
from minigan import array as backend
from minigan.fast.cuda.device import describe_cuda

# ------------------------------------------------------------------------------------------ arrays


def test_module_of():
    assert backend.module_of(np.zeros(2)) is np
    assert backend.module_of(1.5) is np and backend.module_of(np.float32(1)) is np


@pytest.mark.parametrize(
    "data, dtype",
    [
        (1.5, "float32"),
        ([1.5, 2], "float32"),
        (3, "int64"),
        ([[1], [2]], "int64"),
        (True, "bool"),
        ([True, False], "bool"),
        (np.float64(1.5), "float64"),
        (np.float32(1.5), "float32"),
        (np.zeros(2), "float64"),
        (np.zeros(2, "int32"), "int32"),
        (np.zeros(2, "uint8"), "uint8"),
    ],
)
def test_dtype_of_new_arrays(data, dtype):
    array = backend.asarray(data)
    assert type(array) is np.ndarray and array.dtype == dtype
    assert backend.asarray(data, "float64").dtype == "float64"


def test_arrays_are_not_copied():
    a = np.zeros(3)
    assert backend.asarray(a) is a and backend.asarray(a, device="cpu") is a
    assert backend.to_host(a) is a


@pytest.mark.parametrize("data", [None, "text", ["a"], object(), {}])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="expected numbers"):
        backend.asarray(data)


def test_quiet_silences_numpy():
    with backend.quiet():
        assert np.log(np.zeros(1))[0] == -math.inf


# ----------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda0", "cpu:0", "", "CUDA", "cuda:-1"])
def test_unknown_devices(device):
    with pytest.raises(DeviceError, match="use 'cpu', 'cuda' or 'cuda:N'"):
        mg.set_default_device(device)
    assert backend.default_device() == "cpu"


class FakeArray:
    """Stands for cupy.ndarray."""

    def __matmul__(self, other):
        return self


def fake_cupy(gpus=1, error=None, driver=12040):
    """A module that looks like CuPy on a machine with so many GPUs, or with a library missing."""

    def exp(x):
        if error:
            raise error
        return x

    used = []
    return SimpleNamespace(
        __version__="14",
        used=used,
        ndarray=FakeArray,
        ones=lambda *args, **kwargs: FakeArray(),
        exp=exp,
        cuda=SimpleNamespace(
            is_available=lambda: gpus > 0,
            runtime=SimpleNamespace(
                getDeviceCount=lambda: gpus,
                driverGetVersion=lambda: driver,
                getDeviceProperties=lambda i: {"name": b"H%d" % i, "totalGlobalMem": 3 << 20},
            ),
            Device=lambda n: SimpleNamespace(use=lambda: used.append(n)),
        ),
    )


@pytest.fixture
def cupy_is(monkeypatch):
    """A function that decides what ``import cupy`` gives; an exception is raised instead."""
    monkeypatch.setattr(backend, "array_types", dict(backend.array_types))
    monkeypatch.setattr(backend, "_default_device", "cpu")
    real_import = importlib.import_module

    def decide(cupy):
        def import_module(name, *args):
            if name != "cupy":
                return real_import(name, *args)
            if isinstance(cupy, Exception):
                raise cupy
            return cupy

        monkeypatch.setattr(importlib, "import_module", import_module)

    return decide


@pytest.mark.parametrize(
    "cupy, advice",
    [
        (ImportError("no cupy"), r"not installed: pip install 'minigan\[cuda12\]'"),
        (
            fake_cupy(gpus=0, driver=0),
            r"sees none here \(driver: none\): use device 'cpu', or install the driver",
        ),
        (fake_cupy(gpus=0), r"sees none here \(driver: CUDA 12.4\): use device 'cpu'"),
        (
            fake_cupy(error=RuntimeError("libnvrtc.so is missing")),
            r"\(libnvrtc.so is missing\): pip install 'cupy-cuda12x\[ctk\]'",
        ),
    ],
    ids=["not installed", "no driver", "no GPU", "libraries missing"],
)
def test_cuda_without_what_it_needs(cupy_is, cupy, advice):
    cupy_is(cupy)
    assert not mg.cuda_is_available()
    for use in (mg.set_default_device, lambda d: mg.zeros(2, device=d), mg.zeros(2).to):
        with pytest.raises(DeviceError, match=advice):
            use("cuda")
    assert backend.default_device() == "cpu"


def test_cuda_with_all_it_needs(cupy_is):
    cupy = fake_cupy(gpus=2)
    cupy_is(cupy)
    assert mg.cuda_is_available()
    assert backend.module_of(FakeArray()) is cupy
    mg.set_default_device("cuda:1")
    assert backend.default_device() == "cuda:1" and cupy.used == [1]
    assert describe_cuda() == [
        "CuPy 14, driver CUDA 12.4", "cuda:0 H0, 3 MiB", "cuda:1 H1, 3 MiB"
    ]  # fmt: skip
    with pytest.raises(DeviceError, match=r"no device 'cuda:2'.* has 2 GPU"):
        mg.set_default_device("cuda:2")


def test_results_stay_where_their_operands_are(cupy_is, monkeypatch):
    """The default device is for new tensors only, not for what is computed from old ones."""
    cupy_is(ImportError("a transfer would fail"))
    x = mg.tensor(np.float32(2), device="cpu", requires_grad=True)
    monkeypatch.setattr(backend, "_default_device", "cuda")
    (g,) = mg.grad(x * x, x, create_graph=True)
    (h,) = mg.grad(g, x)
    (x * x).backward()
    (x * x).backward()
    assert g.device == h.device == x.grad.device == x.sum().device == "cpu"
    assert x.grad.item() == 8


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_the_environment_variable():
    code = "import minigan as mg; print(mg.zeros(1).device)"
    assert run(code, MINIGAN_DEVICE="cpu") == run(code, MINIGAN_DEVICE="") == "cpu"
    assert "unknown device 'tpu'" in run(code, MINIGAN_DEVICE="tpu")


def test_import_needs_numpy_alone():
    """What draws, downloads or computes on a GPU loads when it is used."""
    code = (
        "import sys, time; start = time.perf_counter(); import numpy; import minigan\n"
        "late = {'matplotlib', 'PIL', 'tqdm', 'cupy', 'safetensors', 'typer', 'torch'}\n"
        "print(time.perf_counter() - start, *sorted(late & set(sys.modules)))"
    )
    seconds, *loaded = run(code).split()
    assert not loaded
    assert float(seconds) < 3
