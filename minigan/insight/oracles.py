"""What theory says about a game, as numbers to hold a trained one against.

From two densities, the best discriminator and the value of the game; from any game with few
parameters, the Jacobian whose eigenvalues decide whether gradient descent settles near a point::

    best = optimal_discriminator(p, q)                  # a function of points, like p and q
    game_value(p, q, grid=np.linspace(-8, 8, 2001))     # -log 4 where p = q, 0 where they part
    eigenvalues(game, real, noise)                      # ±i/2: it circles and never arrives

A density is a function of an array of numbers, or of points (..., D), that gives an array of values
at least 0; or it is the array of these values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..array import Array, np, to_host
from ..autograd import grad
from ..gan import Game, Table
from ..ops import cat
from ..tensor import Tensor
from .probe import untouched

Density = Callable[[Any], Array]


def mixture(centers: Any, std: float) -> Density:
    """The density of equal Gaussians N(c, std² I), e.g. of ``data.ring()`` and ``data.grid()``.

    Parameters
    ----------
    centers : (K, D), or (K,) for numbers
    std : float
        Along each axis.

    Returns
    -------
    callable
        Takes points (..., D), or numbers of any shape, to (1/K) Σ N(x; c, std² I).
    """
    if not std > 0:
        raise ValueError(f"a density needs std > 0, got {std}")
    places = np.asarray(centers, dtype=np.float64)
    numbers = places.ndim == 1
    places = places.reshape(len(places), -1)
    scale = len(places) * (std * math.sqrt(2 * math.pi)) ** places.shape[1]

    def density(x: Any) -> Array:
        x = np.asarray(x, dtype=np.float64)
        x = x[..., None] if numbers else x
        if x.shape[-1:] != places.shape[1:]:
            raise ValueError(f"expected points (…, {places.shape[1]}), got {x.shape}")
        square = sum(
            (x[..., None, i] - places[:, i]) ** 2 for i in range(places.shape[1])
        )  # (..., K); axis by axis, so that no (..., K, D) array is made
        return np.exp(-square / (2 * std**2)).sum(axis=-1) / scale

    return density


# ------------------------------------------------------------------------------ what densities say


def optimal_discriminator(p: Any, q: Any, logit: bool = False) -> Any:
    """D* = p / (p + q): the best answer to generated samples of density q where the data has p.

    Goodfellow et al. 2014, proposition 1, for the minimax and the non-saturating game. With
    ``logit`` its logit log p - log q, which the networks here learn.

    Parameters
    ----------
    p, q : densities
        Both functions, or both arrays of values at the same points.

    Returns
    -------
    callable or array
        As p and q are. NaN where both are 0: there no sample comes, and D is free.
    """
    if callable(p) != callable(q):
        raise TypeError("p and q are both functions, or both arrays of values at the same points")
    if callable(p):
        return lambda x: optimal_discriminator(p(x), q(x), logit)
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(p) - np.log(q) if logit else p / (p + q)


def jensen_shannon(p: Any, q: Any, *, grid: Any = None, samples: Any = None) -> float:
    """The Jensen-Shannon divergence of two densities in nats, between 0 and log 2.

    JSD = ½ ∫ p log(2p / (p + q)) + ½ ∫ q log(2q / (p + q))

    Parameters
    ----------
    p, q : densities
        With ``samples``, functions; with ``grid``, functions or arrays of their values there.
    grid : array (n,), or a sequence of D such axes
        Integrate by the trapezoidal rule, whose error vanishes faster than any power of the
        spacing for smooth densities that are 0 at the edges. D axes call p with points (n, …, D).
    samples : pair of arrays, of samples from p and of samples from q
        Average over samples instead (Monte Carlo): for many dimensions.

    Raises
    ------
    ValueError
        If a density's mass on the grid is not 1 within 1%: the grid is too narrow or too coarse.
    """
    if (grid is None) == (samples is None):
        raise TypeError("expected either grid=, to integrate on, or samples=, to average over")
    if samples is not None:
        parts = [
            np.mean(_log_ratio(first(x), second(x)))
            for first, second, x in ((p, q, samples[0]), (q, p, samples[1]))
        ]
        return float(sum(parts) / 2)
    axes = _axes(grid)
    p, q = (_on_grid(density, axes) for density in (p, q))
    for name, density in (("p", p), ("q", q)):
        mass = _integral(density, axes)
        if abs(mass - 1) > 0.01:
            raise ValueError(
                f"{name} has a mass of {mass:.4g} on the grid, not 1: make the grid wider or finer"
            )
    return _integral(p * _log_ratio(p, q) + q * _log_ratio(q, p), axes) / 2


def game_value(p: Any, q: Any, *, grid: Any = None, samples: Any = None) -> float:
    """V(D*, G) = E log D*(x) + E log(1 - D*(G(z))) = -log 4 + 2 JSD(p, q).

    Goodfellow et al. 2014, theorem 1; -L_D of the minimax and the non-saturating game approaches
    it as D learns, from below. The parameters are those of :func:`jensen_shannon`.
    """
    return -math.log(4) + 2 * jensen_shannon(p, q, grid=grid, samples=samples)


def points(grid: Any) -> Array:
    """The points of a grid: (n,) for one axis, (n, m, …, D) for a sequence of D axes."""
    axes = _axes(grid)
    if len(axes) == 1:
        return axes[0]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _axes(grid: Any) -> list[Array]:
    axes = [grid] if np.ndim(grid[0]) == 0 else grid
    return [np.asarray(axis, dtype=np.float64) for axis in axes]


def _on_grid(density: Any, axes: Sequence[Array]) -> Array:
    shape = tuple(map(len, axes))
    values = np.asarray(density(points(axes)) if callable(density) else density, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(
            f"expected a density's values in the grid's shape {shape}, got {values.shape}"
        )
    return values


def _integral(values: Array, axes: Sequence[Array]) -> float:
    for axis in reversed(axes):
        values = np.trapezoid(values, axis, axis=-1)
    return float(values)


def _log_ratio(p: Array, q: Array) -> Array:
    """log(2p / (p + q)), and 0 where p is: there its weight is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, np.log(2 * p / (p + q)), 0.0)


