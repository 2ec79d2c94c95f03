import { QUANTIZE, type QuantizeValues } from '../../options/quantize.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress quantize`: torch.quantization.quantize_dynamic on the file. */
export function quantizeCommand(run: Run): Command<QuantizeValues> {
  return {
    verb: 'quantize',
    table: QUANTIZE,
    usage: [
      'onnx-compress quantize [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Turns weights into 8-bit integers: large products run on integers, as torch.quantization.quantize_dynamic makes them;',
      'the weights of all others are stored as integers, and computed with as fast as before. --int4 gives products 4 bits.',
    ],
    epilog: [
      examples([
        ['int8 weights; large products run on integers', 'onnx-compress quantize --int8 model.onnx -o small.onnx'],
        ['no activation is quantized', 'onnx-compress quantize --weights-only model.onnx -o small.onnx'],
        [
          'activations too, with samples of the data',
          'onnx-compress quantize --calibrate calib.npz model.onnx -o small.onnx',
        ],
        [
          '4 bits for MatMul and Gemm, chosen by data',
          'onnx-compress quantize --int4 --calibrate calib.npz model.onnx -o small.onnx',
        ],
        ['half the size, at the speed of float', 'onnx-compress quantize --float16 model.onnx -o small.onnx'],
        ['leave a layer float', 'onnx-compress quantize --exclude "lm_head" model.onnx -o small.onnx'],
        ['see what would change, and the size', 'onnx-compress quantize --int8 --dry-run model.onnx'],
      ]),
      COSTS,
    ],
    run: (values) => runVerb(run, 'quantize', values),
  };
}

/** Of each mode, as `npm run bench` measures it: the rows linear-1024 and digits-cnn of docs/measured.md. */
const COSTS = `
What it costs (measured, of the float model; docs/measured.md has more):
  --int8          0.25 of the size, 0.73 of the time at batch 1, 0.23 at batch 32 (Linear layers of 1024); Conv: the time of float
  --weights-only  0.25 of the size, 0.35 of the time at batch 1, 0.81 at batch 32; Conv: the time of float
  --calibrate     0.28 of the size, 0.74 of the time at batch 1, 0.58 at batch 32 (digits-cnn)`;
