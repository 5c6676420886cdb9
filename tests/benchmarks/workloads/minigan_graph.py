"""minigan's training steps on a GPU, each replayed as a CUDA graph (``Minimax(capture=True)``)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import minigan as mg

from . import minigan_
from .common import BATCHES, Workload

VERSION = f"{minigan_.VERSION}, CUDA graphs"


class Game(minigan_.Game):
    """A step of D and a step of G, recorded apart; noise is copied to where they look."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device, capture=True)
        self.game.noise = mg.zeros_like(self.batches["z_for_d"][0])

    def step(self, t: int) -> tuple[float, ...]:
        game, i = self.game, t % BATCHES
        real = self.batches["real"][i]
        game.noise.array[...] = self.batches["z_for_d"][i].array
        d = game.step_discriminator(real)
        game.noise.array[...] = self.batches["z_for_g"][i].array
        g = game.step_generator(len(real), real)
        return d["d_loss"], g["g_loss"]


class Critic(minigan_.Critic):
    """The critic's step."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device)
        self.update = mg.cuda.graph(self.update)


class Classifier(minigan_.Classifier):
    """A step of D alone on given pictures."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device)
        self.update = mg.cuda.graph(self.update)


def start(workload: Workload, folder: Path, device: str) -> Any:
    warnings.filterwarnings("error", message="this step is not recorded")  # nor is it to be timed
    mg.set_default_device(device)
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder, device)
