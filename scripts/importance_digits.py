"""Scores for pruning by gradients, |w * dL/dw| summed over a calibration set (a first-order Taylor expansion of what
the loss gains where a weight becomes zero; Molchanov et al. 2019, arXiv:1906.10771), and masks as PyTorch saves them.

    python scripts/importance_digits.py        # torch 2.13, onnx, numpy, safetensors, scikit-learn

Reads fixtures/digits-mlp.onnx and the training images in fixtures/digits-mlp-calib.npz, whose classes it looks up in
scikit-learn's digits; writes into fixtures/reference/: prune-scores.npz (float16, to be small), prune-masks.npz (a
state_dict of torch.nn.utils.prune, less the weights) and the same masks as bool in prune-masks.safetensors.
"""

from pathlib import Path

import numpy
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch.nn.utils import prune

FIXTURES = Path(__file__).parent.parent / "fixtures"


def mlp():
    """digits-mlp.onnx as a module again."""
    weights = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in onnx.load(FIXTURES / "digits-mlp.onnx").graph.initializer}
    sizes = [64, 256, 128, 10]
    model = torch.nn.Module()
    for index in range(3):
        model.add_module(f"fc{index + 1}", torch.nn.Linear(sizes[index], sizes[index + 1]))
    model.load_state_dict(weights)
    return model


def forward(model, x):
    return model.fc3(torch.relu(model.fc2(torch.relu(model.fc1(x)))))


def classes(images):
    digits = load_digits()
    known = {(one / 16).astype(numpy.float32).tobytes(): label for one, label in zip(digits.data, digits.target)}
    return [int(known[one.tobytes()]) for one in images]


def main():
    model = mlp()
    images = torch.tensor(numpy.load(FIXTURES / "digits-mlp-calib.npz")["input"])
    labels = torch.tensor(classes(images.numpy()))
    torch.nn.functional.cross_entropy(forward(model, images), labels).backward()
    scores = {n: (p * p.grad).abs() for n, p in model.named_parameters() if n.endswith("weight")}
    largest = max(one.max() for one in scores.values())
    # float16 has few bits and a narrow range: scaled so that the largest score is 2^14, which orders alike.
    halves = {name: (one * 2**14 / largest).detach().half().numpy() for name, one in scores.items()}
    numpy.savez_compressed(FIXTURES / "reference" / "prune-scores.npz", **halves)

    for layer in (model.fc1, model.fc2, model.fc3):
        prune.l1_unstructured(layer, "weight", amount=0.9)
    state = model.state_dict()
    masks = {name: one for name, one in state.items() if name.endswith("_mask")}
    biases = {name: one for name, one in state.items() if name.endswith("bias")}
    numpy.savez_compressed(
        FIXTURES / "reference" / "prune-masks.npz", **{name: one.numpy() for name, one in {**masks, **biases}.items()}
    )
    small = {name.replace("_mask", ""): one.bool() for name, one in masks.items() if name.startswith("fc3")}
    save_file(small, FIXTURES / "reference" / "prune-masks.safetensors")


main()
