"""Codes of few bits as plain numpy chooses them: writes fixtures/reference/lowbits.json.

    python scripts/reference_lowbits.py        # numpy

The formulas are those of the sources: the scale of the range (round to nearest), a search over many scales with a least
squares fit (as `make_qx_quants` of ggml-quants.c in llama.cpp does, over a denser grid and both ends), and HQQ
(`optimize_weights_proximal` of hqq/core/optimize.py in mobiusml/hqq, each block for itself, with an integer zero
point). Elements come from the generator of reference_observers.py, which the test repeats exactly.
"""

import json
from pathlib import Path

import numpy as np

from reference_observers import numbers

F = np.float32


def blocks(matrix, block):
    for row in matrix:
        for start in range(0, len(row), block):
            yield row[start : start + block]


def sym_base(x, middle):
    return F(x[np.abs(x).argmax()] / F(middle))


def asym_base(x, most):
    low, high = min(F(0), x.min()), max(F(0), x.max())
    return F(F(high / F(most)) - F(low / F(most))), low


def take(x, scale, zero, most):
    return (np.clip(np.rint(x / F(scale)), -zero, most - zero) + zero).astype(np.int64)


def rtn(x, bits, symmetric):
    most, middle = 2**bits - 1, 2 ** (bits - 1)
    if symmetric:
        return -sym_base(x, middle), middle
    base, low = asym_base(x, most)
    return base, int(np.clip(np.floor(float(-low) / float(base) + 0.5), 0, most))


def error(x, scale, codes, zero):
    return float(((x - (codes - zero) * scale) ** 2).sum())


def fitted(x, scale, zero, most):
    """Scale and codes in turn, as long as that helps; float64."""
    codes = np.clip(np.rint(x / scale), -zero, most - zero) + zero
    least = error(x, scale, codes, zero)
    while True:
        square = float(((codes - zero) ** 2).sum())
        if square == 0:
            return least
        scale = float((x * (codes - zero)).sum()) / square
        codes = np.clip(np.rint(x / scale), -zero, most - zero) + zero
        now = error(x, scale, codes, zero)
        if now >= least * (1 - 1e-12):
            return min(now, least)
        least = now


def mse(x, bits, symmetric):
    """The least squared error over sixty scales of each sign, or sixty scales with every zero point."""
    x = x.astype(np.float64)
    most, middle = 2**bits - 1, 2 ** (bits - 1)
    largest = np.abs(x).max()
    if symmetric:
        tries = [(sign * largest / (middle * f), middle) for f in np.linspace(0.5, 1.9, 60) for sign in (-1, 1)]
    else:
        width = (max(0, x.max()) - min(0, x.min())) / most
        tries = [(width / f, zero) for f in np.linspace(0.8, 1.9, 60) for zero in range(most + 1)]
    return min(fitted(x, scale, zero, most) for scale, zero in tries)


def hqq(x, bits):
    most = 2**bits - 1
    base, low = asym_base(x, most)
    base, x = float(base), x.astype(np.float64)
    zero = np.rint(-float(low) / base)
    best, least, beta = zero, np.inf, 10.0
    for _ in range(20):
        codes = np.clip(np.rint(x / base + zero), 0, most)
        lost = x - (codes - zero) * base
        size = np.abs(lost)
        shrunk = np.sign(lost) * np.maximum(size - (size + 1e-8) ** (0.7 - 1) / beta, 0)
        errors = np.cumsum(size)[-1]
        if errors >= least:
            break
        best, least = zero, errors
        zero = np.cumsum(codes - (x - shrunk) / base)[-1] / len(x)
        beta *= 1.01
    return F(base), int(np.clip(np.rint(best), 0, most))


def main():
    cases = []
    for seed, (outputs, inputs, block) in enumerate(((5, 80, 32), (3, 70, 64), (2, 130, 130), (4, 20, 32)), start=1):
        matrix = (numbers(seed, outputs * inputs) / F(8)).reshape(outputs, inputs)
        for bits in (2, 4, 8):
            for symmetric in (True, False):
                most = 2**bits - 1
                case = {"seed": seed, "outputs": outputs, "inputs": inputs, "block": block, "bits": bits}
                case["symmetric"] = symmetric
                for method in ("rtn",) if symmetric else ("rtn", "hqq"):
                    grids = [rtn(x, bits, symmetric) if method == "rtn" else hqq(x, bits) for x in blocks(matrix, block)]
                    codes = [take(x, *grid, most) for x, grid in zip(blocks(matrix, block), grids)]
                    case[method] = {
                        "scales": [float(scale) for scale, _ in grids],
                        "zeros": [int(zero) for _, zero in grids],
                        "codes": bytes(int(code) for one in codes for code in one).hex(),
                    }
                if bits != 8:
                    case["noise"] = sum(mse(x, bits, symmetric) for x in blocks(matrix, block))
                cases.append(case)
    path = Path(__file__).parent.parent / "fixtures" / "reference" / "lowbits.json"
    path.write_text(json.dumps({"cases": cases}) + "\n")


if __name__ == "__main__":
    main()
