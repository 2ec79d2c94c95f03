import { CompressError } from '../../errors.ts';
import type { PruneValues } from '../../options/pruneValues.ts';
import { defined, pairOf } from '../../options/values.ts';
import type { Pattern } from '../../passes/importance/options.ts';
import type { Pass } from '../../passes/pass.ts';
import { RANDOM } from './calibrationData.ts';
import { prunedByData } from './importance.ts';
import { readSelection } from './selection.ts';
import type { StepRun } from './stepRun.ts';

/**
 * Creates the pass for `wanda` or `sparsegpt`.
 * @throws CompressError `options`
 */
export function importancePass(method: 'wanda' | 'sparsegpt', values: PruneValues, run: StepRun): Pass {
  const { calibrate, nm, damping, blockSize, samples, batch, parallelLayers } = values;
  if (calibrate === undefined) {
    throw new CompressError('options', method, 'needs data, because it uses activations', {
      hint: 'Give inputs of the model: `calibrate: calib.npz` (see docs/data.md).',
    });
  }
  if (calibrate === RANDOM) {
    throw new CompressError('options', 'calibrate', 'random inputs do not show which weights matter', {
      hint: 'Give real inputs. For a file named random, write ./random.',
    });
  }
  const amount = values[method] as number;
  const pattern = nm === undefined ? undefined : patternOf(nm);
  checkAmount(method, amount, pattern, nm);
  return prunedByData(
    {
      ...{ method, amount, parallel: parallelLayers === true },
      ...defined({ pattern, damping, blockSize }),
      ...readSelection(values),
    },
    { data: calibrate, samples, batch, ...defined({ onProgress: run.progress?.('pruning'), results: run.results }) },
  );
}

function patternOf(text: string): Pattern {
  const [keep, of] = pairOf(text);
  if (keep >= 1 && of > keep) return { keep, of };
  throw new CompressError('options', 'nm', `'${text}' is not a pattern N:M`, {
    hint: 'For example, `nm: 2:4` keeps 2 of every 4 weights.',
  });
}

function checkAmount(
  method: 'wanda' | 'sparsegpt',
  amount: number,
  pattern: Pattern | undefined,
  nm: string | undefined,
): void {
  if (pattern === undefined) return;
  const implied = 1 - pattern.keep / pattern.of;
  if (Math.abs(amount - implied) <= 1e-6) return;
  throw new CompressError('options', method, `is ${amount}, and \`nm: ${nm}\` prunes ${implied}`, {
    hint: `Give \`${method}: ${implied}\`, or leave out \`nm\`.`,
  });
}
