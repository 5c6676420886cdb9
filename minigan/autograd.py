"""Recording what is computed, and walking back through it with the chain rule.

A differentiable function is a *value* and one *gradient rule* per input, joined by :func:`op`::

    @op(lambda g, y, x: g * y, latex=r"\\bar x = \\bar y \\odot y")
    def exp(x):
        return module_of(x).exp(x)

``g`` is the gradient of the final result with respect to the output ``y`` (the papers write
:math:`\\bar y`), ``x`` the input. Called on arrays, a function just computes. Called on tensors, it
computes and records itself. Rules are written with the same functions, so they too work on both:
the first derivative runs on bare arrays, and with ``create_graph=True`` the rules record
themselves, which gives second and higher derivatives of everything without another line.
"""

from __future__ import annotations

import functools
import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .array import Array, DeviceError, array_types, device_of, float32, is_array, module_of, np
from .tensor import Op, Tensor, next_order

_recording = True
_READY = {int, float, bool, np.ndarray}  # operands to take as they are
_new = Tensor.__new__


# ---------------------------------------------------------------------------- recording functions


def op(
    *rules: Callable[..., Any] | None, latex: str, joint: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Array]], Callable[..., Any]]:
    """Make a function of arrays differentiable by giving one gradient rule per input.

    Parameters
    ----------
    rules : callables ``rule(g, y, *inputs, **settings)``, or None
        ``rules[i]`` gives the gradient with respect to input i, in the input's shape or in one
        that broadcasting made of it. None: the input has no gradient. If there are more inputs
        than rules, the last one serves for the rest and is told the input's number as ``i=``.
    latex : str
        The rules as a formula, with a bar for "gradient with respect to".
    joint : callable ``joint(g, y, *inputs, wanted, **settings)``
        Instead of rules, where they would share most of their work: gives a tuple of gradients, one
        per input; those for which ``wanted`` is False may be None.

    The decorated function takes its inputs (arrays, tensors, Python numbers) by position and its
    settings (``dim``, ``stride`` …) by keyword.
    """

    def decorate(forward: Callable[..., Array]) -> Callable[..., Any]:
        record = Op(forward.__name__.strip("_"), forward, rules, latex, joint)
        if joint is not None:
            record.rules = _parts(joint, forward)

        @functools.wraps(forward)
        def function(*inputs: Any, **settings: Any) -> Any:
            for x in inputs:
                if isinstance(x, Tensor):
                    break
            else:
                return forward(*inputs, **settings)
            arrays, required = [], False
            for x in inputs:
                if isinstance(x, Tensor):
                    arrays.append(x.array)
                    if x.requires_grad:
                        required = True
                elif type(x) in _READY:
                    arrays.append(x)
                else:
                    arrays.append(_constant(x))
                    if arrays[-1] is not x:  # the rules, too, see a plain number
                        k = len(arrays) - 1
                        inputs = (*inputs[:k], arrays[k], *inputs[k + 1 :])
            try:  # passing on an empty ** would take a tenth of the time
                data = record.forward(*arrays, **settings) if settings else record.forward(*arrays)
            except (ValueError, TypeError) as error:
                raise _explained(error, record, arrays) from None
            floating = True
            if type(data) not in array_types or data.dtype is not float32:
                data = _settled(data, record, arrays)
                floating = data.dtype.kind == "f"
            out = _new(Tensor)
            out.array = data
            out.grad = out.grad_home = out.memory = None
            out.order = next_order()
            if required and floating and _recording:
                out.requires_grad = True
                out.op, out.inputs, out.settings = record, inputs, settings
            else:
                out.requires_grad = False
                out.op, out.inputs, out.settings = None, (), {}
            return out

        function.op = record  # type: ignore[attr-defined]
        return function

    return decorate


