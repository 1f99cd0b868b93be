"""Takes a few images of each net of a file of the kind verify_small: the first ones, and the first that is falsified.

python few.py verify_small.json fixtures/verify_small.json
"""

import json
import sys

IMAGES = 3


def few(images):
    """The first images, with a falsified one at the end."""
    falsified = next(image for image in images if image["status"] == "falsified")
    others = [image for image in images if image is not falsified]
    return [*others[: IMAGES - 1], falsified]


def main(source, target):
    with open(source) as file:
        content = json.load(file)
    for case in content["cases"]:
        case["images"] = few(case["images"])
    with open(target, "w") as file:
        json.dump(content, file, separators=(",", ":"))
        file.write("\n")


main(*sys.argv[1:])
