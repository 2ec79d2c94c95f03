import { intAttribute, isOp, type Node } from '../../ir/node.ts';
import type { Tensor } from '../../ir/tensor.ts';
import type { Scope, Scopes } from '../runtime/scope.ts';
import { elementsOf } from './npy.ts';

/** A value to follow, and the offset added to the indices so far. */
interface Followed {
  readonly scope: Scope;
  readonly name: string;
  readonly shift: number;
}

/** Maximum number of uses to follow: a value may have very many. */
const MOST_PLACES = 10_000;

/**
 * The number of rows of the table that a graph input indexes; the smallest if there are several tables.
 * @returns undefined if it indexes no table
 */
export async function indexBound(scopes: Scopes, input: string): Promise<number | undefined> {
  const pending: Followed[] = [{ scope: scopes.main, name: input, shift: 0 }];
  const seen = new Map<object, Set<string>>();
  let least: number | undefined;
  for (const one of pending) {
    if (pending.length > MOST_PLACES) break;
    const names = seen.get(one.scope.graph) ?? new Set();
    seen.set(one.scope.graph, names);
    // A function is followed separately for each call.
    const key = `${one.scope.call?.node.outputs[0] ?? ''} ${one.shift} ${one.name}`;
    if (names.has(key)) continue;
    names.add(key);
    for (const { scope, node, index } of scopes.uses(one.scope, one.name)) {
      if (node === undefined) {
        const outside = scopes.outside(scope, index);
        if (outside !== undefined) pending.push({ ...outside, shift: one.shift });
        continue;
      }
      const rows = tableRows(scopes, scope, node, index);
      if (rows !== undefined) least = Math.min(least ?? Number.POSITIVE_INFINITY, rows - one.shift);
      else pending.push(...(await followThrough(scopes, { scope, name: one.name, shift: one.shift }, node, index)));
    }
  }
  return least !== undefined && least > 0 ? least : undefined;
}

/** Rows of the table that a node indexes with this input. */
function tableRows(scopes: Scopes, scope: Scope, node: Node, index: number): number | undefined {
  const rows = (table: number, axis: number): number | undefined => {
    const dims = scopes.dims(scope, node.inputs[table] ?? '');
    const length = dims?.[axis < 0 ? axis + dims.length : axis];
    return typeof length === 'number' ? length : undefined;
  };
  if (index === 1 && (isOp(node, 'Gather') || isOp(node, 'GatherElements')))
    return rows(0, intAttribute(node, 'axis', 0));
  if (isOp(node, 'RotaryEmbedding')) return index === 3 ? rows(1, 0) : undefined;
  if (node.domain !== 'com.microsoft') return undefined;
  switch (node.opType) {
    case 'GatherBlockQuantized':
      return index === 1 ? rows(0, intAttribute(node, 'gather_axis', 0)) : undefined;
    case 'RotaryEmbedding':
      return index === 1 ? rows(2, 0) : undefined;
    case 'EmbedLayerNormalization': {
      const table = EMBEDDED.get(index);
      return table === undefined ? undefined : rows(table, 0);
    }
    default:
      return undefined;
  }
}

/** Inputs for words, segments and positions, each with the input that has its table. */
const EMBEDDED: ReadonlyMap<number, number> = new Map([
  [0, 2],
  [1, 4],
  [8, 3],
]);

/** Operators that return elements of their first input unchanged. */
const SAME = new Set(
  'Cast Identity Reshape Squeeze Unsqueeze Flatten Transpose Expand Slice Split Tile Gather GatherElements Clip'.split(
    ' ',
  ),
);
/** Operators that return elements of all inputs from the given index on. */
const SEVERAL: ReadonlyMap<string, number> = new Map([
  ['Concat', 0],
  ['Max', 0],
  ['Min', 0],
  ['Where', 1],
]);

/** The values through which the indices continue after a node. */
async function followThrough(scopes: Scopes, from: Followed, node: Node, index: number): Promise<readonly Followed[]> {
  const { scope, shift } = from;
  const next = (name: string | undefined, more = 0): Followed[] => (name ? [{ scope, name, shift: shift + more }] : []);
  const callee = scopes.callee(scope, node);
  if (callee !== undefined) {
    const name = callee.graph.inputs[index]?.name;
    return name === undefined ? [] : [{ scope: callee, name, shift }];
  }
  if (index === 0 && SAME.has(node.opType) && isOp(node, node.opType)) return node.outputs.flatMap((one) => next(one));
  if (index >= (SEVERAL.get(node.opType) ?? Number.POSITIVE_INFINITY)) return next(node.outputs[0]);
  if (isOp(node, 'Add') || (isOp(node, 'Sub') && index === 0)) {
    const added = await numberOf(scopes.held(scope, node.inputs[1 - index] ?? ''));
    return added === undefined ? [] : next(node.outputs[0], isOp(node, 'Add') ? added : -added);
  }
  const [body] = isOp(node, 'Loop') || isOp(node, 'Scan') ? bodies(node) : [];
  const name = body?.inputs[index]?.name;
  return body === undefined || name === undefined ? [] : [{ scope: scopes.inside(scope, body), name, shift }];
}

function bodies(node: Node) {
  return node.attributes.flatMap((one) => (one.type === 'graph' ? [one.value] : []));
}

/** A one-element integer constant. */
async function numberOf(tensor: Tensor | undefined): Promise<number | undefined> {
  if (tensor === undefined || tensor.dims.some((dim) => dim !== 1)) return undefined;
  const bytes = new Uint8Array(await tensor.load());
  const value = Number(elementsOf(tensor.dtype, bytes.buffer)?.[0]);
  return Number.isSafeInteger(value) ? value : undefined;
}
