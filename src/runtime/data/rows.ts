import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { type Column, pieces } from './column.ts';
import { canConvert, convert } from './convert.ts';
import { type FeedData, type FeedTensor, LABELS, type Sample } from './types.ts';

/** Rows of a file. An attack says trillions of rows without elements, which take no bytes. */
const MAX_ROWS: number = 1 << 27;

/** How the arrays of one file are fed. */
export interface RowOptions {
  /** The file, for errors, and its short name, for labels of samples. */
  readonly where: string;
  readonly label: string;
  /** Whether the arrays are one sample as they stand. Otherwise their first axis is cut into batches. */
  readonly whole: boolean;
  readonly batch: number | undefined;
}

/** An array and the input it is for; `__labels__` is for none. */
type Fed = readonly [input: ValueInfo | undefined, name: string, column: Column];

/** The arrays of one file, checked against the inputs of a model, and the samples they are cut into. */
export class Rows {
  /** Rows of the file, those of them that are fed, and how many the model takes at once at least. */
  readonly rows: number;
  readonly count: number;
  readonly needed: number;
  readonly #columns: readonly Fed[];
  readonly #options: RowOptions;
  readonly #batch: number;
  /** Whether the model takes so many rows and no others. */
  readonly #fixed: boolean;

  /** @throws CompressError `data` naming file and input where arrays do not fit */
  constructor(columns: ReadonlyMap<string, Column>, inputs: readonly ValueInfo[], options: RowOptions) {
    this.#options = options;
    const { where, whole, batch } = options;
    const bad = (input: string, fact: string, hint?: string): CompressError =>
      new CompressError('data', `${where}, input '${input}'`, fact, hint === undefined ? {} : { hint });
    const known = new Set(inputs.map((one) => one.name));
    const extra = [...columns.keys()].find((name) => !known.has(name) && name !== LABELS);
    if (extra !== undefined) {
      throw bad(extra, 'the model has no such input', `Its inputs are ${[...known].join(', ')}.`);
    }
    let rows: number | undefined;
    const found: Fed[] = [];
    for (const input of inputs) {
      const column = columns.get(input.name);
      if (column === undefined) throw bad(input.name, `the file has no array of this name, only ${list(columns)}`);
      checkColumn(input, column, whole, (fact, hint) => bad(input.name, fact, hint));
      found.push([input, input.name, column]);
      if (isScalar(column, whole)) continue;
      const own = whole ? 1 : (column.dims[0] as number);
      if (own > MAX_ROWS) {
        throw new CompressError(
          'limit',
          `${where}, input '${input.name}'`,
          `has ${own} rows; at most ${MAX_ROWS} are read`,
        );
      }
      if (rows !== undefined && own !== rows) throw bad(input.name, `has ${own} rows; the input before has ${rows}`);
      rows = own;
    }
    // Scalars alone are one sample.
    if (inputs.length > 0) rows ??= 1;
    const labels = columns.get(LABELS);
    if (labels !== undefined) {
      if (!whole && labels.dims[0] !== rows)
        throw bad(LABELS, `has ${labels.dims[0] ?? 0} rows; the inputs have ${rows}`);
      found.push([undefined, LABELS, labels]);
    }
    const fixed = whole ? undefined : inputs.map((one) => one.dims?.[0]).find((dim) => typeof dim === 'number');
    this.#columns = found;
    this.#batch = whole ? 1 : typeof fixed === 'number' ? fixed : (batch ?? 1);
    this.rows = rows ?? 0;
    this.needed = this.#batch;
    // A model that fixes its batch cannot take a rest.
    this.#fixed = typeof fixed === 'number';
    this.count = this.#fixed ? this.rows - (this.rows % this.#batch) : this.rows;
  }

