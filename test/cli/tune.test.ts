import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { unzipSync, zipSync } from 'fflate';
import onnxProto from 'onnx-proto';
import { buildModel, f32, type ModelSpec, type NodeSpec, type TensorSpec } from '../support/build.ts';
import { normal } from '../support/calibrated.ts';
import { compressEach, fixture, folder, oneLine, type Result } from '../support/cli.ts';
import { npzOf } from '../support/npz.ts';
import { feed, runModel } from '../support/ort.ts';
import { randomFloats } from '../support/random.ts';
import { compress } from '../support/resident.ts';

const { onnx } = onnxProto;
const MLP = fixture('digits-mlp.onnx');
const MLP_DATA = fixture('digits-mlp-test.npz');

interface Trial {
  readonly float: string[];
  readonly quantized: string[];
  readonly value: number;
  readonly bytes: number;
  readonly ms: number;
  readonly enough: boolean;
}

interface Json {
  readonly name: string;
  readonly layers: string[];
  readonly ranking: { name: string; noise: number | string; saved: number }[];
  readonly trials: Trial[];
  readonly best: Trial | null;
  readonly step: Record<string, unknown> | null;
  readonly written?: string;
  readonly cutShort: boolean;
  readonly data: string;
}

function report(result: Result): Json {
  return JSON.parse(result.stdout.toString()) as Json;
}

const ROWS = 256;

/**
 * Layers of 24 × 24 with ReLU between them. In one of the weights, an output channel that the next layer does not read
 * is 3000 times as large as the others. A scale per channel preserves the others; a scale per tensor rounds them to
 * zero.
 */
function withOutlier(
  names: readonly string[],
  hurt: number,
  op: 'MatMul' | 'Conv',
): { model: Uint8Array; data: Uint8Array } {
  const width = 24;
  const initializers: Record<string, TensorSpec> = {};
  const nodes: NodeSpec[] = [];
  let value = 'x';
  for (const [index, name] of names.entries()) {
    const weights = normal(width * width, 40 + index, 0.3);
    // A matrix is [in, out]; a Conv is [out, in, 1, 1].
    const at = (input: number, output: number) => (op === 'MatMul' ? input * width + output : output * width + input);
    for (let i = 0; i < width; i++) {
      // ReLU zeroes this channel: its activations do not reveal the weights.
      if (index === hurt) weights[at(i, 5)] = -Math.abs(weights[at(i, 5)] ?? 0) * 3000 - 1;
      if (index === hurt + 1) weights[at(5, i)] = 0;
    }
    initializers[name] = f32(op === 'MatMul' ? [width, width] : [width, width, 1, 1], weights);
    const [product, next] = [`p${index}`, index === names.length - 1 ? 'y' : `h${index}`];
    const last = index === names.length - 1;
    nodes.push({ op, in: [value, name], out: [last && op === 'MatMul' ? 'y' : product], name: `node${index}` });
    if (!last) nodes.push({ op: 'Relu', in: [product], out: [next] });
    else if (op === 'Conv') nodes.push({ op: 'Flatten', in: [product], out: ['y'] });
    value = next;
  }
  const inner = op === 'MatMul' ? [width] : [width, 1, 1];
  const model = buildModel({
    opset: 17,
    inputs: { x: f32(['N', ...inner]) },
    outputs: { y: f32(['N', width]) },
    nodes,
    initializers,
  });
  // Never negative, so that ReLU zeroes the large channel in the first layer too.
  const data = npzOf({ x: { dims: [ROWS, ...inner], data: normal(ROWS * width, 7).map(Math.abs) } });
  return { model, data };
}

/** Adds the classes that the float model predicts, as labels. */
async function withLabels(model: Uint8Array, data: Uint8Array, inner: readonly number[]): Promise<Uint8Array> {
  const files = unzipSync(data);
  const x = files['x.npy']?.slice(-ROWS * 24 * 4);
  if (x === undefined) throw new Error('no x');
  const given = await runModel(model, { x: feed([ROWS, ...inner], new Float32Array(x.buffer)) });
  const y = given['y']?.data as Float32Array;
  const labels = Float32Array.from({ length: ROWS }, (_, row) => {
    const values = y.subarray(row * 24, row * 24 + 24);
    return values.indexOf(Math.max(...values));
  });
  const more = unzipSync(npzOf({ __labels__: { dims: [ROWS], data: labels } }));
  return zipSync({ ...files, ...more });
}

