"""What Wanda and SparseGPT make of trained models, in PyTorch: writes fixtures/reference/importance-torch.json.

    python scripts/reference_importance.py        # torch 2.13, onnx, onnxruntime, numpy

Written from the papers (arXiv 2306.11695; arXiv 2301.00774, algorithm 1), with the counts this package promises: Wanda
prunes round(p K) of each row, SparseGPT so many in each block of columns that round(p rows c) of the first c are zero.
Layers are taken in order; the inputs of each come from ONNX Runtime with the layers before it pruned. float64
throughout, by the plain route: Hessian, Cholesky factor, inverse, upper Cholesky factor of that. Kept: for each layer
which weights are zero (packed bits, base64), their sum and that of their squares, the first row; for each model its
accuracy.
"""

import base64
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
torch.set_default_dtype(torch.float64)


def run(model, feeds, names=None):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(names, feeds)


def tapped(model, value, feeds):
    if value in feeds:
        return feeds[value]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if value not in [one.name for one in copy.graph.output]:
        copy.graph.output.append(onnx.ValueInfoProto(name=value))
    return run(copy, feeds, [value])[0]


def layers(model):
    weights = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm", "Conv") and node.input[1] in weights:
            yield node, weights[node.input[1]]


def attributes(node):
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}


def as_matrix(node, weight):
    """[outputs, inputs], and how to come back."""
    if node.op_type == "Conv":
        return weight.flatten(1), lambda matrix: matrix.reshape(weight.shape)
    if node.op_type == "Gemm" and attributes(node).get("transB", 0):
        return weight.clone(), lambda matrix: matrix
    return weight.t().clone(), lambda matrix: matrix.t()


def vectors(node, weight, x):
    """[inputs, samples]"""
    x = torch.from_numpy(x).double()
    if node.op_type != "Conv":
        return x.reshape(-1, x.shape[-1]).t()
    have = attributes(node)
    pads, kernel = have["pads"], tuple(weight.shape[2:])
    unfold = torch.nn.Unfold(kernel, have["dilations"], (pads[0], pads[1]), have["strides"])
    return unfold(x).permute(1, 0, 2).flatten(1)


def wanda(w, x, amount, pattern):
    metric = w.abs() * x.norm(dim=1)
    out = w.clone()
    if pattern is None:
        chosen = metric.sort(dim=1, stable=True)[1][:, : round(amount * w.shape[1])]
        return out.scatter(1, chosen, 0.0)
    keep, of = pattern
    for start in range(0, w.shape[1], of):
        part = metric[:, start : start + of]
        gone = max(0, part.shape[1] - keep)
        out[:, start : start + of].scatter_(1, part.sort(dim=1, stable=True)[1][:, :gone], 0.0)
    return out


def sparsegpt(w, x, amount, pattern, damping=0.01, block=128):
    w = w.clone(memory_format=torch.contiguous_format)
    rows, columns = w.shape
    h = 2 / x.shape[1] * x @ x.t()
    diagonal = h.diagonal()
    dead = diagonal == 0
    mean = diagonal[~dead].mean()
    diagonal[dead] = mean
    w[:, dead] = 0
    diagonal += damping * mean
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    for i1 in range(0, columns, block):
        i2 = min(i1 + block, columns)
        w1 = w[:, i1:i2].clone()
        errors = torch.zeros_like(w1)
        u1 = u[i1:i2, i1:i2]
        mask = torch.zeros(w1.shape, dtype=torch.bool)
        if pattern is None:
            count = round(amount * (rows * i2)) - round(amount * (rows * i1))
            order = ((w1 / u1.diagonal()) ** 2).flatten().sort(stable=True)[1]
            mask.view(-1)[order[:count]] = True
        for i in range(i2 - i1):
            if pattern is not None and i % pattern[1] == 0:
                keep, of = pattern
                part = (w1[:, i : i + of] / u1.diagonal()[i : i + of]) ** 2
                gone = max(0, part.shape[1] - keep)
                mask.scatter_(1, i + part.sort(dim=1, stable=True)[1][:, :gone], True)
            q = w1[:, i].clone()
            q[mask[:, i]] = 0
            error = (w1[:, i] - q) / u1[i, i]
            w1[:, i + 1 :] -= error[:, None] * u1[i, i + 1 :]
            w1[:, i] = q
            errors[:, i] = error
        w[:, i1:i2] = w1
        w[:, i2:] -= errors @ u[i1:i2, i2:]
    return w


METHODS = {"wanda": wanda, "sparsegpt": sparsegpt}
CASES = [
    ("digits-mlp", "wanda", 0.8, None),
    ("digits-mlp", "sparsegpt", 0.8, None),
    ("digits-mlp", "wanda", 0.5, (2, 4)),
    ("digits-mlp", "sparsegpt", 0.5, (2, 4)),
    ("digits-vit", "wanda", 0.6, None),
    ("digits-vit", "sparsegpt", 0.6, None),
    ("digits-cnn", "wanda", 0.5, None),
    ("digits-cnn", "sparsegpt", 0.5, None),
]


def data(name, split):
    arrays = dict(np.load(FIXTURES / f"{name}-{split}.npz"))
    labels = arrays.pop("__labels__", None)
    return {key: value.astype(np.float32) for key, value in arrays.items()}, labels


def case(name, method, amount, pattern):
    model = onnx.load(FIXTURES / f"{name}.onnx")
    feeds, _ = data(name, "calib")
    kept = []
    for node, tensor in layers(model):
        held = torch.from_numpy(numpy_helper.to_array(tensor).copy()).double()
        matrix, back = as_matrix(node, held)
        x = vectors(node, held, tapped(model, node.input[0], feeds))
        pruned = back(METHODS[method](matrix, x, amount, pattern)).contiguous()
        tensor.CopyFrom(numpy_helper.from_array(pruned.numpy().astype(np.float32), tensor.name))
        bits = np.packbits(pruned.flatten().numpy() == 0, bitorder="little")
        kept.append({
            "weight": tensor.name,
            "zeros": base64.b64encode(bits.tobytes()).decode(),
            "sum": float(pruned.sum()),
            "squares": float((pruned ** 2).sum()),
            "first": [float(np.float32(one)) for one in pruned.flatten()[:16]],
        })
    inputs, labels = data(name, "test")
    accuracy = float((run(model, inputs)[0].argmax(1) == labels).mean())
    print(name, method, amount, pattern, accuracy)
    return {"model": name, "method": method, "amount": amount, "pattern": pattern, "accuracy": accuracy, "layers": kept}


if __name__ == "__main__":
    out = {"torch": torch.__version__.split("+")[0], "cases": [case(*one) for one in CASES]}
    (FIXTURES / "reference/importance-torch.json").write_text(json.dumps(out) + "\n")
