"""Initial values: the distributions that the papers ask for."""

import math

import numpy as np
import pytest

import minigan as mg
from minigan import nn


def bounds(values: np.ndarray, bound: float) -> None:
    """Uniform on [-bound, bound]: support, and the standard deviation bound / √3."""
    assert np.abs(values).max() <= bound * (1 + 1e-6)
    assert np.abs(values).max() > 0.95 * bound
    np.testing.assert_allclose(values.std(), bound / math.sqrt(3), rtol=0.1)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda: nn.Linear(50, 100), 50),
        (lambda: nn.Conv2d(8, 64, (3, 5)), 8 * 15),
        (lambda: nn.Conv2d(8, 64, 3, groups=4), 2 * 9),
        (lambda: nn.Conv1d(8, 64, 5), 8 * 5),
        (lambda: nn.ConvTranspose2d(64, 32, 4, groups=2), 16 * 16),  # PyTorch's, odd as it is
    ],
)
def test_default_bounds(layer, fan_in):
    layer = layer()
    bounds(layer.weight.detach().numpy(), 1 / math.sqrt(fan_in))
    assert np.abs(layer.bias.detach().numpy()).max() <= 1 / math.sqrt(fan_in)
    assert layer.bias.detach().numpy().std() > 0.3 / math.sqrt(fan_in)


def test_xavier_and_kaiming():
    w = mg.zeros(64, 32, 3, 3)
    fan_in, fan_out = 32 * 9, 64 * 9
    bounds(nn.init.xavier_uniform_(w, 2.0).numpy(), 2 * math.sqrt(6 / (fan_in + fan_out)))
    bounds(nn.init.kaiming_uniform_(w).numpy(), math.sqrt(6 / fan_in))
    fan_out_mode = {"mode": "fan_out", "nonlinearity": "linear"}
    bounds(nn.init.kaiming_uniform_(w, **fan_out_mode).numpy(), math.sqrt(3 / fan_out))
    for init, std in (
        (nn.init.xavier_normal_, math.sqrt(2 / (fan_in + fan_out))),
        (nn.init.kaiming_normal_, math.sqrt(2 / fan_in)),
        (lambda w: nn.init.normal_(w, 1.0, 0.02), 0.02),
    ):
        np.testing.assert_allclose(init(w).numpy().std(), std, rtol=0.03)
    np.testing.assert_allclose(w.numpy().mean(), 1, atol=0.001)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3, 3)])
def test_orthogonal(shape):
    w = (
        nn.init.orthogonal_(mg.zeros(shape, dtype="float64"), gain=2.0)
        .numpy()
        .reshape(shape[0], -1)
    )
    gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_constants_and_eye():
    w = mg.zeros(2, 3)
    assert (nn.init.ones_(w).numpy() == 1).all()
    assert (nn.init.constant_(w, 0.5).numpy() == 0.5).all()
    np.testing.assert_array_equal(nn.init.eye_(w).numpy(), np.eye(2, 3))
    assert not nn.init.zeros_(w).numpy().any()


def test_in_place_and_reproducible():
    layer = nn.Linear(3, 2)
    memory = layer.weight.array
    mg.manual_seed(1)
    first = nn.init.normal_(layer.weight).detach().numpy().copy()
    mg.manual_seed(1)
    assert nn.init.normal_(layer.weight) is layer.weight
    assert layer.weight.array is memory
    np.testing.assert_array_equal(memory, first)


def test_errors():
    with pytest.raises(ValueError, match="two axes"):
        nn.init.xavier_uniform_(mg.zeros(3))
    with pytest.raises(ValueError, match="fan_in"):
        nn.init.kaiming_normal_(mg.zeros(3, 3), mode="in")
    with pytest.raises(ValueError, match="nonlinearity"):
        nn.init.calculate_gain("swish")


@pytest.mark.parametrize(
    "fill",
    [
        lambda w: nn.init.normal_(w, 1.0, 0.02),
        lambda w: nn.init.uniform_(w, 0.5, 1.0),
        lambda w: nn.init.constant_(w, 0.7),
        nn.init.ones_,
        nn.init.eye_,
        nn.init.xavier_uniform_,
        nn.init.xavier_normal_,
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.orthogonal_,
    ],
)
def test_data_of_a_parameter_is_the_parameter(fill):
    """``normal_(m.weight.data)``, as most scripts write it; graphs that read the old values end."""
    layer = nn.Linear(3, 3)
    y = (layer.weight * layer.weight).sum()
    nn.init.zeros_(layer.weight.data)
    filled = fill(layer.weight.data)
    assert layer.weight.array.any()
    np.testing.assert_array_equal(filled.numpy(), layer.weight.array)
    with pytest.raises(RuntimeError, match="in place"):
        y.backward()
