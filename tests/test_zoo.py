import pytest

import minigan as mg
from minigan import nn, zoo


def parameters(network):
    return sum(p.numel() for p in network.parameters())


PICTURES = [
    *[("mlp", (c, s, s)) for c in (1, 3) for s in (8, 28)],
    ("mlp", (1, 5, 7)),
    *[("mlp-cnn", (c, s, s)) for c in (1, 3) for s in (8, 28)],
    ("mlp-cnn", (1, 9, 13)),
    *[("dcgan", (c, s, s)) for c in (1, 3) for s in (8, 16, 28, 32, 64)],
]


@pytest.mark.parametrize(("model", "shape"), PICTURES, ids=str)
def test_pictures_and_logits_have_their_shapes(model, shape):
    options = {} if model == "mlp" else {"channels": 4}
    g_options = {"channels": 4} if model == "dcgan" else {}
    generator, discriminator = zoo.build(model, shape, {"latent_dim": 10, **g_options}, options)
    pictures = generator(mg.randn(3, 10))
    assert pictures.shape == (3, *shape)
    assert pictures.dtype == "float32"
    assert -1 <= pictures.min().item() < pictures.max().item() <= 1
    assert discriminator(pictures).shape == (3, 1)


def test_points_are_unbounded():
    generator, discriminator = zoo.build("mlp", (2,))
    points = generator(mg.randn(50, 100) * 100)
    assert points.shape == (50, 2) and mg.abs(points).max().item() > 1
    assert discriminator(points).shape == (50, 1)


def test_the_documents_networks():
    """100-128-784 against 784-128-1."""
    generator, discriminator = zoo.build("mlp", (1, 28, 28))
    assert parameters(generator) == (100 + 1) * 128 + (128 + 1) * 784 == 114_064
    assert parameters(discriminator) == (784 + 1) * 128 + 129 == 100_609


def test_d_mirrors_g():
    generator, discriminator = zoo.build(
        "mlp", (1, 28, 28), {"hidden": (256, 512)}, {"hidden": (256, 512)}
    )
    widths = [
        [m.out_features for m in n if isinstance(m, nn.Linear)] for n in (generator, discriminator)
    ]
    assert widths == [[256, 512, 784], [512, 256, 1]]


def test_dcgan_on_28x28():
    """7 → 14 → 28 with 128 and 64 channels; batch norm adds two numbers a channel."""
    generator, discriminator = zoo.build("dcgan", (1, 28, 28))
    assert parameters(generator) == (
        (100 + 1) * 128 * 49 + 2 * 128 + (128 * 16 * 64 + 64) + 2 * 64 + (64 * 16 + 1)
    )
    assert parameters(discriminator) == (
        (16 * 64 + 64) + (64 * 16 * 128 + 128) + 2 * 128 + (128 * 49 + 1)
    )


@pytest.mark.parametrize(("side", "layers"), [(8, 2), (16, 2), (28, 2), (32, 3), (64, 4)])
def test_dcgan_halves_as_often_as_its_docstring_says(side, layers):
    generator, discriminator = zoo.build("dcgan", (1, side, side))
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in generator) == layers
    assert sum(isinstance(m, nn.Conv2d) for m in discriminator) == layers


def test_dcgan_has_no_batch_norm_at_gs_output_and_ds_input():
    generator, discriminator = map(list, zoo.build("dcgan", (1, 28, 28)))
    assert isinstance(generator[-1], nn.Tanh) and isinstance(generator[-2], nn.ConvTranspose2d)
    assert isinstance(discriminator[0], nn.Conv2d) and isinstance(discriminator[1], nn.LeakyReLU)
    for network in (generator, discriminator):
        assert any(isinstance(m, nn.BatchNorm2d) for m in network)


def test_options_reach_the_networks():
    generator = zoo.mlp.generator((1, 4, 4), 7, (5,), batch_norm=True)
    assert [type(m).__name__ for m in generator] == [
        "Linear", "BatchNorm1d", "LeakyReLU", "Linear", "Tanh", "Unflatten"
    ]  # fmt: skip
    assert generator[0].in_features == 7
    dropping = zoo.mlp.discriminator((1, 4, 4), (5, 6), dropout=0.4)
    assert [m.p for m in dropping if isinstance(m, nn.Dropout)] == [0.4, 0.4]


