"""Interval bounds and CROWN of a graph of dense matrices, in float64."""
import numpy as np


def interval(center, radius, matrix, offset):
    c, r = center @ matrix.T + offset, radius @ np.abs(matrix).T
    return c - r, c + r


def ibp(graph, low, high):
    """Lower and upper bounds at every node."""
    lower, upper = [low], [high]
    for op, inputs, matrix, offset, _ in graph.nodes[1:]:
        l, u = lower[inputs[0]], upper[inputs[0]]
        if op == "affine":
            l, u = interval((l + u) / 2, (u - l) / 2, matrix, offset)
        elif op == "relu":
            l, u = np.maximum(l, 0), np.maximum(u, 0)
        else:
            l, u = l + lower[inputs[1]], u + upper[inputs[1]]
        lower.append(l)
        upper.append(u)
    return lower, upper


def ibp_margins(graph, lower, upper, spec):
    """The specification [batch, rows, classes] multiplied into the last layer."""
    _, (source,), matrix, offset, _ = graph.nodes[-1]
    center, radius = (lower[source] + upper[source]) / 2, (upper[source] - lower[source]) / 2
    rows = spec @ matrix
    c = np.einsum("brn,bn->br", rows, center) + spec @ offset
    r = np.einsum("brn,bn->br", np.abs(rows), radius)
    return c - r, c + r


def backward(graph, node, rows, lower, upper, low, high):
    """Lower bounds of rows [batch, rows, size] times a node, given bounds at the inputs of the ReLUs before it."""
    pending = {node: rows}
    constant = np.zeros(rows.shape[:2])

    def push(to, coefficients):
        pending[to] = pending[to] + coefficients if to in pending else coefficients

    for k in range(node, 0, -1):
        if k not in pending:
            continue
        a = pending.pop(k)
        op, inputs, matrix, offset, _ = graph.nodes[k]
        if op == "affine":
            constant = constant + a @ offset
            push(inputs[0], a @ matrix)
        elif op == "add":
            for source in inputs:
                push(source, a)
        else:
            l, u = lower[inputs[0]], upper[inputs[0]]
            active = l >= 0
            unstable = ~active & (u > 0)
            width = np.where(unstable, u - l, 1)
            upper_slope = np.where(active, 1.0, np.where(unstable, u / width, 0.0))
            intercept = np.where(unstable, -l * u / width, 0.0)
            lower_slope = np.where(active | (unstable & (upper_slope > 0.5)), 1.0, 0.0)
            positive, negative = np.maximum(a, 0), np.minimum(a, 0)
            constant = constant + np.einsum("brn,bn->br", negative, intercept)
            push(inputs[0], positive * lower_slope[:, None] + negative * upper_slope[:, None])
    a = pending.get(0, np.zeros((*rows.shape[:2], low.shape[1])))
    ends = np.einsum("brn,bn->br", np.maximum(a, 0), low) + np.einsum("brn,bn->br", np.minimum(a, 0), high)
    return constant + ends


def crown_bounds(graph, low, high, lower, upper):
    """Bounds at the input of every ReLU, each by backward passes of its own."""
    lower, upper = list(lower), list(upper)
    for k in graph.relu_inputs():
        if k == 0:
            continue
        unit = np.broadcast_to(np.eye(lower[k].shape[1]), (len(low), *[lower[k].shape[1]] * 2))
        lower[k], upper[k] = (
            backward(graph, k, unit, lower, upper, low, high),
            -backward(graph, k, -unit, lower, upper, low, high),
        )
    return lower, upper


def fused(graph, spec, margins, lower, upper, low, high):
    """log of the upper bounds of sum_j exp(logit_j - logit_y) by IBP and by chords of the exponentials, each [batch]."""
    least, greatest = -margins[1], -margins[0]
    width = greatest - least
    slope = np.where(width > 0, (np.exp(greatest) - np.exp(least)) / np.where(width > 0, width, 1), 0)
    row = np.einsum("br,brc->bc", slope, spec)[:, None]
    linear = -backward(graph, len(graph.nodes) - 1, row, lower, upper, low, high)[:, 0]
    chords = (np.exp(greatest) - slope * greatest).sum(1) + linear
    return np.log(1 + np.exp(greatest).sum(1)), np.log(1 + chords)
