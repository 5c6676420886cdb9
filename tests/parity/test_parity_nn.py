"""Every layer and loss against PyTorch: state by name, value, first and second derivatives."""

from typing import NamedTuple

import numpy as np
import pytest

import minigan as mg
from minigan import nn

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.numpy")
pytestmark = pytest.mark.parity

DTYPES = {"float64": 1e-10, "float32": 2e-5}


class Case(NamedTuple):
    name: str
    arguments: tuple
    settings: dict
    shape: tuple[int, ...]
    kind: str = "normal"

    def __str__(self) -> str:
        settings = [f"{k}={v}" for k, v in self.settings.items()]
        return f"{self.name}({', '.join([*map(str, self.arguments), *settings])})"

    def build(self, library):
        layer = getattr(library, self.name)(*self.arguments, **self.settings)
        return layer.to(torch.float64) if library is torch.nn else layer.double()

    def input(self) -> np.ndarray:
        rng = np.random.default_rng(1)
        if self.kind == "integers":
            return rng.integers(0, 5, self.shape)
        return rng.standard_normal(self.shape)


def case(name, *arguments, shape, kind="normal", **settings) -> Case:
    return Case(name, arguments, settings, shape, kind)


PICTURE = (2, 4, 6, 7)
LAYERS = [
    case("Linear", 4, 3, shape=(5, 4)),
    case("Linear", 4, 3, bias=False, shape=(2, 5, 4)),
    case("Linear", 4, 3, shape=(4,)),
    case("Identity", shape=(5, 4)),
    case("Flatten", shape=PICTURE),
    case("Flatten", 2, 3, shape=PICTURE),
    case("Unflatten", 1, (2, 2), shape=PICTURE),
    case("Conv1d", 4, 3, 3, shape=(2, 4, 9)),
    case("Conv1d", 4, 6, 3, 2, 1, 2, 2, False, shape=(2, 4, 9)),
    case("Conv1d", 4, 3, 4, padding="same", shape=(2, 4, 9)),
    case("Conv1d", 4, 3, 3, padding=2, padding_mode="circular", shape=(2, 4, 9)),
    case("Conv1d", 4, 3, 3, padding=2, padding_mode="reflect", shape=(2, 4, 9)),
    case("Conv2d", 4, 3, 3, shape=PICTURE),
    case("Conv2d", 4, 3, 1, bias=False, shape=PICTURE),
    case("Conv2d", 4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2, shape=PICTURE),
    case("Conv2d", 4, 8, 3, groups=4, padding=1, shape=PICTURE),
    case("Conv2d", 4, 3, 4, 2, 1, shape=PICTURE),
    case("Conv2d", 4, 3, 3, padding="same", dilation=2, shape=PICTURE),
    case("Conv2d", 4, 3, (2, 4), padding="same", shape=PICTURE),
    case("Conv2d", 4, 3, 3, padding="valid", shape=PICTURE),
    case("Conv2d", 4, 3, 3, padding=(1, 2), padding_mode="reflect", shape=PICTURE),
    case("Conv2d", 4, 3, 3, padding=(1, 2), padding_mode="replicate", shape=PICTURE),
    case("Conv2d", 4, 3, (2, 3), padding="same", padding_mode="circular", shape=PICTURE),
    case("ConvTranspose2d", 4, 3, 3, shape=PICTURE),
    case("ConvTranspose2d", 4, 3, 4, 2, 1, bias=False, shape=PICTURE),
    case("ConvTranspose2d", 4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, shape=PICTURE),
    case("ConvTranspose2d", 4, 3, 3, 2, 1, 1, dilation=2, shape=PICTURE),
    case("ConvTranspose2d", 4, 3, 3, 1, 1, 1, dilation=2, shape=PICTURE),
    case("BatchNorm1d", 4, shape=(6, 4)),
    case("BatchNorm1d", 4, 1e-3, 0.3, shape=(2, 4, 5)),
    case("BatchNorm2d", 4, shape=PICTURE),
    case("BatchNorm2d", 4, momentum=None, shape=PICTURE),
    case("BatchNorm2d", 4, affine=False, shape=PICTURE),
    case("BatchNorm2d", 4, track_running_stats=False, shape=PICTURE),
    case("LayerNorm", 7, shape=PICTURE),
    case("LayerNorm", (6, 7), 1e-3, bias=False, shape=PICTURE),
    case("LayerNorm", [4, 6, 7], elementwise_affine=False, shape=PICTURE),
    case("InstanceNorm2d", 4, shape=PICTURE),
    case("InstanceNorm2d", 4, affine=True, track_running_stats=True, shape=PICTURE),
    case("InstanceNorm2d", 4, momentum=None, track_running_stats=True, shape=PICTURE),
    case("GroupNorm", 2, 4, shape=PICTURE),
    case("GroupNorm", 4, 4, 1e-3, affine=False, shape=(3, 4, 5)),
    case("ReLU", shape=PICTURE),
    case("LeakyReLU", 0.2, shape=PICTURE),
    case("LeakyReLU", shape=PICTURE),
    case("PReLU", shape=PICTURE),
    case("PReLU", 4, shape=PICTURE),
    case("PReLU", 4, 0.1, shape=(3, 4)),
    case("PReLU", 4, shape=(4, 4, 4)),
    case("Tanh", shape=PICTURE),
    case("Sigmoid", shape=PICTURE),
    case("Softplus", shape=PICTURE),
    case("Softplus", 3.0, 2.0, shape=PICTURE),
    case("ELU", 0.7, shape=PICTURE),
    case("GELU", shape=PICTURE),
    case("GELU", "tanh", shape=PICTURE),
    case("SiLU", shape=PICTURE),
    case("Softmax", 1, shape=PICTURE),
    case("LogSoftmax", -1, shape=PICTURE),
    case("Upsample", scale_factor=2, shape=PICTURE),
    case("Upsample", scale_factor=(3, 1), shape=PICTURE),
    case("Upsample", scale_factor=1.7, shape=PICTURE),
    case("Upsample", (9, 4), shape=PICTURE),
    case("Upsample", scale_factor=2, mode="bilinear", shape=PICTURE),
    case("Upsample", scale_factor=(1.7, 0.6), mode="bilinear", shape=PICTURE),
    case("Upsample", (4, 15), mode="bilinear", shape=PICTURE),
    case("Upsample", scale_factor=2, mode="bilinear", align_corners=True, shape=PICTURE),
    case("Upsample", (1, 15), mode="bilinear", align_corners=True, shape=PICTURE),
    case("PixelShuffle", 2, shape=(2, 8, 3, 2)),
    case("AvgPool2d", 2, shape=PICTURE),
    case("AvgPool2d", 3, 2, 1, shape=PICTURE),
    case("AvgPool2d", (2, 3), (1, 2), (1, 0), count_include_pad=False, shape=PICTURE),
    case("AvgPool2d", 3, 2, 1, True, shape=PICTURE),
    case("AvgPool2d", 3, 3, 1, True, False, shape=PICTURE),
    case("AvgPool2d", 2, 3, ceil_mode=True, shape=PICTURE),
    case("AvgPool2d", 2, divisor_override=3, shape=PICTURE),
    case("MaxPool2d", 2, shape=PICTURE),
    case("MaxPool2d", 3, 2, 1, shape=PICTURE),
    case("MaxPool2d", (2, 3), (1, 2), (1, 0), dilation=2, shape=PICTURE),
    case("MaxPool2d", 3, 2, 1, ceil_mode=True, shape=PICTURE),
    case("MaxPool2d", 2, 3, ceil_mode=True, shape=PICTURE),
    *(case("AdaptiveAvgPool2d", n, shape=PICTURE) for n in (1, 2, 4, 6, 9)),
    case("AdaptiveAvgPool2d", (None, 3), shape=PICTURE),
    case("ZeroPad2d", 2, shape=PICTURE),
    case("ZeroPad2d", (1, 0, 2, -1), shape=PICTURE),
    case("ReflectionPad2d", 3, shape=PICTURE),
    case("ReflectionPad2d", (1, 0, 2, 3), shape=PICTURE),
    case("ReplicationPad2d", 2, shape=PICTURE),
    case("ReplicationPad2d", (1, 0, 2, 5), shape=PICTURE),
    case("Embedding", 5, 3, shape=(4, 6), kind="integers"),
    case("Embedding", 5, 3, padding_idx=-4, shape=(9,), kind="integers"),
    case("RNN", 4, 3, shape=(5, 2, 4)),
    case("RNN", 4, 3, 2, "relu", False, shape=(5, 2, 4)),
    case("RNN", 4, 3, shape=(5, 4)),
    case("GRU", 4, 3, shape=(5, 2, 4)),
    case("GRU", 4, 3, 2, batch_first=True, bidirectional=True, shape=(5, 2, 4)),
    case("GRU", 4, 3, bias=False, batch_first=True, shape=(5, 4)),
    case("LSTM", 4, 3, shape=(5, 2, 4)),
    case("LSTM", 4, 3, 2, True, True, bidirectional=True, shape=(2, 5, 4)),
    case("LSTM", 4, 3, bias=False, shape=(5, 4)),
    case("Dropout", 0.0, shape=PICTURE),
    case("Dropout", 1.0, shape=PICTURE),
    case("Dropout2d", 0.0, shape=PICTURE),
    case("Dropout2d", 1.0, shape=PICTURE),
    case("Dropout3d", 0.0, shape=(2, 3, 2, 2, 2)),
    case("Dropout3d", 1.0, shape=(2, 3, 2, 2, 2)),
    # what PyTorch-GAN's scripts write
    case("BatchNorm2d", 4, 0.8, shape=PICTURE),
    case("AvgPool2d", 3, stride=2, padding=[1, 1], count_include_pad=False, shape=PICTURE),
    case("ZeroPad2d", (1, 0, 1, 0), shape=PICTURE),
]
layers = pytest.mark.parametrize("case", LAYERS, ids=str)


