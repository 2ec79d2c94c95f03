import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { hiddenName, nameOf, parseHidden, stemOf } from '../../../src/node/files/hidden.ts';
import { clearLeftovers, clearTemporaryFolder, takeLeftoverNotes } from '../../../src/node/files/leftovers.ts';
import { lockPath } from '../../../src/node/files/lock.ts';
import { isDead, newTag } from '../../../src/node/files/owner.ts';
import { fileSink } from '../../../src/node/files/sink.ts';
import { deadTag, tagOf } from '../../support/owners.ts';

const linux = process.platform === 'linux' ? test : test.skip;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'left-'));
  path = join(folder, 'm.onnx');
  takeLeftoverNotes();
});
afterEach(() => rm(folder, { recursive: true }));

/** Writes a hidden file for an output; returns its path. */
function hidden(name: string, tag: string, kind: 'tmp' | 'old' = 'tmp', text = 'part'): string {
  const made = join(folder, hiddenName(name, tag, kind));
  writeFileSync(made, text);
  return made;
}

describe('the process that made a file', () => {
  test('is alive or dead, and a reused process id with another start time is another process', () => {
    expect(isDead(newTag(), Date.now())).toBe(false);
    expect(isDead(deadTag(), Date.now())).toBe(true);
  });

  linux('a number that was given away again', () => {
    expect(isDead(tagOf({ start: '1' }), Date.now())).toBe(true);
    expect(isDead(tagOf({ pid: process.ppid, start: '1' }), Date.now())).toBe(true);
  });

  test.each([
    ['another host', tagOf({ host: '00000000', pid: 1 })],
    ['nobody', 'm.onnx'],
    ['half a tag', newTag().slice(0, -1)],
  ])('is never considered dead with %s', (_, tag) => expect(isDead(tag, 0)).toBe(false));

  linux('before the last boot everybody has ended, unless the file is newer than the boot', () => {
    const tag = tagOf({ boot: '00000001' });
    expect(isDead(tag, 0)).toBe(true);
    expect(isDead(tag, Date.now())).toBe(false);
  });
});

describe('hidden names', () => {
  const tag = newTag();
  test.each(['m.onnx', 'a.b.tmp', '模型.onnx', 'sub/w%2F.bin', 'x y\n.onnx'])('restore %j', (name) => {
    const parsed = parseHidden(hiddenName(name, tag, 'old'));
    expect(parsed).toEqual({ stem: stemOf(name), tag, kind: 'old' });
    expect(nameOf(parsed?.stem ?? '')).toBe(name);
  });

  test.each(['模', '😀', 'x'])('fit for 250 bytes of %s, and differ for similar names', (letter) => {
    const long = letter.repeat(Math.floor(245 / Buffer.byteLength(letter)));
    const names = [`${long}.onnx`, `${long}.data`].map((name) => hiddenName(name, tag, 'tmp'));
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
    expect(new Set(names).size).toBe(2);
    expect(names.map((name) => Buffer.from(name).toString())).toEqual(names);
    expect(nameOf(stemOf(`${long}.onnx`))).toBeUndefined();
  });

  test.each(['.m.onnx.tmp', 'm.onnx', `m.onnx.${tag}.tmp`, `.m.onnx.${tag}.bak`, `.${tag}.tmp`])(
    '%s is not ours',
    (name) => {
      expect(parseHidden(name)).toBeUndefined();
    },
  );
});

