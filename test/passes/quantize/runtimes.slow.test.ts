import { afterAll, describe, expect, test } from '@jest/globals';
import type { Tensor } from 'onnxruntime-node';
import { type QuantizeOptions, quantize } from '../../../src/index.node.ts';
import { buildModel } from '../../support/build.ts';
import { quantized } from '../../support/calibrated.ts';
import { pass } from '../../support/model.ts';
import { IMAGE, randomNetwork } from '../../support/networks.ts';
import { feed, runModel } from '../../support/ort.ts';
import { type Case, everyStructure, prepare } from '../../support/product.ts';
import { randomFloats, seeded } from '../../support/random.ts';
import { OTHER_RUNTIMES, openRuntime } from '../../support/runtimes.ts';
import { sqnr } from '../../support/sqnr.ts';

/** Forms of weights; `undefined` is 8 bits in the form of the case: dynamic, weights only or integer operators. */
const WAYS: readonly (QuantizeOptions | undefined)[] = [
  undefined,
  { bits: 4, form: 'multipliers', tableBits: 4 },
  undefined,
  { bits: 4, form: 'nbits', block: 16, asymmetric: true },
  { bits: 8, form: 'folded', method: 'mse' },
  { bits: 4, form: 'standard', tableBits: 4 },
  undefined,
  { bits: 4, form: 'folded', asymmetric: true },
  { bits: 2, form: 'multipliers', block: 16 },
  { bits: 4, form: 'nbits', tableBits: 4 },
  { bits: 8, form: 'nbits' },
  { bits: 4, form: 'standard', block: 16, asymmetric: true },
  { bits: 2, form: 'folded', block: 16 },
];
const SAMPLE = 104;
/** How much less another runtime may keep in dB, because kernels round activations differently. */
const APART = 3;
/** From this SQNR on, only rounding differs. */
const ALIKE = 40;

interface Made {
  readonly what: string;
  readonly way: QuantizeOptions | undefined;
  readonly bytes: Uint8Array;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly reference: Readonly<Record<string, Tensor>>;
}

async function make(one: Case, way: QuantizeOptions | undefined, seed: number): Promise<Made> {
  const { spec, feeds, options } = prepare(one, seed);
  const source = buildModel(spec);
  const how = way === undefined ? options : { ...way, headBits: way.bits as number };
  const { bytes } = await pass(source, quantize({ minElements: 0, ...how }));
  const what = `${JSON.stringify(way ?? options)} ${Object.values(one).join(' | ')} (${seed})`;
  return { what, way, bytes, feeds, reference: await runModel(source, feeds) };
}

/** A sample of the cross product of structures around a product, each case in one form. */
async function sample(): Promise<Made[]> {
  const chance = seeded(5);
  const all = [...everyStructure()];
  const made: Made[] = [];
  for (const [number, one] of all.entries()) {
    if (chance() < SAMPLE / all.length) made.push(await make(one, WAYS[made.length % WAYS.length], number));
  }
  return made;
}

/** The fault of the outputs of a model in another runtime, if any. */
async function fault(
  { way, bytes, feeds, reference }: Made,
  run: (model: Uint8Array, feeds: Made['feeds']) => Promise<Record<string, Tensor>>,
): Promise<string | undefined> {
  const [here, there] = [
    sqnr(reference, await runModel(bytes, feeds, 'all')),
    sqnr(reference, await run(bytes, feeds)),
  ];
  // Kernels of MatMulNBits round activations differently, which matters most with 8 bits.
  const apart = way?.form === 'nbits' && way.bits === 8 ? 2 * APART : APART;
  return there < Math.min(here - apart, ALIKE) || Number.isNaN(there)
    ? `${there.toFixed(1)} dB instead of ${here.toFixed(1)} dB`
    : undefined;
}

/** Image networks with calibrated 8-bit activations. */
async function calibratedOnes(): Promise<Made[]> {
  const made: Made[] = [];
  for (const [seed, activations] of (['uint8', 'int8', 'uint8', 'int8'] as const).entries()) {
    const { bytes: source, parts } = randomNetwork(seeded(seed + 70), 4);
    const { bytes } = await quantized(source, { x: IMAGE.slice(1) }, { activations });
    const feeds = { x: feed(IMAGE, randomFloats(IMAGE, seed + 1, -2, 4)) };
    const what = `calibrated, ${activations}: ${parts}`;
    made.push({ what, way: undefined, bytes, feeds, reference: await runModel(source, feeds) });
  }
  return made;
}

const models = Promise.all([sample(), calibratedOnes()]).then((all) => all.flat());

describe.each(OTHER_RUNTIMES)('quantized models compute the same in %s', (name) => {
  const runtime = openRuntime(name);
  afterAll(() => runtime.close());

  test(`${SAMPLE} structures, ${WAYS.length} ways, and calibrated networks`, async () => {
    const found: string[] = [];
    let count = 0;
    for (const one of await models) {
      // It has 8-bit MatMulNBits from 1.22 on.
      if (name === 'node 1.21' && one.way?.form === 'nbits' && one.way.bits === 8) continue;
      count++;
      const wrong = await fault(one, runtime.run).catch((cause: unknown) => String(cause));
      if (wrong !== undefined) found.push(`${one.what}: ${wrong}`);
    }
    expect(found).toEqual([]);
    expect(count).toBeGreaterThan(SAMPLE * 0.7);
  });
});
