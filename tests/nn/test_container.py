"""Sequential and ModuleList."""

import pytest

import minigan as mg
from minigan import nn


def test_sequential_applies_in_order():
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 2), nn.Tanh())
    x = mg.randn(4, 2, 3)
    expected = mg.tanh(x.reshape(4, 6) @ net[1].weight.T + net[1].bias)
    assert abs(net(x) - expected).max().item() < 1e-6


def test_sequential_with_names():
    net = nn.Sequential({"first": nn.Linear(2, 3), "act": nn.ReLU()})
    assert list(net.state_dict()) == ["first.weight", "first.bias"]
    assert net.act is net[1]


@pytest.mark.parametrize("name", ["forward", "training", "a.b", ""])
def test_names_that_would_hide_something(name):
    with pytest.raises(ValueError, match="can not name a module"):
        nn.Sequential({name: nn.ReLU()})


def test_indexing():
    layers = [nn.Linear(2, 2) for _ in range(4)]
    net = nn.Sequential(*layers)
    assert len(net) == 4
    assert list(net) == layers
    assert net[-1] is layers[3]
    assert list(net[1:3]) == layers[1:3]
    assert "1.weight" in net[1:3].state_dict()  # a slice keeps the names, as in PyTorch
    assert "0.weight" in nn.ModuleList(layers)[1:3].state_dict()
    with pytest.raises(IndexError):
        net[4]


def test_changing():
    net = nn.Sequential(nn.ReLU()).append(nn.Tanh()).extend([nn.Sigmoid(), nn.Identity()])
    assert [name for name, _ in net.named_children()] == ["0", "1", "2", "3"]
    net[-1] = nn.SiLU()
    assert isinstance(net[3], nn.SiLU)
    for wrong in (lambda: net.append(mg.tanh), lambda: nn.ModuleList([3])):
        with pytest.raises(TypeError, match="expected a Module"):
            wrong()
    with pytest.raises(TypeError, match="expected a Module"):
        net[0] = "relu"


def test_a_subclass_can_be_sliced():
    class Three(nn.Sequential):
        def __init__(self):
            super().__init__(nn.ReLU(), nn.Tanh(), nn.SiLU())

    assert len(Three()[1:]) == 2


def test_module_list_finds_parameters_and_has_no_forward():
    class Net(nn.Module):
        def __init__(self):
            self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    net = Net()
    assert len(list(net.parameters())) == 6
    assert net(mg.ones(1, 2)).shape == (1, 2)
    with pytest.raises(NotImplementedError):
        net.layers(mg.ones(1, 2))


def test_add_module():
    net = nn.ModuleList()
    net.add_module("disc_0", nn.Linear(2, 2))
    net.add_module("disc_1", nn.ReLU())
    net.add_module("disc_1", nn.Tanh())  # another module in its place, as in PyTorch
    assert [name for name, _ in net.named_children()] == ["disc_0", "disc_1"]
    assert list(net.state_dict()) == ["disc_0.weight", "disc_0.bias"]
    assert isinstance(net[1], nn.Tanh)
    with pytest.raises(TypeError, match="expected a Module"):
        net.add_module("disc_2", mg.tanh)
    for name in ("forward", "training", "a.b", ""):
        with pytest.raises(ValueError, match="can not name a module"):
            net.add_module(name, nn.ReLU())
    with pytest.raises(ValueError, match="can not name a module"):
        nn.Linear(2, 2).add_module("weight", nn.ReLU())
