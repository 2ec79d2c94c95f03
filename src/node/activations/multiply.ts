import { bytesSink } from '../../bytes/sink.ts';
import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { createNode } from '../../ir/node.ts';
import type { MatrixView, Multiply, Product, Reals } from '../../kernels/products.ts';
import { writeModel } from '../model.ts';
import { openSession, type Session } from '../runtime/session.ts';
import { freeArrays } from './collect.ts';

type Precision = 'float32' | 'float64';

/**
 * A session that gives the product of two matrices as `c`.
 * @throws CompressError `runtime`
 */
async function openProduct(dtype: Precision): Promise<Session> {
  const value = (name: string, dims: string[]) => ({ name, dtype, dims });
  const graph = new Graph({
    name: 'product',
    inputs: [value('a', ['rows', 'depth']), value('b', ['depth', 'columns'])],
    outputs: [value('c', ['rows', 'columns'])],
    nodes: [createNode({ opType: 'MatMul', inputs: ['a', 'b'], outputs: ['c'] })],
  });
  const sink = bytesSink();
  await writeModel(new Model({ irVersion: 8, opsets: [{ domain: '', version: 13 }], graph }), sink);
  return openSession(sink.bytes(), { label: 'the product of matrices', spins: false });
}

/** ONNX Runtime as what multiplies, each product as its matrices are stored; sessions are opened when needed first. */
export class Multiplier {
  readonly #sessions: Partial<Record<Precision, Promise<Session>>> = {};
  /** What is not contiguous is copied to here. */
  readonly #rooms = {
    float32: new Rooms((length) => new Float32Array(length)),
    float64: new Rooms((length) => new Float64Array(length)),
  };

  readonly multiply: Multiply = async (product) => {
    const dtype = product.into.data instanceof Float32Array ? 'float32' : 'float64';
    this.#sessions[dtype] ??= openProduct(dtype);
    const session = await this.#sessions[dtype];
    const { rows, depth, columns, left, right } = product;
    if (rows * depth * columns >= LARGE) freeArrays();
    const room = this.#rooms[dtype];
    const { c } = await session.run({
      a: { dtype, dims: [rows, depth], data: room.contiguous('left', left, rows, depth) },
      b: { dtype, dims: [depth, columns], data: room.contiguous('right', right, depth, columns) },
    });
    addTo(product, c?.data as Reals);
  };

  async close(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await (await session).release();
  }
}

/** Multiplications that take so long that looking at the memory before takes no time beside them. */
const LARGE: number = 2 ** 26;

/** Room for the operands of a product. */
class Rooms<T extends Reals> {
  readonly #make: (length: number) => T;
  readonly #rooms: Record<'left' | 'right', T>;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#rooms = { left: make(0), right: make(0) };
  }

  contiguous(side: 'left' | 'right', { data, at, stride }: MatrixView, rows: number, columns: number): Reals {
    if (stride === columns) return data.subarray(at, at + rows * columns);
    if (this.#rooms[side].length < rows * columns) this.#rooms[side] = this.#make(rows * columns);
    const room = this.#rooms[side].subarray(0, rows * columns);
    for (let row = 0; row < rows; row++) {
      const from = at + row * stride;
      room.set(data.subarray(from, from + columns), row * columns);
    }
    return room;
  }
}

function addTo({ into: { data, at, stride }, rows, columns, sign }: Product, made: Reals): void {
  for (let row = 0; row < rows; row++) {
    const [start, from] = [at + row * stride, row * columns];
    if (data instanceof Float32Array) addFloats(data, start, made as Float32Array, from, columns, sign);
    else addDoubles(data, start, made as Float64Array, from, columns, sign);
  }
}

// One for each type: a loop that sees both takes half as long again.

function addFloats(
  into: Float32Array,
  to: number,
  made: Float32Array,
  from: number,
  count: number,
  sign: number,
): void {
  for (let at = 0; at < count; at++) into[to + at] = (into[to + at] as number) + sign * (made[from + at] as number);
}

function addDoubles(
  into: Float64Array,
  to: number,
  made: Float64Array,
  from: number,
  count: number,
  sign: number,
): void {
  for (let at = 0; at < count; at++) into[to + at] = (into[to + at] as number) + sign * (made[from + at] as number);
}
