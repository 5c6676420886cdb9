"""CIFAR-10: 60,000 colour pictures of 32x32 in 10 classes, read from its binary version.

A file is a row of records of 3073 bytes: one for the label, then 3 x 32 x 32 for red, green, blue.
"""

from __future__ import annotations

import zlib
from pathlib import Path, PurePosixPath

from ..array import np
from .dataset import DataError, Dataset
from .download import SOURCES, cache_folder, fetch

CIFAR10_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_FILES = {
    "train": [f"data_batch_{i}.bin" for i in range(1, 6)],
    "test": ["test_batch.bin"],
}
_ARCHIVE = SOURCES["cifar10"].files[0]
_RECORD = 1 + 3 * 32 * 32


def cifar10(root: str | Path | None = None, split: str = "train", download: bool = True) -> Dataset:
    """CIFAR-10: 10 kinds of animals and vehicles; 50,000 pictures to train, 10,000 to test.

    ``data`` is uint8 of shape (N, 3, 32, 32), red, green, blue, 0..255.

    Parameters
    ----------
    root : folder or None
        Holds the binary version: ``cifar-10-binary.tar.gz``, or its ``.bin`` files, directly or
        in ``cifar-10-batches-bin``. They are used as they are; no network is needed. None means
        the cache, ``$MINIGAN_DATA/cifar10`` or ``~/.cache/minigan/cifar10``.
    split : "train" or "test"
    download : bool
        Fetch the archive (170 MB) into that folder if nothing is there, and check its MD5.

    Raises
    ------
    ValueError
        If ``split`` is neither.
    DataError
        If files are missing and not downloaded, or damaged, or only the pickled "python version"
        is there: reading a pickle can run any code that its author put in, so it is refused.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if split not in _FILES:
        raise ValueError(f"cifar10: expected split 'train' or 'test', got {split!r}")
    folder = cache_folder("cifar10") if root is None else Path(root).expanduser()
    archive = folder / _ARCHIVE.name
    contents = _read_files(folder, split)
    if contents is None and not archive.is_file():
        _refuse_pickles(folder)
        if not download:
            raise DataError(
                f"cifar10: expected {_ARCHIVE.name} or {', '.join(_FILES[split])} in {folder}, "
                "found neither complete: put it there, or use download=True"
            )
        fetch("cifar10", [_ARCHIVE], SOURCES["cifar10"].mirrors, folder)
    if contents is None:
        contents = _read_archive(archive, split)

    for path, content in contents.items():
        if len(content) == 0 or len(content) % _RECORD:
            raise DataError(
                f"{path}: expected records of {_RECORD} bytes, got {len(content):,} bytes, "
                "not a multiple: the file is damaged, get it again"
            )
    files = [np.frombuffer(file, np.uint8).reshape(-1, _RECORD) for file in contents.values()]
    labels = np.concatenate([records[:, 0] for records in files])
    images = np.concatenate([records[:, 1:] for records in files]).reshape(-1, 3, 32, 32)
    return Dataset(images, labels.astype(np.int64), "cifar10", classes=CIFAR10_NAMES)


def _read_files(folder: Path, split: str) -> dict[str, bytes] | None:
    """The split's ``.bin`` files by path, or None unless one folder holds them all."""
    for place in (folder, folder / "cifar-10-batches-bin"):
        paths = [place / name for name in _FILES[split]]
        if all(path.is_file() for path in paths):
            return {str(path): path.read_bytes() for path in paths}
    return None


def _read_archive(archive: Path, split: str) -> dict[str, bytes]:
    """The split's ``.bin`` files by path, read without unpacking the archive to disk."""
    import tarfile

    found = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if name in _FILES[split] and (file := tar.extractfile(member)) is not None:
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive}: damaged archive ({error}): get it again") from None
    missing = [name for name in _FILES[split] if name not in found]
    if missing:
        raise DataError(f"{archive}: expected {', '.join(missing)} in it, found none: get it again")
    return {f"{archive}/{name}": found[name] for name in _FILES[split]}


def _refuse_pickles(folder: Path) -> None:
    for name in ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1", "test_batch"):
        if (folder / name).exists():
            raise DataError(
                f"{folder / name} is CIFAR-10's pickled python version, which is refused because "
                f"reading a pickle can run any code: put {_ARCHIVE.name} there instead, "
                f"from {SOURCES['cifar10'].mirrors[0]}"
            )
