import { CompressError } from '../../errors.ts';
import type { TuneReport, TuneTrial } from '../../node/recipes/tune/index.ts';
import type { Figures } from '../../node/recipes/tune/metric.ts';
import { formatDb } from '../../node/runtime/verify.ts';
import type { MetricName } from '../../options/metrics.ts';
import { formatPercent } from '../../passes/size.ts';

/** The metrics as people call them. */
export const TITLES: { readonly [name in MetricName]: string } = {
  accuracy: 'accuracy',
  top1: 'same top-1',
  sqnr: 'SQNR',
};

/** The limit in words, e.g. `at most 1 point may be lost`. */
export function limitOf({ metric, maxDrop = 0, minSqnr }: Pick<TuneReport, 'metric' | 'maxDrop' | 'minSqnr'>): string {
  if (metric === 'sqnr') return `at least ${minSqnr} dB are needed`;
  const points = String(Number((100 * maxDrop).toPrecision(3)));
  if (metric === 'top1') return `at most ${points} % of the rows may get another class`;
  return `at most ${points} ${points === '1' ? 'point' : 'points'} may be lost`;
}

/** The metric of a model: `98.2 %`, or `34.20 dB`. */
export function metricOf({ rows, value }: Figures): string {
  return rows === undefined ? formatDb(value) : formatPercent(rows.count, rows.of);
}

/** The loss in points: `−0.84`, `+0.28`, `0.00`; empty for dB. */
export function lostOf({ change }: Figures): string {
  if (change === undefined) return '';
  const text = Math.abs(100 * change).toFixed(2);
  return `${text === '0.00' ? '' : change < 0 ? '−' : '+'}${text}`;
}

/** The loss after a figure: ` (−0.84 points)`. */
export function lossSuffix(one: Figures): string {
  const lost = lostOf(one);
  return lost === '' ? '' : ` (${lost} points)`;
}

/** What stays float, in the shorter of two ways. */
export function described(float: readonly string[], layers: readonly string[]): string {
  if (float.length === 0) return 'nothing';
  if (float.length <= layers.length / 2) return float.join(', ');
  const rest = new Set(float);
  return `all but ${layers.filter((one) => !rest.has(one)).join(', ')}`;
}

/**
 * Refuses a search that found nothing.
 * @throws CompressError `gate` that says how close the best trial came
 */
export function refuseNothing(report: TuneReport): void {
  const { model, best, trials, layers, metric, cutShort } = report;
  if (best !== undefined) return;
  const [closest] = trials.filter((one) => one.quantized.length > 0).sort((a, b) => b.value - a.value);
  const close = (one: TuneTrial): string =>
    ` the closest, with ${described(one.float, layers)} float, has ` +
    `${TITLES[metric]} ${metricOf(one)}${lossSuffix(one)};`;
  const fact = cutShort
    ? `none of the ${trials.length} selections tried keeps the metric:`
    : 'nothing quantized keeps the metric:';
  throw new CompressError('gate', model, `${fact}${closest === undefined ? '' : close(closest)} ${limitOf(report)}`, {
    hint: cutShort
      ? 'Allow more of them: --max-trials.'
      : 'Allow more loss, or give --calibrate DATA or another form: onnx-compress quantize --help.',
  });
}