def pair(case: Case, dtype: str = "float64"):
    """PyTorch's layer and ours with the same random state, carried by name."""
    torch.manual_seed(0)
    theirs, ours = case.build(torch.nn), case.build(nn)
    rng = np.random.default_rng(0)
    for name, value in theirs.state_dict().items():
        if value.dtype.is_floating_point:
            drawn = rng.uniform(0.5, 1.5, tuple(value.shape))
            value.copy_(torch.tensor(drawn if "var" in name else drawn - 1))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()}, strict=True)
    return theirs.to(getattr(torch, dtype)), ours.to(dtype)


def flat(value) -> list:
    """Tensors nested in tuples, one after the other."""
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in flat(v)]
    return [value]


def derivatives(library, layer, inputs: list, wanted: list):
    """Outputs, gradients along random cotangents, and the gradient of a projection of those."""
    rng = np.random.default_rng(2)
    is_torch = library is torch
    grad = torch.autograd.grad if is_torch else mg.grad

    def draw(like):
        value = rng.standard_normal(tuple(like.shape))
        return torch.tensor(value, dtype=like.dtype) if is_torch else mg.tensor(value, like.dtype)

    outputs = flat(layer(*inputs))
    if not wanted:
        return [outputs]
    first = grad(outputs, wanted, [draw(o) for o in outputs], create_graph=True, allow_unused=True)
    loss = sum((g * draw(x)).sum() for g, x in zip(first, wanted, strict=True) if g is not None)
    if isinstance(loss, int) or not loss.requires_grad:
        return [outputs, first]
    return [outputs, first, grad(loss, wanted, allow_unused=True)]


