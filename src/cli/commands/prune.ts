import { PRUNE } from '../../options/prune.ts';
import type { PruneValues } from '../../options/pruneValues.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress prune`: torch.nn.utils.prune for a model file. */
export function pruneCommand(run: Run): Command<PruneValues> {
  return {
    verb: 'prune',
    table: PRUNE,
    usage: [
      'onnx-compress prune --l1|--l2|--random AMOUNT [model.onnx|-] [-o out.onnx|-] [options]',
      'onnx-compress prune --structured l1|l2|linf|random --amount AMOUNT [--axis out|in|N] …',
      'onnx-compress prune --nm N:M …',
      'onnx-compress prune --mask FILE …',
      'onnx-compress prune --wanda|--sparsegpt AMOUNT --calibrate DATA …',
      'onnx-compress prune --channels AMOUNT [--calibrate DATA [--reconstruct]] …',
      '',
      'Zeroes the least important weights, as torch.nn.utils.prune does, or removes whole channels.',
    ],
    epilog: [
      examples([
        [
          'zero the smallest 40 % of the weights of each layer',
          'onnx-compress prune --l1 0.4 model.onnx -o pruned.onnx',
        ],
        [
          'one threshold for all layers except fc1',
          'onnx-compress prune --l1 0.6 --scope global --exclude fc1 model.onnx -o pruned.onnx',
        ],
        [
          'zero the quarter of the output channels with the smallest norm',
          'onnx-compress prune --structured l2 --amount 0.25 model.onnx -o pruned.onnx',
        ],
        [
          'use importance scores from training',
          'onnx-compress prune --l1 0.5 --scores scores.npz model.onnx -o pruned.onnx',
        ],
        [
          'use data to choose weights and adjust the remaining ones',
          'onnx-compress prune --sparsegpt 0.6 --calibrate calib.npz model.onnx -o pruned.onnx',
        ],
        [
          'remove 30 % of the channels, and refit the rest to data',
          'onnx-compress prune --channels 0.3 --reconstruct --calibrate calib.npz model.onnx -o small.onnx',
        ],
        [
          'prune, then quantize',
          'onnx-compress prune --l1 0.4 model.onnx | onnx-compress quantize --int8 > small.onnx',
        ],
      ]),
      '\nZeros alone make a model neither smaller nor faster. gzip and --store bitmask make use of them.',
    ],
    run: (values) => runVerb(run, 'prune', values),
  };
}
