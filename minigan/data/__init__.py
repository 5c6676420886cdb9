"""What a GAN learns from: bundled digits, well-known data sets, your own pictures, toy points.

Every function here gives a :class:`Dataset`; :class:`DataLoader` cuts it into batches.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..names import find_name
from .cifar10 import cifar10
from .dataset import DataError, Dataset
from .digits import digits
from .download import cache_folder, download
from .folder import image_folder
from .loader import DataLoader
from .mnist import fashion_mnist, mnist
from .toy import grid, ring, swiss_roll, two_moons

__all__ = [
    "DataError",
    "DataLoader",
    "Dataset",
    "cache_folder",
    "cifar10",
    "digits",
    "download",
    "fashion_mnist",
    "grid",
    "image_folder",
    "load",
    "mnist",
    "ring",
    "swiss_roll",
    "two_moons",
]

_FROM_FILES = {"mnist": mnist, "fashion-mnist": fashion_mnist, "cifar10": cifar10}
_WHOLE = {
    "digits": digits,
    "ring": ring,
    "grid": grid,
    "swiss-roll": swiss_roll,
    "two-moons": two_moons,
}
NAMES = (*_WHOLE, *_FROM_FILES)


def load(
    name_or_folder: str | Path,
    root: str | Path | None = None,
    split: str = "train",
    **options: Any,
) -> Dataset:
    """The data set of that name, or the pictures in that folder.

    Parameters
    ----------
    name_or_folder : str or Path
        One of ``minigan.data.NAMES``, spelled with ``-`` or ``_``; else a folder. A folder that is
        called like a data set is written as a path: ``./mnist``.
    root, split
        For the data sets that are published as files; see :func:`mnist`.
    **options
        Passed on, such as ``size=64`` to :func:`image_folder` or ``modes=12`` to :func:`ring`.

    Raises
    ------
    ValueError
        On an unknown name (with the nearest right one), or ``root`` or ``split`` for other data.
    DataError
        If the data cannot be read.
    """
    text = str(name_or_folder)
    is_path = isinstance(name_or_folder, Path) or "/" in text or os.sep in text
    try:
        name = None if is_path else find_name(text, NAMES, "data set")
    except ValueError:
        if not Path(text).is_dir():
            raise
        name = None
    if name in _FROM_FILES:
        return _FROM_FILES[name](root, split, **options)
    if split != "train" or root is not None:
        raise ValueError(f"{text} takes neither root nor split: leave them out")
    return image_folder(text, **options) if name is None else _WHOLE[name](**options)
