"""MNIST and Fashion-MNIST: 70,000 grey pictures of 28x28, read from files or downloaded."""

from __future__ import annotations

from pathlib import Path

from ..array import np
from .dataset import DataError, Dataset
from .digits import DIGIT_NAMES
from .download import SOURCES, cache_folder, fetch
from .idx import read_idx

FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PREFIXES = {"train": "train", "test": "t10k"}


def mnist(root: str | Path | None = None, split: str = "train", download: bool = True) -> Dataset:
    """MNIST: handwritten digits, labels 0..9; 60,000 to train, 10,000 to test.

    ``data`` is uint8 of shape (N, 1, 28, 28): 0 is background, 255 full ink.

    Parameters
    ----------
    root : folder or None
        Holds the four IDX files, compressed or not, itself or in ``MNIST/raw`` as torchvision
        lays them out. They are used as they are; no network is needed. None means the cache,
        ``$MINIGAN_DATA/mnist`` or ``~/.cache/minigan/mnist``.
    split : "train" or "test"
    download : bool
        Fetch the split's files into that folder if they are not there, and check their MD5.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    DataError
        If files are missing and not downloaded, damaged, or do not belong together.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
    """
    return _load("mnist", "MNIST", DIGIT_NAMES, root, split, download)


def fashion_mnist(
    root: str | Path | None = None, split: str = "train", download: bool = True
) -> Dataset:
    """Fashion-MNIST: clothes in 10 classes, in MNIST's format; 60,000 to train, 10,000 to test.

    As :func:`mnist`, with ``FashionMNIST/raw`` for torchvision's layout and ``fashion-mnist`` in
    the cache.

    Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv:1708.07747. Licence: MIT.
    """
    return _load("fashion-mnist", "FashionMNIST", FASHION_NAMES, root, split, download)


def _load(
    name: str,
    torchvision_name: str,
    classes: tuple[str, ...],
    root: str | Path | None,
    split: str,
    download: bool,
) -> Dataset:
    if split not in _PREFIXES:
        raise ValueError(f"{name}: expected split 'train' or 'test', got {split!r}")
    folder = cache_folder(name) if root is None else Path(root).expanduser()
    places = [folder, folder / torchvision_name / "raw"]
    stems = [f"{_PREFIXES[split]}-images-idx3-ubyte", f"{_PREFIXES[split]}-labels-idx1-ubyte"]

    missing = [stem for stem in stems if _find(stem, places) is None]
    if missing and download:
        source = SOURCES[name]
        files = [file for file in source.files if file.name.removesuffix(".gz") in missing]
        fetch(name, files, source.mirrors, folder)
    paths = []
    for stem in stems:
        path = _find(stem, places)
        if path is None:
            raise DataError(
                f"{name}: expected {stem} or {stem}.gz in {folder}, found neither: "
                "put it there, or use download=True"
            )
        paths.append(path)

    images, labels = (read_idx(path) for path in paths)
    for path, array, axes in zip(paths, (images, labels), (3, 1), strict=True):
        if array.ndim != axes or array.dtype != np.uint8:
            raise DataError(
                f"{path}: expected uint8 values of {axes} axes, "
                f"got {array.dtype} of shape {array.shape}: are the files swapped?"
            )
    if len(images) != len(labels):
        raise DataError(
            f"{name}: expected a label for each image, got {len(images)} images in {paths[0]} "
            f"and {len(labels)} labels in {paths[1]}"
        )
    return Dataset(images[:, None], labels.astype(np.int64), name, classes=classes)


def _find(stem: str, places: list[Path]) -> Path | None:
    """The file called ``stem``, in any of its usual spellings, or None."""
    dotted = stem.replace("-idx", ".idx")  # as some old unpackers wrote it
    for place in places:
        for spelling in (stem, f"{stem}.gz", dotted, f"{dotted}.gz"):
            if (place / spelling).is_file():
                return place / spelling
    return None
