import { markAsUntransferable } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { letGo } from '../../../src/node/runtime/letGo.ts';

test('an array that is let go of has no memory any more', () => {
  const array = new Float32Array(1000);
  letGo(array);
  expect(array).toHaveLength(0);
});

test('what is not its owner’s to give stays as it is', () => {
  const array = Float32Array.of(1, 2);
  markAsUntransferable(array.buffer);
  letGo(array);
  expect([...array]).toEqual([1, 2]);
});
