"""A table of a network's layers: what comes out of each, and how many parameters it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import ops, random
from ..autograd import no_grad
from ..nn import Module


class Row(NamedTuple):
    """One module: the shape of its output, None if it did not run, and its own parameters."""

    path: str
    type: str
    output_shape: Any
    parameters: int


@dataclass(frozen=True)
class Summary:
    """What :func:`summary` finds; prints as a table."""

    rows: list[Row]
    total_parameters: int
    trainable_parameters: int
    parameter_bytes: int

    def __str__(self) -> str:
        lines = [("layer", "type", "output shape", "parameters")]
        for row in self.rows:
            shape = "not used" if row.output_shape is None else str(row.output_shape)
            count = f"{row.parameters:,}" if row.parameters else "-"
            lines.append((row.path, row.type, shape, count))
        widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
        table = [
            "  ".join([*map(str.ljust, cells[:3], widths), cells[3].rjust(widths[3])])
            for cells in lines
        ]
        rule = "-" * len(table[0])
        frozen = self.total_parameters - self.trainable_parameters
        total = f"{self.total_parameters:,} parameters, {_size(self.parameter_bytes)}"
        if frozen:
            total += f"; {frozen:,} of them frozen"
        return "\n".join([table[0], rule, *table[1:], rule, total])

    __repr__ = __str__


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def _shape(output: Any) -> Any:
    """The shape of a tensor, the shapes of several, nested as they are, or the name of the type."""
    if isinstance(output, (tuple, list)):
        return tuple(_shape(o) for o in output)
    return getattr(output, "shape", type(output).__name__)


def summary(model: Module, input_shape: tuple[Any, ...], dtype: Any = None) -> Summary:
    """Run zeros through ``model`` once and list its layers; the model stays as it was.

    Parameters
    ----------
    model : Module
    input_shape : tuple of int, or tuple of such tuples for several inputs
        Without the batch axis: the batch has one example.
    dtype : optional
        Of the zeros: ``"int64"`` for an embedding. Otherwise that of the parameters, or float32.

    Returns
    -------
    Summary
        ``print`` it; ``.rows``, ``.total_parameters``, ``.trainable_parameters`` and
        ``.parameter_bytes`` hold the numbers. Shared parameters are counted once in the totals.
    """
    parameters = list(model.parameters())
    device = parameters[0].device if parameters else None
    dtype = dtype or (parameters[0].dtype if parameters else "float32")
    several = bool(input_shape) and isinstance(input_shape[0], (tuple, list))
    shapes = input_shape if several else (input_shape,)
    inputs = [ops.zeros((1, *shape), dtype=dtype, device=device) for shape in shapes]

    shapes_seen: dict[int, Any] = {}

    def note(module: Module, inputs: Any, output: Any) -> None:
        shapes_seen[id(module)] = _shape(output)

    modes = [(module, module.training) for module in model.modules()]
    random_state = random.random_state()
    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        with no_grad():
            model.eval()(*inputs)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode
        random.set_random_state(random_state)
    rows = [
        Row(path, type(module).__name__, shapes_seen.get(id(module)), _count(module))
        for path, module in model.named_modules()
    ]
    return Summary(
        rows,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.array.nbytes for p in parameters),
    )


def _count(module: Module) -> int:
    return sum(p.numel() for p in module.parameters(recurse=False))
