import { bodiesOf, intAttribute, intsAttribute, type Node } from '../../../ir/node.ts';
import type { Scope, Scopes } from '../scope.ts';
import { isInside, type Layer, layerOf } from './layers.ts';

/** The last operations before an output with numbers for classes. */
export interface Head {
  /** A Softmax is certain; a layer is possible; a Sigmoid treats each number separately. */
  readonly kind: 'softmax' | 'linear' | 'conv' | 'sigmoid';
  /** The class axis; negative counts from the end. */
  readonly axis: number;
  /** Number of classes, if it is known. */
  readonly length: number | undefined;
  /** The last layer, and where it is. */
  readonly layer: (Layer & { readonly scope: Scope; readonly node: Node }) | undefined;
}

/** Operators that keep the order of numbers within a row; their first input is followed. */
const THROUGH = new Set(
  (
    'Identity Cast Dropout Reshape Flatten Squeeze Unsqueeze Slice Gather Expand Split ' +
    'QuantizeLinear DequantizeLinear'
  ).split(' '),
);
/** Operators that probabilities of all classes also pass through. */
const OF_SHARES = new Set(['Log', 'Exp', 'Normalizer']);
/** Operators with a fixed second operand: a bias, a temperature, a mask. */
const WITH_CONSTANT = new Set(['Add', 'Sub', 'Sum', 'Mul', 'Div', 'Where']);
const POOLS = /^(QLinear)?(Global)?(Average|Max)Pool$|^Reduce(Mean|Max)$/;
/** Maximum number of nodes to follow backwards, in one chain and in total. */
const MOST_STEPS = 60;
const MOST_NODES = 5000;

/** Finds the heads of outputs. */
export class Heads {
  readonly #scopes: Scopes;
  readonly #opset: number;
  #left = 0;

  constructor(scopes: Scopes, opset: number) {
    this.#scopes = scopes;
    this.#opset = opset;
  }

  /** The head of a graph output; undefined if it ends in something else: a normalization, a pool, a sum of branches. */
  of(output: string): Head | undefined {
    this.#left = MOST_NODES;
    return this.#before(this.#scopes.main, output, false, MOST_STEPS);
  }

