"""Settings shared by all tests."""

import sys
from pathlib import Path

import numpy as np
import pytest
import standin
from hypothesis import settings

import minigan as mg
from minigan import backend
from minigan.tensor import Tensor

settings.register_profile("minigan", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("minigan")

HERE = Path(__file__).parent
LIBRARY = str(HERE.parent / "minigan")
# What is computed with arrays is tested on every device.
ON_DEVICES = ("ops/", "nn/", "gan/", "test_gpu.py", "test_optim.py", "test_tensor.py")


def pytest_generate_tests(metafunc):
    """Run the tests of ``ON_DEVICES`` with NumPy and CuPy's stand-in; ``-m gpu``: with CuPy."""
    file = Path(metafunc.definition.path).relative_to(HERE).as_posix()
    if file.startswith(ON_DEVICES) and not metafunc.definition.get_closest_marker("numpy_only"):
        devices = ["standin"] if file == "test_gpu.py" else ["numpy", "standin"]
        if "gpu" in metafunc.config.option.markexpr:
            devices = [pytest.param("cupy", marks=pytest.mark.gpu)]
        metafunc.parametrize("array_library", devices, indirect=True)


def pytest_collection_modifyitems(items):
    """What needs a GPU is skipped where there is none."""
    gpu = [item for item in items if item.get_closest_marker("gpu")]
    if gpu and not mg.cuda_is_available():
        for item in gpu:
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU and CuPy"))


@pytest.fixture
def array_library(request):
    """The library that computes in the test; NumPy unless the test is run on several."""
    return getattr(request, "param", "numpy")


@pytest.fixture(autouse=True)
def device(array_library, monkeypatch):
    """Every test starts with the same random numbers and on its device."""
    mg.set_default_device("cpu")
    if array_library == "standin":
        standin.install(monkeypatch)
    if array_library != "numpy":
        monkeypatch.setattr(Tensor, "__init__", _uploading(Tensor.__init__))
        mg.set_default_device("cuda")
    mg.manual_seed(0)
    yield
    mg.set_default_device("cpu")


def _uploading(init):
    """``Tensor(array)`` in a test puts the array on the device; the library has to ask for it."""

    def uploading(self, data, requires_grad=False):
        if isinstance(data, (np.ndarray, np.generic)):
            frame = sys._getframe(1)
            while frame.f_code.co_name == "__init__":  # a Parameter's
                frame = frame.f_back
            if not frame.f_code.co_filename.startswith(LIBRARY):
                data = backend.asarray(data, device="cuda")
        init(self, data, requires_grad)

    return uploading


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator for inputs, apart from the library's own."""
    return np.random.default_rng(0)
