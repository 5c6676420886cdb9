"""Which lines of the package one batch passes through: a step of D and one of G, as ``fit`` does.

    python tests/benchmarks/walk.py            # as it runs
    python tests/benchmarks/walk.py --plain    # the definitions alone

Prints every file with the number of its lines that were run, and which. What a reader has to follow
is that, not the length of the files.
"""

import sys
from collections import defaultdict
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import minigan as mg
from minigan import nn

ROOT = str(Path(mg.__file__).parent)


def lines_of_a_batch() -> dict[str, set[int]]:
    """The numbers of the lines that were run, by file."""
    mg.manual_seed(0)
    generator = nn.Sequential(
        nn.Linear(16, 128), nn.BatchNorm1d(128), nn.LeakyReLU(0.2),
        nn.Linear(128, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1)
    )
    game = mg.gan.Minimax(generator, discriminator, "non-saturating", lr=1e-3)
    batch = mg.rand(64, 1, 8, 8) * 2 - 1
    game.fit([batch], epochs=1)  # what is made once has been made
    seen: dict[str, set[int]] = defaultdict(set)

    def tracer(frame, event, argument):
        file = frame.f_code.co_filename
        if not file.startswith(ROOT):
            return None
        seen[file.removeprefix(ROOT + "/")].add(frame.f_lineno)
        return tracer

    sys.settrace(tracer)
    try:
        game.fit([batch], epochs=2)
    finally:
        sys.settrace(None)
    return seen


def ranges(numbers: set[int]) -> str:
    """``{1, 2, 3, 7}`` as "1-3 7"."""
    parts = []
    for _, run in groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0]):
        first, *rest = [n for _, n in run]
        parts.append(f"{first}-{rest[-1]}" if rest else str(first))
    return " ".join(parts)


if __name__ == "__main__":
    with mg.plain() if "--plain" in sys.argv else nullcontext():
        found = lines_of_a_batch()
    for file, numbers in sorted(found.items(), key=lambda item: -len(item[1])):
        print(f"{file:26} {len(numbers):4}  {ranges(numbers)}")
    print(f"{len(found)} files, {sum(map(len, found.values()))} lines")
