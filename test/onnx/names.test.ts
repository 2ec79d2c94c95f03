import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bytesSink } from '../../src/bytes/sink.ts';
import { constant } from '../../src/ir/tensor.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { decodeText, encodeText } from '../../src/onnx/text.ts';
import { field, modelBytes, tensorBytes } from '../support/wire.ts';

test('preserves any bytes through decoding and encoding', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(Buffer.from(encodeText(decodeText(bytes))).equals(bytes)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('decodes valid text as usual', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodeText(new TextEncoder().encode(text))).toBe(text);
      expect(Buffer.from(encodeText(text)).equals(new TextEncoder().encode(text))).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['a lone continuation byte', [0x41, 0x80, 0x42]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['overlong in three bytes', [0xe0, 0x80, 0xaf]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['past U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['cut off', [0xf0, 0x9f, 0x98]],
  ['Latin-1', [0x66, 0xfc, 0x72]],
])('keeps %s as escaped bytes beside valid text', (_, bytes) => {
  const text = decodeText(Uint8Array.from(bytes));
  expect(text).toMatch(/[\udc80-\udcff]/);
  expect([...encodeText(text)]).toEqual(bytes);
});

const odd = ['__proto__', 'constructor', 'toString', '😀', 'ünïcode', ' ', 'a\0b', '\ufeffbom', 'x'.repeat(5000)];

test('preserves invalid names in maps and rewritten nodes', async () => {
  const invalid = Uint8Array.of(0x77, 0xff, 0xfe);
  const bytes = modelBytes(
    field(1, ...odd.map((name) => field(1, name)), field(1, ''), field(1, invalid), field(2, 'y'), field(4, 'Foo')),
    ...[...odd, ''].map((name) => field(5, tensorBytes(name, 3, [1], field(9, Uint8Array.of(1))))),
    field(
      5,
      Uint8Array.of(0x42, 3, ...invalid),
      tensorBytes('', 3, [1], field(9, Uint8Array.of(1))).subarray(0, 4),
      field(9, Uint8Array.of(5)),
    ),
  );
  const model = await readModel(bytes);
  const { graph } = model;
  for (const name of odd) {
    expect(graph.constant(name)?.tensor.name).toBe(name);
    expect(graph.uses(name).length).toBe(1);
    expect(graph.defines(name)).toBe(true);
    expect(graph.uniqueName(name)).not.toBe(name);
  }
  const name = decodeText(invalid);
  expect((await graph.constant(name)?.tensor.load())?.[0]).toBe(5);
  const [node] = graph.nodes;
  if (node === undefined) throw new Error('no node');
  graph.replaceNode(node, { ...node, name: 'n' });
  graph.setInitializer(constant(name, 'int8', [1], Int8Array.of(6)));
  graph.setInitializer(constant(`${name}_quantized`, 'int8', [1], Int8Array.of(7)));
  const sink = bytesSink();
  await writeModel(model, sink);
  const again = await readModel(sink.bytes());
  expect(again.graph.nodes[0]?.inputs).toEqual(node.inputs);
  expect([...again.graph.initializers.keys()]).toEqual([...graph.initializers.keys()]);
  expect(Buffer.from(sink.bytes()).includes(Buffer.from([0x0a, 3, ...invalid]))).toBe(true);
  expect(Buffer.from(sink.bytes()).includes(Buffer.concat([invalid, Buffer.from('_quantized')]))).toBe(true);
});

test('refuses a name of more than a megabyte, and copies a string of that size', async () => {
  const long = new Uint8Array((1 << 20) + 1).fill(0x61);
  await expect(readModel(modelBytes(field(2, long)))).rejects.toMatchObject({
    code: 'limit',
    message: expect.stringContaining('a name has 1048577 bytes; at most 1048576 are accepted'),
  });
  const model = await readModel(modelBytes(field(1, field(4, 'X'), field(5, field(1, 's'), field(4, long)))));
  expect(model.graph.nodes[0]?.attributes[0]).toMatchObject({ name: 's', type: 'opaque' });
});
