import { temporaryFolder } from '../../files/temporary.ts';
import { Candidates } from './candidate.ts';
import { type TuneOptions, tuneValues } from './options.ts';
import { subjectOf } from './subjects.ts';
import { quantizeStep, type TuneReport, tuned } from './tuned.ts';

export type { TuneOptions } from './options.ts';
export type { TuneReport, TuneTrial } from './tuned.ts';

/**
 * Finds the layers of a model that must stay float so that the quantized model keeps a metric, as `onnx-compress tune`
 * does: writes models to a temporary folder, runs each on the data, and takes the smallest that is good enough. No
 * other file is written; the recipe in the report makes the chosen model.
 *
 * @param model - path of a float model; or of a folder whose models generate text together, which are tuned as one
 * @returns the trials; `best` and `recipe` are undefined if nothing quantized keeps the metric
 * @throws CompressError `options`, also if the model or the data does not provide the metric; `nothing_to_do` if no
 *   layer can be quantized; errors of reading data and running models
 * @example
 * const found = await tune('model.onnx', { data: 'val.npz', maxDrop: 0.01 });
 * if (found.recipe !== undefined) {
 * await using model = await readModel('model.onnx');
 * await runRecipe(model, found.recipe);
 * await writeModel(model, 'small.onnx');
 * }
 */
export async function tune(model: string, options: TuneOptions): Promise<TuneReport> {
  const values = tuneValues(model, options);
  const { onProgress, signal } = options;
  const folder = await temporaryFolder();
  try {
    const candidates = new Candidates(quantizeStep(values), folder.path, { run: {} });
    const subject = await subjectOf(values, candidates);
    return await tuned(
      values,
      { candidates, subject },
      {
        ...(onProgress === undefined ? {} : { onProgress }),
        ...(signal === undefined ? {} : { mayGoOn: () => signal.throwIfAborted() }),
      },
    );
  } finally {
    await folder.remove();
  }
}
