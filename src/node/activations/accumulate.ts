import { bytesSink } from '../../bytes/sink.ts';
import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { attribute, createNode } from '../../ir/node.ts';
import { addGram, addSquares, mirror } from '../../kernels/importance/gram.ts';
import { writeModel } from '../model.ts';
import { openSession, type Session } from '../runtime/session.ts';

/** Rows that one multiplication in float32 sums over; sums of these are float64. */
const CHUNK = 512;

/** Matrices of so many columns at most are summed here, in float64: asking ONNX Runtime would take longer. */
export const NARROW = 48;

/** Rows of them that are summed together. */
const NEAR = 64;

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
  return openSession(sink.bytes(), { label: 'the sum of activations', spins: false });
}

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

/** A session of {@link openGram} that is opened when it is needed first. */
export type VectorGram = () => Promise<Session>;

/** `Σ x xᵀ`. @param sums - `[columns, columns]` to add to */
export function gramSums(sums: Float64Array, columns: number, factor: number, gram: VectorGram): VectorSums {
  return columns <= NARROW ? narrowSums(sums, columns, factor) : wideSums(sums, columns, factor, gram);
}

function narrowSums(sums: Float64Array, columns: number, factor: number): VectorSums {
  const own = new Float64Array(sums.length);
  return counted(columns, {
    add(rows, weight) {
      for (let at = 0; at < rows.length; at += NEAR * columns) {
        addGram(own, rows.subarray(at, at + NEAR * columns), columns, weight);
      }
      return undefined;
    },
    async finish() {
      mirror(own, columns);
      addScaled(sums, own, factor);
    },
  });
}

function wideSums(sums: Float64Array, columns: number, factor: number, gram: VectorGram): VectorSums {
  let waiting = 0;
  const buffer = new Float32Array(CHUNK * columns);
  const flush = async (): Promise<void> => {
    if (waiting === 0) return;
    const data = buffer.subarray(0, waiting * columns);
    const session = await gram();
    const { g } = await session.run({ x: { dtype: 'float32', dims: [waiting, columns], data } });
    addUpper(sums, g?.data as Float32Array, columns, factor);
    waiting = 0;
  };
  /** Copies rows into the buffer, from the element `done` on. */
  const fill = (rows: Float32Array, weight: number, done: number): Promise<void> | undefined => {
    const end = Math.min(rows.length, done + (CHUNK - waiting) * columns);
    put(buffer, waiting * columns, rows.subarray(done, end), weight);
    waiting += (end - done) / columns;
    if (waiting < CHUNK) return undefined;
    return flush().then(() => (end < rows.length ? fill(rows, weight, end) : undefined));
  };
  return counted(columns, {
    add: (rows, weight) => fill(rows, weight, 0),
    async finish() {
      await flush();
      mirror(sums, columns);
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

/** What is right of the diagonal, and the diagonal: the rest is the same. */
function addUpper(sums: Float64Array, more: Float32Array, columns: number, factor: number): void {
  for (let row = 0; row < columns; row++) {
    const end = (row + 1) * columns;
    for (let at = row * (columns + 1); at < end; at++) {
      sums[at] = (sums[at] as number) + factor * (more[at] as number);
    }
  }
}

function addScaled(sums: Float64Array, more: Float64Array, factor: number): void {
  for (let index = 0; index < sums.length; index++) {
    sums[index] = (sums[index] as number) + factor * (more[index] as number);
  }
}
