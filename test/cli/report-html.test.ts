import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { ReportData, ReportSide } from '../../src/cli/report/data.ts';
import { buildModel, f32, type NodeSpec, type TensorSpec } from '../support/build.ts';
import { normal } from '../support/calibrated.ts';
import { fixture, folder, type Result, shell, subfolder } from '../support/cli.ts';
import { npzOf } from '../support/npz.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const CNN = fixture('digits-cnn.onnx');
const CNN_DATA = fixture('digits-cnn-calib.npz');
const HOSTILE = `a</script><img src=x onerror="document.title='owned'"><!--<script>'`;

/** What a browser finds in the data element: everything up to the first end tag. */
function dataIn(path: string): ReportData {
  const html = readFileSync(path, 'utf8');
  const found = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/.exec(html)?.[1];
  return JSON.parse(found ?? '') as ReportData;
}

function sum(list: readonly number[] | undefined): number {
  return (list ?? []).reduce((total, one) => total + one, 0);
}

function done(result: Result): Result {
  expect(result.stderr).not.toMatch(/^error/m);
  expect(result.code).toBe(0);
  return result;
}

/** A chain of 24 × 24 layers with these names. */
function chain(names: readonly string[]): { model: Uint8Array; data: Uint8Array } {
  const initializers: Record<string, TensorSpec> = {};
  const nodes: NodeSpec[] = [];
  for (const [index, name] of names.entries()) {
    initializers[name] = f32([24, 24], normal(576, 40 + index, 0.3));
    const out = index === names.length - 1 ? 'y' : `h${index}`;
    nodes.push({ op: 'MatMul', in: [index === 0 ? 'x' : `h${index - 1}`, name], out: [out], name: `node${index}` });
  }
  const model = buildModel({
    opset: 17,
    inputs: { x: f32(['N', 24]) },
    outputs: { y: f32(['N', 24]) },
    nodes,
    initializers,
  });
  return { model, data: npzOf({ x: { dims: [8, 24], data: normal(192, 7) } }) };
}

