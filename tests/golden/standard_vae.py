#!/usr/bin/env python3
"""standard_vae.py - golden values of the standard VAE, from an implementation independent of elbow (vae.py).

  standard_vae.py write
      writes standard_vae_<case>.safetensors beside this script: a tiny model of every likelihood and activation with
      its inputs, bounds and gradients, and one of real size whose parameters both sides compute from a recipe.
      README.md names the tensors.

  standard_vae.py evaluate model.safetensors data.npy [--samples K] [--noise eps.npy] [--activation tanh] ...
      rebuilds a network that elbow trained and prints its ELBO and IWAE-K bound on data [N,D], and with --chains C its
      estimate by annealed importance sampling, one JSON object. Errors are those of the samples, the data held fixed.

Needs PyTorch, NumPy and safetensors: bench/bench-peers --setup makes an environment with all three.
"""

import argparse
import json
import math

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import golden_file
from vae import StandardVAE, anneal

D, Z, B, K = 12, 3, 4, 6
HIDDEN = [7, 5]

# name: (likelihood, variance, activation, hidden)
CASES = {
    "bernoulli_tanh": ("bernoulli", None, "tanh", HIDDEN),
    "bernoulli_relu": ("bernoulli", None, "relu", HIDDEN),
    "bernoulli_elu": ("bernoulli", None, "elu", HIDDEN),
    "bernoulli_softplus": ("bernoulli", None, "softplus", HIDDEN),
    "bernoulli_gated": ("bernoulli", None, "gated", HIDDEN),
    "continuous_bernoulli_tanh": ("continuous-bernoulli", None, "tanh", HIDDEN),
    "gaussian_fixed_tanh": ("gaussian", "fixed", "tanh", HIDDEN),
    "gaussian_scalar_tanh": ("gaussian", "scalar", "tanh", HIDDEN),
    "gaussian_pixel_tanh": ("gaussian", "pixel", "tanh", HIDDEN),
    "gaussian_predicted_tanh": ("gaussian", "predicted", "tanh", HIDDEN),
    "gaussian_scalar_linear": ("gaussian", "scalar", "linear", []),
    "bernoulli_leaky_relu": ("bernoulli", None, "leaky_relu", HIDDEN),
    "bernoulli_silu": ("bernoulli", None, "silu", HIDDEN),
    "bernoulli_gelu": ("bernoulli", None, "gelu", HIDDEN),
    "bernoulli_sigmoid": ("bernoulli", None, "sigmoid", HIDDEN),
}
FIXED_LOG_VARIANCE = -0.75
GRADIENTS = ["elbo", "elbo_sampled", "iwae", "stl", "dreg"]


def layer_shapes(prefix, widths, gated):
    """Names and shapes in the order of torch.nn.Module.named_parameters."""
    shapes = {}
    for i, (below, above) in enumerate(zip(widths, widths[1:])):
        shapes[f"{prefix}.{2 * i}.weight"], shapes[f"{prefix}.{2 * i}.bias"] = (above, below), (above,)
        if gated and i < len(widths) - 2:
            shapes[f"{prefix}.{2 * i}.gate.weight"], shapes[f"{prefix}.{2 * i}.gate.bias"] = (above, below), (above,)
    return shapes


def parameter_shapes(config, data, hidden, latent):
    gated = config["activation"] == "gated"
    outputs = 2 * data if config.get("variance") == "predicted" else data
    shapes = layer_shapes("encoder", [data, *hidden, 2 * latent], gated)
    shapes.update(layer_shapes("decoder", [latent, *reversed(hidden), outputs], gated))
    if config.get("variance") in ("scalar", "pixel"):
        shapes["likelihood.log_variance"] = (1,) if config["variance"] == "scalar" else (data,)
    return shapes


def random_parameters(shapes, generator):
    """Weights large enough that no activation stays in its linear range; rounded to float, so that both sides start
    from the same numbers."""
    scale = {2: lambda shape: 1.2 / math.sqrt(shape[1]), 1: lambda shape: 0.3}
    return {name: (torch.randn(shape, generator=generator, dtype=torch.float64) * scale[len(shape)](shape)).float()
            for name, shape in shapes.items()}


