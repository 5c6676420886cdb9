"""What a device does not forgive: the rules that the stand-in holds its callers to, and its counts.

CuPy itself refuses some mistakes (mixing in a NumPy array) and commits others silently (waiting for
the GPU because somebody wrote ``if loss:``). The stand-in refuses the former as CuPy does, and
turns the latter into :class:`Misuse`, or counts them.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("cupy_names.json").read_text()
)


class Misuse(AssertionError):
    """What CuPy would do silently, slowly or wrongly."""


# ------------------------------------------------------------------------------------ the counts


@dataclass
class Counts:
    """What happened on the device since the last ``counts.reset()``."""

    launches: int = 0  # of a kernel, a matrix product, a copy within the device
    uploads: int = 0  # asked for by name: asarray(host), set
    downloads: int = 0  # asked for by name: get, item, tolist, asnumpy
    hidden: int = 0  # transfers and waits that nothing in the source tells of
    graphs: int = 0  # recorded work that was started

    def reset(self) -> None:
        self.launches = self.uploads = self.downloads = self.hidden = self.graphs = 0


counts = Counts()


def launch(
    name: str,
    compute: Callable[..., Any],
    inputs: Sequence[Any],
    out: Any = None,
    changes: bool = False,
) -> Any:
    """Run ``compute(*inputs)``: all that the device does passes through here.

    ``inputs`` are host arrays (the device's memory) and scalars, which are so baked in. The result
    is written to ``out``, if that is given, else it is new memory (or None, if ``compute`` wrote
    to one of its inputs: ``changes``). While a stream is captured nothing is computed: the launch
    is put on its tape, and new memory stays garbage until a replay.
    """
    counts.launches += 1
    if rules.tape is None:
        result = compute(*inputs)
        if out is None:
            return result
        out[...] = result
        return out
    if changes:
        rules.tape.append(lambda: compute(*inputs))
        return None
    if out is None:
        with np.errstate(all="ignore"):
            out = compute(*inputs)
        for part in out if isinstance(out, tuple) else (out,):
            garbage(part)
    rules.tape.append(functools.partial(_replay, compute, inputs, out))
    return out


def _replay(compute: Callable[..., Any], inputs: Sequence[Any], out: Any) -> None:
    with np.errstate(all="ignore"):
        result = compute(*inputs)
    places, parts = (x if isinstance(x, tuple) else (x,) for x in (out, result))
    for place, part in zip(places, parts, strict=True):
        place[...] = part


def garbage(a: np.ndarray) -> np.ndarray:
    """The memory filled with what nobody could have wanted."""
    a.fill(np.nan if a.dtype.kind in "fc" else True if a.dtype.kind == "b" else 77)
    return a


# -------------------------------------------------------------------------------------- the rules


@dataclass
class Rules:
    """Who is held to what; set by :func:`held_to_them` and :func:`no_sync`."""

    package: str | None = None  # its code may not do anything hidden; that of others may
    uploader: str | None = None  # the package's one module that uploads
    no_sync: bool = False
    no_transfer: bool = False
    tape: list[Callable[[], Any]] | None = None  # of the stream that is being captured


rules = Rules()


@contextmanager
def _changed(**fields: Any) -> Iterator[Counts]:
    before = dict(vars(rules))
    vars(rules).update(fields)
    try:
        yield counts
    finally:
        vars(rules).update(before)


def held_to_them(package: str, uploader: str) -> Any:
    """A context for tests of a package: its own code is judged, the tests' is forgiven."""
    return _changed(package=package, uploader=uploader)


def no_sync(strict: bool = False) -> Any:
    """A context in which hidden waits and transfers raise; with ``strict``, those by name too."""
    return _changed(no_sync=True, no_transfer=strict)


_TRANSPARENT = (__package__, "numpy", "cupy")


def caller() -> str:
    """The module whose code reached for the device."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_TRANSPARENT):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "")


def _in_package(name: str) -> bool:
    return rules.package is not None and f"{name}.".startswith(f"{rules.package}.")


def forgiven() -> bool:
    """Whether it is a test that mixes or fetches: outside of the package that is held to rules."""
    return rules.package is not None and not rules.no_sync and not _in_package(caller())


def hidden(what: str, inherent: bool = False) -> None:
    """Something waits for the device, or is copied, without a word in the source.

    ``inherent``: it lies in what was asked for, so that it is only forbidden where all waits are.
    """
    if rules.tape is not None:
        raise Misuse(f"cudaErrorStreamCaptureUnsupported: {what}")
    if forgiven():
        return
    counts.hidden += 1
    if rules.no_sync or (not inherent and rules.package is not None):
        raise Misuse(f"{what}, hidden in {caller()}")


def explicit(kind: str) -> None:
    """A transfer that the source names: an ``upload`` or a ``download``."""
    setattr(counts, f"{kind}s", getattr(counts, f"{kind}s") + 1)
    if rules.tape is not None:
        raise Misuse(f"cudaErrorStreamCaptureUnsupported: {kind}")
    if rules.no_transfer:
        raise Misuse(f"{kind} while every transfer is forbidden")
    if kind == "upload" and _in_package(name := caller()) and name != rules.uploader:
        raise Misuse(f"{name} uploads: only {rules.uploader} does")


# -------------------------------------------------------------------------- what CuPy really takes


@functools.cache
def _signature(place: str, name: str) -> tuple[frozenset[str], float, bool] | None:
    """Accepted keywords, the most positional arguments, and whether any other keyword goes."""
    text = NAMES[place][name]
    if text in ("(...)", "type", "ufunc"):
        return None
    found = re.findall(r"(?:^\(|, )(\*{0,2})(\w+)", text)
    names = frozenset(n for stars, n in found if not stars)
    many = any(stars == "*" for stars, _ in found)
    return names, float("inf") if many else len(names), any(s == "**" for s, _ in found)


def check_call(place: str, name: str, args: int, keywords: dict[str, Any]) -> None:
    """Raise what Python would for a function of CuPy's that does not take so much."""
    if (signature := _signature(place, name)) is None:
        return
    names, most, any_keyword = signature
    if not any_keyword and (unknown := keywords.keys() - names):
        raise TypeError(f"{place}.{name} of CuPy takes no {', '.join(sorted(unknown))}=")
    if args > most:
        raise TypeError(f"{place}.{name} of CuPy takes at most {most} arguments, got {args}")
