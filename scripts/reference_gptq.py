"""What GPTQ, coordinate descent, refitted scales and AWQ make of two matrices, in numpy: fixtures/reference/gptq.json.

    python scripts/reference_gptq.py        # numpy

Written from the papers: GPTQ (arXiv 2210.17323, algorithm 1, with act order; scales and zero points set before, so that
the order of the inputs needs no g_idx), QuantEase (arXiv 2309.01885, algorithm 2), AWQ (arXiv 2306.00978, section 3.2).
float64 throughout, a row and an input at a time, by the plain route: inverse, upper Cholesky factor of that. Scales are
float32, or float16 where a case says so.
Kept: weights (float32), activations (int8, in 32nds), for each case the codes and scales it begins and ends with
(base64) and tr((W - Q) H (W - Q)^T) with the damped Hessian; of AWQ at 4 bits, rounding to nearest in blocks of 16, the
power, the factors and that cost without damping.
"""

import base64
import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "reference" / "gptq.json"
DAMPING = 0.03
PASSES = 1
SWEEPS = 3


def start(w, bits, block, symmetric, half, multipliers):
    """Rounding to nearest: scales [rows, blocks], zero points [rows, blocks], factors or None."""
    rows, inputs = w.shape
    last = 2**bits - 1
    middle = 2 ** (bits - 1)
    groups = [w[:, at : at + block] for at in range(0, inputs, block)]
    if symmetric:
        scales = np.stack([np.abs(g).max(1) / (middle - 0.5) for g in groups], 1)
        zeros = np.full(scales.shape, middle)
    else:
        low = np.stack([np.minimum(g.min(1), 0) for g in groups], 1)
        high = np.stack([np.maximum(g.max(1), 0) for g in groups], 1)
        scales = (high - low) / last
        zeros = np.clip(np.rint(-low / np.where(scales == 0, 1, scales)), 0, last)
    scales = np.where(scales == 0, 1, scales).astype(np.float32)
    if half:
        scales = scales.astype(np.float16).astype(np.float32)
    factors = steps = None
    if multipliers:
        steps = (scales.max(1) / 15).astype(np.float32)
        factors = np.clip(np.rint(scales / steps[:, None]), 1, 15)
        scales = (factors.astype(np.float32) * steps[:, None]).astype(np.float32)
    return scales, zeros.astype(np.float64), factors, steps


def nearest(value, scale, zero, last):
    return np.clip(np.rint(value / scale + zero), 0, last)


