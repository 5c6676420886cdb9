"""minigan: understand generative adversarial networks, in NumPy you can read.

::

    import minigan as mg

    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    x.grad                                    # tensor([2., 4.])

The house; a floor imports only floors below it, and from ``gan`` down it is the core::

    book                        # the exercises of the chapters
    studio                      # the command, runs, searches, figures, the profiler
    fast | metrics | zoo        # twins; is it any good; networks
    data | insight | use        # what is learned; a look inside; your own for the library's
    check                       # is a gradient right?
    gan                         # objectives, penalties, the game
    nn | optim | saving         # layers, losses; optimisers; safetensors
    ops                         # the differentiable functions
    autograd                    # backward() and grad()
    graph                       # recording, and walking back
    mode | operands             # whether it is recorded; what functions accept
    hooks | random | tensor     # what a captured step does on the host; numbers by counting
    seam | values               # definitions and twins; what a tensor is to Python
    array | names               # NumPy or CuPy; the nearest name
"""

import sys

from . import check, data, fast, gan, insight, metrics, nn, optim, zoo
from .array import (
    DeviceError,
    bool_,
    float32,
    float64,
    int64,
    set_default_device,
)
from .array import bool_ as bool
from .array import float32 as float
from .array import float64 as double
from .array import int64 as long
from .autograd import enable_grad, grad, is_grad_enabled, no_grad
from .check import gradcheck, gradgradcheck
from .fast import cuda
from .fast.cuda.device import cuda_is_available
from .insight import summary
from .ops import (
    Variable,
    abs,
    add,
    amax,
    amin,
    arange,
    argmax,
    argmin,
    bmm,
    cat,
    chunk,
    clamp,
    cos,
    div,
    dot,
    empty,
    eq,
    erf,
    exp,
    expm1,
    eye,
    flatten,
    flip,
    full,
    gather,
    ge,
    gt,
    isfinite,
    le,
    linspace,
    log,
    log1p,
    log_softmax,
    logical_and,
    logical_not,
    logical_or,
    logsumexp,
    lt,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    mm,
    mul,
    mv,
    ne,
    neg,
    norm,
    ones,
    ones_like,
    outer,
    permute,
    pow,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    relu,
    repeat,
    reshape,
    sigmoid,
    sign,
    sin,
    softmax,
    split,
    sqrt,
    squeeze,
    stack,
    std,
    sub,
    sum,
    tanh,
    transpose,
    unbind,
    unflatten,
    unsqueeze,
    var,
    where,
    zeros,
    zeros_like,
)
from .ops.algebra import (
    all,
    any,
    argsort,
    cumsum,
    det,
    diagonal,
    einsum,
    index_select,
    inverse,
    linalg,
    slogdet,
    sort,
    topk,
    trace,
    tril,
    triu,
)
from .ops.create import cuda_types, device, int32, is_tensor, numel, types, uint8
from .ops.inplace import masked_fill, scatter
from .random import manual_seed
from .saving import CheckpointError, load, save
from .seam import plain
from .studio import plot, profiler
from .tensor import Parameter, Tensor, tensor
from .use import use

for _module in (cuda, plot, profiler):  # so that `from minigan.plot import grid` goes on working
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module

# looking at a network or a game is no part of the core, but it goes by the core's names
nn.Summary, nn.summary = insight.Summary, insight.summary
nn.__all__ += ["Summary", "summary"]
gan.Diagnosis, gan.Finding = insight.Diagnosis, insight.Finding
gan.diagnosis, gan.oracles, gan.probe = insight.diagnosis, insight.oracles, insight.probe
for _name in ("gan.diagnosis", "gan.oracles", "gan.probe", "nn.summary"):
    _module = sys.modules[f"{insight.__name__}.{_name.rpartition('.')[2]}"]
    sys.modules[f"{__name__}.{_name}"] = _module

globals().update(types)  # mg.FloatTensor, mg.LongTensor …
vars(cuda).update(cuda_types)  # mg.cuda.FloatTensor …

__version__ = "0.1.0"
