"""Products of matrices."""

import numpy as np
import pytest
from numeric import Case, Contract, every

import minigan as mg
from minigan import ops

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


MATMUL = [  # shapes of a and b, the product in Einstein's notation
    ((3,), (3,), "i,i->"),
    ((3,), (3, 2), "i,ij->j"),
    ((2, 3), (3,), "ij,j->i"),
    ((2, 3), (3, 2), "ij,jk->ik"),
    ((1, 1), (1, 1), "ij,jk->ik"),
    ((2, 0), (0, 3), "ij,jk->ik"),
    ((0, 2), (2, 3), "ij,jk->ik"),
    ((2, 2, 3), (3, 2), "nij,jk->nik"),
    ((2, 3), (2, 3, 2), "ij,njk->nik"),
    ((2, 2, 3), (2, 3, 2), "nij,njk->nik"),
    ((2, 1, 2, 3), (2, 3, 1), "mnij,njk->mnik"),
    ((3,), (2, 3, 2), "i,nij->nj"),
    ((2, 2, 3), (3,), "nij,j->ni"),
]


def affine(x, w, b=0.0):
    return np.einsum("...i,oi->...o", x, w) + b


CASES = [
    *(
        Case("matmul", ops.matmul, lambda a, b, s=s: np.einsum(s, a, b), (real(*m), real(*n)))
        for m, n, s in MATMUL
    ),
    *(
        Case("linear", ops.linear, affine, (real(*s), real(4, 3)))
        for s in [(2, 3), (3,), (2, 1, 3)]
    ),
    *(
        Case("linear", ops.linear, affine, (real(*s), real(2, 3), real(2)))
        for s in [(2, 3), (3,), (1, 2, 3), (0, 3)]
    ),
    Case("outer", ops.outer, lambda a, b: np.einsum("i,j->ij", a, b), (real(3), real(2))),
]


@every(CASES)
class TestContract(Contract):
    pass


@pytest.mark.parametrize(
    "f, message",
    [
        (lambda: mg.zeros(2, 3) @ mg.zeros(2, 3), r"matmul of \(2, 3\) and \(2, 3\)"),
        (lambda: mg.zeros(2, 3) @ mg.tensor(1.0), r"at least one axis each"),
        (lambda: ops.linear(mg.zeros(2, 3), mg.zeros(4, 2)), r"linear of \(2, 3\) and \(4, 2\)"),
    ],
)
def test_errors_name_the_shapes(f, message):
    with pytest.raises(ValueError, match=message):
        f()


@pytest.mark.host
def test_array_times_tensor():
    a, t = np.ones((2, 3), "float32"), mg.ones(3, 2, requires_grad=True)
    assert isinstance(a @ t, mg.Tensor) and (a @ t).tolist() == [[3, 3], [3, 3]]
