import { CompressError } from '../../../errors.ts';
import { elementCount } from '../../../ir/dtype.ts';
import type { Graph } from '../../../ir/graph.ts';
import { type Model, NO_OPSET } from '../../../ir/model.ts';
import { attribute, createNode, isOp, type Node } from '../../../ir/node.ts';
import { Places } from '../../../ir/places.ts';
import { type ActivationRange, type ActivationRanges, expectedSqnr, heardSqnr } from '../../../ir/ranges.ts';
import { constant } from '../../../ir/tensor.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { dropUnused, heldName } from '../../../layers/held.ts';
import { skipUse } from '../../../layers/select.ts';
import type { Change, Skip } from '../../../layers/skip.ts';
import { checkShape, type Shape } from '../../../options/check.ts';
import { stopCarrying } from '../../carried.ts';
import type { Pass, PassReport } from '../../pass.ts';
import { QUANTIZE_SHAPE, type QuantizeOptions, settle } from '../options.ts';
import { paramsOf, quantizedBytes, quantizedWeight } from '../weight.ts';
import { quantizeBias } from './bias.ts';
import { type Candidate, staticCandidates } from './candidates.ts';
import { Gains } from './gains.ts';
import { STATIC_DEFAULTS } from './options.ts';
import { type ActivationDType, type GraphRanges, QuantizedValues } from './qdq.ts';
import { keepExcludedFloat } from './seal.ts';

export { STATIC_DEFAULTS } from './options.ts';

export interface StaticOptions extends QuantizeOptions {
  /** What calibration measured, by the names of the folded model; see {@link calibrationValues}. */
  readonly ranges: ActivationRanges;
  /** Type of quantized activations. */
  readonly activations?: ActivationDType;
  /** A Conv or Gemm one of whose activations would fall below this signal-to-noise ratio, in dB, stays float. */
  readonly minNodeSqnr?: number;
}

const STATIC_SHAPE: Shape<StaticOptions> = {
  ...QUANTIZE_SHAPE,
  ranges: 'object',
  activations: ['uint8', 'int8'],
  minNodeSqnr: 'number',
};

/** What a layer hears of a value is estimated from its weights: it may be one bit, in dB, below the floor for the whole. */
const BIT: number = 20 * Math.log10(2);

const WHY_APART = 'ONNX Runtime would compute in float around them on x64 (uint8 needs no such copies)';

/** Version of the standard domain from which DequantizeLinear takes a scale per channel. */
export const PER_AXIS_OPSET = 13;

/**
 * The activations whose ranges {@link quantizeStatic} needs: what the Conv and Gemm it may rewrite read and make, as the whole model
 * calls them (see {@link Places}).
 */
export function calibrationValues(model: Model, options: QuantizeOptions = {}): string[] {
  return [...channelAxes(model, options).keys()];
}

/** The axis of the channels of each of {@link calibrationValues}: what the floor needs to look at channels. */
export function channelAxes(model: Model, options: QuantizeOptions = {}): Map<string, number> {
  const places = new Places(model);
  const { candidates } = staticCandidates(model, settle(options), places);
  const axes = new Map<string, number>();
  for (const { use, x, y } of candidates) {
    for (const one of [x, y]) axes.set(places.keyOf(use.graph, one) ?? one, isOp(use.node, 'Conv') ? 1 : -1);
  }
  return axes;
}

/** Reasons that are named where nothing is calibrated. */
const NAMED = 3;

/**
 * Why no activation of the model is quantized ahead, so that there is nothing to calibrate.
 * @returns undefined where some are
 */
export function whyNothing(model: Model, options: QuantizeOptions = {}): string | undefined {
  const { candidates, reasons } = staticCandidates(model, settle(options));
  if (candidates.length > 0) return undefined;
  const matmul = [...model.nodes()].some(({ node }) => isOp(node, 'MatMul'));
  const dynamic = matmul ? '; MatMul quantizes what it reads when the model runs, by its own range' : '';
  if (reasons.size === 0) return `the model has no Conv or Gemm with a weight${dynamic}`;
  const named = [...reasons].slice(0, NAMED).map(([reason, count]) => `${count} ${reason}`);
  const more = reasons.size > NAMED ? '; …' : '';
  return `no Conv or Gemm can run on integers (${named.join('; ')}${more})${dynamic}`;
}

