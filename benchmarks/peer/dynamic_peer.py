"""What onnxruntime's Python quantizer takes for the models of growth.js: seconds and peak memory of whole processes.

    pip install onnx onnxruntime
    node benchmarks/models.js matmuls 1024 big.onnx
    python benchmarks/peer/dynamic_peer.py big.onnx [--rounds 3]

Writes benchmarks/results/growth-peer.json. Each round runs `cp` of the model, then a Python process that imports the
quantizer and calls quantize_dynamic with signed int8 weights per channel; outputs stay in the page cache, and `sync`
runs before each command, as in growth.js.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUANTIZE = """
import sys
from onnxruntime.quantization import QuantType, quantize_dynamic
quantize_dynamic(sys.argv[1], sys.argv[2], weight_type=QuantType.QInt8, per_channel=True)
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident megabytes of a process."""
    subprocess.run(["sync"], check=True)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{command[0]} failed: {errors.decode()}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    import onnx
    import onnxruntime

    copies, runs = [], []
    with tempfile.TemporaryDirectory(dir=Path(args.model).resolve().parent) as folder:
        out = str(Path(folder) / "out.onnx")
        for _ in range(args.rounds):
            copies.append(timed(["cp", args.model, str(Path(folder) / "cp.onnx")])[0])
            (Path(folder) / "cp.onnx").unlink()
            runs.append(timed([sys.executable, "-c", QUANTIZE, args.model, out]))
            written = os.path.getsize(out)
            os.unlink(out)
    result = {
        "made_with": {"python": sys.version.split()[0], "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__},
        "model_bytes": os.path.getsize(args.model),
        "output_bytes": written,
        "cp_seconds": round(statistics.median(copies), 2),
        "quantize_dynamic_seconds": round(statistics.median(one for one, _ in runs), 2),
        "ratio_to_cp": round(statistics.median(one / copy for (one, _), copy in zip(runs, copies)), 1),
        "peak_mb": round(max(peak for _, peak in runs)),
    }
    path = Path(__file__).resolve().parent.parent / "results" / "growth-peer.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


main()
