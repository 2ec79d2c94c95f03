/** Compared with numpy; the cases come from scripts/reference_gptq.py. */
import { describe, expect, test } from '@jest/globals';
import { blocksIn, type Codes, middleOf, realsOfCodes } from '../../../src/kernels/lowbits/codes.ts';
import { refine, sweptCost } from '../../../src/kernels/lowbits/gptq.ts';
import { prepare } from '../../../src/kernels/lowbits/hessian.ts';
import { multiplyHere } from '../../../src/kernels/products.ts';
import { randomFloats } from '../../support/random.ts';
import { bytes, type Case, costOf, floats, gramOf, hessianOf, type Layer, layers } from './support.ts';

function startOf(one: Case, { outputs, inputs }: Layer): Codes {
  const { scales, zeros, factors, steps } = one.start;
  const multipliers =
    factors === undefined || steps === undefined
      ? {}
      : { multipliers: { factors: new Int8Array(bytes(factors).buffer), steps: floats(steps) } };
  return {
    ...{ bits: one.bits, block: one.block, symmetric: one.symmetric, half: one.half, outputs, inputs },
    codes: new Uint8Array(outputs * inputs),
    scales: floats(scales),
    zeros: zeros === undefined ? undefined : bytes(zeros),
    ...multipliers,
  };
}

describe.each(layers)('$outputs × $inputs', (layer) => {
  const weight = floats(layer.weight);
  const activations = Float64Array.from(new Int8Array(bytes(layer.activations).buffer), (value) => value / 32);
  const hessian = prepare(gramOf(activations, layer.inputs), layer.inputs);

  test.each(layer.cases)('$bits bits, blocks of $block, symmetric: $symmetric, half: $half', (one) => {
    const start = startOf(one, layer);
    const swept = refine(weight, start, hessian, { descend: 0, refit: false });
    expect(swept.codes).toEqual(bytes(one.swept));
    expect(swept.scales).toEqual(start.scales);
    const cost = costOf(weight, swept, hessianOf(hessian));
    expect(multiplyHere(sweptCost(weight, start, hessian)) / cost).toBeCloseTo(1, 4);
    const made = refine(weight, start, hessian);
    expect(made.codes).toEqual(bytes(one.codes));
    expect(costOf(weight, made, hessianOf(hessian)) / one.cost).toBeCloseTo(1, 6);
    floats(one.scales).forEach((scale, index) => {
      expect((made.scales[index] as number) / scale).toBeCloseTo(1, 6);
    });
    expect(made.zeros).toBe(start.zeros);
  });

  test('keeps exact zeros', () => {
    for (const one of layer.cases) {
      const reals = realsOfCodes(refine(weight, startOf(one, layer), hessian));
      weight.forEach((value, index) => {
        if (value === 0) expect(reals[index]).toBe(0);
      });
    }
  });
});

test('fits the steps of multipliers, keeps factors, and has their products as scales', () => {
  const [layer] = layers as [Layer];
  const one = layer.cases.find(({ start }) => start.factors !== undefined) as Case;
  const start = startOf(one, layer);
  const gram = gramOf(new Int8Array(bytes(layer.activations).buffer), layer.inputs);
  const { scales, multipliers } = refine(floats(layer.weight), start, prepare(gram, layer.inputs));
  expect(multipliers?.factors).toEqual(start.multipliers?.factors);
  expect(multipliers?.steps).not.toEqual(start.multipliers?.steps);
  const blocks = blocksIn(start);
  scales.forEach((scale, index) => {
    const step = multipliers?.steps[Math.floor(index / blocks)] as number;
    expect(scale).toBe(Math.fround((multipliers?.factors[index] as number) * step));
  });
});

describe('data with little information', () => {
  const [outputs, inputs] = [5, 24];
  const weight = randomFloats([outputs, inputs], 3);
  const start: Codes = {
    ...{ bits: 4, block: 8, symmetric: true, half: false, outputs, inputs, zeros: undefined },
    codes: new Uint8Array(outputs * inputs),
    scales: new Float32Array(outputs * 3).fill(1 / 7.5),
  };
  const nearest = Array.from(weight, (value) => Math.max(0, Math.min(15, Math.round(value * 7.5) + middleOf(4))));

  test.each([
    ['no activations at all', new Float64Array(inputs ** 2)],
    [
      'inputs that never meet',
      gramOf(
        Float64Array.from({ length: inputs ** 2 }, (_, i) => (i % 25 === 0 ? 3 : 0)),
        24,
      ),
    ],
  ])('%s: codes are rounded to nearest', (_, gram) => {
    const made = refine(weight, start, prepare(gram, inputs), { refit: false });
    expect([...made.codes]).toEqual(nearest);
  });

  test('factorizes identical inputs with more damping', () => {
    const gram = new Float64Array(inputs ** 2).fill(1e20);
    const made = refine(weight, start, prepare(gram, inputs, { damping: 1e-18 }));
    expect(made.scales.every(Number.isFinite)).toBe(true);
    for (let row = 0; row < outputs; row++) {
      const reals = realsOfCodes(made).subarray(row * inputs, (row + 1) * inputs);
      const sum = (list: Float32Array): number => list.reduce((all, one) => all + one, 0);
      // Their sum is preserved far better than to a step.
      expect(Math.abs(sum(reals) - sum(weight.subarray(row * inputs, (row + 1) * inputs)))).toBeLessThan(0.02);
    }
  });

  test('refuses sums that are not finite', () => {
    expect(() => prepare(new Float64Array(inputs ** 2).fill(Number.NaN), inputs)).toThrow(RangeError);
  });
});

test('gives the code of 0 for scales of 0', () => {
  const start: Codes = {
    ...{ bits: 2, block: 4, symmetric: false, half: false, outputs: 1, inputs: 4 },
    ...{ codes: new Uint8Array(4), scales: new Float32Array(1), zeros: Uint8Array.of(1) },
  };
  const made = refine(Float32Array.of(0, 1, 0, -1), start, prepare(gramOf([1, 2, 3, 4], 4), 4));
  expect([...made.codes]).toEqual([1, 1, 1, 1]);
});
