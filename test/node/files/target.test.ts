/** The target of an output path: links are followed, and anything but a file is never replaced. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isSameTarget, isTerminal, refuseUnwritable, targetOf } from '../../../src/node/files/target.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'target-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A link in the folder. */
function link(name: string, to: string): string {
  symlinkSync(to, join(folder, name));
  return join(folder, name);
}

test('a file has its own path, whether it exists or not', () => {
  writeFileSync(join(folder, 'there'), '');
  for (const path of [join(folder, 'there'), join(folder, 'new'), join(folder, 'no/folder'), 'relative.onnx', folder]) {
    expect(targetOf(path)).toEqual({ kind: 'file', path });
  }
});

test('follows links: one, several, into other folders, dangling', () => {
  mkdirSync(join(folder, 'other'));
  const real = { kind: 'file', path: join(folder, 'other/real') };
  link('one', 'other/real');
  expect(targetOf(join(folder, 'one'))).toEqual(real);
  expect(targetOf(link('two', 'one'))).toEqual(real);
  expect(targetOf(link('absolute', join(folder, 'two')))).toEqual(real);
  writeFileSync(join(folder, 'other/real'), '');
  expect(targetOf(join(folder, 'absolute'))).toEqual(real);
  // ".." in a linked folder is the parent of its target.
  link('linked', 'other');
  symlinkSync('../beside', join(folder, 'other/up'));
  expect(targetOf(join(folder, 'linked/up'))).toEqual({ kind: 'file', path: join(folder, 'beside') });
});

test('is part of a cycle of links are refused', () => {
  link('a', 'b');
  expect(() => targetOf(link('b', 'a'))).toThrow('b: too many symbolic links, or a cycle of them');
});

test('recognizes descriptors of this process by any path', () => {
  for (const path of ['/proc/self/fd/1', `/proc/${process.pid}/fd/1`, '/dev/fd/1', '/dev/stdout']) {
    expect(targetOf(path)).toEqual({ kind: 'descriptor', fd: 1 });
  }
  expect(targetOf(link('out', '/proc/self/fd/1'))).toEqual({ kind: 'descriptor', fd: 1 });
  expect(targetOf(link('again', 'out'))).toEqual({ kind: 'descriptor', fd: 1 });
  expect(targetOf('/dev/stderr')).toEqual({ kind: 'descriptor', fd: 2 });
  expect(() => refuseUnwritable({ kind: 'descriptor', fd: 9999 }, '/dev/fd/9999')).toThrow(
    '/dev/fd/9999: is not open for this operation',
  );
});

test('devices and pipes are streams', () => {
  expect(targetOf('/dev/null')).toEqual({ kind: 'stream', path: '/dev/null' });
  expect(targetOf(link('null', '/dev/null'))).toEqual({ kind: 'stream', path: '/dev/null' });
  const fifo = join(folder, 'fifo');
  spawnSync('mkfifo', [fifo]);
  expect(targetOf(fifo)).toEqual({ kind: 'stream', path: fifo });
  expect(isTerminal(targetOf('/dev/null'))).toBe(false);
  expect(isTerminal(targetOf(fifo))).toBe(false);
});

test('recognizes the same file by path, by link, and before it exists', () => {
  const [a, b] = [join(folder, 'a'), link('b', 'a')].map(targetOf) as [
    ReturnType<typeof targetOf>,
    ReturnType<typeof targetOf>,
  ];
  expect(isSameTarget(a, b)).toBe(true);
  writeFileSync(join(folder, 'a'), '');
  expect(isSameTarget(a, b)).toBe(true);
  expect(isSameTarget(a, targetOf(join(folder, 'c')))).toBe(false);
  expect(isSameTarget(targetOf('/dev/stdout'), targetOf('/proc/self/fd/1'))).toBe(true);
  expect(isSameTarget(targetOf('/dev/stdout'), targetOf('/dev/stderr'))).toBe(false);
  // /dev/null may be used twice.
  expect(isSameTarget(targetOf('/dev/null'), targetOf('/dev/null'))).toBe(false);
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;
asRoot('a link that somebody else put into a shared folder is not followed', () => {
  const planted = link('small.onnx', 'victim');
  lchownSync(planted, 65_534, 65_534);
  expect(targetOf(planted)).toEqual({ kind: 'file', path: join(folder, 'victim') });
  chmodSync(folder, 0o1777);
  expect(() => targetOf(planted)).toThrow('is a link that another user created in a world-writable folder');
  lchownSync(planted, 0, 0);
  expect(targetOf(planted)).toEqual({ kind: 'file', path: join(folder, 'victim') });
});
