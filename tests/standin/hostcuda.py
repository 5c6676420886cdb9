"""CUDA C on the host: a kernel's source compiled by g++ and run thread by thread.

Threads of a block take turns as fibres: each runs until it waits at ``__syncthreads()`` or ends,
so that what the others have written is there when it goes on, as on a GPU. It checks arithmetic and
addressing; not races, nor speed.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SHIM = r"""
#include <cmath>
#include <vector>
#include <setjmp.h>
#include <ucontext.h>
#define __global__ static
#define __device__ static inline
#define __shared__ static
using namespace std;
struct Three { unsigned x, y, z; };
static Three blockIdx, threadIdx, blockDim, gridDim;
static unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
static ucontext_t fibre[1024];
static jmp_buf back, there[1024];  // switching so is ten times as fast
static Three index_of[1024];
static bool ended[1024];
static unsigned current;
static void (*body)(void**);
static void** arguments;
static void __syncthreads() { if (!_setjmp(there[current])) _longjmp(back, 1); }
static void enter() { body(arguments); ended[current] = true; _longjmp(back, 1); }
static void run_block(bool waits) {
    unsigned n = blockDim.x * blockDim.y * blockDim.z;
    static vector<char> stacks(1024 * 16384);
    for (unsigned t = 0; t < n; ++t) {
        index_of[t] = {t % blockDim.x, t / blockDim.x % blockDim.y,
                       t / (blockDim.x * blockDim.y)};
        if (!waits) { threadIdx = index_of[t]; body(arguments); continue; }
        ended[t] = false;
        getcontext(&fibre[t]);
        fibre[t].uc_stack.ss_sp = &stacks[t * 16384];
        fibre[t].uc_stack.ss_size = 16384;
        makecontext(&fibre[t], enter, 0);
    }
    static bool left, first;
    static unsigned t;
    for (left = first = waits; left; first = false) {
        left = false;
        for (t = 0; t < n; ++t) {
            if (ended[t]) continue;
            current = t; threadIdx = index_of[t];
            if (!_setjmp(back)) {
                if (first) setcontext(&fibre[t]);
                _longjmp(there[t], 1);
            }
            left = left || !ended[t];
        }
    }
}
"""

LAUNCH = """
static void body_{name}(void** a) {{ {name}({call}); }}
extern "C" void launch_{name}(unsigned* shape, void** a) {{
    gridDim = {{shape[0], shape[1], shape[2]}}; blockDim = {{shape[3], shape[4], shape[5]}};
    body = body_{name}; arguments = a;
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x) run_block({waits});
}}
"""

HEAD = re.compile(r'extern "C" __global__ void (\w+)\((.*?)\)\s*\{', re.S)


class Compiled:
    """The functions of one source."""

    def __init__(self, source: str) -> None:
        self._heads = {
            name: tuple(p.strip().rpartition(" ")[0] for p in parameters.split(","))
            for name, parameters in HEAD.findall(source)
        }
        self._library = ctypes.CDLL(str(_library(source, tuple(self._heads.items()))))

    def get_function(self, name: str) -> Any:
        """``f(grid, block, args)``; arguments are host arrays or NumPy scalars of the C type."""
        types = self._heads[name]
        start = getattr(self._library, f"launch_{name}")

        def run(grid: Any, block: Any, args: Any) -> None:
            if len(args) != len(types):
                raise TypeError(f"{name} takes {len(types)} arguments, got {len(args)}")
            held = [_held(a, kind, name) for a, kind in zip(args, types, strict=True)]
            pointers = (ctypes.c_void_p * len(held))(*(h.ctypes.data for h in held))
            shape = [*grid, *[1] * (3 - len(grid)), *block, *[1] * (3 - len(block))]
            start((ctypes.c_uint * 6)(*shape), pointers)

        return run


SIZES = {"int": "int32", "long long": "int64", "double": "float64", "word": "uint64"}


def _held(a: Any, kind: str, name: str) -> np.ndarray:
    """The argument's bytes in an array: an address for a pointer, else the number itself."""
    if "*" in kind:
        null = isinstance(a, np.generic) and a == 0
        if not null and not isinstance(a, np.ndarray):
            raise TypeError(f"{name}: {kind} needs an array, got {type(a).__name__}")
        return np.array([0 if null else a.ctypes.data], np.uint64)
    if not isinstance(a, np.generic) or a.dtype != SIZES[kind]:
        raise TypeError(f"{name}: {kind} needs a NumPy scalar {SIZES[kind]}, got {a!r}")
    return np.array([a])


@functools.cache
def _library(source: str, heads: Any) -> Path:
    compiler = shutil.which("g++")
    if compiler is None:
        raise FileNotFoundError("g++")
    code = SHIM + source
    for name, types in heads:
        call = ", ".join(f"*({t}*)a[{i}]" for i, t in enumerate(types))
        code += LAUNCH.format(name=name, call=call, waits=str("__syncthreads" in source).lower())
    digest = hashlib.sha256(code.encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), "minigan-hostcuda")
    folder.mkdir(exist_ok=True)
    built = folder / f"{digest}.so"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=folder) as place:
            text, made = Path(place, "k.cpp"), Path(place, "k.so")
            text.write_text(code.replace('extern "C" __global__', "__global__"))
            command = [compiler, "-std=c++17", "-O1", "-w", "-ffp-contract=off", "-shared"]
            subprocess.run([*command, "-fPIC", str(text), "-o", str(made)], check=True)
            made.replace(built)
    return built


def load(source: str, options: Any = ()) -> Compiled:
    """Compile a source; raises FileNotFoundError where there is no g++."""
    return Compiled(source)