describe('finds exactly the layer that loses accuracy', () => {
  // Names that a careless regular expression would confuse.
  const NAMES = ['blocks.0/w', 'blocks.1/(w)+[x]', 'blocksX1/www', 'blocks.1/(w)+[x]y', 'head|^$'];

  test.each([
    ['MatMul', 1, ['--weights-only']],
    ['MatMul', 3, []],
    ['MatMul', 0, ['--weights-only', '--uint8']],
    ['Conv', 2, ['--weights-only']],
    ['Conv', 1, ['--calibrate', 'data.npz']],
  ] as const)('%s, layer %i, %j', async (op, hurt, flags) => {
    const cwd = folder();
    const { model, data } = withOutlier(NAMES, hurt, op);
    writeFileSync(join(cwd, 'm.onnx'), model);
    const inner = op === 'Conv' ? [24, 1, 1] : [24];
    writeFileSync(join(cwd, 'data.npz'), await withLabels(model, data, inner));
    const keep = ['--max-drop', '10%'];
    const line = [
      'tune',
      'm.onnx',
      '--data',
      'data.npz',
      '--batch',
      '64',
      '--per-tensor',
      '--min-elements',
      '0',
      ...flags,
    ];
    const out = ['-o', 'small.onnx', '--save-recipe', 'r.json', '--json', '-q'];
    const done = compress([...line, ...keep, ...out], { cwd });
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const { best, layers, trials, ranking, step } = report(done);
    expect(layers).toEqual(NAMES);
    expect(best?.float).toEqual([NAMES[hurt]]);
    expect(trials[0]).toMatchObject({ float: [], enough: false });
    expect(ranking[0]?.name).toBe(NAMES[hurt]);
    // The file stores that weight as float, and the others as integers.
    const written = onnx.ModelProto.decode(readFileSync(join(cwd, 'small.onnx')));
    const floats = (written.graph?.initializer ?? []).filter(
      (one) => NAMES.includes(one.name ?? '') && one.dataType === 1,
    );
    expect(floats.map((one) => one.name)).toEqual([NAMES[hurt]]);
    // The recipe gives the same file, and is stored in it.
    expect(compress(['run', 'r.json', 'm.onnx', '-o', 'again.onnx', '-q'], { cwd }).stderr).toBe('');
    expect(readFileSync(join(cwd, 'again.onnx')).equals(readFileSync(join(cwd, 'small.onnx')))).toBe(true);
    expect(JSON.parse(readFileSync(join(cwd, 'r.json'), 'utf8'))).toMatchObject({
      onnxCompress: 1,
      steps: [{ verb: 'quantize' }],
    });
    expect(step?.['exclude']).toHaveLength(1);
    // Per channel nothing is lost: one trial.
    const fine = compress([...line.filter((one) => one !== '--per-tensor'), ...keep, '--json', '-q'], { cwd });
    expect(report(fine)).toMatchObject({ best: { float: [] }, trials: [{}] });
  });
});

