import { describe, expect, test } from '@jest/globals';
import { type PatchGeometry, patches } from '../../../src/kernels/importance/patches.ts';
import { enoughVectors, shareOf } from '../../../src/kernels/importance/share.ts';
import { axisVectors } from '../../../src/kernels/importance/vectors.ts';
import { randomFloats } from '../../support/random.ts';

const PLAIN: PatchGeometry = {
  kernel: [2],
  strides: [1],
  dilations: [1],
  pads: [],
  autoPad: 'NOTSET',
  groups: 1,
  order: 'channels_first',
};

/** Two channels of four elements. */
const data = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40);

function rows(geometry: Partial<PatchGeometry>, image = data, channels = 2): number[][] {
  const out: number[][] = [];
  for (const { group, rows: block } of patches(image, [1, channels, 4], { ...PLAIN, ...geometry })) {
    const columns = (channels / (geometry.groups ?? 1)) * (geometry.kernel?.[0] ?? 2);
    for (let at = 0; at < block.length; at += columns) out.push([group, ...block.subarray(at, at + columns)]);
  }
  return out;
}

describe('patches', () => {
  test('are ordered by channel, or by tap with all its channels', () => {
    expect(rows({})).toEqual([
      [0, 1, 2, 10, 20],
      [0, 2, 3, 20, 30],
      [0, 3, 4, 30, 40],
    ]);
    expect(rows({ order: 'channels_last', strides: [2] })).toEqual([
      [0, 1, 10, 2, 20],
      [0, 3, 30, 4, 40],
    ]);
  });

  test('support groups, pads and dilations', () => {
    expect(rows({ groups: 2, pads: [1, 0], dilations: [3] })).toEqual([
      [0, 0, 3],
      [0, 1, 4],
      [1, 0, 30],
      [1, 10, 40],
    ]);
  });

  test.each([
    ['SAME_UPPER', [0, 1, 2, 3], [0, 3, 4, 0]],
    ['SAME_LOWER', [0, 0, 1, 2], [0, 2, 3, 4]],
  ] as const)('%s puts the odd zero at one end', (autoPad, ...expected) => {
    const geometry = { kernel: [3], strides: [2], autoPad };
    expect(rows(geometry, data.subarray(0, 4), 1)).toEqual(expected);
  });

  test.each([
    ['a kernel larger than the image', { kernel: [5] }],
    ['more places than any image has', { pads: [2 ** 40, 0] }],
  ])('are undefined for %s', (_, geometry) => {
    expect(rows(geometry)).toEqual([]);
  });

  test('support two axes, several images, strides, dilations, uneven pads and channels', () => {
    const dims = [2, 2, 5, 40];
    const image = randomFloats(dims, 3);
    const geometry = { ...PLAIN, kernel: [3, 2], strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 1] };
    const expected: number[][] = [];
    for (let top = 0; top < 2; top++)
      for (let side = 0; side < 39; side++)
        for (let row = 0; row < 2; row++) {
          const vector: number[] = [];
          for (let channel = 0; channel < 2; channel++)
            for (let i = 0; i < 3; i++)
              for (let j = 0; j < 2; j++) {
                const [y, z] = [top * 2 - 1 + i, side + j * 2];
                const inside = y >= 0 && y < 5 && z >= 0 && z < 40;
                vector.push(inside ? (image[((row * 2 + channel) * 5 + y) * 40 + z] as number) : 0);
              }
          expected.push(vector);
        }
    const cut = (list: Iterable<{ readonly rows: Float32Array }>): number[][] =>
      [...list].flatMap(({ rows: block }) =>
        Array.from({ length: block.length / 12 }, (_, at) => [...block.subarray(at * 12, (at + 1) * 12)]),
      );
    // Blocks are overwritten: each is copied before the next.
    function* copies(share?: { readonly most: number; readonly seed: number }) {
      for (const one of patches(image, dims, geometry, share)) yield { ...one, rows: one.rows.slice() };
    }
    expect(cut(copies())).toEqual(expected);
    const share = { most: 70, seed: 4 };
    const { count, at, weight } = shareOf(expected.length, share);
    const some = [...copies(share)];
    expect(cut(some)).toEqual(Array.from({ length: count }, (_, one) => expected[at(one)]));
    expect(some.map((one) => one.weight)).toEqual(some.map(() => weight));
  });
});

describe('a share', () => {
  const taken = (count: number, most: number, seed: number): number[] => {
    const share = shareOf(count, { most, seed });
    return Array.from({ length: share.count }, (_, one) => share.at(one));
  };

  test('is everything if there are no more', () => {
    expect(taken(5, 5, 9)).toEqual([0, 1, 2, 3, 4]);
    expect(shareOf(5, { most: 5, seed: 9 }).weight).toBe(1);
    expect(shareOf(5, undefined)).toMatchObject({ count: 5, weight: 1 });
  });

  // Computed by the same formula in Python's integers.
  test('is the same on every machine', () => {
    expect(taken(1000, 8, 0)).toEqual([98, 126, 320, 464, 600, 749, 819, 941]);
    expect(taken(1000, 8, 1)).toEqual([115, 224, 287, 466, 603, 640, 753, 964]);
    expect(taken(2 ** 40, 4, 3)).toEqual([176743125440, 297512410816, 714149794560, 1044017993216]);
  });

  test('takes one of each part; every vector is equally likely, and no image column is preferred', () => {
    const [width, height, most, seeds] = [32, 32, 32, 2000];
    const often = new Float64Array(width * height);
    const columns = new Set<number>();
    for (let seed = 0; seed < seeds; seed++) {
      const list = taken(width * height, most, seed);
      for (const [part, index] of list.entries()) {
        if (Math.floor(index / width) !== part) throw new Error(`${index} is not of part ${part}`);
        often[index] = (often[index] as number) + 1;
      }
      if (seed === 0) for (const index of list) columns.add(index % width);
    }
    // A step of one row would take a single column.
    expect(columns.size).toBeGreaterThan(15);
    const expected = (seeds * most) / often.length;
    // Poisson: the largest of 1024 deviations from 62.5 hardly exceeds five times the deviation of 7.9.
    expect(Math.max(...often.map((one) => Math.abs(one - expected)))).toBeLessThan(5 * Math.sqrt(expected));
  });

  test('gives every vector the same chance even if parts have no integer length', () => {
    const often = new Float64Array(10);
    for (let seed = 0; seed < 7000; seed++)
      for (const index of taken(10, 7, seed)) often[index] = (often[index] as number) + 1;
    for (const one of often) expect(Math.abs(one / 4900 - 1)).toBeLessThan(0.07);
  });

  test('grows with the inputs, and has a minimum for small layers', () => {
    expect([1, 9, 576, 4608].map(enoughVectors)).toEqual([16384, 16384, 18432, 147456]);
  });

  test('can be taken along an axis', () => {
    const dims = [3, 4, 50];
    const tensor = randomFloats(dims, 2);
    const { count, at } = shareOf(150, { most: 20, seed: 5 });
    const [block] = axisVectors(tensor, dims, 1, { most: 20, seed: 5 });
    const expected = Array.from({ length: count }, (_, one) => {
      const [image, place] = [Math.floor(at(one) / 50), at(one) % 50];
      return [0, 1, 2, 3].map((channel) => tensor[(image * 4 + channel) * 50 + place] as number);
    });
    expect([...(block?.rows ?? [])]).toEqual(expected.flat());
  });
});
