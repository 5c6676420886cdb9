import io
import tarfile

import numpy as np
import pytest

from minigan.data import DataError, cifar10
from minigan.data.download import SOURCES, Source

NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    files = SOURCES["cifar10"].files
    monkeypatch.setitem(SOURCES, "cifar10", Source(files, ("http://127.0.0.1:1/",)))


def contents():
    """Two records in each file, with the images and labels of all of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)
    labels = rng.integers(0, 10, 12).astype(np.uint8)
    records = [bytes([k]) + x.tobytes() for x, k in zip(images, labels, strict=True)]
    files = {name: b"".join(records[2 * i : 2 * i + 2]) for i, name in enumerate(NAMES)}
    return files, images, labels


def write_archive(folder, files):
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name in sorted(files, reverse=True):  # the archive's order must not matter
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))


@pytest.mark.parametrize("where", ["", "cifar-10-batches-bin", "archive"])
def test_files_and_archive_read_alike(tmp_path, where):
    files, images, labels = contents()
    if where == "archive":
        write_archive(tmp_path, files)
    else:
        (tmp_path / where).mkdir(exist_ok=True)
        for name, content in files.items():
            (tmp_path / where / name).write_bytes(content)
    train, test = cifar10(tmp_path), cifar10(tmp_path, "test")
    np.testing.assert_array_equal(train.data, images[:10])
    np.testing.assert_array_equal(test.data, images[10:])
    np.testing.assert_array_equal(train.labels, labels[:10])
    assert train.data.dtype == np.uint8 and train.labels.dtype == np.int64
    assert train.classes[3] == "cat"
    assert sorted(p.name for p in tmp_path.rglob("*.bin")) == (
        [] if where == "archive" else sorted(NAMES)
    )


def test_a_missing_file_in_the_archive_is_named(tmp_path):
    files, _, _ = contents()
    del files["data_batch_3.bin"]
    write_archive(tmp_path, files)
    with pytest.raises(DataError, match="expected data_batch_3.bin in it"):
        cifar10(tmp_path)
    assert len(cifar10(tmp_path, "test")) == 2


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"not an archive", bytes])
def test_a_damaged_archive_is_named(tmp_path, damage):
    write_archive(tmp_path, contents()[0])
    path = tmp_path / "cifar-10-binary.tar.gz"
    path.write_bytes(damage(path.read_bytes()) if damage is not bytes else b"")
    with pytest.raises(DataError, match="cifar-10-binary.tar.gz: damaged archive"):
        cifar10(tmp_path)


@pytest.mark.parametrize("content", [b"", bytes(3072), bytes(3074)])
def test_a_file_of_the_wrong_length_is_named(tmp_path, content):
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(DataError, match=f"test_batch.bin: .*3073 bytes, got {len(content):,}"):
        cifar10(tmp_path, "test")


def test_labels_past_nine_are_refused(tmp_path):
    (tmp_path / "test_batch.bin").write_bytes(bytes([10]) + bytes(3072))
    with pytest.raises(DataError, match="expected labels 0 to 9"):
        cifar10(tmp_path, "test")


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"])
@pytest.mark.parametrize("download", [False, True])
def test_the_pickled_version_is_refused_with_the_reason(tmp_path, name, download):
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=f"{name} is .*pickle can run any code"):
        cifar10(tmp_path, download=download)


def test_the_pickled_version_beside_the_binary_one_does_no_harm(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").touch()
    write_archive(tmp_path, contents()[0])
    assert len(cifar10(tmp_path)) == 10


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="expected cifar-10-binary.tar.gz or data_batch_1.bin"):
        cifar10(tmp_path, download=False)
    with pytest.raises(DataError, match="c32a1d4ab5d03f1284b67883e8d87530"):
        cifar10(tmp_path)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test'"):
        cifar10(tmp_path, split="valid")
