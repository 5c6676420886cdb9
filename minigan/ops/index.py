"""Functions that pick, join, repeat and pad elements. Their rules put them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..array import Array, asarray, device_of, is_array, module_of, np
from ..graph import op
from ..tensor import Tensor
from .shape import _axis, _sizes, expand, reshape, unsqueeze


def repeat(x: Array, *sizes: Any) -> Array:
    """The tensor laid side by side ``sizes[i]`` times along axis i (as ``numpy.tile``)."""
    times = _sizes(sizes)
    if len(times) < x.ndim:
        raise ValueError(f"repeat needs at least {x.ndim} counts, one per axis, got {times}")
    shape = (1,) * (len(times) - x.ndim) + x.shape
    spread = reshape(x, [s for n in shape for s in (1, n)])
    copies = tuple(s for pair in zip(times, shape, strict=True) for s in pair)
    joined = tuple(t * n for t, n in zip(times, shape, strict=True))
    return reshape(expand(spread, copies), joined)


def _of_axes(x: Array, *dims: Any) -> Any:
    return (x,), {"dims": tuple([_axis(d, x.ndim) for d in _sizes(dims)])}


@op(
    lambda g, y, x, dims: flip(g, dims),
    prepare=_of_axes,
    latex=r"\bar x = \mathrm{flip}(\bar y)",
    view=True,
)
def flip(x: Array, *, dims: tuple[int, ...]) -> Array:
    """The elements in reverse order along the axes ``dims``."""
    return module_of(x).flip(x, dims)


def _at(x: Array, index: Any, once: bool = False) -> Any:
    index = tuple(_beside(x, i) for i in index) if isinstance(index, tuple) else _beside(x, index)
    return (x,), {"index": index, "once": once}


@op(
    lambda g, y, x, index, once: scatter(g, shape=x.shape, index=index, once=once),
    prepare=_at,
    latex=r"\bar x_{\mathrm{index}} \mathrel{+}= \bar y",
    view=True,
    picks=True,
)
def getitem(x: Array, *, index: Any, once: bool) -> Array:
    """``x[index]`` as in NumPy: slices, integers, lists, integer tensors, masks, None, ``...``.

    ``once`` promises that no element is met twice, which makes the gradient cheap.
    """
    return x[index]


@op(
    lambda g, y, x, shape, index, once: getitem(g, index, once),
    latex=r"\bar x = \bar y_{\mathrm{index}}",
)
def scatter(x: Array, *, shape: tuple[int, ...], index: Any, once: bool) -> Array:
    """Zeros of ``shape`` with ``x`` added at ``index``; where an element is met twice, both add."""
    xp = module_of(x)
    out = xp.zeros(shape, dtype=x.dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if once or not any(is_array(i) for i in parts):  # nor do slices and integers
        out[index] = x
    else:
        xp.add.at(out, index, x)
    return out


def _beside(x: Array, index: Any) -> Any:
    """An index without graph; lists and host arrays become arrays on x's device."""
    if isinstance(index, Tensor):
        return index.array
    if isinstance(index, (list, np.ndarray)):
        data = x.array if isinstance(x, Tensor) else x
        return asarray(np.asarray(index), device=device_of(data))
    return index


def gather(x: Array, dim: int, index: Any) -> Array:
    """``y[i][j] = x[index[i][j]][j]`` for ``dim = 0``, likewise along other axes."""
    index = _beside(x, index)
    xp, dim = module_of(index), _axis(dim, x.ndim)
    mesh = [
        xp.arange(n).reshape([-1 if j == i else 1 for j in range(index.ndim)])
        for i, n in enumerate(index.shape)
    ]
    mesh[dim] = index
    return getitem(x, tuple(mesh), once=index.shape[dim] == 1)


def _in_line(tensors: Sequence[Array], dim: int = 0) -> Any:
    if not len(tensors):
        raise ValueError("cat needs at least one tensor")
    return tuple(tensors), {"dim": _axis(dim, tensors[0].ndim)}


def _cat_rule(g, y, *inputs, dim, i=0):
    start = sum(x.shape[dim] for x in inputs[:i])
    return narrow(g, dim, start, inputs[i].shape[dim])


