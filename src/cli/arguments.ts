import { CompressError } from '../errors.ts';
import type { CommonValues } from '../options/common.ts';

/** Stands for a lone `-` as the model while yargs parses, which turns `-` into an empty text. No path contains NUL. */
export const DASH = '\0-';

/** Refuses standard input for verbs that read their models more than once. */
export function refuseStdin(verb: string, paths: readonly string[]): void {
  if (!paths.some((path) => path === '' || path === DASH)) return;
  throw new CompressError('options', verb, 'the models must be files; standard input is not accepted');
}

/** The common values, without those of a particular verb. */
export function commonOf(values: CommonValues): CommonValues {
  const { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report } = values;
  return { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report };
}
