"""Twins for NumPy: what buys at least a twentieth of a whole step on a CPU."""

from . import conv, elementwise, linalg, memory, norm, optim, reduce, rnn

memory.keep_freed_memory()
