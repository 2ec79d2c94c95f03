import { markAsUntransferable } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { letGo } from '../../src/kernels/letGo.ts';

test('an array that is let go of has no memory any more', () => {
  const array = new Float32Array(1000);
  letGo(array);
  expect(array).toHaveLength(0);
});

test('memory in which something else lies stays, and memory that cannot be given away', () => {
  const part = Float32Array.of(1, 2, 3).subarray(1);
  letGo(part);
  expect([...part]).toEqual([2, 3]);
  const fixed = Float32Array.of(1, 2);
  markAsUntransferable(fixed.buffer);
  letGo(fixed);
  expect([...fixed]).toEqual([1, 2]);
  const shared = new Uint8Array(new SharedArrayBuffer(2));
  letGo(shared);
  expect(shared).toHaveLength(2);
});
