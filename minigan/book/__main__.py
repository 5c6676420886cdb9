"""``python -m minigan.book [NN …]``: execute chapters, in the repository's folder."""

import argparse
import sys

from .refresh import main

parser = argparse.ArgumentParser(
    prog="python -m minigan.book",
    description="Execute chapters/NN_*.md and write the results to notebooks/NN_*.ipynb.",
)
parser.add_argument("numbers", nargs="*", metavar="NN", help="which chapters  [all]")
parser.add_argument("--check", action="store_true", help="only execute, write nothing")
options = parser.parse_args()
sys.exit(main(options.numbers, options.check))
