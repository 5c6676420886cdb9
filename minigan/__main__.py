"""``python -m minigan``: the same as the command ``minigan``."""

import sys

from .cli import main

sys.exit(main())
