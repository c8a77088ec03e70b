#!/usr/bin/env python3
"""Draws of posteriors that carry samples through a flow or a matrix, for tests/stat_f64/test_flows.c.

flows.py > flows.inc      needs Python only

Z = 3, T = 3, hidden layers of 5 and 4, tanh. With u as README.md describes it, element j of a posterior's parameter i (in the order in
which they are declared: the flow's networks, then the encoder) is 0.8 u(3, 1000000 + 10000 i + j), element j of lambda u(5, j) / 2, of
eps 1.5 u(8, j); v_0 takes the same eps. A line: the settings, then z and log_q.
"""
import math

Z, T, HIDDEN = 3, 3, [5, 4]
MASK = (1 << 64) - 1


def u(stream, i):
    s = (stream * 2**32 + i + 1) * 0x9E3779B97F4A7C15 & MASK
    s = (s ^ s >> 30) * 0xBF58476D1CE4E5B9 & MASK
    s = (s ^ s >> 27) * 0x94D049BB133111EB & MASK
    s = s ^ s >> 31
    return (s >> 40) * 2.0**-23 - 1


class Parameters:
    def __init__(self):
        self.index = -1

    def take(self, count):
        self.index += 1
        return [0.8 * u(3, 1000000 + 10000 * self.index + j) for j in range(count)]


def net(parameters, x, out, degrees=None):
    """A perceptron of x; with degrees of its inputs and outputs, a weight from a unit of a higher degree counts for nothing."""
    widths = HIDDEN + [out]
    for layer, width in enumerate(widths):
        last = layer == len(widths) - 1
        w, b = parameters.take(width * len(x)), parameters.take(width)
        if degrees is None:
            seen = [[True] * len(x)] * width
        else:
            below = degrees[0] if layer == 0 else [k * Z // len(x) for k in range(len(x))]
            above = [d - 1 for d in degrees[1]] if last else [k * Z // width for k in range(width)]
            seen = [[i <= o for i in below] for o in above]
        y = [b[o] + sum(w[o * len(x) + i] * x[i] for i in range(len(x)) if seen[o][i]) for o in range(width)]
        x = y if last else [math.tanh(a) for a in y]
    return x


def normal(x, m, s):
    return -0.5 * sum(math.log(2 * math.pi) + l + (a - b) ** 2 * math.exp(-l) for a, b, l in zip(x, m, s))


def sigmoid(c):
    return 1 / (1 + math.exp(-c))


def iaf(form, context):
    lam, p = [u(5, j) / 2 for j in range(3 * Z if context else 2 * Z)], Parameters()
    m, s, h = lam[:Z], lam[Z:2 * Z], lam[2 * Z:]
    z = [a + math.exp(b / 2) * 1.5 * u(8, i) for i, (a, b) in enumerate(zip(m, s))]
    log_q = normal(z, m, s)
    for t in range(T):
        order = list(range(1, Z + 1)) if t % 2 == 0 else list(range(Z, 0, -1))
        out = net(p, z + h, 2 * Z, (order + [0] * len(h), order + order))
        shift, c = out[:Z], out[Z:]
        if form == "gated":
            z = [sigmoid(b) * a + (1 - sigmoid(b)) * d for a, b, d in zip(z, c, shift)]
            log_q -= sum(math.log(sigmoid(b)) for b in c)
        else:
            z = [math.exp(b) * a + d for a, b, d in zip(z, c, shift)]
            log_q -= sum(c)
    return z, log_q


def householder():
    lam = [u(5, j) / 2 for j in range((2 + T) * Z)]
    m, s = lam[:Z], lam[Z:2 * Z]
    z = [a + math.exp(b / 2) * 1.5 * u(8, i) for i, (a, b) in enumerate(zip(m, s))]
    log_q = normal(z, m, s)
    for t in range(T):
        v = lam[(2 + t) * Z:(3 + t) * Z]
        along = sum(a * b for a, b in zip(v, z)) / sum(a * a for a in v)
        z = [a - 2 * along * b for a, b in zip(z, v)]
    return z, log_q


def aux_flow(form, context):
    lam, p = [u(5, j) / 2 for j in range(3 * Z if context else 2 * Z)], Parameters()
    m, s, h = lam[:Z], lam[Z:2 * Z], lam[2 * Z:]
    v = [1.5 * u(8, i) for i in range(Z)]
    z = [a + math.exp(b / 2) * e for a, b, e in zip(m, s, v)]
    log_q = normal(z, m, s) + normal(v, [0] * Z, [0] * Z)
    scale = sigmoid if form == "gated" else math.exp
    for half in range(2 * T):
        x, y = (v, z) if half % 2 == 0 else (z, v)
        out = net(p, y + h, 2 * Z)
        x = [a * scale(c) + b for a, b, c in zip(x, out[:Z], out[Z:])]
        log_q -= sum(math.log(scale(c)) for c in out[Z:])
        v, z = (x, z) if half % 2 == 0 else (v, x)
    out = net(p, z + h, 2 * Z)
    return z, log_q - normal(v, out[:Z], out[Z:])


def full():
    lam = [u(5, j) / 2 for j in range(Z + Z * Z)]
    m, x = lam[:Z], [lam[Z + i * Z:Z + (i + 1) * Z] for i in range(Z)]
    eps = [1.5 * u(8, i) for i in range(Z)]
    z = [m[i] + math.exp(x[i][i]) * eps[i] + sum(x[i][j] * eps[j] for j in range(i + 1, Z)) for i in range(Z)]
    return z, normal(eps, [0] * Z, [0] * Z) - sum(x[i][i] for i in range(Z))


def line(settings, draw):
    z, log_q = draw
    print('{"%s",\n {%s},\n %.17g},' % (settings, ", ".join("%.17g" % a for a in z), log_q))


for form in ["gated", "affine"]:
    for context in [True, False]:
        keys = f"posterior.flow_form={form} posterior.flow_context={'encoder' if context else 'none'}"
        line("posterior.type=iaf " + keys, iaf(form, context))
        line("posterior.type=aux_flow " + keys, aux_flow(form, context))
line("posterior.type=householder", householder())
line("posterior.type=full", full())
