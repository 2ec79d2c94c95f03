import type { Graph } from '../../ir/graph.ts';
import { createNode, intAttribute, isOp, type Node } from '../../ir/node.ts';
import { toIntegers } from '../../kernels/views.ts';
import { Unpacking } from '../../schemes/unpack.ts';
import { isUnpacking } from '../../schemes/unpacking.ts';
import type { Rewriting } from './rewriting.ts';

/** The longest chain of nodes after a lookup of codes. */
const MAX_STEPS = 24;

/**
 * Moves the lookup of a table's rows after the unpacking of its codes, so that the unpacked table is a constant:
 * ```
 * before  Gather(codes, ids) ── BitShift ── Mod ── Cast ── Sub ── Mul(Gather(scales, ids)) ── Reshape ── y
 * after   codes ── BitShift ── Mod ── Cast ── Sub ── Mul(scales) ── Reshape ── Gather(·, ids) ── y
 * ```
 */
export async function lookUpLast(work: Rewriting, graph: Graph, gather: Node): Promise<void> {
  const [codes = '', ids = ''] = gather.inputs;
  const tensor = graph.constant(codes)?.tensor;
  if (tensor === undefined || tensor.dtype !== 'uint8' || tensor.dims.length < 2) return;
  if (intAttribute(gather, 'axis', 0) !== 0) return;
  const nodes = followed(graph, gather);
  const end = nodes.at(-1);
  if (end === undefined || !nodes.some((node) => isOp(node, 'BitShift')) || !nodes.some((node) => isOp(node, 'Mul')))
    return;
  const lift = new Lift(graph, gather);
  const [output = ''] = end.outputs;
  const table = await lift.value(output);
  work.loosen(graph, lift.made);
  if (table === undefined) return;
  const name = graph.uniqueName(`${output}_Gather`);
  work.replace(graph, end, createNode({ name, opType: 'Gather', inputs: [table, ids], outputs: [output] }));
}

/** The chain of nodes that unpack the looked-up rows. */
function followed(graph: Graph, gather: Node): Node[] {
  const nodes: Node[] = [];
  let value = gather.outputs[0] ?? '';
  while (nodes.length < MAX_STEPS) {
    const [use, ...others] = graph.uses(value);
    const node = use?.node;
    if (node === undefined || others.length > 0 || use?.graph !== graph || !isUnpacking(node) || isOp(node, 'Gather'))
      break;
    nodes.push(node);
    value = node.outputs[0] ?? '';
  }
  return nodes;
}

/** Rebuilds values computed from looked-up rows for the whole table. */
class Lift {
  /** All values that were created. */
  readonly made: string[] = [];
  readonly #graph: Graph;
  readonly #ids: string;
  readonly #write: Unpacking;
  /** Rank of the ids: leading zeros of a shape, which copy their dims. */
  #rank = 1;

  constructor(graph: Graph, gather: Node) {
    this.#graph = graph;
    this.#ids = gather.inputs[1] ?? '';
    this.#write = new Unpacking(graph, gather, gather.inputs[0] ?? '');
  }

  /** The name of the same value for all rows; undefined if it depends on the rows in another way. */
  async value(name: string): Promise<string | undefined> {
    if (this.#graph.constant(name) !== undefined) return name;
    const node = this.#graph.producer(name);
    if (node === undefined || this.made.length > MAX_STEPS) return undefined;
    if (isOp(node, 'Gather')) {
      const [table = '', ids] = node.inputs;
      const rows = ids === this.#ids && intAttribute(node, 'axis', 0) === 0;
      return rows && this.#graph.constant(table) !== undefined ? table : undefined;
    }
    if (!isUnpacking(node)) return undefined;
    const inputs: (string | undefined)[] = [];
    for (const one of node.inputs) inputs.push(await this.value(one));
    if (isOp(node, 'Reshape')) inputs[1] = await this.#shape(node);
    if (isOp(node, 'Slice')) inputs[3] = await this.#axes(node);
    const all = inputs.filter((one) => one !== undefined);
    if (all.length < inputs.length) return undefined;
    const output = this.#write.node(node.opType, all, node.attributes);
    this.made.push(output);
    return output;
  }

  /** `[0, 0, 160]`, of ids of two dims, as `[0, 160]`. */
  async #shape(node: Node): Promise<string | undefined> {
    const dims = await this.#integers(node.inputs[1]);
    const rank = dims?.findIndex((dim) => dim !== 0) ?? -1;
    if (dims === undefined || rank < 0) return undefined;
    this.#rank = rank;
    return this.#write.numbers([0, ...dims.slice(rank)]);
  }

  async #axes(node: Node): Promise<string | undefined> {
    const axes = await this.#integers(node.inputs[3]);
    return axes && this.#write.numbers(axes.map((axis) => (axis < 0 ? axis : axis - this.#rank + 1)));
  }

  async #integers(name = ''): Promise<number[] | undefined> {
    const tensor = this.#graph.constant(name)?.tensor;
    return tensor?.dtype === 'int64' ? toIntegers(await tensor.load(), 'int64').map(Number) : undefined;
  }
}
