import { describe, expect, test } from '@jest/globals';
import type { Stored } from '../../src/bytes/stored.ts';
import {
  type CodesAndLoss,
  type CodesOptions,
  codesOfFloats,
  codesOfStored,
  type WholeMatrix,
} from '../../src/compute/lowbits.ts';
import { transpose } from '../../src/kernels/layout.ts';
import type { BlockForm, Codes, Order, PackedCodes } from '../../src/kernels/lowbits/codes.ts';
import { lossOfCodes } from '../../src/kernels/lowbits/loss.ts';
import { searchMultipliers } from '../../src/kernels/lowbits/multipliers.ts';
import { packCodes } from '../../src/kernels/lowbits/pack.ts';
import { searchCodes } from '../../src/kernels/lowbits/search.ts';

import { fromFloat32 } from '../../src/kernels/rounded.ts';
import { toFloat32 } from '../../src/kernels/views.ts';
import { numbers } from '../kernels/observe/support.ts';

/** Bytes that are in no file. */
function stored(data: ArrayBufferView): Stored {
  const all = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const readInto = async (target: Uint8Array, start: number): Promise<void> => {
    target.set(all.subarray(start, start + target.length));
  };
  return { label: 'memory', byteLength: all.length, readInto, file: undefined };
}

const [outputs, inputs] = [21, 100];
const floats = numbers(11, outputs * inputs).map((value, at) => (at % 100 < 32 && at < 500 ? 0 : value / 16));
const importance = Float32Array.from({ length: inputs }, (_, index) => 1 + (index % 7));

const FORMS = ([2, 4, 8] as const).flatMap((bits) =>
  [true, false].flatMap((symmetric) =>
    (['rtn', 'mse', 'hqq'] as const)
      .filter((method) => !(symmetric && method === 'hqq'))
      .map((method) => ({ bits, symmetric, method })),
  ),
);

describe.each(['float32', 'float16', 'bfloat16'] as const)('%s', (format) => {
  const words = fromFloat32(floats, format);
  const matrix = toFloat32(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), format);
  const turned = fromFloat32(transpose(matrix, outputs, inputs), format);
  const given = (outFirst: boolean): WholeMatrix => ({ format, outputs, inputs, outFirst, factor: 1 });

  test.each(FORMS)('$method, $bits bits, symmetric $symmetric: gives the same as the reference', async (one) => {
    const form: BlockForm = { bits: one.bits, symmetric: one.symmetric, block: 32, half: true };
    const how: CodesOptions = { method: one.method, importance };
    const expected = searchCodes(matrix, { outputs, inputs }, form, how);
    const { noise } = lossOfCodes(matrix, expected);
    for (const outFirst of [true, false]) {
      const found = await codesOfStored(stored(outFirst ? words : turned), given(outFirst), form, how);
      expect(found?.codes).toEqual(expected);
      expect(Math.abs((found?.noise ?? 0) / noise - 1)).toBeLessThan(1e-3);
    }
  });

  test.each([
    [2, 'mse'],
    [4, 'mse'],
    [4, 'rtn'],
  ] as const)('multipliers of %d bits by %s: what the reference gives', async (bits, method) => {
    const form: BlockForm = { bits, symmetric: true, block: 16, half: false };
    const how: CodesOptions = { method, multipliers: true };
    const expected = searchMultipliers(matrix, { outputs, inputs }, form, how);
    for (const outFirst of [true, false]) {
      const found = await codesOfStored(stored(outFirst ? words : turned), given(outFirst), form, how);
      expect(found?.codes).toEqual(expected);
    }
  });
});

/** `[outputs, blocks · block]`, padded with the codes of 0, packed by hand. */
function packedByHand(of: Codes, order: Order): number[] {
  const blocks = Math.ceil(inputs / of.block);
  const length = blocks * of.block;
  const code = (row: number, column: number): number =>
    column < inputs
      ? (of.codes[row * inputs + column] as number)
      : (of.zeros?.[row * blocks + blocks - 1] ?? 2 ** (of.bits - 1));
  const perByte = 8 / of.bits;
  const out = new Array<number>((outputs * length) / perByte).fill(0);
  for (let row = 0; row < outputs; row++) {
    for (let column = 0; column < length; column++) {
      const byte = Math.floor(column / perByte);
      const at = order === 'outputs' ? (row * length) / perByte + byte : byte * outputs + row;
      out[at] = (out[at] as number) + code(row, column) * 2 ** ((column % perByte) * of.bits);
    }
  }
  return out;
}

