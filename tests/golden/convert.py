#!/usr/bin/env python3
"""convert.py - models as their users have them in PyTorch, for elbow convert: convert_<case>.safetensors with weights and
check tensors, and the map convert_<case>.yaml. Random weights; ELBO and log-weights by torch.distributions, in double.

Shapes: x [N,D], noise [S,N,Z], elbo [N] (log p(x|z) averaged over S, less the KL in closed form), log_w [S,N].
"""

import pathlib

import numpy as np
import torch
from torch import distributions as d
from torch import nn
from torch.nn import functional as F

import golden_file

D, Z, N, S = 12, 3, 4, 2
HIDDEN = [7, 5]
HERE = pathlib.Path(__file__).parent


class Trunk(nn.Module):
    """Linear layers, each perhaps with batch normalisation, and an activation; or gated ones."""

    def __init__(self, widths, activation, normalised=False, gated=False):
        super().__init__()
        self.activation = activation
        pairs = list(zip(widths, widths[1:]))
        self.fc = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.bn = nn.ModuleList(nn.BatchNorm1d(b) for _, b in pairs) if normalised else None
        self.gate = nn.ModuleList(nn.Linear(a, b) for a, b in pairs) if gated else None

    def forward(self, h):
        for i, layer in enumerate(self.fc):
            below, h = h, layer(h)
            if self.bn is not None:
                h = self.bn[i](h.flatten(0, -2)).reshape(h.shape)
            h = h * torch.sigmoid(self.gate[i](below)) if self.gate is not None else self.activation(h)
        return h


class VAE(nn.Module):
    """The pieces that a case puts together: q(x) gives a Normal, p(z) a distribution over x."""

    def __init__(self, activation, hidden=HIDDEN, one_layer=False, **trunk):
        super().__init__()
        self.enc = Trunk([D, *hidden], activation, **trunk)
        self.dec = Trunk([Z, *reversed(hidden)], activation, **trunk)
        top, below = (hidden[-1], hidden[0]) if hidden else (D, Z)
        if one_layer:
            self.heads = nn.Linear(top, 2 * Z)
        else:
            self.mu, self.spread = nn.Linear(top, Z), nn.Linear(top, Z)
        self.out = nn.Linear(below, D)
        self.out_spread = nn.Linear(below, D)

    def randomise(self, generator):
        for name, value in [*self.named_parameters(), *self.named_buffers()]:
            if value.is_floating_point():
                draw = torch.randn(value.shape, generator=generator, dtype=torch.float64)
                positive = name.endswith("running_var")
                value.data = (0.5 + draw ** 2 if positive else 0.6 * draw).float().double()


def check(model, x, noise, posterior, likelihood):
    """posterior(model, x) and likelihood(model, z): Independent distributions."""
    q = posterior(model, x)
    z = q.mean + q.stddev * noise
    prior = d.Independent(d.Normal(torch.zeros(Z).double(), torch.ones(Z).double()), 1)
    log_likelihood = likelihood(model, z).log_prob(x)
    kl = d.kl_divergence(q, prior.expand(q.batch_shape))
    return {"elbo": log_likelihood.mean(0) - kl, "log_w": log_likelihood + prior.log_prob(z) - q.log_prob(z)}


def normal(mean, sd):
    return d.Independent(d.Normal(mean, sd), 1)


def bernoulli(model, z):
    return d.Independent(d.Bernoulli(probs=torch.sigmoid(model.out(model.dec(z)))), 1)


MEAN, SD = 0.25 * torch.arange(D).double() - 1, 0.5 + 0.125 * torch.arange(D).double()
CHECK = "check:\n  noise: noise\n  elbo: elbo\n  log_w: log_w\n"
LAYERS = "  layers: [{0}.fc.0, {0}.fc.1]\n"


def net(prefix, activation, lines):
    return LAYERS.format(prefix) + f"  activation: {activation}\n" + "".join(f"  {line}\n" for line in lines)


