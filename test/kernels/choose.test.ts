/** WebAssembly is loaded for one large tensor, or for many small ones together. */
import { expect, jest, test } from '@jest/globals';

const choose = async () => {
  jest.resetModules();
  return import('../../src/kernels/choose.ts');
};

test('one small tensor is done by the reference, many of them are not', async () => {
  const { kernelsFor, reference } = await choose();
  const fast: boolean[] = [];
  for (let weight = 0; weight < 10; weight++) fast.push((await kernelsFor(100_000)) !== reference);
  expect(fast).toEqual([false, false, false, false, false, true, true, true, true, true]);
});

test('tiny tensors are always done by the reference, however many', async () => {
  const { kernelsFor, reference, worthStreaming } = await choose();
  for (let weight = 0; weight < 1000; weight++) expect(await kernelsFor(4095)).toBe(reference);
  expect(await worthStreaming(60_000)).toBe(false);
});

test('a large tensor is computed where it lies at once; one of middle size, when others were there before', async () => {
  const { worthStreaming } = await choose();
  expect(await worthStreaming(100_000)).toBe(false);
  expect(await worthStreaming(600_000)).toBe(true);
  expect(await worthStreaming(100_000)).toBe(true);
});

test('only magnitudes of float32 have kernels in WebAssembly', async () => {
  const { magnitudeKernelsFor, magnitudeReference } = await choose();
  expect(await magnitudeKernelsFor(4, 1 << 22)).toBe(magnitudeReference);
  expect(await magnitudeKernelsFor(2, 1 << 22)).not.toBe(magnitudeReference);
});