class Layer:
    def __init__(self, w, h, bits, block, scales, zeros, factors, steps, half):
        self.w, self.h, self.last, self.block = w.astype(np.float64), h, 2**bits - 1, block
        self.scales, self.zeros, self.factors, self.steps, self.half = scales, zeros, factors, steps, half
        self.rows, self.inputs = w.shape
        self.order = np.argsort(-np.diag(h), kind="stable")
        permuted = h[np.ix_(self.order, self.order)]
        self.u = np.linalg.cholesky(np.linalg.inv(permuted)).T
        self.codes = np.zeros(w.shape)

    def of(self, input):
        return self.scales[:, input // self.block].astype(np.float64), self.zeros[:, input // self.block]

    def lost(self):
        spread = lambda a: np.repeat(a, self.block, 1)[:, : self.inputs].astype(np.float64)
        return self.w - (self.codes - spread(self.zeros)) * spread(self.scales)

    def costs(self):
        return np.einsum("ri,ij,rj->r", self.lost(), self.h, self.lost())

    def sweep(self):
        wanted = self.w[:, self.order].copy()
        for place, input in enumerate(self.order):
            scale, zero = self.of(input)
            code = np.where(self.w[:, input] == 0, zero, nearest(wanted[:, place], scale, zero, self.last))
            self.codes[:, input] = code
            error = (wanted[:, place] - (code - zero) * scale) / self.u[place, place]
            wanted[:, place:] -= np.outer(error, self.u[place, place:])

    def descend(self):
        lost = self.lost()
        for _ in range(PASSES):
            for input in self.order:
                scale, zero = self.of(input)
                best = (self.codes[:, input] - zero) * scale + lost @ self.h[:, input] / self.h[input, input]
                code = np.where(self.w[:, input] == 0, zero, nearest(best, scale, zero, self.last))
                lost[:, input] += (self.codes[:, input] - code) * scale
                self.codes[:, input] = code

    def refit(self):
        lost = self.lost()
        for row in range(self.rows):
            steps = self.codes[row] - np.repeat(self.zeros[row], self.block)[: self.inputs]
            if self.factors is not None:
                real = steps * np.repeat(self.scales[row], self.block)[: self.inputs]
                times = 1 + real @ self.h @ lost[row] / (real @ self.h @ real)
                self.steps[row] = np.float32(self.steps[row] * (times if 1 / 3 < times < 3 else 1))
                self.scales[row] = self.factors[row].astype(np.float32) * self.steps[row]
                continue
            blocks = self.scales.shape[1]
            spread = np.zeros((self.inputs, blocks))
            spread[np.arange(self.inputs), np.arange(self.inputs) // self.block] = steps
            normal = spread.T @ self.h @ spread
            ridge = 1e-9 * np.trace(normal) / blocks
            empty = np.diag(normal) == 0
            normal += np.diag(np.where(empty, 1, ridge))
            wanted = (self.scales[row] + np.linalg.solve(normal, spread.T @ self.h @ lost[row])).astype(np.float32)
            if self.half:
                wanted = wanted.astype(np.float16).astype(np.float32)
            ratio = wanted / self.scales[row]
            self.scales[row] = np.where((ratio > 1 / 3) & (ratio < 3), wanted, self.scales[row])

    def refine(self):
        self.sweep()
        for _ in range(SWEEPS - 1):
            self.refit()
            self.sweep()
        before = self.costs()
        old = [None if one is None else one.copy() for one in (self.codes, self.scales, self.steps)]
        self.refit()
        self.descend()
        worse = ~(self.costs() < before)
        for new, was in zip((self.codes, self.scales, self.steps), old):
            if new is not None:
                new[worse] = was[worse]


def text(array, dtype):
    return base64.b64encode(np.ascontiguousarray(array.astype(dtype)).tobytes()).decode()


def case(w, x, bits, block, symmetric=True, half=False, multipliers=False):
    values = x.astype(np.float64) / 32
    gram = values.T @ values / len(values)
    live = np.diag(gram)[np.diag(gram) > 0]
    h = gram + DAMPING * live.mean() * np.eye(len(gram))
    scales, zeros, factors, steps = start(w, bits, block, symmetric, half, multipliers)
    kept = {"scales": text(scales, "<f4")}
    if not symmetric:
        kept["zeros"] = text(zeros, "u1")
    if multipliers:
        kept["factors"], kept["steps"] = text(factors, "i1"), text(steps, "<f4")
    layer = Layer(w, h, bits, block, scales, zeros, factors, steps, half)
    layer.sweep()
    swept = text(layer.codes, "u1")
    layer.refine()
    form = {"bits": bits, "block": block, "symmetric": symmetric, "half": half}
    made = {"codes": text(layer.codes, "u1"), "scales": text(layer.scales, "<f4"), "cost": float(layer.costs().sum())}
    return {**form, "start": kept, "swept": swept, **made}


def awq(w, x):
    values = x.astype(np.float64) / 32
    gram = values.T @ values / len(values)
    strength = np.abs(values).mean(0)
    best = None
    for power in np.linspace(0, 1, 20):
        factors = (strength + 1e-8) ** power
        factors = np.maximum(factors / np.sqrt(factors.max() * factors.min()), 1e-4).astype(np.float32)
        scaled = w * factors
        scales, zeros, _, _ = start(scaled, 4, 16, True, False, False)
        spread = np.repeat(scales, 16, 1)[:, : w.shape[1]]
        real = (nearest(scaled.astype(np.float64), spread, 8, 15) - 8) * spread
        lost = w - real / factors.astype(np.float64)
        cost = float(np.einsum("ri,ij,rj->", lost, gram, lost))
        if best is None or cost < best["cost"]:
            best = {"power": float(power), "factors": text(factors, "<f4"), "cost": cost}
    return {"strength": text(strength, "<f8"), **best}


def main():
    rng = np.random.default_rng(21)
    out = []
    for outputs, inputs, count, forms in (
        # A short last block, an input that is always 0, weights that are exactly 0, a row of zeros.
        (6, 40, 90, [(4, 16, True), (4, 16, False), (2, 16, True), (2, 16, False), (8, 16, True), (8, 32, False)]),
        # More inputs than are swept at once, and fewer vectors than inputs.
        (4, 150, 100, [(4, 32, True), (4, 32, False)]),
    ):
        mixed = rng.normal(size=(count, inputs)) @ (np.eye(inputs) + 0.4 * rng.normal(size=(inputs, inputs)) / inputs**0.5)
        x = np.clip(np.rint(mixed * 32 * np.exp(0.5 * rng.normal(size=inputs)) / 3), -127, 127).astype(np.int8)
        x[:, 7] = 0
        w = (rng.normal(size=(outputs, inputs)) * 0.1).astype(np.float32)
        w[rng.random(w.shape) < 0.1] = 0
        w[-1, :32] = 0
        cases = [case(w, x, *form) for form in forms]
        if inputs == 40:
            cases += [case(w, x, 4, 16, half=True), case(w, x, 4, 16, multipliers=True)]
        shape = {"outputs": outputs, "inputs": inputs, "count": count}
        out.append({**shape, "weight": text(w, "<f4"), "activations": text(x, "i1"), "awq": awq(w, x), "cases": cases})
    OUT.write_text(json.dumps(out, indent=1) + "\n")


main()
