"""NVIDIA's compiler takes every kernel, which needs its library but no GPU."""

from pathlib import Path

import pytest

from minigan.fast.cuda import kernels

FILES = sorted(path.stem for path in Path(kernels.__file__).parent.glob("*.cu"))


def compiled(source, architecture, options=()):
    """The machine code, and what the compiler says."""
    pytest.importorskip("cupy")
    from cupy.cuda import nvrtc

    try:
        nvrtc.getVersion()
    except RuntimeError as error:
        pytest.skip(f"needs the package nvidia-cuda-nvrtc: {error}")
    program = nvrtc.createProgram(source, "kernel.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*options, f"--gpu-architecture={architecture}"))
    except nvrtc.NVRTCError:
        raise AssertionError(nvrtc.getProgramLog(program)) from None
    return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)


@pytest.mark.cupy
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("file", FILES)
def test_it_compiles_without_a_warning(file, real, architecture):
    code, log = compiled(kernels.source(file, real), architecture, kernels.options(file))
    assert code and not log


@pytest.mark.cupy
@pytest.mark.filterwarnings("ignore")
def test_a_mistake_would_be_seen():
    with pytest.raises(AssertionError, match="identifier"):
        compiled(kernels.source("norm", "float").replace("THREADS) sum", "TREADS) sum"), "sm_80")


def test_all_files_are_known():
    assert FILES == ["conv", "elementwise", "gemm", "norm", "optim", "random"]
