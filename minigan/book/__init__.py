"""The book's exercises: ``book.check("4.2", mine)`` says whether an answer is right, or why not.

The chapters are in the folder ``chapters``, and run in ``notebooks``;
``python -m minigan.book`` executes them. Here are the answers, a file per chapter.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from .exercise import Exercise


def check(name: str, given: Any) -> Any:
    """Is the answer to an exercise right?

    Parameters
    ----------
    name : str
        Chapter and number, ``"4.2"``.
    given : object
        What the exercise asks for: a number, a word, an array, several of them in a tuple, or a
        function. ``...`` or a function that returns ``...`` is no answer yet.

    Returns
    -------
    A report: true if the answer is right, with a ``message`` that leads on if it is not.

    Raises
    ------
    ValueError
        No such exercise.
    """
    chapter = str(name).partition(".")[0]
    numbers = chapters()
    if not chapter.isdecimal() or int(chapter) not in numbers:
        there = ", ".join(map(str, numbers))
        raise ValueError(
            f"no exercise {name!r}: expected chapter.number, like '4.2'; the chapters with "
            f"exercises are {there}"
        )
    known = exercises(int(chapter))
    if name not in known:
        raise ValueError(f"no exercise {name!r}; chapter {chapter} has {', '.join(known)}")
    return known[name].check(given)


def chapters() -> list[int]:
    """The numbers of the chapters that have exercises."""
    files = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(int(name.removeprefix("chapter_")) for name in files if "chapter_" in name)


def exercises(chapter: int) -> dict[str, Exercise]:
    """A chapter's exercises by name."""
    return importlib.import_module(f"{__name__}.chapter_{chapter:02d}").EXERCISES
