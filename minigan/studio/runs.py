"""A run: one folder that holds all of a training, and can be continued, sampled and read.

::

    config.json              what was asked for, defaults included
    history.csv              a row per step
    samples/0030.png         what G made of the same noise, every few epochs
    samples.png  loss.png    at the end
    diagnosis.txt            what was measured beside it, and what looks wrong
    checkpoint.safetensors   the whole state of the game
"""

from __future__ import annotations

import inspect
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from .. import data as datasets
from .. import random, zoo
from ..fast.mpi import group
from ..gan import Callback, Checkpoints, History, Minimax, Progress, Samples
from ..gan.objectives import OBJECTIVES
from ..gan.penalties import PENALTIES, penalty
from ..insight import Diagnosis
from ..names import find_name
from ..nn import SyncBatchNorm
from ..optim import Optimizer
from ..optim.lr_scheduler import LambdaLR
from ..saving import load_tree, write_atomically
from ..tensor import Tensor
from . import plot

STEPS_PER_CHECKPOINT = 500  # at most that many steps are lost when a run is killed

# What trains well, where the defaults of ``Config`` do not: per model, and per data set and model.
RECIPES: dict[tuple[str | None, str], dict[str, Any]] = {
    # Matrices this small gain nothing from a second core, and wait if another program has it:
    # 1,400 steps beside a busy process took 66 s with two threads, 5 s with one.
    (None, "mlp"): {"threads": 1},
    ("digits", "mlp"): {
        "latent_dim": 16,
        "lr": 1e-3,
        "epochs": 300,
        "generator": {"hidden": [128, 128, 128], "batch_norm": True},
        "discriminator": {"hidden": [256]},
    },
    ("digits", "dcgan"): {"lr": 1e-3, "epochs": 60},
    ("ring", "mlp"): {
        "latent_dim": 2,
        "lr": 1e-3,
        "epochs": 5,
        "batch_size": 256,
        "generator": {"hidden": [128, 128, 128], "batch_norm": True},
        "discriminator": {"hidden": [128, 128]},
    },
}
for _points in ("grid", "swiss-roll", "two-moons"):
    RECIPES[_points, "mlp"] = RECIPES["ring", "mlp"]


