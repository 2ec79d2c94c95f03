import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ActivationRange } from '../../../src/activations/ranges.ts';
import { loadRanges, saveRanges } from '../../../src/node/runtime/rangesFile.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ranges-'));
  path = join(folder, 'r.json');
});
afterEach(() => rm(folder, { recursive: true }));

const range: ActivationRange = {
  min: -1.5,
  max: 0.1,
  observedMin: -2,
  observedMax: 2 ** -149,
  power: 0.30000000000000004,
  clipError: 1e-9,
  zeros: 0.5,
};
const meta = { observer: 'mse', samples: 12 };

test('what is saved is what is loaded, whatever the names, in the same order', async () => {
  const ranges = new Map(
    ['b', 'a/b:0', '__proto__', '', 'é "\n', '7', '2'].map((name, at) => [name, { ...range, power: at }]),
  );
  await saveRanges(path, ranges, meta);
  const loaded = await loadRanges(path);
  expect(new Map(loaded.ranges)).toEqual(ranges);
  expect([loaded.observer, loaded.samples]).toEqual(['mse', 12]);
  const text = await readFile(path, 'utf8');
  expect(text.endsWith('}\n')).toBe(true);
  expect(Object.keys(JSON.parse(text))).toEqual(['version', 'observer', 'samples', 'values']);
});

test('what products keep of their signal is kept', async () => {
  const products = new Map([
    ['y', { integers: -3.5, stored: 200 }],
    ['z', { stored: 41 }],
  ]);
  await saveRanges(path, new Map(), { ...meta, products });
  expect((await loadRanges(path)).products).toEqual(products);
  const wrong = { version: 1, observer: 'minmax', samples: 0, values: {}, products: { y: { integers: 'low' } } };
  await writeFile(path, JSON.stringify(wrong));
  await expect(loadRanges(path)).rejects.toThrow('integers is "low"; it must be a finite number');
});

test('means of channels are kept', async () => {
  const ranges = new Map([
    ['a', { ...range, channelMeans: [0.1, -3e-9], channelPowers: [1, 2], channelPeaks: [3, 0] }],
  ]);
  await saveRanges(path, ranges, meta);
  expect(new Map((await loadRanges(path)).ranges)).toEqual(ranges);
});

test('a zero has no sign, whatever somebody wrote', async () => {
  const zeros = { ...range, min: -0, zeros: -0, channelMeans: [-0, 1] };
  const text = JSON.stringify({ version: 1, observer: 'minmax', samples: 0, values: { a: zeros } });
  await writeFile(path, text.replaceAll(/:0([,}])/g, ':-0$1').replace('[0,1]', '[-0,1]'));
  const loaded = await loadRanges(path);
  expect(Object.is(loaded.samples, 0)).toBe(true);
  expect(new Map(loaded.ranges)).toEqual(new Map([['a', { ...range, min: 0, zeros: 0, channelMeans: [0, 1] }]]));
});

test('a file that is there stays, unless it may be replaced', async () => {
  await writeFile(path, 'mine');
  await expect(saveRanges(path, new Map(), meta)).rejects.toMatchObject({ code: 'exists' });
  expect([await readFile(path, 'utf8'), await readdir(folder)]).toEqual(['mine', ['r.json']]);
  await saveRanges(path, new Map([['a', range]]), meta, { overwrite: true });
  expect((await loadRanges(path)).ranges.get('a')).toEqual(range);
  expect(await readdir(folder)).toEqual(['r.json']);
});

const file = (changes: object = {}): string =>
  JSON.stringify({ version: 1, observer: 'mse', samples: 1, values: { 'a"b': range }, ...changes });
const one = (changes: object): string => file({ values: { 'a"b': { ...range, ...changes } } });

test.each([
  ['{', 'is not JSON'],
  ['', 'is not JSON'],
  ['[]', 'holds []; it must be an object'],
  ['null', 'holds null; it must be an object'],
  [file({ version: 2 }), 'version is 2; it must be 1'],
  ['{}', 'version is absent; it must be 1'],
  [file({ more: 1 }), 'has an unknown field "more"'],
  [file({ observer: 3 }), 'observer is 3; it must be a string'],
  [file({ samples: 1.5 }), 'samples is 1.5; it must be a non-negative integer'],
  [file({ samples: -1 }), 'samples is -1; it must be a non-negative integer'],
  [file({ values: [range] }), /^values is \[\{"min":-1.5.{40,60}…; it must be an object$/],
  [file({ values: undefined }), 'values is absent; it must be an object'],
])('%s is refused with the file', async (text, fact) => {
  await writeFile(path, text);
  const error = await loadRanges(path).catch((cause: Error) => cause);
  expect(error).toMatchObject({ code: 'data', where: path });
  const found = (error as Error).message.slice(`${path}: `.length);
  if (typeof fact === 'string') expect(found).toBe(fact);
  else expect(found).toMatch(fact);
});

test.each([
  [file({ values: { 'a"b': 1 } }), 'holds 1; it must be an object'],
  [one({ min: undefined }), 'min is absent; it must be a finite number'],
  [one({ max: '1' }), 'max is "1"; it must be a finite number'],
  [one({ power: 0 }).replace('"power":0', '"power":1e999'), 'power is null; it must be a finite number'],
  [one({ zeros: null }), 'zeros is null; it must be a finite number'],
  [one({ scale: 1 }), 'has an unknown field "scale"'],
  [one({ min: 0.5 }), 'min is 0.5; it must be at most 0'],
  [one({ max: -0.5 }), 'max is -0.5; it must be at least 0'],
  [one({ observedMin: 9 }), 'observedMin is above observedMax'],
  [one({ power: -1 }), 'power is -1; it must be at least 0'],
  [one({ clipError: -1 }), 'clipError is -1; it must be at least 0'],
  [one({ channelMeans: 1 }), 'channelMeans is 1; it must be a list of finite numbers'],
  [one({ channelMeans: [1, null] }), 'channelMeans is [1,null]; it must be a list of finite numbers'],
  [one({ channelPowers: 'x' }), 'channelPowers is "x"; it must be a list of finite numbers'],
  [one({ channelPowers: [1, -1] }), 'channelPowers is [1,-1]; none of them may be negative'],
  [one({ channelPeaks: [-1] }), 'channelPeaks is [-1]; none of them may be negative'],
  [one({ zeros: 1.01 }), 'zeros is 1.01; it must be from 0 to 1'],
  [one({ min: 0 }).replace('"min"', '"__proto__"'), 'has an unknown field "__proto__"'],
])('%s is refused with the value', async (text, fact) => {
  await writeFile(path, text);
  await expect(loadRanges(path)).rejects.toMatchObject({ code: 'data', message: `${path}, "a\\"b": ${fact}` });
});

test('a file that is not there, or too large, is not read', async () => {
  await expect(loadRanges(path)).rejects.toMatchObject({ code: 'io', message: `${path}: no such file or folder` });
  await writeFile(path, '');
  await truncate(path, 2 ** 26 + 1);
  await expect(loadRanges(path)).rejects.toMatchObject({
    code: 'limit',
    message: `${path}: has 67108865 bytes; a ranges file has at most 67108864`,
  });
});
