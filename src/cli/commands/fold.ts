import type { StepValues } from '../../options/common.ts';
import { FOLD } from '../../options/tables.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress fold`: rewrites a model with fewer nodes. */
export function foldCommand(run: Run): Command<StepValues> {
  return {
    verb: 'fold',
    table: FOLD,
    usage: [
      'onnx-compress fold [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Rewrites a float model into an equivalent one with fewer nodes that runs faster and quantizes better.',
    ],
    epilog: [
      examples([
        ['fold, and report what changed', 'onnx-compress fold model.onnx -o folded.onnx'],
        ['see what would change', 'onnx-compress fold --dry-run model.onnx'],
        ['fold, then quantize', 'onnx-compress fold model.onnx | onnx-compress quantize --int8 > small.onnx'],
      ]),
    ],
    run: (values) => runVerb(run, 'fold', values),
  };
}
