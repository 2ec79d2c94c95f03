import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openData } from '../../src/node/data/open.ts';
import { buildModel, f32, i64 } from '../support/build.ts';
import { compress, folder, ROOT } from '../support/cli.ts';
import { randomFloats } from '../support/random.ts';

const cwd = folder();

/** A step of a decoder: table rows appended to those of the previous step, and summed. */
writeFileSync(
  join(cwd, 'decoder.onnx'),
  buildModel({
    opset: 17,
    inputs: { ids: i64(['batch', 'sequence']), 'past.key': f32(['batch', 'past', 8]) },
    outputs: { logits: f32(['batch', 'sequence', 16]), 'present.key': f32(['batch', 'total', 8]) },
    nodes: [
      { op: 'Gather', in: ['table', 'ids'], out: ['e'] },
      { op: 'Concat', in: ['past.key', 'e'], out: ['present.key'], attributes: { axis: 1 } },
      { op: 'ReduceMean', in: ['present.key'], out: ['m'], attributes: { axes: [1] } },
      { op: 'Add', in: ['e', 'm'], out: ['a'] },
      { op: 'MatMul', in: ['a', 'w'], out: ['logits'] },
    ],
    initializers: { table: f32([16, 8], randomFloats([16, 8], 1)), w: f32([8, 16], randomFloats([8, 16], 2)) },
  }),
);

test('the recorder of docs/data.md writes the feeds of onnxruntime-node, including empty arrays', async () => {
  const page = readFileSync(join(ROOT, 'docs/data.md'), 'utf8');
  const [block] = /\/\/ record\.mjs\n[\s\S]*?(?=```)/.exec(page) ?? [];
  writeFileSync(join(cwd, 'record.mjs'), block ?? '');
  writeFileSync(
    join(cwd, 'program.mjs'),
    `
    import ort from ${JSON.stringify(join(ROOT, 'node_modules/onnxruntime-node/dist/index.js'))};
    import { record } from './record.mjs';
    const session = await ort.InferenceSession.create('decoder.onnx');
    record(session, 'steps');
    let past = new ort.Tensor('float32', new Float32Array(0), [1, 0, 8]);
    for (const ids of [[3, 1, 4], [1], [5]]) {
      const feeds = { ids: new ort.Tensor('int64', BigInt64Array.from(ids.map(BigInt)), [1, ids.length]), 'past.key': past };
      past = (await session.run(feeds))['present.key'];
    }
    console.log(past.dims.join());`,
  );
  expect(execFileSync(process.execPath, ['program.mjs'], { cwd }).toString()).toBe('1,5,8\n');
  const inputs = [
    { name: 'ids', dtype: 'int64', dims: ['batch', 'sequence'] },
    { name: 'past.key', dtype: 'float32', dims: ['batch', 'past', 8] },
  ] as const;
  const samples = [];
  for await (const one of (await openData(join(cwd, 'steps'), inputs)).samples()) samples.push(one.feeds);
  expect(samples.map((one) => one['ids']?.data)).toEqual([
    BigInt64Array.of(3n, 1n, 4n),
    BigInt64Array.of(1n),
    BigInt64Array.of(5n),
  ]);
  expect(samples.map((one) => one['past.key']?.dims)).toEqual([
    [1, 0, 8],
    [1, 3, 8],
    [1, 4, 8],
  ]);
  const table = randomFloats([16, 8], 1);
  expect(samples[1]?.['past.key']?.data).toEqual(
    Float32Array.of(...[3, 1, 4].flatMap((id) => [...table.slice(id * 8, id * 8 + 8)])),
  );
  const verify = compress(['verify', 'decoder.onnx', 'decoder.onnx', '--data', 'steps'], { cwd });
  expect(verify).toMatchObject({ code: 0, stderr: '' });
  expect(verify.stdout.toString()).toContain('steps: 3 samples in 3 files');
});
