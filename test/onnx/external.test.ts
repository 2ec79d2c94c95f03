import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesSink } from '../../src/bytes/sink.ts';
import { derived, type Tensor } from '../../src/ir/tensor.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { expectSame } from '../support/oracle.ts';
import { concat, field, int, modelBytes, tensorBytes } from '../support/wire.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'external-'));
  await mkdir(join(folder, 'models', 'sub'), { recursive: true });
  path = join(folder, 'models', 'm.onnx');
});
afterEach(() => rm(folder, { recursive: true }));

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');
const entries = (values: Readonly<Record<string, string>>): Uint8Array =>
  concat(...Object.entries(values).map(([key, value]) => field(13, field(1, key), field(2, value))), int(14, 1));
const external = (
  name: string,
  count: number,
  values: Readonly<Record<string, string>>,
  ...rest: Uint8Array[]
): Uint8Array => tensorBytes(name, 1, [count], entries(values), ...rest);
const data = (bytes: number, salt: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, index) => (index * salt) & 255);

/** A model with weights in two data files, one of them in a subfolder, and a weight in a Constant node. */
async function write(): Promise<{ a: Uint8Array; b: Uint8Array }> {
  const a = data(6000, 3);
  const b = data(9000, 7);
  await writeFile(join(folder, 'models', 'a.data'), a);
  await writeFile(join(folder, 'models', 'sub', 'b.data'), b);
  await writeFile(
    path,
    modelBytes(
      field(
        1,
        field(2, 'c'),
        field(4, 'Constant'),
        field(5, field(1, 'value'), field(5, external('', 2, { location: 'a.data', offset: '8' })), int(20, 4)),
      ),
      field(
        5,
        external('w', 1000, { location: 'a.data', offset: '100', length: '4000', checksum: sha1(a) }, field(12, 'doc')),
      ),
      field(5, external('v', 2250, { location: 'sub/b.data' })),
      field(5, tensorBytes('tiny', 1, [1], field(9, new Uint8Array(4)))),
    ),
  );
  return { a, b };
}

async function loaded(tensor: Tensor | undefined): Promise<Buffer> {
  return Buffer.from((await tensor?.load()) ?? []);
}

