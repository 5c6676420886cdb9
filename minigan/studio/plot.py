"""Figures that people look at: sample grids, loss curves, point clouds, computation graphs, films.

Figures are made without pyplot, so nothing depends on a display or on a global state.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..array import asarray, np, to_host
from ..autograd import no_grad
from ..gan import History
from ..insight import oracles
from ..nn import Module
from ..nn.utils import evaluating
from ..ops import sigmoid
from ..saving import write_atomically
from ..tensor import Tensor
from .film import player as player
from .film import png
from .graph import graph as graph

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

_LABELS = {"d_loss": "loss of D", "g_loss": "loss of G", "d_real": "D(x)", "d_fake": "D(G(z))"}
BLUE, ORANGE, GREY = "#1f6fb4", "#d95f0e", "#9a9a9a"


def _host(samples: Any) -> np.ndarray:
    data = samples.array if isinstance(samples, Tensor) else samples
    return np.asarray(to_host(data), dtype=np.float32)


def grid(
    samples: Any, range: tuple[float, float] = (-1.0, 1.0), columns: int | None = None
) -> Image:
    """Pictures (N, C, H, W) with values in ``range`` as one picture, small ones enlarged.

    C is 1 (grey) or 3 (colour). Values outside of the range are shown as its ends.
    """
    from PIL import Image

    x = _host(samples)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not len(x):
        raise ValueError(f"expected pictures (N, 1 or 3, H, W), got {x.shape}")
    n, c, h, w = x.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    zoom = max(1, round(48 / max(h, w)))
    gap = 2 * max(1, zoom // 4)
    low, high = range
    levels = np.clip((x - low) / (high - low) * 255 + 0.5, 0, 255).astype(np.uint8)
    levels = levels.transpose(0, 2, 3, 1).repeat(zoom, axis=1).repeat(zoom, axis=2)
    cell_h, cell_w = h * zoom + gap, w * zoom + gap
    sheet = np.full((rows * cell_h + gap, columns * cell_w + gap, c), 96, dtype=np.uint8)
    for i, picture in enumerate(levels):
        top, left = gap + i // columns * cell_h, gap + i % columns * cell_w
        sheet[top : top + h * zoom, left : left + w * zoom] = picture
    return Image.fromarray(sheet[..., 0] if c == 1 else sheet)


def points(samples: Any, real: Any = None) -> Figure:
    """Points (N, 2) over real ones, in equal axes."""
    figure = new_figure(5, 5)
    axes = figure.add_subplot(aspect="equal")
    if real is not None:
        axes.plot(*_host(real).T[:2], ".", color=GREY, markersize=3, alpha=0.5, label="data")
    axes.plot(*_host(samples).T[:2], ".", color=ORANGE, markersize=3, label="G(z)")
    axes.legend(loc="upper right")
    return figure


def losses(history: History) -> Figure:
    """Both losses, and D(x) and D(G(z)), against the step: every step thin, their mean bold."""
    figure = new_figure(8, 5.5)
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, columns in ((above, ("d_loss", "g_loss")), (below, ("d_real", "d_fake"))):
        for column, color in zip(columns, (BLUE, ORANGE), strict=True):
            y, steps = np.array(history[column]), np.array(history["step"])
            axes.plot(steps, y, color=color, alpha=0.25, linewidth=0.5)
            width = max(1, len(y) // 100)
            smooth = np.convolve(y, np.ones(width) / width, mode="valid") if len(y) else y
            axes.plot(
                steps[len(y) - len(smooth) :],
                smooth,
                color=color,
                linewidth=2,
                label=_LABELS[column],
            )
        axes.legend(loc="upper right")
        axes.grid(alpha=0.3)
    above.set_ylabel("loss")
    below.set_ylabel("probability of being real")
    below.set_ylim(0, 1)
    below.axhline(0.5, color=GREY, linewidth=1, linestyle="--")
    below.set_xlabel("step")
    return figure


def discriminator(network: Any, p: Any, q: Any, grid: Any) -> Figure:
    """What D learned beside the best that it could, p / (p + q), where samples can come.

    Parameters
    ----------
    network : Module or callable
        Points (N, D), a Tensor, to logits (N, 1) or (N,).
    p, q : callables
        The densities of the data and of G's samples, as ``gan.oracles`` takes them.
    grid : array (n,), or two of them
        The axis of numbers, or the two axes of points.
    """
    x = oracles.points(grid)
    flat = Tensor(x.reshape(-1, 2 if x.ndim > 1 else 1).astype(np.float32))
    with ExitStack() as stack:
        stack.enter_context(no_grad())
        if isinstance(network, Module):  # a look must not move batch norm's statistics
            stack.enter_context(evaluating(network))
            weight = next(network.parameters(), flat)
            flat = Tensor(asarray(flat.array, weight.dtype, weight.device))
        learned = _host(sigmoid(network(flat))).reshape(x.shape[: x.ndim - (x.ndim > 1)])
    best = oracles.optimal_discriminator(p, q)(x)
    if x.ndim == 1:
        figure = new_figure(8, 5.5)
        above, below = figure.subplots(2, 1, sharex=True)
        above.plot(x, learned, color=BLUE, linewidth=2, label="learned")
        above.plot(x, best, color="black", linewidth=1, linestyle="--", label="p / (p + q)")
        above.set(ylabel="probability of being real", ylim=(0, 1))
        for density, color, label in ((p, GREY, "p, data"), (q, ORANGE, "q, G(z)")):
            below.fill_between(x, density(x), color=color, alpha=0.5, linewidth=0, label=label)
        below.set(ylabel="density", xlabel="x")
        below.set_ylim(bottom=0)
        for axes in (above, below):
            axes.legend(loc="upper right")
            axes.grid(alpha=0.3)
        return figure
    figure = new_figure(9, 4.5)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    seen = p(x) + q(x)
    blank = seen < 1e-3 * seen.max()  # no sample comes there, so that D can say what it likes
    for axes, values, title in zip(
        panels, (learned, best), ("learned", "p / (p + q)"), strict=True
    ):
        shown = np.where(blank, np.nan, values).T
        colors = axes.pcolormesh(*grid, shown, cmap="RdBu", vmin=0, vmax=1, shading="nearest")
        axes.contour(*grid, best.T, levels=[0.5], colors="black", linewidths=1, linestyles="--")
        axes.set(title=title, aspect="equal")
    figure.colorbar(colors, ax=panels, label="probability of being real")
    return figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, its sides in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)


def save(picture: Image | Figure, path: Any) -> None:
    """Write a picture or a figure as a PNG file, whole or not at all."""
    write_atomically(path, png(picture))
