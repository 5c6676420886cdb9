"""The published names of mistakes."""

from __future__ import annotations

SIGN = "sign flipped"
FACTOR = "constant factor"
TRANSPOSED = "transposed"
BROADCAST = "not summed over a broadcast axis"
AXES = "bias summed over the wrong axes"
SHAPE = "right values in the wrong shape"
OTHER = "gradient of another input"
SOFTMAX = "softmax Jacobian's diagonal only"
BATCH_NORM = "batch-norm terms missing"
FLIP = "correlation against convolution"
PADDING = "missing padding"
STRIDE = "stride ignored"
ACTIVATION = "missing activation derivative"
PLACE = "activation derivative at the wrong place"
TWICE = "activation derivative taken twice"
CHAIN = "chain rule's outer factor missing"
CONSTANT = "additive constant"
PATH = "a path left out"
KINKS = "right except at kinks"
FEW = "a few wrong elements"
DETACHED = "autograd disagrees with finite differences"

CAUSES: dict[str, str] = {
    SIGN: "Minus the true gradient, or a minus sign lost in one term.",
    FACTOR: "The same multiple of the true gradient everywhere: 2, 1/2, N, 1/N, a size.",
    TRANSPOSED: "The true gradient with its axes in another order, or a matrix not transposed.",
    BROADCAST: "An input was repeated along an axis; its gradient is the sum over that axis.",
    AXES: "A bias gets the sum of the incoming gradient over every axis but its own.",
    SHAPE: "The numbers are right; a gradient has the shape of what it belongs to.",
    OTHER: "The gradient with respect to a different input of the same function.",
    SOFTMAX: "Every softmax output depends on every input: diag(s) - s sᵀ, not its diagonal.",
    BATCH_NORM: "The batch's mean and variance depend on x too: each adds a term.",
    FLIP: "The kernel is flipped where it should not be, or the other way round.",
    PADDING: "The gradient of a padded convolution was taken as if there were no border.",
    STRIDE: "The gradient of a strided convolution was taken as if it moved by 1.",
    ACTIVATION: "The gradient passed an activation unchanged, without its derivative.",
    PLACE: "f'(f(x)) in place of f'(x), or a formula in the output fed with the input.",
    TWICE: "A loss on logits already contains the activation's derivative.",
    CHAIN: "One factor of the chain rule was left out (taken as 1).",
    CONSTANT: "The true gradient plus the same number everywhere.",
    PATH: "x reaches the result by several paths, whose gradients add up; one is missing.",
    KINKS: "Right wherever the derivative exists; at kinks the library's convention differs.",
    FEW: "Right but for a few elements.",
    DETACHED: "f is not recorded faithfully: detach(), .array, or a wrong gradient rule.",
}
