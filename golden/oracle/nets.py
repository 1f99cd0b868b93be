"""Random layers in the form of the files' `net`, and the same nets as graphs of dense matrices."""
import math

import numpy as np
import torch
import torch.nn.functional as functional


class Layers:
    """Makes layers whose numbers are float32 values, held as float64."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def _tensor(self, values):
        return torch.tensor(np.asarray(values, dtype=np.float32).astype(np.float64))

    def conv(self, inputs, outputs, kernel, stride=1, padding=0, groups=1):
        shape = (outputs, inputs // groups, kernel, kernel)
        weight = self.rng.normal(size=shape) / math.sqrt(np.prod(shape[1:]))
        return {
            "type": "conv2d",
            "weight": self._tensor(weight),
            "bias": self._tensor(0.2 * self.rng.normal(size=outputs)),
            "stride": stride,
            "padding": padding,
            "groups": groups,
        }

    def linear(self, inputs, outputs):
        weight = self.rng.normal(size=(outputs, inputs)) / math.sqrt(inputs)
        bias = 0.2 * self.rng.normal(size=outputs)
        return {"type": "linear", "weight": self._tensor(weight), "bias": self._tensor(bias)}

    def batch_norm(self, channels, dimensions=2):
        return {
            "type": f"batchnorm{dimensions}d",
            "weight": self._tensor(0.5 + 0.7 * self.rng.normal(size=channels)),
            "bias": self._tensor(0.3 * self.rng.normal(size=channels)),
            "running_mean": self._tensor(0.2 * self.rng.normal(size=channels)),
            "running_var": self._tensor(self.rng.uniform(0.4, 1.6, size=channels)),
            "eps": 1e-5,
            "momentum": 0.1,
        }

    def relu(self):
        return {"type": "relu"}

    def flatten(self):
        return {"type": "flatten"}

    def _block(self, kind, inputs, convs):
        block = {"type": kind}
        for i, conv in enumerate(convs, start=1):
            block[f"conv{i}"] = conv
            block[f"bn{i}"] = self.batch_norm(conv["weight"].shape[0])
        outputs = convs[-1]["weight"].shape[0]
        stride = math.prod(conv["stride"] for conv in convs)
        same = stride == 1 and inputs == outputs
        block["shortcut"] = None if same else [self.conv(inputs, outputs, 1, stride), self.batch_norm(outputs)]
        return block

    def basic_block(self, inputs, outputs, stride=1):
        convs = [self.conv(inputs, outputs, 3, stride, 1), self.conv(outputs, outputs, 3, 1, 1)]
        return self._block("basic_block", inputs, convs)

    def resnext_block(self, inputs, width, groups, stride=1):
        convs = [self.conv(inputs, width, 1), self.conv(width, width, 3, stride, 1, groups), self.conv(width, 2 * width, 1)]
        return self._block("resnext_block", inputs, convs)


def affine_map(layer):
    """A layer that is affine as a function of a batch."""
    kind = layer["type"]
    if kind == "flatten":
        return lambda x: x.flatten(1)
    if kind == "linear":
        return lambda x: functional.linear(x, layer["weight"], layer["bias"])
    if kind == "conv2d":
        stride, padding, groups = layer["stride"], layer["padding"], layer["groups"]
        return lambda x: functional.conv2d(x, layer["weight"], layer["bias"], stride, padding, 1, groups)
    scale = layer["weight"] / torch.sqrt(layer["running_var"] + layer["eps"])
    shift = layer["bias"] - scale * layer["running_mean"]
    spread = lambda v, x: v.view(1, -1, *[1] * (x.dim() - 2))
    return lambda x: x * spread(scale, x) + spread(shift, x)


class Graph:
    """Nodes (op, inputs, matrix, offset, kind) on flat vectors; node 0 is the input."""

    def __init__(self, net, shape):
        self.nodes = [("input", [], None, None, None)]
        self.shapes = [tuple(shape)]
        last = 0
        for layer in net:
            last = self._layer(layer, last)

    def _append(self, op, inputs, matrix=None, offset=None, kind=None, shape=None):
        self.nodes.append((op, inputs, matrix, offset, kind))
        self.shapes.append(shape or self.shapes[inputs[0]])
        return len(self.nodes) - 1

    def _layer(self, layer, source):
        if layer["type"] == "relu":
            return self._append("relu", [source])
        if layer["type"] in ("basic_block", "resnext_block"):
            return self._block(layer, source)
        shape = self.shapes[source]
        size = int(np.prod(shape))
        f = affine_map(layer)
        offset = f(torch.zeros((1, *shape)))
        matrix = (f(torch.eye(size).view(size, *shape)) - offset).reshape(size, -1).T
        return self._append(
            "affine", [source], matrix.numpy(), offset.reshape(-1).numpy(), layer["type"], tuple(offset.shape[1:])
        )

    def _block(self, block, source):
        main = source
        for i in range(1, 2 + sum(f"conv{k}" in block for k in (2, 3))):
            if i > 1:
                main = self._append("relu", [main])
            main = self._layer(block[f"bn{i}"], self._layer(block[f"conv{i}"], main))
        shortcut = source
        for layer in block["shortcut"] or []:
            shortcut = self._layer(layer, shortcut)
        return self._append("relu", [self._append("add", [main, shortcut])])

    def relu_inputs(self):
        return [inputs[0] for op, inputs, *_ in self.nodes if op == "relu"]

    def forward(self, x):
        values = [x]
        for op, inputs, matrix, offset, _ in self.nodes[1:]:
            a = values[inputs[0]]
            if op == "affine":
                values.append(a @ matrix.T + offset)
            elif op == "relu":
                values.append(np.maximum(a, 0))
            else:
                values.append(a + values[inputs[1]])
        return values
