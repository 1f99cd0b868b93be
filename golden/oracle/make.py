"""
Writes files of the kinds ibp_*, crown_* and residual_* for nets that the reference files do not have:

    python3 golden/oracle/make.py FOLDER

Every layer becomes a dense matrix (made by PyTorch from the unit vectors), and the bounds are sums over its entries in float64: slow,
and as different as can be from what is compared with them.
"""
import json
import os
import sys

import numpy as np
import torch

from nets import Graph, Layers
from relax import backward, crown_bounds, fused, ibp, ibp_margins

torch.set_default_dtype(torch.float64)

SOURCE = "own oracle: every layer as a dense matrix, interval and linear bounds of these in float64"
FACTORS = [1.0, 0.5, 0.3, 0.0]


def numbers(array):
    array = np.asarray(array)
    return {"shape": list(array.shape), "data": [float(str(np.float32(v))) for v in array.reshape(-1)]}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return numbers(value.numpy()) if isinstance(value, torch.Tensor) else value


def robust_loss(margins):
    return float(np.log(1 + np.exp(-margins).sum(1)).mean())


def file_pair(kind, name, net, shape, classes, batch, eps, range_=(0.0, 1.0), seed=0, center=False):
    """The files of one net: { file name: content }. `range_` is numbers, or one for each channel; `center` puts images in its middle."""
    rng = np.random.default_rng(seed)
    graph = Graph(net, shape)
    size = int(np.prod(shape))

    def side(value):
        per_channel = np.broadcast_to(np.atleast_1d(value), (shape[0],))
        return np.repeat(per_channel, size // shape[0])[None]

    data_min, data_max = (side(value) for value in range_)
    x = data_min + (data_max - data_min) * (0.5 if center else rng.uniform(size=(batch, size)))
    x = np.float32(x).astype(np.float64) * np.ones((batch, 1))
    labels = rng.integers(0, classes, size=batch)
    low, high = np.maximum(x - eps, data_min), np.minimum(x + eps, data_max)
    eye = np.eye(classes)
    spec = np.stack([np.stack([eye[y] - eye[j] for j in range(classes) if j != y]) for y in labels])
    logits = len(graph.nodes) - 1

    by_ibp = ibp(graph, low, high)
    by_crown = crown_bounds(graph, low, high, *by_ibp)
    ibp_lower, ibp_upper = ibp_margins(graph, *by_ibp, spec)
    linear_lower = backward(graph, logits, spec, *by_ibp, low, high)
    linear_upper = -backward(graph, logits, -spec, *by_ibp, low, high)
    crown_lower = backward(graph, logits, spec, *by_crown, low, high)
    reached = np.full(ibp_lower.shape, np.inf)
    for corner in [False, True] * 100:
        where = rng.integers(0, 2, size=x.shape) if corner else rng.uniform(size=x.shape)
        values = graph.forward(low + (high - low) * where)[-1]
        reached = np.minimum(reached, np.einsum("brn,bn->br", spec, values))
    for bound in (ibp_lower, linear_lower, crown_lower):
        assert (bound <= reached + 1e-9).all(), f"{name}: a bound is not sound"

    def at(node, values):
        return numbers(values[node].reshape(batch, *graph.shapes[node]))

    def nodes(which, bounds):
        return [{"lower": at(k, bounds[0]), "upper": at(k, bounds[1])} for k in which]

    def limit(value):
        return value if np.ndim(value) == 0 else numbers(np.reshape(value, (1, -1, 1, 1)))

    common = {
        "kind": kind,
        "source": SOURCE,
        "net": plain(net),
        "num_class": classes,
        "eps": eps,
        "data_min": limit(range_[0]),
        "data_max": limit(range_[1]),
        "x": at(0, [x]),
        "labels": labels.tolist(),
        "x_lower": at(0, [low]),
        "x_upper": at(0, [high]),
        "logits": numbers(graph.forward(x)[-1]),
        "logits_lower": numbers(by_ibp[0][-1]),
        "logits_upper": numbers(by_ibp[1][-1]),
        "relu_inputs": nodes(graph.relu_inputs(), by_ibp),
        "margin_lower": numbers(ibp_lower),
    }
    if kind.startswith("residual"):
        crown = {"crown_ibp_margin_lower": numbers(linear_lower), "crown_margin_lower": numbers(crown_lower)}
        return {name: {**common, **crown, "robust_loss_ibp": robust_loss(ibp_lower)}}

    ops = {"conv2d": "conv", "linear": "linear", "batchnorm1d": "batchnormalization", "batchnorm2d": "batchnormalization"}
    affine = [(k, ops[node[4]]) for k, node in enumerate(graph.nodes) if node[4] in ops]
    fused_ibp, fused_linear = fused(graph, spec, (ibp_lower, ibp_upper), *by_ibp, low, high)
    mixed = {f: f * linear_lower + (1 - f) * ibp_lower for f in FACTORS}
    fusion = {f: float(np.log(f * np.exp(fused_linear) + (1 - f) * np.exp(fused_ibp)).mean()) for f in FACTORS}
    crown = {
        "kind": kind.replace("ibp", "crown"),
        "net_from": f"ibp_{name}.json",
        "source": SOURCE,
        "eps": eps,
        "labels": labels.tolist(),
        "ibp_margin_lower": numbers(ibp_lower),
        "crown_ibp_margin_lower": numbers(linear_lower),
        "crown_ibp_margin_upper": numbers(linear_upper),
        "mixed": [
            {"crown_factor": f, "margin_lower": numbers(m), "robust_loss": robust_loss(m)} for f, m in mixed.items()
        ],
        "loss_fusion": {
            "ibp_log_sum_exp": numbers(fused_ibp[:, None]),
            "crown_ibp_log_sum_exp": numbers(fused_linear[:, None]),
            "robust_loss": [{"crown_factor": f, "value": value} for f, value in fusion.items()],
        },
        "crown_margin_lower": numbers(crown_lower),
        "crown_relu_inputs": nodes(graph.relu_inputs(), by_crown),
        "alpha_crown": [],
        "pgd_margin_upper": numbers(reached),
    }
    rows = [{"op": op, **bounds} for (_, op), bounds in zip(affine, nodes([k for k, _ in affine], by_ibp))]
    ibp_file = {**common, "affine_outputs": rows, "C": numbers(spec), "margin_upper": numbers(ibp_upper)}
    return {f"ibp_{name}": ibp_file, f"crown_{name}": crown}


def without_bias(layer, dead=()):
    layer["bias"] *= 0
    layer["weight"][list(dead)] = 0
    return layer


def files():
    """The files that are kept in `fixtures`."""
    a = Layers(8)
    # 5x5 and 1x1 kernels, stride 3, groups, height and width that differ.
    yield file_pair("ibp_cnn", "cnn_kernels", [
        a.conv(2, 4, 5, 2, 2), a.batch_norm(4), a.relu(), a.conv(4, 6, 1), a.relu(), a.conv(6, 4, 3, 3, 0, 2), a.relu(),
        a.flatten(), a.linear(4, 5), a.relu(), a.linear(5, 3),
    ], (2, 7, 5), 3, 2, 0.05)
    a = Layers(9)
    # Even kernels, rows and columns that no window reaches, BatchNorm of a vector, one image, a range for each channel.
    yield file_pair("ibp_cnn", "cnn_remainder", [
        a.conv(2, 3, 2, 2), a.relu(), a.conv(3, 4, 4, 3, 1), a.batch_norm(4), a.relu(),
        a.flatten(), a.batch_norm(8, 1), a.linear(8, 6), a.batch_norm(6, 1), a.relu(), a.linear(6, 4),
    ], (2, 8, 11), 4, 1, 0.2, ([-2.0, -1.0], [1.0, 0.5]), seed=2)
    a = Layers(21)
    # upper = -lower at the first ReLU, where the lower line changes; a neuron that nothing reaches.
    yield file_pair("ibp_mlp", "mlp_tie", [
        without_bias(a.linear(4, 6), dead=[2]), a.relu(), a.linear(6, 5), a.relu(), a.linear(5, 4),
    ], (4,), 4, 2, 0.75, (-1.0, 1.0), center=True)
    a = Layers(14)
    # The identity as shortcut, right behind the input; a shortcut without stride; five classes, one image.
    yield file_pair("residual_resnet", "residual_identity", [
        a.basic_block(3, 3), a.basic_block(3, 4), a.flatten(), a.linear(4 * 3 * 5, 5),
    ], (3, 3, 5), 5, 1, 0.03)
    a = Layers(17)
    # Groups and stride, then groups of one channel and the identity.
    yield file_pair("residual_resnext", "resnext_stride", [
        a.resnext_block(4, 2, 2, 2), a.resnext_block(4, 2, 2), a.flatten(), a.linear(4 * 2 * 3, 4),
    ], (4, 4, 5), 4, 1, 0.03)


if __name__ == "__main__":
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("usage: make.py FOLDER (which exists)")
    for pair in files():
        for name, content in pair.items():
            with open(os.path.join(sys.argv[1], f"{name}.json"), "w") as out:
                json.dump(content, out, separators=(",", ":"))
                out.write("\n")