def _parts(joint: Callable[..., Any], forward: Callable[..., Array]) -> tuple[Any, ...]:
    """A joint rule as one rule per input, for those who ask for one."""
    kinds = [p.kind for p in inspect.signature(forward).parameters.values()]

    def part(i: int, g: Any, y: Any, *inputs: Any, **settings: Any) -> Any:
        wanted = tuple(j == i for j in range(len(inputs)))
        return joint(g, y, *inputs, wanted=wanted, **settings)[i]

    count = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(functools.partial(part, i) for i in range(count))


def _settled(data: Any, record: Op, arrays: Sequence[Any]) -> Array:
    """A function's value as an array, in the dtype that its operands give."""
    data = module_of(data).asarray(data)  # NumPy gives scalars where no axis is left
    if data.dtype.kind == "f" and data.dtype != float32 and record.name != "cast":
        floats = [a.dtype for a in arrays if is_array(a) and a.dtype.kind == "f"]
        # integers never widen floats, and alone they give the default; only a cast may widen
        if data.dtype not in floats:
            data = data.astype(np.result_type(*floats) if floats else float32)
    return data


def _constant(x: Any) -> Any:
    """An operand that is not a tensor: Python numbers stay raw so that float32 stays float32."""
    if isinstance(x, (np.generic,)):
        return x.item()
    if isinstance(x, (bool, int, float)) or is_array(x):
        return x
    raise TypeError(f"expected a tensor, an array or a number, got {type(x).__name__}: {x!r}")


def _explained(error: Exception, record: Op, arrays: Sequence[Any]) -> Exception:
    """The error with the operation and its operands' shapes, or devices if those differ."""
    operands = [a for a in arrays if is_array(a)]
    devices = sorted({device_of(a) for a in operands})
    if len(devices) > 1:
        return DeviceError(
            f"{record.name}: operands on {' and '.join(devices)}; "
            "bring them together with tensor.to(device)"
        )
    shapes = " and ".join(str(a.shape) for a in operands)
    kind = TypeError if isinstance(error, TypeError) else type(error)  # not NumPy's subclasses
    return kind(f"{record.name} of {shapes}: {error}")


class _Recording:
    """A context manager, and a decorator, that switches recording on or off."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.before: list[bool] = []

    def __enter__(self) -> None:
        global _recording
        self.before.append(_recording)
        _recording = self.on

    def __exit__(self, *exception: object) -> None:
        global _recording
        _recording = self.before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with _Recording(self.on):
                return function(*args, **kwargs)

        return wrapped


def no_grad() -> _Recording:
    """Compute without recording, in a ``with`` block or as a decorator."""
    return _Recording(False)


def enable_grad() -> _Recording:
    """Record again inside a ``no_grad`` block."""
    return _Recording(True)


def is_grad_enabled() -> bool:
    """Whether functions of tensors record themselves now."""
    return _recording


# ------------------------------------------------------------------------------------ walking back


# called by backward() with its outputs and the leaves that received a gradient (check.routes)
listeners: list[Callable[[list[Tensor], list[Tensor]], None]] = []


def backward(
    tensor: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
) -> None:
    """Add the gradient of ``tensor`` to ``.grad`` of every leaf that requires it.

    Parameters
    ----------
    gradient : Tensor, same shape, optional
        The gradient of the final result with respect to ``tensor``; 1 for a scalar.
    retain_graph : ignored
        The graph lives as long as its result does, so a second call is always right.
    create_graph : bool
        Record the gradients too, so that they can be differentiated again.
    """
    graph = ancestors([tensor])
    leaves = [t for t in graph if t.op is None]
    if not leaves:
        raise RuntimeError("backward() on a tensor that does not depend on any requires_grad")
    cotangents = starting_gradients([tensor], [gradient])
    found = walk_back([tensor], cotangents, leaves, create_graph, graph=graph)
    for leaf, g in zip(leaves, found, strict=True):
        if g is not None:
            _accumulate(leaf, g)
    for hear in listeners:
        hear([tensor], [leaf for leaf, g in zip(leaves, found, strict=True) if g is not None])


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, leaving every ``.grad`` alone.

    Parameters
    ----------
    outputs, inputs : Tensor or sequence of Tensors
        ``inputs`` may be any tensors of the graph, not only leaves.
    grad_outputs : Tensor or sequence, optional
        One cotangent per output, in its shape; 1 for scalars.
    retain_graph : ignored
        The graph lives as long as its result does.
    create_graph : bool
        Record the gradients, so that they can be differentiated again.
    allow_unused : bool
        Give None for an input that no output depends on, instead of an error.

    Returns
    -------
    tuple of Tensor
        One gradient per input, in its shape and dtype.
    """
    outs, ins = _as_list(outputs), _as_list(inputs)
    for x in ins:
        if not x.requires_grad:
            raise RuntimeError("grad(): an input does not require grad; make it with requires_grad")
    given = [None] * len(outs) if grad_outputs is None else _as_list(grad_outputs)
    if len(given) != len(outs):
        raise ValueError(f"expected {len(outs)} grad_outputs, one per output, got {len(given)}")
    found = walk_back(outs, starting_gradients(outs, given), ins, create_graph)
    if not allow_unused and any(g is None for g in found):
        raise RuntimeError(
            f"grad(): input {[g is None for g in found].index(True)} was not used to compute the "
            "outputs; pass allow_unused=True to get None for it"
        )
    return tuple(g if g is None or isinstance(g, Tensor) else Tensor(g) for g in found)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def starting_gradients(outputs: Iterable[Tensor], given: Iterable[Any]) -> list[Tensor]:
    """The gradient to start from at each output, checked."""
    result = []
    for out, g in zip(outputs, given, strict=True):
        if g is None:
            if out.array.size != 1:
                raise RuntimeError(
                    f"a gradient is started at a scalar, but the output has shape {out.shape}: "
                    "reduce it with .sum() or .mean(), or give its own gradient"
                )
            g = Tensor(module_of(out.array).ones_like(out.array))
        g = g if isinstance(g, Tensor) else Tensor(g)
        if g.shape != out.shape:
            raise ValueError(f"expected a gradient of shape {out.shape}, got {g.shape}")
        result.append(g if g.dtype == out.dtype else cast(g, dtype=out.dtype))
    return result


