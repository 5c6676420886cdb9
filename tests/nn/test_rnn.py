"""Recurrent layers, step by step with NumPy."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def rnn(i, h, state, hidden):
    return (np.tanh(i + h),)


def gru(i, h, state, hidden):
    (ir, iz, new), (hr, hz, hn) = np.split(i, 3, 1), np.split(h, 3, 1)
    z = sigmoid(iz + hz)
    return ((1 - z) * np.tanh(new + sigmoid(ir + hr) * hn) + z * state[0],)


def lstm(i, h, state, hidden):
    write, forget, new, out = np.split(i + h, 4, 1)
    c = sigmoid(forget) * state[1] + sigmoid(write) * np.tanh(new)
    return sigmoid(out) * np.tanh(c), c


STEPS = {nn.RNN: (rnn, 1), nn.GRU: (gru, 1), nn.LSTM: (lstm, 2)}
kinds = pytest.mark.parametrize("kind", STEPS, ids=lambda k: k.__name__)


def run(layer, x, states):
    """The whole layer with NumPy: outputs (L, N, D·H) and the last states."""
    step, number = STEPS[type(layer)]
    names = ["", "_reverse"] if layer.bidirectional else [""]
    last = []
    for depth in range(layer.num_layers):
        outputs = []
        for d, direction in enumerate(names):
            p = {
                k: getattr(layer, f"{k}_l{depth}{direction}").array if "w" in k or layer.bias else 0
                for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            }
            state = tuple(s[depth * len(names) + d] for s in states)
            ys = []
            for t in x if not d else x[::-1]:
                i = t @ p["weight_ih"].T + p["bias_ih"]
                h = state[0] @ p["weight_hh"].T + p["bias_hh"]
                state = step(i, h, state, layer.hidden_size)
                ys.append(state[0])
            last.append(state)
            outputs.append(ys if not d else ys[::-1])
        x = np.stack([np.concatenate(y, 1) for y in zip(*outputs, strict=True)])
    return x, [np.stack([s[k] for s in last]) for k in range(number)]


@kinds
@pytest.mark.parametrize(
    "settings",
    [{}, {"bias": False}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}],
    ids=str,
)
@pytest.mark.parametrize("given", [False, True])
def test_value(kind, settings, given, rng):
    layer = kind(3, 4, **settings).double()
    x = rng.standard_normal((5, 2, 3))
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    number = STEPS[kind][1]
    states = [rng.standard_normal((count, 2, 4)) * given for _ in range(number)]
    expected, expected_states = run(layer, x, states)
    initial = tuple(mg.tensor(s) for s in states) if number == 2 else mg.tensor(states[0])
    y, last = layer(mg.tensor(x), initial) if given else layer(mg.tensor(x))
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-10)
    for a, b in zip(last if number == 2 else [last], expected_states, strict=True):
        assert a.shape == (count, 2, 4)
        np.testing.assert_allclose(a.detach(), b, rtol=1e-10)


@kinds
def test_gradients(kind, rng, check_layer):
    check_layer(kind(2, 2), rng.standard_normal((3, 1, 2)))
    check_layer(kind(1, 1, num_layers=2, bidirectional=True), rng.standard_normal((2, 1, 1)))


@kinds
def test_layouts(kind, rng):
    """batch_first and a single sequence give the same numbers."""
    layer = kind(3, 4, bidirectional=True)
    x = mg.randn(5, 2, 3)
    y, _ = layer(x)
    first = y.detach().numpy()[:, 0]
    layer.batch_first = True
    z, state = layer(x.transpose(0, 1))
    np.testing.assert_allclose(z.detach(), y.transpose(0, 1).detach(), rtol=1e-5, atol=1e-6)
    single, end = layer(x[:, 0])
    assert single.shape == (5, 8)
    np.testing.assert_allclose(single.detach(), first, rtol=1e-5, atol=1e-6)
    assert (end[0] if isinstance(end, tuple) else end).shape == (2, 4)
    layer(x[:, 0], end)
    assert (state[0] if isinstance(state, tuple) else state).shape == (2, 2, 4)


@kinds
def test_a_sequence_can_be_read_in_two_parts(kind):
    layer, x = kind(3, 4, num_layers=2), mg.randn(6, 2, 3)
    y, last = layer(x)
    first, state = layer(x[:4])
    second, end = layer(x[4:], state)
    np.testing.assert_allclose(mg.cat([first, second]).detach(), y.detach(), rtol=1e-5, atol=1e-6)
    for a, b in zip(end, last, strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-5, atol=1e-6)


def test_relu():
    layer = nn.RNN(3, 4, nonlinearity="relu")
    y, _ = layer(mg.randn(5, 2, 3))
    assert y.detach().numpy().min() == 0
    with pytest.raises(ValueError, match="nonlinearity"):
        nn.RNN(3, 4, nonlinearity="gelu")


def test_dropout_lies_between_layers_and_only_in_training():
    layer, x = nn.GRU(3, 4, num_layers=2, dropout=0.5), mg.randn(5, 2, 3)
    a, b = layer(x)[0].detach().numpy(), layer(x)[0].detach().numpy()
    assert not np.allclose(a, b)
    assert (a != 0).all()  # not after the last layer
    layer.eval()
    np.testing.assert_array_equal(layer(x)[0].detach(), layer(x)[0].detach())
    single = nn.GRU(3, 4, dropout=0.9)
    np.testing.assert_array_equal(single(x)[0].detach(), single(x)[0].detach())


def test_names_and_errors():
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    assert [n for n, _ in layer.named_parameters()][4:9] == [
        "weight_ih_l0_reverse",
        "weight_hh_l0_reverse",
        "bias_ih_l0_reverse",
        "bias_hh_l0_reverse",
        "weight_ih_l1",
    ]
    assert layer.weight_ih_l1.shape == (16, 8)
    with pytest.raises(nn.LayerError, match=r"state of shape \(4, 2, 4\)"):
        layer(mg.ones(5, 2, 3), (mg.zeros(2, 2, 4), mg.zeros(2, 2, 4)))
    assert repr(layer) == "LSTM(3, 4, num_layers=2, bidirectional=True)"


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
def test_an_empty_sequence_is_refused(layer):
    with pytest.raises(ValueError, match="at least one step"):
        layer(2, 3)(mg.zeros(0, 4, 2))
