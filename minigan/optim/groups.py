"""What an optimiser is given to optimise, checked."""

from __future__ import annotations

import warnings
from typing import Any

from ..tensor import Tensor


def checked(param_group: dict[str, Any], taken: set[int]) -> list[Tensor]:
    """The group's parameters as a list, if an optimiser can change them.

    ``taken`` holds the ids of those in its other groups. The errors: ``Optimizer.add_param_group``.
    """
    if not isinstance(param_group, dict) or "params" not in param_group:
        raise TypeError(f"expected a dict with 'params', got {type(param_group).__name__}")
    params = param_group["params"]
    if isinstance(params, (set, frozenset)):
        raise TypeError("expected parameters in a fixed order, got a set: use a list")
    params = [params] if isinstance(params, Tensor) else list(params)
    for i, p in enumerate(params):
        if not isinstance(p, Tensor):
            raise TypeError(f"expected Tensors to optimise, but parameter {i} is {_what(p)}")
        if p.dtype.kind != "f":
            raise TypeError(f"expected floats to optimise, but parameter {i} is {p.dtype}")
        if p.op is not None:
            raise ValueError(
                f"can't optimize a non-leaf Tensor: parameter {i} was computed by "
                f"{p.op.name}; give the tensor it was computed from, or .detach() it"
            )
    if len({id(p) for p in params}) < len(params):
        warnings.warn(
            "a parameter is listed more than once: every step() moves it as often",
            stacklevel=4,
        )
    for i, p in enumerate(params):
        if id(p) in taken:
            raise ValueError(
                f"some parameters appear in more than one group: parameter {i}, of shape "
                f"{p.shape}, is in the optimizer already"
            )
    return params


def _what(p: object) -> str:
    text = type(p).__name__
    return f"a {text}: pass module.parameters()" if isinstance(p, tuple) else f"a {text}"
