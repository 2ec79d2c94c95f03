import type { ActivationRanges, ProductSignals } from '../../activations/ranges.ts';
import { CompressError } from '../../errors.ts';
import type { Model } from '../../ir/model.ts';
import { Places } from '../../ir/places.ts';
import { DATA_METHODS } from '../../kernels/lowbits/names.ts';
import type { ObserverKind } from '../../kernels/observe/choose.ts';
import { DEFAULT_OBSERVER } from '../../kernels/observe/names.ts';
import { checkShape, type Shape } from '../../options/check.ts';
import { rowsOf } from '../../options/option.ts';
import { ACTIVATION_ROWS } from '../../options/quantize.ts';
import { defined, togetherError } from '../../options/values.ts';
import { bringWeights } from '../../passes/constants/see.ts';
import { equalizationValues, equalize } from '../../passes/equalize/index.ts';
import { raiseOpset } from '../../passes/opset/index.ts';
import { unpackFirst } from '../../passes/pack/unpack.ts';
import type { Pass, PassReport } from '../../passes/pass.ts';
import { BiasCorrection } from '../../passes/quantize/correct.ts';
import { correctionValues } from '../../passes/quantize/correctionValues.ts';
import { closed, quantizeAll } from '../../passes/quantize/index.ts';
import { Ledger } from '../../passes/quantize/ledger.ts';
import {
  forTarget,
  isLow,
  QUANTIZE_SHAPE,
  type QuantizeOptions,
  type ResolvedOptions,
  resolveOptions,
} from '../../passes/quantize/options.ts';
import { alikeWeights, prepare, sharesWeights } from '../../passes/quantize/prepare.ts';
import { skipBeforeLog, withSmallest } from '../../passes/quantize/select.ts';
import {
  anyActivations,
  calibrationValues,
  channelAxes,
  PER_AXIS_OPSET,
  quantizeActivations,
  whyNothing,
} from '../../passes/quantize/static/index.ts';
import { type Preference, STATIC_DEFAULTS } from '../../passes/quantize/static/options.ts';
import type { ActivationDType } from '../../passes/quantize/static/qdq.ts';
import { tryProducts } from '../../passes/quantize/trials.ts';
import { quantizeWeights } from '../../passes/quantize/weights.ts';
import { type Calibration, calibrate } from '../activations/calibrate.ts';
import { openActivations } from '../activations/open.ts';
import type { ResultsFolder } from '../files/resultsFolder.ts';
import { loadRanges, saveRanges } from '../runtime/rangesFile.ts';
import { putAside } from './aside.ts';
import { dataOf } from './calibrationData.ts';
import { earlierNotes, identityOf } from './resume.ts';

/** Where the ranges of activations come from, and how they are used. */
export interface CalibratedOptions {
  /**
   * Path of data to run the model on, or the word `random`. Alternatively `ranges`: a file that an earlier run saved.
   */
  readonly data?: string | undefined;
  readonly ranges?: string | undefined;
  /** File to write the ranges to. */
  readonly saveRanges?: string | undefined;
  /** Replace an existing file. */
  readonly overwrite?: boolean;
  /** How a range is chosen from the observed values: `minmax` if omitted. */
  readonly observer?: ObserverKind;
  /** Use only this many rows of the data. */
  readonly samples?: number | undefined;
  /** Rows per run. */
  readonly batch?: number | undefined;
  readonly activations?: ActivationDType;
  /**
   * A Conv or Gemm stays float if an activation it reads or writes would fall below this signal-to-noise ratio in dB.
   */
  readonly minNodeSqnr?: number;
  /**
   * `speed`: layers that integers would slow down stay float. `size`: every layer that keeps enough of its signal is
   * quantized.
   */
  readonly prefer?: Preference;
  /** Correct biases for the mean error of rounded weights; true if omitted. */
  readonly biasCorrection?: boolean;
  /** Balance the channel scales of neighbouring layers first (see {@link equalize}). */
  readonly equalize?: boolean;
  /** Called with the ranges that limited the channel scales, for a caller that repeats the run. */
  readonly onEqualized?: (ranges: ActivationRanges) => void;
  /** Called after each run of a sample. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** Called after each layer whose codes GPTQ chose. */
  readonly onLayer?: (done: number, total: number) => void;
  /** Where the codes of layers are kept, so that an interrupted run can continue. */
  readonly results?: ResultsFolder;
}

