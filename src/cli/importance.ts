import { CompressError } from '../errors.ts';
import { openActivations } from '../node/activations/open.ts';
import { openData } from '../node/data/open.ts';
import { scratchFile } from '../node/files/scratch.ts';
import type { PruneValues } from '../options/pruneValues.ts';
import { defined, pairOf } from '../options/values.ts';
import type { Pattern } from '../passes/importance/options.ts';
import { sparsegpt } from '../passes/importance/sparsegpt.ts';
import { wanda } from '../passes/importance/wanda.ts';
import type { Pass } from '../passes/pass.ts';
import { readSelection } from './arguments.ts';
import { progress } from './progress.ts';

/**
 * The pass that `wanda` or `sparsegpt` asks for.
 * @throws CompressError `options`
 */
export function importancePass(method: 'wanda' | 'sparsegpt', values: PruneValues): Pass {
  const { calibrate, nm, damping, blockSize, samples, batch, parallelLayers } = values;
  if (calibrate === undefined) {
    throw new CompressError('options', method, 'needs data: it looks at activations', {
      hint: 'Give inputs of the model: `calibrate: calib.npz` (see docs/data.md).',
    });
  }
  if (calibrate === RANDOM) {
    throw new CompressError('options', 'calibrate', 'random inputs say nothing about which weights matter', {
      hint: 'Give real inputs; a file of that name is ./random.',
    });
  }
  const options = {
    amount: values[method] as number,
    parallel: parallelLayers === true,
    ...(nm === undefined ? {} : { pattern: patternOf(nm) }),
    ...readSelection(values),
  };
  checkAmount(method, options, nm);
  const tuning = defined({ damping, blockSize });
  const sizes = defined({ samples, batch });
  const onProgress = progress('pruning', values.quiet === true);
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

function patternOf(text: string): Pattern {
  const [keep, of] = pairOf(text);
  if (keep >= 1 && of > keep) return { keep, of };
  throw new CompressError('options', 'nm', `'${text}' is no pattern`, {
    hint: 'Say how many of how many weights stay: `nm: 2:4`.',
  });
}

function checkAmount(
  method: 'wanda' | 'sparsegpt',
  { amount, pattern }: { readonly amount: number; readonly pattern?: Pattern },
  nm: string | undefined,
): void {
  if (pattern === undefined) return;
  const implied = 1 - pattern.keep / pattern.of;
  if (Math.abs(amount - implied) <= 1e-6) return;
  throw new CompressError('options', method, `is ${amount}, and \`nm: ${nm}\` prunes ${implied}`, {
    hint: `Say \`${method}: ${implied}\`, or leave out \`nm\`.`,
  });
}
