import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bytesSink } from '../../../src/bytes/sink.ts';
import { bytesSource } from '../../../src/bytes/source.ts';
import { ioError, knownError } from '../../../src/errors.ts';
import { fileSink, removeTemporaries } from '../../../src/node/files/sink.ts';
import { fileSource } from '../../../src/node/files/source.ts';
import { streamSink } from '../../../src/node/files/standard.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sink-'));
  path = join(folder, 'out.onnx');
});
afterEach(() => rm(folder, { recursive: true }));

const MIB = 1 << 20;
const pieces = [1, 10, MIB - 5, MIB, 3, 2 * MIB + 1, 0, 7].map((length, index) => Buffer.alloc(length, index));

describe('a file', () => {
  test('appears complete, whatever the sizes of its pieces', async () => {
    const sink = await fileSink(path);
    for (const piece of pieces) await sink.write(piece);
    expect((await readdir(folder)).length).toBe(1);
    expect(await readdir(folder)).not.toContain('out.onnx');
    await sink.finish();
    expect(await readdir(folder)).toEqual(['out.onnx']);
    expect((await readFile(path)).equals(Buffer.concat(pieces))).toBe(true);
  });

  test('leaves nothing when aborted, even if it was finished and another one failed', async () => {
    const aborted = await fileSink(path);
    await aborted.write(pieces[0] as Buffer);
    await aborted.abort();
    expect(await readdir(folder)).toEqual([]);
    const finished = await fileSink(path);
    await finished.finish();
    await finished.abort();
    expect(await readdir(folder)).toEqual([]);
    await writeFile(path, 'old');
    const replaced = await fileSink(path, { overwrite: true });
    await replaced.finish();
    await replaced.abort();
    expect(await readdir(folder)).toEqual(['out.onnx']);
  });

  test('is not replaced if it appeared meanwhile', async () => {
    const sink = await fileSink(path);
    await writeFile(path, 'theirs');
    await expect(sink.finish()).rejects.toMatchObject({ code: 'exists' });
    expect(await readdir(folder)).toEqual(['out.onnx']);
    expect(await readFile(path, 'utf8')).toBe('theirs');
  });

  test('has a temporary name that fits, even for long names in any script', async () => {
    const long = join(folder, `${'模'.repeat(83)}.onnx`);
    const sink = await fileSink(long);
    await sink.finish();
    expect(await readdir(folder)).toEqual([`${'模'.repeat(83)}.onnx`]);
  });

  test('is removed when the process ends before it is finished', async () => {
    const sink = await fileSink(path);
    await sink.write(pieces[0] as Buffer);
    removeTemporaries();
    expect(await readdir(folder)).toEqual([]);
    await sink.abort();
  });

  test('can be a copy of an open file, whatever its name now leads to, with default permissions', async () => {
    const from = join(folder, 'from');
    const bytes = Buffer.concat(pieces);
    await writeFile(from, bytes, { mode: 0o640 });
    await writeFile(path, 'private', { mode: 0o600 });
    const source = await fileSource(from);
    await rm(from);
    const sink = await fileSink(path, { overwrite: true });
    expect(await sink.clone?.(source)).toBe(process.platform === 'linux');
    if (process.platform === 'linux') {
      await sink.finish();
      expect((await readFile(path)).equals(bytes)).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    await sink.abort();
    await source.close();
  });

  test('is not copied if its folder is gone', async () => {
    if (process.platform !== 'linux') return;
    const from = join(folder, 'from');
    const inner = join(folder, 'inner');
    await writeFile(from, 'bytes');
    await mkdir(inner);
    const source = await fileSource(from);
    const sink = await fileSink(join(inner, 'x'));
    await rm(inner, { recursive: true });
    await expect(sink.clone?.(source)).rejects.toThrow(`the folder ${inner} does not exist`);
    await sink.abort();
    await source.close();
  });

  test('is not copied from a file that became shorter, and has the original length of one that grew', async () => {
    if (process.platform !== 'linux') return;
    const from = join(folder, 'from');
    await writeFile(from, Buffer.alloc(100, 1));
    const source = await fileSource(from);
    await appendFile(from, 'more');
    const grown = await fileSink(path);
    expect(await grown.clone?.(source)).toBe(true);
    await grown.finish();
    expect((await readFile(path)).equals(Buffer.alloc(100, 1))).toBe(true);
    await truncate(from, 99);
    const sink = await fileSink(join(folder, 'short'));
    await expect(sink.clone?.(source)).rejects.toThrow(
      `${from}: became shorter while it was being read: it had 100 bytes`,
    );
    await sink.abort();
    await source.close();
    expect((await readdir(folder)).sort()).toEqual(['from', 'out.onnx']);
    const memory = await fileSink(join(folder, 'memory'));
    expect(await memory.clone?.(bytesSource(new Uint8Array(3)))).toBe(false);
    await memory.abort();
  });

  test('is refused where it cannot be created', async () => {
    await expect(fileSink(folder)).rejects.toThrow(`${folder}: is a folder, not a file`);
    await expect(fileSink(join(folder, 'no', 'x'))).rejects.toThrow(`the folder ${join(folder, 'no')} does not exist`);
    await symlink('circle', join(folder, 'circle'));
    await expect(fileSink(join(folder, 'circle'))).rejects.toThrow('too many symbolic links, or a cycle of them');
  });
});

describe('a stream', () => {
  test('receives every byte in pieces of at most a MiB', async () => {
    const got: Buffer[] = [];
    const sink = streamSink(
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          got.push(Buffer.from(chunk));
          done();
        },
      }),
    );
    for (const piece of pieces) await sink.write(piece);
    await sink.finish();
    expect(Buffer.concat(got).equals(Buffer.concat(pieces))).toBe(true);
    expect(Math.max(...got.map((one) => one.length))).toBe(MIB);
  });

  test('stays failed after an error, without an unhandled event', async () => {
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) });
    const sink = streamSink(stream, 'out');
    await expect(sink.write(Buffer.alloc(MIB))).rejects.toThrow('out: full');
    await expect(sink.write(Buffer.alloc(MIB))).rejects.toMatchObject({ code: 'io' });
    await sink.abort();
  });
});

