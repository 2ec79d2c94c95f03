/** WebAssembly is loaded for one large tensor, or for many small ones. */
import { expect, jest, test } from '@jest/globals';

const choose = async () => {
  jest.resetModules();
  return import('../../src/kernels/choose.ts');
};

test('uses the reference for one small tensor, but not for many', async () => {
  const { kernelsFor, reference } = await choose();
  const fast: boolean[] = [];
  for (let weight = 0; weight < 10; weight++) fast.push((await kernelsFor(100_000)) !== reference);
  expect(fast).toEqual([false, false, false, false, false, true, true, true, true, true]);
});

test('always uses the reference for tiny tensors, however many', async () => {
  const { kernelsFor, reference, worthStreaming } = await choose();
  for (let weight = 0; weight < 1000; weight++) expect(await kernelsFor(4095)).toBe(reference);
  expect(await worthStreaming(60_000)).toBe(false);
});

test('loads WebAssembly at once for a large tensor; for one of medium size only after others', async () => {
  const { worthStreaming } = await choose();
  expect(await worthStreaming(100_000)).toBe(false);
  expect(await worthStreaming(600_000)).toBe(true);
  expect(await worthStreaming(100_000)).toBe(true);
});

test('has WebAssembly kernels only for float32 magnitudes', async () => {
  const { magnitudeKernelsFor, magnitudeReference } = await choose();
  expect(await magnitudeKernelsFor(4, 1 << 22)).toBe(magnitudeReference);
  expect(await magnitudeKernelsFor(2, 1 << 22)).not.toBe(magnitudeReference);
});
