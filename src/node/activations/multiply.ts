import { bytesSink } from '../../bytes/sink.ts';
import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { createNode } from '../../ir/node.ts';
import type { MatrixView, Multiply, Product } from '../../kernels/products.ts';
import { writeModel } from '../model.ts';
import { openSession, type Session } from '../runtime/session.ts';

/**
 * A session that gives the product of two matrices as `c`, in float64.
 * @throws CompressError `runtime`
 */
async function openProduct(): Promise<Session> {
  const value = (name: string, dims: string[]) => ({ name, dtype: 'float64' as const, dims });
  const graph = new Graph({
    name: 'product',
    inputs: [value('a', ['rows', 'depth']), value('b', ['depth', 'columns'])],
    outputs: [value('c', ['rows', 'columns'])],
    nodes: [createNode({ opType: 'MatMul', inputs: ['a', 'b'], outputs: ['c'] })],
  });
  const sink = bytesSink();
  await writeModel(new Model({ irVersion: 8, opsets: [{ domain: '', version: 13 }], graph }), sink);
  return openSession(sink.bytes(), { label: 'the product of matrices' });
}

/** ONNX Runtime as what multiplies; its session is opened when it is needed first. */
export class Multiplier {
  #session: Promise<Session> | undefined;
  /** What is not contiguous is copied to here. */
  #room: Record<'left' | 'right', Float64Array> = { left: new Float64Array(), right: new Float64Array() };

  readonly multiply: Multiply = async (product) => {
    this.#session ??= openProduct();
    const session = await this.#session;
    const { rows, depth, columns } = product;
    const a = this.#contiguous(product, 'left', rows, depth);
    const b = this.#contiguous(product, 'right', depth, columns);
    const { c } = await session.run({
      a: { dtype: 'float64', dims: [rows, depth], data: a },
      b: { dtype: 'float64', dims: [depth, columns], data: b },
    });
    addTo(product, c?.data as Float64Array);
  };

  async close(): Promise<void> {
    await (await this.#session)?.release();
  }

  #contiguous(product: Product, side: 'left' | 'right', rows: number, columns: number): Float64Array {
    const { data, at, stride }: MatrixView = product[side];
    if (stride === columns) return data.subarray(at, at + rows * columns);
    if (this.#room[side].length < rows * columns) this.#room[side] = new Float64Array(rows * columns);
    const room = this.#room[side].subarray(0, rows * columns);
    for (let row = 0; row < rows; row++) {
      const from = at + row * stride;
      room.set(data.subarray(from, from + columns), row * columns);
    }
    return room;
  }
}

function addTo({ into: { data, at, stride }, rows, columns, sign }: Product, made: Float64Array): void {
  for (let row = 0, from = 0; row < rows; row++) {
    const start = at + row * stride;
    for (let to = start; to < start + columns; to++, from++) {
      data[to] = (data[to] as number) + sign * (made[from] as number);
    }
  }
}
