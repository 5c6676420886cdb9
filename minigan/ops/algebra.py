"""Linear algebra, Einstein's sums, sorting: what no GAN of this library needs, and students do.

Every rule is written with differentiable functions, so each has derivatives of any order.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from ..array import Array, module_of, np
from ..graph import op
from .elementwise import where
from .index import _beside, flip, getitem
from .linalg import matmul
from .order import norm
from .reduce import Dim, _axes, sum
from .shape import _axis, expand, permute, transpose, unsqueeze


def _library(x: Any) -> Any:
    """NumPy or CuPy, whichever holds the array or tensor ``x``."""
    return module_of(getattr(x, "array", x))


# ---------------------------------------------------------------------------------- Einstein's sums


def _einsum_rule(g, y, *inputs, equation, i=0):
    terms, out = equation.split("->")
    names = terms.split(",")
    names[i], wanted = out, names[i]  # g takes the place of input i
    found = einsum_(*inputs[:i], g, *inputs[i + 1 :], equation=f"{','.join(names)}->{wanted}")
    return expand(found, np.broadcast_shapes(found.shape, inputs[i].shape))


@op(
    _einsum_rule,
    latex=r"\bar x_i = \mathrm{einsum}(\dots, \bar y, \dots \to \mathrm{indices}_i)",
)
def einsum_(*inputs: Array, equation: str) -> Array:
    """The sum of products; an index is in at least two of the inputs and the result."""
    return module_of(*inputs).einsum(equation, *inputs, optimize=True)


def einsum(equation: str, *operands: Any) -> Array:
    """The sum of products in Einstein's notation: ``einsum("ij,jk->ik", a, b)`` is a @ b.

    Indices that the result does not name are summed over. Without ``->`` the result has the
    indices met once, in alphabetical order. ``...`` stands for any axes, which broadcast.

    Raises
    ------
    ValueError
        If the equation and the operands do not fit.
    """
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    terms, out = _indices(equation, [x.ndim for x in operands])
    simple, names = [], []
    for k, (x, term) in enumerate(zip(operands, terms, strict=True)):
        for c in sorted({c for c in term if term.count(c) > 1}):
            while term.count(c) > 1:  # an index twice in one operand: its diagonal
                i = term.index(c)
                j = term.index(c, i + 1)
                if x.shape[i] != x.shape[j]:
                    raise ValueError(
                        f"einsum {equation!r}: {c} stands for sizes {x.shape[i]} and {x.shape[j]}"
                    )
                x, term = diagonal(x, 0, i, j), term[:i] + term[i + 1 : j] + term[j + 1 :] + c
        elsewhere = out + "".join(terms[:k] + terms[k + 1 :])
        alone = tuple(i for i, c in enumerate(term) if c not in elsewhere)
        simple.append(sum(x, alone) if alone else x)
        names.append("".join(c for c in term if c in elsewhere))
    return einsum_(*simple, equation=f"{','.join(names)}->{out}")


def _indices(equation: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The operands' indices and the result's, a letter per axis, ``...`` spelt out."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum {equation!r} names {len(terms)} operands, got {len(ndims)}")
    unnamed = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    for term, n, rest in zip(terms, ndims, unnamed, strict=True):
        if rest < 0 or (rest and "..." not in term):
            raise ValueError(f"einsum {equation!r}: {term!r} does not fit an operand of {n} axes")
    free = [c for c in string.ascii_letters if c not in equation]
    dots = "".join(free[: max(unnamed)])
    terms = [
        t.replace("...", dots[len(dots) - rest :]) for t, rest in zip(terms, unnamed, strict=True)
    ]
    if not arrow:
        named = sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1)
        out = "..." + "".join(named)
    return terms, out.replace("...", dots)


# ----------------------------------------------------------------------------- inverse, determinant


@op(
    lambda g, y, x: -matmul(matmul(transpose(y, -1, -2), g), transpose(y, -1, -2)),
    latex=r"\bar x = -y^\top\, \bar y\, y^\top",
)
def inverse(x: Array) -> Array:
    """The inverse of each square matrix in the last two axes."""
    return module_of(x).linalg.inv(x)


def _columns(g: Array) -> Array:
    """One number per matrix, to be multiplied with it."""
    return unsqueeze(unsqueeze(g, -1), -1)


def _cofactors(x: Array, y: Array) -> Array:
    """The derivative of det x = y by each element: the determinants of the minors, with signs.

    For large matrices, y times the transposed inverse, which a singular matrix does not have.
    """
    n, xp = x.shape[-1], _library(x)
    if n > 4:
        return _columns(y) * transpose(inverse(x), -1, -2)
    i, k = xp.arange(n), xp.arange(max(n - 1, 0))
    kept = k + (k >= i[:, None])  # row i: every number but i
    minors = getitem(x, (..., kept[:, None, :, None], kept[None, :, None, :]))
    return det(minors) * (1 - 2 * ((i[:, None] + i) % 2)).astype(x.dtype)


@op(
    lambda g, y, x: _columns(g) * _cofactors(x, y),
    latex=r"\bar x = \bar y\, \mathrm{cof}(x) = \bar y\, y\, x^{-\top}",
)
def det(x: Array) -> Array:
    """The determinant of each square matrix in the last two axes.

    Its gradient exists at singular matrices too; beyond 4 x 4 it is computed with the inverse, and
    a singular matrix raises ``LinAlgError`` (on a GPU, it gives NaN).
    """
    return module_of(x).linalg.det(x)


@op(
    lambda g, y, x: _columns(g) * transpose(inverse(x), -1, -2),
    latex=r"\bar x = \bar y\, x^{-\top}",
)
def logabsdet_(x: Array) -> Array:
    """log |det x|."""
    return module_of(x).linalg.slogdet(x)[1]


@op(latex="")
def signdet_(x: Array) -> Array:
    """The sign of det x."""
    return module_of(x).linalg.slogdet(x)[0]


class SLogDet(NamedTuple):
    """What :func:`slogdet` gives: det x = sign · exp(logabsdet)."""

    sign: Any
    logabsdet: Any


def slogdet(x: Array) -> SLogDet:
    """The sign of the determinant and the logarithm of its size, without overflow."""
    return SLogDet(signdet_(x), logabsdet_(x))


linalg = SimpleNamespace(det=det, inv=inverse, norm=norm, slogdet=slogdet)  # as torch.linalg


# --------------------------------------------------------------------------- diagonal and triangles


def diagonal(x: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """The elements x[..., i, i + offset] of axes ``dim1`` and ``dim2``, copied to the last axis."""
    a, b = _axis(dim1, x.ndim), _axis(dim2, x.ndim)
    x = permute(x, [i for i in range(x.ndim) if i not in (a, b)] + [a, b])
    n, m = x.shape[-2:]
    down, right = max(-offset, 0), max(offset, 0)
    i = _library(x).arange(max(0, min(n - down, m - right)))
    return getitem(x, (..., i + down, i + right), once=True)


def trace(x: Array) -> Array:
    """The sum of a matrix's diagonal: (n, m) → ()."""
    if x.ndim != 2:
        raise ValueError(f"trace needs a matrix, got shape {x.shape}")
    return sum(diagonal(x))


