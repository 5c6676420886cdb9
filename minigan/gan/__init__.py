"""The game: objectives, the alternating steps, and what is recorded beside them."""

from .callbacks import Callback, Checkpoints, History, Progress, Samples
from .ema import EMA
from .game import Diverged, Minimax
from .objectives import OBJECTIVES, NonSaturating, Saturating
