import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addDigits,
  belowThreshold,
  countZeros,
  hasNaN,
  isZero,
  type Magnitudes,
  selectThreshold,
} from '../../src/kernels/magnitude.ts';

type Floats = Float32Array | Float64Array;

function magnitudes(data: Floats): Magnitudes {
  const words = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  return { words, width: data.BYTES_PER_ELEMENT / 2 };
}

/** Which elements of each tensor are selected, by the threshold and by marks. */
async function selected(tensors: readonly Floats[], count: number): Promise<number[][]> {
  async function* passes(): AsyncGenerator<Magnitudes> {
    for (const one of tensors) yield magnitudes(one);
  }
  const [first = new Float32Array()] = tensors;
  const threshold = await selectThreshold(passes, first.BYTES_PER_ELEMENT / 2, count, addDigits);
  return tensors.map((one) => {
    const chosen: number[] = [];
    belowThreshold(magnitudes(one), threshold, (index) => chosen.push(index));
    return chosen;
  });
}

/** The same by sorting all elements: smallest magnitude first, then lowest tensor and index. */
function sorted(tensors: readonly Floats[], count: number): number[][] {
  const all = tensors.flatMap((data, tensor) =>
    [...data].map((value, index) => ({ tensor, index, size: Math.abs(value) })),
  );
  all.sort((a, b) => a.size - b.size || a.tensor - b.tensor || a.index - b.index);
  const gone = all.slice(0, count);
  return tensors.map((_, tensor) =>
    gone
      .filter((one) => one.tensor === tensor)
      .map((one) => one.index)
      .sort((a, b) => a - b),
  );
}

describe('selectThreshold and belowThreshold', () => {
  test('take the lowest index first among equal magnitudes', async () => {
    const data = Float32Array.of(0.5, -0.5, 0.1, 0.5, -0.2, 2);
    expect(await selected([data], 1)).toEqual([[2]]);
    expect(await selected([data], 3)).toEqual([[0, 2, 4]]);
    expect(await selected([data], 4)).toEqual([[0, 1, 2, 4]]);
    expect(await selected([data], 6)).toEqual([[0, 1, 2, 3, 4, 5]]);
  });

  test('continue ties from one tensor to the next', async () => {
    const ones = new Float32Array(4).fill(1);
    expect(await selected([ones, ones, ones], 6)).toEqual([[0, 1, 2, 3], [0, 1], []]);
  });

  test('distinguish values that differ only in their last bits', async () => {
    const data = Float32Array.of(1 + 2 ** -22, 1, 1 + 2 ** -23, 1 + 3 * 2 ** -23);
    expect(await selected([data], 2)).toEqual([[1, 2]]);
    const wide = Float64Array.of(1 + 2 ** -51, 1, 1 + 2 ** -52, 1 + 2 ** -20, 1 + 2 ** -36);
    expect(await selected([wide], 2)).toEqual([[1, 2]]);
    expect(await selected([wide], 4)).toEqual([[0, 1, 2, 4]]);
  });

  test('equal sorting for float32, over several tensors', async () => {
    const few = fc.constantFrom(0, -0, 1, -1, 0.5, 1e-45, -1e-40, Number.POSITIVE_INFINITY);
    const values = fc.oneof(fc.float({ noNaN: true }), few);
    const tensor = fc.array(values, { minLength: 1, maxLength: 30 }).map((list) => Float32Array.from(list));
    await fc.assert(
      fc.asyncProperty(fc.array(tensor, { minLength: 1, maxLength: 4 }), fc.nat(), async (tensors, pick) => {
        const total = tensors.reduce((sum, one) => sum + one.length, 0);
        const count = 1 + (pick % total);
        expect(await selected(tensors, count)).toEqual(sorted(tensors, count));
      }),
      { numRuns: 150 },
    );
  });

  test('equal sorting for float64', async () => {
    const values = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0, -0, 1, -1, 1 + 2 ** -52, 5e-324));
    const tensor = fc.array(values, { minLength: 1, maxLength: 30 }).map((list) => Float64Array.from(list));
    await fc.assert(
      fc.asyncProperty(fc.array(tensor, { minLength: 1, maxLength: 3 }), fc.nat(), async (tensors, pick) => {
        const total = tensors.reduce((sum, one) => sum + one.length, 0);
        const count = 1 + (pick % total);
        expect(await selected(tensors, count)).toEqual(sorted(tensors, count));
      }),
      { numRuns: 100 },
    );
  });

  test('read the data once for each 16 bits', async () => {
    for (const [data, reads] of [
      [Float32Array.of(1, 2, 3), 2],
      [Float64Array.of(1, 2, 3), 4],
    ] as const) {
      let passes = 0;
      await selectThreshold(
        async function* () {
          passes++;
          yield magnitudes(data);
        },
        data.BYTES_PER_ELEMENT / 2,
        2,
        addDigits,
      );
      expect(passes).toBe(reads);
    }
  });
});

describe('hasNaN', () => {
  test('finds every NaN and no infinity', () => {
    for (const Floats of [Float32Array, Float64Array]) {
      expect(hasNaN(magnitudes(Floats.of(1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38)))).toBe(false);
      expect(hasNaN(magnitudes(Floats.of(1, 2, Number.NaN)))).toBe(true);
      expect(hasNaN(magnitudes(Floats.of()))).toBe(false);
    }
  });

  test('finds NaN whose payload is only in the lowest bits', () => {
    const bits32 = Uint32Array.of(0x7f800001, 0xff800001);
    for (const one of bits32) expect(hasNaN(magnitudes(new Float32Array(Uint32Array.of(one).buffer)))).toBe(true);
    const bits64 = BigUint64Array.of(0xfff0000000000001n);
    expect(hasNaN(magnitudes(new Float64Array(bits64.buffer)))).toBe(true);
  });
});

describe('zeros', () => {
  test('of both signs are counted, the smallest subnormal is not', () => {
    for (const Floats of [Float32Array, Float64Array]) {
      const smallest = Floats === Float32Array ? 1e-45 : 5e-324;
      const data = Floats.of(0, -0, smallest, -smallest, 1, 0);
      expect(countZeros(magnitudes(data))).toBe(3);
      expect([...data].map((_, index) => isZero(magnitudes(data), index))).toEqual([
        true,
        true,
        false,
        false,
        false,
        true,
      ]);
    }
  });

  test('are counted as by comparison', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.float(), fc.constantFrom(0, -0))), (list) => {
        const data = Float32Array.from(list);
        expect(countZeros(magnitudes(data))).toBe(data.filter((one) => one === 0).length);
      }),
    );
  });
});
