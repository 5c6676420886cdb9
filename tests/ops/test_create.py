"""New tensors: values, dtypes, shapes, reproducible random numbers."""

import math

import numpy as np
import pytest

import minigan as mg


@pytest.mark.parametrize(
    "made, expected, dtype",
    [
        (lambda: mg.zeros(2, 1), [[0], [0]], "float32"),
        (lambda: mg.zeros((2,)), [0, 0], "float32"),
        (lambda: mg.zeros([1, 2], dtype="int64"), [[0, 0]], "int64"),
        (lambda: mg.ones(), 1, "float32"),
        (lambda: mg.ones(2, dtype="float64"), [1, 1], "float64"),
        (lambda: mg.full((2,), 1.5), [1.5, 1.5], "float32"),
        (lambda: mg.full((2,), 7), [7, 7], "int64"),
        (lambda: mg.full((1,), True), [True], "bool"),
        (lambda: mg.full((1,), 7, dtype="float64"), [7], "float64"),
        (lambda: mg.eye(2), [[1, 0], [0, 1]], "float32"),
        (lambda: mg.eye(1, 3, dtype="int64"), [[1, 0, 0]], "int64"),
        (lambda: mg.arange(3), [0, 1, 2], "int64"),
        (lambda: mg.arange(1, 3), [1, 2], "int64"),
        (lambda: mg.arange(3, 0, -1), [3, 2, 1], "int64"),
        (lambda: mg.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], "float32"),
        (lambda: mg.arange(2, dtype="float64"), [0, 1], "float64"),
        (lambda: mg.linspace(0, 1, 3), [0, 0.5, 1], "float32"),
        (lambda: mg.zeros_like(mg.arange(2)), [0, 0], "int64"),
        (lambda: mg.ones_like(mg.zeros(1, dtype="float64")), [1], "float64"),
    ],
)
def test_constants(made, expected, dtype):
    x = made()
    assert x.tolist() == expected and x.dtype == dtype and not x.requires_grad
    assert x.shape == np.shape(expected) and x.device in ("cpu", "cuda:0")


def test_arange_does_not_add_up_rounding_errors():
    x = mg.arange(1000, 1001, 0.001)
    np.testing.assert_array_equal(x.numpy(), np.arange(1000, 1001, 0.001).astype("float32"))


@pytest.mark.parametrize("f", [mg.zeros, mg.ones, mg.rand, mg.randn])
def test_new_leaves_can_require_grad(f):
    x = f(2, 3, requires_grad=True)
    assert x.requires_grad and x.is_leaf and x.shape == (2, 3)


RANDOM = [
    lambda: mg.rand(3, 4),
    lambda: mg.randn(3, 4),
    lambda: mg.rand_like(mg.zeros(5)),
    lambda: mg.randn_like(mg.zeros(5, dtype="float64")),
    lambda: mg.randint(0, 100, (9,)),
    lambda: mg.randperm(20),
]


@pytest.mark.parametrize("draw", RANDOM)
def test_the_seed_decides(draw):
    mg.manual_seed(1)
    first, second = draw(), draw()
    mg.manual_seed(1)
    assert draw().tolist() == first.tolist() != second.tolist()
    mg.manual_seed(2)
    assert draw().tolist() != first.tolist()


