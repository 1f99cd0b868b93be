"""The options of a peer, its timing loop, and the line of JSON that it prints."""
import argparse
import json
import os
import resource
import statistics
import time

# Channels and side of the images, and the target radius.
CONFIGS = {"mnist": (1, 28, 0.4), "cifar": (3, 32, 8 / 255)}
CLASSES = 10
TASKS = ("train", "crown-ibp", "pgd", "certify-ibp", "certify-crown-ibp")
NETWORKS = ("cnn7", "wide-resnet-8")
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "golden", "fixtures")


def read_options(description, flags=(), tasks=TASKS):
    """Parses the command line; `flags` are pairs of a name and a help text. A task that the peer does not know ends it with status 2."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", choices=CONFIGS, default="mnist", help="size of the images")
    parser.add_argument("--network", choices=NETWORKS, default="cnn7")
    parser.add_argument("--task", choices=tasks, default="train", help="what a step does")
    parser.add_argument("--batch", type=int, default=64, help="images per step")
    parser.add_argument("--chunk", type=int, default=100, help="images bounded at once by a certification")
    parser.add_argument("--width", type=int, default=64, help="channels of the first convolution of cnn7")
    parser.add_argument("--linear", type=int, default=512, help="units of the hidden dense layer")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the timed steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", action="store_true", help="compare with golden/fixtures and sampled points; time nothing")
    for name, text in flags:
        parser.add_argument(name, action="store_true", help=text)
    return parser.parse_args()


def run(make_step, options, version):
    """Times steps and prints the line of JSON. `make_step` returns a function whose call is one finished step."""
    step = make_step(options)
    times, processor = [], []
    for i in range(options.warmup + options.steps):
        start, started = time.perf_counter(), time.process_time()
        step()
        if i >= options.warmup:
            times.append(time.perf_counter() - start)
            processor.append(time.process_time() - started)
    line = {
        "version": version,
        "median_s": statistics.median(times),
        "min_s": min(times),
        "cpu_s": statistics.median(processor),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(line))


class Check:
    """Collects differences, and prints each with its tolerance."""

    def __init__(self):
        self.failed = 0

    def close(self, name, got, wanted, tolerance):
        """`got` and `wanted` are arrays or numbers; the tolerance is relative to the largest number wanted, or to 1."""
        import numpy as np

        got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
        scale = max(1.0, float(np.abs(wanted).max()))
        self.at_most(name, float(np.abs(got - wanted).max()) / scale, tolerance)

    def at_most(self, name, value, limit):
        passed = value <= limit
        self.failed += not passed
        print(f"{'pass' if passed else 'FAIL'}  {name}: {value:.2g} (at most {limit:g})")

    def finish(self):
        raise SystemExit(1 if self.failed else 0)


def fixture(name):
    """Reads a file of golden/fixtures."""
    with open(os.path.join(FIXTURES, f"{name}.json"), encoding="utf8") as file:
        return json.load(file)


def array(entry):
    """A tensor of a fixture as a float32 array."""
    import numpy as np

    return np.asarray(entry["data"], np.float32).reshape(entry["shape"])
