import { DTYPES, elementCount } from '../../ir/dtype.ts';
import type { Constant, Graph } from '../../ir/graph.ts';
import type { Model } from '../../ir/model.ts';
import { bodiesOf, intAttribute, isOp, isStandard, type Node } from '../../ir/node.ts';
import { orderedNodes } from '../../ir/order.ts';
import { RESHAPES } from '../../ir/reshapes.ts';
import { LARGEST } from '../../kernels/halves.ts';
import { constantName, isVariable } from '../../layers/constant.ts';
import { matches } from '../../layers/pattern.ts';
import type { HalfObstacle } from '../../schemes/float16.ts';
import { floatStates } from '../../targets/halves.ts';
import { angleNodes } from '../rotary.ts';
import { rangeChains, SUMS } from './chains.ts';
import type { Fits } from './constants.ts';
import type { Resolved } from './options.ts';
import { type Row, rowOf } from './rows.ts';
import type { Small } from './small.ts';
import { spectra } from './spectra.ts';
import { isContainer, type Types } from './types.ts';

/** Facts about a float32 value of the model. */
export interface Value {
  /** Whether the node that makes it computes in float16. */
  readonly half: boolean;
  /** Whether it is computed from integers and constants only: positions, sizes, masks, which float16 would round. */
  readonly exact: boolean;
}

/** Why a node computes in float32. */
export type KeptReason =
  | 'calibrated'
  | 'chain'
  | 'constant'
  | 'excluded'
  | 'fed'
  | 'integers'
  | 'operator'
  | 'recurrent'
  | 'sum'
  | 'type';

/** The type of each node and value. */
export interface Plan {
  /** Nodes that compute in float16. */
  readonly halves: ReadonlySet<Node>;
  /** Nodes with float operands that compute in float32. */
  readonly kept: ReadonlyMap<Node, KeptReason>;
  /** Constants that keep a node in float32, and why. */
  readonly obstacles: ReadonlyMap<
    Constant['tensor'],
    {
      readonly held: Constant;
      readonly node: Node;
      readonly detail: string;
      readonly reason: HalfObstacle['reason'];
    }
  >;
  /** The float32 values of each graph. */
  readonly values: ReadonlyMap<Graph, ReadonlyMap<string, Value>>;
}

/** Operators that pass elements on, of any type. */
const MOVES = new Set([
  ...[
    'CenterCropPad',
    'Compress',
    'Concat',
    'DepthToSpace',
    'Expand',
    'Gather',
    'GatherElements',
    'GatherND',
    'Identity',
  ],
  ...['Pad', 'ReverseSequence', 'Slice', 'SpaceToDepth', 'Split', 'Tile', 'Transpose', 'Trilu', 'Unique', ...RESHAPES],
]);
/** Operators with weights. Their results are rounded anyway, even if their inputs are exact. */
const WEIGHTED = new Set([
  'Conv',
  'ConvTranspose',
  'DeformConv',
  'GRU',
  'Gemm',
  'LSTM',
  'MatMul',
  'RNN',
  'Einsum',
  'MatMulNBits',
  'FusedMatMul',
]);
/** Operators whose constants beyond ±65504 may be clamped: they are added, selected or used as a bound. */
const BOUNDED = new Set([...MOVES, 'Add', 'Clip', 'Max', 'Min', 'ScatterElements', 'ScatterND', 'Sub', 'Where']);
/** Operators on integers, whose scales stay as they are. */
const QUANTIZED = /^(Dequantize|DynamicQuantize|Quantize|Q)Linear/;
/** Operators that decode integers into weights or activations: their outputs are not integers. */
const DECODES = new Set(['DequantizeLinear', 'GatherBlockQuantized']);

/** Fewer elements are not a weight. */
const LEAST_WEIGHT = 128;

/** The inputs of the planner. */
interface Planning {
  readonly model: Model;
  readonly types: Types;
  readonly fits: Fits;
  readonly small: Small;
  readonly options: Resolved;
}

/** Decides what computes in float16. Reads the constants. */
export class Planner {
  readonly #model: Model;
  readonly #types: Types;
  readonly #fits: Fits;
  readonly #small: Small;
  readonly #options: Resolved;
  readonly #halves = new Set<Node>();
  readonly #kept = new Map<Node, KeptReason>();
  readonly #obstacles: Map<Constant['tensor'], NonNullable<ReturnType<Plan['obstacles']['get']>>> = new Map();
  readonly #values = new Map<Graph, Map<string, Value>>();