@dataclass
class Config:
    """All that a run depends on; what is left out comes from ``RECIPES`` or the default here."""

    # The second part of an annotation is the option's help, a third its name if it is another; what
    # has neither is no option of the command line.
    data: Annotated[str, f"{', '.join(datasets.NAMES)}, or a folder of pictures  [digits]"] = (
        "digits"
    )
    data_dir: Annotated[str | None, "where the data set's files are, or will be downloaded to"] = (
        None
    )
    split: Annotated[str, "train or test  [train]"] = "train"
    image_size: Annotated[int, "side of the pictures made from a folder's  [32]"] = 32
    model: Annotated[str, f"{', '.join(zoo.MODELS)}  [mlp]"] = "mlp"
    objective: Annotated[str, f"{', '.join(OBJECTIVES)}  [non-saturating]"] = "non-saturating"
    penalties: Annotated[
        list[str],
        "NAME or NAME=WEIGHT; again for more: "
        + ", ".join(f"{name}={kind().weight:g}" for name, kind in PENALTIES.items()),
        "--penalty",
    ] = field(default_factory=list)
    epochs: Annotated[int, "passes over the data, in total  [30; digits 300]"] = 30
    batch_size: Annotated[int, "[64]"] = 64
    lr: Annotated[float, "Adam's step size  [2e-4; digits 1e-3]"] = 2e-4
    beta1: Annotated[float, "Adam's first decay  [0.5]"] = 0.5
    d_lr: Annotated[float | None, "D's own step size  [that of --lr]"] = None
    # a function of the epoch alone, so that runs can go on
    lr_half_life: Annotated[float, "epochs in which step sizes halve; 0: they stay  [0]"] = 0.0
    d_steps: Annotated[int, "updates of D per update of G  [1]"] = 1
    real_label: Annotated[float, "D's target for real samples; 0.9 smooths  [1]"] = 1.0
    fake_label: Annotated[float, "D's target for generated samples  [0]"] = 0.0
    # auto: the model's own, but none where a penalty needs D to do without
    d_norm: Annotated[
        str, "in D: batch, spectral or none; auto: what suits the penalty  [auto]"
    ] = "auto"
    pack: Annotated[int, "samples that D judges together (PacGAN)  [1]"] = 1
    instance_noise: Annotated[float, "standard deviation of noise on all that D sees  [0]"] = 0.0
    noise_steps: Annotated[int, "updates of G until that noise has faded; 0: it stays  [0]"] = 0
    clip_grad_norm: Annotated[float, "the longest gradient of a network; 0: no limit  [0]"] = 0.0
    unroll: Annotated[int, "steps of D that G looks ahead (unrolled GAN)  [0]"] = 0
    consensus: Annotated[float, "weight of both gradients' squared length  [0]"] = 0.0
    ema: Annotated[float, "decay of G's moving average; 0 for none  [0.999]"] = 0.999
    latent_dim: Annotated[int, "length of z  [100; digits 16]"] = 100
    seed: Annotated[int, "of weights, data order and noise  [0]"] = 0
    ranks: int = 1  # processes that train together; batch_size is of each
    sync_batch_norm: Annotated[bool, "under mpiexec: statistics over all processes' batches"] = (
        False
    )
    threads: Annotated[int, "cores for matrix products, 0 for all; mlp takes 1  [0; digits 1]"] = 0
    generator: dict[str, Any] = field(default_factory=dict)
    discriminator: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, **given: Any) -> Config:
        """The options that are not None, over the recipe, over the defaults."""
        given = {k: v for k, v in given.items() if v is not None}
        asked = cls(**given)
        if "image_size" in given and asked.data in datasets.NAMES:
            raise ValueError(
                f"image_size is for folders of pictures; {asked.data} has its own size"
            )
        for key in ((asked.data, asked.model), (None, asked.model)):
            given = RECIPES.get(key, {}) | given
        return cls(**given)

    def __post_init__(self) -> None:
        """Take names as people spell them, and refuse what no run can be made of."""
        with suppress(ValueError):  # else it is a folder, which only training needs
            self.data = find_name(self.data, datasets.NAMES, "data set")
        self.model = find_name(self.model, zoo.MODELS, "model")
        self.objective = find_name(self.objective, OBJECTIVES, "objective")
        self.penalties = [str(penalty(text)) for text in self.penalties]
        self.d_norm = find_name(self.d_norm, ("auto", *zoo.NORMS), "norm")
        lows = {"epochs": 1, "batch_size": 2, "d_steps": 1, "latent_dim": 1}
        lows |= {"seed": 0, "threads": 0}
        for option, low in lows.items():
            if getattr(self, option) < low:
                raise ValueError(f"{option} must be at least {low}, got {getattr(self, option)}")
        for option in ("lr", "d_lr"):
            value = getattr(self, option)
            if value is not None and not value > 0:
                raise ValueError(f"{option} must be positive, got {value}")
        if not self.lr_half_life >= 0:
            raise ValueError(f"lr_half_life must be at least 0, got {self.lr_half_life}")

    def located(self) -> Config:
        """The same with paths from the root, so that a run can be continued from anywhere."""
        known = self.data in datasets.NAMES
        return replace(
            self,
            data=self.data if known else str(Path(self.data).resolve()),
            data_dir=self.data_dir and str(Path(self.data_dir).resolve()),
        )

    def dataset(self) -> datasets.Dataset:
        """The data that the run learns from."""
        options: dict[str, Any] = {}
        if self.data not in datasets.NAMES:
            options["size"] = self.image_size
        return datasets.load(self.data, self.data_dir, self.split, **options)

    def game(self, shape: tuple[int, ...]) -> Minimax:
        """The networks with their initial weights, and the game between them, from the seed."""
        random.manual_seed(self.seed)
        penalties = [penalty(text) for text in self.penalties]
        norm = {} if self.d_norm == "auto" else {"norm": self.d_norm}
        if not norm and any(p.per_sample for p in penalties):
            norm = {"norm": "none"}
        networks = zoo.build(
            self.model,
            shape,
            {"latent_dim": self.latent_dim, **self.generator},
            {**norm, **self.discriminator},
            self.pack,
        )
        if self.sync_batch_norm:
            for network in networks:
                SyncBatchNorm.convert_sync_batchnorm(network)
        own: dict[str, Any] = {
            "objective": self.objective,
            "penalties": penalties,
            "betas": (self.beta1, 0.999),
        }
        own["scheduler"] = self._schedule if self.lr_half_life else None
        known = inspect.signature(Minimax).parameters.keys() - {"generator", "discriminator"}
        return Minimax(*networks, **{k: v for k, v in vars(self).items() if k in known} | own)

    def _schedule(self, optimizer: Optimizer) -> LambdaLR:
        return LambdaLR(optimizer, lambda epoch: 0.5 ** (epoch / self.lr_half_life))


