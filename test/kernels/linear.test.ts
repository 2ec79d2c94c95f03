import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { linearParams, roundHalfEven } from '../../src/kernels/linear.ts';

const range = (low: number[], high: number[]) => ({ min: Float32Array.from(low), max: Float32Array.from(high) });

describe('roundHalfEven', () => {
  test('rounds ties to the even integer', () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 126.5].map(roundHalfEven)).toEqual([-2, -2, 0, 0, 2, 2, 4, 126]);
  });

  test('equals rounding by comparison with both neighbours', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (value) => {
        const floor = Math.floor(value);
        const rest = value - floor;
        const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
        expect(roundHalfEven(value) + 0).toBe((up ? floor + 1 : floor) + 0);
      }),
    );
  });

  test('keeps integers too large for a fraction', () => {
    expect([2 ** 52, 2 ** 53, -(2 ** 60), 1e300].map(roundHalfEven)).toEqual([2 ** 52, 2 ** 53, -(2 ** 60), 1e300]);
  });
});

describe('symmetric', () => {
  test('has the largest magnitude over the limit as its scale, in float32', () => {
    const params = linearParams(range([-254, -1, -0.3], [100, 12.7, 0.2]), 'symmetric', 127);
    expect([...params.scale]).toEqual([2, Math.fround(Math.fround(12.7) / 127), Math.fround(Math.fround(0.3) / 127)]);
    expect([...params.zeroPoint]).toEqual([0, 0, 0]);
    expect([params.min, params.max]).toEqual([-127, 127]);
  });

  test('supports a reduced range', () => {
    const params = linearParams(range([-64], [32]), 'symmetric', 64);
    expect([params.scale[0], params.min, params.max]).toEqual([1, -64, 64]);
  });
});

describe('asymmetric', () => {
  test('has the zero point where the data has zero', () => {
    const params = linearParams(range([-1, 0, -2.55], [1.55, 5.1, 0]), 'asymmetric', 255);
    const scale = [2.55, 5.1, 2.55].map((width) => Math.fround(width / 255));
    [...params.scale].forEach((one, index) => {
      expect(one).toBeCloseTo(scale[index] ?? 0, 8);
    });
    expect([...params.zeroPoint]).toEqual([100, 0, 255]);
    expect([params.min, params.max]).toEqual([0, 255]);
  });

  test('keeps the zero point within the range', () => {
    const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 99), max: 2 ** 99 });
    fc.assert(
      fc.property(float, float, (a, b) => {
        const { zeroPoint, scale } = linearParams(range([Math.min(a, b, 0)], [Math.max(a, b, 0)]), 'asymmetric', 255);
        expect(zeroPoint[0]).toBeGreaterThanOrEqual(0);
        expect(zeroPoint[0]).toBeLessThanOrEqual(255);
        expect(scale[0]).toBeGreaterThan(0);
      }),
    );
  });
});

describe('channels without a range', () => {
  test.each(['symmetric', 'asymmetric'] as const)(
    '%s: zeros get the smallest other scale, and zero point 0',
    (scheme) => {
      const params = linearParams(range([0, -1, 0, -0.25], [0, 1, 0, 0.25]), scheme, 127);
      expect([...params.scale.slice(0, 3)]).toEqual([params.scale[3], params.scale[1], params.scale[3]]);
      expect(params.scale[3]).toBe(Math.fround((scheme === 'symmetric' ? 0.25 : 0.5) / 127));
      expect([params.zeroPoint[0], params.zeroPoint[2]]).toEqual([0, 0]);
    },
  );

  test.each(['symmetric', 'asymmetric'] as const)(
    '%s: nothing but zeros gets a scale far below any weight',
    (scheme) => {
      expect([...linearParams(range([0, 0], [0, 0]), scheme, 127).scale]).toEqual([2 ** -24, 2 ** -24]);
    },
  );

  test.each(['symmetric', 'asymmetric'] as const)(
    '%s: replaces a subnormal scale, and keeps a normal one',
    (scheme) => {
      const low = scheme === 'symmetric' ? -1 : 0;
      const tiny = 2 ** -126 * 127;
      const params = linearParams(range([low * 1e-40, low * tiny, -1], [1e-40, tiny, 0]), scheme, 127);
      expect([...params.scale]).toEqual([2 ** -126, 2 ** -126, Math.fround(1 / 127)]);
      expect([...params.zeroPoint.slice(0, 2)]).toEqual([0, 0]);
    },
  );

  test('the whole float32 range still has a finite scale', () => {
    const most = Math.fround(3.4028234663852886e38);
    const params = linearParams(range([-most], [most]), 'asymmetric', 255);
    expect(Number.isFinite(params.scale[0])).toBe(true);
    expect(params.zeroPoint[0]).toBe(128);
  });
});
