import { bytesSink } from '../../bytes/sink.ts';
import { Graph } from '../../ir/graph.ts';
import { Model } from '../../ir/model.ts';
import { attribute, createNode } from '../../ir/node.ts';
import type { Reals } from '../../kernels/products.ts';
import type { FeedTensor } from '../data/types.ts';
import { writeModel } from '../model.ts';
import { openSession, PROCESSORS, type Session } from '../runtime/session.ts';

/** The variant of {@link openGemm}. */
export interface GemmKind {
  readonly dtype: 'float32' | 'float64';
  readonly sign: 1 | -1;
  /** Whether the right factor is transposed. */
  readonly transB: boolean;
}

/**
 * A session that computes `c + sign · a · b` as `y`, for matrices of any size.
 * @throws CompressError `runtime`
 */
export async function openGemm({ dtype, sign, transB }: GemmKind): Promise<Session> {
  const value = (name: string, dims: string[]) => ({ name, dtype, dims });
  const graph = new Graph({
    name: 'product',
    inputs: [
      value('a', ['rows', 'depth']),
      value('b', transB ? ['columns', 'depth'] : ['depth', 'columns']),
      value('c', ['rows', 'columns']),
    ],
    outputs: [value('y', ['rows', 'columns'])],
    nodes: [
      createNode({
        opType: 'Gemm',
        inputs: ['a', 'b', 'c'],
        outputs: ['y'],
        attributes: [attribute.int('transB', Number(transB)), attribute.float('alpha', sign)],
      }),
    ],
  });
  const sink = bytesSink();
  await writeModel(new Model({ irVersion: 8, opsets: [{ domain: '', version: 13 }], graph }), sink);
  return openSession(sink.bytes(), { label: 'the product of matrices', spins: false, threads: PROCESSORS });
}

/** A matrix that fills an array, row-major. */
export interface Matrix {
  readonly data: Reals;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Adds a product to `into`, where it is. ONNX Runtime reads each element of its input `c` before it writes that of its
 * output, so both can be the same memory: no other is needed, and nothing is copied.
 */
export async function addGemm(session: Session, into: Matrix, left: Matrix, right: Matrix): Promise<void> {
  const c = tensorOf(into);
  await session.runInto({ a: tensorOf(left), b: tensorOf(right), c }, { y: c });
}

function tensorOf({ data, rows, columns }: Matrix): FeedTensor {
  return { dtype: data instanceof Float32Array ? 'float32' : 'float64', dims: [rows, columns], data };
}
