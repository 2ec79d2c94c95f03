import { QUANTIZE, type QuantizeValues } from '../../options/quantize.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress quantize`: torch.quantization.quantize_dynamic for a model file, and more. */
export function quantizeCommand(run: Run): Command<QuantizeValues> {
  return {
    verb: 'quantize',
    table: QUANTIZE,
    usage: [
      'onnx-compress quantize [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Stores weights as 8-bit integers. Large matrix products run on integers, as with',
      'torch.quantization.quantize_dynamic; the other operators compute in float, as fast as before. --int4 stores the',
      'weights of matrix products in 4 bits.',
    ],
    epilog: [
      examples([
        [
          'int8 weights; large matrix products run on integers',
          'onnx-compress quantize --int8 model.onnx -o small.onnx',
        ],
        ['keep all activations float', 'onnx-compress quantize --weights-only model.onnx -o small.onnx'],
        [
          'quantize activations too, using sample data',
          'onnx-compress quantize --calibrate calib.npz model.onnx -o small.onnx',
        ],
        [
          '4 bits for MatMul and Gemm, using sample data',
          'onnx-compress quantize --int4 --calibrate calib.npz model.onnx -o small.onnx',
        ],
        ['half the size, as fast as float', 'onnx-compress quantize --float16 model.onnx -o small.onnx'],
        ['keep a layer float', 'onnx-compress quantize --exclude "lm_head" model.onnx -o small.onnx'],
        ['see the changes and the size first', 'onnx-compress quantize --int8 --dry-run model.onnx'],
      ]),
      COSTS,
    ],
    run: (values) => runVerb(run, 'quantize', values),
  };
}

/** The cost of each mode, as measured by `npm run bench`: rows linear-1024 and digits-cnn of docs/measured.md. */
const COSTS = `
Measured against the float model (more in docs/measured.md):
  --int8          0.25 of the size, 0.73 of the time at batch 1, 0.23 at batch 32 (Linear layers of 1024); \
Conv as in float
  --weights-only  0.25 of the size, 0.35 of the time at batch 1, 0.81 at batch 32; Conv as in float
  --calibrate     0.28 of the size, 0.74 of the time at batch 1, 0.58 at batch 32 (digits-cnn)`;
