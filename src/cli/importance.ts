import { CompressError } from '../errors.ts';
import { openData } from '../node/data/open.ts';
import { scratchFile } from '../node/files/scratch.ts';
import { openActivations } from '../node/runtime/gram.ts';
import type { Pattern } from '../passes/importance/options.ts';
import { sparsegpt } from '../passes/importance/sparsegpt.ts';
import { wanda } from '../passes/importance/wanda.ts';
import type { Pass } from '../passes/pass.ts';
import { readSelection, type SelectionArguments } from './arguments.ts';
import { parseAmount, parseNumber, parsePositive } from './parse.ts';
import { progress } from './progress.ts';

/** What of the command line this is about. */
export interface ImportanceArguments extends SelectionArguments {
  readonly wanda: string | undefined;
  readonly sparsegpt: string | undefined;
  readonly nm: string | undefined;
  readonly calibrate: string | undefined;
  readonly samples: string | undefined;
  readonly batch: string | undefined;
  readonly parallelLayers: boolean | undefined;
  readonly damping: string | undefined;
  readonly blockSize: string | undefined;
  readonly quiet: boolean | undefined;
}

/**
 * The pass that --wanda or --sparsegpt asks for.
 * @throws CompressError `options`
 */
export function importancePass(args: ImportanceArguments): Pass {
  const method = args.wanda === undefined ? 'sparsegpt' : 'wanda';
  const { calibrate } = args;
  if (calibrate === undefined) {
    throw new CompressError('options', `--${method}`, 'needs data: it looks at activations', {
      hint: 'Give inputs of the model: --calibrate calib.npz (see docs/data.md).',
    });
  }
  if (calibrate === RANDOM) {
    throw new CompressError('options', '--calibrate', 'random inputs say nothing about which weights matter', {
      hint: 'Give real inputs; a file of that name is ./random.',
    });
  }
  const options = {
    amount: fractionOf(method, args[method] ?? ''),
    parallel: args.parallelLayers === true,
    ...(args.nm === undefined ? {} : { pattern: parsePattern(args.nm) }),
    ...readSelection(args),
  };
  const tuning = {
    ...(args.damping === undefined ? {} : { damping: parseNumber('damping', args.damping, 'a number from 0 to 1', 1) }),
    ...(args.blockSize === undefined ? {} : { blockSize: parsePositive('block-size', args.blockSize) }),
  };
  const sizes = {
    ...(args.samples === undefined ? {} : { samples: parsePositive('samples', args.samples) }),
    ...(args.batch === undefined ? {} : { batch: parsePositive('batch', args.batch) }),
  };
  checkAmount(method, args, options);
  const onProgress = progress('pruning', args.quiet === true);
  return {
    name: 'prune',
    async run(model) {
      const data = await openData(calibrate, model.graph.fedInputs, sizes);
      const activations = openActivations(data, { onProgress });
      try {
        const pass =
          method === 'wanda'
            ? wanda(options, activations)
            : sparsegpt({ ...options, ...tuning, scratch: scratchFile() }, activations);
        const report = await pass.run(model);
        const how = options.parallel ? 'all layers on the unpruned model' : 'each layer after those before it';
        return { ...report, notes: [...report.notes, `${NAMES[method]} with ${data.description}, ${how}`] };
      } finally {
        await activations.close();
      }
    },
  };
}

/** The word that stands for random inputs where ranges are calibrated. */
const RANDOM = 'random';

const NAMES = { wanda: 'Wanda', sparsegpt: 'SparseGPT' } as const;

function fractionOf(method: string, text: string): number {
  const amount = parseAmount(method, text);
  if (amount < 1) return amount;
  throw new CompressError('options', `--${method}`, `${text} is no fraction below 1`, {
    hint: `Give the share of the weights to prune: --${method} 0.5.`,
  });
}

function parsePattern(text: string): Pattern {
  const [, keep, of] = /^(\d{1,6}):(\d{1,6})$/.exec(text.trim()) ?? [];
  const pattern = { keep: Number(keep), of: Number(of) };
  if (keep !== undefined && pattern.keep >= 1 && pattern.of > pattern.keep) return pattern;
  throw new CompressError('options', '--nm', `'${text}' is no pattern`, {
    hint: 'Say how many of how many weights stay: --nm 2:4.',
  });
}

function checkAmount(
  method: string,
  args: ImportanceArguments,
  options: { readonly amount: number; readonly pattern?: Pattern },
): void {
  const { amount, pattern } = options;
  if (pattern === undefined) return;
  const implied = 1 - pattern.keep / pattern.of;
  if (Math.abs(amount - implied) <= 1e-6) return;
  throw new CompressError('options', `--${method}`, `is ${amount}, and --nm ${args.nm} prunes ${implied}`, {
    hint: `Say --${method} ${implied}, or leave out --nm.`,
  });
}
