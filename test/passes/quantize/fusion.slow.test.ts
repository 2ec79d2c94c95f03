import { describe, expect, test } from '@jest/globals';
import { quantize } from '../../../src/index.node.ts';
import { buildModel } from '../../support/build.ts';
import { runFused } from '../../support/fusion.ts';
import { pass } from '../../support/model.ts';
import { runModel } from '../../support/ort.ts';
import { AXES, type Case, everyStructure, prepare } from '../../support/product.ts';
import { seeded } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

/** Below this, something is wrong with the graph rather than with the rounding. */
const FLOOR = 25;
/** Further draws for a case whose first one is below the floor. */
const FRESH = 15;
/** Models in an ordinary run. `FULL=1` runs every structure once, `FULL=3` three times with other types and sizes. */
const SAMPLE = 600;

/** One draw of weights and activations: its SQNR, or a fault of the graph. */
async function draw(one: Case, seed: number): Promise<number | string> {
  const { spec, feeds, options, products } = prepare(one, seed);
  const bytes = buildModel(spec);
  const reference = await runModel(bytes, feeds);
  const quantized = await pass(bytes, quantize({ minElements: 0, ...options }));
  const odd = quantized.report.skips.filter((skip) => skip.opType !== 'Gather');
  if (odd.length > 0) return `skipped: ${odd.map((skip) => `${skip.weight} ${skip.reason}`)}`;
  const { integer, float, dequantized, outputs } = await runFused(quantized.bytes, feeds);
  if (float.length > 0) return `float kernels: ${float}`;
  if (dequantized.length > 0) return `dequantized at every run: ${dequantized}`;
  if (integer.length !== products) return `${products} products, integer kernels: ${integer}`;
  return sqnr(reference, outputs);
}

/**
 * The fault of the quantized model of a case, if any. Outputs are few, and some draws are unlucky (a Relu passes only
 * small values): below the floor, the median of fresh draws decides.
 */
async function fault(one: Case, seed: number): Promise<string | undefined> {
  const first = await draw(one, seed);
  if (typeof first === 'string') return first;
  if (first >= FLOOR) return undefined;
  const ratios: number[] = [];
  for (let more = 1; more <= FRESH; more++) {
    const next = await draw(one, seed + more * 20_002);
    if (typeof next === 'string') return next;
    ratios.push(next);
  }
  ratios.sort((a, b) => a - b);
  const median = ratios[FRESH >> 1] as number;
  return median >= FLOOR
    ? undefined
    : `first ${first.toFixed(1)} dB, median of ${FRESH} others ${median.toFixed(1)} dB`;
}

async function faults(cases: Iterable<readonly [number, Case]>): Promise<{ count: number; found: string[] }> {
  const found: string[] = [];
  let count = 0;
  for (const [seed, one] of cases) {
    count++;
    const wrong = await fault(one, seed).catch((cause: unknown) =>
      cause instanceof Error ? cause.message : String(cause),
    );
    if (wrong !== undefined) found.push(`${Object.values(one).join(' | ')} (seed ${seed}): ${wrong}`);
  }
  return { count, found };
}

/** Numbered cases: all of several rounds, or the share `part` of the first. */
function* numbered(part: number, rounds: number): Generator<readonly [number, Case]> {
  const chance = seeded(7);
  let number = 0;
  for (let round = 0; round < rounds; round++) {
    for (const one of everyStructure(round)) {
      if (chance() < part) yield [number, one];
      number++;
    }
  }
}

const full = Number(process.env['FULL'] ?? 0);
const structures = [...everyStructure()].length;

describe('every quantized product runs on integers in ONNX Runtime, at 25 dB or more', () => {
  test(
    full > 0 ? `all ${structures} structures, ${full} times` : `${SAMPLE} of ${structures} structures`,
    async () => {
      const { count, found } = await faults(full > 0 ? numbered(1, full) : numbered(SAMPLE / structures, 1));
      if (full > 0) process.stderr.write(`${count} models, ${found.length} faults\n`);
      expect(found).toEqual([]);
      expect(count).toBeGreaterThanOrEqual(full > 0 ? structures * full : SAMPLE * 0.9);
    },
    full > 0 ? 3_600_000 : 120_000,
  );

  test('the sample contains every pair of values', () => {
    const pairs = new Set<string>();
    const wanted = new Set<string>();
    const axes = Object.keys(AXES) as (keyof Case)[];
    const pairsOf = (one: Case): string[] =>
      axes.flatMap((a, index) => axes.slice(index + 1).map((b) => `${a} ${one[a]}, ${b} ${one[b]}`));
    for (const one of everyStructure()) for (const pair of pairsOf(one)) wanted.add(pair);
    for (const [, one] of numbered(SAMPLE / structures, 1)) for (const pair of pairsOf(one)) pairs.add(pair);
    expect([...wanted].filter((pair) => !pairs.has(pair))).toEqual([]);
  });
});
