import { describe, expect, test } from '@jest/globals';
import { constant, type Tensor } from '../../src/ir/tensor.ts';
import { decode, decodeSwapped } from '../../src/schemes/decode.ts';
import { asItIs, encode, paramsOf } from '../../src/schemes/encode.ts';
import { encodeHalf } from '../../src/schemes/float16.ts';
import { packed } from '../../src/schemes/packed.ts';
import type { Reals } from '../../src/schemes/reals.ts';
import { type EncodedIntegers, type Granularity, integerScheme, SMALL_INTEGERS } from '../../src/schemes/scheme.ts';
import { DIMS, REALS, REFERENCES } from './reference.ts';

const BLOCKS: Granularity = { kind: 'block', axis: 0, size: 4 };

async function numbers(reals: Reals): Promise<number[]> {
  const all: number[] = [];
  for await (const chunk of reals()) all.push(...chunk);
  return all;
}

const floatsOf = (values: readonly number[], dims: readonly number[]): Tensor =>
  constant('w', 'float32', dims, Float32Array.from(values));

describe.each(SMALL_INTEGERS)('%s in blocks', (dtype) => {
  const { raw, scale, zeroPoint, reals } = REFERENCES[dtype];
  const encoded: EncodedIntegers = {
    scheme: integerScheme(dtype, BLOCKS),
    data: constant('q', dtype, DIMS, Uint8Array.from(raw)),
    scale: constant('s', 'float32', [2, 3], Float32Array.from(scale)),
    zeroPoint: dtype.startsWith('int')
      ? undefined
      : constant('z', dtype, [2, 3], packed(Uint8Array.from(zeroPoint), dtype)),
  };

  test('gives the numbers of the reference', async () => {
    expect(await numbers(decode(encoded))).toEqual([...Float32Array.from(reals)]);
  });

  test('gives them with swapped axes', async () => {
    const turned = reals.map((_, at) => reals[(at % 8) * 3 + Math.floor(at / 8)] as number);
    expect(await numbers(decodeSwapped(encoded))).toEqual([...Float32Array.from(turned)]);
  });
});

test.each<[string, Granularity, readonly number[]]>([
  ['one scale', { kind: 'tensor' }, [3, 5]],
  ['a channel', { kind: 'channel', axis: 1 }, [3, 5]],
  ['channels over two axes', { kind: 'channel', axis: 1, from: 0 }, [2, 3, 5]],
  ['blocks in the middle, the last one shorter', { kind: 'block', axis: 1, size: 2 }, [2, 5, 3]],
  ['a block as long as its axis', { kind: 'block', axis: 2, size: 5 }, [2, 3, 5]],
])('%s: decoding restores every element within half a step', async (_, granularity, dims) => {
  const count = dims.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: count }, (__, at) => (((at * 37) % 101) - 50) * (1 + at));
  for (const dtype of SMALL_INTEGERS) {
    const given = asItIs(floatsOf(values, dims));
    const scheme = integerScheme(dtype, granularity);
    const params = await paramsOf(given, scheme);
    if (params === undefined) throw new Error('not finite');
    const made = await encode(given, scheme, params, { of: 'w', data: 'q', scale: 's', zeroPoint: 'z' });
    const back = await numbers(decode(made));
    expect(back.length).toBe(count);
    // Each number is compared with the step of its own channel or block: the largest step would hide errors.
    const steps = await numbers(
      decode({
        ...made,
        data: constant('q', 'uint8', dims, new Uint8Array(count).fill(1)),
        zeroPoint: undefined,
        scheme: integerScheme('uint8', granularity),
      }),
    );
    // A zero point is rounded too, which may cost another half.
    const halves = scheme.symmetric ? 1 : 2;
    for (const [at, one] of back.entries()) {
      const error = Math.abs(one - (values[at] as number));
      expect(error).toBeLessThanOrEqual((steps[at] as number) * 0.5 * halves + 1e-3);
    }
  }
});

test('decodes float16', async () => {
  expect(await numbers(decode(await encodeHalf(floatsOf([1, 0.1, -2], [3]), 'h')))).toEqual([1, 0.0999755859375, -2]);
});

test('the encoded matrix is that of the reference', () => {
  expect(REALS.length).toBe(DIMS.reduce((a, b) => a * b, 1));
});