describe.each([2, 4, 8] as const)('%d bits', (bits) => {
  test.each(['outputs', 'inputs'] as const)('packed with the %s first', async (order) => {
    for (const symmetric of [true, false]) {
      const form: BlockForm = { bits, symmetric, block: 16, half: true };
      const how: CodesOptions = { method: 'mse' };
      const expected = searchCodes(floats, { outputs, inputs }, form, how);
      const { codes: _, ...coded } = expected;
      const packed = packedByHand(expected, order);
      expect([...packCodes(expected, order)]).toEqual(packed);
      for (const outFirst of [true, false]) {
        const lying = outFirst ? floats : transpose(floats, outputs, inputs);
        const given = { format: 'float32', outputs, inputs, outFirst, factor: 1 } as const;
        const found = await codesOfStored(stored(lying), given, form, how, order);
        expect(found?.codes).toEqual({ ...coded, order, packed: Uint8Array.from(packed) });
      }
    }
  });
});

const FORM: BlockForm = { bits: 4, block: 32, symmetric: false, half: true };

test.each([true, false])('strips together give the whole, outputs first: %s', (outFirst) => {
  const long = 150_000;
  const data = Float32Array.from({ length: long * 20 }, (_, at) => ((at * 7919) % 1009) - 300);
  const given = { outputs: 20, inputs: long, outFirst, factor: -0.5 };
  const found = codesOfFloats(data, given, FORM, { method: 'rtn' });
  const rows = (outFirst ? data : transpose(data, long, 20)).map((value) => value * -0.5);
  const expected = searchCodes(rows, { outputs: 20, inputs: long }, FORM, { method: 'rtn' });
  // Jest compares millions of elements one by one.
  expect(Buffer.compare(found?.codes.codes as Uint8Array, expected.codes)).toBe(0);
  expect(Buffer.compare(found?.codes.zeros as Uint8Array, expected.zeros as Uint8Array)).toBe(0);
});

test('detects NaN', () => {
  const given = { outputs, inputs, outFirst: true, factor: 1 };
  expect(codesOfFloats(floats, given, FORM, { method: 'mse' })).toBeDefined();
  const spoiled = floats.with(floats.length - 1, Number.NaN);
  expect(codesOfFloats(spoiled, given, FORM, { method: 'mse' })).toBeUndefined();
});

test.each(['outputs', 'inputs'] as const)(
  'bands of several tiles are packed as a whole is, the %s first',
  async (order) => {
    const [outputs, inputs] = [1040, 4112];
    const data = Float32Array.from({ length: outputs * inputs }, (_, at) => ((at * 7919) % 1009) - 300);
    const form: BlockForm = { bits: 4, block: 16, symmetric: true, half: true };
    const given = { format: 'float32', outputs, inputs, outFirst: false, factor: 1 } as const;
    const found = await codesOfStored(stored(data), given, form, { method: 'mse' }, order);
    const whole = codesOfFloats(data, { outputs, inputs, outFirst: false, factor: 1 }, form, { method: 'mse' });
    const { packed, scales } = (found as CodesAndLoss<PackedCodes>).codes;
    expect(Buffer.compare(packed, packCodes(whole?.codes as Codes, order))).toBe(0);
    expect(Buffer.from(scales.buffer).equals(Buffer.from(whole?.codes.scales.buffer as ArrayBuffer))).toBe(true);
  },
);

test('distinguishes infinities from large numbers', () => {
  const given = { outputs, inputs, outFirst: true, factor: 1 };
  const large = floats.map((one) => one * 1e30);
  expect(codesOfFloats(large, given, FORM, { method: 'mse' })).toBeDefined();
  const infinite = large.with(5, Number.NEGATIVE_INFINITY);
  expect(codesOfFloats(infinite, given, FORM, { method: 'mse' })).toBeUndefined();
  expect(codesOfFloats(infinite, given, FORM, { method: 'hqq' })).toBeUndefined();
});
