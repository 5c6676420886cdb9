"""Looking at networks and games: their layers, their health, and what theory says of them.

Its names are found where they are looked for: ``minigan.gan.Diagnosis``, ``minigan.gan.oracles``,
``minigan.nn.summary``.
"""

from . import diagnosis, oracles, probe
from .diagnosis import Diagnosis, Finding
from .summary import Summary, summary
