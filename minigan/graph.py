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

A :func:`composite` is an ordinary function of such functions. Its derivatives are those of its
body, unless a twin (:mod:`minigan.seam`) computes its value and first derivative in one piece.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .array import Array, array_types, float32, np
from .mode import is_recording, recording
from .operands import accepted, changed, explained, fitted, settled, shares
from .seam import DEFINITIONS
from .tensor import Op, Tensor, fill, new

_READY = {int, float, bool, np.ndarray}  # operands to take as they are


# ---------------------------------------------------------------------------- recording functions


def op(
    *rules: Callable[..., Any] | None,
    latex: str,
    prepare: Callable[..., Any] | None = None,
    **about: Any,
) -> Callable[[Callable[..., Array]], Callable[..., Any]]:
    """Make a function of arrays differentiable by giving one gradient rule per input.

    Parameters
    ----------
    rules : callables ``rule(g, y, *inputs, **settings)``, or None
        ``rules[i]`` gives the gradient with respect to input i, in the input's shape or in one
        that broadcasting made of it. None: the input has no gradient. If there are more inputs
        than rules, the last one counts for the rest and is told the input's number as ``i=``.
    latex : str
        The rules as a formula, with a bar for "gradient with respect to".
    prepare : callable, optional
        Takes what the public function takes, checks it, and gives the inputs and the settings.
    about : fields of :class:`~minigan.tensor.Op`
        What else is known of the function: ``infix="+"``, ``view=True`` …

    The decorated function takes its inputs (arrays, tensors, Python numbers) by position and its
    settings (``dim``, ``stride`` …) by keyword.
    """

    def decorate(forward: Callable[..., Array]) -> Callable[..., Any]:
        record = Op(forward.__name__.strip("_"), forward, rules, latex, **about)
        DEFINITIONS.append(record)

        def function(*inputs: Any, **settings: Any) -> Any:
            for x in inputs:
                if isinstance(x, Tensor):
                    return apply(record, inputs, settings)
            return (record.value if record.composite else record.forward)(*inputs, **settings)

        def prepared(*args: Any, **kwargs: Any) -> Any:
            inputs, settings = prepare(*args, **kwargs)  # type: ignore[misc]
            return function(*inputs, **settings)

        public = functools.wraps(forward)(function if prepare is None else prepared)
        if prepare is not None:
            public.__wrapped__ = prepare  # its signature
        public.op = record  # type: ignore[attr-defined]
        return public

    return decorate


def composite(**about: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let twins compute a function of differentiable functions in one piece.

    Its twins give the value and its *pullback*: ``pullback(g, wanted)`` is the gradient of every
    input (None for those that ``wanted`` says False to) from the gradient of the value. Without a
    twin, and wherever derivatives are recorded, the body itself runs. ``about`` as in :func:`op`.
    """
    return op(composite=True, **about)


def apply(record: Op, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Compute a function of tensors, and record it if one of them requires grad."""
    arrays, required = [], False
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x.array)
            if x.requires_grad:
                required = True
        elif type(x) in _READY:
            arrays.append(x)
        else:
            k = len(arrays)
            arrays.append(accepted(x))  # the rules, too, see a plain number
            inputs = (*inputs[:k], arrays[k], *inputs[k + 1 :])
    pullback = None
    try:  # passing on an empty ** would take a tenth of the time
        y = record.forward(*arrays, **settings) if settings else record.forward(*arrays)
    except (ValueError, TypeError) as error:
        raise explained(error, record, arrays) from None
    if record.composite:
        if y is NotImplemented:
            return record.definition(*inputs, **settings)
        y, pullback = y
    if type(y) not in array_types or y.dtype is not float32:
        y = settled(y, record, arrays)
        required = required and y.dtype.kind == "f"
    if required and is_recording.get():
        out = fill(new(Tensor), y, record, inputs, settings, pullback)
    else:
        out = fill(new(Tensor), y)
    if record.view and shares(y, arrays[0]):  # who changes one changes the other
        out.memory = inputs[0].shared_memory()
    return out


# ------------------------------------------------------------------------------------ walking back


def ancestors(outputs: Iterable[Tensor], oldest: int = 0) -> list[Tensor]:
    """Every tensor that requires grad and leads to ``outputs``, inputs before outputs.

    Those that are older than ``oldest`` are left out.
    """
    todo = [t for t in outputs if t.requires_grad]
    seen = {id(t): t for t in todo}
    while todo:
        t = todo.pop()
        for x in t.inputs:
            if isinstance(x, Tensor) and x.requires_grad and x.order >= oldest:
                if x.order > t.order:  # it became another function's result since
                    raise changed(x)
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
    if graph is None:  # inputs are older: what is older than all that are wanted leads to none
        graph = ancestors(outputs, min((t.order for t in wanted), default=0))
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

    with recording(create_graph):
        for t in reversed(graph):
            record, key = t.op, id(t)
            if record is None or key not in needed or key not in grads:
                continue
            g = grads[key] if key in kept else grads.pop(key)
            y: Any = t
            rules: Any = record.rules
            inputs = t.inputs
            if not create_graph:
                y, rules = t.array, record.backward
                inputs = tuple([x.array if isinstance(x, Tensor) else x for x in inputs])
            if record.composite:
                rules = _of_composite(t, g, [id(x) in needed for x in t.inputs], create_graph)
            last = len(rules) - 1
            for i, x in enumerate(t.inputs):
                if not isinstance(x, Tensor):
                    continue
                if x.memory is not None and x.memory.changed > t.order:
                    raise changed(x)
                if id(x) not in needed or (rule := rules[i if i < last else last]) is None:
                    continue
                if len(inputs) <= last + 1:
                    gx = rule(g, y, *inputs, **t.settings)
                else:  # the last rule counts for all others, and is told which it is
                    gx = rule(g, y, *inputs, i=i, **t.settings)
                if gx.shape != x.array.shape or gx.dtype != x.array.dtype:
                    gx = fitted(gx, x, record)
                if watch is not None:
                    watch(t, i, g, gx)
                _add(grads, id(x), gx)
    return [grads.get(id(t)) for t in wanted]


def _of_composite(t: Tensor, g: Any, wanted: list[bool], create_graph: bool) -> list[Any]:
    """The gradients of a composite's inputs, found together, as rules that just give them."""
    found = through_body(t, g, wanted) if create_graph else t.pullback(g, wanted)  # type: ignore[misc]
    return [gx if gx is None else lambda *_, gx=gx, **__: gx for gx in found]


def through_body(t: Tensor, g: Any, wanted: Sequence[bool]) -> tuple[Any, ...]:
    """The gradients of a composite's inputs, by differentiating its body."""
    with recording(True):
        # other names for the inputs: the gradient stops at them, whatever they depend on
        inputs = [x.view(x.shape) if isinstance(x, Tensor) else x for x in t.inputs]
        y = t.op.definition(*inputs, **t.settings)  # type: ignore[union-attr]
    asked = [x for x, w in zip(inputs, wanted, strict=True) if w]
    found = iter(walk_back([y], [g], asked, create_graph=True))
    return tuple(next(found) if w else None for w in wanted)


def _add(grads: dict[int, Any], key: int, g: Any) -> None:
    grads[key] = grads[key] + g if key in grads else g
