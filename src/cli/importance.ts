import { CompressError } from '../errors.ts';
import { scratchFile } from '../io/scratch.ts';
import type { Pattern } from '../passes/importance/options.ts';
import { sparsegpt } from '../passes/importance/sparsegpt.ts';
import { wanda } from '../passes/importance/wanda.ts';
import type { Pass } from '../passes/pass.ts';
import { openData } from '../runtime/data/open.ts';
import { openActivations } from '../runtime/gram.ts';
import { readSelection, type SelectionArguments } from './arguments.ts';
import { DATA_METHODS, dataOptions, type ImportanceArguments } from './importanceArguments.ts';
import { parseAmount, parseNumber, parsePositive } from './parse.ts';
import { progress } from './progress.ts';

/**
 * The pass that --wanda or --sparsegpt asks for.
 * @param others - methods given beside them, without dashes
 * @throws CompressError `options`
 */
export function importancePass(
  args: ImportanceArguments & SelectionArguments & { quiet: boolean | undefined; scope: string },
  others: readonly string[],
): Pass {
  const given = DATA_METHODS.filter((method) => args[method] !== undefined);
  const [method] = given;
  if (method === undefined) {
    const [alone = ''] = dataOptions(args);
    throw new CompressError('options', `--${alone}`, 'only --wanda and --sparsegpt look at data', {
      hint: 'Choose one: --sparsegpt 0.5 --calibrate calib.npz.',
    });
  }
  if (given.length + others.length > 1) {
    const names = [...given, ...others].map((one) => `--${one}`).join(' and ');
    throw new CompressError('options', 'prune', `${names} cannot be used together`, { hint: 'Choose one of them.' });
  }
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
  if (args.scope === 'global') {
    throw new CompressError('options', '--scope', `--${method} takes its share of every tensor`, {
      hint: 'Scores of different layers cannot be compared; leave out --scope.',
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
  const [wrong] = Object.keys(tuning);
  if (method === 'wanda' && wrong !== undefined) {
    throw new CompressError('options', wrong === 'damping' ? '--damping' : '--block-size', '--wanda has no use for it');
  }
  const sizes = {
    ...(args.samples === undefined ? {} : { samples: parsePositive('samples', args.samples) }),
    ...(args.batch === undefined ? {} : { batch: parsePositive('batch', args.batch) }),
  };
  checkAmount(method, args, options);
  const onProgress = progress('pruning', args.quiet === true);
  return {
    name: 'prune',
    async run(model) {
      const inputs = model.graph.inputs.filter((one) => !model.graph.initializers.has(one.name));
      const data = await openData(calibrate, inputs, sizes);
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
