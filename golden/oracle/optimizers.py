"""Runs optimizers of PyTorch and writes their parameters after every step as a file of the kind optimizers.

python optimizers.py fixtures/optimizers.json

Parameters are in float64, gradients are numbers that float32 holds. Only the tensor
"kernel" of a case decays; "bias" is in a group without weight decay.
"""

import json
import sys

import torch

STEPS = 12
SHAPES = {"kernel": (2, 2), "bias": (2,)}
SOURCE = f"PyTorch {torch.__version__.split('+')[0]}"


def numbers(tensor):
    return {"shape": list(tensor.shape), "data": tensor.detach().flatten().tolist()}


def draw(generator, shape, scale):
    """Numbers that float32 holds exactly."""
    return (scale * torch.randn(shape, generator=generator)).to(torch.float32).to(torch.float64)


def optimizer_case(name, make, options, decay, seed):
    generator = torch.Generator().manual_seed(seed)
    params = {key: draw(generator, shape, 1.0).requires_grad_() for key, shape in SHAPES.items()}
    start = {key: numbers(value) for key, value in params.items()}
    groups = [{"params": [params["kernel"]], "weight_decay": decay}, {"params": [params["bias"]], "weight_decay": 0.0}]
    optimizer = make(groups)
    steps = []
    for step in range(STEPS):
        rate = 0.05 if step < 8 else 0.01
        gradients = {key: draw(generator, shape, 10.0 ** (step % 3 - 2)) for key, shape in SHAPES.items()}
        for group in optimizer.param_groups:
            group["lr"] = rate
        for key, gradient in gradients.items():
            params[key].grad = gradient
        optimizer.step()
        steps.append(
            {
                "learning_rate": rate,
                "gradients": {key: numbers(value) for key, value in gradients.items()},
                "params": {key: numbers(value) for key, value in params.items()},
            }
        )
    return {"optimizer": name, "options": options, "start": start, "steps": steps}


def optimizers():
    betas = {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-3}
    own = {"betas": (0.8, 0.99), "eps": 1e-3}
    cases = [
        optimizer_case("adam", lambda groups: torch.optim.Adam(groups), {}, 0.0, 1),
        optimizer_case("adam", lambda groups: torch.optim.Adam(groups, **own), {**betas, "l2": 0.1}, 0.1, 2),
        optimizer_case("adamw", lambda groups: torch.optim.AdamW(groups), {"weightDecay": 0.01}, 0.01, 3),
        optimizer_case("adamw", lambda groups: torch.optim.AdamW(groups, **own), {**betas, "weightDecay": 0.5}, 0.5, 4),
        optimizer_case("radam", lambda groups: torch.optim.RAdam(groups), {}, 0.0, 5),
        optimizer_case("radam", lambda groups: torch.optim.RAdam(groups, **own), {**betas, "l2": 0.1}, 0.1, 6),
        optimizer_case("sgd", lambda groups: torch.optim.SGD(groups, lr=0.1), {"l2": 0.1}, 0.1, 7),
        optimizer_case("sgd", lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9), {"momentum": 0.9, "l2": 0.1}, 0.1, 8),
    ]
    return {"kind": "optimizers", "source": f"{SOURCE} torch.optim, float64", "cases": cases}


def main(target):
    with open(target, "w") as file:
        json.dump(optimizers(), file, separators=(",", ":"))
        file.write("\n")


main(*sys.argv[1:])
