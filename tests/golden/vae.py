"""vae.py - the standard VAE in PyTorch, rebuilt from the tensors of a model.safetensors alone. It shares no code with
elbow: the formulas are written out from the papers, computed in double precision, and differentiated by autograd.

Shapes: x [B,D], eps [K,B,Z], log-weights [K,B]; everything in nats per datum, sums over dimensions.
"""

import math

import torch
from torch.nn import functional as F

LOG_2PI = math.log(2.0 * math.pi)

ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "elu": F.elu,
    "softplus": F.softplus,
    "linear": lambda a: a,
    "leaky_relu": F.leaky_relu,
    "silu": F.silu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
}


def network(parameters, prefix, activation, h):
    """An nn.Sequential of Linear and activation modules in turn: the layers are prefix.0, prefix.2, prefix.4, ...
    A gated layer (Dauphin et al. 2017) has a second Linear, prefix.N.gate: y = (W x + b) * sigmoid(V x + c)."""
    count = sum(1 for name in parameters if name.startswith(prefix + ".") and name.count(".") == 2
                and name.endswith(".weight"))
    for layer in range(count):
        name = f"{prefix}.{2 * layer}"
        below, h = h, F.linear(h, parameters[name + ".weight"], parameters[name + ".bias"])
        if layer == count - 1:
            return h
        if activation == "gated":
            h = h * torch.sigmoid(F.linear(below, parameters[name + ".gate.weight"], parameters[name + ".gate.bias"]))
        else:
            h = ACTIVATIONS[activation](h)
    raise ValueError(f"no layers named {prefix}.N.weight")


def log_normal(x, mean, log_variance):
    return -0.5 * (LOG_2PI + log_variance + (x - mean) ** 2 * torch.exp(-log_variance)).sum(-1)


def log_continuous_bernoulli(x, a):
    """Loaiza-Ganem & Cunningham 2019, natural parameter a: sum x a - softplus(a) + log C, C = a / tanh(a/2).
    Near 0, where that is 0/0, log C is its Taylor series."""
    small = a.abs() < 1e-2
    safe = torch.where(small, torch.ones_like(a), a)
    series = math.log(2.0) + a ** 2 / 12.0 - 7.0 * a ** 4 / 1440.0
    log_c = torch.where(small, series, torch.log(safe / torch.tanh(0.5 * safe)))
    return (x * a - F.softplus(a) + log_c).sum(-1)


