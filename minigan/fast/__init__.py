"""Speed, beside the definitions and unknown to them: twins, captures, several processes."""

from . import cuda, mpi, numpy
