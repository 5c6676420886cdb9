"""The minimax game: two networks, two optimisers, and two steps that alternate."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import ExitStack, contextmanager
from typing import Any

from .. import backend
from ..autograd import no_grad
from ..backend import np
from ..nn import Flatten, Identity, Module, Sigmoid, Tanh, Unflatten
from ..ops import isfinite, randn, sigmoid
from ..optim import Adam
from ..tensor import Tensor
from .callbacks import Callback, History
from .ema import EMA
from .objectives import Saturating
from .objectives import objective as named_objective


class Diverged(ArithmeticError):
    """A loss or a weight became NaN or infinite."""


class Minimax:
    """A generator G and a discriminator D that play against each other.

    ::

        game = mg.gan.Minimax(generator, discriminator)
        history = game.fit(DataLoader(mg.data.digits(), 64, shuffle=True), epochs=100)
        pictures = game.sample(64)

    Parameters
    ----------
    generator : Module
        Takes noise (N, latent_dim) to samples in the shape and range of the data.
    discriminator : Module
        Takes samples to logits (N, 1) or (N,); no sigmoid at its end.
    objective : str or objective
        ``"non-saturating"`` or ``"minimax"``, or an object with ``discriminator_loss(real_logits,
        fake_logits)`` and ``generator_loss(fake_logits)``.
    latent_dim : int, optional
        The length of z ~ N(0, I); found from G's first dense layer if left out.
    lr, betas : float, pair of floats
        Adam's, for both networks (Radford et al. 2016: 2e-4 and 0.5, 0.999).
    generator_optimizer, discriminator_optimizer : Optimizer, optional
        Optimisers of your own instead.
    d_steps : int
        Updates of D per update of G; k in Goodfellow et al. 2014, algorithm 1.
    real_label, fake_label : float
        D's targets: 0.9 and 0 is one-sided label smoothing, 0.9 and 0.1 two-sided.
    ema : float
        Decay of the moving average of G that :meth:`sample` uses; 0 samples G itself.
    """

    def __init__(
        self,
        generator: Module,
        discriminator: Module,
        objective: str | Saturating = "non-saturating",
        *,
        latent_dim: int | None = None,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        generator_optimizer: Any = None,
        discriminator_optimizer: Any = None,
        d_steps: int = 1,
        real_label: float = 1.0,
        fake_label: float = 0.0,
        ema: float = 0.0,
    ) -> None:
        if d_steps < 1:
            raise ValueError(
                f"d_steps counts D's updates per update of G: at least 1, got {d_steps}"
            )
        if isinstance(_last_layer(discriminator), Sigmoid):
            raise ValueError(
                "the discriminator ends in a Sigmoid: leave it away, the objective works on logits "
                "because log(sigmoid(x)) loses its gradient where D is sure"
            )
        self.generator, self.discriminator = generator, discriminator
        if isinstance(objective, str):
            objective = named_objective(objective, real_label=real_label, fake_label=fake_label)
        self.objective = objective
        self.latent_dim = latent_dim or _latent_dim(generator)
        self.g_optimizer = generator_optimizer or Adam(generator.parameters(), lr, betas)
        self.d_optimizer = discriminator_optimizer or Adam(discriminator.parameters(), lr, betas)
        self.d_steps = d_steps
        self.ema = EMA(generator, ema) if ema else None
        self.epoch = 0  # finished passes over the data
        self.step = 0  # updates of G
        self.d_updates = 0
        self.batches_per_epoch: int | None = None  # known once fit() has seen the data

    # ---------------------------------------------------------------------------- the two steps

    def sample_noise(self, n: int) -> Tensor:
        """z ~ N(0, I), (n, latent_dim), from the library's one seeded generator."""
        p = next(self.generator.parameters())
        return randn(n, self.latent_dim, dtype=p.dtype, device=p.device)

    def step_discriminator(self, real: Tensor) -> dict[str, float]:
        """One update of D on a batch x of real samples and as many fakes.

        Returns ``d_loss`` and the mean probabilities ``d_real`` = D(x), ``d_fake`` = D(G(z)).
        """
        # 1. x, a batch of real samples, is given
        # 2. sample z and generate G(z): a constant here, so nothing flows back into G
        z = self.sample_noise(len(real))
        with no_grad():
            fake = self.generator(z)
        # 3. D(x) and D(G(z)), each in a pass of its own: batch norm must not mix them
        real_logits = self._judge(real)
        fake_logits = self._judge(fake)
        # 4. the loss: -log D(x) - log(1 - D(G(z)))
        loss = self.objective.discriminator_loss(real_logits, fake_logits)
        value = self._finite(loss, "discriminator")
        # 5. update D
        self.d_optimizer.zero_grad()
        loss.backward()
        self.d_optimizer.step()
        self.d_updates += 1
        return {
            "d_loss": value,
            "d_real": _probability(real_logits),
            "d_fake": _probability(fake_logits),
        }

    def step_generator(self, n: int) -> dict[str, float]:
        """One update of G on n fakes. Returns ``g_loss``."""
        # 1. sample z
        z = self.sample_noise(n)
        # 2. G(z)
        fake = self.generator(z)
        with _frozen(self.discriminator):
            # 3. D(G(z)): D judges but does not learn, so its weights need no gradient
            logits = self._judge(fake)
            # 4. the loss: -log D(G(z)), or log(1 - D(G(z))) in the minimax game
            loss = self.objective.generator_loss(logits)
            value = self._finite(loss, "generator")
            # 5. update G
            self.g_optimizer.zero_grad()
            loss.backward()
        self.g_optimizer.step()
        self.step += 1
        if self.ema is not None:
            self.ema.update()
        return {"g_loss": value}

    def _judge(self, samples: Tensor) -> Tensor:
        """D's logits of the samples, one each."""
        logits = self.discriminator(samples)
        if logits.shape not in ((len(samples), 1), (len(samples),)):
            raise ValueError(
                f"expected one logit per sample from the discriminator, ({len(samples)}, 1), "
                f"got {logits.shape}"
            )
        return logits

    def _finite(self, loss: Tensor, network: str) -> float:
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(
                f"the {network}'s loss became {value} at step {self.step + 1} (epoch "
                f"{self.epoch + 1}): try a smaller learning rate, check the data for NaN and for "
                "values outside of its range, or smooth the labels"
            )
        return value

    # ---------------------------------------------------------------------------------- a run

    def fit(
        self, loader: Iterable[Any], epochs: int, callbacks: Sequence[Callback] = ()
    ) -> History:
        """Play until ``epochs`` passes over the data have been made in total.

        Parameters
        ----------
        loader : DataLoader or iterable of Tensors
            Batches of real samples; a ``DataLoader``'s order is a function of seed and epoch, so
            a game restored from a checkpoint continues as if it had never stopped.
        epochs : int
            The total: a restored game that has played 10 of 30 plays 20 more.
        callbacks : sequence of Callback

        Returns
        -------
        History
            One row per update of G: step, epoch, d_loss, g_loss, d_real, d_fake.
        """
        history = next((c for c in callbacks if isinstance(c, History)), None)
        if history is None:
            history = History()
            callbacks = (history, *callbacks)
        self._check_range(getattr(loader, "dataset", None))
        if isinstance(loader, Sized):
            self.batches_per_epoch = len(loader)
        self.generator.train()
        self.discriminator.train()
        with ExitStack() as stack:
            stack.enter_context(backend.quiet())  # NaN and infinity are Diverged's to report
            for callback in callbacks:
                callback.on_start(self, epochs)
                stack.callback(callback.on_stop, self)
            while self.epoch < epochs:
                self._play_epoch(_batches(loader, self.epoch), callbacks)
                self.check_finite()
                for callback in callbacks:
                    callback.on_epoch(self, last=self.epoch >= epochs)
        return history

    def _play_epoch(self, batches: Iterable[Any], callbacks: Sequence[Callback]) -> None:
        before = self.d_updates
        for batch in batches:
            real = batch[0] if isinstance(batch, (tuple, list)) else batch
            if not isinstance(real, Tensor):
                raise TypeError(
                    f"expected batches of Tensors, got {type(real).__name__}: give "
                    "DataLoader(dataset, batch_size=64, shuffle=True)"
                )
            d = self.step_discriminator(real)
            if self.d_updates % self.d_steps == 0:
                g = self.step_generator(len(real))
                row = {"step": self.step, "epoch": self.epoch + 1, **d, **g}
                for callback in callbacks:
                    callback.on_step(self, row)
        if self.d_updates == before:
            raise ValueError(
                f"the loader gave no batch in epoch {self.epoch + 1}: give a DataLoader or a list, "
                "not an iterator that ends"
            )
        self.epoch += 1

    def sample(self, n: int, noise: Tensor | None = None, batch_size: int = 256) -> Tensor:
        """n samples of G (of its moving average, if there is one), in evaluation mode.

        ``noise`` (n, latent_dim) gives the z to use. No state changes but the random numbers'.
        """
        network = self.ema.module if self.ema is not None else self.generator
        noise = self.sample_noise(n) if noise is None else noise
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        try:
            with no_grad():
                parts = [network(noise[i : i + batch_size]) for i in range(0, n, batch_size)]
        finally:
            for module, mode in modes:
                module.training = mode
        return Tensor(backend.module_of(parts[0].data).concatenate([p.data for p in parts]))

    def fixed_noise(self, n: int, seed: int) -> Tensor:
        """n noise vectors that depend on the seed alone and leave the game's random numbers be."""
        p = next(self.generator.parameters())
        z = backend.default_rng(seed, 1).standard_normal((n, self.latent_dim), dtype=np.float32)
        return Tensor(backend.asarray(z, p.dtype, p.device))

    def _check_range(self, dataset: Any) -> None:
        """Say so if G can not reach the data's values: a tanh gives [-1, 1], a sigmoid [0, 1]."""
        last = _last_layer(self.generator)
        bounds = (-1.0, 1.0) if isinstance(last, Tanh) else (0.0, 1.0)
        wanted = getattr(dataset, "range", None)
        if wanted and isinstance(last, (Tanh, Sigmoid)) and tuple(wanted) != bounds:
            warnings.warn(
                f"the generator ends in {type(last).__name__}, which gives {bounds}, but the data "
                f"is in {tuple(wanted)}: use dataset.with_range{bounds}, or another last layer",
                stacklevel=3,
            )

    # -------------------------------------------------------------------------------- its state

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, random numbers included."""
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "ema": self.ema.state_dict() if self.ema is not None else None,
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "random": backend.random_state(),
            "epoch": self.epoch,
            "step": self.step,
            "d_updates": self.d_updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken, bit for bit.

        Raises
        ------
        ValueError
            If the state is of other networks; the message lists what differs.
        """
        if (state["ema"] is None) != (self.ema is None):
            raise ValueError("the state and this game differ in whether they keep an EMA of G")
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        backend.set_random_state(state["random"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.d_updates = state["d_updates"]

    def check_finite(self) -> None:
        """Raise :class:`Diverged` if a weight of either network is NaN or infinite."""
        for name, network in (("generator", self.generator), ("discriminator", self.discriminator)):
            for path, p in network.state_dict().items():
                if not bool(isfinite(p).data.all()):
                    raise Diverged(
                        f"{path} of the {name} became NaN or infinite by step {self.step} (epoch "
                        f"{self.epoch}): try a smaller learning rate"
                    )


@contextmanager
def _frozen(network: Module) -> Iterator[None]:
    """No gradient for the network's weights inside: for D that is 7% of a DCGAN step saved."""
    learning = [p for p in network.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad = False
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad = True


def _probability(logits: Tensor) -> float:
    with no_grad():
        return sigmoid(logits.detach()).mean().item()


def _batches(loader: Iterable[Any], epoch: int) -> Iterable[Any]:
    return loader.batches(epoch) if hasattr(loader, "batches") else loader


def _last_layer(network: Module) -> Module:
    """The last layer that changes values, not only their shape."""
    *_, last = (m for m in network.modules() if not isinstance(m, (Flatten, Identity, Unflatten)))
    return last


def _latent_dim(generator: Module) -> int:
    for module in generator.modules():
        if hasattr(module, "in_features"):
            return module.in_features
    raise ValueError("the generator has no dense layer to tell the size of z: give latent_dim=")
