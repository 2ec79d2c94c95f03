"""Every 8-bit form of the models of the zoo beside onnxruntime.quantization: size, signal, time.

    npm run build && python benchmarks/zoo/build.py --to FOLDER
    python benchmarks/zoo/run.py FOLDER [--only NAME,NAME] [--forms FORM,FORM] [--threads 1]

Writes benchmarks/results/zoo.json, row by row, and docs/zoo.md; with --only the other rows stay as they are. Sizes are
of files, in % of float. SQNR is of the float outputs, the worst of them, over four random inputs. Times are minima of
runs that take turns with float.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "zoo.json"
OURS = {"int8": ["--int8"], "weights-only": ["--int8", "--weights-only"], "calibrated": ["--int8", "--calibrate"]}
PEERS = {"peer-dynamic": "dynamic", "peer-static": "static"}
FORMS = [*OURS, *PEERS]
INPUTS, SECONDS, ROUNDS, PATIENCE = 4, 4, 60, 300
LENGTH, TOKENS = 48, 8000


def session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feeds(float_session: onnxruntime.InferenceSession, seed: int) -> dict:
    """Random normal numbers, or token ids; one row where a dimension is open, and 48 tokens."""
    random, made = numpy.random.default_rng(seed), {}
    for one in float_session.get_inputs():
        dims = [dim if isinstance(dim, int) else 1 if dim == "batch" else LENGTH for dim in one.shape]
        floats = "float" in one.type
        made[one.name] = random.standard_normal(dims).astype("float32") if floats else random.integers(3, TOKENS, dims)
    return made


def sqnr(wanted: list, made: list) -> float:
    """dB of the worst float output."""
    found = []
    for index, first in enumerate(wanted[0]):
        if first.dtype.kind != "f":
            continue
        a = numpy.concatenate([one[index].ravel() for one in wanted]).astype("float64")
        b = numpy.concatenate([one[index].ravel() for one in made]).astype("float64")
        if not numpy.isfinite(b).all():
            return float("-inf")
        noise = ((a - b) ** 2).sum()
        found.append(200.0 if noise == 0 else 10 * numpy.log10((a**2).sum() / noise))
    return round(float(min(found)), 1)


def minima(sessions: dict, given: dict) -> dict:
    """The least time of each session in ms; they take turns."""
    least, start, rounds = dict.fromkeys(sessions, float("inf")), time.perf_counter(), 0
    while rounds < ROUNDS and (rounds < 5 or time.perf_counter() - start < SECONDS):
        for name, one in sessions.items():
            begun = time.thread_time()
            one.run(None, given)
            least[name] = min(least[name], time.thread_time() - begun)
        rounds += 1
    return {name: 1000 * seconds for name, seconds in least.items()}


def compress(model: Path, out: Path, form: str, inputs: Path) -> dict:
    """What our command line makes, or why it made nothing."""
    command = ["node", ROOT / "bin/compress.js", "quantize", *OURS[form], *([inputs] if form == "calibrated" else []), "-q", "-f", "-o", out, model]
    made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if made.returncode != 0:
        raise RuntimeError(" ".join(made.stderr.strip().splitlines())[:200])
    return {}


def peer(model: Path, out: Path, form: str, inputs: Path) -> dict:
    """What onnxruntime.quantization makes: with signed weights, or unsigned ones where it cannot run those."""
    for signed in ("QInt8", "QUInt8"):
        command = [sys.executable, Path(__file__).parent / "peer.py", PEERS[form], model, out, signed, inputs]
        made = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        if made.returncode == 0:
            return {"weights": signed}
    raise RuntimeError((made.stderr.strip().splitlines() or ["no message"])[-1][:200])


def measure(model: Path, forms: list[str], threads: int) -> dict:
    """Every form of a model."""
    rows, sessions = {}, {"float": session(model, threads)}
    given = [feeds(sessions["float"], seed) for seed in range(INPUTS)]
    wanted = [sessions["float"].run(None, one) for one in given]
    size = model.stat().st_size
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        inputs = Path(folder) / "inputs.npz"
        numpy.savez(inputs, **given[0])
        for form in forms:
            out = Path(folder) / f"{form}.onnx"
            try:
                more = (compress if form in OURS else peer)(model, out, form, inputs)
                one = session(out, threads)
                made = [one.run(None, each) for each in given]
                rows[form] = {"percent": round(100 * out.stat().st_size / size, 1), "sqnr": sqnr(wanted, made), **more}
                sessions[form] = one
            except Exception as error:  # a form that fails is a row too
                rows[form] = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        least = minima(sessions, given[0])
    for form in sessions.keys() - {"float"}:
        rows[form]["time"] = round(least[form] / least["float"], 2)
    return {"megabytes": round(size / 1e6, 1), "milliseconds": round(least["float"], 2), "forms": rows}


def page(found: dict) -> str:
    """docs/zoo.md: the text of page.md with the table."""
    head = ["model", "MB", "ms"] + [f"{form}: {what}" for form in FORMS for what in ("%", "dB", "time")]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " --: |" * (len(head) - 1)]
    for name, row in found["models"].items():
        cells = [name, row["megabytes"], row["milliseconds"]]
        for form in FORMS:
            one = row["forms"].get(form)
            cells += ["", "", ""] if one is None else ["fails", "", ""] if "error" in one else [one["percent"], one["sqnr"], one["time"]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    template = (Path(__file__).parent / "page.md").read_text()
    made = "\n".join(f"- {name}: {version}" for name, version in found["made_with"].items())
    return template.replace("{table}", "\n".join(lines)).replace("{made with}", made).replace("{models}", str(len(found["models"])))


def made_with(threads: int) -> dict:
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line), platform.processor())
    return {"date": str(date.today()), "processor": processor, "processors": os.cpu_count(), "threads": threads,
            "python": platform.python_version(), "onnxruntime": onnxruntime.__version__}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    args = parser.parse_args()
    found = json.loads(args.results.read_text()) if args.results.exists() else {"models": {}}
    found["made_with"] = made_with(args.threads)
    wanted = [one for one in args.only.split(",") if one]
    for model in sorted(args.folder.glob("*.onnx")):
        if wanted and model.stem not in wanted:
            continue
        row = measure(model, args.forms.split(","), args.threads)
        kept = found["models"].get(model.stem, {"forms": {}})["forms"]
        found["models"][model.stem] = {**row, "forms": {**kept, **row["forms"]}}
        args.results.write_text(json.dumps(found, indent=2) + "\n")
        print(model.stem, row["megabytes"], row["milliseconds"], *[(k, *v.values()) for k, v in row["forms"].items()], flush=True)
    if args.results == RESULTS:
        (ROOT / "docs" / "zoo.md").write_text(page(found))


if __name__ == "__main__":
    main()
