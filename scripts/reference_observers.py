"""Ranges that other calibrators choose: writes fixtures/reference/observers.json.

    python scripts/reference_observers.py        # torch 2.13, onnxruntime 1.30, numpy

Elements come from a small generator that the test repeats exactly, so that only its seeds are stored. The histograms
that percentile and entropy are chosen from are stored: their bins are NumPy's.
"""

import contextlib
import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization.calibrate import HistogramCollector
from torch.ao.quantization import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver

BINS = 1024
BATCH = 5000


def numbers(seed, count):
    """Bell-shaped with long tails, float32; every operation is exact or rounded as IEEE 754 says."""
    out = np.empty(count, np.float32)
    state = seed
    for index in range(count):
        parts = []
        for _ in range(4):
            state = (state * 1664525 + 1013904223) % 2**32
            parts.append(state / 2**32)
        out[index] = (parts[0] + parts[1] + parts[2] - 1.5) / (parts[3] + 0.03125)
    return out


def relu(values):
    return np.maximum(values, np.float32(0))


def narrow(values):
    """Most in a hundredth of the range: what entropy and mse are for."""
    return np.where(np.abs(values) < 6, values / np.float32(16), values).astype(np.float32)


SHAPES = {"plain": lambda values: values, "relu": relu, "narrow": narrow}


def ends(observer):
    return [float(observer.min_val), float(observer.max_val)]


def torch_ranges(batches):
    minmax, moving = MinMaxObserver(), MovingAverageMinMaxObserver(averaging_constant=0.01)
    histogram = HistogramObserver(bins=2048)
    for batch in batches:
        for one in (minmax, moving, histogram):
            one(torch.from_numpy(batch))
    scale, zero_point = (float(one) for one in histogram.calculate_qparams())
    return {
        "minmax": ends(minmax),
        "moving-average": ends(moving),
        "histogram": [-zero_point * scale, (255 - zero_point) * scale],
    }


def ort_range(method, name, values, percentile=99.999):
    collector = HistogramCollector(method, False, BINS, 128, percentile, "same")
    with contextlib.redirect_stdout(io.StringIO()):
        collector.collect({name: values})
        low, high = collector.compute_collection_result()[name][:2]
    return [float(low), float(high)], collector.histogram_dict[name]


def main():
    warnings.simplefilter("ignore")
    cases = []
    for seed, (shape, make) in enumerate(SHAPES.items(), start=1):
        batches = [make(numbers(seed * 10 + batch, BATCH)) for batch in range(4)]
        every = np.concatenate(batches)
        entropy, histogram = ort_range("entropy", shape, every)
        percentiles = [[one, *ort_range("percentile", shape, every, one)[0]] for one in (99.999, 99.9, 99.0, 90.0)]
        cases.append(
            {
                "shape": shape,
                "seeds": [seed * 10 + batch for batch in range(4)],
                **torch_ranges(batches),
                "reach": float(histogram[4]),
                "counts": histogram[0].tolist(),
                "entropy": entropy,
                "percentiles": percentiles,
            }
        )
    data = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "batch": BATCH, "cases": cases}
    out = Path(__file__).parent.parent / "fixtures" / "reference" / "observers.json"
    out.write_text(json.dumps(data, separators=(",", ":")) + "\n")
    print(out, out.stat().st_size)
    for case in cases:
        print({key: value for key, value in case.items() if key != "counts"})


if __name__ == "__main__":
    main()
