import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { renderDiff, renderMarkdown } from '../../src/cli/diff/render.ts';
import { diff, readModel } from '../../src/index.node.ts';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { compressEach, fixture, folder, oneLine, shell } from '../support/cli.ts';
import { compress } from '../support/resident.ts';

const MLP = fixture('digits-mlp.onnx');
const CNN = fixture('digits-cnn.onnx');
const cwd = folder();
const SMALL = join(cwd, 'small.onnx');
const PRUNED = join(cwd, 'pruned.onnx');
const CONV = join(cwd, 'conv.onnx');

beforeAll(() => {
  compressEach([
    ['quantize', '--min-elements', '0', MLP, '-q', '-o', SMALL],
    ['prune', '--l1', '0.4', MLP, '-q', '-o', PRUNED],
    ['quantize', '-w', '--min-elements', '0', CNN, '-q', '-o', CONV],
  ]);
});

/** The report on two files for a terminal of that width. */
async function rendered(before: string, after: string, columns: number): Promise<string> {
  const models = [await readModel(before), await readModel(after)] as const;
  const found = await diff(...models);
  const text =
    columns === 0
      ? renderMarkdown('a → b', found, false)
      : renderDiff('a → b', found, false, { color: false, verbose: false, columns });
  for (const model of models) await model.close();
  return text;
}

describe('the report for people', () => {
  test('quantized, at 80 columns', async () => expect(await rendered(MLP, SMALL, 80)).toBe(AT_80));
  test('convolutions, at 140 columns', async () => expect(await rendered(CNN, CONV, 140)).toBe(AT_140));
  test('pruned, as Markdown', async () => expect(await rendered(MLP, PRUNED, 0)).toBe(MARKDOWN));

  test.each([60, 80, 140])('no line is wider than %d columns', async (columns) => {
    for (const [before, after] of [
      [MLP, SMALL],
      [CNN, CONV],
      [MLP, fixture('digits-vit.onnx')],
      [fixture('edge/opset9.onnx'), fixture('edge/metadata-unknown-fields.onnx')],
    ] as const) {
      const lines = (await rendered(before, after, columns)).split('\n');
      for (const line of lines) expect([line, [...line].length <= columns]).toEqual([line, true]);
    }
  });
});

