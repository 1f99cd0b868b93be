"""Interval bounds in center and radius, and one backward pass of linear relaxation, for lists of PyTorch layers."""
import torch
import torch.nn.functional as F
from torch import nn

from torch_networks import Residual


def propagate(layers, points, center, radius):
    """
    The natural pass of `points` and the interval of `center` and `radius` through the layers. BatchNorm in training mode uses the moments
    of `points` for both.

    Returns natural output, center, radius, and a tape for `pull_back`: each layer with what its backward rule reads.
    """
    tape = []
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            tape.append((layer, center.shape[1:]))
            radius = F.conv2d(radius, layer.weight.abs(), None, layer.stride, layer.padding)
            points, center = layer(points), layer(center)
        elif isinstance(layer, nn.Linear):
            tape.append((layer, None))
            radius = F.linear(radius, layer.weight.abs())
            points, center = layer(points), layer(center)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            scale, shift = affine_of(layer, points)
            tape.append((layer, (scale, shift)))
            points, center = torch.addcmul(shift, points, scale), torch.addcmul(shift, center, scale)
            radius = radius * scale.abs()
        elif isinstance(layer, nn.ReLU):
            tape.append((layer, (center, radius)))
            points = torch.relu(points)
            lower, upper = torch.relu(center - radius), torch.relu(center + radius)
            center, radius = (upper + lower) / 2, (upper - lower) / 2
        elif isinstance(layer, nn.Flatten):
            tape.append((layer, center.shape[1:]))
            points, center, radius = (x.flatten(1) for x in (points, center, radius))
        elif isinstance(layer, Residual):
            *main, main_tape = propagate(layer.main, points, center, radius)
            *side, side_tape = propagate(layer.shortcut, points, center, radius)
            tape.append((layer, (main_tape, side_tape)))
            points, center, radius = (a + b for a, b in zip(main, side))
        else:
            raise TypeError(f"no rule for {type(layer).__name__}")
    return points, center, radius, tape


def affine_of(norm, points):
    """Scale and shift of a BatchNorm, shaped for broadcasting. In training mode updates the running statistics."""
    mean, var = norm.running_mean, norm.running_var
    if norm.training:
        axes = [axis for axis in range(points.ndim) if axis != 1]
        var, mean = torch.var_mean(points, axes, correction=0)
        count = points.numel() // points.shape[1]
        with torch.no_grad():
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(var * (count / (count - 1)), norm.momentum)
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    shape = [1, -1] + [1] * (points.ndim - 2)
    return scale.view(shape), (norm.bias - mean * scale).view(shape)


def relu_inputs(tape):
    """(center, radius) at the input of every ReLU."""
    for layer, kept in tape:
        if isinstance(layer, nn.ReLU):
            yield kept
        elif isinstance(layer, Residual):
            for branch in kept:
                yield from relu_inputs(branch)


def margin_rows(labels, classes):
    """Rows e_label - e_other for all other classes, [images, classes - 1, classes]."""
    eye = torch.eye(classes)
    others = torch.arange(classes - 1) + (torch.arange(classes - 1) >= labels[:, None])
    return eye[labels][:, None] - eye[others]


def through_last(layer, center, radius, rows):
    """Center and radius of rows times the output of the last dense layer, with the rows multiplied into its kernel first."""
    kernel = rows @ layer.weight
    middle = (kernel @ center[:, :, None])[:, :, 0] + rows @ layer.bias
    return middle, (kernel.abs() @ radius[:, :, None])[:, :, 0]


def ball(images, epsilon):
    """Center and radius of the box around images, clipped to [0, 1]."""
    lower, upper = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    return (upper + lower) / 2, (upper - lower) / 2


def bound(layers, images, box, rows):
    """Logits of the images, center and radius of the rows over the box, and the tape of all layers but the last."""
    points, center, radius, tape = propagate(layers[:-1], images, *box)
    return layers[-1](points), *through_last(layers[-1], center, radius, rows), tape


def crown_lower(layers, tape, box, rows):
    """Lower bounds [images, rows] by one backward pass from the logits to the box."""
    last = layers[-1]
    images, count, _ = rows.shape
    constant = rows @ last.bias
    rows, rest = pull_back(tape, (rows @ last.weight).flatten(0, 1), count)
    center, radius = (x.flatten(1)[:, :, None] for x in box)
    rows = rows.reshape(images, count, -1)
    return constant + rest + (rows @ center - rows.abs() @ radius)[:, :, 0]


def pull_back(tape, rows, count):
    """Rows [images * count, ...] on the output of the taped layers as rows on their input, and what is left over, [images, count]."""
    rest = 0
    for layer, kept in reversed(tape):
        if isinstance(layer, nn.Linear):
            rest = rest + (rows @ layer.bias).view(-1, count)
            rows = rows @ layer.weight
        elif isinstance(layer, nn.Conv2d):
            rest = rest + (rows.sum((2, 3)) @ layer.bias).view(-1, count)
            extra = [(size + 2 * p - k) % s for size, p, k, s in zip(kept[1:], layer.padding, layer.kernel_size, layer.stride)]
            rows = F.conv_transpose2d(rows, layer.weight, None, layer.stride, layer.padding, extra)
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            scale, shift = kept
            per_channel = rows.sum((2, 3)) if rows.ndim == 4 else rows
            rest = rest + (per_channel @ shift.flatten()).view(-1, count)
            rows = rows * scale
        elif isinstance(layer, nn.ReLU):
            center, radius = kept
            above, below = torch.relu(center + radius), torch.relu(radius - center)
            upper_slope = (above / (above + below).clamp(min=1e-8))[:, None]
            lower_slope = (upper_slope > 0.5).to(rows.dtype)
            per_image = rows.view(-1, count, *rows.shape[1:])
            negative = per_image.clamp(max=0)
            rest = rest + (negative * (upper_slope * below[:, None])).flatten(2).sum(2)
            rows = (per_image.clamp(min=0) * lower_slope + negative * upper_slope).flatten(0, 1)
        elif isinstance(layer, nn.Flatten):
            rows = rows.view(-1, *kept)
        else:
            main, main_rest = pull_back(kept[0], rows, count)
            side, side_rest = pull_back(kept[1], rows, count)
            rows, rest = main + side, rest + main_rest + side_rest
    return rows, rest
