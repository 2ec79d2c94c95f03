import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Streamed } from '../../src/bytes/stored.ts';
import { chunksOf } from '../../src/compute/chunks.ts';
import { constant, streamed, type Tensor } from '../../src/ir/tensor.ts';

/** A tensor that is computed in pieces of these lengths, in one buffer. It must not be loaded whole. */
function inPieces(lengths: readonly number[]): { tensor: Tensor; bytes: Uint8Array } {
  const total = lengths.reduce((a, b) => a + b, 0);
  const bytes = Uint8Array.from({ length: total }, (_, index) => (index * 7) % 251);
  const stream: Streamed = {
    async *chunks() {
      const buffer = new Uint8Array(Math.max(1, ...lengths));
      let at = 0;
      for (const length of lengths) {
        buffer.set(bytes.subarray(at, at + length));
        yield buffer.subarray(0, length);
        at += length;
      }
    },
    fromFile: () => false,
    async writeTo() {
      throw new Error('it is written');
    },
  };
  const load = async (): Promise<Uint8Array> => {
    throw new Error('it is loaded whole');
  };
  return { tensor: { ...streamed('w', 'uint8', [total], stream), load }, bytes };
}

test('a tensor that is computed in pieces is read in chunks of the requested size, never whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(40), { maxLength: 12 }),
      fc.integer({ min: 1, max: 30 }),
      async (lengths, size) => {
        const { tensor, bytes } = inPieces(lengths);
        fc.pre(bytes.length > size);
        const chunks: Buffer[] = [];
        for await (const chunk of chunksOf(tensor, size)) chunks.push(Buffer.from(chunk));
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
        for (const one of chunks.slice(0, -1)) expect(one.length).toBe(size);
        expect(chunks.at(-1)?.length).toBe(bytes.length % size || size);
      },
    ),
    { seed: 7 },
  );
});

test('a tensor in memory is read in such chunks too', async () => {
  const lengths: number[] = [];
  for await (const chunk of chunksOf(constant('w', 'uint8', [10], new Uint8Array(10)), 4)) lengths.push(chunk.length);
  expect(lengths).toEqual([4, 4, 2]);
});
