"""Embedding: a trained vector for each integer, e.g. for each class of a conditional GAN."""

from __future__ import annotations

from .. import ops
from ..array import module_of
from ..hooks import scalars
from ..tensor import Parameter, Tensor
from . import init
from .module import Module


def _check_range(index: Tensor, n: int) -> None:
    if index.dtype.kind not in "iu":
        raise ValueError(f"expected integers, got {index.dtype}")
    low, high = scalars(index.array.min(), index.array.max()) if index.numel() else (0, n - 1)
    if low < 0 or high >= n:
        raise ValueError(f"expected integers from 0 to {n - 1}, got {low} to {high}")


def embedding(x: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Row ``x`` of ``weight`` for each integer: (*) → (*, D), with weight (n, D).

    Row ``padding_idx`` gets no gradient.
    """
    n = weight.shape[0]
    _check_range(x, n)
    rows = weight[x]
    if padding_idx is None:
        return rows
    if not -n <= padding_idx < n:
        raise ValueError(f"padding_idx must be one of {n} rows, got {padding_idx}")
    return ops.where(ops.eq(x, padding_idx % n).unsqueeze(-1), rows.detach(), rows)


def one_hot(x: Tensor, num_classes: int = -1) -> Tensor:
    """Integers as rows of zeros with a single 1: (*) → (*, num_classes), int64.

    ``num_classes=-1`` takes one more than the largest integer.
    """
    if num_classes == -1:
        num_classes = x.array.max().item() + 1
    _check_range(x, num_classes)
    classes = module_of(x.array).arange(num_classes)
    return ops.eq(x.unsqueeze(-1), classes).long()


class Embedding(Module):
    """A table of ``num_embeddings`` trained vectors of ``embedding_dim`` numbers.

    Parameters
    ----------
    padding_idx : int, optional
        A row that starts at 0 and stays there.

    Attributes
    ----------
    weight : Parameter, (num_embeddings, embedding_dim)
        Starts from N(0, 1).
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"padding_idx must be one of {num_embeddings} rows, got {padding_idx}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Parameter(ops.zeros(num_embeddings, embedding_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, x: Tensor) -> Tensor:
        return embedding(x, self.weight, self.padding_idx)
