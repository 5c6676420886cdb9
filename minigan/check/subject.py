"""The function under examination, as a function of float64 arrays, and what makes it unfit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .. import random
from ..array import asarray, float64, np, to_host
from ..graph import ancestors
from ..tensor import Tensor


class CheckError(ValueError):
    """The function, or the point at which to check it, does not allow a meaningful check."""


class Subject:
    """``f(*inputs)``, whose inputs and other tensors can be moved and are always put back.

    Parameters
    ----------
    f : callable
        Takes Tensors, returns a Tensor or a tuple of Tensors.
    inputs : sequence of float64 arrays, Tensors or floats
    wrt : optional
        What to differentiate in; default, all inputs. Positions among ``inputs``; or tensors that
        f reads: a list, a dict of them with names, or a Module (its parameters; its buffers, such
        as running statistics, are put back after each call). The other inputs are constants, which
        may have any type.
    """

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], wrt: Any = None) -> None:
        if not callable(f):
            raise TypeError(f"expected a function to check, got {type(f).__name__}")
        self.f, self.inputs = f, list(inputs)
        self._buffers = list(wrt.buffers()) if hasattr(wrt, "buffers") else []
        self.names: list[str] = []
        self._places: list[int | Tensor] = []  # an input's position, or a tensor that f reads
        for name, place in self._variables(wrt):
            self.names.append(name)
            self._places.append(place)
        if not self._places:
            raise CheckError("there is nothing to differentiate in: give inputs, or wrt=")
        given = [self.inputs[p] if isinstance(p, int) else p for p in self._places]
        self.arrays = [as_float64(v, n) for v, n in zip(given, self.names, strict=True)]
        self._devices = [v.device if isinstance(v, Tensor) else None for v in given]
        for position in (p for p in self._places if isinstance(p, int)):
            self.inputs[position] = None  # filled in by at()

    def _variables(self, wrt: Any) -> Iterator[tuple[str, int | Tensor]]:
        if wrt is None:
            wrt = range(len(self.inputs))
        elif hasattr(wrt, "named_parameters"):
            wrt = dict(wrt.named_parameters())
        elif isinstance(wrt, (int, Tensor)):
            wrt = [wrt]
        named = wrt.items() if isinstance(wrt, Mapping) else ((None, v) for v in wrt)
        for number, (name, v) in enumerate(named):
            position = v if isinstance(v, int) else self._position(v)
            if position is not None:
                if not 0 <= position < len(self.inputs):
                    raise CheckError(f"wrt names input {position} of {len(self.inputs)}")
                yield name or f"input {position}", position
            elif isinstance(v, Tensor):
                yield name or f"tensor {number}", v
            else:
                raise TypeError(f"wrt holds tensors or positions of inputs, got {v!r}")

    def _position(self, v: Any) -> int | None:
        return next((i for i, x in enumerate(self.inputs) if x is v), None)

    # ------------------------------------------------------------------------------- calling it

    @contextmanager
    def at(self, arrays: Sequence[Any]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """f's outputs, and the tensors to differentiate in, with the values ``arrays``.

        Gradients are taken inside of the ``with`` block: at its end everything is put back.
        """
        inputs, variables = list(self.inputs), []
        places = list(zip(self._places, arrays, self._devices, strict=True))
        saved = [(t, t.array, t.requires_grad) for t in self._places if isinstance(t, Tensor)]
        saved += [(t, t.array.copy(), t.requires_grad) for t in self._buffers]
        try:
            for place, array, device in places:
                data = asarray(np.array(array), device=device or "cpu")
                tensor = Tensor(data) if isinstance(place, int) else place
                tensor.array, tensor.requires_grad = data, data.dtype.kind == "f"
                variables.append(tensor)
                if isinstance(place, int):
                    inputs[place] = tensor
            yield _tensors(self.f(*inputs)), variables
        finally:
            for tensor, data, requires_grad in saved:
                tensor.array, tensor.requires_grad = data, requires_grad

    def value(self, *arrays: np.ndarray) -> np.ndarray:
        """All outputs as one vector."""
        with self.at(arrays) as (outputs, _):
            return np.concatenate([to_host(y.array).reshape(-1) for y in outputs])

    # --------------------------------------------------------------------------- is it fit for it?

    def examine(self) -> list[tuple[int, ...]]:
        """The shapes of the outputs, once it is clear that f can be checked."""
        before = random.random_state()
        with self.at(self.arrays) as (outputs, _):
            if not any(y.requires_grad for y in outputs):
                raise CheckError(
                    "f is not differentiable here: its result does not depend on what is "
                    "differentiated in, or the path was cut by .detach(), .array, .numpy(), "
                    "no_grad() or an integer"
                )
            for number, y in enumerate(outputs):
                if y.dtype != float64:
                    raise CheckError(
                        f"output {number} of f is {y.dtype} though its inputs are float64: "
                        "something in it casts, or reads float32 constants or parameters"
                    )
            shapes = [y.shape for y in outputs]
        first = self.value(*self.arrays)
        if not np.isfinite(first).all():
            raise CheckError("f gives NaN or infinity here: move the inputs into its domain")
        middle = random.random_state()
        self._compare(first, self.value(*self.arrays), draws=before != middle)
        return shapes

    def _compare(self, first: np.ndarray, second: np.ndarray, draws: bool) -> None:
        apart = float(np.abs(first - second).max(initial=0.0))
        if apart <= 1e-13 * float(np.abs(first).max(initial=0.0)):
            return
        cause = (
            "it draws random numbers (dropout? call module.eval(), or mg.manual_seed(0) inside f)"
            if draws
            else "does it change something it reads (running statistics? pass wrt=module, whose "
            "buffers are put back), or use random numbers of its own?"
        )
        raise CheckError(
            f"f is not deterministic: called twice, its values differ by {apart:.3g}; {cause}"
        )

    def changed_in_place(self) -> list[str]:
        """What f, or a gradient rule, overwrote although a gradient may still need it."""
        with self.at(self.arrays) as (outputs, variables):
            from_start = zip(variables, self.arrays, self.names, strict=True)
            found = [name for x, a, name in from_start if not _same(x.array, a)]
            # rules read inputs and outputs as they were: they must be what computing anew gives
            for y in graph(outputs):
                operands = [x.array if isinstance(x, Tensor) else x for x in y.inputs]
                if not found and not _same(y.array, y.op.value(*operands, **y.settings)):
                    found.append(f"the result of {y.op.name}, shape {y.shape}")
            return found


def graph(outputs: Sequence[Tensor]) -> list[Any]:
    """Every recorded tensor that leads to ``outputs``, inputs before outputs."""
    return [t for t in ancestors(outputs) if t.op is not None]


def _same(a: Any, b: Any) -> bool:
    a, b = (np.asarray(to_host(v)) for v in (a, b))
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-10, atol=1e-300, equal_nan=True)


def _tensors(result: Any) -> list[Tensor]:
    """The floating-point tensors of a result; indices and the like have no gradient."""
    many = list(result) if isinstance(result, (tuple, list)) else [result]
    for y in many:
        if not isinstance(y, Tensor):
            raise CheckError(
                f"f must return a Tensor or a tuple of Tensors, got {type(y).__name__}: "
                "write it with minigan's functions, and end with neither .numpy() nor .item()"
            )
    return [y for y in many if y.dtype.kind in "fc"] or many


def as_float64(value: Any, name: str) -> np.ndarray:
    """``value`` as a copy on the host, if it can be differentiated in."""
    if isinstance(value, float) and not isinstance(value, np.generic):
        value = np.float64(value)
    array = np.array(to_host(value.array if isinstance(value, Tensor) else value))
    if array.dtype == "float32" or array.dtype == "float16":
        raise CheckError(
            f"{name} is {array.dtype}, whose 7 digits or fewer can not tell a wrong gradient from "
            "rounding: use float64, e.g. x.astype('float64'), tensor.double(), module.double()"
        )
    if array.dtype != float64:
        raise CheckError(
            f"{name} is {array.dtype}, and only float64 has derivatives: "
            "convert it, or leave it out of wrt= to keep it constant"
        )
    if not np.isfinite(array).all():
        where = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise CheckError(f"{name} holds {array[where]} at index {list(where)}")
    return array
