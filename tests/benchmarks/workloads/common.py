"""What every library computes: the networks as lists of layers, and the numbers that go in.

Each library's file says what a layer of such a list is in its own terms, and writes the training
steps the way its users do. A file defines ``VERSION`` and ``start(workload, folder, device)``,
which gives an object with

``step(t)``
    One whole training step on the batches number ``t``; the losses as Python floats.
``sample(n)``
    n pictures of G in evaluation mode as a NumPy array; only where the workload has a G.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 64
LATENT = 100
BATCHES = 8  # different ones, used in turn
SAMPLES = (64, 256)  # pictures per call of sample()
LR, BETA1, BETA2, EPS = 2e-4, 0.5, 0.999, 1e-8  # Adam, in every library
SLOPE = 0.2  # of LeakyReLU
PENALTY = 10.0  # λ of WGAN-GP (Gulrajani et al. 2017)

Layer = tuple[Any, ...]
Layers = list[Layer]


class Unsupported(Exception):
    """A workload that a library can not run, and why."""


@dataclass(frozen=True)
class Workload:
    """A training step.

    Attributes
    ----------
    kind : str
        "game": a step of D on real pictures and on G's, which are constants there, then a step of
        G, both with binary cross-entropy and Adam. "critic": a step of D alone on given real and
        fake pictures with WGAN-GP's loss. "classifier": a step of D alone on given real and fake
        pictures with binary cross-entropy.
    shape : tuple of int
        One picture.
    discriminator, generator : list of layers
    tolerance : float
        How far the losses of the first steps may differ between libraries; see compare.py.
    """

    title: str
    kind: str
    shape: tuple[int, ...]
    discriminator: Layers
    generator: Layers | None = None
    tolerance: float = 2e-6
    batch: int = BATCH


# --------------------------------------------------------------------------------- the networks
#
# A layer is its name and its sizes. Convolutions have a 4×4 kernel, stride 2 and padding 1, so that
# they halve (conv) or double (conv_transpose) a picture's sides.


def mlp(
    shape: Sequence[int], g_hidden: Sequence[int], d_hidden: Sequence[int], batch_norm: bool = False
) -> tuple[Layers, Layers]:
    """G and D of minigan.zoo.mlp; ``batch_norm`` is G's."""
    size = math.prod(shape)
    generator: Layers = []
    for before, after in pairwise([LATENT, *g_hidden]):
        generator.append(("linear", before, after))
        generator += [("batch_norm1d", after)] if batch_norm else []
        generator.append(("leaky_relu",))
    generator += [("linear", g_hidden[-1], size), ("tanh",), ("unflatten", *shape)]

    discriminator: Layers = [("flatten",)]
    for before, after in pairwise([size, *d_hidden]):
        discriminator += [("linear", before, after), ("leaky_relu",)]
    discriminator.append(("linear", d_hidden[-1], 1))
    return generator, discriminator


def dcgan(
    shape: tuple[int, int, int], channels: Sequence[int], batch_norm: bool = True
) -> tuple[Layers, Layers]:
    """G and D of minigan.zoo.dcgan; ``channels`` are D's, from large pictures to small ones.

    ``batch_norm=False`` leaves it away in D, as WGAN-GP asks for.
    """
    side = shape[1] // 2 ** len(channels)
    top = channels[-1]
    generator: Layers = [
        ("linear", LATENT, top * side * side),
        ("unflatten", top, side, side),
    ]
    for before, after in pairwise([*channels[::-1], shape[0]]):
        generator += [("batch_norm2d", before), ("relu",), ("conv_transpose", before, after)]
    generator.append(("tanh",))

    discriminator: Layers = [("conv", shape[0], channels[0]), ("leaky_relu",)]
    for before, after in pairwise(channels):
        discriminator.append(("conv", before, after))
        discriminator += [("batch_norm2d", after)] if batch_norm else []
        discriminator.append(("leaky_relu",))
    discriminator += [("flatten",), ("linear", top * side * side, 1)]
    return generator, discriminator


def game(
    title: str, shape: tuple[int, ...], networks: tuple[Layers, Layers], tolerance: float = 2e-6
) -> Workload:
    """A step of both networks, given as (G, D)."""
    generator, discriminator = networks
    return Workload(title, "game", shape, discriminator, generator, tolerance)


MNIST, CIFAR = (1, 28, 28), (3, 32, 32)

WORKLOADS = {
    "a": game("MLP", MNIST, mlp(MNIST, [128], [128])),
    "b": game(
        "MLP + BN", MNIST, mlp(MNIST, [128, 256, 512, 1024], [512, 256], batch_norm=True), 2e-5
    ),
    "c": game("DCGAN 28×28", MNIST, dcgan(MNIST, [64, 128]), 1e-3),
    "d": Workload(
        "WGAN-GP critic step",
        "critic",
        MNIST,
        dcgan(MNIST, [64, 128], batch_norm=False)[1],
        tolerance=1e-5,
    ),
    "e": game("DCGAN 32×32×3", CIFAR, dcgan(CIFAR, [64, 128, 256]), 5e-3),
    "f": Workload(
        "LSTM over 28 rows", "classifier", (28, 28), [("last_hidden", 28, 128), ("linear", 128, 1)]
    ),
}
CONVOLUTIONAL = ("c", "d", "e")


# ------------------------------------------------------------------------------------ the numbers


def write_inputs(workload: Workload, folder: Path) -> None:
    """Initial weights from minigan's own initialisation, and data and noise, as files."""
    import minigan as mg

    from .minigan_ import network

    folder.mkdir(parents=True, exist_ok=True)
    mg.manual_seed(0)
    for name in ("discriminator", "generator"):
        layers = getattr(workload, name)
        if layers:
            mg.save(network(layers).state_dict(), folder / f"{name}.safetensors")
    rng = np.random.default_rng(0)

    def uniform(low: float, high: float, *shape: int) -> np.ndarray:
        return rng.uniform(low, high, (BATCHES, workload.batch, *shape)).astype(np.float32)

    def normal() -> np.ndarray:
        return rng.standard_normal((BATCHES, workload.batch, LATENT), dtype=np.float32)

    arrays = {"real": uniform(-1, 1, *workload.shape)}
    if workload.generator:
        arrays |= {"z_for_d": normal(), "z_for_g": normal()}
    else:
        arrays["fake"] = uniform(-0.5, 0.5, *workload.shape)
    if workload.kind == "critic":
        arrays["mix"] = uniform(0, 1, *[1] * len(workload.shape))
    np.savez(folder / "data.npz", **arrays)


def read_batches(folder: Path, convert: Callable[[np.ndarray], Any]) -> dict[str, list[Any]]:
    """The arrays of :func:`write_inputs`, every batch as the tensor that ``convert`` makes."""
    with np.load(folder / "data.npz") as file:
        return {name: [convert(batch) for batch in file[name]] for name in file.files}


def sampling_noise() -> dict[int, np.ndarray]:
    """Noise for sample(n), for every n that is timed."""
    rng = np.random.default_rng(1)
    return {n: rng.standard_normal((n, LATENT), dtype=np.float32) for n in SAMPLES}