def host(x):
    """The values as a NumPy array."""
    return (
        x.numpy(force=True)
        if isinstance(x, torch.Tensor)
        else None
        if x is None
        else x.detach().numpy()
    )


def agree(ours, theirs, tolerance: float) -> None:
    """None counts as zero: the libraries may drop constant derivatives at different places."""
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        a, b = host(a), host(b)
        if a is None or b is None:
            present = a if b is None else b
            assert present is None or np.abs(present).max() == 0
            continue
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        scale = max(1.0, float(np.abs(b).max(initial=0)))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * scale)


def agree_to_second_order(ours: list, theirs: list, tolerance: float) -> None:
    """What ``derivatives`` gave; a second derivative that one side does not record must be 0."""
    for found, expected in zip(ours, theirs, strict=False):
        agree(found, expected, tolerance)
    if len(ours) != len(theirs):
        extra = max(ours, theirs, key=len)[-1]
        assert all(g is None or not host(g).any() for g in extra)


def compare(theirs, ours, x: np.ndarray, dtype: str, tolerance: float) -> None:
    floating = x.dtype.kind == "f"
    a = mg.tensor(x.astype(dtype) if floating else x, requires_grad=floating)
    b = torch.tensor(x.astype(dtype) if floating else x, requires_grad=floating)
    learned = [p for _, p in ours.named_parameters()], [p for _, p in theirs.named_parameters()]
    agree_to_second_order(
        derivatives(mg, ours, [a], [a] * floating + learned[0]),
        derivatives(torch, theirs, [b], [b] * floating + learned[1]),
        tolerance,
    )


