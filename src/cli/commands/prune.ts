import type { CommandModule } from 'yargs';
import { CompressError } from '../../errors.ts';
import { PRUNABLE_OPS, PRUNE_DEFAULTS, type PruneOptions, prune } from '../../passes/prune.ts';
import {
  type CommonArguments,
  commonArguments,
  readSelection,
  type SelectionArguments,
  selectionArguments,
} from '../arguments.ts';
import { parseAmount, parseWhole } from '../parse.ts';
import type { Run } from '../run.ts';

interface PruneArguments extends CommonArguments, SelectionArguments {
  l1: string | undefined;
  l2: string | undefined;
  random: string | undefined;
  seed: string;
  scope: 'tensor' | 'global';
  allowUnchanged: boolean;
}

const METHODS = ['l1', 'l2', 'random'] as const;

/** `compress prune`: torch.nn.utils.prune on the file. */
export function pruneCommand(run: Run): CommandModule<object, PruneArguments> {
  return {
    command: 'prune [model]',
    describe: 'set the least important weights to zero, as torch.nn.utils.prune does',
    builder: (yargs) => {
      const amount = { type: 'string', requiresArg: true } as const;
      return selectionArguments(commonArguments(yargs), PRUNABLE_OPS)
        .option('l1', { ...amount, describe: 'prune this fraction (0.4) or number (5000) of weights, the smallest' })
        .option('l2', { ...amount, describe: 'the same by squares; for single weights the same choice as --l1' })
        .option('random', { ...amount, describe: 'prune this fraction or number of weights by chance' })
        .option('seed', {
          type: 'string',
          requiresArg: true,
          default: String(PRUNE_DEFAULTS.seed),
          describe: 'chance of --random: the same on every machine',
        })
        .option('scope', {
          choices: ['tensor', 'global'] as const,
          default: PRUNE_DEFAULTS.scope,
          describe: 'the amount is of each tensor, or of all weights under one threshold',
        })
        .option('allow-unchanged', {
          type: 'boolean',
          default: false,
          describe: 'a model without weights to prune is no error',
        })
        .group(['l1', 'l2', 'random', 'seed', 'scope', 'allow-unchanged'], 'How to prune:')
        .example('compress prune --l1 0.4 model.onnx -o pruned.onnx', 'zero the 40 % smallest weights of each layer')
        .example('compress prune --l1 0.6 --scope global model.onnx -o p.onnx', 'one threshold over all layers')
        .example('compress prune --l1 0.4 model.onnx | compress quantize --int8 > small.onnx', 'prune, then quantize')
        .epilog(
          'Zeros alone neither shrink a dense file nor make it faster; they let gzip and later steps save more.',
        ) as never;
    },
    handler: (args) => run(args, () => [prune(readOptions(args))], args.allowUnchanged),
  };
}

function readOptions(args: PruneArguments): PruneOptions {
  const given = METHODS.filter((method) => args[method] !== undefined);
  const [method] = given;
  if (method === undefined || given.length > 1) {
    const fact = method === undefined ? 'no method is given' : `--${given.join(' and --')} cannot be used together`;
    throw new CompressError('options', 'prune', fact, { hint: 'Choose one: --l1 0.4, --l2 0.4 or --random 0.4.' });
  }
  return {
    method,
    amount: parseAmount(method, args[method] as string),
    scope: args.scope,
    seed: parseWhole('seed', args.seed),
    ...readSelection(args),
  };
}