def tril(x: Array, diagonal: int = 0) -> Array:
    """The lower triangle of each matrix: zeros above the diagonal x[i, i + diagonal]."""
    return where(_library(x).tri(*x.shape[-2:], diagonal, dtype=bool), x, False)


def triu(x: Array, diagonal: int = 0) -> Array:
    """The upper triangle of each matrix: zeros below the diagonal x[i, i + diagonal]."""
    return where(_library(x).tri(*x.shape[-2:], diagonal - 1, dtype=bool), False, x)


# ------------------------------------------------------------------------------------ along an axis


@op(
    lambda g, y, x, dim: flip(cumsum_(flip(g, (dim,)), dim=dim), (dim,)),
    latex=r"\bar x_i = \textstyle\sum_{j \ge i} \bar y_j",
)
def cumsum_(x: Array, *, dim: int) -> Array:
    """Running sums along ``dim``."""
    return x.cumsum(axis=dim)


def cumsum(x: Array, dim: int) -> Array:
    """Running sums along ``dim``: y[i] = x[0] + … + x[i]; integers give int64."""
    return cumsum_(x, dim=_axis(dim, x.ndim)) if x.ndim else x * 1


class Sorted(NamedTuple):
    """What :func:`sort` and :func:`topk` give: the elements, and where they stood."""

    values: Any
    indices: Any


