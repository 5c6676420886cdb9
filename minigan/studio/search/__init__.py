"""Search: many runs over a grid of options or at random, in parallel, and what came of them.

::

    003-seed0/             setting 3 with seed 0: a run's folder like any other, and
    003-seed0/trial.json   its options and its score, or its error, once it is finished
    trials.csv             a row per trial, the best setting first
    trials.png             the score against every option that varies
"""

from .results import Result, figure, ranked, table, to_csv
from .scores import SCORES, Score
from .settings import Range, Search, Trial, parse, read_options
from .trials import run, run_trials

__all__ = [
    "SCORES",
    "Range",
    "Result",
    "Score",
    "Search",
    "Trial",
    "figure",
    "parse",
    "ranked",
    "read_options",
    "run",
    "run_trials",
    "table",
    "to_csv",
]
