"""Convolutional layers against the sum that defines them."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn

F = nn.functional


def correlate(x, w, stride, padding, dilation, groups):
    """The definition, one output element at a time."""
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    n, _, h, width = x.shape
    out, per_group, kh, kw = w.shape
    oh, ow = (h - dh * (kh - 1) - 1) // sh + 1, (width - dw * (kw - 1) - 1) // sw + 1
    y = np.zeros((n, out, oh, ow))
    for b, o, i, j in np.ndindex(y.shape):
        first = o // (out // groups) * per_group
        window = x[b, first : first + per_group, i * sh :, j * sw :][:, ::dh, ::dw][:, :kh, :kw]
        y[b, o, i, j] = (window * w[o]).sum()
    return y


CASES = [  # kernel, stride, padding, dilation, groups
    ((3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((4, 4), (2, 2), (1, 1), (1, 1), 1),
    ((2, 3), (2, 1), (0, 2), (1, 2), 2),
    ((1, 1), (1, 1), (0, 0), (1, 1), 4),
]


@pytest.mark.parametrize("case", CASES)
def test_conv2d(case, rng, check_layer):
    kernel, *settings, groups = case
    layer = nn.Conv2d(4, 4, kernel, *settings, groups).double()
    x = rng.standard_normal((2, 4, 5, 6))
    expected = correlate(x, layer.weight.array, *settings, groups)
    expected += layer.bias.array.reshape(-1, 1, 1)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-11)
    small = nn.Conv2d(groups, groups, kernel, *settings, groups)
    check_layer(small, rng.standard_normal((1, groups, 4, 5)))


def test_conv1d(rng, check_layer):
    layer = nn.Conv1d(4, 6, 3, 2, 1, 2, 2).double()
    x = rng.standard_normal((2, 4, 9))
    w = layer.weight.array[:, :, None]
    expected = correlate(x[:, :, None], w, (1, 2), (0, 1), (1, 2), 2)[:, :, 0]
    expected += layer.bias.array.reshape(-1, 1)
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-11)
    check_layer(nn.Conv1d(2, 2, 3, 2, 1), rng.standard_normal((1, 2, 5)))


@pytest.mark.parametrize("case", CASES)
def test_conv_transpose2d_is_the_adjoint(case, rng, check_layer):
    """<conv(x), y> = <x, conv_transpose(y)> with the same weight."""
    kernel, stride, padding, dilation, groups = case
    down = nn.Conv2d(4, 4, kernel, stride, padding, dilation, groups, bias=False).double()
    x = mg.tensor(rng.standard_normal((2, 4, 5, 6)))
    y = mg.tensor(rng.standard_normal(down(x).shape))
    extra = [  # the rows that the stride skipped
        (n + 2 * p - d * (k - 1) - 1) % s
        for n, k, s, p, d in zip((5, 6), kernel, stride, padding, dilation, strict=True)
    ]
    up = nn.ConvTranspose2d(4, 4, kernel, stride, padding, extra, groups, False, dilation).double()
    up.weight.array[...] = down.weight.array
    left, right = (down(x) * y).sum().item(), (x * up(y)).sum().item()
    np.testing.assert_allclose(left, right, rtol=1e-12)
    small = nn.ConvTranspose2d(groups, groups, kernel, stride, 0, 0, groups, True, dilation)
    check_layer(small, rng.standard_normal((1, groups, 2, 2)))


@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [("zeros", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_padding_modes(mode, numpy_mode, rng):
    x = rng.standard_normal((2, 3, 5, 6))
    padded = mg.tensor(np.pad(x, ((0, 0), (0, 0), (1, 1), (2, 2)), mode=numpy_mode))
    layer = nn.Conv2d(3, 2, 3, padding=(1, 2), padding_mode=mode).double()
    expected = F.conv2d(padded, layer.weight, layer.bias).detach().numpy()
    np.testing.assert_allclose(layer(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_keeps_the_size(kernel):
    x = mg.ones(1, 2, 6, 7)
    assert nn.Conv2d(2, 3, kernel, padding="same", dilation=2)(x).shape == (1, 3, 6, 7)
    assert nn.Conv1d(2, 3, kernel, padding="same")(mg.ones(1, 2, 9)).shape == (1, 3, 9)


def test_same_puts_the_odd_row_last(rng):
    x = mg.tensor(rng.standard_normal((1, 2, 5, 5)))
    layer = nn.Conv2d(2, 3, 2, padding="same").double()
    padded = F.pad(x, (0, 1, 0, 1))
    expected = F.conv2d(padded, layer.weight, layer.bias)
    np.testing.assert_allclose(layer(x).detach(), expected.detach(), rtol=1e-12)


def test_the_constructor_checks():
    for wrong in (
        {"groups": 2},
        {"padding": "full"},
        {"padding": "same", "stride": 2},
        {"padding_mode": "mirror"},
        {"kernel_size": (3, 3, 3)},
    ):
        with pytest.raises(ValueError):
            nn.Conv2d(**({"in_channels": 3, "out_channels": 4, "kernel_size": 3} | wrong))
    with pytest.raises(ValueError, match="output_padding"):
        nn.ConvTranspose2d(3, 4, 3, 2, output_padding=2)(mg.ones(1, 3, 4, 4))


def test_repr():
    layer = nn.ConvTranspose2d(3, 4, 4, 2, 1, 1, bias=False)
    assert repr(layer) == (
        "ConvTranspose2d(3, 4, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), "
        "output_padding=(1, 1), bias=False)"
    )