describe('onnx-compress --report', () => {
  test('shows the facts of a quantized model, its weights and its kernels in ONNX Runtime', () => {
    const cwd = folder();
    copyFileSync(MLP, join(cwd, "it's.onnx"));
    const args = ['quantize', '--min-elements', '0', "it's.onnx", '-o', 'small.onnx', '--report', 'report.html'];
    const { stderr } = done(compress(args, { cwd }));
    expect(stderr).toMatch(/^report in report\.html$/m);
    expect(readdirSync(cwd).sort()).toEqual(["it's.onnx", 'report.html', 'small.onnx']);
    const data = dataIn(join(cwd, 'report.html'));
    expect(data.command).toBe(
      `onnx-compress quantize --min-elements 0 'it'\\''s.onnx' -o small.onnx --report report.html`,
    );
    expect(data.versions.map((one) => one.name)).toEqual(['onnx-compress', 'ONNX Runtime', 'Node.js']);
    const side = (name: string): Partial<ReportSide> => {
      const file = readFileSync(join(cwd, name));
      const sha256 = createHash('sha256').update(file).digest('hex');
      const files = [{ name, bytes: file.length, sha256 }];
      return { name, bytes: file.length, files, inputs: ['input: float32 [batch, 64]'], parameters: 50_826 };
    };
    expect(data.input).toMatchObject({ ...side("it's.onnx"), format: 'IR version 8, opset 17', nodes: 5 });
    expect(data.output).toMatchObject({ ...side('small.onnx'), outputs: ['logits: float32 [batch, 10]'] });
    for (const { roles, bytes } of [data.input, data.output]) {
      expect(sum(roles.map((one) => one.bytes))).toBe(bytes);
    }
    expect(data.output.roles[0]).toEqual({ role: 'weights in int8', tensors: 3, bytes: 50_432 });
    expect(data.layers.map((one) => [one.weight, one.opType, one.shape, one.form])).toEqual([
      ['fc1.weight', 'Gemm', 'float32 256×64', 'int8 per channel, dynamic'],
      ['fc2.weight', 'Gemm', 'float32 128×256', 'int8 per channel, dynamic'],
      ['fc3.weight', 'Gemm', 'float32 10×128', 'int8 per channel, dynamic'],
    ]);
    for (const { sqnr, histogram, before, after, sparsity } of data.layers) {
      expect(sqnr).toBeGreaterThan(30);
      expect(after).toBeLessThan(0.3 * before);
      expect(sparsity).toBeLessThan(0.05);
      expect([histogram?.before.length, histogram?.after.length]).toEqual([64, 64]);
      expect([sum(histogram?.before), sum(histogram?.after)]).toEqual([before / 4, before / 4]);
      expect(histogram?.before).not.toEqual(histogram?.after);
    }
    expect(data.verdict).toMatchObject({ kind: 'asked', unfused: [] });
    expect(data.verdict.kind === 'asked' && data.verdict.kernels[0]).toEqual({ op: 'DynamicQuantizeMatMul', nodes: 3 });
    expect(data.sensitivity).toBeNull();
  });

  test('writes the same model as without a report, and leaves nothing in the temporary folder', () => {
    const cwd = folder();
    const temporary = subfolder(cwd, 'tmp');
    const env = { TMPDIR: temporary };
    done(compress(['quantize', MLP, '-q', '-o', 'plain.onnx'], { cwd, env }));
    done(compress(['quantize', MLP, '-q', '-o', 'other.onnx', '--report', 'r.html'], { cwd, env }));
    const piped = done(shell(`cat '${MLP}' | onnx-compress quantize --report piped.html`, { cwd, env }));
    const plain = readFileSync(join(cwd, 'plain.onnx'));
    expect(readFileSync(join(cwd, 'other.onnx')).equals(plain)).toBe(true);
    expect(piped.stdout.equals(plain)).toBe(true);
    expect(readdirSync(temporary)).toEqual([]);
    const [file, pipe] = [dataIn(join(cwd, 'r.html')), dataIn(join(cwd, 'piped.html'))];
    expect(pipe.layers).toEqual(file.layers);
    expect(pipe.verdict).toEqual(file.verdict);
    expect([pipe.input.files, pipe.output.files].map(([one]) => one?.sha256)).toEqual(
      [file.input.files, file.output.files].map(([one]) => one?.sha256),
    );
    expect([pipe.input.name, pipe.output.name]).toEqual(['<stdin>', '<stdout>']);
  });

  test('shows the zeros of a pruned model in its histograms', () => {
    const cwd = folder();
    const args = ['prune', '--l1', '0.5', '--exclude', 'conv9', MLP, '-o', 'p.onnx', '--report', 'r.html'];
    done(compress(args, { cwd }));
    const { summary, check, layers, sensitivity, notes } = dataIn(join(cwd, 'r.html'));
    expect([summary, check]).toEqual([expect.stringContaining('204 kB → 204 kB, 50.0 % zeros'), null]);
    expect(notes).toEqual(['--exclude conv9 matches no weight and no node']);
    expect(layers.map((one) => [one.form, one.sparsity])).toEqual(Array(3).fill(['pruned', 0.5]));
    for (const { histogram, before, sqnr } of layers) {
      expect(sqnr).toBeGreaterThan(5);
      expect(sqnr).toBeLessThan(20);
      expect(Math.max(...(histogram?.after ?? []))).toBeGreaterThanOrEqual(before / 8);
      expect(sum(histogram?.after)).toBe(before / 4);
    }
    expect(sensitivity).toBeNull();
  });

  test('shows the changes of several passes to a weight in one row, and unpacks a packed weight to compare it', () => {
    const cwd = folder();
    const line = `onnx-compress prune -q --l1 0.5 '${MLP}' | onnx-compress quantize -q --store bitmask --report r.html > q.onnx`;
    done(shell(line, { cwd }));
    const { layers } = dataIn(join(cwd, 'r.html'));
    expect(layers.map((one) => [one.weight, one.form])).toEqual([
      ['fc1.weight', 'int8 per channel, weights only, bitmask'],
      ['fc2.weight', 'int8 per channel, weights only, bitmask'],
      ['fc3.weight', 'int8 per channel, weights only, bitmask'],
    ]);
    for (const one of layers) expect(one.sqnr).toBeGreaterThan(30);
  });

  test('counts weights stored in 16 bits if the model computes in float32', () => {
    const cwd = folder();
    for (const [name, options] of Object.entries({
      stored: ['--float16'],
      computed: ['--float16', '--compute', 'float16'],
    }))
      done(compress(['quantize', '-q', ...options, MLP, '-o', `${name}.onnx`, '--report', `${name}.html`], { cwd }));
    expect(dataIn(join(cwd, 'stored.html')).verdict).toMatchObject({ kind: 'asked', halves: 3, madeFloat: [] });
    expect(dataIn(join(cwd, 'computed.html')).verdict).toMatchObject({ kind: 'asked', halves: 0 });
  });

  test('names a weight that is converted to float at each run, with the reason', () => {
    const cwd = folder();
    const model = buildModel({
      opset: 21,
      inputs: { x: f32(['N', 32]) },
      outputs: { y: f32(['N', 32]) },
      nodes: [
        { op: 'DequantizeLinear', in: ['w', 's'], out: ['wf'], name: 'dq', attributes: { axis: -1 } },
        { op: 'MatMul', in: ['x', 'wf'], out: ['h'], name: 'fc1' },
        { op: 'MatMul', in: ['h', 'v'], out: ['y'], name: 'fc2' },
      ],
      initializers: {
        w: { dtype: 'int8', dims: [32, 32], data: Int8Array.from({ length: 1024 }, (_, at) => (at % 200) - 100) },
        s: f32([32], new Float32Array(32).fill(0.1)),
        v: f32([32, 32], normal(1024, 5)),
      },
    });
    writeFileSync(join(cwd, 'm.onnx'), model);
    done(compress(['prune', '-q', '--l1', '0.5', 'm.onnx', '-o', 'p.onnx', '--report', 'r.html'], { cwd }));
    const { verdict, passes } = dataIn(join(cwd, 'r.html'));
    expect(verdict).toMatchObject({
      kind: 'asked',
      unfused: [{ weight: 'w', node: 'fc1', opType: 'MatMul', why: expect.stringMatching(/^axis -1; /) }],
    });
    expect(passes[0]?.skips.map((one) => one.weight)).toContain('wf');
  });

  test('reports a model that ONNX Runtime does not load, without its kernels', () => {
    const cwd = folder();
    const model = buildModel({
      opset: 17,
      inputs: { x: f32(['N', 32]) },
      outputs: { y: f32(['N', 32]) },
      nodes: [
        { op: 'MatMul', in: ['x', 'v'], out: ['h'], name: 'fc' },
        { op: 'Unheard', in: ['h'], out: ['y'], name: 'odd', domain: 'strange' },
      ],
      initializers: { v: f32([32, 32], normal(1024, 5)) },
    });
    const run = { cwd, input: model };
    const { stdout } = done(compress(['prune', '-q', '--l1', '0.5', '-', '--report', 'r.html'], run));
    expect(stdout.length).toBeGreaterThan(4096);
    const { verdict, layers } = dataIn(join(cwd, 'r.html'));
    expect(verdict).toMatchObject({ kind: 'not_asked', why: expect.stringMatching(/could not be queried: <stdout>/) });
    expect(layers).toHaveLength(1);
  });

  test('with --calibrate, the loss of each layer equals what verify measures with that layer alone quantized', () => {
    const cwd = folder();
    const args = ['quantize', '-q', '--calibrate', CNN_DATA, '--samples', '100', '--prefer', 'size', CNN];
    done(compress([...args, '-o', 'all.onnx', '--report', 'r.html'], { cwd }));
    const { sensitivity, layers } = dataIn(join(cwd, 'r.html'));
    if (sensitivity?.kind !== 'measured') throw new Error('nothing was measured');
    expect(sensitivity.layers.map((one) => one.weight)).toEqual(layers.map((one) => one.weight));
    expect([sensitivity.of, sensitivity.data]).toEqual([4, 'digits-cnn-calib.npz: 100 samples']);
    const [one, ...others] = layers.map((layer) => layer.weight);
    const exclude = others.flatMap((name) => ['--exclude', `^${name}$`]);
    done(compress([...args, ...exclude, '-o', 'one.onnx'], { cwd }));
    const verified = ['verify', '--json', '--data', CNN_DATA, '--samples', '100', CNN, 'one.onnx'];
    const { outputs } = JSON.parse(compress(verified, { cwd }).stdout.toString()) as { outputs: { sqnr: number }[] };
    const found = sensitivity.layers.find((layer) => layer.weight === one);
    expect(found?.sqnr).toBeCloseTo(outputs[0]?.sqnr ?? 0, 6);
  });

  test('does not count a folded BatchNormalization as noise', () => {
    const cwd = folder();
    const data = fixture('digits-cnn-bn-calib.npz');
    const args = ['quantize', '-q', '--calibrate', data, fixture('digits-cnn-bn.onnx'), '-o', 'bn.onnx'];
    done(compress([...args, '--equalize', '--report', 'r.html'], { cwd }));
    const { layers } = dataIn(join(cwd, 'r.html'));
    expect(layers).toHaveLength(4);
    for (const one of layers) expect(one.sqnr).toBeGreaterThan(30);
  });

  test('measures the 64 largest of many layers, and says so', () => {
    const cwd = folder();
    const { model, data } = chain(Array.from({ length: 66 }, (_, index) => `w${index}`));
    writeFileSync(join(cwd, 'm.onnx'), model);
    writeFileSync(join(cwd, 'd.npz'), data);
    const args = ['quantize', '-q', '--min-elements', '1', '--calibrate', 'd.npz', 'm.onnx', '-o', 'o.onnx'];
    done(compress([...args, '--report', 'r.html'], { cwd }));
    const { sensitivity } = dataIn(join(cwd, 'r.html'));
    expect(sensitivity).toMatchObject({ kind: 'measured', of: 66 });
    expect(sensitivity?.kind === 'measured' && sensitivity.layers.length).toBe(64);
  });

  test('compares the models even if the result replaces the input', () => {
    const cwd = folder();
    copyFileSync(CNN, join(cwd, 'm.onnx'));
    const args = ['quantize', '-q', '--calibrate', CNN_DATA, 'm.onnx', '-o', 'm.onnx', '--force', '--report', 'r.html'];
    done(compress(args, { cwd }));
    const { layers, sensitivity } = dataIn(join(cwd, 'r.html'));
    for (const one of layers) expect(one.sqnr).toBeGreaterThan(30);
    expect(sensitivity).toEqual({ kind: 'not_measured', why: 'the float model was replaced by the result' });
  });

  test('works with onnx-compress run, and a saved recipe does not contain it', () => {
    const cwd = folder();
    const both = ['--save-recipe', 'recipe.json', '--report', 'r.html'];
    done(compress(['prune', '-q', '--l1', '0.5', MLP, '-o', 'p.onnx', ...both], { cwd }));
    const recipe = readFileSync(join(cwd, 'recipe.json'), 'utf8');
    expect(JSON.parse(recipe)).toMatchObject({ steps: [{ verb: 'prune', l1: 0.5 }] });
    expect(recipe).not.toContain('report');
    done(compress(['run', '-q', 'recipe.json', MLP, '-o', 'run.onnx', '--report', 'run.html'], { cwd }));
    expect(dataIn(join(cwd, 'run.html')).layers).toEqual(dataIn(join(cwd, 'r.html')).layers);
    writeFileSync(
      join(cwd, 'bad.json'),
      '{ "onnxCompress": 1, "steps": [{ "verb": "prune", "l1": 0.5, "report": "x.html" }] }',
    );
    const refused = compress(['run', 'bad.json', MLP, '-o', 'bad.onnx'], { cwd });
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/'report': a step can write no other file/),
    ]);
  });

  test('names of a model remain text', () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'm.onnx'), chain([HOSTILE, 'second']).model);
    done(compress(['quantize', '--min-elements', '1', 'm.onnx', '-o', 'o.onnx', '--report', 'r.html'], { cwd }));
    const html = readFileSync(join(cwd, 'r.html'), 'utf8');
    expect(html).not.toContain('<img');
    expect(html.match(/<\/script/g)).toHaveLength(2);
    expect(dataIn(join(cwd, 'r.html')).layers[0]?.weight).toBe(HOSTILE);
  });

  test('the page loads nothing', () => {
    const cwd = folder();
    done(compress(['quantize', '-q', MLP, '-o', 'o.onnx', '--report', 'r.html'], { cwd }));
    const html = readFileSync(join(cwd, 'r.html'), 'utf8');
    expect(html).not.toMatch(/https?:|\bsrc=|@import|<link|url\(/i);
    expect(html).toContain("default-src 'none'");
  });
});

