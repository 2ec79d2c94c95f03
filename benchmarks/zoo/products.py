"""MatMulNBits with 8 bits beside the float MatMul, in one thread: the figures behind `blockedProduct` in
src/targets/costs.ts.

    npm run build && python benchmarks/zoo/products.py
"""

import subprocess
import tempfile
import time
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
SHAPES = ((192, 192), (192, 768), (384, 384), (384, 1536), (768, 768), (768, 3072), (256, 8000))
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
ROUNDS = 40


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ratios(folder: Path, inputs: int, outputs: int) -> list[float]:
    """Of float, for each number of rows."""
    weight = numpy.random.default_rng(0).standard_normal((inputs, outputs)).astype("float32")
    value = helper.make_tensor_value_info
    ends = ([value("x", TensorProto.FLOAT, ["rows", inputs])], [value("y", TensorProto.FLOAT, ["rows", outputs])])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "one", *ends, [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "float.onnx")
    options = ["--int8", "--weights-only", "--min-elements", "1", "-q", "-f"]
    command = ["node", ROOT / "bin/compress.js", "quantize", *options, "-o", folder / "int8.onnx", folder / "float.onnx"]
    subprocess.run(command, check=True)
    both = [session(folder / "float.onnx"), session(folder / "int8.onnx")]
    found = []
    for rows in ROWS:
        given = {"x": numpy.random.default_rng(1).standard_normal((rows, inputs)).astype("float32")}
        least = [float("inf"), float("inf")]
        for _ in range(ROUNDS):
            for index, one in enumerate(both):
                one.run(None, given)
                begun = time.thread_time()
                one.run(None, given)
                least[index] = min(least[index], time.thread_time() - begun)
        found.append(round(least[1] / least[0], 2))
    return found


with tempfile.TemporaryDirectory() as name:
    print("rows:", *ROWS)
    for shape in SHAPES:
        print(*shape, ratios(Path(name), *shape))
