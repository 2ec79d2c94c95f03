import { DEQUANTIZE, type DequantizeValues } from '../../options/dequantize.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress dequantize`: the float model back. */
export function dequantizeCommand(run: Run): Command<DequantizeValues> {
  return {
    verb: 'dequantize',
    table: DEQUANTIZE,
    usage: [
      'onnx-compress dequantize [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Gives the float model back, from whatever form its weights and activations were quantized to.',
    ],
    epilog: [
      examples([
        ['the float model of one in few bits', 'onnx-compress dequantize model_q4.onnx -o float.onnx'],
        ['quantize anew', 'onnx-compress dequantize old.onnx | onnx-compress quantize --int8 > new.onnx'],
        ['see what it would be', 'onnx-compress dequantize --dry-run model_q4.onnx'],
      ]),
      '\nWeights are the numbers that their integers stood for: what rounding took from them does not come back.',
    ],
    run: (values) => runVerb(run, 'dequantize', values),
  };
}
