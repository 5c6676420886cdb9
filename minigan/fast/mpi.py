"""Several processes that train one model: ``mpiexec -n 4 minigan train``.

Each process, a *rank*, has the whole model and judges batches of its own; before every update the
ranks' gradients are averaged, so that all take the same step (synchronous data parallelism). With
R ranks and batches of B that is training with batches of R · B.

On the CPU the ranks talk through MPI (mpi4py), on GPUs through NCCL (CuPy's), rank r of a machine
on its GPU number r. Neither is imported unless a launcher started several processes. Losses in the
history and the diagnosis are those of rank 0, which alone writes.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import hooks
from ..array import Array, module_of, np
from ..ops.collective import all_reduce
from ..seam import twin
from .cuda.device import nccl

# What launchers tell their processes of how many there are: MPICH and Intel MPI, Open MPI, MVAPICH.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")


class Group:
    """The processes that train together; one alone is a group, too.

    Attributes
    ----------
    rank, size : int
        This process's number, from 0, and how many there are.
    """

    rank, size = 0, 1

    def mean(self, arrays: Iterable[Array]) -> None:
        """Replace each array by its mean over the ranks, in place."""

    def sum(self, array: Array) -> Array:
        """The sum of the ranks' arrays, of one shape and dtype."""
        return array

    def share(self, text: str) -> str:
        """Rank 0's text, in every rank."""
        return text

    def local_device(self, device: str) -> str:
        """The device of this rank: with several on a machine, each has a GPU of its own."""
        return device

    def abort(self, code: int) -> None:
        """End all ranks, which would wait for this one for ever."""


class _MPIGroup(Group):
    """Ranks that MPI started."""

    def __init__(self) -> None:
        try:
            mpi = importlib.import_module("mpi4py.MPI")
        except ImportError:
            raise ImportError(
                f"{started()} processes were started together, which needs mpi4py: "
                "pip install 'minigan[mpi]'"
            ) from None
        self._world = mpi.COMM_WORLD
        self._sum = mpi.SUM
        self.rank, self.size = self._world.rank, self._world.size
        local = self._world.Split_type(mpi.COMM_TYPE_SHARED)
        self.local_rank: int = local.rank

    @functools.cached_property
    def _nccl(self) -> Any:
        return nccl(self.size, self.rank)

    def mean(self, arrays: Iterable[Array]) -> None:
        for array in arrays:
            array[...] = self.sum(array)
            array /= self.size

    def sum(self, array: Array) -> Array:
        xp = module_of(array)
        array = array if array.flags.c_contiguous else array.copy(order="C")
        total = xp.empty_like(array)
        if xp is np:
            self._world.Allreduce(array, total, self._sum)
        else:
            self._nccl.all_reduce(array, total, "sum")
        return total

    def share(self, text: str) -> str:
        size = np.array([len(text.encode())])
        self._world.Bcast(size)
        content = np.frombuffer(text.encode(), "uint8").copy() if self.rank == 0 else None
        content = np.empty(int(size[0]), "uint8") if content is None else content
        self._world.Bcast(content)
        return content.tobytes().decode()

    def local_device(self, device: str) -> str:
        return f"cuda:{self.local_rank}" if device == "cuda" else device

    def abort(self, code: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(0.5)  # the launcher passes on what was printed, but not once it ends
        self._world.Abort(code)


def started() -> int:
    """How many processes the launcher says that it has started; 1 without one."""
    return max([1, *(int(os.environ[name]) for name in SIZES if name in os.environ)])


_alone = False


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process is a group of its own: for what one rank does and others do not."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def group() -> Group:
    """The processes that train together with this one.

    Raises
    ------
    ImportError
        If there are several, but mpi4py is not installed.
    """
    return Group() if _alone else _started_group()


@functools.cache
def _started_group() -> Group:
    return _MPIGroup() if started() > 1 else Group()


@twin(all_reduce)
def all_reduce_(x: Array) -> Any:
    """By MPI on the CPU, by NCCL on GPUs."""
    return NotImplemented if group().size == 1 else group().sum(x)


# ------------------------------------------------------------------------- around a game's steps


def average_gradients(optimizer: Any) -> None:
    """Replace the gradients by their means over all ranks: one message for all weights.

    Every rank must have gradients for the same parameters.
    """
    if group().size == 1:
        return
    hooks.not_in_capture("gradients are averaged over several processes")
    kinds: dict[Any, list[Array]] = {}
    for p in (p for settings in optimizer.param_groups for p in settings["params"]):
        if p.grad is not None:
            kinds.setdefault(p.dtype, []).append(p.grad.array)
    for gradients in kinds.values():
        xp = module_of(gradients[0])
        together = xp.concatenate([g.reshape(-1) for g in gradients])
        group().mean([together])
        ends = np.cumsum([g.size for g in gradients])[:-1].tolist()
        for g, mean in zip(gradients, xp.split(together, ends), strict=True):
            g[...] = mean.reshape(g.shape)


@twin(hooks.ranks)
def ranks_() -> int:
    """As many as the launcher started, but for what one does alone."""
    return group().size


@twin(hooks.mean_over_ranks)
def mean_over_ranks_(arrays: Iterable[Array]) -> None:
    """By MPI or NCCL."""
    group().mean(arrays)


hooks.alone = alone
hooks.before_update.append(average_gradients)