/** The expected type of each option. */
const SHAPE: Shape<CalibratedOptions> = {
  data: 'text',
  ranges: 'text',
  saveRanges: 'text',
  overwrite: 'flag',
  ...rowsOf(ACTIVATION_ROWS, 'samples', 'batch', 'observer', 'activations', 'minNodeSqnr', 'prefer'),
  ...rowsOf(ACTIVATION_ROWS, 'biasCorrection', 'equalize'),
  onEqualized: 'function',
  onProgress: 'function',
  onLayer: 'function',
  results: 'object',
};

/** The options of a run, with defaults. */
type Calibrating = CalibratedOptions & Required<Pick<CalibratedOptions, 'observer' | 'biasCorrection' | 'onProgress'>>;

/**
 * Static quantization of a whole model, as the command line does with data: folds the model, runs it on the data,
 * quantizes Conv and Gemm with their activations and MatMul dynamically, and stores the weights of the other Conv as
 * integers. With `weightsOnly`, all weights are stored and the data only corrects biases. For a target without integer
 * products, matrix products get few bits, with codes that the data chooses.
 *
 * @throws CompressError `options` if there is neither data nor ranges, or both; errors of reading data and running
 *   models
 * @example
 * await using model = await readModel('model.onnx');
 * await transform(model, calibratedQuantize({}, { data: 'calib.npz' }));
 * await writeModel(model, 'small.onnx');
 */
export function calibratedQuantize(asked: QuantizeOptions, given: CalibratedOptions): Pass {
  checkShape('quantize', asked, QUANTIZE_SHAPE);
  checkShape('calibratedQuantize', given, SHAPE);
  const quantizeOptions = wantsIntegers(given) ? asked : forTarget(asked);
  const options = { observer: DEFAULT_OBSERVER, biasCorrection: true, onProgress: () => {}, ...defined(given) };
  const { data, ranges: file, saveRanges: target } = options;
  const both = data !== undefined && file !== undefined ? 'data' : file !== undefined && target !== undefined;
  if (both) throw togetherError(['ranges', both === true ? 'saveRanges' : both], 'Leave out one of the two.');
  if (data === undefined && file === undefined) {
    throw new CompressError('options', 'data', 'is required for calibration', { hint: 'Give `data`, or `ranges`.' });
  }
  return {
    name: 'quantize',
    async run(model) {
      let settled: ResolvedOptions = resolveOptions(quantizeOptions);
      const { notes: broken, ...unpacked } = await unpackFirst(model);
      const ledger = new Ledger(model, settled.minElements);
      const inlined = [...broken, ...(await bringWeights(model, settled.opTypes, 'all'))];
      const { notes: folded, facts } = await prepare(
        model,
        true,
        sharesWeights(settled) ? await alikeWeights(model) : [],
      );
      const notes = [...inlined, ...folded];
      const low = isLow(settled);
      const weightsOnly = settled.weightsOnly || low;
      if (!weightsOnly && options.equalize) notes.push(...(await equalized(model, options)).notes);
      const found = await foundIn(model, quantizeOptions, settled, options);
      const { ranges } = found;
      notes.push(...found.notes);
      const { activations, minNodeSqnr, prefer } = { ...STATIC_DEFAULTS, ...options };
      settled = { ...settled, floor: { least: minNodeSqnr, signals: found.products, places: new Places(model) } };
      // The first reason is the one that is reported; a reason from data says more than the static pass.
      skipBeforeLog(model, settled, ledger);
      const statics = { ...quantizeOptions, ranges, activations, minNodeSqnr, prefer };
      const ahead = !weightsOnly && (await anyActivations(model, statics, ledger));
      if (ahead && model.opset < PER_AXIS_OPSET) notes.push(...(await raisedNotes(model)));
      const correction = new BiasCorrection(model, options.biasCorrection ? ranges : new Map());
      settled = { ...(low ? withSmallest(model, settled) : settled), correction };
      if (ahead && model.opset >= PER_AXIS_OPSET) {
        notes.push(...(await quantizeActivations(model, statics, ledger, correction)));
      }
      const dynamic = ['MatMul', 'Gemm', 'Gather', ...(settled.allowContrib ? ['LSTM'] : [])];
      const passes = weightsOnly
        ? [settled]
        : [
            { ...settled, only: dynamic },
            { ...settled, weightsOnly: true, only: ['Conv', 'ConvTranspose', 'LSTM', 'GRU', 'RNN'] },
          ];
      if (low) notes.push(...(await quantizedLow(model, quantizeOptions, settled, ledger, options)));
      else for (const one of passes) notes.push(...(await quantizeWeights(model, one, ledger)));
      if (correction.note !== undefined) notes.push(correction.note);
      return { pass: 'quantize', ...closed(ledger, model, settled, facts), ...unpacked, notes };
    },
  };
}

