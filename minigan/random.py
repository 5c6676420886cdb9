"""Random numbers from a seed and a counter: the same on every device, and easy to put aside.

A counter-based generator has no state to carry from draw to draw: block i of 256 random bits is a
function of the key and of i, here Philox4x64-10 (Salmon et al. 2011, *Parallel Random Numbers: As
Easy as 1, 2, 3*). A GPU computes every block in a thread of its own and finds the very bits that
NumPy finds one after the other, so that one seed gives the same weights, data order and noise on
both. What a run must remember of its random numbers is two integers and how far it has counted.
"""

from __future__ import annotations

import math
import secrets
from typing import Any

from .array import Array, asarray, float32, float64, np
from .seam import definition

__all__ = [
    "default_rng",
    "integers",
    "manual_seed",
    "permutation",
    "random_state",
    "set_rank",
    "set_random_state",
    "standard_normal",
    "uniform",
]

WORDS = 4  # of 64 bits in a block


class Stream:
    """Where in the random numbers the library is.

    Attributes
    ----------
    seed, rank : int
        The two halves of Philox's key; processes that train together share a seed and differ in
        rank.
    counter : int
        How many blocks have been used.
    """

    def __init__(self, seed: int, rank: int = 0, counter: int = 0) -> None:
        for name, value in (("seed", seed), ("rank", rank), ("counter", counter)):
            if not 0 <= value < 1 << 64:
                raise ValueError(f"a random {name} lies in 0 to 2**64 - 1, got {value}")
        self.seed, self.rank, self.counter = seed, rank, counter
        self._philox: Any = None  # NumPy's generator,
        self._next = -1  # and the block that it gives next

    def take(self, words: int) -> int:
        """Set the blocks for so many words aside; gives the number of the first."""
        first = self.counter
        self.counter += -(-words // WORDS)
        return first

    def words(self, n: int) -> np.ndarray:
        """The next n words, uint64; whole blocks are used up."""
        if self._philox is None or self._next != self.counter:
            key = np.array([self.seed, self.rank], dtype=np.uint64)
            # NumPy counts up before it draws: its first block is number counter + 1
            self._philox = np.random.Philox(key=key, counter=self.counter)
        self.take(n)
        self._next = self.counter
        return self._philox.random_raw(-(-n // WORDS) * WORDS)[:n]


_stream = Stream(secrets.randbits(63))


def manual_seed(seed: int, rank: int = 0) -> None:
    """Start the library's random numbers anew: same seed, same numbers, on every device.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    rank : int
        Another sequence of the same seed: for processes that train together.
    """
    global _stream
    _stream = Stream(seed, rank)


def random_state() -> dict[str, int]:
    """The seed, the rank, and how far it was counted: fit for JSON."""
    return {"seed": _stream.seed, "rank": _stream.rank, "counter": _stream.counter}


def set_random_state(state: dict[str, int]) -> None:
    """Continue exactly where :func:`random_state` was taken."""
    global _stream
    if set(state) != {"seed", "rank", "counter"}:
        raise ValueError(
            f"expected a random state of seed, rank and counter, got {sorted(state)}: "
            "was it saved by another version?"
        )
    _stream = Stream(**state)


def set_rank(rank: int) -> None:
    """Go on with another sequence of the same seed, for processes that train together."""
    set_random_state(random_state() | {"rank": rank})


# -------------------------------------------------------------------------------- numbers to draw


@definition
def uniform(shape: tuple[int, ...], dtype: Any = float32, device: str | None = None) -> Array:
    """Independent draws from the uniform distribution on [0, 1), on the device (default: CPU).

    As many leading bits of the generator's words as the dtype's fraction holds, times their unit:
    every result is a multiple of 2⁻²⁴ (float32, two to a word) or 2⁻⁵³ (float64).
    """
    return asarray(_uniform(math.prod(shape), dtype).reshape(shape), device=device or "cpu")


@definition
def standard_normal(
    shape: tuple[int, ...], dtype: Any = float32, device: str | None = None
) -> Array:
    """Independent draws from N(0, 1), on the device (default: CPU).

    A pair of uniform numbers u, v gives the pair √(-2 ln(1 - u)) · (cos 2πv, sin 2πv) (Box and
    Muller 1958). Unlike rejection, it uses a number of words that is known beforehand.
    """
    n = math.prod(shape)
    pairs = _uniform(n + n % 2, dtype).reshape(-1, 2)
    radius, angle = pairs[:, 0], pairs[:, 1]
    radius = np.sqrt(-2 * np.log(1 - radius))
    angle = angle * (2 * math.pi)
    pairs[:, 0] = radius * np.cos(angle)
    pairs[:, 1] = radius * np.sin(angle)
    return asarray(pairs.reshape(-1)[:n].reshape(shape), device=device or "cpu")


def take(words: int) -> tuple[int, int, int]:
    """Set random words aside: the seed, the rank, and the number of the first block of them."""
    return _stream.seed, _stream.rank, _stream.take(words)


def words_for(n: int, dtype: Any) -> int:
    """How many words of 64 random bits n numbers take."""
    dtype = np.dtype(dtype)
    if dtype not in (float32, float64):
        raise TypeError(f"random numbers are drawn as float32 or float64, not {dtype}")
    return -(-n // 2) if dtype == float32 else n


def _uniform(n: int, dtype: Any) -> np.ndarray:
    """n numbers from [0, 1), in a new array."""
    words, dtype = words_for(n, dtype), np.dtype(dtype)
    each, fraction = (2, 24) if dtype == float32 else (1, 53)
    bits = _stream.words(words).astype("<u8", copy=False).view(f"<u{8 // each}")[:n]
    bits >>= bits.itemsize * 8 - fraction
    return np.multiply(bits, dtype.type(2.0**-fraction), dtype=dtype)


def permutation(n: int) -> np.ndarray:
    """The integers 0 to n - 1 in random order, on the host."""
    return _host().permutation(n)


def integers(low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """Independent draws from the integers low to high - 1, on the host."""
    return _host().integers(low, high, shape)


def _host() -> np.random.Generator:
    """A generator for draws that use as many words as they happen to need."""
    return default_rng(_stream.seed, _stream.rank, _stream.take(1))


def default_rng(*seed: int) -> np.random.Generator:
    """A NumPy generator of its own, seeded by one or several integers (none: by the system)."""
    return np.random.Generator(np.random.PCG64(list(seed) or None))
