import { intAttribute, type Node, stringAttribute } from '../../../ir/node.ts';
import type { Scope, Scopes } from '../scope.ts';

/** A layer with weights, as the last one before an output. */
export interface Layer {
  readonly kind: 'linear' | 'conv';
  /** The input that is not a weight. */
  readonly reads: string;
  /** Numbers per position; undefined if the weight's dims are not known. */
  readonly width: number | undefined;
}

/** Linear layers and the index of their weight, including ONNX Runtime's own operators. */
const LINEAR: ReadonlyMap<string, number> = new Map([
  ...['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm', 'MatMulInteger', 'MatMulNBits', 'MatMulBnb4', 'MatMulFpQ4'].map(
    (one) => [one, 1] as const,
  ),
  ...['DynamicQuantizeMatMul', 'MatMulIntegerToFloat'].map((one) => [one, 1] as const),
  ...['QLinearMatMul', 'QGemm'].map((one) => [one, 3] as const),
]);
const CONV: ReadonlyMap<string, number> = new Map([
  ...['Conv', 'FusedConv', 'ConvInteger'].map((one) => [one, 1] as const),
  ['QLinearConv', 3],
]);

/** The layer of a node: a product with a weight. A product of two activations is not a layer. */
export function layerOf(scopes: Scopes, scope: Scope, node: Node): Layer | undefined {
  if (node.opType === 'Einsum') return einsum(scopes, scope, node);
  const conv = CONV.get(node.opType);
  const at = conv ?? LINEAR.get(node.opType);
  const weight = at === undefined ? undefined : node.inputs[at];
  const isBent = conv === undefined && stringAttribute(node, 'activation', '') !== '';
  if (weight === undefined || isBent || !scopes.isFixed(scope, weight)) return undefined;
  const dims = scopes.dims(scope, weight);
  const reads = node.inputs[0] ?? '';
  if (conv !== undefined) return { kind: 'conv', reads, width: numberOf(dims?.[0]) };
  return { kind: 'linear', reads, width: intAttribute(node, 'N', 0) || numberOf(dims?.at(isTurned(node) ? -2 : -1)) };
}

function isTurned(node: Node): boolean {
  return intAttribute(node, 'transB', 0) !== 0;
}

/** `bsd,hd->bsh`: the last axis belongs only to the weight. */
function einsum(scopes: Scopes, scope: Scope, node: Node): Layer | undefined {
  const [from = '', to = ''] = stringAttribute(node, 'equation', '').replace(/\s/g, '').split('->');
  const terms = from.split(',');
  const last = to.at(-1) ?? '';
  const holders = terms.flatMap((term, index) => (last !== '' && term.includes(last) ? [index] : []));
  const [at] = holders;
  const weight = node.inputs[at ?? -1];
  const reads = node.inputs.find((_, index) => index !== at);
  if (holders.length !== 1 || at === undefined || weight === undefined || reads === undefined) return undefined;
  if (!scopes.isFixed(scope, weight)) return undefined;
  const width = scopes.dims(scope, weight)?.[terms[at]?.indexOf(last) ?? -1];
  return { kind: 'linear', reads, width: numberOf(width) };
}

function numberOf(dim: number | string | undefined): number | undefined {
  return typeof dim === 'number' ? dim : undefined;
}

/** Operators that multiply activations, with weights or with each other. */
const PRODUCTS = /MatMul|Gemm|Conv|Einsum|LSTM|GRU|^RNN|Attention/;
/** Operators that choose: what follows them is not computed from the scores. */
const CHOOSING = new Set('ArgMax ArgMin TopK NonMaxSuppression Multinomial Shape Size Greater Less Equal'.split(' '));
/** Maximum number of values to visit. */
const MOST_VALUES = 10_000;

/** Whether a product follows a value, so that it is a hidden state inside the network. */
export function isInside(scopes: Scopes, scope: Scope, name: string): boolean {
  const pending = [{ scope, name }];
  const seen = new Map<object, Set<string>>();
  for (const one of pending) {
    const names = seen.get(one.scope.graph) ?? new Set();
    seen.set(one.scope.graph, names);
    if (names.has(one.name) || pending.length > MOST_VALUES) continue;
    names.add(one.name);
    for (const { scope: at, node, index } of scopes.uses(one.scope, one.name)) {
      if (node === undefined) {
        const outside = scopes.outside(at, index);
        if (outside !== undefined) pending.push(outside);
        continue;
      }
      if (PRODUCTS.test(node.opType)) return true;
      if (CHOOSING.has(node.opType)) continue;
      const callee = scopes.callee(at, node);
      const inner = callee?.graph.inputs[index]?.name;
      if (callee !== undefined && inner !== undefined) pending.push({ scope: callee, name: inner });
      else for (const output of node.outputs) pending.push({ scope: at, name: output });
    }
  }
  return false;
}
