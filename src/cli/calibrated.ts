import type { ActivationRanges } from '../activations/ranges.ts';
import type { Model } from '../ir/model.ts';
import type { ObserverKind } from '../kernels/observe/choose.ts';
import { type Calibration, calibrate } from '../node/activations/calibrate.ts';
import { openTapped } from '../node/activations/tap.ts';
import { fittingRandomData } from '../node/data/fitting.ts';
import { modelInputs } from '../node/data/inputs.ts';
import { openData } from '../node/data/open.ts';
import type { DataSet } from '../node/data/types.ts';
import { loadRanges, saveRanges } from '../node/runtime/rangesFile.ts';
import { equalizationValues, equalize } from '../passes/equalize/index.ts';
import { fold } from '../passes/fold/index.ts';
import { inliningNotes } from '../passes/inline/index.ts';
import { inlineWeights } from '../passes/inline/weights.ts';
import { raiseOpset } from '../passes/opset/index.ts';
import { unpackFirst } from '../passes/pack/unpack.ts';
import type { Pass, PassReport } from '../passes/pass.ts';
import { quantizeWeights } from '../passes/quantize/index.ts';
import { Ledger } from '../passes/quantize/ledger.ts';
import { type QuantizeOptions, settle } from '../passes/quantize/options.ts';
import { correctBias, correctionValues } from '../passes/quantize/static/correct.ts';
import {
  calibrationValues,
  channelAxes,
  PER_AXIS_OPSET,
  quantizeActivations,
  whyNothing,
} from '../passes/quantize/static/index.ts';
import type { ActivationDType } from '../passes/quantize/static/qdq.ts';

/** Where the ranges of activations come from, and what to do with them. */
export interface CalibratedOptions {
  /** Data to run the model on; or `ranges`, a file that an earlier run saved. */
  readonly data?: string | undefined;
  readonly ranges?: string | undefined;
  readonly saveRanges?: string | undefined;
  readonly overwrite: boolean;
  readonly observer: ObserverKind;
  readonly samples?: number | undefined;
  readonly batch?: number | undefined;
  readonly activations: ActivationDType;
  readonly minNodeSqnr: number;
  readonly biasCorrection: boolean;
  readonly equalize?: boolean;
  /** Told what bounded the scales of channels, for who does the same again. */
  readonly onEqualized?: (ranges: ActivationRanges) => void;
  readonly onProgress: (done: number, total: number | undefined) => void;
}

/** How the note of a model that was folded begins. */
export const FOLDED_FIRST = 'folded first';

/**
 * Static quantization of a whole model: folds it, runs it on the data, quantizes Conv and Gemm with their activations, MatMul
 * dynamically, and stores what is left of Conv as integers.
 */
export function calibratedQuantize(quantizeOptions: QuantizeOptions, options: CalibratedOptions): Pass {
  return {
    name: 'quantize',
    async run(model) {
      const settled = settle(quantizeOptions);
      const { notes: broken, ...unpacked } = await unpackFirst(model);
      const ledger = new Ledger(model, settled.minElements);
      const inlined = [...broken, ...inliningNotes(inlineWeights(model, settled.opTypes, 'all'))];
      const folded = await fold().run(model);
      const notes =
        folded.notes[0] === 'nothing to fold' ? inlined : [...inlined, `${FOLDED_FIRST}: ${folded.notes.join('; ')}`];
      if (model.opset < PER_AXIS_OPSET) {
        const raised = await raiseOpset(model, PER_AXIS_OPSET);
        notes.push(
          raised.raised
            ? `opset raised from ${raised.from} to ${raised.to}, which 8-bit weights with a scale per channel need`
            : `${model.hasOpset ? `opset stays ${model.opset}, so ` : ''}no activation is quantized ahead: ${raised.reason}`,
          ...(raised.raised ? raised.notes : []),
        );
      }
      if (model.opset >= PER_AXIS_OPSET) {
        const { activations, minNodeSqnr } = options;
        if (options.equalize) notes.push(...(await equalized(model, options)).notes);
        const found = await rangesOf(model, quantizeOptions, options);
        notes.push(...found.notes);
        const { ranges } = found;
        if (options.biasCorrection && ranges.size > 0)
          notes.push(...(await correctBias(ranges, quantizeOptions).run(model)).notes);
        const statics = { ...quantizeOptions, ranges, activations, minNodeSqnr };
        notes.push(...(await quantizeActivations(model, statics, ledger)));
      }
      const dynamic = ['MatMul', 'Gemm', 'Gather', ...(settled.allowContrib ? ['LSTM'] : [])];
      notes.push(...(await quantizeWeights(model, { ...settled, only: dynamic }, ledger)));
      const stored = { ...settled, weightsOnly: true, only: ['Conv', 'ConvTranspose', 'LSTM', 'GRU', 'RNN'] };
      notes.push(...(await quantizeWeights(model, stored, ledger)));
      return { pass: 'quantize', ...ledger.close(model), ...unpacked, notes };
    },
  };
}

