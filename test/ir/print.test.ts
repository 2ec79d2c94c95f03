import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { Graph } from '../../src/ir/graph.ts';
import { Model } from '../../src/ir/model.ts';
import { attribute, createNode } from '../../src/ir/node.ts';
import { print } from '../../src/ir/print.ts';
import { constant } from '../../src/ir/tensor.ts';
import { readModel } from '../../src/node/model.ts';

const fixtures = new URL('../../fixtures/', import.meta.url).pathname;
const names = (readdirSync(fixtures, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.onnx') && !name.startsWith('malformed'))
  .map((name) => name.slice(0, -'.onnx'.length));

test.each(names)(
  'fixtures/%s.txt is the printed model (otherwise run node scripts/print-fixtures.js)',
  async (name) => {
    const model = await readModel(`${fixtures}${name}.onnx`);
    expect(print(model)).toBe(await readFile(`${fixtures}${name}.txt`, 'utf8'));
    await model.close();
  },
);

test('prints every kind of attribute', () => {
  const body = new Graph({
    name: 'b',
    nodes: [createNode({ opType: 'Neg', inputs: ['x'], outputs: ['r'] })],
    outputs: [{ name: 'r' }],
  });
  const node = createNode({
    opType: 'Foo',
    domain: 'my',
    inputs: ['x', '', 'w'],
    outputs: ['y'],
    attributes: [
      attribute.int('i', -1),
      attribute.ints('is', [1, 2]),
      attribute.float('f', 0.5),
      attribute.string('s', 'a"b'),
      attribute.tensor('t', constant('', 'int8', [2], Int8Array.of(1, 2))),
      { name: 'g', type: 'graph', value: body },
      { name: 'ss', type: 'strings', value: ['a'] },
      { name: 'o', type: 'opaque' },
      { name: 'sp', type: 'sparse_tensor', value: { name: '', dtype: 'float32', dims: [9], stored: 1 } },
    ],
  });
  const graph = new Graph({
    name: 'main',
    nodes: [node],
    initializers: [constant('w', 'float32', [1], Float32Array.of(1))],
    sparseInitializers: [{ name: 'z', dtype: 'float32', dims: [3, 3], stored: 2 }],
    inputs: [{ name: 'x', dtype: 'float32', dims: ['n', undefined, 3] }],
    outputs: [{ name: 'y', dtype: 'int8' }, { name: 'q' }],
  });
  const model = new Model({
    irVersion: 10,
    opsets: [
      { domain: '', version: 21 },
      { domain: 'my', version: 1 },
    ],
    graph,
  });
  expect(print(model)).toBe(`<ir_version: 10, opset_import: ["" : 21, "my" : 1]>
main (float32[n,?,3] x) => (int8[…] y, q) {
  float32[1] w
  sparse float32[3,3] z (2 stored)
  y = my.Foo <i = -1, is = [1, 2], f = 0.5, s = "a\\"b", t = int8[2], g = b () => (r) {
    r = Neg (x)
  }, ss = ["a"], o = …, sp = sparse float32[9]> (x, , w)
}
`);
});
