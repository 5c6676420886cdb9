"""Fetching data sets: where they are, and how a file arrives whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..names import find_name
from .dataset import DataError


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its name on the mirrors, its size in bytes and its MD5 checksum."""

    name: str
    size: int
    md5: str


@dataclass(frozen=True)
class Source:
    """The files of a data set, and the addresses of the folders that hold them all."""

    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]


# Sizes and checksums as the publishers give them; a download that differs is refused.
SOURCES = {
    "mnist": Source(
        files=(
            RemoteFile("train-images-idx3-ubyte.gz", 9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb86873"),
            RemoteFile("train-labels-idx1-ubyte.gz", 28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
            RemoteFile("t10k-images-idx3-ubyte.gz", 1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
            RemoteFile("t10k-labels-idx1-ubyte.gz", 4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": Source(
        files=(
            RemoteFile(
                "train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"
            ),
            RemoteFile("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
            RemoteFile("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
            RemoteFile("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
        ),
        mirrors=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
    ),
    "cifar10": Source(
        files=(
            RemoteFile("cifar-10-binary.tar.gz", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530"),
        ),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
    ),
}


def cache_folder(name: str) -> Path:
    """Where ``name`` is kept: ``$MINIGAN_DATA/<name>``, else ``~/.cache/minigan/<name>``."""
    return Path(os.environ.get("MINIGAN_DATA") or "~/.cache/minigan").expanduser() / name


def download(name: str, root: str | Path | None = None) -> Path:
    """Fetch every file of data set ``name`` that is not there yet; give the folder they are in.

    Parameters
    ----------
    name : "mnist", "fashion-mnist" or "cifar10"
    root : folder, or None for ``cache_folder(name)``

    Raises
    ------
    ValueError
        If no data set of that name is downloaded.
    DataError
        If a file could not be fetched.
    """
    name = find_name(name, tuple(SOURCES), "download")
    folder = cache_folder(name) if root is None else Path(root).expanduser()
    fetch(name, SOURCES[name].files, SOURCES[name].mirrors, folder)
    return folder


def fetch(
    name: str, files: Sequence[RemoteFile], mirrors: Sequence[str], folder: str | Path
) -> None:
    """Put ``files`` into ``folder``, each from the first mirror that has it intact.

    A file that is there already is kept as it is. One that is not appears under its name only
    when it is complete and its size and checksum are right.

    Raises
    ------
    DataError
        If every mirror failed: what went wrong, and how to get the files by hand.
    """
    import http.client  # here, as it takes 20 ms that nobody should wait for without need

    folder = Path(folder)
    missing = [file for file in files if not (folder / file.name).exists()]
    for number, file in enumerate(missing):
        failures = []
        for mirror in mirrors:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                _download_file(mirror + file.name, file, folder)
                break
            except (OSError, http.client.HTTPException, DataError) as error:
                failures.append(f"{mirror}: {error}")
        else:
            raise DataError(_by_hand(name, missing[number:], folder, failures))


def _download_file(url: str, file: RemoteFile, folder: Path) -> None:
    import urllib.request

    from tqdm import tqdm

    partial = folder / f"{file.name}.{os.getpid()}.part"
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    try:
        with (
            urllib.request.urlopen(url, timeout=30) as response,
            open(partial, "wb") as out,
            # disable=None: no bar where nobody watches, such as in a log file
            tqdm(total=file.size, desc=file.name, unit="B", unit_scale=True, disable=None) as bar,
        ):
            while received <= file.size and (block := response.read(1 << 16)):
                out.write(block)
                digest.update(block)
                received += len(block)
                bar.update(len(block))
        if received != file.size:
            got = "more" if received > file.size else f"{received:,}"
            raise DataError(f"expected {file.size:,} bytes, got {got}")
        if digest.hexdigest() != file.md5:
            raise DataError(f"expected MD5 {file.md5}, got {digest.hexdigest()}")
        os.replace(partial, folder / file.name)
    finally:
        partial.unlink(missing_ok=True)  # gone already after os.replace


def _by_hand(name: str, files: Sequence[RemoteFile], folder: Path, failures: list[str]) -> str:
    rows = [f"  {file.name}  {file.size:,} bytes  MD5 {file.md5}" for file in files]
    return "\n".join(
        [
            f"{name}: could not download {files[0].name} ({'; '.join(failures)}). "
            f"Without a connection, put these into {folder} yourself:",
            *rows,
        ]
    )