describe('after a run that was killed', () => {
  test('its temporary files for model and data are removed, and a note says so', async () => {
    const [one, two] = [hidden('m.onnx', deadTag()), hidden('m.onnx.data', deadTag())];
    await clearLeftovers(path);
    expect(readdirSync(folder)).toEqual([]);
    expect(takeLeftoverNotes()).toEqual([one, two].map((name) => `removed ${name}, left by a killed run`));
    expect(takeLeftoverNotes()).toEqual([]);
  });

  test('a sink cleans up before it opens', async () => {
    hidden('m.onnx', deadTag());
    const sink = await fileSink(path);
    await sink.finish();
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });

  test('files of live processes, other hosts, other outputs, other people and other kinds stay', async () => {
    const dead = deadTag();
    const kept = [
      hidden('m.onnx', newTag()),
      hidden('m.onnx', newTag(), 'old'),
      hidden('m.onnx', tagOf({ host: '00000000' })),
      hidden('n.onnx', dead),
      hidden('m.onnx.more', dead),
      join(folder, '.m.onnx.tmp'),
      join(folder, `.m.onnx.${dead}.tmp~`),
    ];
    for (const name of kept.slice(5)) writeFileSync(name, '');
    writeFileSync(join(folder, 'victim'), 'theirs');
    symlinkSync('victim', join(folder, hiddenName('m.onnx', deadTag(), 'tmp')));
    mkdirSync(join(folder, hiddenName('m.onnx', deadTag(), 'tmp')));
    const listing = readdirSync(folder);
    await clearLeftovers(path);
    expect(readdirSync(folder)).toEqual(listing);
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('theirs');
    expect(takeLeftoverNotes()).toEqual([]);
  });

  test('the old pair is restored if the new model was not completed', async () => {
    const tag = deadTag();
    hidden('m.onnx', tag, 'old', 'old model');
    hidden('m.onnx.data', tag, 'old', 'old data');
    hidden('sub/w.bin', tag, 'old', 'old part');
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'm.onnx.data'), 'new data');
    await clearLeftovers(path);
    expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'm.onnx.data', 'sub']);
    expect(readFileSync(path, 'utf8')).toBe('old model');
    expect(readFileSync(`${path}.data`, 'utf8')).toBe('old data');
    expect(readFileSync(join(folder, 'sub/w.bin'), 'utf8')).toBe('old part');
    expect(takeLeftoverNotes()).toEqual([`restored ${path}, which a killed run was replacing`]);
  });

  test('the old files are removed if the new model was completed', async () => {
    const tag = deadTag();
    hidden('m.onnx', tag, 'old', 'old model');
    hidden('m.onnx.data', tag, 'old', 'old data');
    writeFileSync(path, 'new model');
    writeFileSync(`${path}.data`, 'new data');
    await clearLeftovers(path);
    expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'm.onnx.data']);
    expect(readFileSync(path, 'utf8')).toBe('new model');
  });

  test('renamed data is removed if its model was not renamed, and kept if it was', async () => {
    const tag = deadTag();
    const half = hidden('m.onnx.data', tag);
    linkSync(half, `${path}.data`);
    hidden('m.onnx', tag);
    await clearLeftovers(path);
    expect(readdirSync(folder)).toEqual([]);
    linkSync(hidden('m.onnx.data', tag), `${path}.data`);
    writeFileSync(path, 'model');
    await clearLeftovers(path);
    expect(readdirSync(folder).sort()).toEqual(['m.onnx', 'm.onnx.data']);
  });

  test('its lock is removed too; that of a live run stays', async () => {
    symlinkSync(deadTag(), lockPath(path));
    await clearLeftovers(path);
    expect(readdirSync(folder)).toEqual([]);
    symlinkSync(newTag(), lockPath(path));
    await clearLeftovers(path);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  test("its folders and files in the system's temporary folder are removed", async () => {
    const [dead, live] = [deadTag(), newTag()].map((tag) => join(tmpdir(), `onnx-compress-${tag}-x`)) as [
      string,
      string,
    ];
    const spooled = join(tmpdir(), `onnx-compress-${deadTag()}`);
    const others = join(tmpdir(), 'onnx-compress-notes');
    for (const one of [dead, live, others]) mkdirSync(one, { recursive: true });
    writeFileSync(join(dead, 'model.onnx'), '');
    writeFileSync(spooled, '');
    utimesSync(live, 0, 0);
    await clearTemporaryFolder();
    expect([dead, spooled, live, others].map(existsSync)).toEqual([false, false, true, true]);
    await Promise.all([live, others].map((one) => rm(one, { recursive: true })));
  });
});