describe('reading', () => {
  test('finds offset and length in each file', async () => {
    const { a, b } = await write();
    const model = await readModel(path);
    expect((await loaded(model.graph.initializers.get('w'))).equals(a.subarray(100, 4100))).toBe(true);
    expect((await loaded(model.graph.initializers.get('v'))).equals(b)).toBe(true);
    expect((await loaded(model.graph.constant('c')?.tensor)).equals(a.subarray(8, 16))).toBe(true);
    await model.close();
    await expect(model.graph.initializers.get('w')?.load()).rejects.toMatchObject({ code: 'io' });
  });

  const where = "graph.initializer[0] 'w'";
  const refused: [string, Record<string, string>, string][] = [
    ['..', { location: '../secret' }, "external data \"../secret\" would leave the model's folder ('..')"],
    ['.. inside', { location: 'sub/../../secret' }, "would leave the model's folder ('..')"],
    ['.. with backslashes', { location: 'sub\\..\\..\\secret' }, "would leave the model's folder ('..')"],
    ['an absolute path', { location: '/etc/passwd' }, 'external data "/etc/passwd" is an absolute path'],
    ['a drive', { location: 'C:\\x' }, 'external data "C:\\\\x" is an absolute path'],
    ['a share', { location: '\\\\server\\x' }, 'is an absolute path'],
    ['NUL', { location: 'a\0b' }, 'external data "a\\u0000b" has a NUL character in its location'],
    ['nothing', { location: '' }, 'external data "" has no location'],
    ['no location', { offset: '0' }, 'external data "" has no location'],
    ['the folder', { location: '.' }, 'external data "." is the model\'s folder itself'],
    ['a folder', { location: 'sub' }, 'external data "sub": is a folder, not a file'],
    ['a link out', { location: 'link' }, 'external data "link" would leave the model\'s folder (a symbolic link)'],
    ['a linked folder', { location: 'out/secret' }, "would leave the model's folder (a symbolic link)"],
    ['a FIFO', { location: 'fifo' }, 'is not a regular file'],
    ['a missing file', { location: 'none' }, 'external data "none": no such file or folder'],
    ['a negative offset', { location: 'ok', offset: '-4' }, 'has the offset "-4", which is not a number of bytes'],
    ['an offset in words', { location: 'ok', offset: 'four' }, 'has the offset "four"'],
    ['an empty offset', { location: 'ok', offset: '' }, 'has the offset ""'],
    [
      'an overflowing offset',
      { location: 'ok', offset: '99999999999999999999' },
      'has the offset "99999999999999999999"',
    ],
    ['a float offset', { location: 'ok', offset: '1e3' }, 'has the offset "1e3"'],
    ['an offset past the end', { location: 'ok', offset: '90' }, "ends at byte 106 of 'ok', which has 100"],
    ['a vast offset', { location: 'ok', offset: '9007199254740991' }, "of 'ok', which has 100"],
    ['another length', { location: 'ok', length: '20' }, 'external data has 20 bytes; the shape needs 16'],
    ['a negative length', { location: 'ok', length: '-1' }, 'has the length "-1"'],
  ];

  test.each(refused)('%s is refused', async (_, values, message) => {
    await writeFile(join(folder, 'secret'), data(100, 1));
    await writeFile(join(folder, 'models', 'ok'), data(100, 1));
    await symlink('../secret', join(folder, 'models', 'link'));
    await symlink('..', join(folder, 'models', 'out'));
    execFileSync('mkfifo', [join(folder, 'models', 'fifo')]);
    await writeFile(path, modelBytes(field(5, external('w', 4, values))));
    const error = await readModel(path).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: 'CompressError', message: expect.stringContaining(message) });
    expect(String(error)).toContain(`${path}, ${where}: external data`);
  });

  test('accepts a link within the folder', async () => {
    await writeFile(join(folder, 'models', 'ok'), data(16, 1));
    await symlink('../ok', join(folder, 'models', 'sub', 'link'));
    await writeFile(path, modelBytes(field(5, external('w', 4, { location: 'sub/link' }))));
    const model = await readModel(path);
    expect((await loaded(model.graph.initializers.get('w'))).equals(data(16, 1))).toBe(true);
    await model.close();
  });

  test('refuses external data for a model from a pipe, and in fields that are copied unread', async () => {
    await write();
    await expect(readModel(await readFile(path))).rejects.toMatchObject({ code: 'unsupported' });
    const tensor = external('w', 1, { location: 'a.data' });
    for (const bytes of [
      modelBytes(field(15, field(1, tensor), int(3, 4))),
      modelBytes(field(1, field(4, 'X'), field(5, field(1, 'ts'), field(10, tensor)))),
      concat(modelBytes(field(2, 'g')), field(20, field(1, field(5, tensor)))),
    ]) {
      await writeFile(path, bytes);
      await expect(readModel(path)).rejects.toMatchObject({ code: 'unsupported' });
    }
  });
});