def two_heads():
    """As in the first VAE that everybody writes, PyTorch's example among them."""
    return (VAE(F.relu), "binary", bernoulli,
            lambda m, x: normal(m.mu(m.enc(x)), torch.exp(0.5 * m.spread(m.enc(x)))), {},
            "likelihood: {type: bernoulli}\nencoder:\n" + net("enc", "relu", ["mean: mu", "scale: spread"]) +
            "decoder:\n" + net("dec", "relu", ["mean: out"]))


def one_layer():
    """One layer for both heads, log sd first; inputs 2x - 1."""
    def posterior(m, x):
        log_sd, mean = m.heads(m.enc(2 * x - 1)).chunk(2, -1)
        return normal(mean, log_sd.exp())
    return (VAE(F.leaky_relu, one_layer=True), "binary", bernoulli, posterior, {},
            "likelihood: {type: bernoulli}\nencoder:\n" +
            net("enc", "leaky_relu", ["heads: heads", "order: scale_first", "scale_is: log_sd", "data_mean: 0.5",
                                      "data_sd: 0.5"]) +
            "decoder:\n" + net("dec", "leaky_relu", ["mean: out"]))


def softplus_sd():
    """Batch normalisation on the way."""
    return (VAE(F.silu, normalised=True), "binary", bernoulli,
            lambda m, x: normal(m.mu(m.enc(x)), F.softplus(m.spread(m.enc(x))) + 1e-3), {},
            "likelihood: {type: bernoulli}\nencoder:\n" +
            net("enc", "silu", ["batch_norms: [enc.bn.0, enc.bn.1]", "mean: mu", "scale: spread",
                                "scale_is: softplus_sd", "scale_epsilon: 1e-3"]) +
            "decoder:\n" + net("dec", "silu", ["batch_norms: [dec.bn.0, dec.bn.1]", "mean: out"]))


def predicted():
    """A Gaussian whose sd the decoder predicts, of data that were standardised value by value."""
    def likelihood(m, z):
        h = m.dec(z)
        return normal(MEAN + SD * m.out(h), SD * m.out_spread(h).exp())
    return (VAE(F.gelu), "real", likelihood,
            lambda m, x: normal(m.mu(m.enc((x - MEAN) / SD)), F.softplus(m.spread(m.enc((x - MEAN) / SD))).sqrt()),
            {"mean": MEAN, "sd": SD},
            "likelihood: {type: gaussian, variance: predicted}\nencoder:\n" +
            net("enc", "gelu", ["mean: mu", "scale: spread", "scale_is: softplus_variance", "data_mean: mean",
                                "data_sd: sd"]) +
            "decoder:\n" + net("dec", "gelu", ["mean: out", "scale: out_spread", "scale_is: log_sd", "data_mean: mean",
                                               "data_sd: sd"]))


def sigmoid_mean():
    """What a squared error with a sigmoid-ended decoder is, with one learned sd."""
    return (VAE(F.elu), "unit", lambda m, z: normal(torch.sigmoid(m.out(m.dec(z))), torch.tensor(0.25).double()),
            lambda m, x: normal(m.mu(m.enc(x)), torch.exp(0.5 * m.spread(m.enc(x)))),
            {"sigma": torch.tensor([0.25])},
            "likelihood: {type: gaussian, variance: scalar, mean: sigmoid}\nencoder:\n" +
            net("enc", "elu", ["mean: mu", "scale: spread"]) + "decoder:\n" +
            net("dec", "elu", ["mean: out", "scale: sigma", "scale_is: sd"]))


def gated():
    """Gated layers; a mean in [-1,1] with an sd for each value."""
    log_sd = 0.125 * torch.arange(D).double() - 1.5
    return (VAE(None, gated=True), "unit", lambda m, z: normal(torch.tanh(m.out(m.dec(z))), log_sd.exp()),
            lambda m, x: normal(m.mu(m.enc(x)), torch.exp(0.5 * m.spread(m.enc(x)))), {"log_sd": log_sd},
            "likelihood: {type: gaussian, variance: pixel, mean: tanh}\nencoder:\n" +
            net("enc", "gated", ["gates: [enc.gate.0, enc.gate.1]", "mean: mu", "scale: spread"]) + "decoder:\n" +
            net("dec", "gated", ["gates: [dec.gate.0, dec.gate.1]", "mean: out", "scale: log_sd", "scale_is: log_sd"]))