describe('onnx-compress diff', () => {
  test('tells identical files from equal models in different encodings', () => {
    const same = compress(['diff', MLP, MLP]);
    expect(same).toMatchObject({ code: 0, stderr: '' });
    expect(oneLine(same.stdout)).toMatch(/: identical, byte for byte $/);
    // An unknown field: the models are the same, the files are not.
    const other = join(cwd, 'other.onnx');
    const bytes = buildModel({ opset: 17, outputs: { y: f32() }, nodes: [{ op: 'Abs', in: ['x'], out: ['y'] }] });
    writeFileSync(join(cwd, 'one.onnx'), bytes);
    writeFileSync(other, Buffer.concat([bytes, Buffer.from([0xf8, 0x3f, 1])]));
    const done = compress(['diff', 'one.onnx', other, '--exit-code'], { cwd });
    expect(done.code).toBe(0);
    expect(oneLine(done.stdout)).toContain('the graph and the weights are the same; the files of');
  });

  test('the exit code says whether they differ, only with --exit-code', () => {
    const results = compressEach([
      ['diff', MLP, PRUNED, '-q'],
      ['diff', MLP, PRUNED, '-q', '--exit-code'],
      ['diff', MLP, MLP, '-q', '--exit-code'],
      ['diff', MLP, 'nowhere.onnx', '--exit-code'],
      ['diff', MLP, '--exit-code'],
    ]);
    expect(results.map((one) => one.code)).toEqual([0, 1, 0, 1, 2]);
    expect(results.slice(0, 3).map((one) => one.stdout.toString() + one.stderr)).toEqual(['', '', '']);
    expect(results[3]?.stderr).toBe('error: nowhere.onnx: no such file or folder\n');
  });

  test('reads one of the two models from standard input', () => {
    const done = shell(`onnx-compress prune --l1 0.4 -q ${MLP} | onnx-compress diff ${PRUNED} -`);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(oneLine(done.stdout)).toContain('identical, byte for byte');
    const both = compress(['diff', '-', '-']);
    expect(both.code).toBe(2);
    expect(both.stderr).toContain('only one model can come from standard input');
  });

  test('--json', () => {
    const found = JSON.parse(compress(['diff', '--json', MLP, SMALL]).stdout.toString());
    expect(Object.keys(found)).toEqual([
      ...[
        'version',
        'before',
        'after',
        'identical',
        'same',
        'byteLength',
        'notes',
        'header',
        'values',
        'operators',
        'nodes',
        'weights',
      ],
    ]);
    expect(found).toMatchObject({ before: MLP, after: SMALL, identical: false, same: false, header: [], values: [] });
    expect(found.operators).toContainEqual({ opType: 'MatMul', before: 0, after: 3 });
    expect(found.weights.changed[0]).toMatchObject({
      ...{ name: 'fc1.weight', kind: 'quantized', form: 'per channel' },
      before: { dtype: 'float32', dims: [256, 64] },
      after: { name: 'fc1.weight_quantized', dtype: 'int8', dims: [64, 256] },
    });
    expect(found.weights.changed[0].values.sqnr).toBeGreaterThan(40);
    expect(compress(['diff', '--json', '--markdown', MLP, MLP]).code).toBe(2);
  });

  test('control characters and Markdown in names are made harmless', () => {
    const evil = 'a\u001b[31mred\n| # <img> @you `x` [l](u)\u202e';
    const spec = (name: string, data: number): ModelSpec => ({
      opset: 17,
      domains: { [evil]: data },
      inputs: { [name]: f32([evil, 2]) },
      outputs: { y: f32() },
      nodes: [{ op: 'MatMul', domain: name, in: [name, `${evil}w`], out: ['y'], name: evil }],
      initializers: { [`${evil}w`]: f32([2], [data, 2]) },
    });
    writeFileSync(join(cwd, 'evil1.onnx'), buildModel(spec(evil, 1)));
    writeFileSync(join(cwd, 'evil2.onnx'), buildModel(spec(`${evil}2`, 3)));
    for (const flags of [[], ['-v'], ['--markdown']]) {
      const done = compress(['diff', 'evil1.onnx', 'evil2.onnx', ...flags], { cwd, env: { NO_COLOR: '1' } });
      expect(done).toMatchObject({ code: 0, stderr: '' });
      const text = done.stdout.toString();
      expect(text).toContain('red');
      expect(text).not.toMatch(/[^\P{Cc}\n]/u);
      expect(text).not.toContain('\u202e');
      expect(text).not.toMatch(/^\| # /m);
      if (flags.includes('--markdown')) expect(text).not.toMatch(/<img|@you|(?<!\\)`|(?<!\\)\[/);
    }
  });
});

const AT_80 = `a → b: 204 kB → 55.8 kB (27.4 %); 2 nodes and 3 weights are the same
operators (5 changes)
  operator               before  after
  DequantizeLinear            0      6
  DynamicQuantizeLinear       0      3
  Gemm                        3      0
  MatMul                      0      3
  Sum                         0      3
weights (3 changes)
  weight      what                           SQNR  max error          zeros
  fc1.weight  float32 → int8 per channel  44.7 dB     0.0022  0.0 % → 0.7 %
  fc2.weight  float32 → int8 per channel  40.0 dB    0.00253  0.0 % → 1.3 %
  fc3.weight  float32 → int8 per channel  43.7 dB    0.00172  0.0 % → 0.6 %
nodes (15 changes)
  node                                    operator               what
  /fc1/Gemm                               MatMul                 was Gemm
  /fc2/Gemm                               MatMul                 was Gemm
  /fc3/Gemm                               MatMul                 was Gemm
  input_DynamicQuantizeLinear             DynamicQuantizeLinear  added
  input_DequantizeLinear                  DequantizeLinear       added
  fc1.weight_DequantizeLinear             DequantizeLinear       added
  /fc1/Gemm_output_0_Sum                  Sum                    added
  /Relu_output_0_DynamicQuantizeLinear    DynamicQuantizeLinear  added
  /Relu_output_0_DequantizeLinear         DequantizeLinear       added
  fc2.weight_DequantizeLinear             DequantizeLinear       added
  /fc2/Gemm_output_0_Sum                  Sum                    added
  /Relu_1_output_0_DynamicQuantizeLinear  DynamicQuantizeLinear  added
  … and 3 more (--verbose)
`;

const AT_140 = `a → b: 314 kB → 81.6 kB (26.0 %); 6 nodes and 4 weights are the same
operators (6 changes)
  operator          before  after
  Cast                   0      5
  DequantizeLinear       0      1
  Gemm                   1      0
  MatMul                 0      1
  Mul                    0      3
  Sum                    0      1
weights (4 changes)
  weight         what                           SQNR  max error          zeros
  fc.weight      float32 → int8 per channel  45.1 dB   0.000414  0.0 % → 0.5 %
  onnx::Conv_38  float32 → int8 per channel  49.7 dB    0.00783  0.0 % → 0.0 %
  onnx::Conv_41  float32 → int8 per channel  46.1 dB    0.00122  0.0 % → 0.6 %
  onnx::Conv_44  float32 → int8 per channel  44.8 dB   0.000851  0.0 % → 0.6 %
nodes (14 changes)
  node                       operator  what
  /conv1/Conv                Conv      input 1: onnx::Conv_38 → onnx::Conv_38_dequantized
  /conv2/Conv                Conv      input 1: onnx::Conv_41 → onnx::Conv_41_dequantized
  /conv3/Conv                Conv      input 1: onnx::Conv_44 → onnx::Conv_44_dequantized
  /fc/Gemm                   MatMul    was Gemm
  onnx::Conv_38_cast         Cast      added
  onnx::Conv_38_dequantized  Mul       added
  onnx::Conv_41_cast         Cast      added
  onnx::Conv_41_scale_cast   Cast      added
  onnx::Conv_41_dequantized  Mul       added
  onnx::Conv_44_cast         Cast      added
  onnx::Conv_44_scale_cast   Cast      added
  onnx::Conv_44_dequantized  Mul       added
  … and 2 more (--verbose)
`;

const MARKDOWN = `**a → b**: 204 kB → 204 kB (100.0 %); 5 nodes and 3 weights are the same

### weights

| weight | what | SQNR | max error | zeros |
| --- | --- | --: | --: | --: |
| fc1.weight | values | 14.1 dB | 0.0604 | 0.0 % → 40.0 % |
| fc2.weight | values | 15.3 dB | 0.0354 | 0.0 % → 40.0 % |
| fc3.weight | values | 13.2 dB | 0.0648 | 0.0 % → 40.0 % |
`;
