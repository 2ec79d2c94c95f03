import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CompressError } from '../../../errors.ts';
import type { Model } from '../../../ir/model.ts';
import { forkModel } from '../../../onnx/fork.ts';
import { dataBytes, planModel } from '../../../onnx/plan.ts';
import type { VariantDtype } from '../../../options/variants.ts';
import { dataFile, MOST_DATA_FILES, VARIANT_KEY } from '../../../passes/variants/names.ts';
import { VARIANT_STEPS } from '../../../passes/variants/settings.ts';
import { refuseExisting } from '../../files/commit.ts';
import { checkTarget } from '../../files/sink.ts';
import { writeModel } from '../../model.ts';
import { runRecipe } from '../runRecipe.ts';
import type { Settings } from './options.ts';

/** The result of making a file. */
export interface Made {
  readonly bytes: number;
  readonly dataFiles: number;
  readonly unchanged: boolean;
}

/**
 * Makes the file of a dtype; it gets its name when it is complete. A dry run refuses what the run would.
 * @param model - the float model, which is not changed
 * @param identity - the note to store in the file
 * @throws CompressError `exists`, `limit`, `io`; errors of its passes
 */
export async function makeVariant(
  model: Model,
  path: string,
  dtype: VariantDtype,
  identity: string,
  { overwrite, externalData, chunkBytes, dryRun, onProgress }: Settings,
): Promise<Made> {
  const file = basename(path);
  // Before the work, which may take long.
  try {
    if (dryRun) refuseExisting(path, overwrite);
    else await checkTarget(path, overwrite);
  } catch (cause) {
    throw otherwiseMade(cause);
  }
  // Closing the fork frees the scratch files of its passes; the model's own files stay open.
  await using fork = forkModel(model);
  const steps = VARIANT_STEPS[dtype];
  const progress = (what: string, done: number, total: number | undefined): void => onProgress(file, what, done, total);
  const reports = steps.length === 0 ? [] : await runRecipe(fork, { steps }, { onProgress: progress });
  fork.setMetadata(VARIANT_KEY, identity);
  const chunks = { name: (index: number) => dataFile(file, index), most: chunkBytes };
  const data = externalData ? 'external' : 'auto';
  const plan = planModel(fork, { mode: data, chunks });
  if (plan.data.length > MOST_DATA_FILES) {
    const fact = `would have ${plan.data.length} data files; transformers.js supports at most ${MOST_DATA_FILES}`;
    throw new CompressError('limit', path, fact, { hint: 'Give a larger `chunkBytes`.' });
  }
  if (!dryRun) {
    const onWritten = (done: number, total: number): void => progress('writing', done, total);
    await writeModel(fork, path, { data, chunks, overwrite, onProgress: onWritten });
    if (overwrite) await removeStale(path, plan.data.length);
  }
  return {
    bytes: plan.byteLength + dataBytes(plan),
    dataFiles: plan.data.length,
    unchanged: steps.length > 0 && reports.every((one) => one.changes.length === 0),
  };
}

/** Removes data files of a previous model beyond those of the current one. */
async function removeStale(path: string, count: number): Promise<void> {
  for (let index = count; index < MOST_DATA_FILES; index++) {
    const stale = join(dirname(path), dataFile(basename(path), index));
    const gone = await rm(stale).then(
      () => true,
      () => false,
    );
    if (!gone) return;
  }
}

function otherwiseMade(cause: unknown): unknown {
  if (!(cause instanceof CompressError) || cause.code !== 'exists') return cause;
  return new CompressError('exists', cause.where, 'already exists, made from other bytes or with other options', {
    cause,
    hint: 'Use `overwrite` to replace it.',
  });
}
