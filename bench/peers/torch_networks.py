"""The networks of the workloads as lists of PyTorch layers."""
import math

import torch
from torch import nn


class Residual(nn.Module):
    """The sum of two branches; an empty shortcut is the identity."""

    def __init__(self, main, shortcut):
        super().__init__()
        self.main = nn.ModuleList(main)
        self.shortcut = nn.ModuleList(shortcut)


def conv(inputs, outputs, stride=1, kernel=3):
    """A convolution that keeps the size of the image but for its stride, and its BatchNorm."""
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.BatchNorm2d(outputs)]


def head(features, hidden, classes):
    """Flatten, a hidden dense layer with BatchNorm, logits."""
    return [
        nn.Flatten(),
        nn.Linear(features, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    ]


def cnn7(channels, side, width, hidden, classes):
    """Five convolutions, the third with stride 2, and the head."""
    layers, inputs = [], channels
    for outputs, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1), (2 * width, 1)):
        layers += [*conv(inputs, outputs, stride), nn.ReLU()]
        inputs = outputs
    return nn.ModuleList(layers + head(inputs * math.ceil(side / 2) ** 2, hidden, classes))


def wide_resnet8(channels, side, hidden, classes, stem=16, widths=(128, 256, 512)):
    """A convolution, three residual blocks of two convolutions, and the head."""
    layers, inputs = [*conv(channels, stem), nn.ReLU()], stem
    for i, outputs in enumerate(widths):
        stride = 1 if i == 0 else 2
        main = [*conv(inputs, outputs, stride), nn.ReLU(), *conv(outputs, outputs)]
        layers += [Residual(main, conv(inputs, outputs, stride, kernel=1)), nn.ReLU()]
        inputs = outputs
        side = math.ceil(side / stride)
    return nn.ModuleList(layers + head(inputs * side**2, hidden, classes))


@torch.no_grad()
def initialize(layers):
    """Normal kernels with standard deviation sqrt(2 pi) / fan-in, as of IBP initialization; the last layer keeps its default."""
    kernels = [module.weight for module in layers.modules() if isinstance(module, (nn.Conv2d, nn.Linear))]
    for kernel in kernels[:-1]:
        kernel.normal_(0, math.sqrt(2 * math.pi) / kernel[0].numel())
