import { expect, test } from '@jest/globals';
import { Graph } from '../../src/ir/graph.ts';
import { Model } from '../../src/ir/model.ts';
import { constant } from '../../src/ir/tensor.ts';
import type { PackedCodes } from '../../src/kernels/lowbits/codes.ts';
import { roomForCodes } from '../../src/kernels/lowbits/room.ts';
import { putAside } from '../../src/node/recipes/aside.ts';
import { Tensors } from '../../src/schemes/lowTensors.ts';

/** Codes `[outputs, 64]` in memory that threads share. */
function sharedCodes(outputs: number): { readonly codes: PackedCodes; readonly memory: SharedArrayBuffer } {
  const wanted = { bits: 4, block: 32, symmetric: true, half: true, outputs, inputs: 64, multipliers: false } as const;
  const memory = new SharedArrayBuffer(outputs * 64);
  let end = 0;
  const codes = roomForCodes({ ...wanted, order: 'outputs' }, (bytes) => {
    const offset = end;
    end += Math.ceil(bytes / 8) * 8;
    return { buffer: memory, offset };
  }) as PackedCodes;
  codes.packed.fill(0x5a);
  codes.scales.fill(2);
  return { codes, memory };
}

test.each([
  ['a few, in memory', 3, false],
  ['a few, put aside', 3, true],
  ['many, put aside', 40_000, true],
])('tensors keep their values when the next weight reuses the memory: %s', async (_, outputs, aside) => {
  const { codes, memory } = sharedCodes(outputs);
  const model = new Model({ graph: new Graph({}), irVersion: 10, opsets: [{ domain: '', version: 21 }] });
  const tensor = constant('w', 'float32', [1], Float32Array.of(0));
  const keep = aside ? putAside(model) : undefined;
  const tensors = new Tensors({ tensor, of: 'w', shape: codes, codes, keep }, model.graph);
  const data = await tensors.data('uint8', [outputs, 2, 16], () => codes.packed);
  const scales = await tensors.add('scales', 'float32', [outputs, 2], () => codes.scales);
  new Uint8Array(memory).fill(0);
  expect((await data.load()).every((byte) => byte === 0x5a)).toBe(true);
  expect(data.byteLength).toBe(outputs * 32);
  const bytes = await scales.load();
  expect(new Float32Array(bytes.slice().buffer).every((scale) => scale === 2)).toBe(true);
  if (data.streamed !== undefined) {
    let length = 0;
    for await (const chunk of data.streamed.chunks()) {
      expect(chunk.every((byte) => byte === 0x5a)).toBe(true);
      length += chunk.length;
    }
    expect(length).toBe(data.byteLength);
  }
  expect(data.streamed !== undefined).toBe(outputs > 1000);
  await model.close();
});
