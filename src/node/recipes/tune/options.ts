import { CompressError } from '../../../errors.ts';
import { checkShape, type Shape } from '../../../options/check.ts';
import type { MetricName } from '../../../options/metrics.ts';
import { rowsOf } from '../../../options/option.ts';
import { ACTIVATION_ROWS } from '../../../options/quantize.ts';
import { TUNE, type TuneValues } from '../../../options/tune.ts';
import { defined, valuesOf } from '../../../options/values.ts';
import type { Store } from '../../../passes/pack/index.ts';
import { QUANTIZE_SHAPE, type QuantizeOptions } from '../../../passes/quantize/options.ts';
import type { CalibratedOptions } from '../calibrated.ts';

/** Options of static quantization that go into a recipe under their own names. */
type Static = 'ranges' | 'observer' | 'activations' | 'minNodeSqnr' | 'biasCorrection' | 'equalize';

/**
 * The metric to keep, and how to quantize. Paths are relative to the working directory. Patterns are written to a
 * recipe, so they must have no flags such as `i`.
 */
export interface TuneOptions extends QuantizeOptions, Pick<CalibratedOptions, Static> {
  /**
   * Path of data to judge on, in a format of docs/data.md; its array `__labels__` holds the true classes. For a folder:
   * inputs of the encoder, or `input_ids` for a decoder alone.
   */
  readonly data?: string;
  /** For a folder, instead of `data`: path of a text file with one prompt per line. */
  readonly prompts?: string;
  /** For a folder: maximum number of tokens in a text; 32 if omitted. */
  readonly tokens?: number;
  /** Judge on this many rows only, from the first. */
  readonly samples?: number;
  /** Rows per run, for judging and for calibration. */
  readonly batch?: number;
  /** Share of the metric that may be lost, from 0 to 1. If neither this nor `minSqnr` is given: 0.01, one point. */
  readonly maxDrop?: number;
  /** Keep this SQNR in dB of every output instead. */
  readonly minSqnr?: number;
  /** The metric to keep. If omitted: accuracy if the data has labels, else the same top-1 if an output has classes. */
  readonly metric?: MetricName;
  /** Name of the output to judge. */
  readonly judge?: string;
  /** Maximum number of selections to try. */
  readonly maxTrials?: number;
  /** Path of data to calibrate with, or the word `random`. Conv and Gemm are then quantized with their activations. */
  readonly calibrate?: string;
  /** Calibrate with this many rows only, from the first. */
  readonly calibrateSamples?: number;
  /** How weights with many zeros are stored: `dense` if omitted. */
  readonly store?: Store;
  /** Called after each trial; `total` is an estimate until the last one. */
  readonly onProgress?: (done: number, total: number) => void;
  /** An AbortSignal. Once it is aborted, no further model is tried, and its reason is thrown. */
  readonly signal?: { throwIfAborted(): void };
}

/** The expected type of each option. */
const SHAPE: Shape<TuneOptions> = {
  ...QUANTIZE_SHAPE,
  ...rowsOf(ACTIVATION_ROWS, 'ranges', 'observer', 'activations', 'minNodeSqnr', 'biasCorrection', 'equalize'),
  ...rowsOf(TUNE.rows, 'data', 'prompts', 'tokens', 'samples', 'batch', 'maxDrop', 'minSqnr', 'metric', 'judge'),
  ...rowsOf(TUNE.rows, 'maxTrials', 'calibrate', 'calibrateSamples', 'store'),
  onProgress: 'function',
  signal: 'object',
};

/**
 * The values of a command line with the same options.
 * @throws CompressError `options`
 */
export function tuneValues(model: string, options: TuneOptions): TuneValues {
  checkShape('tune', { model }, { model: 'text' });
  checkShape('tune', options, SHAPE);
  const { dtype, biasCorrection: corrects, include, exclude, onProgress: _, signal: __, ...same } = options;
  return valuesOf(TUNE, {
    ...same,
    ...defined({ model, include: textsOf('include', include), exclude: textsOf('exclude', exclude) }),
    uint8: dtype === 'uint8',
    noBiasCorrection: corrects === false,
  });
}

/** Flags that change what an expression matches. A recipe stores only its text. */
const TELLING = /[ims]/;

function textsOf(key: string, patterns: readonly RegExp[] | undefined): string[] | undefined {
  return patterns?.map((one) => {
    const flag = TELLING.exec(one.flags)?.[0];
    if (flag === undefined) return one.source;
    throw new CompressError('options', key, `${one} has the flag ${flag}, which a recipe cannot store`, {
      hint: 'Express it in the pattern: /[Hh]ead/ for /head/i.',
    });
  });
}
