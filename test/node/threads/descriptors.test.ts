import { expect, test } from '@jest/globals';
import { sharesDescriptors } from '../../../src/node/threads/descriptors.ts';

test('threads of Node read through a descriptor of the process, those of Deno do not, so it starts none', () => {
  expect(sharesDescriptors()).toBe(true);
  expect(sharesDescriptors({ node: '24.0.0', deno: '2.9.6', v8: '14.0.0' })).toBe(false);
});
