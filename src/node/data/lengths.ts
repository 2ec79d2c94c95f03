import type { ValueInfo } from '../../ir/graph.ts';
import { rowNames } from './axes.ts';
import { type Expression, parseDim } from './expression.ts';

/** A length for each group of open dimensions; a group without one gets the usual length of `OpenDims`. */
export type Lengths = ReadonlyMap<string, number>;

/** Default length of an open dim. */
const USUAL = 32;

/**
 * Inputs next to a past that are as long as past and present together: `total_sequence_length`, next to
 * `past_sequence_length`.
 */
const TOTAL = /total|full/i;
const PAST = /past|cache/i;
const TOTAL_GROUP = 'total';
/** Among several names, the one that continues after the past. */
const SEQUENCE = /seq|len/i;

/**
 * The open dims of a model's inputs. Dims with the same name have the same length in all inputs, and a name that is a
 * sum has the sum of the lengths. First dims count rows, and so do other dims with their names.
 *
 * Names that occur in the same inputs form one group, as height and width do. Dims without a name form one group for
 * inputs that look the same, as the caches of a decoder's layers do.
 */
export class OpenDims {
  readonly #rows: ReadonlySet<string>;
  readonly #parsed = new Map<string, Expression>();
  /** The group of each name. */
  readonly #groupOf = new Map<string, string>();
  readonly #groups = new Set<string>();
  /** Groups whose length follows from others, unless a length is given. */
  readonly #derived = new Set([TOTAL_GROUP]);
  readonly #total: { readonly name: string; readonly parts: readonly (string | number)[] } | undefined;

  constructor(inputs: readonly ValueInfo[]) {
    this.#rows = rowNames(inputs);
    const places = new Map<string, number[]>();
    inputs.forEach((input, index) => {
      input.dims?.forEach((dim, axis) => {
        if (typeof dim === 'string') this.#parsed.set(dim, parseDim(dim));
        else if (dim === undefined && axis > 0) {
          this.#groups.add(looksOf(input));
          if (hasInnerRows(input, inputs)) this.#derived.add(looksOf(input));
        }
        if (typeof dim !== 'string' || (axis === 0 && this.#isRows(dim))) return;
        for (const name of this.#parsed.get(dim)?.names ?? []) places.set(name, [...(places.get(name) ?? []), index]);
      });
    });
    const names = [...places.keys()].filter((name) => !this.#rows.has(name));
    this.#total = totalOf(inputs, names);
    for (const name of names) {
      const group = name === this.#total?.name ? TOTAL_GROUP : [...new Set(places.get(name))].join();
      this.#groupOf.set(name, group);
      this.#groups.add(group);
    }
  }

  /** Groups whose lengths can be chosen independently. */
  get groups(): readonly string[] {
    return [...this.#groups];
  }

  /** The same length for all groups, except for lengths that follow from others. */
  alike(length: number): Lengths {
    return new Map(this.groups.filter((one) => !this.#derived.has(one)).map((one) => [one, length]));
  }

  /** The dims of an input, given a number of rows and lengths of groups. */
  dims(input: ValueInfo, rows: number, lengths: Lengths): number[] {
    return (input.dims ?? []).map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      if (axis === 0 && (dim === undefined || this.#isRows(dim))) return rows;
      if (dim === undefined) {
        const group = looksOf(input);
        return lengths.get(group) ?? (this.#derived.has(group) ? rows : USUAL);
      }
      return this.#parsed.get(dim)?.valueOf((name) => this.#lengthOf(name, rows, lengths)) ?? USUAL;
    });
  }

  #lengthOf(name: string, rows: number, lengths: Lengths): number {
    if (this.#rows.has(name)) return rows;
    const chosen = lengths.get(this.#groupOf.get(name) ?? '');
    if (name !== this.#total?.name || chosen !== undefined) return chosen ?? USUAL;
    const parts = this.#total.parts.map((one) => (typeof one === 'number' ? one : this.#lengthOf(one, rows, lengths)));
    return parts.reduce((sum, one) => sum + one, 0);
  }

  /** Whether a first dim counts rows, and is not computed from another count. */
  #isRows(dim: string): boolean {
    const { names = [] } = this.#parsed.get(dim) ?? {};
    return !names.some((name) => name !== dim && this.#rows.has(name));
  }
}

/**
 * Whether the only open axis of an input comes after a fixed one, in a model with open rows: a state `[layers, ?,
 * width]`.
 */
function hasInnerRows({ dims = [] }: ValueInfo, inputs: readonly ValueInfo[]): boolean {
  const open = dims.filter((dim) => typeof dim !== 'number').length;
  return (
    typeof dims[0] === 'number' && open === 1 && inputs.some((one) => one.dims?.length && one.dims[0] === undefined)
  );
}

/** A key for inputs of the same type and dims whose names differ only in numbers, or in key and value of a cache. */
function looksOf({ name, dtype, dims }: ValueInfo): string {
  const stem = name.replace(/\d+/g, '').replace(/(key|value|k|v)s?$/i, '');
  return `${stem} ${dtype} ${dims?.map((dim) => dim ?? '?').join()}`;
}

function totalOf(
  inputs: readonly ValueInfo[],
  names: readonly string[],
): { readonly name: string; readonly parts: readonly (string | number)[] } | undefined {
  const [total, ...totals] = names.filter((one) => TOTAL.test(one));
  const [past, ...pasts] = names.filter((one) => PAST.test(one) && one !== total);
  if (total === undefined || past === undefined || totals.length + pasts.length > 0) return undefined;
  const others = names.filter((one) => one !== total && one !== past);
  const next = others.find((one) => SEQUENCE.test(one)) ?? others[0];
  // A decoder that is fed one token at a time fixes the length of its ids.
  const ids = inputs.find(({ dims }) => dims?.length === 2 && typeof dims[1] === 'number')?.dims?.[1];
  const more = next ?? (typeof ids === 'number' ? ids : undefined);
  return more === undefined ? undefined : { name: total, parts: [past, more] };
}
