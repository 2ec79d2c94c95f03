import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { calibratedQuantize, type PassReport, type QuantizeOptions } from '../../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from '../../support/build.ts';
import { folder } from '../../support/cli.ts';
import { pass } from '../../support/model.ts';
import { npzOf } from '../../support/npz.ts';
import { feed, runModel } from '../../support/ort.ts';
import { randomFloats } from '../../support/random.ts';
import { sqnr } from '../../support/sqnr.ts';

const [ROWS, INPUTS, OUTPUTS] = [64, 64, 80];

/** Two products. In the first, blocks of weights differ so much that one step per row is coarse for most of them. */
function model(spread: number): ModelSpec {
  const wide = randomFloats([INPUTS, OUTPUTS], 3, -0.5, 0.5).map(
    (one, at) => one * strong(Math.floor(at / OUTPUTS), spread),
  );
  return {
    opset: 17,
    inputs: { x: f32(['n', INPUTS]) },
    outputs: { y: f32(['n', 6]) },
    nodes: [
      { op: 'MatMul', in: ['x', 'wide'], out: ['h'] },
      { op: 'Tanh', in: ['h'], out: ['t'] },
      { op: 'MatMul', in: ['t', 'plain'], out: ['u'] },
      { op: 'MatMul', in: ['u', 'last'], out: ['y'] },
    ],
    initializers: {
      wide: f32([INPUTS, OUTPUTS], wide),
      plain: f32([OUTPUTS, INPUTS], randomFloats([OUTPUTS, INPUTS], 4, -0.3, 0.3)),
      last: f32([INPUTS, 6], randomFloats([INPUTS, 6], 5, -0.3, 0.3)),
    },
  };
}

/** Weights of the second block of inputs are larger by the factor `spread`. */
function strong(input: number, spread: number): number {
  return input < 32 ? 1 : spread;
}

/** Activations that are smaller there by the same factor, so that all blocks matter equally. */
function rows(seed: number, spread: number): Float32Array {
  return randomFloats([ROWS, INPUTS], seed, -1, 1).map((one, at) => one / strong(at % INPUTS, spread));
}

async function outcome(spread: number, options: QuantizeOptions): Promise<{ report: PassReport; kept: number }> {
  const data = join(folder(), 'data.npz');
  writeFileSync(data, npzOf({ x: { dims: [ROWS, INPUTS], data: rows(1, spread) } }));
  const source = buildModel(model(spread));
  const { bytes, report } = await pass(source, calibratedQuantize({ bits: 4, minElements: 0, ...options }, { data }));
  const feeds = { x: feed([ROWS, INPUTS], rows(2, spread)) };
  return { report, kept: sqnr(await runModel(source, feeds), await runModel(bytes, feeds, 'all')) };
}

const formsOf = ({ changes }: PassReport): string[] =>
  changes.map((one) => `${one.weight}: ${one.form?.split(', ')[1]}`);

test('with data, weights that lose far less with a scale per block are not stored as multipliers', async () => {
  const { report, kept } = await outcome(200, {});
  expect(formsOf(report).slice(1)).toEqual(['wide: nbits', 'plain: multipliers']);
  expect(report.notes.join('\n')).toContain('than as multipliers: wide (nbits)');
  const named = await outcome(200, { form: 'multipliers' });
  expect(formsOf(named.report).slice(1)).toEqual(['wide: multipliers', 'plain: multipliers']);
  expect(kept).toBeGreaterThan(named.kept + 3);
});

test('for WebAssembly they are decoded to float when the model is loaded', async () => {
  const { report } = await outcome(200, { target: 'web' });
  expect(formsOf(report).slice(1)).toEqual(['wide: folded', 'plain: multipliers']);
});

test('weights of similar magnitude are stored as multipliers', async () => {
  const { report } = await outcome(1, {});
  expect(formsOf(report).slice(1)).toEqual(['wide: multipliers', 'plain: multipliers']);
  expect(report.notes.join('\n')).not.toContain('than as multipliers');
});
