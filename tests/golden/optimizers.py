#!/usr/bin/env python3
"""optimizers.py - golden sequences of PyTorch's optimisers: writes optimizers.safetensors beside this script.

For each case: <case>.parameters [5,6], the six parameters after each of five steps. The start [6] and the gradients
[5,6] are common to all; the metadata hold each case's settings as text, "adam rate=0.1 beta1=0.9 ...". Clipping is by
the global norm, before weight decay. Computed in double precision, stored as float.
"""

import torch

import golden_file

STEPS, COUNT = 5, 6
CASES = {
    "adam": dict(type="adam", rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8),
    "adam_iwae": dict(type="adam", rate=0.05, beta1=0.99, beta2=0.999, epsilon=1e-4),
    "adam_clip": dict(type="adam", rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8, clip=1.5),
    "adam_decay": dict(type="adam", rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.3),
    "adamax": dict(type="adamax", rate=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8),
    "adamax_nvae": dict(type="adamax", rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-3, weight_decay=3e-4, clip=1.5),
    "sgd": dict(type="sgd", rate=0.1, momentum=0.0),
    "sgd_momentum": dict(type="sgd", rate=0.1, momentum=0.9),
    "sgd_momentum_clip_decay": dict(type="sgd", rate=0.1, momentum=0.9, weight_decay=0.3, clip=1.5),
}


def optimizer(p, s):
    decay = s.get("weight_decay", 0.0)
    if s["type"] == "sgd":
        return torch.optim.SGD([p], lr=s["rate"], momentum=s["momentum"], weight_decay=decay)
    kind = torch.optim.Adam if s["type"] == "adam" else torch.optim.Adamax
    return kind([p], lr=s["rate"], betas=(s["beta1"], s["beta2"]), eps=s["epsilon"], weight_decay=decay)


def run(start, gradients, s):
    p = torch.nn.Parameter(start.double().clone())
    step, path = optimizer(p, s), []
    for g in gradients.double():
        p.grad = g.clone()
        if "clip" in s:
            torch.nn.utils.clip_grad_norm_([p], s["clip"])
        step.step()
        path.append(p.detach().clone())
    return torch.stack(path)


def main():
    generator = torch.Generator().manual_seed(11)
    start = torch.randn(COUNT, generator=generator, dtype=torch.float64).float()
    gradients = torch.randn(STEPS, COUNT, generator=generator, dtype=torch.float64)
    # Scales a thousandfold apart, so that an epsilon in the wrong place shows; step 3 is too small to be clipped.
    per_parameter = torch.tensor([1.0, 1e-3, 3.0, 0.1, 1.0, 0.01])
    per_step = torch.tensor([1, 1, 0.1, 1, 2])
    gradients = (gradients * per_parameter * per_step[:, None]).float()
    out = {"start": start, "gradients": gradients}
    for case, settings in CASES.items():
        out[case + ".parameters"] = run(start, gradients, settings)
    metadata = {case: " ".join([s["type"]] + [f"{k}={v!r}" for k, v in s.items() if k != "type"])
                for case, s in CASES.items()}
    golden_file.write(out, "optimizers.safetensors", metadata)


if __name__ == "__main__":
    main()
