"""worker.py - what the peers' workers share: the protocol, the data, the initial parameters and the timing.

A worker reads one JSON object a line from stdin and answers one a line on stdout; README.md describes both.
`elbow bench --worker` speaks the same, so that drive.py can alternate between them.
"""

import json
import os
import sys
import time

import numpy as np

WIDTHS_ENCODER = [784, 200, 200, 100]
WIDTHS_DECODER = [50, 200, 200, 784]
LATENT, PIXELS, IMAGES = 50, 784, 2000
DEFAULTS = {"task": "train", "batch": 100, "threads": 1, "repeats": 20, "binarise": True, "samples": 5000, "steps": 100,
            "chains": 16}
MIN_WARM_UP = 3


def threads():
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def images():
    """Grey values [IMAGES,784] in [0,1] with a fifth of the pixels lit, about as in digit images."""
    rng = np.random.default_rng(1)
    return (rng.random((IMAGES, PIXELS)) * (rng.random((IMAGES, PIXELS)) < 0.25)).astype(np.float32)


def binary_images():
    return (np.random.default_rng(2).random((IMAGES, PIXELS)) < images()).astype(np.float32)


def initial_parameters():
    """Weight [out,in] and bias of each layer, encoder first: Glorot uniform and zero."""
    rng, parameters = np.random.default_rng(3), []
    for widths in (WIDTHS_ENCODER, WIDTHS_DECODER):
        for below, above in zip(widths, widths[1:]):
            bound = np.sqrt(6.0 / (below + above))
            parameters.append(rng.uniform(-bound, bound, (above, below)).astype(np.float32))
            parameters.append(np.zeros(above, np.float32))
    return parameters


def batches(data, size):
    """Endless consecutive batches as views: fetching one costs a peer nothing."""
    while True:
        for start in range(0, len(data) - size + 1, size):
            yield data[start:start + size]


def seconds_of(call, repeats):
    """Sorted durations of single calls, after enough calls to compile, tune and fault everything in."""
    for _ in range(max(MIN_WARM_UP, repeats // 5)):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return sorted(times)


def answer(request, prepared, prepare):
    """prepare(request) -> (call, units): a call does `units` of what is reported per unit. Prepared calls are kept, so
    that a request that comes again compiles nothing."""
    if request["threads"] != threads():
        raise ValueError(f"this worker was started for {threads()} threads (OMP_NUM_THREADS)")
    key = json.dumps({k: v for k, v in request.items() if k != "repeats"}, sort_keys=True)
    if key not in prepared:
        prepared[key] = prepare(request)
    call, units = prepared[key]
    times = [t / units for t in seconds_of(call, request["repeats"])]
    low, high = times[len(times) // 10], times[(9 * len(times)) // 10]
    return {**request, "seconds": times[len(times) // 2], "seconds_low": low, "seconds_high": high}


def serve(describe, prepare):
    """Runs until stdin ends. Libraries that print must not disturb the protocol: stdout itself is turned to stderr."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepared = {}
    for line in sys.stdin:
        try:
            request = {**DEFAULTS, **json.loads(line)}
            reply = describe() if request["task"] == "describe" else answer(request, prepared, prepare)
        except Exception as problem:  # whatever a peer raises goes to the driver, which drops that peer and says so
            reply = {"error": f"{type(problem).__name__}: {problem}".splitlines()[0]}
        print(json.dumps(reply), file=out, flush=True)
