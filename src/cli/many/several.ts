import { basename, join } from 'node:path';
import { isPattern } from '../../node/files/glob.ts';
import { kindOf } from '../../node/files/kind.ts';
import { makeFolder } from '../../node/files/madeFolders.ts';
import type { CommonValues } from '../../options/common.ts';
import type { VerifyValues } from '../../options/measure.ts';
import type { RunValues } from '../../options/run.ts';
import { DASH } from '../arguments.ts';

/** The values that name models, for any verb. */
export type Named = Pick<CommonValues, 'model' | 'output' | 'dryRun'> &
  Partial<Pick<VerifyValues, 'reference' | 'other'>>;

/**
 * The values of a verb that is given one model; undefined if there are several: files, patterns, or a folder.
 * @param models - the models of the command line
 * @throws CompressError `io` if the output folder cannot be created
 */
export async function forOne<T extends Named>(values: T, models: readonly string[]): Promise<T | undefined> {
  const { reference, other } = values;
  if (reference !== undefined && other !== undefined) {
    const kinds = await Promise.all([reference, other].map(kindOf));
    if (kinds.some((one) => one !== 'folder')) return values;
    // Models that generate text together count as one.
    const { findFamily } = await import('../../node/recipes/generation/family.ts');
    return (await findFamily(reference)) === undefined ? undefined : values;
  }
  const [model] = models;
  if (models.length > 1) return undefined;
  if (model === undefined) return values;
  if (model === '' || model === DASH) return { ...values, model };
  const kind = await kindOf(model);
  if (kind === 'folder' || (kind === 'nothing' && isPattern(model))) return undefined;
  const { output, dryRun } = values;
  if (output === undefined || !(await leadsIntoFolder(output))) return { ...values, model };
  if (!dryRun) await makeFolder(output);
  return { ...values, model, output: join(output, basename(model)) };
}

/**
 * The folder of models that a recipe runs on; undefined for a single model. With --from-model, the first path is the
 * model.
 */
export async function folderOf({ recipe, model, fromModel, print }: RunValues): Promise<string | undefined> {
  const path = fromModel === undefined ? model : recipe;
  if (print || path === undefined || path === '' || path === DASH) return undefined;
  return (await kindOf(path)) === 'folder' ? path : undefined;
}

/** Whether a path is a folder, existing or to be created. */
async function leadsIntoFolder(path: string): Promise<boolean> {
  return /[/\\]$/.test(path) || (path !== '' && (await kindOf(path)) === 'folder');
}
