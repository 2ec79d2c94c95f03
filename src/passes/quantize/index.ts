import { CompressError } from '../../errors.ts';
import { cloneModel } from '../../ir/clone.ts';
import type { Model } from '../../ir/model.ts';
import { isOp } from '../../ir/node.ts';
import { DATA_METHODS } from '../../kernels/lowbits/names.ts';
import { checkShape } from '../../options/check.ts';
import type { PassFact } from '../facts.ts';
import { unpackFirst } from '../pack/unpack.ts';
import type { Pass, PassReport } from '../pass.ts';
import { BiasCorrection } from './correct.ts';
import { Ledger } from './ledger.ts';
import {
  forTarget,
  isLow,
  QUANTIZE_SHAPE,
  type QuantizeOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts';
import { alikeWeights, type Prepared, prepare, sharesWeights } from './prepare.ts';

export { type LowOptions, QUANTIZABLE_OPS, QUANTIZE_DEFAULTS, type QuantizeOptions } from './options.ts';

import type { LowSources } from './low/sources.ts';
import { maximaForRelus } from './maxima.ts';
import { quantizeWeights } from './weights.ts';

/**
 * Quantizes weights to 8-bit integers, without data. Activations of large matrix products are quantized while the model
 * runs, as `torch.quantization.quantize_dynamic` does for Linear layers. All other weights are stored as integers and
 * converted to float when the model is loaded.
 *
 * ```
 * before  x ── MatMul(W) ── Add(b) ── y
 *
 * dynamic x ── DynamicQuantizeLinear ── DequantizeLinear ─┐
 *                  W_quantized ── DequantizeLinear(axis 1) ── MatMul ── Sum(b) ── y
 *
 * stored  x ───────────────────────────────────────────────────┐
 *                  W_quantized ── Cast ── Mul(scale) ── Reshape ── MatMul ── Add(b) ── y
 * ```
 *
 * ONNX Runtime fuses the dynamic graph into one integer kernel (DynamicQuantizeMatMul). `weightsOnly` leaves x float;
 * if x has few rows, it becomes MatMulNBits. Gemm is written as MatMul, its alpha and transB folded into the weight.
 * Embedding tables become `Gather(W_quantized) ── Cast ── Mul(scale)`. Weights of Conv, ConvTranspose, LSTM, GRU, RNN
 * and of products that integers would not speed up are stored as `Cast(W_quantized) · scale`, which ONNX Runtime
 * computes once, when it loads the model. They have one scale per output channel, or per block of 64, 32 or 16
 * neighbours; small ones may be float16 after a Cast. The form of each is chosen over the whole model: the least noise
 * in as many bytes as ONNX Runtime's quantizer would take. Only blocks need the Reshape.
 *
 * A model with BatchNormalization is folded first, which merges them into the weights, as ONNX Runtime does when it
 * loads a model; their constants need not be stored. Equal weights are stored once.
 *
 * Unless `minElements`, `include` or `opTypes` is given, weights that are not worth it stay float: a product before a
 * Log, rotary tables, and tables that no product reads.
 *
 * int8: `q = clamp(roundHalfEven(w / scale), −127, 127)`, `scale = max|w| / 127` for each output channel; scales of
 * stored weights are fitted to the least squared error.
 *
 * @throws CompressError `options` if options contradict each other
 * @example
 * await transform(model, quantize({ weightsOnly: true }));
 * @see https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
 */
export function quantize(options: QuantizeOptions = {}): Pass {
  return quantizing(options);
}

/** {@link quantize} with optional sources of data. */
export function quantizing(options: QuantizeOptions, sources: LowSources = {}): Pass {
  checkShape('quantize', options, QUANTIZE_SHAPE);
  const settled = resolveOptions(forTarget(options));
  if (settled.method !== undefined && DATA_METHODS.includes(settled.method) && sources.activations === undefined) {
    throw new CompressError('options', 'method', `${settled.method} needs activations`, {
      hint: 'Give data: `calibrate: FILE`.',
    });
  }
  return { name: 'quantize', run: (model, watch) => run(model, settled, { ...sources, watch }) };
}

/**
 * {@link quantize} as a plan: no weight is read, so that a model of any size takes milliseconds. The report is the
 * same, except for what only the elements show: no weight is found to hold NaN, and stored weights get the form that
 * normally distributed numbers would get. So the size is that of the result within a few percent. The scales mean
 * nothing, and the model must not be written.
 */
export function planQuantize(options: QuantizeOptions = {}): Pass {
  const settled = { ...resolveOptions(forTarget(options)), unread: true };
  return { name: 'quantize', run: (model) => run(model, settled) };
}

async function run(model: Model, options: ResolvedOptions, sources: LowSources = {}): Promise<PassReport> {
  const { notes, ...unpacked } = await unpackFirst(model);
  const ledger = new Ledger(model, options.minElements);
  const { notes: before, facts } = await prepared(model, options);
  notes.push(...before);
  const correction = new BiasCorrection(model, options.means);
  notes.push(...(await quantizeAll(model, { ...options, correction }, ledger, sources)));
  if (correction.note !== undefined) notes.push(correction.note);
  return { pass: 'quantize', ...closed(ledger, model, options, facts), ...unpacked, notes };
}

/**
 * The report of a run, without weights left for a later pass.
 * @param before - facts about the preparation
 */
export function closed(
  ledger: Ledger,
  model: Model,
  { others }: ResolvedOptions,
  before: readonly PassFact[] = [],
): Pick<PassReport, 'changes' | 'skips' | 'facts'> {
  const { facts: own, ...rest } = ledger.close(others === 'float' ? undefined : model);
  const facts = [...before, ...own];
  return facts.length === 0 ? rest : { ...rest, facts };
}

/** Prepares a model for quantization, unless no weight would change: such a model stays as it is. */
async function prepared(model: Model, options: ResolvedOptions): Promise<Prepared> {
  const folds = model.graph.nodes.some((node) => isOp(node, 'BatchNormalization'));
  const alike = sharesWeights(options) ? await alikeWeights(model) : [];
  if (!folds && alike.length === 0) return { notes: [] };
  if (!options.unread && !(await changesAny(cloneModel(model), options))) return { notes: [] };
  return prepare(model, folds, alike);
}

/** Whether any weight would change, according to a plan. */
async function changesAny(model: Model, options: ResolvedOptions): Promise<boolean> {
  const ledger = new Ledger(model, options.minElements);
  const correction = new BiasCorrection(model, new Map());
  await quantizeAll(model, { ...options, unread: true, correction }, ledger);
  return ledger.close().changes.length > 0;
}

/** Quantizes all weights, products to fewer than 8 bits where the options say so; as {@link quantizeWeights}. */
export async function quantizeAll(
  model: Model,
  options: ResolvedOptions,
  ledger: Ledger,
  sources: LowSources = {},
): Promise<string[]> {
  const notes = await quantizeAny(model, options, ledger, sources);
  if (options.target === 'web') maximaForRelus(model);
  return notes;
}

async function quantizeAny(
  model: Model,
  options: ResolvedOptions,
  ledger: Ledger,
  sources: LowSources,
): Promise<string[]> {
  if (!isLow(options)) return quantizeWeights(model, options, ledger, sources.watch);
  const { quantizeLow } = await import('./low/index.ts');
  return quantizeLow(model, options, ledger, sources);
}
