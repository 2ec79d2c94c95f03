import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { bars } from '../../src/cli/inspect/histogram.ts';
import { renderInspection } from '../../src/cli/inspect/render.ts';
import { inspect, planModel, readModel } from '../../src/index.node.ts';
import { buildModel, f32, i64, type ModelSpec } from '../support/build.ts';
import { compressEach, fixture, folder, shell } from '../support/cli.ts';
import { compress } from '../support/resident.ts';
import { sparseModel } from '../support/sparse.ts';

const M = fixture('mymodel.onnx');
const MLP = fixture('digits-mlp.onnx');
const HOSTILE = 'a\u001b[31mred\nline\u202eevil';

const hostile: ModelSpec = {
  opset: 17,
  domains: { [HOSTILE]: 1 },
  inputs: { [HOSTILE]: f32([HOSTILE, 4]) },
  outputs: { y: f32() },
  nodes: [
    { op: 'MatMul', in: [HOSTILE, 'w'], out: ['h'], name: HOSTILE },
    { op: HOSTILE, domain: HOSTILE, in: ['h', `${HOSTILE}2`], out: ['y'], attributes: { [HOSTILE]: HOSTILE } },
  ],
  initializers: { w: f32([4, 4], new Float32Array(16).fill(Number.NaN)), [`${HOSTILE}2`]: i64([1], [1]) },
};

/** The report on a fixture, for a terminal of the given width. */
async function rendered(path: string, columns: number, ascii = false): Promise<string> {
  const model = await readModel(path);
  const byteLengthOf = (one: typeof model): number => planModel(one).byteLength;
  const found = await inspect(model, { weights: true, planner: { open: () => readModel(path), byteLengthOf } });
  const text = renderInspection('m.onnx', await model.header(), found, {
    color: false,
    verbose: false,
    columns,
    ascii,
  });
  await model.close();
  return text;
}

describe('the report for people', () => {
  test('at 80 columns', async () => expect(await rendered(MLP, 80)).toBe(AT_80));
  test('at 140 columns', async () => expect(await rendered(MLP, 140)).toBe(AT_140));

  test.each([80, 100, 140])('no line of any fixture is wider than %d columns', async (columns) => {
    for (const path of ['digits-cnn-bn.onnx', 'digits-vit.onnx', 'mymodel-dynamo.onnx', 'edge/tied-embedding.onnx']) {
      const lines = (await rendered(fixture(path), columns)).split('\n');
      for (const line of lines) expect([line, [...line].length <= columns]).toEqual([line, true]);
    }
  });

  test('bars show the smallest count, and fill for the largest; dumb terminals get ASCII', async () => {
    expect(bars([0, 1, 50, 100, 1000, 1000], false)).toBe(' ▁▁▁██');
    expect(bars([0, 500, 1000], true)).toBe(' =#');
    expect(bars([0, 0], false)).toBe('  ');
    expect(await rendered(MLP, 80, true)).not.toMatch(/[▁-█]/);
    const [dumb, other] = [compress(['inspect', '-w', M], { env: { TERM: 'dumb' } }), compress(['inspect', '-w', M])];
    expect(dumb.stdout.toString()).not.toMatch(/[▁-█]/);
    expect(other.stdout.toString()).toMatch(/[▁-█]/);
  });
});