def random_data(likelihood, generator):
    x = torch.rand(B, D, generator=generator, dtype=torch.float64)
    if likelihood == "bernoulli":
        return (x < 0.4).float()
    return x.float() if likelihood == "continuous-bernoulli" else (2.0 * x - 0.7).float()


def differentiable(parameters):
    return {name: value.double().requires_grad_() for name, value in parameters.items()}


def check_finite(tensors, case):
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise SystemExit(f"{case}: {name} is not finite")


def write_case(case, seed):
    likelihood, variance, activation, hidden = CASES[case]
    config = {"likelihood": likelihood, "activation": activation}
    if variance:
        config["variance"] = variance
    if variance == "fixed":
        config["log_variance"] = str(FIXED_LOG_VARIANCE)
    generator = torch.Generator().manual_seed(seed)
    parameters = random_parameters(parameter_shapes(config, D, hidden, Z), generator)
    x = random_data(likelihood, generator)
    eps = torch.randn(K, B, Z, generator=generator, dtype=torch.float64).float()

    model = StandardVAE(differentiable(parameters), config)
    log_w, log_q = model.log_weights(x.double(), eps.double())
    out = {"x": x, "eps": eps, "lambda": torch.cat(model.posterior(x.double()), -1), "log_w": log_w, "log_q": log_q,
           "elbo": model.elbo(x.double(), eps[0].double()), "iwae": model.iwae(x.double(), eps.double())}
    for kind in GRADIENTS:
        for name, value in getattr(model, "gradients_" + kind)(x.double(), eps.double()).items():
            out[f"grad.{kind}.{name}"] = value
    out.update(parameters)
    check_finite(out, case)
    metadata = {**config, "hidden": ",".join(map(str, hidden)), "latent": str(Z), "data": str(D), "samples": str(K)}
    golden_file.write(out, f"standard_vae_{case}.safetensors", metadata)


# --- the model of real size: both sides compute its inputs, only the results are stored

REAL = {"data": 784, "hidden": [200, 200], "latent": 50, "batch": 5, "samples": 10}
REAL_GRADIENT_HEAD = 32


