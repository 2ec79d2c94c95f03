import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { type Bad, checkDims, checkFinite, checkKind, lined } from './checks.ts';
import { type Column, pieces, slices } from './column.ts';
import { convert } from './convert.ts';
import { layoutOf } from './layout.ts';
import { type FeedTensor, LABELS, type Sample } from './types.ts';

/** Maximum number of rows of a file. An attack states trillions of empty rows, which take no bytes. */
const MAX_ROWS: number = 1 << 27;

/** How the arrays of one file are fed. */
export interface RowOptions {
  /** The file, for errors, and its short name, for labels of samples. */
  readonly where: string;
  readonly label: string;
  /** Whether the arrays are one sample as they are. Otherwise their first axis is cut into batches. */
  readonly whole: boolean;
  readonly batch: number | undefined;
}

/** An array, its input, and its row axis. `__labels__` has no input. */
interface Fed {
  readonly input: ValueInfo | undefined;
  readonly name: string;
  readonly column: Column;
  /** If absent, every sample gets the whole array. */
  readonly axis: number | undefined;
}

/** The arrays of one file, checked against the inputs of a model, and the samples they are cut into. */
export class Rows {
  /** Rows of the file, rows that are used, and the number of rows per run. */
  readonly rows: number;
  readonly count: number;
  readonly needed: number;
  readonly #fed: readonly Fed[];
  readonly #options: RowOptions;
  readonly #whole: boolean;
  /** Whether the model requires exactly this number of rows. */
  readonly #fixed: boolean;

  /** @throws CompressError `data` naming file and input if arrays do not fit */
  constructor(columns: ReadonlyMap<string, Column>, inputs: readonly ValueInfo[], options: RowOptions) {
    this.#options = options;
    const { where } = options;
    const bad: Bad = (input, fact, hint) =>
      new CompressError('data', `${where}, input '${input}'`, fact, hint === undefined ? {} : { hint });
    const known = new Set(inputs.map((one) => one.name));
    const extra = [...columns.keys()].find((name) => !known.has(name) && name !== LABELS);
    if (extra !== undefined) {
      throw bad(extra, 'the model has no such input', `Its inputs are ${[...known].join(', ')}.`);
    }
    const given = inputs.map((input) => {
      const column = columns.get(input.name);
      if (column === undefined) throw bad(input.name, `the file has no array with this name, only ${list(columns)}`);
      checkKind(input, column, options.whole, bad);
      return { input: options.whole ? input : lined(input, column), column };
    });
    const layout = options.whole ? undefined : layoutOf(given);
    if (layout !== undefined && 'before' in layout) {
      const hint = 'If lengths differ between runs, give a folder with one file per run.';
      throw bad(layout.input.name, `has ${layout.rows} rows; the previous input has ${layout.before}`, hint);
    }
    this.#whole = layout === undefined;
    const fed: Fed[] = given.map(({ input, column }, index) => {
      const axis = layout?.axes.get(input);
      checkDims(input, column, axis, bad);
      return { input: inputs[index], name: input.name, column, axis };
    });
    // Inputs without rows form one sample.
    this.rows = layout?.rows ?? (inputs.length > 0 ? 1 : 0);
    const [first] = fed.filter((one) => one.axis !== undefined);
    if (this.rows > MAX_ROWS && first !== undefined) {
      const fact = `has ${this.rows} rows; at most ${MAX_ROWS} are read`;
      throw new CompressError('limit', `${where}, input '${first.name}'`, fact);
    }
    const labels = columns.get(LABELS);
    if (labels !== undefined) {
      if (layout !== undefined && labels.dims[0] !== this.rows)
        throw bad(LABELS, `has ${labels.dims[0] ?? 0} rows; the inputs have ${this.rows}`);
      fed.push({ input: undefined, name: LABELS, column: labels, axis: layout === undefined ? undefined : 0 });
    }
    this.#fed = fed;
    const fixed = layout?.fixed;
    this.needed = fixed ?? (layout === undefined ? 1 : (options.batch ?? 1));
    // A model with a fixed batch cannot take a partial one.
    this.#fixed = fixed !== undefined;
    this.count = this.#fixed ? this.rows - (this.rows % this.needed) : this.rows;
  }

  /** Number of samples among the first `most` rows. */
  samplesAmong(most: number): number {
    return Math.ceil(this.#usable(most) / this.needed);
  }

  /** Rows that are used of the first `most`. */
  #usable(most: number): number {
    const count = Math.min(this.count, most);
    return this.#fixed ? count - (count % this.needed) : count;
  }

  /**
   * The samples in order.
   * @param most - maximum number of rows
   * @throws CompressError `data` naming the row that holds NaN or infinity
   */
  async *samples(most: number): AsyncGenerator<Sample> {
    const { where, label } = this.#options;
    const counts = countsOf(this.#usable(most), this.needed);
    const readers = this.#fed.map(({ name, column, axis }) => {
      const own = `${where}, input '${name}'`;
      return axis === undefined ? repeated(column, own) : slices(column, axis, counts, own);
    });
    try {
      let start = 0;
      for (const own of counts) {
        const end = start + own;
        // Without a prototype, because an input may be named __proto__.
        const feeds: Record<string, FeedTensor> = Object.create(null);
        let labels: FeedTensor | undefined;
        for (const [at, reader] of readers.entries()) {
          const { input, name, column, axis } = this.#fed[at] as Fed;
          const place = `${where}, input '${name}'`;
          const dtype = input?.dtype ?? column.dtype;
          const data = convert((await reader.next()).value as ArrayBuffer, column.dtype, dtype, place);
          const cut = column.dims.map((dim, index) => (index === axis ? own : dim));
          // A one-element array may be given for a scalar.
          const dims = input?.dims?.length === 0 && data.length === 1 ? [] : cut;
          if (input === undefined) labels = { dtype, dims, data };
          else {
            checkFinite(data, { dtype, dims: cut, axis, start }, place);
            feeds[name] = { dtype, dims, data };
          }
        }
        const rows = own === 1 ? `row ${start}` : `rows ${start}-${end - 1}`;
        yield { label: this.#whole ? label : `${label}, ${rows}`, feeds, ...(labels === undefined ? {} : { labels }) };
        start = end;
      }
    } finally {
      for (const reader of readers) await reader.return(undefined);
    }
  }
}

type Pieces = AsyncGenerator<ArrayBuffer, void, void>;

/** The whole array, repeated. */
async function* repeated(column: Column, where: string): Pieces {
  const reader = pieces({ ...column, dims: [1, ...column.dims] }, [1], where);
  const { value } = await reader.next();
  await reader.return(undefined);
  while (value !== undefined) yield value.slice(0);
}

/** The rows of each sample, computed on each iteration: there may be many millions of samples. */
function countsOf(rows: number, batch: number): Iterable<number> {
  return {
    *[Symbol.iterator]() {
      for (let start = 0; start < rows; start += batch) yield Math.min(batch, rows - start);
    },
  };
}

function list(columns: ReadonlyMap<string, Column>): string {
  return [...columns.keys()].map((name) => `'${name}'`).join(', ') || 'none';
}
