"""Settings shared by all tests, and the devices that they run on."""

from pathlib import Path

import numpy as np
import pytest
from devices import on_device, tensor_classes_in_tests
from hypothesis import settings
from standin import real

import minigan as mg

settings.register_profile("minigan", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("minigan")

HERE = Path(__file__).parent
ABOUT_TWINS = ("fast/", "standin/", "test_seam.py")  # which are there also with --plain
ONLY_ON_DEVICES = (
    "test_arithmetic.py",
    "test_cuda.py",
    "test_gpu.py",
    "test_definitions_on_a_device.py",
)
ON_EVERY_DEVICE = (
    *("ops/", "nn/", "optim/", "gan/", "test_tensor.py", "test_random.py", "test_saving.py"),
    *("test_zoo.py", "metrics/test_features.py", "data/test_loader.py", "check/test_explain.py"),
    *(f"fast/cuda/{name}" for name in ONLY_ON_DEVICES),
)


def pytest_addoption(parser):
    parser.addoption("--plain", action="store_true", help="switch every twin off")


@pytest.fixture(autouse=True)
def twins(request):
    """With ``--plain``, the definitions alone have to pass; not what is about the twins."""
    path = Path(request.node.path).relative_to(HERE).as_posix()
    about = request.node.get_closest_marker("twins") or path.startswith(ABOUT_TWINS)
    if request.config.option.plain and not about:
        with mg.plain():
            yield
    else:
        yield


def pytest_generate_tests(metafunc):
    """The library's own tests run on NumPy and on the stand-in; with ``-m gpu``, on CuPy too."""
    path = Path(metafunc.definition.path).relative_to(HERE)
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if path.as_posix().startswith(ON_EVERY_DEVICE) and not marks & {"host", "slow", "parity"}:
        devices = ["standin"] if path.name in ONLY_ON_DEVICES else ["numpy", "standin"]
        if "gpu" in metafunc.config.option.markexpr:
            devices.append(pytest.param("cupy", marks=pytest.mark.gpu))
        metafunc.parametrize("device", devices, indirect=True)


def pytest_collection_modifyitems(config, items):
    """Tests for a GPU are left out unless asked for, and then skipped where there is none."""
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if "gpu" not in config.option.markexpr:
        config.hook.pytest_deselected(items=wanting)
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]
    elif not mg.cuda_is_available():
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason="needs CuPy and a GPU"))


@pytest.fixture(autouse=True)
def device(request, monkeypatch):
    """What the test computes on. Every test starts with the same random numbers."""
    library = getattr(request, "param", "numpy")
    mg.manual_seed(0)
    if library == "numpy":
        mg.set_default_device("cpu")
        yield library
        return
    # What a test makes a tensor of is put on the device, and what it looks at is fetched.
    # The library has to do either by name.
    for module, name, uploading in tensor_classes_in_tests():
        monkeypatch.setattr(module, name, uploading)
    if library == "cupy":
        real.forgive(pytest.importorskip("cupy").ndarray, monkeypatch)
    with on_device(library):
        yield library


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator for inputs, apart from the library's own."""
    return np.random.default_rng(0)
