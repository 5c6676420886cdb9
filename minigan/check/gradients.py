"""``gradients(f, *inputs)``: is what autograd says of f true? To first, second or any order.

The gradient of the number :math:`\\langle c, f(x) \\rangle` is compared with differences of that
number, where c, the cotangent, is random. (Summing the output instead, c = 1, would call many wrong
gradients right: softmax sums to one, so its sum has gradient zero whatever the rule says.) Then the
gradient itself becomes the function: the gradient of :math:`\\langle v, \\nabla \\rangle`, recorded
with ``create_graph=True``, against differences of the plain first-order gradient; and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import autograd, random
from ..array import asarray, float64, np, quiet, to_host
from ..tensor import Tensor
from . import numeric
from .report import Block, Report, index_names
from .subject import CheckError, Subject

ELEMENTS = 1000  # up to so many elements in all, each is checked; beyond, random directions
OUTPUTS = 64  # up to so many output elements, each has its own row of the Jacobian checked


def gradients(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    wrt: Any = None,
    seed: int = 0,
    scale: str = "auto",
    directions: int = 2,
    atol: float = 0.0,
    rtol: float = 0.0,
    cotangents: Sequence[Any] | None = None,
) -> Report:
    """Compare the derivatives of ``f`` with numerical ones.

    Parameters
    ----------
    f : callable
        Takes Tensors, returns a Tensor or a tuple of Tensors. Called many times.
    inputs : float64 arrays, Tensors or floats
        Where to check. Never changed.
    order : int
        1 for gradients, 2 for gradients of gradients too (in the inputs and in the cotangent).
    wrt : Module, list or dict of Tensors, or positions of inputs; optional
        What to differentiate in, if not all the inputs: ``gradients(lambda: loss(D(x)), wrt=D)``.
        Inputs that are left out are constants of any dtype.
    seed : int
        Of the random cotangents and directions. The same seed checks the same numbers.
    scale : "auto", "elements" or "directions"
        Check every element, or ``directions`` random directions in each input. "auto" takes
        elements up to 1000 of them. With elements and at most 64 outputs, the whole Jacobian is
        checked too.
    atol, rtol : float
        Differences up to atol + rtol · |numeric| are accepted on top of the estimated error.
    cotangents : sequence of arrays, optional
        One per output, instead of random ones.

    Returns
    -------
    Report
        True if every derivative is right. Prints as a table of the worst elements. Derivatives
        that all lie below 1e-12 (for inputs of size 1) count as zero: scale such an f up.

    Raises
    ------
    CheckError
        If nothing can be said: inputs that are not float64 or not finite; f gives NaN, different
        values when called twice, or a result without a path to the inputs.
    """
    if order < 1:
        raise ValueError(f"order is 1 or more, got {order}")
    subject = Subject(f, inputs, wrt)
    return run(subject, range(1, order + 1), seed, scale, directions, atol, rtol, cotangents)


def run(
    subject: Subject,
    orders: Sequence[int],
    seed: int,
    scale: str,
    directions: int,
    atol: float,
    rtol: float,
    cotangents: Sequence[Any] | None,
) -> Report:
    if scale not in ("auto", "elements", "directions"):
        raise ValueError(f"scale is 'auto', 'elements' or 'directions', got {scale!r}")
    shapes = subject.examine()
    rng = random.default_rng(seed)
    weights = [rng.standard_normal(shape) for shape in shapes]
    if cotangents is not None:
        weights = _given(cotangents, shapes)
    if scale == "auto":
        few = sum(a.size for a in subject.arrays) <= ELEMENTS
        scale = "elements" if few else "directions"
    report = Report(scale, directions, subject.changed_in_place())
    function: Subject | Derivative = subject
    for order in range(1, max(orders) + 1):
        if order > 1:
            function = Derivative(function, weights, rng)
            weights = [rng.standard_normal(())]
        if order in orders:
            report.blocks += _blocks(
                function, order, weights, scale == "elements", directions, rng, atol, rtol
            )
        if not report.ok:
            break  # the derivative of a wrong gradient tells nothing new
    return report


def _given(cotangents: Sequence[Any], shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    arrays = [np.asarray(c.array if isinstance(c, Tensor) else c, float64) for c in cotangents]
    if [a.shape for a in arrays] != shapes:
        raise CheckError(
            f"expected one cotangent per output, of shapes {shapes}, "
            f"got {[a.shape for a in arrays]}"
        )
    return arrays


class Derivative:
    """The derivative of a subject along random directions: a number, again to be differentiated.

    Its variables are the subject's and the cotangents. It is recorded in :meth:`at`; in
    :meth:`value` it is the plain gradient, so that the two ways of walking back meet.
    """

    def __init__(self, subject: Any, cotangents: list[np.ndarray], rng: Any) -> None:
        self.subject = subject
        self.names = subject.names + [f"cotangent {i}" for i in range(len(cotangents))]
        self.arrays = subject.arrays + cotangents
        self.ways = [rng.standard_normal(a.shape) for a in subject.arrays]

    @contextmanager
    def at(
        self, arrays: Sequence[Any], create_graph: bool = True
    ) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        """The derivative as a recorded number, and the variables, with the values ``arrays``."""
        n = len(self.ways)
        with self.subject.at(arrays[:n]) as (outputs, xs):
            weights = [Tensor(a, requires_grad=True) for a in arrays[n:]]
            inner = _pairing(outputs, weights)
            grads = autograd.grad(inner, xs, create_graph=create_graph, allow_unused=True)
            yield [_pairing(grads, self.ways)], xs + weights

    def value(self, *arrays: np.ndarray) -> np.ndarray:
        """The derivative as a vector of one number."""
        with self.at(arrays, create_graph=False) as (outputs, _):
            return to_host(outputs[0].array).reshape(1)


def _pairing(tensors: Sequence[Tensor | None], weights: Sequence[Any]) -> Tensor:
    """The number Σ ⟨t, w⟩; a None among the tensors counts as zero."""
    total = Tensor(np.zeros(()))
    for t, w in zip(tensors, weights, strict=True):
        if t is not None:
            w = w if isinstance(w, Tensor) else Tensor(asarray(w, device=t.device))
            total = total.to(t.device) + (t * w).sum()
    return total


def _blocks(
    function: Any,
    order: int,
    weights: list[np.ndarray],
    elements: bool,
    directions: int,
    rng: Any,
    atol: float,
    rtol: float,
) -> list[Block]:
    """One block per variable of ``function``."""
    arrays = function.arrays
    c = np.concatenate([w.reshape(-1) for w in weights])
    whole = elements and c.size <= OUTPUTS  # then every output has its row of the Jacobian
    rows = [f"<c, {'y' if order == 1 else 'grad y'}>"]
    rows = (_output_names(weights) if whole and order == 1 else []) + rows
    units = list(np.eye(c.size)) if len(rows) > 1 else []
    analytic = _analytic(function, weights, [*units, c])

    def paired(*xs: np.ndarray) -> Any:
        return c @ function.value(*xs)

    size = float(np.linalg.norm(c * function.value(*arrays)))
    zero = 1e-12 * float(np.linalg.norm(c))
    blocks = []
    if elements:
        for i, (name, x) in enumerate(zip(function.names, arrays, strict=True)):
            if units:
                found = _with_cotangent(numeric.jacobian(function.value, arrays, i), c)
            else:
                found = numeric.gradient(paired, arrays, i)
            sizes = size / numeric.typical(x), zero / numeric.typical(x)
            columns = index_names(x.shape)
            blocks.append(
                Block.compare(order, name, analytic[i], found, rows, columns, *sizes, atol, rtol)
            )
        return blocks
    # to first order one variable moves at a time; beyond, where each value costs a walk back, all
    everything = list(range(len(arrays)))
    columns = [f"direction {k}" for k in range(directions)]
    for moving in [[i] for i in everything] if order == 1 else [everything]:
        ways = numeric.random_directions(arrays, moving, directions, rng)
        found = numeric.directional(paired, arrays, ways)
        exact = np.array([sum(np.vdot(analytic[i], way[i]) for i in moving) for way in ways])
        name = function.names[moving[0]] if len(moving) == 1 else "all variables together"
        blocks.append(
            Block.compare(order, name, exact, found, rows, columns, size, zero, atol, rtol)
        )
    return blocks


def _analytic(function: Any, weights: list[np.ndarray], cotangents: Any) -> list[np.ndarray]:
    """What autograd says: for each variable an array (cotangents, *shape)."""
    ends = np.cumsum([w.size for w in weights])[:-1]
    result = [np.zeros((len(cotangents), *a.shape)) for a in function.arrays]
    with function.at(function.arrays) as (outputs, variables):
        for k, cotangent in enumerate(cotangents):
            parts = np.split(cotangent, ends)
            shaped = [p.reshape(w.shape) for p, w in zip(parts, weights, strict=True)]
            grads = autograd.grad(_pairing(outputs, shaped), variables, allow_unused=True)
            for into, g in zip(result, grads, strict=True):
                if g is not None:
                    into[k] = to_host(g.array)
    return result


def _with_cotangent(jacobian: numeric.Estimate, c: np.ndarray) -> numeric.Estimate:
    """The Jacobian with one more row, c times it."""
    value, error, kink, method = jacobian
    with quiet():
        last: list[Any] = [
            np.tensordot(c, value, 1),
            np.tensordot(np.abs(c), error, 1),
            kink.any(axis=0),
        ]
    arrays = [np.concatenate([a, b[None]]) for a, b in zip((value, error, kink), last, strict=True)]
    return numeric.Estimate(arrays[0], arrays[1], arrays[2], method)


def _output_names(weights: list[np.ndarray]) -> list[str]:
    many = len(weights) > 1
    named = (index_names(w.shape, f"y{i}" if many else "y") for i, w in enumerate(weights))
    return [name for names in named for name in names]