class Run:
    """A run's folder and its configuration."""

    def __init__(self, folder: Path, config: Config, shape: tuple[int, ...], range: Any) -> None:
        self.folder, self.config, self.shape, self.range = folder, config, shape, range

    @property
    def checkpoint(self) -> Path:
        """The file with the game's whole state."""
        return self.folder / "checkpoint.safetensors"

    @property
    def history(self) -> Path:
        """The file with a row per step."""
        return self.folder / "history.csv"

    @property
    def diagnosis(self) -> Path:
        """The file with the report of :class:`Diagnosis`."""
        return self.folder / "diagnosis.txt"

    @classmethod
    def create(cls, config: Config, dataset: datasets.Dataset, folder: Path | None) -> Run:
        """A new folder: ``folder``, or the first free one of runs/NAME, runs/NAME-2, …

        Raises
        ------
        FileExistsError
            If ``folder`` is there and not empty: no run overwrites another.
        """
        config.game(dataset.shape)  # networks that do not fit the data fail before a folder is made
        if folder is not None:
            _make(folder)
        else:
            folder = _fresh(Path("runs"), f"{dataset.name}-{config.model}")
        run = cls(folder, config, dataset.shape, dataset.range)
        run.write_config()
        return run

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in ``folder``.

        Raises
        ------
        ValueError
            If there is none, or its configuration can not be read.
        """
        path = folder / "config.json"
        if not path.is_file():
            raise ValueError(f"{folder} is not a run: it has no config.json")
        try:
            content = json.loads(path.read_text())
            known = {f.name for f in fields(Config)}
            config = Config(**{k: v for k, v in content.items() if k in known})
            return cls(folder, config, tuple(content["shape"]), content["range"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} can not be read as a run's configuration: {error}") from None

    def continued(self, options: dict[str, Any], out: Path | None) -> Run:
        """This run with more epochs, in its own folder, or in a copy of it in ``out``.

        Raises
        ------
        ValueError
            If an option other than ``epochs`` differs from the run's, if it has played more epochs
            already, or if its checkpoint is broken.
        """
        self.check_ranks()
        given = {k: v for k, v in options.items() if v is not None}
        config = replace(self.config, **given).located()
        for option in given.keys() - {"epochs"}:
            value, kept = getattr(config, option), getattr(self.config, option)
            if value != kept:
                raise ValueError(
                    f"{self.folder} was made with {option} {kept}, not {value}: a run keeps its "
                    f"options; leave --{option.replace('_', '-')} away"
                )
        played = self.restore().epoch if self.checkpoint.is_file() else 0
        if config.epochs < played:
            raise ValueError(f"{self.folder} has played {played} epochs, not {config.epochs}")
        run = Run(out or self.folder, config, self.shape, self.range)
        if out is not None:
            _make(out)
        run.write_config()  # first, so that a copy cut short is a run that can be continued
        if out is not None:
            for source, copy in ((self.history, run.history), (self.checkpoint, run.checkpoint)):
                if source.is_file():
                    write_atomically(copy, source.read_bytes())
        return run

    def write_config(self) -> None:
        """Write config.json."""
        content = asdict(self.config.located()) | {"shape": self.shape, "range": self.range}
        text = json.dumps(content, indent=2) + "\n"
        write_atomically(self.folder / "config.json", text.encode())

    def restore(self) -> Minimax:
        """The game as its last checkpoint left it.

        Raises
        ------
        ValueError
            If there is no checkpoint, or it is broken, or of another model.
        """
        if not self.checkpoint.is_file():
            raise ValueError(f"{self.folder} has no checkpoint yet: continue it with --resume")
        game = self.config.game(self.shape)
        state = load_tree(self.checkpoint)
        try:
            game.load_state_dict(state)
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"{self.checkpoint} is of another model than its config.json says: {error}"
            ) from None
        return game

    def train(
        self,
        dataset: datasets.Dataset,
        progress: bool = True,
        diagnose: bool = True,
        capture: bool = False,
    ) -> Minimax:
        """Train until ``config.epochs`` in total, from the last checkpoint if there is one.

        ``progress`` shows a bar and what the diagnosis finds; ``diagnose`` watches for trouble;
        ``capture`` records the steps as CUDA graphs.
        """
        from threadpoolctl import threadpool_limits

        config = self.config
        if dataset.shape != self.shape:
            raise ValueError(f"the run was made for data of {self.shape}, this is {dataset.shape}")
        together = group()
        self.check_ranks()
        game = self.restore() if self.checkpoint.is_file() else config.game(self.shape)
        random.set_rank(together.rank)  # equal weights until here; from here other noise
        if capture:
            game.capture()
        batch_size = min(config.batch_size, len(dataset) // config.ranks)
        loader = datasets.DataLoader(
            dataset,
            batch_size,
            shuffle=True,
            drop_last=True,
            seed=config.seed,
            rank=together.rank,
            ranks=together.size,
        )
        if together.rank:  # one process writes
            with threadpool_limits(config.threads or None, user_api="blas"):
                game.fit(loader, config.epochs)
            return game
        per_epoch = max(1, len(loader) // config.d_steps)
        history = History(self.history)
        callbacks: list[Callback] = [
            history,
            Samples(self._show(dataset), max(1, config.epochs // 10), self._count, config.seed),
            # last, so that an epoch that is in the checkpoint has all its other files
            Checkpoints(self.checkpoint, every=max(1, STEPS_PER_CHECKPOINT // per_epoch)),
        ]
        if diagnose:
            n, say = min(64, batch_size), None if progress else lambda text: None
            callbacks.insert(1, Diagnosis(dataset, n=n, path=self.diagnosis, say=say))
        if progress:
            callbacks.append(Progress())
        with threadpool_limits(config.threads or None, user_api="blas"):
            game.fit(loader, config.epochs, callbacks)
        plot.save(plot.losses(history), self.folder / "loss.png")
        return game

    def check_ranks(self) -> None:
        """Raise ValueError if another number of processes was started than the run is made for."""
        ranks, now = self.config.ranks, group().size
        if now != ranks:
            how = f"mpiexec -n {ranks} minigan" if ranks > 1 else "minigan"
            raise ValueError(
                f"the run was made by {ranks} process{'es' * (ranks > 1)}, but {now} "
                f"{'were' if now > 1 else 'was'} started: {how} train --resume {self.folder}"
            )

    @property
    def _count(self) -> int:
        return 64 if len(self.shape) == 3 else 2000

    def _show(self, dataset: datasets.Dataset) -> Any:
        real = dataset[:2000] if len(self.shape) == 1 else None

        def show(samples: Tensor, epoch: int, last: bool) -> None:
            picture = self.picture(samples, real)
            (self.folder / "samples").mkdir(exist_ok=True)
            plot.save(picture, self.folder / "samples" / f"{epoch:04d}.png")
            if last:
                plot.save(picture, self.folder / "samples.png")

        return show

    def picture(self, samples: Any, real: Any = None) -> Any:
        """Samples as a picture: a grid of images, or a cloud of points."""
        if len(self.shape) == 3:
            return plot.grid(samples, self.range or (-1.0, 1.0))
        return plot.points(samples, real)


def _make(folder: Path) -> None:
    """Make the folder; one that is there and not empty is an error."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(file.suffix != ".tmp" for file in folder.iterdir()):  # a killed start's, or nothing
        raise FileExistsError(
            f"{folder} is not empty: choose another --out, or continue that run with "
            f"--resume {folder}"
        )


def _fresh(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10_000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{parent} is full of runs called {name}: choose another --out")
