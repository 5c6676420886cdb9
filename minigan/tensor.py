"""Tensor: an array that remembers how it was computed. ``autograd`` fills and reads that memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .array import Array, asarray, default_device, device_of, module_of, np
from .seam import Definition
from .values import Values

_NO_SETTINGS: dict[str, Any] = {}
new = object.__new__
next_order = itertools.count().__next__  # inputs are older than outputs: that sorts every graph


@dataclass(slots=True, eq=False)
class Op(Definition):
    """What the graph knows of a function: its name, value, gradient rules, and their formula.

    Attributes
    ----------
    rules, backward : tuple of callables
        The gradient rules as they are defined, and as they run on arrays (see ``forward``).
    latex : str
        The rules as a formula.
    composite : bool
        Whether the definition is made of other differentiable functions, which give its gradient.
    infix : str
        How the operation is written between its operands, as in a + b.
    view : bool
        Whether the result may share memory with the first input.
    picks : bool
        Whether it reads no more elements than it gives.
    casts : bool
        Whether it chooses the dtype of the result itself.
    logarithm : bool
        Whether the result is a logarithm: its absolute error is what counts.
    """

    rules: tuple[Callable[..., Any] | None, ...]
    latex: str
    composite: bool = False
    infix: str = ""
    view: bool = False
    picks: bool = False
    casts: bool = False
    logarithm: bool = False
    backward: tuple[Callable[..., Any] | None, ...] = field(init=False)

    def settle(self) -> None:
        self.forward = self.asking(None, no_twin if self.composite else self.definition)
        self.backward = tuple([self.asking(i, rule) for i, rule in enumerate(self.rules)])

    def value(self, *arrays: Array, **settings: Any) -> Array:
        """The function's value on arrays."""
        y = self.forward(*arrays, **settings)
        if self.composite:
            return self.definition(*arrays, **settings) if y is NotImplemented else y[0]
        return y


def no_twin(*operands: Any, **settings: Any) -> Any:
    """What runs for a composite that no twin computes: nothing, its body has to."""
    return NotImplemented


@dataclass(slots=True, eq=False)
class Memory:
    """When values were last changed in place, on the clock of ``order``; views share one."""

    changed: int


class Tensor(Values):
    """An n-dimensional array with a memory of the operation that made it.

    Parameters
    ----------
    data : array, nested list or number
        Arrays keep their dtype and are not copied. Python floats become float32, integers int64.
    requires_grad : bool
        Whether ``backward()`` shall leave the gradient in ``.grad``. Floating dtypes only.

    Attributes
    ----------
    array : numpy.ndarray or cupy.ndarray
        The values as a raw array, outside the graph.
    data : Tensor
        The values as a detached tensor that shares memory: ``p.data.clamp_(-c, c)``.
    grad : Tensor or None
        The gradient that ``backward()`` added up; same shape and dtype as the tensor.
    op, inputs, settings
        How the tensor was computed: ``op.forward(*inputs, **settings)``; ``op`` is None for leaves.
    """

    __array_ufunc__ = None  # so that `array * tensor` asks the tensor

    array: Array
    grad: Tensor | None
    inputs: tuple[Any, ...]
    memory: Memory | None  # when the values were last changed; one for all who share them
    op: Op | None
    order: int
    pullback: Callable[..., Any] | None  # a composite's that a twin computed: g → those of inputs
    requires_grad: bool
    settings: dict[str, Any]
    __slots__ = ("__weakref__", *__annotations__)

    if TYPE_CHECKING:  # minigan.ops attaches the functions as methods and operators

        def __getattr__(self, name: str) -> Any: ...
        def __neg__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

        __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
        __pow__ = __matmul__ = __getitem__ = __lt__ = __le__ = __gt__ = __ge__ = __add__

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        fill(self, asarray(data.array if isinstance(data, Tensor) else data))
        self.requires_grad_(requires_grad)

    # ------------------------------------------------------------------------- what it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The type of the elements, e.g. ``float32``."""
        return self.array.dtype

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda:N"``."""
        return device_of(self.array)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it: parameters, inputs, detached tensors."""
        return self.op is None

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of a tensor without axes; .item() gives its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    # --------------------------------------------------------------------- leaving the graph

    def detach(self) -> Tensor:
        """The same values (shared memory) as a new leaf that gradients do not pass."""
        detached = Tensor(self.array)
        detached.memory = self.shared_memory()
        return detached

    @property
    def data(self) -> Tensor:
        """The same as :meth:`detach`; what is assigned to it replaces the values."""
        return self.detach()

    @data.setter
    def data(self, values: Any) -> None:
        self.array = asarray(values.array if isinstance(values, Tensor) else values)
        self.memory = None

    def shared_memory(self) -> Memory:
        """What tells all who share these values of changes in place."""
        if self.memory is None:
            self.memory = Memory(self.order)
        return self.memory

    def mark_changed(self) -> None:
        """The values were changed in place: graphs that read them must not be walked any more."""
        self.shared_memory().changed = next_order()

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.op is not None:
            raise RuntimeError("only leaf tensors can be deep-copied: use tensor.detach() first")
        copied = type(self).__new__(type(self))
        Tensor.__init__(copied, self.array.copy(), self.requires_grad)
        copied.grad = None if self.grad is None else Tensor(self.grad.array.copy())
        return copied

    # ------------------------------------------------------------------------------ gradients

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether this leaf shall receive gradients; returns the tensor itself."""
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(f"only floating-point tensors can require gradients, not {self.dtype}")
        if not requires_grad and self.op is not None:
            raise RuntimeError("this tensor was computed: use .detach() for one without gradient")
        self.requires_grad = bool(requires_grad)
        return self


def fill(
    t: Tensor,
    array: Array,
    op: Op | None = None,
    inputs: tuple[Any, ...] = (),
    settings: Any = _NO_SETTINGS,
    pullback: Callable[..., Any] | None = None,
) -> Tensor:
    """Give a tensor all that it has."""
    t.array = array
    t.grad = t.memory = None
    t.order = next_order()
    t.op = op
    t.inputs = inputs
    t.settings = settings
    t.pullback = pullback
    t.requires_grad = op is not None
    return t


class Parameter(Tensor):
    """A tensor that a module learns: it requires grad and appears in ``module.parameters()``."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def tensor(
    data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A new leaf with a copy of ``data`` (array, nested list or number).

    Python floats become float32, integers int64; arrays keep their dtype unless ``dtype`` says
    otherwise.

    Raises
    ------
    TypeError
        If ``data`` does not hold numbers, or ``requires_grad`` is asked for integers.
    """
    array = data.array if isinstance(data, Tensor) else data
    if not isinstance(data, Tensor):
        device = device or default_device()
    array = asarray(array, dtype, device)
    return Tensor(module_of(array).array(array), requires_grad)
