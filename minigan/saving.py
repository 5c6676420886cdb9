"""Files that are whole or not there: atomic writing, safetensors, checkpoints. No pickle.

A weights file (:func:`save`, :func:`load`) is a flat table of named tensors, which PyTorch reads
with ``safetensors.torch``. A checkpoint (:func:`save_tree`, :func:`load_tree`) is the same kind of
file for nested state: arrays become tensors under their dotted path, and everything else goes into
the file's metadata as JSON.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .array import is_array, np, to_host
from .tensor import Tensor


class CheckpointError(ValueError):
    """A file that is not a whole weights or checkpoint file."""


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file so that whoever opens ``path`` finds the old content or the new, never a part.

    Raises
    ------
    OSError
        If the folder is missing, not writable or full; the old file is then untouched.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name with no content
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        if isinstance(error, OSError):  # name the file that was asked for, not the temporary one
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


# -------------------------------------------------------------------------------- named tensors


def save(state_dict: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write named tensors or arrays, e.g. ``module.state_dict()``, as a safetensors file."""
    _write(path, {name: _host(value) for name, value in state_dict.items()}, {})


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the named tensors of a safetensors file, in the file's order.

    Raises
    ------
    CheckpointError
        If the file is not a whole safetensors file.
    """
    return {name: Tensor(array) for name, array in _read(path)[0].items()}


def _host(value: Any) -> np.ndarray:
    array = to_host(value.array if isinstance(value, Tensor) else value)
    return np.asarray(array, order="C")  # safetensors stores the bytes in C order


def _write(path: Any, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    from safetensors.numpy import save as serialize

    write_atomically(path, serialize(arrays, metadata or None))


def _read(path: Any) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {os.fspath(path)}")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(
            f"{os.fspath(path)} is not a whole safetensors file ({error}); "
            "take another copy of it, or train anew"
        ) from None


# --------------------------------------------------------------------------------- nested state

_KEY = "minigan"  # one metadata entry, because safetensors does not keep the order of several


def save_tree(tree: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write nested dicts and lists of arrays, numbers and strings. Same tree, same bytes."""
    arrays: dict[str, np.ndarray] = {}

    def strip(node: Any, name: str) -> Any:
        if isinstance(node, Mapping):
            return {str(k): strip(v, f"{name}.{k}" if name else str(k)) for k, v in node.items()}
        if isinstance(node, (list, tuple)):
            return [strip(v, f"{name}.{i}") for i, v in enumerate(node)]
        if isinstance(node, Tensor) or is_array(node):
            if name in arrays:
                raise ValueError(f"two entries of the tree are both called {name}")
            arrays[name] = _host(node)
            return {"tensor": name}
        return node

    rest = json.dumps(strip(tree, ""), sort_keys=True)
    _write(path, arrays, {_KEY: rest})


def load_tree(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what :func:`save_tree` wrote; mappings come back with string keys, tuples as lists.

    Raises
    ------
    CheckpointError
        If the file is not whole, or is no checkpoint.
    """
    arrays, metadata = _read(path)

    def restore(node: Any) -> Any:
        if isinstance(node, dict):
            if set(node) == {"tensor"} and isinstance(node["tensor"], str):
                return arrays[node["tensor"]]
            return {k: restore(v) for k, v in node.items()}
        return [restore(v) for v in node] if isinstance(node, list) else node

    try:
        return restore(json.loads(metadata[_KEY]))
    except (KeyError, ValueError):
        raise CheckpointError(
            f"{os.fspath(path)} holds tensors but no training state: it is a weights file, or "
            "another program's; mg.load reads its tensors"
        ) from None
