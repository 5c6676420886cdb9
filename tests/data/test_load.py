import subprocess
import sys

import numpy as np
import pytest

from minigan import data


@pytest.mark.parametrize(
    "name", ["digits", "ring", "grid", "swiss-roll", "swiss_roll", "two-moons"]
)
def test_names(name):
    ds = data.load(name)
    assert ds.name == name.replace("-", "_")


def test_options_are_passed_on():
    assert len(data.load("ring", n=30, modes=3).centers) == 3


def test_files_are_read_from_root(tmp_path, mnist_arrays, idx_bytes):
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(mnist_arrays[0]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(mnist_arrays[1]))
    for name in ("mnist", "fashion-mnist", "fashion_mnist"):
        ds = data.load(name, root=tmp_path, split="test", download=False)
        assert len(ds) == 12 and ds.name == name.replace("_", "-")


@pytest.mark.parametrize("how", ["Path", "str", "relative", "called like a data set"])
def test_a_folder_of_pictures(tmp_path, monkeypatch, how):
    Image = pytest.importorskip("PIL.Image")
    folder = tmp_path / ("mnist" if how == "called like a data set" else "pictures")
    folder.mkdir()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "x.png")
    monkeypatch.chdir(tmp_path)
    given = {"Path": folder, "str": str(folder), "relative": "pictures"}.get(how, "./mnist")
    assert data.load(given, size=5).shape == (1, 5, 5)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(data.DataError, match="expected a folder"):
        data.load(f"{tmp_path}/absent")


def test_an_unknown_name_suggests_the_nearest_and_lists_all():
    with pytest.raises(ValueError, match="did you mean 'fashion-mnist'") as error:
        data.load("fasion_mnist")
    assert all(name in str(error.value) for name in data.NAMES)


@pytest.mark.parametrize("arguments", [{"split": "test"}, {"root": "somewhere"}])
def test_root_and_split_are_refused_where_they_mean_nothing(arguments):
    with pytest.raises(ValueError, match="digits takes neither root nor split"):
        data.load("digits", **arguments)


def test_pillow_and_tqdm_load_only_when_used():
    code = (
        "import sys, minigan.data as d; d.digits(); d.ring(10); "
        "print([m for m in ('PIL', 'tqdm', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