/** The word that stands for random inputs; a file of this name is ./random. */
export const RANDOM = 'random';
/** How many rows of them there are. */
export const RANDOM_ROWS = 32;

/** Equalizes the layers, none of them beyond what the data shows of its neighbours. */
async function equalized(model: Model, options: CalibratedOptions): Promise<PassReport> {
  const means = equalizationValues(model);
  if (means.size === 0) return equalize().run(model);
  const { data } = await dataOf(model, options);
  const { ranges } = await calibrate(model, [], data, { means, onProgress: options.onProgress });
  options.onEqualized?.(ranges);
  return equalize({ ranges }).run(model);
}

/** What the model is run on. */
async function dataOf(model: Model, options: CalibratedOptions): Promise<{ data: DataSet; random: boolean }> {
  const inputs = model.graph.fedInputs;
  const { batch, samples } = options;
  const sizes = { ...(batch === undefined ? {} : { batch }), ...(samples === undefined ? {} : { samples }) };
  const random = options.data === RANDOM;
  const data = random ? await randomFor(model, sizes) : await openData(options.data ?? '', inputs, sizes);
  return { data, random };
}

async function rangesOf(
  model: Model,
  quantizeOptions: QuantizeOptions,
  options: CalibratedOptions,
): Promise<{ ranges: ActivationRanges; notes: string[] }> {
  if (options.ranges !== undefined) return { ranges: (await loadRanges(options.ranges)).ranges, notes: [] };
  const { observer, onProgress } = options;
  const { data, random } = await dataOf(model, options);
  const means = new Map([
    ...channelAxes(model, quantizeOptions),
    ...(options.biasCorrection ? correctionValues(model, quantizeOptions) : []),
  ]);
  const values = calibrationValues(model, quantizeOptions);
  const used = means.size > 0;
  const found = used ? await calibrate(model, values, data, { observer, means, onProgress }) : NOTHING;
  const why = whyNothing(model, quantizeOptions);
  const notes = used ? [`calibrated with ${data.description}, observer ${observer}`, ...found.notes] : [];
  if (why !== undefined)
    notes.push(used ? `no activation is quantized ahead: ${why}` : `nothing was calibrated: ${why}`);
  if (random && used)
    notes.unshift('warning: the ranges are those of random inputs; real ones will be clipped, or use few of the steps');
  if (options.saveRanges !== undefined) {
    const meta = { observer, samples: found.samples };
    await saveRanges(options.saveRanges, found.ranges, meta, { overwrite: options.overwrite });
  }
  return { ranges: found.ranges, notes };
}

const NOTHING: Calibration = { ranges: new Map(), samples: 0, notes: [] };

/** Random inputs that the model runs with. */
async function randomFor(
  model: Model,
  sizes: { readonly batch?: number; readonly samples?: number },
): Promise<DataSet> {
  const inputs = await modelInputs(model);
  const { session, close } = await openTapped(model, []);
  try {
    const settings = { seed: 0, samples: RANDOM_ROWS, option: 'calibrate', ...sizes };
    return await fittingRandomData(inputs, settings, (feeds) => session.run(feeds));
  } finally {
    await close();
  }
}
