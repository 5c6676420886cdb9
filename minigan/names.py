"""Finding what a person meant by a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def find_name(name: str, names: Iterable[str], kind: str) -> str:
    """The entry of ``names`` that ``name`` means, whatever its case and its ``-`` and ``_``.

    Raises ``ValueError`` with the nearest name and all of them if there is none.
    """
    known = list(names)

    def letters(text: str) -> str:
        return text.lower().replace("-", "").replace("_", "")

    for candidate in known:
        if letters(candidate) == letters(name):
            return candidate
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"unknown {kind} {name!r}: {guess}known are {', '.join(known)}")
