import { expect, test } from '@jest/globals';
import { bytesSink, removeChannels, writeModel } from '../../../src/index.node.ts';
import type { Model } from '../../../src/ir/model.ts';
import { piecewise } from '../../../src/ir/tensor.ts';
import { weight } from '../../support/axes.ts';
import { f32, type ModelSpec } from '../../support/build.ts';
import { modelOf } from '../../support/model.ts';

const ROWS = 700;
const COLUMNS = 900;

const SPEC: ModelSpec = {
  ...{ opset: 17, inputs: { x: f32(['n', 'h', 'w', ROWS]) }, outputs: { y: f32() } },
  nodes: [
    { op: 'MatMul', in: ['x', 'a'], out: ['h'] },
    { op: 'Relu', in: ['h'], out: ['g'] },
    { op: 'MatMul', in: ['g', 'b'], out: ['y'] },
  ],
  initializers: { a: weight([ROWS, COLUMNS], 1), b: weight([COLUMNS, ROWS], 2) },
};

async function removed(model: Model): Promise<Uint8Array> {
  await removeChannels({ amount: 0.3, roundTo: 1 }).run(model);
  const sink = bytesSink();
  await writeModel(model, sink);
  return sink.bytes();
}

test('a weight of a few megabytes is read and written in pieces, and never held whole', async () => {
  const whole = await modelOf(SPEC);
  const pieces = await modelOf(SPEC);
  for (const tensor of [...pieces.graph.initializers.values()]) {
    const { name, dtype, dims } = tensor;
    const bytes = await tensor.load();
    const tenths = async function* (): AsyncGenerator<Uint8Array, void, void> {
      for (let at = 0; at < 10; at++) yield bytes.slice((at * bytes.length) / 10, ((at + 1) * bytes.length) / 10);
    };
    const load = (): Promise<Uint8Array> => Promise.reject(new RangeError(`${name} is loaded`));
    pieces.graph.setInitializer({ ...piecewise(name, dtype, dims, tenths), load });
  }
  expect(Buffer.compare(await removed(pieces), await removed(whole))).toBe(0);
});
