"""onnxruntime.quantization on one model: python peer.py dynamic|static MODEL OUT QInt8|QUInt8 INPUTS.npz"""

import sys
import tempfile
from pathlib import Path

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

kind, model, out, signed, inputs = sys.argv[1:]


class Once(CalibrationDataReader):
    """One row of random inputs."""

    def __init__(self) -> None:
        self.rows = iter([dict(numpy.load(inputs))])

    def get_next(self):
        return next(self.rows, None)


if kind == "dynamic":
    quantize_dynamic(model, out, per_channel=True, weight_type=QuantType[signed])
else:
    with tempfile.TemporaryDirectory() as folder:
        prepared = str(Path(folder) / "prepared.onnx")
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        quantize_static(prepared, out, Once(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType[signed],
                        activation_type=QuantType.QUInt8)
options = onnxruntime.SessionOptions()
options.log_severity_level = 4
onnxruntime.InferenceSession(out, options, providers=["CPUExecutionProvider"]).run(None, dict(numpy.load(inputs)))
