#!/usr/bin/env python3
"""Paired tests by SciPy, for tests/unit/test_statistics.c.

statistics.py > statistics.inc      needs numpy and scipy

Difference i of case c: u(300 + c, i) + shift, where u is the element of a stream that README.md describes; rounded to multiples
of `grid` unless that is 0, which makes ties and zeros. A line: n, shift, grid, mean, standard error, p of ttest_rel, p of
wilcoxon.
"""
import numpy as np
from scipy import stats

CASES = [(2, 0.5, 0), (5, 0.3, 0), (8, -0.2, 0), (20, 0.25, 0), (50, 0.1, 0), (51, 0.1, 0), (30, 0.1, 0.25), (200, -0.05, 0.125),
         (1000, 0.02, 0), (1000, 0.2, 0), (400, 0.6, 0)]
MASK = (1 << 64) - 1


def u(stream, i):
    s = (stream * 2**32 + i + 1) * 0x9E3779B97F4A7C15 & MASK
    s = (s ^ s >> 30) * 0xBF58476D1CE4E5B9 & MASK
    s = (s ^ s >> 27) * 0x94D049BB133111EB & MASK
    s = s ^ s >> 31
    return (s >> 40) * 2.0**-23 - 1


for case, (n, shift, grid) in enumerate(CASES):
    d = np.array([u(300 + case, i) + shift for i in range(n)])
    if grid:
        d = np.floor(d / grid + 0.5) * grid
    exact = n <= 50 and not grid
    wilcoxon = stats.wilcoxon(d, method="exact" if exact else "approx", correction=False).pvalue
    print(f"{{{n}, {shift}, {grid}, {d.mean():.17g}, {stats.sem(d):.17g}, {stats.ttest_1samp(d, 0).pvalue:.17g}, {wilcoxon:.17g}}},")
