"""A picture of a computation: every tensor a box, an arrow from each input to what it made."""

from __future__ import annotations

import html
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from .. import autograd
from ..check.explain import brief, name_tensors
from ..saving import write_atomically
from ..tensor import Tensor

WIDTH, HEIGHT, GAP_X, GAP_Y = 170, 62, 22, 44
_LEAF, _RESULT, _FIXED = "#e3eefb", "#fff3df", "#f1f1f1"
_FONT = "font-family='Helvetica,Arial,sans-serif'"


class Box(NamedTuple):
    """A tensor as it is drawn."""

    lines: list[str]
    color: str


class Graph:
    """A computation graph as SVG; Jupyter shows it, :meth:`save` writes it.

    Attributes
    ----------
    boxes : dict
        Tensor's ``id`` → lines of text and colour, inputs before outputs.
    arrows : list of pairs of ids
        From input to result.
    svg : str
        The picture, complete in itself.
    """

    def __init__(self, boxes: dict[int, Box], arrows: list[tuple[int, int]]) -> None:
        self.boxes, self.arrows = boxes, arrows
        self.svg = _by_graphviz(boxes, arrows) or _by_layers(boxes, arrows)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture to ``path``, an .svg file."""
        if Path(path).suffix != ".svg":
            raise ValueError(f"a graph is saved as an .svg file, got {path}")
        write_atomically(path, self.svg.encode())


def graph(output: Tensor, wrt: Any = None) -> Graph:
    """The computation that made ``output``, with shapes, values and gradients.

    Values and gradients of up to four elements are written out, larger ones as range and root
    mean square. Gradients are those of ``output`` if it is a number.

    Parameters
    ----------
    output : Tensor
    wrt : list or dict of Tensors, or Module; optional
        A dict or a Module names its tensors: ``graph(y, {"x": x})``.
    """
    names = name_tensors(output, wrt)
    tensors = _all(output)
    grads: dict[int, Any] = {}
    moving = [t for t in tensors if t.requires_grad]
    if output.requires_grad and output.array.size == 1:
        found = autograd.grad(output, moving, allow_unused=True)
        grads = {id(t): g.array for t, g in zip(moving, found, strict=True) if g is not None}
    boxes = {}
    for t in tensors:
        name = names.get(id(t), "constant")
        head = f"{name} = {t.op.name}" if t.op else name
        if t.array.size > 1:
            head += f"  {t.shape}"
        lines = [head, f"value {brief(t.array)}"]
        if id(t) in grads:
            lines.append(f"grad {brief(grads[id(t)])}")
        boxes[id(t)] = Box(lines, _RESULT if t.op else _LEAF if t.requires_grad else _FIXED)
    arrows = [(id(x), id(t)) for t in tensors for x in t.inputs if isinstance(x, Tensor)]
    return Graph(boxes, arrows)


def _all(output: Tensor) -> list[Tensor]:
    """Every tensor that led to ``output``, constants too, inputs before outputs."""
    seen, todo = {id(output): output}, [output]
    while todo:
        for x in todo.pop().inputs:
            if isinstance(x, Tensor) and id(x) not in seen:
                seen[id(x)] = x
                todo.append(x)
    return sorted(seen.values(), key=lambda t: t.order)


def _by_graphviz(boxes: dict[int, Box], arrows: list[tuple[int, int]]) -> str:
    """The picture that Graphviz makes; empty if its command ``dot`` is not there."""
    dot = shutil.which("dot")
    if dot is None:
        return ""
    number = {key: i for i, key in enumerate(boxes)}
    quoted = [
        f'n{number[key]} [fillcolor="{box.color}", label="'
        + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in box.lines)
        + '"]'
        for key, box in boxes.items()
    ]
    style = 'node [shape=box, style="rounded,filled", fontname=Helvetica, fontsize=11]'
    edges = [f"n{number[a]} -> n{number[b]}" for a, b in arrows]
    source = "\n".join(["digraph {", style, *quoted, *edges, "}"])
    done = subprocess.run([dot, "-Tsvg"], input=source, capture_output=True, text=True, timeout=60)
    return done.stdout[done.stdout.index("<svg") :] if done.returncode == 0 else ""


# --------------------------------------------------------------------------- the layout built in


def _by_layers(boxes: dict[int, Box], arrows: list[tuple[int, int]]) -> str:
    """Boxes in rows, each just above its first use; in a row, near to what they are joined to.

    An arrow that passes rows gets an invisible point in each, so that it finds a way between the
    boxes (Sugiyama, Tagawa and Toda 1981).
    """
    distance = dict.fromkeys(boxes, 0)  # to the output, by the longest way
    order = {key: i for i, key in enumerate(boxes)}
    for a, b in sorted(arrows, key=lambda arrow: -order[arrow[1]]):
        distance[a] = max(distance[a], distance[b] + 1)
    last = max(distance.values())
    level: dict[Any, int] = {key: last - d for key, d in distance.items()}
    paths: list[list[Any]] = []
    for k, (a, b) in enumerate(arrows):
        points = [(k, row) for row in range(level[a] + 1, level[b])]
        level.update({point: point[1] for point in points})
        paths.append([a, *points, b])
    rows: list[list[Any]] = [[] for _ in range(last + 1)]
    for key, row in level.items():
        rows[row].append(key)
    x = _positions(rows, paths, boxes)
    return _drawing(boxes, paths, x, level)


def _positions(
    rows: list[list[Any]], paths: list[list[Any]], boxes: dict[int, Box]
) -> dict[Any, float]:
    """The middle of each box and point: again and again the mean of its neighbours' middles."""
    near: dict[Any, list[Any]] = {key: [] for row in rows for key in row}
    for path in paths:
        for a, b in pairwise(path):
            near[a].append(b)
            near[b].append(a)
    wide = {key: (_width(boxes[key]) if key in boxes else 10) + GAP_X for key in near}
    x = {key: float(i * WIDTH) for row in rows for i, key in enumerate(row)}
    for sweep in range(24):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wish = {k: sum(x[n] for n in near[k]) / len(near[k]) if near[k] else x[k] for k in row}
            row.sort(key=wish.__getitem__)
            x.update(_apart([wish[k] for k in row], row, wide))
    return x


