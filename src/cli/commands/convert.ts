import { CONVERT, type ConvertValues } from '../../options/convert.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress convert`: rewrites a model for a later version of the operators. */
export function convertCommand(run: Run): Command<ConvertValues> {
  return {
    verb: 'convert',
    table: CONVERT,
    usage: [
      'onnx-compress convert --opset N | --float32 [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Rewrites a model for a higher opset without changing what it computes, or converts a float16 model to float32.',
    ],
    epilog: [
      examples([
        ['opset 21, for 4-bit types and blocks', 'onnx-compress convert --opset 21 model.onnx -o opset21.onnx'],
        ['a float16 model in float32', 'onnx-compress convert --float32 model-fp16.onnx -o model.onnx'],
        ['see what would be rewritten', 'onnx-compress convert --opset 17 --dry-run model.onnx'],
      ]),
    ],
    run: (values) => runVerb(run, 'convert', values),
  };
}
