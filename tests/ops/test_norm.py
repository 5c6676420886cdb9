"""Standardisation, against its composed twin: equal in value, first, second, third derivative."""

import numpy as np
import pytest
from numeric import Case, Contract, check_gradients, every

import minigan as mg
from minigan import ops
from minigan.ops import batch_norm, batch_stats, standardize

RNG = np.random.default_rng(0)


def real(*shape):
    return 3 * RNG.standard_normal(shape) + 1


def formula(dim, eps):
    def standardized(x):
        centre = x.mean(dim, keepdims=True)
        return (x - centre) / np.sqrt(((x - centre) ** 2).mean(dim, keepdims=True) + eps)

    return standardized


SETTINGS = [  # shape, axes, eps
    ((4, 2), (0,), 1e-5),
    ((2, 2, 2, 2), (0, 2, 3), 1e-3),
    ((3, 4), (-1,), 0.1),
    ((2, 2, 3), (1, 2), 1e-5),
]

CASES = [
    *(
        Case(
            f"standardize{dim}",
            lambda x, d=dim, e=eps: standardize(x, d, e),
            formula(dim, eps),
            (real(*shape),),
        )
        for shape, dim, eps in SETTINGS
    ),
    *(  # with statistics that were computed before
        Case(
            f"standardize{dim} with stats",
            lambda x, d=dim, e=eps: standardize(
                x, d, e, batch_stats(getattr(x, "array", x) if isinstance(x, mg.Tensor) else x, d)
            ),
            formula(dim, eps),
            (real(*shape),),
        )
        for shape, dim, eps in SETTINGS[:2]
    ),
    *(
        Case(
            "batch_norm",
            batch_norm,
            lambda x, w, b: (
                formula((0, *range(2, x.ndim)), 1e-5)(x) * w.reshape(-1, *[1] * (x.ndim - 2))
                + b.reshape(-1, *[1] * (x.ndim - 2))
            ),
            (real(*shape), real(shape[1]), real(shape[1])),
        )
        for shape in [(4, 2), (3, 2, 2), (2, 2, 2, 2)]
    ),
]


@every(CASES)
class TestContract(Contract):
    pass


@pytest.mark.parametrize("given", [False, True], ids=["", "stats"])
def test_composed_twin_to_third_order(given):
    x = mg.tensor(real(5, 3), requires_grad=True)
    weights = mg.tensor(real(5, 3))
    stats = batch_stats(x.array, (0,)) if given else None
    fused = standardize(x, (0,), 1e-2, stats)
    centred = x - x.mean(0, keepdim=True)
    twin = centred / ops.sqrt((centred * centred).mean(0, keepdim=True) + 1e-2)
    for _ in range(4):
        np.testing.assert_allclose(fused.detach().numpy(), twin.detach().numpy(), rtol=1e-8)
        (fused,) = mg.grad((fused * weights).sum(), x, create_graph=True)
        (twin,) = mg.grad((twin * weights).sum(), x, create_graph=True)


@pytest.mark.parametrize("given", [False, True], ids=["", "stats"])
def test_batch_norm_and_its_composed_twin_to_third_order(given):
    x = mg.tensor(real(5, 3, 2), requires_grad=True)
    w, b = (mg.tensor(real(3), requires_grad=True) for _ in range(2))
    fused = batch_norm(x, w, b, 1e-2, batch_stats(x.array, (0, 2)) if given else None)
    twin = standardize(x, (0, 2), 1e-2) * w.reshape(-1, 1) + b.reshape(-1, 1)
    weights = {}
    for _ in range(4):
        np.testing.assert_allclose(fused.detach().numpy(), twin.detach().numpy(), atol=1e-8)
        weights.setdefault(fused.shape, mg.tensor(real(*fused.shape)))
        pair = []
        for y in (fused, twin):  # <weights, dy/d(x, w, b)> as one vector
            total = (y * weights[fused.shape]).sum()
            found = mg.grad(total, (x, w, b), create_graph=True, allow_unused=True)
            pair.append(ops.cat([g.reshape(-1) for g in found if g is not None]))
        fused, twin = pair


def test_third_order_by_differences():
    check_gradients(lambda x: standardize(x, (0,), 0.1), real(3, 2), order=3)


def test_statistics(rng):
    x = rng.standard_normal((4, 3, 2, 2)).astype("float32")
    centre, variance = batch_stats(x, (0, 2, 3))
    assert centre.shape == variance.shape == (1, 3, 1, 1)
    assert centre.dtype == variance.dtype == np.float32
    np.testing.assert_allclose(centre.ravel(), x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(variance.ravel(), x.var((0, 2, 3)), rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_constant_input():
    """Without any variance the result is 0 and the gradient finite, thanks to eps."""
    x = mg.ones(4, 2, requires_grad=True)
    y = standardize(x, (0,))
    assert y.tolist() == [[0, 0]] * 4
    assert np.isfinite(mg.grad((y * mg.rand(4, 2)).sum(), x)[0].numpy()).all()


@pytest.mark.host
def test_memory_layout_is_kept():
    """Channels-last pictures stay channels-last, so that no convolution has to rearrange them."""
    x = mg.tensor(real(2, 3, 3, 4)).permute(0, 3, 1, 2)
    assert standardize(x, (0, 2, 3)).array.transpose(0, 2, 3, 1).flags.c_contiguous
