"""Trains a small GPT on the text of Python's reference, character by character, and writes it for
benchmarks/pruning.js.

    python benchmarks/peer/train_gpt.py DIR [--minutes 20]

needs torch, onnx and numpy. The text is that of the module pydoc_data, which every Python brings. DIR gets gpt.onnx
(input tokens int64 [n, 64], output logits), gpt-calib.npz (64 rows of the text it was trained with) and gpt-test.npz
(64 rows of text it has not seen, one character longer: the row's last 64 are what is to be told).
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import onnx
import pydoc_data.topics
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

LAYERS, WIDTH, HEADS, CONTEXT, BATCH = 3, 96, 4, 64, 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, t, _ = x.shape
        y = self.ln1(x)
        split = lambda one: one(y).view(n, t, HEADS, -1).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(split(self.q), split(self.k), split(self.v), is_causal=True)
        x = x + self.o(attended.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.fc2(functional.relu(self.fc1(self.ln2(x))))


class Gpt(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.token, self.place = nn.Embedding(symbols, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, symbols)

    def forward(self, tokens):
        x = self.token(tokens) + self.place.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


def to_onnx(model, symbols):
    nodes, weights = [], {}

    def node(op, inputs, out, **attributes):
        nodes.append(helper.make_node(op, inputs, [out], name=out, **attributes))
        return out

    def weight(name, value):
        weights[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def array(tensor):
        return tensor.detach().numpy()

    def linear(one, x, name):
        product = node("MatMul", [x, weight(f"{name}.weight", array(one.weight.t()))], f"{name}.product")
        return node("Add", [product, weight(f"{name}.bias", array(one.bias))], name)

    def norm(one, x, name):
        scale, bias = weight(f"{name}.scale", array(one.weight)), weight(f"{name}.bias", array(one.bias))
        return node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=1e-5)

    weight("split", np.array([0, 0, HEADS, -1], np.int64))
    weight("join", np.array([0, 0, WIDTH], np.int64))
    weight("scale", np.array(1 / math.sqrt(WIDTH // HEADS), np.float32))
    weight("causal", np.triu(np.full((CONTEXT, CONTEXT), -1e9, np.float32), 1))
    x = node("Gather", [weight("token", array(model.token.weight)), "tokens"], "embedded")
    x = node("Add", [x, weight("place", array(model.place.weight))], "placed")
    for index, block in enumerate(model.blocks):
        at = f"blocks.{index}"
        y = norm(block.ln1, x, f"{at}.ln1")

        def heads(one, name, perm):
            cut = node("Reshape", [linear(one, y, f"{at}.{name}"), "split"], f"{at}.{name}.heads")
            return node("Transpose", [cut], f"{at}.{name}.turned", perm=perm)

        q, k, v = heads(block.q, "q", [0, 2, 1, 3]), heads(block.k, "k", [0, 2, 3, 1]), heads(block.v, "v", [0, 2, 1, 3])
        scores = node("Mul", [node("MatMul", [q, k], f"{at}.qk"), "scale"], f"{at}.scaled")
        share = node("Softmax", [node("Add", [scores, "causal"], f"{at}.masked")], f"{at}.share", axis=-1)
        back = node("Transpose", [node("MatMul", [share, v], f"{at}.sv")], f"{at}.back", perm=[0, 2, 1, 3])
        joined = node("Reshape", [back, "join"], f"{at}.joined")
        x = node("Add", [x, linear(block.o, joined, f"{at}.o")], f"{at}.attended")
        inner = linear(block.fc1, norm(block.ln2, x, f"{at}.ln2"), f"{at}.fc1")
        inner = node("Relu", [inner], f"{at}.relu")
        x = node("Add", [x, linear(block.fc2, inner, f"{at}.fc2")], f"{at}.out")
    product = node("MatMul", [norm(model.ln, x, "ln"), weight("head.weight", array(model.head.weight.t()))], "head")
    node("Add", [product, weight("head.bias", array(model.head.bias))], "logits")
    tokens = helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", CONTEXT])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CONTEXT, symbols])
    graph = helper.make_graph(nodes, "gpt", [tokens], [logits], list(weights.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    args = parser.parse_args()
    torch.manual_seed(0)
    text = "\n".join(value for _, value in sorted(pydoc_data.topics.topics.items()))
    symbols = sorted(set(text))
    data = torch.tensor([symbols.index(one) for one in text])
    # Every tenth stretch is kept for the test.
    stretches = data[: len(data) // 1290 * 1290].view(-1, 1290)
    test = stretches[::10].reshape(-1)
    train = torch.cat([one for index, one in enumerate(stretches) if index % 10 != 0])
    rows = lambda source, width, count, seed: torch.stack(
        [source[at : at + width] for at in torch.randint(len(source) - width, (count,), generator=torch.Generator().manual_seed(seed))]
    )
    held = rows(test, CONTEXT + 1, 64, 1)
    model = Gpt(len(symbols))
    print(sum(one.numel() for one in model.parameters()), "parameters,", len(text), "characters")
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    start, step = time.monotonic(), 0
    while (done := (time.monotonic() - start) / 60 / args.minutes) < 1:
        optimizer.param_groups[0]["lr"] = 1e-3 * min(1, (step + 1) / 100) * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)
        batch = rows(train, CONTEXT + 1, BATCH, 1000 + step)
        loss = functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            with torch.no_grad():
                lost = functional.cross_entropy(model(held[:, :-1]).flatten(0, 1), held[:, 1:].flatten())
            print(step, f"train {math.exp(loss.item()):.3f}, test {math.exp(lost.item()):.3f}", flush=True)
    args.folder.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(model, len(symbols)), args.folder / "gpt.onnx")
    np.savez(args.folder / "gpt-calib.npz", tokens=rows(train, CONTEXT, 64, 2).numpy())
    np.savez(args.folder / "gpt-test.npz", tokens=held.numpy())


if __name__ == "__main__":
    main()
