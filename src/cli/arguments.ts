import { CompressError } from '../errors.ts';
import type { CommonValues, SelectionValues, StoreValues } from '../options/common.ts';
import type { Pass } from '../passes/pass.ts';

/** What a lone `-` is in place of the model while yargs parses: it takes `-` for an empty text. No path has a NUL. */
export const DASH = '\0-';

/** Refuses standard input where a verb reads models more than once. */
export function refuseStdin(verb: string, paths: readonly string[]): void {
  if (!paths.some((path) => path === '' || path === DASH)) return;
  throw new CompressError('options', verb, 'models must be files; standard input is not read');
}

/** The common values alone, of a verb that has more. */
export function commonOf(values: CommonValues): CommonValues {
  const { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report } = values;
  return { model, output, force, dryRun, json, quiet, verbose, externalData, embed, report };
}

/** The pass that follows for `store`: none for dense. */
export async function storePasses({ store = 'dense' }: StoreValues): Promise<Pass[]> {
  if (store === 'dense') return [];
  return [(await import('../passes/pack/index.ts')).pack({ store, optional: true })];
}

/** The selection as the passes take it; what was not given is not there. */
export function readSelection(values: SelectionValues): {
  opTypes?: readonly string[];
  include: RegExp[];
  exclude: RegExp[];
} {
  const { opTypes, include = [], exclude = [] } = values;
  const patterns = {
    include: include.map((text) => new RegExp(text, 'u')),
    exclude: exclude.map((text) => new RegExp(text, 'u')),
  };
  return opTypes === undefined ? patterns : { ...patterns, opTypes };
}
