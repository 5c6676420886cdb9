"""Convolution and its two partners, against naive loops; windows; shapes; memory layout."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numeric import Case, Contract, every

import minigan as mg
from minigan import ops
from minigan.fast.numpy import conv as fast
from minigan.ops import conv
from minigan.ops.conv import conv2d_weight, fold

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def taps(x_shape, w_shape, y_size, stride=1, padding=0, dilation=1, groups=1):
    """Seven nested loops: every (output, input, weight) triple of indices that conv2d joins."""
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    outs, ins, kh, kw = w_shape
    for n, o, i, j in itertools.product(range(x_shape[0]), range(outs), *map(range, y_size)):
        for c, u, v in itertools.product(range(ins), range(kh), range(kw)):
            channel = o // (outs // groups) * ins + c
            row, column = sh * i + dh * u - ph, sw * j + dw * v - pw
            if 0 <= row < x_shape[2] and 0 <= column < x_shape[3]:
                yield (n, o, i, j), (n, channel, row, column), (o, c, u, v)


def conv2d_size(x_shape, w_shape, stride=1, padding=0, dilation=1, groups=1):
    settings = zip(pair(stride), pair(padding), pair(dilation), strict=True)
    return [
        (x_shape[2 + a] + 2 * p - d * (w_shape[2 + a] - 1) - 1) // s + 1
        for a, (s, p, d) in enumerate(settings)
    ]


def naive_conv2d(x, w, b=None, **settings):
    size = conv2d_size(x.shape, w.shape, **settings)
    y = np.zeros((len(x), len(w), *size))
    for out, inside, weight in taps(x.shape, w.shape, size, **settings):
        y[out] += x[inside] * w[weight]
    return y if b is None else y + b[:, None, None]


def conv_transpose2d_size(
    x_shape, w_shape, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    settings = zip(*map(pair, (stride, padding, output_padding, dilation)), strict=True)
    return [
        (x_shape[2 + a] - 1) * s - 2 * p + d * (w_shape[2 + a] - 1) + extra + 1
        for a, (s, p, extra, d) in enumerate(settings)
    ]


def naive_conv_transpose2d(x, w, b=None, **settings):
    size = conv_transpose2d_size(x.shape, w.shape, **settings)
    settings.pop("output_padding", None)
    y = np.zeros((len(x), w.shape[1] * settings.get("groups", 1), *size))
    for small, large, weight in taps(y.shape, w.shape, x.shape[2:], **settings):
        y[large] += x[small] * w[weight]
    return y if b is None else y + b[:, None, None]


def naive_weight(x, e, *, kernel, **settings):
    w = np.zeros((e.shape[1], x.shape[1] // settings.get("groups", 1), *kernel))
    for out, inside, weight in taps(x.shape, w.shape, e.shape[2:], **settings):
        w[weight] += e[out] * x[inside]
    return w


CONV2D = [  # shapes of x and w, settings
    ((1, 1, 3, 3), (1, 1, 2, 2), {}),
    ((2, 2, 3, 4), (3, 2, 2, 3), {}),
    ((1, 2, 5, 4), (2, 2, 3, 2), {"stride": 2}),
    ((1, 2, 4, 4), (2, 2, 4, 4), {"stride": 2, "padding": 1}),
    ((1, 1, 4, 5), (2, 1, 2, 3), {"stride": (2, 1), "padding": (1, 2)}),
    ((1, 1, 5, 6), (1, 1, 2, 3), {"dilation": (3, 2)}),
    ((1, 1, 6, 6), (1, 1, 2, 2), {"stride": 3, "dilation": 2, "padding": 1}),
    ((1, 4, 3, 3), (2, 2, 2, 2), {"groups": 2}),
    ((1, 3, 3, 3), (6, 1, 2, 2), {"groups": 3, "padding": 1, "stride": 2}),
    ((2, 2, 1, 1), (2, 2, 1, 1), {}),
    ((1, 1, 2, 2), (1, 1, 3, 3), {"padding": 2, "stride": 4}),  # a stride that skips elements
    ((0, 2, 3, 3), (1, 2, 2, 2), {}),
]

CONV_TRANSPOSE2D = [
    ((1, 1, 2, 2), (1, 1, 2, 2), {}),
    ((2, 3, 2, 2), (3, 2, 2, 3), {}),
    ((1, 2, 2, 3), (2, 2, 3, 2), {"stride": 2}),
    ((1, 2, 2, 2), (2, 2, 4, 4), {"stride": 2, "padding": 1}),
    ((1, 1, 2, 2), (1, 2, 2, 3), {"stride": (1, 2), "padding": (0, 1)}),
    ((1, 1, 2, 2), (1, 1, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 1, 2, 2), (1, 1, 2, 2), {"stride": 3, "output_padding": (2, 1)}),
    ((1, 1, 2, 2), (1, 1, 2, 2), {"dilation": 3, "padding": 1}),
    ((1, 1, 2, 2), (1, 1, 2, 2), {"dilation": 3, "output_padding": 2}),
    ((1, 2, 2, 1), (2, 1, 2, 2), {"stride": 2, "dilation": 4, "output_padding": (3, 0)}),
    ((1, 2, 2, 2), (2, 1, 2, 2), {"dilation": 3, "output_padding": 2, "padding": 1, "groups": 2}),
    ((1, 4, 2, 2), (4, 1, 2, 2), {"groups": 2}),
    ((1, 2, 2, 2), (2, 2, 3, 3), {"groups": 2, "stride": 2, "padding": 1}),
    ((1, 2, 1, 1), (2, 2, 1, 1), {}),
    ((0, 2, 2, 2), (2, 1, 2, 2), {}),
    ((1, 8, 2, 2), (8, 1, 3, 2), {"stride": 2}),  # few outputs of many channels
    ((1, 1, 2, 2), (1, 1, 1, 2), {"stride": 3, "output_padding": 1}),  # that no tap meets
]

SETTINGS = ("stride", "padding", "dilation", "groups")
FULL = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2}


def both(f, naive, settings):
    """The function and its naive twin with the settings fixed."""
    return (lambda *xs: f(*xs, **settings)), (lambda *xs: naive(*xs, **settings))


def naive_conv1d(x, w, **settings):
    settings = {k: (0 if k == "padding" else 1, v) for k, v in settings.items()}
    return naive_conv2d(x[:, :, None], w[:, :, None], **settings)[:, :, 0]


def naive_windows(x, kernel, stride=1, padding=0, dilation=1, value=0.0):
    """By a convolution with kernels that each pick one element of the window."""
    p = pair(padding)
    x = np.pad(x, ((0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])), constant_values=value)
    n = kernel[0] * kernel[1]
    picks = np.eye(n).reshape(n, 1, *kernel)
    planes = [
        naive_conv2d(x[:, c : c + 1], picks, None, stride=stride, dilation=dilation)
        for c in range(x.shape[1])
    ]
    return np.moveaxis(np.stack(planes, 1), 2, -1)


def naive_fold(e, *, size, kernel, stride, padding, dilation):
    y = np.zeros((*e.shape[:2], *size))
    for c in range(e.shape[1]):
        planes = np.moveaxis(e[:, c], -1, 1)
        for out, inside, (o, _, u, v) in taps(
            (len(e), 1, *size), (1, 1, *kernel), e.shape[2:4], stride, padding, dilation
        ):
            tap = u * kernel[1] + v
            y[inside[0], c, inside[2], inside[3]] += planes[out[0], tap + o, out[2], out[3]]
    return y


CASES = [
    *(
        Case(f"conv2d({settings})", *both(ops.conv2d, naive_conv2d, settings), (real(*x), real(*w)))
        for x, w, settings in CONV2D
    ),
    *(
        Case(
            f"conv_transpose2d({settings})",
            *both(ops.conv_transpose2d, naive_conv_transpose2d, settings),
            (real(*x), real(*w)),
        )
        for x, w, settings in CONV_TRANSPOSE2D
    ),
    Case(
        "conv2d(bias)",
        *both(ops.conv2d, naive_conv2d, FULL),
        (real(1, 2, 3, 4), real(2, 1, 2, 2), real(2)),
    ),
    Case(
        "conv_transpose2d(bias)",
        *both(ops.conv_transpose2d, naive_conv_transpose2d, FULL),
        (real(1, 2, 2, 2), real(2, 1, 2, 2), real(2)),
    ),
    *(
        Case(
            f"conv_transpose2d(bias, stride), {channels} channels",
            *both(ops.conv_transpose2d, naive_conv_transpose2d, {"stride": 3}),
            (real(1, channels, 2, 1), real(channels, 1, 2, 2), real(1)),
        )
        for channels in (1, 8)
    ),
    Case(
        "conv_transpose2d(bias, dilation)",
        *both(ops.conv_transpose2d, naive_conv_transpose2d, {"dilation": 3, "output_padding": 2}),
        (real(1, 1, 2, 2), real(1, 2, 2, 2), real(2)),
    ),
    Case(
        "conv2d_weight",
        *both(conv2d_weight, naive_weight, {"kernel": (2, 2), **FULL}),
        (real(2, 2, 3, 4), real(2, 2, 2, 2)),
    ),
    *(
        Case(
            f"conv1d({settings})",
            *both(ops.conv1d, naive_conv1d, settings),
            (real(2, 2, 6), real(2, 2, 3)),
        )
        for settings in [{}, {"stride": 2, "padding": 1, "dilation": 2}]
    ),
    *(
        Case(
            f"windows({settings})",
            *both(
                lambda x, **s: ops.windows(x, (2, 3), **s),
                lambda x, **s: naive_windows(x, (2, 3), **s),
                settings,
            ),
            (real(1, 2, 3, 4),),
        )
        for settings in [
            {},
            {"stride": (2, 1), "padding": (1, 2), "value": -1.5},
            {"dilation": (2, 1), "padding": 1},
        ]
    ),
    Case(
        "fold_windows",
        *both(
            fold,
            naive_fold,
            {
                "size": (3, 4),
                "kernel": (2, 3),
                "stride": (2, 1),
                "padding": (1, 0),
                "dilation": (1, 1),
            },
        ),
        (real(1, 2, 2, 2, 6),),
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


# ------------------------------------------------------------------- what holds for all settings


@st.composite
def settings_of(draw):
    """Random sizes and settings: (x shape, w shape of conv2d, settings)."""
    groups = draw(st.integers(1, 2))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, size = draw(pairs), draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    settings = {
        "stride": draw(pairs),
        "padding": draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        "dilation": draw(pairs),
        "groups": groups,
    }
    channels, outs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    return (draw(st.integers(1, 2)), channels, *size), (outs, channels // groups, *kernel), settings


@given(settings_of())
def test_conv2d_shape_and_adjoint(drawn):
    """y has PyTorch's shape, and <A x, y> = <x, Aᵀ y> with conv_transpose2d for Aᵀ."""
    x_shape, w_shape, settings = drawn
    size = conv2d_size(x_shape, w_shape, **settings)
    x, w = real(*x_shape), real(*w_shape)
    if min(size) < 1:
        with pytest.raises(ValueError, match="does not fit"):
            ops.conv2d(x, w, **settings)
        return
    ax = ops.conv2d(x, w, **settings)
    assert ax.shape == (x_shape[0], w_shape[0], *size)
    y = real(*ax.shape)
    extra = [
        n - m
        for n, m in zip(
            x_shape[2:], conv_transpose2d_size(y.shape, w.shape, **settings), strict=True
        )
    ]
    aty = ops.conv_transpose2d(y, w, output_padding=tuple(extra), **settings)
    assert aty.shape == x_shape
    assert np.vdot(ax, y) == pytest.approx(np.vdot(x, aty), rel=1e-10, abs=1e-10)


