import { fork } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { commit, type Pending } from '../../../src/node/files/commit.ts';
import { locked, lockPath } from '../../../src/node/files/lock.ts';
import { newTag } from '../../../src/node/files/owner.ts';
import { fileSink, finishTogether } from '../../../src/node/files/sink.ts';
import { deadTag } from '../../support/owners.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'commit-'));
});
afterEach(() => rm(folder, { recursive: true }));

const text = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** A complete file before it gets its final name. */
function pending(name: string, content: string, overwrite = false): Pending {
  const temporary = join(folder, `.${name.replace('/', '_')}.${newTag()}.tmp`);
  writeFileSync(temporary, content);
  return { path: join(folder, name), temporary, overwrite };
}

test('renames one file, and replaces a file only if allowed', () => {
  commit([pending('a', 'new')]);
  expect(readdirSync(folder)).toEqual(['a']);
  const second = pending('a', 'newer');
  expect(() => commit([second])).toThrow('the file already exists');
  expect(text('a')).toBe('new');
  commit([{ ...second, overwrite: true }]);
  expect([readdirSync(folder), text('a')]).toEqual([['a'], 'newer']);
});

test('replaces a pair of files, and leaves no hidden files or lock', () => {
  writeFileSync(join(folder, 'm'), 'old model');
  writeFileSync(join(folder, 'm.data'), 'old data');
  commit([pending('m.data', 'new data', true), pending('m', 'new model', true)]);
  expect([readdirSync(folder).sort(), text('m'), text('m.data')]).toEqual([['m', 'm.data'], 'new model', 'new data']);
});

test('keeps the old pair if either file fails', () => {
  for (const broken of ['m', 'm.data']) {
    const files = [pending('m.data', 'new data', true), pending('m', 'new model', true)];
    writeFileSync(join(folder, 'm'), 'old model');
    writeFileSync(join(folder, 'm.data'), 'old data');
    const lost = files.map((one) => (one.path.endsWith(broken) ? { ...one, temporary: join(folder, 'gone') } : one));
    expect(() => commit(lost)).toThrow('no such file or folder');
    expect([text('m'), text('m.data')]).toEqual(['old model', 'old data']);
    for (const { temporary } of files) expect(statSync(temporary).isFile()).toBe(true);
  }
  expect(readdirSync(folder).filter((name) => /old|lock/.test(name))).toEqual([]);
});

test('without permission to replace, a pair appears whole or not at all', () => {
  writeFileSync(join(folder, 'm'), 'theirs');
  expect(() => commit([pending('m.data', 'data'), pending('m', 'model')])).toThrow('m: the file already exists');
  expect([text('m'), readdirSync(folder).includes('m.data')]).toEqual(['theirs', false]);
});

test('restores data in a subfolder too', () => {
  mkdirSync(join(folder, 'sub'));
  writeFileSync(join(folder, 'sub/w'), 'old data');
  writeFileSync(join(folder, 'm'), 'old model');
  const files = [pending('sub/w', 'new data', true), { ...pending('m', '', true), temporary: join(folder, 'gone') }];
  expect(() => commit(files)).toThrow('no such file');
  expect([text('m'), text('sub/w')]).toEqual(['old model', 'old data']);
});

test('replaces a dangling link, but not a folder', () => {
  symlinkSync('nowhere', join(folder, 'a'));
  commit([pending('a', 'new')]);
  expect(statSync(join(folder, 'a')).size).toBe(3);
  mkdirSync(join(folder, 'b'));
  expect(() => commit([pending('b', 'new', true)])).toThrow('is a folder, not a file');
});

test('names the file that the system refuses, whichever of the two it is', () => {
  const long = 'n'.repeat(251);
  const pair = (): Pending[] => [
    { ...pending('d', 'data'), path: join(folder, `${long}.data`) },
    { ...pending('m', 'model'), path: join(folder, long) },
  ];
  expect(() => commit(pair())).toThrow(
    expect.objectContaining({ code: 'io', message: `${join(folder, long)}.data: the file name is too long` }),
  );
  writeFileSync(join(folder, 'file'), '');
  const below = { ...pending('x', 'model'), path: join(folder, 'file/m') };
  expect(() => commit([below])).toThrow(`${below.path}: part of the path is not a folder`);
  expect(readdirSync(folder).filter((name) => !name.startsWith('.'))).toEqual(['file']);
});

test('holds a lock during the work, takes it over from a dead process, and frees it if the work fails', () => {
  const path = join(folder, 'm');
  symlinkSync(deadTag(), lockPath(path));
  locked(path, () => expect(readlinkSync(lockPath(path))).toMatch(`-${process.pid}-`));
  expect(() =>
    locked(path, () => {
      throw new Error('broken');
    }),
  ).toThrow('broken');
  expect(readdirSync(folder)).toEqual([]);
});

test('all sinks finish, or none does', async () => {
  writeFileSync(join(folder, 'm'), 'old model');
  writeFileSync(join(folder, 'm.data'), 'old data');
  const open = (name: string) => fileSink(join(folder, name), { overwrite: true });
  const sinks = [await open('m.data'), await open('m')];
  for (const sink of sinks) await sink.write(Buffer.from('new'));
  linkSync(join(folder, 'm'), join(folder, 'kept'));
  await rm(join(folder, readdirSync(folder).find((name) => name.startsWith('.m.') && !name.includes('.data.')) ?? ''));
  await expect(finishTogether(sinks)).rejects.toMatchObject({ code: 'io' });
  for (const sink of sinks) await sink.abort();
  expect(readdirSync(folder).sort()).toEqual(['kept', 'm', 'm.data']);
  expect([text('m'), text('m.data')]).toEqual(['old model', 'old data']);
  expect(statSync(join(folder, 'm')).ino).toBe(statSync(join(folder, 'kept')).ino);
});

test('six processes that keep writing the same pair never leave files that do not match', async () => {
  const script = join(folder, 'w.mjs');
  const commitUrl = new URL('../../../dist/node/files/commit.js', import.meta.url).href;
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs';
     const { commit } = await import(${JSON.stringify(commitUrl)});
     const own = process.argv[2];
     for (let round = 0; round < 40; round++) {
       const one = (name) => {
         const temporary = '.' + name + '.' + own + '.' + round;
         writeFileSync(temporary, own + ' ' + round);
         return { path: name, temporary, overwrite: true };
       };
       commit([one('m.data'), one('m')]);
     }`,
  );
  const cwd = join(folder, 'out');
  mkdirSync(cwd);
  const ended = Array.from({ length: 6 }, (_, index) => {
    const child = fork(script, [String(index)], { cwd, execArgv: [] });
    return new Promise<number | null>((resolve) => child.on('exit', resolve));
  });
  expect(await Promise.all(ended)).toEqual([0, 0, 0, 0, 0, 0]);
  expect(readdirSync(cwd).sort()).toEqual(['m', 'm.data']);
  expect(readFileSync(join(cwd, 'm'), 'utf8')).toBe(readFileSync(join(cwd, 'm.data'), 'utf8'));
}, 60_000);
