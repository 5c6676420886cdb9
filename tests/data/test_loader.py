import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan.data.loader as loader_module
from minigan.data import DataLoader, Dataset
from minigan.tensor import Tensor


def numbered(n):
    """Points whose first coordinate is their index, which is also their label."""
    points = np.stack([np.arange(n), np.zeros(n)], axis=1).astype(np.float32)
    return Dataset.from_array(points, labels=np.arange(n))


def indices(batches):
    return [int(i) for batch in batches for i in batch.numpy()[:, 0]]


@given(
    n=st.integers(1, 60),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 1000),
)
def test_every_example_comes_exactly_once(n, batch_size, seed, epoch):
    loader = DataLoader(numbered(n), batch_size, shuffle=True, seed=seed)
    loader.epoch = epoch
    batches = list(loader)
    assert sorted(indices(batches)) == list(range(n))
    assert len(batches) == len(loader)
    assert all(len(batch.numpy()) == batch_size for batch in batches[:-1])


def test_without_shuffle_the_order_is_the_data_sets():
    loader = DataLoader(numbered(10), batch_size=4)
    assert [indices([b]) for b in loader] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_drop_last_leaves_out_the_smaller_batch():
    loader = DataLoader(numbered(10), batch_size=4, drop_last=True)
    assert len(loader) == len(list(loader)) == 2
    assert len(DataLoader(numbered(8), batch_size=4, drop_last=True)) == 2


def test_the_order_is_the_documented_function_of_seed_and_epoch():
    loader = DataLoader(numbered(100), batch_size=7, shuffle=True, seed=3)
    for epoch in range(3):
        order = np.random.Generator(np.random.PCG64([3, epoch])).permutation(100)
        assert indices(loader) == list(order)


def test_orders_differ_between_epochs_and_seeds():
    first = DataLoader(numbered(100), shuffle=True)
    other = DataLoader(numbered(100), shuffle=True, seed=1)
    a, b, c = indices(first), indices(first), indices(other)
    assert a != b and a != c and b != c


def test_setting_epoch_resumes_where_another_run_stopped():
    straight = DataLoader(numbered(50), batch_size=8, shuffle=True, seed=5)
    passes = [indices(straight) for _ in range(4)]
    resumed = DataLoader(numbered(50), batch_size=8, shuffle=True, seed=5)
    resumed.epoch = 2
    assert [indices(resumed), indices(resumed)] == passes[2:]
    assert resumed.epoch == straight.epoch == 4


def test_a_run_resumes_inside_a_pass():
    loader = DataLoader(numbered(50), batch_size=8, shuffle=True)
    whole = indices(loader.batches(epoch=6))
    assert indices(loader.batches(epoch=6, start=2)) == whole[16:]
    assert loader.epoch == 0


def test_epoch_counts_iterations_started_even_if_left_early():
    loader = DataLoader(numbered(50), batch_size=8, shuffle=True)
    first = indices([next(iter(loader))])
    second = indices([next(iter(loader))])
    assert loader.epoch == 2 and first != second


def test_two_iterations_at_once_do_not_disturb_each_other():
    loader = DataLoader(numbered(30), batch_size=4, shuffle=True)
    a, b = iter(loader), iter(loader)
    pairs = list(zip(a, b, strict=True))
    assert indices(p[0] for p in pairs) == indices(loader.batches(0))
    assert indices(p[1] for p in pairs) == indices(loader.batches(1))


def test_batches_are_scaled_float32_tensors():
    x = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    (batch,) = DataLoader(x, batch_size=6)
    assert isinstance(batch, Tensor) and batch.dtype == np.float32
    np.testing.assert_array_equal(batch.numpy(), Dataset.from_array(x)[:])
    (double,) = DataLoader(x, batch_size=6, dtype="float64")
    assert double.dtype == np.float64


@pytest.mark.parametrize("shuffle", [False, True])
def test_labels_stay_with_their_examples(shuffle):
    loader = DataLoader(numbered(20), batch_size=6, shuffle=shuffle, labels=True)
    for batch, labels in loader:
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(batch.numpy()[:, 0], labels.numpy())


@pytest.mark.parametrize("shuffle", [False, True])
def test_writing_into_a_batch_leaves_the_data_set_alone(shuffle):
    ds = numbered(8)
    for batch, labels in DataLoader(ds, batch_size=4, shuffle=shuffle, labels=True):
        batch.array[...] = -1
        labels.array[...] = -1
    np.testing.assert_array_equal(ds.data[:, 0], np.arange(8))
    np.testing.assert_array_equal(ds.labels, np.arange(8))


def test_a_tensor_is_accepted_as_data():
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    (batch,) = DataLoader(Tensor(x, requires_grad=True))
    np.testing.assert_array_equal(batch.numpy(), x)


def test_batches_are_sent_to_the_default_device(monkeypatch):
    devices = []

    def spy(array, device):
        devices.append(device)
        return array

    monkeypatch.setattr(loader_module, "default_device", lambda: "cuda:1")
    monkeypatch.setattr(loader_module, "asarray", spy)
    next(iter(DataLoader(numbered(4), labels=True)))
    assert devices == ["cuda:1", "cuda:1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
        ({"batch_size": 11, "drop_last": True}, "no batch of array's 10 examples"),
        ({"seed": -1}, "seed >= 0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(numbered(10), **arguments)


def test_missing_labels_and_examples_are_refused():
    with pytest.raises(ValueError, match="no labels"):
        DataLoader(np.zeros((3, 2)), labels=True)
    with pytest.raises(ValueError, match="at least one example"):
        DataLoader(numbered(3).subset([]))


@pytest.mark.host
@pytest.mark.parametrize("shuffle", [False, True])
def test_memory_is_the_order_and_one_batch(shuffle):
    n, batch_size = 20_000, 64
    x = np.zeros((n, 1, 16, 16), np.uint8)
    loader = DataLoader(x, batch_size, shuffle=shuffle)
    batch_bytes = batch_size * 16 * 16 * 4
    tracemalloc.start()
    for _ in loader:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    order_bytes = 8 * n if shuffle else 0
    # The last batch is still held while the next is read; its uint8 source is a quarter of it.
    assert peak < order_bytes + 2.25 * batch_bytes + 20_000
