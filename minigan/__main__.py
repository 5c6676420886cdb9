"""``python -m minigan``: the same as the command ``minigan``."""

import sys

from .studio.cli import main

sys.exit(main())
