"""Times the training steps of the bench in JAX on the CPU. With --check, compares the numbers with golden/fixtures."""
import functools
import math
import os

import jax
import jax.numpy as jnp
import numpy as np

from timing import CLASSES, CONFIGS, Check, array, fixture, read_options, run

LEARNING_RATE, BETA1, BETA2, ADAM_EPSILON = 5e-4, 0.9, 0.999, 1e-8
CLIP_NORM = 10
MOMENTUM, NORM_EPSILON = 0.1, 1e-5
TOLERANCE, SMALLEST = 0.5, 1e-12

# A network is a list of layers; images are channels last. A layer is a tuple: its kind, and its sizes.
#   ("conv", inputs, outputs, size, stride), ("norm", channels), ("relu",), ("flatten",), ("dense", inputs, outputs),
#   ("sum", main layers, shortcut layers)


def cnn7(channels, side, width, hidden):
    layers, inputs = [], channels
    for outputs, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1), (2 * width, 1)):
        layers += [("conv", inputs, outputs, 3, stride), ("norm", outputs), ("relu",)]
        inputs = outputs
    return layers + head(inputs * math.ceil(side / 2) ** 2, hidden)


def wide_resnet8(channels, side, hidden, stem=16, widths=(128, 256, 512)):
    layers, inputs = [("conv", channels, stem, 3, 1), ("norm", stem), ("relu",)], stem
    for i, outputs in enumerate(widths):
        stride = 1 if i == 0 else 2
        main = [("conv", inputs, outputs, 3, stride), ("norm", outputs), ("relu",)]
        main += [("conv", outputs, outputs, 3, 1), ("norm", outputs)]
        layers += [("sum", main, [("conv", inputs, outputs, 1, stride), ("norm", outputs)]), ("relu",)]
        inputs, side = outputs, math.ceil(side / stride)
    return layers + head(inputs * side**2, hidden)


def head(features, hidden):
    return [("flatten",), ("dense", features, hidden), ("norm", hidden), ("relu",), ("dense", hidden, CLASSES)]


def initial(layers, rng):
    """Parameters and running statistics, each a list with an entry per layer. Kernels have deviation sqrt(2 pi) / fan-in."""
    params, stats = [], []
    for kind, *sizes in layers:
        if kind == "sum":
            branches = [initial(branch, rng) for branch in sizes]
            params.append([branch[0] for branch in branches])
            stats.append([branch[1] for branch in branches])
            continue
        stats.append({"mean": np.zeros(sizes[0], np.float32), "var": np.ones(sizes[0], np.float32)} if kind == "norm" else {})
        if kind == "norm":
            params.append({"scale": np.ones(sizes[0], np.float32), "bias": np.zeros(sizes[0], np.float32)})
        elif kind in ("conv", "dense"):
            shape = (sizes[2], sizes[2], *sizes[:2]) if kind == "conv" else tuple(sizes)
            kernel = rng.normal(size=shape) * math.sqrt(2 * math.pi) / math.prod(shape[:-1])
            params.append({"kernel": kernel.astype(np.float32), "bias": np.zeros(shape[-1], np.float32)})
        else:
            params.append({})
    return params, stats