  #before(scope: Scope, name: string, pooled: boolean, steps: number): Head | undefined {
    const place = this.#scopes.origin(scope, name);
    if (place?.node === undefined || steps === 0 || this.#left-- <= 0) return undefined;
    const { node, scope: at } = place;
    const go = (input: string | undefined, pool = pooled): Head | undefined =>
      input ? this.#before(at, input, pool, steps - 1) : undefined;
    const index = node.outputs.indexOf(place.name);
    const callee = this.#scopes.callee(at, node);
    if (callee !== undefined) {
      const given = callee.graph.outputs[index]?.name;
      return given === undefined ? undefined : this.#before(callee, given, pooled, steps - 1);
    }
    for (const body of bodiesOf(node)) {
      // The first output of a Loop's body is its condition.
      const given = body.outputs[node.opType === 'Loop' ? index + 1 : index]?.name;
      const found = given && this.#before(this.#scopes.inside(at, body), given, pooled, steps - 1);
      if (found) return found;
    }
    const layer = layerOf(this.#scopes, at, node);
    if (layer !== undefined) {
      if (isInside(this.#scopes, at, place.name)) return undefined;
      const kept = { ...layer, scope: at, node };
      if (layer.kind === 'conv') return { kind: 'conv', axis: 1, length: layer.width, layer: kept };
      return pooled ? undefined : { kind: 'linear', axis: -1, length: layer.width, layer: kept };
    }
    if (node.opType.endsWith('Softmax')) {
      // A weighted sum follows: the weights of attention, or of experts.
      if (isInside(this.#scopes, at, place.name)) return undefined;
      const axis = intAttribute(node, 'axis', this.#opset < 13 ? 1 : -1);
      const inner = go(node.inputs[0]);
      return { kind: 'softmax', axis, length: inner?.axis === axis ? inner.length : undefined, layer: inner?.layer };
    }
    if (node.opType.endsWith('Sigmoid'))
      return { kind: 'sigmoid', axis: -1, length: undefined, layer: go(node.inputs[0])?.layer };
    if (node.opType.endsWith('Classifier') && index === 1) {
      return { kind: 'softmax', axis: -1, length: undefined, layer: undefined };
    }
    if (node.opType === 'Transpose') return transposed(node, go(node.inputs[0]));
    if (node.opType === 'Concat')
      return joined(
        intAttribute(node, 'axis', 0),
        node.inputs.map((one) => go(one)),
      );
    if (POOLS.test(node.opType)) return go(node.inputs[0], true);
    // A fully convolutional network may classify after a Relu; otherwise a Relu gives features.
    if (node.opType === 'Relu' && pooled) return go(node.inputs[0]);
    if (THROUGH.has(node.opType)) return flat(node, go(node.inputs[0]));
    if (OF_SHARES.has(node.opType)) {
      const head = go(node.inputs[0]);
      return head?.kind === 'softmax' ? head : undefined;
    }
    if (!WITH_CONSTANT.has(node.opType)) return undefined;
    const variables = this.#variables(at, node);
    if (variables.length === 1) return go(variables[0]);
    if (node.opType !== 'Add' && node.opType !== 'Sum') return undefined;
    // Scores of several parts are summed. Sums of images are inside a network.
    const summed = joined(
      undefined,
      variables.map((one) => go(one)),
    );
    return summed?.kind === 'linear' ? summed : undefined;
  }

  /** Inputs that are not fixed; for integer products, without the scale of the activation. */
  #variables(scope: Scope, node: Node): string[] {
    const inputs = node.opType === 'Where' ? node.inputs.slice(1) : node.inputs;
    const isNumber = (name: string): boolean => this.#scopes.dims(scope, name)?.every((dim) => dim === 1) === true;
    const names = inputs.filter(
      (name) => !isNumber(name) && !this.#scopes.isFixed(scope, name) && !this.#isScale(scope, name),
    );
    const before = names.length === 1 ? this.#scopes.origin(scope, names[0] ?? '')?.node : undefined;
    // Capped scores: tanh(x / c) · c.
    return node.opType === 'Mul' && before?.opType === 'Tanh' ? before.inputs.slice(0, 1) : names;
  }

  #isScale(scope: Scope, name: string, steps = 4): boolean {
    const place = this.#scopes.origin(scope, name);
    if (place?.node === undefined || steps === 0) return false;
    const { node, scope: at } = place;
    if (node.opType === 'DynamicQuantizeLinear') return node.outputs.indexOf(place.name) === 1;
    const variable = node.inputs.filter((one) => !this.#scopes.isFixed(at, one));
    return node.opType === 'Mul' && variable.length > 0 && variable.every((one) => this.#isScale(at, one, steps - 1));
  }
}

function transposed(node: Node, head: Head | undefined): Head | undefined {
  if (head === undefined) return undefined;
  const order = intsAttribute(node, 'perm');
  if (order === undefined) return { ...head, axis: -1 - head.axis };
  const axis = order.indexOf(head.axis < 0 ? head.axis + order.length : head.axis);
  return axis < 0 ? undefined : { ...head, axis };
}

/** Several heads of one kind. If they are concatenated along `axis`, their numbers are not classes. */
function joined(axis: number | undefined, heads: readonly (Head | undefined)[]): Head | undefined {
  const [first] = heads;
  if (first === undefined || first.axis === axis) return undefined;
  const same = heads.every((one) => one?.kind === first.kind && one.axis === first.axis && one.length === first.length);
  return same ? first : undefined;
}

/** A Flatten leaves two axes. */
function flat(node: Node, head: Head | undefined): Head | undefined {
  return head === undefined || node.opType !== 'Flatten' ? head : { ...head, axis: 1 };
}