describe('onnx-compress tune', () => {
  const judge = ['--data', MLP_DATA, '--batch', '100'];

  test('gives the same result each time, smaller than the float model, with the reported metric', () => {
    const cwd = folder();
    const line = ['tune', MLP, ...judge, '--min-sqnr', '52', '--json', '-q'];
    const [first, second] = [
      compress([...line, '-o', 'a.onnx'], { cwd }),
      compress([...line, '-o', 'b.onnx'], { cwd }),
    ];
    const without = (one: Result) => JSON.stringify({ ...report(one), written: '' }).replaceAll(/"ms":[^,}]+/g, '');
    expect(without(second as Result)).toBe(without(first as Result));
    expect(readFileSync(join(cwd, 'a.onnx')).equals(readFileSync(join(cwd, 'b.onnx')))).toBe(true);
    const { best, trials, layers, written } = report(first as Result);
    expect(written).toBe('a.onnx');
    expect(layers).toEqual(['fc1.weight', 'fc2.weight', 'fc3.weight']);
    expect(best?.float.length).toBeGreaterThan(0);
    for (const one of trials.filter(({ enough }) => enough)) expect(one.bytes).toBeGreaterThanOrEqual(best?.bytes ?? 0);
    const verify = compress(['verify', MLP, 'a.onnx', ...judge, '--json', '--min-sqnr', '52'], { cwd });
    expect(verify.code).toBe(0);
    const { outputs } = JSON.parse(verify.stdout.toString()) as { outputs: { sqnr: number }[] };
    expect(outputs[0]?.sqnr).toBeCloseTo(best?.value ?? 0, 9);
    // The file has only the recipe in addition to the judged model.
    const entry = readFileSync(join(cwd, 'a.onnx')).byteLength - (best?.bytes ?? 0);
    expect(entry).toBeGreaterThan(0);
    expect(entry).toBeLessThan(200);
  });

  test('with calibration data, writes what the recipe makes, and names the data without its folder', () => {
    const cwd = folder();
    const calibrate = ['--calibrate', fixture('digits-cnn-bn-calib.npz'), '--calibrate-samples', '64'];
    const data = ['--data', fixture('digits-cnn-bn-test.npz'), '--batch', '50', '--samples', '300'];
    const line = ['tune', fixture('digits-cnn-bn.onnx'), ...data, ...calibrate, '--min-sqnr', '43.5'];
    const done = compress([...line, '-o', 'out.onnx', '--save-recipe', 'r.json', '--json', '-q'], { cwd });
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const { best, step, data: described } = report(done);
    const dry = compress([...line, '-n', '-q', '--json'], { cwd });
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(report(dry).best?.float).toEqual(best?.float);
    expect(described).toContain('300');
    expect(best?.float.length).toBeGreaterThan(0);
    expect(best?.quantized.length).toBeGreaterThan(0);
    expect(step).toMatchObject({ verb: 'quantize', samples: 64, batch: 50 });
    expect(compress(['run', 'r.json', fixture('digits-cnn-bn.onnx'), '-o', 'again.onnx', '-q'], { cwd }).code).toBe(0);
    expect(readFileSync(join(cwd, 'again.onnx')).equals(readFileSync(join(cwd, 'out.onnx')))).toBe(true);
    const [entry] = onnx.ModelProto.decode(readFileSync(join(cwd, 'out.onnx'))).metadataProps;
    expect(JSON.parse(entry?.value ?? '')).toMatchObject({ steps: [{ calibrate: './digits-cnn-bn-calib.npz' }] });
  });

  test('uses accuracy if there are labels, reports to standard error, and writes nothing unless requested', () => {
    const cwd = folder();
    const done = compress(['tune', MLP, ...judge], { cwd });
    expect(done).toMatchObject({ code: 0 });
    expect(done.stdout.toString()).toBe('');
    expect(oneLine(done.stderr)).toContain('digits-mlp-test.npz: 600 samples; at most 1 point may be lost ');
    expect(done.stderr).toMatch(
      /\n {2}left float +accuracy +points +size +a run +enough\n {2}everything +9\d\.\d % +0\.00 +204 kB /,
    );
    expect(done.stderr).toMatch(
      /\nresult: no layer stays float: accuracy 9\d\.\d % \([−+]?\d\.\d\d points\), 204 kB → 54\.2 kB \(26\.6 %\)\n/,
    );
    expect(done.stderr).toContain('nothing is written: -o FILE writes the model, --save-recipe FILE how to make it');
    const dry = compress(['tune', MLP, ...judge, '-n', '-q', '-o', 'a.onnx', '--save-recipe', 'r.json'], { cwd });
    expect(dry).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(cwd)).toEqual([]);
  });

  test('reports an expression that matches nothing, once', () => {
    const cwd = folder();
    const given = ['tune', MLP, ...judge, '--exclude', 'conv9', '--json'];
    const done = compress([...given, '-o', 'a.onnx'], { cwd });
    const note = '--exclude conv9 matches no weight and no node';
    expect(done.stderr.match(/^note: .*/gm)).toEqual([`note: ${note}`]);
    expect(report(done)).toMatchObject({ notes: [note] });
    const quiet = compress([...given, '-q'], { cwd });
    expect(quiet).toMatchObject({ code: 0, stderr: '' });
    expect(report(quiet)).toMatchObject({ notes: [note] });
  });

  test('if no selection keeps the metric, prints the table and a sentence, exits 3 and writes no file', () => {
    const cwd = folder();
    const temporary = folder();
    const line = ['tune', MLP, ...judge, '--min-sqnr', '300', '-o', 'a.onnx', '--save-recipe', 'r.json', '--json'];
    const done = compress(line, { cwd, env: { TMPDIR: temporary } });
    expect(done.code).toBe(3);
    expect(done.stderr).toMatch(/\ntried 5 selections of 3 layers, 3 of them with one layer alone\n/);
    expect(done.stderr).toMatch(
      /error: .*digits-mlp\.onnx: nothing quantized keeps the metric: the closest, with all but fc\d\.weight float, has SQNR 5\d\.\d\d dB; at least 300 dB are needed\n/,
    );
    const error = { code: 'gate', where: MLP, hint: expect.stringMatching(/^Allow more loss/) };
    expect(report(done)).toMatchObject({ version: 1, best: null, step: null, error });
    expect(readdirSync(cwd)).toEqual([]);
    expect(readdirSync(temporary).filter((name) => name.startsWith('onnx-compress'))).toEqual([]);
  });

  test('with few trials, reports the best of them, or that there was none', () => {
    const line = ['tune', fixture('digits-vit.onnx'), '--data', fixture('digits-vit-test.npz'), '--samples', '40'];
    const few = [...line, '--batch', '20', '-w', '--min-elements', '0', '--json', '-q', '--min-sqnr'];
    const some = report(compress([...few, '50', '--max-trials', '4']));
    expect(some.trials).toHaveLength(4);
    expect(some).toMatchObject({ cutShort: true, best: { enough: true } });
    const none = compress([...few, '200', '--max-trials', '4']);
    expect(none.code).toBe(3);
    expect(none.stderr).toContain('none of the 4 selections tried keeps the metric:');
  });

  test('writes a model with external data the same way', () => {
    const cwd = folder();
    expect(compress(['copy', '--external-data', MLP, '-o', 'm.onnx', '-q'], { cwd }).code).toBe(0);
    const line = ['tune', 'm.onnx', ...judge, '--min-sqnr', '47', '-q', '-o', 'out.onnx'];
    expect(compress(line, { cwd })).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(cwd).sort()).toEqual(['m.onnx', 'm.onnx.data', 'out.onnx', 'out.onnx.data']);
    expect(compress(['copy', '--embed', 'out.onnx', '-o', 'one.onnx', '-q'], { cwd }).code).toBe(0);
    expect(compress(['verify', MLP, 'one.onnx', ...judge, '--min-sqnr', '47', '-q'], { cwd }).code).toBe(0);
  });

  test('writes a model to standard output and its report to standard error', () => {
    const cwd = folder();
    const done = compress(['tune', MLP, ...judge, '-o', '-'], { cwd });
    expect(done.stderr).toMatch(/<stdout> is written/);
    expect(onnx.ModelProto.decode(done.stdout).metadataProps[0]?.key).toBe('onnx_compress.recipe');
  });
});

