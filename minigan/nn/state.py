"""The state of a module: values by name, copied into its parameters and buffers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..array import asarray, device_of
from ..tensor import Tensor


class IncompatibleKeys(NamedTuple):
    """The names that ``load_state_dict`` did not find, and those it had no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def load(
    own: Mapping[str, Tensor], given: Mapping[str, Any], strict: bool, owner: str
) -> IncompatibleKeys:
    """Copy the given values into the tensors of the same names; see ``Module.load_state_dict``."""
    values = {k: v.array if isinstance(v, Tensor) else v for k, v in given.items()}
    missing = [name for name in own if name not in values]
    unexpected = [name for name in values if name not in own]
    common = [name for name in own if name in values]
    problems = [
        f"shape of {name}: expected {own[name].shape}, got {tuple(values[name].shape)}"
        for name in common
        if tuple(values[name].shape) != own[name].shape
    ]
    if strict:
        absent = [f"missing: {name}" for name in missing]
        problems = [*absent, *(f"unexpected: {name}" for name in unexpected), *problems]
    if problems:
        raise ValueError(f"this state does not fit {owner}:\n  " + "\n  ".join(problems))
    for name in common:
        target = own[name].array
        target[...] = asarray(values[name], target.dtype, device_of(target))
        own[name].mark_changed()
    return IncompatibleKeys(missing, unexpected)
