import { CompressError } from '../../../errors.ts';
import { type Model, NO_OPSET } from '../../../ir/model.ts';
import { isOp } from '../../../ir/node.ts';
import { Places } from '../../../ir/places.ts';
import { checkShape } from '../../../options/check.ts';
import { PER_AXIS_OPSET } from '../../../schemes/opset.ts';
import type { Pass } from '../../pass.ts';
import { BiasCorrection } from '../correct.ts';
import { Ledger } from '../ledger.ts';
import { allOf, type QuantizeOptions, resolveOptions } from '../options.ts';
import { type Candidate, staticCandidates } from './candidates.ts';
import { STATIC_SHAPE, type StaticOptions } from './options.ts';
import { Rewriter } from './rewriter.ts';

export { PER_AXIS_OPSET } from '../../../schemes/opset.ts';
export { type Preference, STATIC_DEFAULTS, type StaticOptions } from './options.ts';

const WHY_APART = 'otherwise ONNX Runtime computes in float around them on x64 (uint8 needs no copies)';

/**
 * The activations whose ranges {@link quantizeStatic} needs: inputs and outputs of the Conv and Gemm nodes that it may
 * rewrite, by their names in the whole model (see `Places`).
 */
export function calibrationValues(model: Model, options: QuantizeOptions = {}): string[] {
  return [...channelAxes(model, options).keys()];
}

/** The axis of the channels of each of {@link calibrationValues}: what the SQNR floor needs to measure channels. */
export function channelAxes(model: Model, options: QuantizeOptions = {}): Map<string, number> {
  const places = new Places(model);
  const { candidates } = staticCandidates(model, allOf(options), places);
  const axes = new Map<string, number>();
  for (const { use, x, y } of candidates) {
    for (const one of [x, y]) axes.set(places.keyOf(use.graph, one) ?? one, isOp(use.node, 'Conv') ? 1 : -1);
  }
  return axes;
}

/** Reasons that are named if no layer can be calibrated. */
const NAMED = 3;

/**
 * Why no activation of the model is statically quantized, so that there is nothing to calibrate.
 * @returns undefined if some are
 */
export function whyNothing(model: Model, options: QuantizeOptions = {}): string | undefined {
  const { candidates, reasons } = staticCandidates(model, allOf(options));
  if (candidates.length > 0) return undefined;
  const matmul = [...model.nodes()].some(({ node }) => isOp(node, 'MatMul'));
  const dynamic = matmul ? '; MatMul quantizes its input at run time' : '';
  if (reasons.size === 0) return `the model has no Conv or Gemm with a constant weight${dynamic}`;
  const named = [...reasons].slice(0, NAMED).map(([reason, count]) => `${count} ${reason}`);
  const more = reasons.size > NAMED ? '; …' : '';
  return `no Conv or Gemm can run on integers (${named.join('; ')}${more})${dynamic}`;
}

/**
 * Static quantization: quantizes Conv and Gemm with their activations, whose ranges were calibrated.
 *
 * ```
 * before  x ── Conv(W, b) ── Relu ── y
 *
 * after   x ── Q ── DQ ── Conv(W_quantized ── DQ, b_quantized ── DQ) ── Relu ── Q ── DQ ── y
 * ```
 *
 * ONNX Runtime runs this as one QLinearConv (a Gemm as QGemm). Weights are symmetric int8 with one scale per output
 * channel; the bias is int32 with the scale `x_scale · w_scale`. A Conv needs a quantized output; a Gemm has one only
 * where another quantized node reads it. MaxPool and operators that only move values pass integers on. Inputs and
 * outputs of graphs stay float, and so do values that enter or leave a branch of an If. Layers that it skips remain for
 * the dynamic and weights-only forms.
 *
 * @throws CompressError `options` for opsets under 13, which have no DequantizeLinear per channel
 * @example
 * const data = await openData('calib.npz', await modelInputs(model));
 * const { ranges } = await calibrate(model, calibrationValues(model), data);
 * await transform(model, quantizeStatic({ ranges }), quantize());
 * @see https://arxiv.org/abs/1712.05877 Jacob et al. 2018, section 2
 */
export function quantizeStatic(options: StaticOptions): Pass {
  checkShape('quantizeStatic', options, STATIC_SHAPE);
  // Contradictory options are rejected at once.
  resolveOptions(options);
  return {
    name: 'quantize',
    async run(model) {
      const ledger = new Ledger(model, 0);
      const correction = new BiasCorrection(model, options.means ?? options.ranges);
      const notes = await quantizeActivations(model, options, ledger, correction);
      if (correction.note !== undefined) notes.push(correction.note);
      return { pass: 'quantize', ...ledger.close(), notes };
    },
  };
}

/**
 * {@link quantizeStatic}, with a ledger that other forms continue. Each graph is rewritten by itself: ONNX Runtime
 * fuses no node with values of an enclosing graph.
 * @returns facts about the whole model
 */
export async function quantizeActivations(
  model: Model,
  options: StaticOptions,
  ledger: Ledger,
  correction: BiasCorrection,
): Promise<string[]> {
  if (model.opset < PER_AXIS_OPSET) {
    const found = model.hasOpset ? `the model has opset ${model.opset}` : NO_OPSET;
    const fact = `${found}; static quantization needs ${PER_AXIS_OPSET}`;
    throw new CompressError('options', 'ranges', fact);
  }
  let separate = 0;
  for (const [rewriter, own] of rewriters(model, options, ledger, correction)) separate += await rewriter.run(own);
  const values = separate === 1 ? '1 int8 value' : `${separate} int8 values`;
  return separate === 0 ? [] : [`${values} quantized separately for each reader: ${WHY_APART}`];
}

/**
 * Whether any layer would run on integers, at any opset, so that the model is not prepared in vain. The reasons against
 * go to the ledger.
 */
export async function anyActivations(model: Model, options: StaticOptions, ledger: Ledger): Promise<boolean> {
  const correction = new BiasCorrection(model, new Map());
  for (const [rewriter, own] of rewriters(model, options, ledger, correction)) {
    if ((await rewriter.choose(own)).layers.size > 0) return true;
  }
  return false;
}

/** The rewriter of each graph, with the layers that may run on integers. */
function* rewriters(
  model: Model,
  options: StaticOptions,
  ledger: Ledger,
  correction: BiasCorrection,
): Generator<readonly [Rewriter, readonly Candidate[]]> {
  const places = new Places(model);
  const { candidates } = staticCandidates(model, allOf(options), places, ledger);
  for (const graph of places.graphs) {
    const own = candidates.filter((one) => one.use.graph === graph);
    if (own.length === 0 && graph !== model.graph) continue;
    const ranges = { get: (name: string) => options.ranges.get(places.keyOf(graph, name) ?? name) };
    yield [new Rewriter(model, graph, { ...options, ranges, correction }, ledger), own];
  }
}
