import { equalBytes } from '../../bytes/bytes.ts';
import { elementCount } from '../../ir/dtype.ts';
import type { Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { attribute, createNode, isOp, type Node } from '../../ir/node.ts';
import { toIntegers } from '../../kernels/views.ts';
import { isVariable } from '../../layers/constant.ts';
import { transposeNode } from '../../layers/gemm.ts';
import { type MovedWeight, movedWeight } from '../../schemes/chains.ts';
import { type Steps, sourceConstant, sourceTensor } from '../../schemes/decodable.ts';
import { FloatWeights, type Layout } from './floats.ts';

/** Integers that the model computes when it runs, and the float value they represent. */
export interface Standing {
  readonly float: string;
  readonly scale: string;
  readonly zeroPoint: string;
}

/** Activation functions that were restored before quantized values. */
export type Counted = 'relus' | 'clips';

/** The state of one run: which integers represent which floats, and their replacements. */
export class Rewriting {
  readonly model: Model;
  readonly weights: FloatWeights = new FloatWeights();
  /** Outputs of temporary Identity nodes, which are removed at the end. */
  readonly links: { readonly graph: Graph; readonly value: string }[] = [];
  /** Former inputs of removed nodes: values that nothing reads any more are removed too. */
  readonly loose: { readonly graph: Graph; readonly values: readonly string[] }[] = [];
  /** How often each was restored. */
  readonly counts: Map<Counted, number> = new Map();
  readonly #standing = new Map<Graph, Map<string, Standing>>();

  constructor(model: Model) {
    this.model = model;
  }

  count(what: Counted): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Integers that a float value was rounded to. */
  readonly rounded: { readonly graph: Graph; readonly value: string }[] = [];

  /** Records that integers were quantized from a float value. */
  round(graph: Graph, integers: string, standing: Standing): void {
    this.rounded.push({ graph, value: integers });
    this.stand(graph, integers, standing);
  }

  /** Records that integers represent a float value. */
  stand(graph: Graph, integers: string, standing: Standing): void {
    const own = this.#standing.get(graph) ?? new Map<string, Standing>();
    this.#standing.set(graph, own.set(integers, standing));
    this.loosen(graph, [integers, standing.float]);
  }

  /** The float value that integers represent, in the scope of a graph. */
  standing(graph: Graph, integers: string): Standing | undefined {
    let scope = graph;
    while (scope.parent !== undefined && !scope.defines(integers)) scope = scope.parent;
    return this.#standing.get(scope)?.get(integers);
  }

  /** The float value of integers that are read with this scale and zero point; undefined if there is none. */
  async floatOf(graph: Graph, integers: string, scale: string, zeroPoint: string): Promise<string | undefined> {
    const found = this.standing(graph, integers);
    if (found === undefined) return undefined;
    const same =
      (await this.#isSame(graph, found.scale, scale)) && (await this.#isSame(graph, found.zeroPoint, zeroPoint));
    return same ? found.float : undefined;
  }

  /**
   * Rows of a table of integers, looked up for a reader of integers, as rows of a table of floats. Undefined for other
   * values, and where each row has a scale of its own.
   */
  async rowsOf(graph: Graph, integers: string, { scale, zeroPoint }: Steps): Promise<string | undefined> {
    const gather = graph.producer(integers);
    if (gather === undefined || !isOp(gather, 'Gather')) return undefined;
    if (elementCount(sourceTensor(graph, scale)?.dims ?? [0]) !== 1) return undefined;
    const table = movedWeight(graph, gather.inputs[0] ?? '', { scale, zeroPoint });
    const rows = table && (await this.moved(graph, gather, table));
    if (rows === undefined) return undefined;
    const name = graph.uniqueName(`${gather.name || integers}_float`);
    const float = graph.uniqueName(`${integers}_float`);
    graph.insertBefore(gather, { ...gather, name, inputs: [rows, ...gather.inputs.slice(1)], outputs: [float] });
    this.stand(graph, integers, { float, scale, zeroPoint });
    return float;
  }

  /** Whether two names have the same number: an omitted zero point is 0. */
  async #isSame(graph: Graph, one: string, other: string): Promise<boolean> {
    if (one === other) return true;
    const [a, b] = await Promise.all(
      [one, other].map(async (name) => (name === '' ? undefined : sourceConstant(graph, name)?.held.tensor.load())),
    );
    if (a === undefined || b === undefined)
      return (one === '' || other === '') && (a ?? b ?? [1]).every((byte) => byte === 0);
    return equalBytes(a, b);
  }

  /**
   * An operand of an operator on integers as floats: a value that is quantized, a weight, or else made by a
   * DequantizeLinear.
   */
  async operand(graph: Graph, node: Node, integers: string, steps: Steps): Promise<string> {
    const float = await this.floatOf(graph, integers, steps.scale, steps.zeroPoint);
    const moved = float === undefined ? movedWeight(graph, integers, steps) : undefined;
    const found =
      float ?? (moved && (await this.moved(graph, node, moved))) ?? (await this.rowsOf(graph, integers, steps));
    if (found !== undefined) return found;
    const output = graph.uniqueName(`${integers}_dequantized`);
    const inputs = [integers, steps.scale, ...(steps.zeroPoint === '' ? [] : [steps.zeroPoint])];
    const attributes = steps.sharing === undefined ? [] : [attribute.int('axis', steps.sharing.axis)];
    const name = graph.uniqueName(`${output}_DequantizeLinear`);
    graph.insertBefore(node, createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [output], attributes }));
    return output;
  }

  /**
   * A stored weight as floats, in the layout that its reader needs. Undefined if nodes between do something else, or a
   * caller may override it.
   */
  async moved(graph: Graph, reader: Node, moved: MovedWeight, layout: Layout = {}): Promise<string | undefined> {
    const { held, via, perm, weight } = moved;
    if (isVariable(this.model, held) || held.graph.kind === 'function') return undefined;
    for (const node of via)
      if (isOp(node, 'Slice') && !(await isWhole(graph, node, held.tensor.dims))) return undefined;
    const straight = perm.every((axis, at) => axis === at);
    if (!straight && layout.dims !== undefined) return undefined;
    const name = this.weights.of(held, weight, layout);
    if (straight) return name;
    const output = graph.uniqueName(`${name}_transposed`);
    const turn = transposeNode(graph, name, output, perm.length);
    graph.insertBefore(reader, { ...turn, attributes: [attribute.ints('perm', perm)] });
    return output;
  }

  /** Replaces a node. */
  replace(graph: Graph, old: Node, ...next: readonly Node[]): void {
    graph.replaceNode(old, ...next);
    this.loosen(graph, old.inputs);
  }

  /** Records values that may have lost their last reader. */
  loosen(graph: Graph, values: readonly string[]): void {
    this.loose.push({ graph, values });
  }

  /** Passes a float value on under the output name of a removed node. */
  link(graph: Graph, old: Node, float: string): void {
    const name = graph.uniqueName(`${old.outputs[0]}_Identity`);
    const node = createNode({ name, opType: 'Identity', inputs: [float], outputs: [old.outputs[0] ?? ''] });
    this.replace(graph, old, node);
    this.links.push({ graph, value: node.outputs[0] ?? '' });
  }
}

/** Whether a Slice takes all of a tensor: so that a reader has integers of its own. */
async function isWhole(graph: Graph, node: Node, dims: readonly number[]): Promise<boolean> {
  const list = async (index: number): Promise<bigint[] | undefined> => {
    const tensor = graph.constant(node.inputs[index] ?? '')?.tensor;
    if (tensor === undefined || (tensor.dtype !== 'int64' && tensor.dtype !== 'int32')) return undefined;
    return toIntegers(await tensor.load(), tensor.dtype);
  };
  const [starts, ends, axes] = [await list(1), await list(2), await list(3)];
  const steps = node.inputs[4] === undefined ? [] : await list(4);
  if (starts === undefined || ends === undefined || steps === undefined || steps.some((one) => one !== 1n))
    return false;
  return starts.every((start, at) => {
    const axis = Number(axes?.[at] ?? at);
    const dim = dims[axis < 0 ? axis + dims.length : axis];
    return start === 0n && dim !== undefined && (ends[at] ?? 0n) >= BigInt(dim);
  });
}
