import { CompressError } from '../errors.ts';
import { didYouMean } from './nearest.ts';
import type { Option } from './option.ts';
import { choiceFact, type Problem, problemOf } from './values.ts';

/**
 * The expected value of an option of a program: an option row of the command line, a kind, or the words of a choice.
 */
export type Kind = Option | 'flag' | 'number' | 'text' | 'list' | 'object' | 'function' | 'any' | readonly string[];

/** The kind of every option: a new option without one does not compile. */
export type Shape<T> = { readonly [Key in keyof Required<T>]: Kind };

/** The options that select weights. */
export const SELECTION_SHAPE: { readonly [key in 'opTypes' | 'include' | 'exclude']: Kind } = {
  opTypes: { kind: 'names', help: '', group: '' },
  include: { kind: 'patterns', help: '', group: '' },
  exclude: { kind: 'patterns', help: '', group: '' },
};

/**
 * Refuses misspelt options and values of the wrong kind, for callers without TypeScript. The messages are those of the
 * command line.
 *
 * @param verb - the function that takes them, for errors about all of them
 * @param needed - required options
 * @throws CompressError `options`, named after the option, with a suggestion if there is one
 * @example checkShape('quantize', { weightOnly: true }, QUANTIZE_SHAPE); // quantize: there is no option 'weightOnly'.
 * Did you mean 'weightsOnly'?
 */
export function checkShape<T extends object>(
  verb: string,
  options: T,
  shape: Shape<T>,
  needed: readonly (keyof T & string)[] = [],
): void {
  const bad = (where: string, { fact, hint }: Problem): CompressError =>
    new CompressError('options', where, fact, hint === undefined ? {} : { hint });
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw bad(verb, { fact: `expects options; ${kindOf(options)} was given` });
  }
  const kinds: ReadonlyMap<string, Kind> = new Map(Object.entries(shape as Record<string, Kind>));
  for (const [key, value] of Object.entries(options)) {
    const kind = kinds.get(key);
    if (kind === undefined) {
      throw bad(verb, { fact: `there is no option '${key}'.${didYouMean(key, [...kinds.keys()])}` });
    }
    const problem = value === undefined ? undefined : mismatch(key, kind, value);
    if (problem !== undefined) throw bad(key, problem);
  }
  const missing = needed.find((key) => options[key] === undefined);
  if (missing !== undefined) throw bad(missing, { fact: 'is required' });
}

/** What is wrong with a value; undefined if nothing is wrong. */
function mismatch(key: string, kind: Kind, value: unknown): Problem | undefined {
  if (typeof kind === 'string') return otherKind(kind, value);
  if (!('kind' in kind)) return choice(kind, value);
  switch (kind.kind) {
    case 'choice':
      return choice(kind.choices, value);
    case 'flag':
      return otherKind('flag', value);
    case 'text':
    case 'file':
    case 'target':
    case 'pair':
      return otherKind('text', value);
    case 'patterns':
      return takes('a list of regular expressions', value, every(value, isPattern));
    case 'words':
    case 'names':
      return takes(
        'a list of names',
        value,
        every(value, (one) => typeof one === 'string'),
      );
    case 'counts':
      return takes('a list of numbers', value, every(value, isNumber)) ?? problemOf(key, kind, value);
    case 'axis':
      return problemOf(key, kind, value);
    default:
      return otherKind('number', value) ?? problemOf(key, kind, value);
  }
}

function choice(words: readonly string[], value: unknown): Problem | undefined {
  if (typeof value === 'string' && words.includes(value)) return undefined;
  return { fact: choiceFact(typeof value === 'string' ? `'${value}'` : kindOf(value), words) };
}

function otherKind(kind: Extract<Kind, string>, value: unknown): Problem | undefined {
  switch (kind) {
    case 'flag':
      return takes('true or false', value, typeof value === 'boolean');
    case 'number':
      return takes('a number', value, isNumber(value));
    case 'text':
      return takes('text', value, typeof value === 'string');
    case 'list':
      return takes('a list', value, Array.isArray(value));
    case 'object':
      return takes('an object', value, typeof value === 'object' && value !== null);
    case 'function':
      return takes('a function', value, typeof value === 'function');
    case 'any':
      return undefined;
  }
}

function takes(what: string, value: unknown, fits: boolean): Problem | undefined {
  return fits ? undefined : { fact: `expects ${what}; ${kindOf(value)} was given` };
}

const every = (value: unknown, test: (one: unknown) => boolean): boolean => Array.isArray(value) && value.every(test);
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isPattern = (value: unknown): boolean => typeof (value as RegExp | null)?.test === 'function';

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
