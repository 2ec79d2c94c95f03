/** Small chunks become large writes, and chunks in flight do not change. */
import { expect, test } from '@jest/globals';
import { GATHER, Gatherer } from '../../../src/node/files/gather.ts';

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** A gatherer, and the arrays that it sent. */
function gatherer() {
  const sent: Uint8Array[] = [];
  const one = new Gatherer(async (chunk) => {
    sent.push(chunk);
  });
  return { one, sent };
}

test('gathers chunks until they fill a megabyte, or until a flush', async () => {
  const { one, sent } = gatherer();
  for (let chunk = 0; chunk < 5; chunk++) await one.add(bytes(GATHER / 4, chunk));
  expect(sent.map((some) => some.length)).toEqual([GATHER]);
  await one.flush();
  await one.flush();
  expect(sent.map((some) => some.length)).toEqual([GATHER, GATHER / 4]);
  expect(Buffer.concat(sent).equals(Buffer.concat([0, 1, 2, 3, 4].map((value) => bytes(GATHER / 4, value))))).toBe(
    true,
  );
});

test('sends a large chunk after the gathered ones, without copying it', async () => {
  const { one, sent } = gatherer();
  const large = bytes(GATHER, 2);
  await one.add(bytes(3, 1));
  await one.add(large);
  expect(sent[0]).toEqual(bytes(3, 1));
  expect(sent[1]).toBe(large);
});

test('keeps the bytes of sent chunks, and uses a buffer until it is full', async () => {
  const { one, sent } = gatherer();
  const expected: Uint8Array[] = [];
  for (let round = 0; round < 3000; round++) {
    const chunk = bytes(1000 + (round % 7), round % 251);
    expected.push(chunk);
    await one.add(chunk);
    await one.flush();
  }
  expect(sent.length).toBe(3000);
  expect(Buffer.concat(sent).equals(Buffer.concat(expected))).toBe(true);
  expect(new Set(sent.map((some) => some.buffer)).size).toBe(Math.ceil((3000 * 1003) / GATHER));
});