def fixed():
    """Variance 1 of standardised data: in the data's own units it differs from value to value."""
    return (VAE(torch.tanh), "real", lambda m, z: normal(MEAN + SD * m.out(m.dec(z)), SD),
            lambda m, x: normal(m.mu(m.enc((x - MEAN) / SD)), torch.exp(0.5 * m.spread(m.enc((x - MEAN) / SD)))),
            {"mean": MEAN, "sd": SD},
            "likelihood: {type: gaussian, variance: fixed}\nencoder:\n" +
            net("enc", "tanh", ["mean: mu", "scale: spread", "data_mean: mean", "data_sd: sd"]) + "decoder:\n" +
            net("dec", "tanh", ["mean: out", "data_mean: mean", "data_sd: sd"]))


def linear():
    """No hidden layer, and tensors with names of their own, one layer without a bias."""
    return (VAE(None, hidden=[]), "unit", lambda m, z: d.Independent(d.ContinuousBernoulli(logits=m.out(z)), 1),
            lambda m, x: normal(m.mu(x), torch.exp(0.5 * m.spread(x))), {},
            "likelihood: {type: continuous-bernoulli}\nencoder:\n  mean: A + 0\n  scale: B + b\n"
            "decoder:\n  mean: C + c\n")


LINEAR_NAMES = {"mu.weight": "A", "spread.weight": "B", "spread.bias": "b", "out.weight": "C", "out.bias": "c"}


def weights_of(case, model, extra):
    """As the file has them: all that the case uses."""
    tensors = {k: v for k, v in model.state_dict().items() if case == "predicted" or not k.startswith("out_spread")}
    if case == "linear":
        tensors = {LINEAR_NAMES[k]: v for k, v in tensors.items() if k in LINEAR_NAMES}
    if case == "sigmoid_mean":  # as Keras has it
        tensors = {k.replace(".weight", "/kernel").replace(".bias", "/bias"): v.T if v.dim() == 2 else v
                   for k, v in tensors.items()}
    return {**tensors, **extra}


DTYPES = {"sigmoid_mean": torch.float16, "gated": torch.bfloat16, "linear": torch.float64}
KERAS = "weights: {layout: in_out, weight: /kernel, bias: /bias}\n"


def random_data(kind, generator):
    x = torch.rand(N, D, generator=generator, dtype=torch.float64).float().double()
    return (x < 0.4).double() if kind == "binary" else x if kind == "unit" else (4 * x - 1).float().double()


def write_case(case, seed):
    model, kind, likelihood, posterior, extra, text = globals()[case]()
    generator = torch.Generator().manual_seed(seed)
    model.double().eval().randomise(generator)
    dtype = DTYPES.get(case, torch.float32)
    if case == "linear":
        model.mu.bias.data.zero_()
    for value in model.parameters():
        value.data = value.data.to(dtype).double()  # what the file will hold
    extra = {k: v.to(dtype) for k, v in extra.items()}
    x = random_data(kind, generator)
    noise = torch.randn(S, N, Z, generator=generator, dtype=torch.float64).float().double()
    with torch.no_grad():
        answers = check(model, x, noise, posterior, likelihood)
    tensors = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights_of(case, model, extra).items()}
    checks = {k: v.float() for k, v in {"x": x, "noise": noise, **answers}.items()}
    where = ""
    if case == "fixed":
        np.savez(HERE / "convert_fixed.npz", **{k: v.numpy() for k, v in checks.items()})
        where, checks = "  file: convert_fixed.npz\n", {}
    golden_file.write({**tensors, **checks}, f"convert_{case}.safetensors", {"format": "pt"}, keep=True)
    (HERE / f"convert_{case}.yaml").write_text(
        f"shape: {'3x4' if case == 'two_heads' else D}\n" + (KERAS if case == "sigmoid_mean" else "") + text +
        CHECK.replace("check:\n", "check:\n" + where))


if __name__ == "__main__":
    for number, name in enumerate(["two_heads", "one_layer", "softplus_sd", "predicted", "sigmoid_mean", "gated", "fixed",
                                   "linear"]):
        write_case(name, 100 + number)
