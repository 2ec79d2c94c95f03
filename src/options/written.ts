import { CompressError } from '../errors.ts';
import type { Given } from './values.ts';

/**
 * Maximum bytes of an options file. It has a few hundred bytes; with the name of every layer of a large model, a few
 * hundred thousand.
 */
export const MAX_OPTIONS_BYTES: number = 1 << 20;

/**
 * Reads a JSON file with options.
 * @param where - what errors call the file
 * @param what - what it should be: `recipe`
 * @throws CompressError `options`, `limit`
 */
export function parseOptions(text: string, where: string, what: string): Record<string, unknown> {
  if (text.length > MAX_OPTIONS_BYTES) throw tooLong(where, what);
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new CompressError('options', where, `is not JSON: ${message}`, { cause, hint: `Is it a ${what}?` });
  }
  return objectOf(json, where);
}

/**
 * Checks that a JSON value is an object.
 * @throws CompressError `options`
 */
export function objectOf(json: unknown, where: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw wrong(where, `is ${shownValue(json)}; an object is needed`);
}

/**
 * The options of an object, in order. Only the kind of each value is checked, so nothing is nested deeper than a list
 * of texts; the keys may be unknown.
 * @throws CompressError `options` naming the key
 */
export function optionsIn(object: Readonly<Record<string, unknown>>, where: string): Map<string, Given> {
  return new Map(Object.entries(object).map(([key, value]) => [key, givenValue(value, where, key)]));
}

function givenValue(value: unknown, where: string, key: string): Given {
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  // JSON can hold numbers that are not finite here: 1e999.
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw wrong(where, `'${key}' is ${shownValue(value)}; true, false, a number, a text or a list of texts is needed`);
}

/** A value from a file, short enough for a message. */
export function shownValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** The error for a file that is too long. */
export function tooLong(where: string, what: string): CompressError {
  return new CompressError('limit', where, `is longer than ${MAX_OPTIONS_BYTES} bytes, the limit for a ${what}`);
}

/** The error for a value that is not allowed there. */
export function wrong(where: string, fact: string, hint?: string): CompressError {
  return new CompressError('options', where, fact, hint === undefined ? {} : { hint });
}
