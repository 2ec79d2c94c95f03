import { type DType, isFloat } from '../ir/dtype.ts';
import type { Constant, Graph } from '../ir/graph.ts';
import { intAttribute, intsAttribute, isOp, type Node } from '../ir/node.ts';
import { RESHAPES } from '../ir/reshapes.ts';

/** The path of a weight to the node that uses it. */
export interface Path {
  /** Nodes between, the one next to the user first. */
  readonly via: readonly Node[];
  /** Whether these transpose a matrix. */
  readonly transposed: boolean;
  /** Whether one of these changes its dims. */
  readonly reshaped: boolean;
  /** Element type at the user, after all Casts. */
  readonly dtype: DType;
}

/** The origin of a value: a weight of the model, or, if absent, an argument of the function's call. */
export interface Trace extends Path {
  readonly held: Constant | undefined;
  readonly graph: Graph;
  readonly name: string;
}

/** Longest chain followed: a graph may be cyclic. */
export const MAX_VIA = 8;

/** What {@link traceBack} follows. */
export const PASSED: readonly string[] = ['Identity', 'Cast', 'Transpose', ...RESHAPES];

/**
 * Follows a value back through Identity, Cast between float types, Transpose of a matrix, and nodes that change its
 * dims.
 * @returns undefined if another node makes it
 */
export function traceBack(graph: Graph, value: string): Trace | undefined {
  const via: Node[] = [];
  let name = value;
  for (let scope = graph; ; ) {
    const held = scope.constant(name);
    if (held !== undefined) return along(scope, name, held, via);
    while (scope.parent !== undefined && !scope.defines(name)) scope = scope.parent;
    const producer = scope.producer(name);
    if (producer === undefined || isAttribute(producer)) {
      const plain = { held: undefined, via, transposed: false, reshaped: false, dtype: 'float32' } as const;
      return scope.kind === 'function' ? { graph: scope, name, ...plain } : undefined;
    }
    if (via.length >= MAX_VIA || !PASSED.some((opType) => isOp(producer, opType))) return undefined;
    via.push(producer);
    name = producer.inputs[0] ?? '';
  }
}

/** Whether a node is a Constant whose value is an attribute of the call of its function. */
export function isAttribute(node: Node | undefined): boolean {
  return node !== undefined && isOp(node, 'Constant') && node.attributes.some((one) => one.type === 'reference');
}

/** The effect of the nodes on the path of a weight. */
function along(graph: Graph, name: string, held: Constant, via: readonly Node[]): Trace | undefined {
  let [transposed, reshaped] = [false, false];
  let { dtype } = held.tensor;
  for (const node of [...via].reverse()) {
    if (node.opType === 'Cast') {
      const to = FLOATS[intAttribute(node, 'to', 0)];
      if (to === undefined || !isFloat(dtype)) return undefined;
      dtype = to;
    } else if (node.opType === 'Transpose') {
      const perm = intsAttribute(node, 'perm');
      if (perm === undefined ? reshaped || held.tensor.dims.length !== 2 : perm.length !== 2) return undefined;
      if (perm === undefined || perm[0] === 1) transposed = !transposed;
    } else if (node.opType !== 'Identity') {
      reshaped = true;
    }
  }
  return { graph, name, held, via, transposed, reshaped, dtype };
}

/** Float types by the numbers ONNX gives them. */
const FLOATS: Readonly<Record<number, DType>> = { 1: 'float32', 10: 'float16', 11: 'float64', 16: 'bfloat16' };
