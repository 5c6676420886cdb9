"""How a discriminator's layers are held in check."""

from __future__ import annotations

from .. import nn
from ..names import find_name

NORMS = ("batch", "none", "spectral")


def normed(layer: nn.Module, norm: str, batch_norm: nn.Module | None = None) -> list[nn.Module]:
    """The layer as ``norm`` wants it: as it is, with spectral norm, or with batch norm behind it.

    ``batch_norm`` is that layer; None for a layer that never has one, first and last ones.
    """
    norm = find_name(norm, NORMS, "norm")
    if norm == "spectral":
        return [nn.utils.spectral_norm(layer)]
    return [layer] if norm == "none" or batch_norm is None else [layer, batch_norm]