@layers
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_layer(case, dtype, mode):
    theirs, ours = pair(case, dtype)
    theirs.train(mode == "train"), ours.train(mode == "train")
    compare(theirs, ours, case.input(), dtype, DTYPES[dtype])
    state = theirs.state_dict()  # with the running statistics after one step
    for name, value in ours.state_dict().items():
        agree([value], [state[name]], DTYPES[dtype])


@layers
def test_state_dict(case):
    """The same names in the same order, with the same shapes and dtypes."""
    theirs, ours = pair(case, "float32")

    def table(state):
        return [(k, tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()]

    assert table(ours.state_dict()) == table(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})


INITIAL = [
    case("Linear", 60, 80, shape=()),
    case("Conv1d", 8, 64, 5, shape=()),
    case("Conv2d", 16, 64, (3, 5), groups=2, shape=()),
    case("ConvTranspose2d", 64, 16, 4, groups=2, shape=()),
    case("BatchNorm2d", 4, shape=()),
    case("GroupNorm", 2, 4, shape=()),
    case("PReLU", 4, shape=()),
    case("Embedding", 200, 30, 3, shape=()),
    case("RNN", 30, 40, 2, shape=()),
    case("LSTM", 30, 20, bidirectional=True, shape=()),
    case("GRU", 30, 20, shape=()),
]


@pytest.mark.parametrize("case", INITIAL, ids=str)
def test_initial_distribution(case):
    torch.manual_seed(0)
    theirs = case.build(torch.nn).state_dict()
    for name, ours in case.build(nn).state_dict().items():
        a, b = ours.numpy().astype(float).ravel(), theirs[name].double().numpy().ravel()
        spread = b.std()
        tolerance = 6 * spread / np.sqrt(b.size)
        assert abs(a.mean() - b.mean()) <= tolerance, name
        assert abs(a.std() - spread) <= tolerance, name
        if case.name == "Embedding":
            assert not a.reshape(200, 30)[3].any()
            assert not b.reshape(200, 30)[3].any()
        elif b.size > 1000:  # uniform: the largest of many draws lies close to the bound
            np.testing.assert_allclose(np.abs(a).max(), np.abs(b).max(), rtol=0.02)
            assert np.abs(a).max() <= np.sqrt(3) * spread * 1.05


