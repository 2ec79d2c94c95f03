/** A config file beside a model or named on the command line: which values apply, what is printed, what is refused. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { givenOptions } from '../../src/cli/config/given.ts';
import { openConfig } from '../../src/cli/config/open.ts';
import { CONFIG_NAME, type ConfigVerb } from '../../src/options/config.ts';
import type { Table } from '../../src/options/option.ts';
import { TABLES } from '../../src/options/tables.ts';
import { compressEach, copyOf, fixture, folder, oneLine } from '../support/cli.ts';

/** Writes a config file into a folder; returns its path. */
function configIn(content: object | string, cwd = folder()): string {
  const path = join(cwd, CONFIG_NAME);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

/** The values of a verb, and what is printed about them. */
async function valuesOf(
  verb: ConfigVerb,
  said: Readonly<Record<string, unknown>>,
  path: string,
): Promise<{ values: object; lines: string }> {
  let lines = '';
  const stderr = { write: (text: string) => (lines += text) } as unknown as NodeJS.WriteStream;
  const all = givenOptions(verb, TABLES[verb] as Table<object>, said, { stderr });
  const values = await all.valuesFor(join(path, '../model.onnx'));
  return { values, lines: lines.replaceAll(path, 'FILE') };
}

describe('the command line takes precedence', () => {
  const path = configIn({
    $schema: 'config.schema.json',
    quantize: { preset: 'smallest', exclude: ['lm head', 'fc'], perTensor: false },
    prune: { structured: 'l1', amount: 0.25, exclude: 'fc' },
    tune: { maxDrop: '2%', data: 'val.npz' },
  });
  const place = path.slice(0, -CONFIG_NAME.length);

  test.each<[ConfigVerb, Record<string, unknown>, object, string]>([
    [
      'quantize',
      {},
      { preset: 'smallest', exclude: ['lm head', 'fc'], int4: true, tableBits: 4 },
      "config FILE: --preset smallest --exclude 'lm head' --exclude fc\npreset smallest: --int4 --table-bits 4\n",
    ],
    [
      'quantize',
      { preset: 'exact', exclude: ['a'] },
      { preset: 'exact', exclude: ['a'], float16: true },
      'FILE: overridden',
    ],
    ['quantize', { uint8: true, quiet: true }, { preset: 'smallest', uint8: true, exclude: ['lm head', 'fc'] }, ''],
    ['prune', {}, { structured: 'l1', amount: 0.25, exclude: ['fc'] }, '--structured l1 --amount 0.25 --exclude fc\n'],
    ['prune', { amount: '10%' }, { structured: 'l1', amount: 0.1, exclude: ['fc'] }, '--structured l1 --exclude fc\n'],
    ['prune', { nm: '2:4' }, { nm: '2:4', exclude: ['fc'] }, 'config FILE: --exclude fc\n'],
    ['prune', { noConfig: true, l1: '0.4' }, { noConfig: true, l1: 0.4 }, ''],
    ['tune', {}, { maxDrop: 0.02, data: join(place, 'val.npz') }, 'config FILE: --max-drop 2% --data '],
    ['fold', {}, {}, ''],
  ])('%s %j', async (verb, said, values, lines) => {
    const found = await valuesOf(verb, said, path);
    expect(found.values).toEqual({ ...values, ...('quiet' in said ? { quiet: true } : {}) });
    expect(found.lines).toContain(lines);
    if (lines === '') expect(found.lines).toBe('');
  });

  test('a model on standard input uses only a config file that is named', async () => {
    const stderr = { write: () => true } as unknown as NodeJS.WriteStream;
    const plain = givenOptions('prune', TABLES.prune as Table<object>, { l1: '0.4' }, { stderr });
    expect(await plain.valuesFor(undefined)).toEqual({ l1: 0.4 });
    const named = givenOptions('prune', TABLES.prune as Table<object>, { config: path }, { stderr });
    expect(await named.valuesFor(undefined)).toMatchObject({ structured: 'l1', amount: 0.25 });
  });
});

describe('an invalid config file is refused with file and key', () => {
  test.each<[object | string, RegExp]>([
    ['[', /FILE: is not JSON/],
    [[], /FILE: is a list; an object is needed/],
    [`{"quantize":{"exclude":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`, /'exclude' is a list; true, false, a/],
    [' '.repeat(1_100_000), /FILE: is longer than 1048576 bytes, the limit for a config file/],
    [{ quantise: {} }, /FILE: 'quantise' is not a verb that .* Did you mean 'quantize'\?/],
    [{ verify: {} }, /FILE: 'verify' is not a verb that takes options from a config file/],
    [{ $schema: 1 }, /FILE: '\$schema' is 1; an address is needed/],
    [{ onnxCompress: 1, steps: [] }, /FILE: is a recipe, not a config file/],
    [{ prune: { weightOnly: true } }, /FILE, 'prune': 'weightOnly' is not an option of prune/],
    [{ quantize: { weightOnly: true } }, /'weightOnly' is not an option of quantize\. Did you mean 'weightsOnly'\?/],
    [{ quantize: { 'weights-only': true } }, /Did you mean 'weightsOnly'\?/],
    [{ quantize: { output: 'x' } }, /FILE, 'quantize': 'output': it is given on the command line alone/],
    [{ quantize: { force: true } }, /'force': it is given on the command line alone/],
    [{ quantize: { saveRanges: 'x' } }, /'saveRanges': it is given on the command line alone/],
    [{ quantize: { preset: 'small' } }, /FILE, 'quantize': preset: 'small' is not one of .* Did you mean 'smallest'\?/],
    [{ quantize: { int8: true, uint8: true } }, /FILE, 'quantize': `int8` and `uint8` cannot be used together/],
    [{ quantize: { calibrate: '../calib.npz' } }, /'calibrate' names a file outside its folder: '\.\.\/calib\.npz'/],
    [{ quantize: { calibrate: 'a/../../b.npz' } }, /'calibrate' names a file outside its folder/],
    [{ quantize: { ranges: '/etc/passwd' } }, /'ranges' names a file outside its folder/],
  ])('%.80j', async (content, message) => {
    const path = configIn(content);
    const error = await openConfig('quantize', path, false).catch((cause: Error) => cause);
    expect((error as Error).message.replaceAll(path, 'FILE')).toMatch(message);
  });

  test('a link out of the folder is refused, a file in the folder is not', async () => {
    const path = configIn({ quantize: { calibrate: 'c.npz' } });
    await expect(openConfig('quantize', path, false)).resolves.toEqual(
      new Map([['calibrate', join(path, '../c.npz')]]),
    );
    symlinkSync(fixture('mymodel.onnx'), join(path, '../c.npz'));
    await expect(openConfig('quantize', path, false)).rejects.toThrow("'calibrate' names a file outside its folder");
  });

  test('a config file that is named may refer to other folders; a keyword is not a path', async () => {
    const path = configIn({ quantize: { calibrate: '../c.npz' }, prune: { mask: '/m.npz', calibrate: 'random' } });
    expect([...((await openConfig('quantize', path, true)) ?? [])]).toEqual([['calibrate', join(path, '../../c.npz')]]);
    expect([...((await openConfig('prune', path, true)) ?? [])]).toEqual([
      ['mask', '/m.npz'],
      ['calibrate', 'random'],
    ]);
  });
});

test('each of several models uses the file beside it; recipes include its values, and it is not copied', () => {
  const cwd = folder();
  for (const [name, verbs] of [
    ['a', { prune: { l1: 0.25 } }],
    ['b', { prune: { l1: 0.5 } }],
  ] as const) {
    mkdirSync(join(cwd, name));
    copyOf('digits-mlp.onnx', join(cwd, name));
    configIn(verbs, join(cwd, name));
  }
  const [both, copied, recipe, one, wrong, preset] = compressEach(
    [
      ['prune', '-r', 'a', 'b', '-n', '--json'],
      ['prune', 'a', '-o', 'c'],
      ['prune', '-r', 'a', 'b', '-o', 'd', '--save-recipe', 'r.json'],
      ['prune', 'a/digits-mlp.onnx', '-o', 'e.onnx', '--save-recipe', 'r.json'],
      ['prune', 'a/digits-mlp.onnx', '-n', '--config', '-'],
      ['quantize', '--preset', 'smallest', 'a/digits-mlp.onnx', '-o', 'f.onnx', '--save-recipe', 'p.json'],
    ],
    { cwd },
  );
  const { models } = JSON.parse(both?.stdout.toString() ?? '');
  const zeros = models.map((each: { report: { passes: [{ changes: { zeros: number; elements: number }[] }] } }) =>
    each.report.passes[0].changes.reduce((sum, { zeros, elements }) => sum + zeros / elements / 3, 0),
  );
  expect(zeros).toEqual([expect.closeTo(0.25, 2), expect.closeTo(0.5, 2)]);
  expect(both?.stderr).toContain(`config a/${CONFIG_NAME}: --l1 0.25\nconfig b/${CONFIG_NAME}: --l1 0.5\n`);
  expect([copied?.code, readdirSync(join(cwd, 'c'))]).toEqual([0, ['digits-mlp.onnx']]);
  expect(recipe?.code).toBe(2);
  expect(oneLine(recipe?.stderr ?? '')).toContain(`one recipe cannot hold what a/${CONFIG_NAME} says of its models`);
  expect(one?.code).toBe(0);
  expect(JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8')).steps).toEqual([{ verb: 'prune', l1: 0.25 }]);
  expect([preset?.code, JSON.parse(readFileSync(join(cwd, 'p.json'), 'utf8')).steps]).toEqual([
    0,
    [{ verb: 'quantize', int4: true, tableBits: 4 }],
  ]);
  expect(oneLine(wrong?.stderr ?? '')).toContain("--config: '-' is not accepted: only models come from standard input");
});