class StandardVAE:
    def __init__(self, parameters, config):
        """parameters: name -> double tensor. config: activation, likelihood, and for a Gaussian likelihood its variance
        (fixed, scalar, pixel, predicted) and, when fixed, log_variance."""
        self.parameters, self.config = parameters, config

    def posterior(self, x):
        """The encoder's last layer gives Z means, then Z log-variances."""
        return network(self.parameters, "encoder", self.config["activation"], x).chunk(2, dim=-1)

    def log_likelihood(self, x, z):
        a = network(self.parameters, "decoder", self.config["activation"], z)
        kind = self.config["likelihood"]
        if kind == "bernoulli":
            return (x * a - F.softplus(a)).sum(-1)
        if kind == "continuous-bernoulli":
            return log_continuous_bernoulli(x, a)
        if kind != "gaussian":
            raise ValueError(f"unknown likelihood {kind}")
        if self.config["variance"] == "predicted":
            mean, log_variance = a.chunk(2, dim=-1)
        elif self.config["variance"] == "fixed":
            mean, log_variance = a, torch.full_like(a, float(self.config["log_variance"]))
        else:
            mean, log_variance = a, self.parameters["likelihood.log_variance"].expand_as(a)
        return log_normal(x, mean, log_variance)

    def elbo(self, x, eps):
        """[B]: one sample's reconstruction term (eps [B,Z]) less the closed-form KL (Kingma & Welling 2014, eq. 10)."""
        m, s = self.posterior(x)
        kl = 0.5 * (s.exp() + m ** 2 - 1.0 - s).sum(-1)
        return self.log_likelihood(x, m + torch.exp(0.5 * s) * eps) - kl

    def log_weights(self, x, eps, score=True):
        """log w and log q, both [K,B]. score=False freezes q's parameters in log q but not in z: the partial that STL
        (Roeder et al. 2017) and DReG (Tucker et al. 2019) drop."""
        m, s = self.posterior(x)
        z = m + torch.exp(0.5 * s) * eps
        if not score:
            m, s = m.detach(), s.detach()
        log_q = log_normal(z, m, s)
        log_prior = log_normal(z, torch.zeros_like(z), torch.zeros_like(z))
        return self.log_likelihood(x, z) + log_prior - log_q, log_q

    def iwae(self, x, eps):
        """[B]: log 1/K sum_k w_k (Burda et al. 2016, eq. 8)."""
        log_w, _ = self.log_weights(x, eps)
        return torch.logsumexp(log_w, 0) - math.log(eps.shape[0])

    def gradients(self, loss):
        names = list(self.parameters)
        values = torch.autograd.grad(loss, [self.parameters[n] for n in names], allow_unused=False)
        return dict(zip(names, values))

    def gradients_elbo(self, x, eps):
        return self.gradients(-self.elbo(x, eps[0]).mean())

    def gradients_elbo_sampled(self, x, eps):
        """The ELBO with log q in place of the closed-form KL, averaged over the K samples."""
        return self.gradients(-self.log_weights(x, eps)[0].mean())

    def gradients_iwae(self, x, eps):
        return self.gradients(-self.iwae(x, eps).mean())

    def gradients_weighted(self, x, eps, power):
        """Of -mean sum_k w~_k^power log w_k, normalised weights w~ held constant, q's parameters frozen in log q."""
        log_w, _ = self.log_weights(x, eps, score=False)
        weight = torch.softmax(log_w, 0).detach() ** power
        return self.gradients(-(weight * log_w).sum(0).mean())

    def gradients_stl(self, x, eps):
        return self.gradients_weighted(x, eps, 1)

    def gradients_dreg(self, x, eps):
        """Squared weights for the encoder, plain ones for the model (Tucker et al. 2019, eq. 8)."""
        encoder, model = self.gradients_weighted(x, eps, 2), self.gradients_weighted(x, eps, 1)
        return {n: (encoder if n.startswith("encoder.") else model)[n] for n in self.parameters}


def anneal(model, x, chains, temperatures, leapfrog, generator):
    """log p(x) of every datum of x [B,D] by annealed importance sampling from the prior, [C,B] log weights (Neal 2001; the
    sigmoid spacing of Wu et al. 2017). Step sizes are found by a pilot run with noise of its own, then frozen."""
    latent = model.posterior(x[:1])[0].shape[-1]
    u = torch.sigmoid(4 * (2 * torch.arange(1, temperatures + 2, dtype=x.dtype) / (temperatures + 1) - 1))
    t = ((u - u[0]) / (u[-1] - u[0])).tolist()

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=x.dtype)

    def energy(z, at):
        """-log p(z) - t log p(x|z) up to a constant, and its gradient."""
        z = z.detach().requires_grad_(True)
        value = 0.5 * (z ** 2).sum(-1) - at * model.log_likelihood(x, z)
        return value.detach(), torch.autograd.grad(value.sum(), z)[0]

    def move(z, at, step):
        v = normal(*z.shape)
        before, force = energy(z, at)
        before, to, e = before + 0.5 * (v ** 2).sum(-1), z, step[None, :, None]
        v = v - 0.5 * e * force
        for i in range(leapfrog):
            to = to + e * v
            after, force = energy(to, at)
            v = v - (0.5 if i == leapfrog - 1 else 1.0) * e * force
        chance = torch.exp((before - after - 0.5 * (v ** 2).sum(-1)).clamp(max=0))
        taken = torch.rand(*chance.shape, generator=generator, dtype=x.dtype) < chance
        return torch.where(taken[..., None], to, z), chance.mean(0)

    def run(steps):
        z, log_w, found = normal(chains, len(x), latent), torch.zeros(chains, len(x), dtype=x.dtype), []
        log_step = torch.full((len(x),), math.log(0.1), dtype=x.dtype)
        for r in range(1, temperatures + 1):
            with torch.no_grad():
                log_w = log_w + (t[r] - t[r - 1]) * model.log_likelihood(x, z)
            if r == temperatures:
                break
            for _ in range(10 if r == 1 and steps is None else 1):
                z, accepted = move(z, t[r], log_step.exp() if steps is None else steps[r - 1])
                log_step = log_step + accepted - 0.65
            found.append(log_step.exp())
        return log_w, found

    return run(run(None)[1])[0]