@op(_cat_rule, prepare=_in_line, latex=r"\bar x_i = \mathrm{part}_i(\bar y)")
def cat(*inputs: Array, dim: int) -> Array:
    """The tensors one after the other along axis ``dim``; the other sizes must agree."""
    return module_of(inputs[0]).concatenate(inputs, axis=dim)


def narrow(x: Array, dim: int, start: int, length: int) -> Array:
    """``length`` slices from ``start`` on along axis ``dim``."""
    return getitem(x, (slice(None),) * dim + (slice(start, start + length),))


def stack(tensors: Sequence[Array], dim: int = 0) -> Array:
    """The tensors, all of one shape, along a new axis ``dim``."""
    shapes = {tuple(t.shape) for t in tensors}
    if len(shapes) != 1:
        raise ValueError(f"stack needs tensors of one shape, got {sorted(shapes)}")
    return cat([unsqueeze(t, dim) for t in tensors], _axis(dim, tensors[0].ndim + 1))


def split(x: Array, split_size: int | Sequence[int], dim: int = 0) -> tuple[Array, ...]:
    """Pieces of ``split_size`` along ``dim`` (the last may be smaller), or of the listed sizes."""
    dim = _axis(dim, x.ndim)
    n = x.shape[dim]
    if isinstance(split_size, int):
        sizes = [min(split_size, n - i) for i in range(0, n, split_size)] or [0]
    else:
        sizes = list(split_size)
        if sum(sizes) != n:
            raise ValueError(f"split sizes {sizes} do not add up to axis {dim}'s size, {n}")
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return tuple(narrow(x, dim, end - n, n) for n, end in zip(sizes, ends, strict=True))


def chunk(x: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``; the last may be smaller."""
    return split(x, -(-x.shape[dim] // chunks) or 1, dim)


def unbind(x: Array, dim: int = 0) -> tuple[Array, ...]:
    """The slices along axis ``dim``, without that axis."""
    dim = _axis(dim, x.ndim)
    return tuple(getitem(x, (slice(None),) * dim + (i,)) for i in range(x.shape[dim]))


def _pad_rule(g, y, x, width, value):
    return getitem(g, tuple(slice(lo, lo + n) for (lo, _), n in zip(width, x.shape, strict=True)))


@op(_pad_rule, latex=r"\bar x = \mathrm{crop}(\bar y)")
def pad_with(x: Array, *, width: Sequence[tuple[int, int]], value: float) -> Array:
    """``x`` with ``width[i] = (before, after)`` elements of ``value`` around axis i."""
    return module_of(x).pad(x, width, mode="constant", constant_values=value)


_NUMPY_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Array, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Array:
    """``x`` padded as ``torch.nn.functional.pad`` does.

    Parameters
    ----------
    pad : sequence of int
        (left, right, top, bottom, …): two numbers per axis, the last axis first. Negative
        numbers crop (constant mode only).
    mode : "constant", "reflect", "replicate" or "circular"
    value : float
        What to fill with in constant mode.
    """
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad needs two numbers per axis, at most {2 * x.ndim}, got {list(pad)}")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    width = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    if mode == "constant":
        crop = tuple(
            slice(max(-lo, 0), n - max(-hi, 0)) for (lo, hi), n in zip(width, x.shape, strict=True)
        )
        grow = tuple((max(lo, 0), max(hi, 0)) for lo, hi in width)
        if any(lo < 0 or hi < 0 for lo, hi in width):
            x = getitem(x, crop)
        return pad_with(x, width=grow, value=value)
    if mode not in _NUMPY_MODES:
        raise ValueError(f"unknown padding mode {mode!r}: use constant, {', '.join(_NUMPY_MODES)}")
    limit = 1 if mode == "reflect" else 0
    for axis, (lo, hi) in enumerate(width):
        if (lo or hi) and mode != "replicate" and max(lo, hi) > x.shape[axis] - limit:
            raise ValueError(f"{mode} padding {(lo, hi)} is too large for axis of {x.shape[axis]}")
        if lo or hi:  # reading the right source elements; the gradient follows the index
            source = np.pad(np.arange(x.shape[axis]), (lo, hi), _NUMPY_MODES[mode])
            x = getitem(x, (slice(None),) * axis + (source,))
    return x
