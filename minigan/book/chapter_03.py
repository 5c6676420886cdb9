"""The exercises of chapter 3, the algorithm, step by step."""

from __future__ import annotations

from typing import Any

from ..check.answer import Answer
from .exercise import Exercise

_LATER = {  # a line → those that must come before it, and why
    "B": ("E", "B uses z before E has made it."),
    "F": ("B", "F judges the fakes before B has made them."),
    "A": ("F", "A walks back from a loss that F has not computed yet."),
    "C": ("A", "C moves the weights by gradients that A has not computed yet."),
}


def _step_order(given: Any) -> Answer:
    """Any order in which every line finds what it needs."""
    order = str(given).strip().upper()
    if sorted(order) != list("ABCDEF"):
        return Answer(False, f"Each of the six letters once, as in 'ABCDEF'; got {given!r}.")
    for line, (needed, why) in _LATER.items():
        if order.index(line) < order.index(needed):
            return Answer(False, why)
    if order.index("D") > order.index("A"):
        if order.index("D") < order.index("C"):
            return Answer(False, "D clears what A has just computed: C finds no gradient.")
        return Answer(
            False, "D comes last: then A adds to whatever gradient was left before this step."
        )
    return Answer(True, "Right.")


EXERCISES = {
    "3.1": Exercise(
        (384, 704),
        {
            "That counts D's five steps. What happens in G's own step, and who judges there?": (
                320,
                640,
            ),
            "The first number is right. In G's step there is no real sample, but who tells G what "
            "its 64 fakes are worth?": (384, 640),
            "The first number is right. In G's step D judges fakes only.": (
                384,
                768,
            ),
            "The second number is right. In each of its k steps D gets new fakes.": (
                64,
                704,
            ),
        },
    ),
    "3.2": Exercise(
        None,
        {
            "C finds no gradient": "EBFADC",
            "gradients that A has not computed": "EBFDCA",
            "before B has made them": "EFBDAC",
            "left before this step": "EBFACD",
        },
        judge=_step_order,
    ),
    "3.3": Exercise(
        ("both", "D", "both", "D"),
        {
            "Line 1: the fakes in it were made by G, and nothing cuts the way back.": (
                "D",
                "D",
                "both",
                "D",
            ),
            "Lines 1 and 2 are right. In lines 3 and 4 gradient goes through D: is there anything "
            "that keeps it from D's weights?": ("both", "D", "G", "none"),
            "Line 3: on the way to G the gradient passes D's layers. Whether an optimiser uses "
            "what it leaves there is another question.": ("both", "D", "G", "D"),
            "Line 4: the cut lies between G and D. On which side of it is the loss?": (
                "both",
                "D",
                "both",
                "none",
            ),
        },
    ),
    "3.4": Exercise(
        lambda d: 2 * d - 1,
        {
            "So it is in the minimax game. Here G's part is -(1 - d), not -d: add again.": (
                lambda d: 0.0 * d
            ),
            "Mind the sign of G's part: it is negative, since descent must raise the logit.": (
                lambda d: 1.0 + 0.0 * d
            ),
            "Every sign is flipped: for a fake that is recognised, small d, descent must raise the "
            "logit, so that the gradient is negative.": lambda d: 1 - 2 * d,
            "That is G's part alone. What did D's step leave behind?": lambda d: d - 1,
        },
        at=[(0.1,), (0.5,), (0.8,)],
    ),
}