/**
 * Quantizes Conv and Gemm with their activations, whose ranges were calibrated: static quantization.
 *
 * ```
 * before  x ── Conv(W, b) ── Relu ── y
 *
 * after   x ── Q ── DQ ── Conv(W_quantized ── DQ, b_quantized ── DQ) ── Relu ── Q ── DQ ── y
 * ```
 *
 * ONNX Runtime runs this as one QLinearConv (a Gemm as QGemm). Weights are int8, symmetric, a scale for each output
 * channel; the bias is int32 with the scale `x_scale · w_scale`. A Conv needs a quantized output; a Gemm has one only
 * where another quantized node reads it. MaxPool and operators that only move values pass the integers on. Inputs and outputs
 * of graphs stay float, and what goes into a branch of an If and comes out of it. What it leaves is left for the dynamic and
 * weights-only forms.
 *
 * @throws CompressError `options` for opsets under 13, which have no DequantizeLinear per channel
 * @see https://arxiv.org/abs/1712.05877 Jacob et al. 2018, section 2
 */
export function quantizeStatic(options: StaticOptions): Pass {
  checkShape('quantizeStatic', options, STATIC_SHAPE);
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { activations, minNodeSqnr } = { ...STATIC_DEFAULTS, ...given };
  const settled = settle(options);
  return {
    name: 'quantize',
    async run(model) {
      if (model.opset < PER_AXIS_OPSET) {
        const found = model.hasOpset ? `the model has opset ${model.opset}` : NO_OPSET;
        const fact = `${found}; static quantization needs ${PER_AXIS_OPSET}`;
        throw new CompressError('options', 'ranges', fact);
      }
      return run(model, settled, options.ranges, activations, minNodeSqnr);
    },
  };
}

/** Rewrites each graph by itself: ONNX Runtime fuses no node with what a graph around it computes or holds. */
async function run(
  model: Model,
  options: Required<QuantizeOptions>,
  ranges: ActivationRanges,
  activations: ActivationDType,
  floor: number,
): Promise<PassReport> {
  const places = new Places(model);
  const found = staticCandidates(model, options, places);
  const { candidates } = found;
  const skips = [...found.skips];
  const changes: Change[] = [];
  let apart = 0;
  for (const graph of places.graphs) {
    const own = candidates.filter((one) => one.use.graph === graph);
    if (own.length === 0 && graph !== model.graph) continue;
    const seen = { get: (name: string) => ranges.get(places.keyOf(graph, name) ?? name) };
    const rewriter = new Rewriter(model, graph, options, seen, activations, floor);
    await rewriter.run(own);
    changes.push(...rewriter.changes);
    skips.push(...rewriter.skips);
    apart += rewriter.apart;
  }
  const values = apart === 1 ? '1 int8 value' : `${apart} int8 values`;
  const notes = apart === 0 ? [] : [`${values} with several readers quantized for each of them: ${WHY_APART}`];
  return { pass: 'quantize', changes, skips, notes };
}

class Rewriter {
  readonly changes: Change[] = [];
  readonly skips: Skip[] = [];
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #options: Required<QuantizeOptions>;
  readonly #ranges: GraphRanges;
  readonly #floor: number;
  readonly #values: QuantizedValues;
  readonly #gains: Gains;

  constructor(
    model: Model,
    graph: Graph,
    options: Required<QuantizeOptions>,
    ranges: GraphRanges,
    activations: ActivationDType,
    floor: number,
  ) {
    this.#model = model;
    this.#graph = graph;
    this.#options = options;
    this.#ranges = ranges;
    this.#floor = floor;
    this.#values = new QuantizedValues(graph, ranges, activations);
    this.#gains = new Gains(graph);
  }

  /** How many values have a copy for each of several readers. */
  get apart(): number {
    return this.#values.apart;
  }

