"""SparseGPT and GPTQ of the layers of one model in plain PyTorch, for benchmarks/importance.js.

    python benchmarks/peer/importance_peer.py FOLDER        # torch 2.13, numpy, onnx

FOLDER holds layers.onnx and layers.npz, which benchmarks/importance.js writes: square layers `x @ w` with Relu between
them. As the authors' code does it: float32, `cholesky`, `cholesky_inverse`, `cholesky(upper=True)`, blocks of 128
columns, layers one after the other on what the layers before them give. Prints seconds and the peak of memory of each
method as JSON.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

BLOCK = 128


def factor(x, damping=0.01):
    h = x.T @ x * (2 / len(x))
    dead = torch.diag(h) == 0
    h[dead, dead] = 1
    h.diagonal().add_(damping * torch.diag(h).mean())
    return h, dead


def upper(h):
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)


def sparsegpt(w, x, sparsity):
    """w: [outputs, inputs]"""
    h, dead = factor(x)
    w = w.clone()
    w[:, dead] = 0
    u = upper(h)
    for start in range(0, w.shape[1], BLOCK):
        end = min(start + BLOCK, w.shape[1])
        block, inner = w[:, start:end].clone(), u[start:end, start:end]
        score = block**2 / torch.diag(inner).reshape(1, -1) ** 2
        mask = score <= torch.sort(score.flatten())[0][int(score.numel() * sparsity)]
        errors = torch.zeros_like(block)
        for i in range(end - start):
            column = block[:, i]
            q = column.clone()
            q[mask[:, i]] = 0
            error = (column - q) / inner[i, i]
            block[:, i:] -= error.unsqueeze(1) @ inner[i, i:].unsqueeze(0)
            block[:, i] = q
            errors[:, i] = error
        w[:, start:end] = block
        w[:, end:] -= errors @ u[start:end, end:]
    return w


def gptq(w, x, bits=4, group=32):
    """Symmetric, scales of rounding to nearest, static groups, act order. w: [outputs, inputs]"""
    h, dead = factor(x)
    w = w.clone()
    w[:, dead] = 0
    last = 2 ** (bits - 1)
    scales = (w.reshape(len(w), -1, group).abs().amax(2) / (last - 0.5)).repeat_interleave(group, 1)
    order = torch.argsort(torch.diag(h), descending=True)
    w, scales, u = w[:, order], scales[:, order], upper(h[order][:, order])
    made = torch.zeros_like(w)
    for start in range(0, w.shape[1], BLOCK):
        end = min(start + BLOCK, w.shape[1])
        block, inner = w[:, start:end].clone(), u[start:end, start:end]
        errors = torch.zeros_like(block)
        for i in range(end - start):
            column, scale = block[:, i], scales[:, start + i]
            q = torch.clamp(torch.round(column / scale), -last, last - 1) * scale
            error = (column - q) / inner[i, i]
            block[:, i:] -= error.unsqueeze(1) @ inner[i, i:].unsqueeze(0)
            made[:, start + i] = q
            errors[:, i] = error
        w[:, end:] -= errors @ u[start:end, end:]
    return made[:, torch.argsort(order)]


def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main():
    folder = Path(sys.argv[1])
    model = onnx.load(folder / "layers.onnx")
    weights = [torch.from_numpy(numpy_helper.to_array(one).copy()) for one in model.graph.initializer]
    rows = torch.from_numpy(np.load(folder / "layers.npz")["x"])
    results = {}
    for name, method in (("sparsegpt", lambda w, x: sparsegpt(w, x, 0.5)), ("gptq", gptq)):
        begin, spent, x = time.perf_counter(), time.process_time(), rows
        for w in weights:
            made = method(w.T.contiguous(), x)
            x = torch.relu(x @ (made if name == "sparsegpt" else w.T).T)
        results[name] = {
            "cpuSeconds": round(time.process_time() - spent, 2),
            "seconds": round(time.perf_counter() - begin, 2),
            "peakBytes": peak(),
        }
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads(), **results}))


main()
