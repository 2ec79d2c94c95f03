import { PRUNE } from '../../options/prune.ts';
import type { PruneValues } from '../../options/pruneValues.ts';
import type { Command } from '../command.ts';
import { runVerb } from '../passes.ts';
import type { Run } from '../run.ts';
import { examples } from '../usage.ts';

/** `onnx-compress prune`: torch.nn.utils.prune on the file. */
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
      'Sets the least important weights to zero, as torch.nn.utils.prune does, or removes whole channels.',
    ],
    epilog: [
      examples([
        ['zero the 40 % smallest weights of each layer', 'onnx-compress prune --l1 0.4 model.onnx -o pruned.onnx'],
        [
          'one threshold over all layers but the first',
          'onnx-compress prune --l1 0.6 --scope global --exclude fc1 model.onnx -o pruned.onnx',
        ],
        [
          'the quarter of the output channels with the smallest norm',
          'onnx-compress prune --structured l2 --amount 0.25 model.onnx -o pruned.onnx',
        ],
        [
          'by importance that training measured',
          'onnx-compress prune --l1 0.5 --scores scores.npz model.onnx -o pruned.onnx',
        ],
        [
          'look at data, and let what stays make up for what goes',
          'onnx-compress prune --sparsegpt 0.6 --calibrate calib.npz model.onnx -o pruned.onnx',
        ],
        [
          'remove 30 % of the channels, and fit what is left to the data',
          'onnx-compress prune --channels 0.3 --reconstruct --calibrate calib.npz model.onnx -o small.onnx',
        ],
        [
          'prune, then quantize',
          'onnx-compress prune --l1 0.4 model.onnx | onnx-compress quantize --int8 > small.onnx',
        ],
      ]),
      '\nZeros alone neither shrink a dense file nor make it faster; they let gzip save more, and --store bitmask.',
    ],
    run: (values) => runVerb(run, 'prune', values),
  };
}
