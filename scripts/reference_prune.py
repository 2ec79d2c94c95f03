"""What torch.nn.utils.prune zeroes: writes fixtures/reference/prune-torch.json.

    python scripts/reference_prune.py        # torch 2.13, numpy

Each tensor is a permutation: element i has the magnitude (i * step + 1) mod a prime, over 64, so all are distinct,
exact in float32 and rebuilt by the test without storing them. Kept here: dims, step, and the indices that became zero.
"""

import json
from pathlib import Path

import torch
from torch.nn.utils import prune

PRIME = 8191


def weight(dims, step):
    count = int(torch.tensor(dims).prod())
    index = torch.arange(count, dtype=torch.int64)
    sign = 1 - 2 * (index % 3 == 1).to(torch.float32)
    return (sign * (((index * step) % PRIME) + 1).to(torch.float32) / 64).reshape(dims)


def module(dims, step):
    out = torch.nn.Linear(dims[1], dims[0]) if len(dims) == 2 else torch.nn.Conv2d(dims[1], dims[0], tuple(dims[2:]))
    with torch.no_grad():
        out.weight.copy_(weight(dims, step))
    return out


def zeros(layer):
    return (layer.weight.detach().flatten() == 0).nonzero().flatten().tolist()


CASES = [
    ([1, 5], 17, 0.5),
    ([1, 7], 17, 0.5),
    ([1, 9], 29, 0.5),
    ([1, 25], 29, 0.1),
    ([6, 11], 1009, 0.4),
    ([6, 11], 1009, 13),
    ([8, 3, 3, 3], 2003, 0.6),
    ([8, 3, 3, 3], 2003, 1),
    ([4, 6, 1, 1], 311, 24),
    ([16, 20], 4001, 0.999),
]
GLOBAL = [([6, 11], 1009), ([8, 3, 3, 3], 2003), ([9, 8], 97)]


def main():
    single = []
    for dims, step, amount in CASES:
        layer = module(dims, step)
        prune.l1_unstructured(layer, "weight", amount=amount)
        prune.remove(layer, "weight")
        single.append({"dims": dims, "step": step, "amount": amount, "zeros": zeros(layer)})
    together = []
    for amount in (0.35, 0.5, 100):
        layers = [module(dims, step) for dims, step in GLOBAL]
        # One step for all would repeat magnitudes: an offset a tensor keeps them apart.
        with torch.no_grad():
            for number, layer in enumerate(layers):
                layer.weight.add_(layer.weight.sign() * number / 256)
        prune.global_unstructured([(one, "weight") for one in layers], prune.L1Unstructured, amount=amount)
        for one in layers:
            prune.remove(one, "weight")
        tensors = [{"dims": d, "step": s, "zeros": zeros(one)} for (d, s), one in zip(GLOBAL, layers)]
        together.append({"amount": amount, "tensors": tensors})
    out = Path(__file__).parent.parent / "fixtures" / "reference" / "prune-torch.json"
    data = {"torch": torch.__version__, "prime": PRIME, "single": single, "global": together}
    out.write_text(json.dumps(data, separators=(",", ":")) + "\n")
    print(out, out.stat().st_size)


main()