describe('onnx-compress inspect', () => {
  test('prints to standard output, in colour if requested, and exits 0', () => {
    const plain = compress(['inspect', M], { env: { NO_COLOR: '1', FORCE_COLOR: '1' } });
    expect(plain).toMatchObject({ code: 0, stderr: '' });
    expect(plain.stdout.toString()).not.toContain('\u001b');
    const colored = compress(['inspect', M], { env: { FORCE_COLOR: '1' } });
    expect(colored.stdout.toString()).toContain('\u001b[');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of chalk
    expect(colored.stdout.toString().replace(/\u001b\[\d+m/g, '')).toBe(plain.stdout.toString());
  });

  test('gives the same report for standard input, piped or redirected', () => {
    const own = compress(['inspect', '--json', M]).stdout.toString();
    for (const line of [`cat ${M} | onnx-compress inspect --json`, `onnx-compress inspect --json - < ${M}`]) {
      const done = shell(line);
      expect(done).toMatchObject({ code: 0, stderr: '' });
      expect(done.stdout.toString().replace('<stdin>', M)).toBe(own);
    }
    const piped = shell(`onnx-compress prune --l1 0.6 -q ${MLP} | onnx-compress inspect -w --json`);
    const { measured } = JSON.parse(piped.stdout.toString());
    expect(measured[0]).toMatchObject({ name: 'fc2.weight', statistics: { zeros: 19661, elements: 32768 } });
  });

  test('--json has every section, and the sizes of quantize --dry-run', () => {
    const found = JSON.parse(compress(['inspect', '--json', '-w', MLP]).stdout.toString());
    expect(Object.keys(found)).toEqual([
      ...[
        'version',
        'input',
        'header',
        'irVersion',
        'opsets',
        'graph',
        'inputs',
        'outputs',
        'nodes',
        'bodies',
        'functions',
      ],
      ...['parameters', 'operators', 'dtypes', 'weights', 'sparse', 'packed', 'notes', 'plan', 'measured'],
    ]);
    expect(found.header).toEqual({
      ...{ producerName: 'pytorch', producerVersion: '2.13.0', domain: '', modelVersion: 0 },
      ...{ byteLength: 204006, dataFiles: [], docStringByteLength: 0, metadata: [] },
    });
    expect(found.weights[0]).toEqual({
      ...{ name: 'fc2.weight', role: 'weight', opTypes: ['Gemm'], node: '/fc2/Gemm', dtype: 'float32' },
      ...{ dims: [128, 256], elements: 32768, byteLength: 131072 },
    });
    expect(Object.keys(found.measured[0].statistics)).toEqual([
      ...['elements', 'zeros', 'nans', 'infinities', 'min', 'max', 'absMax', 'mean', 'std', 'channelSpread'],
      ...['channels', 'zeroChannels', 'outlierRatio', 'outlierShare', 'axis', 'histogram'],
    ]);
    for (const [index, flag] of [
      [0, '--int8'],
      [1, '--weights-only'],
    ] as const) {
      const dry = JSON.parse(compress(['quantize', flag, '-n', '--json', MLP]).stdout.toString());
      expect(found.plan.predictions[index].byteLength).toBe(dry.after);
    }
  });

  test('the predicted size is that of the file, also with external data, except for forms that depend on values', () => {
    const cwd = folder();
    for (const [path, apart] of [
      [fixture('edge/external-data.onnx'), 0],
      [fixture('digits-vit.onnx'), 0.03],
    ] as const) {
      const found = JSON.parse(compress(['inspect', '--json', path]).stdout.toString());
      const [done] = compressEach([['quantize', path, '-o', path.split('/').at(-1) ?? '', '--json', '-q', '-f']], {
        cwd,
      });
      const { after } = JSON.parse(done?.stdout.toString() ?? '');
      expect(Math.abs(found.plan.predictions[0].byteLength / after - 1)).toBeLessThanOrEqual(apart);
    }
    const external = JSON.parse(compress(['inspect', '--json', fixture('edge/external-data.onnx')]).stdout.toString());
    expect(external.header.dataFiles).toEqual([{ location: 'external-data.onnx.data', byteLength: 20736 }]);
  });

  test('--graph prints a line per node; --json has the nodes as data', () => {
    const printed = readFileSync(fixture('mymodel.txt'), 'utf8');
    expect(compress(['inspect', '--graph', M]).stdout.toString()).toBe(printed);
    const { graphs } = JSON.parse(compress(['inspect', '--graph', '--json', M]).stdout.toString());
    expect(graphs[0].nodes[0]).toMatchObject({
      ...{ opType: 'Gemm', inputs: ['input', 'fc1.weight', 'fc1.bias'] },
      attributes: expect.arrayContaining([{ name: 'transB', type: 'int', value: 1 }]),
    });
  });

  test('describes a large model without reading its weights; --weights reads them in little memory', () => {
    const path = join(folder(), 'big.onnx');
    sparseModel(path, 2 ** 28);
    const found = JSON.parse(compress(['inspect', '--json', path]).stdout.toString());
    expect(found.parameters).toBe(67_108_000);
    const limited = compress(['inspect', '-w', '--json', path], { env: { NODE_OPTIONS: '--max-old-space-size=64' } });
    const { measured } = JSON.parse(limited.stdout.toString());
    expect(measured[0].statistics).toMatchObject({ zeros: 67_108_000, zeroChannels: 1000, outlierRatio: 0 });
  });

  test('control characters in names are made harmless', () => {
    const cwd = folder();
    const input = buildModel(hostile);
    for (const args of [[], ['-w'], ['-v', '-w'], ['--graph'], ['--format', 'md', '-w'], ['--format', 'csv', '-w']]) {
      const done = compress(['inspect', ...args], { cwd, input, env: { NO_COLOR: '1' } });
      expect(done).toMatchObject({ code: 0, stderr: '' });
      const text = done.stdout.toString();
      expect(text).toContain('evil');
      expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
      expect(text).not.toMatch(/^line/m);
    }
    expect(compress(['inspect', '-w'], { input }).stdout.toString()).toContain('w: 16 NaN');
    const json = JSON.parse(compress(['inspect', '--json', '-g'], { input }).stdout.toString());
    expect(json.inputs[0].name).toBe(HOSTILE);
  });

  test('--format gives Markdown tables, a CSV line per weight, or the same as --json', () => {
    const [md, csv, json, same, graph] = compressEach([
      ['inspect', '--format', 'md', MLP],
      ['inspect', '--format', 'csv', '--weights', MLP],
      ['inspect', '--format', 'json', MLP],
      ['inspect', '--json', MLP],
      ['inspect', '--format', 'csv', '--graph', MLP],
    ]).map(({ stdout, stderr }) => stdout.toString() + stderr);
    expect(md).toContain('\n### weights, the largest first\n\n| weight | operator | shape | bytes | share |\n');
    expect(md).toContain('\n| fc2.weight | Gemm | float32 128×256 | 131 kB | 64.5 % |\n');
    const [names, first, ...rest] =
      csv
        ?.trimEnd()
        .split('\n')
        .map((line) => line.split(',')) ?? [];
    expect(names?.slice(1, 8)).toEqual(['name', 'node', 'opTypes', 'dtype', 'dims', 'elements', 'byteLength']);
    expect(first?.slice(1, 8)).toEqual(['fc2.weight', '/fc2/Gemm', 'Gemm', 'float32', '128x256', '32768', '131072']);
    expect(first?.[names?.indexOf('max') ?? 0]).toMatch(/^0\.4654/);
    expect(rest).toHaveLength(5);
    expect(json).toBe(same);
    expect(graph).toMatch(/--graph: --format csv writes tables, and a graph is not a table\n {2}--format json lists/);
  });

  test('refuses invalid models and command lines', () => {
    const [missing, broken, both, two, none] = compressEach([
      ['inspect', 'nowhere.onnx'],
      ['inspect', fixture('malformed/truncated-half.onnx')],
      ['inspect', '-w', '-g', M],
      ['inspect', '-', M],
      ['inspect', ''],
    ]);
    expect(missing).toMatchObject({ code: 1, stderr: 'error: nowhere.onnx: no such file or folder\n' });
    expect(broken?.code).toBe(1);
    expect(broken?.stderr).toContain('The file is incomplete');
    expect(both?.stderr).toContain('--weights and --graph cannot be used together');
    expect(two?.stderr).toContain('standard input cannot be combined with files');
    expect(none?.stderr).toContain('model: the file name is empty');
    for (const one of [both, two, none]) expect(one).toMatchObject({ code: 2 });
    for (const one of [missing, broken, both, two, none]) expect(one?.stdout.toString()).toBe('');
  });
});

const AT_80 = `m.onnx: 204 kB, 50826 parameters
  format    IR version 8, opset 17
  producer  pytorch 2.13.0
  graph     main_graph (5 nodes)
  input     input  float32 [batch, 64]
  output    logits  float32 [batch, 10]
operators
  operator  nodes  parameters    share
  Gemm          3       50826  100.0 %
  Relu          2
types
  type     tensors  elements   bytes    share
  float32        6     50826  203 kB  100.0 %
weights, the largest first
  weight      operator  shape              bytes   share
  fc2.weight  Gemm      float32 128×256   131 kB  64.5 %
  fc1.weight  Gemm      float32 256×64   65.5 kB  32.2 %
  fc3.weight  Gemm      float32 10×128   5.12 kB   2.5 %
  fc1.bias    Gemm      float32 256      1.02 kB   0.5 %
  fc2.bias    Gemm      float32 128        512 B   0.3 %
  fc3.bias    Gemm      float32 10          40 B   0.0 %
quantize --int8 would change 3 weights: 202 kB → 51.2 kB
prune would choose from 50432 weights in 3 tensors
predicted sizes
  made by                                       size  of now
  quantize --int8                            54.2 kB  26.6 %
  quantize --weights-only                    54.2 kB  26.6 %
  quantize --int4                            33.2 kB  16.3 %
  quantize --float16                          102 kB  50.2 %
  prune --l1 60% | pack                      89.3 kB  43.8 %
  prune --l1 60% | quantize --store bitmask  30.2 kB  14.8 %
  within a few percent: the form of a weight depends on its values
weight values
  weight      zeros     std  spread  outliers  values
  fc2.weight  0.0 %   0.075    10.5      1.71  ▁▁▁▁▁▁▁▂▆█▅▁▁▁▁▁
  fc1.weight  0.0 %    0.11    4.69      1.37  ▁▁▁▁▁▂▄▇██▆▂▁▁▁▁
  fc3.weight  0.0 %    0.11    2.06      1.04  ▁▁▁▁▃▆▇███▇▂▁ ▁▁
  fc1.bias    0.0 %   0.074                 1  ▁▂▄▃▅▆▅▅███▇▅▄▂▂
  fc2.bias    0.0 %  0.0473                 1  ▁▁▃▃▅▅█▇▄▄▆▇█▂▄▁
  fc3.bias    0.0 %  0.0564                 1  ▄ ▄█  ▄▄▄     █▄
  spread: largest over smallest channel magnitude; outliers: largest magnitude
    over the 99.9th percentile; values: min to max, without zeros
`;

const AT_140 = `m.onnx: 204 kB, 50826 parameters
  format    IR version 8, opset 17
  producer  pytorch 2.13.0
  graph     main_graph (5 nodes)
  input     input  float32 [batch, 64]
  output    logits  float32 [batch, 10]
operators
  operator  nodes  parameters    share
  Gemm          3       50826  100.0 %
  Relu          2
types
  type     tensors  elements   bytes    share
  float32        6     50826  203 kB  100.0 %
weights, the largest first
  weight      operator  shape              bytes   share
  fc2.weight  Gemm      float32 128×256   131 kB  64.5 %
  fc1.weight  Gemm      float32 256×64   65.5 kB  32.2 %
  fc3.weight  Gemm      float32 10×128   5.12 kB   2.5 %
  fc1.bias    Gemm      float32 256      1.02 kB   0.5 %
  fc2.bias    Gemm      float32 128        512 B   0.3 %
  fc3.bias    Gemm      float32 10          40 B   0.0 %
quantize --int8 would change 3 weights: 202 kB → 51.2 kB
prune would choose from 50432 weights in 3 tensors
predicted sizes
  made by                                       size  of now
  quantize --int8                            54.2 kB  26.6 %
  quantize --weights-only                    54.2 kB  26.6 %
  quantize --int4                            33.2 kB  16.3 %
  quantize --float16                          102 kB  50.2 %
  prune --l1 60% | pack                      89.3 kB  43.8 %
  prune --l1 60% | quantize --store bitmask  30.2 kB  14.8 %
  within a few percent: the form of a weight depends on its values
weight values
  weight      shape            zeros      min     max      mean     std  spread  outliers  values
  fc2.weight  float32 128×256  0.0 %   -0.655   0.465   0.00132   0.075    10.5      1.71  ▁▁▁▁▁▁▁▂▆█▅▁▁▁▁▁
  fc1.weight  float32 256×64   0.0 %   -0.573    0.49  -0.00188    0.11    4.69      1.37  ▁▁▁▁▁▂▄▇██▆▂▁▁▁▁
  fc3.weight  float32 10×128   0.0 %    -0.44   0.422  -0.00883    0.11    2.06      1.04  ▁▁▁▁▃▆▇███▇▂▁ ▁▁
  fc1.bias    float32 256      0.0 %   -0.159   0.189    0.0269   0.074                 1  ▁▂▄▃▅▆▅▅███▇▅▄▂▂
  fc2.bias    float32 128      0.0 %  -0.0989   0.116     0.016  0.0473                 1  ▁▁▃▃▅▅█▇▄▄▆▇█▂▄▁
  fc3.bias    float32 10       0.0 %  -0.0745  0.0942   0.00628  0.0564                 1  ▄ ▄█  ▄▄▄     █▄
  spread: largest over smallest channel magnitude; outliers: largest magnitude over the 99.9th percentile; values: min to max, without zeros
`;
