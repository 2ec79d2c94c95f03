import { CompressError } from '../errors.ts';
import type { CommonValues } from '../options/common.ts';
import type { Option } from '../options/option.ts';

/** Stands for a lone `-` as the model while yargs parses, which turns `-` into an empty text. No path contains NUL. */
export const DASH = '\0-';

/**
 * Splits a value from the letter of its option, as in `-osmall.onnx` and `-fosmall.onnx`: yargs would read the value as
 * more letters. Every other argument stays as it is.
 * @param options - options of the verb
 * @example splitAttached('-osmall.onnx', options); // ['-o', 'small.onnx']
 */
export function splitAttached(argument: string, options: readonly Option[]): string[] {
  for (let end = 2; /^-[a-z]/i.test(argument) && end < argument.length; end++) {
    const option = options.find((one) => one.alias === argument[end - 1]);
    if (option === undefined) break;
    if (option.kind !== 'flag') return [argument.slice(0, end), argument.slice(end).replace(/^=/, '')];
  }
  return [argument];
}

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
