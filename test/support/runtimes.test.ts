import { afterAll, describe, expect, test } from '@jest/globals';
import { Tensor } from 'onnxruntime-node';
import { buildModel, type ModelSpec, value } from './build.ts';
import { toHalf } from './half.ts';
import { feed } from './ort.ts';
import { OTHER_RUNTIMES, openRuntime } from './runtimes.ts';
import { numbers } from './sqnr.ts';

const NEGATED: ModelSpec = {
  opset: 17,
  inputs: { x: value('float32', [2]), half: value('float16', [1]), i: value('int64', [1]) },
  outputs: { y: value('float32', [2]), copy: value('float16', [1]), j: value('int64', [1]) },
  nodes: [
    { op: 'Neg', in: ['x'], out: ['y'] },
    { op: 'Identity', in: ['half'], out: ['copy'] },
    { op: 'Identity', in: ['i'], out: ['j'] },
  ],
};

describe.each(OTHER_RUNTIMES)('%s', (name) => {
  const runtime = openRuntime(name);
  afterAll(() => runtime.close());

  test('gives outputs of every type, one model after another', async () => {
    const feeds = {
      x: feed([2], Float32Array.of(1, -2)),
      half: new Tensor('float16', Uint16Array.of(toHalf(0.5)), [1]),
      i: new Tensor('int64', BigInt64Array.of(7n), [1]),
    };
    for (const optimization of ['disabled', 'all'] as const) {
      const { y, copy, j } = await runtime.run(buildModel(NEGATED), feeds, { optimization });
      expect([y, copy, j].map((one) => [...numbers(one as Tensor)])).toEqual([[-1, 2], [0.5], [7]]);
    }
  });

  test('reports an invalid model, and runs the next one', async () => {
    await expect(runtime.run(Uint8Array.of(1, 2, 3), {})).rejects.toThrow(`${name}: `);
    const spec = { ...NEGATED, nodes: [{ op: 'Nothing', in: ['x'], out: ['y'] }, ...NEGATED.nodes.slice(1)] };
    await expect(runtime.run(buildModel(spec), {})).rejects.toThrow('Nothing');
  });
});