# ------------------------------------------------------------------ what a game's gradients do


def gradient_field(game: Game, real: Any, noise: Tensor | None) -> Array:
    """v = (-∇_θ L_G, -∇_ψ L_D): where gradient descent moves both players from here.

    Parameters and their order as in :func:`jacobian`; float64 (n,).
    """
    with untouched(game):
        field, _ = _field(game, game.losses_of(Table(real, noise)), create_graph=False)
    return to_host(field.array).astype(np.float64)


def jacobian(game: Game, real: Any, noise: Tensor | None) -> Array:
    """J = v', how the gradients of both players change as either moves.

    v = (-∇_θ L_G, -∇_ψ L_D) with the game's own objective and penalties, at the weights that the
    networks have now (Mescheder et al. 2018, section 2). Gradient descent with small steps settles
    at a point where v = 0 if all of J's eigenvalues have negative real parts, and runs away if one
    is positive; on the imaginary axis it circles.

    Parameters
    ----------
    real, noise : Tensor
        The samples (N, …) and noise (N, latent_dim) that stand for the expectations; of a game
        with labels, ``real`` is a pair, and of any :class:`Game`, its batch.

    Returns
    -------
    float64 array (n, n)
        G's parameters first, then D's (of any ``Game``, in the players' order), each flattened in
        the order of ``parameters()``. Row i is ∂v_i. It takes n passes, so that n should be
        hundreds at most. The game stays as it is.
    """
    with untouched(game):
        losses = game.losses_of(Table(real, noise))
        v, players = _field(game, losses, create_graph=True)
        rows = []
        for component in v:
            if component.requires_grad:
                row = grad(component, players, allow_unused=True)
            else:  # a linear loss has a constant gradient
                row = (None,) * len(players)
            rows.append(
                np.concatenate(
                    [
                        np.zeros(p.numel()) if g is None else to_host(g.array).reshape(-1)
                        for p, g in zip(players, row, strict=True)
                    ]
                )
            )
    return np.stack(rows).astype(np.float64)


def eigenvalues(game: Game, real: Any, noise: Tensor | None) -> Array:
    """The eigenvalues of :func:`jacobian`, complex (n,), the largest real part first.

    A step of length h multiplies the distance along each eigenvector by |1 + h λ|: so circling
    (λ imaginary) becomes running away at any h, if both players step at once.
    """
    found = np.linalg.eigvals(jacobian(game, real, noise)).astype(np.complex128)
    return found[np.lexsort((-found.imag, -found.real))]


def _field(
    game: Game, losses: dict[str, Tensor], create_graph: bool
) -> tuple[Tensor, list[Tensor]]:
    """The field as one vector, and the weights that it moves."""
    slopes = game.slopes(losses, create_graph)
    parts = [p.detach().reshape(-1) * 0 if g is None else -g.reshape(-1) for p, g in slopes]
    return cat(parts), [p for p, _ in slopes]
