import { join } from 'node:path';
import { knownError } from '../../../errors.ts';
import type { Model } from '../../../ir/model.ts';
import { modelOrigins } from '../../../onnx/origin.ts';
import { inputByteLength } from '../../../onnx/size.ts';
import type { VariantDtype } from '../../../options/variants.ts';
import { MODEL_FOLDER, variantFile } from '../../../passes/variants/names.ts';
import { VARIANT_STEPS } from '../../../passes/variants/settings.ts';
import { dataFilesOf } from '../../files/dataFiles.ts';
import { isAt } from '../../files/source.ts';
import { readModel } from '../../model.ts';
import { expectWork } from '../../threads/work.ts';
import { digestOf, identityOf, madeAt } from './identity.ts';
import { makeVariant } from './make.ts';
import type { Settings } from './options.ts';
import type { VariantFailure, VariantFile } from './report.ts';
import type { SourceModel } from './sources.ts';

/**
 * Makes the files of one model.
 * @param failures - receives what cannot be made
 * @param weights - receives paths of the model's data files
 */
export async function filesOf(
  source: SourceModel,
  settings: Settings,
  failures: VariantFailure[],
  weights: Set<string>,
): Promise<VariantFile[]> {
  const files: VariantFile[] = [];
  let model: Model;
  try {
    model = await readModel(source.path);
  } catch (cause) {
    failures.push(failureOf(source.path, cause));
    return files;
  }
  try {
    for (const path of dataFilesOf(model, source.path)) weights.add(path);
    const floatBytes = inputByteLength(model);
    expectWork(floatBytes);
    const digest = await digestOf(model);
    for (const dtype of settings.dtypes) {
      const path = join(settings.output, MODEL_FOLDER, variantFile(source.name, dtype));
      const common = { source: source.path, dtype, path, floatBytes, steps: VARIANT_STEPS[dtype] };
      try {
        files.push({ ...common, ...(await fileOf(model, path, dtype, digest, settings)) });
      } catch (cause) {
        failures.push(failureOf(path, cause));
      }
    }
  } catch (cause) {
    failures.push(failureOf(source.path, cause));
  } finally {
    await model.close();
  }
  return files;
}

type Outcome = Pick<VariantFile, 'status' | 'bytes' | 'dataFiles' | 'unchanged'>;

async function fileOf(
  model: Model,
  path: string,
  dtype: VariantDtype,
  digest: string,
  settings: Settings,
): Promise<Outcome> {
  const origin = modelOrigins.get(model);
  if (origin !== undefined && (await isAt(origin.source, path))) {
    return { status: 'original', bytes: inputByteLength(model), dataFiles: origin.dataFiles.size, unchanged: false };
  }
  const identity = identityOf(digest, dtype, settings);
  const there = await madeAt(path, identity);
  if (there !== undefined) {
    const dataFiles = modelOrigins.get(there)?.dataFiles.size ?? 0;
    const bytes = inputByteLength(there);
    await there.close();
    return { status: 'kept', bytes, dataFiles, unchanged: false };
  }
  const made = await makeVariant(model, path, dtype, identity, settings);
  return { status: settings.dryRun ? 'planned' : 'written', ...made };
}

/** The failure of a file; internal errors are rethrown. */
export function failureOf(path: string, cause: unknown): VariantFailure {
  const known = knownError(cause);
  if (known === undefined) throw cause;
  const { code, message, hint, where } = known;
  return { path, code, message: where.startsWith(path) ? message : `${path}: ${message}`, hint };
}
