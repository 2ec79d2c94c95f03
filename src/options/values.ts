import { CompressError } from '../errors.ts';
import { didYouMean } from './nearest.ts';
import type { Option, Rows, Table } from './option.ts';

/** The value given for an option: the text of a command line, or the value of a recipe or program. */
export type Given = boolean | number | string | readonly string[];

/**
 * The values of a verb's options: texts become numbers, and invalid values are refused. An option that was not given is
 * absent; `false` counts as not given.
 *
 * @throws CompressError `options`, named after the key
 * @example valuesOf(QUANTIZE, { minElements: '64', weightsOnly: false }); // { minElements: 64 }
 */
export function valuesOf<T extends object>(
  { positionals, rows, check, expand }: Table<T>,
  said: Readonly<Record<string, unknown>>,
): T {
  const given = expand?.(said) ?? said;
  const there = new Map<string, Given>();
  for (const key of Object.keys(rows)) {
    const value = given[key];
    if (value !== undefined && value !== false) there.set(key, value as Given);
  }
  refuseBoth(rows, [...there.keys()]);
  check?.(Object.fromEntries(there) as Partial<T>);
  const named = Object.keys(positionals).filter((name) => given[name] !== undefined);
  const entries = [...there].map(([key, value]) => [key, readValue(key, rowOf(rows, key), value)]);
  return Object.fromEntries([...named.map((name) => [name, given[name]]), ...entries]) as T;
}

/** The row of a known key. */
export function rowOf<T>(rows: Rows<T>, key: string): Option {
  return (rows as Readonly<Record<string, Option>>)[key] as Option;
}

/** Refuses two options if one excludes the other. */
function refuseBoth<T>(rows: Rows<T>, keys: readonly string[]): void {
  for (const key of keys) {
    const other = rowOf(rows, key).not?.find((one) => keys.includes(one));
    if (other !== undefined) throw togetherError([key, other], 'Leave out one of the two.');
  }
}

/** The error for options that cannot be used together. */
export function togetherError(keys: readonly string[], hint: string): CompressError {
  const named = keys.map((one) => `\`${one}\``).join(' and ');
  return new CompressError('options', '', `${named} cannot be used together`, { hint });
}

/** What is wrong with a value, and what to do about it. */
export interface Problem {
  readonly fact: string;
  readonly hint?: string;
}

/**
 * The value of an option, converted to a number if its kind is numeric.
 * @throws CompressError `options`
 */
export function readValue(key: string, option: Option, given: Given): unknown {
  const value = typed(option, given);
  const problem = problemOf(key, option, value, given);
  if (problem === undefined) return value;
  throw new CompressError('options', key, problem.fact, problem.hint === undefined ? {} : { hint: problem.hint });
}

/** Converts text that is a number to a number; returns everything else unchanged. */
function typed(option: Option, given: Given): Given | readonly Given[] {
  const { kind } = option;
  if (kind === 'counts')
    return [...new Set(list(String(given)))].map((one) => typed({ ...option, kind: 'count' }, one) as Given);
  if (kind === 'words') return [given].flat().flatMap((one) => list(String(one)));
  if (kind === 'patterns' || kind === 'names') return [given].flat() as readonly string[];
  const written = NUMBERS[kind];
  if (typeof given === 'number') return written === undefined ? String(given) : given;
  if (typeof given !== 'string') return given;
  if (kind === 'share') return shareOf(given) ?? given;
  const part = kind === 'amount' || kind === 'fraction' || (kind === 'number' && option.most === 1);
  if (part && given.includes('%')) return percentOf(given) ?? given;
  return written?.test(given.trim()) && !Number.isNaN(Number(given)) ? Number(given) : given;
}

/** The syntax of numeric kinds. An amount of 1.0 is ambiguous: a fraction or a number of weights. */
const NUMBERS: { readonly [kind in Option['kind']]?: RegExp } = {
  whole: /^\d+$/,
  count: /^\d+$/,
  size: /^\d+$/,
  axis: /^-?\d{1,3}$/,
  amount: /^(\d+|[^1-9]*\..*|-.*|.*e-\d+)$/,
  fraction: /./,
  number: /./,
  share: /./,
};

/** Splits `Gemm, MatMul` into a list. */
function list(text: string): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** `1%`, `0.5 %` or `0.01`. A number from 1 on is a percentage as well, because nobody allows a loss of everything. */
function shareOf(text: string): number | undefined {
  if (text.includes('%')) return percentOf(text);
  const number = DECIMAL.test(text.trim()) ? Number(text) : Number.NaN;
  if (number < 1) return number;
  return number <= 100 ? number / 100 : undefined;
}

/** `40%` as 0.4; undefined above 100%. */
function percentOf(text: string): number | undefined {
  const [, number = ''] = /^\s*(\d+\.?\d*|\.\d+)\s*%\s*$/.exec(text) ?? [];
  return number !== '' && Number(number) <= 100 ? Number(number) / 100 : undefined;
}

const DECIMAL = /^(\d+\.?\d*|\.\d+)$/;

/**
 * What is wrong with a value, in the wording that every caller uses.
 * @param given - the value as it was written
 */
