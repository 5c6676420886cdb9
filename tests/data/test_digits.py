from pathlib import Path

import numpy as np
import pytest

import minigan.data.dataset as dataset_module
from minigan.data import digits

FOLDER = Path(dataset_module.__file__).parent


def test_shapes_types_and_range():
    ds = digits()
    assert ds.data.shape == (1797, 1, 8, 8) and ds.data.dtype == np.uint8
    assert ds.labels.shape == (1797,) and ds.labels.dtype == np.int64
    assert (ds.data.min(), ds.data.max()) == (0, 16)
    assert (ds[:].min(), ds[:].max()) == (-1, 1)
    assert set(np.unique(ds.labels)) == set(range(10)) and len(ds.classes) == 10


def test_equal_to_scikit_learns():
    load_digits = pytest.importorskip("sklearn.datasets").load_digits
    theirs, ours = load_digits(), digits()
    np.testing.assert_array_equal(ours.data[:, 0], theirs.images)
    np.testing.assert_array_equal(ours.labels, theirs.target)


def test_the_file_holds_no_pickled_objects():
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as file:
        assert {name: file[name].dtype for name in file} == {"images": "u1", "labels": "u1"}


def test_the_attribution_the_licence_asks_for_is_there():
    text = (FOLDER / "DIGITS-LICENSE.txt").read_text(encoding="utf-8")
    for needed in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "Changes made"):
        assert needed in text