test('counts no classes for an image output unless --metric says so', () => {
  const cwd = folder();
  const dims = [16, 1, 3, 3];
  const spec: ModelSpec = {
    ...{ opset: 17, inputs: { x: f32(['batch', 1, 12, 12]) }, outputs: { y: f32(['batch', 1, 12, 12]) } },
    nodes: [
      { op: 'Conv', in: ['x', 'w'], out: ['a'], attributes: { pads: [1, 1, 1, 1] } },
      { op: 'Relu', in: ['a'], out: ['r'] },
      { op: 'Conv', in: ['r', 'v'], out: ['y'], attributes: { pads: [1, 1, 1, 1] } },
    ],
    initializers: { w: f32(dims, randomFloats(dims, 1)), v: f32([1, 16, 3, 3], randomFloats([1, 16, 3, 3], 2)) },
  };
  writeFileSync(join(cwd, 'm.onnx'), buildModel(spec));
  writeFileSync(join(cwd, 'd.npz'), npzOf({ x: { dims: [4, 1, 12, 12], data: randomFloats([4, 1, 12, 12], 3) } }));
  const line = ['tune', 'm.onnx', '--weights-only', '--data', 'd.npz', '--json', '-q'];
  const [drop, none, decibels, classes] = compressEach(
    [
      [...line, '--max-drop', '1%'],
      line,
      [...line, '--min-sqnr', '20'],
      [...line, '--metric', 'top1', '--max-drop', '50%'],
    ],
    { cwd },
  );
  expect(drop?.stderr).toMatch(
    /^error: --max-drop: the metric is sqnr; its limit is --min-sqnr\n {2}No output was recognized as/,
  );
  expect(none?.stderr).toMatch(/^error: --min-sqnr: the metric is sqnr, and no limit is given/);
  expect([drop?.code, none?.code, decibels?.code, classes?.code]).toEqual([2, 2, 0, 0]);
  expect(JSON.parse(decibels?.stdout.toString() ?? '')).toMatchObject({ name: 'sqnr' });
  expect(JSON.parse(classes?.stdout.toString() ?? '')).toMatchObject({ name: 'top1' });
});