  /**
   * The samples in order.
   * @param most - at most so many rows
   * @throws CompressError `data` naming the row that holds NaN or infinity
   */
  async *samples(most: number): AsyncGenerator<Sample> {
    const { where, label, whole } = this.#options;
    const count = Math.min(this.count, most);
    const usable = this.#fixed ? count - (count % this.#batch) : count;
    const counts = countsOf(usable, this.#batch);
    const readers = this.#columns.map(([, name, column]) => {
      const own = `${where}, input '${name}'`;
      if (isScalar(column, whole)) return repeated(pieces({ ...column, dims: [1] }, [1], own));
      return pieces(whole ? { ...column, dims: [1, ...column.dims] } : column, counts, own);
    });
    try {
      let start = 0;
      for (const own of counts) {
        const end = start + own;
        // Without a prototype: an input may be called __proto__.
        const feeds: Record<string, FeedTensor> = Object.create(null);
        let labels: FeedTensor | undefined;
        for (const [at, reader] of readers.entries()) {
          const [input, name, column] = this.#columns[at] as Fed;
          const dims = whole || isScalar(column, whole) ? column.dims : [own, ...column.dims.slice(1)];
          const place = `${where}, input '${name}'`;
          const dtype = input?.dtype ?? column.dtype;
          const data = convert((await reader.next()).value as ArrayBuffer, column.dtype, dtype, place);
          if (input === undefined) labels = { dtype, dims, data };
          else {
            checkFinite(data, dtype, own, start, place);
            feeds[name] = { dtype, dims, data };
          }
        }
        const rows = own === 1 ? `row ${start}` : `rows ${start}-${end - 1}`;
        yield { label: whole ? label : `${label}, ${rows}`, feeds, ...(labels === undefined ? {} : { labels }) };
        start = end;
      }
    } finally {
      for (const reader of readers) await reader.return(undefined);
    }
  }
}

/** An array without axes has no rows to cut: every sample gets the same. */
function isScalar({ dims }: Column, whole: boolean): boolean {
  return !whole && dims.length === 0;
}

/** The first piece again and again. */
async function* repeated(reader: AsyncGenerator<ArrayBuffer, void, void>): AsyncGenerator<ArrayBuffer, void, void> {
  const { value } = await reader.next();
  await reader.return();
  while (value !== undefined) yield value.slice(0);
}

/** Rows of each sample, counted anew each time they are iterated: there may be many millions. */
function countsOf(rows: number, batch: number): Iterable<number> {
  return {
    *[Symbol.iterator]() {
      for (let start = 0; start < rows; start += batch) yield Math.min(batch, rows - start);
    },
  };
}

type Bad = (fact: string, hint?: string) => CompressError;

function checkColumn(input: ValueInfo, { dtype, dims }: Column, whole: boolean, bad: Bad): void {
  const possible = canConvert(dtype, input.dtype);
  if (possible !== true) throw bad(`has ${dtype} elements; the model takes ${input.dtype}`, possible);
  const wanted = input.dims;
  // ONNX Runtime tells no scalar from an unknown rank.
  const anyRank = wanted === undefined || (wanted.length === 0 && (whole || dims.length === 0));
  if (!anyRank && wanted.length !== dims.length) {
    throw bad(`has the shape [${dims.join(', ')}]; the model takes [${(wanted ?? ['rows']).map(String).join(', ')}]`);
  }
  if (anyRank) return;
  const axis = wanted.findIndex(
    (dim, index) => index > (whole ? -1 : 0) && typeof dim === 'number' && dim !== dims[index],
  );
  if (axis >= 0) throw bad(`has ${dims[axis]} on axis ${axis}; the model takes ${String(wanted[axis])}`);
}

function checkFinite(data: FeedData, dtype: string, rows: number, start: number, where: string): void {
  if (dtype !== 'float32' && dtype !== 'float64') return;
  const values = data as Float32Array;
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const row = start + Math.floor(at / (values.length / rows));
  throw new CompressError('data', where, `row ${row} holds ${Number.isNaN(values[at]) ? 'NaN' : 'infinity'}`);
}

function list(columns: ReadonlyMap<string, Column>): string {
  return [...columns.keys()].map((name) => `'${name}'`).join(', ') || 'none';
}
