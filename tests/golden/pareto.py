#!/usr/bin/env python3
"""Pareto k-hat of importance weights by ArviZ, for tests/unit/test_importance.c.

pareto.py > pareto.inc      needs numpy and arviz

Sample s of case i: u from splitmix64 at (200 + i, s), as README.md describes it but on the grid (j + 1/2) 2^-24; its log
weight is -power log(u), whose tail is Pareto with shape `power`.
"""
import numpy as np
from arviz.stats.stats import psislw

CASES = [(25, 0.3), (30, 0.9), (100, 0.1), (100, 0.5), (250, 0.7), (1000, 0.2), (1000, 1.1), (5000, 0.4),
         (5000, 0.8), (20000, 0.6)]
MASK = (1 << 64) - 1


def uniform(stream, i):
    s = (stream * 2**32 + i + 1) * 0x9E3779B97F4A7C15 & MASK
    s = (s ^ s >> 30) * 0xBF58476D1CE4E5B9 & MASK
    s = (s ^ s >> 27) * 0x94D049BB133111EB & MASK
    s = s ^ s >> 31
    return ((s >> 40) + 0.5) * 2.0**-24


for case, (samples, power) in enumerate(CASES):
    weights = np.array([-power * np.log(uniform(200 + case, s)) for s in range(samples)])
    print(f"{{{samples}, {power}, {float(psislw(weights)[1]):.12f}}},")
