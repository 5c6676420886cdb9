"""Module: what it holds, state, modes, moving, hooks, and errors that name the layer."""

import copy
import gc
import weakref

import numpy as np
import pytest

import minigan as mg
from minigan import nn


class Net(nn.Module):
    def __init__(self):
        self.head = nn.Linear(3, 2)
        self.scale = nn.Parameter(mg.ones(1))
        self.body = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False))
        self.nothing = None
        self.hidden = [nn.Linear(2, 2)]

    def forward(self, x):
        return self.head(self.body(x)) * self.scale


def test_names_and_their_order():
    net = Net()
    own_first = ["scale", "head.weight", "head.bias", "body.0.weight", "body.0.bias"]
    assert [n for n, _ in net.named_parameters()] == [*own_first, "body.1.weight"]
    assert [n for n, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert [n for n, _ in net.named_modules()] == ["", "head", "body", "body.0", "body.1"]
    assert [n for n, _ in net.named_children()] == ["head", "body"]
    assert [n for n, _ in net.named_buffers()] == [
        f"body.0.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
    ]
    assert list(net.state_dict())[:6] == [*own_first[:5], "body.0.running_mean"]
    assert "a.b.scale" in net.state_dict("a.b")


def test_modules_in_a_plain_list_are_not_found():
    assert not any(name.startswith("hidden") for name, _ in Net().named_modules())


def test_an_attribute_set_to_none_is_no_longer_learned():
    net = Net()
    net.scale = None
    assert "scale" not in net.state_dict()


def test_a_shared_parameter_is_learned_once_and_saved_under_both_names():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight
    assert twin[1].weight is not net[1].weight


def test_a_shared_module_runs_twice_and_is_counted_once():
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, layer)
    assert len(net) == 2
    assert list(net.children()) == [layer]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    calls = []
    net.apply(calls.append)
    assert calls == [layer, net]


def test_state_dict_shares_memory_and_is_detached():
    layer = nn.Linear(3, 2)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    layer.weight.array += 1
    np.testing.assert_array_equal(state["weight"].numpy(), layer.weight.array)


def test_load_state_dict_copies_and_converts():
    layer = nn.Linear(3, 2)
    memory = layer.weight.array
    state = {k: np.full(v.shape, 2.0) for k, v in layer.state_dict().items()}
    assert layer.load_state_dict(state) == ([], [])
    assert layer.weight.array is memory
    assert memory.dtype == np.float32
    assert (memory == 2).all()
    state["weight"][...] = 3
    assert (memory == 2).all()


def test_load_state_dict_reports_everything_and_changes_nothing():
    net = Net()
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    state = {k: v + 1 for k, v in before.items()}
    del state["scale"]
    state["other"] = np.ones(1)
    state["head.weight"] = np.ones((3, 3))
    with pytest.raises(ValueError) as error:
        net.load_state_dict(state)
    assert str(error.value).splitlines() == [
        "this state does not fit Net:",
        "  missing: scale",
        "  unexpected: other",
        "  shape of head.weight: expected (2, 3), got (3, 3)",
    ]
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])


def test_load_state_dict_not_strict():
    net = Net()
    report = net.load_state_dict({"scale": np.zeros(1), "other": np.ones(1)}, strict=False)
    assert net.scale.item() == 0
    assert report.unexpected_keys == ["other"]
    assert "head.weight" in report.missing_keys
    with pytest.raises(ValueError, match="shape of scale"):
        net.load_state_dict({"scale": np.zeros(2)}, strict=False)


def test_modes():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert net.hidden[0].training
    net.body.train()
    assert not net.head.training
    assert net.body[0].training


def test_to_changes_floats_and_keeps_counters():
    net = Net()
    (net(mg.randn(4, 3)) ** 2).sum().backward()
    counter = net.body[0].num_batches_tracked
    expected = {n: p.grad.numpy() for n, p in net.named_parameters()}
    assert net.double() is net
    assert {p.dtype for p in net.parameters()} == {np.dtype("float64")}
    assert net.body[0].running_mean.dtype == np.float64
    assert net.body[0].num_batches_tracked is counter
    assert counter.dtype == np.int64
    for name, p in net.named_parameters():
        assert isinstance(p, nn.Parameter)
        assert p.requires_grad
        assert p.grad.dtype == np.float64
        np.testing.assert_array_equal(p.grad.numpy(), expected[name])
    assert net(mg.randn(4, 3, dtype="float64")).dtype == np.float64


@pytest.mark.parametrize("targets", [("float64",), (np.float64,), (mg.ones(1, dtype="float64"),)])
def test_to_by_position(targets):
    assert nn.Linear(2, 2).to(*targets).weight.dtype == np.float64


@pytest.mark.host
def test_to_where_it_is_changes_nothing():
    layer = nn.Linear(2, 2)
    layer(mg.ones(1, 2)).sum().backward()
    data, grad = layer.weight.array, layer.weight.grad
    layer.to("cpu").float().to(dtype="float32", device="cpu")
    assert layer.weight.array is data
    assert layer.weight.grad is grad


def test_to_an_integer_dtype_is_refused():
    with pytest.raises(TypeError, match="floating"):
        nn.Linear(2, 2).to("int64")


def test_freezing():
    net = Net().requires_grad_(False)
    assert not net(mg.randn(4, 3)).requires_grad
    assert net.requires_grad_()(mg.randn(4, 3)).requires_grad


