"""Convolution: three functions that are each other's gradients.

With x (N, C, H, W), a kernel w (O, C, kh, kw) and output y (N, O, oh, ow), the number

    Σ  ȳ[n,o,i,j] · w[o,c,u,v] · x[n,c, s·i + d·u - p, s·j + d·v - p]

is linear in each of ȳ, w and x. Its derivative in ȳ is ``conv2d(x, w)``, in x it is
``conv_transpose2d(ȳ, w)``, in w it is ``conv2d_weight(x, ȳ)``. So the rules of each call the other
two, and second derivatives close. (What deep learning calls convolution is a correlation: the
kernel is not flipped.)

Each is one product of matrices. A row of the matrix of x is the window of x under one position of
the kernel; a column of the matrix of w is one kernel. Arrays have shape (N, C, H, W) but channels
lie innermost in memory, so that windows are copied in whole runs of channels and the product *is*
the output in the same layout.
"""

from __future__ import annotations

from typing import Any

from ..array import Array, module_of
from ..graph import op
from ..seam import around
from .index import pad
from .reduce import sum

Pair = tuple[int, int]


# -------------------------------------------------------------------- pictures ↔ rows of a matrix


def channels_last(x: Array) -> Array:
    """``x`` (N, C, H, W) as a view (N, H, W, C), contiguous: a copy only if it was not."""
    return module_of(x).ascontiguousarray(x.transpose(0, 2, 3, 1))


def padded(x: Array, low: Any, high: Any, value: float = 0.0) -> Array:
    """``x`` (N, C, H, W) as (N, low + H + high, low + W + high, C) with a border of ``value``."""
    if not (any(low) or any(high)):
        return channels_last(x)
    n, c, h, w = x.shape
    shape = (n, low[0] + h + high[0], low[1] + w + high[1], c)
    out = module_of(x).full(shape, value, dtype=x.dtype)
    out[:, low[0] : low[0] + h, low[1] : low[1] + w] = x.transpose(0, 2, 3, 1)
    return out


def windows_of(x: Array, kernel: Pair, stride: Pair, dilation: Pair) -> Array:
    """The view (N, oh, ow, kh, kw, C) of an (N, H, W, C) array: one window per output position."""
    n, h, w, c = x.shape
    (kh, kw), (sh, sw), (dh, dw) = kernel, stride, dilation
    oh, ow = output_size((h, w), kernel, stride, (0, 0), dilation)
    sn, sy, sx, sc = x.strides
    return module_of(x).lib.stride_tricks.as_strided(
        x, (n, oh, ow, kh, kw, c), (sn, sy * sh, sx * sw, sy * dh, sx * dw, sc)
    )


def output_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """The height and width of ``conv2d``'s output."""
    oh, ow = (
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )
    if oh < 1 or ow < 1:
        raise ValueError(
            f"a kernel of {kernel} (dilation {dilation}) does not fit into "
            f"{size} with padding {padding}"
        )
    return oh, ow