describe('onnx-compress --report refuses', () => {
  const cwd = folder();
  copyFileSync(MLP, join(cwd, 'm.onnx'));
  writeFileSync(join(cwd, 'there.html'), 'mine');
  subfolder(cwd, 'sub');
  const before = readdirSync(cwd).sort();

  test.each([
    ['an empty name', ['-o', 'o.onnx', '--report='], 2, /--report: the file name is empty/],
    ['standard output', ['-o', 'o.onnx', '--report', '-'], 2, /--report: the page cannot go to standard output/],
    ['a dry run', ['--dry-run', '--report', 'r.html'], 2, /--report: a dry run writes no files/],
    ['the model', ['-o', 'o.onnx', '-f', '--report', 'sub/../m.onnx'], 2, /used for another file of this run/],
    ['the result', ['-o', 'o.onnx', '--report', './o.onnx'], 2, /used for another file of this run/],
    ['the data file', ['-o', 'o.onnx', '--report', 'o.onnx.data'], 2, /used for another file of this run/],
    [
      'the recipe',
      ['-o', 'o.onnx', '--save-recipe', 'r.json', '--report', 'r.json'],
      2,
      /used for another file of this run/,
    ],
    ['what is no page', ['-o', 'o.onnx', '-f', '--report', 'other.onnx'], 2, /'other\.onnx' does not end in \.html/],
    ['a file that is there', ['-o', 'o.onnx', '--report', 'there.html'], 1, /there\.html/],
    ['a folder', ['-o', 'o.onnx', '-f', '--report', 'sub'], 2, /'sub' is a folder/],
    ['a folder that is not there', ['-o', 'o.onnx', '--report', 'no/r.html'], 1, /the folder no does not exist/],
    ['a run that fails', ['-o', 'o.onnx', '--min-elements', '1000000', '--report', 'r.html'], 1, /nothing to change/],
  ])('%s', (_, args, code, message) => {
    const found = compress(['quantize', 'm.onnx', ...args], { cwd });
    expect(found.stderr).toMatch(message);
    expect(found.code).toBe(code);
    expect(readdirSync(cwd).sort()).toEqual(before);
    expect(readFileSync(join(cwd, 'there.html'), 'utf8')).toBe('mine');
  });

  test('--force replaces a page', () => {
    const own = folder();
    writeFileSync(join(own, 'r.html'), 'mine');
    done(compress(['quantize', '-q', MLP, '-o', 'o.onnx', '-f', '--report', 'r.html'], { cwd: own }));
    expect(dataIn(join(own, 'r.html')).layers).toHaveLength(3);
  });
});

