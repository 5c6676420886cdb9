"""The names and signatures of the real CuPy, as JSON: ``python tests/standin/snapshot.py``.

The wheel can be imported where there is no GPU. What is not listed here does not exist for the
stand-in; a test compares the file with the installed wheel.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

FILE = Path(__file__).with_name("cupy_names.json")


def signature(thing: object) -> str | None:
    """The parameters as text, from the code or from the first line of the documentation."""
    try:
        return str(inspect.signature(thing))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        found = re.match(r"[\w.]+(\(.*?\))(?: ->.*)?\n", f"{inspect.getdoc(thing) or ''}\n")
        return found[1].replace("\\*", "*") if found else None


def snapshot() -> dict[str, object]:
    """What there is."""
    import cupy
    import cupyx.distributed
    import cupyx.scipy.special

    def names(owner: object) -> dict[str, str | None]:
        public = [n for n in dir(owner) if not n.startswith("_")]
        return {n: signature(getattr(owner, n)) for n in public if callable(getattr(owner, n))}

    def plain(name: str) -> bool:
        return not inspect.ismodule(getattr(cupy, name))

    ufuncs = [n for n in dir(cupy) if isinstance(getattr(cupy, n), cupy.ufunc)]
    return {
        "version": cupy.__version__,
        "cupy": {n: s for n, s in names(cupy).items() if plain(n)},
        "ufuncs": {n: _methods(getattr(cupy, n)) for n in ufuncs},
        "ndarray": {n: signature(getattr(cupy.ndarray, n)) for n in dir(cupy.ndarray)},
        "linalg": names(cupy.linalg),
        "random": sorted(names(cupy.random)),
        "stride_tricks": names(cupy.lib.stride_tricks),
        "cuda": sorted(names(cupy.cuda)),
        "Stream": names(cupy.cuda.Stream),
        "special": sorted(names(cupyx.scipy.special)),
        "distributed": names(cupyx.distributed),
        "NCCLBackend": names(cupyx.distributed.NCCLBackend),
    }


def _methods(ufunc: object) -> list[str]:
    return [n for n in ("at", "reduce", "accumulate", "outer", "reduceat") if hasattr(ufunc, n)]


if __name__ == "__main__":
    FILE.write_text(json.dumps(snapshot(), indent=1) + "\n")
    print(FILE)
