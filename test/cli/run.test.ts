import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import onnxProto from 'onnx-proto';
import { didYouMean } from '../../src/options/nearest.ts';
import { isFile, stepRows } from '../../src/options/step.ts';
import { TABLES } from '../../src/options/tables.ts';
import { STEP_VERBS } from '../../src/options/verbs.ts';
import { compressEach, fixture, folder, oneLine, ROOT, shell, subfolder } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const { onnx } = onnxProto;
const M = fixture('mymodel.onnx');
const MLP = fixture('digits-mlp.onnx');

interface Json {
  readonly onnxCompress: number;
  readonly steps: readonly Record<string, unknown>[];
}

function readRecipe(path: string): Json {
  return JSON.parse(readFileSync(path, 'utf8')) as Json;
}

/** The recipe in a model's metadata. */
function recorded(path: string): Json | undefined {
  const entries = onnx.ModelProto.decode(readFileSync(path)).metadataProps;
  const entry = entries.find((one) => one.key === 'onnx_compress.recipe');
  return entry === undefined ? undefined : (JSON.parse(entry.value ?? '') as Json);
}

function writeRecipe(path: string, ...steps: readonly object[]): void {
  writeFileSync(path, JSON.stringify({ onnxCompress: 1, steps }));
}

describe('a recipe gives the same bytes as its verbs one after the other', () => {
  const CNN = fixture('digits-cnn-bn.onnx');
  const CALIB = fixture('digits-cnn-bn-calib.npz');
  const CASES: readonly (readonly [model: string, ...verbs: (readonly string[])[]])[] = [
    [MLP, ['prune', '--l1', '0.4', '--scope', 'global'], ['quantize', '--int8', '--exclude', 'fc3']],
    [MLP, ['quantize', '--include', '^fc1', '-w'], ['quantize', '--exclude', 'fc1', '--per-tensor', '--uint8']],
    [MLP, ['prune', '--l1', '0.6'], ['quantize'], ['pack']],
    [MLP, ['prune', '--l1', '0.6'], ['pack', '--store', 'auto']],
    [CNN, ['fold'], ['prune', '--l2', '500', '--exclude', 'conv1'], ['quantize', '--weights-only']],
    [CNN, ['prune', '--random', '0.2', '--seed', '7'], ['quantize', '--calibrate', CALIB, '--samples', '64']],
    [CNN, ['fold'], ['quantize', '--calibrate', 'random', '--no-bias-correction', '--observer', 'percentile']],
    [fixture('digits-vit.onnx'), ['fold'], ['prune', '--l1', '0.3'], ['quantize', '--format', 'qoperator']],
    [fixture('edge/opset9.onnx'), ['convert', '--opset', '21'], ['quantize', '--min-elements', '0']],
    [fixture('edge/external-data.onnx'), ['prune', '--l1', '0.5'], ['quantize', '--min-elements', '16', '-w']],
    [fixture('edge/metadata-unknown-fields.onnx'), ['prune', '--l1', '0.5'], ['quantize', '--min-elements', '0']],
  ];
  test.each(CASES.map((one) => ({ one, title: one.slice(1).join(' | ') })))('$title', ({ one }) => {
    const [model, ...verbs] = one;
    const cwd = folder();
    const commands: string[][] = [];
    // Each write decides anew where external weights go; this option fixes it.
    const where = model.includes('external-data') ? ['--external-data'] : [];
    let input = model;
    for (const [index, verb] of verbs.entries()) {
      const output = `${index}.onnx`;
      commands.push([...verb, input, '-o', output, '-q', ...where, '--save-recipe', `${index}.json`]);
      input = output;
    }
    for (const command of commands) expect(compress(command, { cwd })).toMatchObject({ code: 0, stderr: '' });
    const steps = commands.flatMap((_, index) => readRecipe(join(cwd, `${index}.json`)).steps);
    expect(steps.map((step) => step['verb'])).toEqual(verbs.map(([verb]) => verb));
    writeRecipe(join(cwd, 'recipe.json'), ...steps);
    const run = ['run', 'recipe.json', model, '-q', ...where];
    // Under the same name, because external data has it too.
    const [plain, noted] = [subfolder(cwd, 'plain'), subfolder(cwd, 'noted')].map((path) => join(path, input));
    if (plain === undefined || noted === undefined) throw new Error('no path');
    expect(compress([...run, '-o', plain, '--no-metadata'], { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(plain).equals(readFileSync(join(cwd, input)))).toBe(true);
    const data = join(cwd, `${input}.data`);
    expect(existsSync(`${plain}.data`)).toBe(existsSync(data));
    if (existsSync(data)) expect(readFileSync(`${plain}.data`).equals(readFileSync(data))).toBe(true);
    // With its recipe the model has one more metadata entry, and is otherwise the same.
    expect(compress([...run, '-o', noted], { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(recorded(noted)?.steps.map((step) => step['verb'])).toEqual(verbs.map(([verb]) => verb));
    const decoded = onnx.ModelProto.decode(readFileSync(noted));
    decoded.metadataProps = decoded.metadataProps.filter((entry) => entry.key !== 'onnx_compress.recipe');
    const without = onnx.ModelProto.decode(readFileSync(plain));
    expect(JSON.stringify(decoded)).toBe(JSON.stringify(without));
  });

  test('also through pipes', () => {
    const cwd = folder();
    writeRecipe(join(cwd, 'r.json'), { verb: 'prune', l1: 0.4 }, { verb: 'quantize', int8: true });
    const line = `cat '${M}' | onnx-compress run r.json --no-metadata > one.onnx && onnx-compress prune --l1 0.4 '${M}' | onnx-compress quantize --int8 > two.onnx && cmp one.onnx two.onnx`;
    expect(shell(line, { cwd })).toMatchObject({ code: 0 });
  });
});

test('the report has each step, and only for a final prune says that zeros alone save nothing', () => {
  const cwd = folder();
  writeRecipe(join(cwd, 'r.json'), { verb: 'prune', l1: 0.4 }, { verb: 'quantize' });
  const { stderr } = compress(['run', 'r.json', M, '-o', 'o.onnx'], { cwd });
  expect(stderr).toMatch(/\nprune: 40\.\d % of .*\n[\s\S]*\nquantize: 2 weights/);
  expect(stderr).not.toContain('Zeros alone');
  const json = compress(['run', 'r.json', M, '-n', '-q', '--json'], { cwd });
  const report = JSON.parse(json.stdout.toString()) as { passes: { pass: string }[] };
  expect(report.passes.map((one) => one.pass)).toEqual(['prune', 'quantize']);
});

test('an expression that matches nothing is reported with its step', () => {
  const cwd = folder();
  const prune = { verb: 'prune', l1: 0.4, exclude: ['conv9'] };
  writeRecipe(join(cwd, 'r.json'), prune, { verb: 'quantize', include: ['fc', 'fc_'], store: 'bitmask' });
  const [run, json] = compressEach(
    [
      ['run', 'r.json', MLP, '-o', 'o.onnx'],
      ['run', 'r.json', MLP, '-n', '-q', '--json'],
    ],
    { cwd },
  );
  const notes = [
    "r.json, steps[0] 'prune': --exclude conv9 matches no weight and no node",
    "r.json, steps[1] 'quantize': --include fc_ matches no weight and no node",
  ];
  expect(run?.stderr.match(/^note: .*/gm)).toEqual(notes.map((one) => `note: ${one}`));
  expect(JSON.parse(json?.stdout.toString() ?? '').notes).toEqual(notes);
  expect(json?.stderr).toBe('');
});

test('runs a recipe file, or the recipe of a model, on every model of a folder', () => {
  const cwd = folder();
  mkdirSync(join(cwd, 'in'));
  for (const name of ['digits-mlp.onnx', 'digits-cnn.onnx']) copyFileSync(fixture(name), join(cwd, 'in', name));
  writeFileSync(join(cwd, 'in/config.json'), '{}');
  const step = { verb: 'quantize', weightsOnly: true, include: ['^fc2', '^typo'] };
  writeFileSync(join(cwd, 'r.json'), JSON.stringify({ onnxCompress: 1, steps: [step] }));
  const [one, all, again, print] = compressEach(
    [
      ['run', 'r.json', 'in/digits-mlp.onnx', '-o', 'one.onnx', '-q'],
      ['run', 'r.json', 'in', '-o', 'out'],
      ['run', '--from-model', 'one.onnx', 'in', '-o', 'again', '-q'],
      ['run', 'r.json', 'in', '--print'],
    ],
    { cwd },
  );
  expect([one, all, again, print].map((run) => run?.code)).toEqual([0, 0, 0, 0]);
  expect(all?.stderr.match(/^note: .*/gm)).toEqual([
    "note: r.json, steps[0] 'quantize': --include ^fc2 matches no weight and no node (1 model)",
    "note: r.json, steps[0] 'quantize': --include ^typo matches no weight and no node (2 models)",
  ]);
  expect(readdirSync(join(cwd, 'out')).sort()).toEqual(['config.json', 'digits-cnn.onnx', 'digits-mlp.onnx']);
  const mlp = readFileSync(join(cwd, 'one.onnx'));
  for (const to of ['out', 'again']) expect(readFileSync(join(cwd, to, 'digits-mlp.onnx')).equals(mlp)).toBe(true);
  expect(JSON.parse(print?.stdout.toString() ?? '').steps).toEqual([step]);
});

test('docs and help name every verb that can be a step', () => {
  const document = readFileSync(join(ROOT, 'docs/recipes.md'), 'utf8');
  const named = STEP_VERBS.map((verb) => `\`${verb}\``);
  for (const line of [/^- `verb` is .*/m, /^`--save-recipe FILE` on .*/m]) {
    const [found = ''] = line.exec(document) ?? [];
    expect(named.filter((verb) => !found.includes(verb))).toEqual([]);
  }
  const [help] = compressEach([['run', '--help']]);
  expect(oneLine(help?.stdout ?? '')).toContain(`JSON file with the steps: ${STEP_VERBS.join(', ')} `);
});

describe('--save-recipe', () => {
  test('writes the given options, numbers as numbers, without defaults', () => {
    const cwd = folder();
    const line = ['prune', '--l1', '0.4', '--exclude', 'a"b', '--exclude', 'c,d'];
    expect(compress([...line, M, '-o', 'o.onnx', '-q', '--save-recipe', 'r.json'], { cwd }).code).toBe(0);
    expect(readRecipe(join(cwd, 'r.json'))).toEqual({
      onnxCompress: 1,
      steps: [{ verb: 'prune', l1: 0.4, exclude: ['a"b', 'c,d'] }],
    });
    const plain = ['quantize', '--int8', '--format', 'qdq', M, '-o', 'q.onnx', '-q', '--save-recipe', 'q.json'];
    expect(compress(plain, { cwd }).code).toBe(0);
    expect(readRecipe(join(cwd, 'q.json'))).toEqual({ onnxCompress: 1, steps: [{ verb: 'quantize', int8: true }] });
    // The model does not mention it.
    expect(recorded(join(cwd, 'o.onnx'))).toBeUndefined();
  });

  test('writes and reads paths relative to the recipe', () => {
    const cwd = folder();
    mkdirSync(join(cwd, 'recipes'));
    mkdirSync(join(cwd, 'data'));
    copyFileSync(fixture('digits-mlp-calib.npz'), join(cwd, 'data/random'));
    const common = ['--calibrate', './data/random', '--samples', '8', MLP, '-q', '-o'];
    expect(compress(['quantize', ...common, 'a.onnx', '--save-recipe', 'recipes/r.json'], { cwd }).stderr).toBe('');
    expect(readRecipe(join(cwd, 'recipes/r.json')).steps).toEqual([
      { verb: 'quantize', calibrate: '../data/random', samples: 8 },
    ]);
    expect(compress(['run', 'recipes/r.json', MLP, '-q', '-o', 'b.onnx', '--no-metadata'], { cwd }).stderr).toBe('');
    expect(readFileSync(join(cwd, 'b.onnx')).equals(readFileSync(join(cwd, 'a.onnx')))).toBe(true);
    // A file beside the recipe whose name is a keyword is not taken for the keyword.
    const beside = ['--calibrate', './random', '--samples', '8', MLP, '-q', '-o', 'c.onnx', '--save-recipe', 'r.json'];
    expect(compress(['quantize', ...beside], { cwd: join(cwd, 'data') }).stderr).toBe('');
    expect(readRecipe(join(cwd, 'data/r.json')).steps[0]).toMatchObject({ calibrate: './random' });
    expect(compress(['run', 'data/r.json', MLP, '-q', '-o', 'd.onnx'], { cwd }).stderr).toBe('');
    expect(recorded(join(cwd, 'd.onnx'))?.steps[0]).toMatchObject({ calibrate: './random', samples: 8 });
    // The data is not in other folders; --base says where it is.
    expect(compress(['run', 'recipes/r.json', MLP, '-n', '--base', 'data/..'], { cwd }).code).toBe(1);
    expect(compress(['run', 'recipes/r.json', MLP, '-n', '-q', '--base', 'data'], { cwd }).code).toBe(0);
  });

  test('writes nothing in a dry run, over an existing file, or after an error', () => {
    const cwd = folder();
    const line = (...more: string[]) => compress(['prune', M, '-q', '--save-recipe', 'r.json', ...more], { cwd });
    expect(line('--l1', '0.4', '-n').code).toBe(0);
    expect(line('--l1', '1.4', '-o', 'a.onnx').code).toBe(2);
    expect(line('--l1', '0.4', '--op-types', 'Conv', '-o', 'a.onnx').code).toBe(1);
    expect(readdirSync(cwd)).toEqual([]);
    writeFileSync(join(cwd, 'r.json'), 'mine');
    const refused = line('--l1', '0.4', '-o', 'a.onnx');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('r.json: the file already exists') });
    expect(readdirSync(cwd)).toEqual(['r.json']);
    expect(line('--l1', '0.4', '-o', 'a.onnx', '--force').code).toBe(0);
    expect(readRecipe(join(cwd, 'r.json')).steps).toHaveLength(1);
    const model = compress(['prune', '--l1', '0.4', M, '-o', 'b.onnx', '--save-recipe', 'b.onnx'], { cwd });
    expect(model).toMatchObject({ code: 2, stderr: expect.stringContaining("'b.onnx' is the model") });
  });
});

describe('the recipe in a model', () => {
  const cwd = folder();
  writeRecipe(join(cwd, 'p.json'), { verb: 'prune', l1: 0.4 });
  writeRecipe(join(cwd, 'q.json'), { verb: 'quantize', calibrate: fixture('digits-mlp-calib.npz'), samples: 8 });

  test('grows with each run, is printed by --print, and can be replayed on another model', () => {
    expect(compress(['run', 'p.json', MLP, '-q', '-o', 'p.onnx'], { cwd }).code).toBe(0);
    expect(compress(['run', 'q.json', 'p.onnx', '-q', '-o', 'q.onnx'], { cwd }).code).toBe(0);
    const steps = [
      { verb: 'prune', l1: 0.4 },
      // Only the base name of the data, because models are shared.
      { verb: 'quantize', calibrate: './digits-mlp-calib.npz', samples: 8 },
    ];
    expect(recorded(join(cwd, 'q.onnx'))?.steps).toEqual(steps);
    const printed = compress(['run', '--from-model', 'q.onnx', '--print'], { cwd });
    expect(printed).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(printed.stdout.toString())).toEqual({
      onnxCompress: 1,
      steps: [steps[0], { ...steps[1], calibrate: './digits-mlp-calib.npz' }],
    });
    const missing = compress(['run', '--from-model', 'q.onnx', MLP, '-o', 'no.onnx'], { cwd });
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('digits-mlp-calib.npz: no such file') });
    const base = ['--base', fixture('.')];
    expect(compress(['run', '--from-model', 'q.onnx', MLP, '-q', '-o', 'r.onnx', ...base], { cwd }).stderr).toBe('');
    expect(readFileSync(join(cwd, 'r.onnx')).equals(readFileSync(join(cwd, 'q.onnx')))).toBe(true);
    const piped = shell(`onnx-compress run --from-model p.onnx < '${MLP}' | cmp - p.onnx`, { cwd });
    expect(piped).toMatchObject({ code: 0 });
  });

  test('may not name files in other folders, unless it is only printed', () => {
    const model = onnx.ModelProto.decode(readFileSync(M));
    const value = '{"onnxCompress":1,"steps":[{"verb":"quantize","calibrate":"/etc/passwd"}]}';
    model.metadataProps = [onnx.StringStringEntryProto.create({ key: 'onnx_compress.recipe', value })];
    writeFileSync(join(cwd, 'evil.onnx'), onnx.ModelProto.encode(model).finish());
    const refused = compress(['run', '--from-model', 'evil.onnx', M, '-o', 'x.onnx'], { cwd });
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("refers to another file: 'calibrate' is '/etc/passwd'"),
    });
    expect(compress(['run', '--from-model', 'evil.onnx', '--print'], { cwd }).code).toBe(0);
  });
});

