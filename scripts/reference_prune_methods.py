"""Masks of every method of torch.nn.utils.prune over trained weights: writes fixtures/reference/prune-methods.json.

    python scripts/importance_digits.py && python scripts/reference_prune_methods.py    # torch 2.13, onnx, numpy

The weights are those of fixtures/digits-mlp.onnx and digits-cnn.onnx. A case is a list of steps, each applied on top of
the one before as torch's PruningContainer does; kept for each weight are the number of zeros, the SHA-256 of its mask
as bits (numpy.packbits), and, where slices were pruned, which ones. Where a choice would be among equals the script
stops: torch does not say which of them it takes.
"""

import hashlib
import json
from pathlib import Path

import numpy
import onnx
import torch
from onnx import numpy_helper
from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import prune

FIXTURES = Path(__file__).parent.parent / "fixtures"
INF = float("inf")


def layers(name):
    """A module for each weight of a model, in the order of its nodes."""
    graph = onnx.load(FIXTURES / f"{name}.onnx").graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type not in ("Gemm", "Conv"):
            continue
        weight = torch.tensor(arrays[node.input[1]])
        dims = weight.shape
        layer = torch.nn.Linear(dims[1], dims[0]) if len(dims) == 2 else torch.nn.Conv2d(dims[1], dims[0], tuple(dims[2:]))
        layer.weight = torch.nn.Parameter(weight)
        found[node.input[1]] = layer
    return found


SCORES = {name: torch.tensor(one.astype(numpy.float32)) for name, one in numpy.load(FIXTURES / "reference/prune-scores.npz").items()}


def clean(values, count):
    """Stops where the choice of the `count` smallest is one among equals."""
    ordered = values.flatten().sort().values
    if 0 < count < len(ordered) and ordered[count - 1] == ordered[count]:
        raise SystemExit(f"a tie at {count} of {len(ordered)}")


def step(modules, method, amount, dim=None, n=None, scores=False, scope="tensor"):
    names = list(modules)
    values = {one: SCORES[one] if scores else modules[one].weight.detach() for one in names}
    if scope == "global":
        importance = {(modules[one], "weight"): values[one] for one in names} if scores else None
        masks = {one: getattr(modules[one], "weight_mask", torch.ones_like(values[one])) for one in names}
        kept = torch.cat([values[one].abs()[masks[one] == 1] for one in names])
        clean(kept, amount if isinstance(amount, int) else round(amount * kept.numel()))
        prune.global_unstructured([(modules[one], "weight") for one in names], prune.L1Unstructured, importance, amount=amount)
        return
    for one in names:
        module = modules[one]
        importance = values[one] if scores else None
        if method == "l1":
            mask = getattr(module, "weight_mask", torch.ones_like(values[one]))
            kept = values[one].abs()[mask == 1]
            clean(kept, amount if isinstance(amount, int) else round(amount * kept.numel()))
            prune.l1_unstructured(module, "weight", amount, importance)
        else:
            others = [d for d in range(values[one].dim()) if d != dim % values[one].dim()]
            norms = torch.norm(values[one], p=n, dim=others)
            norms = norms[norms != 0]
            clean(norms, amount if isinstance(amount, int) else round(amount * len(norms)))
            prune.ln_structured(module, "weight", amount, n, dim, importance)


def packed(mask):
    return hashlib.sha256(numpy.packbits(mask.numpy().astype(numpy.uint8).flatten()).tobytes()).hexdigest()


def record(mask, dim=None):
    out = {"zeros": int((mask == 0).sum()), "sha256": packed(mask)}
    if dim is not None:
        others = [d for d in range(mask.dim()) if d != dim % mask.dim()]
        out["slices"] = (mask.sum(dim=others) == 0).nonzero().flatten().tolist()
    return out


def case(model, *steps):
    modules = layers(model)
    for one in steps:
        step(modules, **one)
    dim = steps[-1].get("dim")
    masks = {name: record(module.weight_mask, dim) for name, module in modules.items()}
    return {"model": model, "steps": [{k: ("inf" if v == INF else v) for k, v in one.items()} for one in steps], "weights": masks}


def groups(model, keep, group):
    """N:M over every weight with inputs enough: by WeightNormSparsifier where it can, by topk over [.., inputs] for Conv."""
    weights = {}
    for name, layer in layers(model).items():
        w = layer.weight.detach()
        if w.shape[1] < group:
            continue
        last = w if w.dim() == 2 else w.permute(2, 3, 0, 1).contiguous()
        blocks = last.reshape(-1, group)
        for block in blocks.abs().sort(dim=1).values:
            if block[group - keep - 1] == block[group - keep]:
                raise SystemExit("a tie in a group")
        mask = torch.zeros_like(blocks)
        mask.scatter_(1, blocks.abs().topk(keep, dim=1).indices, 1)
        mask = mask.reshape(last.shape)
        mask = mask if w.dim() == 2 else mask.permute(2, 3, 0, 1).contiguous()
        if w.dim() == 2:
            net = torch.nn.Sequential(layer)
            sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, group), zeros_per_block=group - keep)
            sparsifier.prepare(net, config=[{"tensor_fqn": "0.weight"}])
            sparsifier.step()
            assert torch.equal(net[0].parametrizations.weight[0].mask, mask), name
        weights[name] = record(mask)
    return {"model": model, "nm": [keep, group], "weights": weights}


def l1(amount, **rest):
    return {"method": "l1", "amount": amount, **rest}


def ln(n, dim, amount, **rest):
    return {"method": "ln", "n": n, "dim": dim, "amount": amount, **rest}


def main():
    cases = []
    for model in ("digits-mlp", "digits-cnn"):
        cases += [case(model, l1(amount)) for amount in (0.3, 0.77, 200)]
        cases += [case(model, l1(0.5), l1(0.5)), case(model, l1(0.4), l1(60)), case(model, l1(0.2), l1(0.3), l1(0.4))]
        cases += [case(model, l1(amount, scope="global")) for amount in (0.6, 1234)]
        cases.append(case(model, l1(0.5, scope="global"), l1(0.5, scope="global")))
        cases += [case(model, ln(n, 0, amount)) for n in (1, 2, INF) for amount in (0.3, 4)]
        cases += [case(model, ln(n, dim, 0.5), ln(n, dim, 0.5)) for n in (1, 2) for dim in (0, -1)]
        cases.append(case(model, l1(0.5), ln(2, 0, 0.4)))
        cases += [groups(model, 2, 4), groups(model, 1, 4), groups(model, 4, 8), groups(model, 5, 16)]
    cases += [case("digits-mlp", ln(n, 1, amount)) for n in (1, 2, INF) for amount in (0.25, 9)]
    cases.append(case("digits-cnn", ln(2, -1, 1)))
    cases += [case("digits-mlp", ln(n, dim, 0.3, scores=True)) for n in (1, 2) for dim in (0, 1)]
    cases += [scored("tensor"), scored("global")]
    out = FIXTURES / "reference" / "prune-methods.json"
    out.write_text(json.dumps({"torch": torch.__version__, "cases": cases}, separators=(",", ":")) + "\n")
    print(out, out.stat().st_size, len(cases))


def scored(scope):
    """float16 has many equal scores: the first amount, in hundredths from 0.2 on, that cuts between unequal ones."""
    for hundredths in range(20, 90):
        try:
            return case("digits-mlp", l1(hundredths / 100, scores=True, scope=scope))
        except SystemExit:
            continue
    raise SystemExit("every amount cuts between equal scores")


main()
