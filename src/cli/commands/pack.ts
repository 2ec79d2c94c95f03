import type { CommandModule } from 'yargs';
import { PACK_DEFAULTS, pack, STORES, type Store } from '../../passes/pack/index.ts';
import { type CommonArguments, stepArguments } from '../arguments.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface PackArguments extends CommonArguments {
  store: Store;
  allowUnchanged: boolean | undefined;
}

/** `compress pack`: the same weights in fewer bytes. */
export function packCommand(run: Run): CommandModule<object, PackArguments> {
  return {
    command: SUMMARIES.pack[0],
    describe: SUMMARIES.pack[1],
    builder: (yargs) =>
      stepArguments(
        yargs
          .usage(
            '$0 pack [model.onnx|-] [-o out.onnx|-] [options]\n\nStores weights with many zeros in fewer bytes, without changing what the model computes.',
          )
          .option('store', {
            choices: STORES,
            default: PACK_DEFAULTS.store,
            describe:
              'bitmask (the default): a bit a weight and what is kept; sparse: ONNX’s sparse tensors, smaller above some 98 % of zeros; auto: the smaller of the two; dense: unpack',
          })
          .option('allow-unchanged', { type: 'boolean', describe: 'a model that cannot become smaller is no error' })
          .group(['store', 'allow-unchanged'], 'How to store:'),
      )
        .epilog(
          examples([
            [
              'prune, quantize, and leave the zeros out',
              'compress prune --l1 0.6 model.onnx | compress quantize --int8 | compress pack > small.onnx',
            ],
            ['see what it would save', 'compress pack --dry-run pruned.onnx'],
            ['back to ordinary weights', 'compress pack --store dense small.onnx -o dense.onnx'],
          ]),
        )
        .epilog(
          '\nONNX Runtime unpacks the weights when it loads the model: that takes longer, and some 20 bytes of memory a weight while it lasts. Runs are as fast as before.',
        ) as never,
    handler: (args) => run(args, () => [pack({ store: args.store })], args.allowUnchanged === true),
  };
}