INITIALISERS = [
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("kaiming_uniform_", {"a": 0.3}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal_", {"nonlinearity": "tanh"}),
    ("uniform_", {"a": -1.0, "b": 3.0}),
    ("normal_", {"mean": 1.0, "std": 0.02}),
    ("orthogonal_", {"gain": 2.0}),
    ("ones_", {}),
    ("zeros_", {}),
    ("constant_", {"val": 3.0}),
]


@pytest.mark.parametrize(("name", "settings"), INITIALISERS)
def test_init(name, settings):
    torch.manual_seed(0)
    a, b = mg.zeros(40, 30, 3, 3), torch.zeros(40, 30, 3, 3)
    assert getattr(nn.init, name)(a, **settings) is a
    getattr(torch.nn.init, name)(b, **settings)
    x, y = a.numpy(), b.numpy()
    tolerance = 6 * y.std() / np.sqrt(y.size) + 1e-7
    assert abs(x.mean() - y.mean()) <= tolerance
    assert abs(x.std() - y.std()) <= tolerance
    if "uniform" in name:
        np.testing.assert_allclose([x.min(), x.max()], [y.min(), y.max()], rtol=2e-3)


@pytest.mark.parametrize("name", ["linear", "conv2d", "tanh", "relu", "leaky_relu", "selu"])
def test_gain(name):
    assert nn.init.calculate_gain(name) == torch.nn.init.calculate_gain(name)


# ------------------------------------------------------------------------------------------- losses

POSITIVE = [0.2, 1.5, 0.7, 2.0]


def loss(name, kind, shape=(6, 4), **settings):
    return pytest.param(name, kind, shape, settings, id=f"{name}-{kind}-{shape}-{settings}")


LOSSES = [
    *(
        loss(name, kind, reduction=reduction)
        for name, kind in [
            ("MSELoss", "real"),
            ("L1Loss", "real"),
            ("BCELoss", "probability"),
            ("BCEWithLogitsLoss", "fraction"),
            ("CrossEntropyLoss", "class"),
            ("CrossEntropyLoss", "distribution"),
            ("NLLLoss", "class"),
        ]
        for reduction in ("mean", "sum", "none")
    ),
    loss("BCELoss", "probability", weight=POSITIVE),
    loss("BCEWithLogitsLoss", "fraction", weight=POSITIVE),
    loss("BCEWithLogitsLoss", "fraction", weight=POSITIVE, pos_weight=POSITIVE[::-1]),
    *(
        loss("CrossEntropyLoss", kind, shape, weight=weight, label_smoothing=s, reduction=reduction)
        for kind in ("class", "distribution")
        for shape in [(4,), (6, 4), (2, 4, 3, 2)]
        for weight in (None, POSITIVE)
        for s in (0.0, 0.3)
        for reduction in ("mean", "sum", "none")
    ),
    loss("CrossEntropyLoss", "class", ignore_index=2, weight=POSITIVE, label_smoothing=0.1),
    loss("CrossEntropyLoss", "class", (2, 4, 3), ignore_index=2, label_smoothing=0.1),
    loss("CrossEntropyLoss", "class", ignore_index=2, reduction="none", label_smoothing=0.1),
    loss("NLLLoss", "class", (4,)),
    loss("NLLLoss", "class", (2, 4, 3, 2), weight=POSITIVE),
    loss("NLLLoss", "class", (2, 4, 5), weight=POSITIVE, ignore_index=2),
    loss("NLLLoss", "class", ignore_index=2, reduction="none"),
]


def operands(kind: str, shape: tuple[int, ...]):
    """An input and a target fit for the loss."""
    rng = np.random.default_rng(3)
    axis = 0 if len(shape) == 1 else 1
    x = rng.uniform(0.1, 0.9, shape) if kind == "probability" else rng.standard_normal(shape)
    if kind == "class":
        target = rng.integers(0, 4, shape[:axis] + shape[axis + 1 :])
        if target.size:
            target.flat[0] = 1  # not all of them ignored
        return x, target
    target = rng.standard_normal(shape) if kind == "real" else rng.uniform(0, 1, shape)
    return x, target / target.sum(axis, keepdims=True) if kind == "distribution" else target


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "kind", "shape", "settings"), LOSSES)
def test_loss(name, kind, shape, settings, dtype):
    x, target = operands(kind, shape)
    floating = target.dtype.kind == "f"
    results = []
    for library, tensor in ((mg, mg.tensor), (torch, torch.tensor)):
        given = {
            k: tensor(np.asarray(v, dtype)) if isinstance(v, list) else v
            for k, v in settings.items()
        }
        criterion = getattr(library.nn, name)(**given)
        buffers = [name for name, value in settings.items() if isinstance(value, list)]
        assert list(criterion.state_dict()) == buffers
        a = tensor(x.astype(dtype), requires_grad=True)
        b = tensor(target.astype(dtype)) if floating else tensor(target)
        if floating:
            b.requires_grad_()
        results.append(derivatives(library, criterion, [a, b], [a] + [b] * floating))
    agree_to_second_order(*results, DTYPES[dtype])


OLD = [
    {"size_average": True},
    {"size_average": False},
    {"reduce": True},
    {"reduce": False},
    {"size_average": False, "reduce": False},
    {"size_average": False, "reduce": True},
]


