import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shorten, shortenDistinct } from '../../src/cli/shorten.ts';
import { widthsOf, wrap } from '../../src/cli/text.ts';
import { buildModel, f32, type ModelSpec } from '../support/build.ts';
import { compress, folder } from '../support/cli.ts';

const LAYERS = Array.from({ length: 12 }, (_, layer) =>
  ['q', 'k', 'v'].map((part) => `/model/encoder/layers.${layer}/self_attn/${part}_proj/MatMul_output_0_Dequantize`),
).flat();

describe('shortened names stay distinct', () => {
  test('a single name is cut in the middle', () => {
    expect(shorten('/model/encoder/MatMul', 13)).toBe('/mod…r/MatMul');
    expect(shortenDistinct(['short', '/model/encoder/MatMul'], 13)).toEqual(['short', '/mod…r/MatMul']);
    expect(shortenDistinct([], 13)).toEqual([]);
  });

  test('if cutting would make two equal, the part in which they differ is kept, and as much of the end as possible', () => {
    expect(new Set(LAYERS.map((one) => shorten(one, 33))).size).toBe(1);
    const cut = shortenDistinct(LAYERS, 50);
    expect(cut.slice(0, 4)).toEqual([
      '…layers.0/self_a…q_proj/MatMul_output_0_Dequantize',
      '…layers.0/self_a…k_proj/MatMul_output_0_Dequantize',
      '…layers.0/self_a…v_proj/MatMul_output_0_Dequantize',
      '…layers.1/self_a…q_proj/MatMul_output_0_Dequantize',
    ]);
    expect(new Set(cut).size).toBe(LAYERS.length);
    for (const one of cut) expect(one.length).toBeLessThanOrEqual(50);
  });

  test('the same name twice is shortened the same way', () => {
    const twice = [...LAYERS.slice(0, 2), ...LAYERS.slice(0, 2)];
    const cut = shortenDistinct(twice, 33);
    expect(cut.slice(2)).toEqual(cut.slice(0, 2));
    expect(cut[0]).not.toBe(cut[1]);
  });

  test('if the width is too small for the difference, names are a little wider rather than equal', () => {
    const cut = shortenDistinct(LAYERS, 16);
    expect(new Set(cut).size).toBe(LAYERS.length);
    for (const one of cut) expect(one.length).toBeLessThanOrEqual(25);
  });

  test('any list keeps as many different names as before', () => {
    // Long common parts around short differences.
    const part = fc.constantFrom('/encoder/layers', '.1', '.10', '/attention', '/MatMul', '_output_0', 'x', '…');
    const name = fc.array(part, { minLength: 1, maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), fc.integer({ min: 4, max: 40 }), (names, width) => {
        const cut = shortenDistinct(names, width);
        expect(cut).toHaveLength(names.length);
        expect(new Set(cut).size).toBe(new Set(names).size);
        names.forEach((one, index) => {
          if (one.length <= width) expect(cut[index]).toBe(one);
        });
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});

test('onnx-compress diff keeps the names of two nodes distinct', () => {
  const cwd = folder();
  const spec = (op: string): ModelSpec => ({
    opset: 17,
    inputs: { x: f32([2]) },
    outputs: { y: f32([2]) },
    nodes: LAYERS.map((name, index) => ({
      ...{ op, name: `/exported/by/a/framework/that/likes/names${name}`, in: [index === 0 ? 'x' : `v${index - 1}`] },
      out: [index === LAYERS.length - 1 ? 'y' : `v${index}`],
    })),
  });
  writeFileSync(join(cwd, 'a.onnx'), buildModel(spec('Relu')));
  writeFileSync(join(cwd, 'b.onnx'), buildModel(spec('HardSwish')));
  const { stdout } = compress(['diff', 'a.onnx', 'b.onnx'], { cwd });
  const rows = stdout
    .toString()
    .split('\n')
    .filter((line) => line.includes('was Relu'));
  expect(rows).toHaveLength(12);
  for (const row of rows) expect(row).toContain('…');
  expect(new Set(rows.map((row) => row.trim().split(/\s+/)[0])).size).toBe(12);
});

test('the width of a report is that of the terminal, else COLUMNS, else 100; only the first two cut its first line', () => {
  const given = process.env['COLUMNS'];
  const widths = (columns: string, stream: { columns?: number } = {}) => {
    process.env['COLUMNS'] = columns;
    return Object.values(widthsOf(stream));
  };
  try {
    expect(widths('72', { columns: 90 })).toEqual([90, 90]);
    expect(widths('72')).toEqual([72, 72]);
    for (const none of ['', '0', 'wide', '-5']) expect(widths(none)).toEqual([100, Number.POSITIVE_INFINITY]);
  } finally {
    if (given === undefined) delete process.env['COLUMNS'];
    else process.env['COLUMNS'] = given;
  }
});

test('wrap breaks lines between words, but not between a number and its unit', () => {
  expect(wrap('faster, time ×0.78', 14)).toEqual(['faster,', '  time ×0.78']);
  expect(wrap('  takes about 55.7 kB of memory', 20)).toEqual(['  takes about', '    55.7 kB of', '    memory']);
  expect(wrap('keeps 40.0 % of them, 12 dBm, 3 bits', 11)).toEqual([
    'keeps',
    '  40.0 % of',
    '  them, 12',
    '  dBm,',
    '  3 bits',
  ]);
});
