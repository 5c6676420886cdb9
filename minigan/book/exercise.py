"""An exercise: what is right, and what usually goes wrong."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..check.answer import Answer, answer, is_blank, unanswered


@dataclass(frozen=True)
class Exercise:
    """The right answer, and a hint for every usual wrong one.

    Attributes
    ----------
    expected : number, string, bool, array, tuple of those, or callable
        What :func:`minigan.check.answer` compares with; None if there is a ``judge``.
    mistakes : mapping
        Hint → wrong answer. With a ``judge``: a piece of its message → the wrong answer that gets
        that message.
    at : sequence of tuples, optional
        The inputs at which callables are compared; or, with a ``judge``, those at which one tries
        whether there is an answer at all.
    rtol : float
        How far numbers may be apart, relative to the largest of them.
    judge : callable, optional
        ``judge(given)`` returns a report that is true if ``given`` is right and has a ``message``.
    """

    expected: Any
    mistakes: Mapping[str, Any]
    at: Sequence[tuple[Any, ...]] | None = None
    rtol: float = 1e-6
    judge: Callable[[Any], Any] | None = None

    def check(self, given: Any) -> Any:
        """A report: true if ``given`` is right, with a ``message``. Never raises."""
        if self.judge is None:
            return answer(given, self.expected, self.mistakes, self.at, self.rtol)
        if is_blank(given):
            return unanswered()
        watched, blank = _watched(given)
        try:
            report = self.judge(watched)
        except Exception as error:
            report = Answer(
                False, f"Your answer can not be checked: {type(error).__name__}: {error}"
            )
        return unanswered() if blank else report


def _watched(given: Any) -> tuple[Any, list[bool]]:
    """``given``, and a list that gets an entry when it is a function that returns no answer."""
    blank: list[bool] = []
    if not inspect.isfunction(given):
        return given, blank

    @functools.wraps(given)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = given(*args, **kwargs)
        if is_blank(result):
            blank.append(True)
        return result

    return call, blank
