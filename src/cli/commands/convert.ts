import { CONVERT, type ConvertValues } from '../../options/convert.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `compress convert`: the same model in a later version of the operators. */
export function convertCommand(run: Run): Command<ConvertValues> {
  return {
    verb: 'convert',
    table: CONVERT,
    usage: [
      'compress convert --opset N [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Rewrites a model for a higher version of the ONNX operators. What it computes stays the same.',
    ],
    epilog: [
      examples([
        ['opset 21, for 4-bit types and blocks', 'compress convert --opset 21 model.onnx -o opset21.onnx'],
        ['see what would be rewritten', 'compress convert --opset 17 --dry-run model.onnx'],
      ]),
    ],
    run: (values) => runVerb(run, 'convert', values),
  };
}
