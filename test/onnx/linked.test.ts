/**
 * External data and symbolic links: data must be in the folder of the model, or of the file that a link to it leads to.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { modelFolder } from '../../src/node/files/folder.ts';
import { fileSource } from '../../src/node/files/source.ts';
import { readModel, writeModel } from '../../src/node/model.ts';
import { openSession, pathToRun } from '../../src/node/runtime/session.ts';
import { transform } from '../../src/passes/pass.ts';
import { quantize } from '../../src/passes/quantize/index.ts';

const edge = new URL('../../fixtures/edge/', import.meta.url).pathname;
const DATA = 'external-data.onnx.data';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'linked-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Creates files with a model, its data or other content, and links; returns the path of the first. */
async function lay(files: Readonly<Record<string, string>>): Promise<string> {
  const path = (name: string): string => join(folder, name);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(path(name)), { recursive: true });
    if (content === 'model') await copyFile(`${edge}external-data.onnx`, path(name));
    else if (content === 'data') await copyFile(edge + DATA, path(name));
    else if (content === 'folder') await mkdir(path(name), { recursive: true });
    else await symlink(content.replace(/^-> /, '').replace('FOLDER', folder), path(name));
  }
  return path(Object.keys(files)[0] ?? '');
}

/** The layout of the cache of `huggingface_hub`. */
const CACHE = {
  'snapshots/X/onnx/model.onnx': '-> ../../../blobs/aaaa',
  [`snapshots/X/onnx/${DATA}`]: '-> ../../../blobs/bbbb',
  'blobs/aaaa': 'model',
  'blobs/bbbb': 'data',
};

/** Layouts: the files of a model and its data, and the path that ONNX Runtime gets. */
const found: [what: string, run: string, files: Record<string, string>][] = [
  ['the cache of Hugging Face', 'snapshots/X/onnx/model.onnx', CACHE],
  ['a link beside its file', 'm.onnx', { 'm.onnx': '-> other.onnx', 'other.onnx': 'model', [DATA]: 'data' }],
  ['data beside the link', 'a/m.onnx', { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`a/${DATA}`]: 'data' }],
  ['data beside the file alone', 'b/x', { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`b/${DATA}`]: 'data' }],
  [
    'data that is a link beside the file alone',
    'b/x',
    { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`b/${DATA}`]: '-> sub/y', 'b/sub/y': 'data' },
  ],
  [
    'links to links',
    'a/m.onnx',
    {
      ...{ 'a/m.onnx': '-> l1', 'a/l1': '-> ../l2', l2: '-> b/x', 'b/x': 'model' },
      ...{ [`a/${DATA}`]: '-> ../b/l3', 'b/l3': '-> sub/y', 'b/sub/y': 'data' },
    },
  ],
  [
    'a linked folder above it',
    'd/m.onnx',
    { d: '-> c', 'c/m.onnx': '-> ../b/x', 'b/x': 'model', [`c/${DATA}`]: '-> ../b/y', 'b/y': 'data' },
  ],
  [
    'an absolute link',
    'a/m.onnx',
    { 'a/m.onnx': '-> FOLDER/b/x', 'b/x': 'model', [`a/${DATA}`]: '-> FOLDER/b/y', 'b/y': 'data' },
  ],
];

test.each(found)('reads and runs %s', async (_, run, files) => {
  const first = await lay(files);
  const path = run.startsWith('d/') ? join(first, 'm.onnx') : first;
  const model = await readModel(path);
  const expected = await readModel(`${edge}external-data.onnx`);
  for (const [name, tensor] of expected.graph.initializers) {
    expect(await model.graph.initializers.get(name)?.load()).toEqual(await tensor.load());
  }
  await writeModel(model, join(folder, 'embedded.onnx'), { data: 'embed' });
  await model.close();
  await expected.close();
  expect(await pathToRun(path)).toBe(join(folder, run));
  const session = await openSession(path);
  await session.release();
});

const escapes: [what: string, files: Record<string, string>][] = [
  ['data elsewhere', { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`a/${DATA}`]: '-> ../secret', secret: 'data' }],
  ['data elsewhere, of no link', { 'a/m.onnx': 'model', [`a/${DATA}`]: '-> ../blobs/y', 'blobs/y': 'data' }],
  [
    'data elsewhere, beside the file',
    { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`b/${DATA}`]: '-> ../secret', secret: 'data' },
  ],
  [
    'data beside a link on the way',
    { 'a/m.onnx': '-> ../c/l', 'c/l': '-> ../b/x', 'b/x': 'model', [`a/${DATA}`]: '-> ../c/y', 'c/y': 'data' },
  ],
  [
    'data out through both folders',
    {
      ...{ 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`a/${DATA}`]: '-> ../b/l', 'b/l': '-> ../secret' },
      secret: 'data',
    },
  ],
  [
    'data in a folder whose name begins alike',
    { 'a/m.onnx': '-> ../b/x', 'b/x': 'model', [`a/${DATA}`]: '-> ../bb/y', 'bb/y': 'data' },
  ],
];