  async run(candidates: readonly Candidate[]): Promise<void> {
    const accepted: Candidate[] = [];
    for (const one of candidates) if (await this.#accepts(one)) accepted.push(one);
    const read = this.#readByQuantized(accepted);
    for (const one of accepted) await this.#rewrite(one, read);
    this.#values.finish();
    keepExcludedFloat(this.#graph, this.#options);
    stopCarrying(this.#graph, this.#model.opset);
  }

  /** Whether both activations keep enough of their signal in 8 bits. */
  async #accepts({ use, x, y }: Candidate): Promise<boolean> {
    for (const value of [x, y]) {
      const range = this.#ranges.get(value);
      if (range === undefined) {
        this.skips.push(skipUse(use, 'not_calibrated', `no range is known for '${value}'`));
        return false;
      }
      const fact = await this.#tooLow(value, range);
      if (fact !== undefined) {
        this.skips.push(skipUse(use, 'low_sqnr', fact));
        return false;
      }
    }
    return true;
  }

  /** Why 8 bits are too few for a value: for the whole of it, or for what a layer that reads it makes of its channels. */
  async #tooLow(value: string, range: ActivationRange): Promise<string | undefined> {
    const whole = expectedSqnr(range);
    if (whole < this.#floor)
      return `'${value}' would keep ${whole.toFixed(1)} dB in 8 bits; ${this.#floor} are asked for`;
    const gains = await this.#gains.of(value, range.channelPowers?.length ?? 0);
    const heard = Math.min(...gains.map((one) => heardSqnr(range, one) ?? Number.POSITIVE_INFINITY));
    const least = this.#floor - BIT;
    if (heard >= least) return undefined;
    const fact = `'${value}' would keep ${heard.toFixed(1)} dB in 8 bits where it is read`;
    return `${fact}: its loud channels are not those that count; ${least.toFixed(1)} are asked for`;
  }

  /** Values that quantized nodes read, and those they were taken from by one node after another. */
  #readByQuantized(accepted: readonly Candidate[]): Set<string> {
    const read = new Set<string>();
    for (const { x } of accepted) {
      let value = x;
      while (!read.has(value)) {
        read.add(value);
        value = this.#graph.producer(value)?.inputs[0] ?? value;
      }
    }
    return read;
  }

  async #rewrite({ use, x, y, last, bias }: Candidate, read: ReadonlySet<string>): Promise<void> {
    const graph = this.#graph;
    const { node, held } = use;
    const gemm = isOp(node, 'Gemm');
    const axis = weightAxes(use, held.tensor.dims)?.out ?? 0;
    const shape = { transposed: false, axis, factor: 1 };
    const scheme = {
      dtype: 'int8',
      reduceRange: this.#options.reduceRange,
      perTensor: this.#options.perTensor,
    } as const;
    const params = await paramsOf(held.tensor, shape, scheme);
    if (params === undefined) {
      this.skips.push(skipUse(use, 'non_finite', 'it holds NaN or infinity'));
      return;
    }
    const held2 = bias === undefined ? undefined : graph.held(bias);
    const input = this.#values.input(x, node);
    const name = (base: string, part: string): string => graph.uniqueName(`${base}_${part}`);
    const base = heldName(held);
    const inputs = [input.name];
    let added = 0;
    if (held2 !== undefined && bias !== undefined) {
      const names = { data: name(bias, 'quantized'), scale: name(bias, 'scale') };
      const made = await quantizeBias(held2.tensor, input.params.scale, params, names);
      if (made === undefined) {
        this.skips.push(skipUse(use, 'non_finite', 'its bias holds NaN or infinity'));
        return;
      }
      graph.setInitializer(made.data);
      graph.setInitializer(made.scale);
      const scaleAxis = made.scale.dims.length === 0 ? undefined : 0;
      inputs.push(this.#dequantize(node, bias, [made.data.name, made.scale.name], scaleAxis));
    }
    const names = { data: name(base, 'quantized'), scale: name(base, 'scale'), zeroPoint: name(base, 'zero_point') };
    const weight = await quantizedWeight(held.tensor, shape, scheme, params, names);
    // QGemm is made only where both sides state a zero point.
    const zeroPoint = constant(names.zeroPoint, 'int8', weight.scale.dims, new Int8Array(params.scale.length));
    for (const tensor of [weight.data, weight.scale, zeroPoint]) graph.setInitializer(tensor);
    added += quantizedBytes(weight) + zeroPoint.byteLength;
    const parts = [weight.data.name, weight.scale.name, zeroPoint.name];
    inputs.splice(1, 0, this.#dequantize(node, base, parts, weight.axis));
    const next: Node = { ...node, inputs };
    graph.replaceNode(node, next);
    const output = this.#values.outputParams(y);
    if (output !== undefined && (!gemm || read.has(y))) {
      this.#values.output(last === node ? next : last, y, output);
    }
    this.#record(base, next, held.tensor.byteLength, added, held.tensor.dims);
    dropUnused(held, this.#model.trainingNames);
    if (held2 !== undefined) dropUnused(held2, this.#model.trainingNames);
  }

  #dequantize(anchor: Node, base: string, inputs: readonly string[], axis: number | undefined): string {
    const graph = this.#graph;
    const output = graph.uniqueName(`${base}_dequantized`);
    const name = graph.uniqueName(`${base}_DequantizeLinear`);
    const attributes = axis === undefined ? [] : [attribute.int('axis', axis)];
    graph.insertBefore(anchor, createNode({ name, opType: 'DequantizeLinear', inputs, outputs: [output], attributes }));
    return output;
  }

  #record(weight: string, node: Node, before: number, after: number, dims: readonly number[]): void {
    this.changes.push({
      weight,
      nodes: [node.name || (node.outputs[0] ?? '')],
      opType: node.opType,
      dtype: 'float32',
      dims,
      elements: elementCount(dims),
      before,
      after,
      form: `int8 ${this.#options.perTensor ? 'per tensor' : 'per channel'}, static`,
    });
  }
}
