"""Sums over processes; one process has the sum already (several: tests/fast/test_mpi.py)."""

import numpy as np
from numeric import Case, Contract, every

from minigan.ops.collective import all_reduce

CASES = [Case("all_reduce", all_reduce, lambda x: x * 1.0, (np.arange(6.0).reshape(2, 3),))]


@every(CASES)
class TestContract(Contract):
    pass