def convolve(x, kernel, stride):
    pad = kernel.shape[0] // 2
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def propagate(layers, params, points, center, radius):
    """
    The natural pass of `points` and the interval through the layers; BatchNorm uses the moments of `points` for both.

    Returns natural output, center, radius, (center, radius) at the input of every ReLU, and the moments with the number of values.
    """
    inputs, moments = [], []
    for (kind, *sizes), own in zip(layers, params):
        moments.append({})
        if kind == "conv":
            radius = convolve(radius, jnp.abs(own["kernel"]), sizes[3])
            points, center = (convolve(x, own["kernel"], sizes[3]) + own["bias"] for x in (points, center))
        elif kind == "dense":
            radius = radius @ jnp.abs(own["kernel"])
            points, center = (x @ own["kernel"] + own["bias"] for x in (points, center))
        elif kind == "norm":
            axes = tuple(range(points.ndim - 1))
            mean, var = points.mean(axes), points.var(axes)
            moments[-1] = {"mean": mean, "var": var * (points[..., 0].size / (points[..., 0].size - 1))}
            scale = own["scale"] * jax.lax.rsqrt(var + NORM_EPSILON)
            shift = own["bias"] - mean * scale
            points, center, radius = points * scale + shift, center * scale + shift, radius * jnp.abs(scale)
        elif kind == "relu":
            inputs.append((center, radius))
            points = jax.nn.relu(points)
            lower, upper = jax.nn.relu(center - radius), jax.nn.relu(center + radius)
            center, radius = (upper + lower) / 2, (upper - lower) / 2
        elif kind == "flatten":
            points, center, radius = (x.reshape(len(x), -1) for x in (points, center, radius))
        else:
            main, side = (propagate(branch, part, points, center, radius) for branch, part in zip(sizes, own))
            points, center, radius = (a + b for a, b in zip(main[:3], side[:3]))
            inputs += main[3] + side[3]
            moments[-1] = [main[4], side[4]]
    return points, center, radius, inputs, moments


def margin_rows(labels, classes):
    """Rows e_label - e_other for all other classes, [images, classes - 1, classes]."""
    others = jnp.arange(classes - 1)[None] + (jnp.arange(classes - 1)[None] >= labels[:, None])
    eye = jnp.eye(classes)
    return eye[labels][:, None] - eye[others]


def ball(images, epsilon):
    """Center and radius of the box around images, clipped to [0, 1]."""
    lower, upper = jnp.maximum(images - epsilon, 0), jnp.minimum(images + epsilon, 1)
    return (upper + lower) / 2, (upper - lower) / 2


def bound(layers, params, images, box, labels):
    """Logits of the images, lower bounds of the margins, inputs of the ReLUs, moments."""
    points, center, radius, inputs, moments = propagate(layers[:-1], params[:-1], images, *box)
    last = params[-1]
    rows = margin_rows(labels, last["bias"].shape[0])
    kernel = rows @ last["kernel"].T
    lower = jnp.einsum("nrc,nc->nr", kernel, center) - jnp.einsum("nrc,nc->nr", jnp.abs(kernel), radius) + rows @ last["bias"]
    return points @ last["kernel"] + last["bias"], lower, inputs, [*moments, {}]


def robust_loss(lower):
    """The mean of log(1 + sum exp(-margin))."""
    return jax.nn.logsumexp(jnp.pad(-lower, ((0, 0), (1, 0))), axis=1).mean()


def natural_loss(logits, labels):
    return (jax.nn.logsumexp(logits, axis=1) - jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]).mean()


def tightness(inputs, box_radius):
    """How much the mean radius grows from the box to the inputs of the ReLUs."""
    ratios = jnp.stack([box_radius.mean() / jnp.maximum(radius.mean(), SMALLEST) for _, radius in inputs])
    return jax.nn.relu(TOLERANCE - ratios).mean() / TOLERANCE


def relu_balance(inputs):
    """How uneven active and inactive neurons are. A layer without inactive neurons or without spread adds 0."""
    terms = []
    for center, radius in inputs:
        active, inactive = center > radius, center < -radius
        spread = jnp.square(center - center.mean())
        below, spread_below = -(center * inactive).mean(), (spread * inactive).sum()
        defined = (below > 0) & (spread_below > 0)
        ratios = jnp.stack(
            [
                (center * active).mean() / jnp.where(defined, below, 1),
                (spread * active).sum() / jnp.where(defined, spread_below, 1),
            ]
        )
        even = jnp.minimum(ratios, 1 / jnp.maximum(ratios, SMALLEST))
        terms.append(jnp.where(defined, jax.nn.relu(TOLERANCE - even).sum(), 0))
    return jnp.stack(terms).mean() / TOLERANCE


