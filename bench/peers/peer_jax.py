#!/usr/bin/env python3
"""peer_jax.py - the standard VAE in JAX, as fast as we could make it on CPUs. A worker (see worker.py).

  peer_jax.py jit    one jitted step with donated parameters and moments
  peer_jax.py scan   ten steps to a jitted call (lax.scan): a loop that need not look at each loss
"""

import functools
import math
import os
import sys

import worker

# XLA sizes its thread pool by the cores it may use, so they are set before it loads.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:worker.threads()])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

MODE = sys.argv[1] if len(sys.argv) > 1 else "jit"
if MODE not in ("jit", "scan"):
    sys.exit(__doc__)

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
LAYERS, SCANNED, BATCHES = 3, 10, 4
IWAE_CHUNKS = [250, 500, 1000, 2500, 5000]
tree = jax.tree_util.tree_map


def mlp(parameters, h):
    for i in range(LAYERS):
        h = h @ parameters[2 * i] + parameters[2 * i + 1]
        if i < LAYERS - 1:
            h = jnp.tanh(h)
    return h


def encode(parameters, x):
    return jnp.split(mlp(parameters[:2 * LAYERS], x), 2, axis=-1)


def negative_elbo(local, decoder, x, key):
    m, s = local
    a = mlp(decoder, m + jnp.exp(0.5 * s) * jax.random.normal(key, m.shape))
    reconstruction = (jax.nn.softplus(a) - x * a).sum()
    return (reconstruction + 0.5 * (jnp.exp(s) + m * m - 1.0 - s).sum()) / len(x)


def loss(parameters, x, key, binarise):
    key_x, key_z = jax.random.split(key)
    if binarise:
        x = (jax.random.uniform(key_x, x.shape) < x).astype(x.dtype)
    return negative_elbo(encode(parameters, x), parameters[2 * LAYERS:], x, key_z)


def adam(state, gradients):
    p, first, second, t = state
    t = t + 1.0
    first = tree(lambda m, g: BETA1 * m + (1.0 - BETA1) * g, first, gradients)
    second = tree(lambda v, g: BETA2 * v + (1.0 - BETA2) * g * g, second, gradients)
    rate, root = RATE / (1.0 - BETA1 ** t), 1.0 / jnp.sqrt(1.0 - BETA2 ** t)
    p = tree(lambda p, m, v: p - rate * m / (jnp.sqrt(v) * root + EPSILON), p, first, second)
    return p, first, second, t


def start(p):
    return p, tree(jnp.zeros_like, p), tree(jnp.zeros_like, p), jnp.zeros(())


def parameters():
    """Weights as [in,out], the order XLA multiplies in."""
    return [jnp.array(p.T) for p in worker.initial_parameters()]


def prepare_train(request):
    data = worker.images() if request["binarise"] else worker.binary_images()
    supply = [jnp.array(x) for _, x in zip(range(BATCHES), worker.batches(data, request["batch"]))]
    steps = SCANNED if MODE == "scan" else 1

    def step(carry, x):
        state, key = carry
        key, now = jax.random.split(key)
        gradients = jax.grad(loss)(state[0], x, now, request["binarise"])
        return (adam(state, gradients), key), None

    @functools.partial(jax.jit, donate_argnums=0)
    def run(carry, xs):
        return (lax.scan(step, carry, xs) if MODE == "scan" else step(carry, xs))[0]
    if MODE == "scan":
        supply = [jnp.stack([supply[(i + j) % len(supply)] for j in range(SCANNED)]) for i in range(2)]
    held = {"carry": (start(parameters()), jax.random.key(1)), "i": 0}

    def call():
        held["carry"] = run(held["carry"], supply[held["i"] % len(supply)])
        held["i"] += 1
        jax.block_until_ready(held["carry"])
    return call, steps


def prepare_encode(request):
    p, x = parameters(), jnp.array(worker.binary_images()[:request["batch"]])
    run = jax.jit(encode)
    return lambda: jax.block_until_ready(run(p, x)), 1