@pytest.mark.parametrize("old", OLD, ids=str)
@pytest.mark.parametrize(
    ("name", "function", "kind"),
    [
        ("MSELoss", "mse_loss", "real"),
        ("L1Loss", "l1_loss", "real"),
        ("BCELoss", "binary_cross_entropy", "probability"),
        ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", "fraction"),
        ("CrossEntropyLoss", "cross_entropy", "class"),
        ("NLLLoss", "nll_loss", "class"),
    ],
)
def test_old_flags_of_losses(name, function, kind, old):
    x, target = operands(kind, (6, 4))
    values = []
    for library, tensor in ((nn, mg.tensor), (torch.nn, torch.tensor)):
        for make in (getattr(library, name), None):
            with pytest.warns(UserWarning, match="reduction="):
                loss = make(**old) if make else None
                flags = {} if make else old
                loss = loss or getattr(library.functional, function)
                values.append(loss(tensor(x), tensor(target), **flags))
    agree(values[:2], values[2:], 1e-12)


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), PICTURE, (2, 2, 2, 2, 2)], ids=str)
def test_softmax_without_dim(name, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    values = []
    for library, tensor in ((nn, mg.tensor), (torch.nn, torch.tensor)):
        for call in (getattr(library, name)(), library.functional.softmax):
            with pytest.warns(UserWarning):
                values.append(call(tensor(x)))
    agree(values[:2], values[2:], 1e-12)


def test_add_module():
    """Names, order and replacing, as a script writes it."""
    names = []
    for library in (nn, torch.nn):
        net = library.ModuleList()
        for name in ("disc_0", "disc_1", "disc_0"):
            net.add_module(name, library.Sequential(library.Linear(2, 3), library.ReLU()))
        net.append(library.Linear(3, 1))
        with pytest.raises(TypeError):
            net.add_module("disc_2", print)
        names.append((list(net.state_dict()), len(net), [n for n, _ in net.named_children()]))
    assert names[0] == names[1]


def test_init_of_data():
    """``init.constant_(m.weight.data, …)`` fills the parameter itself."""
    for library in (nn, torch.nn):
        layer = library.BatchNorm2d(3)
        library.init.constant_(layer.weight.data, 0.5)
        library.init.normal_(layer.bias.data, 2.0, 0.0)
        assert layer.weight.tolist() == [0.5] * 3
        assert layer.bias.tolist() == [2.0] * 3


# ---------------------------------------------------------------------------------- nn.utils, files


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Linear", (4, 3), (5, 4)),
        ("Conv2d", (4, 3, 3), PICTURE),
        ("ConvTranspose2d", (4, 6, 3, 2), PICTURE),
    ],
)
def test_spectral_norm(name, arguments, shape):
    """Same state, power iteration, value and derivatives, through several steps, and back."""
    theirs = torch.nn.utils.spectral_norm(getattr(torch.nn, name)(*arguments).double())
    ours = nn.utils.spectral_norm(getattr(nn, name)(*arguments).double())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()}, strict=True)
    x = np.random.default_rng(0).standard_normal(shape)
    for training in (True, True, False):
        theirs.train(training), ours.train(training)
        compare(theirs, ours, x, "float64", 1e-10)
        agree(list(ours.buffers()), list(theirs.buffers()), 1e-10)
    state = {k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(state, strict=True)
    torch.nn.utils.remove_spectral_norm(theirs), nn.utils.remove_spectral_norm(ours)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    agree(list(ours.parameters()), list(theirs.parameters()), 1e-10)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clip_grad_norm(norm_type, max_norm):
    ours = [mg.zeros(n, 4, requires_grad=True) for n in (3, 2)]
    theirs = [torch.zeros(n, 4, requires_grad=True) for n in (3, 2)]
    for a, b in zip(ours, theirs, strict=True):
        g = np.random.default_rng(0).standard_normal(a.shape).astype("float32")
        a.grad, b.grad = mg.tensor(g), torch.tensor(g)
    a = nn.utils.clip_grad_norm_(ours, max_norm, norm_type)
    b = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    agree([a, *(p.grad for p in ours)], [b, *(p.grad for p in theirs)], 1e-6)


def network(library):
    return library.Sequential(
        library.Linear(6, 16),
        library.Unflatten(1, (4, 2, 2)),
        library.ConvTranspose2d(4, 6, 4, 2, 1, bias=False),
        library.BatchNorm2d(6),
        library.LeakyReLU(0.2),
        library.utils.spectral_norm(library.Conv2d(6, 3, 3, padding=1)),
        library.InstanceNorm2d(3, affine=True, track_running_stats=True),
        library.Tanh(),
    )


def test_inplace_in_a_block():
    """PyTorch overwrites what ours keeps; values and derivatives are the same."""
    nets = []
    for library in (torch.nn, nn):
        layers = [library.Conv2d(4, 3, 3, 2, 1), library.LeakyReLU(0.2, inplace=True)]
        layers += [library.Dropout2d(0.25, inplace=True).eval(), library.BatchNorm2d(3, 0.8)]
        layers += [library.Conv2d(3, 2, 1), library.ReLU(True)]
        layers += [library.Conv2d(2, 2, 1), library.SiLU(inplace=True)]
        nets.append(library.Sequential(*layers))
    theirs, ours = nets[0].double(), nets[1].double()
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    compare(theirs, ours, np.random.default_rng(0).standard_normal(PICTURE), "float64", 1e-10)


def test_safetensors_round_trip(tmp_path):
    """A file written by one library loads into the other's network, strictly, counters and all."""
    torch_file = pytest.importorskip("safetensors.torch")
    ours, theirs = network(nn), network(torch.nn)
    x = np.random.default_rng(0).standard_normal((5, 6)).astype("float32")
    for _ in range(3):
        ours(mg.tensor(x))
    path = tmp_path / "ours.safetensors"
    safetensors.save_file({k: v.numpy() for k, v in ours.state_dict().items()}, path)
    theirs.load_state_dict(torch_file.load_file(path), strict=True)
    assert int(theirs[3].num_batches_tracked) == 3
    agree([ours.eval()(mg.tensor(x))], [theirs.eval()(torch.tensor(x))], 2e-5)

    theirs.train()(torch.tensor(x))
    path = tmp_path / "theirs.safetensors"
    torch_file.save_file(theirs.state_dict(), path)
    back = network(nn)
    back.load_state_dict(safetensors.load_file(path), strict=True)
    assert back[3].num_batches_tracked.item() == 4
    assert back[3].num_batches_tracked.dtype == np.int64
    agree([back.eval()(mg.tensor(x))], [theirs.eval()(torch.tensor(x))], 2e-5)


def test_order_of_parameters_in_a_network():
    """Own parameters before children's, buffers after parameters, shared ones once."""

    def build(library):
        class Net(library.Module):
            def __init__(self):
                super().__init__()
                self.head = library.Linear(3, 2)
                self.scale = library.Parameter((mg if library is nn else torch).ones(1))
                self.body = library.Sequential(library.BatchNorm1d(3), library.Linear(3, 3))
                self.none = None
                self.again = self.head
                self.hidden = [library.Linear(2, 2)]

        return Net()

    ours, theirs = build(nn), build(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for method in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        names = [[n for n, _ in getattr(net, method)()] for net in (ours, theirs)]
        assert names[0] == names[1], method
    assert list(build(nn).body[1:].state_dict()) == list(build(torch.nn).body[1:].state_dict())


@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_initial_state(name, initial):
    settings = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    theirs, ours = pair(case(name, 4, 3, shape=(), **settings))
    rng = np.random.default_rng(0)
    x, h, c = rng.standard_normal((2, 5, 4)), *rng.standard_normal((2, 4, 2, 3))
    results = []
    for library, layer, tensor in ((mg, ours, mg.tensor), (torch, theirs, torch.tensor)):
        a = [tensor(v, requires_grad=True) for v in ((x, h, c) if name == "LSTM" else (x, h))]
        state = tuple(a[1:]) if name == "LSTM" else a[1]
        inputs = [a[0], state] if initial else [a[0]]
        results.append(derivatives(library, layer, inputs, a if initial else a[:1]))
    for found, expected in zip(*results, strict=True):
        agree(found, expected, 1e-10)


@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("one_hot", None, {}),
        ("one_hot", None, {"num_classes": 7}),
        ("normalize", (3, 4), {}),
        ("normalize", (3, 4), {"p": 1.0, "dim": 0}),
        ("logsigmoid", (3, 4), {}),
        ("pad", PICTURE, {"pad": (1, 2), "mode": "constant", "value": 3.0}),
        ("interpolate", PICTURE, {"size": 3}),
        ("pixel_shuffle", PICTURE, {"upscale_factor": 2}),
        ("avg_pool2d", PICTURE, {"kernel_size": 2}),
        ("max_pool2d", PICTURE, {"kernel_size": 2}),
        ("adaptive_avg_pool2d", PICTURE, {"output_size": (2, 3)}),
    ],
)
def test_functional(name, shape, settings):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (3, 4)) if shape is None else rng.standard_normal(shape)
    ours = getattr(nn.functional, name)(mg.tensor(x), **settings)
    theirs = getattr(torch.nn.functional, name)(torch.tensor(x), **settings)
    agree([ours], [theirs], 1e-12)


def test_max_pool_of_ties_goes_to_the_first():
    x = np.ones((1, 1, 4, 4))
    a, b = mg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    nn.functional.max_pool2d(a, 3, 1, 1).sum().backward()
    torch.nn.functional.max_pool2d(b, 3, 1, 1).sum().backward()
    agree([a.grad], [b.grad], 0)