test('a failed run removes the folders it made', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'bad.npz'), npzOf({ other: { dims: [2], data: Float32Array.of(1, 2) } }));
  const lines = [
    ['tune', MLP, '--data', 'bad.npz', '--min-sqnr', '20', '-o', 'tuned/inner/'],
    ['quantize', MLP, '--exclude', '.*', '-o', 'same/'],
    ['quantize', MLP, '-o', 'there/', '-q'],
  ];
  expect(compressEach(lines, { cwd }).map((one) => one.code)).toEqual([1, 1, 0]);
  expect(readdirSync(cwd).sort()).toEqual(['bad.npz', 'there']);
});

describe('a wrong command line is refused before the work', () => {
  const cwd = folder();
  writeFileSync(join(cwd, 'there'), 'x');
  const data = ['--data', MLP_DATA];
  const CASES: readonly (readonly [string[], number, RegExp])[] = [
    [['tune'], 2, /tune: needs 1 model; 0 are given/],
    [['tune', '-', ...data], 2, /tune: the models must be files/],
    [['tune', MLP], 2, /--data: no data is given to measure accuracy\n {2}Give model inputs/],
    [['tune', MLP, '--data', 'none.npz'], 1, /none\.npz: no such file/],
    [['tune', 'none.onnx', ...data], 1, /none\.onnx: no such file/],
    [
      ['tune', MLP, ...data, '--max-drop', '101'],
      2,
      /--max-drop: '101' is neither a percentage nor a fraction below 1/,
    ],
    [['tune', MLP, ...data, '--max-drop', '-1%'], 2, /--max-drop: '-1%' is neither a percentage/],
    [['tune', MLP, ...data, '--max-drop', '1%', '--min-sqnr', '3'], 2, /--max-drop and --min-sqnr cannot be used/],
    [['tune', MLP, ...data, '--metric', 'f1'], 2, /--metric: 'f1' is not one of "accuracy", "top1", "sqnr"/],
    [['tune', MLP, ...data, '--metric', 'sqnr'], 2, /--min-sqnr: the metric is sqnr, and no limit is given/],
    [['tune', MLP, ...data, '--judge', 'loss'], 2, /--judge: the model has no output 'loss'\n {2}It has 'logits'/],
    [['tune', MLP, ...data, '--max-trials', '0'], 2, /--max-trials: it must be at least 1/],
    [['tune', MLP, ...data, '--int8', '--uint8'], 2, /--int8 and --uint8 cannot be used together/],
    [['tune', MLP, ...data, '--exclude', '['], 2, /--exclude: '\[' is not a regular expression/],
    [['tune', MLP, ...data, '--exclude', '.'], 1, /quantize found nothing to change\n[\s\S]*There is nothing to tune/],
    [['tune', MLP, ...data, '--save-ranges', 'x'], 2, /--save-ranges: there is no such option/],
    [['tune', MLP, ...data, '-o', 'there'], 1, /there: the file already exists/],
    [['tune', MLP, ...data, '--save-recipe', 'there'], 1, /there: the file already exists/],
    [['tune', MLP, ...data, '-o', 'x', '--save-recipe', 'x'], 2, /--save-recipe: 'x' is the model/],
    [['tune', MLP, ...data, '-o', '-', '--json'], 2, /--json: standard output carries the model/],
  ];
  const results = compressEach(
    CASES.map(([argv]) => argv),
    { cwd },
  );
  test.each(results.map((done, index) => ({ done, line: done.line, wanted: CASES[index] })))(
    'compress $line',
    (one) => {
      const { done, wanted } = one;
      expect(done.stderr).toMatch(wanted?.[2] ?? /never/);
      expect(done.code).toBe(wanted?.[1]);
      expect(done.stdout.toString()).toMatch(
        done.line.includes('--json') ? /^\{\n {2}"version": 1,\n {2}"error"/ : /^$/,
      );
      expect(readdirSync(cwd)).toEqual(['there']);
    },
  );
});