test.each(escapes)('refuses %s, like ONNX Runtime', async (_, files) => {
  const path = await lay(files);
  const error = await readModel(path).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ code: 'malformed', hint: expect.stringContaining('cp -L FOLDER/model.onnx* .') });
  expect(String(error)).toContain(`external data "${DATA}" would leave the model's folder (a symbolic link)`);
  await expect(openSession(path)).rejects.toMatchObject({ code: 'runtime' });
});

test('refuses links in cycles, dangling links and links to folders with a sentence', async () => {
  const base = { 'a/m.onnx': '-> ../b/x', 'b/x': 'model' };
  for (const [link, message] of [
    [DATA, 'too many symbolic links, or a cycle of them'],
    ['nowhere', 'no such file or folder'],
    ['../b', "is the model's folder itself"],
    ['sub', 'is a folder, not a file'],
  ] as const) {
    const path = await lay({ ...base, [`a/${DATA}`]: `-> ${link}`, 'a/sub/.': 'folder' });
    await expect(readModel(path)).rejects.toThrow(message);
    await rm(join(folder, 'a'), { recursive: true });
    await rm(join(folder, 'b'), { recursive: true });
  }
});

test('writes a changed model beside the link with its own data, and keeps the targets of links', async () => {
  const path = await lay(CACHE);
  const model = await readModel(path);
  await transform(model, quantize());
  const output = join(dirname(path), 'small.onnx');
  expect((await writeModel(model, output)).dataFiles).toEqual([`${output}.data`]);
  await model.close();
  const again = await readModel(path);
  // The copy is not a link, and could not follow the link of the data.
  const copy = join(dirname(path), 'copy.onnx');
  await expect(writeModel(again, copy)).rejects.toMatchObject({
    code: 'exists',
    where: join(dirname(path), DATA),
    hint: expect.stringContaining('`data: embed`'),
  });
  expect(await readdir(dirname(path))).toEqual([DATA, 'model.onnx', 'small.onnx', 'small.onnx.data']);
  expect((await writeModel(again, join(folder, 'copy.onnx'))).dataFiles).toEqual([join(folder, DATA)]);
  await again.close();
  expect(await readFile(join(folder, DATA))).toEqual(await readFile(edge + DATA));
  expect(await readFile(join(folder, 'blobs/bbbb'))).toEqual(await readFile(edge + DATA));
});

describe('someone who changes links during a run', () => {
  test('cannot exploit the link to the model', async () => {
    const path = await lay({ 'a/m.onnx': 'model', 'home/x': 'model', 'home/secret': 'data' });
    const source = await fileSource(path);
    await unlink(path);
    await symlink('../home/x', path);
    await symlink('../home/secret', join(folder, 'a/link'));
    const data = await modelFolder(path, source);
    await expect(data.open('secret', 'w')).rejects.toThrow('no such file or folder');
    await expect(data.open('link', 'w')).rejects.toThrow("would leave the model's folder");
    await source.close();
  });

  test('cannot exploit a link in place of a data folder', async () => {
    const path = await lay({ 'a/m.onnx': 'model', 'a/real/w': 'data', 'home/w': 'data' });
    await writeFile(join(folder, 'home/w'), 'secret');
    await symlink('../home', join(folder, 'a/link'));
    await rename(join(folder, 'a/real'), join(folder, 'a/sub'));
    const swap = `
      const { renameSync: move } = require('node:fs');
      for (;;) {
        move('sub', 'real'); move('link', 'sub');
        move('sub', 'link'); move('real', 'sub');
      }`;
    const other = spawn(process.execPath, ['-e', swap], { cwd: join(folder, 'a'), stdio: 'ignore' });
    const sizes = new Set<number>();
    for (let tries = 0; tries < 3000; tries++) {
      const data = await modelFolder(path);
      sizes.add(
        await data.open('sub/w', 'w').then(
          (source) => source.byteLength,
          () => -1,
        ),
      );
      await data.close();
    }
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(sizes).not.toContain('secret'.length);
  });
});
