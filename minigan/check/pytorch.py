"""``gradcheck`` and ``gradgradcheck`` as PyTorch has them, on top of :func:`check.gradients`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from .gradients import run
from .subject import CheckError, Subject


class GradcheckError(RuntimeError):
    """A gradient is wrong; the message is the report."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
) -> bool:
    """:func:`check.gradients` to first order, with ``torch.autograd.gradcheck``'s signature.

    Parameters
    ----------
    func : callable
    inputs : Tensor or tuple
        Those that require grad are checked, in float64; the others are constants.
    eps : float
        Ignored: the step is chosen for each element.
    atol, rtol : float
        Accepted on top of the estimated error of the differences.
    raise_exception : bool
        Raise ``GradcheckError`` instead of returning False.
    fast_mode : bool
        Random directions instead of every element.
    """
    return _as_pytorch(func, inputs, [1], atol, rtol, raise_exception, fast_mode, None)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    fast_mode: bool = False,
) -> bool:
    """The derivatives of the gradients, with ``torch.autograd.gradgradcheck``'s signature.

    Checked in the inputs and in the cotangent ``grad_outputs`` (one per output; default random).
    For the rest see :func:`gradcheck`.
    """
    given = None if grad_outputs is None else _tuple(grad_outputs)
    return _as_pytorch(func, inputs, [2], atol, rtol, raise_exception, fast_mode, given)


def _as_pytorch(
    func: Any,
    inputs: Any,
    orders: list[int],
    atol: float,
    rtol: float,
    raise_exception: bool,
    fast_mode: bool,
    cotangents: Any,
) -> bool:
    inputs = _tuple(inputs)
    wrt = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not wrt:
        raise CheckError("expected at least one input with requires_grad=True")
    scale = "directions" if fast_mode else "elements"
    report = run(Subject(func, inputs, wrt), orders, 0, scale, 2, atol, rtol, cotangents)
    if not report and raise_exception:
        raise GradcheckError(str(report))
    return report.ok


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
