import { bytesSink } from '../../bytes/sink.ts';
import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { attribute, createNode } from '../../ir/node.ts';
import { addGram, addSquares } from '../../kernels/importance/gram.ts';
import { writeModel } from '../model.ts';
import { openSession, type Session } from './session.ts';

/** Rows that one multiplication in float32 sums over; sums of these are float64. */
const CHUNK = 512;

/** Narrower matrices are summed here, in float64: asking ONNX Runtime would take longer. */
const NARROW = 48;

/**
 * A session that gives `xᵀx` as `g` of a matrix `x`, of whatever size.
 * @throws CompressError `runtime`
 */
export async function openGram(): Promise<Session> {
  const graph = new Graph({
    name: 'gram',
    inputs: [{ name: 'x', dtype: 'float32', dims: ['rows', 'columns'] }],
    outputs: [{ name: 'g', dtype: 'float32', dims: ['columns', 'columns'] }],
    nodes: [
      createNode({ opType: 'Gemm', inputs: ['x', 'x'], outputs: ['g'], attributes: [attribute.int('transA', 1)] }),
    ],
  });
  const sink = bytesSink();
  await writeModel(new Model({ irVersion: 8, opsets: [{ domain: '', version: 13 }], graph }), sink);
  return openSession(sink.bytes(), { label: 'the sum of activations' });
}

/** Sums of the vectors of one group: `Σ x xᵀ`, or only its diagonal. */
export interface Sums {
  /** How many vectors were added. */
  readonly rows: number;
  /**
   * @param rows - one vector after the other; copied
   * @returns what to wait for before the next call, if anything
   */
  add(rows: Float32Array): Promise<void> | undefined;
  /** Adds what still waits. `sums` is complete then. */
  finish(): Promise<void>;
}

/** `Σ x²`. @param sums - `[columns]` to add to */
export function squareSums(sums: Float64Array, factor: number): Sums {
  const own = factor === 1 ? sums : new Float64Array(sums.length);
  let count = 0;
  return {
    get rows() {
      return count;
    },
    add(rows) {
      count += rows.length / sums.length;
      addSquares(own, rows, rows.length / sums.length, sums.length);
      return undefined;
    },
    async finish() {
      if (own !== sums) addScaled(sums, own, factor);
    },
  };
}

/** `Σ x xᵀ`. @param sums - `[columns, columns]` to add to */
export function gramSums(sums: Float64Array, columns: number, factor: number, gram: Session): Sums {
  let count = 0;
  let waiting = 0;
  const narrow = columns <= NARROW;
  const own = narrow && factor !== 1 ? new Float64Array(sums.length) : sums;
  const buffer = new Float32Array(narrow ? 0 : CHUNK * columns);
  const flush = async (): Promise<void> => {
    if (waiting === 0) return;
    const data = buffer.subarray(0, waiting * columns);
    const { g } = await gram.run({ x: { dtype: 'float32', dims: [waiting, columns], data } });
    addScaled(sums, g?.data as Float32Array, factor);
    waiting = 0;
  };
  /** Copies rows into the buffer, from the element `done` on. */
  const fill = (rows: Float32Array, done: number): Promise<void> | undefined => {
    const end = Math.min(rows.length, done + (CHUNK - waiting) * columns);
    buffer.set(rows.subarray(done, end), waiting * columns);
    waiting += (end - done) / columns;
    if (waiting < CHUNK) return undefined;
    return flush().then(() => (end < rows.length ? fill(rows, end) : undefined));
  };
  return {
    get rows() {
      return count;
    },
    add(rows) {
      const all = rows.length / columns;
      count += all;
      if (!narrow) return fill(rows, 0);
      addGram(own, rows, all, columns);
      return undefined;
    },
    async finish() {
      await flush();
      if (own !== sums) addScaled(sums, own, factor);
    },
  };
}

function addScaled(sums: Float64Array, more: Float32Array | Float64Array, factor: number): void {
  for (let index = 0; index < sums.length; index++) {
    sums[index] = (sums[index] as number) + factor * (more[index] as number);
  }
}
