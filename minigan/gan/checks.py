"""Combinations that can not work, said before hours are spent on them."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from ..names import find_name
from ..nn import (
    BatchNorm1d,
    BatchNorm2d,
    Flatten,
    Identity,
    Module,
    Sequential,
    Sigmoid,
    Tanh,
    Unflatten,
)
from ..nn.utils import is_spectrally_normalized
from .objectives import OBJECTIVES, Saturating
from .penalties import Penalty


class Diverged(ArithmeticError):
    """A loss or a weight became NaN or infinite."""


def latent_dim(generator: Module) -> int:
    """The length of z, from the generator's first dense layer."""
    for module in generator.modules():
        if hasattr(module, "in_features"):
            return module.in_features
    raise ValueError("the generator has no dense layer to tell the size of z: give latent_dim=")


def as_objective(chosen: Any, real_label: float = 1.0, fake_label: float = 0.0) -> Any:
    """The objective of that name, one of ``OBJECTIVES``, with these labels; or the object itself.

    Raises
    ------
    ValueError
        If there is none, or if labels are to be smoothed where the game has none.
    """
    if not isinstance(chosen, str):
        if (real_label, fake_label) != (1.0, 0.0):
            raise ValueError(
                "real_label and fake_label are for objectives given by name: give the labels to "
                f"the objective itself, like NonSaturating{real_label, fake_label}"
            )
        return chosen
    name = find_name(chosen, OBJECTIVES, "objective")
    kind = OBJECTIVES[name]
    if issubclass(kind, Saturating):
        return kind(real_label, fake_label)
    if (real_label, fake_label) != (1.0, 0.0):
        labelled = [n for n, k in OBJECTIVES.items() if issubclass(k, Saturating)]
        raise ValueError(
            f"{name} has no labels to smooth, got real_label {real_label} and fake_label "
            f"{fake_label}: leave them away, or take {', '.join(labelled)}"
        )
    return kind()


def check_turns(every: Sequence[int], simultaneous: bool) -> None:
    """Refuse turns in which the last player's row would lack somebody's loss."""
    if every[0] != 1 or any(k < 1 or every[-1] % k for k in every):
        raise ValueError(
            "expected the first player to move at every=1, and the others' every to divide the "
            f"last one's, got {list(every)}"
        )
    if simultaneous and set(every) != {1}:
        raise ValueError(f"simultaneous steps are one each, but every is {list(every)}")


def check_options(options: dict[str, Any], simultaneous: bool) -> None:
    """Refuse numbers out of range, and options that exclude each other."""
    lows = {"d_steps": 1, "pack": 1, "instance_noise": 0, "noise_steps": 0, "clip_grad_norm": 0}
    for option, low in (lows | {"unroll": 0, "consensus": 0}).items():
        if not options[option] >= low:
            raise ValueError(f"{option} must be at least {low}, got {options[option]}")
    if options["noise_steps"] and not options["instance_noise"]:
        raise ValueError("noise_steps fades the instance noise, but instance_noise is 0")
    for option in ("simultaneous", "consensus", "clip_grad_norm"):
        if options["unroll"] and (options | {"simultaneous": simultaneous})[option]:
            raise ValueError(f"unroll does not go with {option}: leave one of them away")
    if simultaneous and options["d_steps"] != 1:
        raise ValueError(f"simultaneous steps are one and one, but d_steps is {options['d_steps']}")
    if options["conditional"] and options["pack"] > 1:
        raise ValueError(
            f"pack={options['pack']} does not go with labels: the samples of a pack have several, "
            "and D(x, y) takes one; leave pack away"
        )


def takes_labels(network: Module) -> bool:
    """Whether forward takes a second argument: one without a default, or one called labels."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(network.forward).parameters.values()
    places = [p for p in parameters if p.kind in kinds]
    return len(places) > 1 and (places[1].default is places[1].empty or places[1].name == "labels")


def is_conditional(generator: Module, discriminator: Module) -> bool:
    """Whether both networks take labels; an error if only one does."""
    g, d = takes_labels(generator), takes_labels(discriminator)
    if g != d:
        names = ("generator", "discriminator") if g else ("discriminator", "generator")
        raise ValueError(
            f"the {names[0]} takes labels, the {names[1]} does not: a conditional game needs "
            "forward(self, z, labels) in G and forward(self, x, labels) in D, since D can only "
            "teach G to heed a label that both of them see"
        )
    return g


def check_discriminator(
    discriminator: Module, objective: Any, penalties: Iterable[Penalty]
) -> None:
    """Refuse a sigmoid at D's end; warn of batch norm under a slope penalty, and of no limit."""
    if isinstance(_last_layer(discriminator), Sigmoid):
        raise ValueError(
            "the discriminator ends in a Sigmoid: leave it away, the objective works on logits "
            "because log(sigmoid(x)) loses its gradient where D is sure"
        )
    modules = list(discriminator.modules())
    per_sample = [p for p in penalties if p.per_sample]
    if per_sample and any(isinstance(m, (BatchNorm1d, BatchNorm2d)) for m in modules):
        warnings.warn(
            f"{type(per_sample[0]).__name__} limits D's slope at each sample, but D's batch norm "
            "lets every sample of a batch move every logit: build D without it "
            '(zoo.dcgan.discriminator(norm="none"))',
            stacklevel=3,
        )
    limited = penalties or any(map(is_spectrally_normalized, modules))
    if getattr(objective, "needs_constraint", False) and not limited:
        warnings.warn(
            f"nothing limits D's slope, so {type(objective).__name__}'s loss has no lower bound "
            'and the game will run away: add penalties=["gradient-penalty=10"] '
            "(--penalty gradient-penalty=10), or spectral_norm in D",
            stacklevel=3,
        )


def check_range(generator: Module, dataset: Any) -> None:
    """Say so if G can not reach the data's values: a tanh gives [-1, 1], a sigmoid [0, 1]."""
    last = _last_layer(generator)
    bounds = (-1.0, 1.0) if isinstance(last, Tanh) else (0.0, 1.0)
    wanted = getattr(dataset, "range", None)
    if wanted and isinstance(last, (Tanh, Sigmoid)) and tuple(wanted) != bounds:
        warnings.warn(
            f"the generator ends in {type(last).__name__}, which gives {bounds}, but the data "
            f"is in {tuple(wanted)}: use dataset.with_range{bounds}, or another last layer",
            stacklevel=3,
        )


def _last_layer(network: Module) -> Module:
    """The last layer that changes values, not only their shape, as far as a Sequential tells."""
    while isinstance(network, Sequential):
        layers = [m for m in network if not isinstance(m, (Flatten, Identity, Unflatten))]
        network = layers[-1] if layers else Identity()
    return network
