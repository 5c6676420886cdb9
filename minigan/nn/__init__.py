"""Modules, layers and losses, with PyTorch's names, arguments and defaults."""

from typing import Any

from . import functional, init, utils
from .activation import LeakyReLU, ReLU, Sigmoid, Tanh
from .container import ModuleList, Sequential
from .conv import Conv1d, Conv2d, ConvTranspose2d
from .cross_entropy import CrossEntropyLoss, NLLLoss
from .distance import L1Loss, MSELoss
from .diversity import Maxout, MinibatchDiscrimination, MinibatchStdDev
from .dropout import Dropout, Dropout2d, Dropout3d
from .embedding import Embedding
from .linear import Dense, Flatten, Identity, Linear, Unflatten
from .loss import BCELoss, BCEWithLogitsLoss
from .module import Buffer, LayerError, Module, Parameter
from .more_activations import ELU, GELU, LogSoftmax, PReLU, SiLU, Softmax, Softplus
from .more_norms import GroupNorm, InstanceNorm2d, LayerNorm, SyncBatchNorm
from .norm import BatchNorm1d, BatchNorm2d
from .padding import ReflectionPad2d, ReplicationPad2d, ZeroPad2d
from .pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from .resize import PixelShuffle, Upsample
from .rnn import GRU, LSTM, RNN

Summary: Any  # these are of minigan.insight, and minigan/__init__.py puts them here
summary: Any

__all__ = [
    "ELU",
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "SyncBatchNorm",
    "Buffer",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dense",
    "Dropout",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "Identity",
    "InstanceNorm2d",
    "L1Loss",
    "LayerError",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Maxout",
    "MinibatchDiscrimination",
    "MinibatchStdDev",
    "Module",
    "ModuleList",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "PixelShuffle",
    "ReLU",
    "ReflectionPad2d",
    "ReplicationPad2d",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "Unflatten",
    "Upsample",
    "ZeroPad2d",
    "functional",
    "init",
    "utils",
]
