"""The game: objectives, penalties, the steps, and what is recorded beside them."""

from . import oracles
from .callbacks import Callback, Checkpoints, History, Progress, Samples
from .checks import Diverged
from .diagnosis import Diagnosis, Finding
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
