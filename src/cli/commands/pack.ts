import { PACK, type PackValues } from '../../options/pack.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress pack`: stores the same weights in fewer bytes. */
export function packCommand(run: Run): Command<PackValues> {
  return {
    verb: 'pack',
    table: PACK,
    usage: [
      'onnx-compress pack [model.onnx|-] [-o out.onnx|-] [options]',
      '',
      'Stores weights with many zeros in fewer bytes. The outputs do not change.',
    ],
    epilog: [
      examples([
        [
          'prune, quantize, then pack the zeros away',
          'onnx-compress prune --l1 0.6 model.onnx | onnx-compress quantize --int8 | onnx-compress pack > small.onnx',
        ],
        ['see what it would save', 'onnx-compress pack --dry-run pruned.onnx'],
        ['back to ordinary weights', 'onnx-compress pack --store dense small.onnx -o dense.onnx'],
      ]),
      '\nONNX Runtime unpacks the weights when it loads the model. Loading takes longer, and about 20 bytes of memory ' +
        'per weight meanwhile; inference is as fast as before.',
    ],
    run: (values) => runVerb(run, 'pack', values),
  };
}
