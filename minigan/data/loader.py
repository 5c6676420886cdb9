"""Batches of a data set, in an order that one seed decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import random
from ..array import asarray, default_device, np, to_host
from ..tensor import Tensor
from .dataset import Dataset


class DataLoader:
    """Iterates over a data set in batches, with PyTorch's name and arguments.

    ::

        for real in DataLoader(digits(), batch_size=64, shuffle=True):
            ...  # a Tensor of shape (64, 1, 8, 8) on the default device

    A batch is read from the data set when its turn comes: nothing but the order of the indices
    and that one batch is in memory besides the data set itself.

    The order of a pass depends on ``seed`` and the pass's number alone. ``loader.epoch`` is the
    number the next pass will have: 0 at first, one more whenever an iteration starts. So
    ``next(iter(loader))`` gives another batch each time, and a resumed run that sets
    ``loader.epoch = 10`` goes on exactly as if it had made the first ten passes.

    Parameters
    ----------
    dataset : Dataset, or an array or Tensor of examples (see ``Dataset.from_array``)
    batch_size : int
        The last batch of a pass is smaller if the examples do not divide evenly.
    shuffle : bool
        False keeps the data set's own order in every pass.
    drop_last : bool
        Leave out a smaller last batch.
    seed : int, 0 or more
    dtype : dtype
        Of the batches.
    rank, ranks : int
        Where several processes train together, which of them this is: every ``ranks`` batches of
        a pass, it reads number ``rank``. Needs ``drop_last``.
    labels : bool
        Yield pairs (batch, labels), the labels an int64 Tensor of shape (B,).

    Raises
    ------
    ValueError
        If there would be no batch, or ``labels`` is True and the data set has none.
    """

    def __init__(
        self,
        dataset: Dataset | Tensor | np.ndarray,
        batch_size: int = 64,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        seed: int = 0,
        dtype: Any = np.float32,
        labels: bool = False,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if isinstance(dataset, Tensor):
            dataset = to_host(dataset.array)
        if not isinstance(dataset, Dataset):
            dataset = Dataset.from_array(dataset)
        if len(dataset) == 0:
            raise ValueError(f"{dataset.name}: expected at least one example, got none")
        if batch_size < 1:
            raise ValueError(f"expected batch_size >= 1, got {batch_size}")
        if drop_last and batch_size * ranks > len(dataset):
            raise ValueError(
                f"batch_size={batch_size} with drop_last=True leaves no batch of "
                f"{dataset.name}'s {len(dataset)} examples: use a smaller batch_size"
            )
        if labels and dataset.labels is None:
            raise ValueError(f"{dataset.name} has no labels: use labels=False")
        if not 0 <= rank < ranks:
            raise ValueError(f"expected a rank from 0 to {ranks - 1}, got {rank}")
        if ranks > 1 and not drop_last:
            raise ValueError("several ranks need drop_last=True, so that they have equal batches")
        if seed < 0:
            raise ValueError(f"expected seed >= 0, got {seed}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.seed = seed
        self.dtype = np.dtype(dtype)
        self.labels = labels
        self.rank, self.ranks = rank, ranks
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in one pass."""
        whole, rest = divmod(len(self.dataset), self.batch_size * self.ranks)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch
        self.epoch += 1
        return self.batches(epoch)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """The batches of pass ``epoch`` from number ``start`` on; ``self.epoch`` stays as it is.

        A run that stopped inside a pass continues with ``batches(epoch, start=batches_done)``.
        """
        if self.shuffle:
            order = random.default_rng(self.seed, epoch).permutation(len(self.dataset))
        for number in range(start, len(self)):
            part = number * self.ranks + self.rank
            index = slice(part * self.batch_size, (part + 1) * self.batch_size)
            yield self._read(order[index] if self.shuffle else index)

    def _read(self, index: slice | np.ndarray) -> Any:
        device = default_device()
        batch = self.dataset[index].astype(self.dtype, copy=False)
        real = Tensor(asarray(batch, device=device))
        if not self.labels:
            return real
        assert self.dataset.labels is not None
        # A copy, so that writing into a batch never reaches the data set.
        return real, Tensor(asarray(self.dataset.labels[index].copy(), device=device))