describe('a wrong recipe exits 2, names the step and says what to do', () => {
  const STEP = { verb: 'prune', l1: 0.4 };
  const CASES: readonly (readonly [object | string, RegExp])[] = [
    [{ verb: 'prun', l1: 0.4 }, /steps\[0\] 'prun': is not a step\. Did you mean 'prune'\?\n {2}The steps are/],
    [{ verb: 'verify' }, /steps\[0\] 'verify': is not a step\.\n {2}The steps are prune, quantize, /],
    [{ verb: 'inspect' }, /is not a step/],
    [{ verb: 'constructor' }, /is not a step/],
    [
      { verb: 'quantize', 'weights-only': true },
      /'weights-only' is not a key of this step\. Did you mean 'weightsOnly'\?/,
    ],
    [{ verb: 'prune', l1: 0.4, scoep: 'global' }, /'scoep' is not a key of this step\. Did you mean 'scope'\?/],
    [{ verb: 'prune', l1: 0.4, frobnicate: 1 }, /'frobnicate' is not a key of this step\.\n {2}Its keys are l1, l2, /],
    [{ verb: 'prune', l1: 0.4, w: true }, /'w' is not a key of this step/],
    [{ verb: 'quantize', weightsOnly: 'yes' }, /'weightsOnly' is "yes"; true or false is needed/],
    [{ verb: 'prune', l1: true }, /'l1' is true; a string or a number is needed/],
    [{ verb: 'prune', l1: ['0.4', '0.5'] }, /'l1' is \["0\.4","0\.5"\]; a string or a number is needed/],
    [{ verb: 'prune', l1: 0.4, exclude: 3 }, /'exclude' is 3; a list of strings is needed/],
    [{ verb: 'prune', l1: 1.4 }, /'prune': --l1: 1\.4 is neither a fraction below 1/],
    [{ verb: 'prune', l1: -1 }, /'prune': --l1: -1 would prune nothing/],
    [{ verb: 'prune', l1: '' }, /'prune': --l1: '' is not a number/],
    [{ verb: 'prune', l1: 0.4, scope: 'all' }, /--scope: 'all' is not one of "tensor", "global"/],
    [{ verb: 'prune', l1: 0.4, l2: 0.4 }, /--l1 and --l2 cannot be used together/],
    [{ verb: 'quantize', int8: true, uint8: true }, /--int8 and --uint8 cannot be used together/],
    [{ verb: 'prune', l1: 0.4, exclude: ['['] }, /--exclude: '\[' is not a regular expression/],
    [{ verb: 'prune', l1: 0.4, output: 'x' }, /'output' is not a key of this step/],
    [{ verb: 'prune', l1: 0.4, saveRecipe: 'x' }, /'saveRecipe': a step can write no other file/],
    [{ verb: 'quantize', calibrate: 'random', saveRanges: 'x' }, /'saveRanges': a step can write no other file/],
    [{ verb: 'convert' }, /'convert': --opset: is required/],
    ['{ "onnxCompress": 1', /r\d+\.json: is not JSON/],
    ['{ "onnxCompress": 7, "steps": [] }', /'onnxCompress' is 7; 1 is supported/],
  ];
  const cwd = folder();
  for (const [index, [step]] of CASES.entries()) {
    const path = join(cwd, `r${index}.json`);
    // As the second step where possible: no step runs before all are checked.
    if (typeof step === 'string') writeFileSync(path, step);
    else writeRecipe(path, step, STEP);
  }
  const results = compressEach(
    CASES.map((_, index) => ['run', `r${index}.json`, M, '-o', 'x.onnx']),
    { cwd },
  );

  test.each(results.map((one, index) => ({ ...one, says: CASES[index]?.[1] ?? /never/ })))('$says', (one) => {
    expect(one.stderr).toMatch(one.says);
    expect(one.stderr).toMatch(/^error: .*\n {2}.*\n$/);
    expect(one.stdout.toString()).toBe('');
    expect(one.code).toBe(2);
    expect(existsSync(join(cwd, 'x.onnx'))).toBe(false);
  });

  test.each([
    [['run'], 2, /recipe: a recipe is required/],
    [['run', '-', M], 2, /the recipe must be a file/],
    [['run', M, 'r.json'], 2, /mymodel\.onnx: is a model, not a recipe\n {2}Put the recipe first/],
    [['run', 'none.json', M], 1, /none\.json: no such file or folder/],
    [['run', '.', M], 1, /\.: is a folder, not a file/],
    [['run', '/dev/zero', M], 1, /\/dev\/zero: is longer than 1048576 bytes/],
    [['run', '--from-model', M, '--print'], 2, /mymodel\.onnx: carries no recipe/],
    [['run', '--from-model', M, 'r0.json', M], 2, /--from-model: a recipe file is given too/],
    [['run', 'r0.json', '--print', '-o', 'x'], 2, /--print and --output cannot be used together/],
  ] as const)('compress %j', (argv, code, says) => {
    const done = compress(argv, { cwd });
    expect(done.stderr).toMatch(says);
    expect(done.code).toBe(code);
  });

  test('a step that finds nothing to change is an error, unless it allows that', () => {
    writeRecipe(join(cwd, 'nothing.json'), { verb: 'prune', l1: 0.4, opTypes: ['Conv'] }, { verb: 'quantize' });
    const done = compress(['run', 'nothing.json', M, '-o', 'x.onnx'], { cwd });
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining('prune found nothing to change') });
    const allowing = { verb: 'prune', l1: 0.4, opTypes: 'Conv', allowUnchanged: true };
    writeRecipe(join(cwd, 'fine.json'), allowing, { verb: 'quantize' });
    expect(compress(['run', 'fine.json', M, '-q', '-o', 'x.onnx'], { cwd }).code).toBe(0);
  });
});

