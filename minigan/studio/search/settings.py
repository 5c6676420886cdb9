"""What is searched: options with several values, and the settings and trials that they make."""

from __future__ import annotations

import itertools
import math
import types
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from ... import random
from ...array import np
from ...names import find_name
from ..runs import Config
from .scores import SCORES


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds: ``uniform``, or ``log`` for uniform in the logarithm.

    Numbers of an option that counts (``integer``) are rounded to whole ones.
    """

    kind: str
    low: float
    high: float
    integer: bool

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range needs low < high, got {self.low:g} and {self.high:g}")
        if self.kind == "log" and not self.low > 0:
            raise ValueError(f"a log range needs positive bounds, got {self.low:g}")

    def draw(self, rng: np.random.Generator) -> float | int:
        """A number, at random."""
        if self.kind == "log":
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = rng.uniform(self.low, self.high)
        value = min(max(value, self.low), self.high)  # exp(log(low)) can fall short of low
        return round(value) if self.integer else float(value)


def read_options(words: Sequence[str]) -> dict[str, str]:
    """``["--lr", "1e-4,1e-3", "--d-steps=2"]`` as ``{"lr": "1e-4,1e-3", "d_steps": "2"}``.

    Raises
    ------
    ValueError
        If a word is neither an option nor its value, or an option comes twice.
    """
    options: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            raise ValueError(f"expected an option such as --lr 1e-4,1e-3, got {word!r}")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ValueError(f"{word} needs a value, or several: {word} A,B,C")
            text = rest.pop(0)
        name = _option(name)
        if name in options:
            raise ValueError(f"--{name} comes twice: give its values as one list, A,B,C")
        options[name] = text
    return options


def _option(name: str) -> str:
    hints = get_type_hints(Config)
    known = [o.replace("_", "-") for o in hints if o != "seed" and get_origin(hints[o]) is not dict]
    name = {"penalty": "penalties"}.get(name, name)  # train's, which takes one at a time
    return find_name(name, known, "option").replace("-", "_")


def parse(option: str, text: str) -> list[Any] | Range:
    """What an option may be: ``"1e-4,1e-3"``, ``"log:1e-5:1e-2"`` or ``"uniform:0:0.9"``.

    Values have the type of the option in :class:`~minigan.studio.runs.Config`. Of an option that is
    a list, such as penalties, ``+`` joins the entries and ``none`` is the empty one.

    Raises
    ------
    ValueError
        If a value is not of that type, or a range is not one.
    """
    kind = _type_of(option)
    head, *bounds = text.split(":")
    if head in ("log", "uniform") and bounds:
        if kind not in (int, float) or len(bounds) != 2:
            raise ValueError(f"{option} {text}: expected a number's range, {head}:LOW:HIGH")
        low, high = (_value(option, bound, float) for bound in bounds)
        return Range(head, low, high, kind is int)
    values = [_value(option, part, kind) for part in text.split(",")]
    return [v for i, v in enumerate(values) if v not in values[:i]]


def _type_of(option: str) -> Any:
    """int, float, str or list, by the option's annotation in Config."""
    hint = get_type_hints(Config)[option]
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(kind for kind in get_args(hint) if kind is not type(None))
    return get_origin(hint) or hint


def _value(option: str, text: str, kind: Any) -> Any:
    text = text.strip()
    if kind is list:
        return [] if text == "none" else text.split("+")
    try:
        return kind(text)
    except ValueError:
        name = {int: "a whole number", float: "a number"}[kind]
        raise ValueError(f"{option}: expected {name}, got {text!r}") from None


@dataclass(frozen=True)
class Trial:
    """One run: a setting, by its name and its options, and a seed."""

    label: str
    seed: int
    setting: dict[str, Any]

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.label}-seed{self.seed}"

    def config(self) -> Config:
        """Of its run."""
        return Config.of(**self.setting | {"seed": self.seed}).located()


def as_text(value: Any) -> str:
    """A value as the command line takes it; numbers with four digits."""
    if isinstance(value, list):
        return "+".join(map(str, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Search:
    """What is searched.

    Parameters
    ----------
    options : dict
        An option of a run → its values, as :func:`parse` reads them; one value holds it fixed.
    trials : int, optional
        How many settings to draw at random: a value of a list with equal chance, a number of a
        range by its law. Left out, the settings are the grid: every combination of the values.
    seeds : int
        Runs of each setting, with the seeds ``seed``, ``seed + 1``, …
    seed : int
        Setting i depends on this and i alone: more trials are added to those that were made.
    score : str
        One of ``SCORES``.

    Raises
    ------
    ValueError
        On an unknown option or score, a value that no run can have, or a range in a grid.
    """

    options: dict[str, str]
    trials: int | None = None
    seeds: int = 1
    seed: int = 0
    score: str = "frechet"

    def __post_init__(self) -> None:
        options = {_option(name): text for name, text in self.options.items()}
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "score", find_name(self.score, SCORES, "score"))
        for name, low in (("trials", 1), ("seeds", 1), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"{name} must be at least {low}, got {value}")
        choices = self.choices()
        ranges = [option for option, c in choices.items() if isinstance(c, Range)]
        if ranges and self.trials is None:
            raise ValueError(
                f"{ranges[0]} is a range, which has no grid: say how many settings to draw with "
                "--trials, or list its values"
            )
        lists = {option: c for option, c in choices.items() if isinstance(c, list)}
        fixed = {option: values[0] for option, values in lists.items() if len(values) == 1}
        for option, values in lists.items():
            for value in values:  # a misspelt name fails here, not after hours
                Config.of(**fixed | {option: value})

    def choices(self) -> dict[str, list[Any] | Range]:
        """Each option's values."""
        return {option: parse(option, text) for option, text in self.options.items()}

    def varied(self) -> list[str]:
        """The options with more than one value."""
        choices = self.choices()
        return [o for o, c in choices.items() if isinstance(c, Range) or len(c) > 1]

    def settings(self) -> list[dict[str, Any]]:
        """Option → value, for each setting in turn."""
        choices = self.choices()
        if self.trials is not None:
            return [
                {o: self._draw(c, o, number) for o, c in choices.items()}
                for number in range(self.trials)
            ]
        lists = [c for c in choices.values() if isinstance(c, list)]
        return [dict(zip(choices, values, strict=True)) for values in itertools.product(*lists)]

    def _draw(self, choice: list[Any] | Range, option: str, number: int) -> Any:
        # A stream for each option, so that another option beside it changes no draw.
        rng = random.default_rng(self.seed, number, zlib.crc32(option.encode()))
        return choice.draw(rng) if isinstance(choice, Range) else choice[rng.integers(len(choice))]

    def all_trials(self) -> list[Trial]:
        """Every setting with every seed; the seeds of a setting one after the other."""
        seeds = range(self.seed, self.seed + self.seeds)
        settings = enumerate(self.settings())
        return [Trial(f"{i:03d}", s, setting) for i, setting in settings for s in seeds]
