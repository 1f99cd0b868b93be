"""Writes the learning rate of every step by schedulers of PyTorch as a file of the kind learning_rates.

python learning_rates.py fixtures/learning_rates.json
"""

import json
import sys

import torch

SOURCE = f"PyTorch {torch.__version__.split('+')[0]}"


def rates(make, steps):
    """The learning rate of every step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimizer)
    result = []
    for _ in range(steps):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return result


def cosine(base, steps, warmup):
    schedules = torch.optim.lr_scheduler

    def make(optimizer):
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = base
        after = schedules.CosineAnnealingLR(optimizer, T_max=steps - warmup)
        if warmup == 0:
            return after
        before = schedules.LinearLR(optimizer, start_factor=1 / (warmup + 1), total_iters=warmup)
        return schedules.SequentialLR(optimizer, [before, after], milestones=[warmup])

    return rates(make, steps)


def one_cycle(base, steps):
    return rates(lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=base, total_steps=steps), steps)


def learning_rates():
    cases = []
    for base, steps_per_epoch, epochs, warmup_epochs in [(0.1, 5, 4, 0), (0.002, 7, 6, 2), (1.0, 1, 3, 1)]:
        steps = steps_per_epoch * epochs
        cases.append(
            {
                "schedule": "cosine",
                "options": {"base": base, "stepsPerEpoch": steps_per_epoch, "epochs": epochs, "warmup": warmup_epochs},
                "rates": cosine(base, steps, warmup_epochs * steps_per_epoch),
            }
        )
    for base, steps_per_epoch, epochs in [(0.1, 5, 4), (0.002, 7, 6), (1.0, 1, 3)]:
        options = {"base": base, "stepsPerEpoch": steps_per_epoch, "epochs": epochs}
        cases.append({"schedule": "one-cycle", "options": options, "rates": one_cycle(base, steps_per_epoch * epochs)})
    return {"kind": "learning_rates", "source": f"{SOURCE} torch.optim.lr_scheduler", "cases": cases}


def main(target):
    with open(target, "w") as file:
        json.dump(learning_rates(), file, separators=(",", ":"))
        file.write("\n")


main(*sys.argv[1:])