def ancestors(outputs: Iterable[Tensor]) -> list[Tensor]:
    """Every tensor that requires grad and leads to ``outputs``, inputs before outputs."""
    todo = [t for t in outputs if t.requires_grad]
    seen = {id(t): t for t in todo}
    while todo:
        t = todo.pop()
        for x in t.inputs:
            if isinstance(x, Tensor) and x.requires_grad:
                if x.order > t.order:  # it became another function's result since
                    raise _changed(x)
                if id(x) not in seen:
                    seen[id(x)] = x
                    todo.append(x)
    return sorted(seen.values(), key=operator.attrgetter("order"))


def walk_back(
    outputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    wanted: Sequence[Tensor],
    create_graph: bool,
    watch: Callable[[Tensor, int, Any, Any], None] | None = None,
    graph: list[Tensor] | None = None,
) -> list[Any]:
    """The chain rule: one gradient (or None) per wanted tensor, as arrays, or recorded tensors.

    ``watch(t, i, g, gx)`` is told of each rule's use: t's gradient g gave gx to its input i.
    ``graph`` is ``ancestors(outputs)``, if that is known already.
    """
    graph = ancestors(outputs) if graph is None else graph
    kept = {id(t) for t in wanted}
    needed = set(kept)  # no work for gradients that nobody asked for
    for t in graph:
        for x in t.inputs:
            if id(x) in needed:
                needed.add(id(t))
                break

    grads: dict[int, Any] = {}  # local to this pass
    for out, g in zip(outputs, cotangents, strict=True):
        _add(grads, id(out), g if create_graph else g.array)

    with _Recording(create_graph):
        for t in reversed(graph):
            record, key = t.op, id(t)
            if record is None or key not in needed or key not in grads:
                continue
            g = grads[key] if key in kept else grads.pop(key)
            if create_graph:
                y, inputs = t, t.inputs
            else:
                y = t.array
                inputs = tuple(x.array if isinstance(x, Tensor) else x for x in t.inputs)
            if record.joint is not None:
                wanted_of = tuple(id(x) in needed for x in t.inputs)
                together = record.joint(g, y, *inputs, wanted=wanted_of, **t.settings)
            last = len(record.rules) - 1
            for i, x in enumerate(t.inputs):
                if not isinstance(x, Tensor):
                    continue
                if x.memory is not None and x.memory.changed > t.order:
                    raise _changed(x)
                if id(x) not in needed or (rule := record.rules[min(i, last)]) is None:
                    continue
                if record.joint is not None:
                    gx = together[i]
                elif len(inputs) > last + 1:
                    gx = rule(g, y, *inputs, i=i, **t.settings)
                else:
                    gx = rule(g, y, *inputs, **t.settings)
                if gx.shape != x.array.shape or gx.dtype != x.array.dtype:
                    gx = _fit(gx, x, record)
                if watch is not None:
                    watch(t, i, g, gx)
                _add(grads, id(x), gx)
    return [grads.get(id(t)) for t in wanted]


