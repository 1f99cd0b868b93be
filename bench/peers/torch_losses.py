"""The losses of a training step on bounds of `torch_bounds`."""
import torch
import torch.nn.functional as F

from torch_bounds import bound, crown_lower, margin_rows, relu_inputs

TOLERANCE = 0.5
SMALLEST = 1e-12


def robust_loss(lower):
    """The mean of log(1 + sum exp(-margin)) over lower bounds of margins, [images, classes - 1]."""
    return torch.logsumexp(F.pad(-lower, (1, 0)), 1).mean()


def tightness(inputs, box_radius):
    """How much the mean radius grows from the box to the inputs of the ReLUs."""
    terms = [torch.relu(TOLERANCE - box_radius.mean() / radius.mean().clamp(min=SMALLEST)) for _, radius in inputs]
    return torch.stack(terms).mean() / TOLERANCE


def relu_balance(inputs):
    """How uneven active and inactive neurons are, in their means and spreads. A layer without inactive neurons or without spread adds 0."""
    terms = []
    for center, radius in inputs:
        active, inactive = center > radius, center < -radius
        spread = (center - center.mean()).square()
        below, spread_below = -(center * inactive).mean(), (spread * inactive).sum()
        defined = (below > 0) & (spread_below > 0)
        # Divisors of 1 where there is no term: a gradient through a division by 0 would be NaN.
        means = (center * active).mean() / torch.where(defined, below, 1)
        spreads = (spread * active).sum() / torch.where(defined, spread_below, 1)
        term = sum(torch.relu(TOLERANCE - torch.minimum(r, 1 / r.clamp(min=SMALLEST))) for r in (means, spreads))
        terms.append(torch.where(defined, term, 0))
    return torch.stack(terms).mean() / TOLERANCE


def full_loss(layers, images, labels, box, classes, weight):
    """The loss of the full method, and the natural loss and the number of errors to be logged."""
    logits, center, radius, tape = bound(layers, images, box, margin_rows(labels, classes))
    inputs = list(relu_inputs(tape))
    loss = robust_loss(center - radius) + weight * (tightness(inputs, box[1]) + relu_balance(inputs))
    return loss, *logged(logits, labels)


def fused_loss(layers, images, labels, box, classes, ramp):
    """The loss of CROWN-IBP with loss fusion: chords of exp(logit - logit of the label), summed before the backward pass."""
    rows = margin_rows(labels, classes)
    logits, center, radius, tape = bound(layers, images, box, rows)
    low, high = -(center + radius), radius - center
    shift = torch.relu(high.detach().amax(1, keepdim=True))
    least, greatest = torch.exp(low - shift), torch.exp(high - shift)
    slope = (greatest - least) / (high - low).clamp(min=1e-8)
    own = torch.exp(-shift[:, 0])
    by_ibp = greatest.sum(1) + own
    chords = crown_lower(layers, tape, box, slope[:, None] @ rows)[:, 0]
    by_crown = (greatest - slope * high).sum(1) - chords + own
    loss = (torch.log((1 - ramp) * by_crown + ramp * by_ibp) + shift[:, 0]).mean()
    return loss, *logged(logits, labels)


def logged(logits, labels):
    """The natural cross-entropy and the number of errors, without gradients."""
    logits = logits.detach()
    return F.cross_entropy(logits, labels), (logits.argmax(1) != labels).sum()
