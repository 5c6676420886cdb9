import numpy as np
import pytest

from minigan.data import DataError, Dataset


def pictures(n=4, dtype=np.uint8):
    return (np.arange(n * 2 * 3 * 3) % 256).astype(dtype).reshape(n, 2, 3, 3)


def test_uint8_is_read_as_float32_from_minus_one_to_one():
    x = np.array([0, 51, 255], np.uint8).reshape(3, 1, 1, 1)
    read = Dataset.from_array(x)[:]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read.ravel(), np.float32([-1, 51 / 127.5 - 1, 1]))


@pytest.mark.parametrize("stored", [(0.0, 255.0), (0.0, 16.0), (0.0, 100.0)])
@pytest.mark.parametrize("wanted", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0), (-3.0, 5.0)])
def test_both_ends_of_the_range_are_exact(stored, wanted):
    x = np.array(stored, np.uint8).reshape(2, 1, 1, 1)
    read = Dataset(x, range=wanted, stored_range=stored)[:]
    assert tuple(read.ravel()) == wanted


def test_with_range_changes_what_is_read_not_what_is_stored():
    ds = Dataset.from_array(pictures(), labels=range(4), name="mine", classes="abcd")
    unit = ds.with_range(0, 1)
    assert unit.range == (0.0, 1.0) and ds.range == (-1.0, 1.0)
    assert unit.data is ds.data
    assert (unit.name, unit.classes) == ("mine", ("a", "b", "c", "d"))
    np.testing.assert_allclose(unit[:], pictures() / 255, rtol=1e-6)


@pytest.mark.parametrize("index", [2, -1, slice(1, 3), np.array([3, 0, 0]), [1, 2]])
def test_indexing_matches_numpy(index):
    ds = Dataset.from_array(pictures())
    expected = (pictures().astype(np.float32) / np.float32(127.5) - 1)[index]
    np.testing.assert_allclose(ds[index], expected, atol=1e-7)
    assert ds[index].shape == expected.shape


@pytest.mark.parametrize("index", [1, slice(0, 2), np.array([0, 1])])
def test_writing_into_a_batch_leaves_the_data_alone(index):
    x = np.zeros((4, 2), np.float32)
    batch = Dataset.from_array(x)[index]
    batch += 1
    assert (x == 0).all()


def test_memory_layout_survives_reading():
    channels_last = pictures().transpose(0, 2, 3, 1).copy().transpose(0, 3, 1, 2)
    batch = Dataset.from_array(channels_last)[np.array([2, 1])]
    assert batch.transpose(0, 2, 3, 1).flags.c_contiguous


def test_float32_is_not_copied_and_float64_becomes_float32():
    x = np.zeros((3, 2), np.float32)
    assert np.shares_memory(Dataset.from_array(x).data, x)
    assert Dataset.from_array(x.astype(np.float64)).data.dtype == np.float32


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, (0, 1)), (-0.5, 1, (-1, 1)), (0, 200, (0, 255)), (-3, 3, None)],
)
def test_range_of_float_pictures_is_inferred(low, high, expected):
    x = np.linspace(low, high, 8, dtype=np.float32).reshape(2, 1, 2, 2)
    ds = Dataset.from_array(x)
    assert ds.range == expected
    np.testing.assert_array_equal(ds[:], x)


def test_points_are_unbounded_unless_a_range_is_given():
    x = np.random.default_rng(0).random((5, 2))
    assert Dataset.from_array(x).range is None
    with pytest.raises(DataError, match="from_array"):
        Dataset.from_array(x).with_range(0, 1)
    scaled = Dataset.from_array(x, range=(0, 1)).with_range(-1, 1)
    np.testing.assert_allclose(scaled[:], 2 * x - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\); .*x\[:, None\]"),
        (np.zeros(3, np.float32), r"shape \(3,\)"),
        (np.zeros((0, 2)), "at least one example"),
        (np.array([[0.0, np.nan], [np.inf, 1.0]]), "got 2 NaN or infinite"),
        (np.zeros((3, 2), np.int64), "got int64"),
        (np.array([["a", "b"]]), "uint8 or floats"),
    ],
)
def test_unusable_arrays_are_refused(x, message):
    with pytest.raises(DataError, match=message) as error:
        Dataset.from_array(x)
    assert "\n" not in str(error.value)


def test_values_outside_the_given_range_are_refused():
    with pytest.raises(DataError, match=r"\(-1, 1\), got -1 to 2"):
        Dataset.from_array(np.array([[-1.0, 2.0]]), range=(-1, 1))


def test_a_reversed_range_is_refused():
    with pytest.raises(DataError, match="low < high"):
        Dataset.from_array(pictures()).with_range(1, -1)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 1], None, r"shape \(2,\)"),
        ([0.0] * 4, None, "integer labels"),
        ([0, 1, 2, 3], "abc", "0 to 2 .*got 0 to 3"),
        ([0, 1, 2, -1], "abc", "got -1 to 2"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, classes, message):
    with pytest.raises(DataError, match=message):
        Dataset.from_array(pictures(), labels=labels, classes=classes)


@pytest.mark.parametrize("indices", [[2, 0], slice(0, 3, 2), np.array([True, False, True, False])])
def test_subset_takes_examples_and_labels_together(indices):
    ds = Dataset.from_array(pictures(), labels=[5, 6, 7, 8])
    part = ds.subset(indices)
    key = indices if isinstance(indices, slice) else np.asarray(indices)
    np.testing.assert_array_equal(part.data, ds.data[key])
    np.testing.assert_array_equal(part.labels, ds.labels[key])
    assert part.labels.dtype == np.int64


def test_an_empty_subset_has_no_examples():
    assert len(Dataset.from_array(pictures()).subset([])) == 0


def test_shape_len_iteration_and_repr():
    ds = Dataset.from_array(pictures(), name="mine")
    assert (ds.shape, len(ds), len(list(ds))) == ((2, 3, 3), 4, 4)
    assert repr(ds) == "Dataset(mine: 4 x (2, 3, 3) uint8, range (-1.0, 1.0))"