def test_zero_grad():
    layer = nn.Linear(2, 2)
    layer(mg.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert not layer.weight.grad.numpy().any()
    layer.zero_grad()
    assert layer.weight.grad is None


def test_deepcopy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    net(mg.randn(4, 3)).sum().backward()
    net.scale.array += 1
    assert twin.scale.item() == 1
    assert twin.scale.grad is None
    assert twin.body[0].num_batches_tracked.item() == 0


def test_hooks_see_and_may_replace():
    layer = nn.Identity()
    seen = []
    handles = [
        layer.register_forward_pre_hook(lambda m, inputs: seen.append((m, inputs))),
        layer.register_forward_hook(lambda m, inputs, output: seen.append(output)),
        layer.register_forward_pre_hook(lambda m, inputs: inputs[0] + 1),
        layer.register_forward_hook(lambda m, inputs, output: output * 10),
    ]
    x = mg.ones(1)
    assert layer(x).item() == 20
    assert seen[0] == (layer, (x,))
    assert seen[1].item() == 2
    for handle in handles:
        handle.remove()
    assert layer(x) is x
    assert not nn.Identity()._forward_hooks  # nothing is shared between modules


def test_a_module_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        net = Net()
        handle = net.register_forward_hook(lambda *_: None)
        ref = weakref.ref(net)
        del net, handle
        assert ref() is None
    finally:
        gc.enable()


def test_errors_name_the_layer_and_its_place():
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(12, 4), nn.ReLU(), nn.Linear(5, 1)))
    with pytest.raises(nn.LayerError) as error:
        net(mg.ones(2, 3, 4))
    assert str(error.value) == (
        "layer '1.2', Linear(in_features=5, out_features=1, bias=True): "
        "expected input (*, 5), got (2, 4)"
    )
    assert error.value.layer is net[1][2]
    with pytest.raises(ValueError, match=r"^Linear\(in_features=5.*expected input \(\*, 5\)"):
        nn.Linear(5, 1)(mg.ones(2, 4))


@pytest.mark.host
@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(3, 4, 3), (2, 4, 8, 8), "(N, 3, H, W)"),
        (nn.Conv2d(3, 4, 9), (2, 3, 8, 8), "does not fit"),
        (nn.Conv1d(3, 4, 3), (2, 4, 8), "(N, 3, L)"),
        (nn.ConvTranspose2d(3, 4, 3), (2, 3), "(N, 3, H, W)"),
        (nn.BatchNorm1d(3), (2, 4), "(N, 3)"),
        (nn.BatchNorm2d(3), (2, 3), "(N, 3, H, W)"),
        (nn.InstanceNorm2d(3), (2, 4, 3, 3), "(N, 3, H, W)"),
        (nn.LayerNorm(3), (2, 4), "(*, (3,))"),
        (nn.GroupNorm(1, 3), (2, 4), "(N, 3, ...)"),
        (nn.PReLU(3), (2, 4), "(N, 3, ...)"),
        (nn.MaxPool2d(2), (2, 3), "(N, C, H, W)"),
        (nn.AvgPool2d(9), (2, 3, 4, 4), "does not fit"),
        (nn.AdaptiveAvgPool2d(2), (2, 3), "(N, C, H, W)"),
        (nn.Upsample(scale_factor=2), (2, 3), "(N, C, H, W)"),
        (nn.PixelShuffle(2), (2, 3, 2, 2), "(N, C · 4, H, W)"),
        (nn.ReflectionPad2d(4), (2, 3, 4, 4), "too large"),
        (nn.LSTM(3, 2), (5, 2, 4), "(L, N, 3)"),
        (nn.Embedding(3, 2), (2,), "expected integers"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, nn.Module) else "",
)
def test_every_layer_says_what_it_expected_and_what_came(layer, shape, expected):
    with pytest.raises(nn.LayerError) as error:
        nn.Sequential(nn.Identity(), layer)(mg.ones(shape))
    text = str(error.value)
    assert text.startswith(f"layer '1', {type(layer).__name__}(")
    assert expected in text


def test_forward_must_be_defined():
    with pytest.raises(NotImplementedError, match="Empty"):
        type("Empty", (nn.Module,), {})()()


def test_repr():
    net = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1, bias=False), nn.ReLU(), nn.Linear(8, 1))
    assert repr(net).splitlines() == [
        "Sequential(",
        "  (0): Conv2d(1, 8, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1), bias=False)",
        "  (1): ReLU()",
        "  (2): Linear(in_features=8, out_features=1, bias=True)",
        ")",
    ]


def test_register_buffer_sets_an_attribute_that_is_state_and_not_learned():
    module = nn.Module()
    module.register_buffer("mean", mg.tensor([1.0, 2.0]))
    assert isinstance(module.mean, nn.Buffer) and list(module.state_dict()) == ["mean"]
    assert not list(module.parameters())


def test_cpu_and_cuda_are_to():
    net = nn.Linear(2, 2)
    assert net.cpu() is net
    assert net.weight.device == "cpu"
    asked = []
    net.to = lambda **where: asked.append(where["device"])
    net.cuda(), net.cuda(1)
    assert asked == ["cuda", "cuda:1"]


def test_loading_a_state_ends_the_graphs_that_read_the_old_one():
    net = nn.Linear(2, 2)
    y = (net.weight * net.weight).sum()
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="in place"):
        y.backward()
