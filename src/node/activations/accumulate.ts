import { addGram, addSquares, mirror } from '../../kernels/importance/gram.ts';
import type { Session } from '../runtime/session.ts';
import { GramPanels } from './panels.ts';

/** How far sums go in float32, before they are added to others in float64. */
interface Floats {
  /** Rows that one multiplication sums over. */
  readonly rows: number;
  /** Multiplications whose results are added up. */
  readonly times: number;
}

/** Adding in float64 takes as long as multiplying a hundred rows: nothing for few columns, too long for many. */
const EXACT: Floats = { rows: 128, times: 1 };
const LONG: Floats = { rows: 512, times: 8 };

/** Columns up to which sums are as exact as can be. */
const FEW = 256;

/** Matrices of so many columns at most are summed here, in float64: asking ONNX Runtime would take longer. */
export const NARROW = 48;

/** Rows of them that are summed together. */
const NEAR = 64;

/** Sums of the vectors of one group: `Σ x xᵀ`, or only its diagonal. */
export interface VectorSums {
  /** How many vectors were added, and how many they stand for. */
  readonly rows: number;
  readonly of: number;
  /**
   * @param rows - one vector after the other; copied
   * @param weight - how many each of them stands for
   * @returns what to wait for before the next call, if anything
   */
  add(rows: Float32Array, weight: number): Promise<void> | undefined;
  /** Adds what still waits. `sums` is complete then. */
  finish(): Promise<void>;
}

/** Sums that count the vectors of so many columns that they are given. */
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

/** A session of `openGram` that is opened when it is needed first. */
export type VectorGram = () => Promise<Session>;

/** `Σ x xᵀ`. @param sums - gives `[columns, columns]` to add to, once it is needed */
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
  /** Takes rows from the element `done` on: as many as are multiplied together, or copies what waits for more. */
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

/** Copies rows so that their products are `weight` times those of what is copied. */
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