test('passes texts to the verb unchanged: quotes, dashes, commas, equals signs', async () => {
  const cwd = folder();
  const exclude = ['"fc1"', "'fc2'", '--fc', '-', 'a,b', 'x=y', 'é\u202e'];
  writeRecipe(join(cwd, 'r.json'), { verb: 'prune', l1: 0.4, exclude });
  const { stdout } = compress(['run', 'r.json', '--print'], { cwd });
  expect((JSON.parse(stdout.toString()) as Json).steps[0]?.['exclude']).toEqual(exclude);
  // None of them occurs in a name, so all weights are pruned.
  const { stderr } = compress(['run', 'r.json', MLP, '-n'], { cwd });
  expect(stderr).toContain('weights in 3 tensors are zero');
  writeRecipe(join(cwd, 'two.json'), { verb: 'prune', l1: 0.4, exclude: ['^fc1\\.weight$', '^fc[2]'] });
  expect(compress(['run', 'two.json', MLP, '-n'], { cwd }).stderr).toContain('weights in 1 tensor are zero');
});

describe('the options of the verbs', () => {
  test.each(STEP_VERBS)('of %s: each option that reads a file is marked as one', (verb) => {
    const rows = stepRows(TABLES[verb]);
    expect(rows.has('output')).toBe(false);
    for (const [key, { kind, help }] of rows) {
      const named = /\bfiles?\b|folder|\.np[yz]|\.json|earlier run/.test(help) && kind !== 'flag';
      expect([key, isFile(verb, key, 'x')]).toEqual([key, named]);
    }
  });
});

test('suggests the nearest name for a misspelt one', () => {
  const words = ['weightsOnly', 'scope', 'l1', 'include', 'exclude'];
  const meant = (given: string) => didYouMean(given, words);
  expect(meant('weights-only')).toBe(" Did you mean 'weightsOnly'?");
  expect(meant('WEIGHTSONLY')).toBe(" Did you mean 'weightsOnly'?");
  expect(meant('scpoe')).toBe(" Did you mean 'scope'?");
  expect(meant('exlcude')).toBe(" Did you mean 'exclude'?");
  expect(meant('L1')).toBe(" Did you mean 'l1'?");
  expect(meant('frobnicate')).toBe('');
  expect(meant('')).toBe('');
  expect(meant('x'.repeat(100_000))).toBe('');
});
