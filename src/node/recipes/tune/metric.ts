import { CompressError } from '../../../errors.ts';
import type { ExtendedReal } from '../../../kernels/real.ts';
import type { MetricName } from '../../../options/metrics.ts';
import { DEFAULT_DROP, type TuneValues } from '../../../options/tune.ts';
import type { OutputFigures, Share } from '../../runtime/compare.ts';

/** The quality of a model. */
export interface Figures {
  /** The metric: a share from 0 to 1, or dB. */
  readonly value: ExtendedReal;
  /** The rows that a share counts; absent for dB. */
  readonly rows?: Share;
  /** Change relative to the float model, as a share; negative for a loss. Absent for dB. */
  readonly change?: number;
}

/** The allowed loss, as a share of accuracy or of rows; or the required dB. */
export type Limit = { readonly maxDrop: number } | { readonly minSqnr: number };

/** What is measured, and how much may be lost. */
export interface Metric {
  readonly name: MetricName;
  readonly limit: Limit;
  /** The quality of a model in terms of {@link enough}; higher is better. */
  readonly of: (outputs: readonly OutputFigures[]) => number;
  readonly enough: (metric: number) => boolean;
  readonly figures: (outputs: readonly OutputFigures[]) => Figures;
}

/** The options of the metric. */
export type MetricOptions = Pick<TuneValues, 'metric' | 'maxDrop' | 'minSqnr' | 'judge'>;

/** Tolerance, because the share of a count may miss the limit by a rounding error. */
const ROUNDING = 1e-9;

/**
 * Chooses the metric: SQNR if it is requested; otherwise accuracy if the data has labels, or whether the most probable
 * class is the same.
 * @param outputs - of the float model, compared with itself
 * @throws CompressError `options` if the model or the data does not provide it
 */
export function metricFor(outputs: readonly OutputFigures[], options: MetricOptions): Metric {
  const judged = judgedOutputs(outputs, options.judge);
  const labelled = judged.some((one) => one.accuracy !== undefined);
  const ranked = judged.some((one) => one.top1 !== undefined);
  const own = options.minSqnr !== undefined ? 'sqnr' : labelled ? 'accuracy' : ranked ? 'top1' : 'sqnr';
  const name = options.metric ?? own;
  const has = { accuracy: labelled, top1: ranked, sqnr: judged.some(isFloat) }[name];
  if (!has) {
    const lacks = {
      accuracy: 'the data has no labels for the output with classes',
      top1: 'no output has classes',
      sqnr: 'no output has a float type',
    };
    const hint = name === 'accuracy' ? 'Labels are an array __labels__ next to the inputs.' : undefined;
    throw new CompressError('options', 'metric', `${name}: ${lacks[name]}`, hint === undefined ? {} : { hint });
  }
  if (name === 'sqnr') return sqnrMetric(options);
  if (options.minSqnr !== undefined) {
    throw new CompressError('options', 'minSqnr', `the metric is ${name}; its limit is \`maxDrop\``);
  }
  const drop = options.maxDrop ?? DEFAULT_DROP;
  return name === 'accuracy' ? accuracyMetric(bestOf(judged), drop) : top1Metric(options.judge, drop);
}

function judgedOutputs(outputs: readonly OutputFigures[], wanted: string | undefined): readonly OutputFigures[] {
  if (wanted === undefined) {
    const results = outputs.filter((one) => one.cache === undefined);
    return results.length > 0 ? results : outputs;
  }
  const found = outputs.filter((one) => one.name === wanted);
  if (found.length > 0) return found;
  const names = outputs.map((one) => `'${one.name}'`).join(', ');
  throw new CompressError('options', 'judge', `the model has no output '${wanted}'`, { hint: `It has ${names}.` });
}

/**
 * The output with the classes. If several have rows with labels, such as hidden states, it is the most accurate one.
 */
function bestOf(outputs: readonly OutputFigures[]): string {
  const share = (one: OutputFigures): number => (one.accuracy === undefined ? -1 : part(one.accuracy.reference));
  const [best] = [...outputs].sort((a, b) => share(b) - share(a));
  return best?.name ?? '';
}

function accuracyMetric(output: string, drop: number): Metric {
  const NONE: Share = { count: 0, of: 1 };
  const find = (outputs: readonly OutputFigures[]): { reference: Share; other: Share } =>
    outputs.find((one) => one.name === output)?.accuracy ?? { reference: NONE, other: NONE };
  const change = (outputs: readonly OutputFigures[]): number => {
    const { reference, other } = find(outputs);
    return (other.count - reference.count) / reference.of;
  };
  return {
    name: 'accuracy',
    limit: { maxDrop: drop },
    of: change,
    enough: (metric) => metric >= -drop - ROUNDING,
    figures: (outputs) => {
      const { other } = find(outputs);
      return { value: part(other), rows: other, change: change(outputs) };
    },
  };
}

function top1Metric(output: string | undefined, drop: number): Metric {
  const worst = (outputs: readonly OutputFigures[]): Share => {
    const shares = judgedOutputs(outputs, output).flatMap(({ top1 }) => (top1 === undefined ? [] : [top1]));
    return shares.reduce((a, b) => (part(b) < part(a) ? b : a), { count: 1, of: 1 });
  };
  return {
    name: 'top1',
    limit: { maxDrop: drop },
    of: (outputs) => part(worst(outputs)),
    enough: (metric) => metric >= 1 - drop - ROUNDING,
    figures: (outputs) => {
      const rows = worst(outputs);
      return { value: part(rows), rows, change: part(rows) - 1 };
    },
  };
}

function sqnrMetric({ minSqnr, maxDrop, judge }: MetricOptions): Metric {
  if (maxDrop !== undefined) {
    throw new CompressError('options', 'maxDrop', 'the metric is sqnr; its limit is `minSqnr`', {
      hint:
        'No output was recognized as classes. If one is, set `metric: top1`, and `judge: NAME` if there are ' +
        'several.',
    });
  }
  if (minSqnr === undefined) {
    throw new CompressError('options', 'minSqnr', 'the metric is sqnr, and no limit is given', {
      hint: 'For example: `minSqnr: 30`. Every 6 dB halve the error. If the outputs are classes: `metric: top1`.',
    });
  }
  const least = (outputs: readonly OutputFigures[]): number =>
    Math.min(
      ...judgedOutputs(outputs, judge)
        .filter(isFloat)
        .map((one) => one.sqnr),
    );
  return {
    name: 'sqnr',
    limit: { minSqnr },
    of: least,
    enough: (metric) => metric >= minSqnr,
    figures: (outputs) => ({ value: least(outputs) }),
  };
}

/**
 * The relative noise of a model's float outputs, `Σ(r − o)² / Σr²`, summed over them; over all outputs if none is
 * float.
 */
export function noiseOf(outputs: readonly OutputFigures[], output: string | undefined): number {
  const judged = judgedOutputs(outputs, output);
  const floats = judged.filter(isFloat);
  return (floats.length > 0 ? floats : judged).reduce((sum, one) => sum + 10 ** (-one.sqnr / 10), 0);
}

function isFloat(one: OutputFigures): boolean {
  return one.dtype.includes('float');
}

function part({ count, of }: Share): number {
  return count / of;
}