def full_loss(params, layers, images, labels, box, weight):
    """The loss of the full method; beside it what is logged, and the moments."""
    logits, lower, inputs, moments = bound(layers, params, images, box, labels)
    robust = robust_loss(lower)
    loss = robust + weight * (tightness(inputs, box[1]) + relu_balance(inputs))
    errors = (logits.argmax(1) != labels).sum()
    return loss, ((loss, robust, natural_loss(logits, labels), errors), moments)


def update(layers, state, images, labels, epsilon):
    """One training step."""
    params, stats, mean, square, count = state
    gradient = jax.grad(full_loss, has_aux=True)
    grads, (logged, moments) = gradient(params, layers, images, labels, ball(images, epsilon), 0.25)
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(grads)))
    clip = jnp.minimum(CLIP_NORM / (norm + 1e-6), 1)
    count = count + 1
    mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * clip * g, mean, grads)
    square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * jnp.square(clip * g), square, grads)
    rate, correction = LEARNING_RATE / (1 - BETA1**count), 1 / jnp.sqrt(1 - BETA2**count)
    params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * correction + ADAM_EPSILON), params, mean, square)
    stats = jax.tree.map(lambda old, new: (1 - MOMENTUM) * old + MOMENTUM * new, stats, moments)
    return (params, stats, mean, square, count), logged


def make_step(options):
    """The step on random images, as a function without arguments."""
    channels, side, epsilon = CONFIGS[options.config]
    rng = np.random.default_rng(0)
    if options.network == "cnn7":
        layers = cnn7(channels, side, options.width, options.linear)
    else:
        layers = wide_resnet8(channels, side, options.linear)
    params, stats = jax.tree.map(jnp.asarray, initial(layers, rng))
    zeros = functools.partial(jax.tree.map, jnp.zeros_like)
    state = (params, stats, zeros(params), zeros(params), jnp.zeros((), jnp.float32))
    images = jnp.asarray(rng.uniform(size=(options.batch, side, side, channels)), jnp.float32)
    labels = jnp.asarray(rng.integers(CLASSES, size=options.batch))
    compiled = jax.jit(functools.partial(update, layers, epsilon=epsilon / 2), donate_argnums=0)

    def step():
        nonlocal state
        state, logged = compiled(state, images, labels)
        jax.block_until_ready(state)
        return [float(value) for value in logged]

    return step


def network_of(entries, shape):
    """Layers and parameters of a fixture without residual blocks, for images of the shape (channels, height, width)."""
    layers, params = [], []
    for entry in entries:
        kind, own = entry["type"], {}
        if "weight" in entry:
            weight, own["bias"] = array(entry["weight"]), array(entry["bias"])
        if kind == "conv2d":
            outputs, inputs, size, _ = weight.shape
            layers.append(("conv", inputs, outputs, size, entry["stride"]))
            own["kernel"] = weight.transpose(2, 3, 1, 0)
            shape = (outputs, *(math.ceil(n / entry["stride"]) for n in shape[1:]))
        elif kind == "linear":
            # A flattened image has its channels last.
            image = weight.reshape(len(weight), *shape)
            own["kernel"] = np.moveaxis(image, 1, -1).reshape(len(weight), -1).T if len(shape) == 3 else weight.T
            layers.append(("dense", *own["kernel"].shape))
            shape = (len(weight),)
        elif kind.startswith("batchnorm"):
            layers.append(("norm", len(weight)))
            own["scale"] = weight
        else:
            layers.append((kind,))
        params.append(own)
    return layers, params


