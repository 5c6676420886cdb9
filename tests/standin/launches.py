"""Which lines of the library launch how many kernels in a step of training.

    python tests/standin/launches.py dcgan d      # a step of D of the model dcgan; or g

Prints the number of launches, the kernel, and the library's lines that led to it, innermost first.
"""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import minigan as mg
import standin.library
import standin.ndarray
from standin.manners import launch

SHAPES = {"mlp": (1, 8, 8), "dcgan": (3, 32, 32)}
SEPARATOR, DEPTH = "/minigan/", 3


def main(model: str, player: str, n: int = 4) -> None:
    found: Counter[tuple[str, str]] = Counter()

    def noted(name: str, *args: Any, **keywords: Any) -> Any:
        lines = [f for f in traceback.extract_stack() if SEPARATOR in f.filename]
        places = (f"{f.filename.rpartition(SEPARATOR)[2]}:{f.lineno}" for f in reversed(lines))
        where = list(places)[:DEPTH]
        found[name, " < ".join(where)] += 1
        return launch(name, *args, **keywords)

    with standin.installed(), standin.held_to_them("minigan", uploader="minigan.array"):
        mg.set_default_device("cuda")
        game = mg.gan.Minimax(*mg.zoo.build(model, SHAPES[model]))
        real = mg.ones(n, *SHAPES[model])
        steps = {"d": lambda: game.step_discriminator(real), "g": lambda: game.step_generator(n)}
        steps["d"](), steps["g"]()  # everything has been allocated after that
        standin.ndarray.launch = standin.library.launch = noted
        steps[player]()
    for (name, where), times in found.most_common():
        print(f"{times:4d} {name:18} {where}")
    print(f"{found.total():4d}")


if __name__ == "__main__":
    main(*sys.argv[1:])
