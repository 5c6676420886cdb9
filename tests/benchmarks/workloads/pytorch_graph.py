"""PyTorch's training steps on a GPU, each replayed as a CUDA graph (``torch.cuda.graph``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from . import pytorch
from .common import Workload

VERSION = f"PyTorch {torch.__version__}, CUDA graphs"
WARM_UP = 3  # steps on a stream of their own, as PyTorch's documentation asks for


class Recorded:
    """A function of tensors, recorded at its fourth call."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        self.function, self.calls = function, 0
        self.graph = torch.cuda.CUDAGraph()

    def __call__(self, *inputs: torch.Tensor) -> float:
        self.calls += 1
        if self.calls <= WARM_UP:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                loss = self.function(*inputs)
            torch.cuda.current_stream().wait_stream(stream)
            return loss.item()
        if self.calls == WARM_UP + 1:
            self.inputs = [x.clone() for x in inputs]
            with torch.cuda.graph(self.graph):
                self.loss = self.function(*self.inputs)
        for place, x in zip(self.inputs, inputs, strict=True):
            place.copy_(x)
        self.graph.replay()
        return self.loss.item()


class Game(pytorch.Game):
    """A step of D and a step of G, recorded apart."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device, capturable=True)
        self.step_discriminator = Recorded(self.update_discriminator)
        self.step_generator = Recorded(self.update_generator)


class Critic(pytorch.Critic):
    """The critic's step."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device, capturable=True)
        self.recorded = Recorded(super().update)

    def update(self, *inputs: torch.Tensor) -> Any:
        return self.recorded(*inputs)


class Classifier(pytorch.Classifier):
    """A step of D alone on given pictures."""

    def __init__(self, workload: Workload, folder: Path, device: str) -> None:
        super().__init__(workload, folder, device, capturable=True)
        self.recorded = Recorded(super().update)

    def update(self, *inputs: torch.Tensor) -> Any:
        return self.recorded(*inputs)


def start(workload: Workload, folder: Path, device: str) -> Any:
    pytorch.settings()
    kinds = {"game": Game, "critic": Critic, "classifier": Classifier}
    return kinds[workload.kind](workload, folder, device)