@op(latex="")
def argsort_(x: Array, *, dim: int, descending: bool) -> Array:
    """The indices that sort along ``dim``; equal elements keep their order."""
    if not descending:
        return x.argsort(axis=dim, kind="stable")
    flip = module_of(x).flip
    return x.shape[dim] - 1 - flip(flip(x, dim).argsort(axis=dim, kind="stable"), dim)


def argsort(x: Array, dim: int = -1, descending: bool = False) -> Array:
    """The indices that sort ``x`` along ``dim``; int64. Equal elements keep their order."""
    return sort(x, dim, descending).indices


def sort(x: Array, dim: int = -1, descending: bool = False) -> Sorted:
    """The elements in order along ``dim``, and their indices; NaN counts as the largest."""
    if not x.ndim:
        return Sorted(x, argsort_(unsqueeze(x, 0), dim=0, descending=descending)[0])
    dim = _axis(dim, x.ndim)
    indices = argsort_(x, dim=dim, descending=descending)
    return Sorted(getitem(x, places(x, dim, indices), once=True), indices)


def topk(x: Array, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """The ``k`` largest (or smallest) elements along ``dim``, in order, and their indices.

    The gradient goes to the elements chosen. ``sorted=False`` is accepted: the order is then
    nobody's business.
    """
    dim = _axis(dim, x.ndim)
    if not 0 <= k <= x.shape[dim]:
        raise ValueError(f"topk needs 0 to {x.shape[dim]} elements of axis {dim}, got k = {k}")
    first = (slice(None),) * dim + (slice(0, k),)
    values, indices = sort(x, dim, largest)
    return Sorted(getitem(values, first), getitem(indices, first))


def places(x: Array, dim: int, index: Any) -> tuple[Array, ...]:
    """The index for which ``x[places][i][j] = x[index[i][j]][j]`` if dim = 0, likewise others."""
    index = _beside(x, index)
    mesh = list(module_of(index).indices(index.shape))
    mesh[_axis(dim, x.ndim)] = index
    return tuple(mesh)


def index_select(x: Array, dim: int, index: Any) -> Array:
    """The slices of ``x`` along ``dim`` that the integers ``index`` (n,) name, in their order."""
    return getitem(x, (slice(None),) * _axis(dim, x.ndim) + (index,))


# ------------------------------------------------------------------------------------------- truth


@op(latex="")
def any_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """Whether some element is not 0."""
    return x.any(axis=_axes(dim, x.ndim), keepdims=keepdim)


@op(latex="")
def all_(x: Array, *, dim: Dim, keepdim: bool) -> Array:
    """Whether no element is 0."""
    return x.all(axis=_axes(dim, x.ndim), keepdims=keepdim)


def any(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """Whether some element over ``dim`` is true (not 0); bool."""
    return any_(x, dim=dim, keepdim=keepdim)


def all(x: Array, dim: Dim = None, keepdim: bool = False) -> Array:
    """Whether every element over ``dim`` is true (not 0); bool."""
    return all_(x, dim=dim, keepdim=keepdim)


# fmt: off
METHODS = (
    all, any, argsort, cumsum, det, diagonal, index_select, inverse, slogdet, sort, topk, trace,
    tril, triu,
)
# fmt: on
