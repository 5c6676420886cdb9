"""Embedding and one-hot."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

F = nn.functional


def test_rows_of_the_table(rng, check_layer):
    layer = nn.Embedding(5, 3)
    index = mg.tensor([[0, 4], [4, 2]])
    np.testing.assert_array_equal(layer(index).detach(), layer.weight.array[index.numpy()])

    class Fixed(nn.Module):
        def __init__(self):
            self.table = layer

        def forward(self):
            return mg.tanh(self.table(index))

    check_layer(Fixed())


def test_a_row_met_twice_adds_its_gradients():
    layer = nn.Embedding(3, 2)
    layer(mg.tensor([1, 1, 2])).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[0, 0], [2, 2], [1, 1]])


@pytest.mark.parametrize("padding_idx", [1, -3])
def test_padding_row_stays_zero(padding_idx):
    layer = nn.Embedding(4, 2, padding_idx=padding_idx)
    assert layer.padding_idx == 1
    assert not layer.weight.array[1].any()
    y = layer(mg.tensor([0, 1, 1]))
    assert not y.detach().numpy()[1:].any()
    y.sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[1, 1], [0, 0], [0, 0], [0, 0]])


def test_errors():
    layer = nn.Embedding(4, 2)
    for wrong in ([0, 4], [-1]):
        with pytest.raises(nn.LayerError, match="from 0 to 3"):
            layer(mg.tensor(wrong))
    with pytest.raises(nn.LayerError, match="integers"):
        layer(mg.tensor([0.5]))
    with pytest.raises(ValueError, match="padding_idx"):
        nn.Embedding(4, 2, padding_idx=4)
    assert layer(mg.zeros(0, dtype="int64")).shape == (0, 2)


def test_one_hot():
    x = mg.tensor([[0, 2], [1, 1]])
    y = F.one_hot(x)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y.numpy(), np.eye(3)[x.numpy()])
    assert F.one_hot(x, 5).shape == (2, 2, 5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        F.one_hot(x, 2)
