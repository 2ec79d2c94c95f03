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
 * What tuning keeps, and how it quantizes. Paths start from the folder of the process. Patterns go into a recipe, which
 * has no place for flags such as `i`.
 */
export interface TuneOptions extends QuantizeOptions, Pick<CalibratedOptions, Static> {
  /**
   * Path of inputs to judge on, as docs/data.md has them; `__labels__` in it are the true classes. Of a folder they are
   * what the encoder reads, or `input_ids` for a decoder alone.
   */
  readonly data?: string;
  /** Of a folder, instead of `data`: path of a text with a prompt in each line. */
  readonly prompts?: string;
  /** Of a folder: the most tokens of a text, 32 where absent. */
  readonly tokens?: number;
  /** Judge on the first rows only. */
  readonly samples?: number;
  /** Rows that are fed at once, for judging and for calibration. */
  readonly batch?: number;
  /** Share of the metric that may be lost, from 0 to 1: 0.01, a point, where neither this nor `minSqnr` is given. */
  readonly maxDrop?: number;
  /** Keep this many dB of every output instead. */
  readonly minSqnr?: number;
  /** What is kept: if omitted, accuracy if the data has labels, else the same top-1 if an output has classes. */
  readonly metric?: MetricName;
  /** Name of the output that counts. */
  readonly judge?: string;
  /** Try at most so many selections. */
  readonly maxTrials?: number;
  /** Path of data to calibrate with, or the word `random`: Conv and Gemm are then quantized with their activations. */
  readonly calibrate?: string;
  /** Calibrate with the first rows only. */
  readonly calibrateSamples?: number;
  /** How weights with many zeros are stored: `dense` if omitted. */
  readonly store?: Store;
  /** Called after each model that was tried; the total is a guess until the last one. */
  readonly onProgress?: (done: number, total: number) => void;
  /** An AbortSignal: once it is aborted, no further model is tried, and its reason is thrown. */
  readonly signal?: { throwIfAborted(): void };
}

/** What each option takes. */
const SHAPE: Shape<TuneOptions> = {
  ...QUANTIZE_SHAPE,
  ...rowsOf(ACTIVATION_ROWS, 'ranges', 'observer', 'activations', 'minNodeSqnr', 'biasCorrection', 'equalize'),
  ...rowsOf(TUNE.rows, 'data', 'prompts', 'tokens', 'samples', 'batch', 'maxDrop', 'minSqnr', 'metric', 'judge'),
  ...rowsOf(TUNE.rows, 'maxTrials', 'calibrate', 'calibrateSamples', 'store'),
  onProgress: 'function',
  signal: 'object',
};

/**
 * The values that a command line with the same options has.
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

/** Flags that make an expression match something else than a recipe, which has its text alone, would. */
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
