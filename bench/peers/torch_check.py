"""Compares the PyTorch peer with the golden numbers, and its bounds with sampled points."""
import copy

import torch
from torch import nn

from timing import Check, array, fixture
from torch_bounds import ball, bound, crown_lower, margin_rows, relu_inputs
from torch_losses import fused_loss, relu_balance, robust_loss, tightness
from torch_networks import Residual


def network_of(entries):
    """The layers of a fixture."""
    layers = []
    for entry in entries:
        # A block of a fixture ends with a ReLU.
        layers += [layer_of(entry)] + [nn.ReLU()] * (entry["type"] == "basic_block")
    return nn.ModuleList(layers)


def layer_of(entry):
    kind = entry["type"]
    if kind == "relu":
        return nn.ReLU()
    if kind == "flatten":
        return nn.Flatten()
    if kind == "basic_block":
        main = [layer_of(entry[name]) for name in ("conv1", "bn1")] + [nn.ReLU()]
        main += [layer_of(entry[name]) for name in ("conv2", "bn2")]
        return Residual(main, [layer_of(part) for part in entry["shortcut"] or []])
    weight = torch.tensor(array(entry["weight"]))
    if kind == "conv2d":
        outputs, inputs, size, _ = weight.shape
        layer = nn.Conv2d(inputs, outputs, size, entry["stride"], entry["padding"])
    elif kind == "linear":
        layer = nn.Linear(weight.shape[1], weight.shape[0])
    else:
        layer = (nn.BatchNorm2d if kind == "batchnorm2d" else nn.BatchNorm1d)(len(weight), entry["eps"], entry["momentum"])
        layer.running_mean.copy_(torch.tensor(array(entry["running_mean"])))
        layer.running_var.copy_(torch.tensor(array(entry["running_var"])))
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.tensor(array(entry["bias"])))
    return layer


def check():
    result = Check()
    training(result)
    regularizers(result)
    evaluation(result, "crown_cnn")
    evaluation(result, "residual_resnet")
    result.finish()


def problem(file, epsilon):
    """Images, labels, the box and the rows of a fixture."""
    images, labels = torch.tensor(array(file["x"])), torch.tensor(file["labels"])
    return images, labels, ball(images, epsilon), margin_rows(labels, file["num_class"])


def training(result):
    """Margins, losses, running statistics and gradients of a step."""
    file = fixture("ibp_cnn_train")
    for case in file["cases"]:
        layers, name = network_of(file["net"]).train(), case["name"]
        images, labels, box, rows = problem(file, case["eps"])
        logits, center, radius, _ = bound(layers, images, box, rows)
        loss = robust_loss(center - radius)
        natural = nn.functional.cross_entropy(logits, labels)
        result.close(f"{name}, natural loss", natural.detach(), case["ce_loss"], 1e-5)
        result.close(f"{name}, margins", (center - radius).detach(), array(case["margin_lower"]), 1e-5)
        result.close(f"{name}, robust loss", loss.detach(), case["robust_loss"], 1e-5)
        for path, wanted in case["running_after"].items():
            result.close(f"{name}, {path}", layers.get_buffer(path), array(wanted), 1e-5)
        gradients(result, f"{name}, robust loss", layers, loss, case["grad_robust_loss"], 1e-4)


def regularizers(result):
    """Both regularizers and the gradients of their sum."""
    file, source = fixture("reg"), fixture("ibp_cnn_train")
    for case in file["cases"]:
        layers, name = network_of(source["net"]).train(), case["name"]
        with torch.no_grad():
            for path, added in case["param_edit"].items():
                layers.get_parameter(path).add_(added)
        images, _, box, rows = problem(source, case["eps"])
        inputs = list(relu_inputs(bound(layers, images, box, rows)[-1]))
        tight, balance = tightness(inputs, box[1]), relu_balance(inputs)
        # Radii in the file are differences of rounded bounds, which are coarse at the smallest radius.
        coarse = case["eps"] < 1e-5
        result.close(f"{name}, tightness", tight.detach(), case["L_tightness"], 1e-3 if coarse else 1e-5)
        result.close(f"{name}, ReLU balance", balance.detach(), case["L_relu"], 1e-5)
        gradients(result, f"{name}, regularizers", layers, tight + balance, case["grad_total"], 1e-2 if coarse else 1e-4)


def gradients(result, name, layers, loss, wanted, tolerance):
    """The largest difference over all parameters, relative to the largest entry of each gradient."""
    paths, parameters = zip(*layers.named_parameters())
    grads = torch.autograd.grad(loss, parameters, allow_unused=True)
    worst = []
    for path, parameter, grad in zip(paths, parameters, grads):
        expected = torch.tensor(array(wanted[path]))
        got = torch.zeros_like(parameter) if grad is None else grad
        worst.append((got - expected).abs().max() / expected.abs().max().clamp(min=1))
    result.at_most(f"{name}, gradients", float(torch.stack(worst).max()), tolerance)


@torch.no_grad()
def evaluation(result, name):
    """Margins by IBP and CROWN-IBP, with running statistics, against the file, sampled points and the margins at radius 0."""
    file = fixture(name)
    source = fixture(file["net_from"].removesuffix(".json")) if "net_from" in file else file
    layers = network_of(source["net"]).eval()
    images, labels, box, rows = problem({**source, "labels": file["labels"]}, file["eps"])
    _, center, radius, tape = bound(layers, images, box, rows)
    by_ibp, by_crown = center - radius, crown_lower(layers, tape, box, rows)
    result.close(f"{name}, IBP", by_ibp, array(file.get("ibp_margin_lower") or file["margin_lower"]), 1e-5)
    result.close(f"{name}, CROWN-IBP", by_crown, array(file["crown_ibp_margin_lower"]), 1e-5)
    if "loss_fusion" in file:
        for ramp, key in ((1, "ibp_log_sum_exp"), (0, "crown_ibp_log_sum_exp")):
            loss, *_ = fused_loss(copy.deepcopy(layers), images, labels, box, source["num_class"], ramp)
            result.close(f"{name}, fused loss at ramp {ramp}", loss, array(file["loss_fusion"][key]).mean(), 1e-5)
    worst = torch.full((), -torch.inf)
    for _ in range(100):
        points = box[0] + box[1] * (2 * torch.rand_like(images) - 1)
        margins = bound(layers, points, ball(points, 0), rows)[1]
        worst = torch.maximum(worst, torch.maximum(by_ibp, by_crown).sub(margins).amax())
    result.at_most(f"{name}, a lower bound above a sampled margin", float(worst), 1e-5)
    logits, center, radius, tape = bound(layers, images, ball(images, 0), rows)
    margins = (rows @ logits[:, :, None])[:, :, 0]
    result.close(f"{name}, radius 0, IBP", center - radius, margins, 1e-5)
    result.close(f"{name}, radius 0, CROWN-IBP", crown_lower(layers, tape, ball(images, 0), rows), margins, 1e-5)