test('a memory sink keeps copies', async () => {
  const sink = bytesSink();
  const piece = Uint8Array.of(1, 2);
  await sink.write(piece);
  piece[0] = 9;
  expect([...sink.bytes()]).toEqual([1, 2]);
  await sink.abort();
  expect(sink.bytes().length).toBe(0);
});

test('errors of the system become sentences', () => {
  const error = (code: string): Error => Object.assign(new Error(`${code}: raw`), { code });
  expect(ioError('x', error('ENOSPC')).message).toBe('x: no space left on the disk');
  expect(ioError('x', error('EODD')).message).toBe('x: EODD: raw');
  expect(ioError('x', 'text').message).toBe('x: text');
  const codes = [
    'EMFILE',
    'ELOOP',
    'EROFS',
    'ENOSPC',
    'EDQUOT',
    'EXDEV',
    'EISDIR',
    'ENOTDIR',
    'ENAMETOOLONG',
    'EEXIST',
  ];
  for (const code of codes) expect(ioError('x', error(code)).message).toMatch(/^x: [a-z /,-]+$/);
  expect(ioError('x', error('EMFILE')).hint).toMatch('ulimit -n');
  const raw = Object.assign(error('EROFS'), { errno: -30, syscall: 'open', path: 'y' });
  expect(knownError(raw)?.message).toBe('y: the file system is read-only');
  expect([knownError(new TypeError('of ours')), knownError(undefined)]).toEqual([undefined, undefined]);
  const known = ioError('x', error('EACCES'));
  expect(knownError(known)).toBe(known);
  expect(ioError('y', known)).toBe(known);
  expect(known.where).toBe('x');
});