def _apart(wishes: list[float], row: list[Any], wide: dict[Any, float]) -> dict[Any, float]:
    """The wished positions, moved apart so that nothing overlaps, by as little as possible."""
    groups: list[list[float]] = []  # sum of wished starts, count: members keep their distances
    offset, offsets = 0.0, []
    for before, key in zip([None, *row], row, strict=False):
        offset += (wide[before] + wide[key]) / 2 if before is not None else 0.0
        offsets.append(offset)
    for wish, at in zip(wishes, offsets, strict=True):
        groups.append([wish - at, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, count = groups.pop()
            groups[-1] = [groups[-1][0] + total, groups[-1][1] + count]
    starts = [total / count for total, count in groups for _ in range(int(count))]
    return {key: start + at for key, start, at in zip(row, starts, offsets, strict=True)}


def _width(box: Box) -> float:
    return max(90.0, 6.3 * max(map(len, box.lines)) + 20)


def _drawing(
    boxes: dict[int, Box], paths: list[list[Any]], x: dict[Any, float], level: dict[Any, int]
) -> str:
    left = min(x[k] - _width(box) / 2 for k, box in boxes.items()) - 10
    right = max(x[k] + _width(box) / 2 for k, box in boxes.items()) + 10
    step = HEIGHT + GAP_Y
    height = (max(level.values()) + 1) * step - GAP_Y + 20

    def top(key: Any) -> float:
        return 10 + level[key] * step

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{right - left:.0f}' height='{height}' "
        f"viewBox='{left:.1f} 0 {right - left:.1f} {height}'>",
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        "markerHeight='7' orient='auto'><path d='M0 0 L8 4 L0 8 z' fill='#555'/></marker></defs>",
    ]
    for path in paths:
        line = f"M{x[path[0]]:.1f} {top(path[0]) + HEIGHT:.1f}"
        for a, b in pairwise(path):
            y0 = top(a) + (HEIGHT if a in boxes else HEIGHT / 2)
            y1 = top(b) + (0 if b in boxes else HEIGHT / 2)
            bend = (y1 - y0) / 2
            line += f" C{x[a]:.1f} {y0 + bend:.1f} {x[b]:.1f} {y1 - bend:.1f} {x[b]:.1f} {y1:.1f}"
        parts.append(f"<path d='{line}' fill='none' stroke='#555' marker-end='url(#tip)'/>")
    for key, box in boxes.items():
        wide = _width(box)
        parts.append(
            f"<rect x='{x[key] - wide / 2:.1f}' y='{top(key)}' width='{wide:.1f}' "
            f"height='{HEIGHT}' rx='7' fill='{box.color}' stroke='#777'/>"
        )
        first = top(key) + HEIGHT / 2 + 4 - 8.5 * (len(box.lines) - 1)
        for i, line in enumerate(box.lines):
            weight = "bold" if i == 0 else "normal"
            parts.append(
                f"<text x='{x[key]:.1f}' y='{first + 17 * i:.1f}' text-anchor='middle' {_FONT} "
                f"font-size='11' font-weight='{weight}'>{html.escape(line)}</text>"
            )
    return "\n".join([*parts, "</svg>"])
