import { type ActivationRange, expectedSqnr, heardSqnr } from '../../../activations/ranges.ts';
import type { Constant, Graph } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import { isOp, type Node } from '../../../ir/node.ts';
import type { Tensor } from '../../../ir/tensor.ts';
import type { LinearParams } from '../../../kernels/linear.ts';
import type { Losses } from '../../../kernels/loss.ts';
import { weightAxes } from '../../../layers/axes.ts';
import { constantName, dropUnused } from '../../../layers/constant.ts';
import { skipUse, type WeightUse } from '../../../layers/select.ts';
import type { SkipReason } from '../../../layers/skip.ts';
import { asItIs, encode, paramsOf } from '../../../schemes/encode.ts';
import { nameFor, namesFor } from '../../../schemes/names.ts';
import {
  encodedBytes,
  type Granularity,
  type IntegerScheme,
  integerScheme,
  PER_TENSOR,
  scaleAxis,
} from '../../../schemes/scheme.ts';
import {
  addTensors,
  dequantizeNode,
  granularityAttributes,
  inputsOf,
  statedZeroPoint,
} from '../../../schemes/write.ts';
import { stopCarrying } from '../../carried.ts';
import { throughSum } from '../../sum.ts';
import type { BiasCorrection } from '../correct.ts';
import type { Ledger } from '../ledger.ts';
import { type ResolvedOptions, resolveOptions } from '../options.ts';
import { quantizeBias } from './bias.ts';
import type { Candidate } from './candidates.ts';
import { Gains } from './gains.ts';
import { type Preference, STATIC_DEFAULTS, type StaticOptions } from './options.ts';
import { type ActivationDType, type GraphRanges, QuantizedValues } from './qdq.ts';
import { keepLayersFloat, keepPoolsFloat } from './seal.ts';
import { type Worth, worthwhile } from './worth.ts';

/** The SQNR that a layer sees is estimated from its weights, so it may be one bit, in dB, below the floor. */
const BIT: number = 20 * Math.log10(2);

/** Names for tensors that are not written. */
const UNNAMED = { of: '', data: 'integers', scale: 'scale', zeroPoint: 'zeroPoint' };

/** A weight as integers, for all readers with the same scales. */
interface Stored {
  readonly scale: Float32Array;
  readonly inputs: readonly string[];
  readonly scheme: IntegerScheme;
  readonly losses: Losses | undefined;
}

/** Rewrites the layers of one graph. */
export class Rewriter {
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #options: ResolvedOptions;
  readonly #ranges: GraphRanges;
  readonly #floor: number;
  readonly #activations: ActivationDType;
  readonly #prefer: Preference;
  readonly #gains: Gains;
  readonly #correction: BiasCorrection;
  readonly #ledger: Ledger;
  readonly #stored = new Map<Tensor, Stored[]>();

  constructor(
    model: Model,
    graph: Graph,
    options: Omit<StaticOptions, 'ranges'> & { readonly ranges: GraphRanges; readonly correction: BiasCorrection },
    ledger: Ledger,
  ) {
    const { ranges, correction, ...rest } = options;
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
    const { activations, minNodeSqnr, prefer } = { ...STATIC_DEFAULTS, ...given };
    this.#model = model;
    this.#graph = graph;
    this.#options = resolveOptions(rest);
    this.#ranges = ranges;
    this.#correction = correction;
    this.#floor = minNodeSqnr;
    this.#activations = activations;
    this.#prefer = prefer;
    this.#gains = new Gains(graph);
    this.#ledger = ledger;
  }