def columns(windows: Array, groups: int) -> Array:
    """Windows unfolded: (groups, N·oh·ow, kh·kw·C/groups), one row per output position."""
    n, oh, ow, kh, kw, c = windows.shape
    split = windows.reshape(n, oh, ow, kh, kw, groups, c // groups) if groups > 1 else windows[
        ..., None, :
    ]  # fmt: skip
    return split.transpose(5, 0, 1, 2, 3, 4, 6).reshape(groups, n * oh * ow, kh * kw * c // groups)


def rows(y: Array, groups: int) -> Array:
    """y (N, H, W, C) as (groups, N·H·W, C/groups)."""
    n, h, w, c = y.shape
    return y.reshape(n * h * w, groups, c // groups).transpose(1, 0, 2)


def kernels_of(w: Array, groups: int) -> Array:
    """w (O, C/groups, kh, kw) as (groups, kh·kw·C/groups, O/groups), one kernel a column."""
    o, c, kh, kw = w.shape
    return channels_last(w).reshape(groups, o // groups, kh * kw * c).transpose(0, 2, 1)


def pictures(y: Array, n: int, size: Pair) -> Array:
    """(groups, N·H·W, C/groups) as (N, C, H, W), channels innermost in memory."""
    return y.transpose(1, 0, 2).reshape(n, *size, y.shape[0] * y.shape[2]).transpose(0, 3, 1, 2)


# ------------------------------------------------------------------------------------- the trio


def _bias_rule(g: Any, y: Any, x: Any, w: Any, b: Any, **settings: Any) -> Any:
    return sum(g, (0, 2, 3))


def _plus(y: Array, b: Array | None) -> Array:
    return y if b is None else y + b.reshape(-1, 1, 1)


def _correlation(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Any:
    """The correlation of pictures with a kernel, as ``torch.nn.functional.conv2d``.

    Shapes: x (N, C, H, W), weight (O, C/groups, kh, kw), bias (O,) → (N, O, oh, ow) with
    oh = ⌊(H + 2p - d(kh - 1) - 1)/s⌋ + 1. ``padding`` may be ``"valid"`` or, for stride 1 and an
    odd extent of the kernel, ``"same"``.
    """
    _check("conv2d", x, weight, bias, weight.shape[1] * groups, len(weight))
    if len(weight) % groups:
        raise ValueError(f"conv2d: {len(weight)} output channels do not split into {groups} groups")
    stride, dilation = _pair(stride, "stride"), _pair(dilation, "dilation")
    if isinstance(padding, str):
        padding = _named_padding(padding, weight.shape[2:], stride, dilation)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    settings = {"stride": stride, "padding": _pair(padding, "padding"), "dilation": dilation}
    return inputs, settings | {"groups": groups}


@op(
    lambda g, y, x, w, b=None, **s: _conv_transpose2d(g, w, size=x.shape[2:], **s),
    lambda g, y, x, w, b=None, **s: conv2d_weight(x, g, kernel=w.shape[2:], **s),
    _bias_rule,
    prepare=_correlation,
    latex=r"\bar x = \bar y *^{\top} w, \quad \bar w = x \star \bar y, \quad"
    r" \bar b = \textstyle\sum_{n,i,j} \bar y",
)
def conv2d(
    x: Array, w: Array, b: Any = None, *, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The correlation of x with w, plus b: windows, a matrix of them, and its product with w."""
    windows = windows_of(padded(x, padding, padding), w.shape[2:], stride, dilation)
    y = columns(windows, groups) @ kernels_of(w, groups)
    return _plus(pictures(y, len(x), windows.shape[1:3]), b)


@op(
    lambda g, y, x, w, b=None, *, size, **s: conv2d(g, w, **s),
    lambda g, y, x, w, b=None, *, size, **s: conv2d_weight(g, x, kernel=w.shape[2:], **s),
    _bias_rule,
    latex=r"\bar x = \bar y * w, \quad \bar w = \bar y \star x, \quad"
    r" \bar b = \textstyle\sum_{n,i,j} \bar y",
)
def _conv_transpose2d(
    x: Array,
    w: Array,
    b: Any = None,
    *,
    size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """``conv2d``'s adjoint in its input: each element of x lays its kernel over y, added up."""
    (n, _, h, wd), (o, c, kh, kw) = x.shape, w.shape
    spread = rows(channels_last(x), groups) @ w.reshape(groups, o // groups, c * kh * kw)
    spread = spread.transpose(1, 0, 2).reshape(n, h, wd, groups * c, kh * kw)
    place: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    return _plus(fold(spread.transpose(0, 3, 1, 2, 4), size=size, kernel=(kh, kw), **place), b)


@op(
    lambda g, y, x, e, *, kernel, **s: _conv_transpose2d(e, g, size=x.shape[2:], **s),
    lambda g, y, x, e, *, kernel, **s: conv2d(x, g, **s),
    latex=r"\bar x = e *^{\top} \bar y, \quad \bar e = x * \bar y",
)
def conv2d_weight(
    x: Array, e: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The gradient of ``conv2d`` in its kernel, for an output gradient e."""
    windows = windows_of(padded(x, padding, padding), kernel, stride, dilation)
    w = rows(channels_last(e), groups).transpose(0, 2, 1) @ columns(windows, groups)
    return w.reshape(e.shape[1], *kernel, -1).transpose(0, 3, 1, 2)


# --------------------------------------------------------------------------------- for the public


def _pair(value: int | Pair, what: str) -> Pair:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2:
        raise ValueError(f"{what} needs one or two integers, got {value}")
    return pair


def _named_padding(name: str, kernel: Pair, stride: Pair, dilation: Pair) -> Pair:
    if name == "valid":
        return (0, 0)
    extent = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    if name != "same" or stride != (1, 1) or any(e % 2 for e in extent):
        raise ValueError(
            "padding is a number, 'valid', or 'same' with stride 1 and an odd kernel; "
            f"got {name!r} with kernel {tuple(kernel)}, stride {stride}"
        )
    return extent[0] // 2, extent[1] // 2


@around(_conv_transpose2d)
def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
) -> Array:
    """The adjoint of :func:`conv2d`: pictures grow by ``stride``.

    Shapes: x (N, C, H, W), weight (C, O/groups, kh, kw), bias (O,) → (N, O, oh, ow) with
    oh = (H - 1)s - 2p + d(kh - 1) + output_padding + 1.
    """
    _check("conv_transpose2d", x, weight, bias, len(weight), weight.shape[1] * groups)
    if len(weight) % groups:
        raise ValueError(
            f"conv_transpose2d: {len(weight)} input channels do not split into {groups} groups"
        )
    s, p, d = _pair(stride, "stride"), _pair(padding, "padding"), _pair(dilation, "dilation")
    extra = _pair(output_padding, "output_padding")
    if any(e >= max(a, b) for e, a, b in zip(extra, s, d, strict=True)):
        raise ValueError(
            f"output_padding {extra} must be smaller than stride {s} or dilation {d}: "
            "beyond that, no input reaches the output"
        )
    size = tuple(
        (n - 1) * s[i] - 2 * p[i] + d[i] * (weight.shape[2 + i] - 1) + extra[i] + 1
        for i, n in enumerate(x.shape[2:])
    )
    if min(size) < 1:
        raise ValueError(
            f"conv_transpose2d: padding {p} leaves nothing of the output: its size would be {size}"
        )
    settings: dict[str, Any] = {"stride": s, "padding": p, "dilation": d, "groups": groups}
    if extra[0] >= s[0] or extra[1] >= s[1]:  # a window more would fit: not conv2d's mirror image
        whole = conv_transpose2d(x, weight, None, stride, 0, 0, groups, dilation)
        y = pad(whole, (-p[1], extra[1] - p[1], -p[0], extra[0] - p[0]))
        return _plus(y, bias)
    return _conv_transpose2d(x, weight, *(() if bias is None else (bias,)), size=size, **settings)


def _check(
    name: str, x: Array, weight: Array, bias: Array | None, channels: int, out_channels: int
) -> None:
    if weight.ndim != 4:
        raise ValueError(f"{name}: expected a weight of four axes, got {tuple(weight.shape)}")
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(
            f"{name}: expected input (N, {channels}, H, W) for a weight of {tuple(weight.shape)}, "
            f"got {tuple(x.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (out_channels,):
        raise ValueError(f"{name}: expected a bias ({out_channels},), got {tuple(bias.shape)}")


# ------------------------------------------------------------------------------- unfold and pooling


@op(
    lambda g, y, x, *, value, **s: fold(g, size=x.shape[2:], **s),
    latex=r"\bar x = \mathrm{fold}(\bar y)",
)
def unfold(
    x: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, value: float
) -> Array:
    """The windows of x: (N, C, H, W) → (N, C, oh, ow, kh·kw)."""
    view = windows_of(padded(x, padding, padding, value), kernel, stride, dilation)
    n, oh, ow, kh, kw, c = view.shape
    return view.reshape(n, oh, ow, kh * kw, c).transpose(0, 4, 1, 2, 3)


@op(
    lambda g, y, x, *, size, **s: unfold(g, value=0.0, **s),
    latex=r"\bar x = \mathrm{unfold}(\bar y)",
)
def fold(
    x: Array, *, size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """The adjoint of ``unfold``: overlapping windows are added up."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = kernel, stride, padding, dilation
    n, c, oh, ow, _ = x.shape
    y = module_of(x).zeros((n, c, size[0] + 2 * ph, size[1] + 2 * pw), dtype=x.dtype)
    for u in range(kh):
        for v in range(kw):
            rows = slice(u * dh, u * dh + sh * (oh - 1) + 1, sh)
            cols = slice(v * dw, v * dw + sw * (ow - 1) + 1, sw)
            y[:, :, rows, cols] += x[..., u * kw + v]
    return y[:, :, ph : ph + size[0], pw : pw + size[1]]