const CHROMIUM = '/usr/bin/chromium';
// Skipped visibly if there is no browser.
(existsSync(CHROMIUM) ? describe : describe.skip)('in a browser', () => {
  function dom(path: string): string {
    const profile = mkdtempSync(join(tmpdir(), 'compress-chromium-'));
    const flags = [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
      // Charts are drawn with a frame, so a slow machine must not end the virtual time before one.
      ...['--virtual-time-budget=30000', '--run-all-compositor-stages-before-draw'],
      ...['--window-size=1100,1500', `--user-data-dir=${profile}`, '--dump-dom'],
    ];
    try {
      return spawnSync(CHROMIUM, [...flags, `file://${path}`], { timeout: 60_000 }).stdout.toString();
    } finally {
      rmSync(profile, { recursive: true, force: true });
    }
  }

  test('the page has its tables and charts', () => {
    const cwd = folder();
    const args = ['quantize', '-q', '--calibrate', CNN_DATA, CNN, '-o', 'o.onnx', '--report', 'r.html'];
    done(compress([...args, '--exclude', 'conv9'], { cwd }));
    const found = dom(join(cwd, 'r.html'));
    expect(found).toContain('<span class="whole">--exclude</span> conv9 matches no weight and no node</li>');
    expect(found).toContain('<h2>Sensitivity</h2>');
    expect(found.match(/<tr class="selectable/g)).toHaveLength(4);
    expect(found).toMatch(
      /<bdi>onnx::Conv_38<\/bdi><\/td><td[^>]*><bdi>Conv<\/bdi><\/td><td[^>]*><bdi>float32 32×1×3×3<\/bdi>/,
    );
    expect(found.match(/<canvas/g)).toHaveLength(1);
    // The verdict; bars of the bytes, and of the loss with the longest first.
    expect(found).toMatch(
      /<p class="summary">314&nbsp;kB → 86\.6&nbsp;kB, 3\.6× smaller, SQNR 4\d\.\d&nbsp;dB, time&nbsp;×\d\.\d\d; 4 weights changed</,
    );
    expect(found).toMatch(/Both models were run \(digits-cnn-calib\.npz: 8 samples\): logits 4\d\.\d&nbsp;dB, /);
    expect(found.match(/class="bars" role="group"/g)).toHaveLength(3);
    // The largest weight comes first, with its histogram below it; the column of the loss can be sorted.
    expect(found).toMatch(/<th[^>]*aria-sort="descending"[^>]*><button[^>]*>before</);
    expect(found).toMatch(/aria-expanded="true".*?<tr class="detail"/s);
    expect(found).toContain('<button type="button">output loss</button>');
    expect(found).toMatch(/<code>[0-9a-f]{64}<\/code>/);
    const [, losses = ''] = found.split('aria-label="Loss of the outputs, layer by layer"');
    expect(/class="bar" style="width: ([\d.]+)%/.exec(losses)?.[1]).toBe('100.00');
    expect(found).toContain('Save as JSON');
  }, 90_000);

  test('markup in names of a model has no effect', () => {
    const cwd = folder();
    writeFileSync(join(cwd, 'm.onnx'), chain([HOSTILE, 'second']).model);
    done(compress(['quantize', '-q', '--min-elements', '1', 'm.onnx', '-o', 'o.onnx', '--report', 'r.html'], { cwd }));
    const found = dom(join(cwd, 'r.html'));
    expect(found).toContain('<title>m.onnx → o.onnx: onnx-compress</title>');
    expect(found).toContain('<bdi>a&lt;/script&gt;&lt;img');
    expect(found).not.toContain('<img');
  }, 90_000);
});