  /** @returns the number of values with a pair for each of several readers */
  async run(candidates: readonly Candidate[]): Promise<number> {
    const worth = await this.choose(candidates);
    const values = new QuantizedValues(this.#graph, this.#ranges, this.#activations, worth.passes);
    const read = this.#readByQuantized([...worth.layers]);
    for (const one of worth.layers) await this.#rewrite(one, values, read);
    values.finish();
    keepLayersFloat(this.#graph);
    keepPoolsFloat(this.#graph, (value) => values.isQuantized(value));
    stopCarrying(this.#graph, this.#model.opset);
    return values.separate;
  }

  /** The layers to run on integers; the reasons for the others go to the ledger. */
  async choose(candidates: readonly Candidate[]): Promise<Worth> {
    const accepted: Candidate[] = [];
    for (const one of candidates) if (await this.#accepts(one)) accepted.push(one);
    return this.#worth(accepted);
  }

  /** The layers that should run on integers, among those that can. */
  #worth(accepted: readonly Candidate[]): Worth {
    if (this.#prefer === 'size') return { layers: new Set(accepted), passes: () => true };
    const worth = worthwhile(this.#graph, accepted, this.#ranges);
    for (const { use } of accepted.filter((one) => !worth.layers.has(one))) {
      this.#skip(use, 'unfused_island', 'integers would not be faster, because of the conversions around them');
    }
    return worth;
  }

  /** Whether both activations keep enough of their signal in 8 bits. */
  async #accepts({ use, x, y }: Candidate): Promise<boolean> {
    for (const value of [x, y]) {
      const range = this.#ranges.get(value);
      if (range === undefined) {
        this.#skip(use, 'not_calibrated', `no range is known for '${value}'`);
        return false;
      }
      const fact = await this.#tooLow(value, range);
      if (fact !== undefined) {
        this.#skip(use, 'low_sqnr', fact);
        return false;
      }
    }
    return true;
  }

  /** Why 8 bits are too few for a value: overall, or weighted by the gains of a layer that reads it. */
  async #tooLow(value: string, range: ActivationRange): Promise<string | undefined> {
    const whole = expectedSqnr(range);
    if (whole < this.#floor)
      return `'${value}' would have an SQNR of ${whole.toFixed(1)} dB in 8 bits; the minimum is ${this.#floor}`;
    const gains = await this.#gains.of(value, range.channelPowers?.length ?? 0);
    const heard = Math.min(...gains.map((one) => heardSqnr(range, one) ?? Number.POSITIVE_INFINITY));
    const least = this.#floor - BIT;
    if (heard >= least) return undefined;
    const fact = `'${value}' would have an SQNR of ${heard.toFixed(1)} dB in 8 bits after the layer that reads it`;
    return `${fact}: its largest channels are not the important ones; the minimum is ${least.toFixed(1)}`;
  }

  /** Values that quantized nodes read, and those from which movers made them. */
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

  async #rewrite(
    { use, x, y, last, bias }: Candidate,
    values: QuantizedValues,
    read: ReadonlySet<string>,
  ): Promise<void> {
    const graph = this.#graph;
    const { node, held } = use;
    const gemm = isOp(node, 'Gemm');
    const axis = weightAxes(use, held.tensor.dims)?.out ?? 0;
    const granularity: Granularity = this.#options.perTensor ? PER_TENSOR : { kind: 'channel', axis };
    const scheme = integerScheme('int8', granularity, this.#options.reduceRange);
    const params = await paramsOf(asItIs(held.tensor), scheme);
    if (params === undefined) {
      this.#skip(use, 'non_finite', 'it contains NaN or infinity');
      return;
    }
    const old = bias === undefined ? undefined : graph.constant(bias);
    const rounded = await encode(asItIs(held.tensor), scheme, params, UNNAMED);
    const corrected = await this.#correction.biasFor(use, rounded);
    const added = corrected ?? old?.tensor;
    const input = values.input(x, node);
    const inputs = [input.name];
    if (added !== undefined) {
      const of = bias ?? added.name;
      const made = await quantizeBias(added, input.params.scale, params, {
        data: nameFor(graph, of, 'data'),
        scale: nameFor(graph, of, 'scale'),
      });
      if (made === undefined) {
        this.#skip(use, 'non_finite', 'its bias contains NaN or infinity');
        return;
      }
      graph.setInitializer(made.data);
      graph.setInitializer(made.scale);
      const each: Granularity = made.scale.dims.length === 0 ? PER_TENSOR : { kind: 'channel', axis: 0 };
      inputs.push(this.#dequantize(node, of, [made.data.name, made.scale.name], each));
    }
    const { inputs: parts, added: bytes, losses } = await this.#weight(held, scheme, params);
    inputs.splice(1, 0, this.#dequantize(node, constantName(held), parts, granularity));
    const next: Node = { ...node, inputs };
    graph.replaceNode(node, next);
    const output = values.outputParams(y);
    if (output !== undefined && (!gemm || read.has(y))) values.output(last === node ? next : last, y, output);
    // ONNX Runtime would fuse a float clip into a float Gemm before it looks for integers.
    else if (last !== node) throughSum(graph, next.outputs[0] ?? '', [last], 'product');
    const form = `${scheme.name}, static`;
    this.#ledger.change(held, { node: next, added: bytes, form, losses });
    const dropped = dropUnused(held, this.#model.trainingNames);
    this.#ledger.settle(held, { bytes: dropped ? 0 : held.tensor.byteLength });
    if (old !== undefined) dropUnused(old, this.#model.trainingNames);
  }

  /** The integers of a weight with scale and zero point, shared with another reader if they are equal. */
  async #weight(
    held: Constant,
    scheme: IntegerScheme,
    params: LinearParams,
  ): Promise<Stored & { readonly added: number }> {
    const { tensor } = held;
    const stored = this.#stored.get(tensor) ?? [];
    const found = stored.find(
      (one) => scaleAxis(one.scheme) === scaleAxis(scheme) && params.scale.every((step, at) => step === one.scale[at]),
    );
    if (found !== undefined) return { ...found, added: 0 };
    const names = namesFor(this.#graph, constantName(held));
    const weight = await encode(asItIs(tensor), scheme, params, names);
    // See `statedZeroPoints` in src/targets.
    const zeroPoint = statedZeroPoint(weight, names.zeroPoint);
    const whole = { ...weight, zeroPoint };
    addTensors(this.#graph, whole);
    const made: Stored = { scale: params.scale, inputs: inputsOf(whole), scheme, losses: weight.losses };
    this.#stored.set(tensor, [...stored, made]);
    return { ...made, added: encodedBytes(whole) };
  }

  #skip(use: WeightUse, reason: SkipReason, detail: string): void {
    this.#ledger.skip(use.held, skipUse(use, reason, detail));
  }

  #dequantize(anchor: Node, of: string, inputs: readonly string[], granularity: Granularity): string {
    const node = dequantizeNode(this.#graph, of, inputs, granularityAttributes(granularity));
    this.#graph.insertBefore(anchor, node);
    return node.outputs[0];
  }
}