def recipe(stream, count):
    """count numbers in [-1,1), exact in float: the top 24 bits of splitmix64 (Steele et al. 2014) at
    stream * 2^32 + i + 1."""
    with np.errstate(over="ignore"):
        s = (np.uint64(stream << 32) + np.arange(1, count + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        s = (s ^ (s >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        s = (s ^ (s >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        s = s ^ (s >> np.uint64(31))
    return torch.from_numpy((s >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0)


def recipe_parameters(shapes):
    """Stream t for the t-th tensor (0, 1, ...): weights times the Glorot bound rounded to float, biases times 1/8."""
    parameters = {}
    for stream, (name, shape) in enumerate(shapes.items()):
        bound = np.float32(math.sqrt(6.0 / sum(shape))) if len(shape) == 2 else np.float32(0.125)
        parameters[name] = (recipe(stream, math.prod(shape)).float() * float(bound)).reshape(shape)
    return parameters


def write_real_size():
    config = {"likelihood": "bernoulli", "activation": "tanh"}
    shapes = parameter_shapes(config, REAL["data"], REAL["hidden"], REAL["latent"])
    model = StandardVAE(differentiable(recipe_parameters(shapes)), config)
    x = (recipe(100, REAL["batch"] * REAL["data"]) < -0.5).double().reshape(REAL["batch"], REAL["data"])
    eps = 2.0 * recipe(101, REAL["samples"] * REAL["batch"] * REAL["latent"])
    eps = eps.reshape(REAL["samples"], REAL["batch"], REAL["latent"])
    log_w, log_q = model.log_weights(x, eps)
    out = {"elbo": model.elbo(x, eps[0]), "iwae": model.iwae(x, eps), "log_w": log_w, "log_q": log_q}
    for kind in ("elbo", "iwae"):
        for name, value in getattr(model, "gradients_" + kind)(x, eps).items():
            out[f"grad.{kind}.{name}"] = value.flatten()[:REAL_GRADIENT_HEAD]
            out[f"grad_norm.{kind}.{name}"] = value.norm().reshape(1)
    check_finite(out, "real_size")
    metadata = {**config, "hidden": ",".join(map(str, REAL["hidden"])), "latent": str(REAL["latent"]),
                "data": str(REAL["data"]), "batch": str(REAL["batch"]), "samples": str(REAL["samples"])}
    golden_file.write(out, "standard_vae_real_size.safetensors", metadata)


# --- a trained model

def saved_config(path):
    """The values in the YAML text (two levels, `section:` then `  key: value`) of the file's metadata."""
    with safe_open(path, "np") as f:
        text = (f.metadata() or {}).get("elbow.config", "")
    values, section = {}, ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        key, _, value = line.partition(":")
        value = value.split(" #")[0].strip().strip("'\"")
        if not line.startswith(" "):
            section = key.strip()
        else:
            values[f"{section}.{key.strip()}"] = value
    return values


def evaluate(arguments):
    saved = saved_config(arguments.model)
    config = {"activation": arguments.activation or saved.get("model.activation", "tanh"),
              "likelihood": arguments.likelihood or saved.get("likelihood.type", "bernoulli"),
              "variance": arguments.variance or saved.get("likelihood.variance", "fixed"),
              "log_variance": arguments.log_variance or saved.get("likelihood.log_variance", "0")}
    parameters = {n: v.double() for n, v in load_file(arguments.model).items()}
    model = StandardVAE(parameters, config)
    x = torch.from_numpy(np.load(arguments.data)).double().flatten(1)
    latent = model.posterior(x[:1])[0].shape[-1]
    generator = torch.Generator().manual_seed(arguments.seed)
    noise = torch.from_numpy(np.load(arguments.noise)).double() if arguments.noise else None
    elbo, iwae, variance = [], [], []
    with torch.no_grad():
        for i in range(len(x)):
            eps = noise[:, i:i + 1] if noise is not None else torch.randn(
                arguments.samples, 1, latent, generator=generator, dtype=torch.float64)
            each = model.elbo(x[i:i + 1], eps)
            elbo.append(each.mean().item())
            variance.append(each.var().item() / len(each))
            iwae.append(model.iwae(x[i:i + 1], eps).item())
    error = float(np.std(iwae, ddof=1) / math.sqrt(len(iwae))) if len(iwae) > 1 else None
    result = {"n": len(x), "samples": len(eps), "elbo_nats": float(np.mean(elbo)),
              "elbo_sample_error": math.sqrt(sum(variance)) / len(x),
              "log_likelihood_nats": float(np.mean(iwae)), "standard_error": error,
              **({"elbo": elbo, "iwae": iwae} if arguments.per_datum else {})}
    if arguments.chains:
        log_w = anneal(model, x, arguments.chains, arguments.temperatures, 10, generator)
        # the jackknife over chains
        left = torch.stack([torch.cat([log_w[:c], log_w[c + 1:]]).logsumexp(0) for c in range(len(log_w))])
        squares = (left - left.mean(0)).square().sum(0) * (len(log_w) - 1) / len(log_w)
        ais = log_w.logsumexp(0) - math.log(len(log_w))
        result.update(ais_nats=ais.mean().item(), ais_chain_error=squares.sum().sqrt().item() / len(x))
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("write")
    verb = verbs.add_parser("evaluate")
    verb.add_argument("model")
    verb.add_argument("data", help="NPY [N,D], already binarised for a Bernoulli likelihood")
    verb.add_argument("--samples", type=int, default=5000)
    verb.add_argument("--noise", help="NPY [K,N,Z] in place of fresh noise")
    verb.add_argument("--seed", type=int, default=1)
    verb.add_argument("--chains", type=int, default=0, help="of annealed importance sampling; 0: none")
    verb.add_argument("--temperatures", type=int, default=200)
    verb.add_argument("--per-datum", action="store_true")
    for key in ("activation", "likelihood", "variance", "log-variance"):
        verb.add_argument("--" + key, help="in place of the value in the file's metadata")
    arguments = parser.parse_args()
    if arguments.verb == "evaluate":
        evaluate(arguments)
        return
    for seed, case in enumerate(CASES):
        write_case(case, seed + 1)
    write_real_size()


if __name__ == "__main__":
    main()
