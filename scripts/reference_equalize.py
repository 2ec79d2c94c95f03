"""Cross-layer equalization of a chain of three layers by numpy, for test/passes/equalize.

    python scripts/reference_equalize.py > fixtures/reference/equalize.json

Nagel et al. 2019 (arXiv:1906.04721), section 4.1: s = sqrt(r1 * r2) / r2 for each channel between two layers, one pair
after the other until no scale moves.
"""

import json

import numpy as np

rng = np.random.default_rng(7)
weights = [rng.normal(size=shape) * rng.lognormal(sigma=1.5, size=(shape[0],) + (1,) * (len(shape) - 1))
           for shape in ((4, 3, 3, 3), (5, 4, 1, 1), (2, 5, 3, 3))]  # fmt: skip
weights = [w.astype(np.float32).astype(np.float64) for w in weights]
biases = [rng.normal(size=w.shape[0]).astype(np.float32).astype(np.float64) for w in weights]
before = [w.copy() for w in weights], [b.copy() for b in biases]

for _ in range(200):
    moved = 0.0
    for k in range(len(weights) - 1):
        r1 = np.abs(weights[k]).max(axis=(1, 2, 3))
        r2 = np.abs(weights[k + 1]).max(axis=(0, 2, 3))
        s = np.sqrt(r1 * r2) / r2
        weights[k] /= s[:, None, None, None]
        biases[k] /= s
        weights[k + 1] *= s[None, :, None, None]
        moved = max(moved, float(np.abs(s - 1).max()))
    if moved < 1e-9:
        break


def layers(ws, bs):
    return [{"dims": w.shape, "weight": w.ravel().tolist(), "bias": b.tolist()} for w, b in zip(ws, bs)]


print(json.dumps({"numpy": np.__version__, "before": layers(*before), "after": layers(weights, biases)}))
