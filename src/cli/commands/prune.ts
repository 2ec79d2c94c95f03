import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import type { Pass } from '../../passes/pass.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULTS, type PruneOptions, prune } from '../../passes/prune/index.ts';
import {
  type CommonArguments,
  commonArguments,
  readSelection,
  type SelectionArguments,
  selectionArguments,
} from '../arguments.ts';
import { type ChannelArguments, channelArguments, channelPass, refuseChannelOptions } from '../channelArguments.ts';
import { parseAmount, parseWhole } from '../parse.ts';
import type { Run } from '../run.ts';
import { examples, SUMMARIES } from '../usage.ts';

interface PruneArguments extends CommonArguments, SelectionArguments, ChannelArguments {
  l1: string | undefined;
  l2: string | undefined;
  random: string | undefined;
  seed: string;
  scope: 'tensor' | 'global';
  allowUnchanged: boolean | undefined;
}

const METHODS = ['l1', 'l2', 'random'] as const;

/** `compress prune`: torch.nn.utils.prune on the file. */
export function pruneCommand(run: Run): CommandModule<object, PruneArguments> {
  return {
    command: SUMMARIES.prune[0],
    describe: SUMMARIES.prune[1],
    builder: (yargs) => {
      const amount = { type: 'string', requiresArg: true } as const;
      const own = yargs
        .usage(
          '$0 prune --l1|--l2|--random|--channels AMOUNT [model.onnx|-] [-o out.onnx|-] [options]\n\nSets the least important weights to zero, as torch.nn.utils.prune does, or removes whole channels.',
        )
        .option('l1', {
          ...amount,
          describe: 'the smallest weights; AMOUNT is a fraction (0.4) or a number (5000)',
        })
        .option('l2', {
          ...amount,
          describe: 'the smallest by their squares: for single weights the same choice as --l1',
        })
        .option('random', { ...amount, describe: 'weights chosen by chance' })
        .option('scope', {
          choices: ['tensor', 'global'] as const,
          default: PRUNE_DEFAULTS.scope,
          describe: 'tensor (the default): AMOUNT of each tensor; global: of all weights together',
        })
        .option('seed', {
          ...amount,
          default: String(PRUNE_DEFAULTS.seed),
          describe: 'whole number that decides --random, the same on every machine',
        })
        .option('allow-unchanged', { type: 'boolean', describe: 'a model without weights to prune is no error' })
        .group(['l1', 'l2', 'random', 'scope', 'seed', 'allow-unchanged'], 'How to prune (one method is needed):');
      return commonArguments(selectionArguments(channelArguments(own), PRUNABLE_OPS))
        .epilog(
          examples([
            ['zero the 40 % smallest weights of each layer', 'compress prune --l1 0.4 model.onnx -o pruned.onnx'],
            [
              'one threshold over all layers but the first',
              'compress prune --l1 0.6 --scope global --exclude fc1 model.onnx -o pruned.onnx',
            ],
            [
              'remove 30 % of the channels, and fit what is left to the data',
              'compress prune --channels 0.3 --reconstruct --calibrate calib.npz model.onnx -o small.onnx',
            ],
            ['prune, then quantize', 'compress prune --l1 0.4 model.onnx | compress quantize --int8 > small.onnx'],
          ]),
        )
        .epilog('\nZeros alone neither shrink a dense file nor make it faster; they let gzip save more.') as never;
    },
    handler: (args) => run(args, async () => [await passOf(args)], args.allowUnchanged === true),
  };
}

async function passOf(args: PruneArguments): Promise<Pass> {
  const [method] = METHODS.filter((one) => args[one] !== undefined);
  if (args.channels === undefined) refuseChannelOptions(args);
  if (args.channels === undefined || method === undefined) {
    return args.channels === undefined ? prune(readOptions(args)) : channelPass(args);
  }
  throw new CompressError('options', 'prune', `--${method} and --channels cannot be used together`, {
    hint: 'Prune twice: remove channels first, then set weights to zero.',
  });
}

function readOptions(args: PruneArguments): PruneOptions {
  const given = METHODS.filter((method) => args[method] !== undefined);
  const [method] = given;
  if (method === undefined || given.length > 1) {
    const fact = method === undefined ? 'no method is given' : `--${given.join(' and --')} cannot be used together`;
    throw new CompressError('options', 'prune', fact, {
      hint: 'Choose one: --l1 0.4, --l2 0.4, --random 0.4 or --channels 0.3.',
    });
  }
  return {
    method,
    amount: parseAmount(method, args[method] as string),
    scope: args.scope,
    seed: parseWhole('seed', args.seed),
    ...readSelection(args),
  };
}
