import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigan.data import DataError
from minigan.data.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4)),
    compress=st.booleans(),
)
def test_round_trip_of_any_shape(tmp_path_factory, idx_bytes, array, compress):
    path = tmp_path_factory.getbasetemp() / "any-idx"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if compress else content)
    read = read_idx(path)
    assert read.shape == array.shape and read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize("dtype", CODES)
def test_every_type_of_the_format_is_read_in_native_byte_order(tmp_path, dtype):
    array = np.array([[1, 2, 3], [100, 5, 6]], dtype)
    header = struct.pack(">BBBBII", 0, 0, CODES[dtype], 2, 2, 3)
    (tmp_path / "x").write_bytes(header + array.tobytes())
    read = read_idx(tmp_path / "x")
    assert read.dtype == np.dtype(dtype).newbyteorder("=") and read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda good: b"", "got a file of 0 bytes"),
        (lambda good: b"\0\0", "got a file of 2 bytes"),
        (lambda good: b"\x89PNG" + good, "got 89 50 4e 47"),
        (lambda good: b"\0\0\x07" + good[3:], "got 00 00 07 03"),
        (lambda good: b"\x01" + good[1:], "got 01 00 08 03"),
        (lambda good: good[:9], "header of 16 bytes, got 9"),
        (lambda good: good[:-1], r"24 bytes of values for shape \(2, 3, 4\), got 23"),
        (lambda good: good + b"x", "got 25"),
        (lambda good: b"\0\0\x08\x03" + b"\xff" * 12, "damaged"),
        (lambda good: gzip.compress(good)[:-9], "damaged gzip"),
        (lambda good: gzip.compress(good)[:12], "damaged gzip"),
        (lambda good: gzip.compress(good)[:-8] + bytes(8), "damaged gzip"),
        (lambda good: gzip.compress(good)[:10] + b"\xff" * 20, "damaged gzip"),
        (lambda good: b"\x1f\x8bnonsense", "damaged gzip"),
    ],
)
def test_damaged_files_are_named_in_one_line(tmp_path, idx_bytes, damage, message):
    path = tmp_path / "some-idx"
    path.write_bytes(damage(idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))))
    with pytest.raises(DataError, match=message) as error:
        read_idx(path)
    assert "some-idx" in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="absent: cannot be read .No such file"):
        read_idx(tmp_path / "absent")
