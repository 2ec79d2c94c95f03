"""Writes the models of the zoo: about 50 architectures with random weights, small enough to run them all.

    pip install torch torchvision timm transformers onnx onnxscript
    python benchmarks/zoo/build.py [--to FOLDER] [--only NAME,NAME]

Each model is made in a process of its own that has two minutes; one that cannot be exported is named at the end. Rows
of a weight get different magnitudes, as training gives them, and batch normalization the statistics of random inputs.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

SECONDS = 120
OPSET = 17


def define_vision_operators() -> None:
    """torchvision is imported without its compiled operators too: none of them is used here."""
    import torch

    names = "nms qnms roi_align roi_pool ps_roi_align ps_roi_pool deform_conv2d".split()
    backward = [f"_{name}_backward" for name in names[2:]]
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in names + backward:
            library.define(f"{name}(Tensor x) -> Tensor")
        define_vision_operators.library = library


def spread(model) -> None:
    """Gives rows of each weight different magnitudes and a few large elements, and leaves nothing at zero.

    Training begins with residual branches that give zero, which would be no model of a trained network.
    """
    import torch

    for name, parameter in model.named_parameters():
        owner = model.get_submodule(name.rpartition(".")[0])
        if hasattr(owner, "fixed") or torch.nn.utils.parametrize.is_parametrized(owner):
            continue
        data, shape = parameter.data, parameter.shape
        if name.endswith("bias"):
            data += 0.02 * torch.randn(shape)
        elif data.abs().max() < 1e-3:
            data.copy_(0.02 * torch.randn(shape) if parameter.dim() > 1 and min(shape) > 1 else 0.3 + 0.2 * torch.rand(shape))
        elif parameter.dim() <= 1:
            data *= 0.7 + 0.6 * torch.rand(shape)
        else:
            norm = data.norm()
            data *= torch.exp(0.4 * torch.randn(shape[0], *[1] * (parameter.dim() - 1))) * torch.exp(0.3 * torch.randn(shape))
            data *= norm / data.norm()


def settle(model, given) -> None:
    """Batch normalization sees random inputs, so that activations neither vanish nor grow."""
    import torch

    norms = [one for one in model.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    for one in norms:
        one.momentum = None
        one.reset_running_stats()
        one.train()
    with torch.no_grad():
        for _ in range(2):
            model(*[torch.randn(4, *x.shape[1:]) for x in given])


def export(name: str, path: Path) -> str:
    """Writes one model; how."""
    define_vision_operators()
    import torch

    sys.path.insert(0, str(Path(__file__).parent))
    torch.manual_seed(sum(map(ord, name)))
    torch.set_num_threads(1)
    model, given = make(name)
    spread(model)
    model.eval()
    settle(model, given)
    model.eval()
    inputs = [f"input{index}" for index in range(len(given))]
    sequence = {one: {0: "batch", 1: f"length{i}"} for i, one in enumerate(inputs) if given[i].dtype == torch.int64}
    for axes in (sequence, {}) if sequence else ({},):
        try:
            torch.onnx.export(model, given, path, dynamo=False, opset_version=OPSET, input_names=inputs, dynamic_axes=axes)
            check(path, model, given)
            return "TorchScript" + (", open lengths" if axes else "")
        except Exception as error:
            print(f"{name}: TorchScript {'open' if axes else 'fixed'}: {str(error).splitlines()[:1]}", file=sys.stderr)
    torch.onnx.export(model, given, path, dynamo=True, input_names=inputs, external_data=False, verbose=False)
    check(path, model, given)
    return "dynamo"


def check(path: Path, model, given) -> None:
    """ONNX Runtime gives what torch gives."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {one.name: x.numpy() for one, x in zip(session.get_inputs(), given)}
    made = torch.as_tensor(session.run(None, feeds)[0])
    with torch.no_grad():
        wanted = model(*given)
    wanted = wanted[0] if isinstance(wanted, tuple) else wanted
    if not torch.isfinite(wanted).all() or wanted.std() == 0:
        raise SystemExit(f"{path.name}: the output is not sane")
    if (made - wanted).norm() > 1e-2 * wanted.norm():
        raise ValueError("ONNX Runtime gives something else")


def make(name: str):
    import language

    if name in language.MODELS:
        return language.transformer(name)
    if name in language.OTHERS:
        return language.OTHERS[name]()
    import vision

    return vision.timm_model(name) if name in vision.TIMM else vision.written_model(name)


def names() -> list[str]:
    define_vision_operators()
    sys.path.insert(0, str(Path(__file__).parent))
    import language
    import vision

    return [*vision.TIMM, *vision.WRITTEN, *language.MODELS, *language.OTHERS]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, default=Path(tempfile.gettempdir()) / "zoo")
    parser.add_argument("--only", default="")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.to.mkdir(parents=True, exist_ok=True)
    if args.one:
        warnings.filterwarnings("ignore")
        print(export(args.one, args.to / f"{args.one}.onnx"))
        return
    failed = []
    for name in [one for one in args.only.split(",") if one] or names():
        path = args.to / f"{name}.onnx"
        command = [sys.executable, __file__, "--to", str(args.to), "--one", name]
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
            ok, said = made.returncode == 0, (made.stdout.strip() or made.stderr.strip()).splitlines()[-1:]
        except subprocess.TimeoutExpired:
            ok, said = False, [f"more than {SECONDS} s"]
        if not ok:
            failed.append(name)
            path.unlink(missing_ok=True)
        size = f"{path.stat().st_size / 1e6:.1f} MB" if ok else "FAILED"
        print(f"{name}: {size}, {' '.join(said)}", flush=True)
    if failed:
        raise SystemExit(f"not exported: {', '.join(failed)}")


if __name__ == "__main__":
    main()
