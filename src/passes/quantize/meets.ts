import type { Graph } from '../../ir/graph.ts';
import { bodiesOf, isOp, isStandard, type Node } from '../../ir/node.ts';
import { RESHAPES } from '../../ir/reshapes.ts';

/** Operators that move values, or change their sign. */
export const MOVERS: readonly string[] = [
  ...RESHAPES,
  'Transpose',
  'Slice',
  'Split',
  'Concat',
  'Expand',
  'Cast',
  'Identity',
  'Neg',
  'Dropout',
];
/** Operators between a product and a logarithm that do not enlarge small values. */
const BEFORE_LOG = [
  ...[...MOVERS, 'Clip', 'Add', 'Sum', 'Max', 'Min', 'Relu', 'Abs', 'Sqrt', 'Pow', 'Mul', 'Div', 'Where'],
  ...['ReduceSum', 'ReduceSumSquare', 'ReduceMean', 'ReduceL1', 'ReduceL2', 'ReduceMax', 'AveragePool', 'MaxPool'],
];
/** Operators between an addition to attention scores and their Softmax. */
const BEFORE_SOFTMAX = [...MOVERS, 'Add', 'Sum', 'Sub', 'Mul', 'Div', 'Where', 'Max', 'Min', 'Clip', 'Tanh'];
const LOGS = ['Log', 'ReduceLogSum'];
/** Operators that multiply by weights or by another activation; operators of other domains count too. */
const PRODUCTS = ['MatMul', 'Gemm', 'Conv', 'ConvTranspose', 'Einsum', 'LSTM', 'GRU', 'RNN', 'MatMulInteger'];

/** The most nodes visited on the way to a logarithm. */
export const NEAR = 16;
/** The most nodes visited after a table. */
const FAR = 4096;

const isProduct = (node: Node): boolean => !isStandard(node.domain) || isProductNode(node);

/** Whether a node is a standard operator that multiplies by weights or by another activation. */
export function isProductNode(node: Node): boolean {
  return PRODUCTS.some((op) => isOp(node, op));
}

/** Whether a node computes a logarithm of its input, or of sums of it. */
export function isLog(node: Node): boolean {
  return LOGS.some((op) => isOp(node, op));
}

/** Whether the result of a product goes through a logarithm, which makes an error of a small value a large one. */
export function meetsLog(graph: Graph, node: Node): boolean {
  return reaches(graph, node, BEFORE_LOG, isLog, NEAR) === true;
}

/**
 * The nodes from a product to the logarithms of its result, including these, in graph order.
 * @returns an empty list if there are none, or they are in another graph
 */
export function wayToLog(graph: Graph, node: Node): Node[] {
  const nearby = readersThrough(graph, node, BEFORE_LOG, NEAR).filter((one) => one.graph === graph);
  const way = new Set(nearby.map((one) => one.node).filter((one) => isThrough(one, BEFORE_LOG) || isLog(one)));
  return [...way].some(isLog) ? graph.nodes.filter((one) => way.has(one)) : [];
}

/** Whether rows of a table reach a product; assumed if too many nodes follow. */
export function meetsProduct(graph: Graph, gather: Node): boolean {
  return reaches(graph, gather, undefined, isProduct, FAR) !== false;
}

/** Whether a value goes to a Softmax before any product, as attention scores do. */
export function meetsSoftmax(graph: Graph, node: Node): boolean {
  return reaches(graph, node, BEFORE_SOFTMAX, (one) => isOp(one, 'Softmax'), NEAR) !== false;
}

function isThrough(node: Node, through: readonly string[]): boolean {
  return through.some((op) => isOp(node, op));
}

export interface Reader {
  readonly graph: Graph;
  readonly node: Node;
  readonly index: number;
}

/** Readers of a node's outputs, looking through operators in `through`; up to `most` nodes. */
export function readersThrough(
  graph: Graph,
  node: Node,
  through: readonly string[] | undefined,
  most: number,
): Reader[] {
  const seen = new Set<Node>([node]);
  const open: { graph: Graph; node: Node }[] = [{ graph, node }];
  const readers: Reader[] = [];
  for (let next = open.shift(); next !== undefined && seen.size <= most; next = open.shift()) {
    const at = next.graph;
    for (const { graph: scope, node: reader, index } of next.node.outputs.flatMap((one) => at.uses(one))) {
      // An output of a body continues as an output of the node that owns the body.
      const follower = reader ?? ownerOf(scope);
      if (follower === undefined) continue;
      const where = reader === undefined ? (scope.parent as Graph) : scope;
      readers.push({ graph: where, node: follower, index });
      const follow = through === undefined || isThrough(follower, through);
      if (!follow || seen.has(follower)) continue;
      seen.add(follower);
      open.push({ graph: where, node: follower });
    }
  }
  return readers;
}

/** Undefined if too many nodes would have to be visited. */
function reaches(
  graph: Graph,
  node: Node,
  through: readonly string[] | undefined,
  wanted: (node: Node) => boolean,
  most: number,
): boolean | undefined {
  const readers = readersThrough(graph, node, through, most);
  if (readers.some((one) => wanted(one.node))) return true;
  return new Set(readers.map((one) => one.node)).size > most ? undefined : false;
}

/** The node that owns a body. */
function ownerOf(body: Graph): Node | undefined {
  return [...(body.parent?.nodes ?? [])].find((node) => bodiesOf(node).includes(body));
}

/** Whether a value comes from a product with an activation, through operators that move it or add a bias. */
export function comesOfProduct(graph: Graph, value: string): boolean {
  let open = [value];
  for (let step = 0; step < NEAR && open.length > 0; step++) {
    const next: string[] = [];
    for (const one of open) {
      const producer = graph.producer(one);
      if (producer === undefined) continue;
      if (isProduct(producer)) return true;
      if ([...MOVERS, 'Add'].some((op) => isOp(producer, op))) next.push(...producer.inputs);
    }
    open = next;
  }
  return false;
}
