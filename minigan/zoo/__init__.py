"""The networks, one readable file each, and how to build a pair of them by name."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from .. import nn
from ..names import find_name
from . import dcgan, mlp, mlp_cnn, pacgan
from .norms import NORMS

MODELS: dict[str, ModuleType] = {
    "mlp": mlp,
    "mlp-cnn": mlp_cnn,
    "dcgan": dcgan,
    "pacgan": pacgan,
}


def build(
    model: str,
    shape: Sequence[int],
    generator: dict[str, Any] | None = None,
    discriminator: dict[str, Any] | None = None,
    pack: int = 1,
) -> tuple[nn.Module, nn.Module]:
    """A generator and a discriminator of the model called ``model`` for data of ``shape``.

    Parameters
    ----------
    model : str
        One of ``MODELS``.
    shape : sequence of int
        One example: (C, H, W) for pictures, (D,) for points.
    generator, discriminator : dict
        Further arguments, e.g. ``generator={"latent_dim": 64}``.
    pack : int
        The examples that D judges together, side by side in their channels (``Minimax(pack=)``).

    Raises
    ------
    ValueError
        On an unknown model, or one that does not make data of this shape.
    """
    networks = MODELS[find_name(model, MODELS, "model")]
    if len(shape) == 1 and networks in (mlp_cnn, dcgan):
        raise ValueError(f"model {model!r} makes pictures, the data are points: use model 'mlp'")
    return (
        networks.generator(tuple(shape), **generator or {}),
        networks.discriminator((pack * shape[0], *shape[1:]), **discriminator or {}),
    )