@pytest.mark.parametrize(
    "shape",
    [
        (1, 2, 2),
        (1, 10, 10),
        (1, 18, 18),
        (1, 30, 30),
        (1, 36, 36),
        (1, 27, 27),
        (1, 28, 32),
        (1, 1, 1),
    ],
)
def test_sizes_that_dcgan_can_not_make_are_refused(shape):
    with pytest.raises(ValueError, match=rf"halved .*\(8, 16, 28, 32, 64, ...\), got {shape[1]}x"):
        zoo.build("dcgan", shape)


def test_pictures_too_small_for_mlp_cnn_are_refused():
    with pytest.raises(ValueError, match="at least 4x4, got 3x8"):
        zoo.build("mlp-cnn", (1, 3, 8))


@pytest.mark.parametrize("model", ["dcgan", "mlp-cnn"])
def test_points_are_for_mlp(model):
    with pytest.raises(ValueError, match=f"'{model}' makes pictures, the data are points: use"):
        zoo.build(model, (2,))


def test_models_by_name():
    generator, _ = zoo.build("MLP_CNN", (1, 8, 8))
    assert isinstance(generator, nn.Sequential)
    with pytest.raises(ValueError, match="unknown model 'dcgn': did you mean 'dcgan'"):
        zoo.build("dcgn", (1, 8, 8))


# ------------------------------------------------------------------- D's norms, packs, and pacgan

DISCRIMINATORS = {
    "mlp": {"hidden": (6, 5)},
    "mlp-cnn": {"channels": 2},
    "dcgan": {"channels": 2},
    "pacgan": {"width": 4},
}


@pytest.mark.parametrize("norm", zoo.NORMS)
@pytest.mark.parametrize("model", zoo.MODELS)
def test_every_discriminator_takes_every_norm(model, norm):
    shape = (2,) if model == "pacgan" else (1, 16, 16)
    d = zoo.build(model, shape, None, {**DISCRIMINATORS[model], "norm": norm})[1]
    kinds = [type(m) for m in d.modules()]
    batch_norms = sum(k in (nn.BatchNorm1d, nn.BatchNorm2d) for k in kinds)
    learning = [m for m in d.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert (batch_norms > 0) == (norm == "batch")
    spectral = [nn.utils.is_spectrally_normalized(m) for m in learning]
    assert all(spectral) if norm == "spectral" else not any(spectral)
    assert d(mg.randn(4, *shape)).shape == (4, 1)


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="unknown norm 'spectrl': did you mean 'spectral'"):
        zoo.dcgan.discriminator(norm="spectrl")


@pytest.mark.parametrize("model", zoo.MODELS)
def test_packs_widen_the_discriminators_input(model):
    shape = (2,) if model == "pacgan" else (3, 8, 8)
    generator, discriminator = zoo.build(
        model, shape, {"latent_dim": 5}, DISCRIMINATORS[model], pack=3
    )
    assert generator(mg.randn(6, 5)).shape == (6, *shape)
    assert discriminator(mg.randn(2, 3 * shape[0], *shape[1:])).shape == (2, 1)


def test_pacgans_networks_are_the_papers():
    generator, discriminator = zoo.build("pacgan", (2,), pack=2)
    assert parameters(generator) == 2 * 400 + 3 * 400 * 400 + 4 * 2 * 400 + (400 * 2 + 2)
    assert parameters(discriminator) == (4 + 1) * 1000 + 2 * (200 + 1) * 1000 + 201
    norms = [m for m in generator if isinstance(m, nn.BatchNorm1d)]
    assert len(norms) == 4 and {m.momentum for m in norms} == {0.05}
    assert {m.eps for m in norms} == {1e-5}
    for network in (generator, discriminator):
        for m in network:
            if isinstance(m, nn.Linear):
                if m.bias is not None:
                    assert not m.bias.array.any()
                spread = m.weight.array.std()
                assert spread == pytest.approx(0.02, rel=0.2), m
    assert generator(mg.randn(5, 2)).shape == (5, 2)


def test_pacgan_is_for_points():
    with pytest.raises(ValueError, match="pacgan makes points, the data are .*: use model 'mlp'"):
        zoo.build("pacgan", (1, 8, 8))
