#!/usr/bin/env python3
"""peer_torch.py - the standard VAE in PyTorch, as fast as we could make it on CPUs. A worker (see worker.py).

  peer_torch.py eager     autograd, fused Adam
  peer_torch.py compile   torch.compile of the loss, forward and backward; fused Adam
  peer_torch.py step      the whole training step as one compiled function: gradient, Adam and random numbers
  peer_torch.py frozen    encode and iwae only: parameters frozen into the compiled code, max-autotune

What was tried and left out: README.md here.
"""

import math
import os
import sys
import types

import torch
from torch.nn import functional as F

import worker

MODE = sys.argv[1] if len(sys.argv) > 1 else "eager"
if MODE not in ("eager", "compile", "step", "frozen"):
    sys.exit(__doc__)

RATE, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8
LAYERS = 3
IWAE_CHUNKS = [250, 500, 1000, 2500, 5000]


def own_code(function):
    """A copy with a code object of its own: Dynamo keeps one cache per code object and gives up after a few entries."""
    return types.FunctionType(function.__code__.replace(), function.__globals__, function.__name__,
                              function.__defaults__, function.__closure__)


# fallback_random: PyTorch's generator is three times as fast as Inductor's.
OPTIONS = {"fallback_random": True, "cpp_wrapper": MODE != "compile"}
FROZEN = {**OPTIONS, "freezing": True, "max_autotune": True, "max_autotune_gemm_backends": "CPP,ATEN"}

# Less bookkeeping in eager mode; compiled code has none either way, and freezing wants the plain form.
no_gradient = torch.inference_mode if MODE == "eager" else torch.no_grad


def compiled(function):
    if MODE == "eager":
        return function
    return torch.compile(own_code(function), fullgraph=True, dynamic=False, options=OPTIONS)


class Frozen(torch.nn.Module):
    """A function of parameters that never change: as a module's own they become constants, packed for oneDNN."""

    def __init__(self, function, parameters):
        super().__init__()
        self.function, self.held = function, torch.nn.ParameterList(parameters).requires_grad_(False)
        self.forward = types.MethodType(own_code(Frozen.forward), self)

    def forward(self, *inputs):
        return self.function(list(self.held), *inputs)


def with_parameters(function, parameters):
    """function without its first argument, compiled as the mode says."""
    if MODE == "frozen":
        return torch.compile(Frozen(function, parameters).eval(), fullgraph=True, dynamic=False, options=FROZEN)
    ready = compiled(function)
    return lambda *inputs: ready(parameters, *inputs)


def mlp(parameters, h):
    for i in range(LAYERS):
        h = F.linear(h, parameters[2 * i], parameters[2 * i + 1])
        if i < LAYERS - 1:
            h = torch.tanh(h)
    return h


def encode(parameters, x):
    return mlp(parameters[:2 * LAYERS], x).chunk(2, dim=1)


def decode(parameters, z):
    return mlp(parameters[2 * LAYERS:], z)


def negative_elbo(m, s, decoder, x):
    z = m + torch.exp(0.5 * s) * torch.randn_like(m)
    reconstruction = F.binary_cross_entropy_with_logits(mlp(decoder, z), x, reduction="sum")
    return (reconstruction + 0.5 * (s.exp() + m * m - 1.0 - s).sum()) / len(x)


def loss(parameters, x, binarise):
    if binarise:
        x = (torch.rand_like(x) < x).to(x.dtype)
    m, s = encode(parameters, x)
    return negative_elbo(m, s, parameters[2 * LAYERS:], x)


def adam(p, g, first, second, t):
    """In place; t counts from 1. Returns nothing: torch.compile fuses the sweep over each tensor."""
    first.lerp_(g, 1.0 - BETA1)
    second.mul_(BETA2).addcmul_(g, g, value=1.0 - BETA2)
    root = second.sqrt() / torch.sqrt(1.0 - BETA2 ** t) + EPSILON
    p.sub_(RATE / (1.0 - BETA1 ** t) * first / root)


def parameters_of(gradient):
    return [torch.from_numpy(p).clone().requires_grad_(gradient) for p in worker.initial_parameters()]


