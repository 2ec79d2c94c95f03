import { describe, expect, test } from '@jest/globals';
import { constant } from '../../src/ir/tensor.ts';
import { findStored } from '../../src/schemes/chains.ts';
import { codeInputs, codesAt } from '../../src/schemes/contrib.ts';
import { type Reals, realsOf, scaledReals, spansOf, swappedReals } from '../../src/schemes/reals.ts';
import { type Span, sampleOf } from '../../src/schemes/spans.ts';
import { f32, type ModelSpec } from '../support/build.ts';
import { blocksModel, bnb4Model, nbitsModel } from '../support/codes.ts';
import { modelOf } from '../support/model.ts';

describe('a sample', () => {
  test('has a span in each part, at varying places, and never beyond the end', () => {
    const spans = sampleOf(100_000, 8192) ?? [];
    expect(spans).toHaveLength(8);
    for (const [index, { start, end }] of spans.entries()) {
      expect(end - start).toBe(1024);
      expect(start).toBeGreaterThanOrEqual(index * 12_500);
      expect(end).toBeLessThanOrEqual((index + 1) * 12_500);
    }
    expect(new Set(spans.map(({ start }) => start % 12_500)).size).toBe(8);
  });

  test('is undefined for few elements', () => {
    expect(sampleOf(16_383, 8192)).toBeUndefined();
    expect(sampleOf(16_384, 8192)).toHaveLength(8);
    expect(sampleOf(0, 8192)).toBeUndefined();
  });
});

/** Spans of any length and start, up to the end. */
function spansIn(count: number): Span[] {
  return [
    [0, 1],
    [3, 10],
    [11, Math.floor(count / 2)],
    [Math.floor(count / 2), count - 5],
    [count - 3, count],
  ].map(([start = 0, end = 0]) => ({ start, end }));
}

async function expectSpans(reals: Reals): Promise<void> {
  const all: number[] = [];
  for await (const chunk of reals()) all.push(...chunk);
  const spans = spansIn(all.length);
  expect([...(await spansOf(reals, spans))]).toEqual(spans.flatMap(({ start, end }) => all.slice(start, end)));
}

const halves = {
  dtype: 'float16',
  dims: [9, 7],
  data: Uint16Array.from({ length: 63 }, (_, at) => 0x3c00 + at),
} as const;

test('reads only the bytes of the spans of floats', async () => {
  const dims = [64, 64];
  const model = await modelOf({
    ...{ opset: 17, inputs: {}, outputs: { w: f32(dims) }, nodes: [] },
    initializers: {
      w: f32(
        dims,
        Float32Array.from({ length: 4096 }, (_, at) => at),
      ),
      h: halves,
    },
  });
  for (const tensor of model.graph.initializers.values()) {
    for (const reals of [realsOf(tensor), swappedReals(tensor)]) {
      await expectSpans(reals as Reals);
      await expectSpans(scaledReals(reals as Reals, 3));
    }
  }
  const tensor = model.graph.initializers.get('w');
  const { stored } = tensor ?? {};
  if (tensor === undefined || stored === undefined) throw new Error('it lies nowhere');
  let read = 0;
  const watched = {
    ...{ label: stored.label, byteLength: stored.byteLength, file: undefined },
    readInto: (target: Uint8Array, start: number) => {
      read += target.byteLength;
      return stored.readInto(target, start);
    },
  };
  const some = await spansOf(realsOf({ ...tensor, stored: watched }) as Reals, [{ start: 100, end: 103 }]);
  expect([...some]).toEqual([100, 101, 102]);
  expect(read).toBe(32);
});

test('picks spans of a computed tensor out of all elements', async () => {
  const tensor = constant(
    'w',
    'float32',
    [50],
    Float32Array.from({ length: 50 }, (_, at) => at),
  );
  await expectSpans(realsOf(tensor) as Reals);
  await expectSpans(scaledReals(realsOf(tensor) as Reals, -1));
});

test.each<[string, ModelSpec]>([
  ['4 bits, rows filled up', nbitsModel({ K: 40, N: 5, bits: 4, block: 32 })],
  ['8 bits', nbitsModel({ K: 32, N: 32, bits: 8, block: 16 })],
  ['codes of a table', blocksModel({ dtype: 'uint8', bits: 4, dims: [5, 64], block: 32 })],
  ['codes that are no integers', bnb4Model(48, 6, 16, 1)],
])('reads spans of %s, in order and with swapped axes', async (_, spec) => {
  const { graph } = await modelOf(spec);
  const [node] = graph.nodes.filter((one) => codeInputs(one).length > 0);
  const [index = 0] = node === undefined ? [] : codeInputs(node);
  const weight = node && codesAt(graph, node, index);
  if (weight === undefined) throw new Error('no weight is found');
  await expectSpans(weight.reals);
  await expectSpans(weight.swapped);
});

test('reads spans of integers with a scale per channel', async () => {
  const model = await modelOf({
    ...{ opset: 17, inputs: { x: f32([1, 6]) }, outputs: { y: f32([1, 9]) } },
    nodes: [
      { op: 'DequantizeLinear', in: ['w_quantized', 'w_scale'], out: ['w_f'], attributes: { axis: 1 } },
      { op: 'MatMul', in: ['x', 'w_f'], out: ['y'] },
    ],
    initializers: {
      w_quantized: { dtype: 'int8', dims: [6, 9], data: Int8Array.from({ length: 54 }, (_, at) => at - 20) },
      w_scale: f32(
        [9],
        Float32Array.from({ length: 9 }, (_, at) => at + 1),
      ),
    },
  });
  const weight = findStored(model.graph, 'w');
  if (weight === undefined) throw new Error('no weight is found');
  await expectSpans(weight.reals);
  await expectSpans(weight.swapped);
});
