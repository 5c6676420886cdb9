"""What the losses took before ``reduction``: ``size_average`` and ``reduce``, as in PyTorch.

Both true mean "mean", ``size_average=False`` means "sum", ``reduce=False`` means "none"; with a
warning, as there.
"""

from __future__ import annotations

import warnings


def reduction_of(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> str:
    """The reduction by its name, which the two old flags, if given, replace."""
    if size_average is None and reduce is None:
        return reduction
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(f"instead of size_average= and reduce= say reduction={reduction!r}", stacklevel=4)
    return reduction
