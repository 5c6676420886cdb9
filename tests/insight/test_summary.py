"""The table of a network's layers."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


class Noise(nn.Module):
    """A layer that draws random numbers, in evaluation too."""

    def forward(self, x):
        return x + 0 * mg.randn_like(x)


def network():
    return nn.Sequential(
        nn.Linear(6, 16, bias=False),
        nn.Unflatten(1, (4, 2, 2)),
        nn.Sequential(nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.BatchNorm2d(3), nn.Dropout()),
    )


def test_rows_and_totals():
    found = nn.summary(network(), (6,))
    assert [(r.path, r.type, r.output_shape, r.parameters) for r in found.rows] == [
        ("", "Sequential", (1, 3, 4, 4), 0),
        ("0", "Linear", (1, 16), 96),
        ("1", "Unflatten", (1, 4, 2, 2), 0),
        ("2", "Sequential", (1, 3, 4, 4), 0),
        ("2.0", "ConvTranspose2d", (1, 3, 4, 4), 195),
        ("2.1", "BatchNorm2d", (1, 3, 4, 4), 6),
        ("2.2", "Dropout", (1, 3, 4, 4), 0),
    ]
    assert found.total_parameters == found.trainable_parameters == 297
    assert found.parameter_bytes == 4 * 297


def test_text():
    net = network()
    net[0].requires_grad_(False)
    lines = str(nn.summary(net, (6,))).splitlines()
    assert lines[0].split() == ["layer", "type", "output", "shape", "parameters"]
    assert lines[3].split() == ["0", "Linear", "(1,", "16)", "96"]
    assert lines[-1] == "297 parameters, 1.16 KiB; 96 of them frozen"
    assert len({len(line) for line in lines[:-1]}) == 1
    assert repr(nn.summary(net, (6,))).splitlines() == lines


def test_the_model_stays_as_it_was():
    net = network().append(Noise())
    net[2][2].eval()
    state = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    mg.manual_seed(1)
    expected = mg.randn(3).numpy()
    mg.manual_seed(1)
    nn.summary(net, (6,))
    np.testing.assert_array_equal(mg.randn(3).numpy(), expected)
    assert [m.training for m in net.modules()] == [True] * 6 + [False, True]
    assert all(m._forward_hooks == () for m in net.modules())
    assert all(p.grad is None for p in net.parameters())
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name])


def test_the_model_stays_as_it_was_after_an_error():
    net = network()
    with pytest.raises(nn.LayerError, match="layer '0'"):
        nn.summary(net, (7,))
    assert all(m.training for m in net.modules())
    assert all(m._forward_hooks == () for m in net.modules())


def test_several_inputs_and_outputs_shared_and_unused_layers():
    class Net(nn.Module):
        def __init__(self):
            self.rnn = nn.LSTM(3, 4, batch_first=True)
            self.first = self.second = nn.Linear(4, 4)
            self.spare = nn.Linear(1, 1)

        def forward(self, x, y):
            return self.second(self.first(self.rnn(x)[0] + y))

    found = nn.summary(Net(), ((5, 3), (1, 4)))
    shapes = {row.path: row.output_shape for row in found.rows}
    assert shapes["rnn"] == ((1, 5, 4), ((1, 1, 4), (1, 1, 4)))
    assert shapes["first"] == (1, 5, 4)
    assert shapes["spare"] is None
    assert "second" not in shapes
    assert found.total_parameters == sum(r.parameters for r in found.rows)
    assert "not used" in str(found)


def test_dtypes_and_no_parameters():
    assert nn.summary(nn.Embedding(5, 2), (3,), dtype="int64").rows[0].output_shape == (1, 3, 2)
    assert nn.summary(nn.Linear(2, 2).double(), (2,)).parameter_bytes == 48
    assert nn.summary(nn.Flatten(), (2, 3)).rows[0].output_shape == (1, 6)
    assert nn.summary(nn.Flatten(), (2, 3)).total_parameters == 0
