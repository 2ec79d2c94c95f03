/** Compared with numpy; the cases come from scripts/reference_gptq.py. */
import { expect, test } from '@jest/globals';
import { roundHalfEven } from '../../../src/kernels/linear.ts';
import { awq } from '../../../src/kernels/lowbits/awq.ts';
import { type Codes, realsOfCodes } from '../../../src/kernels/lowbits/codes.ts';
import { bytes, floats, gramOf, type Layer, layers } from './support.ts';

const BLOCK = 16;

/** Rounding to nearest, symmetric, 4 bits. */
function nearest(matrix: Float32Array, { outputs, inputs }: Pick<Layer, 'outputs' | 'inputs'>): Codes {
  const blocks = Math.ceil(inputs / BLOCK);
  const groupOf = (at: number): number => Math.floor(at / inputs) * blocks + Math.floor((at % inputs) / BLOCK);
  const scales = new Float32Array(outputs * blocks);
  matrix.forEach((value, at) => {
    const group = groupOf(at);
    scales[group] = Math.max(scales[group] as number, Math.abs(value) / 7.5);
  });
  const codes = Uint8Array.from(matrix, (value, at) => {
    const scale = scales[groupOf(at)] as number;
    return scale === 0 ? 8 : Math.max(0, Math.min(15, roundHalfEven(value / scale + 8)));
  });
  const form = { bits: 4, block: BLOCK, symmetric: true, half: false } as const;
  return { ...form, outputs, inputs, codes, scales, zeros: undefined };
}

test.each(layers)('$outputs × $inputs: gives the power, factors and cost of the reference', (layer) => {
  const weight = floats(layer.weight);
  const activations = Float64Array.from(new Int8Array(bytes(layer.activations).buffer), (value) => value / 32);
  const met = {
    strength: new Float64Array(bytes(layer.awq.strength).buffer),
    gram: gramOf(activations, layer.inputs),
  };
  const made = awq(weight, met, (matrix) => nearest(matrix, layer));
  expect(made.power).toBeCloseTo(layer.awq.power, 9);
  expect(made.power).toBeGreaterThan(0);
  floats(layer.awq.factors).forEach((factor, input) => {
    expect((made.factors[input] as number) / factor).toBeCloseTo(1, 6);
  });
  expect(made.cost / layer.awq.cost).toBeCloseTo(1, 6);
  // The codes are those of the matrix with scaled columns.
  const scaled = weight.map((value, at) => value * (made.factors[at % layer.inputs] as number));
  expect(realsOfCodes(made.codes)).toEqual(realsOfCodes(nearest(scaled, layer)));
});