def sampled(result, name, layers, params, images, labels, box):
    """
    Lower bounds against margins at sampled points and at radius 0. The moments are those of the images, so that a point goes through the
    layers as a center without radius.
    """
    logits, lower, _, _ = bound(layers, params, images, box, labels)
    worst, rng = -np.inf, np.random.default_rng(0)
    for _ in range(100):
        point = box[0] + box[1] * rng.uniform(-1, 1, images.shape)
        worst = float(np.maximum(worst, (lower - bound(layers, params, images, ball(point, 0), labels)[1]).max()))
    result.at_most(f"{name}, a lower bound above a sampled margin", worst, 1e-5)
    margins = jnp.einsum("nrc,nc->nr", margin_rows(labels, logits.shape[1]), logits)
    result.close(f"{name}, radius 0, margins", bound(layers, params, images, ball(images, 0), labels)[1], margins, 1e-5)
    result.close(f"{name}, radius 0, loss", robust_loss(margins), natural_loss(logits, labels), 1e-5)


def check():
    """Margins, losses, both regularizers and gradients against the fixtures; bounds against sampled points and at radius 0."""
    result = Check()
    file = fixture("ibp_cnn_train")
    images = array(file["x"])
    layers, params = network_of(file["net"], images.shape[1:])
    images, labels = jnp.asarray(images.transpose(0, 2, 3, 1)), jnp.asarray(file["labels"])
    names = [entry.get("name") for entry in file["net"]]

    def gradients(name, loss, params, wanted, tolerance):
        grads = [
            {("bias" if key == "bias" else "weight"): g for key, g in own.items()} for own in jax.grad(loss)(params)
        ]
        _, expected = network_of(
            [{**entry, **{k: wanted[f"{entry['name']}.{k}"] for k in ("weight", "bias") if k in entry}} for entry in file["net"]],
            array(file["x"]).shape[1:],
        )
        worst = []
        for own, other in zip(grads, expected):
            for key, number in other.items():
                difference = own["bias" if key == "bias" else "weight"] - number
                worst.append(np.abs(difference).max() / max(1, np.abs(number).max()))
        result.at_most(f"{name}, gradients", float(np.max(worst)), tolerance)

    for case in file["cases"]:
        box, name = ball(images, case["eps"]), case["name"]
        logits, lower, _, _ = bound(layers, params, images, box, labels)
        result.close(f"{name}, natural loss", natural_loss(logits, labels), case["ce_loss"], 1e-5)
        result.close(f"{name}, margins", lower, array(case["margin_lower"]), 1e-5)
        result.close(f"{name}, robust loss", robust_loss(lower), case["robust_loss"], 1e-5)
        loss = lambda p: robust_loss(bound(layers, p, images, box, labels)[1])  # noqa: E731
        gradients(f"{name}, robust loss", loss, params, case["grad_robust_loss"], 1e-4)
        sampled(result, name, layers, params, images, labels, box)
    residual = wide_resnet8(images.shape[-1], images.shape[1], 12, stem=3, widths=(3, 4, 5))
    weights = jax.tree.map(jnp.asarray, initial(residual, np.random.default_rng(1))[0])
    sampled(result, "residual blocks", residual, weights, images, labels, ball(images, 0.02))

    for case in fixture("reg")["cases"]:
        box, name, coarse = ball(images, case["eps"]), case["name"], case["eps"] < 1e-5
        edited = [
            {**own, **({"bias": own["bias"] + case["param_edit"][f"{at}.bias"]} if f"{at}.bias" in case["param_edit"] else {})}
            for own, at in zip(params, names)
        ]
        inputs = bound(layers, edited, images, box, labels)[2]
        result.close(f"{name}, tightness", tightness(inputs, box[1]), case["L_tightness"], 1e-3 if coarse else 1e-5)
        result.close(f"{name}, ReLU balance", relu_balance(inputs), case["L_relu"], 1e-5)

        def both(p):
            at = bound(layers, p, images, box, labels)[2]
            return tightness(at, box[1]) + relu_balance(at)

        gradients(f"{name}, regularizers", both, edited, case["grad_total"], 1e-2 if coarse else 1e-4)
    result.finish()


if __name__ == "__main__":
    options = read_options(__doc__, tasks=("train",))
    # XLA starts as many threads as there are processors that the process may use, at the first computation.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    jax.config.update("jax_platforms", "cpu")
    if options.check:
        check()
    run(make_step, options, f"JAX {jax.__version__}")
