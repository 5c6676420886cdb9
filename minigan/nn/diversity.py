"""Layers for discriminators: two that see when a batch is all alike, and maxout."""

from __future__ import annotations

from ..ops import cat, exp, rand, sqrt
from ..tensor import Parameter, Tensor
from .module import Module


class MinibatchStdDev(Module):
    """How much the samples of a group differ, as a further channel (Karras et al. 2018, section 3).

    (N, C, …) → (N, C + 1, …): in every group the standard deviation of each feature over the
    group's samples, averaged over all features to one number. It is the same for the whole group,
    and no group sees another. Group j of N / g holds the samples j, j + N / g, j + 2 N / g, …

    Parameters
    ----------
    group_size : int
        g; a batch that is smaller is one group, a larger one must split into such groups.
    eps : float
        Added to the variance.
    """

    def __init__(self, group_size: int = 4, eps: float = 1e-8) -> None:
        if group_size < 2:
            raise ValueError(f"a group needs at least 2 samples to differ, got {group_size}")
        self.group_size, self.eps = group_size, eps

    def forward(self, x: Tensor) -> Tensor:
        n, _, *rest = x.shape
        size = min(self.group_size, n)
        if n % size:
            raise ValueError(f"a batch of {n} does not split into groups of {size}: drop_last=True")
        groups = x.reshape(size, n // size, -1)
        centered = groups - groups.mean(0, keepdim=True)
        deviation = sqrt((centered * centered).mean(0) + self.eps).mean(1)  # one for each group
        channel = deviation.repeat(size).reshape(n, 1, *[1] * len(rest))
        return cat([x, channel.expand(n, 1, *rest)], 1)


class MinibatchDiscrimination(Module):
    """How near each sample is to the others in trained features (Salimans et al. 2016, 3.2).

    With M_i = x_i T as ``out_features`` rows of ``kernel_size`` numbers, feature b of sample i is
    o_ib = Σ_j exp(-‖M_ib - M_jb‖₁), the sample itself included; (N, A) → (N, A + out_features).
    Takes memory for N² · out_features · kernel_size numbers.

    Attributes
    ----------
    weight : Parameter, (in_features, out_features · kernel_size)
        T; starts from U(-1/√in_features, 1/√in_features).
    """

    def __init__(self, in_features: int, out_features: int, kernel_size: int = 5) -> None:
        self.in_features, self.out_features = in_features, out_features
        self.kernel_size = kernel_size
        bound = in_features**-0.5
        self.weight = Parameter((rand(in_features, out_features * kernel_size) * 2 - 1) * bound)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2 or x.shape[1] != self.in_features:
            raise ValueError(f"expected input (N, {self.in_features}), got {x.shape}")
        n = len(x)
        rows = (x @ self.weight).reshape(n, self.out_features, self.kernel_size)
        distances = (rows.unsqueeze(0) - rows.unsqueeze(1)).abs().sum(3)  # (N, N, out_features)
        return cat([x, exp(-distances).sum(0)], 1)


class Maxout(Module):
    """The largest of each ``pieces`` neighbours: (N, C · pieces, …) → (N, C, …).

    Behind a dense layer, the maxout unit of Goodfellow et al. 2013 (section 3): a convex function
    made of ``pieces`` straight ones. The gradient goes to the first of equal ones.
    """

    def __init__(self, pieces: int) -> None:
        if pieces < 1:
            raise ValueError(f"maxout needs at least 1 piece, got {pieces}")
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        n, features, *rest = x.shape
        if features % self.pieces:
            raise ValueError(f"{features} features do not split into {self.pieces} pieces each")
        return x.reshape(n, features // self.pieces, self.pieces, *rest).max(2).values
