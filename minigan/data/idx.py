"""The IDX file format, in which MNIST is published.

A file is a header, big-endian, and then the values in row-major order::

    2 bytes          zero
    1 byte           type of the values (the table below)
    1 byte           number of axes, n
    n x 4 bytes      length of each axis

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

from ..array import np
from .dataset import DataError

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """The array in the IDX file ``path``, which may be compressed with gzip, whatever its name.

    Raises
    ------
    DataError
        If the file is missing, truncated, or not in this format.
    """
    path = Path(path)
    content = _read_bytes(path)
    if len(content) < 4:
        raise DataError(f"{path}: expected an IDX header, got a file of {len(content)} bytes")
    zero, code, ndim = struct.unpack_from(">HBB", content)
    if zero != 0 or code not in _DTYPES:
        raise DataError(
            f"{path}: expected an IDX file, starting 00 00 and a type 08 to 0e, "
            f"got {content[:4].hex(' ')}: is it another format?"
        )
    start = 4 + 4 * ndim
    if len(content) < start:
        raise DataError(f"{path}: expected a header of {start} bytes, got {len(content)}")
    shape = struct.unpack_from(f">{ndim}I", content, offset=4)
    dtype = np.dtype(_DTYPES[code])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - start != expected:
        raise DataError(
            f"{path}: expected {expected:,} bytes of values for shape {shape}, "
            f"got {len(content) - start:,}: the file is damaged, get it again"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file ({error}): get it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