def data(binary):
    return torch.from_numpy(worker.binary_images() if binary else worker.images())


def train_with_autograd(request):
    parameters = parameters_of(True)
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
    supply = worker.batches(data(not request["binarise"]), request["batch"])
    loss_of = compiled(loss)

    def call():
        optimizer.zero_grad(set_to_none=True)
        loss_of(parameters, next(supply), request["binarise"]).backward()
        optimizer.step()
    return call


def train_in_one_step(request):
    parameters = parameters_of(False)
    first, second = [torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters]
    t = torch.zeros(())
    supply = worker.batches(data(not request["binarise"]), request["batch"])

    def step(parameters, first, second, t, x):
        gradients = torch.func.grad(lambda p: loss(p, x, request["binarise"]))(parameters)
        t.add_(1.0)
        for p, g, m, v in zip(parameters, gradients, first, second):
            adam(p, g, m, v, t)
    step = compiled(step)
    return lambda: step(parameters, first, second, t, next(supply))


def prepare_train(request):
    return (train_in_one_step if MODE == "step" else train_with_autograd)(request), 1


def prepare_encode(request):
    x, encoder = data(True)[:request["batch"]], with_parameters(encode, parameters_of(False))

    def call():
        with no_gradient():
            encoder(x)
    return call, 1


def iwae_chunk(parameters, x, m, s, chunk):
    """Log-weights [chunk] of one image; the constants of log p(z) and log q(z) cancel."""
    eps = torch.randn(chunk, worker.LATENT)
    z = m + torch.exp(0.5 * s) * eps
    a = decode(parameters, z)
    log_likelihood = a @ x - F.softplus(a).sum(1)
    return log_likelihood + 0.5 * (eps * eps - z * z + s).sum(1)


