import { CompressError } from '../errors.ts';
import { didYouMean } from './nearest.ts';

/** What an option takes: a list of words is a choice of one of them. */
export type Kind = 'flag' | 'number' | 'patterns' | 'names' | 'list' | 'object' | 'any' | readonly string[];

/** The kind of every option: a new option without one does not compile. */
export type Shape<T> = { readonly [Key in keyof Required<T>]: Kind };

/**
 * Refuses options that a caller misspelt, or whose values are of another kind: TypeScript does it for those who use it.
 *
 * @param verb - the function that takes them, for errors about all of them
 * @throws CompressError `options`, named after the option, with what was meant where that can be told
 * @example
 * checkShape('quantize', { weightOnly: true }, QUANTIZE_SHAPE);
 * // quantize: there is no option 'weightOnly'. Did you mean 'weightsOnly'?
 */
export function checkShape<T extends object>(verb: string, options: T, shape: Shape<T>): void {
  const bad = (where: string, fact: string): CompressError => new CompressError('options', where, fact);
  if (typeof options !== 'object' || options === null) throw bad(verb, `takes options; ${kindOf(options)} was given`);
  const kinds: ReadonlyMap<string, Kind> = new Map(Object.entries(shape as Record<string, Kind>));
  for (const [key, value] of Object.entries(options)) {
    const kind = kinds.get(key);
    if (kind === undefined) throw bad(verb, `there is no option '${key}'.${didYouMean(key, [...kinds.keys()])}`);
    if (value === undefined) continue;
    const wanted = mismatch(kind, value);
    if (wanted !== undefined) throw bad(key, wanted);
  }
}

/** What is wrong with a value; undefined where nothing is. */
function mismatch(kind: Kind, value: unknown): string | undefined {
  const takes = (what: string, fits: boolean): string | undefined =>
    fits ? undefined : `takes ${what}; ${kindOf(value)} was given`;
  if (typeof kind === 'object') {
    if (typeof value === 'string' && kind.includes(value)) return undefined;
    const given = typeof value === 'string' ? `'${value}'` : kindOf(value);
    return `${given} is none of ${kind.join(', ')}.${typeof value === 'string' ? didYouMean(value, kind) : ''}`;
  }
  const every = (test: (one: unknown) => boolean): boolean => Array.isArray(value) && value.every(test);
  switch (kind) {
    case 'flag':
      return takes('true or false', typeof value === 'boolean');
    case 'number':
      return takes('a number', typeof value === 'number');
    case 'names':
      return takes(
        'a list of names',
        every((one) => typeof one === 'string'),
      );
    case 'patterns':
      return takes(
        'a list of regular expressions',
        every((one) => typeof (one as RegExp | null)?.test === 'function'),
      );
    case 'list':
      return takes('a list', Array.isArray(value));
    case 'object':
      return takes('an object', typeof value === 'object' && value !== null);
    case 'any':
      return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${plural(value[0])}`;
  if (value instanceof RegExp) return 'a regular expression';
  const kind = typeof value;
  return kind === 'object' ? 'an object' : `a ${kind}`;
}

function plural(value: unknown): string {
  return value instanceof RegExp ? 'regular expressions' : `${typeof value}s`;
}
