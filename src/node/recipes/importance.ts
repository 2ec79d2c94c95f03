import { CompressError } from '../../errors.ts';
import { checkShape } from '../../options/check.ts';
import { ACTIVATION_ROWS } from '../../options/quantize.ts';
import { defined } from '../../options/values.ts';
import { checkSparseGpt, checkWanda, type SparseGptOptions } from '../../passes/importance/options.ts';
import { sparsegpt } from '../../passes/importance/sparsegpt.ts';
import { wanda } from '../../passes/importance/wanda.ts';
import type { Pass } from '../../passes/pass.ts';
import { openActivations } from '../activations/open.ts';
import type { OnProgress } from '../activations/progress.ts';
import { openData } from '../data/open.ts';
import type { ResultsFolder } from '../files/resultsFolder.ts';
import { scratchOf } from './aside.ts';
import { earlierNotes, identityOf } from './resume.ts';

/** Options of pruning with data; `damping` and `blockSize` belong to `sparsegpt`. */
export interface DataPruneOptions extends Omit<SparseGptOptions, 'scratch' | 'results'> {
  readonly method: 'wanda' | 'sparsegpt';
}

/** What the model is run on. */
export interface DataPruneRun {
  /** Path of input data, in a format of docs/data.md. */
  readonly data: string;
  /** Use only this many rows of the data. */
  readonly samples?: number | undefined;
  /** Rows per run. */
  readonly batch?: number | undefined;
  /** Called after each run of a sample. */
  readonly onProgress?: OnProgress;
  /** Where the results of layers are kept, so that an interrupted run can continue. */
  readonly results?: ResultsFolder;
}

const NAMES = { wanda: 'Wanda', sparsegpt: 'SparseGPT' } as const;

/**
 * Prunes with {@link wanda} or {@link sparsegpt} by running the model on the data of a file, as `onnx-compress prune`
 * does. SparseGPT keeps new weights in a temporary file until they are written.
 *
 * @throws CompressError `options`; errors of reading data and running models
 * @example
 * await transform(model, prunedByData({ method: 'sparsegpt', amount: 0.6 }, { data: 'calib.npz' }));
 */
export function prunedByData({ method, ...options }: DataPruneOptions, run: DataPruneRun): Pass {
  checkShape('prunedByData', { method }, { method: Object.keys(NAMES) });
  if (method === undefined) throw new CompressError('options', 'method', 'is required');
  const { samples, batch } = ACTIVATION_ROWS;
  checkShape('prunedByData', run, { data: 'text', samples, batch, onProgress: 'function', results: 'object' });
  if (run.data === undefined) {
    throw new CompressError('options', 'data', `${method} needs activations`, {
      hint: 'Give inputs of the model: `data: calib.npz`.',
    });
  }
  // Refuse invalid options before a model is read.
  if (method === 'wanda') checkWanda(options);
  else checkSparseGpt(options);
  return {
    name: 'prune',
    async run(model) {
      const sizes = defined({ samples: run.samples, batch: run.batch });
      const data = await openData(run.data, model.graph.fedInputs, sizes);
      const results = await run.results?.open(await identityOf(model, data, { method, ...options, ...sizes }), model);
      const settled = { ...options, ...defined({ results }) };
      const activations = openActivations(data, defined({ onProgress: run.onProgress }));
      try {
        const pass =
          method === 'wanda'
            ? wanda(settled, activations)
            : sparsegpt({ ...settled, scratch: scratchOf(model) }, activations);
        const report = await pass.run(model);
        const how = options.parallel ? 'all layers on the unpruned model' : 'each layer after those before it';
        const notes = [...report.notes, ...earlierNotes(results), `${NAMES[method]} with ${data.description}, ${how}`];
        return { ...report, notes };
      } finally {
        await activations.close();
      }
    },
  };
}
