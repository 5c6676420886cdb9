"""What each process of test_mpi.py runs: ``python ranks.py WHAT OUT``."""

import sys

import numpy as np

import minigan as mg
from minigan import nn, random
from minigan.fast.mpi import group
from minigan.gan import Minimax

SAMPLES, STEPS = 64, 20


class SharedNoise(Minimax):
    """Every rank draws the noise of all, and takes its own part."""

    def sample_noise(self, n):
        whole = super().sample_noise(n * group().size)
        return whole[group().rank * n : (group().rank + 1) * n]


def networks(batch_norm):
    def norm(n):
        return [nn.SyncBatchNorm(n)] if batch_norm else []

    generator = nn.Sequential(nn.Linear(4, 16), *norm(16), nn.ReLU(), nn.Linear(16, 3))
    discriminator = nn.Sequential(nn.Linear(3, 16), *norm(16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    return generator.double(), discriminator.double()


def play(out, batch_norm=False, **options):
    """Twenty steps with 64 samples in all, and then the weights and running statistics."""
    mg.manual_seed(0)
    game = SharedNoise(*networks(batch_norm), lr=0.01, ema=0.9, **options)
    points = np.random.default_rng(0).standard_normal((SAMPLES * 5, 3))
    loader = mg.data.DataLoader(
        points,
        SAMPLES // group().size,
        shuffle=True,
        drop_last=True,
        dtype="float64",
        rank=group().rank,
        ranks=group().size,
    )
    game.fit(loader, STEPS // 5)
    state = {f"g.{k}": v.numpy() for k, v in game.ema.module.state_dict().items()}
    state |= {f"d.{k}": v.numpy() for k, v in game.discriminator.state_dict().items()}
    np.savez(f"{out}-{group().rank}", **state)


def gradient(out):
    """The gradient of a synchronised batch norm, and its second derivative along the first."""
    layer = nn.SyncBatchNorm(3).double()
    points = np.random.default_rng(0).standard_normal((8, 3))
    part = slice(group().rank * 8 // group().size, (group().rank + 1) * 8 // group().size)
    x = mg.tensor(points[part], requires_grad=True)
    y = (layer(x) ** 3).sum()
    (first,) = mg.grad(y, x, create_graph=True)
    (second,) = mg.grad((first**2).sum(), x)
    np.savez(f"{out}-{group().rank}", first=first.detach().numpy(), second=second.numpy())


def noise(out):
    """Equal weights, different noise."""
    mg.manual_seed(1)
    weights = mg.randn(3)
    random.set_rank(group().rank)
    np.savez(f"{out}-{group().rank}", weights=weights.numpy(), noise=mg.randn(3).numpy())


def fail(out, foreseen=True):
    """Rank 1 makes a mistake while rank 0 waits for it."""
    from minigan.studio import cli

    if group().rank:
        if not foreseen:
            cli.Run = None
        sys.exit(cli.main(["info", f"{out}-nowhere"]))
    group().sum(np.zeros(1))


WHAT = {
    "plain": lambda out: play(out),
    "clipped": lambda out: play(
        out, objective="hinge", penalties=["r1=1"], clip_grad_norm=0.05, d_steps=2
    ),
    "together": lambda out: play(out, simultaneous=True),
    "batch norm": lambda out: play(out, batch_norm=True),
    "gradient": gradient,
    "noise": noise,
    "fail": fail,
    "fail unforeseen": lambda out: fail(out, foreseen=False),
}

if __name__ == "__main__":
    WHAT[sys.argv[1]](sys.argv[2])
