import { addGram, addSquares, mirror } from '../../kernels/importance/gram.ts';
import type { Session } from '../runtime/session.ts';
import { GramPanels } from './panels.ts';

/** How much is summed in float32 before it is added to the float64 sums. */
interface Floats {
  /** Rows summed by one multiplication. */
  readonly rows: number;
  /** Multiplications whose results are summed in float32. */
  readonly times: number;
}

/** Adding in float64 takes as long as multiplying a hundred rows: negligible for few columns, too slow for many. */
const EXACT: Floats = { rows: 128, times: 1 };
const LONG: Floats = { rows: 512, times: 8 };

/** Up to this number of columns, sums are as exact as possible. */
const FEW = 256;

/** Matrices with at most this number of columns are summed here, in float64: calling ONNX Runtime would take longer. */
export const NARROW = 48;

/** Rows of these matrices that are summed together. */
const NEAR = 64;

/** Sums of the vectors of one group: `Σ x xᵀ`, or only its diagonal. */
export interface VectorSums {
  /** Number of vectors added, and the number they represent. */
  readonly rows: number;
  readonly of: number;
  /**
   * @param rows - consecutive vectors; copied
   * @param weight - number of vectors that each of them represents
   * @returns a promise to await before the next call, if necessary
   */
  add(rows: Float32Array, weight: number): Promise<void> | undefined;
  /** Adds the buffered rows. `sums` is then complete. */
  finish(): Promise<void>;
}

/** Wraps sums so that they count the vectors they are given, `columns` elements each. */
function counted(columns: number, { add, finish }: Pick<VectorSums, 'add' | 'finish'>): VectorSums {
  const sums = {
    rows: 0,
    of: 0,
    add(rows: Float32Array, weight: number): Promise<void> | undefined {
      const count = rows.length / columns;
      sums.rows += count;
      sums.of += count * weight;
      return add(rows, weight);
    },
    finish,
  };
  return sums;
}

/** `Σ x²`. @param sums - `[columns]` to add to */
export function squareSums(sums: Float64Array, factor: number): VectorSums {
  const own = factor === 1 ? sums : new Float64Array(sums.length);
  return counted(sums.length, {
    add(rows, weight) {
      addSquares(own, rows, sums.length, weight);
      return undefined;
    },
    async finish() {
      if (own !== sums) addScaled(sums, own, factor);
    },
  });
}

/** Opens a session of `openGram` on first use. */
export type VectorGram = () => Promise<Session>;

/** `Σ x xᵀ`. @param sums - returns `[columns, columns]` to add to, when it is needed */
export function gramSums(sums: () => Float64Array, columns: number, factor: number, gram: VectorGram): VectorSums {
  return columns <= NARROW ? narrowSums(sums, columns, factor) : wideSums(sums, columns, factor, gram);
}

function narrowSums(sums: () => Float64Array, columns: number, factor: number): VectorSums {
  const own = new Float64Array(columns * columns);
  return counted(columns, {
    add(rows, weight) {
      for (let at = 0; at < rows.length; at += NEAR * columns) {
        addGram(own, rows.subarray(at, at + NEAR * columns), columns, weight);
      }
      return undefined;
    },
    async finish() {
      mirror(own, columns);
      addScaled(sums(), own, factor);
    },
  });
}

function wideSums(sums: () => Float64Array, columns: number, factor: number, gram: VectorGram): VectorSums {
  const { rows: chunk, times } = columns <= FEW ? EXACT : LONG;
  let [waiting, summed] = [0, 0];
  let buffer: Float32Array | undefined;
  let panels: GramPanels | undefined;
  const add = async (rows: Float32Array): Promise<void> => {
    panels ??= new GramPanels(columns);
    await panels.add(rows, await gram());
    summed++;
    if (summed % times === 0) panels.moveTo(sums(), factor);
  };
  /** Takes rows from element `done` on: as many as are multiplied together, or fewer, which are buffered. */
  const fill = (rows: Float32Array, weight: number, done: number): Promise<void> | undefined => {
    const end = Math.min(rows.length, done + (chunk - waiting) * columns);
    const own = rows.subarray(done, end);
    const next = (): Promise<void> | undefined => (end < rows.length ? fill(rows, weight, end) : undefined);
    if (own.length === chunk * columns && weight === 1) return add(own).then(next);
    buffer ??= new Float32Array(chunk * columns);
    put(buffer, waiting * columns, own, weight);
    waiting += own.length / columns;
    if (waiting < chunk) return undefined;
    waiting = 0;
    return add(buffer).then(next);
  };
  return counted(columns, {
    add: (rows, weight) => fill(rows, weight, 0),
    async finish() {
      if (waiting > 0 && buffer !== undefined) await add(buffer.subarray(0, waiting * columns));
      waiting = 0;
      const all = sums();
      if (summed % times !== 0) panels?.moveTo(all, factor);
      panels = undefined;
      buffer = undefined;
      mirror(all, columns);
    },
  });
}

/** Copies rows, scaled so that their products are multiplied by `weight`. */
function put(buffer: Float32Array, at: number, rows: Float32Array, weight: number): void {
  buffer.set(rows, at);
  if (weight === 1) return;
  const root = Math.sqrt(weight);
  for (let index = at; index < at + rows.length; index++) buffer[index] = (buffer[index] as number) * root;
}

function addScaled(sums: Float64Array, more: Float64Array, factor: number): void {
  for (let index = 0; index < sums.length; index++) {
    sums[index] = (sums[index] as number) + factor * (more[index] as number);
  }
}
