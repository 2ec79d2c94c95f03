import { CompressError } from '../errors.ts';
import type { CommonValues } from '../options/common.ts';

/** What a lone `-` is in place of the model while yargs parses: it takes `-` for an empty text. No path has a NUL. */
export const DASH = '\0-';

/** Refuses standard input where a verb reads models more than once. */
export function refuseStdin(verb: string, paths: readonly string[]): void {
  if (!paths.some((path) => path === '' || path === DASH)) return;
  throw new CompressError('options', verb, 'the models must be files; standard input is not accepted');
}

/** The common values alone, of a verb that has more. */
export function commonOf(values: CommonValues): CommonValues {
  const { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report } = values;
  return { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report };
}