def prepare_iwae(request):
    p, x = parameters(), jnp.array(worker.binary_images())

    def with_chunk(chunk):
        def log_weights(x, m, s, key):
            eps = jax.random.normal(key, (chunk, worker.LATENT))
            z = m + jnp.exp(0.5 * s) * eps
            a = mlp(p[2 * LAYERS:], z)
            return (x * a - jax.nn.softplus(a)).sum(1) + 0.5 * (eps * eps - z * z + s).sum(1)

        @jax.jit
        def image(x, key):
            m, s = encode(p, x[None])
            keys = jax.random.split(key, request["samples"] // chunk)
            log_w = [log_weights(x, m, s, k) for k in keys] if len(keys) == 1 else lax.map(
                lambda k: log_weights(x, m, s, k), keys)
            return jax.nn.logsumexp(jnp.ravel(jnp.array(log_w))) - math.log(request["samples"])

        def call():
            for i in range(request["batch"]):
                image(x[i], jax.random.key(i)).block_until_ready()
        return call
    chunks = [c for c in IWAE_CHUNKS if request["samples"] % c == 0] or [request["samples"]]
    calls = {c: with_chunk(c) for c in chunks}
    best = min(calls, key=lambda c: worker.seconds_of(calls[c], 5)[0])
    return calls[best], request["batch"]


def prepare_svi(request):
    decoder, x = parameters()[2 * LAYERS:], jnp.array(worker.binary_images()[:request["batch"]])

    def step(carry, _):
        state, key = carry
        key, now = jax.random.split(key)
        return (adam(state, jax.grad(negative_elbo)(state[0], decoder, x, now)), key), None

    zero = jnp.zeros((request["batch"], worker.LATENT))
    if MODE == "scan":
        run = jax.jit(lambda carry: lax.scan(step, carry, None, length=request["steps"])[0])
        return lambda: jax.block_until_ready(run((start((zero, zero)), jax.random.key(1)))), 1
    one = jax.jit(lambda carry: step(carry, None)[0])

    def call():
        carry = (start((zero, zero)), jax.random.key(1))
        for _ in range(request["steps"]):
            carry = one(carry)
        jax.block_until_ready(carry)
    return call, 1


AIS_TEMPERATURES, AIS_LEAPFROG = 10, 10


def prepare_ais(request):
    """All chains at once; a move costs as many gradients as it has leapfrog steps. `scan` jits the whole run."""
    decoder, chains, count = parameters()[2 * LAYERS:], request["chains"], request["chains"] * request["batch"]
    x = jnp.tile(jnp.array(worker.binary_images()[:request["batch"]]), (chains, 1))

    def gradient(z):
        def total(z):
            a = mlp(decoder, z)
            rows = (x * a - jax.nn.softplus(a)).sum(1)
            return rows.sum(), rows
        return jax.grad(total, has_aux=True)(z)

    def force(z, slope, t):
        return jnp.clip(t * slope - z, -1e4, 1e4)

    def energy(z, v, rows, t):
        return 0.5 * (z * z + v * v).sum(1) - t * rows

    def move(state, r):
        z, slope, rows, step, hits, log_w, key = state
        t = r / AIS_TEMPERATURES
        log_w = log_w + rows / AIS_TEMPERATURES
        key, key_v, key_u = jax.random.split(key, 3)
        v = jax.random.normal(key_v, z.shape)
        start = energy(z, v, rows, t)
        v = v + 0.5 * step * force(z, slope, t)

        def leap(i, at):
            moved, v, _, _ = at
            moved = moved + step * v
            new, new_rows = gradient(moved)
            kick = jnp.where(i == AIS_LEAPFROG - 1, 0.5, 1.0)
            return moved, v + kick * step * force(moved, new, t), new, new_rows
        moved, v, new, new_rows = lax.fori_loop(0, AIS_LEAPFROG, leap, (z, v, slope, rows))
        accept = jax.random.uniform(key_u, (count,)) < jnp.exp(start - energy(moved, v, new_rows, t))
        hits = hits + accept
        step = jnp.clip(step * jnp.where(hits > 0.65 * r, 1.02, 0.98)[:, None], 1e-4, 0.5)
        keep = accept[:, None]
        return (jnp.where(keep, moved, z), jnp.where(keep, new, slope), jnp.where(accept, new_rows, rows), step, hits,
                log_w, key), None

    @jax.jit
    def begin(key):
        key, now = jax.random.split(key)
        z = jax.random.normal(now, (count, worker.LATENT))
        return (z, *gradient(z), jnp.full((count, 1), 0.01), jnp.zeros(count), jnp.zeros(count), key)

    def finish(state):
        log_w = state[5] + state[2] / AIS_TEMPERATURES
        return jax.nn.logsumexp(log_w.reshape(chains, -1), 0) - math.log(chains)
    moves = jnp.arange(1.0, AIS_TEMPERATURES)
    if MODE == "scan":
        run = jax.jit(lambda key: finish(lax.scan(move, begin(key), moves)[0]))
        return lambda: run(jax.random.key(1)).block_until_ready(), AIS_TEMPERATURES
    one, end = jax.jit(lambda state, r: move(state, r)[0]), jax.jit(finish)

    def call():
        state = begin(jax.random.key(1))
        for r in range(1, AIS_TEMPERATURES):
            state = one(state, float(r))
        end(state).block_until_ready()
    return call, AIS_TEMPERATURES


def prepare(request):
    tasks = {"train": prepare_train, "encode": prepare_encode, "iwae": prepare_iwae, "svi": prepare_svi,
             "ais": prepare_ais}
    return tasks[request["task"]](request)


def describe():
    return {"peer": "jax", "mode": MODE, "version": jax.__version__, "threads": worker.threads(),
            "flags": os.environ.get("XLA_FLAGS", "")}


if __name__ == "__main__":
    jax.config.update("jax_platforms", "cpu")
    worker.serve(describe, prepare)
