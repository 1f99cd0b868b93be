"""Times the workloads of the bench in PyTorch on the CPU, eager or compiled. With --check, compares the numbers with golden/fixtures."""
import torch

from timing import CLASSES, CONFIGS, read_options, run
from torch_bounds import ball, bound, crown_lower, margin_rows
from torch_losses import full_loss, fused_loss
from torch_networks import cnn7, initialize, wide_resnet8

LEARNING_RATE = 5e-4
CLIP_NORM = 10
ATTACK_STEPS = 200


def main():
    options = read_options(
        __doc__,
        [
            ("--compile", "compile the loss, the attack step or the bounds with torch.compile"),
            ("--channels-last", "keep images and kernels in the memory format channels_last"),
        ],
    )
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.check:
        from torch_check import check

        check()
    run(make_step, options, f"PyTorch {torch.__version__}")


def make_step(options):
    """The step of a task on random images, as a function without arguments."""
    channels, side, epsilon = CONFIGS[options.config]
    if options.network == "cnn7":
        layers = cnn7(channels, side, options.width, options.linear, CLASSES)
    else:
        layers = wide_resnet8(channels, side, options.linear, CLASSES)
    initialize(layers)
    images, labels = torch.rand(options.batch, channels, side, side), torch.randint(CLASSES, (options.batch,))
    if options.channels_last:
        layers, images = layers.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    compiled = torch.compile if options.compile else lambda function: function
    if options.task == "train":
        return training_step(layers, images, labels, epsilon, compiled, full_loss, 0.25)
    if options.task == "crown-ibp":
        return training_step(layers, images, labels, epsilon, compiled, fused_loss, 0.5)
    layers.eval().requires_grad_(False)
    if options.task == "pgd":
        return attack(layers, images, labels, epsilon, compiled)
    return certification(layers, images, labels, epsilon, compiled, options)


def training_step(layers, images, labels, epsilon, compiled, loss, number):
    """Loss, gradients, clipping, Adam, at half the radius; `number` is the last argument of the loss."""
    optimizer = torch.optim.Adam(layers.parameters(), LEARNING_RATE, fused=True)
    loss_of = compiled(lambda x, y: loss(layers, x, y, ball(x, epsilon / 2), CLASSES, number))

    def step():
        optimizer.zero_grad()
        values = loss_of(images, labels)
        values[0].backward()
        torch.nn.utils.clip_grad_norm_(layers.parameters(), CLIP_NORM)
        optimizer.step()
        return [value.item() for value in values]

    return step


def attack(layers, images, labels, epsilon, compiled):
    """PGD from one random start: along the sign of the gradient of log(sum exp(logit_j - logit_label)), j other than the label."""
    rows = margin_rows(labels, CLASSES)
    lower, upper = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    size = 2.5 * epsilon / ATTACK_STEPS

    def margins_at(points):
        for layer in layers:
            points = layer(points)
        return (rows @ points[:, :, None])[:, :, 0]

    loss_at = compiled(lambda points: torch.logsumexp(-margins_at(points), 1).sum())

    def step():
        points = torch.clamp(images + epsilon * (2 * torch.rand_like(images) - 1), lower, upper)
        for _ in range(ATTACK_STEPS):
            points.requires_grad_()
            (slope,) = torch.autograd.grad(loss_at(points), points)
            points = torch.clamp(points.detach() + size * slope.sign(), lower, upper)
        with torch.no_grad():
            return int((margins_at(points).amin(1) <= 0).sum())

    return step


def certification(layers, images, labels, epsilon, compiled, options):
    """Natural errors and lower margins of all images, a chunk at a time; returns how many are verified."""

    def bounds_of(x, y):
        box, rows = ball(x, epsilon), margin_rows(y, CLASSES)
        logits, center, radius, tape = bound(layers, x, box, rows)
        lower = center - radius if options.task == "certify-ibp" else crown_lower(layers, tape, box, rows)
        return logits, lower

    bounds = compiled(bounds_of)

    @torch.no_grad()
    def step():
        verified = 0
        for x, y in zip(images.split(options.chunk), labels.split(options.chunk)):
            logits, lower = bounds(x, y)
            verified += int(((logits.argmax(1) == y) & (lower > 0).all(1)).sum())
        return verified

    return step


if __name__ == "__main__":
    main()
