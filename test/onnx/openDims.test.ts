import { expect, test } from '@jest/globals';
import { attribute, createNode } from '../../src/ir/node.ts';
import { print } from '../../src/ir/print.ts';
import { buildModel, f32, type GraphSpec, type ModelSpec, value } from '../support/build.ts';
import { bytesOf, modelOf } from '../support/model.ts';

/** A model with −1 wherever a file states dims, as make_tensor_value_info(…, [-1, …]) writes it. */
const branch = (name: string): GraphSpec => ({
  outputs: { [name]: f32([-1, 4]) },
  nodes: [
    { op: 'Neg', in: ['x'], out: [`${name}_n`] },
    { op: 'Abs', in: [`${name}_n`], out: [name] },
  ],
  valueInfo: { [`${name}_n`]: f32([-1, 4]) },
});
const SPEC: ModelSpec = {
  opset: 17,
  inputs: { x: f32([-1, 4]), c: value('bool', []), huge: f32([2 ** 60, 1]) },
  outputs: { y: f32([-1, -1]), h: f32(['n', 4]) },
  nodes: [
    { op: 'If', in: ['c'], out: ['z'], attributes: { then_branch: branch('a'), else_branch: branch('b') } },
    { op: 'Relu', in: ['z'], out: ['r'] },
    { op: 'Neg', in: ['r'], out: ['y'] },
    { op: 'Identity', in: ['r'], out: ['h'] },
  ],
  valueInfo: { r: f32([-1, 4]) },
};

test('treats negative and too large dims as open: in inputs, outputs, inner values and bodies', async () => {
  const { graph } = await modelOf(SPEC);
  expect(graph.inputs.map((one) => one.dims)).toEqual([[undefined, 4], [], [undefined, 1]]);
  expect(graph.outputs.map((one) => one.dims)).toEqual([
    [undefined, undefined],
    ['n', 4],
  ]);
  expect(graph.typeOf('r')?.dims).toEqual([undefined, 4]);
  const [body] = [...graph.bodies];
  expect(body?.outputs.map((one) => one.dims)).toEqual([[undefined, 4]]);
  expect(body?.valueInfo.map((one) => one.dims)).toEqual([[undefined, 4]]);
  expect(print(await modelOf(SPEC))).not.toContain('-1');
});

test('copies such a file byte for byte, and re-encodes open dims as open', async () => {
  const bytes = buildModel(SPEC);
  expect(Buffer.from(await bytesOf(await modelOf(bytes))).equals(Buffer.from(bytes))).toBe(true);
  const model = await modelOf(bytes);
  model.graph.setValueInfo(model.graph.valueInfo.map((one) => ({ ...one })));
  const [relu] = model.graph.nodes.filter((one) => one.opType === 'Relu');
  if (relu === undefined) throw new Error('no Relu');
  model.graph.replaceNode(relu, createNode({ ...relu, attributes: [attribute.int('unused', 1)] }));
  const again = await modelOf(await bytesOf(model));
  expect(again.graph.typeOf('r')).toEqual({ name: 'r', dtype: 'float32', dims: [undefined, 4] });
  expect(again.graph.inputs).toEqual((await modelOf(bytes)).graph.inputs);
});
