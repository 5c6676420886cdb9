"""CuPy and the GPUs: loading it once it has proved that it can compute, and what is there."""

from __future__ import annotations

import importlib
from typing import Any

from ... import array as arrays
from ...array import DeviceError, libraries


def load_cupy() -> Any:
    """CuPy, once it has proved that it can compute; else a ``DeviceError`` that says what to do."""
    try:
        cupy = importlib.import_module("cupy")
        if cupy.ndarray in arrays.array_types:
            return cupy
    except ImportError:
        raise DeviceError(
            "device 'cuda' needs CuPy, which is not installed: pip install 'minigan[cuda12]' "
            "(or 'minigan[cuda13]'), whichever matches your driver"
        ) from None
    if not cupy.cuda.is_available():
        raise DeviceError(
            "device 'cuda' needs an NVIDIA GPU and its driver, and CuPy sees none here "
            f"(driver: {_driver(cupy)}): use device 'cpu', or install the driver and try "
            "`nvidia-smi`"
        )
    try:  # missing CUDA libraries show only at first use
        probe = cupy.ones((2, 2), dtype="float32")
        cupy.exp(probe @ probe)
    except Exception as error:
        raise DeviceError(
            f"CuPy found a GPU but not all of CUDA's libraries ({error}): "
            "pip install 'cupy-cuda12x[ctk]' (or 'cupy-cuda13x[ctk]')"
        ) from None
    arrays.array_types[cupy.ndarray] = cupy
    importlib.import_module(".twins", __package__)
    return cupy


def _driver(cupy: Any) -> str:
    """The newest CUDA that the installed driver knows, as text."""
    try:
        version = cupy.cuda.runtime.driverGetVersion()
    except Exception:  # whatever CuPy raises without one
        version = 0
    return f"CUDA {version // 1000}.{version % 1000 // 10}" if version else "none"


def describe_cuda() -> list[str]:
    """CuPy, the driver and the GPUs, a line each; or what is missing, and what to do."""
    try:
        cupy = load_cupy()
    except DeviceError as error:
        return [str(error)]
    version = vars(cupy)["__version__"]
    lines = [f"CuPy {version}, driver {_driver(cupy)}"]
    for i in range(cupy.cuda.runtime.getDeviceCount()):
        about = cupy.cuda.runtime.getDeviceProperties(i)
        lines.append(f"cuda:{i} {about['name'].decode()}, {about['totalGlobalMem'] >> 20} MiB")
    return lines


def cuda_is_available() -> bool:
    """Whether arrays can be put on a GPU: CuPy is installed, sees one, and computes on it."""
    try:
        load_cupy()
    except DeviceError:
        return False
    return True


def nccl(size: int, rank: int) -> Any:
    """What lets the GPUs of ``size`` processes talk to each other, for process ``rank``.

    Raises
    ------
    DeviceError
        If NCCL is missing.
    """
    try:
        cupyx = importlib.import_module("cupyx.distributed")
        return cupyx.init_process_group(size, rank, use_mpi=True)
    except RuntimeError as error:
        raise DeviceError(
            f"GPUs of several processes talk through NCCL, which failed: {error}. If it is "
            "missing: pip install nvidia-nccl-cu12 (or nvidia-nccl-cu13)"
        ) from None


def special_functions() -> Any:
    """CuPy's special functions."""
    return importlib.import_module("cupyx.scipy.special")


libraries["cuda"] = load_cupy