def _changed(x: Tensor) -> Exception:
    """Rules read the inputs' data: a weight that was updated since would give a wrong gradient."""
    return RuntimeError(
        f"a tensor of shape {x.shape} was changed in place, by optimizer.step() or -=, "
        "after it had been used: call backward() before that, or compute the loss anew"
    )


def _add(grads: dict[int, Any], key: int, g: Any) -> None:
    grads[key] = grads[key] + g if key in grads else g


def _fit(g: Any, x: Tensor, record: Op) -> Any:
    """Sum ``g`` over the axes that broadcasting added to ``x``, and give it x's dtype.

    The one place where broadcasting is undone. A gradient that ``x`` could not have been
    broadcast to is a wrong rule, which summing must not hide.
    """
    if g.shape != x.shape:
        try:
            fits = np.broadcast_shapes(g.shape, x.shape) == g.shape
        except ValueError:
            fits = False
        if not fits:
            raise AssertionError(f"rule of {record.name}: shape {g.shape} for input {x.shape}")
        g = sum_to(g, shape=x.shape)
    return g if g.dtype == x.dtype else cast(g, dtype=x.dtype)


def _accumulate(leaf: Tensor, g: Any) -> None:
    """Add ``g`` to ``leaf.grad``, in the optimiser's buffer if one reserved a place for it."""
    if isinstance(g, Tensor):  # create_graph: the sum must stay differentiable
        leaf.grad = g * 1 if leaf.grad is None else leaf.grad + g  # a copy, see below
    elif leaf.grad is not None:
        if leaf.grad.array is leaf.grad_home:
            leaf.grad_home += g
        else:
            leaf.grad = Tensor(leaf.grad.array + g)
    elif leaf.grad_home is not None:
        leaf.grad_home[...] = g
        leaf.grad = Tensor(leaf.grad_home)
    else:
        leaf.grad = Tensor(module_of(g).array(g))  # a copy: g may be shared with another leaf


# --------------------------------------------------- the three functions that the walk itself needs


@op(lambda g, y, x, shape: expand(g, shape=x.shape), latex=r"\bar x = \mathrm{expand}(\bar y)")
def sum_to(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` summed over the axes in which ``shape`` is 1 or absent: undoes broadcasting."""
    extra = x.ndim - len(shape)
    axes = tuple(i for i in range(x.ndim) if i < extra or shape[i - extra] != x.shape[i])
    return x.sum(axis=axes, keepdims=True).reshape(shape)


@op(lambda g, y, x, shape: sum_to(g, shape=x.shape), latex=r"\bar x = \mathrm{sum}(\bar y)")
def expand(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` broadcast to ``shape`` without a copy."""
    return module_of(x).broadcast_to(x, shape)


@op(lambda g, y, x, dtype: cast(g, dtype=x.dtype), latex=r"\bar x = \bar y")
def cast(x: Array, dtype: Any) -> Array:
    """``x`` with another dtype."""
    return x.astype(dtype, copy=False)


Tensor.backward = backward  # type: ignore[attr-defined]
