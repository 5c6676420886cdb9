"""The game: objectives, penalties, the steps, and what is recorded beside them."""

from typing import Any

from .callbacks import Callback, Checkpoints, History, Progress, Samples
from .checks import Diverged
from .ema import EMA
from .game import Game
from .minimax import Minimax
from .objectives import (
    OBJECTIVES,
    Hinge,
    LeastSquares,
    NonSaturating,
    Objective,
    RelativisticAverage,
    Saturating,
    Wasserstein,
)
from .penalties import (
    DRAGAN,
    PENALTIES,
    R1,
    R2,
    GradientPenalty,
    OneSidedPenalty,
    Penalty,
    WeightClipping,
)
from .players import Player
from .rules import Play
from .state import Table

Diagnosis: Any  # these are of minigan.insight, and minigan/__init__.py puts them here
Finding: Any
diagnosis: Any
probe: Any
oracles: Any
