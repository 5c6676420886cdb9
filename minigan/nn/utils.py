"""Tools for parameters: clipping gradients, parameters as one vector, spectral normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .. import ops
from ..array import module_of
from ..autograd import no_grad
from ..tensor import Parameter, Tensor
from . import functional as F
from .conv import ConvTranspose2d
from .module import Buffer, Module

Parameters = Tensor | Iterable[Tensor]


def _with_gradient(parameters: Parameters) -> list[Tensor]:
    """The parameters that have a gradient, whose memory is made writable."""
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    found = [p for p in found if p.grad is not None]
    for p in found:
        assert p.grad is not None
        if not p.grad.is_leaf:  # a recorded gradient may share memory with its graph
            p.grad = Tensor(module_of(p.grad.array).array(p.grad.array))
    return found


# ------------------------------------------------------------------------------ clipping gradients


def clip_grad_norm_(
    parameters: Parameters,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place, so that their norm as one vector is at most ``max_norm``.

    They are multiplied by min(1, max_norm / (norm + 1e-6)) (Pascanu et al. 2013, algorithm 1).

    Parameters
    ----------
    parameters : a Tensor or several
        Those without gradient are passed over.
    norm_type : float
        The p of the p-norm; may be ``inf``.

    Returns
    -------
    Tensor, ()
        The norm before clipping.

    Raises
    ------
    ValueError
        With ``error_if_nonfinite``, if the norm is infinite or NaN.
    """
    found = _with_gradient(parameters)
    if not found:
        return Tensor(0.0)
    with no_grad():
        norms = [ops.norm(p.grad.reshape(-1), norm_type) for p in found]  # type: ignore[union-attr]
        total = ops.norm(ops.stack(norms), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise ValueError(f"the norm of the gradients is {total.item()}: there is nothing to clip")
    factor = module_of(total.array).minimum(max_norm / (total.array + 1e-6), 1.0)
    for p in found:
        p.grad.array *= factor.astype(p.dtype)  # type: ignore[union-attr]
    return total


def clip_grad_value_(parameters: Parameters, clip_value: float) -> None:
    """Limit every element of every gradient, in place, to [-clip_value, clip_value]."""
    for p in _with_gradient(parameters):
        g = p.grad.array  # type: ignore[union-attr]
        g[...] = module_of(g).clip(g, -clip_value, clip_value)


# ------------------------------------------------------------------------------- evaluation mode


@contextmanager
def evaluating(network: Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards every module is in the mode that it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


# ------------------------------------------------------------------------ parameters as one vector


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters one after the other as one vector, through which gradients pass."""
    return ops.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the parts of a vector into the parameters, outside of the graph."""
    parameters = list(parameters)
    needed = sum(p.numel() for p in parameters)
    if vec.shape != (needed,):
        raise ValueError(f"expected a vector of {needed} numbers, got shape {vec.shape}")
    start = 0
    for p in parameters:
        p.array[...] = vec.array[start : start + p.numel()].reshape(p.shape)
        start += p.numel()


# -------------------------------------------------------------------------- spectral normalisation


class _SpectralNorm:
    """A forward pre-hook that divides a weight by its largest singular value σ.

    Of W as a matrix, power iteration keeps the singular vectors u and v that belong to σ, one step
    per forward pass. Then σ = uᵀ W v, with u and v as constants: by their definition σ is
    stationary in them, so nothing of its gradient u vᵀ is lost (Miyato et al. 2018, eq. 12).
    """

    def __init__(self, name: str, n_power_iterations: int, eps: float, dim: int) -> None:
        self.name, self.n_power_iterations, self.eps, self.dim = name, n_power_iterations, eps, dim

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with axis ``dim`` as rows and all others as columns."""
        others = [i for i in range(weight.ndim) if i != self.dim]
        return weight.permute(self.dim, *others).reshape(weight.shape[self.dim], -1)

    def compute(self, module: Module, iterate: bool) -> Tensor:
        """W / σ, differentiable in W; moves u and v if ``iterate``."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.matrix(weight)
        if iterate:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.array[...] = F.normalize(matrix.mT @ u, dim=0, eps=self.eps).array
                    u.array[...] = F.normalize(matrix @ v, dim=0, eps=self.eps).array
        # copies, for the next iteration changes u and v while this graph may still be needed
        sigma = (u.detach().clone() * (matrix @ v.detach().clone())).sum()
        return weight / sigma

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute(module, module.training))

    def let_go(self, module: Module, inputs: Any, output: Any) -> None:
        """After the forward pass: keep the value, not its graph, so that modules can be copied."""
        setattr(module, self.name, getattr(module, self.name).detach())


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Any:
    """Divide a layer's weight by its largest singular value (Miyato et al. 2018).

    The layer then stretches no input by more than a factor of 1. Parameter ``name`` gives way to
    the parameter ``name_orig`` and the buffers ``name_u`` and ``name_v``, as in
    ``torch.nn.utils.spectral_norm``; every forward pass in training mode takes
    ``n_power_iterations`` steps of power iteration.

    Parameters
    ----------
    dim : int
        The axis that becomes the rows of the matrix; 1 for ConvTranspose2d, otherwise 0.

    Returns
    -------
    Module
        The same module.

    Raises
    ------
    ValueError
        If there is no such parameter, or it is normalised already.
    """
    if _hook_of(module, name) is not None:
        raise ValueError(f"{name!r} of {module!r} is spectrally normalised already")
    weight = vars(module).get(name)
    if not isinstance(weight, Parameter):
        raise ValueError(f"{module!r} has no parameter {name!r} to normalise")
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose2d) else 0
    hook = _SpectralNorm(name, n_power_iterations, eps, dim)
    rows, columns = hook.matrix(weight.detach()).shape
    delattr(module, name)
    setattr(module, f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for end, size in (("u", rows), ("v", columns)):
        start = ops.randn(size, dtype=weight.dtype, device=weight.device)
        setattr(module, f"{name}_{end}", Buffer(F.normalize(start, dim=0, eps=eps)))
    module.register_forward_pre_hook(hook)
    module.register_forward_hook(hook.let_go)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Any:
    """Make the normalised weight an ordinary parameter again; returns the module.

    Raises
    ------
    ValueError
        If the weight is not spectrally normalised.
    """
    hook = _hook_of(module, name)
    if hook is None:
        raise ValueError(f"{name!r} of {module!r} is not spectrally normalised")
    with no_grad():
        weight = hook.compute(module, iterate=False)
    for part in ("", "_orig", "_u", "_v"):
        delattr(module, name + part)
    setattr(module, name, Parameter(weight))
    module._forward_pre_hooks = tuple(h for h in module._forward_pre_hooks if h is not hook)
    module._forward_hooks = tuple(h for h in module._forward_hooks if h != hook.let_go)
    return module


def is_spectrally_normalized(module: Module) -> bool:
    """Whether one of the module's own parameters is divided by its largest singular value."""
    return any(isinstance(hook, _SpectralNorm) for hook in module._forward_pre_hooks)


def _hook_of(module: Module, name: str) -> _SpectralNorm | None:
    for hook in module._forward_pre_hooks:
        if isinstance(hook, _SpectralNorm) and hook.name == name:
            return hook
    return None