describe('writing', () => {
  test('copies the data files of an unchanged model to another folder, and does not touch the originals', async () => {
    const { a, b } = await write();
    const model = await readModel(path);
    const target = join(folder, 'copy.onnx');
    const written = await writeModel(model, target);
    expect(written).toMatchObject({
      dataByteLength: 15000,
      dataFiles: [join(folder, 'a.data'), join(folder, 'sub', 'b.data')],
    });
    expect((await readFile(target)).equals(await readFile(path))).toBe(true);
    expect((await readFile(join(folder, 'a.data'))).equals(a)).toBe(true);
    expect((await readFile(join(folder, 'sub', 'b.data'))).equals(b)).toBe(true);
    const before = await stat(join(folder, 'models', 'a.data'));
    expect((await writeModel(model, join(folder, 'models', 'beside.onnx'))).dataFiles).toEqual([]);
    expect((await stat(join(folder, 'models', 'a.data'))).mtimeMs).toBe(before.mtimeMs);
    expect((await readdir(join(folder, 'models'))).sort()).toEqual(['a.data', 'beside.onnx', 'm.onnx', 'sub']);
    await expect(writeModel(model, target)).rejects.toMatchObject({ code: 'exists' });
    await model.close();
  });

  test('never writes a model over one of its own data files', async () => {
    const { a } = await write();
    const model = await readModel(path);
    for (const target of [join(folder, 'models', 'a.data'), join(folder, 'a.data')]) {
      await expect(writeModel(model, target, { overwrite: true })).rejects.toMatchObject({ code: 'exists' });
    }
    expect((await readFile(join(folder, 'models', 'a.data'))).equals(a)).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(['models']);
    await model.close();
  });

  test('gives a changed model one new data file, aligned, with a SHA-1 of the whole', async () => {
    const { b } = await write();
    const model = await readModel(path);
    model.graph.setInitializer(
      derived(
        'w',
        'float32',
        [1000],
        async () => new Float32Array(1000).fill(2),
        model.graph.initializers.get('w')?.extra,
      ),
    );
    const target = join(folder, 'new.onnx');
    // The checksum is gone with its tensor; the other weights have none.
    await writeModel(model, target);
    const again = await readModel(target);
    expect(await readdir(folder)).toEqual(['models', 'new.onnx', 'new.onnx.data']);
    expect(
      (await loaded(again.graph.initializers.get('w'))).equals(new Uint8Array(new Float32Array(1000).fill(2).buffer)),
    ).toBe(true);
    expect((await loaded(again.graph.initializers.get('v'))).equals(b)).toBe(true);
    const file = await readFile(target);
    expect(file.includes(Buffer.from(concat(field(1, 'offset'), field(2, '4096'))))).toBe(true);
    expect(file.includes('checksum')).toBe(false);
    await expectSame(file, again);
    await Promise.all([model.close(), again.close()]);
  });

  test('keeps a data file for a model whose weights all moved', async () => {
    await write();
    const model = await readModel(path);
    for (const name of model.graph.initializers.keys()) {
      model.graph.setInitializer(derived(name, 'float32', [1000], async () => new Float32Array(1000).fill(2)));
    }
    for (const node of model.graph.nodes) if (node.opType === 'Constant') model.graph.removeNode(node);
    const target = join(folder, 'new.onnx');
    await writeModel(model, target);
    expect((await readdir(folder)).sort()).toEqual(['models', 'new.onnx', 'new.onnx.data']);
    expect((await stat(target)).size).toBeLessThan(1000);
    await model.close();
  });

  test('computes checksums anew if the model had some', async () => {
    const { a, b } = await write();
    const model = await readModel(path);
    const target = join(folder, 'new.onnx');
    await writeModel(model, target, { data: 'external' });
    const file = await readFile(join(folder, 'new.onnx.data'));
    expect(file.length).toBe(4096 + 9000);
    expect(file.subarray(0, 4000).equals(a.subarray(100, 4100)) && file.subarray(4096).equals(b)).toBe(true);
    const text = (await readFile(target)).toString('latin1');
    expect(text.split(sha1(file)).length - 1).toBe(2);
    expect(text).not.toContain(sha1(a));
    // The Constant's elements cannot be external; they are in the model file now.
    const again = await readModel(target);
    expect((await loaded(again.graph.constant('c')?.tensor)).equals(a.subarray(8, 16))).toBe(true);
    expect(text).toContain('doc');
    await Promise.all([model.close(), again.close()]);
  });

  test('moves everything into the model file with `embed` and for a stream', async () => {
    const { a, b } = await write();
    const model = await readModel(path);
    await writeModel(model, join(folder, 'one.onnx'), { data: 'embed' });
    const sink = bytesSink();
    await writeModel(model, sink);
    const bytes = await readFile(join(folder, 'one.onnx'));
    expect(bytes.equals(sink.bytes())).toBe(true);
    expect((await readdir(folder)).sort()).toEqual(['models', 'one.onnx']);
    const again = await readModel(bytes);
    expect((await loaded(again.graph.initializers.get('w'))).equals(a.subarray(100, 4100))).toBe(true);
    expect((await loaded(again.graph.initializers.get('v'))).equals(b)).toBe(true);
    expect((await loaded(again.graph.constant('c')?.tensor)).equals(a.subarray(8, 16))).toBe(true);
    await expectSame(bytes, again);
    await model.close();
  });

  test('refuses to overwrite an existing data file, and writes nothing', async () => {
    await write();
    const model = await readModel(path);
    await writeFile(join(folder, 'new.onnx.data'), 'mine');
    await expect(writeModel(model, join(folder, 'new.onnx'), { data: 'external' })).rejects.toMatchObject({
      code: 'exists',
    });
    expect((await readdir(folder)).sort()).toEqual(['models', 'new.onnx.data']);
    await model.close();
  });
});
