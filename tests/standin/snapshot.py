"""Write down what the installed CuPy has: every public name, and what it takes.

    python tests/standin/snapshot.py          # writes cupy_names.json beside this file

The wheel can be imported without a GPU, so this needs none: ``pip install cupy-cuda12x``.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

FILE = Path(__file__).with_name("cupy_names.json")
PLACES = (
    "cupy",
    "cupy.ndarray",
    "cupy.ufunc",
    "cupy.cuda",
    "cupy.cuda.runtime",
    "cupy.lib.stride_tricks",
    "cupy.linalg",
    "cupyx.scipy.special",
)


def names() -> dict[str, dict[str, str]]:
    """By place and name what it is: ``ufunc``, ``type``, ``module``, ``value``; of functions, what
    they take, like ``(a, axis=None)``, or ``(...)`` if they do not tell.
    """
    cupy = importlib.import_module("cupy")
    found = {"version": {"cupy": cupy.__version__}}
    for place in PLACES:
        thing = getattr(cupy, place[5:], None) if place.count(".") == 1 else None
        thing = thing or importlib.import_module(place)
        operators = isinstance(thing, type)  # an array's are part of what it can do
        found[place] = {
            name: _kind(getattr(thing, name))
            for name in sorted(dir(thing))
            if not name.startswith("_") or (operators and _is_operator(name))
        }
    return found


def _is_operator(name: str) -> bool:
    return name.startswith("__") and name not in dir(object)


def _kind(thing: Any) -> str:
    if type(thing).__name__ == "ufunc":
        return "ufunc"
    if isinstance(thing, ModuleType):
        return "module"
    if isinstance(thing, type):
        return "type"
    if not callable(thing):
        return "value"
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return _from_text(thing.__doc__ or "")
    return f"({', '.join(str(p.replace(annotation=p.empty)) for p in parameters)})"


def _from_text(text: str) -> str:
    """The arguments of a compiled function, which stand in the first line of its description."""
    match = re.match(r"[\w.]+\((.*?)\)( ->.*)?$", text.partition("\n")[0])
    if not match:
        return "(...)"
    typed = match[1].split(", ")
    return f"({', '.join(p.split(' ')[-1] for p in typed if p)})"


if __name__ == "__main__":
    FILE.write_text(json.dumps(names(), indent=1) + "\n")
    print(f"{FILE}: {sum(map(len, names().values()))} names")
