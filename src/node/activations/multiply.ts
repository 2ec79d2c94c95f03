import { copyMatrix, type MatrixView, type Multiply, type Reals, whole } from '../../kernels/products.ts';
import type { Session } from '../runtime/session.ts';
import { addGemm, type GemmKind, openGemm } from './gemm.ts';

/** Elements of a matrix that are copied at a time if its rows are not contiguous. */
const COPIED: number = 2 ** 20;

/** Multiplies with ONNX Runtime, in the storage type of the matrices. Sessions are opened on first use. */
export class Multiplier {
  readonly #sessions = new Map<string, Promise<Session>>();
  /** Copies of matrices that are not contiguous. */
  readonly #rooms = {
    float32: new Rooms((length) => new Float32Array(length)),
    float64: new Rooms((length) => new Float64Array(length)),
  };

  readonly multiply: Multiply = async (product) => {
    const { into, left, right, rows, depth, columns, sign } = product;
    if (rows === 0 || columns === 0 || depth === 0) return;
    const dtype = into.data instanceof Float32Array ? 'float32' : 'float64';
    const session = await this.#session({ dtype, sign, transB: false });
    const room = this.#rooms[dtype];
    const factor = { data: room.contiguous('right', right, depth, columns), rows: depth, columns };
    const tight = isTight(into, columns) && isTight(left, depth);
    const together = tight ? rows : Math.max(1, Math.floor(COPIED / Math.max(columns, depth)));
    for (let first = 0; first < rows; first += together) {
      const count = Math.min(together, rows - first);
      const [to, from] = [below(into, first), below(left, first)];
      const made = room.contiguous('into', to, count, columns);
      const own = room.contiguous('left', from, count, depth);
      await addGemm(session, { data: made, rows: count, columns }, { data: own, rows: count, columns: depth }, factor);
      if (!isTight(to, columns)) copyMatrix(whole(made, columns), to, count, columns);
    }
  };

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await (await session).release();
  }

  #session(kind: GemmKind): Promise<Session> {
    const key = `${kind.dtype} ${kind.sign}`;
    const open = this.#sessions.get(key) ?? openGemm(kind);
    this.#sessions.set(key, open);
    return open;
  }
}

/** Memory for the matrices of a product. */
class Rooms<T extends Reals> {
  readonly #make: (length: number) => T;
  readonly #rooms: Record<'left' | 'right' | 'into', T>;

  constructor(make: (length: number) => T) {
    this.#make = make;
    this.#rooms = { left: make(0), right: make(0), into: make(0) };
  }

  contiguous(side: 'left' | 'right' | 'into', view: MatrixView, rows: number, columns: number): Reals {
    const { data, at } = view;
    if (isTight(view, columns)) return data.subarray(at, at + rows * columns);
    if (this.#rooms[side].length < rows * columns) this.#rooms[side] = this.#make(Math.max(COPIED, rows * columns));
    const room = this.#rooms[side].subarray(0, rows * columns);
    copyMatrix(view, whole(room, columns), rows, columns);
    return room;
  }
}

/** Whether the rows of a matrix are contiguous. */
function isTight({ stride }: MatrixView, columns: number): boolean {
  return stride === columns;
}

function below({ data, at, stride }: MatrixView, rows: number): MatrixView {
  return { data, at: at + rows * stride, stride };
}