def test_distributions():
    """Mean and spread of many draws, within five standard errors."""
    n = 20_000
    uniform, normal = mg.rand(n), mg.randn(n)
    assert uniform.min().item() >= 0 and uniform.max().item() < 1
    assert abs(uniform.mean().item() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(uniform.var().item() - 1 / 12) < 5 * math.sqrt(1 / 180 / n)
    assert abs(normal.mean().item()) < 5 / math.sqrt(n)
    assert abs(normal.var().item() - 1) < 5 * math.sqrt(2 / n)
    assert abs((normal**4).mean().item() - 3) < 5 * math.sqrt(96 / n)
    integers = mg.randint(-2, 3, (n,))
    assert integers.dtype == np.int64 and sorted(set(integers.tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(mg.randperm(7).tolist()) == list(range(7)) and mg.randperm(7).dtype == np.int64


def test_random_dtypes():
    assert mg.randn(2).dtype == mg.rand(2).dtype == "float32"
    assert mg.randn(2, dtype="float64").dtype == "float64"
    assert mg.randn_like(mg.zeros(2, dtype="float64")).dtype == "float64"


# ------------------------------------------------------------------ PyTorch's older ways to say it


def test_memory_to_be_filled():
    for x in (mg.empty(2, 3), mg.empty((2, 3), dtype="int64")):
        assert x.shape == (2, 3) and x.fill_(1).tolist() == [[1, 1, 1]] * 2
    assert mg.empty(1, dtype=mg.long).dtype == "int64"


@pytest.mark.parametrize(
    "name, dtype",
    [
        ("Float", "float32"),
        ("Double", "float64"),
        ("Long", "int64"),
        ("Int", "int32"),
        ("Byte", "uint8"),
        ("Bool", "bool"),
    ],
)
def test_types_make_and_convert(name, dtype):
    """FloatTensor of a float64 array is float32, as PyTorch's constructor has it."""
    kind = getattr(mg, f"{name}Tensor")
    source = np.array([[0.0, 1.0]])
    for made in (kind(source), kind(source.tolist()), kind(mg.Tensor(source))):
        assert made.dtype == dtype and made.tolist() == [[0, 1]]
    x = mg.Tensor(source)
    assert x.type(kind).dtype == x.type(dtype).dtype == dtype
    assert x.type(kind).type() == ("cuda." if x.is_cuda else "") + f"{name}Tensor"
    assert kind(2, 3).fill_(1).sum().item() in (6, True) and kind(2, 3).dtype == dtype
    assert kind().shape == (0,) and kind(np.int64(4)).shape == (4,)
    assert kind([2, 0]).shape == (2,)


def test_types_copy_their_values():
    source = np.zeros(2, "float32")
    mg.FloatTensor(source).fill_(1)
    assert source.tolist() == [0, 0]


@pytest.mark.parametrize("data", [((2, 3),), (1.5,), (2, [3])])
def test_types_refuse_what_could_mean_two_things(data):
    with pytest.raises(TypeError, match=r"FloatTensor takes sizes as FloatTensor\(2, 3\), or"):
        mg.FloatTensor(*data)


def test_conversion_is_differentiable():
    x = mg.tensor([1.5], requires_grad=True)
    x.type(mg.DoubleTensor).type(mg.float).sum().backward()
    assert x.grad.tolist() == [1] and x.type_as(mg.arange(1)).dtype == "int64"
    assert x.int().dtype == mg.int32 and x.byte().dtype == mg.uint8


def test_names_of_dtypes():
    names = (mg.float, mg.double, mg.long, mg.bool, mg.int32, mg.uint8)
    assert names == ("float32", "float64", "int64", "bool", "int32", "uint8")
    assert mg.zeros(1, dtype=mg.double).to(mg.float).dtype == mg.float32


def test_devices_as_objects():
    device = mg.device("cpu")
    assert (device.type, device.index, device) == ("cpu", None, "cpu")
    x = mg.zeros(2, device=device)
    assert x.device == device and not x.is_cuda and x.to(device) is x
    assert mg.tensor([1.0], device=device).device == device
    for make in (mg.ones, mg.empty, mg.rand, mg.randn, mg.eye, mg.arange):
        assert make(2, device=device).device == "cpu"
    with pytest.raises(mg.DeviceError, match="unknown device 'tpu'"):
        mg.device("tpu")


def test_devices_on_a_gpu(device):
    if device == "numpy":
        pytest.skip("needs one, or the stand-in")
    gpu = mg.device("cuda", 0)
    assert (gpu.type, gpu.index, gpu) == ("cuda", 0, "cuda:0") and mg.device("cuda").index is None
    x = mg.tensor([1.0], device="cpu").to(gpu)
    assert x.is_cuda and x.type() == "cuda.FloatTensor"
    assert mg.tensor([1.0], device="cpu").type(mg.cuda.DoubleTensor).device == gpu
    assert mg.cuda.LongTensor([1, 2]).device == gpu


def test_variable_is_a_new_leaf_that_shares_memory():
    x = mg.tensor([1.0], requires_grad=True)
    v = mg.Variable(x * 2, requires_grad=True)
    assert v.is_leaf and v.requires_grad and not mg.Variable(x).requires_grad
    mg.Variable(x).fill_(5)
    assert x.tolist() == [5]


def test_questions():
    x = mg.zeros(2, 3)
    assert mg.is_tensor(x) and not mg.is_tensor(x.array) and mg.numel(x) == 6
    assert x.view_as(mg.zeros(3, 2)).shape == x.t().shape == (3, 2) and mg.ones(2).t().ndim == 1
    assert mg.zeros(1, 3).expand_as(x).shape == (2, 3)
