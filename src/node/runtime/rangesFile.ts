import type { ActivationRange, ActivationRanges, ProductSignal, ProductSignals } from '../../activations/ranges.ts';
import { CompressError } from '../../errors.ts';
import { readJson } from '../data/jsonFile.ts';
import { writeTextFile } from '../files/textFile.ts';

/** How ranges were measured; stored with them in their file. */
export interface RangesMeta {
  /** The observer that chose them. */
  readonly observer: string;
  /** Number of samples that were run. */
  readonly samples: number;
  /** Signal-to-noise ratios of products; older files do not have them. */
  readonly products?: ProductSignals;
}

/** The content of a ranges file. */
export interface SavedRanges extends RangesMeta {
  readonly ranges: ActivationRanges;
  readonly products: ProductSignals;
}

/** The only version of the format. */
const VERSION = 1;

/** Maximum bytes. A range takes some 200 and a large model has thousands; an attack fills the memory. */
const MAX_RANGES_BYTES: number = 1 << 26;

/** Numbers that older files do not have. */
const LATER_FIELDS = ['elements'] as const;
const FIELDS = ['min', 'max', 'observedMin', 'observedMax', 'power', 'clipError', 'zeros'] as const;
/** Optional lists with a number per channel. */
const CHANNEL_FIELDS = ['channelMeans', 'channelPowers', 'channelPeaks'] as const;

/** Numbers of a product, in dB. */
const PRODUCT_FIELDS = ['integers', 'stored', 'low'] as const;

/**
 * Writes ranges as JSON, `{ version: 1, observer, samples, values: { name: { min, max, … } }, products: { name: {
 * integers, stored, low } } }`. The file appears only when it is complete.
 * @throws CompressError `exists` if the file exists and `overwrite` is not set, `io`
 */
export async function saveRanges(
  path: string,
  ranges: ActivationRanges,
  { observer, samples, products }: RangesMeta,
  options: { readonly overwrite?: boolean } = {},
): Promise<void> {
  const values = Object.fromEntries([...ranges].map(([name, range]) => [name, plain(range)]));
  const all = { version: VERSION, observer, samples, values, products: products && Object.fromEntries(products) };
  const text = `${JSON.stringify(all, undefined, 2)}\n`;
  await writeTextFile(path, text, options);
}

/** Only the fields of a range, in order; JSON omits undefined ones. */
function plain(range: ActivationRange): Record<string, number | readonly number[] | undefined> {
  return Object.fromEntries([...FIELDS, ...LATER_FIELDS, ...CHANNEL_FIELDS].map((field) => [field, range[field]]));
}

/**
 * Reads a file that {@link saveRanges} wrote or a person edited; anything else is refused.
 * @throws CompressError `data` that names the file and the invalid value; `limit`, `io`
 */
export async function loadRanges(path: string): Promise<SavedRanges> {
  const content = await readJson(
    path,
    MAX_RANGES_BYTES,
    (size) => new CompressError('limit', path, `has ${size} bytes; a ranges file has at most ${MAX_RANGES_BYTES}`),
    (cause) => new CompressError('data', path, 'is not JSON', { hint: RANGES_HINT, cause }),
  );
  const { version, observer, samples, values, products = {}, ...others } = objectOf(content, path);
  if (version !== VERSION) throw wrong(path, `version is ${shown(version)}; it must be ${VERSION}`);
  noOthers(others, path);
  if (typeof observer !== 'string') throw wrong(path, `observer is ${shown(observer)}; it must be a string`);
  if (typeof samples !== 'number' || !Number.isSafeInteger(samples) || samples < 0) {
    throw wrong(path, `samples is ${shown(samples)}; it must be a non-negative integer`);
  }
  const entries = Object.entries(objectOf(values, path, 'values')).map(([name, value]) => {
    return [name, rangeOf(value, `${path}, ${shown(name)}`)] as const;
  });
  const signals = Object.entries(objectOf(products, path, 'products')).map(([name, value]) => {
    return [name, productOf(value, `${path}, ${shown(name)}`)] as const;
  });
  return { ranges: new Map(entries), products: new Map(signals), observer, samples: unsigned(samples) };
}

function productOf(value: unknown, where: string): ProductSignal {
  const given = objectOf(value, where);
  checkFields(given, PRODUCT_FIELDS, where);
  for (const [field, one] of Object.entries(given)) checkNumber(one, field, where);
  return given;
}

function checkFields(given: Record<string, unknown>, known: readonly string[], where: string): void {
  noOthers(Object.fromEntries(Object.entries(given).filter(([field]) => !known.includes(field))), where);
}

function checkNumber(value: unknown, field: string, where: string): void {
  if (typeof value === 'number' && Number.isFinite(value)) return;
  throw wrong(where, `${field} is ${shown(value)}; it must be a finite number`);
}

function rangeOf(value: unknown, where: string): ActivationRange {
  const given = objectOf(value, where);
  checkFields(given, [...FIELDS, ...LATER_FIELDS, ...CHANNEL_FIELDS], where);
  const present = [...FIELDS, ...LATER_FIELDS.filter((field) => given[field] !== undefined)];
  for (const field of present) checkNumber(given[field], field, where);
  const lists = CHANNEL_FIELDS.filter((field) => given[field] !== undefined);
  for (const field of lists) {
    const list = given[field];
    if (!(Array.isArray(list) && list.every(Number.isFinite))) {
      throw wrong(where, `${field} is ${shown(list)}; it must be a list of finite numbers`);
    }
    if (field === 'channelMeans' || list.every((one) => one >= 0)) continue;
    throw wrong(where, `${field} is ${shown(list)}; none of them may be negative`);
  }
  const numbers = present.map((field) => [field, unsigned(given[field] as number)]);
  const channels = lists.map((field) => [field, (given[field] as number[]).map(unsigned)]);
  const range = Object.fromEntries([...numbers, ...channels]) as ActivationRange;
  if (range.min > 0) throw wrong(where, `min is ${range.min}; it must be at most 0`);
  if (range.max < 0) throw wrong(where, `max is ${range.max}; it must be at least 0`);
  if (range.observedMin > range.observedMax) throw wrong(where, 'observedMin is above observedMax');
  if ((range.elements ?? 1) < 0) throw wrong(where, `elements is ${range.elements}; it must be at least 0`);
  if (range.power < 0) throw wrong(where, `power is ${range.power}; it must be at least 0`);
  if (range.clipError < 0) throw wrong(where, `clipError is ${range.clipError}; it must be at least 0`);
  if (range.zeros < 0 || range.zeros > 1) throw wrong(where, `zeros is ${range.zeros}; it must be from 0 to 1`);
  return range;
}

/** Replaces −0 by 0: JSON can be read with −0, but not written. */
function unsigned(value: number): number {
  return value === 0 ? 0 : value;
}

function objectOf(value: unknown, where: string, field?: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw wrong(where, `${field === undefined ? 'holds' : `${field} is`} ${shown(value)}; it must be an object`);
}

function noOthers(others: Record<string, unknown>, where: string): void {
  const [first] = Object.keys(others);
  if (first !== undefined) throw wrong(where, `has an unknown field ${shown(first)}`);
}

/** A JSON value for an error; a missing field is undefined. */
function shown(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const RANGES_HINT = '`saveRanges` writes such files.';

function wrong(where: string, fact: string): CompressError {
  return new CompressError('data', where, fact, { hint: RANGES_HINT });
}
