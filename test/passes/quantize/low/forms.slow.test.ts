import { describe, expect, test } from '@jest/globals';
import { type QuantizeOptions, quantize } from '../../../../src/index.node.ts';
import { buildModel } from '../../../support/build.ts';
import { runFused } from '../../../support/fusion.ts';
import { pass } from '../../../support/model.ts';
import { runModel } from '../../../support/ort.ts';
import { type Case, everyStructure, prepare } from '../../../support/product.ts';
import { seeded } from '../../../support/random.ts';
import { sqnr } from '../../../support/sqnr.ts';

/** Every form of low-bit weights. */
const WAYS: readonly QuantizeOptions[] = [
  { bits: 4, form: 'multipliers' },
  { bits: 4, form: 'multipliers', block: 16 },
  { bits: 2, form: 'multipliers', block: 16 },
  { bits: 4, form: 'nbits' },
  { bits: 4, form: 'nbits', block: 16, asymmetric: true },
  { bits: 8, form: 'nbits' },
  { bits: 4, form: 'standard' },
  { bits: 4, form: 'standard', block: 16, asymmetric: true },
  { bits: 4, form: 'folded' },
  { bits: 4, form: 'folded', block: 16, asymmetric: true },
  { bits: 2, form: 'folded', block: 16 },
];

/** Below this, something is wrong with the graph rather than with the rounding. */
const FLOOR: Readonly<Record<number, number>> = { 2: -2, 4: 9, 8: 25 };
const SAMPLE = 220;
/** Further draws for a case whose first one is below the floor. */
const FRESH = 9;

/** One draw of weights and activations: its SQNR, or a fault of the graph. */
async function draw(one: Case, way: QuantizeOptions, seed: number): Promise<number | string> {
  const { spec, feeds } = prepare(one, seed);
  const bytes = buildModel(spec);
  const reference = await runModel(bytes, feeds);
  const options = { minElements: 0, headBits: way.bits as number, ...way };
  const quantized = await pass(bytes, quantize(options));
  const odd = quantized.report.skips.filter((skip) => skip.opType !== 'Gather');
  if (odd.length > 0) return `skipped: ${odd.map((skip) => `${skip.weight} ${skip.reason}`)}`;
  const { float, dequantized, outputs } = await runFused(quantized.bytes, feeds);
  const folded = quantized.report.changes.some((change) => change.form?.includes('folded') === true);
  if (float.length > 0 && !folded) return `float kernels: ${float}`;
  if (dequantized.length > 0) return `dequantized at every run: ${dequantized}`;
  const again = await pass(quantized.bytes, quantize(options));
  if (again.report.changes.length > 0) return `again changes ${again.report.changes.map((change) => change.weight)}`;
  return sqnr(reference, outputs);
}

/**
 * The fault of a case, if any. Outputs are few, and some draws are unlucky: below the floor, the median of fresh draws
 * decides.
 */
async function fault(one: Case, way: QuantizeOptions, seed: number): Promise<string | undefined> {
  const floor = FLOOR[way.bits as number] as number;
  const first = await draw(one, way, seed);
  if (typeof first === 'string') return first;
  if (first >= floor) return undefined;
  const others: number[] = [];
  for (let more = 1; more <= FRESH; more++) {
    const next = await draw(one, way, seed + more * 20_002);
    if (typeof next === 'string') return next;
    others.push(next);
  }
  const median = others.sort((a, b) => a - b)[FRESH >> 1] as number;
  return median >= floor ? undefined : `first ${first.toFixed(1)} dB, median of others ${median.toFixed(1)} dB`;
}

describe('ONNX Runtime multiplies low-bit weights correctly', () => {
  test(`${SAMPLE} structures, ${WAYS.length} ways`, async () => {
    const chance = seeded(11);
    const all = [...everyStructure()].filter((one) => one.form === 'dynamic');
    const found: string[] = [];
    let count = 0;
    for (const [number, one] of all.entries()) {
      if (chance() >= SAMPLE / all.length) continue;
      const way = WAYS[count % WAYS.length] as QuantizeOptions;
      const wrong = await fault(one, way, number).catch((cause: unknown) =>
        cause instanceof Error ? cause.message : String(cause),
      );
      count++;
      if (wrong !== undefined)
        found.push(`${JSON.stringify(way)} ${Object.values(one).join(' | ')} (${number}): ${wrong}`);
    }
    expect(found).toEqual([]);
    expect(count).toBeGreaterThan(SAMPLE * 0.8);
  }, 120_000);
});