def iwae_image(encoder, weights_of, x, samples, chunk):
    m, s = encoder(x[None])
    log_w = [weights_of(x, m, s, chunk) for _ in range(samples // chunk)]
    return torch.logsumexp(torch.cat(log_w), 0) - math.log(samples)


def prepare_iwae(request):
    """The chunk that is fastest here: each is tried, then the best kept."""
    parameters, x = parameters_of(False), data(True)
    encoder = with_parameters(encode, parameters)

    def with_chunk(chunk):
        weights_of = with_parameters(iwae_chunk, parameters)

        def call():
            with no_gradient():
                return [iwae_image(encoder, weights_of, x[i], request["samples"], chunk).item()
                        for i in range(request["batch"])]
        return call
    chunks = [c for c in IWAE_CHUNKS if request["samples"] % c == 0] or [request["samples"]]
    calls = {c: with_chunk(c) for c in chunks}
    best = min(calls, key=lambda c: worker.seconds_of(calls[c], 5)[0])
    return calls[best], request["batch"]


def prepare_svi(request):
    """`steps` Adam steps on lambda = (m, s) of `batch` images; the decoder's parameters need no gradient."""
    decoder, x = parameters_of(False)[2 * LAYERS:], data(True)[:request["batch"]]

    def objective(m, s):
        return negative_elbo(m, s, decoder, x)

    def step(local, first, second, t):
        gradients = torch.func.grad(lambda local: objective(*local))(local)
        t.add_(1.0)
        for p, g, m, v in zip(local, gradients, first, second):
            adam(p, g, m, v, t)
    step, objective_of = compiled(step), compiled(objective)

    def refine_in_one_step():
        local, first, second = ([torch.zeros(len(x), worker.LATENT) for _ in range(2)] for _ in range(3))
        t = torch.zeros(())
        for _ in range(request["steps"]):
            step(local, first, second, t)

    def refine_with_autograd():
        local = [torch.zeros(len(x), worker.LATENT, requires_grad=True) for _ in range(2)]
        optimizer = torch.optim.Adam(local, lr=RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True)
        for _ in range(request["steps"]):
            optimizer.zero_grad(set_to_none=True)
            objective_of(*local).backward()
            optimizer.step()
    return (refine_in_one_step if MODE == "step" else refine_with_autograd), 1


AIS_TEMPERATURES, AIS_LEAPFROG = 10, 10


def prepare_ais(request):
    """All chains at once. The gradient of log p(x|z) alone is kept, so that a new temperature needs no new one: a move
    costs as many gradients as it has leapfrog steps."""
    decoder, chains = parameters_of(False)[2 * LAYERS:], request["chains"]
    x = data(True)[:request["batch"]].repeat(chains, 1)

    def log_likelihood(z):
        return -F.binary_cross_entropy_with_logits(mlp(decoder, z), x, reduction="none").sum(1)

    def gradient(z):
        def total(z):
            rows = log_likelihood(z)
            return rows.sum(), rows
        return torch.func.grad(total, has_aux=True)(z)

    def gradient_with_autograd(z):
        z = z.detach().requires_grad_(True)
        rows = log_likelihood(z)
        return torch.autograd.grad(rows.sum(), z)[0], rows.detach()

    def advance(z, v, slope, step, kick, drift, t):
        v = v + kick * step * (t * slope - z).clamp(-1e4, 1e4)
        return z + drift * step * v, v

    def leap(z, v, step, kick, drift, t):
        slope, rows = (gradient_with_autograd if MODE == "eager" else gradient)(z)
        return (*advance(z, v, slope, step, kick, drift, t), slope, rows)

    def energy(z, v, rows, t):
        return 0.5 * (z * z + v * v).sum(1) - t * rows

    def begin(z, slope, rows, step, t):
        v = torch.randn_like(z)
        return (*advance(z, v, slope, step, 0.5, 1.0, t), energy(z, v, rows, t))

    def decide(before, after, v, start, step, hits, moves, t):
        accept = torch.rand_like(start) < torch.exp(start - energy(after[0], v, after[2], t))
        hits = hits + accept
        step = (step * torch.where(hits > 0.65 * moves, 1.02, 0.98)[:, None]).clamp(1e-4, 0.5)
        keep = accept[:, None]
        return (torch.where(keep, after[0], before[0]), torch.where(keep, after[1], before[1]),
                torch.where(accept, after[2], before[2]), step, hits)
    leap, begin, decide = compiled(leap), compiled(begin), compiled(decide)
    first_gradient = gradient_with_autograd if MODE == "eager" else compiled(gradient)
    temperatures = [torch.tensor(r / AIS_TEMPERATURES) for r in range(AIS_TEMPERATURES + 1)]
    half, one, none = torch.tensor(0.5), torch.tensor(1.0), torch.tensor(0.0)

    def call():
        z = torch.randn(len(x), worker.LATENT)
        slope, rows = first_gradient(z)
        step, hits = torch.full((len(x), 1), 0.01), torch.zeros(len(x))
        log_w = torch.zeros(len(x))
        for r in range(1, AIS_TEMPERATURES + 1):
            t = temperatures[r]
            log_w += (t - temperatures[r - 1]) * rows
            if r == AIS_TEMPERATURES:
                break
            moved, v, start = begin(z, slope, rows, step, t)
            for i in range(1, AIS_LEAPFROG + 1):
                last = i == AIS_LEAPFROG
                moved, v, new_slope, new_rows = leap(moved, v, step, half if last else one, none if last else one, t)
            z, slope, rows, step, hits = decide((z, slope, rows), (moved, new_slope, new_rows), v, start, step, hits,
                                                torch.tensor(float(r)), t)
        return torch.logsumexp(log_w.view(chains, -1), 0) - math.log(chains)
    return call, AIS_TEMPERATURES


def prepare(request):
    if MODE == "frozen" and request["task"] in ("train", "svi", "ais"):
        raise ValueError("a frozen network has no gradient")
    tasks = {"train": prepare_train, "encode": prepare_encode, "iwae": prepare_iwae, "svi": prepare_svi,
             "ais": prepare_ais}
    return tasks[request["task"]](request)


def describe():
    return {"peer": "torch", "mode": MODE, "version": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability(),
            "mkl": torch.backends.mkl.is_available(), "threads": torch.get_num_threads(),
            "bind": os.environ.get("OMP_PROC_BIND", "")}


if __name__ == "__main__":
    torch.set_num_threads(worker.threads())
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    worker.serve(describe, prepare)
