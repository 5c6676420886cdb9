"""Settings shared by all tests."""

import numpy as np
import pytest
from hypothesis import settings

import minigan as mg

settings.register_profile("minigan", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("minigan")


@pytest.fixture(autouse=True)
def seed():
    """Every test starts with the same random numbers and on the CPU."""
    mg.manual_seed(0)
    mg.set_default_device("cpu")


@pytest.fixture
def rng() -> np.random.Generator:
    """A NumPy generator for inputs, apart from the library's own."""
    return np.random.default_rng(0)