@given(settings_of(), st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_conv_transpose2d_shape_and_value(drawn, extra):
    x_shape, (outs, _, *kernel), settings = drawn
    limits = zip(extra, settings["stride"], settings["dilation"], strict=True)
    assume(all(e < max(s, d) for e, s, d in limits))
    settings = {**settings, "output_padding": extra}
    w_shape = (x_shape[1], outs // settings["groups"], *kernel)
    size = conv_transpose2d_size(x_shape, w_shape, **settings)
    assume(min(size) >= 1)
    x, w = real(*x_shape), real(*w_shape)
    y = ops.conv_transpose2d(x, w, **settings)
    assert y.shape == (x_shape[0], outs, *size)
    np.testing.assert_allclose(y, naive_conv_transpose2d(x, w, **settings), rtol=1e-10, atol=1e-12)


@given(settings_of())
def test_gathering_is_spreading(drawn):
    """The two ways to compute conv_transpose2d, for every setting that either meets."""
    (n, channels, *size), (outs, _, *kernel), settings = drawn
    strides = zip(size, kernel, settings["stride"], settings["dilation"], strict=True)
    whole = tuple((m - 1) * s + d * (k - 1) + 1 for m, k, s, d in strides)
    settings = {**settings, "padding": (0, 0)}
    x, w, b = real(n, channels, *size), real(channels, outs, *kernel), real(outs)
    settings["groups"] = 1
    np.testing.assert_allclose(
        conv._conv_transpose2d(x, w, b, size=whole, **settings),
        conv._conv_transpose2d.op.definition(x, w, b, size=whole, **settings),
        rtol=1e-12,
        atol=1e-12,
    )


@pytest.mark.parametrize("pictures", [1, 2])
def test_blocks_of_pictures(monkeypatch, pictures):
    """Five pictures, one or two at a time, give what all at once give."""
    x, w, b, g = real(5, 3, 6, 6), real(4, 3, 4, 4), real(4), real(5, 4, 3, 3)
    settings = dict(zip(SETTINGS, [(2, 2), (1, 1), (1, 1), 1], strict=True))

    def results():
        return (
            conv.conv2d(x, w, b, **settings),
            conv._conv_transpose2d(g, w, size=(6, 6), **settings),
            conv.conv2d_weight(x, g, kernel=(4, 4), **settings),
        )

    whole = results()
    monkeypatch.setattr(fast, "CACHE", pictures * 3 * 3 * 3 * 16 * 8)
    windows = conv.windows_of(conv.padded(x, (1, 1), (1, 1)), (4, 4), (2, 2), (1, 1))
    assert [len(x[block]) for block in fast._blocks(windows)] == [pictures] * (5 // pictures) + (
        [1] if pictures == 2 else []
    )
    for a, b in zip(results(), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "kernel, dilation", [((3, 3), 1), ((1, 5), 1), ((3, 3), (2, 3)), ((2, 3), 2)]
)
def test_same_padding_keeps_the_size(kernel, dilation):
    x, w = real(1, 2, 7, 8), real(3, 2, *kernel)
    y = ops.conv2d(x, w, padding="same", dilation=dilation)
    padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, pair(dilation), strict=True))
    np.testing.assert_allclose(
        y, naive_conv2d(x, w, padding=padding, dilation=dilation), rtol=1e-10, atol=1e-12
    )
    assert y.shape == (1, 3, 7, 8)
    assert ops.conv2d(x, w, padding="valid").shape == ops.conv2d(x, w).shape


