import type { Argv } from 'yargs';
import { SPARSEGPT_DEFAULTS } from '../passes/importance/options.ts';

/** Arguments of pruning by what activations say. */
export interface ImportanceArguments {
  wanda: string | undefined;
  sparsegpt: string | undefined;
  calibrate: string | undefined;
  samples: string | undefined;
  batch: string | undefined;
  parallelLayers: boolean | undefined;
  damping: string | undefined;
  blockSize: string | undefined;
  nm: string | undefined;
}

/** Methods that need data. */
export const DATA_METHODS = ['wanda', 'sparsegpt'] as const;

/** Adds --wanda, --sparsegpt and what goes with them; --nm is added by who else takes it. */
export function importanceArguments<T>(yargs: Argv<T>): Argv<T & ImportanceArguments> {
  const text = { type: 'string', requiresArg: true } as const;
  return yargs
    .option('wanda', {
      ...text,
      describe: 'the smallest by weight times activation, in each output; AMOUNT is a fraction',
    })
    .option('sparsegpt', {
      ...text,
      describe: 'what the rest can best make up for, and changes the rest so; AMOUNT is a fraction',
    })
    .option('calibrate', { ...text, describe: 'inputs of the model: .npz, .npy, .json, a folder (docs/data.md)' })
    .option('samples', { ...text, describe: 'use the first N rows' })
    .option('batch', { ...text, describe: 'feed N rows at once' })
    .option('parallel-layers', {
      type: 'boolean',
      describe: 'all layers see the unpruned model: fewer runs over the data',
    })
    .option('damping', {
      ...text,
      describe: `--sparsegpt: added to the Hessian, as a fraction of its mean diagonal (${SPARSEGPT_DEFAULTS.damping})`,
    })
    .option('block-size', {
      ...text,
      describe: `--sparsegpt: columns whose weights are chosen together (${SPARSEGPT_DEFAULTS.blockSize})`,
    })
    .group(
      ['wanda', 'sparsegpt', 'calibrate', 'samples', 'batch', 'parallel-layers', 'damping', 'block-size'],
      'Prune by data (needs onnxruntime-node):',
    ) as unknown as Argv<T & ImportanceArguments>;
}

/** The options given that only methods with data take, without dashes; those methods first. */
export function dataOptions(args: ImportanceArguments): string[] {
  const { wanda, sparsegpt, calibrate, samples, batch, parallelLayers, damping, blockSize, nm } = args;
  const all = { wanda, sparsegpt, calibrate, samples, batch, 'parallel-layers': parallelLayers, damping };
  const given = Object.entries({ ...all, 'block-size': blockSize, nm }).filter(([, value]) => value !== undefined);
  return given.map(([name]) => name);
}
