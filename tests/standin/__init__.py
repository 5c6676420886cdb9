"""A strict stand-in for CuPy, so that the GPU's path is walked where there is no GPU.

``library`` is the module that takes CuPy's place, ``ndarray`` its array over host memory,
``manners`` the rules and the counts. What it proves is that every name exists, that data stays
where it is, and that nothing waits unseen; it proves nothing about a GPU's rounding or speed.
"""

from .library import installed
from .manners import Misuse, counts, held_to_them, launch, no_sync, rules

__all__ = ["Misuse", "counts", "held_to_them", "installed", "launch", "no_sync", "rules"]