  constructor({ model, types, fits, small, options }: Planning) {
    this.#model = model;
    this.#types = types;
    this.#fits = fits;
    this.#small = small;
    this.#options = options;
  }

  async plan(): Promise<Plan> {
    await this.#graph(this.#model.graph);
    return { halves: this.#halves, kept: this.#kept, obstacles: this.#obstacles, values: this.#values };
  }

  async #graph(graph: Graph): Promise<void> {
    const own = new Map<string, Value>();
    this.#values.set(graph, own);
    // An input with a default value keeps the type of that value.
    const asked = graph === this.#model.graph && this.#options.io === 'float16';
    const fed = new Set(asked ? graph.fedInputs.map(({ name }) => name) : []);
    for (const { name } of graph.inputs) {
      if (this.#types.of(graph, name) !== 'float32' || typedConstant(this.#model, graph, name) !== undefined) continue;
      own.set(name, { half: fed.has(name), exact: false });
    }
    for (const { name, dtype } of [...graph.initializers.values(), ...graph.sparseInitializers]) {
      if (dtype === 'float32' && !own.has(name) && typedConstant(this.#model, graph, name) === undefined) {
        own.set(name, { half: false, exact: false });
      }
    }
    const starts = await this.#epsilons(graph);
    const chains = new Set([...rangeChains(graph, starts), ...spectra(graph), ...angleNodes(graph)]);
    for (const node of orderedNodes(graph)) {
      for (const body of bodiesOf(node)) await this.#graph(body);
      await this.#node(graph, node, own, chains);
    }
  }

  /** Nodes with a scalar constant that float16 cannot represent. */
  async #epsilons(graph: Graph): Promise<Set<Node>> {
    const found = new Set<Node>();
    for (const node of graph.nodes) {
      if (!isOp(node, 'Add') && !isOp(node, 'Max') && !isOp(node, 'Clip')) continue;
      for (const value of node.inputs) {
        const held = typedConstant(this.#model, graph, value);
        if (held?.tensor.dtype !== 'float32' || elementCount(held.tensor.dims) !== 1) continue;
        const fit = await this.#fits.of(held.tensor);
        if (fit.kind === 'obstacle' && fit.reason === 'too_small') found.add(node);
      }
    }
    return found;
  }

  async #node(graph: Graph, node: Node, own: Map<string, Value>, chains: ReadonlySet<Node>): Promise<void> {
    const row = rowOf(node, this.#model.opset);
    const inputs = node.inputs.flatMap((value, index) => {
      if (value === '' || this.#types.of(graph, value) !== 'float32') return [];
      const kind = row?.input(index) ?? '-';
      return [
        { value, index, held: typedConstant(this.#model, graph, value), mayBeHalf: row?.mayBeHalf(kind) === true },
      ];
    });
    const data = inputs
      .filter((one) => one.held === undefined && one.mayBeHalf)
      .flatMap(({ value }) => this.valueOf(graph, value) ?? []);
    const moves = isStandard(node.domain) && (MOVES.has(node.opType) || isFloatCast(node));
    const whole = moves && data.length === 0 ? inputs.length === 0 : data.every((one) => one.exact);
    const exact = whole && !DECODES.has(node.opType);
    let half = false;
    if (inputs.some((one) => one.mayBeHalf)) {
      const why = (await this.#reason(graph, node, row as Row, chains, inputs)) ?? undefined;
      const weighted = WEIGHTED.has(node.opType) && inputs.some((one) => one.held !== undefined && isWeight(one.held));
      const wanted = moves ? data.length === 0 || data.some((one) => one.half) : !exact || weighted;
      half = why === undefined && wanted;
      if (half) this.#halves.add(node);
      else if (!moves || why !== undefined) this.#kept.set(node, why ?? 'integers');
    }
    node.outputs.forEach((name, index) => {
      if (name === '' || this.#types.of(graph, name) !== 'float32' || isOp(node, 'Constant')) return;
      const kind = row?.output(index) ?? '-';
      const known = row !== undefined && bodiesOf(node).length === 0 && kind !== 'f';
      const fresh =
        /^(Random|Bernoulli)/.test(node.opType) || this.#types.of(graph, node.inputs[0] ?? '') === 'float16';
      own.set(name, { half: half && row?.mayBeHalf(kind) === true, exact: known && !half && !fresh && exact });
    });
  }

  /** Why a node computes in float32; undefined if it need not. */
  async #reason(
    graph: Graph,
    node: Node,
    row: Row,
    chains: ReadonlySet<Node>,
    inputs: readonly { value: string; index: number; held: Constant | undefined; mayBeHalf: boolean }[],
  ): Promise<KeptReason | undefined> {
    if (isContainer(node) || QUANTIZED.test(node.opType) || bodiesOf(node).length > 0) return 'operator';
    if (this.#isLeftOut(graph, node)) return 'excluded';
    const unknown = node.inputs.some(
      (value, index) => value !== '' && row.mayBeHalf(row.input(index)) && this.#types.of(graph, value) === undefined,
    );
    if (unknown) return 'type';
    if (isStandard(node.domain) && SUMS.includes(node.opType)) return 'sum';
    if (isStandard(node.domain) && floatStates.value.includes(node.opType)) return 'recurrent';
    if (chains.has(node)) return 'chain';
    if (this.#isFirst(graph, node, inputs)) return 'fed';
    if ([...node.inputs, ...node.outputs].some((value) => this.#passes(value))) return 'calibrated';
    for (const { held, mayBeHalf } of inputs) {
      if (held === undefined || !mayBeHalf) continue;
      const fit = await this.#fits.of(held.tensor);
      if (fit.kind === 'fits' || (fit.kind === 'bound' && BOUNDED.has(node.opType))) continue;
      const { reason, detail } = fit.kind === 'bound' ? BEYOND : fit;
      this.#obstacles.set(held.tensor, { held, node, reason, detail });
      return 'constant';
    }
    return undefined;
  }

  /**
   * Whether a node has few weights and reads a model input, which is not normalized yet. Rounding its weights loses
   * much more than in later layers, and saves little.
   */
  #isFirst(graph: Graph, node: Node, inputs: readonly { held: Constant | undefined }[]): boolean {
    if (!this.#small.chosen || !WEIGHTED.has(node.opType) || graph.parent !== undefined) return false;
    const weights = inputs.flatMap(({ held }) => (held !== undefined && isWeight(held) ? [held.tensor] : []));
    if (weights.length === 0 || !weights.every((one) => this.#small.has(one))) return false;
    let [value = ''] = node.inputs;
    for (let maker = graph.producer(value); maker !== undefined && MOVES.has(maker.opType); ) {
      value = maker.inputs[0] ?? '';
      maker = graph.producer(value);
    }
    return graph.isInput(value);
  }

  /** Whether twice the largest number seen exceeds the range of float16. */
  #passes(value: string): boolean {
    const range = this.#options.ranges.get(value);
    return range !== undefined && 2 * Math.max(-range.observedMin, range.observedMax) > LARGEST.float16;
  }

  #isLeftOut(graph: Graph, node: Node): boolean {
    const { opTypes, include, exclude } = this.#options;
    const names = [node.name, ...node.inputs.filter((one) => graph.constant(one) !== undefined)];
    const isNamed = (list: readonly RegExp[]): boolean => list.some((one) => matches(one, names));
    const other = opTypes !== undefined && !opTypes.includes(node.opType);
    return other || (include.length > 0 && !isNamed(include)) || isNamed(exclude);
  }

  valueOf(graph: Graph, name: string): Value | undefined {
    for (let scope: Graph | undefined = graph; scope !== undefined; scope = scope.parent) {
      const found = this.#values.get(scope)?.get(name);
      if (found !== undefined || scope.defines(name)) return found;
    }
    return undefined;
  }
}

const BEYOND = { reason: 'out_of_range', detail: 'it contains values beyond ±65504, the range of float16' } as const;

/** A constant whose type may change; undefined for anything else, and for values that a caller may override. */
export function typedConstant(model: Model, graph: Graph, value: string): Constant | undefined {
  const held = graph.constant(value);
  if (held === undefined || isVariable(model, held)) return undefined;
  return held.graph.parent !== undefined && held.graph.isInput(constantName(held)) ? undefined : held;
}

/** Whether a node is a Cast to float32. */
export function isFloatCast(node: Node): boolean {
  return isOp(node, 'Cast') && DTYPES[intAttribute(node, 'to', 0)] === 'float32';
}

function isWeight({ tensor: { dims } }: Constant): boolean {
  const elements = elementCount(dims);
  return elements >= LEAST_WEIGHT && elements > Math.max(1, ...dims);
}
