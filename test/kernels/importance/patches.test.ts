import { describe, expect, test } from '@jest/globals';
import { type PatchGeometry, patches } from '../../../src/kernels/importance/patches.ts';

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
  for (const { group, row } of patches(image, [1, channels, 4], { ...PLAIN, ...geometry })) out.push([group, ...row]);
  return out;
}

describe('patches', () => {
  test('channel after channel, or all channels of each tap', () => {
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

  test('groups, pads and dilations', () => {
    expect(rows({ groups: 2, pads: [1, 0], dilations: [3] })).toEqual([
      [0, 0, 3],
      [1, 0, 30],
      [0, 1, 4],
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
  ])('%s has none', (_, geometry) => {
    expect(rows(geometry)).toEqual([]);
  });
});
