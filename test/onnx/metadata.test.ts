import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { bytesSink, bytesSource, type Model, prune, readModel, transform, writeModel } from '../../src/index.node.ts';
import { fixture } from '../support/cli.ts';

const { onnx } = onnxProto;
const MLP = readFileSync(fixture('digits-mlp.onnx'));

async function written(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink);
  return sink.bytes();
}

function entriesOf(bytes: Uint8Array): (readonly [string, string])[] {
  return onnx.ModelProto.decode(bytes).metadataProps.map((one) => [one.key ?? '', one.value ?? ''] as const);
}

/** The fixture with these metadata entries. */
function withEntries(...entries: readonly (readonly [string, string])[]): Uint8Array {
  const model = onnx.ModelProto.decode(MLP);
  model.metadataProps = entries.map(([key, value]) => onnx.StringStringEntryProto.create({ key, value }));
  return onnx.ModelProto.encode(model).finish();
}

test('appends an entry to a model without metadata, and keeps all other bytes', async () => {
  const model = await readModel(MLP);
  expect(model.metadata).toEqual([]);
  model.setMetadata('onnx_compress.recipe', '{"ä": 1}');
  const bytes = Buffer.from(await written(model));
  expect(bytes.subarray(0, MLP.length).equals(MLP)).toBe(true);
  expect(entriesOf(bytes)).toEqual([['onnx_compress.recipe', '{"ä": 1}']]);
});

test('replaces an entry in place, removes duplicates of its key, and copies the others', async () => {
  const bytes = withEntries(['a', '1'], ['b', '2'], ['c', '3'], ['b', '4']);
  const model = await readModel(bytes);
  expect(model.metadata.map((one) => one.key)).toEqual(['a', 'b', 'c', 'b']);
  expect(Buffer.from(await written(model)).equals(bytes)).toBe(true);
  model.setMetadata('b', 'new');
  expect(entriesOf(await written(model))).toEqual([
    ['a', '1'],
    ['b', 'new'],
    ['c', '3'],
  ]);
  // Set again with the same text: the file does not change.
  const again = await readModel(await written(model));
  again.setMetadata('b', 'new');
  expect(await written(again)).toEqual(await written(model));
});

test('copies the bytes of entries when other parts change', async () => {
  const model = await readModel(withEntries(['author', 'somebody'], ['empty', '']));
  await transform(model, prune({ method: 'l1', amount: 0.5 }));
  expect(entriesOf(await written(model))).toEqual([
    ['author', 'somebody'],
    ['empty', ''],
  ]);
});

test('keeps unknown fields of an entry', async () => {
  // Key "k", value "v", and a field 9 of one byte.
  const entry = Buffer.from([0x72, 0x09, 0x0a, 0x01, 0x6b, 0x12, 0x01, 0x76, 0x4a, 0x01, 0x21]);
  const bytes = Buffer.concat([MLP, entry]);
  const model = await readModel(bytes);
  model.setMetadata('other', 'x');
  const output = Buffer.from(await written(model));
  expect(output.subarray(0, bytes.length).equals(bytes)).toBe(true);
  expect(model.metadata[0]?.extra?.byteLength).toBe(3);
});

test('reads a long value only when it is requested', async () => {
  const long = 'x'.repeat(4 << 20);
  const source = bytesSource(withEntries(['vocabulary', long], ['b', '2']));
  let read = 0;
  const model = await readModel({
    ...source,
    byteLength: source.byteLength,
    label: 'counted',
    read(start, end) {
      read += end - start;
      return source.read(start, end);
    },
    close: () => source.close(),
  });
  expect(read).toBeLessThan(1 << 20);
  const [entry] = model.metadata;
  expect(new TextDecoder().decode(await entry?.value.load())).toBe(long);
});

test('names a broken entry with its position', async () => {
  // An entry of five bytes whose key claims nine.
  const broken = Buffer.concat([MLP, Buffer.from([0x72, 0x05, 0x0a, 0x09, 0x6b, 0x12, 0x01])]);
  await expect(readModel(broken)).rejects.toMatchObject({ code: 'malformed' });
});