/** Whether options say how activations become integers, so that products get integers on every target. */
function wantsIntegers({ activations, minNodeSqnr, prefer, equalize: shared }: CalibratedOptions): boolean {
  return shared === true || [activations, minNodeSqnr, prefer].some((option) => option !== undefined);
}

/** Low-bit weights, with codes chosen by the activations they are multiplied with. */
async function quantizedLow(
  model: Model,
  asked: QuantizeOptions,
  settled: ResolvedOptions,
  ledger: Ledger,
  options: Calibrating,
): Promise<string[]> {
  const { method = 'gptq' } = settled;
  if (options.data === undefined || !DATA_METHODS.includes(method))
    return quantizeAll(model, settled, ledger, { keep: putAside });
  const { data } = await dataOf(model, options);
  const { observer, biasCorrection, samples, batch } = options;
  const all = { ...asked, observer, biasCorrection, samples, batch };
  const results = await options.results?.open(await identityOf(model, data, all), model);
  const activations = openActivations(data, { onProgress: options.onProgress });
  try {
    const sources = { activations, keep: putAside, results, onLayer: options.onLayer };
    return [...earlierNotes(results), ...(await quantizeAll(model, settled, ledger, sources))];
  } finally {
    await activations.close();
  }
}

/** Raises the opset to one with a scale per channel; returns notes about it. */
async function raisedNotes(model: Model): Promise<string[]> {
  const raised = await raiseOpset(model, PER_AXIS_OPSET);
  if (!raised.raised) {
    return [
      `${model.hasOpset ? `opset stays ${model.opset}, so ` : ''}activations are not quantized ahead: ${raised.reason}`,
    ];
  }
  const note = `opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`;
  return [note, ...raised.notes];
}

/** Equalizes the layers, within the limits that the data shows for their neighbours. */
async function equalized(model: Model, options: Calibrating): Promise<PassReport> {
  const means = equalizationValues(model);
  if (means.size === 0) return equalize().run(model);
  const { data } = await dataOf(model, options);
  const { ranges } = await calibrate(model, [], data, { means, onProgress: options.onProgress });
  options.onEqualized?.(ranges);
  return equalize({ ranges }).run(model);
}

/** What the data, or a file of ranges, says about the model. */
interface Found {
  readonly ranges: ActivationRanges;
  readonly products: ProductSignals;
  readonly notes: readonly string[];
}

async function foundIn(
  model: Model,
  quantizeOptions: QuantizeOptions,
  settled: ResolvedOptions,
  options: Calibrating,
): Promise<Found> {
  if (options.ranges !== undefined) return { ...(await loadRanges(options.ranges)), notes: [] };
  const { observer, onProgress } = options;
  const weightsOnly = settled.weightsOnly || isLow(settled);
  const { data, random } = await dataOf(model, options);
  const means = new Map([
    ...(weightsOnly ? [] : channelAxes(model, quantizeOptions)),
    ...(options.biasCorrection ? correctionValues(model, quantizeOptions) : []),
  ]);
  const values = weightsOnly ? [] : calibrationValues(model, quantizeOptions);
  const trials = await tryProducts(model, settled);
  const figures = trials.values;
  const run = figures.length === 0 ? model : trials.model;
  const used = means.size + figures.length > 0;
  const calibrating = { observer, means, figures, onProgress };
  const found = used ? await calibrate(run, values, data, calibrating) : NOTHING;
  const why = weightsOnly ? undefined : whyNothing(model, quantizeOptions);
  const notes = used ? [`calibrated with ${data.description}, observer ${observer}`, ...found.notes] : [];
  if (why !== undefined) notes.push(used ? `activations are not quantized ahead: ${why}` : `not calibrated: ${why}`);
  if (weightsOnly && !used) notes.push('not calibrated: no Conv, ConvTranspose or Gemm has a bias to correct');
  if (random && used) {
    const used =
      means.size > 0
        ? 'biases are corrected by the means of random inputs'
        : 'products before a Log are judged on random inputs';
    notes.unshift(
      weightsOnly
        ? `warning: ${used}; real inputs may have other means`
        : 'warning: the ranges come from random inputs; real values will be clipped or use only few of the steps',
    );
  }
  const products = trials.signals(found.figures);
  if (options.saveRanges !== undefined) {
    const meta = { observer, samples: found.samples, ...(products.size > 0 && { products }) };
    await saveRanges(options.saveRanges, found.ranges, meta, { overwrite: options.overwrite === true });
  }
  return { ranges: found.ranges, products, notes };
}

const NOTHING: Calibration = { ranges: new Map(), figures: new Map(), samples: 0, notes: [] };
