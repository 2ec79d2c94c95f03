import { DEQUANTIZE, type DequantizeValues } from '../../options/dequantize.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress dequantize`: restores the float model. */
export function dequantizeCommand(run: Run): Command<DequantizeValues> {
  return {
    verb: 'dequantize',
    table: DEQUANTIZE,
    usage: [
      'onnx-compress dequantize [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Converts a quantized model back to float, whichever tool quantized it.',
    ],
    epilog: [
      examples([
        ['a 4-bit model in float', 'onnx-compress dequantize model_q4.onnx -o float.onnx'],
        ['quantize in another form', 'onnx-compress dequantize old.onnx | onnx-compress quantize --int8 > new.onnx'],
        ['see what would change', 'onnx-compress dequantize --dry-run model_q4.onnx'],
      ]),
      '\nThe weights are those that the integers represent: the rounding error of quantization stays.',
    ],
    run: (values) => runVerb(run, 'dequantize', values),
  };
}
