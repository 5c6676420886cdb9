import gzip
import hashlib

import numpy as np
import pytest

from minigan.data import DataError, fashion_mnist, mnist
from minigan.data.download import SOURCES, RemoteFile, Source

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever asks for a mirror is refused at once."""
    for name, source in SOURCES.items():
        monkeypatch.setitem(SOURCES, name, Source(source.files, ("http://127.0.0.1:1/",)))


@pytest.fixture
def write(idx_bytes):
    def write_files(folder, images, labels, names=(IMAGES, LABELS)):
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in zip(names, (images, labels), strict=True):
            content = idx_bytes(array)
            (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    return write_files


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("inside", ["", "MNIST/raw"])
def test_every_usual_spelling_and_place_is_found(
    tmp_path, mnist_arrays, write, suffix, dotted, inside
):
    names = [(n.replace("-idx", ".idx") if dotted else n) + suffix for n in (IMAGES, LABELS)]
    write(tmp_path / inside, *mnist_arrays, names)
    ds = mnist(tmp_path)
    np.testing.assert_array_equal(ds.data[:, 0], mnist_arrays[0])
    np.testing.assert_array_equal(ds.labels, mnist_arrays[1])
    assert ds.data.dtype == np.uint8 and ds.labels.dtype == np.int64
    assert ds.shape == (1, 28, 28) and ds.range == (-1, 1)


def test_the_test_split_has_its_own_files(tmp_path, mnist_arrays, write):
    images, labels = mnist_arrays
    write(tmp_path, images, labels)
    write(tmp_path, images[:3], labels[:3], ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
    assert (len(mnist(tmp_path)), len(mnist(tmp_path, "test"))) == (12, 3)


def test_fashion_mnist_has_its_own_folder_and_classes(tmp_path, mnist_arrays, write):
    write(tmp_path / "FashionMNIST/raw", *mnist_arrays)
    assert fashion_mnist(tmp_path).classes[9] == "Ankle boot"
    with pytest.raises(DataError):
        mnist(tmp_path, download=False)


def test_the_cache_is_used_without_root(tmp_path, mnist_arrays, write):
    write(tmp_path / "cache/fashion-mnist", *mnist_arrays)
    assert len(fashion_mnist()) == 12


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=f"expected {IMAGES} or {IMAGES}.gz in .*download=True"):
        mnist(tmp_path, download=False)


def test_offline_says_which_files_to_put_where(tmp_path, mnist_arrays, write):
    write(tmp_path, *mnist_arrays)
    (tmp_path / LABELS).unlink()
    with pytest.raises(DataError) as error:
        mnist(tmp_path)
    text = str(error.value)
    assert str(tmp_path) in text and "d53e105ee54ea40749a09fcbcd1e9432" in text
    assert IMAGES not in text  # that one is there


def test_only_the_missing_files_of_the_split_are_downloaded(
    tmp_path, mnist_arrays, write, server, monkeypatch
):
    write(tmp_path, *mnist_arrays)
    body = gzip.compress((tmp_path / LABELS).read_bytes())
    (tmp_path / LABELS).unlink()
    server.files[f"/{LABELS}.gz"] = body
    file = RemoteFile(f"{LABELS}.gz", len(body), hashlib.md5(body).hexdigest())
    monkeypatch.setitem(SOURCES, "mnist", Source((file,), (server.url + "/",)))
    assert len(mnist(tmp_path)) == 12
    assert server.requests == [f"/{LABELS}.gz"]


def test_counts_that_differ_are_refused(tmp_path, mnist_arrays, write):
    write(tmp_path, mnist_arrays[0], mnist_arrays[1][:5])
    with pytest.raises(DataError, match="12 images .* 5 labels"):
        mnist(tmp_path)


def test_swapped_files_are_refused(tmp_path, mnist_arrays, write):
    write(tmp_path, *mnist_arrays[::-1])
    with pytest.raises(DataError, match="3 axes, got uint8 of shape .*swapped"):
        mnist(tmp_path)


def test_labels_that_are_no_digits_are_refused(tmp_path, mnist_arrays, write):
    write(tmp_path, mnist_arrays[0], mnist_arrays[1] + 10)
    with pytest.raises(DataError, match="expected labels 0 to 9"):
        mnist(tmp_path)


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'train' or 'test', got 'val'"):
        mnist(tmp_path, split="val")