# ---------------------------------------------------------------------------------- memory layout


def is_channels_last(x):
    return x.array.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.twins
@pytest.mark.host
@pytest.mark.parametrize("settings", [{}, {"groups": 2}, {"stride": 2, "padding": 1}])
@pytest.mark.parametrize("bias", [False, True])
def test_results_are_channels_last(settings, bias):
    """Shapes are (N, C, H, W), memory is (N, H, W, C): values, and gradients of the input."""
    x = mg.rand(2, 4, 6, 6, requires_grad=True)
    w = mg.rand(4, 4 // settings.get("groups", 1), 3, 3)
    y = ops.conv2d(x, w, mg.rand(4) if bias else None, **settings)
    assert is_channels_last(y)
    assert ops.conv_transpose2d(x, w, **settings).array.strides[1] == 4  # a crop has gaps
    assert mg.grad(y.sum(), x)[0].array.strides[1] == 4


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    "f, message",
    [
        (
            lambda: ops.conv2d(mg.zeros(1, 3, 4, 4), mg.zeros(2, 1, 3, 3)),
            r"expected input \(N, 1, H, W\).*got \(1, 3, 4, 4\)",
        ),
        (
            lambda: ops.conv2d(mg.zeros(3, 4, 4), mg.zeros(2, 3, 3, 3)),
            r"expected input \(N, 3, H, W\).*got \(3, 4, 4\)",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 4, 4), mg.zeros(3, 3)),
            r"expected a weight of four axes, got \(3, 3\)",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 4, 4), mg.zeros(2, 1, 3, 3), mg.zeros(1)),
            r"expected a bias \(2,\), got \(1,\)",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 2, 4), mg.zeros(2, 1, 3, 3)),
            r"kernel of \(3, 3\).*does not fit into \(2, 4\)",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 2, 4, 4), mg.zeros(3, 1, 3, 3), groups=2),
            "3 output channels do not split into 2 groups",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 4, 4), mg.zeros(1, 1, 2, 2), padding="same"),
            "odd kernel; got 'same'",
        ),
        (
            lambda: ops.conv2d(
                mg.zeros(1, 1, 4, 4), mg.zeros(1, 1, 3, 3), padding="same", stride=2
            ),
            "stride 1",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 4, 4), mg.zeros(1, 1, 3, 3), padding="full"),
            "got 'full'",
        ),
        (
            lambda: ops.conv2d(mg.zeros(1, 1, 4, 4), mg.zeros(1, 1, 3, 3), stride=(1, 2, 3)),
            "stride needs one or two integers",
        ),
        (
            lambda: ops.conv_transpose2d(mg.zeros(1, 3, 4, 4), mg.zeros(2, 1, 3, 3)),
            r"expected input \(N, 2, H, W\).*got \(1, 3, 4, 4\)",
        ),
        (
            lambda: ops.conv_transpose2d(mg.zeros(1, 2, 4, 4), mg.zeros(2, 1, 3, 3), mg.zeros(2)),
            r"expected a bias \(1,\), got \(2,\)",
        ),
        (
            lambda: ops.conv_transpose2d(mg.zeros(1, 3, 4, 4), mg.zeros(3, 1, 3, 3), groups=2),
            "3 input channels do not split into 2 groups",
        ),
        (
            lambda: ops.conv_transpose2d(
                mg.zeros(1, 1, 4, 4), mg.zeros(1, 1, 3, 3), output_padding=1
            ),
            r"output_padding \(1, 1\) must be smaller than stride",
        ),
        (
            lambda: ops.conv1d(mg.zeros(1, 4), mg.zeros(3, 1, 3)),
            r"expected input \(N, C, L\).*got \(1, 4\) and \(3, 1, 3\)",
        ),
        (lambda: ops.windows(mg.zeros(4, 4), 2), r"expected pictures .*got shape \(4, 4\)"),
        (lambda: ops.windows(mg.zeros(1, 1, 2, 2), 3), "does not fit"),
    ],
)
def test_errors_name_what_was_expected_and_what_came(f, message):
    with pytest.raises(ValueError, match=message):
        f()


@pytest.mark.parametrize("padding, size", [(1, 0), (2, -2)])
def test_an_output_that_padding_takes_away(padding, size):
    with pytest.raises(ValueError, match=rf"leaves nothing of the output.*\({size}, {size}\)"):
        ops.conv_transpose2d(real(1, 1, 1, 1), real(1, 1, 2, 2), padding=padding)
