"""river's detectors on errors one by one: a program of its own, in the bench's environment.

`python off_the_shelf.py errors.npy` prints, as JSON, after how many values each detector has raised
its alarms.
"""

import json
import sys

import numpy as np
from river import base, drift

DETECTORS = {
    "ADWIN": drift.ADWIN,
    "KSWIN": lambda: drift.KSWIN(seed=1),
    "Page-Hinkley": drift.PageHinkley,
}


def alarms(detector: base.DriftDetector, values: list[float]) -> list[int]:
    """The places of the values at which drift is told."""
    found = []
    for place, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(place)
    return found


if __name__ == "__main__":
    errors = np.load(sys.argv[1]).tolist()
    print(json.dumps({name: alarms(made(), errors) for name, made in DETECTORS.items()}))