export function problemOf(key: string, option: Option, value: unknown, given: unknown = value): Problem | undefined {
  const shown = shownAs(given);
  const whole = Number.isSafeInteger(value);
  switch (option.kind) {
    case 'choice':
      return option.choices.includes(value as string) ? undefined : { fact: choiceFact(shown, option.choices) };
    case 'whole':
      return whole && (value as number) >= 0 ? undefined : { fact: `${shown} is not a whole number` };
    case 'count':
      return countProblem(value, shown);
    case 'size': {
      const { sizes } = option;
      return sizes.includes(value as number) ? undefined : { fact: `${shown} is not one of ${sizes.join(', ')}` };
    }
    case 'counts': {
      const counts = value as readonly unknown[];
      if (counts.length === 0) return { fact: 'a batch size is required' };
      return counts.map((one) => countProblem(one, shownAs(one))).find((one) => one !== undefined);
    }
    case 'number': {
      const { what, most = Number.POSITIVE_INFINITY } = option;
      const fits =
        Number.isFinite(value) && (option.most === undefined || ((value as number) >= 0 && (value as number) <= most));
      return fits ? undefined : { fact: `${shown} is not ${what}` };
    }
    case 'amount':
      return amountProblem(key, option.things, value, shown);
    case 'fraction': {
      const fits = typeof value === 'number' && value > 0 && value < 1;
      return fits ? undefined : { fact: `${shown} is not a fraction between 0 and 1`, hint: option.hint };
    }
    case 'share':
      if (typeof value === 'number' && value >= 0 && value <= 1) return undefined;
      return {
        fact: `${shown} is neither a percentage nor a fraction below 1`,
        hint: `For example: \`${key}: 1%\`, or \`${key}: 0.01\`.`,
      };
    case 'axis':
      if (value === 'out' || value === 'in' || whole) return undefined;
      return { fact: `${shown} is neither out, in nor a whole number` };
    case 'pair':
      if (/^\s*\d{1,9}:\d{1,9}\s*$/.test(String(value))) return undefined;
      return {
        fact: `${shown} is not a pair N:M of whole numbers`,
        hint: `\`${key}: 2:4\` keeps 2 of every 4 weights.`,
      };
    case 'patterns':
      return (value as readonly string[]).map((one) => patternProblem(key, one)).find((one) => one !== undefined);
    case 'words':
      return (value as readonly string[]).length > 0 ? undefined : { fact: 'an operator is required' };
    default:
      return undefined;
  }
}

function shownAs(given: unknown): string {
  return typeof given === 'string' ? `'${given}'` : String(given);
}

/** `'l3' is not one of "l1", "l2". Did you mean 'l1'?` */
export function choiceFact(shown: string, choices: readonly string[]): string {
  const words = choices.map((one) => `"${one}"`).join(', ');
  const meant = didYouMean(shown.replaceAll("'", ''), choices);
  return `${shown} is not one of ${words}${meant === '' ? '' : `.${meant}`}`;
}

function countProblem(value: unknown, shown: string): Problem | undefined {
  if (!Number.isSafeInteger(value) || (value as number) < 0) return { fact: `${shown} is not a whole number` };
  return value === 0 ? { fact: 'it must be at least 1' } : undefined;
}

/** An amount as in `torch.nn.utils.prune`: 0.4 or 40% is a fraction of the weights, 5000 a number of weights. */
function amountProblem(key: string, things: string, value: unknown, shown: string): Problem | undefined {
  const many = things === 'weights' ? 5000 : 8;
  const hint =
    `Give a percentage (\`${key}: 40%\`), a fraction (\`${key}: 0.4\`) or a whole number of ${things} ` +
    `(\`${key}: ${many}\`).`;
  const number = Number(value);
  if (shown.includes('%') && number === 1) return { fact: `${shown} would leave nothing`, hint };
  if (shown.includes('%') && Number.isNaN(number)) return { fact: `${shown} is not a percentage up to 100`, hint };
  if (String(value).trim() === '' || !Number.isFinite(number)) return { fact: `${shown} is not a number`, hint };
  const bare = shown.replaceAll("'", '');
  if (number <= 0) return { fact: `${bare} would prune nothing`, hint };
  if (number < 1 || Number.isSafeInteger(value)) return undefined;
  if (!Number.isInteger(value)) return { fact: `${bare} is neither a fraction below 1 nor a whole number`, hint };
  return { fact: `${bare} exceeds the size of any tensor`, hint };
}

function patternProblem(key: string, text: string): Problem | undefined {
  try {
    new RegExp(text, 'u');
    return undefined;
  } catch (cause) {
    const fact = `'${text}' is not a regular expression: ${(cause as Error).message.replace(/^.*?: /, '')}`;
    return { fact, hint: `For example: \`${key}: "lm_head|layers\\.0\\."\`` };
  }
}

/** The two numbers of a pair, `2:4`. */
export function pairOf(text: string): readonly [keep: number, of: number] {
  const [keep, of] = text.split(':').map(Number);
  return [keep as number, of as number];
}

/** An object without its undefined members. */
export function defined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof T]?: Exclude<T[Key], undefined> };
}
