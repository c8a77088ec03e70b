#!/usr/bin/env python3
"""train_vae.py - a small VAE in plain PyTorch, and what elbow needs to go on with it: its weights as safetensors, with a
few data, their noise and their ELBO beside them, so that elbow convert can tell whether it has understood the model.

    train_vae.py                        # Fashion-MNIST where Debian's dataset-fashion-mnist puts it, or --data FILE.npy
    elbow convert vae.safetensors --map vae.yaml --out vae-elbow.safetensors

Needs PyTorch, NumPy and safetensors.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")


class VAE(nn.Module):
    def __init__(self, data, hidden, latent):
        super().__init__()
        self.fc1 = nn.Linear(data, hidden)
        self.mu, self.logvar = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.fc2, self.out = nn.Linear(latent, hidden), nn.Linear(hidden, data)

    def elbo(self, x, noise):
        h = F.relu(self.fc1(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * noise
        p = torch.sigmoid(self.out(F.relu(self.fc2(z))))
        reconstruction = -F.binary_cross_entropy(p, x, reduction="none").sum(-1)
        return reconstruction - 0.5 * (logvar.exp() + mu ** 2 - 1 - logvar).sum(-1)


def load(path):
    """[N,D] of 0 and 1."""
    if path.suffix == ".npy":
        x = np.load(path)
    else:
        x = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 784)
    x = x.reshape(len(x), -1)
    return torch.tensor(x >= (128 if x.dtype == np.uint8 else 0.5)).float()


def train(model, x, epochs):
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            loss = -model.elbo(x[rows], torch.randn(len(rows), model.mu.out_features)).mean()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1}: ELBO {-total / len(x):.3f} nats")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=FASHION, help="images as .npy [N, ...], or an IDX file, gzipped")
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--latent", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("vae.safetensors"))
    arguments = parser.parse_args()

    torch.manual_seed(1)
    x = load(arguments.data)
    model = VAE(x.shape[1], arguments.hidden, arguments.latent)
    train(model, x, arguments.epochs)

    x, noise = x[:32].contiguous(), torch.randn(32, arguments.latent)
    with torch.no_grad():
        elbo = model.elbo(x, noise)
    save_file({**model.state_dict(), "x": x, "noise": noise, "elbo": elbo}, arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    main()
