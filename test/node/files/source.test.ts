import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, open, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bytesSource } from '../../../src/bytes/source.ts';
import { modelFolder } from '../../../src/node/files/folder.ts';
import { fileSource } from '../../../src/node/files/source.ts';
import { spool } from '../../../src/node/files/spool.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'source-'));
  path = join(folder, 'file');
  await writeFile(
    path,
    Uint8Array.from({ length: 1000 }, (_, index) => index & 255),
  );
});
afterEach(() => rm(folder, { recursive: true }));

test('a file is read at any position, in parallel', async () => {
  const source = await fileSource(path);
  expect([source.label, source.byteLength]).toEqual([path, 1000]);
  const pieces = await Promise.all([source.read(10, 12), source.read(999, 1000), source.read(5, 5)]);
  expect(pieces.map((one) => [...one])).toEqual([[10, 11], [231], []]);
  await source.close();
  await source.close();
  await expect(source.read(0, 1)).rejects.toMatchObject({ code: 'io' });
});

test.each([
  [-1, 2],
  [3, 2],
  [0, 1001],
  [Number.NaN, 2],
])('refuses to read bytes %d to %d', async (start, end) => {
  const source = await fileSource(path, 'm.onnx');
  const message = `m.onnx: bytes ${start} to ${end} were requested; the file has 1000`;
  await expect(source.read(start, end)).rejects.toMatchObject({ code: 'malformed', message });
  await expect(bytesSource(new Uint8Array(1000), 'm.onnx').read(start, end)).rejects.toThrow(message);
  await source.close();
});

test('a file that shrinks while it is read is an io error', async () => {
  const source = await fileSource(path, 'm.onnx');
  await truncate(path, 10);
  await expect(source.read(0, 100)).rejects.toMatchObject({
    code: 'io',
    message: 'm.onnx: became shorter while it was being read: it had 1000 bytes',
  });
  await source.close();
});

test.each([
  ['left alone', async () => {}, undefined],
  ['written', () => writeFile(path, new Uint8Array(1000)), 'm.onnx: was changed while it was being read'],
  ['appended to', () => appendFile(path, 'more'), 'm.onnx: was changed while it was being read'],
  [
    'replaced',
    async () => {
      await writeFile(join(folder, 'new'), new Uint8Array(1000));
      await rename(join(folder, 'new'), path);
    },
    'm.onnx: was replaced by another file while it was being read',
  ],
  ['removed', () => rm(path), undefined],
])('a file that is %s', async (_, change, message) => {
  await utimes(path, 1000, 1000);
  const source = await fileSource(path, 'm.onnx');
  await source.unchanged?.();
  await change();
  const said = await source.unchanged?.().then(
    () => undefined,
    (cause: Error) => cause.message,
  );
  expect(said).toBe(message);
  await source.close();
});

test('anything but a file is refused at once', async () => {
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  const message = async (name: string): Promise<string> =>
    fileSource(join(folder, name), name).then(String, (e: Error) => e.message);
  expect(await message('fifo')).toBe('fifo: is not a regular file');
  expect(await message('.')).toBe('.: is a folder, not a file');
  expect(await message('none')).toBe('none: no such file or folder');
  expect(await message('file/x')).toBe('file/x: part of the path is not a folder');
});

test('a range beyond all memory is a limit error, not a crash', async () => {
  const file = await open(path, 'r+');
  await file.truncate(2 ** 43);
  await file.close();
  const source = await fileSource(path, 'm.onnx');
  await expect(source.read(0, 2 ** 43)).rejects.toMatchObject({ code: 'limit' });
  await source.close();
});

test('a data file is opened once, a missing one stays missing', async () => {
  const data = await modelFolder(join(folder, 'm.onnx'));
  const [a, b] = await Promise.all([data.open('file', 'w'), data.open('file', 'w')]);
  expect(a).toBe(b);
  for (let times = 0; times < 2; times++) {
    await expect(data.open('none', 'm.onnx, w')).rejects.toThrow(
      'm.onnx, w: external data "none": no such file or folder',
    );
  }
  await data.close();
  await expect(a.read(0, 1)).rejects.toMatchObject({ code: 'io' });
  await expect(modelFolder(join(folder, 'none', 'm.onnx'))).rejects.toMatchObject({ code: 'io' });
});

test.each([
  ['in memory', 3],
  ['in a temporary file', 40],
])('a pipe is spooled %s', async (_, chunks) => {
  const mib = (salt: number): Buffer => Buffer.alloc(1 << 20, salt);
  const source = await spool(Readable.from(Array.from({ length: chunks }, (_, index) => mib(index))));
  expect([source.label, source.byteLength]).toEqual(['<stdin>', chunks << 20]);
  const last = await source.read((chunks - 1) << 20, chunks << 20);
  expect(mib(chunks - 1).equals(last)).toBe(true);
  expect([...(await source.read((1 << 20) - 1, (1 << 20) + 1))]).toEqual([0, 1]);
  await source.close();
});

test('an empty or broken pipe gives an error', async () => {
  await expect(spool(Readable.from([]))).rejects.toMatchObject({
    code: 'malformed',
    message: '<stdin>: no data arrived; a model was expected',
    hint: 'Did the previous command in the pipe fail?',
  });
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(40 << 20);
    throw new Error('gone');
  };
  await expect(spool(broken())).rejects.toMatchObject({ code: 'io', message: '<stdin>: gone' });
});

test('an endless pipe is stopped', async () => {
  const chunk = Buffer.alloc(0);
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    // Claims to be 1 GiB without being it: the bound is tested without filling the disk.
    while (true) yield Object.defineProperty(Buffer.from(chunk), 'byteLength', { value: 2 ** 31 + 1 });
  };
  await expect(spool(endless())).rejects.toMatchObject({ code: 'limit' });
});
