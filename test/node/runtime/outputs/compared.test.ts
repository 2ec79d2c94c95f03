import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { DataSet, FeedTensor } from '../../../../src/node/data/types.ts';
import { openJudge } from '../../../../src/node/runtime/judge.ts';
import { checkGates, type VerifyReport, verify } from '../../../../src/node/runtime/verify.ts';
import { buildModel, f32, type ModelSpec } from '../../../support/build.ts';
import { folder } from '../../../support/cli.ts';
import { gemm, matmul, one, spec, weight, y } from '../../../support/heads.ts';
import { randomFloats } from '../../../support/random.ts';

const cwd = folder();
const written = (name: string, from: ModelSpec): string => {
  const path = join(cwd, name);
  writeFileSync(path, buildModel(from));
  return path;
};
const rows =
  (count: number, labels?: readonly number[]): (() => DataSet) =>
  () => ({
    description: 'rows',
    async *samples() {
      const x: FeedTensor = { dtype: 'float32', dims: [count, 8], data: randomFloats([count, 8], 7) };
      const truth = labels && { dtype: 'int64' as const, dims: [count], data: BigInt64Array.from(labels.map(BigInt)) };
      yield { label: 'rows', feeds: { x }, ...(truth === undefined ? {} : { labels: truth }) };
    },
  });

describe('what is compared', () => {
  const nodes = (seed: number): ModelSpec =>
    spec(
      [gemm('x', 'h'), one('Softmax', 'h', 'scores'), gemm('x', 'boxes', 'w4'), matmul('x', 'present.0.key', 'w8')],
      { 'present.0.key': f32(['batch', 8]), boxes: f32(['batch', 4]), scores: f32(['batch', 10]) },
      seed === 0 ? {} : { initializers: { w4: weight(8, 4), w8: f32([8, 8], randomFloats([8, 8], seed)) } },
    );
  const [a, b] = [written('a.onnx', nodes(0)), written('b.onnx', nodes(5))];

  test('what has classes comes first, states come last and are no gate', async () => {
    const found = await verify(a, b, rows(20));
    expect(found.outputs.map((each) => each.name)).toEqual(['scores', 'boxes', 'present.0.key']);
    const [scores, boxes, cache] = found.outputs;
    expect(scores?.top1).toEqual({ count: 20, of: 20 });
    expect(boxes?.top1).toBeUndefined();
    expect(cache).toMatchObject({ cache: true });
    expect(cache?.sqnr).toBeLessThan(10);
    checkGates(found, { minSqnr: 100, minTop1: 1 });
  });

  test('an output and a metric may be chosen', async () => {
    const chosen = await verify(a, b, rows(20), { outputs: ['present.0.key'] });
    expect(chosen.outputs.map(({ name, cache }) => [name, cache])).toEqual([['present.0.key', undefined]]);
    expect(() => checkGates(chosen, { minSqnr: 100 })).toThrow("output 'present.0.key' has an SQNR of");
    const forced = await verify(a, b, rows(20), { outputs: ['boxes'], metric: 'top1' });
    expect(forced.outputs[0]?.top1).toEqual({ count: 20, of: 20 });
    const plain = await verify(a, b, rows(20, Array(20).fill(1)), { metric: 'sqnr' });
    expect(plain.outputs.every((each) => each.top1 === undefined && each.accuracy === undefined)).toBe(true);
    expect(() => checkGates(plain, { minTop1: 0 })).toThrow(
      expect.objectContaining({ hint: 'If one has: `outputs: NAME` `metric: top1`.' }),
    );
    await expect(verify(a, b, rows(20), { outputs: ['logits'] })).rejects.toMatchObject({
      message: "outputs: the model has no output 'logits'",
      hint: "It has 'present.0.key', 'boxes', 'scores'.",
    });
    await expect(verify(a, b, rows(20), { metric: 'accuracy' })).rejects.toThrow('the data has no labels');
  });

  test('labels find the output they are for, also where the graph tells no classes', async () => {
    const labels = Array.from({ length: 20 }, (_, row) => row % 10);
    const named = await verify(a, b, rows(20, labels));
    expect(named.outputs.map((each) => each.accuracy !== undefined)).toEqual([true, false, false]);
    const sigmoid = written('s.onnx', spec([gemm('x', 'h'), one('Sigmoid', 'h', 'y')], y('batch', 10)));
    const [found] = (await verify(sigmoid, sigmoid, rows(20, labels))).outputs;
    expect(found).toMatchObject({ top1: { count: 20, of: 20 }, accuracy: { reference: { of: 20 } } });
    expect((await verify(sigmoid, sigmoid, rows(20))).outputs[0]?.top1).toBeUndefined();
  });

  test('a judge compares what verify compares, by the float model', async () => {
    const data = rows(20, Array(20).fill(3));
    const choice = { outputs: ['scores', 'boxes'] };
    const judge = await openJudge(a, data, choice);
    expect((await judge.judge(b)).outputs).toEqual((await verify(a, b, data, choice)).outputs);
    await judge.close();
    await expect(openJudge(a, data, { outputs: ['z'], option: 'judge' })).rejects.toThrow(
      "judge: the model has no output 'z'",
    );
  });

  test('maps of classes are counted along their channels, pictures not at all', async () => {
    const maps = (softmax: boolean): ModelSpec =>
      spec(
        [
          { op: 'Conv', in: ['x', 'c'], out: ['h'] },
          softmax ? one('Softmax', 'h', 'y', { axis: 1 }) : one('Identity', 'h', 'y'),
        ],
        y('batch', 10, 4, 4),
        { inputs: { x: f32(['batch', 3, 4, 4]) } },
      );
    const data = (): DataSet => ({
      description: 'maps',
      async *samples() {
        const x: FeedTensor = { dtype: 'float32', dims: [2, 3, 4, 4], data: randomFloats([2, 3, 4, 4], 3) };
        const labels: FeedTensor = { dtype: 'int64', dims: [2, 4, 4], data: new BigInt64Array(32).fill(2n) };
        yield { label: 'maps', feeds: { x }, labels };
      },
    });
    const map = written('map.onnx', maps(true));
    const [found] = (await verify(map, map, data)).outputs;
    expect(found?.top1).toEqual({ count: 32, of: 32 });
    // As many pixels as the softmax has its largest channel at 2.
    const weights = spec([], {}).initializers?.['c']?.data as Float32Array;
    const x = randomFloats([2, 3, 4, 4], 3);
    let right = 0;
    for (let pixel = 0; pixel < 32; pixel++) {
      const at = (channel: number): number => x[(Math.floor(pixel / 16) * 3 + channel) * 16 + (pixel % 16)] as number;
      const scores = Array.from({ length: 10 }, (_, out) =>
        [0, 1, 2].reduce((sum, channel) => sum + (weights[out * 3 + channel] as number) * at(channel), 0),
      );
      if (scores.indexOf(Math.max(...scores)) === 2) right++;
    }
    expect(found?.accuracy?.reference).toEqual({ count: right, of: 32 });
    const picture = written('picture.onnx', maps(false));
    expect((await verify(picture, picture, rows(0) && data)).outputs[0]?.top1).toBeUndefined();
  });

  test('an output without an element holds against no gate', async () => {
    const empty = written('empty.onnx', spec([gemm('x', 'y')], y(0, 10), { inputs: { x: f32([0, 8]) } }));
    const found: VerifyReport = await verify(empty, empty, rows(0));
    expect(found.outputs[0]).toMatchObject({ elements: 0 });
    expect(() => checkGates(found, { minSqnr: 1 })).toThrow('all outputs are empty');
  });
});
